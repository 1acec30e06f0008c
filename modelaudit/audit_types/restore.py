"""Stored weights against those of the restored model, and the golden record against both."""

from __future__ import annotations

from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

from modelaudit.audit_types.repair import Repair
from modelaudit.audit_types.values import AuditSection, Count, OptionalSection, Real


class TensorChange(StrEnum):
    """What happened to a tensor, most specific first. `conversions` lists the alterations."""

    SWAPPED = "swapped"  # it and another tensor were swapped
    OTHER = "another-tensor"  # it has the values that belong to another tensor
    ALTERED = "altered"  # its own values, transposed, rotated, cast …
    SCALED = "scaled"  # its own values multiplied by one factor
    PERMUTED = "permuted"  # its own values with rows or columns reordered
    INITIAL = "re-initialised"  # values like those of an initializer
    RESHAPED = "other-shape"
    VALUES = "other-values"


class TensorDifference(Struct, frozen=True):
    """One tensor whose two sides differ."""

    tensor: str
    """Name of the tensor in the file."""
    found: str
    """Name of the variable in the loaded model."""
    change: TensorChange
    """What happened to the tensor."""
    how: str = ""
    """Of an altered or permuted tensor, how; of one of another shape, both shapes."""
    other: str = ""
    """Of a swapped or borrowed tensor, the one that the values belong to."""
    factor: float | None = None
    """Of a scaled tensor, loaded / stored."""
    distance: Real | None = None
    """Euclidean norm of the difference / that of the stored tensor; null without values."""

    def __str__(self) -> str:
        """`conv/kernel: transposed`, as text for users."""
        match self.change:
            case TensorChange.SWAPPED:
                said = f"swapped with {self.other}"
            case TensorChange.OTHER:
                said = f"has the values of {self.other}"
            case TensorChange.ALTERED:
                said = self.how.replace("-", " ")
            case TensorChange.SCALED:
                said = f"scaled by {self.factor:.6g}"
            case TensorChange.PERMUTED:
                said = f"{self.how} reordered"
            case TensorChange.INITIAL:
                said = "at initial values"
            case TensorChange.RESHAPED:
                said = f"different shape ({self.how})"
            case _:
                said = "different values"
                if self.distance is not None:
                    said += f" (relative distance {self.distance:.3g})"
        return f"{self.tensor}: {said}"


class GoldenSection(AuditSection, frozen=True, kw_only=True):
    """The model against the golden record beside it."""

    file: str
    """Name of the record's file."""
    problem: str | UnsetType = UNSET
    """Why the record cannot be used. Absent if it can."""
    digest: str | UnsetType = UNSET
    """SHA-256 of the record itself."""
    made_by: str | UnsetType = UNSET
    """Versions that wrote the record."""
    same_files: bool | UnsetType | None = UNSET
    """Whether the model's files are those that were recorded; null if that is unknown."""
    weights_recorded: Count | UnsetType = UNSET
    """Number of weights in the record."""
    weights_identical: Count | UnsetType = UNSET
    """Number of these that are unchanged in the file."""
    weights_changed: tuple[str, ...] | UnsetType = UNSET
    """The others, as `name: what happened to it`."""
    not_replayed: str | UnsetType = UNSET
    """Why the outputs were not compared. Absent if they were."""
    outputs_reproduced: bool | UnsetType = UNSET
    """Whether every output is within its tolerance."""
    max_abs_difference: Real | UnsetType = UNSET
    """Largest absolute difference over outputs and samples."""
    tolerance: float | UnsetType = UNSET
    """Absolute difference up to which rounding and the model's own noise explain it."""


class SourceSection(AuditSection, frozen=True, kw_only=True):
    """An export against the model that it was made from, which was found beside it."""

    file: str
    """Name of the source's file or directory."""
    verdict: str
    """`equal`, `equal within quantization`, `different` or `could not be told`."""
    numbers: str
    """What the export computes with, such as `8-bit activations`."""
    weights_compared: Count = 0
    """Number of weights of the source."""
    weights_found: Count = 0
    """Number of these that are in the export, up to half a step of its numbers."""
    ran: bool = False
    """Whether both were run on the same inputs; else the verdict is that of the weights."""
    not_run: str | UnsetType = UNSET
    """Why they were not. Absent if they were."""
    said: tuple[str, ...] = ()
    """Causes and differences as sentences."""


class RestoreSection(OptionalSection, frozen=True, kw_only=True):
    """Tensors of the file compared by bytes with those of the loaded model."""

    runtime: str = ""
    """Where the model was loaded."""
    call: str = ""
    """Function that loaded it."""
    compared: Count = 0
    """Number of tensors in the file."""
    identical: Count = 0
    """Number of these that the loaded model holds unchanged."""
    missing: tuple[str, ...] = ()
    """Tensors of the file that the loaded model lacks."""
    unexpected: tuple[str, ...] = ()
    """Tensors of the loaded model that the file lacks."""
    differing: tuple[str, ...] = ()
    """Tensors with other values, as `name: what happened to it`."""
    cast: tuple[str, ...] = ()
    """Tensors of another data type, with the values that the conversion leaves."""
    changes: tuple[TensorDifference, ...] = ()
    """Every tensor of `differing` and `cast` in detail."""
    layers_compared: Count = 0
    """Number of layers whose config was compared with that of the loaded model."""
    layers_differing: tuple[str, ...] = ()
    """Layers that were loaded with another config, as `layer: what differs`."""
    golden: GoldenSection | UnsetType = UNSET
    """The model against its golden record. Absent if there is no record."""
    repair: Repair | UnsetType = UNSET
    """How `modelaudit repair` made the file, from its record. Absent if it did not."""
    exported_from: SourceSection | UnsetType = UNSET
    """An export against the model that it was made from. Absent if none was found beside it."""

    @property
    def empty(self) -> bool:
        """Whether no model was loaded to compare with."""
        return not self.runtime
