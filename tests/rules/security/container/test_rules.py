"""Containers made with h5py and zipfile: each threat is reported by its own rule."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.findings import Finding, Outcome, Severity
from modelaudit.formats.reader import read
from modelaudit.rules.engine import run_rules
from modelaudit.rules.model import Facts
from modelaudit.rules.program_files import executable_severity
from modelaudit.rules.security import RULES
from modelaudit.settings import Limits
from tests.formats.bundle_writer import write_bundle
from tests.made.files import minimal_h5, minimal_keras

SAMPLES = Path(__file__).resolve().parents[4] / "sample_models"


def findings(path: Path) -> list[Finding]:
    results = run_rules(RULES, Facts(read(path, Limits())))
    assert not [result for result in results if result.outcome is Outcome.ERROR]
    return [finding for result in results for finding in result.findings]


def names(path: Path) -> set[str]:
    return {finding.name for finding in findings(path)}


def _external_storage(weights: h5py.Group) -> None:
    weights.create_dataset("stolen", (4,), "u1", external=[("/srv/key", 0, 4)])


def _virtual(weights: h5py.Group) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    weights.create_virtual_dataset("virtual", layout)


def _bomb(weights: h5py.Group) -> None:
    plist = {"chunks": (1 << 20,), "compression": "gzip"}
    weights.create_dataset("bomb", data=np.zeros(1 << 25, "u1"), **plist)


def _filter(weights: h5py.Group) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((4,))
    plist.set_filter(32999, h5py.h5z.FLAG_OPTIONAL, ())
    space = h5py.h5s.create_simple((4,))
    h5py.h5d.create(weights.id, b"filtered", h5py.h5t.IEEE_F32LE, space, plist)


def _cycle(weights: h5py.Group) -> None:
    weights["again"] = weights


def _external_link(weights: h5py.Group) -> None:
    weights["link"] = h5py.ExternalLink("/srv/other.h5", "/x")


def _soft_link(weights: h5py.Group) -> None:
    weights["soft"] = h5py.SoftLink("/soft")


def _pickle(weights: h5py.Group) -> None:
    weights["object"] = np.void(pickle.dumps({"harmless": 1}, 4))


def _texts(weights: h5py.Group) -> None:
    weights["texts"] = np.array([b"some", b"text"])


def _huge(weights: h5py.Group) -> None:
    weights.create_dataset("huge", (1 << 40,), "f4")


@pytest.mark.parametrize(
    ("add", "expected"),
    [
        (_external_storage, "external-storage"),
        (_virtual, "virtual-dataset"),
        (_bomb, "hdf5-bomb"),
        (_huge, "hdf5-bomb"),
        (_filter, "filter-plugin"),
        (_cycle, "hdf5-cycle"),
        (_external_link, "external-reference"),
        (_soft_link, "soft-link"),
        (_pickle, "pickle-in-weights"),
        (_texts, "non-numeric-weights"),
    ],
)
def test_hdf5(tmp_path: Path, add: Callable[[h5py.Group], None], expected: str) -> None:
    path = minimal_h5(tmp_path / "m.h5")
    assert names(path) == set()
    with h5py.File(path, "a") as file:
        add(file["model_weights"])
    (found,) = findings(path)
    assert found.name == expected
    assert found.location.route.startswith("model_weights/")


def test_user_block(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_group("model_weights").attrs["layer_names"] = np.array([], "S1")
        file.attrs["model_config"] = "{}"
    with path.open("r+b") as stream:
        stream.write(b"#!/bin/sh\n")
    assert "hdf5-polyglot" in names(path)


def _member(name: str, data: bytes) -> Callable[[Path], None]:
    def add(path: Path) -> None:
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)

    return add


def _link(path: Path) -> None:
    info = zipfile.ZipInfo("assets/link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/srv/key")


def _prefix(path: Path) -> None:
    path.write_bytes(b"#!/bin/sh\nexit\n" + path.read_bytes())


def _local_name(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data.replace(b"metadata.json", b"metaXata.json", 1))


def _object_array(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    del parts["model.weights.h5"]
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    header = header.ljust(117) + b"\n"
    array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickle.dumps([1])
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("x.npy", array)
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in {**parts, "model.weights.npz": inner.getvalue()}.items():
            archive.writestr(name, part)


@pytest.mark.parametrize(
    ("name", "data", "severity"),
    [
        ("tree.pkl", b"\x80\x04N.", Severity.LOW),  # another model of the project
        ("run.py", b"print()", Severity.LOW),
        ("results.xlsx", b"PK\3\4", Severity.LOW),
        ("tree.pkl", b"", None),
        ("assets/tree.pkl", b"\x80\x04N.", Severity.HIGH),
        ("lib.so", b"\x7fELF\2\1\1", Severity.HIGH),
        ("lib.so", b"text", Severity.LOW),
        ("lib.so", b"", None),
    ],
)
def test_a_pickle_beside_a_saved_model_is_no_part_of_it(
    tmp_path: Path, name: str, data: bytes, severity: Severity | None
) -> None:
    root = tmp_path / "export"
    shutil.copytree(SAMPLES / "digits_tf1_savedmodel", root)
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_bytes(data)
    found = [each for each in findings(root) if each.name == "program-in-model"]
    assert [each.severity for each in found] == ([severity] if severity else [])
    beside = severity is Severity.LOW
    assert all(("beside" in each.detail) is beside for each in found)


def test_files_beside_a_saved_model_are_one_finding(tmp_path: Path) -> None:
    root = tmp_path / "export"
    shutil.copytree(SAMPLES / "digits_tf1_savedmodel", root)
    for name in ("a.pkl", "b.joblib", "c.py"):
        (root / name).write_bytes(b"\x80\x04N.")
    (found,) = [each for each in findings(root) if each.name == "program-in-model"]
    assert found.detail.startswith("3 files beside the SavedModel are")
    assert [each.severity for each in findings(root) if each.name == "leftover-file"] == []


@pytest.mark.parametrize(
    ("name", "data", "severity"),
    [
        ("app.py", b"import keras", Severity.LOW),  # of a project that has its model at the top
        ("labels.pkl", b"\x80\x04N.", Severity.LOW),
        ("assets/labels.pkl", b"\x80\x04N.", Severity.HIGH),
        ("lib.so", b"\x7fELF\2\1\1", Severity.HIGH),
    ],
)
@pytest.mark.parametrize("kind", ["unpacked", "preset", "archive"])
def test_a_program_beside_an_unpacked_model_is_no_part_of_it(
    tmp_path: Path, kind: str, name: str, data: bytes, severity: Severity
) -> None:
    root = tmp_path / "m"
    with zipfile.ZipFile(SAMPLES / "digits_robust.keras") as archive:
        archive.extractall(root)
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_bytes(data)
    if kind == "preset":
        (root / "metadata.json").write_text('{"keras_hub_version": "0.20.0"}')
    if kind == "archive":
        shutil.make_archive(str(root), "zip", root)
        root = (tmp_path / "m.zip").rename(tmp_path / "m.keras")
    (found,) = [each for each in findings(root) if each.name == "program-in-model"]
    inside = kind == "archive" or severity is Severity.HIGH
    assert (found.severity is Severity.LOW) is not inside
    assert ("beside the files of the model" in found.detail) is not inside


@pytest.mark.parametrize("name", ["saved_model.pb", "variables"])
def test_a_part_that_is_kept_elsewhere_is_told_as_a_link(tmp_path: Path, name: str) -> None:
    """As a cache of data versions keeps it; without the graph, reading ends there."""
    root, elsewhere = tmp_path / "export", tmp_path / "elsewhere"
    shutil.copytree(SAMPLES / "digits_tf1_savedmodel", root)
    (root / name).rename(elsewhere)
    (root / name).symlink_to(elsewhere)
    named = {each.name for each in findings(root)} & {"symbolic-link", "unsafe-path"}
    assert named == {"symbolic-link"}


@pytest.mark.parametrize("ending", [".index", ".data-00000-of-00001", ".meta"])
@pytest.mark.parametrize("prefix", ["policy.p", "model.pt", "net.js"])
def test_a_checkpoint_s_prefix_may_end_like_a_program(prefix: str, ending: str) -> None:
    assert executable_severity(prefix + ending, b"") == ("", Severity.INFO)
    assert executable_severity(prefix + ending, b"\x80\x04N.")[1] is Severity.HIGH
    assert executable_severity(prefix, b"")[0]


def test_a_keras_archive_is_no_pickle() -> None:
    head = b"PK\x03\x04" + bytes(12)
    assert executable_severity("decoder.keras", head) == ("", Severity.INFO)
    assert executable_severity("decoder.bin", head)[0]
    assert executable_severity("decoder.keras", b"\x80\x04N.")[1] is Severity.HIGH


def _twice(path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        _member("config.json", b"{}")(path)


@pytest.mark.parametrize(
    ("add", "expected"),
    [
        (_member("assets/../../out", b"x"), {"unsafe-path"}),
        (_member("assets/big", bytes(1 << 22)), {"archive-bomb"}),
        (_member("run.py", b"print()"), {"program-in-model"}),
        (_member("data.bin", b"\x7fELF\2\1\1"), {"program-in-model"}),
        (_member("state.pkl", b"\x80\x04N."), {"program-in-model"}),
        (_member("notes.txt", b"trained on Tuesday"), set()),
        (_link, {"symbolic-link"}),
        (_prefix, {"archive-polyglot"}),
        (_local_name, {"archive-header-mismatch"}),
        (_object_array, {"pickled-weights"}),
        (_twice, {"duplicate-archive-member"}),
    ],
)
def test_archives(tmp_path: Path, add: Callable[[Path], None], expected: set[str]) -> None:
    path = minimal_keras(tmp_path / "m.keras")
    assert names(path) == set()
    add(path)
    assert names(path) == expected


def test_a_duplicate_key(tmp_path: Path) -> None:
    path = minimal_keras(tmp_path / "m.keras")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["config.json"] = b'{"class_name": "Lambda", ' + parts["config.json"].lstrip()[1:]
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    assert names(path) == {"duplicate-json-key"}


def test_code_is_found_in_a_config_that_describes_no_model(tmp_path: Path) -> None:
    """A loader may accept more than our reader of architectures."""
    path = tmp_path / "m.h5"
    lambda_layer = {"class_name": "Lambda", "config": {"function": "lambda x: eval(x)"}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"neither": ["a", "model", lambda_layer]})
        file.create_group("model_weights").attrs["layer_names"] = np.array([], "S1")
    artifact = read(path, Limits())
    assert artifact.architecture is None
    assert "dangerous-code" in names(path)


@pytest.mark.parametrize(
    "sample",
    sorted(p.name for p in SAMPLES.glob("digits_*") if p.suffix in {".keras", ".h5"})
    + ["digits_random_export", "digits_statistics_lost", "digits_tf1_savedmodel"],
)
def test_sample_models(sample: str) -> None:
    bad = [found for found in findings(SAMPLES / sample) if found.severity.rank >= 3]
    assert [found.name for found in bad] == (
        ["dangerous-code"] if sample == "digits_lambda.keras" else []
    )
    assert all(found.severity is Severity.CRITICAL for found in bad)


@pytest.mark.slow
def test_models_that_tensorflow_and_keras_saved(made: Path) -> None:
    """Savers, vocabularies, traced functions and optimizers of benign models are not findings."""
    looked_at = 0
    for path in sorted(made.rglob("*")):
        if path.suffix in {".keras", ".h5"} or (path / "saved_model.pb").is_file():
            looked_at += 1
            bad = [f for f in findings(path) if f.severity.rank >= 3]
            assert not bad, (path.name, bad[:2])
    assert looked_at > 5


@pytest.mark.parametrize(
    ("path", "severity"),
    [
        ("../other/m", Severity.HIGH),
        ("gs://bucket/m", Severity.HIGH),
        ("\\\\\\\\server\\\\share", Severity.HIGH),
        ("/home/me/run/m", Severity.MEDIUM),
        ("m", None),
    ],
)
def test_a_state_file_s_path(tmp_path: Path, path: str, severity: Severity | None) -> None:
    """Absolute paths of the training machine are usual in TF1; other outside paths are not."""
    write_bundle(tmp_path / "m", {"w": np.ones(3, "float32")})
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{path}"\n')
    found = [(each.name, each.severity) for each in findings(tmp_path / "m")]
    assert found == ([("checkpoint-path-traversal", severity)] if severity else [])
