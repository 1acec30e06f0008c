"""MA711 and MA712: paths in a config that lead outside the model."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, classes
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.security.config.examples import dense, example, keras_layer
from modelaudit.rules.security.config_walk import config_tree

_VOCABULARIES = classes(Trait.VOCABULARY) | {"IndexLookup"}
_VOCABULARY_KEYS = ("vocabulary", "idf_weights")
# Of feature columns and tokenisers; if they are relative, the layer's own code set them.
_OTHER_KEYS = ("vocabulary", "vocabulary_file", "vocab_file", "merges", "proto")
_KEYS = frozenset((*_VOCABULARY_KEYS, *_OTHER_KEYS))
_FEWEST = 10  # of an alphabet
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://|[A-Za-z][A-Za-z0-9+.-]{1,20}:/")
_BACKSLASHES = re.compile(r"\\(?![/\\])")
_HOME = re.compile(r"~[\w.-]*/")
_DRIVE = re.compile(r"[A-Za-z]:/")
# Paths of Windows: of another machine, a drive, a home, or with a directory below the root.
_WINDOWS = re.compile(r"\\\\|[A-Za-z]:\\|~[\w.-]*\\|\\[^\\/]*[A-Za-z0-9.][\\/]")


def leads_out(path: str) -> str:
    """How a path leaves the directory that it is relative to; empty if it does not."""
    plain = path.replace("\\", "/")
    if _SCHEME.match(path):
        return "is an address of another machine or file system"
    if "\0" in path:
        return "contains a NUL byte"
    if plain.startswith("/") or _DRIVE.match(plain):
        return "is an absolute path"
    if _HOME.match(plain):
        return "is in a user's home directory"
    if ".." in plain.split("/"):
        return "leaves its directory"
    return ""


def _is_alphabet(text: str) -> bool:
    """Whether it is a list of characters, each once: a slash can be the first of them."""
    return text[:1] in {"/", "\\"} and len(text) >= _FEWEST and len({*text}) == len(text)


def check_vocabularies(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Lookup layers that read their vocabulary from a file."""
    for site in config_tree(facts.artifact).sites:
        config = site.value.get("config")
        if not isinstance(config, dict) or _KEYS.isdisjoint(config):
            continue
        lookup = site.is_a(*_VOCABULARIES)
        for key in _VOCABULARY_KEYS if lookup else _OTHER_KEYS:
            path = config.get(key)
            if not isinstance(path, str):
                continue
            how = leads_out(path)
            if not lookup and (not how or _is_alphabet(path)):
                continue
            yield rule.finding(
                f"`{site.layer}` reads its {key} from {path[:300]!r}"
                + (f", which {how}." if how else ", relative to the working directory."),
                file=site.file,
                route=f"{site.route}/config/{key}",
                evidence={"path": path[:1000], "key": key},
                key=key,
                severity=None if how else Severity.MEDIUM,
            )


def check_names(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Layer names that are paths out of a directory. A `/` alone is common in old models."""
    for site in config_tree(facts.artifact).sites:
        config = site.value.get("config")
        holders = (config, site.value) if site.class_name else ()
        names = [holder.get("name") for holder in holders if isinstance(holder, dict)]
        for name in dict.fromkeys(name for name in names if isinstance(name, str)):
            if name.isidentifier():  # as most names are: nothing in it separates directories
                continue
            # Alone, a backslash leads out on Windows at most: `\\mu` is a name in LaTeX.
            local = _BACKSLASHES.sub("", name)
            how = leads_out(name if _WINDOWS.match(name) or ".." in name else local)
            alone = not how and "\\" in name
            if not how and not alone:
                continue
            yield rule.finding(
                f"The name {name[:300]!r} of a {site.class_name} "
                + (
                    ("contains a backslash, which is part of a path on Windows." if alone else "")
                    or f"{how}."
                ),
                file=site.file,
                route=site.route,
                evidence={"name": name[:1000]},
                key="name",
                severity=Severity.LOW if alone else None,
            )


RULES = (
    Rule(
        code="MA711",
        name="vocabulary-from-path",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.CONFIG,),
        summary="A layer reads its vocabulary from a path in the config",
        pass_title="No layer reads a vocabulary from a path in the config",
        why="Loading the model reads that file, from the user's disk or over the network, and its "
        "lines become part of the model, where they can be read back. Keras 3 stores the words, "
        "Keras 2 the path if the layer was made from a file.",
        fix="Ask the author for a file with the vocabulary inside: `layer.set_vocabulary(words)`, "
        "then save as `.keras`.",
        check=check_vocabularies,
        bad=example(keras_layer("StringLookup", vocabulary="/etc/hostname")),
        good=example(keras_layer("StringLookup", vocabulary=["a", "b"])),
        references=("CVE-2025-12058", "https://github.com/keras-team/keras/pull/21751"),
    ),
    Rule(
        code="MA712",
        name="layer-name-traversal",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.MEDIUM,
        needs=(Need.CONFIG,),
        summary="The name of a layer is a path that leads outside its directory",
        pass_title="No layer's name is a path that leads outside its directory",
        why="Keras builds paths from layer names when it stores and finds weights and assets. A "
        "name that contains `..` or a backslash, or that is absolute, targets files elsewhere. "
        "Keras 3.15 rejects some of these names; other readers and unpackers may not.",
        fix="Do not load it. Rename the layer where the model is built and save the model again.",
        check=check_names,
        bad=example(keras_layer("Dense", name="../../outside")),
        good=dense,
        references=("CVE-2026-12479", "https://github.com/keras-team/keras/pull/23017"),
    ),
)
