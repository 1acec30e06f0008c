"""Compares a model with its golden record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.errors import ReadError
from modelaudit.facts import Artifact
from modelaudit.restore.compare import compare
from modelaudit.restore.golden_record import GoldenRecord, read_record, record_path
from modelaudit.restore.model import WeightComparison
from modelaudit.restore.weight_sources import stored_weights
from modelaudit.settings import Limits
from modelaudit.structs import replace
from modelaudit.thresholds.restoration import (
    NOISE_FACTOR,
    ROUNDING,
    ROUNDING_BFLOAT16,
    ROUNDING_FLOAT16,
)


class OutputReplay(Struct, frozen=True):
    """One output compared with the recorded one. `tolerance` and `difference` are absolute."""

    name: str
    difference: float
    tolerance: float
    relative: float  # difference / (1e-12 + max |recorded|)

    @property
    def reproduced(self) -> bool:
        """Whether rounding can account for the difference."""
        return self.difference <= self.tolerance


class GoldenCheck(Struct, frozen=True):
    """The result of checking a model against its record.

    Attributes:
        file: the record's name.
        problem: why the record cannot be used, "" if it can; `kind` is its kind of problem.
        made: versions that wrote the record.
        digest: the record's own sha256, for users who keep a copy of it elsewhere.
        same_files: whether the model's files are the recorded ones; None if unknown.
        weights: recorded tensors compared with the file's; None if the file has no readable ones.
        outputs: the result of replaying the recorded inputs.
        not_replayed: why nothing was replayed, "" if it was.
    """

    file: str
    problem: str = ""
    kind: str = ""
    made: Mapping[str, str] | None = None
    digest: str = ""
    same_files: bool | None = None
    weights: WeightComparison | None = None
    outputs: tuple[OutputReplay, ...] = ()
    not_replayed: str = "the model was not run"


def read_golden(artifact: Artifact, limits: Limits) -> GoldenCheck | None:
    """The record next to a model, checked against its stored tensors; None without a record."""
    try:
        record = read_record(artifact.root, limits)
    except ReadError as error:
        return GoldenCheck(error.file, problem=error.reason, kind=error.kind)
    if record is None:
        return None
    stored = stored_weights(artifact)
    same = None
    if record.model_sha256 and artifact.sha256:
        same = record.model_sha256 == artifact.sha256
    return GoldenCheck(
        file=record_path(artifact.root).name,
        made=record.made,
        digest=record.digest,
        same_files=same,
        weights=compare(record.tensors, stored) if stored and record.tensors else None,
    )


def compare_replay(
    record: GoldenRecord, outputs: Mapping[str, NDArray[Any]], noise: float
) -> tuple[OutputReplay, ...] | str:
    """The outputs compared with the recorded ones, or why they cannot be compared.

    Outputs are matched by name, or else by shape if only one output has that shape.

    Args:
        outputs: the restored model's outputs for the record's inputs.
        noise: largest absolute difference between two runs now.
    """
    shapes = [answer.shape for answer in record.outputs]
    found = []
    for answer in record.outputs:
        value = matching_output(answer.name, answer.shape, shapes, outputs)
        if value is None:
            return f"the model has no output {answer.name!r} of shape {list(answer.shape)}"
        now = np.ascontiguousarray(value).reshape(-1)[:: answer.step]
        kinds = {answer.values.dtype.name, *(weight.dtype for weight in record.tensors)}
        kinds |= {record.made.get("precision", "")}
        floor = max(x for x in (0.0, record.noise, noise) if np.isfinite(x))
        found.append(compare_output(answer.name, now, answer.values, rounding(kinds), floor))
    return tuple(found)


def matching_output(
    name: str,
    shape: tuple[int, ...],
    shapes: Iterable[tuple[int, ...]],
    outputs: Mapping[str, NDArray[Any]],
) -> NDArray[Any] | None:
    """The output to compare: the one with this name, or else the only one of this shape.

    Args:
        name, shape: of the output to compare it with.
        shapes: of all outputs that need a partner.
        outputs: the candidates.
    """
    named = outputs.get(name)
    if named is not None and named.shape == shape:
        return named
    fitting = [value for value in outputs.values() if value.shape == shape]
    rivals = [each for each in shapes if each == shape]
    return fitting[0] if len(fitting) == len(rivals) == 1 else None


def compare_output(
    name: str, now: NDArray[Any], then: NDArray[Any], rounding: float, noise: float
) -> OutputReplay:
    """One output compared with another of the same shape.

    Args:
        now, then: values; NaN equals NaN and differs from anything else infinitely.
        rounding: what other kernels can change, in units of 1 + max |then|.
        noise: largest absolute difference between two runs.
    """
    finite = np.abs(then.astype(np.float64)[np.isfinite(then)])
    scale = float(finite.max(initial=0.0))
    difference = float(_gaps(now, then).max(initial=0.0))
    tolerance = max(rounding * (1 + scale), NOISE_FACTOR.value * noise)
    return OutputReplay(name, difference, tolerance, difference / (1e-12 + scale))


def ranked_gaps(now: NDArray[Any], then: NDArray[Any]) -> NDArray[np.float64]:
    """The largest difference of each row of an output, the largest first."""
    gaps = _gaps(now, then).reshape(len(then), -1).max(axis=1, initial=0.0)
    return np.sort(gaps)[::-1]


def with_rounding(
    found: OutputReplay, gaps: NDArray[np.float64], rounded: NDArray[np.float64]
) -> OutputReplay:
    """The comparison of an output, where rounding moves some rows further than others.

    Which rows rounding moves is chance, so that the largest is compared with the largest, the
    second with the second, and so on. The result is of the rank that is most above its tolerance,
    or of the first one if none is.

    Args:
        gaps: by ranks, how far the rows of both differ.
        rounded: the same of the original and itself with rounded weights.
    """
    allowed = np.maximum(found.tolerance, NOISE_FACTOR.value * rounded)
    above = np.flatnonzero(gaps > allowed)
    rank = above[np.argmax(gaps[above] / allowed[above])] if above.size else 0
    return replace(found, difference=float(gaps[rank]), tolerance=float(allowed[rank]))


def _gaps(now: NDArray[Any], then: NDArray[Any]) -> NDArray[np.float64]:
    now, then = now.astype(np.float64), then.astype(np.float64)
    same = (now == then) | (np.isnan(now) & np.isnan(then))
    with np.errstate(invalid="ignore"):
        gaps = np.where(same, 0.0, np.abs(now - then))
    return np.nan_to_num(gaps, nan=np.inf, posinf=np.inf)


def with_tolerance(golden: GoldenCheck, share: float) -> GoldenCheck:
    """The same result, but every output may differ by this fraction of its largest value."""
    return replace(golden, outputs=tuple(_allowing(each, share) for each in golden.outputs))


def _allowing(output: OutputReplay, share: float) -> OutputReplay:
    if not 0 < output.relative < np.inf:  # equal, or different regardless of the tolerance
        return output
    return replace(output, tolerance=share * output.difference / output.relative)


def rounding(dtypes: Iterable[str]) -> float:
    """What other kernels can change in a model with weights and outputs of these dtypes."""
    kinds = set(dtypes)
    if "bfloat16" in kinds:
        return ROUNDING_BFLOAT16.value
    return ROUNDING_FLOAT16.value if "float16" in kinds else ROUNDING.value


def precision_of(artifact: Artifact) -> str:
    """`float16` or `bfloat16` if layers compute in it, else ""."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    said = " ".join(str(layer.config.get("dtype")) for layer in layers)
    return next((name for name in ("bfloat16", "float16") if name in said), "")
