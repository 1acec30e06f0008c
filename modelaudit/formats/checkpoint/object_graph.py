"""Object graphs of SavedModels and TF2 checkpoints: nodes, references, roles of variables."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from modelaudit.errors import ReadError
from modelaudit.facts import Json, ObjectNode, ProblemKind
from modelaudit.formats.checkpoint.type_specs import TypeNames, type_names, types_of
from modelaudit.formats.graph.attr_values import dims
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.graph.tf_dtypes import dtype_name
from modelaudit.graphs import VALUE, VARIABLE_KEY_END
from modelaudit.structs import replace

_ESCAPED = re.compile(r"\.([.S])")

_METRIC_CHILDREN = frozenset(
    {
        "metrics",
        "_metrics",
        "compiled_metrics",
        "_compile_metrics",
        "_loss_tracker",
        "_metrics_list",
    }
)
_COUNTERS = frozenset({"save_counter", "step", "epoch", "global_step"})
_STEP_CHILDREN = frozenset({"iter", "iterations", "_iterations"})
_SCALED = frozenset({"base_optimizer", "loss_scale"})  # LossScaleOptimizer of TensorFlow 2.2, 2.3
_RATE_CHILDREN = frozenset(
    {"learning_rate", "_learning_rate", "_current_learning_rate", "_variables", "decay", "beta_1"}
)


def tensor_name(key: str) -> str:
    """Name of a tensor: the checkpoint key, without the suffix of a variable's value."""
    return key.removesuffix(VARIABLE_KEY_END)


def saved_names(nodes: Iterable[ObjectNode]) -> dict[str, str]:
    """Name of a tensor -> name of its variable in the program that saved it."""
    return {
        tensor_name(said["key"]): said["full_name"]
        for node in nodes
        if (said := node.attributes.get(VALUE)) and said["full_name"]
    }


def exchanged_keys(nodes: Sequence[ObjectNode]) -> list[str]:
    """Keys of a checkpoint's variables that are the path of another variable.

    TensorFlow makes the key of a variable from one of the paths that lead to it (`.` and `/` in the
    names of children are written as `..` and `.S`), so a key never leads to another variable.
    """
    by_index = {node.index: node for node in nodes}
    found = []
    for node in nodes:
        key = node.attributes.get(VALUE, {}).get("key", "")
        place = by_index.get(0)
        for step in tensor_name(key).split("/"):
            child = _ESCAPED.sub(lambda found: "/" if found[1] == "S" else ".", step)
            place = by_index.get(place.children.get(child, -1)) if place is not None else None
        if key and place is not None and place is not node and VALUE in place.attributes:
            found.append(key)
    return found


def checkpoint_objects(message: pb.TrackableObjectGraph, file: str) -> tuple[ObjectNode, ...]:
    """Nodes of a checkpoint's object graph.

    Raises:
        ReadError: `corrupt` if a reference points outside the graph.
    """
    count = len(message.nodes)
    return tuple(
        ObjectNode(
            index=index,
            kind="checkpoint",
            children=_children(node.children, count, file),
            detail={"saver": node.registered_saver.name} if node.registered_saver.name else {},
            attributes={
                attribute.name: {
                    "full_name": attribute.full_name,
                    "key": attribute.checkpoint_key,
                }
                for attribute in node.attributes
            },
            slots=_slots(node.slot_variables, count, file),
        )
        for index, node in enumerate(message.nodes)
    )


