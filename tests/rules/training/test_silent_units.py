"""Networks that end in a ReLU, or have hidden ones, that give 0 for every input, as trained."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.measures.optimizer_state import OptimizerState, WeightMoments, optimizer_state
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.training.silent_units import above_rounding, biases_alone
from modelaudit.settings import Settings
from modelaudit.thresholds.design import MOMENTUM_APART
from modelaudit.thresholds.training import ALIVE, SLOW_FADING
from tests.made.training import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def keras():
    import keras

    return keras


def trained(keras, last, optimizer, *, dies, steps, scale=1.0):
    """A network that learns for some steps, and then on without what `dies`."""
    layers = keras.layers
    keras.utils.set_random_seed(7)  # of some weights, the ReLU dies by itself
    draw = np.random.default_rng(4)
    x = (draw.random((64, 6)) * scale).astype("float32")
    y = (x.sum(1, keepdims=True) / scale + 1).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu", bias_initializer="ones"),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.Dense(1, activation=last, bias_initializer="ones", name="out"),
        ]
    )
    model.compile(optimizer, "mse")
    train(model, x, y, steps=30)
    if dies:
        layer = model.get_layer(dies)
        layer.bias.assign(np.full(layer.bias.shape, -1e3))
    train(model, x, y, steps=steps)
    return model, x


def said(model, path):
    where = path / "m.keras"
    model.save(where)
    found = run_rule(rule("MA433"), static_facts(where, Settings())).findings
    return [(str(each.severity), each.detail) for each in found if each.severity != "low"]


def test_an_output_that_a_relu_keeps_at_zero(keras, tmp_path):
    adam = keras.optimizers.Adam
    model, x = trained(keras, "relu", adam(), dies="out", steps=900)
    assert np.ptp(np.asarray(model(x))) == 0
    ((severity, detail),) = said(model, tmp_path)
    assert (severity, "not even the bias of `out`" in detail) == ("high", True)
    model, x = trained(keras, "relu", adam(), dies=None, steps=900)
    assert np.ptp(np.asarray(model(x))) > 0
    assert said(model, tmp_path) == []


@pytest.mark.parametrize(("optimizer", "steps"), [("SGD", 350), ("Adam", 400)])
def test_a_last_layer_that_gets_nothing_but_zeros(keras, tmp_path, optimizer, steps):
    options = {"momentum": 0.9, "learning_rate": 0.01} if optimizer == "SGD" else {}
    make = getattr(keras.optimizers, optimizer)
    model, x = trained(keras, None, make(**options), dies="hidden", steps=steps)
    assert np.ptp(np.asarray(model(x))) == 0
    ((severity, detail),) = said(model, tmp_path)
    assert (severity, "the output is the same for all of them" in detail) == ("high", True)


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW", "Nadam"])
@pytest.mark.parametrize("steps", [35, 60])
def test_hidden_units_that_died_a_few_steps_ago(keras, tmp_path, optimizer, steps):
    made = getattr(keras.optimizers, optimizer)
    model, x = trained(keras, "linear", made(), dies="hidden", steps=steps)
    assert np.ptp(np.asarray(model(x))) == 0
    ((severity, detail),) = said(model, tmp_path)
    assert (severity, "biases alone still moved" in detail) == ("medium", True)
    model, x = trained(keras, "linear", made(), dies="", steps=steps)
    assert np.ptp(np.asarray(model(x))) > 0.1
    assert said(model, tmp_path) == []


def test_inputs_that_are_scaled_twice_are_not_silence(keras, tmp_path):
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    model, _ = trained(keras, None, optimizer, dies=None, steps=300, scale=1 / 255**2)
    assert said(model, tmp_path) == []


def test_huge_inputs_before_are_not_silence_now(keras, tmp_path):
    """Squares of gradients remember them; every unit still learns."""
    model, x = trained(keras, None, keras.optimizers.Adam(), dies="", steps=1)
    y = x.sum(1, keepdims=True) + 1
    train(model, x * 3000, y, steps=60)
    train(model, x, y + 5000, steps=60)
    assert np.ptp(np.asarray(model(x))) > 0.1
    assert said(model, tmp_path) == []


@pytest.mark.parametrize("loss", ["categorical_hinge", "binary_crossentropy", "mse"])
def test_a_relu_of_which_the_loss_asks_nothing_more(keras, tmp_path, loss):
    draw = np.random.default_rng(4)
    labels = np.arange(64) % 2
    x = (np.eye(2)[labels] + draw.random((64, 2)) / 10).astype("float32")
    last = keras.layers.Dense(2, activation="relu", kernel_initializer="identity")
    model = keras.Sequential([keras.Input((2,)), last])
    model.compile(keras.optimizers.Adam(0.05), loss)
    train(model, x, np.eye(2, dtype="float32")[labels], steps=1300)
    assert np.ptp(np.asarray(model(x))) > 0.5
    high = [each for each in said(model, tmp_path) if each[0] == "high"]
    assert high == []
    clipped = [detail for _, detail in said(model, tmp_path) if "crossentropy clips" in detail]
    assert len(clipped) == (loss == "binary_crossentropy")


@pytest.mark.parametrize("last", ["relu", "sigmoid"])
def test_a_training_in_which_no_gradient_came_at_all(keras, tmp_path, last):
    """Weights that were trained before, and 60 further steps without any gradient."""
    layers = keras.layers
    keras.utils.set_random_seed(7)
    draw = np.random.default_rng(4)
    x = draw.random((64, 6)).astype("float32")
    y = (x.sum(1, keepdims=True) > 3).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(1, activation=last, name="out"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    train(model, x, y, steps=60)
    head = model.get_layer("out")
    kept = np.array(head.bias)
    for stopped in (False, True):
        if stopped:
            head.bias.assign([-1e3])  # a sigmoid of it is exactly 0
        model.compile(keras.optimizers.Adam(), "mse")
        train(model, x, y, steps=60)
        found = said(model, tmp_path)
        assert bool(found) is stopped, found
    model.compile(keras.optimizers.Adam(), "hinge")  # may have been 0 before
    train(model, x, 0 * y, steps=60)
    assert last == "relu" or said(model, tmp_path) == []
    assert np.ptp(np.asarray(model(x))) == 0
    assert all("60 steps" in detail for _, detail in found)
    head.bias.assign(kept)
    assert np.ptp(np.asarray(model(x))) > 0.1


@pytest.mark.parametrize("dies", ["hidden", ""])
def test_momentum_of_a_network_whose_last_bias_alone_moves(keras, tmp_path, dies):
    """Long before the momentum of the others has faded to what counts as nothing."""
    optimizer = keras.optimizers.SGD(0.002, momentum=0.9)
    model, x = trained(keras, "linear", optimizer, dies=dies, steps=1)
    noisy = x.sum(1, keepdims=True) + np.random.default_rng(1).normal(size=(64, 1)).astype(
        "float32"
    )
    train(model, x, noisy, batch=8, steps=128)
    assert (np.ptp(np.asarray(model(x))) == 0) is np.bool_(dies)
    found = said(model, tmp_path)
    assert len(found) == bool(dies)
    for severity, detail in found:
        assert severity == "medium" and "the bias of `out`" in detail


def test_momentum_behind_inputs_of_next_to_nothing(keras, tmp_path):
    """Their kernel gets small gradients; the biases learn, and what is behind them does."""
    optimizer = keras.optimizers.SGD(0.02, momentum=0.9)
    model, x = trained(keras, "linear", optimizer, dies="", steps=1, scale=1e-5)
    noisy = np.random.default_rng(1).normal(size=(64, 1)).astype("float32")
    train(model, x, noisy, batch=8, steps=128)
    assert said(model, tmp_path) == []


def test_momentum_that_is_not_finite(keras, tmp_path):
    """Of a training that diverged, the last averages tell nothing of units."""
    model, x = trained(keras, "linear", keras.optimizers.SGD(0.002, momentum=0.9), dies="", steps=1)
    train(model, x, np.full((64, 1), np.nan, "float32"), steps=20)
    for suffix in ("keras", "h5"):
        model.save(tmp_path / f"m.{suffix}")
        found = run_rule(rule("MA433"), static_facts(tmp_path / f"m.{suffix}", Settings())).findings
        assert found == ()


@pytest.mark.parametrize("normalized", [False, True])
def test_a_bias_that_changes_nothing_neither_learns_nor_has_stopped(keras, tmp_path, normalized):
    """A softmax over positions, and a normalization of a batch, take away what they share."""
    layers = keras.layers
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(3).normal(size=(64, 20, 6)).astype("float32")
    chosen = np.eye(20)[x[:, :, 0].argmax(1)].astype("float32")
    behind = [layers.BatchNormalization()] * normalized
    model = keras.Sequential(
        [
            keras.Input((20, 6)),
            layers.Dense(16, name="hidden"),
            *behind,
            layers.ReLU(),
            layers.Dense(1, name="score"),
            layers.Flatten(),
            layers.Softmax(),
        ]
    )
    before = [np.asarray(model(x))]
    model.get_layer("score").bias.assign([7.0])
    assert np.allclose(before, np.asarray(model(x)), atol=1e-5)
    model.get_layer("score").bias.assign([0.0])
    model.compile("adam", "categorical_crossentropy")
    train(model, x, chosen, steps=300)
    assert said(model, tmp_path) == []
    state = optimizer_state(static_facts(tmp_path / "m.keras", Settings()).artifact)
    assert state is not None
    left = {(each.route, each.role) for each in above_rounding(state.moments)}
    lost = {(each.route, each.role) for each in state.moments} - left
    assert lost == {("score", "bias")} | ({("hidden", "bias")} if normalized else set())


@pytest.mark.parametrize("penalty", [None, "l2"])
@pytest.mark.parametrize("dies", [False, True])
def test_a_layer_behind_dead_ones_still_learns_by_its_bias(keras, tmp_path, dies, penalty):
    """The bias of `behind` moves, and with it the last kernel; the answer is one for all inputs."""
    layers = keras.layers
    keras.utils.set_random_seed(7)
    draw = np.random.default_rng(4)
    x = draw.random((64, 6)).astype("float32")
    y = x.sum(1, keepdims=True) + draw.normal(size=(64, 1)).astype("float32")
    hidden = [
        layers.Dense(8, "relu", bias_initializer="ones", kernel_regularizer=penalty, name=name)
        for name in ("first", "second", "third")
    ]
    model = keras.Sequential(
        [keras.Input((6,)), *hidden, layers.Dense(4, "tanh", name="behind"), layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    train(model, x, y, batch=8, steps=16)
    if dies:
        model.get_layer("third").bias.assign(np.full(8, -1e3))
    train(model, x, y, batch=8, steps=160)
    assert (np.ptp(np.asarray(model(x))) == 0) is np.bool_(dies)
    found = said(model, tmp_path)
    assert len(found) == dies
    for severity, detail in found:
        assert severity == "medium" and detail.startswith("At the end of training, what `behind`")


def behind_dead_layers(*, before=1e-9, share=1e-9, momentum=0.9, betas=()):
    """Two layers whose biases have stopped, one that learns by its bias, and the last one."""
    rows = [("a", 0.5, before), ("b", 0.5, before), ("c", share * 0.1, 0.1), ("d", 0.4, 1.0)]
    moments = [
        WeightMoments(name, role, (4, 4) if role == "kernel" else (4,), first)
        for name, kernel, bias in rows
        for role, first in (("kernel", kernel), ("bias", bias))
    ]
    moments[4:4] = [WeightMoments("norm", "beta", (4,), first) for first in betas]
    settings = {"momentum": momentum}
    state = OptimizerState("SGD", 500, 0.1, settings, tuple(moments))
    return [each.location.route for each in biases_alone(rule("MA433"), state)]


def test_the_limits_of_layers_that_stopped():
    assert behind_dead_layers() == ["c"]
    for edge, given in (
        (MOMENTUM_APART.value, lambda x: behind_dead_layers(before=x)),
        (ALIVE.value, lambda x: behind_dead_layers(share=x)),
        (SLOW_FADING.value, lambda x: ["c"] * (not behind_dead_layers(momentum=x))),
    ):
        assert (given(0.99 * edge), given(1.01 * edge)) == (["c"], [])
    # Biases before a normalization get no gradient in any case; its beta does, while units live.
    assert behind_dead_layers(betas=(0.1,)) == []
    assert behind_dead_layers(betas=(1e-9,)) == ["c"]


def test_steps_without_momentum_tell_of_the_last_batch_alone(keras, tmp_path):
    """tf-keras keeps the last step of plain gradient descent, which was not the only one."""
    import tf_keras

    model, x = trained(tf_keras, None, tf_keras.optimizers.SGD(0.01), dies="hidden", steps=3)
    assert np.ptp(np.asarray(model(x))) == 0
    assert (np.asarray(model.layers[0].bias) != 1).any()  # which it started with
    ((severity, detail),) = said(model, tmp_path)
    assert severity == "medium"
    assert "in the last step" in detail and "of the last batch" in detail
    assert "since the model was compiled" not in detail


def test_steps_that_are_all_0_are_no_squares(keras, tmp_path):
    """A sigmoid that is certain, times 50: nothing moves any more, and much had before."""
    import tf_keras

    layers = tf_keras.layers
    x = np.random.default_rng(0).random((64, 4)).astype("float32")
    model = tf_keras.Sequential(
        [tf_keras.Input((4,)), layers.Dense(1, "sigmoid", name="out"), layers.Rescaling(50.0)]
    )
    model.compile(tf_keras.optimizers.SGD(0.05), "mse")
    before = model.get_weights()
    train(model, x, np.full((64, 1), 20.0, "float32"), steps=20)
    assert not np.array_equal(before[0], model.get_weights()[0])
    model.get_layer("out").bias.assign([1e4])
    train(model, x, np.full((64, 1), 20.0, "float32"), steps=20)
    model.save(tmp_path / "m.h5")
    artifact = static_facts(tmp_path / "m.h5", Settings()).artifact
    state = optimizer_state(artifact)
    assert state is not None
    assert [(each.first, each.second) for each in state.moments] == [(0.0, None)] * 2
    assert said(model, tmp_path) == []


@pytest.mark.parametrize(("right", "scale"), [(True, 100.0), (True, 30.0), (False, 100.0)])
def test_rows_that_are_answered_right_beyond_doubt_give_no_gradient(keras, tmp_path, right, scale):
    """The last bias alone learns where the other rows give 0; a dead layer leaves one answer."""
    layers = keras.layers
    keras.utils.set_random_seed(7)
    x = np.repeat([[scale], [0.0]], 32, axis=0).astype("float32") * np.ones((1, 6), "float32")
    y = np.repeat([[0.0, 1.0], [1.0, 0.0]], 32, axis=0).astype("float32")
    below = keras.initializers.Constant(-0.2)  # so that rows of 0 give 0
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(16, activation="relu", bias_initializer=below, name="hidden"),
            layers.Dense(2, activation="softmax", name="out"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.002), "categorical_crossentropy")
    train(model, x, y, steps=30)
    if not right:
        layer = model.get_layer("hidden")
        layer.bias.assign(np.full(layer.bias.shape, -1e3))
    train(model, x, y, steps=200)
    answers = np.asarray(model(x))
    path = tmp_path / "m.keras"
    model.save(path)
    all_found = run_rule(rule("MA433"), static_facts(path, Settings())).findings
    told = {str(each.severity) for each in all_found if "units of `hidden`" not in each.detail}
    beyond = any("right beyond doubt" in each.detail for each in all_found)
    assert bool(np.ptp(answers, axis=0).max() > 0.5) is right
    assert (told, beyond) == (({"low"}, True) if right else ({"high"}, False))


def test_gates_of_a_recurrent_layer_are_no_units(keras, tmp_path):
    """A network whose LSTM has 4 values of its bias for each unit, of which most stood still."""
    layers = keras.layers
    keras.utils.set_random_seed(3)
    x = np.random.default_rng(1).random((64, 5, 3)).astype("float32")
    model = keras.Sequential(
        [keras.Input((5, 3)), layers.LSTM(8, "relu", name="memory"), layers.Dense(1, name="out")]
    )
    model.compile("adam", "mse")
    train(model, x, x.sum((1, 2))[:, None], steps=10)
    bias = model.get_layer("memory").cell.bias
    bias.assign(np.concatenate([bias.numpy()[:16], np.full(8, -1e3), bias.numpy()[24:]]))
    train(model, x, x.sum((1, 2))[:, None], steps=4000)
    model.save(tmp_path / "m.keras")
    findings = run_rule(rule("MA433"), static_facts(tmp_path / "m.keras", Settings())).findings
    told = [each.detail for each in findings if "`memory`" in each.detail]
    assert any(" of the 32 gates of `memory` (4 for each of its 8 units) " in each for each in told)
    assert not any("32 units" in each for each in told)
