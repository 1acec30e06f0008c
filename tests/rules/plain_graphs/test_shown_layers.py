"""Layers that the operations of exports show, beside those that Keras exported."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest

from modelaudit.facts import Endpoint, Format, Graph, GraphFunction, GraphNode, Kernel, Signature
from modelaudit.pipeline import static_facts
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.rules.plain_graphs.architecture import graph_architecture
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.made.training import train

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

RULES = (
    "MA304",
    "MA309",
    "MA311",
    "MA312",
    "MA313",
    "MA316",
    "MA318",
    "MA321",
    "MA322",
    "MA326",
    "MA436",
)
CLASSES = 5
# Layers that leave nothing in a graph, and those whose activation is an operation of its own.
_UNSEEN = {"Dropout", "InputLayer"}


def exported(model, folder: Path):
    """Facts of the model's export."""
    path = folder / "exported"
    model.export(str(path), format="tf_saved_model", verbose=False)
    return static_facts(path, Settings())


def found(facts) -> dict[str, str]:
    """Code -> highest severity."""
    ranks = ("info", "low", "medium", "high")
    results = {code: run_rule(rule(code), facts) for code in RULES}
    assert not [each for each in results.values() if each.outcome.value == "error"]
    return {
        code: max((x.severity.value for x in each.findings), key=ranks.index)
        for code, each in results.items()
        if each.findings
    }


def network(keras, shape, *layers, dtype="float32"):
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


def head(of, activation="softmax", units=CLASSES):
    return of.Dense(units, activation=activation, name="head")


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


def _images(keras, *layers):
    return network(keras, (16, 16, 3), *layers)


def _trained(keras, frozen: str, of, penalty=None):
    last = of.Dense(CLASSES, activation="softmax", kernel_regularizer=penalty, name="head")
    model = network(keras, (12,), of.Dense(48, activation="relu", name="body"), last)
    for layer in model.layers:
        layer.trainable = layer.name != frozen
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(256, 12))
    return train(model, x, (x[:, 0] > 0) + 2 * (x[:, 1] > 0), epochs=10)


def _adapted(of, adapt: bool):
    layer = of.Normalization()
    layer.build((None, 12)) if not adapt else layer.adapt(
        np.random.default_rng(0).normal(3, 2, (64, 12))
    )
    return layer


def _one_step(k, of, steps):
    return network(k, (steps, 12), of.LSTM(8), head(of))


def _attends(k, of, positions):
    x = k.Input((positions, 12))
    y = of.Flatten()(of.MultiHeadAttention(2, 4)(x, x))
    return k.Model(x, head(of)(y))


