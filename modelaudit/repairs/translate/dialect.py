"""What the translations to both dialects do alike, layer by layer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from modelaudit.facts import Json
from modelaudit.formats.keras.dialects import is_keras1_layer
from modelaudit.formats.keras.inbound_nodes import LayerCall
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.layer_classes import ALIASES
from modelaudit.repairs.translate.objects import (
    ACTIVATIONS,
    dtype_name,
    is_layer,
    kind_of,
    number_of,
    translated_object,
)
from modelaudit.repairs.translate.parts import opened, parts_of
from modelaudit.repairs.translate.references import saved_name
from modelaudit.repairs.translate.translation import Config, Node, Translation, Untranslatable
from modelaudit.runtimes.checks.layer_parts import takes_layers
from modelaudit.runtimes.checks.silent_differences import UNSALTED
from modelaudit.runtimes.checks.sizes import SHAPES, as_integers
from modelaudit.runtimes.saved_config import is_model

_WRAPPED = ("layer", "cell", "backward_layer", "forward_layer")


class DialectTranslator(ABC):
    """A translation to one dialect.

    Attributes:
        translation: the target, and the collector of changes.
        target: the runtime.
        modules: whether the dialect states the modules of objects.
        forbidden: what a layer name of the dialect cannot have, for the note.
    """

    modules: ClassVar[bool]
    forbidden: ClassVar[str]

    def __init__(self, translation: Translation) -> None:
        self.translation = translation
        self.target = translation.target

    def model(self, saved: Config, route: str) -> Node:
        """A Sequential or Functional model."""
        values, sequential = opened(saved, self.translation, route)
        new = (self.sequential if sequential else self.functional)(values, route)
        config = mapping(new["config"])
        if "name" in config and (name := self.name(text(config["name"]))) != config["name"]:
            if not route:
                self.translation.note(name, f"replaced {self.forbidden} in its name")
            new["config"] = {**config, "name": name}
        return new

    def steps(
        self, item: Config, route: str, calls: Sequence[LayerCall] = ()
    ) -> list[tuple[Node, str]]:
        """The layers for one saved layer, with their names: mostly one.

        None for a Lambda that has to become calls, which depend on its input.
        """
        saved = saved_name(item)
        name = self.name(saved)
        here = f"{route}/{name}".strip("/")
        if name != saved:
            self.translation.note(here, f"replaced {self.forbidden} in its name")
            self.translation.renamed[f"{route}/{saved}".strip("/")] = here
        if _holds_layers(item):
            return [(self.model(item, here), name)]
        parts = parts_of(item, name, self.translation, here)
        return [(self.layer(part, here, calls), its) for part, its in parts]

    def check_addition(self, item: Config, calls: Sequence[LayerCall], route: str) -> None:
        """Refuse an addition that only the writer computes, at some sizes of a batch.

        Raises:
            Untranslatable: the writer adds a column along the wrong axis, and the target does not.
        """
        writer = self.translation.writer
        if writer is None or not writer.behaviour("add_misaligns"):
            return
        if text(item.get("class_name")) != "Add" or self.target.behaviour("add_misaligns"):
            return
        for call in calls:
            first, *others = [each.shape or () for each in call.inputs] or [()]
            if len(first) == 2 and first[-1] != 1 and any(s[1:] == (1,) for s in others):
                raise Untranslatable(
                    route,
                    "it adds a column to rows, which the Keras that saved it does along the wrong "
                    "axis for a batch as large as a row; repeat the column before it is added",
                )

    def opened_layer(self, item: Config, route: str) -> tuple[str, Config]:
        """Class and config of a layer that is not a model.

        Raises:
            Untranslatable: it is of Keras 1, or a Lambda where none can be replaced.
        """
        name = text(item.get("class_name"))
        name, config = ALIASES.get(name, name), mapping(item.get("config"))
        if is_keras1_layer(name, config):
            raise Untranslatable(route, f"{name} has the arguments of Keras 1")
        if name == "Lambda":
            raise Untranslatable(route, "it is a Lambda inside another layer")
        return name, config

    def values(self, config: Config, route: str) -> Node:
        """A layer's config with all objects in it in the dialect."""
        new = {key: self._value(key, value, route) for key, value in config.items()}
        for key in SHAPES:
            if list(map(type, sequence(new.get(key)))) != list(
                map(type, sequence(as_integers(new.get(key))))
            ):
                new[key] = as_integers(new[key])
                self.translation.note(route, f"wrote the sizes in {key} as integers")
        if new.get("salt") == UNSALTED:
            new["salt"] = None
            self.translation.note(route, "took out a salt that was not used where it was saved")
        return new

    def _value(self, key: str, value: Json, route: str) -> Json:
        kind, value = kind_of(key), number_of(value)
        if key == "dtype":
            return self.dtype(dtype_name(value))
        if key == "name":
            return self.name(text(value))
        if kind == ACTIVATIONS and is_layer(value, self.target) and takes_layers(self.target):
            return self.layer(mapping(value), f"{route}/{key}")  # such as LeakyReLU(0.1)
        if kind and value is not None:
            return translated_object(kind, value, self.translation, route, modules=self.modules)
        if key in _WRAPPED and "class_name" in mapping(value):
            return self._inner(mapping(value), f"{route}/{key}")
        if key == "cells":
            return [self._inner(mapping(cell), f"{route}/{key}") for cell in sequence(value)]
        return value

    def _inner(self, item: Config, route: str) -> Node:
        return self.model(item, route) if _holds_layers(item) else self.layer(item, route)

    @abstractmethod
    def sequential(self, values: Config, route: str) -> Node:
        """A Sequential model from its config."""

    @abstractmethod
    def functional(self, values: Config, route: str) -> Node:
        """A Functional model from its config."""

    @abstractmethod
    def layer(self, item: Config, route: str, calls: Sequence[LayerCall] = ()) -> Node:
        """One layer that is not a model."""

    @abstractmethod
    def name(self, name: str) -> str:
        """A layer name as the target allows it."""

    @abstractmethod
    def dtype(self, name: Json) -> Json:
        """A dtype policy, given by its name, in the dialect."""


def _holds_layers(item: Config) -> bool:
    return is_model(item) or isinstance(item.get("config"), list)
