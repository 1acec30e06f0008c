"""The lists of layers and weights in Keras's HDF5 files, and the names of variables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

import h5py

from modelaudit.errors import ReadError
from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.hdf5.attribute_texts import attribute_bytes, chunked_attribute
from modelaudit.formats.hdf5.heap_references import HeapReferences
from modelaudit.formats.hdf5.link_walk import LinkedObjects
from modelaudit.formats.hdf5.open_file import text_of
from modelaudit.formats.io.density import NAMES
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.problems import limit_problem, problem_of
from modelaudit.formats.keras.dialects import NUMBERED
from modelaudit.settings import Limits

T = TypeVar("T")


def listed_groups(
    contents: LinkedObjects,
    base: str,
    window: FileWindow,
    limits: Limits,
    problems: list[Problem],
    heap: HeapReferences,
) -> tuple[dict[str, tuple[str, ...]], dict[str, Json]]:
    """Layer names and their datasets, in the order of the file's own lists.

    Keras 0.x lists none, and numbers them: `layer_0/param_0`.
    """
    stored = dict(reversed(contents.groups))  # of equal routes the first, with a valid name, wins
    root, file = stored.get(base), window.file
    if root is None:
        return {}, {}
    left, setting = NAMES.most(window.size, limits)
    present = {found.route for found in contents.datasets}
    present.update(problem.route for problem in contents.problems)  # present but unreadable
    # Of groups that the walk did not reach, it is unknown what they hold.
    cut = any(problem.kind is ProblemKind.LIMIT_EXCEEDED for problem in contents.problems)
    reached = _with_parents(present) if cut else frozenset(stored)
    read = partial(chunked_attribute, heap=heap)
    names = read_or_note(read, root, "layer_names", limits, problems, (file, base)) or []
    groups: dict[str, tuple[str, ...]] = {}
    numbered = sorted(filter(NUMBERED.fullmatch, present), key=_numbers)
    if numbered and not names:
        lists: dict[str, list[Json]] = {}
        for route in numbered:
            lists.setdefault(route.rpartition("/")[0], []).append(route)
        groups = {layer: tuple(map(str, routes)) for layer, routes in lists.items()}
        return groups, {"layer_names": [*lists], "groups": {**lists}}
    lost_layers: list[Json] = []
    lost_weights: list[Json] = []
    for count, name in enumerate(names):
        route = _route(base, name)
        group = stored.get(route)
        weights = None
        if group is not None and route in reached:
            place = (file, route)
            weights = read_or_note(read, group, "weight_names", limits, problems, place)
        left -= 1 + len(weights or ())
        if left < 0:
            detail = "lists too many layers and weights; the rest is skipped"
            problems.append(limit_problem(file, detail, setting, route))
            names = names[:count]
            break
        if group is None:
            lost_layers += [name] * (route not in present and not cut)
            continue
        groups[name] = tuple(_route(route, weight) for weight in weights or ())
        lost_weights += [path for path in groups[name] if path not in present and not cut]
    for lost in (*lost_layers, *lost_weights):
        detail = f"{lost} is in the file's list of layers and weights but not in the file"
        evidence: dict[str, Json] = {"hdf5": "missing"}
        kind = ProblemKind.TENSOR_UNREADABLE
        problems.append(Problem(kind, file, detail, str(lost), evidence))
    extra: dict[str, Json] = {
        "layer_names": list(names),
        "groups": {name: list(routes) for name, routes in groups.items()},
        "layer_names_missing_groups": lost_layers,
        "weight_names_missing": lost_weights,
    }
    return groups, extra


def _numbers(route: str) -> tuple[int, int, str]:
    """The numbers in `layer_10/param_1`, then the route, because `layer_010` has the same ones."""
    layer, _, weight = route.partition("/")
    return int(layer.rpartition("_")[2]), int(weight.rpartition("_")[2]), route


def _with_parents(routes: Iterable[str]) -> frozenset[str]:
    """The routes, and those of all groups that they are in."""
    found = set(routes)
    for route in routes:
        while (route := route.rpartition("/")[0]) and route not in found:
            found.add(route)
    return frozenset(found)


def _route(*names: str) -> str:
    """The route that HDF5 resolves the joined names to: it ignores empty parts and `.`."""
    parts = "/".join(names).split("/")
    return "/".join(part for part in parts if part not in {"", "."})


def variable_names(
    contents: LinkedObjects,
    file: str,
    limits: Limits,
    problems: list[Problem],
    heap: HeapReferences,
) -> dict[str, str]:
    """Routes of Keras 3's groups `vars`, and the names of the layers in their attributes."""
    names = {}
    read = partial(attribute_bytes, heap=heap)
    for route, group in contents.groups:
        if route.rpartition("/")[2] == "vars":
            value = read_or_note(read, group, "name", limits, problems, (file, route))
            if value is not None:
                names[route] = text_of(value)
    return names


def read_or_note(
    read: Callable[[h5py.Group, str, Limits], T],
    group: h5py.Group,
    name: str,
    limits: Limits,
    problems: list[Problem],
    where: tuple[str, str],
) -> T | None:
    """Read an attribute; on error, append a problem and return None."""
    try:
        return read(group, name, limits)
    except ReadError as error:
        file, route = where
        problems.append(problem_of(error, file, route))
        return None
