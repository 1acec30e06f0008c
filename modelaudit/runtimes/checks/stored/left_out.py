"""Checkpoints of Keras 3: parts of a model that it does not save there.

TensorFlow writes the attributes of each object. Keras 3 keeps a list or dictionary of layers, of
cells or of weights in a class of its own, which TensorFlow does not look into.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.formats.keras.builtin_layers import snake_case
from modelaudit.formats.source_code.classes import ClassCode, SourceCode
from modelaudit.graphs import ObjectNode, reachable
from modelaudit.layer_classes import LAYER_CLASSES
from modelaudit.runtimes.checks.own_classes.kept_variables import class_of
from modelaudit.runtimes.checks.own_classes.listed_layers import (
    all_known,
    drawn_in_lists,
    listed_layers,
    lister,
)
from modelaudit.runtimes.checks.stored.object_names import names_in_keras3
from modelaudit.runtimes.checks.stored.object_paths import weights
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.terminal_text import first_of

_VARIABLES = ("_trainable_variables", "_variables")
_TRAINED = _VARIABLES[0]  # the list of an optimizer: all weights that it trains
_STATISTICS, _SCALE = "batch_normalization", "gamma"  # of layers that normalize, one keeps such
_NORMALIZATIONS = frozenset((_STATISTICS, "layer_normalization", "group_normalization"))
_CELL = "cell"
_RECURRENT = "recurrent_kernel"
_LISTED = frozenset(("_layers", "_operations"))
_OF_RANK: dict[int | None, str] = {2: "dense", 4: "conv2d"}  # by the rank of a kernel
_KINDS = frozenset(("embedding", "batch_normalization", "layer_normalization", *_OF_RANK.values()))
_NAMES = frozenset(map(snake_case, LAYER_CLASSES))
_MODELS = frozenset(("sequential", "functional", "model", "time_distributed"))
_FIX = "Save the weights as .weights.h5."
_DIRECTIONS = r"^(?:forward|backward)_"  # copies of the counted layer of a Bidirectional
_COUNTED = re.compile(r"(.+?)(?:_([0-9]{1,6}))?\Z")
_IN_LISTS = "a list or dictionary, which Keras 3 does not save in a checkpoint"

Nodes = dict[int, ObjectNode]


def left_out(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """What of the model a checkpoint of Keras 3 lacks."""
    states = context.behaviour("restored_states", {})
    if LoadOutcome.DIFFERS.value not in (states.get("list"), states.get("dict")):
        return
    nodes = {node.index: node for node in artifact.object_graph}
    lists = [index for node in nodes.values() for index in _listed(node)]
    trained = [index for index in lists if index in nodes and nodes[index].children]
    if trained:
        yield from _only_trained(nodes, trained, context)
    elif found := next(listed_layers(nodes, context.code), None):
        yield found
    elif cells := sorted(_empty_cells(nodes)):
        held = next(iter(sorted(_cells_outside(nodes))), "")
        yield Reason(
            "cells-left-out",
            LoadOutcome.UNKNOWN if held else LoadOutcome.DIFFERS,
            f"the cell of the recurrent layer {cells[0]} has no weights of its own: it holds "
            f"others (StackedRNNCells) in {_IN_LISTS}, and these keep their random values"
            + (f", unless they are {held}, which the file has by name" if held else ""),
            "no error" if not held else "",
            _FIX,
        )
    elif parts := _own_parts(artifact):
        if not all_known(nodes, parts, context.code):
            yield from _beside(nodes, parts, artifact)
    elif missing := _not_counted(nodes):
        own = lister(_COUNTED.sub(r"\1", missing), context.code)
        holds = f"{own.name} ({own.where}) keeps such" if own else "If one of these holds layers"
        yield Reason(
            "layers-left-out",
            LoadOutcome.DIFFERS if own else LoadOutcome.UNKNOWN,
            f"the names of layers leave out {missing}, and there are layers without weights. "
            f"{holds} in {_IN_LISTS}: the checkpoint lacks them",
            "no error" if own else "",
            _FIX,
            unless=f"none of these layers is a {own.name}" if own else "",
        )


def _listed(node: ObjectNode) -> Iterator[int]:
    """The variables of an optimizer's list."""
    if "_iterations" in node.children and _TRAINED in node.children:
        yield node.children[_TRAINED]


