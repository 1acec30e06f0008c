"""Every object and every string in a model's configs, at every depth, with its route."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from modelaudit.facts import Artifact, Json
from modelaudit.formats.keras.layer_tree import MAX_ROUTE
from modelaudit.structs import PerObject


class ConfigObject(Struct, frozen=True, eq=False):
    """A JSON object in a document.

    `step` leads here from `parent`: keys and indices, with names in place of indices for layers.
    `class_name` is its class without a package, empty if it has none.
    """

    file: str
    step: str
    value: Mapping[str, Json]
    parent: ConfigObject | None = None
    class_name: str = ""

    @property
    def route(self) -> str:
        """The whole route from the top of the file, `config/layers/conv2d/config/activation`."""
        steps: list[str] = []
        site: ConfigObject | None = self
        while site is not None:
            steps.append(site.step[:MAX_ROUTE])
            site = site.parent
        return "/".join(step for step in reversed(steps) if step)

    def is_a(self, *classes: str) -> bool:
        """Whether its class, or the name that it was registered under, is one of `classes`."""
        return self.class_name in classes or _bare(self.value.get("registered_name")) in classes

    @property
    def layer(self) -> str:
        """Name of the object that this is, or is part of; its class if it has no name."""
        site: ConfigObject | None = self
        while site is not None:
            if name := name_of(site.value):
                return name
            site = site.parent
        return self.class_name

    @property
    def subject(self) -> str:
        """What a sentence about it begins with: its layer in quotes, or the config."""
        return f"`{self.layer}`" if self.layer else "The config"


class ConfigText(Struct, frozen=True, eq=False):
    """A string in a document: the innermost object around it, and the keys from there."""

    site: ConfigObject
    key: str
    value: str

    @property
    def route(self) -> str:
        """The whole route from the top of the file."""
        return f"{self.site.route}/{self.key}".lstrip("/")


class ConfigTree(Struct, frozen=True):
    """All objects, parents before children, and all strings."""

    sites: tuple[ConfigObject, ...]
    texts: tuple[ConfigText, ...]


def _bare(name: Json) -> str:
    """A class without a package; "" where there is none."""
    return name.rpartition(">")[2] if isinstance(name, str) else ""


def name_of(value: Mapping[str, Json]) -> str:
    """The name in an object or in its config; empty if it has none, or one too long for a name."""
    config = value.get("config")
    for holder in (config, value):
        name = holder.get("name") if isinstance(holder, dict) else None
        if isinstance(name, str) and 0 < len(name) <= MAX_ROUTE:
            return name
    return ""


_FOLLOWED = (str, list, dict)


def _walk(artifact: Artifact) -> ConfigTree:
    sites: list[ConfigObject] = []
    texts: list[ConfigText] = []
    for document in artifact.documents:
        root = ConfigObject(document.file, document.route, {"": document.value})
        # An explicit stack: the reader limits size and depth, but not to Python's recursion limit.
        pending: list[tuple[Json, str, ConfigObject]] = [(document.value, "", root)]
        while pending:
            value, key, site = pending.pop()
            if isinstance(value, str):
                texts.append(ConfigText(site, key, value))
                continue
            if isinstance(value, list):
                inside = [
                    (item, _step(key, index, item), site)
                    for index, item in enumerate(value)
                    if isinstance(item, _FOLLOWED)
                ]
            elif isinstance(value, dict):
                inner = ConfigObject(site.file, key, value, site, _bare(value.get("class_name")))
                sites.append(inner)
                inside = [
                    (item, name, inner)
                    for name, item in value.items()
                    if isinstance(item, _FOLLOWED)
                ]
            else:
                continue
            inside.reverse()
            pending.extend(inside)
    return ConfigTree(tuple(sites), tuple(texts))


def _step(key: str, index: int, item: Json) -> str:
    """Layers by name, because their index changes with every edit of the model."""
    name = name_of(item) if key == "layers" and isinstance(item, dict) else ""
    return f"{key}/{name or index}" if key else str(index)


config_tree = PerObject(_walk)
"""Every object and string in an artifact's documents."""
