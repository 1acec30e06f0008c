"""Functions of TensorFlow in configs, as operations of Keras 3, and back."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from modelaudit.facts import Architecture, Artifact, Format, Layer
from modelaudit.formats.keras.inbound_nodes import LayerCall, TensorReference
from modelaudit.repairs.translate.tensor_functions import as_operation
from modelaudit.repairs.translate.to_keras2 import to_keras2
from modelaudit.repairs.translate.to_keras3 import to_keras3
from modelaudit.repairs.translate.translation import Untranslatable
from tests.repairs.translate.configs import (
    KERAS_2,
    KERAS_3,
    at,
    functional,
    input2,
    layers_of,
    node,
    tensor3,
    translation,
)


def test_functions_of_tensorflow_become_operations_and_go_back() -> None:
    scale = {"name": "tf.math.multiply", "function": "math.multiply"}
    call = {"class_name": "TFOpLambda", "config": scale}
    model = functional(
        at(input2(3)),
        at(call, ["input_1", 0, 0, {"y": 2.0, "name": None}]),
        output="tf.math.multiply",
    )
    new = to_keras3(model, translation(KERAS_3, KERAS_2))
    operation = layers_of(new)[1]
    assert (operation["module"], operation["class_name"]) == ("keras.src.ops.numpy", "Multiply")
    assert operation["inbound_nodes"][0]["args"][1] == 2.0
    back = layers_of(to_keras2(new, translation(KERAS_2, KERAS_3)))[1]
    assert back["config"]["function"] == "math.multiply"
    assert back["inbound_nodes"] == [["input_1", 0, 0, {"y": 2.0, "name": None}]]


@pytest.mark.parametrize(("alpha", "known"), [(1.0, True), (0.5, False)])
def test_elu_of_tensorflow_has_no_alpha(alpha: float, known: bool) -> None:
    elu = {
        "module": "keras.src.ops.nn",
        "class_name": "Elu",
        "config": {"name": "elu", "alpha": alpha},
    }
    reference = {"shape": [None, 3], "dtype": "float32", "keras_history": ["input_1", 0, 0]}
    given = {"args": [{"class_name": "__keras_tensor__", "config": reference}], "kwargs": {}}
    model = functional(at(input2(3)), at(elu, given), output="elu")
    with nullcontext() if known else pytest.raises(Untranslatable, match="no argument alpha"):
        new = layers_of(to_keras2(model, translation(KERAS_2, KERAS_3)))[1]
        assert new["config"]["function"] == "nn.elu"


def test_a_function_without_an_equal_is_refused() -> None:
    call = {"class_name": "TFOpLambda", "config": {"name": "f", "function": "signal.stft"}}
    model = functional(at(input2(3)), at(call, node("input_1")), output="f")
    with pytest.raises(Untranslatable, match=r"signal\.stft"):
        to_keras3(model, translation(KERAS_3, KERAS_2))


def test_a_constant_array_is_a_tensor_in_keras_3_and_a_list_in_keras_2() -> None:
    config = {"name": "plus", "trainable": True, "dtype": "float32", "function": "math.add"}
    numbers = [[1.0, 2.5], [0.0, -1.0]]
    plus = at({"class_name": "TFOpLambda", "config": config}, node("input_1", y=numbers))
    model = functional(at(input2(2, 2)), plus, output="plus")
    new = to_keras3(model, translation(KERAS_3, KERAS_2))
    added = layers_of(new)[1]
    (call,) = added["inbound_nodes"]
    constant = {"class_name": "__tensor__", "config": {"value": numbers, "dtype": "float32"}}
    assert (added["class_name"], call["args"][1]) == ("Add", constant)
    back = layers_of(to_keras2(new, translation(KERAS_2, KERAS_3)))[1]
    assert back["inbound_nodes"] == [["input_1", 0, 0, {"y": numbers, "name": None}]]


def test_a_function_of_one_tensor_is_not_called_with_a_list() -> None:
    config = {"name": "relu", "trainable": True, "dtype": "float32", "function": "nn.relu"}
    relu = at({"class_name": "TFOpLambda", "config": config}, node("input_1"))
    stack = at(
        {"class_name": "TFOpLambda", "config": config | {"name": "stack", "function": "stack"}},
        [node("input_1", axis=1), node("relu", axis=1)],
    )
    model = functional(at(input2(2)), relu, stack, output="stack")
    _, one, several = layers_of(to_keras2(model, translation(KERAS_2, "tf-keras==2.21")))
    assert one["inbound_nodes"] == relu["inbound_nodes"]
    assert several["inbound_nodes"] == stack["inbound_nodes"]


def test_an_operation_without_module_or_function_of_tensorflow_gets_its_module() -> None:
    inputs = {"batch_shape": [None, 5, 4], "dtype": "float32", "name": "input_1"}
    every = {"class_name": "Any", "config": {"axis": -1, "keepdims": False}, "name": "any"}
    model = functional(
        at({"class_name": "InputLayer", "config": inputs}),
        {**every, "inbound_nodes": [{"args": [tensor3("input_1")], "kwargs": {}}]},
        output="any",
    )
    assert layers_of(to_keras3(model, translation(KERAS_3, "tf==2.16")))[1]["module"] == (
        "keras.src.ops.numpy"
    )
    unknown = {"class_name": "Anything", "config": {"axis": -1}, "name": "any"}
    with pytest.raises(Untranslatable, match="Anything is not a layer"):
        to_keras3(
            functional(at({"class_name": "InputLayer", "config": inputs}), unknown, output="any"),
            translation(KERAS_3, "tf==2.16"),
        )


def test_a_cast_in_hdf5_is_an_operation_though_it_has_a_dtype() -> None:
    inputs = {"batch_shape": [None, 5, 4], "dtype": "int32", "name": "input_1"}
    cast = {"class_name": "Cast", "config": {"dtype": "float32"}, "name": "cast"}
    model = functional(
        at({"class_name": "InputLayer", "config": inputs}),
        {**cast, "inbound_nodes": [{"args": [tensor3("input_1")], "kwargs": {}}]},
        output="cast",
    )
    new = layers_of(to_keras2(model, translation(KERAS_2, KERAS_3)))[1]
    assert new["config"]["function"] == "cast"
    assert new["inbound_nodes"] == [["input_1", 0, 0, {"dtype": "float32"}]]


def test_functions_of_tensorflow_1_are_those_of_2_but_for_unused_arguments() -> None:
    """`tf.squeeze` of TensorFlow 2.4 to 2.6 is saved under its older name."""
    config = {"name": "s", "function": "compat.v1.squeeze"}
    for others, refused in (({"squeeze_dims": None}, False), ({"squeeze_dims": [1]}, True)):
        call = node("input_1", axis=1, **others)
        model = functional(
            at(input2(1, 3)), at({"class_name": "TFOpLambda", "config": config}, call), output="s"
        )
        if refused:
            with pytest.raises(Untranslatable, match="squeeze_dims"):
                to_keras3(model, translation(KERAS_3, "tf==2.6"))
        else:
            new = layers_of(to_keras3(model, translation(KERAS_3, "tf==2.6")))[1]
            assert (new["class_name"], new["config"]["axis"]) == ("Squeeze", 1)


def test_an_ellipsis_is_written_as_the_axes_that_it_stands_for() -> None:
    """Keras 3 reads none in HDF5. `None` adds an axis and stands for none."""
    state = translation(KERAS_3, KERAS_2)
    saved = Layer("slice", "slice", "SlicingOpLambda", input_shapes=((None, 4, 4, 2, 7),))
    whole = Architecture("Functional", "model", "keras2", (saved,), (), ())
    state.source = Artifact(Path("a.h5"), Format.LEGACY_H5_FULL, architecture=whole)
    last: list[Any] = [{"class_name": "__ellipsis__"}, None, {"start": 0, "stop": 2, "step": None}]
    item = {"class_name": "SlicingOpLambda", "config": {"function": "__operators__.getitem"}}
    call = LayerCall((TensorReference("x", 0, 0),), {"slice_spec": last})
    _, (_, spec) = as_operation(item, call, "slice", state, "slice")
    assert isinstance(spec, list)
    bounds = [each and each["config"]["stop"] for each in spec]
    assert bounds == [None, None, None, None, None, 2]
    assert [each is None for each in spec] == [False] * 4 + [True, False]
