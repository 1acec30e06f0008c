"""Files with as many parts as fit take little memory, or a limit says so."""

from __future__ import annotations

import base64
import json
import marshal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from tests.formats.bundle_writer import BundleWriter
from tests.made import saved_models

MEMORY_MIB = 300
CALLS = 20_000_000  # of functions; what takes 2 s makes about as many
AUDIT = """
import cProfile, json, sys
from pathlib import Path
from modelaudit import pipeline, schema
from modelaudit.settings import Settings
path = Path(sys.argv[1])
counter = cProfile.Profile()
if sys.argv[2:]:
    counter.enable()
facts = pipeline.static_facts(path, Settings())
target = pipeline.AuditTarget(path, path.parent, path.name, "x")
audit = pipeline.finish_audit(facts, target, "2026-01-01T00:00:00Z", {})
size = len(schema.dumps(audit))
counter.disable()
calls = sum(each.callcount for each in counter.getstats())
# Of this program: ru_maxrss would include the process that started it.
status = Path("/proc/self/status").read_text()
peak = int(status.partition("VmHWM:")[2].split()[0]) // 1024
said = [each.detail for each in facts.artifact.problems if each.kind == "limit-exceeded"]
print(json.dumps([peak, said[:3], len(audit.findings), calls, size]))
"""


def audited(path: Path, *options: str) -> tuple[int, list[str], int, int, int]:
    """What an audit takes.

    Returns:
        Peak of the resident memory in MiB, limits that were reached, and the numbers of findings,
        of calls of functions (with an option, since counting takes long), and of bytes of
        `audit.json`.
    """
    run = [sys.executable, "-c", AUDIT, str(path), *options]
    done = subprocess.run(run, capture_output=True, check=True, text=True)
    peak, said, findings, calls, size = json.loads(done.stdout)
    return peak, said, findings, calls, size


def scalars(path: Path, count: int) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.11.0"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"a"]
        for number in range(count):
            if not number % 1000:
                inner = group.create_group(f"g{number}")
            inner.create_dataset(str(number), data=np.float32(1))


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


def nodes(path: Path, count: int) -> None:
    def fill(meta: pb.MetaGraphDef) -> None:
        for number in range(count):
            meta.graph_def.node.add(name=str(number), op="NoOp")

    message(path, fill)


def foreign(path: Path, count: int) -> None:
    def fill(meta: pb.MetaGraphDef) -> None:
        for number in range(count):
            meta.graph_def.node.add(name=str(number), op=f"X{number}")

    message(path, fill)


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


def archive(path: Path, layers: object) -> None:
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    with zipfile.ZipFile(path, "w") as file:
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
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [], "x": noise * count}}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", json.dumps(config, separators=(",", ":")))
        file.writestr("metadata.json", '{"keras_version": "3.5.0"}')


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


def texts(path: Path, count: int) -> None:
    words = [f"s{number}" for number in range(count)]
    archive(path, [{"class_name": "ReLU", "config": {"x": words}}])


def functions_of_layers(path: Path, count: int) -> None:
    packed = base64.b64encode(marshal.dumps((lambda x: x + 1).__code__)).decode()
    function = {"class_name": "__lambda__", "config": {"code": packed}}
    archive(path, [{"class_name": "Lambda", "config": {"name": "l", "function": function}}] * count)


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


COUNTED = {
    "names.h5": (layer_names, 1_000_000, 1_000),
    "weights.h5": (weight_names, 50_000, 500),
    "inputs": (inputs, 2_000_000, 10_000),
    "keys.keras": (keys, 500_000, 500),
    "texts.keras": (texts, 700_000, 500),
    "functions.keras": (functions_of_layers, 2_500, None),
    "strings": (strings_of_a_tensor, 1_000_000, 500),
    "calls": (calls, 120, 1),
    "loops": (loops, 300, None),
    "text": (text_nodes, 100_000, 500),
    "escapes": (text_escapes, 1_000_000, 500),
}
DENSE = {
    **COUNTED,
    "packed.keras": (packed, 140, 10),
    "m.h5": (scalars, 30_000, 1_000),
    "a.h5": (attributes, 30_000, 1_000),
    "nodes": (nodes, 300_000, 10_000),
    "foreign": (foreign, 60_000, None),
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


@pytest.mark.slow
@pytest.mark.parametrize("name", DENSE)
def test_a_dense_file_takes_little_memory_or_is_not_read_whole(name: str, tmp_path: Path) -> None:
    make, many, few = DENSE[name]
    make(tmp_path / name, many)
    peak, said, findings, calls, size = audited(tmp_path / name, *["count"] * (name in COUNTED))
    assert peak < MEMORY_MIB
    assert calls < CALLS
    assert size < 20_000_000
    assert findings < 5_000
    assert bool(said) == (few is not None)
    told = ("(setting", "MetaGraphs", "followed")
    assert all(any(word in each for word in told) for each in said)
    if few is not None:
        (tmp_path / "few").mkdir()
        make(tmp_path / "few" / name, few)
        assert not audited(tmp_path / "few" / name)[1]
