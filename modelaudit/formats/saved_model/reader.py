"""Reader of SavedModel directories (TF1 and TF2) and of SessionBundles, their predecessors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import (
    Artifact,
    Format,
    Graph,
    Json,
    Kernel,
    ObjectNode,
    Problem,
    ProblemKind,
    Signature,
    Tensor,
)
from modelaudit.formats.checkpoint.object_graph import joined
from modelaudit.formats.checkpoint.reader import read_checkpoint, variable_holders
from modelaudit.formats.checkpoint.state_file import read_state_file
from modelaudit.formats.checkpoint.variables import (
    CheckpointVariables,
    read_variables,
    restore_facts,
)
from modelaudit.formats.graph.absent_settings import absent_settings
from modelaudit.formats.graph.kernels import config_differences, find_kernels
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.restore_ops import VARIABLES, restored_variables, unrestored
from modelaudit.formats.graph.unknown_fields import unknown_programs
from modelaudit.formats.io.bounded import file_entry, files_below, model_digest, read_bytes
from modelaudit.formats.io.problems import problem_of
from modelaudit.formats.io.symlinks import is_inside
from modelaudit.formats.keras.config import parse_architecture
from modelaudit.formats.keras.saved_model_metadata import (
    KERAS_METADATA,
    KerasMetadata,
    read_keras_metadata,
)
from modelaudit.formats.keras.variables.matching import Binding, bind
from modelaudit.formats.saved_model.captured_variables import (
    bound_functions,
    captured_nodes,
    unused_twins,
)
from modelaudit.formats.saved_model.files import (
    GRAPH_NAMES,
    SPLIT,
    ModelFiles,
    file_entries,
    list_files,
    unexpected_file_problems,
)
from modelaudit.formats.saved_model.fingerprint import INDEX, read_fingerprint
from modelaudit.formats.saved_model.meta_graphs import (
    read_graphs,
    read_message,
    read_objects,
    read_provenance,
    read_signatures,
    second_graph,
)
from modelaudit.graphs import VALUE
from modelaudit.settings import Limits
from modelaudit.structs import replace

_NEEDS_VARIABLES = VARIABLES | {"RestoreV2"}


def read_saved_model(root: Path, limits: Limits) -> Artifact:
    """Read the SavedModel in the directory `root`.

    If the graph is missing but there are variables, only the variables are read.

    Raises:
        ReadError: there are neither a graph nor variables, or the graph file is malformed.
        LimitExceeded: too many files, or the graph file is too large.
    """
    root = root.absolute()
    listing = list_files(root, limits)
    problems = [*listing.problems, *unexpected_file_problems(listing)]
    for problem in listing.problems:
        if problem.file in GRAPH_NAMES:
            raise ReadError(problem.kind, problem.file, problem.detail)
    message, file, graphs, graph_problems = _graphs(listing, limits)
    objects = read_objects(message, file, limits)
    signatures = read_signatures(message, file, limits)
    problems += [*graph_problems, *unknown_programs(message, file)]
    variables = _read_variables(root, graphs, objects, listing, limits)
    objects = joined(objects, variables.objects)
    lost_objects = not graphs and variables.objects  # identifies TF2 if the graph is missing
    variables, divergent = _one_copy(variables, objects)
    metadata, metadata_problems = _read_metadata(listing, objects, limits)
    binding, binding_problems = _bind(metadata, variables, objects, limits)
    problems += [*variables.problems, *metadata_problems, *binding_problems]
    assigned: dict[str, str] = {}
    kernels: tuple[Kernel, ...] = ()
    try:
        assigned = restored_variables(graphs[0]) if graphs else {}
        kernels = _kernels(graphs[0], signatures, objects, variables, assigned) if graphs else ()
    except LimitExceeded as error:
        problems.append(problem_of(error, file))
    fingerprint, fingerprint_problems = read_fingerprint(listing.paths, message, limits)
    state, state_problems = read_state_file(root / "variables", root, limits)
    restore = restore_facts(variables, objects, assigned)
    restore |= {
        "divergent": divergent,
        "unrestored": [*unrestored(graphs[0], assigned)] if graphs else [],
    }
    extra: dict[str, Json] = {"restore": restore}
    extra |= {"foreign_metadata": True} if metadata.foreign else {}
    if binding:
        applied = {kernel.tensor for kernel in kernels}
        compared = {k.route for k in binding.kernels if k.activation and k.tensor in applied}
        listed = _of_own_layers(binding, metadata, objects, variables)
        extra |= {
            "unclaimed": [name for name in binding.unclaimed if name not in listed]
            if binding.architecture.layers
            else [],
            "misordered": [*binding.misordered],
            "config_differs": config_differences(binding.kernels, kernels)
            + (absent_settings(binding.architecture.layers, graphs[0], compared) if graphs else []),
        }
    extra |= {"fingerprint": fingerprint} if fingerprint else {}
    extra |= {"checkpoint_state": state.facts()} if state else {}
    files = file_entries(listing, root, limits)
    provenance = read_provenance(
        message.meta_graphs[0] if message.meta_graphs else pb.MetaGraphDef(),
        graphs[0] if graphs else None,
        objects,
        is_keras=bool(metadata.objects),
    )
    return Artifact(
        root=root,
        format=Format.SAVEDMODEL_TF2 if objects or lost_objects else Format.SAVEDMODEL_TF1,
        files=files,
        sha256=model_digest(files),
        complete=variables.complete
        and bool(graphs)
        and not graph_problems
        and SPLIT not in listing.paths,
        provenance=replace(
            provenance, keras=metadata.word("keras_version"), backend=metadata.word("backend")
        ),
        architecture=binding.architecture if binding else None,
        training=metadata.training,
        signatures=signatures,
        object_graph=objects,
        graphs=graphs,
        tensors=variables.tensors,
        kernels=(binding.kernels if binding else ()) or kernels,
        problems=(*problems, *fingerprint_problems, *state_problems),
        extra=extra,
        documents=metadata.documents(),
    )


def read_session_bundle(directory: Path, limits: Limits) -> Artifact:
    """Read a SessionBundle, the export directory that preceded SavedModels.

    It consists of a checkpoint named `export` with its `.meta` file, and assets.

    Raises:
        ReadError: `missing-file` if there is no such checkpoint.
    """
    directory = directory.absolute()
    artifact = read_checkpoint(directory / "export", limits)
    assets = [
        file_entry(path, directory, "asset", limits)
        for path in sorted(files_below(directory / "assets", limits.files))
        if path.is_file() and is_inside(path, directory)
    ]
    files = (*artifact.files, *assets)
    return replace(
        artifact,
        root=directory,
        format=Format.SESSION_BUNDLE,
        files=files,
        sha256=model_digest(files),
    )


def _graphs(
    listing: ModelFiles, limits: Limits
) -> tuple[pb.SavedModel, str, tuple[Graph, ...], list[Problem]]:
    """Message, file name, graphs and problems; an empty message if the graph is missing."""
    try:
        message, file = read_message(listing.paths, limits)
    except ReadError as error:
        if error.kind != ProblemKind.MISSING_FILE or INDEX not in listing.paths:
            raise
        lost = Problem(ProblemKind.MISSING_FILE, error.file, error.reason)
        return pb.SavedModel(), error.file, (), [lost]
    graphs, problems = read_graphs(message, file, limits)
    return message, file, graphs, [*problems, *second_graph(listing.paths, message, file, limits)]


def _read_variables(
    root: Path,
    graphs: Sequence[Graph],
    objects: Sequence[ObjectNode],
    listing: ModelFiles,
    limits: Limits,
) -> CheckpointVariables:
    """Read the variables, unless the model has only constants and no checkpoint."""
    prefix = root / "variables" / "variables"
    needed = any(node.kind == "variable" for node in objects) or any(
        node.op in _NEEDS_VARIABLES
        for graph in graphs
        for nodes in (graph.nodes, *(function.nodes for function in graph.functions.values()))
        for node in nodes
    )
    if needed or INDEX in listing.paths:
        return read_variables(prefix, root, limits)
    return CheckpointVariables()


def _read_metadata(
    listing: ModelFiles, objects: tuple[ObjectNode, ...], limits: Limits
) -> tuple[KerasMetadata, list[Problem]]:
    data = None
    if KERAS_METADATA in listing.paths:
        try:
            path = listing.paths[KERAS_METADATA]
            data = read_bytes(path, limits.config_bytes, KERAS_METADATA, "config_bytes")
        except ReadError as error:
            problem = problem_of(error, KERAS_METADATA)
            return KerasMetadata(), [problem]
    return read_keras_metadata(data, objects, limits)


def _bind(
    metadata: KerasMetadata,
    variables: CheckpointVariables,
    objects: tuple[ObjectNode, ...],
    limits: Limits,
) -> tuple[Binding | None, list[Problem]]:
    """The Keras architecture bound to tensors; None without a Keras config."""
    if metadata.config is None:
        return None, []
    try:
        architecture = parse_architecture(metadata.config, limits=limits, file=metadata.file)
        told = metadata.with_parts(objects)
        if told != metadata.config:
            parts = parse_architecture(told, limits=limits, file=metadata.file)
            architecture = replace(architecture, held=parts.layers)
    except ReadError as error:
        return None, [problem_of(error, metadata.file)]
    names = {
        _stored_name(node, variables): str(node.detail["name"])
        for node in objects
        if node.kind == "variable"
    }
    binding = bind(architecture, variables.tensors, "saved_model", var_names=names)
    if architecture.assumed and binding.unclaimed:  # the graph then shows more than the parts
        alone = replace(architecture, layers=(), inputs=(), outputs=(), assumed=False)
        binding = bind(alone, variables.tensors, "saved_model", var_names=names)
    return binding, []


def _of_own_layers(
    binding: Binding,
    metadata: KerasMetadata,
    objects: tuple[ObjectNode, ...],
    variables: CheckpointVariables,
) -> set[str]:
    """The weights that layers of the program's own list as theirs.

    The key of a weight is one of the ways to it, and may lead past its layer (`variables/10`).
    """
    own = {layer.name for layer in binding.architecture.layers if layer.custom}
    found: set[str] = set()
    for index, told in metadata.objects.items():
        if told.get("name") in own and 0 <= index < len(objects):
            held = objects[index].children.get("variables")
            listed = objects[held].children.values() if held is not None else ()
            found |= {_stored_name(objects[each], variables) for each in listed}
    return found


def _kernels(
    graph: Graph,
    signatures: Sequence[Signature],
    objects: tuple[ObjectNode, ...],
    variables: CheckpointVariables,
    assigned: dict[str, str],
) -> tuple[Kernel, ...]:
    """Kernels in the graph, with the variable names of the program that saved the model."""
    names = {name: name for name in variables.keys.values()}
    by_node: dict[int, str] = {}
    for node in objects:
        name = _stored_name(node, variables)
        if node.kind == "variable" and name:
            by_node[node.index] = name
            names[name] = str(node.detail.get("name") or name)
    holders = variable_holders(graph, variables, assigned) | captured_nodes(graph, objects, by_node)
    own = [signature for signature in signatures if signature.tags == graph.tags]
    functions = [] if own else bound_functions(graph, objects, by_node)
    return find_kernels(graph, variables.tensors, holders, names, own, functions)


def _one_copy(
    variables: CheckpointVariables, objects: tuple[ObjectNode, ...]
) -> tuple[CheckpointVariables, list[Json]]:
    """Count each weight once, and report weights whose two copies differ.

    Copies get the role `other`, and their checkpoint keys map to the tensor that functions use.
    Copies that differ both remain weights: a session then runs another model than
    `tf.saved_model.load`.
    """
    name_of = {node.index: _stored_name(node, variables) for node in objects}
    tensors = {tensor.name: tensor for tensor in variables.tensors}
    originals: dict[str, str] = {}
    divergent: list[tuple[str, str]] = []
    unlike: list[tuple[Tensor, list[Tensor]]] = []
    for index, twins in unused_twins(objects).items():
        copy = tensors.get(name_of[index])
        found = [tensors[name_of[twin]] for twin in twins if name_of[twin] in tensors]
        if copy is None or not found:
            continue
        alike = [x for x in found if None in (copy.sha256, x.sha256) or copy.sha256 == x.sha256]
        if alike:
            fresh = [each for each in alike if each.name not in originals.values()]
            originals[copy.name] = (fresh or alike)[0].name
        else:
            unlike.append((copy, found))
    for copy, found in unlike:
        told = {*originals.values(), *(used for used, _ in divergent)}
        left = [each for each in found if each.name not in told] or found
        divergent.append((left[0].name, copy.name))
    kept = tuple(
        replace(tensor, role="other")
        if tensor.name in originals and tensor.role == "weight"
        else tensor
        for tensor in variables.tensors
    )
    keys = {key: originals.get(name, name) for key, name in variables.keys.items()}
    pairs: list[Json] = [{"used": used, "copy": copy} for used, copy in divergent]
    return replace(variables, tensors=kept, keys=keys), pairs


def _stored_name(node: ObjectNode, variables: CheckpointVariables) -> str:
    """`Tensor.name` of a variable's value, or ""."""
    return variables.keys.get(node.attributes.get(VALUE, {}).get("key", ""), "")
