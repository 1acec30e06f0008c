"""Settings in keras_metadata.pb that the graph beside it does not have."""

from __future__ import annotations

import pytest

from modelaudit.facts import Graph, GraphFunction, GraphNode
from modelaudit.formats.graph.absent_settings import absent_settings
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.saved_model.reader import read_saved_model
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Limits
from modelaudit.structs import replace


def layer(class_name, **config):
    return replace(examples.layer("x"), class_name=class_name, config=config, custom=False)


def graph(*nodes):
    return Graph(("serve",), (), {"call": GraphFunction("call", (), nodes)})


def node(op, **attrs):
    return GraphNode(op, op, (), attrs)


def constant(value):
    return node("Const", value={"dtype": "float32", "shape": [], "value": value})


def fields(a_layer, *nodes):
    return [each["field"] for each in absent_settings([a_layer], graph(*nodes))]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ((node("FusedBatchNormV3", epsilon=0.001),), []),
        ((node("Rsqrt"), constant(0.0010000000474974513)), []),
        ((node("Rsqrt"), constant(0.0009765625)), ["epsilon"]),  # 2 % off
        ((node("FusedBatchNormV3", epsilon=0.3),), ["epsilon"]),
        ((node("FusedBatchNormV3"),), ["epsilon"]),  # 0.0001, which savers leave out
        ((node("Relu"),), []),  # no traces of the layers
        ((), []),
    ],
)
def test_epsilon(nodes, expected):
    assert fields(layer("BatchNormalization", epsilon=0.001), *nodes) == expected


def test_other_epsilons_are_not_compared():
    assert fields(layer("Mystery", epsilon=0.001), node("Rsqrt")) == []
    custom = replace(layer("LayerNormalization", epsilon=0.001), custom=True)
    assert fields(custom, node("Rsqrt")) == []


def test_activations():
    assert fields(layer("Dense", activation="relu"), node("Relu")) == []
    assert fields(layer("Dense", activation="relu"), node("Tanh")) == ["activation"]
    assert fields(layer("Dense", activation="softmax"), node("Exp"), node("Relu")) == []
    lstm = layer("LSTM", activation="tanh", recurrent_activation="sigmoid")
    assert fields(lstm, node("Tanh")) == ["recurrent_activation"]
    assert fields(lstm) == []
    assert fields(layer("Dense", activation="linear"), node("Tanh")) == []
    assert fields(layer("Dense", activation={"class_name": "mine"}), node("Tanh")) == []
    # Said once: by the operations behind its kernel, not by those of other layers.
    relus = graph(node("Relu"))
    dense = layer("Dense", activation="sigmoid")
    assert absent_settings([dense], relus, {"x"}) == []
    (told,) = absent_settings([dense], relus)
    found = replace(examples.healthy(), artifact=examples.model(extra={"config_differs": [told]}))
    (finding,) = run_rule(rule("MA414"), found).findings
    assert "but relu in the operations of the graph" in finding.detail


def test_functions_are_those_that_keras_names_by_the_layer():
    """Whatever letters its name has, and also what they call, once or in a ring."""
    call = "__inference_a_layer_call_b_layer_call_and_return_conditional_losses_7"
    functions = {
        call: [
            node("PartitionedCall", f={"function": "inner"}),
            node("Mine", g={"function": "deep"}),
        ],
        "inner": [node("Tanh"), node("PartitionedCall", f={"function": call})],
        "deep": [node("Elu")],
        "__inference_c.d_layer_call_fn_1": [node("Relu")],
        "__inference_cxd_layer_call_fn_1": [node("Sigmoid")],
        "__inference_c.d_layer_call_fn_1_more": [node("Selu")],
        "inference_c.d_layer_call_fn_1": [node("Selu")],
    }
    all_of_them = Graph(
        ("serve",),
        (),
        {name: GraphFunction(name, (), (*nodes,)) for name, nodes in functions.items()},
    )

    def said(name, activation):
        of = replace(layer("Dense", activation=activation), name=name)
        return [each["graph"] for each in absent_settings([of], all_of_them)]

    for name in ("a", "a_layer_call_b"):
        assert said(name, "tanh") == said(name, "elu") == []
        assert said(name, "relu") == [["elu", "tanh"]]
    assert said("c.d", "relu") == said("cxd", "sigmoid") == []
    assert said("c.d", "selu") == [["relu"]]
    assert said("other", "selu") == []  # no function has its name: it is looked for in all


