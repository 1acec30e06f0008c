"""Attributes of HDF5 files are checked whatever their name, type, number and object."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.facts import Problem, ProblemKind
from modelaudit.formats.keras.hdf5_reader import read_hdf5
from modelaudit.rules.engine import run_rules
from modelaudit.rules.model import Facts
from modelaudit.rules.security import RULES
from modelaudit.settings import Limits
from tests.formats.hdf5.test_heap_references import references
from tests.formats.hdf5_files import LIMITS
from tests.made.files import minimal_h5

Add = Callable[[h5py.File], object]

LAMBDA = {"class_name": "Lambda", "config": {"name": "l", "function": "lambda x: eval(x)"}}
HOSTILE = json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": [LAMBDA]}})
HONEST = json.dumps({"class_name": "Dense", "config": {"name": "d", "units": 3}})
PICKLE = pickle.dumps({"a": print, "b": [1, 2]}, 4)
NUMBERS = np.frombuffer(PICKLE, np.uint8)
TEXT = h5py.string_dtype()


def changed(folder: Path, add: Add) -> Path:
    path = minimal_h5(folder / "m.h5")
    with h5py.File(path, "r+", libver="latest") as file:
        add(file)
    return path


def names(path: Path) -> set[str]:
    results = run_rules(RULES, Facts(read_hdf5(path, LIMITS)))
    return {finding.name for result in results for finding in result.findings}


def problems(path: Path, limits: Limits = LIMITS) -> list[Problem]:
    artifact = read_hdf5(path, limits)
    assert artifact.complete is not bool(artifact.problems)
    return list(artifact.problems)


def group(file: h5py.File, name: bytes) -> h5py.Group:
    return h5py.Group(h5py.h5g.create(file.id, name))


def named(thing: h5py.Group, name: bytes, data: bytes) -> None:
    """Add an attribute of bytes whose name may not be valid text."""
    space = h5py.h5s.create_simple((len(data),))
    attribute = h5py.h5a.create(thing.id, name, h5py.h5t.NATIVE_UINT8, space)
    attribute.write(np.frombuffer(data, np.uint8).copy())


def alike(file: h5py.File) -> None:
    """Two groups whose names look the same as text, with the threat in the first."""
    group(file, b"\\xff").attrs["model_config"] = HOSTILE
    group(file, b"\xff").attrs["model_config"] = HONEST


def at_signs(file: h5py.File) -> None:
    group(file, b"a@b").attrs["model_config"] = HOSTILE
    file.create_dataset("a", data=np.zeros(3)).attrs["b@model_config"] = HONEST


def on_a_type(file: h5py.File) -> None:
    file["kind"] = np.dtype("f4")
    file["kind"].attrs["model_config"] = HOSTILE


def on_a_type_of_no_name(file: h5py.File) -> None:
    on_a_type(file)
    file.create_dataset("a", data=np.zeros(3), dtype=file["kind"])
    del file["kind"]


def on_the_type_of_an_attribute(file: h5py.File) -> None:
    on_a_type(file)
    file["model_weights"].attrs.create("note", 1.5, dtype=file["kind"])
    del file["kind"]


def beside_the_own_one(file: h5py.File) -> None:
    own = file.attrs["model_config"]
    file.attrs.create("model_config", [own, HOSTILE], dtype=TEXT)


@pytest.mark.parametrize(
    "add",
    [
        *(alike, at_signs, on_a_type, on_a_type_of_no_name, on_the_type_of_an_attribute),
        beside_the_own_one,
        lambda file: named(file["model_weights"], b"model_config\xff", HOSTILE.encode()),
        lambda file: file.attrs.create("tags", ["a", HOSTILE], dtype=TEXT),
        lambda file: file.attrs.create("tags", np.array([b"a", HOSTILE.encode()])),
        lambda file: file.attrs.create("tags", [("a", HOSTILE)], dtype=[("n", TEXT), ("t", TEXT)]),
        lambda file: file.attrs.create("tags", np.void(HOSTILE.encode())),
    ],
)
def test_configs(tmp_path: Path, add: Add) -> None:
    assert "dangerous-code" in names(changed(tmp_path, add))


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (np.array([NUMBERS, NUMBERS[:9]], object), h5py.vlen_dtype(np.uint8)),
        (np.array([(1.5, NUMBERS)], [("x", "f4"), ("y", "u1", len(PICKLE))]), None),
        (np.array((7, PICKLE), [("x", "i8"), ("y", f"V{len(PICKLE)}")]), None),
        (np.array([b"nothing", PICKLE], f"V{len(PICKLE)}"), None),
        (NUMBERS, np.dtype(("u1", (len(PICKLE),)))),
        (np.array([(each,) for each in PICKLE], [("x", "u1")]), None),
        (np.frombuffer(PICKLE.ljust(80, b"."), "f8"), None),
        (np.frombuffer(PICKLE, "S1"), None),
    ],
)
def test_programs_in_attributes_of_any_type(
    tmp_path: Path, value: object, dtype: np.dtype | None
) -> None:
    path = changed(
        tmp_path, lambda file: file["model_weights"].attrs.create("x", value, None, dtype)
    )
    assert names(path) == {"pickle-in-weights"}


def test_a_program_under_a_name_that_is_not_valid_text(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda file: named(file["model_weights"], b"code\xff", PICKLE))
    (problem,) = read_hdf5(path, LIMITS).problems
    assert (problem.route, problem.evidence["program"]) == (r"model_weights@code\xff", "a pickle")


def test_groups_with_equal_text_names_are_reported_and_each_is_read(tmp_path: Path) -> None:
    """Regression: chunks of the second were decoded from the first, found by the text."""

    def add(file: h5py.File) -> None:
        for name, value in ((b"\\xff", bytes(len(PICKLE))), (b"\xff", PICKLE)):
            values = np.frombuffer(value, np.uint8)
            group(file, name).create_dataset("x", data=values, chunks=(8,), compression="gzip")

    artifact = read_hdf5(changed(tmp_path, add), LIMITS)
    kinds = {problem.route: problem.kind for problem in artifact.problems}
    assert kinds == {r"\xff": ProblemKind.TENSOR_UNREADABLE, r"\xff/x": ProblemKind.OTHER}
    assert not artifact.complete
    first, second = (tensor for tensor in artifact.tensors if tensor.name == r"\xff/x")
    assert first.sha256 != second.sha256
    assert bytes(second.source.array()) == PICKLE


def test_more_attributes_than_the_limit(tmp_path: Path) -> None:
    def add(file: h5py.File) -> None:
        many = file.create_group("many").id
        space = h5py.h5s.create(h5py.h5s.SCALAR)
        for number in range(10_001):
            h5py.h5a.create(many, b"a%05d" % number, h5py.h5t.NATIVE_INT8, space)

    (problem,) = problems(changed(tmp_path, add))
    assert (problem.kind, problem.route) == (ProblemKind.LIMIT_EXCEEDED, "many")
    assert "10,000" in problem.detail


def test_a_damaged_list_of_attributes(tmp_path: Path) -> None:
    def add(file: h5py.File) -> None:
        many = file.create_group("many")
        for number in range(20):
            many.attrs[f"a{number}"] = HOSTILE

    path = changed(tmp_path, add)
    data = path.read_bytes()
    assert data.count(b"FRHP") == 1  # heap for the attributes of an object with many
    path.write_bytes(data.replace(b"FRHP", b"XRHP"))
    (problem,) = problems(path)
    assert (problem.kind, problem.route) == (ProblemKind.TENSOR_UNREADABLE, "many")


def test_a_damaged_string(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.zeros(3)
        file["layers"].attrs["model_config"] = HOSTILE
    path.write_bytes(path.read_bytes().replace(b"GCOL", b"XCOL"))
    (problem,) = problems(path)
    assert problem.kind is ProblemKind.TENSOR_UNREADABLE
    assert problem.route == "layers@model_config"


def test_repeated_references_to_a_long_string_are_not_read(tmp_path: Path) -> None:
    """A list may refer to one long string many times; libhdf5 would copy it each time."""

    words = [f"word {number:03}" for number in range(40)]

    def add(file: h5py.File) -> None:
        file["model_weights"].attrs["note"] = "x" * 3000
        file["model_weights"].attrs.create("tags", words, dtype=TEXT)

    path = changed(tmp_path, add)
    assert problems(path, Limits(config_bytes=9000)) == []  # 40 x 3,000 would be too many
    data = path.read_bytes()
    whole = references(data, 3000)[0]
    for each in references(data, len(words[0]))[:30]:
        data = data.replace(each, whole)
    path.write_bytes(data)
    (problem,) = problems(path, Limits(config_bytes=9000))
    assert (problem.kind, problem.route) == (ProblemKind.LIMIT_EXCEEDED, "model_weights@tags")


def test_attributes_that_take_too_long_are_reported(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda file: file["model_weights"].attrs.update({"note": HOSTILE}))
    found = read_hdf5(path, Limits(read_seconds=-1)).problems
    assert any("attributes took too long" in problem.detail for problem in found)


def test_nested_sequences_are_reported(tmp_path: Path) -> None:
    kind = h5py.h5t.vlen_create(h5py.h5t.vlen_create(h5py.h5t.NATIVE_UINT8))

    def add(file: h5py.File) -> None:
        h5py.h5a.create(file["model_weights"].id, b"x", kind, h5py.h5s.create_simple((3,)))

    (problem,) = problems(changed(tmp_path, add))
    assert (problem.kind, problem.route) == (ProblemKind.UNSUPPORTED, "model_weights@x")


def test_a_variable_length_type_that_is_neither_a_sequence_nor_a_string(tmp_path: Path) -> None:
    """Found by fuzzing: libhdf5 calls a missing conversion function, and the process dies."""
    path = changed(
        tmp_path, lambda file: file["model_weights"].attrs.create("marker_", HOSTILE, dtype=TEXT)
    )
    data = bytearray(path.read_bytes())
    at = data.index(b"marker_\0") + len(b"marker_\0")
    assert data[at] & 0x0F == h5py.h5t.VLEN and data[at + 1] & 0x0F == 1
    data[at + 1] = 0xFF
    path.write_bytes(data)
    (problem,) = problems(path)
    assert (problem.kind, problem.route) == (ProblemKind.CORRUPT, "model_weights@marker_")


def scales(file: h5py.File) -> None:
    """Axes that refer to each other, by plain references, in sequences and in compound types."""
    for name in ("axis", "values"):
        file.create_dataset(f"model_weights/{name}", data=np.zeros(9))
    file["model_weights/axis"].make_scale("x")
    file["model_weights/values"].dims[0].attach_scale(file["model_weights/axis"])
    file.attrs["first"] = file["model_weights"].ref


@pytest.mark.parametrize(
    "add",
    [
        scales,
        lambda file: file.attrs.create("none", h5py.Empty("f4")),
        lambda file: file.attrs.create("none", np.zeros((0, 3))),
        lambda file: file.attrs.create("pair", np.zeros(5, [("a", "f4"), ("b", "S9")])),
        lambda file: file.attrs.create("flags", np.ones(30, bool)),
        lambda file: file.attrs.create("complex", np.ones(30, complex)),
        lambda file: file.attrs.create("big", np.arange(99.0), dtype=">f8"),
        lambda file: file.attrs.create("names", [b"MZ_first", b"a", b"b"]),
        lambda file: file.attrs.create("names", ["{a}", "[b, c, d, e]"], dtype=TEXT),
        lambda file: h5py.h5a.create(
            file.id, b"time", h5py.h5t.UNIX_D64LE, h5py.h5s.create_simple((3,))
        ),
    ],
)
def test_benign_attributes(tmp_path: Path, add: Add) -> None:
    path = changed(tmp_path, add)
    assert read_hdf5(path, LIMITS).problems == ()
    assert names(path) == set()


def test_an_object_with_two_names_is_read_once(tmp_path: Path) -> None:
    def add(file: h5py.File) -> None:
        kernel = file["model_weights/dense/dense/bias:0"]
        kernel.attrs["x"] = HOSTILE
        file["model_weights/dense/again"] = kernel

    documents = read_hdf5(changed(tmp_path, add), LIMITS).documents
    assert len([each for each in documents if each.route.endswith("@x")]) == 1


def test_a_config_in_a_null_dataspace_is_a_problem(tmp_path):
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = h5py.Empty("S10")
    (problem,) = read_hdf5(path, LIMITS).problems
    assert problem.kind == "corrupt"
    assert problem.detail == "attribute model_config of / has no value"
