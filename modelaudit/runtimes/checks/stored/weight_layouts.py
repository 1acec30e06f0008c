"""The layouts that versions of Keras give the groups of a weights file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modelaudit.facts import Artifact
from modelaudit.formats.keras.json_config import mapping, sequence
from modelaudit.formats.source_code.classes import ClassCode, SourceCode
from modelaudit.runtimes.checks.own_classes.file_classes import (
    all_behind,
    class_of_model,
    connects,
)
from modelaudit.runtimes.model import CheckContext

OLD_LAYOUT = "_layer_checkpoint_dependencies"
UNCOUNTED, COUNTED = "attributes-first", "attributes-first-counted"
# Attributes of a subclassed model that all come behind `layers` in the alphabet, the order in which
# 2.12 to 2.14 and Keras 3 look at them (2.15 and tf-keras at the last one first).
LISTED_FIRST = (
    frozenset((UNCOUNTED, COUNTED)),
    "lists the layers of a subclassed model before its attributes",
)


def only_listed(
    names: list[str],
    artifact: Artifact,
    context: CheckContext,
    *,
    group: str = "",
    older: bool = False,
) -> bool:
    """Whether the groups `layers/…` of a file are those of a subclassed model, in that order.

    Those of other models have this name from 2.15 on, as have models inside them. What follows each
    other is neither several embeddings nor models alone. In the `group` of a model these names are
    known to be those of a subclass where Keras 2.12 to 2.14 wrote them, as a name of theirs tells
    that is `older`, around the group, or in it. The class itself, if its code is given, tells it.
    """
    writer = context.writer
    if writer is not None and not writer.keras3 and writer.keras >= (2, 15):
        return False
    if {name.partition("/")[0] for name in names} != {"layers"}:
        return False
    owner = class_of_model(artifact, context.code, group)
    if owner is not None and context.code.base(owner).rpartition(".")[2] == "Model":
        known = context.code.defines(owner, "call") is True and not connects(owner, context.code)
        return known and not _hides_layers(owner, context.code)
    if group:
        older |= any(f"/{OLD_LAYOUT}/" in name for name in names)
        return older if writer is None else not writer.keras3
    h5 = mapping(artifact.extra.get("h5"))
    listed = [str(each) for each in sequence(h5.get("layer_groups"))]
    if any(each.startswith("input_layer") for each in listed):
        return False  # a Functional model lists its inputs, also one of a class of the program
    architecture = artifact.architecture
    if architecture is not None and not architecture.assumed:
        return not architecture.layers
    if any(f"/{OLD_LAYOUT}/" in name for name in names):
        return True
    if not h5.get("vars_names"):  # Keras 3 notes names
        return any(all_behind(each, context.code) for each in context.classes)
    groups = {name.split("/")[1] for name in names}
    models = {name.split("/")[1] for name in names if name.split("/")[2:3] == ["layers"]}
    lookups = [each for each in groups if each.rstrip("_0123456789") == "embedding"]
    return len(lookups) > 1 or (len(groups) > 1 and groups == models)


def _hides_layers(owner: ClassCode, code: SourceCode) -> bool:
    """Whether all attributes with weights begin with an underscore.

    Keras 3 looks at these last, and Keras 2.12 to 2.14 at them first, so before `layers`.
    """
    lineage = (each for each in code.lineage(owner) if isinstance(each, ClassCode))
    made = [part for each in lineage for part in each.made if code.makes_weights(part)]
    return bool(made) and all(each.attribute.startswith("_") for each in made)


def replaced(names: list[str]) -> str:
    """A group with `layers` in its name, in a file with the old name for those of the whole model.

    Keras 3 then reads every `layers` in a path as the old name, also inside a name of the program
    as `enc_layers`.
    """
    if not any(name.startswith(OLD_LAYOUT) for name in names):
        return ""
    parts = (part for name in names for part in name.split("/") if part != OLD_LAYOUT)
    return next((part for part in parts if "layers" in part), "")


def layouts_of(names: Iterable[str], older: Iterable[str] = ()) -> tuple[frozenset[str], str]:
    """The possible layouts of a weights file, judged by its groups, and a description.

    The names are those of the experiment with layouts. If no two layers of one class are in the
    same group, their numbers show nothing and both ways of counting are possible. `older` are the
    groups of layers in the layout of Keras 2.12 to 2.14, also of those without weights.
    """
    paths = [name.split("/") for name in names]
    groups = {path[0] for path in paths}
    if OLD_LAYOUT in groups:
        paths += [[*group.split("/"), ""] for group in older]
        skipped = _skips_a_number(paths)
        if skipped:
            described = f"numbers layers like Keras 2.12 and 2.13 ({skipped})"
            return frozenset(("dependencies-doubled",)), described
        described = f"has {OLD_LAYOUT}/, as written by Keras 2.12 to 2.14"
        if _has_second(paths):
            return frozenset(("dependencies",)), described
        return frozenset(("dependencies", "dependencies-doubled")), described
    attributes = sorted(groups - {"layers"})
    if not attributes:
        return frozenset(("layers",)), "has layers/, as written by Keras 2.15 and newer"
    listed = ", ".join(attributes[:3])
    if attributes[0] > "layers":
        described = f"names layers of a subclassed model like Keras 2.15 ({listed})"
        return frozenset(("layers-first",)), described
    described = f"names layers of a subclassed model by attribute ({listed})"
    if _counts_others({path[1] for path in paths if path[0] == "layers" and len(path) > 1}):
        return frozenset((COUNTED,)), described
    return frozenset((UNCOUNTED, COUNTED)), described


def older_groups(artifact: Artifact, inside: str) -> list[str]:
    """The groups of layers in the layout of Keras 2.12 to 2.14 that are in a group of the file."""
    found = map(str, sequence(mapping(artifact.extra.get("h5")).get("older_groups")))
    start = f"{inside}/" if inside else ""
    return [name.removeprefix(start) for name in found if name.startswith(start)]


def _counts_others(layers: set[str]) -> bool:
    """Whether there is a `dense_1` without a `dense`, which then is in another group."""
    split = [name.rpartition("_") for name in layers]
    return any(number.isdigit() and base not in layers for base, _, number in split)


def _siblings(paths: Iterable[list[str]]) -> Iterator[set[str]]:
    """For each group, the names of the groups in it."""
    found: dict[tuple[str, ...], set[str]] = {}
    for parts in paths:
        for index, part in enumerate(parts[:-1]):
            found.setdefault(tuple(parts[:index]), set()).add(part)
    yield from found.values()


def _skips_a_number(paths: Iterable[list[str]]) -> str | None:
    """A group `dense_2` without `dense_1`: Keras 2.12 numbered the second layer of a class 2."""
    for children in _siblings(paths):
        for child in sorted(children):  # the same name in every run
            base, _, number = child.rpartition("_")
            if base in children and number == "2" and f"{base}_1" not in children:
                return child
    return None


def _has_second(paths: Iterable[list[str]]) -> bool:
    """Whether two layers of one class are in the same group."""
    return any(
        name.rpartition("_")[0] in children and name.endswith("_1")
        for children in _siblings(paths)
        for name in children
    )
