"""Training without traced functions computes what Keras computes by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import short_training

pytestmark = pytest.mark.slow
PACKAGES = ("keras", "tf_keras")
X = np.linspace(-1, 1, 18, dtype="float32").reshape(6, 3)
Y = np.stack([X.sum(1), X[:, 0] ** 2], 1)


def model(package: str, **settings: Any) -> Any:
    keras = pytest.importorskip(package)
    keras.utils.set_random_seed(1)
    layers = keras.layers
    made = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, "relu"), layers.BatchNormalization(), layers.Dense(2)]
    )
    made.compile("adam", "mse", metrics=["mae"], **settings)
    return made


def numbers(made: Any, epochs: int) -> list[Any]:
    """All that a training, an evaluation and a prediction tell, and what they leave behind."""
    history = made.fit(X, Y, 3, epochs=epochs, verbose=0, validation_data=(X, Y)).history
    told = [made.evaluate(X, Y, verbose=0), made.predict(X, verbose=0), *history.values()]
    optimizer = made.optimizer.variables
    slots = optimizer() if callable(optimizer) else optimizer
    return [np.asarray(each) for each in (*told, *made.weights, *slots)]


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("epochs", [1, 7])  # 14 steps: the last ones are traced
def test_numbers_are_those_of_a_traced_function(
    monkeypatch: pytest.MonkeyPatch, package: str, epochs: int
) -> None:
    found = numbers(model(package), epochs)
    monkeypatch.setattr(short_training, "DIRECT", 0)
    traced = numbers(model(package), epochs)
    assert len(found) == len(traced) > 10
    for one, other in zip(found, traced, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("package", PACKAGES)
def test_only_the_first_steps_run_directly(package: str) -> None:
    tf = pytest.importorskip("tensorflow")
    direct: list[bool] = []
    made = model(package)
    real = made.train_step

    def step(data: Any) -> Any:
        direct.append(tf.executing_eagerly())
        return real(data)

    made.train_step = step
    made.fit(X, Y, 1, epochs=3, verbose=0)
    assert not made.run_eagerly
    assert direct.count(True) == short_training.DIRECT
    assert direct[-1] is False
    assert len(direct) < 18  # once traced, no more Python


@pytest.mark.parametrize("package", PACKAGES)
def test_steps_that_a_model_takes_together_are_traced(package: str) -> None:
    tf = pytest.importorskip("tensorflow")
    direct: set[bool] = set()
    made = model(package, steps_per_execution=2)
    real = made.train_step

    def step(data: Any) -> Any:
        direct.add(tf.executing_eagerly())
        return real(data)

    made.train_step = step
    made.fit(X, Y, 1, verbose=0)
    assert direct == {False}
