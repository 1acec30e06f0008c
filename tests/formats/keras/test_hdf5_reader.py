"""HDF5 files compared with h5py, and all that must not be followed or decoded."""

from __future__ import annotations

import hashlib

import h5py
import ml_dtypes
import numpy as np
import pytest

from modelaudit.facts import Format
from modelaudit.formats.keras.hdf5_reader import read_hdf5
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.checks.file_names import other_suffix
from modelaudit.runtimes.model import CheckContext, LoadCall, LoadRequest
from modelaudit.settings import Limits
from tests.formats.hdf5_files import KERNEL, LIMITS, TEXT_TYPES, legacy, problem_words


@pytest.mark.parametrize("text", TEXT_TYPES)
@pytest.mark.parametrize("chunked", [False, True])
def test_full_model(tmp_path, text, chunked):
    artifact = read_hdf5(legacy(tmp_path / "m.h5", text=text, chunked=chunked), LIMITS)
    assert artifact.format is Format.LEGACY_H5_FULL
    assert artifact.complete and not artifact.problems
    assert (artifact.provenance.keras, artifact.provenance.backend) == ("2.4.0", "tensorflow")
    assert artifact.training == {"loss": "mse"}
    kernel = "model_weights/dense/dense/kernel:0"
    assert artifact.extra["h5"]["layer_names"] == ["dense", "drop"]
    assert artifact.extra["h5"]["groups"]["dense"] == [kernel, "model_weights/dense/dense/bias:0"]
    roles = {tensor.name: tensor.role for tensor in artifact.tensors}
    assert roles["optimizer_weights/Adam/m:0"] == "optimizer"
    assert roles[kernel] == "weight"
    assert artifact.architecture.layer("dense").variables["kernel"] == kernel
    np.testing.assert_array_equal(artifact.tensor(kernel).source.array(), KERNEL)


def test_weights_only(tmp_path):
    artifact = read_hdf5(legacy(tmp_path / "w.h5", base=""), LIMITS)
    assert artifact.format is Format.WEIGHTS_H5_LEGACY
    assert artifact.architecture is None and artifact.complete


@pytest.mark.parametrize("base", ["model_weights", ""])
def test_a_dataset_in_the_root_is_of_the_program_not_of_a_layer(tmp_path, base):
    """Keras stores weights in groups of layers: `/iterations` is a counter of the owner's."""
    path = legacy(tmp_path / "m.h5", base=base)
    with h5py.File(path, "a") as file:
        file["iterations"] = np.int64(1200)
        file[f"{base}/dense/stray".lstrip("/")] = KERNEL
    artifact = read_hdf5(path, LIMITS)
    roles = {tensor.name: tensor.role for tensor in artifact.tensors}
    assert roles["iterations"] == "other"
    assert roles[f"{base}/dense/stray".lstrip("/")] == "weight"
    if base:
        assert artifact.extra["unclaimed"] == ["model_weights/dense/stray"]


@pytest.mark.parametrize("separator", ["/", "\\"])
def test_v3_weights(tmp_path, separator):
    path = tmp_path / "w.weights.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group(f"layers{separator}dense/vars")
        group.attrs["name"] = "dense"
        group["0"] = KERNEL
        file["optimizer/vars/0"] = np.int64(7)
        # A discriminator, compiled alone and then used inside a GAN.
        file["layers/functional/optimizer/vars/2"] = KERNEL
        file["layers/functional/metrics/mean/vars/0"] = np.float32(1)
        file["layers/functional/layers/optimizer_dense/vars/0"] = KERNEL
    artifact = read_hdf5(path, LIMITS)
    assert artifact.format is Format.WEIGHTS_H5_V3
    assert artifact.extra["h5"]["vars_names"] == {f"layers{separator}dense/vars": "dense"}
    assert artifact.tensor("optimizer/vars/0").role == "optimizer"
    assert artifact.tensor("optimizer/vars/0").shape == ()
    assert artifact.tensor("layers/functional/optimizer/vars/2").role == "optimizer"
    assert artifact.tensor("layers/functional/metrics/mean/vars/0").role == "metric"
    assert artifact.tensor("layers/functional/layers/optimizer_dense/vars/0").role == "weight"
    assert artifact.tensor(f"layers{separator}dense/vars/0").role == "weight"


