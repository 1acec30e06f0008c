"""Built-in inputs inside the domain of a model that takes logarithms or roots of its inputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modelaudit.probe.study.feeding import PreparedInputs
from modelaudit.probe.study.runner import Array, Runner
from modelaudit.structs import replace

NOTE = (
    "negative values were made positive: with them the output is NaN or infinite, as where a model "
    "takes the logarithm or the root of counts or sizes"
)


def within_domain(runner: Runner, fed: PreparedInputs) -> PreparedInputs:
    """`fed`, or its absolute values if the outputs are finite for these only.

    Which values a model is for is not in the file, so built-in inputs that it rejects show no
    fault. The user's own inputs stay as they are.

    Args:
        runner: runner of the loaded model.
        fed: the inputs of the study.

    Raises:
        StudyEnded: the child has ended.
        MeasurementUnavailable: the model cannot be run.
    """
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


def _finite(runner: Runner, arrays: Sequence[Array]) -> bool:
    given = runner.predict_once(arrays)
    return all(bool(np.isfinite(values).all()) for values in given.values())
