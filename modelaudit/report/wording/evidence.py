"""The evidence of a finding in words: what each value is and what it counts.

Rules write evidence for programs, under keys that never change. This module labels it for people.
"""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.facts import Json
from modelaudit.findings import Finding
from modelaudit.report.wording import text, vocabulary
from modelaudit.report.wording.json_value import finite_interval, finite_number, plain

SALIENT = ("measured", "threshold", "n")
LONGEST = 300  # characters of one value

KEYS: Mapping[str, str] = {
    "abilities": "capabilities of the code",
    "agreement": "inputs whose prediction stays the same",
    "agreement_ci": "95\N{NO-BREAK SPACE}% interval of that share",
    "because": "reasons",
    "call": "loading call",
    "classes": "number of classes",
    "collected": "collected in",
    "constants": "strings in the code",
    "kappa": "κ (agreement beyond chance)",
    "n": "sample size (n)",
    "names": "names used in the code",
    "origin": "source of the code",
    "profile": "bits by input orientation",
    "python": "compiled by Python",
    "reached": "called from",
    "sha256": "SHA-256",
    "tested": "kernels tested",
    "tests": "tests of the weights",
    "larger": "standard deviation with inputs 30 and 1,000 times as large, of the output's scale",
    "top_share": "share of the most frequent prediction",
    "what": "what it is",
}
# Tests of whether a kernel is still at its initial values; audit.json has the rest.
TESTS: Mapping[str, str] = {
    "bias_initial": "bias at its initial value",
    "batchnorm_initial": "following batch normalization at its initial values",
    "inside_bound": "all weights within the initializer's bounds",
    "ks_p": "p-value of the Kolmogorov–Smirnov test against the initializer",
    "level": "p-value below which the weights count as trained",
}
COUNTED = frozenset(
    {
        "bytes",
        "changes",
        "columns",
        "differences",
        "files",
        "kernels",
        "labels",
        "layers",
        "names",
        "numbers",
        "objects",
        "operations",
        "signatures",
        "tensors",
        "units",
        "uses",
        "values",
        "variables",
        "weights",
    }
)
SHARES = frozenset({"agreement", "top_share"})


def rows(finding: Finding) -> tuple[tuple[str, str], ...]:
    """All evidence of a finding as (label, value), numbers first."""
    keys = [key for key in SALIENT if key in finding.evidence]
    keys += [key for key in finding.evidence if key not in (*SALIENT, "unit")]
    return tuple(
        (KEYS.get(key) or text.shorten(key.replace("_", " "), 40), _value(finding, key))
        for key in keys
    )


def short(finding: Finding, limit: int = 60) -> str:
    """The numbers of a finding on one line, each value at most `limit` characters long."""
    found = [key for key in SALIENT if key in finding.evidence]
    return ", ".join(f"{key} {text.cut(_value(finding, key), limit)}" for key in found)


def _value(finding: Finding, key: str) -> str:
    value = finding.evidence[key]
    unit = finding.evidence.get("unit")
    if key == "measured" and isinstance(unit, str) and finite_number(value) is not None:
        return f"{plain(value)} {_unit(text.cut(unit, 80), finite_number(value))}"
    if key == "profile" and isinstance(value, Mapping):
        return _profile(value)
    if key in SHARES and (share := finite_number(value)) is not None:
        return text.percent(share)
    if key == "agreement_ci" and (ends := finite_interval(value)):
        return text.interval(*ends)
    if key == "call" and isinstance(value, str):
        return vocabulary.CALLS.get(value, text.shorten(value, 40))
    if key == "runtime" and isinstance(value, str):
        return vocabulary.runtime(text.shorten(value, 60))
    if key == "tests" and isinstance(value, Mapping):
        told = [
            f"{what}: {plain(value[key], 60)}"
            for key, what in TESTS.items()
            if value.get(key) is not None
        ]
        return "; ".join(told)
    return plain(value, LONGEST)


def _profile(bits: Mapping[str, Json]) -> str:
    known = {key: finite_number(value) for key, value in bits.items()}
    return text.listing(
        [
            f"{vocabulary.transform(key)} {text.number(value, 2)}"
            for key, value in known.items()
            if value is not None
        ],
        10,
    )


def _unit(unit: str, count: float | None) -> str:
    """The unit, in the singular for a count of 1: rules write it in the plural."""
    head, gap, rest = unit.partition(" ")
    return f"{head[:-1]}{gap}{rest}" if count == 1 and head in COUNTED else unit
