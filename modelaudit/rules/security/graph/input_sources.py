"""Where the value of an operation's input comes from: constants, assets, the model's input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from modelaudit.facts import Artifact, GraphFunction, GraphNode, Json, ObjectNode
from modelaudit.formats.graph.dataflow import CALLS, output_index, passed_input
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.rules.security.graph.constant_folding import PASSING, fold, is_small
from modelaudit.rules.security.graph.reachability import (
    CallGraph,
    every_node,
    functions_of,
    node_name,
)
from modelaudit.structs import replace

# With only constants they are evaluated; otherwise their inputs are traced.
_SELECTING = words(
    """Pack Concat ConcatV2 Select SelectV2 Merge Unpack Fill Tile StridedSlice Slice Gather GatherV2
    GatherNd Split SplitV TensorSliceDataset TensorDataset DatasetToSingleElement"""
)
# A text that they return is another than the one that they were given.
_REWRITING = words(
    """StringJoin ReduceJoin UnsortedSegmentJoin AddN Add AddV2 RegexReplace StaticRegexReplace Substr
    StringFormat AsString StringSplit StringSplitV2 StringStrip StringLower StringUpper StringNGrams
    UnicodeEncode UnicodeTranscode UnicodeDecode DecodeBase64 EncodeBase64 DecodeCompressed
    DecodeRaw Bitcast ShardedFilename ShardedFilespec"""
)
_BRANCHES = frozenset({"If", "StatelessIf", "Case", "StatelessCase"})
_MOST_STEPS = 300
_MOST_INPUTS = 64
_DEPTH = 48
_MOST_CALLERS = 4


class ValueOrigin(Struct, frozen=True):
    """One origin of a value. `kind` is constant, asset, input, saver, rewritten or computed.

    A rewritten value is the path of an asset of which an operation made another text.
    """

    kind: str
    value: Json = None


class FunctionTensor(Struct, frozen=True):
    """A reference inside a function, or in the main graph if there is no function.

    `rewritten`: its text is changed on the way to where it is used.
    """

    function: GraphFunction | None
    reference: str
    rewritten: bool = False


class OriginTracer:
    """Traces values backwards through one graph and its functions, in a bounded number of steps."""

    def __init__(self, calls: CallGraph, artifact: Artifact) -> None:
        self.graph = calls.graph
        self._main = calls.main
        self._objects = artifact.object_graph
        self._captures = dict(_captures(artifact.object_graph))
        self._nodes: dict[str, dict[str, GraphNode]] = {}
        self._values: dict[tuple[str, str], list[Json] | None] = {}
        self._callers: dict[str, list[tuple[GraphFunction | None, GraphNode]]] | None = None

    def of(self, function: GraphFunction | None, reference: str) -> tuple[ValueOrigin, ...]:
        """Every origin of the value at `reference`, each once."""
        found: dict[str, ValueOrigin] = {}
        seen: set[tuple[str, str, bool]] = set()
        pending = [FunctionTensor(function, reference)]
        for _ in range(_MOST_STEPS):
            if not pending:
                break
            place = pending.pop()
            name = place.function.name if place.function else ""
            key = (name, place.reference, place.rewritten)
            if key in seen or place.reference.startswith("^"):
                continue
            seen.add(key)
            for origin in self._step(place):
                if isinstance(origin, ValueOrigin):
                    changed = place.rewritten and origin.kind == "asset"
                    made = ValueOrigin("rewritten", origin.value) if changed else origin
                    found.setdefault(repr(made), made)
                else:
                    rewritten = place.rewritten or origin.rewritten
                    pending.append(replace(origin, rewritten=rewritten))
        if pending:
            found.setdefault("", ValueOrigin("computed"))
        return tuple(found.values())

    def constants(self, function: GraphFunction | None, reference: str) -> list[Json] | None:
        """The flat value at `reference` if it is computed from constants alone; else None."""
        return self._value(FunctionTensor(function, reference), 0)

    def _value(self, place: FunctionTensor, depth: int) -> list[Json] | None:
        key = (place.function.name if place.function else "", place.reference)
        if depth > _DEPTH or place.reference.startswith("^"):
            return None
        if key not in self._values:
            self._values[key] = None  # the result for a value that depends on itself
            self._values[key] = self._evaluated(place, depth + 1)
        return self._values[key]

    def _evaluated(self, place: FunctionTensor, depth: int) -> list[Json] | None:
        function, name = place.function, node_name(place.reference)
        node = (self._index(function) if function else self._main).get(name)
        if node is None or node.op in CALLS:
            steps: list[ValueOrigin | FunctionTensor] = []
            if node is not None:
                steps.extend(self._returned(node, place.reference))
            elif function is not None and self._is_plainly_called(function, name):
                steps.extend(self._argument(function, function.args.index(name)))
            one = steps[0] if len(steps) == 1 else None
            return self._value(one, depth) if isinstance(one, FunctionTensor) else None
        if node.op == "Const":
            if function is None and self._stands_for(node) is not None:
                return None  # a default that the loader replaces
            tensor = node.attrs.get("value")
            stored = tensor.get("value") if isinstance(tensor, dict) else None
            return stored if isinstance(stored, list) and is_small(stored) else None
        data = [each for each in node.inputs if not each.startswith("^")]
        passed = passed_input(node, output_index(place.reference))
        used = ([passed] if passed else []) if node.op in PASSING else data
        if len(used) > _MOST_INPUTS:
            return None
        return fold(
            node.op, [self._value(FunctionTensor(function, e), depth) for e in used], node.attrs
        )

    def _is_plainly_called(self, function: GraphFunction, argument: str) -> bool:
        """Whether an argument has one value: loops and datasets call a function repeatedly."""
        callers = self._calling(function.name)
        return argument in function.args and all(node.op in CALLS for _, node in callers)

    def _step(self, place: FunctionTensor) -> Iterator[ValueOrigin | FunctionTensor]:
        """One step back from a place: origins, or places further back."""
        name = node_name(place.reference)
        function = place.function
        nodes = self._index(function) if function else self._main
        node = nodes.get(name)
        if node is None:
            if function is not None and name in function.args:
                yield from self._argument(function, function.args.index(name))
            else:
                yield ValueOrigin("computed")
        elif node.op == "Const":
            yield from self._constant(function, node)
        elif node.op in {"Placeholder", "PlaceholderWithDefault", "_Arg"}:
            saver = function is None and node.name == self._saver_filename()
            yield ValueOrigin("saver") if saver else ValueOrigin("input", node.name)
            yield from (FunctionTensor(function, each) for each in node.inputs[:1])
        elif node.op in PASSING:
            passed = passed_input(node, output_index(place.reference))
            yield from (FunctionTensor(function, each) for each in (passed,) if each)
        elif node.op in _SELECTING | _REWRITING:
            made = self.constants(function, place.reference)
            if made is not None and all(isinstance(value, str) for value in made):
                yield from (ValueOrigin("constant", value) for value in made)
                return
            rewritten = node.op in _REWRITING
            yield from (FunctionTensor(function, each, rewritten) for each in node.inputs)
        elif node.op in CALLS | _BRANCHES or node.op in self.graph.functions:
            yield from self._returned(node, place.reference)
        else:
            yield ValueOrigin("computed", node.op)

    def _constant(self, function: GraphFunction | None, node: GraphNode) -> Iterator[ValueOrigin]:
        other = self._stands_for(node) if function is None else None
        if other is not None:
            yield other
            return
        tensor = node.attrs.get("value")
        values = tensor.get("value") if isinstance(tensor, dict) else None
        for value in values if isinstance(values, list) else ():
            yield ValueOrigin("constant", value)

    def _stands_for(self, node: GraphNode) -> ValueOrigin | None:
        """What a loader puts in place of a constant, if anything: an asset's path or the saver's."""
        asset = self.graph.assets.get(f"{node.name}:0", self.graph.assets.get(node.name))
        if asset is not None:
            return ValueOrigin("asset", asset)
        return ValueOrigin("saver") if node.name == self._saver_filename() else None

    def _saver_filename(self) -> str:
        name = self.graph.saver.get("filename_tensor_name")
        return node_name(name) if isinstance(name, str) else ""

    def _argument(
        self, function: GraphFunction, index: int
    ) -> Iterator[ValueOrigin | FunctionTensor]:
        """What a function's argument is bound to: a captured object, or its callers' inputs."""
        captured = self._captures.get(function.name, ())
        position = index - (len(function.args) - len(captured))
        if captured and position >= 0:
            yield from self._object(captured[position])
            return
        callers = self._calling(function.name)[:_MOST_CALLERS]
        for caller, node in callers:
            shift = 1 if node.op in _BRANCHES else 0
            if index + shift < len(node.inputs):
                yield FunctionTensor(caller, node.inputs[index + shift])
        if not callers:
            yield ValueOrigin("input", function.args[index])

    def _object(self, index: Json) -> Iterator[ValueOrigin | FunctionTensor]:
        found = self._objects[index] if isinstance(index, int) and index >= 0 else None
        operation = found.detail.get("operation") if found else None
        if found is not None and found.kind == "asset":
            number = found.detail.get("asset")
            names = list(self.graph.assets.values())
            inside = isinstance(number, int) and 0 <= number < len(names)
            yield ValueOrigin(
                "asset", names[number] if inside and isinstance(number, int) else None
            )
        elif isinstance(operation, str):
            yield FunctionTensor(None, operation)
        else:
            yield ValueOrigin("computed", found.kind if found else None)

    def _returned(self, node: GraphNode, reference: str) -> Iterator[ValueOrigin | FunctionTensor]:
        """The output of a call: what the function returns at that index."""
        index = output_index(reference)
        for name in functions_of(node):
            function = self.graph.functions.get(name)
            returns = list(function.returns.values()) if function else []
            if index < len(returns):
                yield FunctionTensor(function, returns[index])
            else:
                yield ValueOrigin("computed", node.op)

    def _index(self, function: GraphFunction) -> Mapping[str, GraphNode]:
        if function.name not in self._nodes:
            self._nodes[function.name] = {node.name: node for node in function.nodes}
        return self._nodes[function.name]

    def _calling(self, name: str) -> list[tuple[GraphFunction | None, GraphNode]]:
        if self._callers is None:
            self._callers = {}
            for function, node in every_node(self.graph):
                for called in functions_of(node):
                    self._callers.setdefault(called, []).append((function, node))
        return self._callers.get(name, [])


def _captures(objects: tuple[ObjectNode, ...]) -> Iterator[tuple[str, tuple[Json, ...]]]:
    """Function -> indices of the objects that its last arguments are bound to."""
    for item in objects:
        captures = item.detail.get("captures")
        for name, bound in captures.items() if isinstance(captures, dict) else ():
            if isinstance(bound, list):
                valid = (index if _within(index, objects) else None for index in bound)
                yield name, tuple(valid)


def _within(index: Json, objects: tuple[ObjectNode, ...]) -> bool:
    return isinstance(index, int) and 0 <= index < len(objects)
