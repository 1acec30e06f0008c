"""KerasHub presets: detected, read, one row, and what is missing is told."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import modelaudit
from modelaudit.facts import Format, ProblemKind
from modelaudit.findings import Verdict
from modelaudit.formats.reader import read
from modelaudit.formats.sniff import sniff
from modelaudit.registry.discover import discover
from modelaudit.settings import Limits, ProbeSettings, Settings
from tests.made.files import minimal_keras
from tests.made.presets import config, preset, weights

LIMITS = Limits()
UNRUN = Settings(probe=ProbeSettings(enabled=False))


def audited(root: Path) -> modelaudit.Audit:
    (audit,) = modelaudit.audit(root, UNRUN)
    return audit


def changed(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("task", [True, False])
def test_a_preset_is_one_model(tmp_path, task):
    root = preset(tmp_path / "resnet", task=task, tokenizer=True)
    (root / "README.md").write_text("# a model card")
    assert sniff(root) is Format.KERASHUB_PRESET
    found = discover(tmp_path, LIMITS)
    assert [(each.relative, each.format) for each in found.candidates] == [
        ("resnet", Format.KERASHUB_PRESET)
    ]
    assert not found.named


def test_configs_weights_and_versions_are_read(tmp_path):
    artifact = read(preset(tmp_path / "resnet"), LIMITS)
    assert artifact.complete and not artifact.problems
    assert artifact.provenance.keras == "3.15.1"
    assert artifact.provenance.exporter == "keras-hub 0.32.0"
    told = artifact.extra["preset"]
    assert (told["class"], told["task"]) == ("ResNetBackbone", "ResNetImageClassifier")
    assert told["parameters"] == told["stored"] == 3 * 3 * 3 * 8 + 8
    assert {tensor.name: tensor.shape for tensor in artifact.tensors} == {
        "layers/conv2d/vars/0": (3, 3, 3, 8),
        "layers/conv2d/vars/1": (8,),
        "task/layers/dense/vars/0": (8, 4),
        "task/layers/dense/vars/1": (4,),
    }
    assert [kernel.tensor for kernel in artifact.kernels] == [
        "layers/conv2d/vars/0",
        "task/layers/dense/vars/0",
    ]
    assert {document.file for document in artifact.documents} == {
        *("config.json", "metadata.json", "task.json", "image_converter.json")
    }


def test_a_sound_preset_has_a_note_and_is_incomplete(tmp_path):
    audit = audited(preset(tmp_path / "resnet", tokenizer=True))
    assert audit.verdict is Verdict.INCOMPLETE
    assert [finding.code for finding in audit.findings] == ["MA231"]
    (note,) = audit.findings
    assert "resizes images to 32 x 32, multiplies pixels by 0.0039" in note.detail
    assert 'keras_hub.models.ResNetImageClassifier.from_preset("resnet")' in note.fix


def test_what_is_missing_is_told_once(tmp_path):
    root = preset(tmp_path / "resnet", tokenizer=True)
    (root / "assets" / "tokenizer" / "vocabulary.txt").unlink()
    (root / "model.weights.h5").unlink()
    artifact = read(root, LIMITS)
    assert not artifact.complete
    assert [(p.kind, p.route) for p in artifact.problems] == [
        (ProblemKind.MISSING_FILE, "assets/tokenizer/vocabulary.txt"),
        (ProblemKind.MISSING_FILE, "model.weights.h5"),
    ]
    codes = [finding.code for finding in audited(root).findings]
    assert codes.count("MA128") == 0


def test_weights_that_are_fewer_than_the_metadata_counts(tmp_path):
    root = preset(tmp_path / "resnet")
    weights(root / "model.weights.h5", conv2d=[np.full((3, 3, 3, 8), 0.1, "f4")])
    (finding,) = [each for each in audited(root).findings if each.code == "MA128"]
    assert "has 216 numbers, but the metadata counts 224" in finding.detail


def test_states_of_random_seeds_are_no_weights(tmp_path):
    root = preset(tmp_path / "resnet")
    kernel = np.full((3, 3, 3, 8), 0.1, "f4")
    seeds = np.zeros(2, "u4")
    weights(root / "model.weights.h5", conv2d=[kernel], dropout=[seeds], dense=[np.ones(6, "f4")])
    assert any(each.code == "MA128" for each in audited(root).findings)


def test_shards_are_those_of_the_map(tmp_path):
    root = preset(tmp_path / "resnet")
    first, second = "model_00000.weights.h5", "model_00001.weights.h5"
    shutil.move(root / "model.weights.h5", root / first)
    where = {"/layers/conv2d/vars": first, "/layers/dense/vars": [second]}
    (root / "model.weights.json").write_text(json.dumps({"weight_map": where}))
    artifact = read(root, LIMITS)
    assert sniff(root) is Format.KERASHUB_PRESET
    assert any(tensor.shape == (3, 3, 3, 8) for tensor in artifact.tensors)
    assert [(p.kind, p.route) for p in artifact.problems] == [(ProblemKind.MISSING_SHARD, second)]
    counted = json.loads((root / "metadata.json").read_text())["parameter_count"] + 1
    changed(root / "metadata.json", parameter_count=counted)
    assert "MA128" not in [finding.code for finding in audited(root).findings]


def test_classes_outside_of_keras_hub_are_still_told(tmp_path):
    root = preset(tmp_path / "resnet")
    own = config("backbone", "Mine") | {
        "module": "evil.models",
        "registered_name": "keras_hub>Mine",
    }
    changed(root / "task.json", config={"backbone": own})
    (found,) = [each for each in audited(root).findings if each.code == "MA715"]
    assert "Mine" in found.detail


def test_a_class_name_from_the_file_cannot_change_the_code(tmp_path):
    root = preset(tmp_path / "resnet", task=False)
    changed(root / "config.json", class_name='X; import os; os.system("x")')
    (note,) = [each for each in audited(root).findings if each.code == "MA231"]
    assert "keras_hub.models.Backbone.from_preset" in note.fix
    assert "os.system" not in note.fix


def test_a_program_among_the_assets_is_told(tmp_path):
    root = preset(tmp_path / "resnet", tokenizer=True)
    (root / "assets" / "tokenizer" / "merges.txt").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(60))
    assert any("by its first bytes" in each.detail for each in read(root, LIMITS).problems)


def test_other_directories_with_the_same_names_are_not_presets(tmp_path):
    other = tmp_path / "transformers"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"]}')
    (other / "tokenizer.json").write_text('{"version": "1.0"}')
    assert sniff(other) is Format.UNKNOWN
    unpacked = tmp_path / "unpacked"
    shutil.unpack_archive(minimal_keras(tmp_path / "m.keras"), unpacked, "zip")
    assert sniff(unpacked) is Format.KERAS_ARCHIVE


def test_the_format_is_documented():
    page = (Path(__file__).resolve().parents[3] / "docs" / "formats.md").read_text()
    assert re.search(r"\| KerasHub preset \|", page)
