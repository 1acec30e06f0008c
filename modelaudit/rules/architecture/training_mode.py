"""MA331: dropout and random changes of images that are active in an exported graph."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct, field

from modelaudit.errors import LimitExceeded, WorkSpent
from modelaudit.facts import Artifact, Format, Graph, GraphNode, Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.graph.dataflow import NodeOutput
from modelaudit.graphs import trains
from modelaudit.rules.architecture.lite_training_mode import RANDOM, lite_training_mode
from modelaudit.rules.examples import ROOT
from modelaudit.rules.grammar import counted, quoted
from modelaudit.rules.grouped import LISTED
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network.graph_heads import output_references
from modelaudit.rules.plain_graphs.architecture import layer_scope
from modelaudit.rules.plain_graphs.reader import GraphReader
from modelaudit.rules.security.graph.reachability import every_node
from modelaudit.work_budget import spend

_COMPARES = frozenset(("GreaterEqual", "Greater", "Less", "LessEqual"))
_SCALES = frozenset(("Add", "AddV2", "Sub", "Mul", "RealDiv"))
_SELECTS = frozenset(("Select", "SelectV2"))
_ZEROS = frozenset(("Const", "ZerosLike", "Fill"))
_MOVES = frozenset(("ImageProjectiveTransformV2", "ImageProjectiveTransformV3"))
# Behind these, a value is one of several, or of a loop.
_JOINS = frozenset(("Merge", "RefMerge", "Exit", "RefExit"))
_WEIGHTED = frozenset(
    ("MatMul", "BatchMatMulV2", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput")
)
# What makes maps larger, as in networks that make images, where dropout can be the noise.
_UPSAMPLES = frozenset(
    ("Conv2DBackpropInput", "DepthToSpace", "ResizeBilinear", "ResizeNearestNeighbor")
)
_MOST = 20_000  # operations that are looked at
_NEAR = 500  # between a random number and how an image is moved
_DEEPEST = 6  # operations on random numbers before they are compared
_TRAINING = "train"
_OF_TRAINING = frozenset(
    ("learn", "fit", "update", "loss", "gradient", "gradients")
)  # of signatures
_WORD = re.compile("[a-z]+")


class _RandomBefore(Struct):
    """What is found before one output: dropouts and random changes, by their operations."""

    dropouts: dict[str, float] = field(default_factory=dict)
    changes: dict[str, str] = field(default_factory=dict)
    weighted: bool = False
    upsamples: bool = False


class _RandomTrace:
    """Looks for what is random before the outputs of one graph."""

    def __init__(self, artifact: Artifact, graph: Graph) -> None:
        self.reader = GraphReader(artifact, graph)
        self._left = _MOST

    def before(self, reference: str) -> _RandomBefore:
        """What the value of a reference depends on."""
        found = _RandomBefore()
        start = self.reader.walker.value(self.reader.walker.main, reference)
        for place in self._above([start] if start else [], _MOST):
            self._left -= 1  # of all outputs together
            if not self._left:
                raise LimitExceeded(place.node.name, "operations", _MOST + 1, _MOST)
            op, name = place.node.op, place.node.name
            found.weighted |= op in _WEIGHTED
            found.upsamples |= op in _UPSAMPLES
            rate = self._dropout(place)
            if rate is not None:
                found.dropouts[name] = rate
            elif self._moves(place) or self._chooses(place):
                found.changes[name] = op
        return found

    def _above(self, starts: Sequence[NodeOutput], most: int) -> Iterator[NodeOutput]:
        pending, seen = [*starts], set[tuple[int, str]]()
        while pending:
            place = pending.pop()
            key = (id(place.frame), place.node.name)
            if key in seen:
                continue
            seen.add(key)
            if len(seen) > most:
                raise LimitExceeded(place.node.name, "operations", len(seen), most)
            spend(1 + len(place.node.inputs))
            yield place
            if place.node.op not in _JOINS:
                pending += self.reader.sources(place)

    def _dropout(self, place: NodeOutput) -> float | None:
        """The threshold of a product with random zeros and ones; None if it is none."""
        op = place.node.op
        if op == "Mul":
            for index in (0, 1):
                mask, data = (self.reader.source(place, each) for each in (index, 1 - index))
                rate = self._mask(mask) if mask else None
                if rate is not None and data is not None and self.reader.computed(data):
                    return rate
        if op in _SELECTS:
            mask, kept, zeros = (self.reader.source(place, each) for each in range(3))
            if mask and kept and zeros and zeros.node.op in _ZEROS and self.reader.computed(kept):
                return self._mask(mask)
        return None

    def _chooses(self, place: NodeOutput) -> bool:
        """Whether chance decides between an image and its mirror image."""
        if place.node.op not in _SELECTS:
            return False
        mask, *both = (self.reader.source(place, each) for each in range(3))
        flipped = any(each is not None and each.node.op == "ReverseV2" for each in both)
        return flipped and mask is not None and self._random(mask)

    def _moves(self, place: NodeOutput) -> bool:
        """Whether chance decides how an image is turned, moved or zoomed."""
        how = self.reader.source(place, 1) if place.node.op in _MOVES else None
        return how is not None and self._random(how)

    def _random(self, place: NodeOutput) -> bool:
        try:
            return any(map(self._draws, self._above([place], _NEAR)))
        except LimitExceeded as error:
            if isinstance(error, WorkSpent):
                raise
            return False

    def _draws(self, place: NodeOutput) -> bool:
        """Whether an operation draws other random numbers each time."""
        if place.node.op not in RANDOM:
            return False
        seed = place if place.node.op.startswith("Stateless") else None
        key = self.reader.source(place, 1) if seed else None
        if key is not None and key.node.op == "StatelessRandomGetKeyCounter":
            seed = key
        at = 0 if seed is key else 1
        return seed is None or self.reader.numbers(seed, at) is None

    def _mask(self, place: NodeOutput) -> float | None:
        """The constant that random numbers are compared with, or that is added before rounding."""
        if place.node.op == "Floor":
            added = self.reader.source(place)
            return self._constant_beside(added) if added and added.node.op in _SCALES else None
        return self._constant_beside(place) if place.node.op in _COMPARES else None

    def _constant_beside(self, place: NodeOutput) -> float | None:
        for index in (0, 1):
            drawn = self.reader.source(place, index)
            given = self.reader.numbers(place, 1 - index)
            if drawn is not None and given is not None and len(given) == 1:
                return given[0] if 0 < given[0] < 1 and self._uniform(drawn, _DEEPEST) else None
        return None

    def _uniform(self, place: NodeOutput, deeper: int) -> bool:
        """Whether it is random numbers, perhaps scaled by constants."""
        if self._draws(place):
            return True
        if place.node.op not in _SCALES or not deeper:
            return False
        for index in (0, 1):
            drawn = self.reader.source(place, index)
            if drawn is not None and self.reader.numbers(place, 1 - index) is not None:
                return self._uniform(drawn, deeper - 1)
        return False


def for_training(name: str) -> bool:
    """Whether a signature's name says that it trains; `profit` has no such word."""
    words = _WORD.findall(name.lower())
    return any(word.startswith(_TRAINING) or word in _OF_TRAINING for word in words)


