"""What the fields of an audit are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, TypeAlias

from msgspec import Meta, Struct

from modelaudit.facts import Json

NON_FINITE = ("nan", "inf", "-inf")

Count: TypeAlias = Annotated[int, Meta(ge=0)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
ModelSha256: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
RuleCode: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Z]{2,12}\d{3}$")]

if TYPE_CHECKING:
    Real: TypeAlias = float
else:

    class Real(float):
        """A measured number, which may be NaN or infinite; the file then has it as a string."""


class AuditSection(Struct, frozen=True, kw_only=True):
    """An object of the audit file. Fields that are `UNSET` are keys that the file lacks."""


class OptionalSection(AuditSection, frozen=True, kw_only=True):
    """An object that may say nothing; the file then has none but the keys that are not empty."""

    @property
    def empty(self) -> bool:
        """Whether it says nothing: every field has its default."""
        return self == type(self)()


def real(value: object) -> float:
    """The number that a file holds for a `Real`.

    Raises:
        ValueError: it holds something else.
    """
    if isinstance(value, str) and value in NON_FINITE:
        return Real(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return Real(value)
        except OverflowError as error:
            raise ValueError("Number out of range") from error
    raise ValueError(f'Expected `number | "nan" | "inf" | "-inf"`, got `{type(value).__name__}`')


def finite(value: float | None) -> float | None:
    """`value` where it is a finite number, else None."""
    return value if value is not None and math.isfinite(value) else None


def finite_only(values: Mapping[str, float]) -> dict[str, float]:
    """The finite numbers of a mapping."""
    return {key: value for key, value in values.items() if math.isfinite(value)}


def finite_pair(ends: tuple[float, float] | None) -> tuple[float, float] | None:
    """`ends` where both are finite numbers, else None."""
    return ends if ends is not None and all(map(math.isfinite, ends)) else None


def custom_type(kind: type, value: object) -> object:
    """Values of the types that msgspec does not know; see its `dec_hook`.

    Raises:
        NotImplementedError: `kind` is a field's type that this function lacks, a fault of ours.
            msgspec passes this error on, while it reports a `TypeError` as one of the file; its
            documentation asks hooks to raise it for types that they do not handle.
    """
    if kind is Real:
        return real(value)
    raise NotImplementedError(kind)


def number(value: Json) -> float | None:
    """`value` as a float, perhaps infinite; None if it is no number or larger than any float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
