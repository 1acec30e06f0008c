"""Settings of TensorFlow 1 training graphs, against feeding them by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.probe.child.training_graphs import kernel_of, loaded, names, only, trained, weights

pytestmark = pytest.mark.slow
RNG = np.random.default_rng(0)


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


def normalised(tf, v1, x, flag):
    """Batch normalization that uses the batch's mean and updates a variable if `flag`."""
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
    np.testing.assert_allclose(only(model, feed), feed @ kernel_of(model), rtol=1e-5, atol=1e-6)


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


def test_a_length_also_selects_the_last_step(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [None, None, 3], "x")
    lengths = v1.placeholder(tf.int32, [None], "lengths")
    used = tf.less(tf.range(tf.shape(x)[1])[None, :], lengths[:, None])
    kept = x * tf.cast(used, tf.float32)[..., None]
    rows = tf.range(tf.shape(x)[0]) * tf.shape(x)[1] + lengths - 1
    last = tf.gather(tf.reshape(kept, [-1, 3]), rows)
    scores = tf.matmul(last, weights(v1, 3, 2), name="scores")
    trained(v1, tf.reduce_mean(tf.square(scores)))
    model = loaded(tf, v1)
    assert names(model) == (["x"], ["scores"])
    feed = RNG.random((5, 7, 3), "float32")
    np.testing.assert_allclose(only(model, feed), feed[:, -1] @ kernel_of(model), rtol=1e-4)


def test_a_temperature_of_unknown_rank_is_one(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [None, 6], "x")
    logits = tf.matmul(x, weights(v1, 6, 4))
    scaled = tf.divide(logits, v1.placeholder(tf.float32, None, "temperature"), name="scaled")
    tf.nn.softmax(scaled, name="probabilities")
    model = loaded(tf, v1)
    assert {name: each.value for name, each in model.settings.items()} == {"temperature": 1.0}
    assert names(model) == (["x"], ["probabilities"])


def test_a_number_is_a_setting_only_beside_data(tf, v1) -> None:
    x = v1.placeholder(tf.float32, [], "x")
    tf.multiply(x, 2.0, name="double")
    assert names(loaded(tf, v1)) == (["x"], ["double"])
    y = v1.placeholder(tf.float32, [None, 3], "y")
    tf.multiply(v1.placeholder(tf.float32, [], "heat"), y, name="scaled")
    model = loaded(tf, v1)
    assert [entry["name"] for entry in model.inputs] == ["y"]
    assert {name: each.value for name, each in model.settings.items()} == {"heat": 1.0}


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
    np.testing.assert_allclose(only(model, feed), 2 * feed @ kernel_of(model), rtol=1e-5, atol=1e-6)
