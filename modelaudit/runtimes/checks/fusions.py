"""Operations of a graph that TensorFlow joins to one which it cannot compute.

On a CPU with oneDNN, TensorFlow joins a convolution, the batch normalization behind it and an
activation before it runs a graph, also where it has no kernel for all of them together. Layers that
are called one by one, as those of a model that Keras has loaded, are not joined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Graph, GraphNode, Json
from modelaudit.formats.graph.dataflow import node_name
from modelaudit.graphs import reachable
from modelaudit.runtimes.graph_usage import GRAPH
from modelaudit.runtimes.model import FIRST_CALL, CheckContext, Reason
from modelaudit.work_budget import spend

Chain = tuple[str, str, str]
# Chains that some version refuses: only where one occurs is the experiment asked for.
REFUSED: frozenset[Chain] = frozenset((("Conv2D", "FusedBatchNorm", "Tanh"),))
PASSING = ("Identity",)  # left out before operations are joined
_FLOATS = "float32"  # operations of other types are not joined


def check(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first such chain among the operations that compute the outputs of a signature."""
    used = {op.removesuffix("V2").removesuffix("V3") for _, op in context.usage.operations}
    if not any(used.issuperset(chain) for chain in REFUSED):
        return
    for graph in artifact.graphs:
        for where, nodes, returned in () if graph.held_by else computing(artifact, graph):
            for node, chain in _chains(nodes, returned):
                if not context.refuses(chain):
                    continue
                product, _, activation = chain
                yield Reason(
                    "fusion-not-implemented",
                    LoadOutcome.FAILS,
                    f"`{node.name}` is the {activation} of a batch normalization behind a "
                    f"{product}, which {context.profile.name} joins to one operation when it runs "
                    "a graph on a CPU with oneDNN, and cannot compute",
                    f"UnimplementedError: …Fusion is not implemented: [FusedBatchNorm,{activation}",
                    "Set the environment variable TF_ENABLE_ONEDNN_OPTS to 0, or call "
                    '`tf.config.optimizer.set_experimental_options({"remapping": False})`.',
                    f"{where}/{node.name}",
                    unless="it runs on a GPU, or with TF_ENABLE_ONEDNN_OPTS=0",
                    later=FIRST_CALL,
                )
                return


def computing(artifact: Artifact, graph: Graph) -> Iterator[tuple[str, list[GraphNode], list[str]]]:
    """The nodes behind the outputs of signatures, and each function that these call.

    Each with where it is, and the names of the nodes that are returned.
    """
    outputs = [node_name(each.tensor) for found in artifact.signatures for each in found.outputs]
    nodes = {node.name: node for node in graph.nodes}

    def before(name: str) -> list[str]:
        return [node_name(each) for each in nodes[name].inputs] if name in nodes else []

    main = [nodes[name] for name in reachable(outputs, before) if name in nodes]
    spend(len(main))
    yield GRAPH, main, outputs

    def called(name: str) -> list[str]:
        function = graph.functions.get(name)
        return [*functions_called(function.nodes)] if function else []

    for name in reachable(functions_called(main), called):
        if function := graph.functions.get(name):
            yield (
                f"{GRAPH}/functions/{name}",
                [*function.nodes],
                [node_name(each) for each in function.returns.values()],
            )


def functions_called(nodes: Sequence[GraphNode]) -> Iterator[str]:
    """The functions that attributes of nodes name."""
    for node in nodes:
        for value in node.attrs.values():
            name = value.get("function") if isinstance(value, dict) else None
            if isinstance(name, str):
                yield name


def _chains(
    nodes: Sequence[GraphNode], returned: Sequence[str]
) -> Iterator[tuple[GraphNode, Chain]]:
    """The activations of chains in `REFUSED`, whose other results nothing else takes."""
    last = {activation for *_, activation in REFUSED}
    activations = [node for node in nodes if node.op in last and _of_floats(node)]
    if not activations:
        return
    spend(len(nodes))
    by_name = {node.name: node for node in nodes}
    taken = Counter(returned)
    ordered = set()  # by edges without data
    for node in nodes:
        for source in node.inputs:
            taken[node_name(source)] += 1
            if source.startswith("^"):
                ordered |= {node.name, node_name(source)}
    for node in activations:
        shift = _before(node, by_name, taken)
        if shift is None or ordered & {node.name, shift.name} or not _infers(shift):
            continue
        product = _before(shift, by_name, taken)
        if product is None or product.name in ordered or not _of_floats(product):
            continue
        chain = (product.op, shift.op.removesuffix("V2").removesuffix("V3"), node.op)
        if chain in REFUSED:
            yield node, chain


def _before(
    node: GraphNode, nodes: Mapping[str, GraphNode], taken: Mapping[str, int]
) -> GraphNode | None:
    """The node whose result only this one takes, as its first input."""
    found: GraphNode | None = node
    while found is not None:
        found = nodes.get(node_name(found.inputs[0])) if found.inputs else None
        if found is None or taken[found.name] != 1:
            return None
        if found.op not in PASSING:
            return found
    return None


def _infers(node: GraphNode) -> bool:
    """Whether a normalization uses statistics that it is given, as another shift does."""
    training: Json = node.attrs.get("is_training", "FusedBatchNorm" in node.op)
    return not training and _of_floats(node)


def _of_floats(node: GraphNode) -> bool:
    return node.attrs.get("T") == _FLOATS
