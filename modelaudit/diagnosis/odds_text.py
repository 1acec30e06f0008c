"""The odds of a diagnosis in words."""

from __future__ import annotations

from modelaudit.audit_types.diagnosis import CauseProbability, DiagnosisOdds, OddsShift
from modelaudit.rules.grammar import counted

SHOWN_FROM = 0.01  # smaller probabilities are not told apart
# Causes that describe a sound model.
DESCRIPTIONS = frozenset(
    {
        *("healthy", "invariant-by-construction", "learned-invariance", "output-follows-flip"),
        *("orientation-sensitive-architecture", "orientation-sensitive-data", "sampled-output"),
    }
)


def odds_items(odds: DiagnosisOdds, most: int) -> list[tuple[str, str]]:
    """The `most` probable causes, each with its probability and what moved its odds."""
    return [(f"{row.title}: {percent(row.probability)}", _moved(row)) for row in odds.causes[:most]]


def sample_size(odds: DiagnosisOdds) -> str:
    """What the odds rest on, or why there are none."""
    if odds.missing:
        return f"No odds: {odds.missing}."
    nets = counted(odds.networks, "network", "networks")
    cases = counted(odds.cases, "case", "cases")
    return (
        f"From {cases} of {nets}, all small; half of all models are assumed to be sound. Each "
        "probability is calibrated by itself, so together they can differ from 100%."
    )


def percent(probability: float) -> str:
    """A probability in percent; extremes as `more than 99%`."""
    if probability > 0.99:
        return "more than 99%"
    return f"{probability:.0%}" if probability >= SHOWN_FROM else "less than 1%"


def how_often(cause: str, interval: tuple[float, float]) -> str:
    """How often causes of any kind with such odds were present in families left out."""
    low, high = interval
    what = "no fault was" if cause in DESCRIPTIONS else "causes with such odds were"
    return f"in tests, {what} present in {low:.0%} to {high:.0%} of the cases"


def _moved(row: CauseProbability) -> str:
    if row.cause == "sound":
        return "What speaks for faults is listed with them."
    if row.cause == "several":
        return "Each of the two is also listed on its own, so these can be more than 100% together."
    said = "; ".join(map(_shift, row.shifts)) or "Nothing measured says much about it"
    cases, nets = counted(row.cases, "case", "cases"), counted(row.networks, "network", "networks")
    return f"{said[0].upper()}{said[1:]}. The population has it in {cases} of {nets}."


def _shift(shift: OddsShift) -> str:
    less = shift.factor < 1
    factor = 1 / shift.factor if less else shift.factor
    times = f"{factor:,.2g}" if factor < 10 else f"{factor:,.0f}"
    seen = counted(shift.n, "case", "cases")
    return f"odds {times} times {'lower' if less else 'higher'}: {shift.text} ({seen} alike)"
