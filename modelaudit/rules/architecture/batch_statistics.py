"""MA330: batch normalization by the statistics of the batch, in a graph for inference."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.errors import LimitExceeded, WorkSpent
from modelaudit.facts import Artifact, Format, Graph, GraphNode
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.graph.dataflow import CALLS, Frame, NodeOutput
from modelaudit.formats.graph.kernel_ops import BATCH_NORMS
from modelaudit.formats.saved_model.updated_statistics import updated_statistics
from modelaudit.graphs import trains
from modelaudit.layer_classes import Trait, has
from modelaudit.rules.examples import ROOT
from modelaudit.rules.grammar import counted, quoted
from modelaudit.rules.grouped import LISTED
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.plain_graphs.architecture import layer_scope
from modelaudit.rules.plain_graphs.reader import GraphReader
from modelaudit.terminal_text import first_of
from modelaudit.work_budget import spend

# What makes maps larger, as generators, style transfer and segmentation do.
_UPSAMPLES = frozenset(
    ("Conv2DBackpropInput", "DepthToSpace", "ResizeBilinear", "ResizeNearestNeighbor")
)
_BRANCHES = frozenset(("Switch", "RefSwitch"))
_JOINS = frozenset(("Merge", "RefMerge", "Exit", "RefExit"))
_INPUTS = frozenset(("Placeholder", "PlaceholderWithDefault"))
_NEAR = 200  # operations before a normalization among which a branch begins


class _Norms:
    """The batch normalizations of a graph's operations, each by its scope.

    Attributes:
        by_batch: those that use the statistics of the batch, whatever the program chooses.
        others: those with stored statistics.
        one: whether an input has a batch of one.
        upsamples: whether maps are made larger.
    """

    def __init__(self, artifact: Artifact, graph: Graph) -> None:
        self.reader = GraphReader(artifact, graph)
        self.by_batch: list[str] = []
        self.others: list[str] = []
        self.one = self.upsamples = False
        main = self.reader.walker.main
        calls = [(main, node) for node in graph.nodes if node.op in CALLS]
        for frame in (main, *self.reader.walker.frames(calls)):
            for node in frame.nodes.values():
                self._look(frame, node)

    def _look(self, frame: Frame, node: GraphNode) -> None:
        self.upsamples |= node.op in _UPSAMPLES
        if node.op in _INPUTS:
            shape = node.attrs.get("shape")
            self.one |= isinstance(shape, list) and len(shape) > 2 and shape[0] == 1
        if node.op not in BATCH_NORMS:
            return
        name = layer_scope(node.name) or node.name
        place = NodeOutput(frame, node, 0)
        if node.attrs.get("is_training", True) is not True:  # the default, which savers leave out
            self.others.append(name)
        elif self._of_the_batch(place) and not self._chosen(frame, node):
            self.by_batch.append(name)

    def _of_the_batch(self, place: NodeOutput) -> bool:
        """Whether it scales channels, by what is stored; Keras computes layer norms with it, too.

        Those have a scale of ones that is made from the shape, or a map with the batch in its
        channels.
        """
        scale = self.reader.source(place, 1)
        stored = self.reader.stored(place, 1) is not None
        if not stored and (scale is None or scale.node.op != "Const"):
            return False
        data = self.reader.source(place)
        if data is not None and data.node.op == "Transpose":
            data = self.reader.source(data)
        if data is None or data.node.op != "Reshape":
            return True
        sizes = self.reader.axes(data, 1)
        return sizes is not None and sizes[0] != 1

    def _chosen(self, frame: Frame, node: GraphNode) -> bool:
        """Whether it is in a branch, which the program may not take."""
        pending, seen = [node], {node.name}
        while pending:
            references = pending.pop().inputs[:_NEAR]
            spend(1 + len(references))
            for reference in references:
                source = frame.nodes.get(reference.lstrip("^").partition(":")[0])
                if source is None or source.name in seen or source.op in _JOINS:
                    continue
                if source.op in _BRANCHES:
                    return True
                seen.add(source.name)
                if len(seen) > _NEAR:
                    return False
                pending.append(source)
        return False


def _called_for_training(artifact: Artifact) -> list[str]:
    """The batch normalizations that a config calls in training mode, by themselves or by a model.

    In Keras 3, `predict` says `training=False` to all layers, whatever the call was.
    """
    given = artifact.architecture
    layers = given.layers if given is not None and given.dialect != "keras3" else ()
    called = {x.route for x in layers if any(k.get("training") is True for k in x.call_kwargs)}
    kept = {x.route for x in layers if any(k.get("training") is False for k in x.call_kwargs)}

    def chosen(route: str) -> bool:
        """What the call says that is nearest to the layer; a layer's own is nearer than a model's."""
        while route and route not in called | kept:
            route = route.rpartition("/")[0]
        return route in called

    norms = (x for x in layers if has(x.class_name, Trait.BATCH_NORMALISATION) and x.trainable)
    return [x.route for x in norms if chosen(x.route)]


def _by_batch(rule: Rule, facts: Facts) -> Iterator[Finding]:
    artifact = facts.artifact
    if called := _called_for_training(artifact):
        shown = first_of(quoted(called), LISTED)
        yield rule.finding(
            f"{counted(len(called), 'batch normalization is', 'batch normalizations are')} called with "
            f"`training=True`: {shown}. Predictions, too, use the mean and variance of their batch, so "
            "that an answer depends on the other inputs in it.",
            route=called[0],
            evidence={"measured": len(called), "unit": "layers", "layers": [*called[:LISTED]]},
            title="Batch normalization uses the statistics of the batch for predictions",
            severity=Severity.LOW,  # as generators and style transfer do on purpose
            fix="If it is not meant, call the layer, or the model that it is in, without `training`, "
            "which Keras sets in `fit` and `predict`, and train again.",
        )
        return
    if updated := updated_statistics(artifact):
        yield _of_export(rule, artifact, updated)
        return
    graphs = [graph for graph in artifact.graphs if not graph.held_by]
    if artifact.format is not Format.FROZEN_GRAPH:
        raise NotRelevant("only an exported graph has normalizations in one mode for all programs")
    if any(trains(graph) for graph in graphs):
        raise NotRelevant("the graph is one for training")
    try:
        found = [_Norms(artifact, graph) for graph in graphs]
    except WorkSpent:
        raise
    except LimitExceeded as error:
        raise NotApplicable("the graph is too large to be followed") from error
    if not any(each.by_batch or each.others for each in found):
        raise NotRelevant("the graph has no fused batch normalization")
    for norms in found:
        names = list(dict.fromkeys(norms.by_batch))
        if not names or norms.one:
            continue
        every = len(names) + len({*norms.others} - {*names})
        shown = first_of(quoted(names), LISTED)
        use = "normalization uses" if every == 1 else "normalizations use"
        yield rule.finding(
            f"{len(names)} of {counted(every, 'batch ' + use, 'batch ' + use)} the mean and variance "
            f"of the batch, and no stored statistics: {shown}. An answer depends on the other inputs "
            "of its batch.",
            route=names[0],
            evidence={
                "measured": len(names),
                "unit": "layers",
                "n": every,
                "layers": [*names[:LISTED]],
            },
            # Generators and style transfer are run like this on purpose.
            severity=Severity.LOW if norms.upsamples else rule.severity,
        )


def _of_export(rule: Rule, artifact: Artifact, updated: tuple[str, ...]) -> Finding:
    names = list(dict.fromkeys(layer_scope(name) or name for name in updated))
    shown = first_of(quoted(names), LISTED)
    functions = (each for graph in artifact.graphs for each in graph.functions.values())
    operations = (node.op for each in functions for node in each.nodes)
    return rule.finding(
        f"The exported endpoint `serve` runs {counted(len(names), 'batch normalization', 'batch normalizations')} "
        f"in training mode: {shown}. Each call uses the mean and variance of its batch, so that an "
        "answer depends on the other inputs in it, and changes the moving statistics.",
        route=names[0],
        evidence={"measured": len(names), "unit": "layers", "layers": [*names[:LISTED]]},
        severity=Severity.LOW if _UPSAMPLES.intersection(operations) else rule.severity,
        fix="Give `training` in `call` no default of True, as augmentation layers of Keras have it, nor "
        "`training=True` in a call of such a layer, and export again. Or export the call for inference: "
        "`archive = keras.export.ExportArchive()`, `archive.track(model)`, "
        '`archive.add_endpoint("serve", lambda x: model(x, training=False), [spec])`, '
        "`archive.write_out(path)`.",
    )


def _example(mode: bool) -> Facts:
    nodes = (
        GraphNode("x", "Placeholder", (), {"shape": [None, 8, 8, 2]}),
        GraphNode("norm/gamma", "Const", ()),
        GraphNode("norm/beta", "Const", ()),
        GraphNode(
            "norm/FusedBatchNormV3",
            "FusedBatchNormV3",
            ("x", "norm/gamma", "norm/beta", "norm/beta", "norm/gamma"),
            {"is_training": mode},
        ),
    )
    graph = Graph((), nodes)
    return Facts(Artifact(ROOT.with_suffix(".pb"), Format.FROZEN_GRAPH, graphs=(graph,)))


RULES = (
    Rule(
        code="MA330",
        name="batch-statistics-at-inference",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="Batch normalization uses the statistics of the batch at inference",
        pass_title="Every batch normalization uses stored statistics at inference",
        why="In this mode, which is that of training, each batch is normalized by its own mean and "
        "variance. The same input gets another answer beside other inputs, and alone it is "
        "normalized by itself, so that accuracy that was measured on large batches is not reached. "
        "Generators of GANs and networks for style transfer use the mode on purpose.",
        fix="If it is not meant, build the network for inference (`training=False` in Keras, "
        "`is_training=False` in TF-Slim), restore the checkpoint with its moving statistics, and "
        "freeze that graph.",
        check=_by_batch,
        bad=lambda: _example(mode=True),
        good=lambda: _example(mode=False),
    ),
)
