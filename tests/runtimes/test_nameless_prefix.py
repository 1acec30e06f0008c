"""Checkpoints whose prefix ends in a slash: TensorFlow decides which calls read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Settings


def _saved(prefix: str) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("w", (3, 2))
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, prefix, write_state=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["", "model"])
def test_load_checkpoint_takes_a_prefix_with_a_slash_for_a_directory(
    tmp_path: Path, name: str
) -> None:
    import tensorflow as tf

    folder = tmp_path / "models"
    folder.mkdir()
    prefix = f"{folder}/{name}"
    _saved(prefix)
    loads = True
    try:
        tf.train.load_checkpoint(prefix)
    except ValueError:
        loads = False
    assert loads is bool(name)
    facts = static_facts(folder / name if name else folder, Settings())
    (found,) = predict(facts.artifact, ["tf==2.21.0"])
    assert (found.predicted is LoadOutcome.LOADS) is loads
    assert not run_rule(rule("MA220"), facts).findings  # Saver.restore reads it
    if not loads:
        (reason,) = found.because
        assert "model.index" in reason.fix
        for path in folder.iterdir():
            path.rename(path.with_name(f"model{path.name}"))
        assert tf.train.load_checkpoint(f"{folder}/model").has_tensor("w")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["", "model"])
def test_a_copy_needs_a_prefix_with_a_name(tmp_path: Path, name: str) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    folder = tmp_path / "models"
    model = tf_keras.Sequential([tf_keras.Input((3,)), tf_keras.layers.Dense(2)])
    model.save_weights(f"{folder}/{name}", save_format="tf")
    facts = static_facts(folder / name if name else folder, Settings())
    (found,) = run_rule(rule("MA221"), facts).findings
    assert "load_checkpoint" in found.fix
    assert ("rename `.index`" in found.fix) is not bool(name)
