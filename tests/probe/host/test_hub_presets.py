"""Presets of KerasHub in the sandbox, against KerasHub's own outputs."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from modelaudit import pipeline
from modelaudit.audit_types.loading import Port
from modelaudit.formats.reader import read
from modelaudit.pipeline import static_facts, why_not_run
from modelaudit.probe.host.feed import Feed
from modelaudit.probe.host.observe import observe
from modelaudit.probe.run import probe_with
from modelaudit.probe.study.activations import LayerActivations
from modelaudit.probe.study.inputs import input_spec
from modelaudit.probe.study.runner import Runner
from modelaudit.probe.study.user_data import load_probe_data
from modelaudit.rules.engine import partial_audit_reason
from modelaudit.settings import Limits, Settings
from modelaudit.structs import replace
from tests.made.presets import config, preset
from tests.probe.sessions import SETTINGS, only
from tests.sharing import with_tensorflow

with_hub = pytest.mark.skipif(find_spec("keras_hub") is None, reason="needs keras-hub")


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    with_tensorflow("-m", "tests.made.hub_presets", folder)
    return folder


@pytest.mark.slow
@with_hub
@pytest.mark.parametrize("name", ["backbone", "texts"])
def test_outputs_are_those_of_kerashub(keras3, presets, name):
    seen, session = observe(keras3, read(presets / name, Limits()), SETTINGS)
    assert session is not None, seen.failure
    ids = np.arange(24, dtype=np.int32).reshape(2, 12) % 8
    images = np.sin(np.arange(2 * 32 * 32 * 3)).astype(np.float32).reshape(2, 32, 32, 3)
    given = {"token_ids": ids, "padding_mask": ids * 0 + 1, "segment_ids": ids * 0}
    with session:
        fed = {port.name: given.get(port.name, images) for port in seen.inputs}
        assert session.put(fed) is None
        found = only(session.predict([Feed(each) for each in fed]))
    with np.load(presets / f"{name}.npz") as told:
        np.testing.assert_allclose(found, told["outputs"], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@with_hub
def test_a_preset_is_probed_and_audited_whole(keras3, keras2, presets):
    facts = static_facts(presets / "images", Settings(probe=SETTINGS))
    assert why_not_run(facts) == ""
    seen = probe_with([keras3, keras2])(facts.artifact, facts.settings, None)
    assert [(each.runtime, each.call) for each in seen.observations] == [("here", "from_preset")]
    assert seen.restore is not None
    assert seen.restore.faithful
    assert seen.behaviour is not None
    with np.load(presets / "layers.npz") as told:
        assert [each.route for each in seen.behaviour.batchnorm] == [*told["normalised"]]
        assert {*told["rectified"]} == {*seen.behaviour.dead}
    facts = replace(facts, observations=seen.observations, behaviour=seen.behaviour)
    assert partial_audit_reason(facts) == ""


@pytest.mark.slow
@with_hub
def test_layers_of_the_backbone_have_their_names_in_the_file(keras3, presets):
    artifact = read(presets / "images", Limits())
    seen, session = observe(keras3, artifact, SETTINGS)
    images = np.sin(np.arange(2 * 32 * 32 * 3)).astype(np.float32).reshape(2, 32, 32, 3)
    with session, np.load(presets / "layers.npz") as told:
        runner = Runner(session, ({},), (False,), 32)
        runner.put("x", [images])
        fit = LayerActivations(runner, artifact, seen, "x", 2).batchnorm_fits((), ())[0]
        # New statistics are 0 and 1.
        deviation = np.median(np.abs(told["mean"]) / np.sqrt(1 + 1.001e-5))
        assert fit.mean_deviation == pytest.approx(deviation, rel=1e-3)
        spread = np.median(np.abs(np.log(told["variance"])))
        assert fit.log_variance == pytest.approx(spread, rel=1e-3)


@pytest.mark.slow
@with_hub
def test_images_are_fed_as_the_converter_leaves_them(presets, tmp_path):
    with np.load(presets / "converted.npz") as told:
        Image.fromarray(told["pixels"][0]).save(tmp_path / "a.png")
        converted = told["x"]
    port = Port("images", "float32", (None, 32, 32, 3))
    pixels = input_spec(port, read(presets / "images", Limits())).pixels
    found = load_probe_data(tmp_path, port.shape, pixels=pixels)
    np.testing.assert_allclose(found.x, converted, atol=1e-5)


@pytest.mark.slow
@with_hub
def test_a_tokenizer_reads_no_files_outside_the_preset(keras3, presets, tmp_path):
    (tmp_path / "words.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\n")
    root = tmp_path / "texts"
    shutil.copytree(presets / "texts", root)
    for name in ("tokenizer.json", "preprocessor.json", "task.json"):
        text = (root / name).read_text()
        own, other = '"vocabulary": null', f'"vocabulary": "{tmp_path / "words.txt"}"'
        assert own in text
        (root / name).write_text(text.replace(own, other))
    seen, session = observe(keras3, read(root, Limits()), SETTINGS)
    assert session is None
    assert "outside of the model archive" in seen.failure


@pytest.fixture
def without_hub(monkeypatch):
    monkeypatch.setattr(pipeline, "missing", lambda modules: modules[0])


def test_the_command_that_adds_kerashub_is_told(tmp_path, without_hub):
    reason = why_not_run(static_facts(preset(tmp_path / "resnet"), Settings()))
    assert reason.endswith("pip install tf-modelaudit[hub]")


def test_code_in_a_config_is_told_first(tmp_path, without_hub):
    code = {"class_name": "function", "config": "system", "module": "os", "registered_name": "x"}
    root = preset(tmp_path / "resnet")
    written = config("classifier", "ResNetImageClassifier", activation=code)
    (root / "task.json").write_text(json.dumps(written))
    assert "critical finding" in why_not_run(static_facts(root, Settings()))
