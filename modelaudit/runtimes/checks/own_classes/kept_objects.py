"""Objects that a class of the program puts into its config as they are, in HDF5.

Keras writes the config of each, with a mark, and makes it again before the class: but it looks
among layers and what is passed alone, so that it finds no initializer, regularizer or constraint.
"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.runtimes.checks.own_classes.given_code import PASSIVE
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import Config, is_custom, is_model, nodes_in


def unknown_objects(config: Config, context: CheckContext) -> Iterator[Reason]:
    """Arguments of own classes whose object is neither a layer nor passed; one of each class."""
    for node in nodes_in(dict(config)):
        if not is_custom(node, context) or is_model(node):
            continue
        given, name = mapping(node.get("config")), text(node.get("class_name"))
        for key, value in given.items():
            held = mapping(value)
            kind = text(held.get("class_name"))
            if kind and PASSIVE in held and not _found(held, kind, context):
                yield _reason(text(given.get("name")) or name, key, kind, context)
                break


def _found(held: Config, kind: str, context: CheckContext) -> bool:
    known = is_custom(held, context) or is_model(held)
    return known or context.profile.knows("layers", kind)


def _reason(route: str, key: str, kind: str, context: CheckContext) -> Reason:
    return Reason(
        "object-in-config",
        LoadOutcome.FAILS,
        f"the config of `{route}` has {key}, a {kind}, as an object, which {context.profile.name} "
        "looks for among the layers",
        f"ValueError: Unknown config_item: '{kind}'.",
        f"Pass {{{kind!r}: …}} with the class of Keras as custom_objects. In the `get_config`, "
        f"give {key} by the `serialize` of its module.",
        route,
        sign="Unknown config_item",
    )