def test_pooling():
    pool = node("MaxPool", ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], data_format="NHWC")
    first = node("MaxPool", ksize=[1, 1, 2, 2], strides=[1, 1, 2, 2], data_format="NCHW")
    flat = node("AvgPool", ksize=[1, 3, 1, 1], strides=[1, 2, 1, 1], data_format="NHWC")
    sound = layer("MaxPooling2D", pool_size=[2, 2], strides=[2, 2])
    assert fields(sound, pool) == fields(sound, first) == fields(sound, flat) == []
    edited = layer("MaxPooling2D", pool_size=[2, 2], strides=[1, 1])
    assert fields(edited, pool) == ["pool_size and strides"]
    assert fields(layer("AveragePooling1D", pool_size=[3], strides=[2]), flat) == []
    assert fields(layer("AveragePooling1D", pool_size=[3], strides=[3]), flat) != []


@pytest.mark.slow
def test_an_edited_keras_metadata(tmp_path):
    import tf_keras

    of = tf_keras.layers
    image = tf_keras.Input((8, 8, 3))
    x = of.BatchNormalization()(of.Conv2D(4, 3, activation="relu")(image))
    x = of.LayerNormalization(epsilon=0.002)(of.MaxPooling2D()(x))
    x = of.GroupNormalization(2, epsilon=0.004)(x)
    x = of.GRU(5)(of.Reshape((9, 4))(x))
    model = tf_keras.Model(image, of.Dense(3, activation="softmax")(x))
    model.save(tmp_path / "model")
    assert read_saved_model(tmp_path / "model", Limits()).extra["config_differs"] == []

    file = tmp_path / "model" / "keras_metadata.pb"
    content = file.read_bytes()
    strides = '"strides": {"class_name": "__tuple__", "items": [2, 2]}'
    for old, new, field in (
        ('"epsilon": 0.001', '"epsilon": 0.3', "epsilon"),
        ('"epsilon": 0.002', '"epsilon": 0.001953125', "epsilon"),
        ('"epsilon": 0.004', '"epsilon": 0.5', "epsilon"),
        (strides, strides.replace("2, 2", "1, 1"), "pool_size and strides"),
        ('"recurrent_activation": "sigmoid"', '"recurrent_activation": "elu"', None),
    ):
        message = pb.KerasMetadata.FromString(content)
        assert any(old in each.metadata for each in message.nodes)
        for each in message.nodes:
            each.metadata = each.metadata.replace(old, new)
        file.write_bytes(message.SerializeToString())
        differs = read_saved_model(tmp_path / "model", Limits()).extra["config_differs"]
        assert {each["field"] for each in differs} == {field or "recurrent_activation"}


def test_the_default_epsilon_of_the_operation_is_not_saved():
    assert fields(layer("BatchNormalization", epsilon=1e-4), node("FusedBatchNormV3")) == []


@pytest.mark.slow
def test_what_fills_up_the_blocks_of_a_dilated_convolution_is_no_padding(tmp_path):
    """Where a map is no multiple of the dilation, TensorFlow adds positions and cuts them off."""
    import tf_keras

    of = tf_keras.layers
    line, image = tf_keras.Input((11, 2)), tf_keras.Input((11, 14, 2))
    causal = of.Conv1D(3, 3, dilation_rate=4, padding="causal")
    inner = of.Conv1D(3, 3, dilation_rate=4, padding="valid")
    equal = of.Conv1D(3, 3, dilation_rate=4, padding="same")
    plane = of.Conv2D(3, 3, dilation_rate=(3, 4), padding="valid")
    around = of.Conv2D(3, 3, dilation_rate=(3, 4), padding="same")
    ends = [each(line) for each in (causal, inner, equal)] + [
        each(image) for each in (plane, around)
    ]
    tf_keras.Model([line, image], ends).save(tmp_path / "model")
    assert read_saved_model(tmp_path / "model", Limits()).extra["config_differs"] == []
    assert b"SpaceToBatchND" in (tmp_path / "model" / "saved_model.pb").read_bytes()

    file = tmp_path / "model" / "keras_metadata.pb"
    content = file.read_bytes()
    for old, new in (("causal", "same"), ("valid", "same"), ("same", "valid")):
        message = pb.KerasMetadata.FromString(content)
        for each in message.nodes:
            each.metadata = each.metadata.replace(f'"padding": "{old}"', f'"padding": "{new}"')
        file.write_bytes(message.SerializeToString())
        differs = read_saved_model(tmp_path / "model", Limits()).extra["config_differs"]
        assert {(each["config"], each["graph"]) for each in differs} == {(new, _done(old))}


def _done(padding):
    """How the graph pads: a causal convolution by an operation of its own before it."""
    return "valid" if padding == "causal" else padding
