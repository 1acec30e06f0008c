"""Which items of a shape a `compute_output_shape` computes with: None does not let it do so."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.formats.source_code.reading import read_source_code

CLASS = """
from tensorflow import keras

class Own(keras.layers.Layer):
    factor = 2

    def compute_output_shape(self, input_shape):
"""
# What the method does with (None, None, 6, 8) -> the items that it computes with.
BODIES = {
    "return (input_shape[0], input_shape[1] * 2, input_shape[-1] // 4)": {1, -1},
    "b, h, *rest = input_shape\nreturn (b, self.factor * h, *rest)": {1},
    "shape = list(input_shape)\nh = shape[1]\nreturn (shape[0], h + 1)": {1},
    "return input_shape[:-1] + (4,)": set(),
    "return (input_shape[0] * 2, 4)": {0},
    "h = input_shape[1]\nreturn (None, h * 2 if h is not None else None)": set(),
    "if input_shape[1] is None:\n    return (None, None)\nreturn (None, input_shape[1] * 2)": set(),
    "h = input_shape[1] or 1\nreturn (None, h * 2)": set(),
    "shape = list(input_shape)\nshape[1] = 3\nreturn (None, shape[1] * 2)": set(),
    "h = input_shape[1]\nh = 3\nreturn (None, h * 2)": set(),
}


@pytest.mark.parametrize(("body", "items"), BODIES.items())
def test_items(tmp_path: Path, body: str, items: set[int]) -> None:
    text = CLASS + "".join(f"        {line}\n" for line in body.splitlines())
    (tmp_path / "own.py").write_text(text, encoding="utf-8")
    code = read_source_code([str(tmp_path / "own.py")])
    assert code.classes["Own"][0].shape_items == items
    names: dict[str, object] = {}
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    exec(f"def shape(self, input_shape):\n{lines}", names)
    given = (None, None, 6, 8)
    fails = any(given[each] is None for each in items)
    try:
        names["shape"](type("Own", (), {"factor": 2}), given)  # type: ignore[operator]
        assert not fails
    except TypeError:
        assert fails
