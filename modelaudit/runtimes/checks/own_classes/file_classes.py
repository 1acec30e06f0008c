"""Which classes of the program the objects in a file of weights are of.

A config names the class of each layer. Weights of Keras 3 note the name of each, which Keras makes
of its class; a checkpoint has the names of attributes alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from modelaudit.facts import Artifact, Format, Json
from modelaudit.formats.keras.builtin_layers import made_of, snake_case, without_number
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.formats.source_code.classes import HIDDEN, ClassCode, MadeLayer, SourceCode
from modelaudit.formats.source_code.methods import ADD_WEIGHT, ANY_ATTRIBUTE, CONSTRUCTOR
from modelaudit.graphs import ObjectNode, reachable
from modelaudit.layer_classes import LAYER_CLASSES
from modelaudit.runtimes.checks.own_classes.kept_variables import class_of

CONNECTED = ("Functional", "Model")
"""Base classes of models of layers with an input."""
_MADE = (ADD_WEIGHT, "tensorflow.Variable")
_LAYERS = "layers"
_OWN = "vars"  # the group of weights that a model makes itself
_LEAST = 2  # attributes that tell of which class an object is
_OF_KERAS = frozenset(("optimizer", "root"))  # what Keras or TensorFlow sets in a model
_PLAIN = ((), ("object",))  # bases of a class that is none of Keras or TensorFlow


def classes_in(artifact: Artifact, code: SourceCode) -> Iterator[ClassCode]:
    """The classes of the program of which the file has objects, as far as it tells."""
    noted = mapping(mapping(artifact.extra.get("h5")).get("vars_names"))
    for name in noted.values():
        if (found := class_of(text(name), None, code)) is not None:
            yield found
    if (model := artifact.architecture) is not None:
        named = [model.class_name, *(each.class_name for each in model.layers if each.custom)]
        yield from filter(None, map(code.find, named))
    nodes = {node.index: node for node in artifact.object_graph}
    yield from (each for each, _ in objects_of(nodes, code))
    groups = mapping(mapping(artifact.extra.get("h5")).get("groups"))  # by Keras 2, without names
    every = [each for listed in code.classes.values() for each in listed]
    yield from _only([each for each in every if groups and _has_groups(each, groups, code)], code)
    if not noted and artifact.format is Format.WEIGHTS_H5_V3:
        names = {tensor.name.partition("/")[0] for tensor in artifact.tensors}
        yield from _only([each for each in every if _has_names(each, names, code)], code)
        paths = (tensor.name.split("/") for tensor in artifact.tensors)
        listed: dict[str, Json] = {each[1]: [""] for each in paths if each[0] == _LAYERS}
        alike = [each for each in every if names == {_LAYERS} and all_behind(each, code)]
        yield from _only([each for each in alike if _has_groups(each, listed, code)], code)


def all_behind(owner: ClassCode, code: SourceCode) -> bool:
    """Whether a model has no attribute with weights whose name comes before `layers`.

    Keras 2.12 to 2.14 looks at attributes in the order of their names, of which that is one, a list
    of all layers, so that it has those of all others.
    """
    names = set[str]().union(*attributes_of(owner, code))
    of_model = code.base(owner).rpartition(".")[2] == "Model"
    return of_model and bool(names) and min(names) > _LAYERS


def connects(owner: ClassCode, code: SourceCode) -> bool:
    """Whether its constructor gives that of `Model` inputs and outputs, so that it has layers."""
    if code.base(owner).rpartition(".")[2] not in CONNECTED:
        return False
    lineage = (each for each in code.lineage(owner) if isinstance(each, ClassCode))
    made = [each.base_call for each in lineage if each.base_call is not None]
    return any(call.positional > 1 or {"inputs", "outputs"} <= call.words for call in made)


def class_of_model(artifact: Artifact, code: SourceCode, group: str = "") -> ClassCode | None:
    """The class of the model of weights of Keras 3, or of one in a group, by the noted name."""
    noted = mapping(mapping(artifact.extra.get("h5")).get("vars_names"))
    name = text(noted.get(f"{group}/vars" if group else _OWN))
    return class_of(name, None, code) if name else None


def _only(alike: list[ClassCode], code: SourceCode) -> list[ClassCode]:
    """The one of several classes that the others are subclasses of; none if there is none."""
    first = [each for each in alike if not any(x in alike for x in [*code.lineage(each)][1:])]
    return first if len(first) == 1 else []


def _has_names(owner: ClassCode, names: set[str], code: SourceCode) -> bool:
    """Whether an archive of Keras 2 may be of a model whose attributes have these names."""
    if code.base(owner).rpartition(".")[2] != "Model" or len(names) < _LEAST:
        return False
    lineage = [each for each in code.lineage(owner) if isinstance(each, ClassCode)]
    if _OWN in names and not any(each.variables or each.weights for each in lineage):
        return False
    made = [each for one in lineage for each in one.made]
    always = {x.attribute for x in made if _is_plain_layer(x) and code.makes_weights(x)}
    return always <= names <= {_OWN, *(each.attribute for each in made)}


def _has_groups(owner: ClassCode, groups: Mapping[str, Json], code: SourceCode) -> bool:
    """Whether the layers that a file of Keras 2 names may be those of a model of the program.

    It has as many of each class with weights as the model, or more of what the model has in a list.
    Its other layers are of classes that the model makes, and it has all that the model always does.
    """
    if code.base(owner).rpartition(".")[2] != "Model":
        return False
    single, listed = attributes_of(owner, code)
    found = [
        (each, _kind(snake_case(each.name.rpartition(".")[2])))
        for one in code.lineage(owner)
        if isinstance(one, ClassCode)
        for each in one.made
    ]
    mine = Counter(kind for made, kind in found if made.attribute in single and not made.listed)
    more = {kind for made, kind in found if made.attribute in listed and made.listed}
    kinds = Counter(_kind(name) for name, held in groups.items() if sequence(held))
    if not kinds or (kinds - mine).keys() != more:
        return False
    always = {kind for made, kind in found if _is_plain_layer(made)}
    named = {*map(_kind, groups)}
    return not mine - kinds and always <= named <= {kind for _, kind in found}


def _kind(name: str) -> str:
    """The class of a name, with no number of the layer and none that the class ends in."""
    return without_number(made_of(name)[1])


def _is_plain_layer(made: MadeLayer) -> bool:
    module, _, name = made.name.rpartition(".")
    of_keras = module.endswith("keras.layers") and name in LAYER_CLASSES
    return of_keras and made.method == CONSTRUCTOR and not made.listed


def objects_of(
    nodes: Mapping[int, ObjectNode], code: SourceCode
) -> Iterator[tuple[ClassCode, int]]:
    """Classes of the program and the objects of a checkpoint that are of them.

    A checkpoint has no names of classes: an object is of the class whose other layers and weights
    it has, if these are several, or one weight that Keras named after the class. What it holds by
    the name of an attribute is of the class that the code makes there.
    """
    alone = _told_apart(code)
    found = [
        (each, index)
        for listed in code.classes.values()
        for each in listed
        for single in (attributes_of(each, code)[0],)
        for index, node in nodes.items()
        if (
            _is_of(each, single, node, nodes)
            or (single and single <= node.children.keys() and single <= alone)
        )
        and not _denied(each, node, nodes, code)
    ]
    found += [*_of_lists(nodes, found, code)]
    seen: set[tuple[str, int]] = set()
    while found:
        owner, index = found.pop(0)
        if (owner.where, index) in seen:
            continue
        seen.add((owner.where, index))
        yield owner, index
        children = nodes[index].children
        for made in owner.made:
            child, kind = children.get(made.attribute, -1), code.made_class(made.name)
            if child in nodes and kind is not None and not made.listed:
                found.append((kind, child))


def _denied(
    owner: ClassCode, node: ObjectNode, nodes: Mapping[int, ObjectNode], code: SourceCode
) -> bool:
    """Whether an attribute holds an object of another class than the one that the code makes."""
    for made in owner.made:
        kind = code.made_class(made.name)
        held = nodes.get(node.children.get(made.attribute, -1))
        if kind is not None and held is not None and not made.listed:
            known = _attributes_set(kind, code)
            others = held.children.keys() - known if known else set()
            if any(_holds_weights(held.children[name], name, nodes) for name in others):
                return True
    return False


def _attributes_set(kind: ClassCode, code: SourceCode) -> set[str]:
    """All attributes that a layer or model of the program sets; none if the text does not tell."""
    lineage = [each for each in code.lineage(kind) if isinstance(each, ClassCode)]
    made = {part.attribute for each in lineage for part in each.made}
    plain = code.base(kind).rpartition(".")[2] in ("Layer", "Model")
    if not plain or any(name == HIDDEN or name.endswith(ANY_ATTRIBUTE) for name in made):
        return set()
    return made.union(*(each.assigned for each in lineage))


def _holds_weights(index: int, name: str, nodes: Mapping[int, ObjectNode]) -> bool:
    """Whether a child is a layer with weights that the program set, not one that Keras sets."""
    if not name.isidentifier() or name.startswith("_") or name in _OF_KERAS or index not in nodes:
        return False

    def below(number: int) -> list[int]:
        return [each for each in nodes[number].children.values() if each in nodes]

    return bool(below(index)) and any(nodes[each].attributes for each in reachable([index], below))


def _told_apart(code: SourceCode) -> set[str]:
    """The attributes that only one class of the program has."""
    every = [each for listed in code.classes.values() for each in listed]
    often = Counter(name for each in every for name in {made.attribute for made in each.made})
    return {name for name, count in often.items() if count == 1}


def _of_lists(
    nodes: Mapping[int, ObjectNode], found: list[tuple[ClassCode, int]], code: SourceCode
) -> Iterator[tuple[ClassCode, int]]:
    """Objects of classes that have nothing but lists, by what a file of Keras 2 has in these."""
    known = {(kind.name, index) for kind, index in found}
    for each in (one for listed in code.classes.values() for one in listed):
        single, listed_in = attributes_of(each, code)
        made = {one.attribute: one.name.rpartition(".")[2] for one in each.made if one.listed}
        for index, node in nodes.items() if listed_in and not single else ():
            held = {name: nodes.get(node.children.get(name, -1)) for name in listed_in}
            if all(
                inside is not None
                and inside.children
                and all((made.get(name, ""), child) in known for child in inside.children.values())
                for name, inside in held.items()
            ):
                yield each, index


def _is_of(
    owner: ClassCode, single: set[str], node: ObjectNode, nodes: Mapping[int, ObjectNode]
) -> bool:
    """Whether an object is one of the class with these attributes."""
    if not single or not single <= set(node.children):
        return False
    if len(single) >= _LEAST:
        return True
    held = [nodes[node.children[each]] for each in single if node.children[each] in nodes]
    held += [nodes[child] for each in held for child in each.children.values() if child in nodes]
    named = (text.get("full_name", "") for each in held for text in each.attributes.values())
    own = snake_case(owner.name)
    parts = (part for name in named for part in name.split("/")[:-1])
    return any(own in (*made_of(part), without_number(part)) for part in parts)


def attributes_of(owner: ClassCode, code: SourceCode) -> tuple[set[str], set[str]]:
    """Its attributes with weights: one, and lists."""
    made = [
        each
        for one in code.lineage(owner)
        if isinstance(one, ClassCode)
        for each in one.made
        if (each.name in _MADE or code.makes_weights(each) or _holds_variable(each.name, code))
        and not each.attribute.endswith(ANY_ATTRIBUTE)
        and each.attribute != HIDDEN
        and not is_plain(code.made_class(each.name))
    ]
    single = {each.attribute for each in made if not each.listed}
    return single, {each.attribute for each in made if each.listed}


def begins_of(owner: ClassCode, code: SourceCode) -> Iterator[str]:
    """How attributes begin that it sets in a loop, as `setattr(self, f"dense{i}", Dense(4))`."""
    for one in code.lineage(owner):
        for made in one.made if isinstance(one, ClassCode) else ():
            if made.attribute.endswith(ANY_ATTRIBUTE) and made.attribute != ANY_ATTRIBUTE:
                yield made.attribute.removesuffix(ANY_ATTRIBUTE)


def _holds_variable(made: str, code: SourceCode) -> bool:
    """Whether a class of the program keeps a `tf.Variable`, which a checkpoint has."""
    kind = code.made_class(made)
    return kind is not None and any(each.variables for each in code.parts(kind))


def is_plain(kind: ClassCode | None) -> bool:
    """Whether it is a class of the program that is neither a layer nor another part of Keras."""
    return kind is not None and kind.static and kind.bases in _PLAIN
