"""MA701 to MA703, MA717: Python code in the model's config."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from modelaudit.file_formats import Container
from modelaudit.findings import Confidence, Finding, Remedy, Severity
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.security.config.allowed_code import Judgement
from modelaudit.rules.security.config.capabilities import abilities
from modelaudit.rules.security.config.code_sites import CodeSite, code_sites
from modelaudit.rules.security.config.examples import (
    ARITHMETIC,
    LOGGING,
    SYSTEM,
    dense,
    example,
    lambda_layer,
)
from modelaudit.rules.security.op_threats import LOOPS, NATIVE, RUNS_GRAPH, WATCHED
from modelaudit.work_budget import spend

_H5_NOTE = (
    " Keras before 3.11.3 runs it when it loads an .h5 file, regardless of `safe_mode`"
    " (CVE-2025-9905)."
)
_DAMAGED = (
    "no Python can run, as bytes 47 are in it where 92 was, which Keras 2 replaces on Windows when it "
    "saves; with 92, it "
)
_PLAIN = (
    "Replace the Lambda with a built-in layer (`keras.layers.Rescaling(1 / 255)`, "
    "`keras.layers.Subtract()`, operations of `keras.ops`) or a registered class, and save the "
    "model again. "
)
_UNCHANGED = (
    "Unchanged, the file loads only with `safe_mode=False`, in the version of Python "
    "that wrote the code, and only if Keras defines all names in the code."
)
_UNCHANGED_H5 = (
    "Unchanged, the file loads only in a version of Python that reads the code, and only if Keras "
    "defines all names in it; Keras from 3.11.3 on needs `safe_mode=False`, tf-keras does not."
)
_SHOWN = 8
# Names that reach nothing by themselves: what they are given to do is in the same code.
_GIVEN = frozenset({"raw_ops", "py_function", "py_func", "numpy_function"})
_HARMFUL = WATCHED.keys() | LOOPS | NATIVE | {RUNS_GRAPH}


def _codes(facts: Facts) -> Iterator[CodeSite]:
    """Each code of a layer once: a SavedModel has the config of the model in two places."""
    seen: set[tuple[str | None, str, str]] = set()
    for code in code_sites(facts.artifact):
        spend()  # judging one may take a millisecond
        key = (code.text.site.file, code.text.site.subject, code.digest)
        if key not in seen:
            seen.add(key)
            yield code


def _abilities(code: CodeSite) -> dict[str, list[str]]:
    """What the names in code reach; names of `_GIVEN` alone only what the code beside them does."""
    found = abilities(code.names)
    listed = code.judged.unlisted  # what MA717 then tells
    alone = listed and _GIVEN.issuperset(chain.from_iterable(found.values()))
    return {} if alone and not {*code.names} & _HARMFUL else found


def _finding(
    rule: Rule, facts: Facts, code: CodeSite, what: str, severity: Severity | None = None
) -> Finding:
    artifact = facts.artifact
    apart = code.text.site.file == artifact.extra.get("architecture_from")
    in_h5 = artifact.format.info.container is Container.HDF5 and not apart
    note = _H5_NOTE if in_h5 else ""
    evidence = code.evidence()
    found = _abilities(code)
    if found:
        evidence["abilities"] = {ability: list(names) for ability, names in found.items()}
    kind = "source text" if code.encoding == "source" else "bytecode"
    return rule.finding(
        f"{code.text.site.subject} contains Python {kind} that {what}.{note}",
        file=code.text.site.file,
        route=code.text.route,
        evidence=evidence,
        key=code.digest,
        severity=severity,
        fix=Remedy(_PLAIN + _UNCHANGED_H5, loads=True) if in_h5 and rule.code == "MA701" else "",
    )


def _is_more(judged: Judgement) -> bool:
    return bool(judged.unlisted or judged.unsound or judged.damaged)


def check_plain(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Code with nothing but names on the allow list."""
    for code in _codes(facts):
        judged = code.judged
        if code.unreadable or _is_more(judged) or _abilities(code):
            continue
        names = ", ".join(code.names[:_SHOWN]) or "no names but those of its arguments"
        lacking = ", ".join(judged.undefined[:_SHOWN])
        without = f", of which only the program that saved it defines {lacking}"
        yield _finding(rule, facts, code, f"refers to {names}{without if lacking else ''}")


