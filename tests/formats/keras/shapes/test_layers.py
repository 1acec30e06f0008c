"""Shape arithmetic against brute force, and bare operations against numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from modelaudit.facts import Json, Shape
from modelaudit.formats.keras.inbound_nodes import LayerCall, TensorReference
from modelaudit.formats.keras.shapes.layers import infer
from modelaudit.formats.keras.shapes.ops import broadcast, joined
from modelaudit.formats.keras.shapes.windows import transposed_length, window_length
from modelaudit.formats.keras.variables.specs import expected_variables
from modelaudit.layer_classes import LAYER_CLASSES

LENGTHS = st.integers(1, 40)
SIZES = st.integers(1, 7)
STRIDES = st.integers(1, 5)


def infer_one(class_name: str, config: dict[str, Json], *shapes: Shape | None) -> Shape | None:
    return infer(class_name, config, shapes, LayerCall(), operation=False)[0]


@given(LENGTHS, SIZES, STRIDES, SIZES)
def test_valid_windows_are_those_that_fit(
    length: int, size: int, stride: int, dilation: int
) -> None:
    reach = (size - 1) * dilation
    starts = [i for i in range(0, length, stride) if i + reach < length]
    found = window_length(length, size, stride, "valid", dilation)
    assert found == (len(starts) if starts else -1)


@given(LENGTHS, SIZES, STRIDES)
def test_same_windows_start_at_every_stride(length: int, size: int, stride: int) -> None:
    found = window_length(length, size, stride, "same", 1)
    assert found == len(range(0, length, stride))
    assert found == window_length(length, size, stride, "causal", 1)


@given(LENGTHS, SIZES, STRIDES, st.sampled_from(["valid", "same"]))
def test_a_transposed_convolution_inverts_the_length_of_a_convolution(
    length: int, size: int, stride: int, padding: str
) -> None:
    """TensorFlow's rule: the convolution of the result has the original length."""
    out = transposed_length(length, size, stride, padding, 1, None)
    assert out is not None
    assert window_length(out, size, stride, padding, 1) == length


@given(LENGTHS, SIZES, STRIDES, st.integers(0, 4))
def test_output_padding_lengthens_the_full_convolution(
    length: int, size: int, stride: int, extra: int
) -> None:
    assume(extra < stride)
    dilated = (length - 1) * stride + 1  # zeros between the inputs
    full = len(np.convolve(np.ones(dilated), np.ones(size)))
    assert transposed_length(length, size, stride, "valid", 1, extra) == full + extra


SHAPES = st.lists(st.integers(1, 4), max_size=4).map(tuple)


@given(st.lists(SHAPES, min_size=1, max_size=3))
def test_broadcasting_is_that_of_numpy(shapes: list[tuple[int, ...]]) -> None:
    try:
        expected: Shape | None = np.broadcast_shapes(*shapes)
    except ValueError:
        expected = None
    assert broadcast(shapes) == expected


@given(st.lists(SHAPES, min_size=1, max_size=3), st.integers(-5, 5))
def test_concatenation_is_that_of_numpy(shapes: list[tuple[int, ...]], axis: int) -> None:
    try:
        expected: Shape | None = np.concatenate([np.zeros(s) for s in shapes], axis).shape
    except ValueError:
        expected = None
    assert joined(tuple(shapes), axis) == expected


@given(
    st.tuples(LENGTHS, LENGTHS),
    st.lists(
        st.one_of(
            st.integers(0, 0),
            st.none(),
            st.just("..."),
            st.builds(
                lambda a, b, c: {"start": a, "stop": b, "step": c},
                st.none() | st.integers(-9, 9),
                st.none() | st.integers(-9, 9),
                st.none() | st.integers(1, 3),
            ),
        ),
        max_size=4,
    ),
)
def test_slicing_is_that_of_numpy(lengths: tuple[int, int], spec: list[Json]) -> None:
    assume(spec.count("...") < 2)
    index = tuple(
        ... if i == "..." else slice(i["start"], i["stop"], i["step"]) if isinstance(i, dict) else i
        for i in spec
    )
    try:
        expected = np.zeros(lengths)[index].shape
    except IndexError:
        assume(False)
    source = TensorReference("x", 0, 0)
    call = LayerCall((source,), {"slice_spec": spec}, {}, (source,))
    assert infer("SlicingOpLambda", {}, (lengths,), call, operation=False) == (expected,)
    ellipsis: Json = {"class_name": "__ellipsis__", "config": {}}
    keras3 = [ellipsis if item == "..." else item for item in spec]
    call = LayerCall((source, keras3), {}, {}, (source,))
    assert infer("GetItem", {}, (lengths,), call, operation=True) == (expected,)


def test_a_slice_up_to_a_tensor_has_no_static_shape() -> None:
    source, end = TensorReference("x", 0, 0), TensorReference("n", 0, 0)
    call = LayerCall((source, [{"start": None, "stop": end, "step": None}]), {}, {}, (source, end))
    assert infer("GetItem", {}, ((5, 3), ()), call, operation=True) == (None,)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.data())
