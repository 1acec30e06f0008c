"""Requests to runtimes, and predictions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json, Shape
from modelaudit.findings import Confidence
from modelaudit.formats.source_code.classes import ClassCode, SourceCode
from modelaudit.runtimes.graph_usage import GraphUsage
from modelaudit.runtimes.profile import FUSIONS, Fact, RuntimeProfile

OF_NAMES = ("hdf5-named-keras", "other-suffix")
"""Codes of the reasons that a file of the right name does not have."""
FIRST_CALL = "the first call of the model"
NOT_READ = "not-read"  # code of the reason for a model that was only read in part


class LoadCall(StrEnum):
    """The calls that load a saved model."""

    LOAD_MODEL = "load_model"
    FROM_JSON = "model_from_json"
    SAVED_MODEL = "saved_model.load"
    SESSION = "session"
    TFSM_LAYER = "TFSMLayer"
    LOAD_WEIGHTS = "load_weights"
    RESTORE = "Checkpoint.restore"
    LOAD_CHECKPOINT = "load_checkpoint"
    META_GRAPH = "import_meta_graph"


def predicted_call(observed: str) -> str:
    """The call in predictions that corresponds to the probe's call `observed`."""
    # The probe restores a checkpoint into a model; reading it as a dict of arrays always works.
    return LoadCall.RESTORE.value if observed == LoadCall.LOAD_CHECKPOINT.value else observed


class LoadRequest(Struct, frozen=True):
    """One loading call with its options.

    `custom` are the names of classes and functions passed as `custom_objects` (or registered
    before), `modules` the names of importable modules that contain the model's own classes.
    `by_name` applies only to `load_weights`. `trained` says whether the program trains the model
    before it reads weights into it; None if that is not known. `imported` are those modules that
    the program has imported before the call.
    """

    call: LoadCall
    custom: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    compile: bool = False
    safe_mode: bool = True
    by_name: bool = False
    trained: bool | None = None
    imported: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """`load_model`, with the options that differ from the defaults of an audit."""
        words = [self.call.value]
        words += ["custom_objects"] * bool(self.custom)
        words += ["compile"] * self.compile
        words += ["safe_mode=False"] * (not self.safe_mode)
        words += ["by_name"] * self.by_name
        return ",".join(words)


class Reason(Struct, frozen=True):
    """Why a call does not simply load the model.

    `code` is stable and kebab-case. `text` says which part of the file the runtime does not
    support. `error` is the runtime's message, with `…` for what no rule knows; empty if its words
    are not known. `fix` says what to do. `repairs` says that `modelaudit repair` removes the
    cause, where the rest of the file can be translated. `unless` is a
    phrase that says what the program can do so that the reason does not apply, empty if it can do
    nothing; `sign` is a text in the loader's error by which the reason is recognised, empty if no
    rule looks for it there. `later` is what fails where the call itself succeeds, as `FIRST_CALL`;
    `loads` says that the call does succeed.
    """

    code: str
    predicted: LoadOutcome
    text: str
    error: str = ""
    fix: str = ""
    route: str = ""
    unless: str = ""
    sign: str = ""
    later: str = ""
    loads: bool = False
    repairs: bool = False

    def expected(self, where: str = "") -> str:
        """A sentence with the error, after a blank; "" if its words are not known."""
        return f" Expected error{where}: {self.error.rstrip('.')}." if self.error else ""

    def facts(self) -> dict[str, Json]:
        """As JSON."""
        return {
            "code": self.code,
            "text": self.text,
            "error": self.error,
            "fix": self.fix,
            "route": self.route,
        }


class Prediction(Struct, frozen=True):
    """The prediction for one runtime and one call; `because` starts with the deciding reason.

    `collected` is the runtime whose profile was used; if it is not `runtime` itself, the
    confidence is lower. `compiling` are the reasons in the compile settings of a model that fails
    without them as well. `untried` are parts of a model that is predicted to load, in words, that
    no model has with which predictions were compared; the confidence is lower then, too.
    """

    runtime: str
    call: str
    predicted: LoadOutcome
    because: tuple[Reason, ...] = ()
    confidence: Confidence = Confidence.HIGH
    collected: str = ""
    compiling: tuple[Reason, ...] = ()
    untried: tuple[str, ...] = ()

    @property
    def conditions(self) -> tuple[Reason, ...]:
        """The deciding reasons, if the program that loads the model can prevent all of them."""
        decisive = tuple(each for each in self.because if each.predicted is self.predicted)
        return decisive if all(each.unless for each in decisive) else ()


class CheckContext(Struct, frozen=True):
    """A request to a runtime: the argument of every check.

    `writer` is the profile nearest to the runtime that saved the model; None if that runtime is
    unknown. `usage` is what the model's graphs use. `input_shapes` are those that layers get
    from an InputLayer or state as first layers, by route. `untested` collects the experiments
    that the file asks for and the profile was collected without. `code` are the classes of the
    program, where the user gives their source code, and `classes` those of which the file has
    objects, as far as it tells.
    """

    profile: RuntimeProfile
    request: LoadRequest
    writer: RuntimeProfile | None = None
    usage: GraphUsage = field(default_factory=GraphUsage)
    input_shapes: Mapping[str, Shape] = field(default_factory=dict)
    untested: set[str] = field(default_factory=set)
    code: SourceCode = field(default_factory=SourceCode)
    classes: tuple[ClassCode, ...] = ()

    def behaviour(self, name: str, default: Fact = None) -> Fact:
        """The result of an experiment in the runtime; ask only if the file depends on it."""
        if not self.profile.tested(name):
            self.untested.add(name)
        return self.profile.behaviour(name, default)

    def refuses(self, chain: tuple[str, ...]) -> bool:
        """Whether TensorFlow joins these operations to one that it does not have."""
        refused = self.profile.data.get(FUSIONS)
        if refused is None:
            self.untested.add(FUSIONS)
        return [*chain] in (refused or ())
