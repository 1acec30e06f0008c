"""A SavedModel's graph whose file has another name than loaders look for."""

from __future__ import annotations

from pathlib import Path

from modelaudit.errors import ReadError
from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.graph.parse import looks_textual
from modelaudit.formats.graph.restore_ops import VARIABLES
from modelaudit.formats.io.bounded import read_bytes
from modelaudit.formats.saved_model.files import BINARY, TEXT
from modelaudit.formats.saved_model.meta_graphs import read_message
from modelaudit.settings import Limits

_INDEX = "variables.index"


def misnamed_graph(path: Path, limits: Limits) -> Problem:
    """The problem, with what is beside the file.

    Evidence has `rename`, the one that it needs, and whether another file has it (`taken`), the
    directory of the `variables` ("variables", "." or "") and whether the graph has any (`needed`;
    null if it cannot be read).
    """
    try:
        textual = looks_textual(read_bytes(path, limits.proto_bytes, setting="proto_bytes"))
        message, name = read_message({TEXT if textual else BINARY: path}, limits)
    except ReadError:
        needed, name = None, BINARY
    else:
        graphs = [each.graph_def for each in message.meta_graphs]
        bodies = [function.node_def for graph in graphs for function in graph.library.function]
        nodes = (node for part in (*(graph.node for graph in graphs), *bodies) for node in part)
        needed = any(node.op in VARIABLES for node in nodes)
    own = path.parent
    places = {"variables": own / "variables" / _INDEX, ".": own / _INDEX}
    evidence: dict[str, Json] = {
        "rename": name,
        "taken": (own / name).exists(),
        "variables": next((place for place, index in places.items() if index.is_file()), ""),
        "needed": needed,
    }
    detail = f"is the graph of a SavedModel; loaders find it only in a directory, as {name}"
    return Problem(ProblemKind.SUFFIX_MISMATCH, path.name, detail, evidence=evidence)
