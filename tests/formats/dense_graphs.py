"""Makers of graphs with as many parts as fit; each takes a path and a number of parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from tests.made import saved_models


def message(path: Path, fill: Callable[[pb.MetaGraphDef], object]) -> None:
    made = pb.SavedModel(saved_model_schema_version=1)
    fill(made.meta_graphs.add())
    saved_models.write(path, made)


def nodes(path: Path, count: int, op: str = "NoOp") -> None:
    def fill(meta: pb.MetaGraphDef) -> None:
        for number in range(count):
            meta.graph_def.node.add(name=str(number), op=op.format(number))

    message(path, fill)


def foreign(path: Path, count: int) -> None:
    nodes(path, count, "X{}")


def functions(path: Path, count: int) -> None:
    def fill(meta: pb.MetaGraphDef) -> None:
        for number in range(count):
            meta.graph_def.library.function.add().signature.name = str(number)

    message(path, fill)


def objects(path: Path, count: int) -> None:
    def fill(meta: pb.MetaGraphDef) -> None:
        for _ in range(count):
            meta.object_graph_def.nodes.add().user_object.identifier = "a"

    message(path, fill)


def signatures(path: Path, count: int) -> None:
    def fill(meta: pb.MetaGraphDef) -> None:
        for number in range(count):
            meta.signature_def[str(number)].outputs["o"].name = "a:0"

    message(path, fill)


def assets(path: Path, count: int) -> None:
    def fill(meta: pb.MetaGraphDef) -> None:
        for number in range(count):
            meta.asset_file_def.add(filename=f"a{number}").tensor_info.name = f"{number}:0"

    message(path, fill)


def metadata(path: Path, count: int) -> None:
    signatures(path, 1)
    made = pb.KerasMetadata()
    for number in range(count):
        text = json.dumps({"class_name": "ReLU", "config": {"name": f"r{number}"}})
        made.nodes.add(node_id=number, identifier="_tf_keras_layer", metadata=text)
    (path / "keras_metadata.pb").write_bytes(made.SerializeToString())


def meta_graphs(path: Path, count: int) -> None:
    made = pb.SavedModel(saved_model_schema_version=1)
    for _ in range(count):
        made.meta_graphs.add().signature_def["s"].outputs["o"].name = "a:0"
    saved_models.write(path, made)


def constants(path: Path, count: int) -> None:
    graph = pb.GraphDef()
    for number in range(count):
        tensor = graph.node.add(name=str(number), op="Const").attr["value"].tensor
        tensor.dtype = pb.DT_FLOAT
        tensor.tensor_shape.dim.add(size=1)
    path.write_bytes(graph.SerializeToString())


def inputs(path: Path, count: int) -> None:
    message(path, lambda meta: meta.graph_def.node.add(name="n", op="Pack", input=["a"] * count))


def convolutions(path: Path, count: int) -> None:
    graph = pb.GraphDef()
    for number in range(count):
        tensor = graph.node.add(name=f"k{number}", op="Const").attr["value"].tensor
        tensor.dtype, tensor.tensor_content = pb.DT_FLOAT, np.ones(9, np.float32).tobytes()
        for size in (3, 3, 1, 1):
            tensor.tensor_shape.dim.add(size=size)
        node = graph.node.add(name=f"c{number}", op="Conv2D")
        node.input.extend([f"c{number - 1}", f"k{number}"])
    path.write_bytes(graph.SerializeToString())


def graph_text(path: Path, text: str) -> None:
    path.mkdir()
    (path / "saved_model.pbtxt").write_text(f"saved_model_schema_version: 1 {text}")


def calls(path: Path, count: int) -> None:
    """Functions of so many nodes that each call the next in all of them."""

    def fill(meta: pb.MetaGraphDef) -> None:
        for number in range(40):
            function = meta.graph_def.library.function.add()
            function.signature.name = f"f{number}"
            for call in range(count):
                node = function.node_def.add(name=f"c{call}", op="PartitionedCall")
                node.attr["f"].func.name = f"f{number + 1}"
        meta.graph_def.node.add(name="c", op="PartitionedCall").attr["f"].func.name = "f0"
        meta.signature_def["s"].outputs["o"].name = "c:0"

    message(path, fill)


def loops(path: Path, count: int) -> None:
    """Loops of 200 variables that share a body, in which 20 operations follow for each."""

    def fill(meta: pb.MetaGraphDef) -> None:
        when, body = (meta.graph_def.library.function.add() for _ in range(2))
        when.signature.name, body.signature.name = "when", "body"
        for function in (when, body):
            for at in range(200):
                function.signature.input_arg.add(name=f"a{at}")
        when.node_def.add(name="c", op="Less", input=["a0", "a1"])
        when.ret["c"] = "c:z:0"
        for at in range(200):
            value = f"a{at}"
            for step in range(20):
                body.node_def.add(name=f"n{at}_{step}", op="AddV2", input=[value, "a199"])
                value = f"n{at}_{step}:z:0"
            body.ret[f"o{at}"] = value
        zero = meta.graph_def.node.add(name="z", op="Const").attr["value"].tensor
        zero.dtype, zero.int64_val[:] = pb.DT_INT64, [0]
        for number in range(count):
            node = meta.graph_def.node.add(
                name=f"w{number}", op="StatelessWhile", input=["z"] * 200
            )
            node.attr["cond"].func.name, node.attr["body"].func.name = "when", "body"

    message(path, fill)


def text_nodes(path: Path, count: int) -> None:
    node = 'node { name: "n" op: "NoOp" } '
    graph_text(path, f"meta_graphs {{ graph_def {{ {node * count} }} }}")


def text_escapes(path: Path, count: int) -> None:
    escaped = "\\001" * count
    graph_text(path, f'meta_graphs {{ graph_def {{ node {{ name: "{escaped}" }} }} }}')


def graph_texts(path: Path, count: int) -> None:
    """Texts of a constant, each of which may be a graph."""

    def fill(meta: pb.MetaGraphDef) -> None:
        tensor = meta.graph_def.node.add(name="s", op="Const").attr["value"].tensor
        tensor.dtype = pb.DT_STRING
        tensor.string_val.extend(b"text%d" % number for number in range(count))

    message(path, fill)


def small_constants(path: Path, count: int) -> None:
    def fill(meta: pb.MetaGraphDef) -> None:
        for number in range(count):
            value = meta.graph_def.node.add(name=f"n{number}", op="Const").attr["value"]
            value.tensor.dtype = pb.DT_FLOAT
            value.tensor.float_val.append(1.0)

    message(path, fill)


def _served(path: Path, fill: Callable[[pb.GraphDef], str]) -> None:
    """A graph with a signature, so that its layers are looked for behind the output."""

    def whole(meta: pb.MetaGraphDef) -> None:
        meta.meta_info_def.tags.append("serve")
        _operation(meta.graph_def, "x", "Placeholder")
        signature = meta.signature_def["serving_default"]
        signature.inputs["x"].name = "x:0"
        signature.outputs["y"].name = f"{fill(meta.graph_def)}:0"

    message(path, whole)


def _operation(graph: pb.GraphDef, name: str, op: str, *inputs: str) -> str:
    node = graph.node.add(name=name, op=op, input=inputs)
    node.attr["T"].type = pb.DT_FLOAT
    shape = node.attr["_output_shapes"].list.shape.add()
    shape.dim.add(size=-1)
    shape.dim.add(size=2)
    return name


def served_layers(path: Path, count: int) -> None:
    """Products with a bias and a ReLU, one behind the other."""

    def fill(graph: pb.GraphDef) -> str:
        last = "x"
        for number in range(count):
            for name, sizes in (("k", (2, 2)), ("b", (2,))):
                tensor = graph.node.add(name=f"l{number}/{name}", op="Const").attr["value"].tensor
                tensor.dtype = pb.DT_FLOAT
                tensor.tensor_content = np.ones(sizes, np.float32).tobytes()
                for size in sizes:
                    tensor.tensor_shape.dim.add(size=size)
            last = _operation(graph, f"l{number}/MatMul", "MatMul", last, f"l{number}/k")
            last = _operation(graph, f"l{number}/BiasAdd", "BiasAdd", last, f"l{number}/b")
            last = _operation(graph, f"l{number}/Relu", "Relu", last)
        return last

    _served(path, fill)


def served_sums(path: Path, count: int) -> None:
    """Each the sum of the two before it, so that there are ever more ways to the input."""

    def fill(graph: pb.GraphDef) -> str:
        one, two = "x", "x"
        for number in range(count):
            one, two = _operation(graph, f"l{number}/Add", "AddV2", one, two), one
        return one

    _served(path, fill)


def served_constants(path: Path, count: int) -> None:
    """Constants, each twice the one before it, from which a layer takes its shape."""

    def fill(graph: pb.GraphDef) -> str:
        tensor = graph.node.add(name="c0", op="Const").attr["value"].tensor
        tensor.dtype = pb.DT_INT32
        tensor.int_val.append(0)
        last = "x"
        for number in range(1, count):
            held = f"c{number - 1}"
            graph.node.add(name=f"c{number}", op="AddV2", input=[held, held])
            last = _operation(graph, f"l{number}/Mean", "Mean", last, f"c{number}")
        return last

    _served(path, fill)


def many_loops(path: Path, count: int) -> None:
    """Loops that all call the same two functions."""

    def fill(meta: pb.MetaGraphDef) -> None:
        for name in ("when", "body"):
            function = meta.graph_def.library.function.add()
            function.signature.name = name
            function.signature.input_arg.add(name="i")
            function.signature.output_arg.add(name="o")
            function.ret["o"] = "i"
        meta.graph_def.node.add(name="k", op="Const")
        for number in range(count):
            node = meta.graph_def.node.add(name=f"w{number}", op="While", input=["k"])
            node.attr["cond"].func.name, node.attr["body"].func.name = "when", "body"

    message(path, fill)
