"""Layers that keep a network from learning, in models that Keras saved, and their sound twins."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.architecture import (
    axis_order,
    bottlenecks,
    erasing_dropout,
    network_design,
    unadapted_norms,
)
from modelaudit.rules.engine import run_rules
from modelaudit.settings import Settings

pytestmark = pytest.mark.slow

FORMATS = ("keras", "h5")
RULES = (
    *axis_order.RULES,
    *network_design.RULES,
    *erasing_dropout.RULES,
    *bottlenecks.RULES,
    *unadapted_norms.RULES,
)


@pytest.fixture(scope="module")
def keras():
    import keras

    return keras


def found(model, folder):
    """Code and severity of all findings, which are the same in every format."""
    model.compile(loss="mse")
    seen = []
    for suffix in FORMATS:
        path = folder / f"model.{suffix}"
        model.save(path)
        results = run_rules(RULES, static_facts(path, Settings()))
        findings = [finding for result in results for finding in result.findings]
        seen.append([(finding.code, finding.severity.value) for finding in findings])
    assert seen[0] == seen[1]
    return seen[0]


def sequential(keras, shape, *layers):
    return keras.Sequential([keras.layers.Input(shape), *layers])


def linear_networks(keras):
    layers = keras.layers
    dense, head = layers.Dense, layers.Dense(3, "softmax")
    given = layers.Input((8,))
    added = layers.Add()([dense(8)(given), given])
    return [
        sequential(keras, (8,), dense(16), head),
        sequential(keras, (8,), dense(16), layers.Dropout(0.2), dense(16), layers.Dense(1)),
        sequential(keras, (16, 16, 3), layers.Conv2D(4, 3), layers.Flatten(), dense(3)),
        sequential(
            keras,
            (16, 16, 3),
            *(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.AveragePooling2D(2)),
            *(layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), dense(3, "softmax")),
        ),
        sequential(keras, (20, 4), layers.Conv1D(4, 3), layers.Flatten(), dense(1, "sigmoid")),
        keras.Model(given, dense(2)(added)),
        sequential(keras, (8,), dense(16), layers.LeakyReLU(1.0), dense(3)),
    ]


def nonlinear_networks(keras):
    layers = keras.layers
    dense = layers.Dense
    return [
        sequential(keras, (8,), dense(3, "softmax")),
        sequential(keras, (8,), dense(16), layers.ReLU(), dense(3)),
        sequential(keras, (8,), dense(16), layers.Activation("tanh"), dense(3)),
        sequential(keras, (8,), dense(16, keras.activations.gelu), dense(3)),
        sequential(keras, (8,), dense(16), layers.LayerNormalization(), dense(3)),
        sequential(
            keras,
            (16, 16, 3),
            layers.Conv2D(4, 3),
            layers.MaxPooling2D(),
            layers.Flatten(),
            dense(3),
        ),
        sequential(keras, (12, 4), layers.LSTM(4), dense(3)),
        sequential(
            keras,
            (12,),
            layers.Embedding(30, 4),
            layers.GlobalAveragePooling1D(),
            dense(4),
            dense(1),
        ),
        sequential(keras, (8,), dense(4), layers.Lambda(abs, output_shape=(4,)), dense(2)),
        sequential(keras, (8,), dense(16), layers.LeakyReLU(0.99), dense(3)),
    ]


@pytest.mark.filterwarnings("ignore")
def test_a_network_without_nonlinearity(keras, tmp_path):
    assert [found(each, tmp_path) for each in linear_networks(keras)] == [[("MA309", "medium")]] * 7
    expected = [[]] * 10
    expected[5] = [("MA309", "low")]  # nothing but a maximum
    expected[7] = [("MA309", "low")]  # linear in the chosen rows of the table
    assert [found(each, tmp_path) for each in nonlinear_networks(keras)] == expected
    rebuilt = sequential(keras, (8,), keras.layers.Dense(2), keras.layers.Dense(8))
    assert found(rebuilt, tmp_path) == [("MA309", "low")]


@pytest.mark.filterwarnings("ignore")
def test_a_linear_network_that_was_not_compiled_may_never_have_been_meant_to_learn(keras, tmp_path):
    path = tmp_path / "model.keras"
    linear_networks(keras)[0].save(path)
    results = run_rules(RULES, static_facts(path, Settings()))
    (only,) = [finding for result in results for finding in result.findings]
    assert (only.code, only.severity.value) == ("MA309", "low")


@pytest.mark.filterwarnings("ignore")
def test_a_linear_network_is_linear(keras):
    for model in linear_networks(keras)[1:3]:
        shape = model.input_shape[1:]
        a, b, zero = np.random.default_rng(0).normal(size=(3, 1, *shape))
        f = {
            name: np.asarray(model(x))
            for name, x in {"a": a, "b": b, "sum": a + b - zero, "zero": zero}.items()
        }
        np.testing.assert_allclose(f["sum"], f["a"] + f["b"] - f["zero"], atol=1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("shape", "options", "reported"),
    [
        ((3, 32, 32), {}, "medium"),
        ((1, 28, 28), {}, "medium"),
        ((32, 32, 3), {"data_format": "channels_first"}, "medium"),
        ((32, 32, 3), {}, None),
        ((3, 32, 32), {"data_format": "channels_first"}, None),
        ((3, 32, 64), {}, None),  # no image, for all that can be seen
        ((3, 8, 8), {}, "low"),  # or a small map of features
        ((3, 7, 7), {}, None),
        ((32, 32, 32), {}, None),
    ],
)
@pytest.mark.parametrize("behind", [False, True])
def test_axes_of_images(keras, tmp_path, shape, options, reported, behind):
    layers = keras.layers
    first = [layers.Rescaling(1 / 255)] if behind else []
    convolution = layers.Conv2D(4, (3, 3), activation="relu", padding="same", **options)
    model = sequential(keras, shape, *first, convolution, layers.Flatten(), layers.Dense(2))
    assert found(model, tmp_path) == ([("MA311", reported)] if reported else [])


def _each(of, *layers):
    """The same layers for each of several images, and what is left of an image."""
    last = of.TimeDistributed(of.GlobalAveragePooling2D())
    return [*(of.TimeDistributed(layer) for layer in layers), last, of.LSTM(4)]


FIRST_WINDOWS = {
    "of each step": lambda k, of: _each(of, of.Conv2D(4, 3, padding="same")),
    "behind a rescaling": lambda k, of: [of.Rescaling(0.1), *_each(of, of.Conv2D(4, 3))],
    "behind one of each step": lambda k, of: _each(of, of.Rescaling(0.1), of.Conv2D(4, 3)),
    "behind a normalization of each step": lambda k, of: _each(
        of, of.BatchNormalization(), of.DepthwiseConv2D(3)
    ),
    "in a model for each step": lambda k, of: [
        of.TimeDistributed(k.Sequential([of.Conv2D(4, 3), of.Flatten()])),
        of.LSTM(4),
    ],
    "of states": lambda k, of: [of.ConvLSTM2D(4, 3, padding="same"), of.Flatten()],
    "of states in both directions": lambda k, of: [
        of.Bidirectional(of.ConvLSTM2D(4, 3, padding="same")),
        of.Flatten(),
    ],
}


@pytest.mark.parametrize(("shape", "reported"), [((3, 24, 24), True), ((24, 24, 3), False)])
@pytest.mark.parametrize("kind", FIRST_WINDOWS)
@pytest.mark.filterwarnings("ignore")
def test_axes_of_images_of_each_step(keras, tmp_path, kind, shape, reported):
    layers = FIRST_WINDOWS[kind](keras, keras.layers)
    model = sequential(keras, (6, *shape), *layers, keras.layers.Dense(2))
    said = [code for code in found(model, tmp_path) if code[0] == "MA311"]
    # Those of both directions are one layer each.
    assert said == ([("MA311", "medium")] if reported else [])


@pytest.mark.parametrize("order", [None, (2, 3, 1), (1, 2, 3)])
@pytest.mark.filterwarnings("ignore")
def test_branches_on_exchanged_axes(keras, tmp_path, order):
    """Two branches are as one; if another one moves the axes, both orders are looked at."""
    of = keras.layers
    given = keras.Input((3, 24, 24))
    moved = of.Permute(order)(given) if order else given
    branches = [of.Conv2D(4, 3, padding="same")(each) for each in (given, moved)]
    pooled = [of.GlobalAveragePooling2D()(each) for each in branches]
    model = keras.Model(given, of.Dense(2)(of.Concatenate()(pooled)))
    said = [code for code in found(model, tmp_path) if code[0] == "MA311"]
    assert said == ([] if order == (2, 3, 1) else [("MA311", "medium")])


def _scaled(x):
    return x / 255.0


def _turned(x):
    import keras

    return keras.ops.transpose(x, (0, 2, 3, 1))


MOVED = {
    "moveaxis": lambda k: lambda x: k.ops.moveaxis(x, 1, -1),
    "swapaxes": lambda k: lambda x: k.ops.swapaxes(x, 1, 3),
    "einsum": lambda k: lambda x: k.ops.einsum("bchw->bhwc", x),
    "code": lambda k: k.layers.Lambda(_turned),
}


@pytest.mark.parametrize("kind", [*MOVED, "scaled"])
@pytest.mark.filterwarnings("ignore")
def test_branches_whose_axes_operations_or_code_exchange(keras, tmp_path, kind):
    of = keras.layers
    given = keras.Input((3, 64, 64))
    moved = of.Lambda(_scaled)(given) if kind == "scaled" else MOVED[kind](keras)(given)
    branches = [of.Conv2D(4, 3, padding="same")(each) for each in (given, moved)]
    pooled = [of.GlobalAveragePooling2D()(each) for each in branches]
    model = keras.Model(given, of.Dense(2)(of.Concatenate()(pooled)))
    said = [code for code in found(model, tmp_path) if code[0] == "MA311"]
    assert said == ([("MA311", "medium")] if kind == "scaled" else [])


@pytest.mark.filterwarnings("ignore")
def test_layers_that_disagree_on_the_axes(keras, tmp_path):
    layers = keras.layers

    def network(*after):
        first = layers.Conv2D(4, 3, activation="relu")
        return found(sequential(keras, (9, 9, 3), first, *after, layers.Dense(2)), tmp_path)

    channels_first = {"data_format": "channels_first"}
    assert network(layers.GlobalAveragePooling2D(**channels_first)) == [("MA311", "medium")]
    pooled = (layers.ReLU(), layers.MaxPooling2D(**channels_first), layers.Flatten())
    assert network(*pooled) == [("MA311", "medium")]
    assert network(layers.GlobalAveragePooling2D()) == []
    turned = (layers.Permute((3, 1, 2)), layers.GlobalAveragePooling2D(**channels_first))
    assert network(*turned) == []
    padded = (layers.ZeroPadding2D(3), layers.Conv2D(4, 7, strides=2, activation="relu"))
    model = sequential(keras, (3, 32, 32), *padded, layers.Flatten(), layers.Dense(2))
    assert found(model, tmp_path) == [("MA311", "medium")]
    first = layers.Conv2D(4, 3, padding="same", activation="relu")
    inner = sequential(keras, (3, 32, 32), first)
    given = keras.Input((3, 32, 32))
    flat = layers.Flatten()(inner(given))
    assert found(keras.Model(given, layers.Dense(2)(flat)), tmp_path) == [("MA311", "medium")]


@pytest.mark.filterwarnings("ignore")
def test_a_hidden_layer_without_activation(keras, tmp_path):
    dense, drop = keras.layers.Dense, keras.layers.Dropout(0.1)
    first = dense(8, "relu")
    # A table of vectors is linear in which row is chosen; for each step, a Dense layer is one.
    words = (keras.layers.Embedding(20, 4), keras.layers.TimeDistributed(dense(8)))
    pooled = keras.layers.GlobalAveragePooling1D()
    linear = sequential(keras, (5,), *words, pooled, dense(2))
    assert found(linear, tmp_path) == [("MA309", "low")]
    active = (words[0], keras.layers.TimeDistributed(dense(8, "relu")), pooled)
    assert found(sequential(keras, (5,), *active, dense(2)), tmp_path) == []
    for hidden, expected in (
        ((first, dense(8), drop, dense(2)), [("MA309", "low")]),
        ((first, dense(8), keras.layers.ReLU(), dense(2)), []),
        ((first, drop, dense(2)), []),
        ((first, dense(8), drop, dense(8), dense(2)), [("MA309", "medium")]),
        ((first, dense(4), drop, dense(8), dense(2)), [("MA309", "low")]),
        ((first, dense(8), dense(8), drop, dense(8), dense(2)), [("MA309", "medium")]),
        ((first, dense(8), dense(8), dense(8, "relu"), dense(8), dense(2)), [("MA309", "medium")]),
        ((first, dense(8), dense(8, "relu"), dense(8), dense(2)), [("MA309", "low")]),
    ):
        assert found(sequential(keras, (8,), *hidden), tmp_path) == expected


@pytest.mark.filterwarnings("ignore")
def test_dropout_that_erases(keras, tmp_path):
    layers = keras.layers
    for drop in (layers.Dropout(0.95), layers.AlphaDropout(0.9), layers.GaussianDropout(0.95)):
        model = sequential(keras, (8,), layers.Dense(8, "relu"), drop, layers.Dense(2))
        assert found(model, tmp_path) == [("MA310", "medium")]
    for drop in (layers.Dropout(0.5), layers.GaussianDropout(0.5)):
        sound = sequential(keras, (8,), layers.Dense(8, "relu"), drop, layers.Dense(2))
        assert found(sound, tmp_path) == []


@pytest.mark.filterwarnings("ignore")
def test_a_single_unit_in_the_way(keras, tmp_path):
    layers = keras.layers
    dense = layers.Dense

    def through(*narrow):
        return found(
            sequential(keras, (8,), dense(8, "relu"), *narrow, dense(8, "relu"), dense(2)), tmp_path
        )

    assert through(dense(1, "relu")) == [("MA312", "medium")]
    assert through(dense(1), layers.ReLU()) == [("MA312", "medium")]
    assert through(dense(1), layers.BatchNormalization(), layers.Activation("relu")) == [
        ("MA312", "medium")
    ]
    assert through(dense(1, "tanh")) == [("MA312", "low")]
    assert through(dense(2, "relu")) == [("MA312", "low")]
    assert through(dense(2, "tanh")) == through(dense(3, "relu")) == []
    # With several outputs, one of them can depend on the unit alone.
    given = layers.Input((8,))
    x = dense(8, "relu")(given)
    narrow = dense(2)(dense(8, "relu")(dense(1, "relu")(x)))
    assert found(keras.Model(given, [narrow, dense(1)(x)]), tmp_path) == [("MA312", "medium")]
    beside = layers.Concatenate()([narrow, dense(1)(x)])
    assert found(keras.Model(given, [beside, dense(1)(x)]), tmp_path) == []
    # A map of one channel still shows where something is.
    image = (layers.Conv2D(1, 1, activation="relu"), layers.Conv2D(8, 3, activation="relu"))
    mapped = sequential(keras, (9, 9, 3), *image, layers.Flatten(), dense(2))
    assert found(mapped, tmp_path) == [("MA312", "low")]
    # A gate of one unit (squeeze and excitation) weighs channels that pass by it.
    given = layers.Input((16, 16, 3))
    channels = layers.Conv2D(8, 3, activation="relu")(given)
    gate = dense(1, "relu")(layers.GlobalAveragePooling2D()(channels))
    gated = layers.Multiply()([channels, layers.Reshape((1, 1, 8))(dense(8, "sigmoid")(gate))])
    assert found(keras.Model(given, dense(2)(layers.Flatten()(gated))), tmp_path) == []
    # A score of attention is one unit, and passes by the features.
    given = layers.Input((12, 6))
    score = layers.Softmax(axis=1)(dense(1, "tanh")(given))
    pooled = layers.GlobalAveragePooling1D()(layers.Multiply()([given, score]))
    assert found(keras.Model(given, dense(2)(pooled)), tmp_path) == []


@pytest.mark.filterwarnings("ignore")
def test_normalization_that_was_not_adapted(keras, tmp_path):
    layers = keras.layers
    adapted = layers.Normalization()
    adapted.adapt(np.random.default_rng(0).normal(3, 2, size=(64, 8)))
    given = layers.Normalization(mean=0.0, variance=1.0)  # on purpose
    for scale, expected in (
        (layers.Normalization(), [("MA313", "medium")]),
        (adapted, []),
        (given, []),
    ):
        model = sequential(keras, (8,), scale, layers.Dense(8, "relu"), layers.Dense(2))
        assert found(model, tmp_path) == expected
