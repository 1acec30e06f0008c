"""Layers that shrink or blow up what passes through, in models that Keras saved, and twins."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.architecture import signal_flow, starting_values
from tests.made.training import train
from tests.rules.saved import codes, found, sequential

RULES = (*signal_flow.RULES, *starting_values.RULES)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


def test_hidden_softmax(k, tmp_path):
    layers, dense = k.layers, k.layers.Dense
    low = [("MA315", "low")]

    def through(*hidden):
        return codes(RULES, sequential(k, (8,), *hidden, dense(3, "softmax")), tmp_path)

    assert through(dense(8, "softmax")) == low
    assert through(dense(8), layers.Softmax(), layers.Dropout(0.2)) == low
    assert through(dense(8, "relu")) == []
    assert through(layers.Softmax()) == []  # of the input
    pixels = (layers.Conv2D(4, 3, activation="softmax"), layers.Flatten())
    assert codes(RULES, sequential(k, (9, 9, 1), *pixels, dense(2)), tmp_path) == low
    # The weights of an attention and the shares of experts multiply something.
    given = layers.Input((12, 6))
    weights = layers.Softmax(axis=1)(dense(1)(given))
    pooled = layers.GlobalAveragePooling1D()(layers.Multiply()([given, weights]))
    assert codes(RULES, k.Model(given, dense(2)(pooled)), tmp_path) == []


def test_softmax_of_scores_that_a_relu_has_cut(k, tmp_path):
    """The gate of experts; its twins have scores of both signs."""
    layers, low = k.layers, [("MA315", "low")]

    def gated(*gate):
        given = layers.Input((8,))
        shares = given
        for layer in gate:
            shares = layer(shares)
        experts = layers.Reshape((4, 3))(layers.Dense(12, "relu")(given))
        mixed = layers.Dot(axes=1)([shares, experts])
        return k.Model(given, layers.Dense(1)(mixed)), k.Model(given, shares)

    def said(*gate):
        return codes(RULES, gated(*gate)[0], tmp_path)

    assert said(layers.Dense(4, "relu"), layers.Softmax()) == low
    assert said(layers.Dense(4), layers.ReLU(), layers.Activation("softmax")) == low
    assert said(layers.Dense(4), layers.Softmax()) == []
    assert said(layers.Dense(4, "softmax")) == []
    assert said(layers.Dense(4, "tanh"), layers.Softmax()) == []  # as attention has
    assert said(layers.Dense(6, "relu"), layers.Dense(4), layers.Softmax()) == []
    # Inputs for which no score is above 0 all get the same shares.
    shares = gated(layers.Dense(4, "relu", bias_initializer="zeros", name="g"), layers.Softmax())[1]
    shares.get_layer("g").set_weights([-np.ones((8, 4)), np.zeros(4)])
    assert np.allclose(shares(np.random.default_rng(0).random((5, 8))), 0.25)


def test_recurrent_softmax_and_gates(k, tmp_path):
    layers, dense = k.layers, k.layers.Dense
    low = [("MA315", "low")]

    def through(*hidden):
        return codes(RULES, sequential(k, (5, 3), *hidden, dense(3, "softmax")), tmp_path)

    assert through(layers.LSTM(4), layers.Softmax()) == low
    assert through(layers.GRU(4, activation="softmax")) == low
    assert through(layers.Bidirectional(layers.LSTM(4, activation="softmax"))) == low
    assert through(layers.LSTM(4, recurrent_activation="relu")) == low
    assert through(layers.GRU(4, recurrent_activation="hard_sigmoid")) == []
    assert through(layers.SimpleRNN(4), layers.Activation("tanh")) == []
    weights = layers.Softmax(axis=1)  # of an attention to steps
    given = layers.Input((5, 3))
    states = layers.LSTM(4, return_sequences=True)(given)
    pooled = layers.GlobalAveragePooling1D()(layers.Multiply()([states, weights(states)]))
    assert codes(RULES, k.Model(given, dense(2)(pooled)), tmp_path) == []


def test_sigmoids_in_a_row(k, tmp_path):
    layers = k.layers

    def stack(depth, *between):
        hidden = [each for _ in range(depth) for each in (layers.Dense(8, "sigmoid"), *between)]
        return codes(RULES, sequential(k, (8,), *hidden, layers.Dense(1)), tmp_path)

    assert stack(5) == stack(7) == [("MA315", "low")]
    assert stack(8) == [("MA315", "medium")]
    assert stack(4) == []
    given = layers.Input((8,))
    x = given
    for _ in range(8):
        x = layers.Add()([x, layers.Dense(8, "sigmoid")(x)])
    assert codes(RULES, k.Model(given, layers.Dense(1)(x)), tmp_path) == []
    normalized = [layers.Dense(8, use_bias=False), layers.BatchNormalization()]
    normalized = [*normalized, layers.Activation("sigmoid")]
    hidden = [type(each).from_config(each.get_config()) for each in normalized * 8]
    for number, each in enumerate(hidden):
        each.name = f"layer_{number}"
    assert codes(RULES, sequential(k, (8,), *hidden, layers.Dense(1)), tmp_path) == []


def test_hidden_convolutions_with_sigmoids(k, tmp_path):
    """Gates, masks and maps that are normalized have a sigmoid on purpose."""
    layers = k.layers

    def stack(*between, activation="sigmoid"):
        row = []
        for n in range(2):
            row += [layers.Conv2D(4, 3, activation=activation, name=f"map_{n}")]
            row += [
                type(x).from_config({**x.get_config(), "name": f"{x.name}_{n}"}) for x in between
            ]
        head = layers.Flatten(), layers.Dense(3, "softmax")
        return codes(RULES, sequential(k, (16, 16, 1), *row, *head), tmp_path, ("keras", "h5"))

    low = [("MA315", "low")]
    assert stack(layers.MaxPooling2D()) == low
    assert stack(layers.Activation("sigmoid"), layers.AveragePooling2D(2), activation=None) == low
    normalized = layers.BatchNormalization(), layers.Activation("sigmoid")
    assert stack(*normalized, activation=None) == stack(activation="tanh") == []
    given = layers.Input((16, 16, 4))
    x = given
    for _ in range(3):
        x = layers.Multiply()([x, layers.Conv2D(4, 1, activation="sigmoid")(x)])
    masks = [layers.Conv2D(1, 1, activation="sigmoid")(x) for _ in range(2)]
    assert codes(RULES, k.Model(given, masks), tmp_path) == []


def test_few_sigmoids_and_plain_descent(k, tmp_path):
    def stack(optimizer, loss, depth=3):
        hidden = [k.layers.Dense(8, "sigmoid") for _ in range(depth)]
        model = sequential(k, (8,), *hidden, optimizer=optimizer, loss=loss)
        train(model, np.zeros((2, 8)), np.zeros((2, 8)), steps=1, batch=2)
        return codes(RULES, model, tmp_path)

    sgd, low = k.optimizers.SGD, [("MA315", "low")]
    assert stack(sgd(0.1), "mse") == low
    assert stack(sgd(0.1), "binary_crossentropy", 4) == low
    # The loss cancels the slope of the output, or the optimizer scales its steps.
    assert stack(sgd(0.1), "binary_crossentropy") == []
    assert stack(sgd(0.1, momentum=0.9), "mse") == stack("adam", "mse") == []
    assert stack(sgd(0.1), "mse", 2) == []


def test_recurrent_activations_without_limit(k, tmp_path):
    layers = k.layers

    def recurrent(layer, **options):
        return codes(RULES, sequential(k, (9, 4), layer, layers.Dense(2), **options), tmp_path)

    low = [("MA315", "low")]
    assert recurrent(layers.LSTM(8, activation="relu")) == low
    assert recurrent(layers.GRU(8, activation=None)) == low
    assert recurrent(layers.Bidirectional(layers.LSTM(8, activation="elu"))) == low
    assert recurrent(layers.RNN(layers.LSTMCell(8, activation="relu"))) == low
    assert recurrent(layers.LSTM(8)) == recurrent(layers.Bidirectional(layers.GRU(8))) == []
    assert recurrent(layers.LSTM(8, activation="sigmoid")) == low
    assert recurrent(layers.Bidirectional(layers.GRU(8, activation="hard_sigmoid"))) == low
    assert recurrent(layers.SimpleRNN(8, activation="sigmoid")) == []
    kept = {"activation": "relu", "recurrent_initializer": "identity"}
    assert recurrent(layers.SimpleRNN(8, **kept)) == []


def _stack(k, depth, between=(), **options):
    hidden = [
        each
        for _ in range(depth)
        for each in (
            k.layers.Dense(64, activation="relu", **options),
            *(make() for make in between),
        )
    ]
    return sequential(k, (64,), *hidden, k.layers.Dense(3))


def test_size_of_values_before_training(k, tmp_path):
    k.utils.set_random_seed(1)
    model = _stack(k, 32)
    assert codes(RULES, model, tmp_path) == [("MA328", "low")]
    (finding,) = found(RULES, tmp_path / "model.keras")
    given = np.random.default_rng(0).normal(size=(64, 64))
    last = np.asarray(k.Model(model.inputs, model.layers[-2].output)(given))
    size = float(np.sqrt((last**2).mean() / (given**2).mean()))
    assert size / 3 < finding.evidence["measured"] < size * 3
    assert "he_normal" in finding.fix


def test_stacks_that_keep_the_size(k, tmp_path):
    layers = k.layers
    assert codes(RULES, _stack(k, 32, kernel_initializer="he_uniform"), tmp_path) == []
    assert codes(RULES, _stack(k, 32, (layers.BatchNormalization,)), tmp_path) == []
    assert codes(RULES, _stack(k, 20), tmp_path) == []
    given = layers.Input((64,))
    x = given
    for _ in range(32):
        x = layers.Add()([x, layers.Dense(64, activation="relu")(x)])
    assert codes(RULES, k.Model(given, layers.Dense(3)(x)), tmp_path) == []


def test_vgg19_trains_without_normalization(k, tmp_path):
    model = k.applications.VGG19(weights=None, input_shape=(32, 32, 3), classes=10)
    model.save(tmp_path / "model.keras")
    assert found(RULES, tmp_path / "model.keras") == []


@pytest.mark.parametrize(("momentum", "shown"), [(0.0, True), (0.9, False)])
def test_plain_descent_of_tf_keras_keeps_a_slot_for_no_momentum(tmp_path, momentum, shown):
    tf_keras = pytest.importorskip("tf_keras")
    layers = tf_keras.layers
    hidden = [layers.Dense(8, "sigmoid") for _ in range(4)]
    model = tf_keras.Sequential([layers.Input((8,)), *hidden, layers.Dense(1)])
    model.compile(tf_keras.optimizers.SGD(0.1, momentum=momentum), "mse")
    model.train_on_batch(np.zeros((2, 8)), np.zeros((2, 1)))
    model.save(tmp_path / "m.h5")
    said = [each for each in found(RULES, tmp_path / "m.h5") if each.code == "MA315"]
    assert bool(said) is shown
