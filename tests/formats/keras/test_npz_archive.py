"""The .keras container with weights in a .npz: what is read, and pickles among them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from modelaudit.formats.reader import read
from tests.formats.keras.archives import KERNEL, LIMITS, kinds, members, write


def test_npz_weights_are_read_and_pickles_are_not(tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, good=KERNEL, big=KERNEL.astype(">f4"), bad=np.array([{"a": 1}], dtype=object))
    parts = members() | {"model.weights.npz": buffer.getvalue()}
    del parts["model.weights.h5"]
    artifact = read(write(tmp_path / "m.keras", parts), LIMITS)
    digest = hashlib.sha256(KERNEL.tobytes()).hexdigest()
    found = {tensor.name: (tensor.dtype, tensor.sha256) for tensor in artifact.tensors}
    assert found == {
        "good": ("float32", digest),
        "big": ("float32", digest),
        "bad": ("object", None),
    }
    assert kinds(artifact) == {("unsupported", "bad")}
    assert not artifact.complete


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("alone", [True, False])
def test_npz_that_is_a_pickle_is_called_so(tmp_path, protocol, alone):
    parts = members() | {"model.weights.npz": pickle.dumps({"a": os.sep}, protocol)}
    if alone:
        del parts["model.weights.h5"]
    artifact = read(write(tmp_path / "m.keras", parts), LIMITS)
    (problem,) = artifact.problems
    assert (problem.kind, problem.evidence) == ("unsupported", {"npy": "object"})
    assert problem.detail == "is a pickle; not loaded"


def test_npz_that_is_no_archive_is_damaged_but_may_be_a_pickle(tmp_path):
    parts = members() | {"model.weights.npz": b"nothing in particular"}
    (problem,) = read(write(tmp_path / "m.keras", parts), LIMITS).problems
    assert problem.kind == "corrupt"
    assert "NumPy reads such a file as a pickle" in problem.detail


@pytest.mark.parametrize(
    ("name", "last"),
    [("model.weights.npz", True), ("model.weights.npz", False), ("model.weights.h5", False)],
)
def test_every_member_with_the_same_name_is_looked_at(tmp_path, name, last):
    buffer = io.BytesIO()
    np.savez(buffer, a=KERNEL)
    honest = buffer.getvalue() if name.endswith("npz") else members()[name]
    two = [honest, pickle.dumps({})][:: 1 if last else -1]
    parts = [*((n, d) for n, d in members().items() if n != name), *((name, d) for d in two)]
    with pytest.warns(UserWarning, match="Duplicate"):
        path = write(tmp_path / "m.keras", parts)
    told = {each.kind: each.detail for each in read(path, LIMITS).problems}
    assert "duplicate-member" in told
    assert any("is a pickle" in detail for detail in told.values())


def test_npz_of_an_unknown_type_is_a_problem(tmp_path):
    header = b"{'descr': '<z4', 'fortran_order': False, 'shape': (2,), }"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(8)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.npy", array)
    parts = members() | {"model.weights.npz": buffer.getvalue()}
    del parts["model.weights.h5"]
    artifact = read(write(tmp_path / "m.keras", parts), LIMITS)
    assert kinds(artifact) == {("corrupt", "x.npy")}


def test_npz_that_keras_ignores_is_checked_too(tmp_path):
    """Keras loads the HDF5 weights, but other programs may unpickle the arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, bad=np.array([{"a": 1}], dtype=object))
    whole = members() | {"model.weights.npz": buffer.getvalue()}
    assert ("unsupported", "bad") in kinds(read(write(tmp_path / "m.keras", whole), LIMITS))
    sharded = dict(whole)
    sharded["model_00000.weights.h5"] = sharded.pop("model.weights.h5")
    where = {"weight_map": {"dense": ["model_00000.weights.h5"]}}
    sharded["model.weights.json"] = json.dumps(where).encode()
    assert ("unsupported", "bad") in kinds(read(write(tmp_path / "s.keras", sharded), LIMITS))
