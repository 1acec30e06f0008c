"""Other forms of tables: columns in another unit than in training, standardised twice or never.

A layer behind the input may hold the mean and the standard deviation that each column had in
training. Without one, columns are compared with each other: rows are usually standardised as a
whole.
"""

from __future__ import annotations

import re

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.audit_types.probe_data import ColumnShift
from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Layer, Tensor
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.measures.value_transforms import DomainTransform
from modelaudit.thresholds.columns import COLUMN_APART, COLUMN_SPREAD, ONE_UNIT

MOST = 4  # columns that are tried one by one
_LARGEST = 1 << 20  # bytes of statistics that are read
_UNIT = re.compile(r"column (\d+) / (\S+)")
_OTHER_ZERO = re.compile(r"column (\d+) \* (\S+) ([+-]) (\S+)")
_ONE = re.compile(r"column (\d+) standardised")
_STATISTICS = (("mean", "variance"), ("moving_mean", "moving_variance"))
STANDARDISED = "columns standardised"
AS_STORED = "columns as stored"


class ColumnStatistics(Struct, frozen=True):
    """What each of C columns was like in training, by the layer `route` behind the input.

    Attributes:
        route: the layer.
        mean: (C,) float64.
        deviation: (C,) standard deviations, float64, positive.
        exact: whether they are those of all rows of training, not moving averages.
    """

    route: str
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    exact: bool = True


def column_statistics(artifact: Artifact, columns: int) -> ColumnStatistics | None:
    """Statistics of the only layer that takes the network's input; None if it holds none."""
    if artifact.architecture is None:
        return None
    graph = layer_graph(artifact.architecture)
    inputs = {route for route, calls in graph.calls.items() if not calls or calls == ((),)}
    starts = [
        layer
        for layer in graph.layers
        if layer.route not in inputs and inputs.issuperset(*graph.calls[layer.route])
    ]
    first = starts[0] if len(starts) == 1 else graph.layers[0] if graph.layers else None
    known = first is not None and (
        first.class_name == "Normalization" or has(first.class_name, Trait.BATCH_NORMALISATION)
    )
    return _of_layer(artifact, first, columns) if first is not None and known else None


def _of_layer(artifact: Artifact, layer: Layer, columns: int) -> ColumnStatistics | None:
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    for roles in _STATISTICS:
        mean, variance = (_vector(tensors.get(layer.variables.get(role, ""))) for role in roles)
        if mean is None or variance is None or not mean.size == variance.size == columns:
            continue
        untouched = bool((mean == 0).all() and (variance == 1).all())
        if untouched or not (variance > 0).all():
            return None
        return ColumnStatistics(layer.route, mean, np.sqrt(variance), exact=roles[0] == "mean")
    return None


def _vector(tensor: Tensor | None) -> NDArray[np.float64] | None:
    if tensor is None or tensor.source is None or not 0 < tensor.nbytes <= _LARGEST:
        return None
    try:
        values = tensor.source.array()
    except ReadError:
        return None
    if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        return None
    return values.astype(np.float64).reshape(-1)


def is_table(x: NDArray[np.generic]) -> bool:
    """Whether an input is rows (n, C) of finite fractions."""
    return x.ndim == 2 and x.dtype.kind == "f" and len(x) > 1 and bool(np.isfinite(x).all())


def column_forms(
    x: NDArray[np.generic], stored: ColumnStatistics | None
) -> tuple[DomainTransform, ...]:
    """Forms of rows (n, C) that undo another unit of a column, or a missing standardization.

    Args:
        x: the rows, finite numbers.
        stored: what the columns were like in training, if the model holds that. Otherwise they
            are taken for standardised if most of them are.
    """
    wide = x.astype(np.float64)
    mean, deviation = wide.mean(axis=0), wide.std(axis=0)
    varied = _varied(wide)
    trained = stored or ColumnStatistics("", np.zeros(len(mean)), np.ones(len(mean)))
    away, spread = _ratios(mean, deviation, trained)
    odd = [at for at in varied if away[at] > 1 or spread[at] > COLUMN_SPREAD.value]
    if not odd:
        return ()
    scale = trained.deviation / np.where(deviation > 0, deviation, trained.deviation)
    offset = trained.mean - scale * mean
    if 2 * len(odd) > len(varied):
        return (_form(AS_STORED if stored else STANDARDISED, varied, scale, offset),)
    found = []
    for at in odd[:MOST]:
        factor = _unit(mean[at] / trained.mean[at] if trained.mean[at] else 0.0, 1 / scale[at])
        if factor and stored:
            one = np.full(len(mean), 1 / factor)
            found.append(_form(f"column {at} / {factor:g}", [at], one, np.zeros(len(mean))))
        elif stored:
            times, more = float(f"{scale[at]:.3g}"), float(f"{offset[at]:.3g}")
            name = f"column {at} * {times:g} {'-' if more < 0 else '+'} {abs(more):g}"
            found.append(_form(name, [at], np.full(len(mean), times), np.full(len(mean), more)))
        else:
            found.append(_form(f"column {at} standardised", [at], scale, offset))
    return tuple(found)


