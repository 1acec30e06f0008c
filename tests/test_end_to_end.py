"""End to end with TensorFlow: intact, hostile and damaged models in one run."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.command_line import SAMPLES, run_command
from tests.made import files
from tests.sharing import with_tensorflow

pytestmark = pytest.mark.slow

HANGS = """
import sys
import tensorflow as tf

class Hangs(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((None, 2))])
    def score(self, x):
        with tf.control_dependencies([tf.print("called")]):
            x = tf.identity(x)
        return tf.while_loop(lambda y: tf.reduce_all(tf.abs(y) >= 0.0), lambda y: y * 0.5, [x])[0]

module = Hangs()
tf.saved_model.save(module, sys.argv[1], signatures=module.score)
"""


def audited(models, out, *options):
    """The run of a command, and the index and the audits that it wrote."""
    options = ("--out", out, "--probe-data", SAMPLES / "digits_probe.npz", *options)
    done = run_command("audit", models, *options)
    index = json.loads((out / "index.json").read_text())
    audits = {
        row["path"]: json.loads((out / row["links"]["json"]).read_text()) for row in index["models"]
    }
    return done, out, index, audits


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Return exit code, rows and audits of a run over healthy and damaged models."""
    root = tmp_path_factory.mktemp("registry")
    models = root / "models"
    models.mkdir()
    shutil.copy(SAMPLES / "digits_robust.keras", models)
    shutil.copytree(SAMPLES / "digits_tf1_savedmodel", models / "tf1")
    files.truncated_h5(models)
    files.noise_zip(models)
    return audited(models, root / "out")


def test_every_model_has_a_row_and_every_report(ran):
    done, out, index, audits = ran
    assert done.returncode == 1, done.stderr
    assert sorted(audits) == ["digits_robust.keras", "noise.keras", "tf1", "truncated.h5"]
    for row in index["models"]:
        for link in row["links"].values():
            assert (out / link).stat().st_size > 1000


def test_intact_models_are_fully_audited(ran):
    audits = ran[3]
    for name in ("digits_robust.keras", "tf1"):
        assert audits[name]["verdict"] in {"pass", "warn"}
        assert audits[name]["behaviour"]["inputs"]["labelled"]
        assert audits[name]["restore"]["compared"] == audits[name]["restore"]["identical"] > 0
    accuracy = audits["digits_robust.keras"]["behaviour"]["outputs"][0]["accuracy"]
    assert accuracy["e"] > 0.9


def test_a_model_that_never_answers_is_a_row_with_the_reason(tmp_path):
    with_tensorflow("-c", HANGS, tmp_path / "hangs")
    done, *_, audits = audited(tmp_path / "hangs", tmp_path / "out", "--timeout", "4", "-f", "json")
    assert done.returncode == 3, done.stderr
    assert audits["hangs"]["verdict"] == "incomplete"
    assert "timed out (no answer in" in audits["hangs"]["reason"]
    (observed,) = audits["hangs"]["observations"]
    assert observed["log"].startswith("called")  # so loading ended in time


def test_damaged_models_are_rows_with_reasons(ran):
    audits = ran[3]
    for name in ("noise.keras", "truncated.h5"):
        assert audits[name]["verdict"] == "fail"
        assert audits[name]["reason"]