def test_every_storage_layout_reads_like_h5py(tmp_path):
    path = tmp_path / "layouts.h5"
    values = np.random.default_rng(0).standard_normal((37, 11, 5)).astype(np.float32)
    with h5py.File(path, "w", userblock_size=512) as file:
        group = file.create_group("layers/x/vars")
        group.create_dataset("plain", data=values)
        group.create_dataset("chunked", data=values, chunks=(8, 3, 5))
        group.create_dataset(
            "gzip", data=values, chunks=(8, 3, 5), compression="gzip", shuffle=True
        )
        group.create_dataset("checked", data=values, chunks=(8, 11, 5), fletcher32=True)
        for name in (">f4", "<f8", ">i2", "u1", "f2", ">u8"):
            group.create_dataset(f"type_{name}", data=values.astype(name))
        group.create_dataset("flags", data=values > 0)
        group.create_dataset("empty", shape=(0, 3), dtype="f4")
        scalar = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        scalar.set_layout(h5py.h5d.COMPACT)
        compact = h5py.h5d.create(
            group.id, b"compact", h5py.h5t.IEEE_F32BE, h5py.h5s.create_simple((37,)), scalar
        )
        compact.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values[:, 0, 0]))
        half = group.create_dataset("half", data=values.astype(ml_dtypes.bfloat16))
        half.attrs["dtype"] = "bfloat16"
    artifact = read_hdf5(path, LIMITS)
    assert not artifact.problems
    with h5py.File(path) as file:
        group = file["layers/x/vars"]
        assert len(artifact.tensors) == len(group)
        for tensor in artifact.tensors:
            stored = file[tensor.name][()]
            little = np.asarray(stored, stored.dtype.newbyteorder("<"))
            assert tensor.sha256 == hashlib.sha256(little.tobytes()).hexdigest(), tensor.name
            if tensor.dtype == "bfloat16":
                stored = values.astype(ml_dtypes.bfloat16).astype(np.float32)
            np.testing.assert_array_equal(tensor.source.array(), stored, err_msg=tensor.name)
    assert (
        artifact.tensor("layers/x/vars/plain").sha256
        == artifact.tensor("layers/x/vars/gzip").sha256
    )


