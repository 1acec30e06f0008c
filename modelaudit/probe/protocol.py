"""What the parent and the isolated child say to each other, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from modelaudit.facts import Format, Json, Shape

TFSM_LAYER = "TFSMLayer"  # only Keras 3 has it
OWN_ERROR = "AdapterError"  # what the child says where it has the reason in words


class Status(StrEnum):
    """How an attempt to load and run a model in one runtime ended."""

    LOADED = "loaded"
    FAILED = "failed"  # the loader raised
    CRASHED = "crashed"  # the child died of a signal or exited without answering
    TIMEOUT = "timeout"
    MEMORY = "out-of-memory"
    DISK = "out-of-disk"  # it wrote more than allowed
    REFUSED = "refused"  # we did not run it (critical finding, no sandbox, unsupported format)
    UNAVAILABLE = "unavailable"  # the runtime itself could not start


# The runtimes that are installed beside this program, for people.
INSTALLED: Mapping[str, str] = {
    "here": "the installed TensorFlow and Keras",
    "here-legacy": "the installed TensorFlow with tf-keras",
}
ENDED: Mapping[Status, str] = {
    Status.CRASHED: "it crashed",
    Status.TIMEOUT: "it took too long",
    Status.MEMORY: "it took too much memory",
    Status.DISK: "it wrote too much",
    Status.REFUSED: "it was not run",
    Status.UNAVAILABLE: "the runtime could not start",
}


def runtime_name(code: str) -> str:
    """A runtime as a sentence names it."""
    return INSTALLED.get(code, code)


@dataclass(frozen=True, slots=True)
class Port:
    """A named input or output of a loaded model; shape with None for open axes."""

    name: str
    dtype: str
    shape: Shape | None


@dataclass(frozen=True, slots=True)
class VariableDigest:
    """A variable as the restored model holds it; sha256 over C-order little-endian bytes."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a runtime computes against what another one does, for the same inputs.

    Attributes:
        reference: the other runtime, and `reference_call` how the model was loaded there.
        output: the one that differs most.
        difference: largest absolute difference; `relative` in units of the largest |reference|.
        noise: largest difference between runs in either runtime, in batches of another size too.
        tolerance: up to which absolute difference rounding and noise explain it.
        samples: number of inputs.
        not_compared: why there are no numbers, "" where there are.
    """

    reference: str
    reference_call: str
    output: str = ""
    difference: float = 0.0
    relative: float = 0.0
    noise: float = 0.0
    tolerance: float = 0.0
    samples: int = 0
    not_compared: str = ""

    @property
    def same(self) -> bool:
        """Both compute the same, up to rounding; false where that is not known."""
        return not self.not_compared and self.difference <= self.tolerance


@dataclass(frozen=True, slots=True)
class Observation:
    """One runtime's attempt at one model.

    `call` is the loading call that was tried (load_model, saved_model.load, session …).
    `error` is what a user would have seen, cut at 2,000 characters. `seconds` is wall clock and
    stays out of anything that is compared between runs.
    """

    runtime: str
    call: str
    status: Status
    error_type: str = ""
    error: str = ""
    signal: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    sandbox: Mapping[str, Json] = field(default_factory=dict)
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    variables: tuple[VariableDigest, ...] = ()
    log: str = ""
    seconds: float = 0.0
    layers: Mapping[str, str] = field(default_factory=dict)  # route -> class of the restored model
    # route -> `config` and output `shape` of the restored layer, as far as they can be had
    details: Mapping[str, Mapping[str, Json]] = field(
        default_factory=dict, compare=False, repr=False
    )
    notes: tuple[str, ...] = ()
    peak_memory: int = 0  # bytes of resident memory, 0 where it was not seen
    agreement: Agreement | None = None  # of its outputs with those of another runtime
    target: str = ""  # the runtime in the words of predictions, `tf==2.15.1`

    @property
    def failure(self) -> str:
        """What went wrong, the error's type before its text; "" where nothing did.

        An error of ours stands without its type, for its text says it all.
        """
        if self.error_type == OWN_ERROR and self.error:
            return self.error
        return f"{self.error_type}: {self.error}".strip(": \n")


def all_calls(format: Format) -> tuple[str, ...]:
    """Every loading call that makes a model of a format, in some runtime or other."""
    match format:
        case Format.SAVEDMODEL_TF2:
            return ("load_model", "saved_model.load", TFSM_LAYER)
        case Format.SAVEDMODEL_TF1:
            return ("saved_model.load", "session", TFSM_LAYER)
        case _:
            return calls_for(format, legacy_keras=True)


def calls_for(format: Format, *, legacy_keras: bool) -> tuple[str, ...]:
    """The loading calls to try for a format, in order; empty where nothing can be run.

    `legacy_keras` says that the runtime's Keras is of generation 2: only that one reads a
    SavedModel as a Keras model. Weights and object checkpoints also need an architecture.
    """
    match format:
        case Format.KERAS_ARCHIVE | Format.LEGACY_H5_FULL:
            return ("load_model",)
        case Format.SAVEDMODEL_TF2:
            return ("load_model", "saved_model.load") if legacy_keras else ("saved_model.load",)
        case Format.SAVEDMODEL_TF1:
            return ("saved_model.load", "session")
        case Format.TF1_CHECKPOINT:
            return ("import_meta_graph",)
        case Format.FROZEN_GRAPH:
            return ("import_graph_def",)
        case Format.WEIGHTS_H5_LEGACY | Format.WEIGHTS_H5_V3:
            return ("load_weights",)
        case Format.TF2_CHECKPOINT:
            return ("load_checkpoint",)
        case _:
            return ()
