"""Checkpoints that TensorFlow wrote, and the same with other keys, shapes or optimizer states."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from modelaudit.findings import Severity
from modelaudit.formats.checkpoint.reader import read_checkpoint
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits
from tests.made.training import train

pytestmark = pytest.mark.slow

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def found(path, code):
    return run_rule(rule(code), Facts(read_checkpoint(path, Limits()))).findings


def edited(tf, source, target, change):
    """A copy of a checkpoint after a change of its tensors and its object graph."""
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    reader = tf.train.load_checkpoint(os.fspath(source))
    tensors = {key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()}
    graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(tensors[GRAPH])
    change(tensors, graph)
    tensors[GRAPH] = graph.SerializeToString()
    tf.raw_ops.SaveV2(
        prefix=os.fspath(target),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.constant(value) for value in tensors.values()],
    )
    return target


@pytest.fixture(scope="module")
def trained(keras, tf, tmp_path_factory):
    """A Keras 3 model and its optimizer, under which the keys of the weights are."""
    path = tmp_path_factory.mktemp("trained") / "model.ckpt"
    of = keras.layers
    model = keras.Sequential([keras.Input((6,)), of.Dense(6), of.LayerNormalization(), of.Dense(6)])
    model.compile("adam", "mse")
    train(model, np.ones((8, 6)), np.zeros((8, 6)), steps=1)
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(os.fspath(path))
    return path


def exchange(one, other):
    turned = {
        f"{a}/.ATTRIBUTES/VARIABLE_VALUE": f"{b}/.ATTRIBUTES/VARIABLE_VALUE"
        for a, b in ((one, other), (other, one))
    }

    def change(tensors, graph):
        assert turned.keys() <= tensors.keys()
        for node in graph.nodes:
            for attribute in node.attributes:
                key = attribute.checkpoint_key
                attribute.checkpoint_key = turned.get(key, key)

    return change


def test_exchanged_keys_are_named(tf, trained, tmp_path):
    assert found(trained, "MA123") == ()
    pair = ("optimizer/_trainable_variables/0", "optimizer/_trainable_variables/4")
    copy = edited(tf, trained, tmp_path / "model.ckpt", exchange(*pair))
    assert {each.location.route for each in found(copy, "MA123")} == set(pair)
    assert all(each.severity is Severity.HIGH for each in found(copy, "MA123"))


def test_names_with_dots_and_slashes_lead_to_their_variables(tf, tmp_path):
    root = tf.train.Checkpoint()
    for name in ("a.b", "a..b", "c/d", "c.Sd", "c..Sd", "plain"):
        root._track_trackable(tf.Variable([1.0, 2.0]), name)
    root.write(os.fspath(tmp_path / "named"))
    assert found(tmp_path / "named", "MA123") == ()
    copy = edited(tf, tmp_path / "named", tmp_path / "turned", exchange("c.Sd", "plain"))
    assert len(found(copy, "MA123")) == 2


def test_a_save_without_a_manager_lists_itself_alone(tf, tmp_path):
    root = tf.train.Checkpoint(a=tf.Variable([1.0, 2.0]))
    first, last = (root.save(os.fspath(tmp_path / "ckpt")) for _ in range(2))
    assert tf.train.get_checkpoint_state(tmp_path).all_model_checkpoint_paths == [last]
    (finding,) = found(Path(first), "MA116")
    assert finding.severity is Severity.LOW
    assert found(Path(last), "MA116") == ()
    # `latest_checkpoint` finds the first save, not the one that is audited.
    tf.compat.v1.train.update_checkpoint_state(os.fspath(tmp_path), first)
    assert tf.train.latest_checkpoint(tmp_path) == first
    (finding,) = found(Path(last), "MA116")
    assert finding.severity is Severity.MEDIUM
    # Another series beside it, whatever its numbers are, and a save that the list dropped.
    other = root.write(os.fspath(tmp_path / "ckpt_17-9"))
    dropped = root.write(os.fspath(tmp_path / "ckpt-0"))
    listed = [first, last]
    tf.compat.v1.train.update_checkpoint_state(os.fspath(tmp_path), last, listed)
    for path in (other, dropped):
        (finding,) = found(Path(path), "MA116")
        assert finding.severity is Severity.LOW
    tf.compat.v1.train.update_checkpoint_state(os.fspath(tmp_path), first, [last, first])
    later = root.write(os.fspath(tmp_path / "ckpt-3"))
    (finding,) = found(Path(later), "MA116")
    assert finding.severity is Severity.MEDIUM
    # Saves of a callback, and one at the end of training.
    final = root.write(os.fspath(tmp_path / "ckpt"))
    tf.compat.v1.train.update_checkpoint_state(os.fspath(tmp_path), final)
    (finding,) = found(Path(last), "MA116")
    assert finding.severity is Severity.LOW


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_lost_state_of_the_optimizer_is_named(tf, trained, tmp_path, share):
    def change(tensors, graph):
        state = sorted(key for key in tensors if "optimizer/_variables" in key)
        lost = set(state[: int(len(state) * share)])
        for key in lost:
            del tensors[key]
        for node in graph.nodes:
            if any(attribute.checkpoint_key in lost for attribute in node.attributes):
                del node.attributes[:]

    assert found(trained, "MA424") == ()
    (finding,) = found(edited(tf, trained, tmp_path / "model.ckpt", change), "MA424")
    assert finding.severity is Severity.LOW
    assert "no value for" in finding.detail


def test_a_variable_of_another_shape_than_in_the_graph_of_tensorflow_1(tf, tmp_path):
    v1 = tf.compat.v1

    def save(path, columns, *, graph):
        with tf.Graph().as_default(), v1.Session() as session:
            v1.get_variable("a", (3, columns))
            session.run(v1.global_variables_initializer())
            v1.train.Saver().save(session, os.fspath(path), write_meta_graph=graph)
        return path

    sound = save(tmp_path / "model.ckpt", 4, graph=True)
    assert found(sound, "MA417") == ()
    save(sound, 5, graph=False)
    (finding,) = found(sound, "MA417")
    assert "[3, 4] expected, [3, 5] stored" in finding.detail
    assert finding.severity is Severity.HIGH


def test_variables_that_a_graph_of_tensorflow_1_does_not_train(tf, tmp_path):
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("trained/kernel", (3, 4))
        v1.get_variable("frozen/kernel", (3, 4), trainable=False)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, os.fspath(tmp_path / "model.ckpt"))
    artifact = read_checkpoint(tmp_path / "model.ckpt", Limits())
    assert artifact.graphs[0].trainable == ("trained/kernel",)
