"""The code for another last layer: Keras makes of it a layer of the same shape."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from modelaudit.formats.keras.compiled_losses import CompiledLoss
from modelaudit.rules.heads.head_advice import advised
from modelaudit.rules.network.network_heads import HeadStep, NetworkHead, window_code
from tests.measures.artifacts import layer

LOSS = CompiledLoss("categorical_crossentropy")
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


@pytest.mark.slow
def test_a_map_with_its_channels_first_has_as_many_of_them() -> None:
    """The size of its last axis is that of no channels, and a softmax would run over it."""
    import keras

    config = {"filters": 3, "kernel_size": [5, 5], "data_format": "channels_first"}
    weights = layer("last", "Conv2DTranspose", config=config)
    head = NetworkHead("last", weights, None, (HeadStep(weights, "sigmoid"),))
    made = eval(head.code("sigmoid"), {"keras": keras})
    assert tuple(made.compute_output_shape((None, 2, 8, 8))) == (None, 3, 12, 12)
    fix = advised(None, head, LOSS, "Use a softmax.", scores=False)
    assert "softmax" not in fix.partition("channels_last")[0]
    assert 'model.compile(loss="binary_crossentropy")' in fix
    of_channels = CompiledLoss("categorical_crossentropy", axis=1)
    assert 'activation="softmax"' in advised(None, head, of_channels, "Use it.", scores=False)


@pytest.mark.parametrize(("units", "data_format"), [(3, "channels_last")])
def test_a_map_with_its_channels_last_gets_the_softmax(units: int, data_format: str) -> None:
    config = {"filters": units, "kernel_size": [5, 5], "data_format": data_format}
    weights = layer("last", "Conv2D", config=config)
    head = NetworkHead("last", weights, units, (HeadStep(weights, "sigmoid"),))
    assert 'activation="softmax"' in advised(None, head, LOSS, "Use a softmax.", scores=False)
