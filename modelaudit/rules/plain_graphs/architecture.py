"""The layers of a model without layers in a Keras config, as an architecture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set

from modelaudit.errors import LimitExceeded, WorkSpent
from modelaudit.facts import Architecture, Artifact, Layer, Signature
from modelaudit.formats.graph.dataflow import NodeOutput
from modelaudit.measures.kernels.other_weights import frozen_variables
from modelaudit.rules.plain_graphs.norms import adapted, normalization
from modelaudit.rules.plain_graphs.reader import GraphReader, OperationGroup
from modelaudit.rules.plain_graphs.vocabularies import indices
from modelaudit.rules.plain_graphs.weighted import attention, recurrent, table, weighted
from modelaudit.rules.plain_graphs.weightless import (
    activation,
    gated,
    merged,
    moved,
    pooling,
    reduced_shares,
    softmax_over,
)
from modelaudit.structs import PerObject

_MATCHES = (
    *(weighted, normalization, softmax_over, pooling, reduced_shares, recurrent, attention),
    *(adapted, activation, gated, table, indices, moved, merged),
)
_MOST = 3_000  # layers
_Key = tuple[int, str]
# What gives the shape of a value, not the value.
_SHAPES = frozenset(("Shape", "ShapeN", "Size", "Rank", "Const", "VarHandleOp"))
_DEFAULT = "serving_default"
# Scopes of the steps that TensorFlow's own functions take are not named like layers.
_INNER = frozenset(("batchnorm", "moments", "Tensordot", "MaxPool1d", "AvgPool1d", "einsum"))


def _read(artifact: Artifact) -> Architecture | None:
    saved = artifact.architecture
    if saved is not None and saved.layers and not saved.assumed:
        return None
    for graph in artifact.graphs:
        own = [each for each in artifact.signatures if each.tags == graph.tags]
        if own and not graph.held_by:
            chosen = next((each for each in own if each.name == _DEFAULT), own[0])
            try:
                return _Layers(GraphReader(artifact, graph), frozen_variables(artifact)).of(chosen)
            except WorkSpent:
                raise
            except (LimitExceeded, ArithmeticError, LookupError, TypeError, ValueError):
                return None  # operations of a forged graph may hold what their kind never does
    return None


graph_architecture = PerObject(_read)
"""The layers that the graph of the model's main signature shows, as far as it shows layers.

None if a Keras config has the layers and how they are joined, without a signature, or if an output
cannot be followed. Operations that are no layer of Keras are `custom` layers with the operation as
the class.
"""


def shown_architecture(artifact: Artifact) -> Architecture | None:
    """The saved architecture, or that which the graph shows."""
    saved = artifact.architecture
    return saved if saved is not None and saved.layers else graph_architecture(artifact) or saved


def shown_by_graph(artifact: Artifact) -> Architecture | None:
    """That which the graph shows, if no config has layers."""
    shown = shown_architecture(artifact)
    return None if shown is artifact.architecture else shown


def joined_architecture(artifact: Artifact) -> Architecture | None:
    """The layers as they are joined: those of the graph, where the config has parts of a class."""
    return graph_architecture(artifact) or shown_architecture(artifact)


class _Layers:
    """The layers behind the outputs of a signature, each after what it takes."""

    def __init__(self, reader: GraphReader, frozen: Set[str]) -> None:
        self.reader = reader
        self.frozen = frozen
        self.parts: dict[_Key, OperationGroup] = {}
        self.layers: dict[_Key, Layer | None] = {}  # None for what no input changes
        self.routes: set[str] = set()
        self.copies: Counter[str] = Counter()

    def of(self, signature: Signature) -> Architecture | None:
        """The architecture whose outputs are those of the signature."""
        main = self.reader.walker.main
        ends = [self.reader.walker.value(main, each.tensor) for each in signature.outputs]
        known = [each for each in ends if each is not None]
        if not known or len(known) < len(ends):
            return None
        self._follow(known)
        outputs = [self.layers[_key(each)] for each in known]
        layers = [each for each in self.layers.values() if each is not None]
        if None in outputs:
            return None
        return Architecture(
            class_name="Functional",
            name=signature.name,
            dialect="keras3",
            layers=tuple(layers),
            inputs=tuple(each.route for each in layers if each.class_name == "InputLayer"),
            outputs=tuple(each.route for each in outputs if each is not None),
        )

    def _follow(self, ends: Sequence[NodeOutput]) -> None:
        pending = [*ends]
        while pending:
            place = pending[-1]
            key = _key(place)
            if key in self.layers:
                pending.pop()
                continue
            if key not in self.parts:
                if len(self.parts) >= _MOST:
                    raise LimitExceeded("", "layers of a graph", len(self.parts), _MOST)
                self.parts[key] = self._part(place)
                pending += [x for x in self.parts[key].sources if _key(x) not in self.parts]
                continue
            self.layers[key] = self._layer(place, self.parts[key])
            pending.pop()

    def _part(self, place: NodeOutput) -> OperationGroup:
        if place.node.op == "Placeholder":
            return OperationGroup("InputLayer", ())
        if place.node.op in _SHAPES:
            return OperationGroup("", ())
        for match in _MATCHES:
            found = match(self.reader, place)
            if found is not None:
                return found
        return OperationGroup(place.node.op, self.reader.sources(place), known=False)

    def _layer(self, place: NodeOutput, part: OperationGroup) -> Layer | None:
        """The layer of a part; None for one that takes nothing of the inputs."""
        given = [each for x in part.sources if (each := self.layers.get(_key(x))) is not None]
        if not given and part.class_name != "InputLayer":
            return None
        scope = layer_scope(place.node.name)
        name = next((x for x in (part.route, scope) if x and x not in self.routes), place.node.name)
        first = name
        while name in self.routes:  # of a function that is called twice
            self.copies[first] += 1
            name = f"{first}_{self.copies[first]}"
        self.routes.add(name)
        merged = len(part.sources) == len(given)
        shapes = tuple(x.output_shape for x in given if x.output_shape is not None)
        return Layer(
            route=name,
            name=name if name == part.route else name.rpartition("/")[2],
            class_name=part.class_name,
            config=part.config,
            inbound=(tuple(each.route for each in given),) if given else (),
            input_shapes=shapes if len(shapes) == len(given) else (),
            output_shape=self.reader.shape(place),
            variables=part.variables,
            trainable=not part.variables or not self.frozen >= {*part.variables.values()},
            custom=not (part.known and merged),
        )


def layer_scope(name: str) -> str:
    """The scope of a layer in the name of one of its operations; "" if it has none."""
    parts = name.split("/")[:-1]
    while len(parts) > 1 and parts[-1] in _INNER:
        parts.pop()
    return "/".join(parts)


def _key(place: NodeOutput) -> _Key:
    return id(place.frame), f"{place.node.name}:{place.output}"
