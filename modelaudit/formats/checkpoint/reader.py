"""Reader of checkpoints: TF1's `tf.train.Saver` and TF2's object checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import (
    Artifact,
    FileEntry,
    Format,
    Graph,
    Json,
    Kernel,
    Problem,
    ProblemKind,
    Provenance,
)
from modelaudit.formats.checkpoint.index import (
    TensorBundle,
    index_path,
    is_nameless,
    legacy_shards,
    part_path,
)
from modelaudit.formats.checkpoint.object_graph import saved_names
from modelaudit.formats.checkpoint.state_file import STATE_FILE, read_state_file, state_mismatch
from modelaudit.formats.checkpoint.variables import (
    CheckpointVariables,
    name_roles,
    read_variables,
    restore_facts,
)
from modelaudit.formats.graph.graph_def import graph_facts
from modelaudit.formats.graph.kernels import find_kernels
from modelaudit.formats.graph.nested_graphs import nested_graphs
from modelaudit.formats.graph.parse import parse
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.restore_ops import VARIABLES, left_out, restored_slices
from modelaudit.formats.io.bounded import display_path, file_entry, model_digest, read_bytes
from modelaudit.formats.io.problems import problem_of
from modelaudit.formats.io.symlinks import is_inside
from modelaudit.formats.keras.variables.unbound import named_kernels
from modelaudit.graphs import GRAPH_KEY, VARIABLE_KEY_END
from modelaudit.settings import Limits


class MetaFile(Struct, frozen=True):
    """Contents of a `.meta` file, which is a MetaGraphDef."""

    graphs: tuple[Graph, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    saver_version: int | None = None
    problems: tuple[Problem, ...] = ()


class _Result(Struct):
    """Facts collected so far."""

    problems: list[Problem] = field(default_factory=list)
    kernels: tuple[Kernel, ...] = ()
    assigned: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)


def read_checkpoint(prefix: Path, limits: Limits) -> Artifact:
    """Read the checkpoint with this prefix (path without `.index`, `.meta`, `.data…`).

    V1 checkpoints are recognised, with the version in their `.meta` file, but not read.

    Raises:
        ReadError: `missing-file` if the checkpoint has neither `.index` nor `.meta`.
    """
    prefix = prefix.absolute()
    root = index_path(prefix).parent
    meta_path = part_path(prefix, ".meta")
    has_meta = meta_path.is_file()
    legacy = legacy_shards(prefix)
    if not index_path(prefix).exists() and not has_meta and not legacy:
        raise ReadError(ProblemKind.MISSING_FILE, prefix.name, "has neither .index nor .meta")
    meta = read_meta(meta_path, root, limits) if has_meta else MetaFile()
    if not index_path(prefix).exists() and (legacy or meta.saver_version in (0, 1)):
        return _unsupported(prefix, meta, legacy, has_meta, limits)
    variables = read_variables(prefix, root, limits)
    result = _Result([*meta.problems, *variables.problems])
    if meta.graphs:
        _follow(meta.graphs[0], variables, result, meta_path.name)
    state, state_problems = read_state_file(root, root, limits)
    result.problems += state_problems
    mismatch = state_mismatch(state, prefix, root) if state else None
    result.problems += [mismatch] if mismatch else []
    renamed = {str(each.evidence.get("renamed", "")) for each in variables.problems}
    left = leftover_files(prefix, root, variables.bundle)
    result.problems += [each for each in left if each.file.rpartition("/")[2] not in renamed]
    files = _files(prefix, variables.bundle, has_meta, state is not None, limits)
    extra: dict[str, Json] = {
        "restore": restore_facts(
            *(variables, variables.objects, result.assigned),
            meta.graphs[0] if meta.graphs else None,
            result.parts,
        )
    }
    roles = name_roles([*meta.graphs[0].variables]) if meta.graphs else {}
    lost = left_out(meta.graphs[0], result.assigned) if roles else []
    extra["left_out"] = [name for name in lost if roles[name] == "weight"]
    if state:
        extra["checkpoint_state"] = state.facts()
    # The object graph itself may be in a missing shard, or in another part of an unfinished save.
    keys = variables.bundle.entries if variables.bundle else ()
    has_objects = any(key == GRAPH_KEY or key.endswith(VARIABLE_KEY_END) for key in keys)
    return Artifact(
        root=prefix,
        format=Format.TF2_CHECKPOINT if has_objects else Format.TF1_CHECKPOINT,
        files=files,
        sha256=model_digest(files),
        complete=variables.complete,
        provenance=meta.provenance,
        object_graph=variables.objects,
        graphs=meta.graphs,
        tensors=variables.tensors,
        kernels=result.kernels or named_kernels(variables.tensors, saved_names(variables.objects)),
        problems=tuple(result.problems),
        extra=extra,
    )


def read_meta(path: Path, root: Path, limits: Limits) -> MetaFile:
    """Read a `.meta` file; errors become problems of the result."""
    file = display_path(path, root)
    if not is_inside(path, root):
        reason = "a link out of the model"
        return MetaFile(problems=(Problem(ProblemKind.UNSAFE_PATH, file, reason),))
    try:
        data = read_bytes(path, limits.proto_bytes, file, "proto_bytes")
        meta = parse(pb.MetaGraphDef, data, file, limits)
        graph = graph_facts(meta.graph_def, file, limits, tuple(meta.meta_info_def.tags), meta)
        graphs = (graph, *nested_graphs(meta.graph_def, file, limits))
    except ReadError as error:
        return MetaFile(problems=(problem_of(error, file),))
    return MetaFile(
        graphs=graphs,
        provenance=provenance_of(meta, graph),
        saver_version=meta.saver_def.version if meta.HasField("saver_def") else None,
    )


def provenance_of(meta: pb.MetaGraphDef, graph: Graph) -> Provenance:
    """Versions in a MetaGraph."""
    info = meta.meta_info_def
    return Provenance(
        tensorflow=info.tensorflow_version or None,
        tensorflow_git=info.tensorflow_git_version or None,
        producer=graph.producer,
        min_consumer=graph.min_consumer,
    )


def _follow(graph: Graph, variables: CheckpointVariables, result: _Result, file: str) -> None:
    """Find kernels and restored variables of a TF1 graph."""
    try:
        restored = restored_slices(graph)
        result.assigned = {name: key for name, (key, _) in restored.items()}
        result.parts = {name: part for name, (_, part) in restored.items() if part}
        holders = variable_holders(graph, variables, result.assigned)
        names = {name: name for name in holders.values()}
        result.kernels = find_kernels(graph, variables.tensors, holders, names)
    except LimitExceeded as error:
        result.problems.append(problem_of(error, file))


def variable_holders(
    graph: Graph, variables: CheckpointVariables, assigned: dict[str, str]
) -> dict[str, str]:
    """Variable node -> `Tensor.name`, as restored by the saver, or else by the node's name."""
    keys = {node.name: node.name for node in graph.nodes if node.op in VARIABLES}
    keys |= assigned
    return {node: variables.keys[key] for node, key in keys.items() if key in variables.keys}


