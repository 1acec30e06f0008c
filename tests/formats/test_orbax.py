"""Orbax checkpoint directories, laid out as Orbax and Keras write them."""

from __future__ import annotations

import json
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
from tests.made.keras_configs import functional, input_layer, keras3_model, layer

LIMITS = Limits()


def leaf(*keys: str) -> dict[str, Json]:
    return {"key_metadata": [{"key": key, "key_type": 2} for key in keys]}


def step(folder: Path, config: Json = None, names: tuple[str, ...] = ("kernel",)) -> Path:
    """One step of a checkpoint: a tree of arrays and, with a config, what Keras adds."""
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


def test_it_is_named_and_its_config_read(tmp_path):
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
def test_every_mark_that_a_loader_goes_by_is_known(tmp_path, mark):
    (tmp_path / mark).write_bytes(b"\xff")
    assert sniff(tmp_path) is Format.ORBAX
    assert read(tmp_path, LIMITS).format is Format.ORBAX


def test_a_step_that_was_never_finished(tmp_path):
    step(tmp_path / "run" / "7.orbax-checkpoint-tmp-12")
    (row,) = discover(tmp_path, LIMITS).candidates
    assert (row.relative, row.format) == ("run", Format.ORBAX)
    kinds = {problem.kind.value for problem in read(tmp_path / "run", LIMITS).problems}
    assert kinds == {"unsupported", "leftover"}


def test_threats_in_it_are_named_as_in_any_config(tmp_path):
    activation = {"module": "os", "class_name": "function", "config": "system"}
    dense = layer("Dense", "d", units=2, activation=activation, inbound=[[["x", 0, 0, {}]]])
    bad = functional([input_layer("x", 4), dense], [["x", 0, 0]], [["d", 0, 0]])
    assert serious(step(tmp_path / "a", bad)) == {"arbitrary-module"}
    climbing = step(tmp_path / "b", names=("../../.ssh/authorized_keys", "kernel"))
    assert serious(climbing) == {"unsafe-path"}


@pytest.mark.parametrize("text", ["", "[" * 5000, '{"config": 3}', '{"config": "{"}', "\xff"])
def test_what_is_no_config_is_a_problem_and_no_more(tmp_path, text):
    step(tmp_path / "0", keras3_model())
    (tmp_path / "0" / "model_config" / "metadata").write_text(text, encoding="latin-1")
    assert read(tmp_path / "0", LIMITS).format is Format.ORBAX
