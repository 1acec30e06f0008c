"""References between the layers of a Functional model, as Keras 2 writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from modelaudit.facts import Json
from modelaudit.formats.keras.inbound_nodes import Argument, TensorReference, parse_reference
from modelaudit.formats.keras.json_config import sequence, text
from modelaudit.repairs.translate.references import saved_name
from modelaudit.repairs.translate.translation import Config
from modelaudit.runtimes.saved_config import is_model


class Keras2Graph:
    """References between the layers of one Functional model.

    Attributes:
        moved: layer -> the layer whose output takes the place of its output.
    """

    def __init__(self, items: Sequence[Config], rename: Callable[[str], str]) -> None:
        self._rename = rename
        self.moved: dict[str, str] = {}
        dialect3 = any(
            isinstance(node, dict) and "args" in node
            for item in items
            for node in sequence(item.get("inbound_nodes"))
        )
        inner = {saved_name(item): text(item.get("class_name")) for item in items if is_model(item)}
        # Keras 2 counts the calls of an inner model from 1, as building it was the first.
        self._counted = frozenset(inner) if dialect3 else frozenset()
        self._sequential = frozenset(name for name, kind in inner.items() if kind == "Sequential")

    def _reference(self, value: TensorReference) -> list[Json]:
        return [self._now(value.layer), value.node + (value.layer in self._counted), value.tensor]

    def _now(self, name: str) -> str:
        return self.moved.get(name) or self._rename(name)

    def input(self, value: Argument, kwargs: Mapping[str, Json]) -> Json:
        """An input of a call, with the call's keyword arguments."""
        if isinstance(value, TensorReference):
            return [*self._reference(value), dict(kwargs)]
        return ["_CONSTANT_VALUE", -1, self.value(value), dict(kwargs)]

    def value(self, value: Argument) -> Json:
        """An argument by keyword."""
        if isinstance(value, TensorReference):
            return self._reference(value)
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if isinstance(value, dict):
            if value.get("class_name") == "__tensor__":  # Keras 2 states constants as lists
                constant = value.get("config")
                return self.value(constant.get("value") if isinstance(constant, dict) else None)
            return {key: self.value(each) for key, each in value.items()}
        return value

    def ends(self, value: Json) -> Json:
        """Inputs or outputs of the model."""
        found = parse_reference(value)
        if found is not None:
            later = found.layer in self._counted and found.layer in self._sequential
            return [self._now(found.layer), found.node + later, found.tensor]
        if isinstance(value, list):
            return [self.ends(each) for each in value]
        if isinstance(value, dict):
            return {key: self.ends(each) for key, each in value.items()}
        return value


def listed(value: Argument) -> list[Argument]:
    """An argument as a list of its items."""
    return [*value] if isinstance(value, list) else [value]
