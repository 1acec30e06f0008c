"""What the config of a class of the program's own tells of its constructor."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.keras.builtin_layers import snake_case
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import (
    FUNCTION,
    Config,
    is_custom,
    is_model,
    quoted_route,
    resolves,
)

_OF_EVERY_LAYER = frozenset(("trainable", "dtype"))
# First Keras 2 that leaves out of a config what the constructor does not take.
_LEFT_OUT = (2, 13)
_ARGUMENTS = 4  # of Keras's own in a config, from which on it is that of a class of Keras
_OPERATIONS = "keras.src.ops."


def without_name(name: str, config: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """A constructor without keywords, whose config Keras 3 wrote.

    It leaves out the name where the constructor takes none, but writes what else every layer has,
    which such a constructor does not take either.
    """
    writer = context.writer
    if writer is None or not writer.keras3 or "name" in config:
        return
    if config.keys() >= _OF_EVERY_LAYER:
        yield Reason(
            "constructor-without-keywords",
            LoadOutcome.FAILS,
            f"the constructor of {name} takes no name, so Keras 3 saved `{route}` without one, but "
            "with trainable and dtype, which it does not take either",
            f"TypeError: …{name}.__init__() got an unexpected keyword argument 'trainable'",
            "Give the constructor **kwargs, and pass them to the constructor of its base class; or "
            "build the model from code and load the weights.",
            route,
            unless=f"the constructor of {name} takes trainable and dtype, as by **kwargs, or the "
            "class has a from_config of its own",
            sign="unexpected keyword argument 'trainable'",
        )


def endpoint(node: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """A layer that takes labels beside predictions, and adds the loss, as Keras' guides write it.

    Its constructor takes a name and nothing else. The config does not tell it from one that takes
    keywords, but the call does: separate tensors, by a layer with a name and without settings.
    """
    name, config, writer = text(node.get("class_name")), mapping(node.get("config")), context.writer
    if writer is None or not (writer.keras3 or writer.keras < _LEFT_OUT):
        return
    own = re.fullmatch(rf"{re.escape(snake_case(name))}(_[0-9]+)?", text(config.get("name")))
    if config.keys() != {"name", *_OF_EVERY_LAYER} or own:
        return
    if any(_tensors(call) > 1 for call in sequence(node.get("inbound_nodes"))):
        yield Reason(
            "constructor-with-name-only",
            LoadOutcome.FAILS,
            f"`{route}` ({name}) has a name and no settings and is called with several tensors, as "
            "a layer that adds a loss; the constructor of such a layer takes a name only, and not "
            "the trainable and dtype that were saved",
            f"TypeError: …{name}.__init__() got an unexpected keyword argument 'trainable'",
            "Give the constructor **kwargs, and pass them to the constructor of its base class; or "
            "build the model from code and load the weights.",
            route,
            unless=f"the constructor of {name} takes trainable and dtype, as by **kwargs",
            sign="unexpected keyword argument 'trainable'",
        )


def shadowed(node: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """A layer of Keras in HDF5, in whose place a class of the program with its name is made.

    The arguments in the file tell: a class of the program has few, and hardly only those of Keras.
    One whose constructor takes all that the file has may be that of the file.
    """
    name, given = text(node.get("class_name")), set(mapping(node.get("config")))
    writer = context.writer
    if "module" in node or writer is None or not writer.knows("layers", name):
        return
    known = writer.accepts("layers", name) or frozenset()
    own = given - _OF_EVERY_LAYER - {"name", "batch_input_shape"}
    code = context.code.find(name)
    if code is not None and code.constructor is not None and own <= {*code.constructor.names}:
        return
    if len(own) >= _ARGUMENTS and own <= known:
        yield Reason(
            "class-of-the-same-name",
            LoadOutcome.FAILS,
            f"`{route}` has the arguments of the {name} of Keras, in whose place "
            f"{context.profile.name} makes the class of this name that is passed",
            f"TypeError: …{name}…",
            f"Pass only classes that the file has; give the own {name} another name.",
            route,
            unless=f"the {name} that is passed is a subclass of that of Keras",
            sign=name,
        )


def doubled(node: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """A subclass of Sequential without a config of its own: its layers are in the file.

    `from_config` makes it by its constructor and adds the layers of the file to those it made.
    """
    name, config = text(node.get("class_name")), mapping(node.get("config"))
    if name == "Sequential" or "output_layers" in config or not sequence(config.get("layers")):
        return
    yield Reason(
        "layers-added-twice",
        LoadOutcome.FAILS,
        f"{quoted_route(route)} is a subclass of Sequential ({name}) whose layers are in the file; "
        f"{context.profile.name} adds them to those that its constructor adds",
        fix=f"Read it as a Sequential: pass {{{name!r}: keras.Sequential}} as custom_objects.",
        route=route,
        unless=f"the constructor of {name} adds no layers",
    )


def copied(name: str, config: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """A class of the program inside a Bidirectional layer in HDF5, which Keras 3 makes twice.

    Its constructor reads a copy of the config for each direction, where only registered classes
    are found: those that are passed are known while the file is read, not to constructors.
    """
    if name != "Bidirectional" or not context.profile.keras3:
        return
    for key in ("layer", "backward_layer"):
        for node in _nodes(config.get(key)):
            own = text(node.get("class_name"))
            registered, module = text(node.get("registered_name")), text(node.get("module"))
            if own == FUNCTION:
                own = text(node.get("config"))
            if ">" in registered or not is_custom({"class_name": own}, context):
                continue
            if resolves(module, own, context):
                continue
            yield Reason(
                "copied-without-custom-objects",
                LoadOutcome.FAILS,
                f"{own} is inside `{route}` (Bidirectional), whose constructor in "
                f"{context.profile.name} reads a copy of the config for each direction, without "
                "the classes that are passed",
                "TypeError: …Could not locate",
                f"Load it inside `with keras.saving.custom_object_scope({{{own!r}: {own}}}):`.",
                route,
                unless=f"it is loaded inside a custom_object_scope with {own}",
                sign=own,
            )
            return


def _nodes(value: Json) -> Iterator[Config]:
    """All objects with a class and a module inside a value."""
    for each in value if isinstance(value, list) else ():
        yield from _nodes(each)
    if isinstance(value, dict):
        if "class_name" in value and "module" in value:
            yield value
        for each in value.values():
            yield from _nodes(each)


def _tensors(call: Json) -> int:
    """Separate tensors of a call: arguments of their own, not in a list."""
    if isinstance(call, dict):
        given = [*sequence(call.get("args")), *mapping(call.get("kwargs")).values()]
        return sum(mapping(each).get("class_name") == "__keras_tensor__" for each in given)
    first = sequence(call)
    if len(first) != 1:
        return 1
    tensor = sequence(first[0])
    words = mapping(tensor[3]) if len(tensor) > 3 else {}
    return 1 + sum(
        len(sequence(each)) == 3 and isinstance(sequence(each)[0], str) for each in words.values()
    )


def operation_names(
    node: Config, context: CheckContext, made: Counter[str] | None = None
) -> Iterator[Reason]:
    """A layer of the name that Keras 3 makes for an operation: several versions save none.

    Names are made of the class and the number of such names before, in the order of the config. A
    new process has made none.
    """
    made = Counter() if made is None else made
    names: dict[str, bool] = {}  # whether Keras makes it
    for each in map(mapping, sequence(mapping(node.get("config")).get("layers"))):
        if is_model(each):
            yield from operation_names(each, context, made)
        name = text(mapping(each.get("config")).get("name"))
        nameless = not name and text(each.get("module")).startswith(_OPERATIONS)
        if nameless:
            base = snake_case(text(each.get("class_name")))
            name = f"{base}_{made[base]}" if made[base] else base
            made[base] += 1
        if name in names and (nameless or names[name]):
            yield Reason(
                "operation-named-as-layer",
                LoadOutcome.FAILS,
                f"the file has no names for operations, and {name}, which {context.profile.name} "
                "makes for one, is the name of a layer",
                f'ValueError: The name "{name}" is used 2 times in the model. All operation names '
                "should be unique.",
                "Build the model from code and load the weights, or give the layer another name in "
                "config.json.",
                name,
            )
            return
        names[name] = names.get(name, False) or nameless
