"""What the config of a layer says of its weights: their initializers, and penalties."""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.facts import Json
from modelaudit.measures.kernels.initializers import canonical_name, one_value
from modelaudit.rules.model import Facts

_REGULARIZERS = ("kernel_regularizer", "embeddings_regularizer")


def initializer_of(facts: Facts, route: str, role: str) -> str:
    """Normalised name of a variable's initializer in the saved config, or "".

    One that should be random and draws nothing, such as with stddev=0, is "constant".
    """
    said = setting_of(facts, route, role)
    initializer = said if isinstance(said, Mapping) else {"class_name": said}
    return canonical_name(initializer) if one_value(initializer) is None else "constant"


def setting_of(facts: Facts, route: str, role: str) -> Json:
    """A variable's initializer as the config has it."""
    config = config_of(facts, route)
    said = config.get(f"{role.removesuffix('_kernel') or role}_initializer")
    return config.get(f"{role}_initializer", said)


def config_of(facts: Facts, route: str) -> Mapping[str, Json]:
    """The config of a layer, or of the one it is a part of; empty without an architecture."""
    find = facts.artifact.architecture.find if facts.artifact.architecture else None
    found = find and (find(route) or find(route.rpartition("/")[0]))
    return found.config if found else {}


def is_penalized(facts: Facts, route: str) -> bool:
    """Whether training was told to keep the layer's weights small."""
    return any(config_of(facts, route).get(key) for key in (*_REGULARIZERS, "kernel_constraint"))


def is_sparse(facts: Facts, route: str) -> bool:
    """Whether an L1 penalty drove most of the layer's weights to 0."""
    config = config_of(facts, route)
    saved = [node for key in _REGULARIZERS if isinstance(node := config.get(key), dict)]
    penalties = [inner if isinstance(inner := x.get("config"), dict) else x for x in saved]
    return any(each.get("l1") for each in penalties)
