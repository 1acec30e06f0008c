"""Outputs, inputs and settings of TensorFlow 1 training graphs, against feeding them by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from modelaudit.probe.child.graph_adapters import SessionModel
from modelaudit.probe.child.loading import _endpoints

pytestmark = pytest.mark.slow
RNG = np.random.default_rng(0)
NONE_ASKED = SimpleNamespace(tensors_in=[], tensors_out=[])


@pytest.fixture(scope="module")
def tf():
    return pytest.importorskip("tensorflow")


@pytest.fixture
def v1(tf):
    """TensorFlow 1's functions on a graph of their own, with its control flow and variables."""
    with tf.Graph().as_default():
        v1 = tf.compat.v1
        v1.disable_control_flow_v2()
        v1.set_random_seed(1)
        yield v1
        v1.enable_control_flow_v2()


def weights(v1, *shape):
    return v1.get_variable("w", shape, initializer=v1.random_normal_initializer(seed=1))


def trained(v1, loss):
    v1.train.AdamOptimizer(0.1).minimize(loss)
    v1.train.Saver()


def loaded(tf, v1) -> SessionModel:
    """The graph as the probe sees it, in a session with initialised variables."""
    session = v1.Session()
    session.run(v1.global_variables_initializer())
    inputs, outputs = _endpoints(NONE_ASKED, session.graph)
    return SessionModel(tf, session, inputs, outputs)


def names(model: SessionModel) -> tuple[list[str], list[str]]:
    return [e["name"] for e in model.inputs], [e["name"] for e in model.outputs]


def kernel_of(model: SessionModel) -> np.ndarray:
    return model.value(model.variables()["w"])


def only(model: SessionModel, *feeds) -> np.ndarray:
    (value,) = model.run([*feeds], False).values()
    return value


def old_dropout(tf, v1, x, keep):
    """Dropout as TensorFlow 1.0 to 1.12 wrote it."""
    return v1.div(x, keep) * tf.floor(keep + v1.random_uniform(tf.shape(x)))


@pytest.mark.parametrize("style", ["old", "keep", "rate"])
def test_dropout_is_off_and_labels_are_not_fed(tf, v1, style) -> None:
    x = v1.placeholder(tf.float32, [None, 6], "x")
    y = v1.placeholder(tf.float32, [None, 4], "y")
    p = v1.placeholder(tf.float32, name="p")
    hidden = {
        "old": lambda: old_dropout(tf, v1, x, p),
        "keep": lambda: v1.nn.dropout(x, keep_prob=p),
        "rate": lambda: v1.nn.dropout(x, rate=p),
    }[style]()
    scores = tf.matmul(hidden, weights(v1, 6, 4), name="scores")
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=scores))
    trained(v1, loss)
    model = loaded(tf, v1)
    assert names(model) == (["x"], ["scores"])
    assert [setting.value for setting in model.settings.values()] == [float(style != "rate")]
    feed = RNG.random((5, 6), "float32")
    kernel = kernel_of(model)
    np.testing.assert_allclose(only(model, feed), feed @ kernel, rtol=1e-5)


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


def normalised(tf, v1, x, flag):
    """Batch normalisation that uses the batch's mean and updates a variable if `flag`."""
    stored = v1.get_variable("stored", [6], initializer=v1.ones_initializer(), trainable=False)
    mean = tf.reduce_mean(x, 0)

    def of_batch():
        with tf.control_dependencies([v1.assign(stored, 0.9 * stored + 0.1 * mean)]):
            return tf.identity(mean)

    return x - v1.cond(flag, of_batch, lambda: tf.identity(stored))


@pytest.mark.parametrize("negated", [False, True])
def test_a_flag_takes_the_branch_that_does_not_train(tf, v1, negated) -> None:
    x = v1.placeholder(tf.float32, [None, 6], "x")
    flag = v1.placeholder(tf.bool, name="mode")
    hidden = normalised(tf, v1, x, tf.logical_not(flag) if negated else flag)
    scores = tf.matmul(hidden, weights(v1, 6, 4), name="scores")
    trained(v1, tf.reduce_mean(tf.square(scores)))
    model = loaded(tf, v1)
    assert names(model) == (["x"], ["scores"])
    assert model.settings["mode"].value is negated
    feed = RNG.random((5, 6), "float32")
    np.testing.assert_allclose(only(model, feed), (feed - 1) @ kernel_of(model), rtol=1e-4)


def test_a_flag_of_functional_control_flow_takes_the_branch_without_dropout(tf, v1) -> None:
    v1.enable_control_flow_v2()
    x = v1.placeholder(tf.float32, [None, 6], "x")
    flag = v1.placeholder(tf.bool, [], "inference")
    hidden = v1.cond(flag, lambda: tf.identity(x), lambda: v1.nn.dropout(x, rate=0.5))
    scores = tf.matmul(hidden, weights(v1, 6, 4), name="scores")
    trained(v1, tf.reduce_mean(tf.square(scores)))
    model = loaded(tf, v1)
    assert model.settings["inference"].value is True
    feed = RNG.random((5, 6), "float32")
    np.testing.assert_allclose(only(model, feed), feed @ kernel_of(model), rtol=1e-5)


