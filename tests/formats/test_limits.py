"""Every limit of the settings is reported by its name when a model exceeds it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from google.protobuf import text_format

from modelaudit.facts import ProblemKind
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.reader import read
from modelaudit.registry.discover import discover
from modelaudit.settings import Limits
from tests.formats.bundle_writer import write_bundle
from tests.made import files, saved_models

# Not of a file's content: `tests/runs/test_isolated_read.py` has `read_memory`,
# `tests/rules/test_engine.py` has `findings`,
# `tests/runs/test_runs.py` the time that a slot may take, `tests/runs/test_kept_findings.py`
# `cpu_seconds` and `memory_bytes`.
ELSEWHERE = {"read_memory", "findings", "result_bytes", "cpu_seconds", "memory_bytes"}


def archive(path: Path, **members: bytes) -> Path:
    """The minimal archive, deflated, with other members (`__` for the dot)."""
    source = zipfile.ZipFile(files.minimal_keras(path.with_suffix(".zip")))
    content = {name: source.read(name) for name in source.namelist()}
    content |= {name.replace("__", "."): data for name, data in members.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in content.items():
            target.writestr(name, data)
    return path


def config(path: Path, value: object) -> Path:
    return archive(path, config__json=json.dumps(value).encode())


def dataset(path: Path, shape: tuple[int, ...], **options) -> Path:
    files.minimal_h5(path)
    with h5py.File(path, "a") as file:
        values = np.zeros(shape, "float32")
        file.create_dataset("model_weights/dense/more", data=values, **options)
    return path


def saved_model(path: Path, nodes: int = 0) -> Path:
    message = saved_models.tf1_message()
    for number in range(nodes):
        message.meta_graphs[0].graph_def.node.add(name=str(number), op="NoOp")
    return saved_models.write(path, message)


def text_saved_model(path: Path) -> Path:
    saved_model(path)
    message = pb.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    (path / "saved_model.pb").unlink()
    (path / "saved_model.pbtxt").write_text(text_format.MessageToString(message))
    return path


def with_state(path: Path) -> Path:
    path.mkdir()
    (path / "checkpoint").write_text(f'model_checkpoint_path: "{"m" * 2000}"')
    return write_bundle(path / "m", {"w": np.zeros(3, "float32")})


def many_files(path: Path) -> Path:
    saved_model(path)
    (path / "assets").mkdir()
    for number in range(30):
        (path / "assets" / str(number)).touch()
    return path


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def layers(count: int) -> dict:
    dense = [{"class_name": "ReLU", "config": {"name": str(n)}} for n in range(count)]
    return {"class_name": "Sequential", "config": {"name": "s", "layers": dense}}


CASES = {
    "config_bytes": (2000, lambda p: config(p / "m.keras", {"x": "y" * 3000})),
    "json_depth": (20, lambda p: config(p / "m.keras", nested(30))),
    "json_nodes": (100, lambda p: config(p / "m.keras", list(range(300)))),
    "proto_bytes": (300, lambda p: saved_model(p / "m", 100)),
    "proto_depth": (5, lambda p: text_saved_model(p / "m")),
    "density": (0.001, lambda p: saved_model(p / "m", 100)),
    "graph_nodes": (50, lambda p: saved_model(p / "m", 100)),
    "layers": (10, lambda p: config(p / "m.keras", layers(20))),
    "tensors": (1, lambda p: files.minimal_h5(p / "m.h5")),
    "tensor_bytes": (1000, lambda p: dataset(p / "m.h5", (30, 30))),
    "total_bytes": (1000, lambda p: dataset(p / "m.h5", (30, 30))),
    "archive_members": (3, lambda p: archive(p / "m.keras", assets__x=b"", assets__y=b"")),
    "archive_ratio": (20.0, lambda p: archive(p / "m.keras", assets__x=bytes(2 << 20))),
    "archive_bytes": (9000, lambda p: archive(p / "m.keras", assets__x=b"abcd" * 2500)),
    "hdf5_objects": (2, lambda p: files.minimal_h5(p / "m.h5")),
    "hdf5_chunks": (10, lambda p: dataset(p / "m.h5", (30, 30), chunks=(3, 3))),
    "hdf5_ratio": (
        20.0,
        lambda p: dataset(p / "m.h5", (5 << 20,), chunks=(1 << 18,), compression="gzip"),
    ),
    "files": (20, lambda p: many_files(p / "m")),
    "text_bytes": (1000, lambda p: with_state(p / "m")),
    "read_seconds": (1e-9, lambda p: files.minimal_h5(p / "m.h5")),
    "work": (1e-9, lambda p: files.minimal_h5(p / "m.h5")),
}


def test_every_limit_has_a_case():
    assert {*Limits.__struct_fields__} - ELSEWHERE == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_an_exceeded_limit_is_reported_by_its_name(name, tmp_path):
    allowed, build = CASES[name]
    path = build(tmp_path)
    limited = read(path, Limits(**{name: allowed}))
    told = [p.detail for p in limited.problems if p.kind is ProblemKind.LIMIT_EXCEEDED]
    assert any(f"(setting {name})" in detail for detail in told), limited.problems
    assert not limited.complete or name == "text_bytes"
    free = read(path, Limits())
    at_default = [p for p in free.problems if p.kind is ProblemKind.LIMIT_EXCEEDED]
    assert bool(at_default) == (name in {"archive_ratio", "hdf5_ratio"})


def test_a_directory_of_too_many_files_is_reported(tmp_path):
    for number in range(30):
        (tmp_path / str(number)).touch()
    (problem,) = discover(tmp_path, Limits(files=20)).problems
    assert problem.kind is ProblemKind.LIMIT_EXCEEDED and "(setting files)" in problem.detail


def test_a_wrong_size_is_detected_while_inflating(tmp_path):
    """The header declares 10 bytes; the data has megabytes."""
    path = archive(tmp_path / "m.keras", assets__x=bytes(3 << 20))
    data = bytearray(path.read_bytes())
    true = (3 << 20).to_bytes(4, "little")
    while (at := data.find(true)) >= 0:
        data[at : at + 4] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    assert zipfile.ZipFile(io.BytesIO(data)).getinfo("assets.x").file_size == 10
    (problem,) = (p for p in read(path, Limits()).problems if p.kind is ProblemKind.SIZE_MISMATCH)
    assert "more than the 10 bytes" in problem.detail
