"""Training without traced functions computes what Keras computes by itself."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any

import numpy as np
import pytest

from tests import short_training
from tests.made import traces
from tests.made.training import train

pytestmark = pytest.mark.slow
PACKAGES = ("keras", "tf_keras")
X = np.linspace(-1, 1, 18, dtype="float32").reshape(6, 3)
Y = np.stack([X.sum(1), X[:, 0] ** 2], 1)


def model(package: str, **settings: Any) -> Any:
    keras = pytest.importorskip(package)
    keras.utils.set_random_seed(1)
    layers = keras.layers
    made = keras.Sequential([keras.Input((3,)), layers.Dense(4, "relu"), layers.Dense(2)])
    made.compile("adam", "mse", metrics=["mae"], **settings)
    return made


def numbers(made: Any) -> list[Any]:
    """All that a training, an evaluation and a prediction tell, and what they leave behind."""
    history = made.fit(X, Y, 3, epochs=3, verbose=0).history
    told = [made.evaluate(X, Y, verbose=0), made.predict(X, verbose=0), *history.values()]
    return [*map(np.asarray, told), *left(made)]


def left(made: Any) -> list[Any]:
    """Weights, and what the optimizer keeps."""
    slots = made.optimizer.variables
    slots = slots() if callable(slots) else slots
    return [np.asarray(each) for each in (*made.weights, *slots)]


@pytest.mark.parametrize("package", PACKAGES)
def test_numbers_are_those_of_a_traced_function(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    found = numbers(model(package))
    monkeypatch.setattr(short_training, "DIRECT", 0)
    traced = numbers(model(package))
    assert len(found) == len(traced) > 10
    for one, other in zip(found, traced, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("package", PACKAGES)
def test_only_few_steps_run_directly(package: str) -> None:
    tf = pytest.importorskip("tensorflow")
    direct: list[bool] = []
    made = model(package)
    real = made.train_step

    def step(data: Any) -> Any:
        direct.append(tf.executing_eagerly())
        return real(data)

    made.train_step = step
    made.fit(X, Y, 1, verbose=0)
    assert direct == [True] * 6
    made.fit(X, Y, 3, epochs=2, verbose=0)
    assert direct == [True] * 10
    made.fit(X, Y, 1, verbose=0)
    assert direct == [True] * 10 + [False]  # once traced, no more Python
    assert not made.run_eagerly


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize(
    ("settings", "own"),
    [({}, True), ({"run_eagerly": True}, False), ({"jit_compile": True}, False)],
)
def test_what_the_compiled_model_asks_for_is_done(package: str, settings: Any, own: bool) -> None:
    made = model(package, **settings)
    made.make_train_function()
    assert isinstance(made.train_function, short_training._Step) is own


@pytest.mark.parametrize("package", PACKAGES)
def test_steps_that_a_model_takes_together_are_left_to_keras(package: str) -> None:
    made = model(package, steps_per_execution=2)
    made.make_train_function()
    assert not isinstance(made.train_function, short_training._Step)


@pytest.mark.parametrize(
    ("call", "further"),
    [
        ({"x": X}, 0),
        ({"x": X, "batch_size": 2}, 2),
        ({"x": [X, X], "batch_size": 4, "epochs": 3}, 5),
        ({"x": {"a": (X,)}, "steps_per_epoch": 5, "epochs": 2}, 9),
        ({"x": iter(X)}, 0),
    ],
)
def test_steps_are_counted_beforehand(call: dict[str, Any], further: int) -> None:
    assert short_training._asked(call) == further


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("epochs", [2, 7, 80])  # steps: 4, 14 and 160
def test_train_leaves_what_fit_leaves(package: str, epochs: int) -> None:
    found = left(train(model(package), X, Y, epochs=epochs, batch=3))
    made = model(package)
    made.fit(X, Y, 3, epochs=epochs, verbose=0, shuffle=False)
    assert len(found) == len(left(made)) > 10
    for one, other in zip(found, left(made), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def built(package: str, loss: Any = "mse", middle: Any = "relu", **settings: Any) -> Any:
    keras = pytest.importorskip(package)
    layers = keras.layers
    made = keras.Sequential([keras.Input((3,)), layers.Dense(4, middle), layers.Dense(2)])
    made.compile(keras.optimizers.SGD(**{"learning_rate": 0.01, "momentum": 0.5} | settings), loss)
    return made


def like(made: Any, other: Any) -> Any:
    """The first model with the weights of the second."""
    made.set_weights(other.get_weights())
    return made


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The functions that are traced from here on."""
    known: Any = OrderedDict()
    monkeypatch.setattr(traces, "_KNOWN", known)
    monkeypatch.setattr(traces, "_ASKED", Counter())
    made: list[Any] = []
    real = traces._Trace

    def trace(concrete: Any, variables: list[Any]) -> Any:
        made.append(concrete)
        return real(concrete, variables)

    monkeypatch.setattr(traces, "_Trace", trace)
    return made


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("epochs", [7, 80])
def test_models_of_one_structure_share_a_trace_and_nothing_else(
    traced: list[Any], package: str, epochs: int
) -> None:
    first = built(package)
    train(first, X, Y, epochs=epochs, batch=3)
    kept = left(first)
    second = built(package, learning_rate=0.03)
    alone = like(built(package, learning_rate=0.03), second)
    train(second, 2 * X, Y, epochs=epochs, batch=3)
    assert len(traced) == 1
    alone.fit(2 * X, Y, 3, epochs=epochs, verbose=0, shuffle=False)
    for one, other in zip(left(second), left(alone), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    for one, other in zip(kept, left(first), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("package", PACKAGES)
def test_few_steps_are_traced_once_as_many_were_asked_for(traced: list[Any], package: str) -> None:
    for expected in (0, 1, 1, 1):
        made = built(package)
        alone = like(built(package), made)
        train(made, X, Y, batch=3, steps=4)
        assert len(traced) == expected
        alone.fit(X, Y, 3, epochs=2, verbose=0, shuffle=False)
        for one, other in zip(left(made), left(alone), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def half(values: Any) -> Any:
    return values / 2


def scaled(factor: float) -> Any:
    """A function of code that has no module."""
    names: dict[str, Any] = {"factor": factor}
    exec("def named(values):\n    return factor * values", names)
    return names["named"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_trace_is_shared_by_the_same_computation_alone(traced: list[Any], package: str) -> None:
    keras = pytest.importorskip(package)
    others = [
        {},
        {"middle": "tanh"},
        {"middle": half},
        {"middle": half},  # another function may have this name
        {"middle": scaled(2.0)},
        {"middle": scaled(3.0)},
        {"loss": "mae"},
        {"loss": keras.losses.Huber(1.0)},
        {"loss": keras.losses.Huber(0.25)},  # `get_config` of Keras 3 does not tell
        {"momentum": 0.25},
        {"clipnorm": 0.1},
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.01, 5, 0.5)},
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.01, 5, 0.9)},
    ]
    for number, each in enumerate(others):
        made = built(package, **each)
        alone = like(built(package, **each), made)
        train(made, X, Y, epochs=7, batch=3)
        assert len(traced) == number + 1, each
        alone.fit(X, Y, 3, epochs=7, verbose=0, shuffle=False)
        for one, other in zip(left(made), left(alone), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("package", PACKAGES)
def test_what_was_changed_after_a_model_was_made_is_traced_again(
    traced: list[Any], package: str
) -> None:
    keras = pytest.importorskip(package)

    def frozen(made: Any) -> None:
        made.layers[0].trainable = False

    def other(made: Any) -> None:
        made.layers[0].activation = keras.activations.tanh

    for number, change in enumerate((lambda made: None, frozen, other)):
        made = built(package)
        alone = like(built(package), made)
        for each in (made, alone):
            change(each)
            each.compile(keras.optimizers.SGD(0.01, momentum=0.5), "mse")  # as Keras asks for
        train(made, X, Y, epochs=7, batch=3)
        assert len(traced) == number + 1
        alone.fit(X, Y, 3, epochs=7, verbose=0, shuffle=False)
        for one, expected in zip(made.get_weights(), alone.get_weights(), strict=True):
            np.testing.assert_allclose(one, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("package", PACKAGES)
def test_units_that_are_dropped_are_drawn_anew(package: str) -> None:
    keras = pytest.importorskip(package)

    def trained() -> Any:
        keras.utils.set_random_seed(1)
        layers = keras.layers
        stack = [keras.Input((3,)), layers.Dense(9), layers.Dropout(0.5), layers.Dense(2)]
        made = keras.Sequential(stack)
        made.compile("adam", "mse")
        return train(made, X, Y, epochs=7, batch=3)

    for one, other in zip(left(trained()), left(trained()), strict=True):
        np.testing.assert_array_equal(one, other)  # of one seed
