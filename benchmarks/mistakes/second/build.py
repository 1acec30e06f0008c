"""How a model of the second set of `table.py` is put together, compiled and trained.

Each body spells its heads, losses, metrics and optimizers in a way of its own: an activation as a
keyword, a function, a layer or inside a nested model; a loss as an object, a function, a name, a
list, or by the name of the output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

import numpy as np

from benchmarks.mistakes.second.bodies import (
    FEATURES,
    FORMS,
    PLAIN,
    Change,
    Ground,
    Layer,
    plain_layers,
)
from benchmarks.mistakes.second.lookups import LOOKUP_FEATURES

Weights = Callable[["Model", np.random.Generator], None]
Settle = Callable[["Model", np.random.Generator], None]
BODIES = tuple(name for name in (*PLAIN, *FEATURES, *LOOKUP_FEATURES) if "_" not in name)
LAYERS = {"softmax": "Softmax", "relu": "ReLU", "elu": "ELU", "leaky_relu": "LeakyReLU"}


class Saved(Protocol):
    """A layer or weight of a model, as far as kinds change it."""

    trainable: bool
    name: str

    def get_weights(self) -> list[np.ndarray]:
        """The values, float arrays of any shape."""

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Replace the values."""


class Given(Protocol):
    """A tensor with shape and type."""

    shape: tuple[int | None, ...]
    dtype: object


class Slot(Protocol):
    """A variable of an optimizer."""

    shape: tuple[int, ...]

    def assign(self, value: np.ndarray) -> object:
        """Replace the value."""


class Optimizer(Protocol):
    """An optimizer of either generation; Keras 2 has a method where Keras 3 has a list."""

    variables: list[Slot] | Callable[[], list[Slot]]

    def build(self, variables: list[object]) -> None:
        """Make the slots."""


class Model(Protocol):
    """A Keras model, as far as kinds change, compile and train it."""

    trainable: bool
    run_eagerly: bool
    layers: list[Saved]
    inputs: list[Given]
    outputs: list[Given]
    optimizer: Optimizer
    trainable_variables: list[object]

    def get_layer(self, name: str) -> Saved:
        """The layer of this name."""

    def compile(self, **settings: object) -> None:
        """Set loss, metrics and optimizer."""

    def fit(self, x: object, y: object, **settings: object) -> object:
        """Train."""


@dataclass(frozen=True)
class Place:
    """Where a kind puts its layers: on a vector, on steps or on a map, in a body's spelling."""

    keras: ModuleType
    form: str
    spelling: int  # 0 to 4

    def unit(
        self, units: int, act: str | None, name: str, **settings: str | bool | dict[str, object]
    ) -> list[Layer]:
        """A Dense layer, or what replaces it on a map or on steps, and its activation."""
        kl = self.keras.layers
        said = {"name": name, **settings}
        apart = self.spelling in (0, 1) and act is not None
        if self.spelling == 2 and act is not None:
            keyword: object = self.keras.activations.get(act)
        else:
            keyword = None if apart or self.spelling == 3 else act
        if self.form == "map":
            made = kl.Conv2D(units, 1, activation=keyword, **said)
        elif self.form == "steps":
            inner = kl.Dense(units, activation=keyword, **{**said, "name": f"{name}_step"})
            made = kl.TimeDistributed(inner, name=name)
        else:
            made = kl.Dense(units, activation=keyword, **said)
        if apart:
            layer = LAYERS.get(act or "") if self.spelling == 1 else None
            behind = getattr(kl, layer)() if layer else kl.Activation(act)
            return [made, behind]
        if self.spelling == 3 and act is not None and self.form == "vector":
            inner = kl.Dense(units, **{**said, "name": f"{name}_units"})
            return [self.keras.Sequential([inner, kl.Activation(act)], name=name)]
        if self.spelling == 3 and act is not None:
            return [made, kl.Activation(act)]
        return [made]


