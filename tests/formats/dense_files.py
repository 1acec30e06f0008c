"""Makers of files with as many parts as fit; each takes a path and a number of parts."""

from __future__ import annotations

import base64
import json
import marshal
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from tests.formats.bundle_writer import BundleWriter
from tests.made import saved_models


def scalars(path: Path, count: int) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.11.0"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"a"]
        for number in range(count):
            if not number % 1000:
                inner = group.create_group(f"g{number}")
            inner.create_dataset(str(number), data=np.float32(1))


def chunks(path: Path, count: int) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("model_weights").attrs["layer_names"] = [b"a"]
        data = np.ones(count, np.float32)
        file.create_dataset("model_weights/w", data=data, chunks=(4,))


def attributes(path: Path, count: int) -> None:
    with h5py.File(path, "w") as file:
        for number in range(count):
            if not number % 1000:
                inner = file.create_group(f"g{number}")
            inner.attrs[f"a{number}"] = np.bytes_(b"x" * 9)


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


def archive(
    path: Path, layers: object, kind: str = "Sequential", method: int = 0, **more: object
) -> None:
    config = {"class_name": kind, "config": {"name": "s", "layers": layers, **more}}
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("config.json", json.dumps(config, separators=(",", ":")))
        file.writestr("metadata.json", '{"keras_version": "3.5.0"}')


def layers(path: Path, count: int) -> None:
    archive(path, [{"class_name": "ReLU"}] * count)


def lists(path: Path, count: int) -> None:
    archive(path, [{"class_name": "ReLU", "config": {"x": [[]] * count}}])


def numbers(path: Path, count: int) -> None:
    archive(path, [{"class_name": "ReLU", "config": {"x": [0] * count}}])


def packed(path: Path, count: int) -> None:
    """Lists that differ, so that their ratio is below that of a bomb, in an archive of 40 KB."""
    noise = [[number * number % 97] for number in range(1000)]
    archive(path, [], method=zipfile.ZIP_DEFLATED, x=noise * count)


def layer_names(path: Path, count: int) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        names = np.array([b"l%07d" % number for number in range(count)])
        file.create_group("model_weights").attrs["layer_names"] = names


def weight_names(path: Path, count: int) -> None:
    """In each of some layers, more names than datasets."""
    with h5py.File(path, "w", libver="latest") as file:
        top = file.create_group("model_weights")
        top.attrs["layer_names"] = [b"%d" % number for number in range(20)]
        names = np.array([b"w%07d" % number for number in range(count)])
        for number in range(20):
            top.create_group(str(number)).attrs["weight_names"] = names


def inputs(path: Path, count: int) -> None:
    message(path, lambda meta: meta.graph_def.node.add(name="n", op="Pack", input=["a"] * count))


def keys(path: Path, count: int) -> None:
    archive(path, [{"class_name": "ReLU", "config": {f"k{number}": 1 for number in range(count)}}])


def input_layers(path: Path, count: int) -> None:
    """A model of so many inputs, with a layer behind each."""
    made: list[object] = []
    for number in range(count):
        given, reader = {"name": f"i{number}"}, {"name": f"f{number}"}
        made.append({"class_name": "InputLayer", "config": given, **given, "inbound_nodes": []})
        taken = {"inbound_nodes": [[[f"i{number}", 0, 0, {}]]]}
        made.append({"class_name": "Flatten", "config": reader, **reader, **taken})
    first, last = ([[f"{end}{number}", 0, 0] for number in range(count)] for end in "if")
    archive(path, made, "Functional", input_layers=first, output_layers=last)


def texts(path: Path, count: int) -> None:
    words = [f"s{number}" for number in range(count)]
    archive(path, [{"class_name": "ReLU", "config": {"x": words}}])


def functions_of_layers(path: Path, count: int) -> None:
    packed = base64.b64encode(marshal.dumps((lambda x: x + 1).__code__)).decode()
    function = {"class_name": "__lambda__", "config": {"code": packed}}
    archive(path, [{"class_name": "Lambda", "config": {"name": "l", "function": function}}] * count)


