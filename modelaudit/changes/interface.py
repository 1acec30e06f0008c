"""What changed in how a model is called: signatures, and their inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Protocol

from msgspec import Struct

from modelaudit.facts import Endpoint, Shape, Signature
from modelaudit.formats.keras.builtin_layers import snake_case
from modelaudit.layer_classes import LAYER_CLASSES
from modelaudit.structs import replace

# `dense_4`; `dense_4_input` is the input of a Sequential model of Keras 2 that begins with it.
_AUTOMATIC = re.compile(r"(?P<base>[a-z0-9_]+?)(_(?P<count>[0-9]{1,9}))?(_input)?")


class PortType(Protocol):
    """An input or output."""

    @property
    def dtype(self) -> str | None:
        """Data type, None if it is not known."""

    @property
    def shape(self) -> Shape | None:
        """Shape, None if it is not known."""


class InterfaceChangeKind(StrEnum):
    """Kind of change of a signature, or of an input or output."""

    ADDED = "added"
    REMOVED = "removed"
    DTYPE = "dtype"
    SHAPE = "shape"


class InterfaceChange(Struct, frozen=True):
    """One change of a signature, or of one of its inputs or outputs.

    Attributes:
        kind: what changed.
        signature: the signature; "model" for the inputs and outputs of a Keras model.
        side: "input" or "output"; "" for the signature as a whole.
        port: name of the input or output.
        old: its data type or shape before, as text.
        new: the same now.
        breaking: a client of the old model may fail on the new one.
    """

    kind: InterfaceChangeKind
    signature: str
    side: str = ""
    port: str = ""
    old: str = ""
    new: str = ""
    breaking: bool = False

    def __str__(self) -> str:
        """`serving_default, input x: removed`. Part of a rule's fingerprint, so it stays."""
        if not self.side:
            return f"{self.signature} was {self.kind}"
        where = f"{self.signature}, {self.side} {self.port}"
        match self.kind:
            case InterfaceChangeKind.DTYPE:
                return f"{where}: {self.old} became {self.new}"
            case InterfaceChangeKind.SHAPE:
                return f"{where}: shape {self.old} became {self.new}"
            case _:
                return f"{where}: {self.kind}"


def signature_changes(
    old: Iterable[Signature], new: Iterable[Signature]
) -> Iterator[InterfaceChange]:
    """The changes between the signatures of two SavedModels."""
    before = {signature.name: signature for signature in old}
    after = {signature.name: signature for signature in new}
    for name, was in before.items():
        if name in after:
            now = after[name]
            yield from port_changes(name, "input", _named(was.inputs), _named(now.inputs))
            yield from port_changes(name, "output", _named(was.outputs), _named(now.outputs))
        else:
            yield InterfaceChange(InterfaceChangeKind.REMOVED, name, breaking=True)
    for name in after:
        if name not in before:
            yield InterfaceChange(InterfaceChangeKind.ADDED, name)


def with_known_names(old: Signature, new: Signature) -> Signature:
    """`new`, whose tensors that Keras named have the names that it gave in `old`."""

    def named(before: Iterable[Endpoint], after: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
        known = known_names((port.name for port in before), (port.name for port in after))
        return tuple(replace(port, name=known.get(port.name, port.name)) for port in after)

    return replace(
        new, inputs=named(old.inputs, new.inputs), outputs=named(old.outputs, new.outputs)
    )


def known_names(old: Iterable[str], new: Iterable[str]) -> dict[str, str]:
    """New names that Keras gave by itself, with the old ones that they stand for.

    Keras counts the layers and tensors of a process: the same program saves `dense_4` after
    `dense_1`. Where inputs are passed by position, that changes nothing. If there are more such
    names on one side, which is which is unknown, and there is no answer.
    """
    before, after = {*old}, {*new}
    was, now = (
        sorted(filter(_counted, mine - others), key=lambda name: (_count(name), name))
        for mine, others in ((before, after), (after, before))
    )
    return dict(zip(now, was, strict=True)) if len(was) == len(now) else {}


def _counted(name: str) -> bool:
    """Whether Keras gives such a name by itself: that of a class, and perhaps a number."""
    match = _AUTOMATIC.fullmatch(name)
    return match is not None and match["base"] in _automatic_names()


def _count(name: str) -> int:
    match = _AUTOMATIC.fullmatch(name)
    return int(match["count"] or 0) if match else 0


@cache
def _automatic_names() -> frozenset[str]:
    return frozenset({"input", "keras_tensor", *map(snake_case, LAYER_CLASSES)})


def _named(ports: Iterable[Endpoint]) -> dict[str, Endpoint]:
    return {port.name: port for port in ports}


def port_changes(
    signature: str, side: str, before: Mapping[str, PortType], after: Mapping[str, PortType]
) -> Iterator[InterfaceChange]:
    """The changes of the inputs or outputs of one signature, by their name."""
    takes = side == "input"
    for port, was in before.items():
        if port in after:
            yield from _port_changes(signature, side, port, was, after[port])
        else:
            kind = InterfaceChangeKind.REMOVED
            yield InterfaceChange(kind, signature, side, port, breaking=True)
    for port in after:
        if port not in before:
            # A client of the old model does not pass a new input, and ignores a new output.
            yield InterfaceChange(InterfaceChangeKind.ADDED, signature, side, port, breaking=takes)


def _port_changes(
    signature: str, side: str, port: str, was: PortType, now: PortType
) -> Iterator[InterfaceChange]:
    if was.dtype != now.dtype:
        yield InterfaceChange(
            *(InterfaceChangeKind.DTYPE, signature, side, port, str(was.dtype), str(now.dtype)),
            breaking=True,
        )
    if was.shape != now.shape:
        wide, narrow = (now.shape, was.shape) if side == "input" else (was.shape, now.shape)
        yield InterfaceChange(
            *(InterfaceChangeKind.SHAPE, signature, side, port),
            *(_shape(was.shape), _shape(now.shape)),
            breaking=not _covers(wide, narrow),
        )


def _shape(shape: Shape | None) -> str:
    return str(list(shape)).replace("None", "?") if shape is not None else "unknown"


def _covers(wide: Shape | None, narrow: Shape | None) -> bool:
    """Whether every array of the narrow shape also has the wide shape."""
    if wide is None:
        return True
    if narrow is None or len(wide) != len(narrow):
        return False
    return all(a in (None, b) for a, b in zip(wide, narrow, strict=True))
