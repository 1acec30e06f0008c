"""SavedModels whose graph a test fills with operations, and the results of the security rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelaudit.findings import Finding, Outcome
from modelaudit.formats.graph.op_registry import known_operations
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.reader import read
from modelaudit.rules.engine import run_rules
from modelaudit.rules.model import Facts
from modelaudit.rules.security import RULES
from modelaudit.settings import Limits
from tests.made.saved_models import complete


class Graph:
    """A TF2-style SavedModel: one signature, a saver, and the operations that a test adds.

    Args:
        numbers_are: how constants of integers reach operations: `constant`, as the sum of two
            (`computed`), or, for those of the served function, as its arguments (`passed`), which
            are inputs of the model, whatever the constant was (`input`).
    """

    def __init__(self, numbers_are: str = "constant") -> None:
        self.numbers_are = numbers_are
        self.message = pb.SavedModel(saved_model_schema_version=1)
        self.meta = self.message.meta_graphs.add()
        self.meta.meta_info_def.tags.append("serve")
        self.graph = self.meta.graph_def
        self.node(self.graph.node, "x", "Placeholder")
        self.node(self.graph.node, "saver_filename", "Placeholder")
        self.call("call", "served", "x")
        signature = self.meta.signature_def["serving_default"]
        signature.outputs["y"].name = "call:0"
        saver = self.meta.saver_def
        saver.filename_tensor_name = "saver_filename:0"
        saver.restore_op_name = "restore"
        saver.save_tensor_name = "save:0"
        self.function("restoring", "prefix")
        self.function("saving", "prefix")
        self.call("restore", "restoring", "saver_filename")
        self.call("save", "saving", "saver_filename")
        self.node(self.functions["restoring"].node_def, "RestoreV2", "RestoreV2", "prefix")
        self.node(self.functions["saving"].node_def, "SaveV2", "SaveV2", "prefix")
        self.node(self.functions["saving"].node_def, "m", "MergeV2Checkpoints", "prefix")
        self.served = self.function("served", "x").node_def

    @property
    def functions(self) -> dict[str, pb.FunctionDef]:
        return {each.signature.name: each for each in self.graph.library.function}

    def node(self, nodes, name: str, op: str, *inputs: str) -> pb.NodeDef:
        """An operation with as many inputs as it takes: the first of `inputs` again, or fewer."""
        data = [each for each in inputs if not each.startswith("^")]
        control = inputs[len(data) :]
        known = known_operations().get(op)
        if known and known.inputs is not None:
            data = [*data, *data[:1] * (known.inputs - len(data))][: known.inputs]
        return nodes.add(name=name, op=op, input=[*data, *control])

    def text(self, nodes, name: str, *values: bytes) -> str:
        node = self.node(nodes, name, "Const")
        node.attr["dtype"].type = pb.DT_STRING
        node.attr["value"].tensor.dtype = pb.DT_STRING
        node.attr["value"].tensor.string_val.extend(values)
        return name if nodes is self.graph.node else f"{name}:output:0"

    def numbers(self, nodes, name: str, *values: int, shape: tuple[int, ...] | None = None) -> str:
        """A constant of integers, a vector unless `shape` says otherwise."""
        if self.numbers_are == "computed" and values:
            parts = [
                self._constant(nodes, f"{name}_{at}", part, shape)
                for at, part in enumerate(([each - 1 for each in values], [1] * len(values)))
            ]
            self.node(nodes, name, "AddV2", *parts)
            return name if nodes is self.graph.node else f"{name}:z:0"
        if self.numbers_are in ("passed", "input") and nodes is self.served:
            if self.numbers_are == "passed":
                self._constant(self.graph.node, name, values, shape)
            else:
                sizes = (len(values),) if shape is None else shape
                self.placeholder(name, *sizes, dtype=pb.DT_INT64)
            (call,) = [each for each in self.graph.node if each.name == "call"]
            call.input.append(name)
            self.functions["served"].signature.input_arg.add(name=name)
            return name
        return self._constant(nodes, name, values, shape)

    def placeholder(self, name: str, *sizes: int, dtype: int = pb.DT_FLOAT) -> None:
        """An input of the main graph; -1 is a length that is open."""
        node = self.node(self.graph.node, name, "Placeholder")
        node.attr["dtype"].type = dtype
        node.attr["shape"].shape.SetInParent()
        for size in sizes:
            node.attr["shape"].shape.dim.add(size=size)

    def _constant(
        self, nodes, name: str, values: Sequence[int], shape: tuple[int, ...] | None
    ) -> str:
        node = self.node(nodes, name, "Const")
        tensor = node.attr["value"].tensor
        tensor.dtype = pb.DT_INT64
        tensor.int64_val.extend(values)
        for size in (len(values),) if shape is None else shape:
            tensor.tensor_shape.dim.add(size=size)
        return name if nodes is self.graph.node else f"{name}:output:0"

    def function(self, name: str, *args: str) -> pb.FunctionDef:
        function = self.graph.library.function.add()
        function.signature.name = name
        for arg in args:
            function.signature.input_arg.add(name=arg)
        return function

    def call(self, node: str, function: str, *inputs: str, nodes=None) -> None:
        where = self.graph.node if nodes is None else nodes
        made = self.node(where, node, "StatefulPartitionedCall", *inputs)
        made.attr["f"].func.name = function

    def old_loop(self, rounds: int) -> None:
        """A loop of TensorFlow 1 in the main graph: it counts to a constant, one by one."""
        nodes = self.graph.node
        for name, value in (("zero", 0), ("one", 1), ("end", rounds)):
            self.numbers(nodes, name, value, shape=())
        self.node(nodes, "enter", "Enter", "zero")
        self.node(nodes, "merge", "Merge", "enter", "next")
        self.node(nodes, "less", "Less", "merge", "end")
        self.node(nodes, "cond", "LoopCond", "less")
        self.node(nodes, "switch", "Switch", "merge", "cond")
        self.node(nodes, "add", "Add", "switch:1", "one", "^cond")
        self.node(nodes, "next", "NextIteration", "add")

    def findings(self, folder: Path, *, whole: bool = True) -> list[Finding]:
        if whole:
            complete(self.graph)
        folder.mkdir(exist_ok=True)
        (folder / "saved_model.pb").write_bytes(self.message.SerializeToString())
        results = run_rules(RULES, Facts(read(folder, Limits())))
        assert not [result for result in results if result.outcome is Outcome.ERROR]
        return [finding for result in results for finding in result.findings]


class Maker:
    """Adds operations to the served function."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes = graph.served

    def numbers(self, *values: int, scalar: bool = False) -> str:
        shape = () if scalar else None
        name = f"n{len(self.nodes)}_{len(self.graph.graph.node)}"
        return self.graph.numbers(self.nodes, name, *values, shape=shape)

    def add(self, op: str, *inputs: str, output: str = "output") -> str:
        name = f"n{len(self.nodes)}"
        self.graph.node(self.nodes, name, op, *inputs)
        return f"{name}:{output}:0"
