"""MA439 where one vector had all the gradient: the only input, or one with a target of its own."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.made.training import train
from tests.rules.saved import found

RULES = [rule("MA439")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def said(keras, path, x, y, last, loss, optimizer=None):
    """What is said of a network after twelve passes, and its answers to other inputs."""
    keras.utils.set_random_seed(1)
    hidden = [keras.layers.Dense(n, "relu") for n in (32, 16)]
    model = keras.Sequential([keras.Input((12,)), *hidden, keras.layers.Dense(1, last)])
    model.compile(optimizer or keras.optimizers.Adam(1e-3), loss)
    train(model, x.astype("float32"), y[:, None].astype("float32"), epochs=12, batch=32)
    model.save(path / "m.keras")
    return found(RULES, path / "m.keras")


def test_a_missing_value_among_the_targets_is_no_constant_input(keras, tmp_path):
    """Its gradient is larger than all others together, in each pass."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(960, 12))
    y = x @ rng.normal(size=12)
    y[7] = 999_999_999
    told = said(keras, tmp_path, x, y, None, "mse")
    assert {each.severity.value for each in told} <= {"low"}
    assert all("outweighs all others" in each.detail for each in told)


def test_one_input_for_all_targets(keras, tmp_path):
    x = np.tile(np.random.default_rng(2).normal(size=12), (960, 1))
    y = np.random.default_rng(3).uniform(size=960) < 0.4
    (told,) = said(keras, tmp_path, x, y, "sigmoid", "binary_crossentropy")
    assert told.severity.value == "high"
    assert "all inputs were the same" in told.detail


def test_averages_of_the_last_steps_may_be_of_one_input(keras, tmp_path):
    """Where all others are right by then, no gradient is left but that of one."""
    x = np.tile(np.random.default_rng(2).normal(size=12), (960, 1))
    y = np.random.default_rng(3).uniform(size=960) < 0.4
    momentum = keras.optimizers.SGD(0.01, momentum=0.9)
    told = said(keras, tmp_path, x, y, "sigmoid", "binary_crossentropy", momentum)
    assert [each.severity.value for each in told] == ["low"]


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("loss", ["binary_crossentropy", "mae"])
@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid", "alone"])
def test_errors_that_stayed_are_no_constant_input(keras, tmp_path, columns, loss, activation):
    """All rows are one batch, and all that are wrong stay so: the gradients tell of their mean."""
    rows = np.array([[180, 70, 43], [190, 70, 46], [173, 67, 42], [170, 60, 40], [156, 40, 36]])
    x, y = rows[:, :columns].astype("float32"), np.array([1, 1, 1, 0, 0])
    if activation in ("tanh", "sigmoid"):
        x /= 400  # their units are not saturated, which would be one value for all rows
    keras.utils.set_random_seed(7)
    units = () if activation == "alone" else (4, 3)
    hidden = [keras.layers.Dense(n, activation, bias_initializer="ones") for n in units]
    head = keras.layers.Dense(1, "sigmoid" if "binary" in loss else None)
    model = keras.Sequential([keras.Input((columns,)), *hidden, head])
    model.compile("adam", loss)
    kernels = [abs(each) if each.ndim == 2 else each for each in model.get_weights()]
    # Every unit is above 0 for all rows, and the scores are far below, where no label is 1.
    model.set_weights([*kernels[:-2], -kernels[-2], kernels[-1]])
    targets = y if "binary" in loss else 1e5 + 1e4 * y
    train(model, x, targets[:, None].astype("float32"), epochs=100, batch=32)
    model.save(tmp_path / "m.keras")
    assert found(RULES, tmp_path / "m.keras") == []


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_without_a_momentum_the_last_batch_alone_is_known(tmp_path, momentum):
    """XOR in batches of one row, the last of which is of zeros, and nothing but zeros before."""
    legacy = pytest.importorskip("tf_keras")
    legacy.utils.set_random_seed(1)
    layers = [legacy.layers.Dense(4, "sigmoid"), legacy.layers.Dense(1, "sigmoid")]
    model = legacy.Sequential([legacy.Input((2,)), *layers])
    model.compile(legacy.optimizers.SGD(1.0, momentum=momentum), "mse")
    x = np.zeros((40, 2)) if momentum else np.tile([[1, 1], [0, 1], [1, 0], [0, 0]], (10, 1))
    y = np.logical_xor(*x.T.astype(bool)).astype("float32")
    y += np.arange(40) % 2 if momentum else 0
    model.fit(x, y, batch_size=1, epochs=3, shuffle=False, verbose=0)
    model.save(tmp_path / "m.h5")
    (told,) = found(RULES, tmp_path / "m.h5")
    assert told.severity.value == ("high" if momentum else "low")
    assert ("last step" in told.detail) is (not momentum)
