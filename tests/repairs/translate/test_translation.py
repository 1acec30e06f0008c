"""Translations of configs: what changes, what stays, and what is refused."""

from __future__ import annotations

import base64
import json
import marshal
from typing import Any

import pytest

from modelaudit.repairs.translate.to_keras2 import to_keras2
from modelaudit.repairs.translate.to_keras3 import to_keras3
from modelaudit.repairs.translate.translation import Untranslatable
from modelaudit.runtimes.checks.silent_differences import UNSALTED
from tests.repairs.translate.configs import (
    KERAS_2,
    KERAS_3,
    at,
    dense,
    functional,
    input2,
    layers_of,
    node,
    sequential,
    tensor3,
    translation,
)


def test_an_argument_without_effect_is_left_out_and_said() -> None:
    state = translation(KERAS_3, KERAS_2)
    depthwise = {"name": "d", "kernel_size": [3, 3], "groups": 1}
    layer = {"class_name": "DepthwiseConv2D", "config": depthwise}
    new = layers_of(to_keras3(sequential(input2(8, 8, 3), layer), state))[1]
    assert "groups" not in new["config"]
    assert [each.what for each in state.changes() if each.route == "d"] == [
        "left out groups of DepthwiseConv2D, which had no effect"
    ]


def test_an_argument_with_an_effect_is_refused() -> None:
    layer = {"class_name": "DepthwiseConv2D", "config": {"name": "d", "groups": 2}}
    with pytest.raises(Untranslatable, match="no argument groups"):
        to_keras3(sequential(input2(8, 8, 4), layer), translation(KERAS_3, KERAS_2))


def test_equal_changes_of_several_layers_are_one() -> None:
    state = translation(KERAS_3, KERAS_2)
    layers = [
        dense(f"d{i}", kernel_initializer={"class_name": "Other", "config": {}}) for i in "ab"
    ]
    to_keras3(sequential(input2(3), *layers), state)
    found = [(each.route, each.count) for each in state.changes() if "Other" in each.what]
    assert found == [("da", 2)]


def test_the_first_layer_of_a_sequential_model_gives_its_input() -> None:
    model = sequential(dense(batch_input_shape=[None, 4]))
    first, second = layers_of(to_keras3(model, translation(KERAS_3, "tf==1.15")))
    assert (first["class_name"], first["config"]["batch_shape"]) == ("InputLayer", [None, 4])
    assert "batch_input_shape" not in second["config"]


def test_calls_of_an_inner_model_are_counted_from_0_in_keras_3_and_from_1_in_keras_2() -> None:
    inner = {**sequential(input2(3), dense()), "config": {"name": "inner"}}
    inner["config"] = {"name": "inner", "layers": [input2(3), dense()]}
    model = functional(
        at(input2(3), *()),
        at(inner, [node("input_1")]),
        at(dense("last"), [node("inner", 1)]),
        output="last",
    )
    new = to_keras3(model, translation(KERAS_3, KERAS_2))
    tensor = layers_of(new)[2]["inbound_nodes"][0]["args"][0]
    assert tensor["config"]["keras_history"] == ["inner", 0, 0]
    back = to_keras2(new, translation(KERAS_2, KERAS_3))
    assert layers_of(back)[2]["inbound_nodes"] == [[["inner", 1, 0, {}]]]


def test_training_true_is_refused_for_keras_3() -> None:
    dropout = {"class_name": "Dropout", "config": {"name": "drop", "rate": 0.5}}
    model = functional(at(input2(3)), at(dropout, [node("input_1", training=True)]), output="drop")
    with pytest.raises(Untranslatable, match="training=True"):
        to_keras3(model, translation(KERAS_3, KERAS_2))


def test_classes_that_keras_does_not_have_are_refused() -> None:
    layer = {"class_name": "Mine", "config": {"name": "mine"}}
    with pytest.raises(Untranslatable, match=r"Mine is not a layer of .* its code is not in the"):
        to_keras3(sequential(input2(3), layer), translation(KERAS_3, KERAS_2))
    removed = {"class_name": "DenseFeatures", "config": {"name": "removed"}}
    with pytest.raises(Untranslatable, match=r"DenseFeatures is not a layer of tf==2.21.0$"):
        to_keras3(sequential(input2(3), removed), translation(KERAS_3, KERAS_2))


