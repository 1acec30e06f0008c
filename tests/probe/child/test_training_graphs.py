"""Outputs and inputs of TensorFlow 1 training graphs, against feeding them by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.probe.child.training_graphs import kernel_of, loaded, names, only, trained, weights

pytestmark = pytest.mark.slow
RNG = np.random.default_rng(0)


def test_the_probabilities_are_preferred_to_the_scores(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [None, 6], "x")
    y = v1.placeholder(tf.int64, [None], "y")
    scores = tf.matmul(x, weights(v1, 6, 4))
    tf.nn.softmax(scores, name="probabilities")
    tf.argmax(scores, 1, name="prediction")
    trained(v1, v1.losses.sparse_softmax_cross_entropy(y, scores))
    assert names(loaded(tf, v1)) == (["x"], ["probabilities"])


def test_a_sigmoid_cross_entropy_gives_the_scores(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [None, 6], "x")
    y = v1.placeholder(tf.float32, [None, 4], "y")
    scores = tf.matmul(x, weights(v1, 6, 4), name="scores")
    loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=scores)
    trained(v1, tf.reduce_mean(loss))
    assert names(loaded(tf, v1)) == (["x"], ["scores"])


def test_a_loss_written_by_hand_stops_where_the_labels_enter(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [None, 6], "x")
    y = v1.placeholder(tf.float32, [None, 4], "y")
    output = tf.nn.softmax(tf.matmul(x, weights(v1, 6, 4)) + tf.ones(4), name="output")
    trained(v1, -tf.reduce_sum(y * v1.log(output)))
    assert names(loaded(tf, v1)) == (["x"], ["output"])


def test_the_head_of_another_loss_is_an_output_too(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [None, 6], "x")
    y = v1.placeholder(tf.int64, [None], "y")
    z = v1.placeholder(tf.float32, [None, 1], "z")
    scores = tf.matmul(x, weights(v1, 6, 4), name="scores")
    with v1.variable_scope("age"):
        age = tf.matmul(x, weights(v1, 6, 1), name="out")
    loss = v1.losses.sparse_softmax_cross_entropy(y, scores) + v1.losses.mean_squared_error(z, age)
    trained(v1, loss)
    assert names(loaded(tf, v1)) == (["x"], ["scores", "age/out"])


@pytest.mark.parametrize("batch_first", [True, False])
def test_rows_of_one_sample_are_grouped_only_if_they_follow_each_other(tf, v1, batch_first) -> None:
    x = v1.placeholder(tf.int32, [None, 5], "x")
    y = v1.placeholder(tf.int64, [None], "y")
    hidden = tf.nn.embedding_lookup(v1.get_variable("table", [30, 3]), x)
    hidden = hidden if batch_first else tf.transpose(hidden, [1, 0, 2])
    scores = tf.matmul(tf.reshape(hidden, [-1, 3]), weights(v1, 3, 4), name="scores")
    trained(v1, v1.losses.sparse_softmax_cross_entropy(y, scores))
    model = loaded(tf, v1)
    feed = RNG.integers(0, 30, (4, 5))
    table = model.value(model.variables()["table"])
    rows = table[feed] @ kernel_of(model)
    if batch_first:
        np.testing.assert_allclose(only(model, feed), rows, rtol=1e-4)
        assert model.outputs[0]["shape"] == [None, 5, 4]
    else:
        assert only(model, feed).shape == (20, 4)


def test_an_autoencoder_stops_where_its_input_enters_again(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [None, 6], "x")
    output = tf.tanh(tf.matmul(x, weights(v1, 6, 6)), name="output")
    trained(v1, tf.reduce_mean(tf.square(output - x)))
    assert names(loaded(tf, v1)) == (["x"], ["output"])


def test_batches_of_a_pipeline_are_fed_in_its_place(tf, v1) -> None:
    images = tf.zeros([20, 6])
    queue = v1.train.batch([images], 4, enqueue_many=True)
    scores = tf.matmul(queue, weights(v1, 6, 4), name="scores")
    trained(v1, tf.reduce_mean(tf.square(scores)))
    model = loaded(tf, v1)
    assert model.inputs == [{"name": "batch", "dtype": "float32", "shape": [4, 6]}]
    feed = RNG.random((4, 6), "float32")
    np.testing.assert_allclose(only(model, feed), feed @ kernel_of(model), rtol=1e-5)


def test_of_an_iterator_only_the_elements_that_the_output_needs_are_fed(tf, v1) -> None:
    data = tf.data.Dataset.from_tensors((tf.zeros([4, 6]), tf.zeros([4], tf.int64))).repeat()
    x, y = v1.data.make_one_shot_iterator(data).get_next()
    scores = tf.matmul(x, weights(v1, 6, 4), name="scores")
    trained(v1, v1.losses.sparse_softmax_cross_entropy(y, scores))
    assert names(loaded(tf, v1)) == (["IteratorGetNext"], ["scores"])


@pytest.mark.parametrize("training", [False, True])
def test_values_inside_a_loop_are_no_outputs(tf, v1, training) -> None:
    """They are computed once in each step, and cannot be fetched."""
    x = v1.placeholder(tf.float32, [None, 6], "x")
    y = v1.placeholder(tf.int64, [None], "y")
    inner = weights(v1, 6, 6)

    def step(i, state):
        following = tf.tanh(tf.matmul(state, inner))
        tf.identity(following, name="unread")
        return i + 1, following

    _, state = v1.while_loop(lambda i, _: i < 3, step, [tf.constant(0), x])
    head = v1.get_variable("head", [6, 4], initializer=v1.random_normal_initializer(seed=2))
    scores = tf.matmul(state, head, name="scores")
    if training:
        trained(v1, v1.losses.sparse_softmax_cross_entropy(y, scores))
    model = loaded(tf, v1)
    assert names(model)[1] == ["scores"]
    feed = RNG.normal(size=(4, 6)).astype("float32")
    state = feed
    for _ in range(3):
        state = np.tanh(state @ kernel_of(model))
    expected = state @ model.value(model.variables()["head"])
    feeds = [feed] if len(model.inputs) == 1 else [feed, np.zeros(4, "int64")]
    np.testing.assert_allclose(only(model, *feeds), expected, rtol=1e-4)


def test_an_output_that_only_an_update_by_hand_reads_is_found(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [None, 6], "x")
    following = v1.placeholder(tf.float32, [None, 1], "following")
    w = weights(v1, 6, 1)
    value = tf.sigmoid(tf.matmul(x, w), name="value")
    gradient = tf.gradients(value, w)[0]
    v1.assign_add(w, tf.reduce_sum(following - value) * gradient)
    assert names(loaded(tf, v1)) == (["x"], ["value"])


def test_a_graph_for_inference_keeps_all_its_outputs_and_inputs(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [None, 6], "x")
    z = v1.placeholder(tf.float32, [None, 6], "z")
    tf.matmul(x, weights(v1, 6, 4), name="scores")
    tf.add(x, z, name="sum")
    assert names(loaded(tf, v1)) == (["x", "z"], ["scores", "sum"])
