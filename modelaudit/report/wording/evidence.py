"""The numbers and names behind a finding, in words: what each of them is and what it counts.

Rules write evidence for programs, by keys that never change. People get it from here.
"""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.facts import Json
from modelaudit.findings import Finding
from modelaudit.report.wording import text
from modelaudit.report.wording import vocabulary as words
from modelaudit.report.wording.json_access import as_number, numbers, pair, plain

SALIENT = ("measured", "threshold", "n")
LONGEST = 300  # characters of one value

KEYS: Mapping[str, str] = {
    "abilities": "what the code can do",
    "agreement": "inputs that keep their answer",
    "agreement_ci": "95\N{NO-BREAK SPACE}% interval of that share",
    "because": "reasons",
    "call": "way of loading",
    "classes": "number of classes",
    "collected": "where that was collected",
    "constants": "texts in the code",
    "kappa": "κ (agreement beyond chance)",
    "n": "sample size (n)",
    "names": "names that the code uses",
    "origin": "source of the code",
    "profile": "bits by orientation of the input",
    "python": "made by Python",
    "reached": "run by",
    "sha256": "SHA-256",
    "tested": "kernels tested",
    "tests": "tests of its weights",
    "top_share": "share of the most frequent answer",
    "what": "what it is",
}
# The tests that tell whether a kernel is still at its initial values; audit.json has the rest.
TESTS: Mapping[str, str] = {
    "bias_initial": "bias at its initial value",
    "batchnorm_initial": "batch normalisation behind it at its initial values",
    "inside_bound": "all weights inside the initialiser's bound",
    "ks_p": "p-value of the Kolmogorov–Smirnov test against the initialiser",
    "level": "p-value below which the weights count as trained",
}
COUNTED = frozenset(
    {
        "bytes",
        "differences",
        "kernels",
        "layers",
        "operations",
        "tensors",
        "uses",
        "values",
        "variables",
        "weights",
    }
)
SHARES = frozenset({"agreement", "top_share"})


def rows(finding: Finding) -> tuple[tuple[str, str], ...]:
    """All evidence of a finding as (what it is, its value), the numbers first."""
    keys = [key for key in SALIENT if key in finding.evidence]
    keys += [key for key in finding.evidence if key not in (*SALIENT, "unit")]
    return tuple((_word(key), _value(finding, key)) for key in keys)


def short(finding: Finding, limit: int = 60) -> str:
    """The numbers of a finding on one line, each value in at most `limit` characters."""
    found = [key for key in SALIENT if key in finding.evidence]
    return ", ".join(f"{key} {text.cut(_value(finding, key), limit)}" for key in found)


def _word(key: str) -> str:
    return KEYS.get(key) or text.shorten(key.replace("_", " "), 40)


def _value(finding: Finding, key: str) -> str:
    value = finding.evidence[key]
    unit = finding.evidence.get("unit")
    if key == "measured" and isinstance(unit, str) and as_number(value) is not None:
        return f"{plain(value)} {_unit(text.cut(unit, 80), as_number(value))}"
    if key == "profile":
        found = numbers(value).items()
        return text.listing([f"{words.transform(k)} {text.number(v, 2)}" for k, v in found], 10)
    if key in SHARES and as_number(value) is not None:
        return text.percent(as_number(value))
    if key == "agreement_ci" and (ends := pair(value)):
        return text.interval(*ends)
    if key == "call" and isinstance(value, str):
        return words.CALLS.get(value, text.shorten(value, 40))
    if key == "runtime" and isinstance(value, str):
        return words.runtime(text.shorten(value, 60))
    if key == "tests" and isinstance(value, Mapping):
        return _tests(value)
    return plain(value, LONGEST)


def _unit(unit: str, count: float | None) -> str:
    """The unit in the singular where there is one of it: rules write it in the plural."""
    head, gap, rest = unit.partition(" ")
    return f"{head[:-1]}{gap}{rest}" if count == 1 and head in COUNTED else unit


def _tests(tests: Mapping[str, Json]) -> str:
    told = [
        f"{what}: {plain(tests[key], 60)}"
        for key, what in TESTS.items()
        if tests.get(key) is not None
    ]
    return "; ".join(told)
