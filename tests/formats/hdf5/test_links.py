"""Links of an HDF5 file that are not hard links: none is followed, each is reported."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.facts import ProblemKind
from modelaudit.formats.keras.hdf5_reader import read_hdf5
from modelaudit.formats.sniff import sniff
from tests.formats.hdf5_files import LIMITS, legacy, problem_words

_EXTERNAL = b"\x40"  # the class of an external link in its message, before the name's length


def with_link(folder: Path) -> Path:
    """A model with an external link called `ext` to another file that holds a tensor."""
    with h5py.File(folder / "other.h5", "w") as file:
        file["vars/0"] = np.arange(7, dtype="f4")
    path = legacy(folder / "m.h5")
    with h5py.File(path, "a") as file:
        file["model_weights/dense/ext"] = h5py.ExternalLink("other.h5", "/")
    return path


def patched(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    return path


@pytest.mark.parametrize("number", [65, 128, 255])
def test_user_defined_link_classes(tmp_path, number):
    path = patched(with_link(tmp_path), _EXTERNAL + b"\3ext", bytes([number]) + b"\3ext")
    with h5py.File(path) as file:
        assert file["model_weights/dense"].id.links.get_info(b"ext").type == number
    artifact = read_hdf5(path, LIMITS)
    (problem,) = artifact.problems
    assert problem.kind is ProblemKind.EXTERNAL_REFERENCE
    assert problem.evidence == {"hdf5": "user-link", "link_type": number}


@pytest.mark.parametrize("number", [2, 63])
def test_reserved_link_classes(tmp_path, number):
    path = patched(with_link(tmp_path), _EXTERNAL + b"\3ext", bytes([number]) + b"\3ext")
    words = problem_words(read_hdf5(path, LIMITS))
    assert words["model_weights/dense"] == "object"  # libhdf5 lists no such group
    assert not read_hdf5(path, LIMITS).complete


@pytest.mark.parametrize("layout", ["full", "v3"])
def test_a_name_that_is_a_path_through_an_external_link(tmp_path, layout):
    path = with_link(tmp_path)
    with h5py.File(path, "a") as file:
        file["model_weights/dense/extQvars"] = np.zeros(1)
        if layout == "v3":
            file.move("model_weights", "layers")
            del file.attrs["model_config"]
    patched(path, b"extQvars", b"ext/vars")
    group = "model_weights/dense" if layout == "full" else "layers/dense"
    with h5py.File(path) as file:  # what the name leads to is in the other file
        assert file[group].id.links.get_info(b"ext").type == h5py.h5l.TYPE_EXTERNAL
        assert list(file[f"{group}/ext/vars"]) == ["0"]
    (tmp_path / "other.h5").rename(tmp_path / "moved.h5")
    without = sniff(path), read_hdf5(path, LIMITS)
    (tmp_path / "moved.h5").rename(tmp_path / "other.h5")
    artifact = read_hdf5(path, LIMITS)
    assert (sniff(path), artifact.format, artifact.problems) == (
        without[0],
        without[1].format,
        without[1].problems,
    )
    words = problem_words(artifact)
    assert words[f"{group}/ext"] == "external-link"
    assert words[f"{group}/ext/vars"] == "path-link"
    assert not any(tensor.shape == (7,) for tensor in artifact.tensors)
