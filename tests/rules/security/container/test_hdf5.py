"""HDF5 files with hidden programs, external links or bombs, and similar benign ones."""

from __future__ import annotations

import base64
import io
import json
import pickle
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.findings import Outcome
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.reader import read
from modelaudit.rules.engine import run_rules
from modelaudit.rules.model import Facts
from modelaudit.rules.security import RULES
from modelaudit.settings import Limits
from tests.made.files import minimal_h5, minimal_keras
from tests.made.saved_models import tf2_model

Add = Callable[[h5py.Group], object]
PROTOCOLS = range(6)


def names(path: Path) -> set[str]:
    results = run_rules(RULES, Facts(read(path, Limits())))
    assert not [result for result in results if result.outcome is Outcome.ERROR]
    return {finding.name for result in results for finding in result.findings}


def changed(folder: Path, add: Add) -> set[str]:
    path = minimal_h5(folder / "m.h5")
    with h5py.File(path, "a") as file:
        add(file["model_weights"])
    return names(path)


def pickled(protocol: int) -> bytes:
    return pickle.dumps({"a": print, "b": [1, 2]}, protocol)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "put",
    [
        lambda group, data: group.attrs.__setitem__("state", np.void(data)),
        lambda group, data: group["dense"].attrs.__setitem__("name", np.bytes_(data)),
        lambda group, data: group["dense/dense/bias:0"].attrs.__setitem__(
            "state", np.frombuffer(data, "u1")
        ),
        lambda group, data: group.attrs.__setitem__("model_config", np.void(data)),
        lambda group, data: group.create_dataset("state", data=np.frombuffer(data, "u1")),
        lambda group, data: group.create_dataset("state", data=np.void(data)),
    ],
)
def test_pickles(tmp_path: Path, put: Callable[[h5py.Group, bytes], object], protocol: int) -> None:
    assert "pickle-in-weights" in changed(tmp_path, lambda group: put(group, pickled(protocol)))


def test_a_pickle_in_a_string_attribute(tmp_path: Path) -> None:
    text = base64.b64encode(pickled(4)).decode()
    found = changed(tmp_path, lambda group: group.attrs.__setitem__("state", text))
    assert found == {"pickle-in-weights"}


