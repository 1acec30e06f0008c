"""The code for another last layer: Keras makes of it a layer of the same shape."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from modelaudit.rules.network_heads import HeadStep, NetworkHead, window_code
from tests.measures.artifacts import layer

HOSTILE = 'x", bias_initializer=__import__("os").system("id") or "zeros'


def code(class_name: str, name: str = "last", **config: Any) -> str:
    weights = layer(name, class_name, config=config)
    return NetworkHead(name, weights, 3, (HeadStep(weights),)).code("sigmoid")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("class_name", "given"),
    [
        ("Conv2D", {"padding": "same"}),
        ("Conv2D", {"padding": "valid", "strides": (2, 1)}),
        ("Conv2D", {"dilation_rate": 2, "padding": "same"}),
        ("Conv1D", {"padding": "causal"}),
        ("Conv2DTranspose", {"strides": 2, "padding": "same", "output_padding": 0}),
        ("Conv2D", {}),
    ],
)
def test_the_layer_has_the_shape_of_the_saved_one(class_name: str, given: dict[str, Any]) -> None:
    import keras

    shape = (None, 9, 3) if "1D" in class_name else (None, 9, 8, 3)
    saved = getattr(keras.layers, class_name)(3, 3, **given)
    config = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in saved.get_config().items()
    }
    made = eval(code(class_name, **config), {"keras": keras})
    assert made.compute_output_shape(shape) == saved.compute_output_shape(shape)


@pytest.mark.parametrize("name", [HOSTILE, "it's", 'a "b"', "a\\b"])
def test_a_name_stays_one_text(name: str) -> None:
    call = ast.parse(code("Dense", name), mode="eval").body
    assert isinstance(call, ast.Call)
    assert {each.arg: ast.literal_eval(each.value) for each in call.keywords} == {
        "activation": "sigmoid",
        "name": name,
    }


@pytest.mark.parametrize("key", ["kernel_size", "padding", "strides", "data_format", "groups"])
@pytest.mark.parametrize("value", [HOSTILE, [HOSTILE], {"a": 1}, [], None, True, [True], 1.5])
def test_other_values_are_left_out(key: str, value: Any) -> None:
    assert code("Conv2D", **{key: value}) == code("Conv2D")
    assert window_code({key: value}) == []
