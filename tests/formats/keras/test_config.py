"""Configs of every Keras version."""

from __future__ import annotations

import pytest

from modelaudit.errors import ReadError
from modelaudit.facts import Json
from tests.made.keras_configs import (
    functional,
    input_layer,
    keras3_model,
    layer,
    nested_model,
    parse,
    shared_model,
)


def test_keras_3_nodes_and_saved_shapes() -> None:
    model = parse(keras3_model())
    assert model.dialect == "keras3"
    assert (model.inputs, model.outputs) == (("x",), ("double",))
    mystery, dense, double = model.layers[1:]
    assert mystery.custom
    assert not double.custom
    assert mystery.call_kwargs == ({"training": True},)
    # The output shape of the unknown class comes from the tensor that Keras 3 saved.
    assert mystery.output_shape == (None, 6)
    assert dense.expected == {"kernel": (6, 3), "bias": (3,)}
    assert double.inbound == (("dense",),)
    assert double.output_shape == (None, 3)


def test_a_shared_layer_is_one_layer_with_two_calls() -> None:
    model = parse(shared_model())
    assert [each.route for each in model.layers] == ["x", "shared", "relu", "last"]
    assert model.layer("shared").inbound == (("x",), ("relu",))


@pytest.mark.parametrize("first_call", [0, 1])
def test_calls_of_nested_models_are_numbered_from_0_or_1(first_call: int) -> None:
    model = parse(nested_model(first_call))
    routes = [each.route for each in model.layers]
    assert routes == ["a", "b", "inner", "inner/i", "inner/dense", "add"]
    assert model.layer("inner").is_model
    assert model.layer("inner/dense").config_route == "config/layers/2/config/layers/1"
    assert model.layer("add").inbound == (("inner", "inner"),)
    assert model.layer("add").output_shape == (None, 3)


def test_execution_order_is_not_the_order_of_the_file() -> None:
    config = functional(
        [
            layer("Dense", "second", units=2, inbound=[[["first", 0, 0, {}]]]),
            layer("Dense", "first", units=3, inbound=[[["x", 0, 0, {}]]]),
            input_layer("x", 4),
        ],
        [["x", 0, 0]],
        [["second", 0, 0]],
    )
    model = parse(config)
    assert [each.route for each in model.layers] == ["x", "first", "second"]
    assert model.layer("second").output_shape == (None, 2)


def test_keyword_tensors_and_constants_of_keras_2() -> None:
    heads: dict[str, Json] = {"num_heads": 2, "key_dim": 3}
    config = functional(
        [
            input_layer("x", 4, 6),
            input_layer("y", 5, 7),
            layer(
                "MultiHeadAttention",
                "heads",
                inbound=[[["x", 0, 0, {"value": ["y", 0, 0]}]]],
                **heads,
            ),
            layer(
                "TFOpLambda",
                "tf.add",
                function="math.add",
                inbound=[["_CONSTANT_VALUE", -1, 3.0, {"y": ["heads", 0, 0]}]],
            ),
        ],
        {"x": ["x", 0, 0], "y": ["y", 0, 0]},
        [["tf.add", 0, 0]],
    )
    model = parse(config)
    attention = model.layer("heads")
    assert attention.inbound == (("x", "y"),)
    assert attention.expected["value/kernel"] == (7, 2, 3)
    assert model.layer("tf.add").output_shape == (None, 4, 6)


def test_tuples_of_saved_model_metadata() -> None:
    shape: dict[str, Json] = {"class_name": "TensorShape", "items": [None, 9, 9, 1]}
    size: dict[str, Json] = {"class_name": "__tuple__", "items": [3, 3]}
    conv = layer("Conv2D", "conv", filters=2, kernel_size=size, batch_input_shape=shape)
    model = parse({"class_name": "Sequential", "config": {"name": "s", "layers": [conv]}})
    assert model.layer("conv").output_shape == (None, 7, 7, 2)
    assert model.layer("conv").config["kernel_size"] == [3, 3]


