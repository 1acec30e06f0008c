"""Keras metadata of a SavedModel: config, versions, and the class of each object."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field

from modelaudit.errors import LimitExceeded, ReadError, WorkSpent
from modelaudit.facts import Document, Json, ObjectNode, Problem
from modelaudit.formats.graph.parse import parse
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.io.bounded import json_loads, json_parts
from modelaudit.formats.io.density import CONTAINERS, ELEMENTS, OBJECTS
from modelaudit.formats.io.problems import problem_of
from modelaudit.formats.keras.common import document_problems
from modelaudit.settings import Limits

KERAS_METADATA = "keras_metadata.pb"
_GENERIC = re.compile(r"layer(?:_with_weights)?-\d+")  # second names of what attributes hold
_MODELS = frozenset({"_tf_keras_model", "_tf_keras_sequential", "_tf_keras_network"})


class KerasMetadata(Struct, frozen=True):
    """Metadata of the Keras objects in an object graph.

    Attributes:
        objects: node index -> metadata as JSON.
        root: metadata of the saved model; None if the root is not a Keras model.
        file: name of the file that contains the metadata.
        others: (file, node index, metadata) of duplicates, which other readers may use, and of
            another save.
        foreign: whether `keras_metadata.pb` is of another save than the object graph.
    """

    objects: Mapping[int, dict[str, Json]] = field(default_factory=dict)
    root: dict[str, Json] | None = None
    file: str = ""
    others: tuple[tuple[str, int, dict[str, Json]], ...] = ()
    foreign: bool = False

    @property
    def config(self) -> dict[str, Json] | None:
        """`{"class_name", "config"}` of the saved model."""
        if self.root is None or not isinstance(self.root.get("config"), dict):
            return None
        return {"class_name": self.root.get("class_name"), "config": self.root["config"]}

    def with_parts(self, nodes: Sequence[ObjectNode]) -> dict[str, Json] | None:
        """`config`; that of a subclassed model with the layers that its attributes hold.

        Its class seldom writes them into its config. Keras writes the config of each beside it,
        which is what the class would have written.
        """
        config = self.config
        own = config["config"] if config is not None else None
        if not isinstance(own, dict) or "layers" in own or any(map(_serialized, own.values())):
            return config
        parts: dict[str, Json] = {}
        for name, index in nodes[0].children.items() if nodes else ():
            if _GENERIC.fullmatch(name) or name in own:
                continue
            held = nodes[index].children if 0 <= index < len(nodes) else {}
            items = [self._part(held[key]) for key in held if key.isdecimal()]
            part = self._part(index)
            if part is not None:
                parts[name] = part
            elif items and None not in items:
                parts[name] = [*items]
        return {"class_name": config and config["class_name"], "config": {**own, **parts}}

    def _part(self, index: int) -> dict[str, Json] | None:
        """A layer or model with its config, as Keras writes it into others."""
        told = self.objects.get(index, {})
        part: dict[str, Json] = {key: told.get(key) for key in ("class_name", "config")}
        return part if _serialized(part) else None

    def word(self, key: str) -> str | None:
        """A string of the root's metadata (`keras_version`, `backend`), else None."""
        value = self.root.get(key) if self.root else None
        return value if isinstance(value, str) else None

    def documents(self) -> tuple[Document, ...]:
        """The metadata of all objects. The config of each layer is listed once.

        The config of a model includes its layers, which the layers' own objects repeat. Only these
        tell that a layer is a model of layers whose own `get_config` leaves them out.
        """
        listed = {
            _identity(layer)
            for metadata in self.objects.values()
            for layer in _listed_layers(metadata)
        }
        own = ((self.file, index, metadata) for index, metadata in sorted(self.objects.items()))
        return tuple(
            Document(file, f"nodes/{index}", metadata)
            for file, index, metadata in (*own, *self.others)
            if _identity(metadata) not in listed or _leaves_out_layers(metadata)
        )

    @property
    def training(self) -> dict[str, Json] | None:
        """The training config; None if the model was not compiled."""
        value = self.root.get("training_config") if self.root else None
        return value if isinstance(value, dict) else None


