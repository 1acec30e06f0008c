"""The odds of a diagnosis in words."""

from __future__ import annotations

from modelaudit.audit_types.diagnosis import CauseProbability, DiagnosisOdds, OddsShift
from modelaudit.rules.grammar import counted

LARGEST = 1000.0  # the cap of the fit: factors that reach it are at least as large


def odds_items(odds: DiagnosisOdds, most: int) -> list[tuple[str, str]]:
    """The `most` probable causes, each with its probability and what moved its odds."""
    return [(f"{row.title}: {percent(row.probability)}", _moved(row)) for row in odds.causes[:most]]


def sample_size(odds: DiagnosisOdds) -> str:
    """What the odds rest on, or why there are none."""
    if odds.missing:
        return f"No odds: {odds.missing}."
    nets = counted(odds.networks, "network", "networks")
    return f"From {counted(odds.cases, 'case', 'cases')} of {nets} (see docs/diagnosis.md)."


def percent(probability: float) -> str:
    """A probability in percent; extremes as `more than 99%`."""
    if probability > 0.99:
        return "more than 99%"
    return f"{probability:.0%}" if probability >= 0.01 else "less than 1%"


def _moved(row: CauseProbability) -> str:
    if row.cause == "sound":
        return "What speaks for faults is listed with them."
    if row.cause == "several":
        return "Each of the two is listed on its own."
    said = "; ".join(map(_shift, row.shifts)) or "Nothing measured says much about it"
    cases, nets = counted(row.cases, "case", "cases"), counted(row.networks, "network", "networks")
    return f"{said}. The population has it in {cases} of {nets}."


def _shift(shift: OddsShift) -> str:
    less = shift.factor < 1
    factor = 1 / max(shift.factor, 1 / LARGEST) if less else min(shift.factor, LARGEST)
    times = (
        f"{'at least ' * (factor > 0.99 * LARGEST)}{factor:,.2g}"
        if factor < 10
        else f"{factor:,.0f}"
    )
    seen = counted(shift.n, "case", "cases")
    return f"{times} times {'less' if less else 'as'} likely: {shift.text} ({seen} alike)"