def test_nothing_outside_the_file_is_followed(tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"\x01" * 48)
    other = legacy(tmp_path / "other.h5")
    path = legacy(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        group = file["model_weights/dense"]
        group["external"] = h5py.ExternalLink(other.name, "/model_weights")
        group["soft"] = h5py.SoftLink("/model_weights/dense/dense/kernel:0")
        group.create_dataset("storage", (12,), "f4", external=[(str(secret), 0, 48)])
        layout = h5py.VirtualLayout((4, 3), "f4")
        layout[:] = h5py.VirtualSource(str(other), "model_weights/dense/dense/kernel:0", (4, 3))
        group.create_virtual_dataset("virtual", layout)
        file["model_weights/loop"] = file["model_weights"]
    artifact = read_hdf5(path, LIMITS)
    assert problem_words(artifact) == {
        "model_weights/dense/external": "external-link",
        "model_weights/dense/soft": "soft-link",
        "model_weights/dense/storage": "external-storage",
        "model_weights/dense/virtual": "virtual",
        "model_weights/loop": "cycle",
    }
    assert not artifact.complete
    digest = hashlib.sha256(secret.read_bytes()).hexdigest()
    assert digest not in {tensor.sha256 for tensor in artifact.tensors}
    assert artifact.tensor("model_weights/dense/storage").source is None


def test_bombs_and_foreign_types_are_not_decoded(tmp_path):
    path = legacy(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        group = file.create_group("model_weights/x")
        group.create_dataset("bomb", (1 << 23,), "f4", chunks=(1 << 20,), compression="gzip")[:] = 0
        group.create_dataset("unwritten", (1 << 40,), "f4")
        group.create_dataset("never", (5,), "f4")
        group.create_dataset("chunks", (1 << 21,), "u1", chunks=(1,))[0] = 1
        group.create_dataset("wide", (1 << 13, 1 << 13), "f4", chunks=(1 << 13, 1))[0, 0] = 1
        group["texts"] = np.array(["a", "b"], dtype=h5py.string_dtype())
        group["pickle"] = np.void(b"\x80\x04K\x01.")
        group["pair"] = np.zeros(2, [("a", "f4"), ("b", "i4")])
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((4,))
        properties.set_filter(32999, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(group.id, b"filter", h5py.h5t.IEEE_F32LE, space, properties)
    artifact = read_hdf5(path, LIMITS)
    words = problem_words(artifact)
    wide = words.pop("model_weights/x/wide")
    assert wide in {"ratio", "limit-exceeded"}
    assert words == {
        "model_weights/x/bomb": "ratio",
        "model_weights/x/unwritten": "ratio",
        "model_weights/x/never": "unallocated",
        "model_weights/x/chunks": "chunks",
        "model_weights/x/texts": "type",
        "model_weights/x/pickle": "type",
        "model_weights/x/pair": "type",
        "model_weights/x/filter": "filter",
    }
    assert artifact.tensor("model_weights/x/unwritten").shape == (1 << 40,)
    (pickle,) = [p for p in artifact.problems if p.route.endswith("pickle")]
    assert pickle.evidence["head"].startswith("8004")


def test_lists_of_missing_items(tmp_path):
    path = legacy(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        del file["model_weights/drop"], file["model_weights/dense/dense/bias:0"]
    artifact = read_hdf5(path, LIMITS)
    h5 = artifact.extra["h5"]
    assert h5["layer_names_missing_groups"] == ["drop"]
    assert h5["weight_names_missing"] == ["model_weights/dense/dense/bias:0"]
    assert not artifact.complete


def test_user_block_and_trailing_bytes(tmp_path):
    path = tmp_path / "m.h5"
    with h5py.File(path, "w", userblock_size=1024) as file:
        file["layers/x/vars/0"] = KERNEL
    assert not read_hdf5(path, LIMITS).problems
    data = bytearray(path.read_bytes())
    data[:4] = b"MZ\x90\0"
    path.write_bytes(data + b"PK\x05\x06")
    artifact = read(path, LIMITS)
    assert artifact.format is Format.WEIGHTS_H5_V3
    assert problem_words(artifact) == {"user-block": "user-block", "trailing": "trailing"}
    np.testing.assert_array_equal(artifact.tensors[0].source.array(), KERNEL)


def test_limits_on_objects_and_total_bytes(tmp_path):
    path = legacy(tmp_path / "m.h5")
    few = read_hdf5(path, Limits(hdf5_objects=3))
    assert "limit-exceeded" in {p.kind.value for p in few.problems}
    small = read_hdf5(path, Limits(total_bytes=60))
    assert any("stopped after 2 of 3" in p.detail for p in small.problems)


def test_hard_links_to_one_dataset_are_read_once_under_both_names(tmp_path):
    path = legacy(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        file["model_weights/dense/again"] = file["model_weights/dense/dense/kernel:0"]
    artifact = read_hdf5(path, LIMITS)
    one, two = (artifact.tensor(f"model_weights/dense/{n}") for n in ("again", "dense/kernel:0"))
    assert one.source is two.source and one.sha256 == two.sha256


@pytest.mark.parametrize("listed", ["dense//kernel:0", "./dense/kernel:0", "dense/./kernel:0/"])
def test_a_listed_name_is_resolved_as_hdf5_resolves_it(tmp_path, listed):
    path = legacy(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        group = file["model_weights/dense"]
        group.attrs["weight_names"] = [listed.encode(), b"dense/bias:0"]
        assert group[listed] == group["dense/kernel:0"]  # libhdf5 itself
    artifact = read_hdf5(path, LIMITS)
    assert artifact.problems == ()
    assert artifact.extra["h5"]["weight_names_missing"] == []
    (dense,) = artifact.architecture.layers
    assert dense.variables["kernel"] == "model_weights/dense/dense/kernel:0"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name", [".h5", ".hdf5", "m.h5", "a.b.h5", "h5", "m.model", ".h5x", ".keras", "m."]
)
def test_names_from_which_keras_3_reads_hdf5(tmp_path, name):
    """A name that is nothing but a suffix ends with it, as Keras asks."""
    import keras

    keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "saved.h5")
    path = (tmp_path / "saved.h5").rename(tmp_path / name)
    try:
        loads = bool(keras.models.load_model(path))
    except ValueError:
        loads = False
    artifact = read(path, LIMITS)
    assert ("suffix-mismatch" in [each.kind for each in artifact.problems]) is not loads
    request = LoadRequest(LoadCall.LOAD_MODEL)
    said = list(other_suffix(artifact, CheckContext(find_profile("tf==2.21.0"), request)))
    assert bool(said) is not loads