def saved_objects(message: pb.SavedObjectGraph, file: str) -> tuple[ObjectNode, ...]:
    """Nodes of a SavedModel's object graph.

    Raises:
        ReadError: `corrupt` if a reference points outside the graph.
    """
    count = len(message.nodes)
    captures = {
        name: list(function.bound_inputs) for name, function in message.concrete_functions.items()
    }
    types = {name: types_of(each) for name, each in message.concrete_functions.items()}
    nodes = []
    for index, node in enumerate(message.nodes):
        kind = node.WhichOneof("kind") or "user_object"
        detail = _detail(node, kind, captures, types)
        if node.registered_name:
            detail["registered_name"] = node.registered_name
        nodes.append(
            ObjectNode(
                index=index,
                kind="bare_function" if kind == "bare_concrete_function" else kind,
                children=_children(node.children, count, file),
                detail=detail,
                slots=_slots(node.slot_variables, count, file),
            )
        )
    return tuple(nodes)


def _detail(
    node: pb.SavedObject,
    kind: str,
    captures: Mapping[str, list[int]],
    types: Mapping[str, TypeNames],
) -> dict[str, Json]:
    match kind:
        case "variable":
            variable = node.variable
            shape = dims(variable.shape)
            return {
                "name": variable.name,
                "dtype": dtype_name(variable.dtype),
                "shape": None if shape is None else list(shape),
                "trainable": variable.trainable,
            }
        case "user_object":
            user = node.user_object
            detail: dict[str, Json] = {
                "identifier": user.identifier,
                "version": user.version.producer,
            }
            if user.metadata:
                detail["metadata"] = user.metadata
            return detail
        case "function":
            names = list(node.function.concrete_functions)
            return {
                "concrete_functions": [*names],
                "captures": {name: [*captures.get(name, [])] for name in names},
                **type_names(names, types, node.function.function_spec),
                "parameters": [*_parameters(node.function.function_spec)],
                "list_of_one": _list_of_one(node.function.function_spec.input_signature),
            }
        case "bare_concrete_function":
            bare = node.bare_concrete_function
            name = bare.concrete_function_name
            return {
                "concrete_functions": [name],
                "captures": {name: [*captures.get(name, [])]},
                **type_names([name], types, bare.function_spec),
                "arguments": [*bare.argument_keywords],
            }
        case "constant":
            return {"operation": node.constant.operation}
        case "asset":
            return {"asset": node.asset.asset_file_def_index}
        case "resource":
            return {"device": node.resource.device}
        case _:
            return {
                "name": node.captured_tensor.name,
                "function": node.captured_tensor.concrete_function,
            }


def _parameters(spec: pb.FunctionSpec) -> Iterator[str]:
    """Names of the positional parameters of a traced function."""
    for pair in spec.fullargspec.named_tuple_value.values:
        if pair.key == "args":
            for value in pair.value.list_value.values:
                yield value.string_value


def _list_of_one(signature: pb.StructuredValue) -> bool:
    """Whether a function takes one argument, a list of one tensor."""
    given = [*(signature.tuple_value.values or signature.list_value.values)]
    inside = [
        each for value in given for each in (value.list_value.values or value.tuple_value.values)
    ]
    kinds = [each.WhichOneof("kind") for each in inside]
    return len(given) == 1 and kinds == ["tensor_spec_value"]


def _children(
    references: Iterable[pb.TrackableObjectGraph.TrackableObject.ObjectReference],
    count: int,
    file: str,
) -> dict[str, int]:
    children = {child.local_name: child.node_id for child in references}
    for name, target in children.items():
        if not 0 <= target < count:
            reason = f"object {name!r} is node {target} of {count}"
            raise ReadError(ProblemKind.CORRUPT, file, reason)
    return children


def _slots(
    references: Iterable[pb.TrackableObjectGraph.TrackableObject.SlotVariableReference],
    count: int,
    file: str,
) -> tuple[tuple[int, str, int], ...]:
    slots = tuple(
        (slot.original_variable_node_id, slot.slot_name, slot.slot_variable_node_id)
        for slot in references
    )
    for original, name, target in slots:
        if not (0 <= original < count and 0 <= target < count):
            reason = f"slot {name!r} points outside the object graph"
            raise ReadError(ProblemKind.CORRUPT, file, reason)
    return slots


