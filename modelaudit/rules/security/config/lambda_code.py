"""MA701 to MA703: Python code that the model carries in its config."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Format
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.security.config.capabilities import abilities
from modelaudit.rules.security.config.code_sites import CodeSite, code_sites
from modelaudit.rules.security.config.examples import (
    ARITHMETIC,
    SYSTEM,
    dense,
    example,
    lambda_layer,
)
from modelaudit.rules.security.config_walk import require_documents

_HDF5 = frozenset({Format.LEGACY_H5_FULL, Format.WEIGHTS_H5_LEGACY, Format.WEIGHTS_H5_V3})
_H5_NOTE = (
    " Keras before 3.11.3 runs it when it loads an .h5 file, whatever `safe_mode` says"
    " (CVE-2025-9905)."
)
_SHOWN = 8


def _codes(facts: Facts) -> tuple[CodeSite, ...]:
    require_documents(facts)
    return code_sites(facts.artifact)


def _finding(rule: Rule, facts: Facts, code: CodeSite, what: str) -> Finding:
    note = _H5_NOTE if facts.artifact.format in _HDF5 else ""
    evidence = code.evidence()
    found = abilities(code.names)
    if found:
        evidence["abilities"] = {ability: list(names) for ability, names in found.items()}
    kind = "source text" if code.encoding == "source" else "bytecode"
    layer = code.text.site.layer
    whose = f"The layer {layer} holds" if layer else "The config holds"
    return rule.finding(
        f"{whose} Python {kind} that {what}.{note}",
        file=code.text.site.file,
        route=code.text.route,
        evidence=evidence,
        key=code.digest,
    )


def check_plain(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Code that names nothing but arithmetic."""
    for code in _codes(facts):
        if not code.unreadable and not abilities(code.names):
            names = ", ".join(code.names[:_SHOWN]) or "no names: it is plain arithmetic"
            yield _finding(rule, facts, code, f"refers to {names}")


def check_dangerous(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Code that names a way out of arithmetic."""
    for code in _codes(facts):
        found = abilities(code.names)
        if found:
            named = [
                f"what {ability} ({', '.join(names[:_SHOWN])})" for ability, names in found.items()
            ]
            what = " and ".join([", ".join(named[:-1]), named[-1]] if named[1:] else named)
            yield _finding(rule, facts, code, f"names {what}")


def check_unreadable(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Code that nobody could read."""
    for code in _codes(facts):
        if code.unreadable:
            yield _finding(rule, facts, code, f"cannot be read: {code.unreadable}")


_REFERENCES = (
    "CVE-2024-3660",
    "GHSA-x4wf-678h-2pmq",
    "CVE-2025-9905",
    "CVE-2026-12481",
    "https://keras.io/api/layers/core_layers/lambda/",
)

RULES = (
    Rule(
        code="MA701",
        name="lambda-layer",
        family=Family.SECURITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The model carries Python code that runs when it is used",
        pass_title="No plain Python code is in the model",
        why="A Lambda layer is stored as code, and whoever loads the model runs that code. This "
        "code names nothing but arithmetic, which is common and honest. It still runs only under "
        "the Python version that wrote it, and it is the place where an attacker would put theirs.",
        fix="Replace the Lambda by a built-in layer (`keras.layers.Rescaling(1 / 255)`, "
        "`keras.layers.Subtract()`, operations of `keras.ops`) or a registered class, and save "
        "again. To load the file as it is, Keras asks for `safe_mode=False`.",
        check=check_plain,
        bad=example(lambda_layer(ARITHMETIC)),
        good=dense,
        references=_REFERENCES,
    ),
    Rule(
        code="MA702",
        name="dangerous-code",
        family=Family.SECURITY,
        severity=Severity.CRITICAL,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="The model carries Python code that reaches out of the model",
        pass_title="No Python code in the model reaches out of it",
        why="The code names functions that run programs, touch files, use the network or get hold "
        "of the interpreter. A layer needs none of them. Loading or calling the model would run "
        "the code with your rights.",
        fix="Do not load it, not even to look. Move it to where no program loads it, and tell whoever "
        "it came from. The names and strings in the evidence were read without running anything.",
        check=check_dangerous,
        bad=example(lambda_layer(SYSTEM)),
        good=example(lambda_layer(ARITHMETIC)),
        references=_REFERENCES,
    ),
    Rule(
        code="MA703",
        name="unreadable-code",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.MEDIUM,
        needs=(Need.ARTIFACT,),
        summary="The model carries code that cannot be read",
        pass_title="All code in the model can be read",
        why="Something stands where a loader expects Python code, and it is in no format of any "
        "Python from 2.3 to 3.14. It may be damaged, or made so that scanners fail on it.",
        fix="Do not load it. Ask the maker for the source of the layer, and for the Python version "
        "that saved the model.",
        check=check_unreadable,
        bad=example(lambda_layer(ARITHMETIC[:80])),
        good=example(lambda_layer(ARITHMETIC)),
        references=_REFERENCES,
    ),
)