def _served(artifact: Artifact, graph: Graph) -> list[list[str]]:
    """The outputs of each signature for inference, or of a frozen graph."""
    signatures = [
        [each.tensor for each in signature.outputs]
        for signature in artifact.signatures
        if signature.tags == graph.tags and not for_training(signature.name)
    ]
    if artifact.format is Format.FROZEN_GRAPH:
        return [[reference for reference, _ in output_references(artifact, graph)]]
    return signatures


def _active(rule: Rule, facts: Facts) -> Iterator[Finding]:
    artifact = facts.artifact
    if artifact.lite is not None:
        yield from _of_lite(rule, facts)
        return
    frozen = artifact.format is Format.FROZEN_GRAPH
    if not (frozen or artifact.format.is_saved_model):
        raise NotRelevant("only graphs that were exported have one mode for all programs")
    graphs = [
        graph
        for graph in artifact.graphs
        if not (graph.held_by or (frozen and trains(graph)) or _TRAINING in graph.tags)
        and any(node.op in RANDOM for _, node in every_node(graph))
    ]
    if not graphs:
        raise NotRelevant("no graph for inference draws random numbers")
    for graph in graphs:
        try:
            trace = _RandomTrace(artifact, graph)
            found = [[trace.before(each) for each in served] for served in _served(artifact, graph)]
        except WorkSpent:
            raise
        except LimitExceeded as error:
            raise NotApplicable("the graph is too large to be followed") from error
        for outputs in found:
            weighted = [each for each in outputs if each.weighted]
            # Beside an output without it, such a part may be one that is for training only.
            if weighted and all(each.dropouts or each.changes for each in weighted):
                yield _told(rule, facts, weighted)
                return