def test_keras_1_branches_merged_at_the_head_of_a_sequential() -> None:
    def branch(name: str, units: int) -> dict[str, Json]:
        dense = layer("Dense", f"dense_{name}", output_dim=units, batch_input_shape=[None, 4])
        return {"class_name": "Sequential", "config": [dense]}

    branches: list[Json] = [branch("a", 2), branch("b", 3)]
    merge = layer("Merge", "merge", mode="concat", concat_axis=-1, layers=branches)
    last = layer("Dense", "last", output_dim=1)
    model = parse({"class_name": "Sequential", "config": [merge, last]})
    assert model.dialect == "keras1"
    assert model.layer("merge").output_shape == (None, 5)
    assert model.layer("last").expected["kernel"] == (5, 1)
    assert model.layer("merge/sequential/dense_a").config_route == (
        "config/0/config/layers/0/config/0"
    )


def test_a_merge_that_keras_2_1_wrote_is_no_keras_1() -> None:
    branch = layer("Dense", "branch", units=2, batch_input_shape=[None, 4])
    merge = layer("Merge", "merge", mode="concat", concat_axis=-1, layers=[branch])
    last = layer("Dense", "last", units=1)
    assert parse({"class_name": "Sequential", "config": [merge, last]}).dialect == "keras2"


def test_wrapped_layers_are_separate_layers() -> None:
    lstm = layer("LSTM", "lstm", units=3, return_sequences=True)
    dense = layer("Dense", "inner", units=2)
    model = parse(
        {
            "class_name": "Sequential",
            "config": {
                "name": "s",
                "layers": [
                    input_layer("x", 5, 4),
                    layer("Bidirectional", "both", layer=lstm, merge_mode="concat"),
                    layer("TimeDistributed", "each", layer=dense),
                ],
            },
        }
    )
    routes = [each.route for each in model.layers]
    assert routes == ["x", "both", "both/forward_lstm", "both/backward_lstm", "each", "each/inner"]
    assert model.layer("both/backward_lstm").config["go_backwards"] is True
    assert model.layer("both").output_shape == (None, 5, 6)
    assert model.layer("each/inner").input_shapes == ((None, 6),)
    assert model.layer("each").output_shape == (None, 5, 2)


def test_a_subclassed_model_has_no_layers() -> None:
    model = parse({"class_name": "MyNet", "module": "my.nets", "config": {"width": 3}})
    assert (model.class_name, model.layers, model.outputs) == ("MyNet", (), ())


def test_equal_and_slashed_names_get_unique_routes() -> None:
    inner = {"class_name": "Sequential", "config": {"name": "a", "layers": [layer("ReLU", "b")]}}
    layers = [layer("ReLU", "a/b"), layer("ReLU", "x"), layer("ReLU", "x"), inner]
    model = parse({"class_name": "Sequential", "config": {"name": "s", "layers": layers}})
    assert [each.route for each in model.layers] == ["a/b", "x", "x#2", "a", "a/b#2"]


@pytest.mark.parametrize(
    ("class_name", "module", "registered", "custom"),
    [
        ("Dense", "keras.layers", None, False),
        ("Dense", "tf_keras.src.layers", None, False),
        ("Dense", "tensorflow_addons.layers", None, True),
        ("Scale", None, "lab>Scale", True),
        ("Scale", None, None, True),
        ("Sqrt", None, None, False),
        ("Sqrt", "keras.layers", None, True),
    ],
)
def test_custom_classes(
    class_name: str, module: str | None, registered: str | None, custom: bool
) -> None:
    saved: dict[str, Json] = {"class_name": class_name, "config": {"name": "it"}}
    saved |= {"module": module, "registered_name": registered}
    model = parse({"class_name": "Sequential", "config": {"name": "s", "layers": [saved]}})
    assert model.layers[0].custom is custom


def test_keras_2_wrote_the_input_shape_of_a_sequential_too() -> None:
    """TensorFlow 1.13 to 2.1 (Keras 2.2.4-tf) and Keras 2.3 did."""
    dense = layer("Dense", "dense", units=3, batch_input_shape=[None, 4], dtype="float32")
    config: dict[str, Json] = {"name": "s", "layers": [dense], "build_input_shape": [None, 4]}
    assert parse({"class_name": "Sequential", "config": config}).dialect == "keras2"
    dense3 = layer("Dense", "dense", units=3)
    new: dict[str, Json] = {**config, "layers": [dense3], "trainable": True, "dtype": "float32"}
    assert parse({"class_name": "Sequential", "config": new}).dialect == "keras3"


def test_a_class_name_that_is_too_long_is_called_so() -> None:
    dense = layer("D" * 5000, "dense")
    with pytest.raises(ReadError, match="class_name is longer than"):
        parse({"class_name": "Sequential", "config": {"name": "s", "layers": [dense]}})
