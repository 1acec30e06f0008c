"""Messages between the supervisor and the isolated child, and observations made from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from modelaudit.audit_types.loading import Agreement, Port, Status
from modelaudit.facts import Format, Json
from modelaudit.structs import PartlyCompared

TFSM_LAYER = "TFSMLayer"  # only in Keras 3
OWN_ERROR = "AdapterError"  # error type of the child's own messages


# Display names of the runtimes that are installed with this program.
INSTALLED: Mapping[str, str] = {
    "here": "the installed TensorFlow and Keras",
    "here-legacy": "the installed TensorFlow with tf-keras",
}
# Added to the message of an error for which an operation was not permitted.
HELD = "(In the sandbox, a model can only read its own files; it cannot use processes or networks.)"
ENDED: Mapping[Status, str] = {
    Status.CRASHED: "it crashed",
    Status.TIMEOUT: "it timed out",
    Status.MEMORY: "it ran out of memory",
    Status.DISK: "it exceeded the disk limit",
    Status.REFUSED: "it was not run",
    Status.UNAVAILABLE: "the runtime could not start",
}


def runtime_name(code: str) -> str:
    """Display name of a runtime."""
    return INSTALLED.get(code, code)


class VariableDigest(Struct, frozen=True):
    """A variable of the restored model; SHA-256 of its little-endian bytes in C order."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    sha256: str


class Observation(PartlyCompared, frozen=True, eq=False):
    """A runtime's attempt to load and run a model.

    `call` is the loading call (load_model, saved_model.load, session …). `error` is the error
    message, truncated to 2,000 characters. `seconds` is wall-clock time and is never compared
    between runs.
    """

    aside = ("details",)
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
    # route -> `config` and output `shape` of the restored layer, if available
    details: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    peak_memory: int = 0  # bytes of resident memory, 0 if unknown
    agreement: Agreement | None = None  # with the outputs of another runtime
    target: str = ""  # name of the runtime in predictions, such as `tf==2.15.1`
    uncallable: str = ""  # why the loaded model could not be called with the inputs as saved
    uncompiled: str = ""  # why `load_model` fails without `compile=False`
    refused: str = ""  # why `saved_model.load` fails of a model that a session loads

    @property
    def failure(self) -> str:
        """Error type and message, or "" without an error.

        The child's own errors are shown without their type.
        """
        if self.error_type == OWN_ERROR and self.error:
            return self.error
        return f"{self.error_type}: {self.error}".strip(": \n")


def all_calls(format: Format) -> tuple[str, ...]:
    """All loading calls for a format that some runtime supports."""
    match format:
        case Format.SAVEDMODEL_TF2:
            return ("load_model", "saved_model.load", TFSM_LAYER)
        case Format.SAVEDMODEL_TF1:
            return ("saved_model.load", "session", TFSM_LAYER)
        case Format.TFJS_LAYERS | Format.TFJS_GRAPH | Format.KERASHUB_PRESET:
            return ()  # what loads them is the translation, or KerasHub, not a version of Keras
        case _:
            return calls_for(format, legacy_keras=True)


def calls_for(format: Format, *, legacy_keras: bool) -> tuple[str, ...]:
    """The loading calls to try for a format, in order; empty if it cannot be run.

    `legacy_keras` is whether the runtime has Keras 2, which can load a SavedModel as a Keras
    model. Weights and object checkpoints also need an architecture.
    """
    match format:
        case Format.KERAS_ARCHIVE | Format.LEGACY_H5_FULL:
            return ("load_model",)
        case Format.SAVEDMODEL_TF2:
            # At last, a session takes the graph and its signatures, whatever objects are saved.
            return (
                ("load_model", "saved_model.load", "session")
                if legacy_keras
                else ("saved_model.load",)
            )
        case Format.SAVEDMODEL_TF1:
            return ("saved_model.load", "session")
        case Format.TF1_CHECKPOINT:
            return ("import_meta_graph",)
        case Format.FROZEN_GRAPH | Format.TFJS_GRAPH:
            return ("import_graph_def",)
        case Format.TFJS_LAYERS:  # its layers are those of Keras 2
            return ("model_from_json",) if legacy_keras else ()
        case Format.KERASHUB_PRESET:  # KerasHub needs Keras 3
            return () if legacy_keras else ("from_preset",)
        case Format.TFLITE:
            return ("lite.Interpreter",)
        case Format.WEIGHTS_H5_LEGACY | Format.WEIGHTS_H5_V3:
            return ("load_weights",)
        case Format.TF2_CHECKPOINT:
            return ("load_checkpoint",)
        case _:
            return ()


def can_run(format: Format) -> bool:
    """Whether an installed runtime has a loading call for a format."""
    return any(calls_for(format, legacy_keras=legacy) for legacy in (True, False))


def endings(observations: Sequence[Observation]) -> str:
    """How running a model that gave no outputs ended, in words."""
    said = {**ENDED, Status.LOADED: "it loaded", Status.FAILED: "it did not load"}
    ended: dict[str, list[str]] = {}
    refused = {each.error for each in observations if each.status is Status.REFUSED and each.error}
    if len(refused) == 1 and all(each.error in refused for each in observations):
        return refused.pop()  # one reason, which has nothing to do with the runtimes
    for each in observations:
        ended.setdefault(said[each.status], []).append(f"in {runtime_name(each.runtime)}")
    found = "; ".join(f"{how} {' and '.join(where)}" for how, where in ended.items())
    return found or "nothing was tried"