def _told(rule: Rule, facts: Facts, outputs: Sequence[_RandomBefore]) -> Finding:
    dropouts = {name: rate for each in outputs for name, rate in each.dropouts.items()}
    changes = {name: op for each in outputs for name, op in each.changes.items()}
    said = []
    if dropouts:
        names = list(dict.fromkeys(layer_scope(name) or name for name in dropouts))
        said.append(f"dropout is active at {_listed(names)}")
    if changes:
        names = list(dict.fromkeys(layer_scope(name) or name for name in changes))
        said.append(f"images are changed at random at {_listed(names)}")
    first = next(iter(dropouts or changes))
    makes = any(each.upsamples for each in outputs)
    return rule.finding(
        f"In the graph for inference, {' and '.join(said)}. The same input gets another answer in each run.",
        route=layer_scope(first) or first,
        evidence={
            "measured": len(dropouts) + len(changes),
            "unit": "operations",
            "operations": list[Json]([*dropouts, *changes][:LISTED]),
        },
        severity=Severity.LOW if makes else None,  # noise of a generator, as in pix2pix
        fix=_FREEZE if facts.artifact.format is Format.FROZEN_GRAPH else "",
    )


def _of_lite(rule: Rule, facts: Facts) -> Iterator[Finding]:
    assert facts.artifact.lite is not None
    if any(for_training(each.name) for each in facts.artifact.signatures):
        raise NotRelevant("the model is made to be trained further on a device")
    found = lite_training_mode(facts.artifact.lite)
    said = []
    if found.dropouts:
        said.append(f"dropout is active ({_listed(found.dropouts)})")
    if found.changes:
        said.append(f"images are changed at random ({_listed(found.changes)})")
    if said:
        said[-1] += ", so that the same input gets another answer in each run"
    if found.updated:
        what = counted(
            len(found.updated), "batch normalization updates", "batch normalizations update"
        )
        said.append(
            f"{what} moving statistics in each run and normalize by those of the input itself "
            f"({_listed(found.updated)})"
        )
    if said:
        count = len(found.dropouts) + len(found.changes) + len(found.updated)
        yield rule.finding(
            f"The main graph runs in training mode: {'; '.join(said)}.",
            evidence={
                "measured": count,
                "unit": "operators",
                "operators": list[Json]([*found.dropouts, *found.changes, *found.updated][:LISTED]),
            },
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(quoted(names[:LISTED])) + (" …" if len(names) > LISTED else "")


_FREEZE = (
    "If it is not meant, build the network for inference (`training=False` in Keras, a keep "
    "probability of 1 in TensorFlow 1), restore the trained checkpoint, and freeze that graph."
)


def _example(threshold: str) -> Facts:
    nodes = (
        GraphNode("x", "Placeholder", (), {"shape": [None, 4], "dtype": "float32"}),
        GraphNode("k", "Const", (), {"value": {"dtype": "float32", "shape": [4, 4]}}),
        GraphNode("dense/MatMul", "MatMul", ("x", "k")),
        GraphNode(
            "rate", "Const", (), {"value": {"dtype": "float32", "shape": [], "value": [0.5]}}
        ),
        GraphNode("fed", "Placeholder", (), {"shape": [], "dtype": "float32"}),
        GraphNode("drop/uniform", "RandomUniform", ("shape",)),
        GraphNode("drop/GreaterEqual", "GreaterEqual", ("drop/uniform", threshold)),
        GraphNode("drop/Cast", "Cast", ("drop/GreaterEqual",)),
        GraphNode("drop/mul", "Mul", ("dense/MatMul", "drop/Cast")),
    )
    graph = Graph((), nodes)
    return Facts(Artifact(ROOT.with_suffix(".pb"), Format.FROZEN_GRAPH, graphs=(graph,)))


RULES = (
    Rule(
        code="MA331",
        name="training-mode-at-inference",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="An exported graph runs in training mode",
        pass_title="The exported graph has no active dropout and no random changes of images",
        why="Dropout and augmentation are for training: in a graph for inference they make each "
        "answer random and worse than it was measured. Only Monte Carlo dropout, and networks that "
        "make images from noise, use them on purpose.",
        fix="If it is not meant, export the model for inference: a call with `training=False`, and "
        "without layers for augmentation, which `model.export` of Keras 3 can leave active. With a "
        "model of Keras 3: `archive = keras.export.ExportArchive()`, `archive.track(model)`, "
        '`archive.add_endpoint("serve", lambda x: model(x, training=False), [spec])`, '
        "`archive.write_out(path)`; convert that SavedModel for TensorFlow Lite.",
        check=_active,
        bad=lambda: _example("rate"),
        good=lambda: _example("fed"),
    ),
)