def test_a_pickle_in_an_attribute_over_64_kib(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file["layers/dense/vars/0"] = np.zeros(3, "f4")
        file["layers"].attrs["state"] = np.void(pickle.dumps([b"x" * (2 << 20)], 4))
    assert names(path) == {"pickle-in-weights"}


# Byte 60 of a Windows program says where its second header is.
WINDOWS = b"MZ\x90\0" + bytes(56) + bytes((64, 0, 0, 0)) + b"PE\0\0" + bytes(28)


@pytest.mark.parametrize("data", [b"\x7fELF\2\1\1" + bytes(89), b"PK\x03\x04" + bytes(92), WINDOWS])
@pytest.mark.parametrize("storage", [{}, {"chunks": (8,), "compression": "gzip"}])
@pytest.mark.parametrize("dtype", ["u1", "i1", "f4"])
def test_programs(tmp_path: Path, data: bytes, storage: dict[str, object], dtype: str) -> None:
    values = np.frombuffer(data, dtype)
    found = changed(tmp_path, lambda group: group.create_dataset("x", data=values, **storage))
    assert found == {"pickle-in-weights"}


@pytest.mark.parametrize(
    "add",
    [
        lambda group: group.create_dataset("x", data=np.array([0x80, 4, 200, 1] * 50, "u1")),
        lambda group: group.create_dataset("x", data=np.frombuffer(b"MZ" + b"abc" * 30, "u1")),
        lambda group: group.create_dataset("x", data=np.frombuffer(b"MZ\0\0" * 6, "f4")),
        lambda group: group.create_dataset("x", data=np.frombuffer(b"MZ\0\0" * 600, "f4")),
        lambda group: group.create_dataset("x", data=np.zeros((512, 512), "f4"), compression=9),
        lambda group: group.create_dataset(
            "x", data=np.arange(9999.0), compression=4, shuffle=True, fletcher32=True
        ),
        lambda group: group.create_dataset("x", data=np.arange(1000), chunks=(100,), scaleoffset=0),
        lambda group: group.__setitem__("kind", np.dtype("f4")),
        lambda group: group.attrs.update(
            {"note": "by me", "n": np.arange(9), "MZ": np.bytes_("MZ")}
        ),
        lambda group: group.attrs.__setitem__("tags", np.array(["a", "b"], h5py.string_dtype())),
    ],
)
def test_benign_files(tmp_path: Path, add: Add) -> None:
    assert changed(tmp_path, add) == set()


def overfull(group: h5py.Group) -> None:
    """Chunks of 16 KiB that expand to 16 MiB, which the shape of the dataset does not show."""
    data = group.create_dataset("x", (1 << 15,), "u1", chunks=(1 << 14,), compression="gzip")
    for start in (0, 1 << 14):
        data.id.write_direct_chunk((start,), zlib.compress(bytes(1 << 24)), 0)


def many(group: h5py.Group) -> None:
    """A hundred datasets of 15 MiB, each below the limit."""
    for number in range(100):
        data = group.create_dataset(
            str(number), (15 << 20,), "u1", chunks=(15 << 20,), compression="gzip"
        )
        data.id.write_direct_chunk((0,), DEFLATED, 0)


DEFLATED = zlib.compress(bytes(15 << 20), 9)


@pytest.mark.parametrize(
    "add",
    [
        overfull,
        many,
        lambda group: group.create_dataset("x", (1 << 30,), "f4"),
        lambda group: group.create_dataset("x", (4000, 4000), "f4", chunks=(1, 1)),
    ],
)
def test_bombs(tmp_path: Path, add: Add) -> None:
    assert changed(tmp_path, add) == {"hdf5-bomb"}


HOSTILE = {"class_name": "Lambda", "config": {"name": "l", "function": "lambda x: eval(x)"}}
DENSE = {"class_name": "Dense", "config": {"name": "d", "filepath": "/x"}}
MODULE = {"module": "os", "class_name": "function", "config": "system"}
MODEL = {"class_name": "Sequential", "config": {"name": "m", "layers": [HOSTILE]}}


@pytest.mark.parametrize("place", ["", "dense", "dense/dense/bias:0"])
@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("model_config", MODEL, {"dangerous-code"}),
        ("training_config", {"loss": MODULE}, {"arbitrary-module"}),
        ("training_config", {"loss": "os.system"}, {"arbitrary-module"}),
        ("whatever", [[MODEL]], {"dangerous-code"}),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-be", "utf-32-be"])
def test_configs_not_at_the_root(
    tmp_path: Path, place: str, name: str, value: object, expected: set[str], encoding: str
) -> None:
    text = json.dumps(value).encode(encoding)

    def add(group: h5py.Group) -> None:
        thing = group[place] if place else group
        thing.attrs.create(name, text, dtype=h5py.string_dtype("ascii", len(text)))

    assert changed(tmp_path, add) == expected


def test_a_config_not_at_the_root_is_noted_and_does_not_change_the_model(tmp_path: Path) -> None:
    path = minimal_h5(tmp_path / "m.h5")
    before = read(path, Limits())
    with h5py.File(path, "a") as file:
        file["model_weights"].attrs["model_config"] = file.attrs["model_config"]
        file["model_weights"].attrs["units"] = "{x: m, y: m}"
        file["model_weights"].attrs["history"] = json.dumps({"loss": [0.5, 0.25]})
    after = read(path, Limits())
    assert after.architecture == before.architecture
    (remark,) = after.problems
    assert remark.route == "model_weights@model_config" and after.complete
    assert [document.route for document in after.documents] == [
        "model_config",
        "model_weights@model_config",
    ]
    assert names(path) == set()


def test_configs_not_at_the_root_are_limited_in_total(tmp_path: Path) -> None:
    path = minimal_h5(tmp_path / "m.h5")
    text = json.dumps(MODEL)
    with h5py.File(path, "a") as file:
        for number in range(9):
            file["model_weights"].attrs[f"config{number}"] = text
    size = max(len(text) * 5, 1000)
    artifact = read(path, Limits(config_bytes=size))
    assert [problem.kind.value for problem in artifact.problems].count("limit-exceeded") == 1
    assert not artifact.complete


def test_a_config_in_the_weights_of_an_archive(tmp_path: Path) -> None:
    path = minimal_keras(tmp_path / "m.keras")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    weights = io.BytesIO(members["model.weights.h5"])
    with h5py.File(weights, "a") as file:
        file["layers"].attrs["model_config"] = json.dumps(MODEL)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (members | {"model.weights.h5": weights.getvalue()}).items():
            archive.writestr(name, data)
    assert names(path) == {"dangerous-code"}


def metadata(folder: Path, *nodes: tuple[int, str]) -> set[str]:
    root = tf2_model(folder / "m")
    message = pb.KerasMetadata.FromString((root / "keras_metadata.pb").read_bytes())
    for index, text in nodes:
        message.nodes.add(node_id=index, identifier="_tf_keras_layer", metadata=text)
    (root / "keras_metadata.pb").write_bytes(message.SerializeToString())
    return names(root)


def test_second_metadata_of_a_node(tmp_path: Path) -> None:
    nodes = [(1, json.dumps(HOSTILE)), (1, json.dumps(DENSE))]
    assert "dangerous-code" in metadata(tmp_path, *nodes)


def test_a_duplicate_key_in_metadata(tmp_path: Path) -> None:
    text = '{"class_name": "Lambda", "class_name": "Dense", "config": {}}'
    assert metadata(tmp_path, (9, text)) == {"duplicate-json-key"}


def test_a_class_with_the_config_of_another(tmp_path: Path) -> None:
    model = {"class_name": "Model", "config": {"name": "m", "layers": [DENSE]}}
    nodes = [(8, json.dumps(model)), (9, json.dumps(DENSE | {"class_name": "TFSMLayer"}))]
    assert metadata(tmp_path, *nodes) == {"external-saved-model"}


def test_metadata_in_the_graph_file_count_as_well(tmp_path: Path) -> None:
    root = tf2_model(tmp_path / "m")
    file = root / "saved_model.pb"
    message = pb.SavedModel.FromString(file.read_bytes())
    node = message.meta_graphs[0].object_graph_def.nodes[1].user_object
    node.identifier, node.metadata = "_tf_keras_layer", json.dumps(HOSTILE)
    file.write_bytes(message.SerializeToString())
    assert names(root) == {"dangerous-code"}


@pytest.mark.parametrize(("place", "key"), [("", "layer_names"), ("dense", "weight_names")])
def test_a_list_of_weights_with_parent_directories(tmp_path: Path, place: str, key: str) -> None:
    def rename(group: h5py.Group) -> None:
        (group[place] if place else group).attrs[key] = [b"../../../outside"]

    assert changed(tmp_path, rename) == {"tensor-name-traversal"}