def leftover_files(prefix: Path, root: Path, bundle: TensorBundle | None) -> list[Problem]:
    """Files that start with the prefix but do not belong to the checkpoint."""
    expected = (
        {bundle.shard_path(shard).name for shard in range(bundle.shards)} if bundle else set()
    )
    problems = []
    for path in _beside(prefix):
        name, stem = path.name, "" if is_nameless(prefix) else prefix.name
        if ".tempstate" in name or name.startswith(f"{stem}_temp"):
            detail = "temporary file of an interrupted or unfinished save"
        elif name.startswith(f"{stem}.data-") and bundle and name not in expected:
            detail = f"a shard that is not in the index, which has {bundle.shards}"
        elif name == prefix.name and path.is_file() and path.stat().st_size == 0:
            detail = "empty file with the name of the checkpoint"
        else:
            continue
        problems.append(Problem(ProblemKind.LEFTOVER, display_path(path, root), detail))
    return problems


def _beside(prefix: Path) -> Iterator[Path]:
    stem = "." if is_nameless(prefix) else prefix.name
    try:
        directory = index_path(prefix).parent
        yield from sorted(path for path in directory.iterdir() if path.name.startswith(stem))
    except OSError:
        return


def _unsupported(
    prefix: Path, meta: MetaFile, shards: list[Path], has_meta: bool, limits: Limits
) -> Artifact:
    root = prefix.parent
    version = meta.provenance.tensorflow or "an unknown version"
    detail = f"V1 checkpoint (format before TensorFlow 1.0, written by {version}); not read"
    evidence: dict[str, Json] = {
        "saver_version": meta.saver_version,
        "tensorflow": meta.provenance.tensorflow,
    }
    problems = [
        *meta.problems,
        Problem(ProblemKind.UNSUPPORTED, prefix.name, detail, evidence=evidence),
    ]
    if not shards:
        reason = "the file with the variables is missing"
        problems.append(Problem(ProblemKind.MISSING_FILE, prefix.name, reason))
    state, state_problems = read_state_file(root, root, limits)
    entries = [file_entry(path, root, "weights", limits) for path in shards]
    entries += _side_files(prefix, has_meta, state is not None, limits)
    return Artifact(
        root=prefix,
        format=Format.TF1_CHECKPOINT_V1,
        files=tuple(entries),
        sha256=model_digest(entries),
        complete=False,
        provenance=meta.provenance,
        graphs=meta.graphs,
        problems=(*problems, *state_problems),
        extra={"checkpoint_state": state.facts()} if state else {},
    )


def _files(
    prefix: Path, bundle: TensorBundle | None, has_meta: bool, has_state: bool, limits: Limits
) -> tuple[FileEntry, ...]:
    root = index_path(prefix).parent
    entries = [file_entry(index_path(prefix), root, "index", limits)]
    if bundle:
        shards = [bundle.shard_path(shard) for shard in range(bundle.shards)]
        entries += [
            file_entry(path, root, "weights", limits)
            for path in shards
            if path.is_file() and is_inside(path, root)
        ]
    return (*entries, *_side_files(prefix, has_meta, has_state, limits))


def _side_files(prefix: Path, has_meta: bool, has_state: bool, limits: Limits) -> list[FileEntry]:
    root = index_path(prefix).parent
    sides = []
    if has_meta:
        sides.append(file_entry(part_path(prefix, ".meta"), root, "graph", limits))
    if has_state:
        sides.append(file_entry(root / STATE_FILE, root, "metadata", limits))
    return sides
