"""The odds of a diagnosis in words."""

from __future__ import annotations

from modelaudit.audit_types.diagnosis import Cause, CauseProbability, DiagnosisOdds, OddsShift
from modelaudit.rules.grammar import counted

SHOWN_FROM = 0.01  # smaller probabilities are not told apart
ALONE = "Each of the faults alone has less than 1%."
# Causes that describe a sound model.
DESCRIPTIONS = frozenset(
    {
        *("healthy", "invariant-by-construction", "learned-invariance", "output-follows-flip"),
        *("orientation-sensitive-architecture", "orientation-sensitive-data", "sampled-output"),
    }
)


def odds_items(odds: DiagnosisOdds, most: int) -> list[tuple[str, str]]:
    """The `most` probable causes, each with its probability and what moved its odds."""
    alone = len(odds.causes) == 1
    return [
        (f"{row.title}: {percent(row.probability)}", ALONE if alone else _moved(row))
        for row in odds.causes[:most]
    ]


def sample_size(odds: DiagnosisOdds) -> str:
    """What the odds rest on, or why there are none."""
    if odds.missing:
        return f"No odds: {odds.missing}."
    nets = counted(odds.networks, "network", "networks")
    cases = counted(odds.cases, "case", "cases")
    return (
        f"From the same measurements of {cases} of {nets}, all small, sound or with faults made on "
        "purpose; half of all models are assumed to be sound. In brackets: how many times likelier "
        "a measurement is with the fault than without any, and how many cases had such a "
        "measurement. Each probability is calibrated by itself, so together they can differ from "
        "100%."
    )


def percent(probability: float) -> str:
    """A probability in percent; extremes as `more than 99%`."""
    if probability > 0.99:
        return "more than 99%"
    return f"{probability:.0%}" if probability >= SHOWN_FROM else "less than 1%"


def belief_text(cause: Cause, first: Cause) -> str:
    """The belief in a cause and how often it held; empty without one.

    Beside a fault, what describes the model needs none: the belief would be that of no fault.
    """
    if cause.belief is None or (cause.cause in DESCRIPTIONS and first.cause not in DESCRIPTIONS):
        return ""
    text = f"belief {percent(cause.belief)}"
    return f"{text}; {how_often(cause.cause, cause.interval)}" if cause.interval else text


def how_often(cause: str, interval: tuple[float, float]) -> str:
    """How often causes of any kind with such odds were present in families left out."""
    low, high = interval
    what = (
        "models with such odds had no fault"
        if cause in DESCRIPTIONS
        else ("causes with such odds were present")
    )
    return f"in tests, {what} in {low:.0%} to {high:.0%} of the cases"


def _moved(row: CauseProbability) -> str:
    if row.cause == "sound":
        return "What speaks for each fault, and against it, is told with that fault."
    if row.cause == "several":
        return "Any two of the faults; the percentage of each fault counts this case as well."
    sides = (
        ("What raises its odds", [each for each in row.shifts if each.factor >= 1]),
        ("What lowers them", [each for each in row.shifts if each.factor < 1]),
    )
    said = [f"{side}: {'; '.join(map(_shift, shifts))}." for side, shifts in sides if shifts]
    cases, nets = counted(row.cases, "case", "cases"), counted(row.networks, "network", "networks")
    said.append(f"{cases} of {nets} had this fault.")
    return " ".join(said)


def _shift(shift: OddsShift) -> str:
    factor = max(shift.factor, 1 / shift.factor)
    times = f"{factor:,.2g}" if factor < 10 else f"{factor:,.0f}"
    return f"{shift.text} ({times} times, {counted(shift.n, 'case', 'cases')})"
