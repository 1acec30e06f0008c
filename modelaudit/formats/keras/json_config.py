"""Typed access to saved Keras configs, which are untrusted JSON.

The getters of this module return a default if a value is not of the type that Keras writes, so the
callers need no type checks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping

from modelaudit.errors import LimitExceeded
from modelaudit.facts import Json, Shape
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.layer_classes import LAYER_CLASSES

MAX_DIMENSION = 1 << 40
"""Larger numbers cannot be the length of a stored axis."""

MAX_RANK = 32


def tidy(config: Json, *, max_depth: int, file: str) -> Json:
    """`config` with Keras's wrapped tuples replaced by plain lists. Limits the nesting depth.

    SavedModel metadata contain `{"class_name": "__tuple__", "items": [...]}` for a tuple and
    `{"class_name": "TensorShape", "items": [...]}` for a shape; `.keras` files also contain
    `{"class_name": "__tuple__", "config": {"value": [...]}}`.

    Raises:
        LimitExceeded: nested deeper than `max_depth`.
    """
    wrapped = _find_wrapped(config, max_depth, file)
    return _unwrap(config) if wrapped else config


def _find_wrapped(config: Json, max_depth: int, file: str) -> bool:
    """Whether `config` contains a wrapped tuple. Iterative, so depth does not use the stack."""
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
    """A copy with tuples as lists. `todo` holds the (container, key) pairs to copy."""
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
        if isinstance(container, dict):
            container[str(key)] = copy
        else:
            container[int(key)] = copy
        if isinstance(copy, dict):
            todo.extend((copy, name) for name in copy)
        else:
            todo.extend((copy, index) for index in range(len(copy)))
    return holder[0]


def _item(container: list[Json] | dict[str, Json], key: int | str) -> Json:
    if isinstance(container, list):
        return container[key] if isinstance(key, int) else None
    return container.get(key) if isinstance(key, str) else None


def mapping(value: Json) -> dict[str, Json]:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: Json) -> list[Json]:
    """`value` if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Json, default: str = "") -> str:
    """`value` if it is a string, else `default`."""
    return value if isinstance(value, str) else default


def names_a_class(value: Json) -> bool:
    """Whether an object at any depth of `value` has a `class_name`, like Keras configs."""
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
    """A boolean of the config. Integers are converted, other types give `default`.

    A null that is written is false, as it is in Python where Keras asks.
    """
    value = config.get(key, default)
    if value is None:
        return False
    return bool(value) if isinstance(value, (bool, int)) else default


def integer(value: Json) -> int | None:
    """`value` as an integer, else None. 4.0 is accepted, since Keras 1 wrote such values."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_DIMENSION:
        return int(value)
    return value if isinstance(value, int) and abs(value) < MAX_DIMENSION else None


def size(config: Mapping[str, Json], *keys: str) -> int | None:
    """The first of `keys` whose value is a length (an integer >= 0), else None."""
    for key in keys:
        value = integer(config.get(key))
        if value is not None and value >= 0:
            return value
    return None


def integers(value: Json, count: int | None = None) -> tuple[int, ...] | None:
    """A tuple of integers, else None. A single integer is repeated `count` times."""
    single = integer(value)
    if single is not None:
        return None if count is None else (single,) * count
    items = sequence(value)
    numbers = tuple(n for n in map(integer, items) if n is not None)
    wanted = len(items) if count is None else count
    return numbers if items and len(items) == len(numbers) == wanted else None


def lengths(value: Json) -> tuple[int, ...] | None:
    """One or more lengths as a tuple of integers >= 0, else None."""
    numbers = integers(value, 1) or integers(value)
    return numbers if numbers and min(numbers) >= 0 else None


def shape(value: Json) -> Shape | None:
    """A saved shape: axis lengths, None for an undefined axis. None if `value` is not a shape."""
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
    """A shape, or a list or object of shapes, as a tuple; () for anything else."""
    single = shape(value)
    if single is not None:
        return (single,)
    items = list(value.values()) if isinstance(value, dict) else sequence(value)
    found = tuple(s for s in map(shape, items) if s is not None)
    return found if len(found) == len(items) else ()


# Settings of Keras's own layers that are sizes, and those of them that may be null.
_SIZES = words(
    """units filters input_dim output_dim num_heads key_dim kernel_size pool_size strides
    dilation_rate target_shape batch_shape batch_input_shape"""
)
_LIMITS = words("bin_boundaries max_value min_value")
_OPTIONAL = words("input_dim strides batch_shape batch_input_shape")


def impossible_sizes(document: Json) -> Iterator[str]:
    """Sizes of Keras's own layers that are no whole numbers: booleans, texts, negative numbers."""
    pending = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, dict):
            pending.extend(value.values())
            name, config = value.get("class_name"), value.get("config")
            if isinstance(name, str) and name in LAYER_CLASSES and isinstance(config, dict):
                for key in _SIZES & config.keys():
                    size = config[key]
                    if not _is_size(key, size) and not (size is None and key in _OPTIONAL):
                        yield f"{json.dumps(size)[:40]} as {key}"


def infinite_limits(document: Json) -> int:
    """How many infinite numbers are limits by their settings: ends of bins, a largest value."""
    pending, count = [document], 0
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, dict):
            for key, item in value.items():
                each = item if isinstance(item, list) else [item]
                if key in _LIMITS:
                    count += sum(isinstance(x, float) and math.isinf(x) for x in each)
            pending.extend(value.values())
    return count


def _is_size(key: str, value: Json) -> bool:
    if isinstance(value, list):
        return all(item is None or _is_size(key, item) for item in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return isinstance(value, dict)  # of a list in another notation
    if isinstance(value, float) and not math.isfinite(value):
        return True  # reported as such
    if value != int(value):
        return False
    return value > 0 or (value in {-1, 0} and key not in {"units", "filters", "num_heads"})