def train(model: Model, steps: int, names: list[str]) -> None:
    """Train for this many real steps of 8 examples, whose 3 classes show in the inputs."""
    if not steps:
        model.optimizer.build(model.trainable_variables)
        return
    rng = np.random.default_rng(5)
    count = 8 * min(steps, 40)
    labels = rng.integers(0, 3, count)
    given = []
    for tensor in model.inputs:
        shape = (count, *(size or 1 for size in tensor.shape[1:]))
        offset = labels.reshape((-1, *[1] * (len(shape) - 1)))
        whole = "int" in str(tensor.dtype)
        rows = 3 * offset + rng.integers(0, 3, shape) if whole else rng.normal(offset, 1, shape)
        given.append(rows.astype("int32" if whole else "float32"))
    places = tuple(size or 1 for size in model.outputs[0].shape[1:-1])
    wanted = np.broadcast_to(labels.reshape((-1, *[1] * len(places))), (count, *places)).copy()
    both = {names[0]: wanted, names[-1]: rng.normal(0, 1, (count, 1)).astype("float32")}
    model.run_eagerly = steps <= 40  # tracing costs more than 40 steps
    model.fit(
        given if len(given) > 1 else given[0], both if len(names) > 1 else wanted,
        batch_size=8, epochs=-(-steps // min(steps, 40)), verbose=0,
    )  # fmt: skip
    model.run_eagerly = False


Layers = Callable[[Place], list[Layer]]
FUNCTIONS = {
    "BinaryCrossentropy": "binary_crossentropy", "Hinge": "hinge", "Poisson": "poisson",
    "CategoricalCrossentropy": "categorical_crossentropy", "KLDivergence": "kl_divergence",
    "SparseCategoricalCrossentropy": "sparse_categorical_crossentropy",
    "MeanSquaredError": "mean_squared_error", "MeanAbsoluteError": "mean_absolute_error",
    "CategoricalHinge": "categorical_hinge", "SquaredHinge": "squared_hinge",
}  # fmt: skip
ALIASES = {
    "BinaryCrossentropy": "bce", "MeanSquaredError": "MSE", "MeanAbsoluteError": "mae",
    "KLDivergence": "kld",
}  # fmt: skip


@dataclass(frozen=True)
class Loss:
    """A loss by the name of its class, its settings, and the metric that fits it."""

    name: str
    settings: tuple[tuple[str, float | bool], ...] = ()
    metric: str = ""
    threshold: float | None = None  # of the metric

    def made(self, keras: ModuleType, spelling: int) -> object:
        """The loss as an object, a function or a name."""
        losses = keras.losses
        if self.settings or spelling in (0, 3) or self.name not in FUNCTIONS:
            loss: object = getattr(losses, self.name)(**dict(self.settings))
            return loss
        if spelling == 1:
            return ALIASES.get(self.name, FUNCTIONS[self.name])
        function: object = getattr(losses, FUNCTIONS[self.name])
        return function

    def measured(self, keras: ModuleType) -> list[object]:
        """A metric that fits, as an object."""
        if not self.metric:
            return []
        said = {} if self.threshold is None else {"threshold": self.threshold}
        return [getattr(keras.metrics, self.metric)(**said)]


SCCE = Loss("SparseCategoricalCrossentropy", metric="SparseCategoricalAccuracy")
BCE = Loss("BinaryCrossentropy", metric="BinaryAccuracy")
CCE = Loss("CategoricalCrossentropy", metric="CategoricalAccuracy")
MSE = Loss("MeanSquaredError", metric="RootMeanSquaredError")


def optimizer(keras: ModuleType, spelling: int) -> object:
    """A sound optimizer; most have a schedule."""
    made, plans = keras.optimizers, keras.optimizers.schedules
    choices: tuple[Callable[[], object], ...] = (
        lambda: made.Adam(plans.ExponentialDecay(1e-3, decay_steps=10000, decay_rate=0.9)),
        lambda: made.SGD(0.01, momentum=0.9, nesterov=True),
        lambda: made.AdamW(plans.CosineDecay(1e-3, decay_steps=20000), weight_decay=1e-4),
        lambda: made.RMSprop(plans.PiecewiseConstantDecay([3000, 6000], [1e-3, 5e-4, 1e-4])),
        lambda: made.Nadam(5e-4, clipnorm=1.0),
    )
    return choices[spelling]()


def hidden(place: Place) -> list[Layer]:
    """A sound hidden layer."""
    return place.unit(16, ("relu", "elu", "gelu", "relu", "swish")[place.spelling], "hidden")


def head(units: int, act: str | None = None) -> Layers:
    """A head without anything behind it."""
    return lambda place: place.unit(units, act, "head")


CLASSES, UNCHANGED = head(3, "softmax"), Change()


@dataclass(frozen=True)
class Second:
    """A kind of the second set; without `codes` and `says` it is sound.

    A kind that the first set has too takes `codes` and `remedy` from there. For the others `says`
    has to match the detail of a finding of low severity or more, and `remedy` its fix.
    """

    name: str
    codes: tuple[str, ...] = ()
    remedy: str = ""
    says: str = ""
    head: Layers = CLASSES
    loss: Loss = SCCE
    hidden: Layers = hidden
    bodies: tuple[str, ...] = ()
    front: Callable[[ModuleType], list[Layer]] = lambda _: []
    change: Change = UNCHANGED
    optimizer: Callable[[ModuleType, int], object] = optimizer
    compiled: Callable[[ModuleType], dict[str, object]] = lambda _: {}
    weights: Weights = lambda _model, _rng: None  # after training
    before: Weights = lambda _model, _rng: None  # before training
    drawn: bool = False  # weights as the initializers drew them
    steps: int | None = None  # of real training; 0: only the slots; None: not even these
    names: tuple[str, ...] = ()
    info: bool = False

    def structure(self, keras: ModuleType, body: str) -> tuple[Model, list[str]]:
        """The model that is not compiled yet, and the names of its outputs, the head's first."""
        place = Place(keras, FORMS.get(body, "vector"), (BODIES + (body,)).index(body) % 5)
        if self.change.keep and body in ("sepskip", "plain"):
            place = Place(keras, "map", place.spelling)
        layers = [*self.hidden(place), *self.head(place)]
        if body in PLAIN:
            layers = [*self.front(keras), *plain_layers(keras, body, self.change), *layers]
            flat = keras.Sequential(layers)
            flat.build((None, *(self.change.shape or PLAIN[body])))
            return flat, [flat.layers[-1].name]
        ground = Ground(keras, self.change, self.front)
        x = (FEATURES | LOOKUP_FEATURES)[body](ground)
        if self.change.itself:
            x = keras.layers.Subtract()([x, x])
        out = x
        for layer in layers:
            out = layer(out)
        outputs = [out]
        if body == "multi":
            outputs.append(keras.layers.Dense(1, name="age")(x))
        made = keras.Model(ground.inputs, outputs if len(outputs) > 1 else out)
        return made, list(made.output_names)

    def build(self, keras: ModuleType, body: str, settle: Settle) -> Model:
        """The compiled, perhaps trained model."""
        made: Model
        made, names = self.structure(keras, body)
        if not self.drawn:
            settle(made, np.random.default_rng(3))
        self.before(made, np.random.default_rng(6))
        self.compile(keras, made, names, (BODIES + (body,)).index(body))
        if self.steps is not None:
            train(made, self.steps, names)
        self.weights(made, np.random.default_rng(4))
        return made

    def compile(self, keras: ModuleType, model: Model, names: list[str], number: int) -> None:
        """Compile with the loss, metric and optimizer in the spelling of the body."""
        loss: object = self.loss.made(keras, number % 4)
        metrics: object = self.loss.measured(keras) if number % 2 else []
        if len(names) > 1:
            loss = {names[0]: loss, names[1]: "mse"}
            metrics = {names[0]: self.loss.measured(keras), names[1]: ["mae"]}
        elif number % 4 == 3:
            loss = {names[0]: loss}
            metrics = {names[0]: self.loss.measured(keras)}
        elif number % 4 == 0:
            loss = [loss]
        said = {"loss": loss, "metrics": metrics, **self.compiled(keras)}
        if "loss_weights" in said:  # of the head
            said["loss_weights"] = dict(zip(names, (said["loss_weights"], 1.0), strict=False))
            said["loss"] = loss if isinstance(loss, dict) else {names[0]: self.loss.made(keras, 0)}
        model.compile(optimizer=self.optimizer(keras, number % 5), **said)
