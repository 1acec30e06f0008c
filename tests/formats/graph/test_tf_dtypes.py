"""Names of the numbers of TensorFlow's `DataType`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.formats.graph.tf_dtypes import dtype_name


@pytest.mark.parametrize(
    ("number", "name"),
    [(1, "float32"), (101, "float32_ref"), (14, "bfloat16"), (77, "type_77"), (201, "type_201")],
)
def test_names(number, name):
    assert dtype_name(number) == name


@given(st.integers(-(2**31), 2**31 - 1))
def test_any_number_has_a_name(number):
    """A file can contain any 32-bit number; large ones once caused a RecursionError."""
    assert dtype_name(number)


@pytest.mark.slow
def test_names_are_those_of_tensorflow():
    tensorflow = pytest.importorskip("tensorflow")
    for number in range(1, 25):
        named = tensorflow.dtypes.as_dtype(number).name
        assert dtype_name(number).split("_ref")[0] == named
