"""Reader of a SavedModel's `fingerprint.pb` (TensorFlow 2.11 and later), which loaders ignore."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.facts import Json, Problem
from modelaudit.formats.graph.parse import parse
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.io.bounded import read_bytes
from modelaudit.formats.io.problems import problem_of
from modelaudit.formats.saved_model.canonical_form import canonical_bytes
from modelaudit.formats.saved_model.farmhash import fingerprint64
from modelaudit.formats.saved_model.files import BINARY
from modelaudit.settings import Limits

FINGERPRINT = "fingerprint.pb"
INDEX = "variables/variables.index"
HASHED_BYTES = 16 << 20  # maximum size of the index: 300,000 variables, hashed in half a second
HASHED_GRAPH_BYTES = 3 << 20  # maximum size of the graph's file: sorted and hashed in 0.4 s
# Before, the field had the hash of the GraphDef alone (TensorFlow 2.11 and 2.12).
_CHECKSUM_OF_MODEL = 1
_HASHES = (
    "saved_model_checksum",
    "graph_def_program_hash",
    "signature_def_hash",
    "saved_object_graph_hash",
    "checkpoint_hash",
)


def read_fingerprint(
    paths: Mapping[str, Path], message: pb.SavedModel, limits: Limits
) -> tuple[dict[str, Json], list[Problem]]:
    """Read the fingerprint, and compute two of its hashes for comparison.

    64-bit hashes are decimal strings, since JSON numbers would lose bits. `index_hash` is the hash
    of the checkpoint's index, "" if there is no index or it is too large. `model_hash` is that of
    the SavedModel message, "" if the file is too large or the fingerprint's producer computed
    another hash. The other hashes are of parts of the message; they are reported but not verified.

    Args:
        paths: the model's files by POSIX path.
        message: the SavedModel, as read from the model's binary file.
        limits: `text_bytes` is the maximum size of the fingerprint.

    Returns:
        The fields ({} without a readable file), and the problems of the file.
    """
    path = paths.get(FINGERPRINT)
    if path is None:
        return {}, []
    try:
        data = read_bytes(path, limits.text_bytes, FINGERPRINT, "text_bytes")
        found = parse(pb.FingerprintDef, data, FINGERPRINT, limits)
    except ReadError as error:
        return {}, [problem_of(error, FINGERPRINT)]
    facts: dict[str, Json] = {name: str(getattr(found, name)) for name in _HASHES}
    producer = found.version.producer
    facts |= {"uuid": found.uuid, "producer": producer, "index_hash": _index_hash(paths)}
    known = producer >= _CHECKSUM_OF_MODEL
    return facts | {
        "model_hash": _model_hash(paths, message, found.saved_model_checksum) if known else ""
    }, []


def _model_hash(paths: Mapping[str, Path], message: pb.SavedModel, expected: int) -> str:
    """The hash of the message; of the file as it is if that is the expected one.

    A writer that does not order fields by number hashes its own bytes.
    """
    if BINARY not in paths:
        return ""
    try:
        data = read_bytes(paths[BINARY], HASHED_GRAPH_BYTES, BINARY)
    except ReadError:
        return ""
    found = fingerprint64(canonical_bytes(message))
    return str(expected if found != expected == fingerprint64(data) else found)


def _index_hash(paths: Mapping[str, Path]) -> str:
    if INDEX not in paths:
        return ""
    try:
        return str(fingerprint64(read_bytes(paths[INDEX], HASHED_BYTES, INDEX)))
    except ReadError:  # reported by the checkpoint reader
        return ""
