"""What value classes share. They are msgspec's: defining one costs a fortieth of a dataclass."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import msgspec
from msgspec import Struct

from modelaudit.work_budget import spend

if TYPE_CHECKING:
    from dataclasses import replace  # for which mypy checks names and types of the arguments

    from pandas import DataFrame
else:
    from msgspec.structs import replace

__all__ = ["NotebookResult", "PartlyCompared", "PerObject", "checked", "converted", "replace"]

S = TypeVar("S", bound=Struct)
K = TypeVar("K")
T = TypeVar("T")


# By name, when a notebook asks: the view knows the results, and these know of no view.
_VIEW = "modelaudit.notebook"


class NotebookResult(Struct, frozen=True):
    """A result that notebooks show as HTML, and that can become a pandas frame."""

    def _repr_html_(self) -> str:
        return str(importlib.import_module(_VIEW).html(self))

    def to_frame(self, of: str = "") -> DataFrame:
        """The result as a pandas frame; pandas must be installed.

        Args:
            of: what its rows are: of an audit `findings` (default), `tensors` or `rules`, of a run
                `models` (default) or `findings`, of a comparison `changes`.

        Raises:
            UsageError: the result has no such rows.
            MissingPackage: pandas is not installed.
        """
        return importlib.import_module(_VIEW).frame(self, of)


class PerObject(Generic[K, T]):
    """A function of one object that caches its last result, because many places call it in turn.

    Values with mappings, such as artifacts, cannot be hashed; the same value is the same object.
    """

    def __init__(self, compute: Callable[[K], T]) -> None:
        self._compute = compute
        self._last: tuple[K, T] | None = None

    def __call__(self, of: K) -> T:
        """The result for this object."""
        last = self._last
        if last is None or last[0] is not of:
            spend()
            last = self._last = (of, self._compute(of))
        return last[1]


class PartlyCompared(Struct, frozen=True, eq=False):
    """A value that neither compares nor shows all of its fields.

    Attributes:
        aside: names of the fields that are left out.
    """

    aside: ClassVar[tuple[str, ...]]

    def __eq__(self, other: object) -> bool:
        """Whether `other` has the same class and the same compared fields."""
        if not isinstance(other, PartlyCompared) or type(other) is not type(self):
            return NotImplemented
        return self.compared() == other.compared()

    def __hash__(self) -> int:
        """Of the compared fields."""
        return hash(tuple(self.compared().values()))

    def __repr__(self) -> str:
        """The class and the compared fields."""
        fields = ", ".join(f"{name}={value!r}" for name, value in self.compared().items())
        return f"{type(self).__name__}({fields})"

    def compared(self) -> dict[str, object]:
        """The fields that are compared, by name."""
        return {
            name: getattr(self, name) for name in self.__struct_fields__ if name not in self.aside
        }


def checked(value: S) -> S:
    """The same struct made anew, so that every field has its declared type, to any depth.

    Numbers of numpy become those of Python, and lists tuples where a field is declared as one.

    Raises:
        ValidationError: a field has another type.
    """
    fields = {name: _checked(getattr(value, name)) for name in value.__struct_fields__}
    return msgspec.convert(fields, type(value), dec_hook=lambda _, each: each)


def _checked(value: object) -> object:
    if isinstance(value, Struct):
        return checked(value)
    if isinstance(value, tuple):
        return tuple(map(_checked, value))
    if isinstance(value, list):
        return [*map(_checked, value)]
    if isinstance(value, Mapping):
        return {name: _checked(each) for name, each in value.items()}
    # Where nothing has imported numpy there is no number of it.
    if (numpy := sys.modules.get("numpy")) is not None and isinstance(value, numpy.generic):
        return value.item()
    return value


def converted(kind: type[S], source: Struct, **others: object) -> S:
    """A struct of the class `kind` with the values of `source`.

    Args:
        kind: its class. Each of its fields is a field or property of `source`, or one of `others`.
        source: a struct of another class.
        others: the fields whose value is another one.

    Raises:
        AttributeError: `source` and `others` lack a field, also one that has a default.
    """
    fields = kind.__struct_fields__
    return kind(**{name: getattr(source, name) for name in fields if name not in others} | others)
