"""Gates that TensorFlow 2.9 to 2.13 computes as another function.

On a CPU with oneDNN these versions join `Sigmoid` and the `Mul` behind it to a swish if both take a
result of one node, also if these are two results of it, such as the halves of a `Split`: a gated
linear unit then loses its gate. `Softplus`, `Tanh` and `Mul` are joined to a mish likewise
(tensorflow/tensorflow#60941; the pull requests #53126 and #61334 made and mended it).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, GraphNode
from modelaudit.formats.graph.dataflow import node_name
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.graphs import ObjectNode
from modelaudit.layer_classes import LAYER_CLASSES
from modelaudit.runtimes.checks.fusions import PASSING, computing
from modelaudit.runtimes.checks.saved_models.uncalled_layers import connected
from modelaudit.runtimes.graph_usage import GRAPH
from modelaudit.runtimes.model import CheckContext, LoadCall, Reason
from modelaudit.runtimes.saved_config import Config, is_custom
from modelaudit.work_budget import spend

_FIRST, _END = (2, 9), (2, 14)  # before 2.9, oneDNN had to be asked for
_FLOATS = ("float32", "bfloat16")
_GATES = {"Sigmoid": ("Sigmoid",), "Tanh": ("Tanh", "Softplus")}  # with what is joined before it
_OWN, _CALL = "keras_api", "call_and_return_conditional_losses"


def check(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first gate that is computed without what it multiplies."""
    if not _FIRST <= context.profile.tensorflow < _END:
        return
    if not {op for _, op in context.usage.operations} & {*_GATES}:
        return
    of_model = context.request.call is LoadCall.LOAD_MODEL
    for where, nodes, returned in (
        _revived(artifact, context) if of_model else _of_signatures(artifact)
    ):
        for gate in _gates(nodes, returned):
            yield Reason(
                "gate-joined-wrongly",
                LoadOutcome.DIFFERS,
                f"`{gate.name}` multiplies one result of an operation with a function of another "
                f"one, a gate. {context.profile.name} takes both for the same, and computes a "
                "swish or mish of one of them, when it runs a graph on a CPU with oneDNN",
                "no error",
                "Use TensorFlow 2.14 or newer, set the environment variable "
                "TF_ENABLE_ONEDNN_OPTS to 0, or call "
                '`tf.config.optimizer.set_experimental_options({"remapping": False})`.',
                f"{where}/{gate.name}",
                unless="it runs on a GPU, or with TF_ENABLE_ONEDNN_OPTS=0",
            )
            return


def _of_signatures(artifact: Artifact) -> Iterator[tuple[str, Sequence[GraphNode], list[str]]]:
    for graph in artifact.graphs:
        yield from () if graph.held_by else computing(artifact, graph)


def _revived(
    artifact: Artifact, context: CheckContext
) -> Iterator[tuple[str, Sequence[GraphNode], list[str]]]:
    """The functions of layers and models that Keras 2 does not make from their class.

    The layers of Keras itself are called one by one, without a graph.
    """
    objects = {node.index: node for node in artifact.object_graph}
    for metadata, found in _described(artifact, objects):
        if text(metadata.get("class_name")) in LAYER_CLASSES or is_custom(metadata, context):
            continue
        node: ObjectNode | None = found
        for child in (_OWN, _CALL):
            node = objects.get(node.children.get(child, -1)) if node is not None else None
        names = node.detail.get("concrete_functions") if node is not None else None
        for name in names if isinstance(names, list) else ():
            for graph in artifact.graphs:
                if function := graph.functions.get(str(name)):
                    returned = [node_name(each) for each in function.returns.values()]
                    yield f"{GRAPH}/functions/{name}", function.nodes, returned


def _described(
    artifact: Artifact, objects: dict[int, ObjectNode]
) -> Iterator[tuple[Config, ObjectNode]]:
    """Objects that Keras saved, with their metadata or their config in a model's."""
    for document in artifact.documents:
        metadata, number = mapping(document.value), document.route.removeprefix("nodes/")
        if (found := objects.get(int(number)) if number.isdecimal() else None) is not None:
            yield metadata, found
            yield from connected(metadata, found, objects)


def _gates(nodes: Sequence[GraphNode], returned: Sequence[str]) -> Iterator[GraphNode]:
    """Products whose factors are two results of one node, one of them behind a gate's function."""
    spend(len(nodes))
    by_name = {node.name: node for node in nodes}
    taken = Counter(returned)
    taken.update(node_name(source) for node in nodes for source in node.inputs)
    scaled = {
        node_name(source) for node in nodes if _scales(node, by_name) for source in node.inputs
    }
    for node in nodes:
        if node.op != "Mul" or node.attrs.get("T") not in _FLOATS or len(node.inputs) != 2:
            continue
        if node.name in scaled and taken[node.name] == 1:
            continue  # TensorFlow first moves the number into the product
        for factor, gate in (node.inputs, node.inputs[::-1]):
            inside = _behind(gate, by_name, taken)
            other = _source(factor, by_name)
            if inside and inside != other and node_name(inside) == node_name(other):
                yield node


def _scales(node: GraphNode, nodes: Mapping[str, GraphNode]) -> bool:
    """Whether a node multiplies by a number."""
    factors = [nodes.get(node_name(source)) for source in node.inputs]
    return node.op == "Mul" and any(each is not None and each.op == "Const" for each in factors)


def _behind(gate: str, nodes: Mapping[str, GraphNode], taken: Mapping[str, int]) -> str:
    """What a gate's function takes; empty if it is none, or something else takes its result."""
    last = nodes.get(node_name(_source(gate, nodes)))
    source = gate
    for op in _GATES[last.op] if last is not None and last.op in _GATES else ():
        source = _source(source, nodes)
        node = nodes.get(node_name(source))
        if node is None or node.op != op or taken[node.name] != 1 or len(node.inputs) != 1:
            return ""
        source = node.inputs[0]
    return _source(source, nodes) if source != gate else ""


def _source(source: str, nodes: Mapping[str, GraphNode]) -> str:
    """The result behind operations that pass it on, which TensorFlow leaves out."""
    seen = set[str]()
    while source not in seen:
        seen.add(source)
        node = nodes.get(node_name(source))
        if node is not None and node.op in PASSING and node.inputs:
            source = node.inputs[0]
    # The first result of a node of the graph itself has no number.
    return source if ":" in source else f"{source}:0"