def kernels(path: Path, count: int) -> None:
    """Layers of one kernel each, all of which have the same finding."""
    names = [f"d{number}" for number in range(count)]
    layers = [{"class_name": "Dense", "config": {"name": name, "units": 2}} for name in names]
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["model_config"] = np.bytes_(json.dumps(config))
        top = file.create_group("model_weights")
        top.attrs["layer_names"] = [name.encode() for name in names]
        for name in names:
            group = top.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode()]
            group[f"{name}/kernel:0"] = np.ones((2, 2), np.float32)


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


def variables(path: Path, count: int) -> None:
    writer = BundleWriter(path)
    for number in range(count):
        writer.add(f"d{number}/kernel", np.ones((2, 2), np.float32))
    writer.write()


def attacks(path: Path, count: int) -> None:
    """Layers with a finding of many rules each."""
    code = base64.b64encode(marshal.dumps(compile("os.system(x)", "", "eval"))).decode()
    made = []
    for number in range(count):
        config = {
            "name": f"../n{number}",
            "units": 10**12,
            "vocabulary": f"/etc/{number}",
            "activation": {"module": f"os{number}", "class_name": "function", "config": "system"},
            "function": {"class_name": "__lambda__", "config": {"code": code}},
            "filepath": "http://x/y",
            "module": {"class_name": "__bytes__", "config": {"value": "gASVAAA="}},
        }
        class_name = ("Lambda", "Dense", "StringLookup", "TorchModuleWrapper", "TFSMLayer")
        made.append({"class_name": class_name[number % 5], "module": "os.path", "config": config})
    archive(path, made)


def graph_text(path: Path, text: str) -> None:
    path.mkdir()
    (path / "saved_model.pbtxt").write_text(f"saved_model_schema_version: 1 {text}")


def strings_of_a_tensor(path: Path, count: int) -> None:
    writer = BundleWriter(path)
    writer.add_strings("w", [b"a"] * count, (count,))
    writer.write()


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


def translatable(path: Path, count: int) -> None:
    """Layers of code that can be translated for other runtimes."""
    code = base64.b64encode(marshal.dumps((lambda x: x * 2 + 1).__code__)).decode()
    held = {"class_name": "__lambda__", "config": {"code": code}}
    made = [{"class_name": "Lambda", "config": {"function": held}} for _ in range(count)]
    archive(path, made)


COUNTED = {
    "names.h5": (layer_names, 1_000_000, 1_000),
    "weights.h5": (weight_names, 50_000, 500),
    "inputs": (inputs, 2_000_000, 10_000),
    "keys.keras": (keys, 500_000, 500),
    "inputs.keras": (input_layers, 2_400, None),
    "texts.keras": (texts, 700_000, 500),
    "functions.keras": (functions_of_layers, 4_900, None),
    "convolutions.pb": (convolutions, 12_000, 500),
    "attacks.keras": (attacks, 4_900, None),
    "strings": (strings_of_a_tensor, 1_000_000, 500),
    "calls": (calls, 120, 1),
    "loops": (loops, 300, None),
    "text": (text_nodes, 100_000, 500),
    "escapes": (text_escapes, 1_000_000, 500),
    "graph_texts": (graph_texts, 700_000, None),
    "small_constants": (small_constants, 50_000, None),
    "many_loops": (many_loops, 20_000, None),
    "translatable.keras": (translatable, 4_000, None),
}
DENSE = {
    **COUNTED,
    "packed.keras": (packed, 140, 10),
    "kernels.h5": (kernels, 4_900, 500),
    "variables": (variables, 18_000, 500),
    "m.h5": (scalars, 30_000, 1_000),
    "chunks.h5": (chunks, 400_000, 4_000),
    "a.h5": (attributes, 30_000, 1_000),
    "nodes": (nodes, 300_000, 10_000),
    "foreign": (foreign, 40_000, None),
    "functions": (functions, 200_000, 1_000),
    "objects": (objects, 200_000, 1_000),
    "signatures": (signatures, 40_000, 1_000),
    "assets": (assets, 100_000, 1_000),
    "metadata": (metadata, 20_000, 500),
    "meta_graphs": (meta_graphs, 8_000, 5),
    "constants.pb": (constants, 30_000, 500),
    "layers.keras": (layers, 30_000, 500),
    "lists.keras": (lists, 400_000, 10_000),
    "numbers.keras": (numbers, 2_000_000, 10_000),
}
