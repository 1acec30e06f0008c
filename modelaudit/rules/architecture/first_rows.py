"""MA335: an exported graph that answers the first input of a batch only."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.errors import LimitExceeded, WorkSpent
from modelaudit.facts import Artifact, Format, Graph, GraphNode, Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.graph.dataflow import NodeOutput
from modelaudit.rules.examples import ROOT
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network.graph_heads import output_references
from modelaudit.rules.plain_graphs.reader import GraphReader
from modelaudit.work_budget import spend

# Their result has a row for each row of their first input.
_KEEPS_ROWS = frozenset(
    {
        *("Softmax", "LogSoftmax", "Sigmoid", "Tanh", "Relu", "Relu6", "LeakyRelu", "Elu", "Selu"),
        *("Softplus", "BiasAdd", "Add", "AddV2", "Sub", "Mul", "RealDiv", "Maximum", "Minimum"),
        *("Rsqrt", "MatMul", "BatchMatMulV2", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "Cast"),
        *("MaxPool", "AvgPool", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "Pad"),
    }
)
_INPUTS = frozenset(("Placeholder", "PlaceholderWithDefault"))
_MASKS = ("ellipsis_mask", "new_axis_mask", "begin_mask", "end_mask")
_MOST = 2_000  # operations between the input and the output


class _Slices:
    """Looks for outputs that are the first row of what the network gives."""

    def __init__(self, artifact: Artifact, graph: Graph) -> None:
        self.reader = GraphReader(artifact, graph)
        self.outputs = output_references(artifact, graph)

    def found(self) -> Iterator[tuple[NodeOutput, NodeOutput]]:
        """(slice, what it is the first row of) for each."""
        walker = self.reader.walker
        for reference, _ in self.outputs:
            place = walker.value(walker.main, reference)
            if place is not None and self._takes_first(place):
                whole = self.reader.source(place)
                if whole is not None and self._has_rows(whole):
                    yield place, whole

    def _takes_first(self, place: NodeOutput) -> bool:
        """Whether it is `x[0]`."""
        node = place.node
        if node.op != "StridedSlice" or node.attrs.get("shrink_axis_mask") != 1:
            return False
        plain = all(node.attrs.get(each) in (None, 0) for each in _MASKS)
        return plain and self.reader.numbers(place, 1) == (0.0,)

    def _has_rows(self, place: NodeOutput) -> bool:
        """Whether it has a row for each input of a batch of any size."""
        at: NodeOutput | None = place
        for _ in range(_MOST):
            if at is None:
                return False
            spend(1)
            node = at.node
            if node.op in _INPUTS:
                shape = node.attrs.get("shape")
                return isinstance(shape, list) and len(shape) > 1 and _open(shape[0])
            if node.op == "Reshape":
                sizes = self.reader.axes(at, 1)
                if sizes is not None and sizes[:1] != (-1,):
                    return False
            elif node.op not in _KEEPS_ROWS or node.attrs.get("transpose_a") is True:
                return False
            at = self._data(at)
        return False

    def _data(self, place: NodeOutput) -> NodeOutput | None:
        """The first of what it takes that is computed."""
        sources = self.reader.sources(place)
        return next((each for each in sources if self.reader.computed(each)), None)


def _open(size: Json) -> bool:
    return size is None or size == -1


def _first_rows(rule: Rule, facts: Facts) -> Iterator[Finding]:
    artifact = facts.artifact
    graphs = [graph for graph in artifact.graphs if not graph.held_by]
    if artifact.format is not Format.FROZEN_GRAPH and not artifact.signatures:
        raise NotRelevant("the model has no graph with outputs of its own")
    try:
        found = [each for graph in graphs for each in _Slices(artifact, graph).found()]
    except WorkSpent:
        raise
    except LimitExceeded as error:
        raise NotApplicable("the graph is too large to be followed") from error
    for place, whole in found:
        yield rule.finding(
            f"`{place.node.name}` is the first row of what `{whole.node.name}` gives: of a batch of "
            "several inputs, only the first is answered.",
            route=place.node.name,
            evidence={"measured": whole.node.op},
        )


def _example(op: str) -> Facts:
    def numbers(name: str, value: int) -> GraphNode:
        return GraphNode(name, "Const", (), {"value": {"value": [value], "shape": [1]}})

    nodes = (
        GraphNode("x", "Placeholder", (), {"shape": [None, 4]}),
        GraphNode("scores", "Softmax", ("x",)),
        numbers("begin", 0),
        numbers("end", 1),
        numbers("steps", 1),
        GraphNode("answer", op, ("scores", "begin", "end", "steps"), {"shrink_axis_mask": 1}),
    )
    artifact = Artifact(ROOT.with_suffix(".pb"), Format.FROZEN_GRAPH, graphs=(Graph((), nodes),))
    return Facts(artifact)


RULES = (
    Rule(
        code="MA335",
        name="first-of-a-batch",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="An exported graph answers the first input of a batch only",
        pass_title="No output is the first row of a batch",
        why="The graph takes a batch of any size. A program that gives it several inputs gets one "
        "answer, without an error. It happens where `model.output[0]` is exported, which is a row, "
        "and not `model.outputs[0]`, which is the first output. For programs that give one input "
        "at a time nothing is wrong.",
        fix="Give the graph one input at a time, or export `model.outputs[0]` again.",
        check=_first_rows,
        bad=lambda: _example("StridedSlice"),
        good=lambda: _example("Identity"),
    ),
)