def read_keras_metadata(
    data: bytes | None, nodes: tuple[ObjectNode, ...], limits: Limits
) -> tuple[KerasMetadata, list[Problem]]:
    """Read metadata from `keras_metadata.pb` (Keras 2.5 on) or else from the object graph.

    The file lists exactly the Keras objects of the graph, by index, without those in wrappers. If
    it lists others, another save left it there: the model is then described by the object graph
    alone.

    Args:
        data: contents of the file; None if it does not exist.
        nodes: the SavedModel's object graph.
        limits: bounds on protobuf and JSON.
    """
    texts: list[tuple[str, int, str]] = []
    identifiers: dict[int, str] = {}
    for node in nodes:
        text, identifier = node.detail.get("metadata"), node.detail.get("identifier")
        if isinstance(identifier, str) and identifier.startswith("_tf_keras"):
            identifiers[node.index] = identifier
            if isinstance(text, str) and text:
                texts.append(("saved_model.pb", node.index, text))
    described, foreign = identifiers, False
    if data is not None:
        try:
            message = parse(pb.KerasMetadata, data, KERAS_METADATA, limits)
        except ReadError as error:
            return KerasMetadata(), [problem_of(error, KERAS_METADATA)]
        listed = {entry.node_id: entry.identifier for entry in message.nodes}
        own = identifiers.keys() - _wrapped(nodes, identifiers)
        foreign = bool(identifiers and listed) and not own <= listed.keys() <= identifiers.keys()
        described = identifiers if foreign else identifiers | listed
        texts += [(KERAS_METADATA, entry.node_id, entry.metadata) for entry in message.nodes]
    file = KERAS_METADATA if data is not None and not foreign else "saved_model.pb"
    try:
        _check_parts([text for _, _, text in texts], file, limits)
    except LimitExceeded as error:
        return KerasMetadata(), [problem_of(error, file)]
    problems: list[Problem] = []
    objects: dict[int, dict[str, Json]] = {}
    others: list[tuple[str, int, dict[str, Json]]] = []
    for source, index, text in texts:
        duplicates: list[str] = []
        impossible: list[str] = []
        try:
            value = json_loads(text.encode(), limits, source, duplicates, impossible)
        except ReadError as error:
            route = f"nodes/{index}"
            problems.append(problem_of(error, source, route))
            if isinstance(error, WorkSpent):
                break  # nothing more can be read
            continue
        problems += document_problems(value, duplicates, impossible, source, f"nodes/{index}")
        if not isinstance(value, dict):
            continue
        if foreign and source == KERAS_METADATA:
            others.append((source, index, value))
            continue
        if index in objects:  # the last one wins
            others.append((file, index, objects[index]))
        objects[index] = value
    root = objects.get(0) if described.get(0) in _MODELS else None
    return KerasMetadata(objects, root, file, tuple(others), foreign), problems


def _wrapped(nodes: tuple[ObjectNode, ...], identifiers: Mapping[int, str]) -> set[int]:
    """Layers of another Keras, such as `keras` beside `tf.keras`, and what they own.

    Keras lists the `ModuleWrapper` that it puts around each.
    """
    children = {node.index: node.children for node in nodes}
    left = [each["_module"] for each in children.values() if "_module" in each]
    found: set[int] = set()
    while left:
        index = left.pop()
        if index in identifiers and index not in found:
            found.add(index)
            left += children.get(index, {}).values()
    return found


def _check_parts(texts: Sequence[str], file: str, limits: Limits) -> None:
    """Bound the parts of all texts together.

    Raises:
        LimitExceeded: there are too many.
    """
    parts = [json_parts(text.encode("utf-8", "replace")) for text in texts]
    size = sum(map(len, texts))
    OBJECTS.check(len(texts), size, limits, file)
    CONTAINERS.check(sum(opened for opened, _ in parts), size, limits, file)
    ELEMENTS.check(sum(nodes for _, nodes in parts), size, limits, file)


def _serialized(value: Json) -> bool:
    """Whether it is a layer or a model with its config."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("class_name"), str)
        and isinstance(value.get("config"), dict)
    )


def _leaves_out_layers(metadata: Mapping[str, Json]) -> bool:
    config = metadata.get("config")
    has_layers = isinstance(config, dict) and "layers" in config
    return metadata.get("is_graph_network") is True and not has_layers


def _identity(metadata: Mapping[str, Json]) -> str:
    return json.dumps([metadata.get("class_name"), metadata.get("config")], sort_keys=True)


def _listed_layers(metadata: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    """Layers in a model's config. Those of a nested model are in its own metadata too."""
    config = metadata.get("config")
    layers = config.get("layers") if isinstance(config, dict) else None
    for layer in layers if isinstance(layers, list) else ():
        if isinstance(layer, dict):
            yield layer
