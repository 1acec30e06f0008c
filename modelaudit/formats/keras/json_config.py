"""Saved Keras configs as bounded, well-typed JSON.

A config is a stranger's text. Everything read of it goes through the getters here, which
answer a default where the value is of another type than Keras writes, so that the code above
never meets a surprise.
"""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.errors import LimitExceeded
from modelaudit.facts import Json, Shape

MAX_DIMENSION = 1 << 40
"""Larger axis lengths are no lengths of a tensor that anybody could have stored."""

MAX_RANK = 32


def tidy(config: Json, *, max_depth: int, file: str) -> Json:
    """`config` with Keras's wrapped tuples as plain lists, and its nesting bounded.

    SavedModel metadata writes `{"class_name": "__tuple__", "items": [...]}` for a tuple and
    `{"class_name": "TensorShape", "items": [...]}` for a shape; `.keras` files write
    `{"class_name": "__tuple__", "config": {"value": [...]}}` in places.

    Raises:
        LimitExceeded: nested deeper than `max_depth`.
    """
    wrapped = _find_wrapped(config, max_depth, file)
    return _unwrap(config) if wrapped else config


def _find_wrapped(config: Json, max_depth: int, file: str) -> bool:
    """Whether any wrapped tuple is in `config`; walks level by level, so depth costs no stack."""
    found = False
    level: list[Json] = [config]
    depth = 0
    while level:
        depth += 1
        if depth > max_depth:
            raise LimitExceeded(file, "JSON depth", depth, max_depth, "json_depth")
        below: list[Json] = []
        for value in level:
            if isinstance(value, dict):
                found = found or _tuple_items(value) is not None
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        level = [value for value in below if isinstance(value, (dict, list))]
    return found


def _tuple_items(value: dict[str, Json]) -> list[Json] | None:
    if value.get("class_name") not in ("__tuple__", "TensorShape"):
        return None
    items = value.get("items")
    if items is None:
        items = mapping(value.get("config")).get("value")
    return items if isinstance(items, list) else None


def _unwrap(config: Json) -> Json:
    """A copy with tuples as lists; an explicit stack of (container, key) still to be copied."""
    holder: list[Json] = [config]
    todo: list[tuple[list[Json] | dict[str, Json], int | str]] = [(holder, 0)]
    while todo:
        container, key = todo.pop()
        value = _item(container, key)
        copy: list[Json] | dict[str, Json]
        if isinstance(value, dict):
            items = _tuple_items(value)
            copy = dict(value) if items is None else list(items)
        elif isinstance(value, list):
            copy = list(value)
        else:
            continue
        _set_item(container, key, copy)
        if isinstance(copy, dict):
            todo.extend((copy, name) for name in copy)
        else:
            todo.extend((copy, index) for index in range(len(copy)))
    return holder[0]


def _item(container: list[Json] | dict[str, Json], key: int | str) -> Json:
    if isinstance(container, list):
        return container[key] if isinstance(key, int) else None
    return container.get(key) if isinstance(key, str) else None


def _set_item(container: list[Json] | dict[str, Json], key: int | str, value: Json) -> None:
    if isinstance(container, dict):
        container[str(key)] = value
    else:
        container[int(key)] = value


def mapping(value: Json) -> dict[str, Json]:
    """`value` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: Json) -> list[Json]:
    """`value` where it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Json, default: str = "") -> str:
    """`value` where it is a string, else `default`."""
    return value if isinstance(value, str) else default


def names_a_class(value: Json) -> bool:
    """Whether an object at any depth of `value` has a `class_name`, as Keras's configs have."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if isinstance(item.get("class_name"), str):
                return True
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return False


def flag(config: Mapping[str, Json], key: str, default: bool = False) -> bool:
    """A boolean of the config; 0 and 1 count, anything else is `default`."""
    value = config.get(key)
    return bool(value) if isinstance(value, (bool, int)) else default


def integer(value: Json) -> int | None:
    """`value` as an integer (4.0 counts, as Keras 1 wrote it), else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_DIMENSION:
        return int(value)
    return value if isinstance(value, int) and abs(value) < MAX_DIMENSION else None


def size(config: Mapping[str, Json], *keys: str) -> int | None:
    """The first of `keys` that holds a length (an integer >= 0), else None."""
    for key in keys:
        value = integer(config.get(key))
        if value is not None and value >= 0:
            return value
    return None


def integers(value: Json, count: int | None = None) -> tuple[int, ...] | None:
    """A tuple of integers. One integer stands for `count` equal ones; None if it is not so."""
    single = integer(value)
    if single is not None:
        return None if count is None else (single,) * count
    items = sequence(value)
    numbers = tuple(n for n in map(integer, items) if n is not None)
    wanted = len(items) if count is None else count
    return numbers if items and len(items) == len(numbers) == wanted else None


def lengths(value: Json) -> tuple[int, ...] | None:
    """One length or several, as a tuple of integers >= 0; None if it is not so."""
    numbers = integers(value, 1) or integers(value)
    return numbers if numbers and min(numbers) >= 0 else None


def shape(value: Json) -> Shape | None:
    """A saved shape: axis lengths, None for an open axis. None if `value` is no shape."""
    if not isinstance(value, list) or len(value) > MAX_RANK:
        return None
    axes: list[int | None] = []
    for item in value:
        length = integer(item)
        if item is not None and (length is None or length < 0):
            return None
        axes.append(length)
    return tuple(axes)


def shapes(value: Json) -> tuple[Shape, ...]:
    """One shape, a list of shapes or an object of shapes, as a tuple; () if it is none of them."""
    single = shape(value)
    if single is not None:
        return (single,)
    items = list(value.values()) if isinstance(value, dict) else sequence(value)
    found = tuple(s for s in map(shape, items) if s is not None)
    return found if len(found) == len(items) else ()
