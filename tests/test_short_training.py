"""Training without traced functions computes what Keras computes by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import short_training
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
