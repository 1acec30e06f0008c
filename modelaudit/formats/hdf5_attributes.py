"""The attributes of every object of an HDF5 file, each read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import h5py
import numpy as np

from modelaudit.errors import LimitExceeded
from modelaudit.facts import Problem, ProblemKind
from modelaudit.formats.hdf5_file import HDF5_ERRORS, attribute_names
from modelaudit.formats.hdf5_guard import Contents
from modelaudit.settings import Limits

_FAMILIES = frozenset((h5py.h5t.STRING, h5py.h5t.OPAQUE, h5py.h5t.INTEGER))
_SHORTEST = 8  # bytes that can be a program or a config
# White space, byte order marks, and what UTF-16 and UTF-32 put between ASCII characters.
_BEFORE_JSON = b" \t\r\n\0\xff\xfe\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute's bytes. `where` is `route@name`, `text` whether it is one text."""

    where: str
    data: bytes
    text: bool


def read_attributes(
    contents: Contents,
    own: frozenset[str],
    file: str,
    limits: Limits,
    problems: list[Problem],
    *,
    texts: bool,
) -> list[Attribute]:
    """All attributes of texts, integers or opaque bytes that are long enough to be of interest.

    Args:
        contents: what the walk over the file found.
        own: names of the root's attributes that are read elsewhere.
        file: for problems.
        limits: `config_bytes` bounds all attributes together.
        problems: receives one where the bound is hit.
        texts: whether texts of variable length may be read, see `hdf5_heaps`.
    """
    found: list[Attribute] = []
    left = limits.config_bytes
    things = [*contents.groups.items(), *((f.route, f.dataset) for f in contents.datasets)]
    for route, thing in things:
        for name in attribute_names(thing):
            if not route and name in own:
                continue
            try:
                attribute = _read(thing, route, name, left, texts)
            except LimitExceeded as error:
                detail = f"attributes are too large together: {error.reason}; the rest is not read"
                problems.append(Problem(ProblemKind.LIMIT_EXCEEDED, file, detail, route))
                return found
            if attribute is not None:
                left -= len(attribute.data)
                found.append(attribute)
    return found


def _read(
    thing: h5py.Group | h5py.Dataset, route: str, name: str, most: int, texts: bool
) -> Attribute | None:
    """The attribute; None where it is short, of other types, or cannot be read.

    Raises:
        LimitExceeded: it has more than `most` bytes.
    """
    try:
        stored = h5py.h5a.open(thing.id, name.encode("utf-8", "surrogateescape"))
        size = int(stored.get_storage_size())
        kind = stored.get_type()
        family = kind.get_class()
        one_text = family == h5py.h5t.STRING and stored.shape in {(), (1,)}
        if size < _SHORTEST or family not in _FAMILIES:
            return None
        if family == h5py.h5t.STRING and kind.is_variable_str():
            data = _text(thing.attrs[name]) if texts and one_text else b""
        elif size > most:
            data = b""
        else:
            values = np.empty(stored.shape, stored.dtype)
            stored.read(values)
            data = values.tobytes()
    except HDF5_ERRORS:
        return None
    if max(size, len(data)) > most:
        raise LimitExceeded("", "attribute bytes", max(size, len(data)), most, "config_bytes")
    if family == h5py.h5t.STRING:
        data = data.rstrip(b"\0")
    return Attribute(f"{route}@{name}", data, one_text) if data else None


def _text(value: object) -> bytes:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.flat[0]
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return value if isinstance(value, bytes) else b""


def stray_texts(attributes: Sequence[Attribute]) -> dict[str, bytes]:
    """Attributes that are one text which starts like JSON, `route@name` -> text.

    Keras looks for its config at the root only. But Keras 2.2 and 2.3 load a model from a group
    that they are given (`load_model(file["a"])`), and any code can hand a text to
    `model_from_json`.
    """
    return {
        each.where: each.data
        for each in attributes
        if each.text and each.data.lstrip(_BEFORE_JSON)[:1] in (b"{", b"[")
    }