def test_reshape_keeps_the_number_of_elements(lengths: list[int], data: st.DataObject) -> None:
    total = math.prod(lengths)
    first = data.draw(st.sampled_from([n for n in range(1, total + 1) if total % n == 0]))
    shape = (None, *lengths)
    assert infer_one("Reshape", {"target_shape": [first, -1]}, shape) == (
        None,
        first,
        total // first,
    )
    assert infer_one("Flatten", {}, shape) == (None, total)
    assert infer_one("Flatten", {}, (None, None, 3)) == (None, None)


@pytest.mark.parametrize(
    ("class_name", "config", "shape", "expected"),
    [
        ("Conv2D", {"filters": 4, "kernel_size": 3}, (None, 2, 9, 1), None),
        ("Conv2D", {"filters": 4, "kernel_size": 3}, (None, None, 9, 1), (None, None, 7, 4)),
        ("Conv2D", {"filters": 4, "kernel_size": 3}, (None, 9, 1), None),
        ("Conv2D", {"filters": 4, "kernel_size": 0}, (None, 9, 9, 1), None),
        ("Conv2D", {"filters": 4, "kernel_size": "3"}, (None, 9, 9, 1), None),
        ("Conv2D", {"filters": -4, "kernel_size": 3}, (None, 9, 9, 1), None),
        ("MaxPooling2D", {"strides": 0}, (None, 9, 9, 1), None),
        ("ZeroPadding2D", {"padding": [[1, 2], [0, 3]]}, (None, 4, 4, 2), (None, 7, 7, 2)),
        ("ZeroPadding2D", {"padding": [1, 2, 0, 3]}, (None, 4, 4, 2), (None, 7, 7, 2)),
        ("Cropping2D", {"cropping": 3}, (None, 4, 9, 2), None),
        ("Permute", {"dims": [2, 1]}, (None, 3, 4), (None, 4, 3)),
        ("Permute", {"dims": [2, 2]}, (None, 3, 4), None),
        ("Reshape", {"target_shape": [5, -1]}, (None, 3, 4), (None, 5, None)),
        ("Lambda", {"function": "?"}, (None, 3), None),
        ("StringLookup", {"output_mode": "one_hot"}, (None, 3), None),
        ("LSTM", {"units": 3, "return_sequences": True}, (None, 7, 2), (None, 7, 3)),
        ("LSTM", {"units": 3}, (None, 2), None),
        ("RandomCrop", {"height": 3, "width": 4}, (None, 9, 9, 3), (None, 3, 4, 3)),
        ("EinsumDense", {"equation": "...x,xy->...y", "output_shape": 4}, (2, 3, 5), (2, 3, 4)),
        ("EinsumDense", {"equation": "nonsense"}, (2, 3, 5), None),
    ],
)
def test_single_layers(
    class_name: str, config: dict[str, Json], shape: Shape, expected: Shape | None
) -> None:
    assert infer_one(class_name, config, shape) == expected
    assert infer_one(class_name, config, None) is None


def test_merges() -> None:
    assert infer_one("Add", {}, (None, 3, 4), (None, 1, 4)) == (None, 3, 4)
    assert infer_one("Add", {}, (None, 3), (None, 4)) is None
    assert infer_one("Multiply", {}, (8, 3), (None, 3)) == (8, 3)
    assert infer_one("Concatenate", {"axis": 1}, (None, 2, 3), (None, 5, 3)) == (None, 7, 3)
    assert infer_one("Concatenate", {"axis": 1}, (None, 2, 3), (None, 5, 4)) is None
    assert infer_one("Concatenate", {}, (None, 2), None) is None
    assert infer_one("Dot", {"axes": [1, 1]}, (None, 3), (None, 3)) == (None, 1)


@pytest.mark.slow
@settings(max_examples=800, deadline=None)
@example("MultiHeadAttention", {"output_shape": [-1]}, (None,))
@example("MultiHeadAttention", {"output_shape": -1}, None)
@given(
    class_name=st.sampled_from(sorted(LAYER_CLASSES)),
    config=st.dictionaries(
        st.sampled_from(
            ["filters", "kernel_size", "strides", "units", "axes", "target_shape", "equation"]
            + ["padding", "dilation_rate", "output_shape", "height", "width", "data_format", "axis"]
            + ["num_heads", "key_dim", "shared_axes", "cropping", "size", "pool_size", "n", "dims"]
            + ["input_dim", "output_dim", "output_padding", "bias_axes", "reset_after", "groups"]
        ),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-3, 10**20),
            st.floats(),
            st.text(max_size=6),
            st.lists(st.integers(-3, 9), max_size=4),
        ),
    ),
    shape=st.none() | st.lists(st.none() | st.integers(0, 9), max_size=5).map(tuple),
)
def test_no_config_raises_in_the_shape_arithmetic(
    class_name: str, config: dict[str, Json], shape: Shape | None
) -> None:
    found = infer_one(class_name, config, shape, shape)
    assert found is None or all(n is None or n >= 0 for n in found)
    variables = expected_variables(class_name, config, (shape, shape))
    assert all(n is None or n >= 0 for each in variables.values() for n in each)


@pytest.mark.parametrize("value", [True, None, False, 0, 1, "absent"])
def test_a_null_for_a_bias_is_none(value: Json) -> None:
    """Keras asks `if self.use_bias`."""
    config: dict[str, Json] = {"units": 3} if value == "absent" else {"units": 3, "use_bias": value}
    variables = expected_variables("Dense", config, ((None, 2),))
    assert ("bias" in variables) == bool(value)