def check_unlisted(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Code with names, instructions or literals that are not on the allow list."""
    for code in _codes(facts):
        if _abilities(code):
            continue
        judged = code.judged
        before = _DAMAGED if judged.damaged else ""
        if judged.unlisted:
            unlisted = ", ".join(judged.unlisted[:_SHOWN])
            what = f"{before}has more than arithmetic on tensors: {unlisted}"
            if code.only_reads:
                what = f"{before}reads {unlisted} of an object, and calls nothing"
            elif code.only_imports:
                what = f"{before}imports what it computes with: {unlisted}"
            known = code.only_reads or code.only_imports
            yield _finding(rule, facts, code, what, Severity.MEDIUM if known else None)
        elif versions := " and ".join(judged.unsound):
            what = (
                f"{before}is arithmetic in one version of Python, but has instructions that Python "
                f"{versions} reads as others, which take values that are not there"
            )
            # Also true of honest code: 1 function in 25 of those that Python 3.9 compiles.
            yield _finding(rule, facts, code, what, Severity.MEDIUM)
        elif judged.damaged:
            what = f"{before}is arithmetic on tensors"
            yield _finding(rule, facts, code, what, Severity.MEDIUM)


def check_dangerous(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Code that refers to functions known for what they reach."""
    for code in _codes(facts):
        found = _abilities(code)
        if found:
            named = [
                f"something that {ability} ({', '.join(names[:_SHOWN])})"
                for ability, names in found.items()
            ]
            what = " and ".join([", ".join(named[:-1]), named[-1]] if named[1:] else named)
            yield _finding(rule, facts, code, f"refers to {what}")


def check_unreadable(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Code that could not be read."""
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
        needs=(Need.CONFIG,),
        summary="The model contains Python code that runs when it is used",
        pass_title="The model contains no plain Python code",
        why="A Lambda layer is stored as code, and loading the model runs that code. All names in "
        "this code are on a list of functions that compute on tensors, which is common and "
        "harmless. It still runs only in the Python version that wrote it, and a Lambda layer is "
        "where an attacker would put code.",
        fix=_PLAIN + _UNCHANGED,
        fix_loads=True,
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
        needs=(Need.CONFIG,),
        summary="The model contains Python code that reaches outside the model",
        pass_title="No Python code in the model reaches outside it",
        why="The code refers to functions that run programs, access files, use the network or "
        "manipulate the interpreter. A layer needs none of them. Loading or calling the model "
        "would run the code with your permissions.",
        fix="Do not load it, not even to inspect it. Move it to where no program loads it, and "
        "inform whoever you got it from. The names and strings in the evidence were read without "
        "running anything.",
        check=check_dangerous,
        bad=example(lambda_layer(SYSTEM)),
        good=example(lambda_layer(ARITHMETIC)),
        references=_REFERENCES,
    ),
    Rule(
        code="MA717",
        name="unlisted-code",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.MEDIUM,
        needs=(Need.CONFIG,),
        keeps_from_running=True,
        summary="The model contains Python code that is more than arithmetic on tensors",
        pass_title="All Python code in the model is arithmetic on tensors",
        why="The code of a Lambda layer runs with your permissions when the model is loaded or "
        "called. modelaudit knows the functions of TensorFlow, Keras, NumPy and math that compute "
        "on tensors. This code uses names, instructions or literals that are not among them. "
        "Nearly all layers of honest models use only those, and compiled code needs another to reach "
        "files, programs or the network. The model is not run, unless --probe-unsafe is given.",
        fix="Read the names in the evidence and ask the author for the layer's source. If the code "
        "is honest, replace the Lambda with a built-in layer or a registered class, and save the "
        "model again.",
        check=check_unlisted,
        bad=example(lambda_layer(LOGGING)),
        good=example(lambda_layer(ARITHMETIC)),
        references=_REFERENCES,
    ),
    Rule(
        code="MA703",
        name="unreadable-code",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.MEDIUM,
        needs=(Need.CONFIG,),
        keeps_from_running=True,
        summary="The model contains code that cannot be read",
        pass_title="All code in the model can be read",
        why="A loader expects Python code here, but the content is not bytecode of any Python "
        "version from 2.3 to 3.14. It may be damaged, or crafted so that scanners fail on it.",
        fix="Do not load it. Ask the author for the source of the layer and for the Python version "
        "that saved the model.",
        check=check_unreadable,
        bad=example(lambda_layer(ARITHMETIC[:80])),
        good=example(lambda_layer(ARITHMETIC)),
        references=_REFERENCES,
    ),
)
