"""The beliefs of the diagnosis: the odds of a population of networks with the same measurements."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property

from msgspec import Struct

from modelaudit.audit_types.diagnosis import CauseProbability, DiagnosisOdds, OddsShift
from modelaudit.diagnosis.case import Case
from modelaudit.diagnosis.features import BEHIND as CAUSES_BEHIND
from modelaudit.diagnosis.features import FOLLOWS, OUT, STEP, features, said
from modelaudit.diagnosis.model import StepResults
from modelaudit.diagnosis.odds_text import DESCRIPTIONS, SHOWN_FROM
from modelaudit.diagnosis.steps.label import restored
from modelaudit.diagnosis.steps.weight import untouched_head
from modelaudit.odds.posterior import HALF, SOUND, Posterior, Shift, calibrated, posterior, without
from modelaudit.odds.table import OddsTable, shipped_table

# What was seen to be drawn at random is so, whatever the odds.
BEHIND = CAUSES_BEHIND | dict.fromkeys(DESCRIPTIONS - {"sampled-output"}, (SOUND,))
# Statistics of other orders of the classes, of which a last layer at initial values makes one up.
OF_ORDER = ("numbering", "numbering_score")
# Training that failed, which a network that meets labels in some form does not show.
TRAINING = frozenset({"short", "mislabelled", "one-class"})
TITLES = {
    SOUND: "No fault",
    "several": "Two faults at once",
    "damaged": "Damaged or non-finite weights",
    "untouched": "Weights that were never trained or never loaded",
    "small-steps": "Training that hardly moved the weights",
    "partial": "A layer that was never restored or trained",
    "statistics": "Lost or unsettled batch statistics",
    "head": "A dominant bias of the last layer",
    "dead": "A layer that is never active",
    "exploded": "Weights that exploded",
    "orientation": "Inputs in another orientation",
    "values": "Inputs with other values or channels",
    "numbering": "Labels in another order",
    "misplaced": "Weights out of place, or another fault without a sign of its own",
    "short": "Training that was too short, or failed",
    "mislabelled": "Training on wrong labels",
    "one-class": "Training on one class for the most part",
}
SHOWN = 4  # statistics that moved the odds of a cause most
FAINT = 1.2  # factors between this and its inverse are not shown


class Beliefs(Struct, frozen=True, dict=True):
    """What the population says about one case; `found` is None if it says nothing."""

    found: Posterior | None
    table: OddsTable
    missing: str = ""
    features: Mapping[str, float] = {}
    oriented: bool = True
    """Whether inputs have sides, so that another orientation can be told of."""

    def of(self, cause: str) -> float | None:
        """The probability behind a cause of the diagnosis; None without one."""
        if self.found is None or cause not in BEHIND:
            return None
        return round(self._calibrated(BEHIND[cause])[0], 3)

    def interval(self, cause: str) -> tuple[float, float] | None:
        """How often a cause with such a belief was present in families left out."""
        if self.found is None or cause not in BEHIND:
            return None
        ends = self._calibrated(BEHIND[cause])[1]
        return ends and (round(ends[0], 3), round(ends[1], 3))

    def _calibrated(self, names: Collection[str]) -> tuple[float, tuple[float, float] | None]:
        return believed(self.found, names, self.table) if self.found else (0.0, None)

    @cached_property
    def chosen(self) -> frozenset[str]:
        """The causes of the population to name."""
        if self.found is None:
            return frozenset()
        return chosen(self.found, self.features, self.table)

    def shifts(self, name: str) -> tuple[Shift, ...]:
        """What clearly moved the odds of a cause of the population, the strongest first."""
        moved = self.found.shifts.get(name, ()) if self.found else ()
        told = (each for each in moved if self.oriented or not each.feature.startswith("turn_"))
        return tuple(each for each in told if not 1 / FAINT <= each.factor <= FAINT)

    def section(self) -> DiagnosisOdds:
        """The probabilities, as the audit has them."""
        if self.found is None:
            return DiagnosisOdds(missing=self.missing)
        names = (SOUND, *self.found.alone)
        known = {name: believed(self.found, {name}, self.table)[0] for name in names}
        several = calibrated(self.found.several, self.table.of_causes)[0]
        counted = {each.name: (each.cases, each.networks) for each in self.table.causes}
        rows = [
            CauseProbability(
                name,
                TITLES[name],
                round(probability, 3),
                *counted.get(name, (0, 0)),
                tuple(map(_said, self.shifts(name)[:SHOWN])),
            )
            for name, probability in (*known.items(), ("several", several))
            if name == SOUND or probability >= SHOWN_FROM
        ]
        rows.sort(key=lambda row: (-row.probability, row.cause))
        return DiagnosisOdds(
            causes=tuple(rows), cases=self.table.cases, networks=self.table.networks
        )


def _said(shift: Shift) -> OddsShift:
    return OddsShift(said(shift.feature, shift.value), round(shift.factor, 3), shift.n)


def beliefs(case: Case, steps: StepResults, table: OddsTable | None = None) -> Beliefs:
    """The odds of a case, by the shipped table or another.

    There are none for inputs of a kind that the population lacks.
    """
    table = table or shipped_table()
    kind = case.facts.modality.kind
    if kind not in table.kinds:
        return Beliefs(None, table, f"the population has no models for inputs of the kind {kind}")
    known = features(case, steps)
    if untouched_head(case):
        known = {name: value for name, value in known.items() if name not in OF_ORDER}
    if not known:
        return Beliefs(None, table, "nothing was measured")
    found = posterior(known, table)
    if any(map(restored, case.outputs)):
        found = without(found, TRAINING)
    return Beliefs(found, table, features=known, oriented=case.words.oriented)


def believed(
    found: Posterior, names: Collection[str], table: OddsTable
) -> tuple[float, tuple[float, float] | None]:
    """How often any of some causes is present with such odds, and the interval of that."""
    knots = table.of_sound if SOUND in names else table.of_causes
    return calibrated(found.any_of(names), knots)


def chosen(found: Posterior, known: Mapping[str, float], table: OddsTable) -> frozenset[str]:
    """The causes of the population to name: the most probable one, and others likelier than not.

    One that no step found is named only if it is likelier than not. None is named if a sound model
    is more probable.
    """
    each = {name: believed(found, {name}, table)[0] for name in found.alone}
    likely = {name for name, p in each.items() if p > HALF}
    seen = {name for name in each if known.get(STEP + name, OUT) >= FOLLOWS}
    first = max(
        likely | seen, key=lambda name: (each[name], found.any_of({name}), name), default=""
    )
    # Each probability is calibrated on its own curve, so that these cannot be compared.
    more = first and found.any_of({first}) > found.sound
    return frozenset({first, *likely}) if more else frozenset()
