"""Orbax checkpoint directories in the layouts of Orbax and Keras."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from modelaudit.facts import Format, Json
from modelaudit.findings import Severity
from modelaudit.formats.reader import read
from modelaudit.formats.sniff import sniff
from modelaudit.registry.discover import discover
from modelaudit.rules.engine import run_rules
from modelaudit.rules.model import Facts
from modelaudit.rules.security import RULES
from modelaudit.settings import Limits
from tests.made.files import minimal_keras
from tests.made.keras_configs import functional, input_layer, keras3_model, layer

LIMITS = Limits()


def leaf(*keys: str) -> dict[str, Json]:
    return {"key_metadata": [{"key": key, "key_type": 2} for key in keys]}


def step(folder: Path, config: Json = None, names: tuple[str, ...] = ("kernel",)) -> Path:
    """One step of a checkpoint: a tree of arrays and, with a config, the files of Keras."""
    (folder / "pytree" / "d").mkdir(parents=True)
    (folder / "_CHECKPOINT_METADATA").write_text("{}")
    (folder / "pytree" / "manifest.ocdbt").write_bytes(b"\x0c\xdb\x3a\x2a")
    (folder / "pytree" / "d" / "0a1b").write_bytes(bytes(100))
    tree = {str((name,)): leaf("trainable_variables", name) for name in names}
    (folder / "pytree" / "_METADATA").write_text(json.dumps({"tree_metadata": tree}))
    if config is not None:
        (folder / "model_config").mkdir()
        saved = {"config": json.dumps(config)}
        (folder / "model_config" / "metadata").write_text(json.dumps(saved))
    return folder


def serious(folder: Path) -> set[str]:
    results = run_rules(RULES, Facts(read(folder, LIMITS)))
    found = [finding for result in results for finding in result.findings]
    return {each.name for each in found if each.severity.rank >= Severity.HIGH.rank}


def test_each_step_is_one_row(tmp_path):
    for number in ("0", "100"):
        step(tmp_path / "run" / number, keras3_model())
    found = discover(tmp_path, LIMITS)
    assert [(each.relative, each.format) for each in found.candidates] == [
        ("run/0", Format.ORBAX),
        ("run/100", Format.ORBAX),
    ]
    assert not found.named and not found.problems


def test_a_model_among_its_files_is_a_row_of_its_own(tmp_path):
    """The format of the checkpoint does not apply to a complete model among its assets."""
    folder = step(tmp_path / "run" / "7")
    (folder / "assets" / "tower").mkdir(parents=True)
    minimal_keras(folder / "assets" / "tower" / "inner.keras")
    minimal_keras(folder / "beside.keras")
    (folder / "assets" / "words.txt").write_text("a")
    found = discover(tmp_path)
    assert [(row.relative, row.format) for row in found.candidates] == [
        ("run/7", Format.ORBAX),
        ("run/7/assets/tower/inner.keras", Format.KERAS_ARCHIVE),
        ("run/7/beside.keras", Format.KERAS_ARCHIVE),
    ]
    assert (found.others, found.named) == ({}, ())


def test_a_checkpoint_is_named_and_its_config_read(tmp_path):
    artifact = read(step(tmp_path / "0", keras3_model()), LIMITS)
    assert (artifact.format, artifact.complete) == (Format.ORBAX, False)
    (problem,) = artifact.problems
    assert problem.kind.value == "unsupported" and "Orbax" in problem.detail
    assert artifact.architecture is not None
    assert {layer.name for layer in artifact.architecture.layers} >= {"x", "dense"}
    assert {entry.path: entry.role for entry in artifact.files} == {
        "_CHECKPOINT_METADATA": "metadata",
        "model_config/metadata": "config",
        "pytree/_METADATA": "metadata",
        "pytree/d/0a1b": "weights",
        "pytree/manifest.ocdbt": "metadata",
    }
    assert serious(tmp_path / "0") == set()


@pytest.mark.parametrize(
    "mark", ["orbax.checkpoint", "pytree.orbax-checkpoint", "checkpoint_metadata", "_METADATA"]
)
def test_every_marker_used_by_loaders_is_known(tmp_path, mark):
    (tmp_path / mark).write_bytes(b"\xff")
    assert sniff(tmp_path) is Format.ORBAX
    assert read(tmp_path, LIMITS).format is Format.ORBAX


def test_a_step_that_was_never_finished(tmp_path):
    step(tmp_path / "run" / "7.orbax-checkpoint-tmp-12")
    (row,) = discover(tmp_path, LIMITS).candidates
    assert (row.relative, row.format) == ("run", Format.ORBAX)
    kinds = {problem.kind.value for problem in read(tmp_path / "run", LIMITS).problems}
    assert kinds == {"unsupported", "leftover"}


def test_threats_are_reported_as_in_any_config(tmp_path):
    activation = {"module": "os", "class_name": "function", "config": "system"}
    dense = layer("Dense", "d", units=2, activation=activation, inbound=[[["x", 0, 0, {}]]])
    bad = functional([input_layer("x", 4), dense], [["x", 0, 0]], [["d", 0, 0]])
    assert serious(step(tmp_path / "a", bad)) == {"arbitrary-module"}
    climbing = step(tmp_path / "b", names=("../../.ssh/authorized_keys", "kernel"))
    assert serious(climbing) == {"unsafe-path"}


@pytest.mark.parametrize(
    "names",
    [("..", "x"), ("/etc/x",), ("", "./x"), ("", "", "/x"), ("a\\..", "x"), ("a", "b\0")],
)
def test_parent_directories_in_names_alone_or_joined(tmp_path, names):
    step(tmp_path / "0")
    tree = {"tree_metadata": {"leaf": leaf("params", "kernel"), "bad": leaf(*names)}}
    (tmp_path / "0" / "pytree" / "_METADATA").write_text(json.dumps(tree))
    assert serious(tmp_path / "0") == {"unsafe-path"}


@pytest.mark.parametrize(
    "place",
    [
        {"driver": "file", "path": "/etc/passwd"},
        {"driver": "file", "path": "../../other/"},
        {"driver": "http", "base_url": "https://localhost:9/x"},
        "file:///etc/passwd",
    ],
)
@pytest.mark.parametrize("file", ["pytree/_METADATA", "pytree/_sharding", "any/zarr.json"])
def test_specifications_with_paths_outside(tmp_path, place, file):
    step(tmp_path / "0")
    (tmp_path / "0" / "any").mkdir()
    spec = {"driver": "zarr3", "kvstore": place}
    (tmp_path / "0" / file).write_text(json.dumps({"a": [spec]}))
    assert serious(tmp_path / "0") == {"unsafe-path"}


def test_benign_specifications_have_no_path_outside(tmp_path):
    step(tmp_path / "0", keras3_model())
    notes = {"custom_metadata": {"path": "/home/me/images", "url": "https://localhost/"}}
    (tmp_path / "0" / "_CHECKPOINT_METADATA").write_text(json.dumps(notes))
    spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": "params.kernel/"}}
    (tmp_path / "0" / "pytree" / "_strings.json").write_text(json.dumps(spec))
    (tmp_path / "0" / "pytree" / "d" / "brace").write_bytes(b"{" + bytes(99))
    assert serious(tmp_path / "0") == set()
    assert [problem.kind.value for problem in read(tmp_path / "0", LIMITS).problems] == [
        "unsupported"
    ]


HOSTILE = {"driver": "zarr", "kvstore": {"driver": "file", "path": "/etc/passwd"}}


@pytest.mark.parametrize(
    "document",
    [
        ["file:///etc/passwd|zarr:"],
        "file:///etc/passwd|zarr:",
        {"a": [" FILE:///etc/passwd"]},
        {"a": "s3://bucket/x|zip:path/|zarr3:"},
        {"a": "/etc/passwd|json:"},
        {"a": "../../other|zarr:"},
        {"custom_metadata": "gs://bucket/|zarr3:"},
        {"driver": "stack", "layers": ["https://localhost/x", {"driver": "cast", "base": {}}]},
        {"driver": "kvstack", "layers": [{"base": "params/"}, {"base": "gs://bucket/"}]},
    ],
)
def test_urls_as_strings(tmp_path, document):
    step(tmp_path / "0")
    (tmp_path / "0" / "pytree" / ".zarray").write_text(json.dumps(document))
    assert serious(tmp_path / "0") == {"unsafe-path"}


@pytest.mark.parametrize(
    "document",
    [
        {"custom_metadata": {"data": "file:///home/me/images", "made with": "a|b:c"}},
        {"homepage": "https://localhost/a|b"},
        {"driver": "zarr", "kvstore": "memory://x/"},
        ["pytree/d/", "a|b: c", "1/2|x"],
    ],
)
def test_strings_that_are_not_urls_or_paths_outside(tmp_path, document):
    step(tmp_path / "0")
    (tmp_path / "0" / "pytree" / ".zarray").write_text(json.dumps(document))
    assert serious(tmp_path / "0") == set()


@pytest.mark.parametrize("before", [b" ", b"\r\n\t", b"\n" * 9999, b"\xef\xbb\xbf "])
@pytest.mark.parametrize("file", ["pytree/.zarray", "model_config/.zarray"])
def test_whitespace_before_a_specification(tmp_path, before, file):
    step(tmp_path / "0", keras3_model())
    (tmp_path / "0" / file).write_bytes(before + json.dumps(HOSTILE).encode())
    assert serious(tmp_path / "0") == {"unsafe-path"}


def test_a_specification_in_utf_16(tmp_path):
    step(tmp_path / "0")
    (tmp_path / "0" / "pytree" / ".zarray").write_bytes(json.dumps(HOSTILE).encode("utf-16"))
    assert serious(tmp_path / "0") == {"unsafe-path"}


def noted(folder: Path, limits: Limits = LIMITS) -> set[tuple[str, str]]:
    found = {(each.file, each.kind.value) for each in read(folder, limits).problems}
    return found - {(folder.name, "unsupported")}


@pytest.mark.parametrize("start", ["", " ", "\n" * 9999])
def test_json_that_is_too_deep_or_too_large_is_reported(tmp_path, start):
    step(tmp_path / "0")
    place = tmp_path / "0" / "pytree" / ".zarray"
    told = {("pytree/.zarray", "limit-exceeded")}
    place.write_text(f'{start}{{"a": {"[" * 300}{"]" * 300}, {json.dumps(HOSTILE)[1:]}')
    assert noted(tmp_path / "0") == told
    place.write_text(start + json.dumps([HOSTILE] * 400 + ["é" * 9999], ensure_ascii=False))
    assert noted(tmp_path / "0", Limits(config_bytes=10_000)) == told


@pytest.mark.parametrize(
    "data",
    [b"{" + bytes(20_000), b"[\xfe\xfd" * 9000, bytes(20_000), b"\0\0\x80\x3f" * 9000, b"{no json"],
)
def test_data_that_start_like_json_are_ignored(tmp_path, data):
    step(tmp_path / "0")
    (tmp_path / "0" / "pytree" / "d" / "x").write_bytes(data)
    assert noted(tmp_path / "0", Limits(config_bytes=10_000)) == set()


def test_a_config_is_named_by_the_file_that_it_is_in(tmp_path):
    step(tmp_path / "0", {"class_name": "Sequential", "config": {"layers": 3}})
    (tmp_path / "0" / "model_config" / "other").write_text("{}")
    assert noted(tmp_path / "0") == {("model_config/metadata", "config-invalid")}


_OPENED = """
import os, sys
from pathlib import Path
from modelaudit.formats.orbax.reader import read_orbax
from modelaudit.settings import Limits
opened = []
sys.addaudithook(lambda name, args: opened.append(args[0]) if name == "open" else None)
read_orbax(Path(sys.argv[1]), Limits())
print(*{os.path.realpath(os.fsdecode(path)) for path in opened if not isinstance(path, int)},
      sep="\\n")
"""


def test_nothing_outside_is_opened(tmp_path):
    root = step(tmp_path / "0", keras3_model(), names=("../secret",))
    (tmp_path / "secret").write_text("{}")
    (root / "pytree" / "_sharding").symlink_to(tmp_path / "secret")
    (root / "elsewhere").symlink_to(tmp_path)
    spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": str(tmp_path / "secret")}}
    (root / "pytree" / "zarr.json").write_text(json.dumps(spec))
    run = [sys.executable, "-c", _OPENED, str(root)]
    opened = subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()
    ours = [path for path in opened if Path(path).is_relative_to(tmp_path)]
    assert str(root / "pytree" / "_METADATA") in ours
    assert [path for path in ours if not Path(path).is_relative_to(root)] == []
    assert serious(root) == {"unsafe-path", "symbolic-link"}


@pytest.mark.parametrize("text", ["", "[" * 5000, '{"config": 3}', '{"config": "{"}', "\xff"])
def test_an_invalid_config_is_a_problem_only(tmp_path, text):
    step(tmp_path / "0", keras3_model())
    (tmp_path / "0" / "model_config" / "metadata").write_text(text, encoding="latin-1")
    assert read(tmp_path / "0", LIMITS).format is Format.ORBAX
