"""Variables of a SavedModel in the checkpoint format before TensorFlow 1.0."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from modelaudit.facts import Artifact, ProblemKind
from modelaudit.formats.saved_model.reader import read_saved_model
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow


def saved(folder: Path, version: int) -> Path:
    """A matrix product, saved by TensorFlow and loaded by it."""
    tf = pytest.importorskip("tensorflow")
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        w = v1.get_variable("w", [4, 3], use_resource=False)
        y = tf.matmul(x, w, name="y")
        session.run(v1.global_variables_initializer())
        values = session.run(w)
        builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        saver = v1.train.Saver(write_version=version)
        named = {"serving_default": signature}
        builder.add_meta_graph_and_variables(session, ["serve"], named, saver=saver)
        builder.save()
    with tf.Graph().as_default(), v1.Session() as session:
        v1.saved_model.load(session, ["serve"], str(folder))
        np.testing.assert_allclose(session.run("y:0", {"x:0": np.eye(4)}), values, rtol=1e-6)
    return folder


def kinds(artifact: Artifact) -> list[tuple[ProblemKind, str]]:
    return [(problem.kind, problem.file) for problem in artifact.problems]


def test_variables_that_load_are_not_missing(tmp_path: Path) -> None:
    artifact = read_saved_model(saved(tmp_path / "m", 1), Limits())
    file = "variables/variables"
    assert kinds(artifact) == [(ProblemKind.UNSUPPORTED, file)]
    assert not artifact.complete
    assert {entry.path: entry.role for entry in artifact.files}[file] == "weights"
    assert not run_rule(rule("MA107"), Facts(artifact)).findings
    assert run_rule(rule("MA121"), Facts(artifact)).findings


def test_the_newer_format_is_read(tmp_path: Path) -> None:
    artifact = read_saved_model(saved(tmp_path / "m", 2), Limits())
    assert (kinds(artifact), artifact.complete) == ([], True)


def test_variables_that_are_gone_are_missing(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", 1)
    shutil.rmtree(folder / "variables")
    artifact = read_saved_model(folder, Limits())
    assert kinds(artifact) == [(ProblemKind.MISSING_FILE, "variables/variables.index")]
    assert run_rule(rule("MA107"), Facts(artifact)).findings
