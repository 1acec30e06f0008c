"""Reader of TensorFlow.js models: layers models, and graph models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Format, Json, Problem, ProblemKind, Provenance
from modelaudit.formats.graph.graph_def import graph_facts
from modelaudit.formats.graph.kernels import find_kernels
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.io.bounded import file_entry, model_digest, read_bytes
from modelaudit.formats.keras.common import (
    ReadNotes,
    architecture_of,
    claim,
    json_part,
    mapping_of,
    with_binding,
    with_names,
)
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.formats.keras.variables.matching import bind
from modelaudit.formats.saved_model.meta_graphs import read_signatures
from modelaudit.formats.tfjs.manifest import ManifestWeights
from modelaudit.formats.tfjs.sniff import HEAD_BYTES, tfjs_format
from modelaudit.settings import Limits
from modelaudit.structs import replace

M = TypeVar("M", bound=Message)
_TOPOLOGY = "modelTopology"
_MANIFEST = "weightsManifest"
_INVALID = (json_format.ParseError, ValueError, TypeError, OverflowError, RecursionError)
_CLAIMS = ("format", "generatedBy", "convertedBy")
_SAID = {"layers-model": Format.TFJS_LAYERS, "graph-model": Format.TFJS_GRAPH}
_OF_GRAPHS = frozenset({"node", "library", "versions"})  # fields of a GraphDef


def read_tfjs(path: Path, limits: Limits) -> Artifact:
    """Read a TensorFlow.js model: its JSON file, and the files of weights beside it.

    Weights are what their numbers stand for, in the type that the model has them in.
    `extra["tfjs"]` has what the file says of itself: `format`, `generatedBy`, `convertedBy`.

    Raises:
        ReadError: the file is larger than `config_bytes`.
    """
    notes = ReadNotes()
    data = read_bytes(path, limits.config_bytes, path.name, "config_bytes")
    value = json_part(data, path.name, "", limits, notes)
    # One that is not parsed still starts like one of them, and does not tell its other files.
    refused = any(each.kind is ProblemKind.LIMIT_EXCEEDED for each in notes.problems)
    started = tfjs_format(data[:HEAD_BYTES]) if refused else None
    document = mapping(value)
    topology = mapping(document.get(_TOPOLOGY))
    weights = ManifestWeights(path, document.get(_MANIFEST), limits)
    notes.problems.extend(weights.problems)
    files = (file_entry(path, path, "config", limits), *weights.files.values())
    said = [claim(document.get(name)) for name in _CLAIMS]
    artifact = Artifact(
        root=path.absolute(),
        format=started or _kind(document, topology),
        files=files,
        sha256=None if refused else model_digest(files),
        provenance=Provenance(
            keras=claim(topology.get("keras_version")),
            backend=claim(topology.get("backend")),
            exporter=", ".join(each for each in said[1:] if each) or None,
        ),
        training=mapping_of(topology.get("training_config")),
        tensors=tuple(weights.tensors),
        extra={"tfjs": dict(zip(_CLAIMS, said, strict=True))},
        documents=tuple(notes.documents),
    )
    if refused:
        found = artifact
    elif artifact.format is Format.TFJS_GRAPH:
        found = _with_graph(artifact, document, limits, notes)
    else:
        found = _with_layers(artifact, topology, limits, notes)
    return replace(found, problems=tuple(notes.problems), complete=notes.complete)


def _kind(document: Mapping[str, Json], topology: Mapping[str, Json]) -> Format:
    """The kind of model that the file says it is; if it does not say, that of its topology."""
    of_graph = bool(_OF_GRAPHS & topology.keys())
    implied = Format.TFJS_GRAPH if of_graph else Format.TFJS_LAYERS
    return _SAID.get(text(document.get("format")), implied)


def _with_layers(
    artifact: Artifact, topology: dict[str, Json], limits: Limits, notes: ReadNotes
) -> Artifact:
    """The artefact with its layers; Keras's own config is in `model_config`, or is all there is."""
    file, config = artifact.root.name, topology.get("model_config", topology or None)
    architecture = architecture_of(config, file, _TOPOLOGY, limits, notes)
    if architecture is None:
        return with_names(artifact, {})
    stored = any(tensor.role == "weight" for tensor in artifact.tensors)
    if not stored and any(layer.expected for layer in architecture.layers):
        detail = "has no weights, but layers that need some: they were removed, or never saved"
        notes.problems.append(Problem(ProblemKind.MISSING_FILE, file, detail, _MANIFEST))
    return with_binding(artifact, bind(architecture, artifact.tensors, "checkpoint"))


def _with_graph(
    artifact: Artifact, document: Mapping[str, Json], limits: Limits, notes: ReadNotes
) -> Artifact:
    """The artefact with its graph, whose constants have their values in the weights."""
    file = artifact.root.name
    try:
        message = _message(pb.GraphDef, document.get(_TOPOLOGY), file)
        graph = graph_facts(message, file, limits)
        saved = pb.SavedModel()
        signature = _message(pb.SignatureDef, document.get("signature", {}), file)
        saved.meta_graphs.add().signature_def["serving_default"].CopyFrom(signature)
        names = {tensor.name: tensor.name for tensor in artifact.tensors}
        return replace(
            artifact,
            graphs=(graph,),
            kernels=find_kernels(graph, artifact.tensors, names, names),
            signatures=read_signatures(saved, file, limits),
        )
    except ReadError as error:
        notes.add(error, file, _TOPOLOGY)
        return artifact


def _message(message_type: type[M], value: Json, file: str) -> M:
    """A message from its JSON form.

    Raises:
        ReadError: it is none.
    """
    try:
        return json_format.ParseDict(mapping(value), message_type(), ignore_unknown_fields=True)
    except _INVALID as error:
        name = message_type.DESCRIPTOR.name
        raise ReadError(ProblemKind.CORRUPT, file, f"not a {name} as JSON: {error}") from error
