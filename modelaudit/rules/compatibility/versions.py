"""MA203 and MA204: what follows from the version that a file says it was saved with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modelaudit.facts import Provenance
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.runtimes.profile import numbers
from modelaudit.structs import replace

# The newest releases that the profiles in `runtimes` know; a test checks this.
NEWEST_KERAS = (3, 15)
NEWEST_TENSORFLOW = (2, 21)

# Vulnerabilities in loading, by the first Keras version that fixes them.
_CLOSED_IN = (
    ((2, 13), ("CVE-2024-3660",)),
    ((3, 9), ("CVE-2025-1550",)),
    ((3, 11), ("CVE-2025-8747", "CVE-2025-9906")),
    ((3, 11, 3), ("CVE-2025-9905", "CVE-2025-49655")),
    ((3, 12), ("CVE-2025-12058", "CVE-2025-12060")),
    ((3, 13, 2), ("CVE-2026-0897", "CVE-2026-1462", "CVE-2026-1669")),
    ((3, 15), ("CVE-2026-12570",)),
)


def _from_the_future(rule: Rule, facts: Facts) -> Iterator[Finding]:
    said = facts.artifact.provenance
    if not (said.keras or said.tensorflow):
        raise NotApplicable("the file does not state a version")
    for name, version, newest in (
        ("Keras", said.keras, NEWEST_KERAS),
        ("TensorFlow", said.tensorflow, NEWEST_TENSORFLOW),
    ):
        if numbers(version or "")[:2] > newest:
            known = ".".join(map(str, newest))
            yield rule.finding(
                f"The file says that it was saved by {name} {str(version)[:40]}; the newest known "
                f"version is {known}.",
                evidence={"measured": str(version)[:40], "threshold": known},
                key=name,
                # The next releases of a series exist sooner or later.
                severity=Severity.LOW if numbers(version or "")[0] == newest[0] else rule.severity,
            )


def _open_holes(rule: Rule, facts: Facts) -> Iterator[Finding]:
    version = facts.artifact.provenance.keras
    saved_with = numbers(version or "")
    if not saved_with:
        raise NotApplicable("the file does not state a Keras version")
    holes = [
        hole
        for closed, named in _CLOSED_IN
        # Only the first of these also affects versions before Keras 3.
        if saved_with < closed and (saved_with[0] == 3 or closed == _CLOSED_IN[0][0])
        for hole in named
    ]
    if holes:
        yield rule.finding(
            f"Keras {str(version)[:40]}, which saved it, loads files of others with "
            f"{len(holes)} known hole{'s' if len(holes) > 1 else ''}: {', '.join(holes)}.",
            evidence={"measured": str(version)[:40], "holes": [*holes]},
            key="keras",
        )


def _saved_with(keras: str) -> Callable[[], Facts]:
    def facts() -> Facts:
        healthy = examples.healthy()
        return replace(
            healthy, artifact=replace(healthy.artifact, provenance=Provenance(keras=keras))
        )

    return facts


RULES = (
    Rule(
        code="MA203",
        name="version-from-the-future",
        family=Family.COMPATIBILITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="The file says that it was saved by a version that is not known to exist",
        pass_title="The version that saved the file is known",
        why="Either the file is newer than this auditor, which then cannot predict what loads it, "
        "or its metadata was forged. Loaders trust the metadata: some reject the file, others skip "
        "checks.",
        fix="Look the version up. If it exists, update `tf-modelaudit`. If not, ask who made the "
        "file.",
        check=_from_the_future,
        bad=_saved_with("99.0.0"),
        good=_saved_with("3.8.0"),
    ),
    Rule(
        code="MA204",
        name="saved-by-vulnerable-keras",
        family=Family.COMPATIBILITY,
        severity=Severity.INFO,
        confidence=Confidence.MEDIUM,
        needs=(Need.ARTIFACT,),
        summary="The Keras version that saved the file has known vulnerabilities in model loading",
        pass_title="The Keras version that saved the file has no known vulnerability in model "
        "loading",
        why="Nothing is wrong with this file. But the environment that saved it probably also "
        "loads other people's files, and this Keras version lets a file do more than it should.",
        fix="Update Keras where models are loaded. This report shows which newer versions load the "
        "file.",
        check=_open_holes,
        bad=_saved_with("3.8.0"),
        good=_saved_with("3.15.1"),
        references=tuple(hole for _, named in _CLOSED_IN for hole in named),
    ),
)
