"""Operations of standard TensorFlow, and which attributes they must have."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from msgspec import Struct

_LIST = Path(__file__).with_name("tensorflow_ops.txt")
# Operations that TensorFlow.js runs and TensorFlow does not have: those of `op_list` in
# @tensorflow/tfjs-converter 4.22, without the ones of other packages.
OF_TENSORFLOW_JS = frozenset(
    ("Conv1D", "DepthwiseConv2d", "FusedDepthwiseConv2dNative", "Ones", "Prelu", "Zeros")
)


class RegisteredOperation(Struct, frozen=True):
    """A registered operation.

    Attributes:
        functions: names of its attributes that hold a function or a list of functions.
        inputs, outputs: how many it has; None where an attribute says how many.
        needed: names of all attributes that have no default.
        references: its inputs that have to be references to variables, as those of `Assign`.
        gives: its outputs that are references; None where all may be.
    """

    functions: tuple[str, ...] = ()
    inputs: int | None = None
    outputs: int | None = None
    needed: tuple[str, ...] = ()
    references: tuple[int, ...] = ()
    gives: tuple[int, ...] | None = ()


@cache
def known_operations() -> Mapping[str, RegisteredOperation]:
    """The operations by name.

    The list is package data; its header contains the TensorFlow version it was generated from.
    """
    text = _LIST.read_text(encoding="utf-8")
    operations: dict[str, RegisteredOperation] = {}
    for entry in text.splitlines():
        if entry and not entry.startswith("#"):
            line, _, references = entry.partition(" &")
            taken, _, given = references.partition(":")
            before, _, others = line.partition(" ;")
            name, counts, *functions = before.split(" ")
            names = tuple(function.rstrip("*") for function in functions)
            needed = (*names, *others.split())
            inputs, outputs = map(_number, counts.split(":"))
            operations[name] = RegisteredOperation(
                *(names, inputs, outputs, needed), _indices(taken) or (), _indices(given)
            )
    return operations


def _indices(text: str) -> tuple[int, ...] | None:
    return None if "*" in text else tuple(map(int, text.split()))


def _number(text: str) -> int | None:
    return None if text == "*" else int(text)