def test_hard_sigmoid_gets_the_slope_of_the_other_generation() -> None:
    model = sequential(input2(3), dense(activation="hard_sigmoid"))
    there = layers_of(to_keras3(model, translation(KERAS_3, KERAS_2)))[1:]
    assert [layer["class_name"] for layer in there] == ["Dense", "Rescaling", "Activation"]
    assert there[1]["config"]["scale"] == pytest.approx(0.2 / (1 / 6))
    same = layers_of(to_keras2(model, translation("tf-keras==2.21", KERAS_2)))[1:]
    assert [layer["class_name"] for layer in same] == ["Dense"]


def test_a_slash_in_a_name_is_replaced_wherever_the_name_is() -> None:
    state = translation(KERAS_3, KERAS_2)
    model = functional(
        at(input2(3)),
        at(dense("a/b"), [node("input_1")]),
        at(dense("c"), [node("a/b")]),
        output="c",
    )
    new = layers_of(to_keras3(model, state))
    assert [layer["name"] for layer in new] == ["input_1", "a_b", "c"]
    assert new[2]["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] == "a_b"
    assert state.renamed == {"a/b": "a_b"}


def test_a_list_of_layers_gets_a_name() -> None:
    model = {"class_name": "Sequential", "config": [dense(batch_input_shape=[None, 4])]}
    new = to_keras3(model, translation(KERAS_3, "tf==1.15"))
    assert new["config"]["name"] == "sequential"
    assert [each["class_name"] for each in layers_of(new)] == ["InputLayer", "Dense"]


def test_trainable_is_left_out_of_layers_that_do_not_take_it() -> None:
    """They have no weights; `trainable` of others stays."""
    dropout = {"name": "s", "trainable": False, "dtype": "float32", "rate": 0.1}
    model = sequential(
        input2(8, 3), {"class_name": "SpatialDropout1D", "config": dropout}, dense(trainable=False)
    )
    _, new, kept = layers_of(to_keras3(model, translation(KERAS_3, KERAS_2)))
    assert new["config"] == {"name": "s", "dtype": "float32", "rate": 0.1}
    assert kept["config"]["trainable"] is False


@pytest.mark.parametrize("method", ["floormod", "farmhash"])
def test_only_the_remainder_of_whole_numbers_is_the_default_of_lookups(method: str) -> None:
    lookup = {"name": "l", "vocabulary": [3, 5], "num_oov_indices": 2, "oov_method": method}
    model = sequential(input2(2), {"class_name": "IntegerLookup", "config": lookup})
    if method == "floormod":
        new = layers_of(to_keras2(model, translation(KERAS_2, KERAS_3)))[1]
        assert "oov_method" not in new["config"]
    else:
        with pytest.raises(Untranslatable, match="no argument oov_method"):
            to_keras2(model, translation(KERAS_2, KERAS_3))


def test_inputs_that_keras_3_states_by_keyword_are_found_by_name() -> None:
    config = {"name": "mha", "trainable": True, "num_heads": 2, "key_dim": 2}
    called = {"value": tensor3("dense"), "query": tensor3("input_1")}
    inputs = {"batch_shape": [None, 5, 4], "dtype": "float32", "name": "input_1"}
    model = functional(
        at({"class_name": "InputLayer", "config": inputs}),
        at(dense(), {"args": [tensor3("input_1")], "kwargs": {}}),
        at({"class_name": "MultiHeadAttention", "config": config}, {"args": [], "kwargs": called}),
        output="mha",
    )
    new = layers_of(to_keras2(model, translation(KERAS_2, KERAS_3)))[2]
    assert new["inbound_nodes"] == [[node("input_1", value=["dense", 0, 0])]]


@pytest.mark.parametrize(("writer", "kept"), [("tf-keras==2.21", True), ("tf==2.21", False)])
def test_training_in_a_call_stays_where_the_writer_obeys_it(writer: str, kept: bool) -> None:
    state = translation(KERAS_2, writer)
    dropout = {"class_name": "Dropout", "config": {"name": "drop", "rate": 0.5}}
    model = functional(at(input2(3)), at(dropout, [node("input_1", training=True)]), output="drop")
    (call,) = layers_of(to_keras2(model, state))[1]["inbound_nodes"]
    assert call == [["input_1", 0, 0, {"training": True} if kept else {}]]
    assert any("training=True" in each.what for each in state.changes()) is not kept


@pytest.mark.parametrize(
    ("writer", "widths", "refused"),
    [("tf==2.18", (4, 1), True), ("tf==2.18", (1, 4), False), ("tf==2.18", (4, 4), False)]
    + [("tf==2.16", (4, 1), False)],
)
@pytest.mark.parametrize("target", [KERAS_2, "tf==2.16"])
def test_a_column_that_only_the_writer_adds_along_the_wrong_axis(
    writer: str, widths: tuple[int, int], refused: bool, target: str
) -> None:
    """Keras 3.4 and later add (n, n) + (n, 1) as if the column were a row."""
    inputs = {"batch_shape": [None, 4], "dtype": "float32", "name": "input_1"}
    called = {"args": [[tensor3("a", widths[0]), tensor3("b", widths[1])]], "kwargs": {}}
    parts = [
        at(dense(name, units=width), {"args": [tensor3("input_1", 4)], "kwargs": {}})
        for name, width in zip("ab", widths, strict=True)
    ]
    added = {"class_name": "Add", "config": {"name": "add", "trainable": True}}
    model = functional(
        at({"class_name": "InputLayer", "config": inputs}), *parts, at(added, called), output="add"
    )
    state = translation(target, writer)
    translate = to_keras3 if state.target.keras3 else to_keras2
    if refused:
        with pytest.raises(Untranslatable, match="adds a column to rows"):
            translate(model, state)
    else:
        assert layers_of(translate(model, state))[3]["class_name"] == "Add"


def test_a_lambda_before_a_sequential_model_that_states_its_shape_in_its_first_layer() -> None:
    """Keras up to 2.3 lists no InputLayer."""
    function, *_ = compile("lambda x: K.square(x)", "", "eval").co_consts
    code = base64.b64encode(marshal.dumps(function)).decode()
    squared = {"name": "l", "batch_input_shape": [None, 3], "function": [code, None, None]}
    model = sequential({"class_name": "Lambda", "config": squared}, dense())
    new = to_keras3(model, translation(KERAS_3, "tf==1.15"))
    assert new["class_name"] == "Functional"
    assert [each["class_name"] for each in layers_of(new)] == ["InputLayer", "Square", "Dense"]


@pytest.mark.parametrize(
    ("target", "writer", "slopes"),
    [(KERAS_3, KERAS_2, ("alpha", "alpha")), (KERAS_2, KERAS_3, ("negative_slope", "alpha"))],
)
def test_a_layer_as_an_activation_is_translated_as_a_layer(
    target: str, writer: str, slopes: tuple[str, str]
) -> None:
    """As of `Dense(2, activation=LeakyReLU(0.1))`; Keras 3 knows both names of the slope."""
    old, new = slopes
    leaky = {"class_name": "LeakyReLU", "config": {"name": "l", "dtype": "float32", old: 0.1}}
    model, state = sequential(input2(3), dense(activation=leaky)), translation(target, writer)
    translated = to_keras3(model, state) if target == KERAS_3 else to_keras2(model, state)
    activation = layers_of(translated)[1]["config"]["activation"]
    assert (activation["class_name"], activation["config"][new]) == ("LeakyReLU", 0.1)
    assert activation.get("module") == ("keras.layers" if target == KERAS_3 else None)


def test_a_layer_as_an_activation_becomes_a_layer_where_none_can_be_one() -> None:
    """Keras 3 before 3.10 refuses them."""
    leaky = {"class_name": "LeakyReLU", "config": {"name": "l", "dtype": "float32", "alpha": 0.1}}
    state = translation("tf==2.18", KERAS_2)
    _, first, then = layers_of(to_keras3(sequential(input2(3), dense(activation=leaky)), state))
    assert (first["config"]["name"], first["config"]["activation"]) == ("dense", "linear")
    assert (then["class_name"], then["config"]["name"]) == ("LeakyReLU", "dense_activation")
    gates = {"name": "r", "activation": leaky, "recurrent_activation": "sigmoid"}
    lstm = {"class_name": "LSTM", "config": gates}
    with pytest.raises(Untranslatable, match="takes no layer as an activation"):
        to_keras3(sequential(input2(3, 2), lstm), state)


def test_the_name_that_tensorflow_has_of_an_activation() -> None:
    model = sequential(input2(3), dense(activation="log_softmax_v2"))
    (_, layer) = layers_of(to_keras3(model, translation(KERAS_3, "tf==2.6")))
    assert layer["config"]["activation"] == "log_softmax"
    own = sequential(input2(3), dense(activation="swish_v2"))  # somebody's, not Keras' swish
    with pytest.raises(Untranslatable, match="swish_v2"):
        to_keras3(own, translation(KERAS_3, "tf==2.6"))


@pytest.mark.parametrize("target", [KERAS_2, KERAS_3])
def test_a_salt_that_was_not_used_is_taken_out(target: str) -> None:
    hashing = {"class_name": "Hashing", "config": {"name": "h", "num_bins": 4, "salt": UNSALTED}}
    state = translation(target, "tf==2.4")
    model = sequential(input2(1), hashing)
    translated = to_keras3(model, state) if target == KERAS_3 else to_keras2(model, state)
    assert layers_of(translated)[1]["config"]["salt"] is None


@pytest.mark.parametrize("target", [KERAS_2, KERAS_3])
@pytest.mark.parametrize(
    ("kind", "more", "words"),
    [
        ("TextVectorization", {"output_mode": "int"}, ["", "[UNK]", "red"]),
        ("IntegerLookup", {}, [-1, 7]),
        ("TextVectorization", {"output_mode": "tf_idf"}, None),
        ("StringLookup", {"vocabulary": ["a"]}, ["a"]),
    ],
)
def test_words_beside_the_config_are_written_into_it(
    target: str, kind: str, more: dict[str, Any], words: list[Any] | None
) -> None:
    layer = {"class_name": kind, "config": {"name": "v", "vocabulary": None, **more}}
    state = translation(target, KERAS_3 if target == KERAS_2 else KERAS_2)
    state.words = {"v": ("-1", "7") if kind == "IntegerLookup" else ("", "[UNK]", "red")}
    model = sequential(input2(1), layer)
    translated = to_keras3(model, state) if target == KERAS_3 else to_keras2(model, state)
    assert layers_of(translated)[1]["config"].get("vocabulary") == words


def test_integers_that_are_none() -> None:
    state = translation(KERAS_2, KERAS_3)
    state.words = {"v": ("one",)}
    with pytest.raises(Untranslatable, match="integers"):
        to_keras2(sequential({"class_name": "IntegerLookup", "config": {"name": "v"}}), state)


@pytest.mark.slow
def test_an_attention_is_not_built_for_its_mask() -> None:
    """A mask for each head has an axis more: Keras 2 has the weights that Keras 3 has."""
    import keras

    tf_keras = pytest.importorskip("tf_keras")
    x, mask = keras.Input((7, 8), name="x"), keras.Input((2, 7, 7), dtype="bool", name="mask")
    layer = keras.layers.MultiHeadAttention(2, 4, name="mha")
    live = keras.Model([x, mask], layer(x, x, attention_mask=mask))
    new = to_keras2(json.loads(live.to_json()), translation(KERAS_2, KERAS_3))
    loaded = tf_keras.models.model_from_json(json.dumps(new)).get_layer("mha")
    found = sorted(tuple(weight.shape) for weight in loaded.weights)
    assert found == sorted(tuple(weight.shape) for weight in layer.weights)
