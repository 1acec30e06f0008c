"""Files with as many parts as fit take little memory, or a limit says so."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from tests.made import saved_models

MEMORY_MIB = 300
AUDIT = """
import json, sys
from pathlib import Path
from modelaudit import pipeline, schema
from modelaudit.settings import Settings
path = Path(sys.argv[1])
facts = pipeline.static_facts(path, Settings())
target = pipeline.AuditTarget(path, path.parent, path.name, "x")
audit = pipeline.finish_audit(facts, target, "2026-01-01T00:00:00Z", {})
schema.dumps(audit)
# Of this program: ru_maxrss would include the process that started it.
status = Path("/proc/self/status").read_text()
peak = int(status.partition("VmHWM:")[2].split()[0]) // 1024
said = [each.detail for each in facts.artifact.problems if each.kind == "limit-exceeded"]
print(json.dumps([peak, said[:3], len(audit.findings)]))
"""


def audited(path: Path) -> tuple[int, list[str], int]:
    """Peak of the resident memory in MiB, limits that were reached, and the number of findings."""
    run = [sys.executable, "-c", AUDIT, str(path)]
    done = subprocess.run(run, capture_output=True, check=True, text=True)
    peak, said, findings = json.loads(done.stdout)
    return peak, said, findings


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


DENSE = {
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
    peak, said, findings = audited(tmp_path / name)
    assert peak < MEMORY_MIB
    assert findings < 5_000
    assert bool(said) == (few is not None)
    assert all("(setting" in each or "MetaGraphs" in each for each in said)
    if few is not None:
        (tmp_path / "few").mkdir()
        make(tmp_path / "few" / name, few)
        assert not audited(tmp_path / "few" / name)[1]
