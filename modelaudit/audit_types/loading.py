"""In which runtimes the model loads: what was predicted, tried and observed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

from modelaudit.audit_types.values import AuditSection, Count, Real
from modelaudit.facts import Json, Shape
from modelaudit.findings import Confidence


class LoadOutcome(StrEnum):
    """What happens when a runtime loads a model. Ordered from bad to good: `rank`."""

    FAILS = "fails"
    DIFFERS = "differs"
    UNKNOWN = "unknown"
    CONDITIONAL = "conditional"  # nothing in the file stops it, but code that was not given may
    LOADS = "loads"

    @property
    def rank(self) -> int:
        """0 (fails) to 4 (loads): of several reasons, the lowest rank decides."""
        return list(LoadOutcome).index(self)


class Status(StrEnum):
    """How an attempt to load and run a model in one runtime ended."""

    LOADED = "loaded"
    FAILED = "failed"  # the loader raised
    CRASHED = "crashed"  # the child died of a signal or exited without answering
    TIMEOUT = "timeout"
    MEMORY = "out-of-memory"
    DISK = "out-of-disk"  # it wrote more than allowed
    REFUSED = "refused"  # not run (critical finding, no sandbox, unsupported format)
    UNAVAILABLE = "unavailable"  # the runtime itself could not start


class PredictionReason(AuditSection, frozen=True, kw_only=True):
    """Why a call does not simply load the model."""

    code: str
    """Stable code, in kebab case."""
    text: str
    """What in the file meets what in the runtime."""
    error: str = ""
    """The error message that a user would see, if one is expected."""
    fix: str = ""
    """What to do."""
    route: str = ""
    """The layer or node; empty for the whole model."""


class ObservedLoading(AuditSection, frozen=True, kw_only=True):
    """How loading ended, and how the outputs compare with those of another runtime."""

    status: Status
    """How the attempt ended."""
    error: str = ""
    """What went wrong; empty if nothing did."""
    reference: str | UnsetType = UNSET
    """The other runtime. This and the keys below are absent where nothing was to be compared."""
    max_abs_diff: Real | None = None
    """Largest absolute difference of the outputs; null if they were not compared."""
    same: bool | UnsetType | None = UNSET
    """Whether rounding and noise explain the difference; null if it was not compared."""
    not_compared: str | UnsetType = UNSET
    """Why the outputs were not compared. Absent if they were."""
    max_rel_diff: Real | UnsetType = UNSET
    """`max_abs_diff` divided by the largest absolute output of the reference."""
    noise: Real | UnsetType = UNSET
    """Largest difference between two runs in one of the runtimes."""
    tolerance: Real | UnsetType = UNSET
    """Absolute difference up to which rounding and noise explain it."""
    output: str | UnsetType = UNSET
    """The output that differs most."""
    samples: Count | UnsetType = UNSET
    """Number of inputs."""


class CompatibilityRow(AuditSection, frozen=True, kw_only=True):
    """One runtime and one loading call."""

    runtime: str
    """Name of the runtime, such as `tf==2.15.1`."""
    call: str
    """Function that loads the model."""
    versions: Mapping[str, str] | UnsetType = UNSET
    """Versions of the packages of a runtime that was tried."""
    predicted: LoadOutcome
    """What is expected from the file alone."""
    because: tuple[PredictionReason, ...]
    """Reasons for the prediction; the first one decides."""
    confidence: Confidence | UnsetType = UNSET
    """How certain the prediction is. Absent where nothing was predicted."""
    collected_from: str | UnsetType = UNSET
    """Runtime whose profile the prediction is based on. Absent where nothing was predicted."""
    observed: ObservedLoading | None
    """What happened; null if it was not tried."""
    untried: tuple[str, ...] | UnsetType = UNSET
    """Parts of the model that no model has with which predictions were compared. Absent if there
    are none, or if the model is not predicted to load."""


class Port(Struct, frozen=True):
    """A named input or output of a loaded model."""

    name: str
    """Name of the input or output."""
    dtype: str
    """Data type."""
    shape: Shape | None
    """Shape, with null for open axes; null if the rank is unknown."""
    below: Count | None = None
    """Number of rows of the table that integers of this input index; null if unknown."""


class Agreement(Struct, frozen=True):
    """The outputs of one runtime against those of another one, for the same inputs."""

    reference: str
    """The other runtime."""
    reference_call: str
    """The call that loaded the model there."""
    output: str = ""
    """The output that differs most."""
    difference: Real = 0.0
    """Largest absolute difference."""
    relative: Real = 0.0
    """`difference` divided by the largest absolute output of the reference."""
    noise: Real = 0.0
    """Largest difference between runs in either runtime, in batches of another size too."""
    tolerance: Real = 0.0
    """Absolute difference up to which rounding and noise explain it."""
    samples: Count = 0
    """Number of inputs."""
    not_compared: str = ""
    """Why there are no numbers; empty if there are."""
    rounding: Real = 0.0
    """Largest change of the reference's outputs by rounded weights, if it amplifies rounding."""
    failure: str = ""
    """The error of a model that was loaded and could not be called; empty if it answered."""

    @property
    def same(self) -> bool:
        """Whether the outputs are equal up to rounding; False if they were not compared."""
        return not self.not_compared and self.difference <= self.tolerance


class ObservationRow(AuditSection, frozen=True, kw_only=True):
    """One attempt to load and run the model."""

    runtime: str
    """Name of the runtime; `here` is the installed one, `here-legacy` the same with tf-keras."""
    call: str
    """Function that was to load the model."""
    status: Status
    """How the attempt ended."""
    error_type: str = ""
    """Class of the exception; empty if there was none."""
    error: str = ""
    """Text of the exception, at most 2,000 characters."""
    signal: int | None = None
    """Signal that ended the process; null if none did."""
    versions: Mapping[str, str] = {}
    """Versions of the packages of the runtime."""
    sandbox: Mapping[str, Json] = {}
    """Layers of the sandbox: true if it holds, else false or why it does not."""
    inputs: tuple[Port, ...] = ()
    """Inputs of the loaded model."""
    outputs: tuple[Port, ...] = ()
    """Outputs of the loaded model."""
    variables: Count = 0
    """Number of variables of the loaded model."""
    log: str = ""
    """What the runtime printed, shortened."""
    layers: Mapping[str, str] = {}
    """Class of each layer of the loaded model, by route."""
    notes: tuple[str, ...] = ()
    """What else is worth knowing about the attempt."""
    agreement: Agreement | None = None
    """The outputs against those of another runtime; null if there was none to compare with."""
    target: str = ""
    """Name of the runtime in `compatibility`, such as `tf==2.15.1`."""
    uncallable: str = ""
    """Why the loaded model could not be called with its inputs as saved; empty if it could."""
    uncompiled: str = ""
    """Why `load_model` fails without `compile=False`; empty if it does not, or was not tried."""
    refused: str = ""
    """Why `saved_model.load` fails of a SavedModel with objects that only a session loads."""

    @property
    def failure(self) -> str:
        """What went wrong, the error's type before its text; empty where nothing did."""
        return f"{self.error_type}: {self.error}".strip(": \n")
