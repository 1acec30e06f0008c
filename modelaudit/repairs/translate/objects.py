"""Initializers, regularizers, constraints, activations and dtypes in a layer's config."""

from __future__ import annotations

from modelaudit.facts import Json
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.repairs.translate.translation import Config, Node, Translation, Untranslatable
from modelaudit.runtimes.checks.layer_parts import KIND_OF_SUFFIX
from modelaudit.runtimes.profile import RuntimeProfile
from modelaudit.runtimes.saved_config import FUNCTION

HARD_SIGMOID = "hard_sigmoid"
INITIALIZERS = "initializers"
ACTIVATIONS = "activations"
# Names of one class: the second is the one that every version knows.
_OTHER_NAMES = {
    "Orthogonal": "OrthogonalInitializer",
    "Identity": "IdentityInitializer",
    "OrthogonalInitializer": "Orthogonal",
    "IdentityInitializer": "Identity",
    "L2": "L1L2",
    "L1": "L1L2",
}


# TensorFlow's own names of activations.
_OF_TENSORFLOW = {"log_softmax_v2": "log_softmax", "softmax_v2": "softmax"}


def kind_of(key: str) -> str:
    """The kind of object under a key of a layer's config (`initializers` …), or ""."""
    return next((kind for suffix, kind in KIND_OF_SUFFIX.items() if key.endswith(suffix)), "")


def is_layer(value: Json, target: RuntimeProfile) -> bool:
    """Whether an object is a layer."""
    return target.knows("layers", text(mapping(value).get("class_name")))


def number_of(value: Json) -> Json:
    """The value of a number of numpy, which Keras up to 2.2 wrote as an object."""
    node = mapping(value)
    return node["value"] if node.get("type") == "ndarray" and "value" in node else value


def translated_object(
    kind: str, value: Json, translation: Translation, route: str, *, modules: bool
) -> Json:
    """An object in the target's dialect; `modules` says whether that states modules.

    Raises:
        Untranslatable: the target does not have it, and it has an effect.
    """
    node = mapping(value)
    name = text(value) or text(node.get("class_name"))
    if not name:
        return value
    if name == FUNCTION:
        name, node = text(node.get("config")), {}
    target = translation.target
    if kind == ACTIVATIONS and not node:
        name = _OF_TENSORFLOW.get(name, name)
        if not target.knows(kind, name) and not target.is_public(f"keras.{kind}", name):
            raise Untranslatable(route, f"the activation {name} is not part of {target.name}")
        return name
    if not target.knows(kind, name) and target.knows(kind, _OTHER_NAMES.get(name, "")):
        name = _OTHER_NAMES[name]
    if not target.has_class(kind, name) and not target.knows(kind, name):
        if kind == INITIALIZERS:
            translation.note(
                route, f"replaced the initializer {name}, which the target does not have, by Zeros"
            )
            name, node = "Zeros", {}
        else:
            raise Untranslatable(route, f"the {kind[:-1]} {name} is not part of {target.name}")
    if not node and isinstance(value, str):
        return name
    config = translation.fitted(kind, name, mapping(node.get("config")), route)
    return with_module(name, config, f"keras.{kind}") if modules else plain(name, config)


def with_module(name: str, config: Config, module: str) -> Node:
    """An object of Keras as Keras 3 states it."""
    return {"module": module, "class_name": name, "config": dict(config), "registered_name": None}


def plain(name: str, config: Config) -> Node:
    """An object of Keras as Keras 2 states it."""
    return {"class_name": name, "config": dict(config)}


def dtype_name(value: Json) -> Json:
    """A dtype policy by its name; both generations read that."""
    config = mapping(mapping(value).get("config"))
    return text(config.get("name")) or value if isinstance(value, dict) else value