def joined(saved: tuple[ObjectNode, ...], stored: tuple[ObjectNode, ...]) -> tuple[ObjectNode, ...]:
    """A SavedModel's objects, with the checkpoint attributes that restoring assigns to them.

    Like restoring, this walks both graphs from their roots along equal names; slot variables are
    matched by the optimizer that owns them.
    """
    if not saved or not stored:
        return saved
    match = {0: 0}
    queue = deque([0])
    while queue:
        index = queue.popleft()
        node, other = saved[index], stored[match[index]]
        for name, child in node.children.items():
            if name in other.children and child not in match:
                match[child] = other.children[name]
                queue.append(child)
    for index in list(match):
        slots = {(owner, name): slot for owner, name, slot in stored[match[index]].slots}
        for owner, name, slot in saved[index].slots:
            if owner in match and (match[owner], name) in slots:
                match.setdefault(slot, slots[match[owner], name])
    return tuple(
        replace(node, attributes=stored[match[node.index]].attributes)
        if node.index in match and stored[match[node.index]].attributes
        else node
        for node in saved
    )


def key_roles(nodes: tuple[ObjectNode, ...]) -> dict[str, str]:
    """Role of each checkpoint key in the graph: weight, optimizer, metric or other.

    A variable that is reachable without passing through an optimizer or a metric is a weight.
    Keras 3 also saves the weights of a model below its optimizer, as `_trainable_variables`.
    What stateful recurrent layers remember of the last batch is no weight (only in a SavedModel).
    """
    roles: dict[int, str] = {}
    for node in nodes:
        roles.update({target: "optimizer" for _, _, target in node.slots})
        if (exported := node.children.get("keras_api")) is not None:
            states = nodes[exported].children.get("states")
            roles |= {} if states is None else {states: "other"}
    optimizers = {node.index for node in nodes if _is_optimizer(node)}
    optimizers |= {node.index for node in nodes if _scales_losses(node, optimizers)}
    later: list[tuple[str, int]] = []
    _spread(nodes, [0], "weight", roles, optimizers, later)
    for role, start in sorted(
        later, key=lambda item: ("weight", "metric").count(item[0]), reverse=True
    ):
        _spread(nodes, [start], role, roles, optimizers, later=[])
    keys: dict[str, str] = {}
    for node in nodes:
        for name, attribute in node.attributes.items():
            role = roles.get(node.index, "other") if name == VALUE else "other"
            keys[attribute["key"]] = role
    return keys


def _spread(
    nodes: tuple[ObjectNode, ...],
    starts: list[int],
    role: str,
    roles: dict[int, str],
    optimizers: set[int],
    later: list[tuple[str, int]],
) -> None:
    """Assign `role` to all reachable nodes without one; defer nodes that start another role."""
    queue = deque(starts)
    while queue:
        index = queue.popleft()
        if index in roles:
            continue
        if index in optimizers and role == "weight":
            later.append(("optimizer", index))
            trained = nodes[index].children.get("_trainable_variables")
            if trained is not None:
                later.append(("weight", trained))
            continue
        roles[index] = role
        for name, child in nodes[index].children.items():
            if role == "weight" and name in _METRIC_CHILDREN:
                later.append(("metric", child))
            elif role == "weight" and index == 0 and name in _COUNTERS:
                roles.setdefault(child, "other")
            else:
                queue.append(child)


def _scales_losses(node: ObjectNode, optimizers: Container[int]) -> bool:
    """Whether it wraps an optimizer; a `tf.train.Checkpoint`, the root, names what it likes."""
    return (
        node.index != 0
        and node.children.keys() >= _SCALED
        and node.children["base_optimizer"] in optimizers
    )


def _is_optimizer(node: ObjectNode) -> bool:
    if node.detail.get("identifier") == "optimizer" or node.slots:
        return True
    names = node.children.keys()
    return bool(names & _STEP_CHILDREN and names & _RATE_CHILDREN)
