"""Training inputs that were all the same show in the averages of the optimizer."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.training.alike_inputs import RULES
from modelaudit.rules.training.extent import RULES as EXTENT
from tests.made.training import train
from tests.rules.saved import codes, found, sequential

ALIKE = [rule for rule in RULES if rule.code == "MA439"]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
RNG = np.random.default_rng(0)
Y = (RNG.random(320) < 0.4).astype("float32")
ORDINARY = RNG.normal(size=(320, 12))


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


def dense(k, x, activation="sigmoid", optimizer="adam"):
    """A network that was trained on x for 20 steps."""
    layers = (k.layers.Dense(16, activation), k.layers.Dense(1, "sigmoid"))
    model = sequential(k, (12,), *layers, loss="binary_crossentropy", optimizer=optimizer)
    return train(model, x, Y[:, None], epochs=2)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.3])
def test_one_value_for_all_inputs(k, tmp_path, value):
    model = dense(k, np.full((320, 12), value))
    assert codes(ALIKE, model, tmp_path) == [("MA439", "high")]
    model.save(tmp_path / "model.keras")
    (only,) = found(ALIKE, tmp_path / "model.keras")
    size = f"{abs(value):g}"
    # The squares of gradients do not tell the sign of what they were multiplied by.
    assert f"got was {size} or -{size}:" in only.detail or (
        not value and "got was 0:" in only.detail
    )


# Of momentum and Lion the averages of gradients are kept, of RMSprop those of their squares.
OTHERS = {
    "momentum": lambda k: k.optimizers.SGD(0.01, momentum=0.9),
    "lion": lambda k: k.optimizers.Lion(0.001),
    "rmsprop": lambda k: k.optimizers.RMSprop(),
}


@pytest.mark.parametrize("optimizer", OTHERS)
def test_one_value_for_all_inputs_of_other_optimizers(k, tmp_path, optimizer):
    def said(x):
        return codes(ALIKE, dense(k, x, optimizer=OTHERS[optimizer](k)), tmp_path, ("keras",))

    assert said(np.zeros((320, 12))) == [("MA439", "high")]
    # The squares of inputs that are all alike are those of inputs that are 1 or -1.
    assert said(np.full((320, 12), 0.7)) == [("MA439", "high")] * (optimizer != "rmsprop")
    for x in (ORDINARY, np.sign(ORDINARY), ORDINARY > 0, np.eye(12)[RNG.integers(0, 12, 320)]):
        assert said(x) == []


def test_few_inputs_tell_nothing_by_averages_alone(k, tmp_path):
    """One feature, and two units whose gradients cancel: both averages have one ratio."""
    layers = (k.layers.Dense(2, "softmax"),)
    model = sequential(k, (1,), *layers, optimizer=OTHERS["momentum"](k), loss="mse")
    train(model, ORDINARY[:, :1], np.eye(2)[Y.astype(int)], epochs=2)
    assert codes(ALIKE, model, tmp_path, ("keras",)) == []


def test_pixels_that_became_zero(k, tmp_path):
    layers = k.layers
    inner = (layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(8, "relu"))
    model = sequential(k, (8, 8, 3), *inner, layers.Dense(2, "softmax"))
    train(model, np.zeros((320, 8, 8, 3)), np.eye(2)[Y.astype(int)], epochs=2)
    # No gradient passes the ReLUs of 0: the last layer shows it.
    assert codes(ALIKE, model, tmp_path) == [("MA439", "high")]


@pytest.mark.parametrize(("units", "said"), [(4, True), (64, False)])
def test_few_units_that_were_dead_from_the_start(k, tmp_path, units, said):
    """Kernels below 0 stand for the draw that gives few units no value above 0."""
    x = RNG.random((320, 12))
    below = k.initializers.RandomUniform(-1.0, -0.1, seed=1)
    hidden = k.layers.Dense(units, "relu", name="code", kernel_initializer=below)
    head = k.layers.Dense(3, name="head")
    model = sequential(k, (12,), hidden, head, loss="mse")
    train(model, x, x[:, :3], epochs=2)
    model.save(tmp_path / "model.keras")
    (only,) = found(ALIKE, tmp_path / "model.keras")
    assert str(only.severity) == "high" and only.location.route == "head"
    assert ("`code`" in only.detail and "inputs are all 0" in only.fix) is said


def test_which_of_two_layers_of_few_units_is_dead_is_not_known(k, tmp_path):
    """One fires and the other does not: the averages are the same either way."""
    below = k.initializers.RandomUniform(-1.0, -0.1, seed=1)
    above = k.initializers.RandomUniform(0.1, 1.0, seed=1)
    x, detail = RNG.random((320, 12)), []
    for kinds in ((above, below), (below, above)):
        hidden = [
            k.layers.Dense(2, "relu", name=f"few_{i}", kernel_initializer=kind)
            for i, kind in enumerate(kinds)
        ]
        model = sequential(k, (12,), *hidden, k.layers.Dense(3, name="head"), loss="mse")
        fires = k.Model(model.inputs, hidden[0].output)
        assert bool(np.asarray(fires(x.astype("float32"))).any()) is (kinds[0] is above)
        train(model, x, x[:, :3], epochs=2)
        model.save(tmp_path / "model.keras")
        (only,) = found(ALIKE, tmp_path / "model.keras")
        assert str(only.severity) == "high" and "`few_0` or `few_1`" in only.fix
        detail.append(only.detail)
    assert detail[0] == detail[1] and "`few_0` or `few_1`" in detail[0]


@pytest.mark.parametrize(
    "x",
    [ORDINARY, np.sign(ORDINARY), ORDINARY > 0, np.eye(12)[RNG.integers(0, 12, 320)]],
    ids=["ordinary", "signs", "bits", "one-hot"],
)
@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_inputs_that_differ(k, tmp_path, x, activation):
    """With a linear layer and one output, the gradients of all units have one ratio."""
    assert codes(ALIKE, dense(k, x, activation), tmp_path, ("keras",)) == []


def test_inputs_that_are_next_to_nothing(k, tmp_path):
    """Squares of their gradients are 0 in float32, beside squares of a bias that are not."""
    k.utils.set_random_seed(0)
    tiny = k.initializers.RandomUniform(-1e-3, 1e-3)
    row = [k.layers.Dense(20, "relu", kernel_initializer=tiny) for _ in range(9)]
    model = sequential(k, (12,), *row, k.layers.Dense(1), loss="mse", optimizer="rmsprop")
    train(model, ORDINARY, Y[:, None], steps=60)
    squares = {v.path: np.asarray(v) for v in model.optimizer.variables if "velocity" in v.path}
    largest = [each.max() for each in squares.values()]
    assert any(kernel == 0 < bias for kernel, bias in zip(largest[::2], largest[1::2], strict=True))
    first = k.Model(model.inputs, row[0].output)
    assert np.ptp(np.asarray(first(ORDINARY.astype("float32")))) > 0
    assert codes(ALIKE, model, tmp_path) == []


@pytest.mark.parametrize("divided", [255, 1])
def test_pixels_that_were_divided_before_a_layer_divides_them_again(k, tmp_path, divided):
    """What the first convolution got is what the layer gives of these pixels."""
    k.utils.set_random_seed(0)
    x = RNG.integers(0, 256, (320, 6, 6, 1)) / divided
    scale = k.layers.Rescaling(1 / 255, name="scale")
    layers = [scale, k.layers.Conv2D(4, 3, activation="relu"), k.layers.Flatten()]
    model = sequential(
        k, (6, 6, 1), *layers, k.layers.Dense(1, "sigmoid"), loss="binary_crossentropy"
    )
    train(model, x, Y[:, None], epochs=10)
    size = float(np.sqrt(np.mean(np.asarray(scale(x)) ** 2)))
    for suffix in ("keras", "h5"):
        path = tmp_path / f"m.{suffix}"
        model.save(path)
        findings = found([rule for rule in EXTENT if rule.code == "MA440"], path)
        assert len(findings) == (divided > 1)
        for each in findings:
            assert 0.3 < each.evidence["measured"] / size < 3
            assert "`scale` scales by 0.0039" in each.fix and "0 to 255" in each.fix
