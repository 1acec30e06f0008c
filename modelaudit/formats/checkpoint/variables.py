"""All contents of a checkpoint's index and shards: tensors, object graph and problems."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

from msgspec import Struct, field

from modelaudit.errors import ReadError
from modelaudit.facts import Graph, Json, ObjectNode, Problem, ProblemKind, Tensor, fits
from modelaudit.formats.checkpoint.index import (
    BundleEntry,
    TensorBundle,
    index_path,
    read_tensor_bundle,
    shard_problems,
)
from modelaudit.formats.checkpoint.object_graph import (
    checkpoint_objects,
    exchanged_keys,
    key_roles,
    tensor_name,
)
from modelaudit.formats.checkpoint.tensors import BundleStrings, read_tensor
from modelaudit.formats.graph.message_bytes import byte_size
from modelaudit.formats.graph.parse import parse
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.restore_ops import lost_statistics, whole_shape
from modelaudit.formats.io.bounded import display_path
from modelaudit.formats.io.density import NODES, VARIABLES
from modelaudit.formats.io.problems import limit_problem, problem_of
from modelaudit.graphs import GRAPH_KEY
from modelaudit.settings import Limits
from modelaudit.work_budget import is_spent

# Suffixes that TF1's optimizers append to a variable name for their slots.
_SLOT = re.compile(
    r"/(Adam|Adamax|RMSProp|Momentum|Adagrad|Adadelta|Ftrl|GradientDescent|LARS|LAMB)(_\d+)?$"
    r"|/(accum_grad|momentum|hm|vhat|rms|mg)(_\d+)?$"
)
# Of the parts of a variable; canned Estimators name slots so even where it has only one.
_PART = re.compile(r"/(t|part)_\d+\Z")
_OPTIMIZER_SCALAR = re.compile(
    r"(^|/)(beta[12]_power(_\d+)?|iterations|iter|lr|learning_rate|decay|beta_[12]|momentum|rho)$"
)
_TRAINING_SCOPE = re.compile(r"^(training|optimizer)/(?!_trainable_variables/)|/\.OPTIMIZER_SLOT/")
_METRIC = re.compile(r"(^|/)keras_api/metrics/")
_NO_WEIGHT = re.compile(r"(^|/)global_step$|(^|/)keras_api/states/")

_TABLE_PARTS = ("-keys", "-values")  # a lookup table is stored as two tensors


class CheckpointVariables(Struct, frozen=True):
    """Contents of a checkpoint.

    Attributes:
        bundle: the index; None if it could not be read.
        tensors: all entries, in stored order; tensors that were not read have no digest.
        objects: object graph of a TF2 checkpoint, else ().
        problems: irregularities found while reading.
        complete: whether index and shards are complete and all checksums match.
        keys: checkpoint key -> `Tensor.name`.
    """

    bundle: TensorBundle | None = None
    tensors: tuple[Tensor, ...] = ()
    objects: tuple[ObjectNode, ...] = ()
    problems: tuple[Problem, ...] = ()
    complete: bool = True
    keys: Mapping[str, str] = field(default_factory=dict)


def read_variables(prefix: Path, root: Path, limits: Limits) -> CheckpointVariables:
    """Read a checkpoint. Every tensor is read once and verified; errors become problems.

    Args:
        prefix: path without `.index`.
        root: directory that names are relative to; links out of it are not followed.
        limits: bounds on what is read.
    """
    try:
        bundle = read_tensor_bundle(prefix, root, limits)
    except ReadError as error:
        problem = problem_of(error)
        return CheckpointVariables(problems=(problem,), complete=False)
    problems = shard_problems(bundle)
    closed = {
        problem.file
        for problem in problems
        if problem.kind in (ProblemKind.MISSING_SHARD, ProblemKind.UNSAFE_PATH)
    }
    shared, overlap = _overlapping(bundle)
    problems += overlap
    objects: tuple[ObjectNode, ...] = ()
    try:
        objects = _objects(bundle, limits)
    except ReadError as error:
        problems.append(problem_of(error, route=GRAPH_KEY))
    roles = key_roles(objects) if objects else name_roles(bundle.entries.keys())
    tensors: list[Tensor] = []
    keys: dict[str, str] = {}
    budget = limits.total_bytes
    stored = min(sum(entry.size for entry in bundle.entries.values()), _stored_bytes(bundle))
    most, setting = VARIABLES.most(stored, limits)
    for key, entry in islice(bundle.entries.items(), most):
        if is_spent():
            most, setting = len(tensors), "work"
            break
        name = keys[key] = tensor_name(key)
        role = roles.get(key, "other" if objects else "weight")
        budget -= entry.size
        file = display_path(bundle.shard_path(entry.shard), root)
        if file in closed or key in shared or budget < 0:
            tensors.append(Tensor(name, entry.shape, entry.dtype, entry.size, file, role))
            continue
        tensor, fault = read_tensor(bundle, entry, name, role, limits)
        tensors.append(tensor)
        if fault:
            problems.append(fault)
    if len(bundle.entries) > most:
        detail = f"stopped after {most:,} of {len(bundle.entries):,} tensors"
        problems.append(limit_problem(bundle.index_file, detail, setting))
    if budget < 0:
        detail = f"tensors of more than {limits.total_bytes:,} bytes; the rest is skipped"
        problems.append(limit_problem(bundle.index_file, detail, "total_bytes"))
    return CheckpointVariables(
        bundle=bundle,
        tensors=tuple(tensors),
        objects=objects,
        problems=tuple(problems),
        complete=not any(_harms(problem) for problem in problems),
        keys=keys,
    )


def _stored_bytes(bundle: TensorBundle) -> int:
    """Size of the index and of the shards that exist."""
    total = 0
    for path in (index_path(bundle.prefix), *map(bundle.shard_path, bundle.needs())):
        with suppress(OSError):
            total += path.stat().st_size
    return total


def _harms(problem: Problem) -> bool:
    """Whether bytes are missing or wrong; a shard that is too long has all bytes."""
    if problem.kind is ProblemKind.SIZE_MISMATCH:
        return "missing" in problem.evidence
    return True


def _overlapping(bundle: TensorBundle) -> tuple[set[str], list[Problem]]:
    """Keys whose bytes overlap. No writer creates them, and reading could take unlimited time."""
    last: dict[int, tuple[int, BundleEntry]] = {}
    shared: set[str] = set()
    for entry in sorted(bundle.stored(), key=lambda entry: (entry.shard, entry.offset)):
        if not entry.size:
            continue
        end, before = last.get(entry.shard, (0, entry))
        if entry.offset < end:
            shared |= {entry.key, before.key}
        if entry.offset + entry.size >= end:
            last[entry.shard] = (entry.offset + entry.size, entry)
    if not shared:
        return shared, []
    names = sorted(shared)
    detail = f"the bytes of {len(names)} tensors overlap, first {names[0]!r}"
    evidence: dict[str, Json] = {"tensors": [*names[:20]], "count": len(names)}
    kind = ProblemKind.CORRUPT
    return shared, [Problem(kind, bundle.index_file, detail, evidence=evidence)]


def _objects(bundle: TensorBundle, limits: Limits) -> tuple[ObjectNode, ...]:
    entry = bundle.entries.get(GRAPH_KEY)
    if entry is None or entry.dtype != "string" or entry.shape:
        return ()
    if not bundle.shard_path(entry.shard).exists():
        return ()
    source = BundleStrings(bundle, entry, limits)
    message = parse(pb.TrackableObjectGraph, source.strings()[0], source.file, limits)
    NODES.check(len(message.nodes), byte_size(message), limits, source.file)
    return checkpoint_objects(message, source.file)


def name_roles(names: Collection[str]) -> dict[str, str]:
    """Roles of tensors from the names that savers and optimizers use.

    For TF1, which has only names, and for TF2 checkpoints without a readable object graph.
    """
    known = set(names)
    optimizers = _named_optimizers(known)
    roles = {}
    for name in names:
        plain = name.removesuffix(":0")  # keys of savers that were given a dict of variables
        scoped = _TRAINING_SCOPE.search(name) or _OPTIMIZER_SCALAR.search(plain)
        if scoped or _slot_of(plain, name[len(plain) :], known, optimizers):
            roles[name] = "optimizer"
        elif _METRIC.search(name):
            roles[name] = "metric"
        elif name == GRAPH_KEY:
            roles[name] = "other"
        else:
            roles[name] = "other" if _NO_WEIGHT.search(name) else "weight"
    return roles


def _named_optimizers(known: set[str]) -> set[str]:
    """Names given to optimizers with two slots: `D_opt` of `kernel/D_opt` and `kernel/D_opt_1`."""
    parts = [name.rpartition("/") for name in known if name.endswith("_1")]
    found = Counter(
        last.removesuffix("_1")
        for variable, _, last in parts
        if variable in known and f"{variable}/{last.removesuffix('_1')}" in known
    )
    return {name for name, variables in found.items() if variables > 1}


def _slot_of(name: str, ending: str, known: set[str], optimizers: set[str]) -> str | None:
    """The variable that `name` is an optimizer's slot of.

    An optimizer in a variable scope puts its scope in front: `train/net/kernel/Adam`.
    """
    slot = _SLOT.search(name)
    variable, _, last = name.rpartition("/")
    if slot:
        variable = name[: slot.start()]
    elif re.sub(r"_\d+$", "", last) not in optimizers:
        return None
    if _PART.sub("", variable) + ending in known:
        return _PART.sub("", variable)
    while variable and variable + ending not in known:
        variable = variable.partition("/")[2]
    return variable or None


def restore_facts(
    variables: CheckpointVariables,
    objects: tuple[ObjectNode, ...],
    assigned: Mapping[str, str],
    graph: Graph | None = None,
    parts: Mapping[str, str] = {},
) -> dict[str, Json]:
    """Facts about restoring the checkpoint, for `Artifact.extra["restore"]`.

    Args:
        variables: the checkpoint.
        objects: the object graph with checkpoint attributes (`joined` for a SavedModel).
        assigned: variable node -> key that the graph's saver restores into it.
        graph: the graph of these nodes, which has their shapes.
        parts: variable node -> slice of the value with that key, for parts of variables.

    Returns:
        `names`: [{key, full_name}] for all attributes of the object graph;
        `unclaimed`: keys that neither the object graph nor the saver uses;
        `missing`: keys or variables that restoring needs but the index does not contain;
        `shapes`: [{name, key, expected, stored}] for shapes that differ;
        `assigned`: [{variable, key}];
        `exchanged`: keys of variables that are the path of another one.
    """
    entries = variables.bundle.entries if variables.bundle else {}
    names: list[Json] = []
    shapes: list[Json] = []
    missing: list[Json] = []
    claimed = {GRAPH_KEY, *assigned.values()}
    known = bool(variables.objects or assigned)  # otherwise no key is claimed
    for node in objects:
        for attribute in node.attributes.values():
            key = attribute["key"]
            claimed |= {key, *(f"{key}{part}" for part in _TABLE_PARTS)}
            names.append({"key": key, "full_name": attribute["full_name"]})
            if f"{key}{_TABLE_PARTS[0]}" in entries:
                continue
            if key not in entries:
                missing.append(key)
            elif node.kind == "variable":
                expected, stored = node.detail.get("shape"), [*entries[key].shape]
                if isinstance(expected, list) and not fits(stored, expected):
                    shapes.append(
                        {
                            "name": str(node.detail.get("name")),
                            "key": key,
                            "expected": expected,
                            "stored": [*stored],
                        }
                    )
        if node.kind == "variable" and not node.attributes and variables.objects:
            missing.append(str(node.detail.get("name")))
    missing += [key for key in assigned.values() if key not in entries and key not in missing]
    missing += lost_statistics(graph, assigned) if graph else []
    declared = {node.name: node.attrs.get("shape") for node in graph.nodes} if graph else {}
    for name, key in assigned.items():
        expected = whole_shape(parts.get(name, "")) or declared.get(name)
        entry = entries.get(key)
        if isinstance(expected, list) and entry is not None and not fits(entry.shape, expected):
            told: Json = {"name": name, "key": key, "expected": expected, "stored": [*entry.shape]}
            shapes.append(told)
    return {
        "names": names,
        "unclaimed": [key for key in entries if key not in claimed] if known else [],
        "missing": missing if variables.bundle else [],
        "shapes": shapes,
        "assigned": [{"variable": node, "key": key} for node, key in assigned.items()],
        "exchanged": [*exchanged_keys(variables.objects)],
    }
