"""Moving statistics that a saver leaves out; TensorFlow's own attempt to run is the oracle."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("inference", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_statistics_that_inference_needs(tmp_path: Path, whole: bool, inference: bool) -> None:
    """With the statistics of the batch, as in a GAN, those that move are only updated."""
    tf = importlib.import_module("tensorflow")
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        gamma, beta, mean, variance = (
            v1.get_variable(f"batch_normalization/{name}", [3], trainable=name in {"gamma", "beta"})
            for name in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        batch_mean, batch_variance = tf.nn.moments(x, [0])
        used = (mean, variance) if inference else (batch_mean, batch_variance)
        y = tf.nn.batch_normalization(x, *used, beta, gamma, 0.1, name="y")
        with v1.variable_scope("batch_normalization/AssignMovingAvg"):
            v1.assign_sub(mean, (mean - batch_mean) * 0.1)
            v1.assign_sub(variance, (variance - batch_variance) * 0.1)
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(None if whole else v1.trainable_variables())
        saver.save(session, str(tmp_path / "m"))
    (result,) = [run_rule(rule("MA417"), Facts(read(tmp_path / "m", Limits())))]
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(str(tmp_path / "m.meta")).restore(session, str(tmp_path / "m"))
        try:
            session.run(y.name, {"x:0": np.ones((2, 3))})
        except tf.errors.FailedPreconditionError:
            (finding,) = result.findings
            assert "batch_normalization/moving_mean" in finding.detail
            assert (whole, inference) == (False, True)
        else:
            assert not result.findings
            assert whole or not inference


def test_a_graph_of_several_savers(tmp_path: Path) -> None:
    """Each saver restores its own file; only a variable that this file's saver lists is missing."""
    tf = importlib.import_module("tensorflow")
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        first, second = (v1.get_variable(name, [3]) for name in ("first", "second"))
        session.run(v1.global_variables_initializer())
        v1.train.Saver([first])
        v1.train.Saver([second]).save(session, str(tmp_path / "m"))
    with tf.Graph().as_default(), v1.Session() as session:
        saver = v1.train.import_meta_graph(str(tmp_path / "m.meta"))
        saver.restore(session, str(tmp_path / "m"))
        assert session.run(v1.report_uninitialized_variables()).tolist() == [b"first"]
    facts = Facts(read(tmp_path / "m", Limits()))
    assert not run_rule(rule("MA417"), facts).findings
    (finding,) = run_rule(rule("MA416"), facts).findings
    assert "1 variable of the graph is not in the checkpoint" in finding.detail
    assert "first" in finding.detail


@pytest.mark.parametrize("updated", ["", "average", "assign", "condition"])
def test_statistics_that_training_never_changes(tmp_path: Path, updated: str) -> None:
    """A normalization that is trained as it is used: its statistics are 0 and 1 for ever."""
    tf = importlib.import_module("tensorflow")
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        gamma, beta, mean, variance = (
            v1.get_variable(
                f"batch_normalization/{name}",
                initializer=np.full(3, value, "float32"),
                trainable=name in {"gamma", "beta"},
                use_resource=updated != "assign",
            )
            for name, value in (
                ("gamma", 1),
                ("beta", 0),
                ("moving_mean", 0),
                ("moving_variance", 1),
            )
        )
        y = tf.nn.batch_normalization(x, mean, variance, beta, gamma, 0.1, name="y")
        seen = tf.reduce_mean(x, 0)
        if updated == "average":
            updates = [v1.assign_sub(mean, mean - seen, name="AssignMovingAvg")]
        elif updated == "assign":
            with v1.name_scope("statistics"):  # whose name ends as that of an initial value
                updates = [v1.assign(mean, seen)]
        elif updated == "condition":
            branches = (lambda: tf.identity(v1.assign(mean, seen)), lambda: tf.identity(mean))
            updates = [v1.cond(tf.reduce_any(x > 0), *branches)]
        else:
            updates = []
        train = v1.train.AdamOptimizer().minimize(tf.reduce_sum(y**2))
        session.run(v1.global_variables_initializer())
        session.run([train, *updates], {x: np.ones((2, 3))})
        assert session.run(mean).tolist() == [bool(updated)] * 3
        v1.train.Saver([gamma, beta]).save(session, str(tmp_path / "m"))
    facts = Facts(read(tmp_path / "m", Limits()))
    lost = [each.detail for each in run_rule(rule("MA417"), facts).findings]
    (left,) = run_rule(rule("MA416"), facts).findings
    assert [("moving_mean" in each, "moving_variance" in each) for each in lost] == [
        (True, False)
    ] * bool(updated)
    assert ("moving_mean" in left.detail, "moving_variance" in left.detail) == (not updated, True)


@pytest.mark.parametrize("whole", [True, False])
def test_a_state_that_the_saver_leaves_out(tmp_path: Path, whole: bool) -> None:
    tf = importlib.import_module("tensorflow")
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        weight = v1.get_variable("weight", [3, 3])
        state = v1.get_variable("state", [3], trainable=False)
        loss = tf.reduce_sum(tf.matmul(x, weight) + state, name="loss")
        v1.train.AdamOptimizer().minimize(loss)
        session.run(v1.global_variables_initializer())
        v1.train.Saver(None if whole else [weight]).save(session, str(tmp_path / "m"))
    result = run_rule(rule("MA416"), Facts(read(tmp_path / "m", Limits())))
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(str(tmp_path / "m.meta")).restore(session, str(tmp_path / "m"))
        fed = {"x:0": np.ones((2, 3))}
        if whole:
            session.run("loss:0", fed)
            assert not result.findings
        else:
            with pytest.raises(tf.errors.FailedPreconditionError):
                session.run("loss:0", fed)
            assert ": `state`. " in result.findings[0].detail
