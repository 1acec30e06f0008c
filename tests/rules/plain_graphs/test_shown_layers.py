"""Layers that the operations of exports show, beside those that Keras exported."""

from __future__ import annotations

import json

import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.plain_graphs.architecture import graph_architecture
from modelaudit.settings import Settings
from tests.rules.plain_graphs.exports import CLASSES, exported, found, network

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

# Layers that leave nothing in a graph, and those whose activation is an operation of its own.
_UNSEEN = {"Dropout", "InputLayer"}
SHOWN = {
    "plain": lambda of: [
        of.Conv2D(6, 3, strides=2, padding="same", activation="relu"),
        of.BatchNormalization(),
        of.MaxPooling2D(2),
        of.DepthwiseConv2D(3, depth_multiplier=2),
        of.Activation("tanh"),
        of.SeparableConv2D(7, 3, padding="same"),
        of.AveragePooling2D((2, 1)),
        of.ZeroPadding2D(1),
        of.Conv2DTranspose(4, 2, strides=2),
        of.Dropout(0.2),
        of.Flatten(),
        of.Dense(9, use_bias=False),
        of.LayerNormalization(),
        of.LeakyReLU(0.3),
        of.Dense(CLASSES),
        of.Softmax(),
    ],
    "of one axis": lambda of: [
        of.Reshape((32, 24)),
        of.Conv1D(6, 5, dilation_rate=2, padding="same"),
        of.MaxPooling1D(2),
        of.LSTM(5, return_sequences=True),
        of.GRU(4, return_sequences=True),
        of.SimpleRNN(3),
        of.Dense(CLASSES, activation="sigmoid"),
    ],
    "pooled": lambda of: [
        of.Conv2D(6, 3, use_bias=False),
        of.GlobalMaxPooling2D(),
        of.Reshape((3, 2)),
        of.Permute((2, 1)),
        of.Dense(8),
        of.GlobalAveragePooling1D(),
        of.Dense(CLASSES),
    ],
}
_SAID = ("units", "filters", "kernel_size", "strides", "padding", "use_bias", "pool_size", "dims")


@pytest.mark.parametrize("kind", SHOWN)
def test_layers_and_their_shapes_are_those_of_keras(keras, kind, tmp_path) -> None:
    model = network(keras, (16, 16, 3), *SHOWN[kind](keras.layers))
    shown = graph_architecture(exported(model, tmp_path).artifact)
    assert shown is not None
    assert not [layer for layer in shown.layers if layer.custom]
    layers = [x for x in shown.layers if x.class_name not in {"InputLayer", "Activation"}]
    expected = [x for x in model.layers if type(x).__name__ not in {*_UNSEEN, "Activation"}]
    assert [x.class_name for x in layers] == [type(x).__name__ for x in expected]
    for layer, made in zip(layers, expected, strict=True):
        config = made.get_config()
        shape = tuple(made.output.shape)
        assert len(layer.output_shape) == len(shape)
        for size, wanted in zip(layer.output_shape, shape, strict=True):
            assert size in {wanted, None} or wanted is None
        for key in layer.config.keys() & {*_SAID} & config.keys():
            assert layer.config[key] == json.loads(json.dumps(config[key])), layer.route


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_both_generations_pool_series_along_their_steps(library, tmp_path) -> None:
    """tf-keras adds an axis behind the steps for the operation, Keras 3 one before them."""
    k = pytest.importorskip(library)
    of = k.layers
    layers = [
        of.Conv1D(6, 3, strides=2, padding="causal", activation="relu"),
        of.MaxPooling1D(3, strides=2, padding="same"),
        of.AveragePooling1D(4),
        of.Conv1D(5, 3, padding="same"),
        of.GlobalMaxPooling1D(),
        of.Dense(CLASSES, activation="softmax"),
    ]
    model = k.Sequential([k.Input((32, 4)), *layers])
    options = {"format": "tf_saved_model"} if library == "keras" else {}
    model.export(str(tmp_path / "exported"), **options)
    shown = graph_architecture(static_facts(tmp_path / "exported", Settings()).artifact)
    seen = {x.class_name: x for x in shown.layers}
    config = seen["MaxPooling1D"].config
    assert (config["pool_size"], config["strides"], config["padding"]) == ([3], [2], "same")
    assert seen["AveragePooling1D"].config["pool_size"] == [4]
    assert [x.output_shape[1:] for x in shown.layers if "Pooling1D" in x.class_name] == [
        tuple(layer.output.shape[1:]) for layer in model.layers if "pooling" in layer.name
    ]
    assert not [x for x in shown.layers if x.custom]


def test_attention_is_one_layer_and_its_sequence_is_known(keras, tmp_path) -> None:
    of = keras.layers
    x = keras.Input((7, 12))
    y = of.MultiHeadAttention(3, 4)(x, x)
    y = of.LayerNormalization()(of.Add()([x, y]))
    model = keras.Model(x, of.Dense(CLASSES, activation="softmax")(of.Flatten()(y)))
    facts = exported(model, tmp_path)
    shown = graph_architecture(facts.artifact)
    (layer,) = [x for x in shown.layers if x.class_name == "MultiHeadAttention"]
    assert [shape[1:] for shape in layer.input_shapes] == [(7, 12)] * 3
    assert found(facts) == {}


@pytest.mark.parametrize("name", ["gelu", "silu", "mish"])
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_values_times_a_function_of_themselves(library, name, tmp_path) -> None:
    keras = pytest.importorskip(library)
    for layers, expected in (
        ([keras.layers.Dense(4, activation=name)], ["Dense", "Activation"]),
        ([keras.layers.Dense(4), gate(keras)], ["Dense", "Dense", "Activation", "Multiply"]),
    ):
        model = keras.Sequential([keras.layers.Input((5,)), *layers])
        more = {"verbose": False} if library == "keras" else {}
        model.export(str(tmp_path / "of"), **more)
        shown = graph_architecture(static_facts(tmp_path / "of", Settings()).artifact)
        assert shown is not None
        assert sorted(x.class_name for x in shown.layers[1:]) == sorted(expected)
        applied = [x.config["activation"] for x in shown.layers if x.class_name == "Activation"]
        assert applied == ([name] if len(expected) == 2 else ["sigmoid"])


def gate(keras):
    """A value times a function of another one, as in squeeze and excitation."""

    class Gated(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.gate = keras.layers.Dense(4, activation="sigmoid")

        def call(self, x):
            return x * self.gate(x)

    return Gated()
