"""The three usual suspects of a model that answers the same unless its input is flipped:
training data, filters and architecture, restoration. Each is addressed for every model."""

from __future__ import annotations

from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.model import Diagnosis, Suspect

SUSPECTS = {
    "training data": ("orientation-sensitive-data", "head-bias"),
    "filters and architecture": ("orientation-sensitive-architecture", "dead-units"),
    "restoration": (
        "damaged-restore", "never-loaded", "partial-restore", "bn-statistics-lost",
        "wrong-weights-upstream",
    ),
}  # fmt: skip
GUILTY, CLEARED, OPEN = "explains it", "ruled out", "open"


def suspects(case: Case, diagnosis: Diagnosis) -> tuple[Suspect, ...]:
    """What the procedure says of each of the three."""
    return tuple(_suspect(name, causes, case, diagnosis) for name, causes in SUSPECTS.items())


def _suspect(name: str, causes: tuple[str, ...], case: Case, diagnosis: Diagnosis) -> Suspect:
    first = diagnosis.causes[0]
    if first.cause in causes:
        return Suspect(name, GUILTY, first.evidence[0].text)
    cleared = [each for each in diagnosis.ruled_out if each.cause in causes]
    waiting = [each for each in diagnosis.undecidable if each.cause in causes]
    if waiting:
        return Suspect(name, OPEN, f"Cannot be told without {waiting[0].needs}.")
    if cleared:
        return Suspect(name, CLEARED, _sentence(cleared[-1].by))
    later = [each for each in diagnosis.causes[1:] if each.cause in causes]
    if later:
        return Suspect(name, OPEN, f"May contribute: {later[0].evidence[0].text}")
    return Suspect(name, OPEN, f"Nothing measured speaks for or against it ({case.not_run()}).")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