# A mistake, its severity, and its sound twin.
PAIRS = {
    "linear stack": (
        lambda k, of: network(k, (12,), of.Dense(24), of.Dense(24), of.Dense(24), head(of)),
        {"MA309": "low"},
        lambda k, of: network(k, (12,), *[of.Dense(24, activation="relu")] * 1, head(of)),
    ),
    "linear pair behind a ReLU": (
        lambda k, of: network(k, (12,), of.Dense(24, "relu"), of.Dense(24), head(of)),
        {"MA309": "low"},
        lambda k, of: network(k, (12,), of.Dense(24, "relu"), of.Dense(24, "gelu"), head(of)),
    ),
    "bare convolution": (
        lambda k, of: _images(
            k, of.Conv2D(8, 3), of.Conv2D(8, 3, activation="relu"), of.Flatten(), head(of)
        ),
        {"MA309": "low"},
        lambda k, of: _images(k, of.Conv2D(8, 3), of.Activation("relu"), of.Flatten(), head(of)),
    ),
    "bias before a normalization": (
        lambda k, of: network(k, (12,), of.Dense(24), of.BatchNormalization(), of.ReLU(), head(of)),
        {"MA326": "info"},
        lambda k, of: network(
            k, (12,), of.Dense(24, use_bias=False), of.BatchNormalization(), of.ReLU(), head(of)
        ),
    ),
    "stride beyond the window": (
        lambda k, of: _images(
            k, of.Conv2D(8, 2, strides=5, activation="relu"), of.Flatten(), head(of)
        ),
        {"MA304": "medium"},
        lambda k, of: _images(
            k, of.Conv2D(8, 4, strides=4, activation="relu"), of.Flatten(), head(of)
        ),
    ),
    "pooling to one pixel": (
        lambda k, of: _images(
            k,
            of.Conv2D(8, 3, padding="same", activation="relu"),
            of.MaxPooling2D(16),
            of.Conv2D(8, 3, padding="same", activation="relu"),
            of.Flatten(),
            head(of),
        ),
        {"MA316": "low"},
        lambda k, of: _images(
            k, of.Conv2D(8, 3, padding="same", activation="relu"), of.GlobalMaxPooling2D(), head(of)
        ),
    ),
    "one step": (
        lambda k, of: _one_step(k, of, 1),
        {"MA316": "low"},
        lambda k, of: _one_step(k, of, 6),
    ),
    "one position": (
        lambda k, of: _attends(k, of, 1),
        {"MA316": "medium"},
        lambda k, of: _attends(k, of, 6),
    ),
    "bottleneck": (
        lambda k, of: network(k, (12,), of.Dense(24, "relu"), of.Dense(1, "relu"), head(of)),
        {"MA312": "medium"},
        lambda k, of: network(k, (12,), of.Dense(24, "relu"), of.Dense(1, "sigmoid")),
    ),
    "softmax over the steps": (
        lambda k, of: network(
            k, (9, 12), of.Dense(24, "relu"), of.Dense(CLASSES), of.Softmax(axis=1)
        ),
        {"MA322": "low"},
        lambda k, of: network(k, (9, 12), of.Dense(24, "relu"), of.Dense(CLASSES), of.Softmax()),
    ),
    "where an answer starts and ends": (
        lambda k, of: network(
            k, (9, 12), of.Dense(24, "relu"), of.Dense(CLASSES), of.Softmax(axis=-2)
        ),
        {"MA322": "low"},
        lambda k, of: network(k, (9, 12), of.Dense(24, "relu"), of.Dense(2), of.Softmax(axis=1)),
    ),
    "channels first": (
        lambda k, of: network(
            k,
            (3, 32, 32),
            of.Conv2D(8, 3, padding="same", activation="relu"),
            of.Flatten(),
            head(of),
        ),
        {"MA311": "medium"},
        lambda k, of: network(
            k,
            (32, 32, 3),
            of.Conv2D(8, 3, padding="same", activation="relu"),
            of.Flatten(),
            head(of),
        ),
    ),
    "not adapted": (
        lambda k, of: network(k, (12,), _adapted(of, False), of.Dense(24, "relu"), head(of)),
        {"MA313": "medium"},
        lambda k, of: network(k, (12,), _adapted(of, True), of.Dense(24, "relu"), head(of)),
    ),
    "frozen head": (
        lambda k, of: _trained(k, "head", of),
        {"MA321": "medium"},
        lambda k, of: _trained(k, "", of),
    ),
    "class prior": (
        lambda k, of: _trained(k, "", of, k.regularizers.L2(3.0)),
        {"MA436": "low"},
        lambda k, of: _trained(k, "", of, k.regularizers.L2(1e-3)),
    ),
    "frozen body": (
        lambda k, of: _trained(k, "head", of),
        {"MA321": "medium"},
        lambda k, of: _trained(k, "body", of),
    ),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_mistakes_are_seen_in_exports_and_sound_twins_are_not(keras, kind, tmp_path) -> None:
    mistake, expected, twin = PAIRS[kind]
    for number, (build, wanted) in enumerate(((mistake, expected), (twin, {}))):
        keras.utils.set_random_seed(3)
        folder = tmp_path / str(number)
        folder.mkdir()
        assert found(exported(build(keras, keras.layers), folder)) == wanted


@pytest.mark.parametrize(("words", "expected"), [(80, "medium"), (50, None)])
def test_an_embedding_is_compared_with_the_vocabulary_beside_it(
    keras, words, expected, tmp_path
) -> None:
    of = keras.layers
    layers = [of.Embedding(50, 8), of.GlobalAveragePooling1D(), head(of)]
    model = network(keras, (9,), *layers, dtype="int32")
    (tmp_path / "vocab.txt").write_text("\n".join(f"word{n}" for n in range(words)))
    facts = exported(model, tmp_path)
    shown = graph_architecture(facts.artifact)
    assert [x.class_name for x in shown.layers if x.custom] == []
    assert found(facts).get("MA318") == expected


@pytest.mark.parametrize(("axis", "expected"), [(1, ["high"]), (2, [])])
def test_a_softmax_over_the_only_step_is_constant(keras, axis, expected, tmp_path) -> None:
    of = keras.layers
    layers = [of.Dense(24, "relu"), of.Dense(CLASSES), of.Softmax(axis=axis)]
    facts = exported(network(keras, (1, 12), *layers), tmp_path)
    findings = run_rule(rule("MA305"), facts).findings
    assert [each.severity.value for each in findings] == expected


def test_the_code_that_replaces_a_head_has_a_name_that_keras_takes(keras, tmp_path) -> None:
    of = keras.layers
    model = network(keras, (12,), of.Dense(24, "relu"), head(of, units=1))
    (seen,) = run_rule(rule("MA305"), exported(model, tmp_path)).findings
    code = seen.fix[seen.fix.index("keras.layers.Dense") :].splitlines()[0]
    layer = eval(code, {"keras": keras})
    assert layer.units == 1


@pytest.mark.parametrize("ring", [False, True])
def test_graphs_of_any_depth_and_rings_are_read(ring) -> None:
    """Thousands of convolutions of one pixel in a row, and one that takes its own result."""
    window = {"value": {"dtype": "float32", "shape": [1, 1, 3, 3]}}
    nodes = [GraphNode("x", "Placeholder", ()), GraphNode("w", "Const", (), window)]
    names = [f"conv{n}" for n in range(2900)]
    before = [names[-1] if ring else "x", *names]
    nodes += [GraphNode(n, "Conv2D", (b, "w")) for n, b in zip(names, before, strict=False)]
    tensor = examples.tensor("w", (1, 1, 3, 3))
    output = Endpoint("y", f"{names[-1]}:0", "float32", (None, 8, 8, 3))
    signature = Signature("serving_default", "", (), (output,), ("serve",))
    kernel = Kernel("w", "w", "conv", "hwio", 2, (1, 1, 3, 3), None, (1, 1), (1, 1), "same")
    artifact = replace(
        examples.model(tensors=(tensor,)),
        architecture=None,
        format=Format.SAVEDMODEL_TF1,
        graphs=(Graph(("serve",), tuple(nodes)),),
        signatures=(signature,),
        kernels=(kernel,),
    )
    shown = graph_architecture(artifact)
    assert ring or len(shown.layers) == 2901
    for code in RULES:
        assert run_rule(rule(code), Facts(artifact)).outcome.value != "error"


def _signed(nodes, tensors=(), kernels=(), functions=None, end="y:0"):
    """A SavedModel of these operations."""
    signature = Signature(
        "serving_default", "", (), (Endpoint("y", end, "float32", (None, 2)),), ("serve",)
    )
    return replace(
        examples.model(tensors=tuple(tensors)),
        architecture=None,
        format=Format.SAVEDMODEL_TF1,
        graphs=(Graph(("serve",), tuple(nodes), functions or {}),),
        signatures=(signature,),
        kernels=tuple(kernels),
    )


X = GraphNode("x", "Placeholder", ())


def _number(name, value):
    held = {"dtype": "float32", "shape": [], "value": [value]}
    return GraphNode(name, "Const", (), {"value": held})


def _range(end, step):
    numbers = [_number("a", 0.0), _number("b", end), _number("c", step)]
    return [
        X,
        *numbers,
        GraphNode("r", "Range", ("a", "b", "c")),
        GraphNode("y", "Mean", ("x", "r")),
    ]


def _product(op="MatMul", **attributes):
    value = {"value": {"dtype": "float32", "shape": []}}
    return [X, GraphNode("w", "Const", (), value), GraphNode("y", op, ("x", "w"), attributes)]


FORGED = {
    "endless": _range(math.inf, 1.0),
    "no number": _range(math.nan, 1.0),
    "tiny steps": _range(1.0, 5e-324),
    "scalar": _product(),
    "shapes": _product("_FusedMatMul", fused_ops=[[1, 2], {"function": "f"}]),
}


@pytest.mark.parametrize("kind", FORGED)
def test_forged_operations_end_no_rule(kind) -> None:
    kernels = [Kernel("w", "w", "dense", "io", 0, (), None, (), (), "")]
    artifact = _signed(FORGED[kind], [examples.tensor("w", ())], kernels)
    for code in RULES:
        assert run_rule(rule(code), Facts(artifact)).outcome.value != "error"


def test_functions_that_call_each_other_twice_are_read_in_linear_time() -> None:
    """Eleven functions, each of which calls the one before twice, make 2,048 layers."""
    inner = (GraphNode("s/n", "Relu", ("i",)),)
    functions = {"f0": GraphFunction("f0", ("i",), inner, {"o": "s/n:activations:0"})}
    for level in range(1, 12):
        called = {"f": {"function": f"f{level - 1}"}}
        calls = [
            GraphNode(name, "PartitionedCall", (given,), called)
            for name, given in (("c1", "i"), ("c2", "c1:output:0"))
        ]
        functions[f"f{level}"] = GraphFunction(
            f"f{level}", ("i",), tuple(calls), {"o": "c2:output:0"}
        )
    main = [X, GraphNode("y", "PartitionedCall", ("x",), {"f": {"function": "f11"}})]
    artifact = _signed(main, functions=functions)
    start = time.process_time()
    shown = graph_architecture(artifact)
    taken = time.process_time() - start
    assert shown is not None
    assert len({each.route for each in shown.layers}) == len(shown.layers) == 2049
    assert taken < 2.5  # 4.9 s where each name was made by trying all before it


@pytest.mark.parametrize(
    ("fused", "activation"),
    [(["BiasAdd"], "linear"), (["BiasAdd", "Relu"], "relu"), (["BiasAdd", "Prelu"], None)],
)
def test_what_a_converter_fuses_into_a_product_is_its_activation(fused, activation) -> None:
    """As TensorFlow.js writes graphs; what is no layer of Keras is not taken for a linear one."""
    shapes = {"k": (4, 3), "b": (3,), "k2": (3, 2), "b2": (2,)}
    nodes = [GraphNode("x", "Placeholder", ())]
    nodes += [
        GraphNode(name, "Const", (), {"value": {"dtype": "float32", "shape": [*shape]}})
        for name, shape in shapes.items()
    ]
    one, two = {"fused_ops": fused}, {"fused_ops": ["BiasAdd"]}
    nodes.append(GraphNode("d", "_FusedMatMul", ("x", "k", "b"), one))
    nodes.append(GraphNode("e", "_FusedMatMul", ("d", "k2", "b2"), two))
    signature = Signature(
        "serving_default", "", (), (Endpoint("y", "e:0", "float32", (None, 2)),), ("serve",)
    )
    artifact = replace(
        examples.model(tensors=tuple(examples.tensor(n, s) for n, s in shapes.items())),
        architecture=None,
        format=Format.SAVEDMODEL_TF1,
        graphs=(Graph(("serve",), tuple(nodes)),),
        signatures=(signature,),
        kernels=tuple(
            Kernel(n, n, "dense", "io", 0, shapes[n], None, (), (), "") for n in ("k", "k2")
        ),
    )
    layers = {each.class_name: each for each in graph_architecture(artifact).layers}
    shown = [x for x in graph_architecture(artifact).layers if x.class_name == "Dense"]
    told = [each.config.get("activation") for each in shown]
    assert told == ([activation, "linear"] if activation else ["linear"])
    assert (len(layers) > 0) and all(each.config["use_bias"] for each in shown)
    linear = run_rule(rule("MA309"), Facts(artifact)).findings
    assert bool(linear) == (activation == "linear")


def test_what_a_graph_cannot_show_is_no_pass(keras, tmp_path) -> None:
    """Dropout is in no graph for inference, and an operation of one's own is no layer of Keras."""
    of = keras.layers
    sums = of.Lambda(lambda x: keras.ops.cumsum(x, axis=-1))
    layers = [of.Dense(24, "relu"), of.Dropout(0.99), sums, head(of)]
    facts = exported(network(keras, (12,), *layers), tmp_path)
    for code, said in (
        ("MA310", "does not show dropout"),
        ("MA309", "no layers of Keras (Cumsum)"),
    ):
        result = run_rule(rule(code), facts)
        assert result.outcome.value == "not-applicable"
        assert said in result.reason


@pytest.mark.parametrize(("factor", "expected"), [(3.0, "high"), (1e-3, None)])
def test_a_penalty_that_leaves_the_class_prior_is_certain(
    keras, factor, expected, tmp_path
) -> None:
    """With the config, the penalty is known; with a small one, the head learns."""
    keras.utils.set_random_seed(4)
    model = _trained(keras, "", keras.layers, keras.regularizers.L2(factor))
    model.save(tmp_path / "model.keras")
    facts = static_facts(tmp_path / "model.keras", Settings())
    assert found(facts).get("MA436") == expected


def test_frozen_features_are_told_how_to_learn(keras, tmp_path) -> None:
    """Not to load weights again: no file has any for them."""
    keras.utils.set_random_seed(5)
    model = _trained(keras, "body", keras.layers)
    model.save(tmp_path / "model.keras")
    findings = run_rule(rule("MA405"), static_facts(tmp_path / "model.keras", Settings())).findings
    assert [each.severity.value for each in findings] == ["info"]
    assert "model.trainable = True" in findings[0].fix