def test_a_choice_that_does_not_train_is_taken_by_the_flags_name(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [None, 6], "x")
    for name in ("is_training", "is_test"):
        flag = v1.placeholder(tf.bool, [], name)
        x = v1.cond(flag, lambda x=x: 2.0 * x, lambda x=x: 3.0 * x)
    trained(v1, tf.reduce_mean(tf.square(tf.matmul(x, weights(v1, 6, 4)))))
    values = {name: each.value for name, each in loaded(tf, v1).settings.items()}
    assert values == {"is_training": False, "is_test": True}


def test_lengths_and_batch_sizes_follow_the_data(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [None, None, 3], "x")
    lengths = v1.placeholder(tf.int32, [None], "lengths")
    count = v1.placeholder(tf.int32, [], "count")
    used = tf.less(tf.range(tf.shape(x)[1])[None, :], lengths[:, None])
    total = tf.reduce_sum(x * tf.cast(used, tf.float32)[..., None], 1) + tf.zeros([count, 3])
    scores = tf.matmul(total, weights(v1, 3, 2), name="scores")
    trained(v1, tf.reduce_mean(tf.square(scores)))
    model = loaded(tf, v1)
    assert names(model) == (["x"], ["scores"])
    feed = RNG.random((5, 7, 3), "float32")
    wanted = feed.sum(1) @ kernel_of(model)
    np.testing.assert_allclose(only(model, feed), wanted, rtol=1e-4)


def test_a_number_is_a_setting_only_beside_data(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [], "x")
    tf.multiply(x, 2.0, name="double")
    assert names(loaded(tf, v1)) == (["x"], ["double"])
    y = v1.placeholder(tf.float32, [None, 3], "y")
    tf.multiply(v1.placeholder(tf.float32, [], "heat"), y, name="scaled")
    model = loaded(tf, v1)
    assert [entry["name"] for entry in model.inputs] == ["y"]
    assert {name: each.value for name, each in model.settings.items()} == {"heat": 1.0}


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


def test_a_default_is_kept_unless_it_is_training(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [None, 6], "x")
    scale = v1.placeholder_with_default(tf.constant([2.0]), [1], "scale")
    keep = v1.placeholder_with_default(0.5, [], "keep")
    hidden = v1.nn.dropout(scale * x, keep_prob=keep)
    scores = tf.matmul(hidden, weights(v1, 6, 4), name="scores")
    trained(v1, tf.reduce_mean(tf.square(scores)))
    model = loaded(tf, v1)
    assert names(model) == (["x"], ["scores"])
    feed = RNG.random((5, 6), "float32")
    np.testing.assert_allclose(only(model, feed), 2 * feed @ kernel_of(model), rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "use"),
    [
        ([None, 6], lambda tf, x, w: tf.matmul(x, w(6, 4))),
        ([None, 12], lambda tf, x, w: tf.reshape(x - 0.5, [-1, 2, 6]) @ w(1, 6, 4)),
        (
            [None, None, None, 3],
            lambda tf, x, w: tf.nn.conv2d(x / 255.0, w(3, 3, 3, 4), 1, "SAME"),
        ),
        (
            [None, None, None],
            lambda tf, x, w: tf.nn.conv2d(tf.expand_dims(x, -1), w(3, 3, 1, 4), 1, "SAME"),
        ),
    ],
)
def test_an_unknown_shape_follows_from_what_reads_it(tf, v1, shape, use) -> None:
    x = v1.placeholder(tf.float32, name="x")
    output = use(tf, x, lambda *sizes: weights(v1, *sizes))
    trained(v1, tf.reduce_mean(tf.square(output)))
    model = loaded(tf, v1)
    assert model.inputs[0]["shape"] == shape
    assert any("'x'" in note for note in model.notes)


def test_a_table_limits_the_integers_that_index_it(tf, v1) -> None:
    x = v1.placeholder(tf.int32, name="x")
    table = v1.get_variable("table", [30, 5])
    hidden = tf.reduce_mean(tf.nn.embedding_lookup(table, x), 1)
    scores = tf.matmul(hidden, weights(v1, 5, 4))
    trained(v1, tf.reduce_mean(tf.square(scores)))
    (entry,) = loaded(tf, v1).inputs
    assert (entry["shape"], entry["below"]) == ([None, None], 30)


def test_a_size_that_no_shape_shows_is_found_by_running(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [None, None, None, 1], "x")
    flat = tf.reshape(x, [-1, 28 * 28])
    trained(v1, tf.reduce_mean(tf.square(tf.matmul(flat, weights(v1, 784, 4)))))
    model = loaded(tf, v1)
    assert model.inputs[0]["shape"] == [None, 28, 28, 1]
    assert "28 x 28" in model.notes[-1]


def test_any_size_is_left_open_where_all_run(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [None, None, None, 1], "x")
    pooled = tf.reduce_mean(tf.nn.conv2d(x, weights(v1, 3, 3, 1, 4), 1, "SAME"), [1, 2])
    trained(v1, tf.reduce_mean(tf.square(pooled)))
    model = loaded(tf, v1)
    assert model.inputs[0]["shape"] == [None, None, None, 1]
    assert model.notes == []


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
