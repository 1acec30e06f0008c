"""What value classes share."""

from __future__ import annotations

import pytest
from msgspec import Struct

from modelaudit.structs import converted


class Circle(Struct, frozen=True):
    name: str
    radius: float

    @property
    def diameter(self) -> float:
        return 2 * self.radius


class Row(Struct, frozen=True):
    name: str
    diameter: float = 0.0
    note: str = ""


def test_fields_and_properties_are_taken_by_their_names():
    row = converted(Row, Circle("a", 1.5), note="round")
    assert row == Row("a", 3.0, "round")


def test_a_field_that_nothing_gives_is_an_error_even_with_a_default():
    with pytest.raises(AttributeError, match="note"):
        converted(Row, Circle("a", 1.5))


def test_a_value_for_no_field_is_an_error():
    with pytest.raises(TypeError, match="colour"):
        converted(Row, Circle("a", 1.5), note="", colour="red")