def columns_apart(x: NDArray[np.generic], stored: ColumnStatistics) -> tuple[ColumnShift, ...]:
    """Columns whose mean is far from that in training, as no sample of 20 rows or more is."""
    wide = x.astype(np.float64)
    mean, deviation = wide.mean(axis=0), wide.std(axis=0)
    away, _ = _ratios(mean, deviation, stored)
    return tuple(
        ColumnShift(
            column=at,
            mean=float(mean[at]),
            deviation=float(deviation[at]),
            trained_mean=float(stored.mean[at]),
            trained_deviation=float(stored.deviation[at]),
            layer=stored.route,
        )
        for at in _varied(wide)
        if away[at] > COLUMN_APART.value
    )


def _varied(wide: NDArray[np.float64]) -> list[int]:
    """Columns of more than two values; means and deviations say little of others."""
    return [at for at in range(wide.shape[1]) if len(np.unique(wide[:, at])) > 2]


def _ratios(
    mean: NDArray[np.float64], deviation: NDArray[np.float64], trained: ColumnStatistics
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far each mean is from that in training, in deviations; the quotient of the deviations."""
    away = np.abs(mean - trained.mean) / trained.deviation
    quotient = np.where(deviation > 0, deviation, trained.deviation) / trained.deviation
    return away, np.maximum(quotient, 1 / quotient)


def _unit(shift: float, spread: float) -> float:
    """The factor between two units, if mean and deviation have changed by about the same; or 0."""
    if shift <= 0 or max(shift / spread, spread / shift) > ONE_UNIT.value:
        return 0.0
    return float(f"{np.sqrt(shift * spread):.3g}")


def _form(
    name: str, places: list[int], scale: NDArray[np.float64], offset: NDArray[np.float64]
) -> DomainTransform:
    """The form that changes the columns at `places` only."""
    scales, offsets = np.ones(len(scale)), np.zeros(len(scale))
    scales[places], offsets[places] = scale[places], offset[places]
    return DomainTransform(name, tuple(map(float, scales)), tuple(map(float, offsets)))


def is_unit(name: str) -> bool:
    """Whether a form undoes another unit of one column, or a change of all columns."""
    return bool(_UNIT.fullmatch(name)) or name == AS_STORED


def column_words(name: str) -> str:
    """What a form does, in words; "" if it is none of these."""
    if found := _UNIT.fullmatch(name):
        return f"with column {found[1]} (counted from 0) divided by {found[2]}"
    if found := _OTHER_ZERO.fullmatch(name):
        how = "plus" if found[3] == "+" else "less"
        return f"with column {found[1]} (counted from 0) times {found[2]}, {how} {found[4]}"
    if found := _ONE.fullmatch(name):
        return f"with column {found[1]} (counted from 0) standardised like the others"
    return {
        STANDARDISED: "with each column standardised (mean 0, standard deviation 1)",
        AS_STORED: "with each column at the mean and standard deviation that the model holds",
    }.get(name, "")


def column_code(name: str) -> str:
    """A line of code that does it to `images`; "" if it is none of these.

    It takes no statistics of the rows given, so that it does the same to other rows.
    """
    column = re.match(r"column (\d+)", name)
    where = f"images[:, {column[1]}]" if column else "images"
    if found := _UNIT.fullmatch(name):
        return f"{where} = {where} / {found[2]}"
    if found := _OTHER_ZERO.fullmatch(name):
        return f"{where} = {where} * {found[2]} {found[3]} {found[4]}"
    if _ONE.fullmatch(name):
        return f"{where} = ({where} - MEAN) / DEVIATION  # of this column in training"
    return {
        STANDARDISED: "images = (images - MEANS) / DEVIATIONS  # of each column in training",
        AS_STORED: "images = images * DEVIATIONS + MEANS  # with which they were standardised",
    }.get(name, "")
