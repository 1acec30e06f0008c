"""Outputs of a model and its export: which belong together, and how they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from modelaudit.facts import Json
from modelaudit.measures.behaviour.accuracy import accuracy
from modelaudit.measures.behaviour.output_forms import OutputForm
from modelaudit.measures.behaviour.outputs import predicted
from modelaudit.measures.statistics import wilson
from modelaudit.probe.pair.model import PairCause, PairedOutput, PairExplanation
from modelaudit.probe.study.output import finite_values
from modelaudit.probe.study.runner import Array
from modelaudit.restore.golden_check import matching_output
from modelaudit.structs import replace


def describe_pair(
    name: str, form: OutputForm, step: float | None, kind: str, y: Array | None
) -> PairedOutput:
    """How one output of the export differs from that of the source.

    Args:
        name: of the source's output.
        form: both outputs.
        step: of the export's output, above 0; None for floats.
        kind: result of `outputs.output_kind` for the source's.
        y: labels, as in `accuracy.class_labels`; None without.
    """
    errors = form.errors()
    wanted = form.wanted if form.order is None else form.wanted[:, list(form.order)]
    found = PairedOutput(
        name,
        len(errors),
        rms=form.error,
        median=float(np.median(errors)),
        largest=float(errors.max()),
    )
    if step is not None:
        steps = np.abs(form.got - wanted) / step
        middle, largest = float(np.median(steps)), float(steps.max())
        found = replace(found, step=step, median_steps=middle, largest_steps=largest)
    classes = predicted(wanted, kind), predicted(form.got, kind)
    if classes[0] is None or classes[1] is None:
        return found
    agreed = int((classes[0] == classes[1]).sum())
    found = replace(found, agreed=agreed, interval=wilson(agreed, len(errors)))
    if y is None:
        return found
    order = None if form.order is None else np.argsort(form.order)
    before, after = (accuracy(each, kind, y, order) for each in (wanted, form.got))
    return found if before is None or after is None else replace(found, accuracy=(before, after))


def flat(values: Array) -> Array:
    """(n, k) finite numbers from outputs (n, ...)."""
    return finite_values(values).reshape(len(values), -1).astype(np.float64)


def as_fed(values: Array, dtype: str) -> Array:
    """Inputs as the export is fed: as floats, unless it takes whole numbers of more than 8 bits."""
    whole = dtype.startswith(("int", "uint")) and dtype != "uint8"
    return values.astype(dtype) if whole else values.astype(np.float32)


def paired_outputs(then: Mapping[str, Array], now: Mapping[str, Array]) -> dict[str, str]:
    """Output of the source -> that of the export: by name, by shape, or by place among the rest.

    Both have the same number of values for each input. No output is paired twice.
    """
    found = {name: name for name in then if name in now and _fits(then[name], now[name])}
    shapes = [value.shape for name, value in then.items() if name not in found]
    rest = {name: value for name, value in now.items() if name not in found}
    for name, value in then.items():
        match = None if name in found else matching_output(name, value.shape, shapes, rest)
        if match is not None:
            found[name] = next(each for each, values in rest.items() if values is match)
    before = [name for name in then if name not in found]
    after = [name for name in now if name not in found.values()]
    if len(before) == len(after):
        pairs = zip(before, after, strict=True)
        found |= {name: other for name, other in pairs if _fits(then[name], now[other])}
    return {name: found[name] for name in then if name in found}


def _fits(wanted: Array, got: Array) -> bool:
    return wanted.size == got.size and wanted.shape[:1] == got.shape[:1]


def finite_causes(
    then: Mapping[str, Array], now: Mapping[str, Array], paired: Mapping[str, str]
) -> Iterator[PairExplanation]:
    """Outputs that are NaN or infinite in one of both models, and a number in the other."""
    for name, other in paired.items():
        before, after = (
            ~np.isfinite(values.reshape(len(values), -1)) for values in (then[name], now[other])
        )
        if (before != after).any():
            source, export = (int(each.any(axis=1).sum()) for each in (before, after))
            numbers: dict[str, Json] = {"export": export, "source": source, "n": len(before)}
            yield PairExplanation(PairCause.FINITE, name, numbers=numbers)