def _only_trained(nodes: Nodes, lists: list[int], context: CheckContext) -> Iterator[Reason]:
    """Weights that the file has for the optimizer only."""
    of_optimizers = {node.index for node in nodes.values() if any(_listed(node))}

    def below(index: int) -> list[int]:
        children = nodes[index].children.values() if index in nodes else ()
        return [each for each in children if each not in of_optimizers]

    of_model = set(reachable([0], below))
    listed = {v for each in lists if each in nodes for v in nodes[each].children.values()}
    lost = sorted(_name(nodes, each) for each in listed - of_model)
    if not lost:
        return
    if not context.request.trained:
        yield Reason(
            "weights-of-optimizer-only",
            LoadOutcome.DIFFERS,
            f"the file has {first_of(lost, 3)} in the list of the optimizer only, as its layer is "
            f"in {_IN_LISTS}; a model whose optimizer is not built yet keeps random values there",
            "no error",
            _FIX,
            unless="the model is compiled and trained before it reads the checkpoint",
        )
    elif scaled := [name for name in lost if _normalizes(name, context)]:
        certain = any(_STATISTICS in name for name in scaled)
        certain |= any(_keeps_statistics(name, context.code) for name in scaled)
        of_which = "this BatchNormalization" if certain else "a BatchNormalization, if it is one,"
        yield Reason(
            "layers-left-out",
            LoadOutcome.DIFFERS if certain else LoadOutcome.UNKNOWN,
            f"the file has {first_of(scaled, 1)} in the list of the optimizer only, as its layer "
            f"is in {_IN_LISTS}; the statistics of {of_which} are missing",
            "no error" if certain else "",
            _FIX,
        )
    else:
        yield from drawn_in_lists(lost, context.code)


def _normalizes(name: str, context: CheckContext) -> bool:
    """Whether a weight may be of a BatchNormalization: not if its class has one of that name."""
    *_, layer, own = ("", *name.split("/"))
    if own != _SCALE or _STATISTICS in name:
        return own == _SCALE
    found = class_of(layer, None, context.code)
    if found is None:
        return True
    parts = context.code.parts(found)
    kept = any(_SCALE in each.weights for each in parts)
    return not kept and _STATISTICS in _normalizations(parts, context.code)


def _keeps_statistics(name: str, code: SourceCode) -> bool:
    """Whether the class in the name of a weight makes a BatchNormalization, and no other such."""
    *_, layer, _ = ("", *name.split("/"))
    found = class_of(layer, None, code)
    return found is not None and _normalizations(code.parts(found), code) == {_STATISTICS}


def _normalizations(owners: Iterable[ClassCode], code: SourceCode) -> set[str]:
    """The layers with a gamma, as in names, that classes of the program make."""
    parts = {each for owner in owners for x in owner.made for each in (x.name, *x.inside)}
    parts |= {each for name in parts for each in code.makers.get(name.rpartition(".")[2], ())}
    return {snake_case(name.rpartition(".")[2]) for name in parts} & _NORMALIZATIONS


def _name(nodes: Nodes, index: int) -> str:
    attributes = nodes[index].attributes if index in nodes else {}
    return next((each.get("full_name", "") for each in attributes.values()), "")


def _empty_cells(nodes: Nodes) -> Iterator[str]:
    """Layers whose cell is an object without any part."""
    cells = {node.index: nodes.get(node.children.get(_CELL, -1)) for node in nodes.values()}
    empty = {index for index, cell in cells.items() if cell is not None and _is_empty(cell)}
    for node in nodes.values() if empty else ():
        yield from (name for name, child in node.children.items() if child in empty)


def _cells_outside(nodes: Nodes) -> Iterator[str]:
    """Cells with weights that an object holds by a name of its own, beside recurrent layers."""
    cells = {index for index, node in nodes.items() if _RECURRENT in node.children}
    for node in nodes.values():
        yield from (n for n, child in node.children.items() if child in cells and n != _CELL)


def _beside(nodes: Nodes, parts: dict[int, str], artifact: Artifact) -> Iterator[Reason]:
    """Layers of classes of the user's own, which may hold others in a list beside these.

    The number in the name of a later layer shows it: Keras counts the layers of a class, and the
    file has as many, unless some have no weights. Layers inside a class without a `build` of its
    own have no names of theirs.
    """
    unbuilt = sum(_is_empty(nodes[x]) for x in _own_children(nodes, parts))
    held = [name for name in (_name(nodes, index) for index in nodes) if name]
    # The first layers may be among those without names.
    hidden = any(_nameless(nodes, index) for index in parts)
    rows = _counted_rows(held)
    kinds = Counter(_kinds(nodes, artifact))
    short = {
        base: row
        for base, row in rows.items()
        if base in _KINDS and row[-1] >= kinds[base] + unbuilt
    }
    shown = first_of(sorted(set(parts.values())), 3)
    sure = [base for base, row in sorted(short.items()) if hidden or row[0] == 0]
    if sure:
        base, row = sure[0], short[sure[0]]
        yield Reason(
            "layers-left-out",
            LoadOutcome.DIFFERS,
            f"the name {base}_{row[-1]} says that Keras made {row[-1] + 1} layers of this class, "
            f"and the file has {kinds[base]}: a class of the user's own holds others beside "
            f"{shown} in {_IN_LISTS}, and these keep random values",
            "no error",
            _FIX,
            unless="the other layers are of another model",
        )
    elif short or (_LISTED & nodes[0].children.keys() and not _KINDS & rows.keys()):
        yield Reason(
            "layers-left-out",
            LoadOutcome.UNKNOWN,
            f"{shown}: attributes of classes of the user's own. If these also hold layers in "
            f"{_IN_LISTS}, the checkpoint lacks them",
            fix=_FIX,
        )


