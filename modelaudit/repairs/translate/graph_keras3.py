"""References between the layers of a Functional model, as Keras 3 writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modelaudit.facts import Json
from modelaudit.formats.keras.inbound_nodes import Argument, TensorReference, parse_reference
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.repairs.translate.references import saved_name
from modelaudit.repairs.translate.translation import Config, Node
from modelaudit.runtimes.saved_config import is_model

# Graph operations and functions whose result may have a last axis of length 1.
_TO_COLUMNS = ("Mean", "Sum", "Max", "Min", "Prod", "ExpandDims", "expand_dims")


class Keras3Graph:
    """References between the layers of one Functional model.

    Attributes:
        names: saved names of the layers.
        moved: layer -> the layer whose output takes the place of its output.
    """

    def __init__(self, items: Sequence[Config], rename: Callable[[str], str]) -> None:
        self._rename = rename
        self.names = frozenset(saved_name(item) for item in items)
        self.moved: dict[str, str] = {}
        # Keras 2 counts the calls of an inner model from 1, as building it was the first.
        inner = {saved_name(item): text(item.get("class_name")) for item in items if is_model(item)}
        dialect2 = not any(
            isinstance(node, dict) and "args" in node
            for item in items
            for node in sequence(item.get("inbound_nodes"))
        )
        self._counted = frozenset(inner) if dialect2 else frozenset()
        self._functional = frozenset(name for name, kind in inner.items() if kind != "Sequential")

        self._items = {saved_name(item): item for item in items}

    def is_column(self, value: Argument) -> bool:
        """Whether a tensor may have a last axis of length 1, which is repeated when it is added."""
        if not isinstance(value, TensorReference) or value.layer not in self._items:
            return False
        config = mapping(self._items[value.layer].get("config"))
        function = text(config.get("function")) or text(mapping(config.get("node_def")).get("op"))
        function = function or text(self._items[value.layer].get("class_name"))
        reduces = "reduce_" in function or function in _TO_COLUMNS
        return reduces or 1 in (config.get("units"), config.get("filters"))

    def name_of(self, item: Config) -> str:
        """The new name of a layer."""
        return self._rename(saved_name(item))

    def argument(self, value: Argument) -> Json:
        """An argument of a call, with references as Keras 3 writes them."""
        if isinstance(value, TensorReference):
            number = value.node - (value.layer in self._counted and value.node > 0)
            name = self._rename(value.layer)
            return tensor(self.moved.get(name, name), number, value.tensor)
        if isinstance(value, list):
            return [self.argument(each) for each in value]
        if isinstance(value, dict):
            return {key: self.argument(each) for key, each in value.items()}
        return value

    def ends(self, value: Json, *, flat: bool) -> Json:
        """Inputs or outputs of the model."""
        found = parse_reference(value)
        if found is not None:
            number = found.node
            if found.layer in self._counted and found.layer not in self._functional:
                number -= number > 0
            name = self._rename(found.layer)
            return [self.moved.get(name, name), number, found.tensor]
        if isinstance(value, list):
            inner: list[Json] = [self.ends(each, flat=flat) for each in value]
            return inner[0] if flat and len(inner) == 1 else inner
        if isinstance(value, dict):
            return {key: self.ends(each, flat=flat) for key, each in value.items()}
        return value


def tensor(layer: str, node: int, index: int = 0) -> Node:
    """A reference to an output of a layer. Its shape is not read again, so it is left open."""
    history: list[Json] = [layer, node, index]
    config: Node = {"shape": [None], "dtype": "float32", "keras_history": history}
    return {"class_name": "__keras_tensor__", "config": config}
