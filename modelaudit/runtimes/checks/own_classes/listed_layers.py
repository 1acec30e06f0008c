"""Layers and weights that a class of the program keeps in a list, in checkpoints of Keras 3."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.keras.builtin_layers import snake_case
from modelaudit.formats.source_code.classes import KERAS, ClassCode, SourceCode
from modelaudit.graphs import ObjectNode
from modelaudit.layer_classes import OTHER_WEIGHTS, Trait, has
from modelaudit.runtimes.checks.own_classes.file_classes import attributes_of, begins_of, objects_of
from modelaudit.runtimes.checks.own_classes.kept_variables import class_of
from modelaudit.runtimes.model import Reason
from modelaudit.terminal_text import first_of

# Layers that hold weights alone, or others by the names of attributes.
_SINGLE = (Trait.FEATURE_WEIGHTS, Trait.CONVOLUTION, Trait.ATTENTION)
Found = list[tuple[ClassCode, int]]


def listed_layers(nodes: Mapping[int, ObjectNode], code: SourceCode) -> Iterator[Reason]:
    """Classes of which the checkpoint has an object without what is in its lists."""
    found = [*objects_of(nodes, code)]
    for each, index in found:
        if not (listed := _missing(each, nodes[index], code)):
            continue
        other = _other(each, [kind for kind, of in found if of == index], nodes[index], code)
        yield Reason(
            "layers-left-out",
            LoadOutcome.UNKNOWN if other else LoadOutcome.DIFFERS,
            f"{each.name} ({each.where}) keeps layers or weights in "
            f"{first_of(sorted(listed), 4)}, a list or dictionary, which Keras 3 does not save "
            "in a checkpoint: they keep random values"
            + f", unless the object is a {other}, which has the same attributes"
            * bool(other),
            "no error" * (not other),
            "Save the weights as .weights.h5.",
        )
        return


def all_known(nodes: Mapping[int, ObjectNode], parts: Mapping[int, str], code: SourceCode) -> bool:
    """Whether the code has the classes of all parts, and of what holds them: none has a list.

    Args:
        parts: layers with weights, and the names of the attributes that hold them.
    """
    found = [*objects_of(nodes, code)]
    known = {index for _, index in found} | {*_of_keras(nodes, found)}
    holders = {
        node.index
        for node in nodes.values()
        for name, child in node.children.items()
        if child in parts and parts[child] == name
    }
    return known >= parts.keys() | holders


def _of_keras(nodes: Mapping[int, ObjectNode], found: Found) -> Iterator[int]:
    """Layers of Keras without lists of others, which the code of an object's class makes."""
    for owner, index in found:
        for made in owner.made:
            name, child = made.name.rpartition(".")[2], nodes[index].children.get(made.attribute)
            single = name in OTHER_WEIGHTS or any(has(name, each) for each in _SINGLE)
            of_keras = made.name.startswith(KERAS) and not made.listed
            if child is not None and child in nodes and single and of_keras:
                yield child


def in_lists(nodes: Mapping[int, ObjectNode], code: SourceCode) -> tuple[set[str], set[str]]:
    """Lists and dictionaries that classes hold and a file of Keras 2 has; names of what is in them.

    Keras 3 does not look into these. Keras 2 also tracks a weight by the name that it was given.
    A name that another of the classes gives to a single layer or weight is left out, and one that
    a class sets in a loop as well.
    """
    every = [*objects_of(nodes, code)]
    found = [(attributes_of(each, code), nodes[index]) for each, index in every]
    single = {name for (names, _), _ in found for name in names}
    by_loops = tuple({begin for each, _ in every for begin in begins_of(each, code)})
    lists, inside = set[str](), set[str]()
    for (_, names), node in found:
        for name in names & node.children.keys() - single:
            held = nodes.get(node.children[name])
            parts = set(held.children.values()) if held is not None else set()
            lists.add(name)
            inside.update(each for each, child in node.children.items() if child in parts)
    return lists, {each for each in inside - single if not each.startswith(by_loops)}


def lister(kind: str, code: SourceCode) -> ClassCode | None:
    """A class that keeps layers of a kind, as in names, in a list."""
    for each in (each for found in code.classes.values() for each in found):
        made = (x.name.rpartition(".")[2] for x in each.made if x.listed)
        if kind in map(snake_case, made):
            return each
    return None


def drawn_in_lists(weights: Iterable[str], code: SourceCode) -> Iterator[Reason]:
    """The first class whose objects another one keeps in a list, and that draws a `tf.Variable`.

    Args:
        weights: names of weights that are in such lists.
    """
    parts = sorted({part for name in weights for part in name.split("/")[:-1]})
    owners = (found for part in parts if (found := class_of(part, None, code)) is not None)
    made = (code.made_class(each.name) for owner in owners for each in owner.made if each.listed)
    for kind in made:
        if kind is not None and any(each.drawn for each in code.parts(kind)):
            yield Reason(
                "layers-left-out",
                LoadOutcome.DIFFERS,
                f"{kind.name} ({kind.where}) keeps a `tf.Variable` of random numbers, and is in a "
                "list or dictionary, which Keras 3 does not save in a checkpoint; no optimizer has "
                "the variable",
                "no error",
                "Make it by `add_weight`, train the model, and save the weights as .weights.h5.",
            )
            return


def _missing(kind: ClassCode, node: ObjectNode, code: SourceCode) -> set[str]:
    """Lists of a class that an object lacks."""
    return attributes_of(kind, code)[1] - node.children.keys()


def _other(kind: ClassCode, alike: list[ClassCode], node: ObjectNode, code: SourceCode) -> str:
    """A class that an object may be of as well, by as many attributes, and that lacks nothing."""
    single, lineage = attributes_of(kind, code)[0], [*code.lineage(kind)]
    return next(
        (
            each.name
            for each in alike
            if each not in lineage
            and single <= attributes_of(each, code)[0]
            and not _missing(each, node, code)
        ),
        "",
    )
