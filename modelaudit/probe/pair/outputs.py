"""Outputs of a model and its export: which belong together, and how they differ."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from modelaudit.measures.behaviour.accuracy import accuracy
from modelaudit.measures.behaviour.output_forms import OutputForm
from modelaudit.measures.behaviour.outputs import predicted
from modelaudit.measures.statistics import wilson
from modelaudit.probe.pair.model import PairedOutput
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
        step: of the export's output; None for floats.
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
    """Output of the source -> that of the export: by name, by shape, or by place."""
    shapes = [value.shape for value in then.values()]
    found: dict[str, str] = {}
    for place, (name, value) in enumerate(then.items()):
        match = matching_output(name, value.shape, shapes, dict(now))
        if match is None and len(now) == len(then):
            match = [*now.values()][place]
        if match is not None and match.size == value.size:
            found[name] = next(each for each, values in now.items() if values is match)
    return found
