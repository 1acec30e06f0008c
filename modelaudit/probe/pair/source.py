"""The model that an export was made from, found among others by its name and its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from modelaudit.facts import Artifact, Json
from modelaudit.formats.export_names import EXPORTS, name_words
from modelaudit.probe.pair.model import (
    ExportNumbers,
    ExportPair,
    PairCause,
    PairExplanation,
    PairVerdict,
    export_numbers,
)
from modelaudit.restore.exports import compare_export
from modelaudit.restore.model import WeightComparison
from modelaudit.structs import replace
from modelaudit.thresholds.restoration import EXPORT_PAIRED

MOST_BYTES = 1 << 31  # of the files that are read to find one source


class ExportSource(Struct, frozen=True):
    """A model that an export belongs to.

    Attributes:
        artifact: the model.
        named: whether the export has its name; else it has most of its kernels.
        weights: its weights in the export.
        taken_for: another model with all weights of the export, which has not its name.
        pair: both on the same inputs, or what the weights alone say.
        ran: whether they were run on the same inputs.
        not_run: why they were not, "" if nothing prevented it.
    """

    artifact: Artifact
    named: bool
    weights: WeightComparison
    pair: ExportPair
    taken_for: str = ""
    ran: bool = False
    not_run: str = ""

    def after(self, pair: ExportPair | None) -> ExportSource:
        """The same with what running both showed; `pair` is None if they were not run."""
        if pair is None:
            return self
        if pair.verdict is PairVerdict.UNKNOWN:
            return replace(self, not_run=pair.reason)
        return replace(self, pair=pair, ran=True)


def find_source(
    export: Artifact, places: Sequence[Path], read: Callable[[Path], Artifact]
) -> ExportSource | None:
    """The source of an export among some models; None if it belongs to none of them.

    It belongs to the first that has its name, of several to the one with most of its kernels;
    without one to the first with most of its kernels.

    Args:
        export: a model of one of the formats in `EXPORTS`.
        places: paths of models, the likeliest first.
        read: reads one.
    """
    numbers, left = export_numbers(export), MOST_BYTES
    own: ExportSource | None = None
    other: ExportSource | None = None
    for place in places:
        artifact = read(place)
        left -= sum(each.size for each in artifact.files)
        if artifact.format not in EXPORTS and artifact.kernels:
            named = name_words(place) == name_words(export.root)
            weights = compare_export(artifact, export)
            pair = replace(by_weights(weights, numbers), web=export.lite is None)
            found = ExportSource(artifact, named, weights, pair)
            if named and (own is None or _share(own) < _share(found)):
                own = found
            elif not named and (other is None or _share(other) < _share(found)):
                other = found
        if left < 0 or any(each and _share(each) == 1 for each in (own, other)):
            break
    if own is None:
        return other if other and _share(other) >= EXPORT_PAIRED.value else None
    if other and _share(other) == 1 and _share(own) < EXPORT_PAIRED.value:
        different = replace(own.pair, verdict=PairVerdict.DIFFERENT)
        return replace(own, taken_for=other.artifact.root.name, pair=different)
    return own


def _share(source: ExportSource) -> float:
    """The share of the source's kernels that are in the export; biases of 0 are in every one."""
    weights, kernels = source.weights, {each.tensor for each in source.artifact.kernels}
    lost = {*(each.tensor for each in weights.differing), *weights.missing}
    told = weights.identical / weights.compared if weights.compared else 0.0
    return min(told, len(kernels - lost) / len(kernels)) if lost else told


def by_weights(weights: WeightComparison, numbers: ExportNumbers) -> ExportPair:
    """What the weights of a source and its export say of both, without running them.

    Some layers are folded into others in forms that are not known, so a few weights that were not
    found say nothing.
    """
    told = ExportPair(PairVerdict.UNKNOWN, numbers)
    if not weights.compared:
        return replace(told, reason="no weight of both could be compared")
    if weights.identical == weights.compared and not weights.unexpected:
        floats = numbers is ExportNumbers.FLOAT
        return replace(told, verdict=PairVerdict.EQUAL if floats else PairVerdict.QUANTISED)
    lost = [*(each.tensor for each in weights.differing), *weights.missing]
    if lost and weights.identical < EXPORT_PAIRED.value * weights.compared:
        cause = PairExplanation(PairCause.WEIGHTS, lost[0], numbers={"tensors": len(lost)})
        if weights.refolded and not weights.differing:
            layers: dict[str, Json] = {"layers": [*weights.refolded]}
            cause = PairExplanation(PairCause.NORMALIZATION, weights.refolded[0], numbers=layers)
        return replace(told, verdict=PairVerdict.DIFFERENT, causes=(cause,))
    reason = (
        f"{weights.identical:,} of {weights.compared:,} weights of the source are in the export; "
        "whether the others matter is seen when both run on the same inputs (--probe-data)"
    )
    return replace(told, reason=reason)
