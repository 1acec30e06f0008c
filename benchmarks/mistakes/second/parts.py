"""The parts that kinds of the second set of `table.py` put into or change in a model."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np

from benchmarks.mistakes.second.bodies import Layer
from benchmarks.mistakes.second.build import Layers, Model, Place, Weights, head


def behind(units: int, act: str | None, *more: Callable[[Place], Layer]) -> Layers:
    """A head, and layers behind it."""
    return lambda place: [*head(units, act)(place), *(layer(place) for layer in more)]


def deep(times: int, units: int, act: str | None, **said: str | dict[str, object]) -> Layers:
    """Hidden layers, the first of them `hidden`."""
    return lambda place: [
        layer
        for number in range(times)
        for layer in place.unit(units, act, "hidden" + "_" * number, **said)
    ]


def after(*more: Callable[[ModuleType], Layer], units: int = 16) -> Layers:
    """A sound hidden layer, and layers behind it."""
    return lambda place: [
        *place.unit(units, "relu", "hidden"), *(layer(place.keras.layers) for layer in more)
    ]  # fmt: skip


def initial(class_name: str, **config: float) -> dict[str, object]:
    return {"class_name": class_name, "config": dict(config)}


def changed(
    change: Callable[[np.ndarray, np.random.Generator], np.ndarray], name: str = "hidden"
) -> Weights:
    """Weights of a layer replaced by what `change` makes of kernel and bias."""

    def change_weights(model: Model, rng: np.random.Generator) -> None:
        layer = model.get_layer(name)
        layer.set_weights([change(value, rng).astype("float32") for value in layer.get_weights()])

    return change_weights


def one_element(value: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    made = value.copy()
    made.flat[0] = np.nan
    return made


def dead(value: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    return value if value.ndim > 1 else np.full(value.shape, -1e4)


def equal(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.zeros(value.shape) + rng.normal(size=(*value.shape[:-1], 1))


def nearly_equal(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return equal(value, rng) + rng.normal(0, 1e-6, value.shape)


def noisy(place: Place) -> Layer:
    """A dropout behind the head; another kind of it for each body."""
    kl = place.keras.layers
    if place.form == "vector":
        made: Layer = (kl.GaussianDropout, kl.AlphaDropout)[place.spelling % 2](0.4)
    else:
        made = (kl.SpatialDropout2D if place.form == "map" else kl.SpatialDropout1D)(0.4)
    return made


def normed(place: Place) -> Layer:
    kl = place.keras.layers
    made: Layer = kl.LayerNormalization() if place.spelling % 2 else kl.BatchNormalization(
        scale=False, momentum=0.9
    )  # fmt: skip
    return made


def softmax(axis: int) -> Callable[[Place], Layer]:
    def make(place: Place) -> Layer:
        made: Layer = place.keras.layers.Softmax(axis=axis, name="probabilities")
        return made

    return make


def activation(name: str) -> Callable[[Place], Layer]:
    def make(place: Place) -> Layer:
        made: Layer = place.keras.layers.Activation(name)
        return made

    return make


def erased(place: Place) -> list[Layer]:
    kl = place.keras.layers
    many = {"map": "SpatialDropout2D", "steps": "SpatialDropout1D"}
    usual = ("GaussianDropout", "AlphaDropout", "Dropout")[place.spelling % 3]
    return [*place.unit(16, "relu", "hidden"), getattr(kl, many.get(place.form, usual))(0.95)]


def biased(place: Place) -> list[Layer]:
    return [
        *place.unit(16, None, "hidden"), place.keras.layers.BatchNormalization(momentum=0.95),
        place.keras.layers.Activation(("relu", "swish", "elu")[place.spelling % 3]),
    ]  # fmt: skip


def squeezed(place: Place) -> list[Layer]:
    return [*place.unit(1, "relu", "hidden"), *place.unit(16, "relu", "wide")]


def rated(name: str, **settings: float) -> Callable[[ModuleType, int], object]:
    """An optimizer whose learning rate may come from a schedule, as the body has it."""

    def make(keras: ModuleType, spelling: int) -> object:
        made, said = keras.optimizers, dict(settings)
        rate = said.pop("rate", None)
        plans = made.schedules
        if rate is not None:
            said["learning_rate"] = (
                rate,
                plans.PiecewiseConstantDecay([2000], [rate, rate / 2]),
                plans.PolynomialDecay(rate, decay_steps=5000, end_learning_rate=rate / 3),
            )[spelling % 3]
        optimizer: object = getattr(made, name)(**said)
        return optimizer

    return make


def decaying(keras: ModuleType, spelling: int) -> object:
    made, plans = keras.optimizers, keras.optimizers.schedules
    plan = (
        plans.ExponentialDecay(1e-3, decay_steps=1, decay_rate=0.5),
        plans.PolynomialDecay(1e-3, decay_steps=2, end_learning_rate=0.0),
        plans.PiecewiseConstantDecay([3], [1e-3, 0.0]),
    )[spelling % 3]
    optimizer: object = (made.SGD if spelling % 2 else made.Adam)(plan)
    return optimizer


def freeze(model: Model, _rng: np.random.Generator) -> None:
    model.get_layer("head").trainable = False


def freeze_all(model: Model, _rng: np.random.Generator) -> None:
    model.trainable = False


def freeze_body(model: Model, _rng: np.random.Generator) -> None:
    for layer in model.layers:
        layer.trainable = layer.name.startswith(("hidden", "head"))


def melt(model: Model, _rng: np.random.Generator) -> None:
    """Half of the bodies are set free after training, as for a later fine-tuning."""
    if len(model.layers) % 2:
        for layer in model.layers:
            layer.trainable = True


def prior(model: Model, rng: np.random.Generator) -> None:
    logs = np.log([0.7, 0.2, 0.1])
    changed(
        lambda value, rng: rng.normal(0, 1e-8, value.shape) if value.ndim > 1 else logs, "head"
    )(model, rng)


def endless(model: Model, _rng: np.random.Generator) -> None:
    """One slot of a kernel overflowed."""
    slots = model.optimizer.variables
    found = [slot for slot in (slots() if callable(slots) else slots) if len(slot.shape) > 1]
    found[-1].assign(np.full(tuple(found[-1].shape), np.inf, "float32"))


def fitted(*names: str) -> Callable[[ModuleType], dict[str, object]]:
    return lambda keras: {"metrics": [getattr(keras.metrics, name)() for name in names]}