def _kinds(nodes: Nodes, artifact: Artifact) -> Iterator[str]:
    """The class, as in names, of each object that is told by its variables."""
    ranks = {tensor.name: len(tensor.shape) for tensor in artifact.tensors}
    for node in nodes.values():
        held = {
            name: ranks.get(attribute.get("key", "").partition("/.ATTRIBUTES")[0])
            for name, child in node.children.items()
            for attribute in (nodes[child].attributes.values() if child in nodes else ())
        }
        if "_embeddings" in held:
            yield "embedding"
        elif "moving_mean" in held:
            yield "batch_normalization"
        elif "gamma" in held or "beta" in held:
            yield "layer_normalization"
        elif held.get("_kernel") in _OF_RANK:
            yield _OF_RANK[held["_kernel"]]


def _nameless(nodes: Nodes, index: int) -> bool:
    """Whether the variables of a layer have no name of Keras for it."""
    names = [_name(nodes, each).split("/") for each in nodes[index].children.values()]
    bases = [_COUNTED.match(each[-2]) for each in names if len(each) > 1]
    return any(found is not None and found[1] not in _NAMES for found in bases)


def _own_children(nodes: Nodes, parts: dict[int, str]) -> set[int]:
    """All parts, by names of the user's own, of the objects that hold some with weights."""
    holders = [
        node for node in nodes.values() if not parts.keys().isdisjoint(node.children.values())
    ]
    return {
        child
        for node in holders
        for name, child in node.children.items()
        if child in nodes and not name.startswith("_") and name not in names_in_keras3()
    }


def _not_counted(nodes: Nodes) -> str:
    """The name of a layer that Keras counted and that has no weights in the file; "" if none.

    Keras numbers the layers of a class that have no name of their own, in one row for all models
    of a process. So a row that begins late says something only of a model with a layer behind its
    first, the input, that has no weights.
    """
    rows = [
        [held.children[name] for name in sorted(held.children, key=_place)]
        for node in nodes.values()
        for name, index in node.children.items()
        if name in _LISTED and (held := nodes.get(index)) is not None
    ]
    empty = {index for index, node in nodes.items() if _is_empty(node)}
    if not any(not empty.isdisjoint(row) for row in rows):
        return ""
    behind = any(not empty.isdisjoint(row[1:]) for row in rows)
    found = [name for name in (_name(nodes, index) for index in nodes) if name]
    for base, row in sorted(_counted_rows(found).items()):
        if behind and base in _NAMES and row[0]:
            return base
        for gap in _gaps(base, row):
            return gap
    return ""


def _counted_rows(held: list[str]) -> dict[str, list[int]]:
    """Class, as in names -> the numbers of its layers with weights, in order."""
    parts = [each for each in (name.split("/")[:-1] for name in held) if each]
    named = len({each[0] for each in parts}) == 1 and all(len(each) > 1 for each in parts)
    counted: dict[str, set[int]] = {}
    for part in {part for each in parts for part in each[named:]}:  # not the model's own
        if found := _COUNTED.match(re.sub(_DIRECTIONS, "", part)):
            counted.setdefault(found[1], set()).add(int(found[2] or 0))
    return {base: sorted(numbers) for base, numbers in counted.items()}


def _gaps(base: str, row: list[int]) -> Iterator[str]:
    """Names that a row of numbers leaves out. One without weights is counted too."""
    if base in _MODELS:
        return
    for number, following in pairwise(row):
        if following > number + 1 and (base in _NAMES or row[0] == 0):
            yield f"{base}_{number + 1}"


def _place(name: str) -> int:
    return int(name) if name.isdecimal() else -1


def _is_empty(node: ObjectNode) -> bool:
    return not node.children and not node.attributes


def _own_parts(artifact: Artifact) -> dict[int, str]:
    """Layers with weights in objects of the user's own classes -> the names of the attributes."""
    kept = {tensor.name for tensor in weights(artifact)}
    variables = {
        node.index
        for node in artifact.object_graph
        for attribute in node.attributes.values()
        if attribute.get("key", "").partition("/.ATTRIBUTES")[0] in kept
    }
    # An optimizer lists variables, not layers.
    children = {
        node.index: {name: child for name, child in node.children.items() if name not in _VARIABLES}
        for node in artifact.object_graph
    }
    parents: dict[int, list[int]] = {}
    for index, below in children.items():
        for child in below.values():
            parents.setdefault(child, []).append(index)
    holding = set(reachable(variables, lambda index: parents.get(index, ())))
    if "root" not in children.get(0, {}):
        children.pop(0, None)  # a tf.train.Checkpoint with parts by name, not a model
    return {
        child: name
        for below in children.values()
        for name, child in below.items()
        if child in holding - variables - {0}
        and not (name.startswith("_") or name.isdigit() or name in names_in_keras3())
    }
