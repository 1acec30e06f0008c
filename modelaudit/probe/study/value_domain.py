"""The values of built-in inputs: inside the domain of the model, and on larger scales."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from modelaudit.audit_types.behaviour import OutputBehaviour
from modelaudit.measures.behaviour.collapse import odds_range, share_of_scale
from modelaudit.probe.study.feeding import PreparedInputs
from modelaudit.probe.study.inputs import UNKNOWN_INTEGERS
from modelaudit.probe.study.runner import Array, MeasurementUnavailable, Runner
from modelaudit.structs import replace
from modelaudit.thresholds.answers import SATURATED, STEADY
from modelaudit.thresholds.texts import TEXTS_ALIKE

COUNTS = 100  # largest integer of a table: ages, percentages
LARGER = (30.0, 1000.0)
FEW = 32  # inputs of each unusual kind
ONES = 0.05  # share of the values of sparse inputs

NOTE = (
    "negative values were made positive: with them the output is NaN or infinite, as where a model "
    "takes the logarithm or the root of counts or sizes"
)


def within_domain(runner: Runner, fed: PreparedInputs) -> PreparedInputs:
    """`fed`, or its absolute values if the outputs are finite for these only; larger integers.

    Which values a model is for is not in the file, so built-in inputs that it rejects show no
    fault. The user's own inputs stay as they are.

    Raises:
        StudyEnded: the child has ended.
        MeasurementUnavailable: the model cannot be run.
    """
    fed = _with_counts(runner, fed)
    signed = any(x.dtype.kind == "f" and bool((x < 0).any()) for x in fed.arrays)
    if fed.info.kind == "user" or not signed or _finite(runner, fed.arrays):
        return fed
    arrays = tuple(np.abs(x) if x.dtype.kind == "f" else x for x in fed.arrays)
    if not _finite(runner, arrays):
        return fed
    first = arrays[0]
    info = replace(
        fed.info,
        value_range=(float(first.min()), float(first.max())),
        notes=(*fed.info.notes, NOTE),
    )
    return replace(fed, arrays=arrays, info=info)


def _with_counts(runner: Runner, fed: PreparedInputs) -> PreparedInputs:
    """`fed` with integers up to `COUNTS`, small ones more often, where a table of numbers has any.

    An input that turns out to be an index of a smaller table keeps its integers.
    """
    if not any(fed.counts):
        return fed
    rng = np.random.default_rng(0)
    arrays = tuple(
        np.rint(np.expm1(rng.random(x.shape) * np.log1p(COUNTS))).astype(x.dtype) if count else x
        for x, count in zip(fed.arrays, fed.counts, strict=True)
    )
    try:
        if not _finite(runner, arrays):
            return fed
    except MeasurementUnavailable:
        return fed
    note = f"integers up to {COUNTS}: the model does not contain how large they are"
    others = (x for x in fed.info.notes if x != UNKNOWN_INTEGERS)
    first = arrays[0]
    bounds = (float(first.min()), float(first.max()))
    info = replace(fed.info, value_range=bounds, notes=(*others, note))
    return replace(fed, arrays=arrays, info=info)


def on_larger_scales(
    runner: Runner, fed: PreparedInputs, given: Mapping[str, Array], output: OutputBehaviour
) -> OutputBehaviour:
    """The same behaviour, with `Collapse.larger` and `.unusual` if the output is nearly constant.

    Which values a model is for is not in the file: built-in inputs may be too small, or of another
    kind, for an output to show that it depends on them.

    Args:
        given: outputs for them by name.

    Raises:
        StudyEnded: the child has ended.
        MeasurementUnavailable: the model cannot be run.
    """
    state, values = output.collapse, [given[output.name]]
    if state.collapsed and fed.vocabularies and None not in fed.vocabularies:
        return _over_texts(runner, fed, values[0], output)
    still = share_of_scale(values[0], output.kind) <= STEADY.value
    measured = _measured(fed)
    if fed.info.kind == "user" or not any(measured) or not (state.collapsed and still):
        return output
    if state.at_bound >= SATURATED.value:
        return output
    for times in LARGER:
        pairs = zip(fed.arrays, measured, strict=True)
        scaled = [(x * times).astype(x.dtype) if other else x for x, other in pairs]
        values.append(runner.predict_once(scaled)[output.name])
    larger = _spread(values, output.kind)
    others = [runner.predict_once(each)[output.name] for each in unusual_inputs(fed)]
    unusual = _spread([values[0], *others], output.kind)
    return replace(output, collapse=replace(state, larger=larger, unusual=unusual))


def _over_texts(
    runner: Runner, fed: PreparedInputs, given: Array, output: OutputBehaviour
) -> OutputBehaviour:
    """The same behaviour, with `Collapse.texts` if random texts are answered alike.

    Random texts of full length may cancel out, as in an average. Those of one token show each token
    by itself, and short ones are padded as real texts are.
    """
    found = odds_range(given, output.kind)
    if found is None or found > TEXTS_ALIKE.value:
        return output
    others = [runner.predict_once(each)[output.name] for each in unusual_texts(fed)]
    texts = odds_range(np.concatenate([given, *others]), output.kind)
    return replace(output, collapse=replace(output.collapse, texts=texts))


def unusual_texts(fed: PreparedInputs) -> Iterator[Sequence[Array]]:
    """Texts of one token, the commonest (by Keras' order) and random ones; and short ones, padded
    with 0 before or behind.
    """
    few = [x[:FEW] for x in fed.arrays]
    places = [np.broadcast_to(np.arange(x.size // len(x)), (len(x), x.size // len(x))) for x in few]
    flat = [x.reshape(len(x), -1) for x in few]

    def shaped(rows: Sequence[Array]) -> Sequence[Array]:
        return [r.astype(x.dtype).reshape(x.shape) for r, x in zip(rows, few, strict=True)]

    half = FEW // 2
    ends = [np.where(np.arange(len(x)) < half, np.arange(len(x)), x[:, 0])[:, None] for x in flat]
    pairs = zip(ends, fed.vocabularies, places, strict=True)
    yield shaped([np.broadcast_to(np.minimum(e, (v or 1) - 1), p.shape) for e, v, p in pairs])
    for behind in (True, False):
        lengths = [1 + np.arange(len(x))[:, None] % half for x in flat]
        kept = [
            p < n if behind else p >= p.shape[1] - n for p, n in zip(places, lengths, strict=True)
        ]
        yield shaped([np.where(k, x, 0) for k, x in zip(kept, flat, strict=True)])


def unusual_inputs(fed: PreparedInputs) -> Iterator[Sequence[Array]]:
    """Zeros, sparse ones and normal draws of both signs, unless the user gave inputs, or tokens.

    Built-in images are dense and not negative: a layer may be inactive for these alone, such as one
    for planes of 0 and 1.
    """
    measured = _measured(fed)
    if fed.info.kind == "user" or not any(measured):
        return
    rng = np.random.default_rng(0)
    makers: Sequence[Callable[[tuple[int, ...]], Array]] = (
        np.zeros,
        lambda shape: rng.random(shape) < ONES,
        rng.standard_normal,
    )
    few = [x[:FEW] for x in fed.arrays]
    for make in makers:
        pairs = zip(few, measured, strict=True)
        yield [make(x.shape).astype(x.dtype) if other else x for x, other in pairs]


def _measured(fed: PreparedInputs) -> list[bool]:
    """For each input, whether it has fractions, which tokens do not."""
    return [x.dtype.kind == "f" and bool((x % 1).any()) for x in fed.arrays]


def _spread(values: Sequence[Array], kind: str) -> float | None:
    joined = np.concatenate(values)
    return share_of_scale(joined, kind) if np.isfinite(joined).all() else None


def _finite(runner: Runner, arrays: Sequence[Array]) -> bool:
    given = runner.predict_once(arrays)
    return all(bool(np.isfinite(values).all()) for values in given.values())
