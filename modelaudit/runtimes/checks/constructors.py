"""What the config of a class of the program's own tells of its constructor."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.keras.builtin_layers import snake_case
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import Config

_OF_EVERY_LAYER = frozenset(("trainable", "dtype"))
# First Keras 2 that leaves out of a config what the constructor does not take.
_LEFT_OUT = (2, 13)


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
