"""Shapes and values that the inputs of TensorFlow 1 graphs take."""

from __future__ import annotations

import pytest

from tests.probe.child.test_encoded_inputs import saved
from tests.probe.child.training_graphs import loaded, trained, weights

pytestmark = pytest.mark.slow


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


@pytest.mark.parametrize(("fixed", "shape"), [(4, [4, 6, 3]), (None, [None, 6, 3])])
def test_a_recurrent_state_for_one_batch_size_fixes_that_of_the_inputs(
    tf, v1, fixed, shape
) -> None:
    x = v1.placeholder(tf.float32, [None, 6, 3], "x")
    state = tf.zeros([fixed, 5]) if fixed else tf.zeros([tf.shape(x)[0], 5])
    kernel = weights(v1, 8, 5)
    for step in range(2):
        state = tf.tanh(tf.matmul(tf.concat([x[:, step], state], 1), kernel))
    trained(v1, tf.reduce_mean(tf.square(state)))
    model = loaded(tf, v1)
    assert model.inputs[0]["shape"] == shape
    assert any("4 samples at a time" in note for note in model.notes) is bool(fixed)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("looked_up", [True, False])
def test_a_table_inside_a_function_limits_what_a_signature_takes(
    tf, tmp_path, dtype, looked_up
) -> None:
    """Token ids can be typed as floats, which the function casts."""

    @tf.function
    def inner(module, x):
        rows = tf.cast(x, tf.int32)
        return tf.gather(module.w, rows) if looked_up else tf.cast(rows, tf.float32)

    spec = tf.TensorSpec([None, 7], dtype, "tokens")
    (entry,) = saved(tf, tmp_path, inner, spec).inputs
    assert entry.get("below") == (5 if looked_up else None)
