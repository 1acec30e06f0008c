"""TensorFlow.js models in the form in which TensorFlow and Keras 2 run them.

The layers of TensorFlow.js are those of Keras 2, and its graphs are GraphDefs without the values of
their constants. Both go to the child with the values beside them: the child reads no file.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import json_format
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.errors import ModelAuditError, ReadError
from modelaudit.facts import Artifact, Format, Json, Tensor
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.keras.json_config import mapping, sequence
from modelaudit.formats.keras.variables.slots import LayerTree
from modelaudit.probe.child.frames import ARRAYS, PAYLOAD_BYTES
from modelaudit.probe.host.fused_operations import taken_apart

TRANSLATED = (Format.TFJS_LAYERS, Format.TFJS_GRAPH)
_TOPOLOGY = "modelTopology"


class NotTranslated(ModelAuditError):
    """A model cannot be run so; the message is a clause that says why."""


class TranslatedModel(Struct, frozen=True):
    """What the child makes a model from.

    Attributes:
        architecture: Keras' config of the layers as JSON; None for a graph.
        options: further options for the loader: `weights` lists [layer, names of its weights in
            Keras' order]; `graph` is a GraphDef in base64, `inputs` and `outputs` its tensors.
        values: name -> values of each weight.
    """

    architecture: str | None
    options: Mapping[str, Json]
    values: Mapping[str, NDArray[Any]]


def translate(artifact: Artifact) -> TranslatedModel:
    """A TensorFlow.js model in the form in which it is run.

    Raises:
        NotTranslated: values are missing, or do not fit into one message to the child.
    """
    if artifact.format is Format.TFJS_GRAPH:
        return _graph(artifact)
    return _layers(artifact)


def _layers(artifact: Artifact) -> TranslatedModel:
    if artifact.architecture is None:
        raise NotTranslated("it has no layers that could be read")
    tree = LayerTree(artifact.architecture)
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    listed: list[Json] = []
    used: list[Tensor] = []
    for layer in tree.stored_layers(""):
        names: list[Json] = []
        for slot in tree.weight_order(layer):
            name = tree.layers[slot.route].variables.get(slot.role)
            if name is None:
                raise NotTranslated(f"the {slot.role} of {slot.route} was not found in its weights")
            names.append(name)
            used.append(tensors[name])
        listed.append([layer.name, names])
    architecture = json.dumps(dict(artifact.architecture.config))
    return TranslatedModel(architecture, {"weights": listed}, _values(used))


def _graph(artifact: Artifact) -> TranslatedModel:
    document = mapping(artifact.documents[0].value if artifact.documents else None)
    definition = dict(mapping(document.get(_TOPOLOGY)))
    nodes = [mapping(node) for node in sequence(definition.get("node"))]
    definition["node"] = [dict(part) for node in nodes for part in taken_apart(node)]
    try:
        graph = json_format.ParseDict(definition, pb.GraphDef(), ignore_unknown_fields=True)
    except (json_format.ParseError, OverflowError) as error:  # 1e400 as an integer
        raise NotTranslated(f"its graph could not be read: {error}") from error
    options: dict[str, Json] = {"graph": base64.b64encode(graph.SerializeToString()).decode()}
    for signature in artifact.signatures:
        ends = {"inputs": signature.inputs, "outputs": signature.outputs}
        for key, ports in ends.items():
            options[key] = [_of_output(port.tensor) for port in ports if port.tensor]
    weights = [tensor for tensor in artifact.tensors if tensor.role == "weight"]
    return TranslatedModel(None, options, _values(weights))


def _of_output(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def _values(tensors: list[Tensor]) -> dict[str, NDArray[Any]]:
    if len(tensors) > ARRAYS or sum(tensor.nbytes for tensor in tensors) > PAYLOAD_BYTES:
        raise NotTranslated(f"it has more than {PAYLOAD_BYTES >> 30} GiB of weights")
    return dict(_read(tensors))


def _read(tensors: list[Tensor]) -> Iterator[tuple[str, NDArray[Any]]]:
    for tensor in tensors:
        if tensor.source is None:
            raise NotTranslated(f"the values of {tensor.name} could not be read")
        try:
            yield tensor.name, tensor.source.array()
        except ReadError as error:
            raise NotTranslated(f"{tensor.name}: {error.reason}") from error
