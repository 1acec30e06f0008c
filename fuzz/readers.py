"""Readers of a single file of a model, where reading the whole model would take longer.

Each takes the model's folder and returns the problems found, or raises a `ReadError`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

from modelaudit.facts import Problem
from modelaudit.formats.bytecode.marshal_reader import Bytecode, read_bytecode
from modelaudit.formats.checkpoint.index import read_tensor_bundle, shard_problems
from modelaudit.formats.checkpoint.reader import read_meta
from modelaudit.formats.checkpoint.state_file import read_state_file
from modelaudit.formats.checkpoint.variables import read_variables
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.io.bounded import json_loads
from modelaudit.formats.keras.config import parse_architecture
from modelaudit.formats.keras.saved_model_metadata import read_keras_metadata
from modelaudit.formats.keras.variables.matching import bind
from modelaudit.formats.orbax.reader import read_orbax
from modelaudit.formats.saved_model.fingerprint import read_fingerprint
from modelaudit.formats.saved_model.meta_graphs import (
    read_graphs,
    read_message,
    read_objects,
    read_provenance,
    read_signatures,
)
from modelaudit.formats.sniff import sniff
from modelaudit.registry.archives.unpack import unpack
from modelaudit.settings import Limits

LIMITS = Limits()
ARCHIVE = "m.tar.gz"


def config(folder: Path) -> Iterable[Problem]:
    """A Keras config."""
    document = json_loads((folder / "config.json").read_bytes(), LIMITS, "config.json", [])
    bind(parse_architecture(document, limits=LIMITS, file="config.json"), (), "h5_v3")
    return ()


def bytecode(folder: Path) -> Iterable[Problem]:
    """A Lambda's code."""
    code = read_bytecode((folder / "code").read_bytes())
    if isinstance(code, Bytecode):
        "".join((*code.all_names(), *code.texts())).encode("utf-8", "surrogatepass")
    return ()


def graphs(folder: Path) -> Iterable[Problem]:
    """A SavedModel's message: graphs, functions, signatures, objects."""
    sniff(folder)
    message, file = read_message({path.name: path for path in folder.iterdir()}, LIMITS)
    found, problems = read_graphs(message, file, LIMITS)
    objects = read_objects(message, file, LIMITS)
    read_signatures(message, file, LIMITS)
    if message.meta_graphs:
        read_provenance(message.meta_graphs[0], found[0] if found else None, objects, False)
    for graph in found:
        for nodes in (graph.nodes, *(each.nodes for each in graph.functions.values())):
            for node in nodes:
                dict(node.attrs)  # decoded on access
    return problems


def metadata(folder: Path) -> Iterable[Problem]:
    """The `keras_metadata.pb` of a Keras 2 SavedModel, and the config in it."""
    data = (folder / "keras_metadata.pb").read_bytes()
    found, problems = read_keras_metadata(data, (), LIMITS)
    found.documents()
    if found.config is not None:
        parse_architecture(found.config, limits=LIMITS, file=found.file)
    return problems


def fingerprint(folder: Path) -> Iterable[Problem]:
    """A SavedModel's fingerprint."""
    paths = {"fingerprint.pb": folder / "fingerprint.pb"}
    return read_fingerprint(paths, pb.SavedModel(), LIMITS)[1]


def index(folder: Path) -> Iterable[Problem]:
    """A checkpoint's index, in a SavedModel or on its own."""
    (path,) = folder.glob("**/*.index")
    sniff(path)
    return shard_problems(read_tensor_bundle(path.with_suffix(""), folder, LIMITS))


def variables(folder: Path) -> Iterable[Problem]:
    """A checkpoint with its shard, in a SavedModel or on its own."""
    (path,) = folder.glob("**/*.index")
    return read_variables(path.with_suffix(""), folder, LIMITS).problems


def meta(folder: Path) -> Iterable[Problem]:
    """A TF1 checkpoint's graph."""
    return read_meta(folder / "m.meta", folder, LIMITS).problems


def state(folder: Path) -> Iterable[Problem]:
    """The file that names the newest checkpoint."""
    return read_state_file(folder, folder, LIMITS)[1]


def packed(folder: Path) -> Iterable[Problem]:
    """An archive of models, unpacked."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        said = unpack(folder / ARCHIVE, Path(place) / "tree", LIMITS)
    json.dumps(said)
    return ()


def orbax(folder: Path) -> Iterable[Problem]:
    """The JSON files of an Orbax checkpoint."""
    return read_orbax(folder, LIMITS).problems
