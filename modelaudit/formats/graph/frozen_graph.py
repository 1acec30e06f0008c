"""Reader of frozen graphs: a GraphDef file with the weights as constants."""

from __future__ import annotations

import math
from pathlib import Path

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import (
    Artifact,
    Format,
    Graph,
    Json,
    Kernel,
    Problem,
    ProblemKind,
    Provenance,
    Tensor,
)
from modelaudit.formats.graph.attr_values import MAX_VALUES, ConstArray
from modelaudit.formats.graph.graph_def import graph_facts
from modelaudit.formats.graph.kernels import find_kernels
from modelaudit.formats.graph.message_bytes import byte_size
from modelaudit.formats.graph.nested_graphs import nested_graphs
from modelaudit.formats.graph.parse import looks_textual, parse, parse_text
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.restore_ops import VARIABLES
from modelaudit.formats.io.bounded import file_entry, model_digest, read_bytes
from modelaudit.formats.io.density import CONSTANTS
from modelaudit.formats.io.problems import limit_problem, problem_of
from modelaudit.formats.io.tensor_stats import summarise_or_problem
from modelaudit.formats.saved_model.files import GRAPH_NAMES
from modelaudit.graphs import reachable
from modelaudit.settings import Limits
from modelaudit.structs import replace
from modelaudit.work_budget import is_spent

_MANIFEST = "weights_manifest.json"


def read_frozen_graph(path: Path, limits: Limits) -> Artifact:
    """Read a binary or text GraphDef; weights are its larger constants.

    Raises:
        ReadError: the file is not a GraphDef.
        LimitExceeded: the file is too large or has too many nodes.
    """
    data = read_bytes(path, limits.proto_bytes, setting="proto_bytes")
    file = path.name
    parser = parse_text if looks_textual(data) else parse
    message = parser(pb.GraphDef, data, file, limits)
    if not any(node.op for node in message.node):
        raise ReadError(ProblemKind.CORRUPT, file, "a GraphDef without operations")
    graph = graph_facts(message, file, limits)
    tensors, problems = const_tensors(message, file, limits)
    if moved := _moved_constants(path, message):
        tensors = tuple(replace(x, stats=None) if x.name in moved else x for x in tensors)
        detail = (
            f"{len(moved):,} constants have no values: those are in the files that {_MANIFEST} "
            "beside it lists, as TensorFlow.js up to 0.8 wrote them; not read"
        )
        problems.append(Problem(ProblemKind.UNSUPPORTED, file, detail))
    kernels: tuple[Kernel, ...] = ()
    nested: list[Graph] = []
    try:
        names = {tensor.name: tensor.name for tensor in tensors}
        kernels = find_kernels(graph, tensors, names, names)
        nested.extend(nested_graphs(message, file, limits))
    except LimitExceeded as error:
        problems.append(problem_of(error, file))
    if file in GRAPH_NAMES:
        problems.append(_misnamed(file, message))
    files = (file_entry(path, path, "graph", limits),)
    return Artifact(
        root=path.absolute(),
        format=Format.FROZEN_GRAPH,
        files=files,
        sha256=model_digest(files),
        complete=not moved,
        provenance=Provenance(producer=graph.producer, min_consumer=graph.min_consumer),
        graphs=(graph, *nested),
        tensors=tensors,
        kernels=kernels,
        problems=tuple(problems),
    )


def _moved_constants(path: Path, message: pb.GraphDef) -> set[str]:
    """Names of constants whose values a converter to TensorFlow.js moved to other files.

    TensorFlow takes what is left for zeros, which it writes like this, too.
    """
    if not path.with_name(_MANIFEST).is_file():
        return set()
    values = {node.name: node.attr["value"].tensor for node in message.node if node.op == "Const"}
    described = {"dtype", "tensor_shape", "version_number"}
    return {
        name
        for name, tensor in values.items()
        if tensor.tensor_shape.dim and {field.name for field, _ in tensor.ListFields()} <= described
    }


def _misnamed(file: str, message: pb.GraphDef) -> Problem:
    """It is named like the graph of a SavedModel; `variables` is whether it lacks their values."""
    bodies = (function.node_def for function in message.library.function)
    lacking = any(node.op in VARIABLES for part in (message.node, *bodies) for node in part)
    evidence: dict[str, Json] = {"graph_def": True, "variables": lacking}
    detail = "is a GraphDef, not a SavedModel: `tf.saved_model.load` cannot load its directory"
    return Problem(ProblemKind.SUFFIX_MISMATCH, file, detail, evidence=evidence)


def _read_names(message: pb.GraphDef) -> set[str]:
    """Names of the nodes whose values operations compute with; all if every operation copies."""
    copies: dict[str, set[str]] = {}
    read: set[str] = set()
    for node in message.node:
        inputs = {name.partition(":")[0] for name in node.input if not name.startswith("^")}
        if node.op == "Identity":
            copies[node.name] = inputs
        else:
            read |= inputs
    read = set(reachable(read, lambda name: copies.get(name, ())))
    return read or {node.name for node in message.node}


def const_tensors(
    message: pb.GraphDef, file: str, limits: Limits
) -> tuple[tuple[Tensor, ...], list[Problem]]:
    """Constants of the main graph that are weights: arrays of floats, or large arrays.

    Shapes, axes and other arguments of operations are constants too; those are small integer
    arrays or scalars and are not included. What no operation reads, such as an optimizer's state
    that was frozen as well, gets the role `other`.
    """
    read = _read_names(message)
    tensors: list[Tensor] = []
    problems: list[Problem] = []
    most, setting = CONSTANTS.most(byte_size(message), limits)
    for node in message.node:
        if node.op != "Const" or "value" not in node.attr:
            continue
        try:
            source = ConstArray(node.attr["value"].tensor, file)
        except ReadError:
            continue
        floating = source.dtype in ("float16", "bfloat16", "float32", "float64")
        size = math.prod(source.shape)
        if not source.shape or not (floating or size > MAX_VALUES):
            continue
        if len(tensors) >= most or is_spent():
            by = setting if len(tensors) >= most else "work"
            detail = f"stopped after {len(tensors):,} constants"
            problems.append(limit_problem(file, detail, by, node.name))
            break
        tensor, problem = summarise_or_problem(
            *(node.name, source.shape, source.dtype, file),
            *("weight" if node.name in read else "other", source, limits),
        )
        tensors.append(tensor)
        if problem:
            problems.append(problem)
    return tuple(tensors), problems
