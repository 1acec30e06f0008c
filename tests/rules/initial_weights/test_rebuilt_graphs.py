"""Copies of a network in one graph of TensorFlow 1, of which the last was trained."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from modelaudit.rules.weights.trained import RULES
from tests.rules.saved import found

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
LEFT = [rule for rule in RULES if rule.code == "MA405"]
SIZES = (24, 40, 56, 5)


def network(tf, x, sizes=SIZES):
    """A network as courses write it: variables without names."""
    for units, after in pairwise(sizes):
        kernel = tf.compat.v1.Variable(tf.random.truncated_normal((units, after), stddev=0.1))
        x = tf.matmul(tf.nn.relu(x), kernel) + tf.compat.v1.Variable(tf.zeros(after))
    return x


def save(tf, path, copies, *, broken, train, sizes=SIZES):
    """Build the network several times; every one has an optimizer, and only one is trained."""
    rng = np.random.default_rng(0)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.set_random_seed(3)
        x = tf.compat.v1.placeholder(tf.float32, (None, sizes[0]))
        y = tf.compat.v1.placeholder(tf.float32, (None, sizes[-1]))
        if broken:
            network(tf, x, sizes[:-1])
        steps = []
        for _ in range(copies):
            loss = tf.reduce_mean((network(tf, x, sizes) - y) ** 2)
            mine = tf.compat.v1.trainable_variables()[-2 * (len(sizes) - 1) :]
            steps.append(tf.compat.v1.train.AdamOptimizer(0.01).minimize(loss, var_list=mine))
        session.run(tf.compat.v1.global_variables_initializer())
        given = rng.normal(size=(256, sizes[0]))
        wanted = np.sin(given[:, : sizes[-1]]) * 3
        for _ in range(400):
            session.run(steps[train], {x: given, y: wanted})
        tf.compat.v1.train.Saver().save(session, str(path))


@pytest.fixture(scope="module")
def tf():
    import tensorflow

    return tensorflow


@pytest.mark.parametrize("broken", [False, True])
def test_an_earlier_copy_is_told_as_one(tf, tmp_path, broken):
    save(tf, tmp_path / "m.ckpt", 2, broken=broken, train=-1)
    (one,) = found(LEFT, tmp_path / "m.ckpt")
    assert one.severity.value == "medium"
    assert "`Variable_4`" in one.detail and "earlier copies" in one.detail
    # What is said of a program that builds the network once: it gets the untrained ones.
    reader = tf.train.load_checkpoint(str(tmp_path / "m.ckpt"))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        network(tf, tf.compat.v1.placeholder(tf.float32, (None, SIZES[0])))
        names = [each.op.name for each in tf.compat.v1.global_variables()]
        if not broken:
            tf.compat.v1.train.Saver().restore(session, str(tmp_path / "m.ckpt"))
            got = session.run(tf.compat.v1.global_variables()[0])
            assert np.array_equal(got, reader.get_tensor("Variable"))
        assert all(reader.get_tensor(name).std() < 0.12 for name in names[::2])


def test_the_first_one_trained_or_a_chain_of_equal_parts_is_no_copy(tf, tmp_path):
    save(tf, tmp_path / "first.ckpt", 2, broken=False, train=0)
    save(tf, tmp_path / "chain.ckpt", 2, broken=False, train=-1, sizes=(24, 40, 24))
    for name in ("first", "chain"):
        told = found(LEFT, tmp_path / f"{name}.ckpt")
        assert told and not any("earlier copies" in each.detail for each in told)
