"""A model against its golden record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelaudit.errors import ReadError
from modelaudit.facts import Artifact
from modelaudit.restore.compare import compare
from modelaudit.restore.golden_record import Answer, Record, read_record, record_path
from modelaudit.restore.model import Comparison
from modelaudit.restore.weight_sources import stored_weights
from modelaudit.settings import Limits

# Versions and processors sum in another order. Differences of that kind stayed under this share
# of 1 + max|y| over 6,600 loads of float32 files in nine TensorFlow versions.
ROUNDING = 2e-5
HALF_ROUNDING = 2e-3  # where weights or outputs are float16
BRAIN_ROUNDING = 2e-2  # or bfloat16, which has 8 bits of mantissa
NOISE_FACTOR = 10.0


@dataclass(frozen=True, slots=True)
class OutputReplay:
    """One output now against then. `tolerance` and `difference` are absolute."""

    name: str
    difference: float
    tolerance: float
    relative: float  # difference / (1e-12 + max |then|)

    @property
    def reproduced(self) -> bool:
        """As close as rounding explains."""
        return self.difference <= self.tolerance


@dataclass(frozen=True, slots=True)
class Golden:
    """What a record says of a model.

    Attributes:
        file: the record's name.
        problem: why the record cannot be used, "" if it can; `kind` is the reader's word for it.
        made: versions that wrote it.
        digest: the record's own sha256, for who keeps it elsewhere.
        same_files: the model's files are those that were recorded; None where unknown.
        weights: recorded tensors against those of the file; None where the file has none to read.
        outputs: what replaying showed.
        not_replayed: why nothing was replayed, "" if it was.
    """

    file: str
    problem: str = ""
    kind: str = ""
    made: Mapping[str, str] | None = None
    digest: str = ""
    same_files: bool | None = None
    weights: Comparison | None = None
    outputs: tuple[OutputReplay, ...] = ()
    not_replayed: str = "the model was not run"


def read_golden(artifact: Artifact, limits: Limits) -> Golden | None:
    """The record beside a model, against its stored tensors; None where there is no record."""
    try:
        record = read_record(artifact.root, limits)
    except ReadError as error:
        return Golden(error.file, problem=error.reason, kind=error.kind)
    if record is None:
        return None
    stored = stored_weights(artifact)
    same = None
    if record.model_sha256 and artifact.sha256:
        same = record.model_sha256 == artifact.sha256
    return Golden(
        file=record_path(artifact.root).name,
        made=record.made,
        digest=record.digest,
        same_files=same,
        weights=compare(record.tensors, stored) if stored and record.tensors else None,
    )


def replayed(
    record: Record, outputs: Mapping[str, NDArray[Any]], noise: float
) -> tuple[OutputReplay, ...] | str:
    """Outputs now against then, or why they cannot be compared.

    Outputs are matched by name, else by their only possible shape.

    Args:
        record: what was written down.
        outputs: of the restored model for the record's inputs.
        noise: largest difference between two runs now, absolute.
    """
    shapes = [answer.shape for answer in record.outputs]
    found = []
    for answer in record.outputs:
        value = partner(answer.name, answer.shape, shapes, outputs)
        if value is None:
            return f"the model has no output {answer.name!r} of shape {list(answer.shape)}"
        found.append(_compared(answer, value, record, noise))
    return tuple(found)


def partner(
    name: str,
    shape: tuple[int, ...],
    shapes: Iterable[tuple[int, ...]],
    outputs: Mapping[str, NDArray[Any]],
) -> NDArray[Any] | None:
    """The output that is to be compared: of that name, else the only one of its shape.

    Args:
        name, shape: of what it is compared with.
        shapes: of all outputs that are looked for.
        outputs: those there are.
    """
    named = outputs.get(name)
    if named is not None and named.shape == shape:
        return named
    fitting = [value for value in outputs.values() if value.shape == shape]
    rivals = [each for each in shapes if each == shape]
    return fitting[0] if len(fitting) == len(rivals) == 1 else None


def _compared(answer: Answer, value: NDArray[Any], record: Record, noise: float) -> OutputReplay:
    now = np.ascontiguousarray(value).reshape(-1)[:: answer.step]
    kinds = {answer.values.dtype.name, *(weight.dtype for weight in record.tensors)}
    kinds |= {record.made.get("precision", "")}
    floor = max(x for x in (0.0, record.noise, noise) if np.isfinite(x))
    return compare_output(answer.name, now, answer.values, rounding(kinds), floor)


def compare_output(
    name: str, now: NDArray[Any], then: NDArray[Any], rounding: float, noise: float
) -> OutputReplay:
    """One output against another of the same shape.

    Args:
        name: of the output.
        now, then: values; NaN equals NaN, and anything else differs from it infinitely.
        rounding: what other kernels may change, in units of 1 + max |then|.
        noise: largest absolute difference between two runs.
    """
    now, then = now.astype(np.float64), then.astype(np.float64)
    finite = then[np.isfinite(then)]
    scale = float(np.abs(finite).max(initial=0.0))
    same = (now == then) | (np.isnan(now) & np.isnan(then))
    with np.errstate(invalid="ignore"):
        gaps = np.where(same, 0.0, np.abs(now - then))
    difference = float(np.nan_to_num(gaps, nan=np.inf, posinf=np.inf).max(initial=0.0))
    tolerance = max(rounding * (1 + scale), NOISE_FACTOR * noise)
    return OutputReplay(name, difference, tolerance, difference / (1e-12 + scale))


def allowing(golden: Golden, share: float) -> Golden:
    """The same with every output allowed to differ by this share of its largest value."""
    return replace(golden, outputs=tuple(_allowing(each, share) for each in golden.outputs))


def _allowing(output: OutputReplay, share: float) -> OutputReplay:
    if not 0 < output.relative < np.inf:  # equal, or different whatever is allowed
        return output
    return replace(output, tolerance=share * output.difference / output.relative)


def rounding(dtypes: Iterable[str]) -> float:
    """What other kernels may change in a model of weights and outputs of these types."""
    kinds = set(dtypes)
    if "bfloat16" in kinds:
        return BRAIN_ROUNDING
    return HALF_ROUNDING if "float16" in kinds else ROUNDING


def precision_of(artifact: Artifact) -> str:
    """`float16` or `bfloat16` where layers compute in it, else ""."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    said = " ".join(str(layer.config.get("dtype")) for layer in layers)
    return next((name for name in ("bfloat16", "float16") if name in said), "")
