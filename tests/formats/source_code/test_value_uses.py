"""What a class does with the values of its parameters."""

from __future__ import annotations

from pathlib import Path

from modelaudit.formats.source_code.statements import ParameterUse, Use
from tests.formats.source_code.test_running import running


def test_uses_of_parameters(tmp_path: Path) -> None:
    body = """
def __init__(self, sizes, shape, table, made, changed, twice):
    super().__init__()
    self.units = sizes.units
    self.target = shape
    self.table = table
    self.made = tuple(made)
    changed = changed or (1,)
    self.changed = changed
    self.twice = twice
def build(self, input_shape):
    self.twice = tuple(self.twice)
def call(self, x):
    x = x + (1,) + self.made + self.changed + self.twice
    if x is None:
        return self.table["a"]
    return x + ((-1,) + self.target) + self.table[0]
def compute_output_shape(self, input_shape):
    return (input_shape[0],) + self.target
"""
    later = Use(always=False, called=True)
    assert {*running(tmp_path, body).values} == {
        ParameterUse("sizes", "an attribute", "units"),
        ParameterUse("shape", "a tuple", use=later),
        ParameterUse("table", "a number as a key", "0", use=later),
        ParameterUse("shape", "a tuple", of_shape=True),
    }
