"""The state of one translation: its target, and what was changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from modelaudit.errors import ModelAuditError
from modelaudit.facts import Artifact, Json, Layer
from modelaudit.runtimes.catalogue import saving_runtime
from modelaudit.runtimes.profile import RuntimeProfile
from modelaudit.runtimes.saved_config import ADDED

Config = Mapping[str, Json]
Node = dict[str, Json]

# Arguments that change nothing in a restored model: how the first weights were drawn, how the same
# numbers are computed, and what the input layer states as well.
WITHOUT_EFFECT = frozenset(
    ("batch_input_shape", "batch_shape", "fused", "implementation", "input_dim", "input_dtype")
) | frozenset(
    (
        "input_length",
        "input_shape",
        "rng_type",
        "autocast",
        "query_shape",
        "key_shape",
        "value_shape",
        "trainable",  # only layers without weights do not accept it
    )
)
# Further arguments, and the values at which a layer behaves as one without them.
NEUTRAL: Mapping[str, tuple[Json, ...]] = {
    "causal": (False,),
    "softmax_robust_masking": (False,),
    "renorm_momentum": (0.99,),
    "experimental_autocast": (True,),
    "invert": (False,),
    "salt": (None,),
    "oov_method": (None, "floormod"),
    "data_format": (None, "channels_last"),
    "value_range": ([0, 255], [0.0, 255.0]),
    "rms_scaling": (False,),
    "fill_mode": ("constant",),
}


class Untranslatable(ModelAuditError):
    """A part of a config that the target has nothing equal for.

    Args:
        route: route of the layer, or "" for the model.
        reason: what has no equal, as a clause.
    """

    def __init__(self, route: str, reason: str) -> None:
        super().__init__(f"{route}: {reason}" if route else reason)
        self.route = route
        self.reason = reason


def saved_by_keras3(artifact: Artifact) -> bool:
    """Whether Keras 3 saved a model: as its version says, or else the dialect of its config."""
    writer, architecture = saving_runtime(artifact), artifact.architecture
    if writer is not None:
        return writer.keras3
    return architecture is not None and architecture.dialect == "keras3"


class Change(Struct, frozen=True, order=True):
    """One difference between the saved config and its translation.

    `route` is the layer's, "" for the model. `what` is a clause in the past tense. `count` is the
    number of layers with the same change, of which `route` is the first.
    """

    what: str
    route: str = ""
    count: int = 1


class Translation(Struct):
    """A translation for one target, and the notes it has made so far.

    Attributes:
        target: the runtime that is to load the result.
        writer: the runtime that saved the model; None if that is unknown.
        notes: changes in the order in which they were made.
        from_keras2: whether Keras 2 (or 1) saved the model.
        renamed: routes of layers that have another name in the translation.
        replaced: new routes of layers that have another class, or are not needed any more.
        gates: factor of the gates of recurrent layers with a hard_sigmoid; 1.0 if they are equal.
        source: the saved model.
        shapes: tensor name -> its shape in the new file, where that differs.
        words: route of a layer -> its words, where an archive keeps them beside the config.
    """

    target: RuntimeProfile
    writer: RuntimeProfile | None = None
    from_keras2: bool = True
    notes: list[Change] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    gates: float = 1.0
    source: Artifact | None = None
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, artifact: Artifact, target: RuntimeProfile) -> Translation:
        """The translation of a saved model, with nothing translated yet."""
        old = not saved_by_keras3(artifact)
        return cls(target, saving_runtime(artifact), old, source=artifact)

    def layer(self, route: str) -> Layer | None:
        """What is known of a saved layer."""
        architecture = self.source.architecture if self.source else None
        layers = architecture.layers if architecture else ()
        return next((layer for layer in layers if layer.route == route), None)

    def lacking(self, name: str) -> str:
        """Why a layer of a class that the target does not have cannot be written."""
        reason = f"{name} is not a layer of {self.target.name}"
        if self.writer is None or self.writer.knows("layers", name):
            return reason
        return (
            f"{reason} or any Keras, and its code is not in the file: load it with custom_objects"
        )

    @property
    def hard_sigmoid_scale(self) -> float:
        """Factor s so that the writer's hard_sigmoid(x) is the target's hard_sigmoid(s x).

        It is clip(0.2 x + 0.5) in Keras 2 and clip(x / 6 + 0.5) in Keras 3.
        """
        if self.from_keras2 == (not self.target.keras3):
            return 1.0
        return 1.2 if self.target.keras3 else 1 / 1.2

    def scale_gates(self, route: str) -> None:
        """Note that the weights of the gates of a recurrent layer are to be scaled."""
        self.gates = self.hard_sigmoid_scale
        self.note(
            route,
            f"multiplied the weights of its gates by {self.gates:.3g}, since their hard_sigmoid "
            "is steeper in Keras 2",
        )

    def note(self, route: str, what: str) -> None:
        """Add a change."""
        self.notes.append(Change(what, route))

    def replace(self, route: str, what: str) -> None:
        """Add a change after which a layer has another class, or is left out."""
        self.note(route, what)
        self.replaced.add(route)

    def changes(self) -> tuple[Change, ...]:
        """The changes, equal ones of several layers as one, in order."""
        counted: dict[str, Change] = {}
        for each in self.notes:
            first = counted.setdefault(each.what, each)
            if first is not each:
                counted[each.what] = Change(first.what, first.route, first.count + 1)
        return tuple(counted.values())

    def fitted(self, kind: str, name: str, config: Config, route: str) -> Node:
        """The config without arguments that the target's class does not accept.

        Args:
            kind: kind of the object as in profiles: layers, initializers, ops …
            name: its class in the target.

        Raises:
            Untranslatable: an argument is not accepted and has an effect.
        """
        accepted = self.target.accepts(kind, name)
        kept: Node = {}
        for key, value in config.items():
            if accepted is None or key in accepted:
                kept[key] = value
            elif kind == "initializers" or _idle(key, value):
                self.note(route, f"left out {key} of {name}, which had no effect")
            else:
                raise Untranslatable(
                    route, f"{name} in {self.target.name} has no argument {key} (it is {value!r})"
                )
        return kept


def _idle(key: str, value: Json) -> bool:
    """Whether a layer with this argument behaves as one that was built without it."""
    if key in WITHOUT_EFFECT or key.endswith("_initializer"):
        return True
    if value is None or value in NEUTRAL.get(key, ()):
        return True
    return key in ADDED and (value == ADDED[key] or (not value and not ADDED[key]))
