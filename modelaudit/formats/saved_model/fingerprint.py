"""Reader of a SavedModel's `fingerprint.pb` (TensorFlow 2.11 and later), which loaders ignore."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.graph.parse import parse
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.io.bounded import read_bytes
from modelaudit.formats.saved_model.farmhash import fingerprint64
from modelaudit.settings import Limits

FINGERPRINT = "fingerprint.pb"
INDEX = "variables/variables.index"
HASHED_BYTES = 16 << 20  # maximum size of the index: 300,000 variables, hashed in two seconds
_HASHES = (
    "saved_model_checksum",
    "graph_def_program_hash",
    "signature_def_hash",
    "saved_object_graph_hash",
    "checkpoint_hash",
)


def read_fingerprint(
    paths: Mapping[str, Path], limits: Limits
) -> tuple[dict[str, Json], list[Problem]]:
    """Read the fingerprint, and compute the hash of the checkpoint index for comparison.

    64-bit hashes are decimal strings, since JSON numbers would lose bits. `index_hash` is "" if
    there is no index or it is too large. The other hashes are of canonical forms of the graph that
    only TensorFlow computes; they are reported but not verified.

    Args:
        paths: the model's files by POSIX path.
        limits: `text_bytes` is the maximum size of the file.

    Returns:
        The fields ({} without a readable file), and the problems of the file.
    """
    path = paths.get(FINGERPRINT)
    if path is None:
        return {}, []
    try:
        data = read_bytes(path, limits.text_bytes, FINGERPRINT, "text_bytes")
        message = parse(pb.FingerprintDef, data, FINGERPRINT, limits)
    except ReadError as error:
        return {}, [Problem(ProblemKind(error.kind), FINGERPRINT, error.reason)]
    facts: dict[str, Json] = {name: str(getattr(message, name)) for name in _HASHES}
    facts |= {"uuid": message.uuid, "producer": message.version.producer}
    return facts | {"index_hash": _index_hash(paths)}, []


def _index_hash(paths: Mapping[str, Path]) -> str:
    if INDEX not in paths:
        return ""
    try:
        return str(fingerprint64(read_bytes(paths[INDEX], HASHED_BYTES, INDEX)))
    except ReadError:  # reported by the checkpoint reader
        return ""
