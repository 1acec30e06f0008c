"""Names that a file stores once, and that each of many tensors, nodes or layers would repeat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit import pipeline, schema
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.settings import Settings
from tests.formats.bundle_writer import BundleWriter
from tests.formats.dense_files import archive
from tests.formats.dense_graphs import message

PARTS = 400


def groups(path: Path, length: int) -> Path:
    """Datasets below groups with long names."""
    with h5py.File(path / "m.h5", "w", libver="latest") as file:
        group = file
        for _ in range(20):
            group = group.create_group("x" * (length // 20))
        for number in range(PARTS):
            group[str(number)] = np.float32(number)
    return path / "m.h5"


def listed(path: Path, length: int) -> Path:
    """A list of weights in a group with a long name."""
    with h5py.File(path / "m.h5", "w", libver="latest") as file:
        file.attrs["keras_version"] = "2.11.0"
        top = file.create_group("model_weights")
        top.attrs["layer_names"] = ["x" * length]
        layer = top.create_group("x" * length)
        layer.attrs["weight_names"] = [f"w{number}" for number in range(PARTS)]
        for number in range(PARTS):
            layer[f"w{number}"] = np.float32(number)
    return path / "m.h5"


def keys(path: Path, length: int) -> Path:
    """Keys of a checkpoint that share a prefix, which the index stores once a block."""
    writer = BundleWriter(path / "m")
    for number in range(PARTS):
        writer.add("x" * length + f"/v{number}", np.ones(2, np.float32))
    writer.write()
    return path / "m"


def function(path: Path, length: int) -> Path:
    """Operations that read files, in a function with a long name."""

    def fill(meta: pb.MetaGraphDef) -> None:
        made = meta.graph_def.library.function.add()
        made.signature.name = "f" * length
        constant = made.node_def.add(name="s", op="Const")
        constant.attr["dtype"].type = pb.DT_STRING
        constant.attr["value"].tensor.string_val.append(b"/etc/passwd")
        for number in range(PARTS):
            made.node_def.add(name=f"r{number}", op="ReadFile", input=["s:output:0"])

    message(path / "m", fill)
    return path / "m"


def layers(path: Path, length: int) -> Path:
    """Layers of unknown packages in a model with a long name."""
    inner = [
        {"class_name": f"C{x}", "module": f"os{x}", "config": {"name": f"c{x}"}}
        for x in range(PARTS)
    ]
    model = {"class_name": "Sequential", "config": {"name": "x" * length, "layers": inner}}
    archive(path / "m.keras", [model])
    return path / "m.keras"


@pytest.mark.parametrize("make", [groups, listed, keys, function, layers])
def test_a_long_name_is_not_repeated(make: Callable[[Path, int], Path], tmp_path: Path) -> None:
    """The twin, with names of 60 letters, is read whole."""
    unread, sizes = {}, {}
    for length in (60, 40_000):
        top = tmp_path / str(length)
        top.mkdir()
        path = make(top, length)
        facts = pipeline.static_facts(path, Settings())
        target = pipeline.AuditTarget(path, path.parent, path.name, "x")
        audit = pipeline.finish_audit(facts, target, "2026-01-01T00:00:00Z", {})
        sizes[length] = len(schema.dumps(audit))
        unread[length] = [
            each.kind.value
            for each in facts.artifact.problems
            if each.kind in ("limit-exceeded", "config-invalid")
        ]
    assert sizes[40_000] < sizes[60] + 1_000_000  # with 400 such names it would be 16 MB
    assert not unread[60]
    assert unread[40_000]
