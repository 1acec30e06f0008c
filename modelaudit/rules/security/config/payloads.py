"""MA709 and MA710: other programs that a config contains or refers to."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from modelaudit.facts import Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.executables import (
    HEAD_BYTES,
    SHORTEST_TEXT,
    executable_in_base64,
    executable_kind,
)
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.security.config.examples import dense, example, keras_layer
from modelaudit.rules.security.config_walk import ConfigObject, config_tree

_BASE64 = re.compile(r"[A-Za-z0-9+/=]+")
_ENCODED = 1024


def check_bytes(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Torch wrappers, and byte strings that are pickles or programs."""
    for site in config_tree(facts.artifact).sites:
        inner = site.value.get("config")
        if not isinstance(inner, dict):
            continue
        if site.is_a("TorchModuleWrapper"):
            what = f"`{site.layer}` wraps a PyTorch module, which is stored as a pickle"
            yield _carried(rule, site, what, _module_head(inner))
        elif site.class_name == "__bytes__" and not _inside_torch(site):
            head = _head(inner.get("value"))
            if what := executable_kind(head):
                told = f"{site.subject} contains bytes that are {what}"
                yield _carried(rule, site, told, head)
    for text in config_tree(facts.artifact).texts:
        if len(text.value) < SHORTEST_TEXT:
            continue
        if text.site.parent is not None and text.site.parent.class_name == "__bytes__":
            continue
        if what := executable_in_base64(text.value.encode("utf-8", "replace")):
            yield rule.finding(
                f"{text.site.subject} contains {what}, encoded as base64 text.",
                file=text.site.file,
                route=text.route,
                evidence={"head": text.value[:24], "content": what},
                key="base64",
            )


def _carried(rule: Rule, site: ConfigObject, what: str, head: bytes) -> Finding:
    return rule.finding(
        f"{what}.",
        file=site.file,
        route=site.route,
        evidence={"head": head[:16].hex(), "content": executable_kind(head)},
        key=site.class_name,
    )


def _module_head(config: dict[str, Json]) -> bytes:
    """First bytes of the module inside a torch wrapper."""
    module = config.get("module")
    inner = module.get("config") if isinstance(module, dict) else None
    return _head(inner.get("value")) if isinstance(inner, dict) else b""


def _inside_torch(site: ConfigObject) -> bool:
    config = site.parent
    return bool(config and config.parent and config.parent.class_name == "TorchModuleWrapper")


def _head(value: Json) -> bytes:
    """First bytes of a byte string as Keras saves it, in base64."""
    if not isinstance(value, str):
        return b""
    try:
        alphabet = "".join(_BASE64.findall(value[:_ENCODED]))  # Python skips everything else
        return base64.b64decode(alphabet[: len(alphabet) // 4 * 4] or alphabet)[:HEAD_BYTES]
    except binascii.Error:
        return b""


def check_saved_models(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Layers that load another SavedModel."""
    for site in config_tree(facts.artifact).sites:
        inner = site.value.get("config")
        if site.is_a("TFSMLayer"):
            path = inner.get("filepath") if isinstance(inner, dict) else None
            path = path[:500] if isinstance(path, str) else None
            yield rule.finding(
                f"`{site.layer}` loads and runs the SavedModel at {path!r}.",
                file=site.file,
                route=site.route,
                evidence={"path": path},
                key="TFSMLayer",
            )


RULES = (
    Rule(
        code="MA709",
        name="pickle-in-config",
        family=Family.SECURITY,
        severity=Severity.CRITICAL,
        confidence=Confidence.HIGH,
        needs=(Need.CONFIG,),
        summary="The config contains a pickle or a program",
        pass_title="The config contains no pickle and no program",
        why="A pickle is a program for Python's object loader. A TorchModuleWrapper layer is "
        "stored as a pickle and unpickled when the model is loaded, in Keras 3.11.0 to 3.11.2 even "
        "in safe mode.",
        fix="Do not load it. Distribute a PyTorch module as weights together with the code that "
        "uses them (`torch.load(..., weights_only=True)`).",
        check=check_bytes,
        bad=example(keras_layer("TorchModuleWrapper", module="")),
        good=dense,
        references=("CVE-2025-49655",),
    ),
    Rule(
        code="MA710",
        name="external-saved-model",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.CONFIG,),
        summary="A layer runs another SavedModel from a path in the config",
        pass_title="No layer runs another SavedModel",
        why="A TFSMLayer loads whatever SavedModel is at its path on the machine that loads this "
        "file, and a SavedModel can read and write files. That SavedModel was not audited here. "
        "Keras before 3.12.1 and 3.13.2 loads it even in safe mode.",
        fix="Ask for the SavedModel itself, audit it, and build the TFSMLayer in your own code.",
        check=check_saved_models,
        bad=example(keras_layer("TFSMLayer", filepath="/srv/models/other")),
        good=dense,
        references=("CVE-2026-1462", "GHSA-4f3f-g24h-fr8m"),
    ),
)
