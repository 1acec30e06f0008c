"""Operations that stop gradients or mix the inputs of a batch, and unused inputs, as saved."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.architecture import dead_ends
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings
from tests.made.training import train
from tests.rules.saved import codes, found

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
RULES = dead_ends.RULES


def graphs(k, operations):
    """Expected findings and a network, for the operations of Keras 3 or of TensorFlow."""
    layers = k.layers

    def between(operation):
        given = layers.Input((6,))
        x = layers.Dense(8, activation="relu")(given)
        x = operation(layers.Dense(8)(x))
        return k.Model(given, layers.Dense(3, activation="softmax")(x))

    def beside(operation):
        """What the operation gives weights the values, which have a way of their own."""
        given = layers.Input((6,))
        x = layers.Dense(8)(given)
        return k.Model(given, layers.Dense(3)(layers.Multiply()([x, operation(x)])))

    def frozen():
        given = layers.Input((6,))
        x = layers.Dense(8, trainable=False)(given)
        return k.Model(given, layers.Dense(3)(operations["sign"](x)))

    def behind():
        given = layers.Input((6,))
        scores = layers.Dense(3, activation="softmax")(given)
        return k.Model(given, operations["argmax"](scores))

    def inputs(*used):
        given = [layers.Input((4,), name="first"), layers.Input((5,), name="second")]
        x = layers.Concatenate()([given[i] for i in used]) if len(used) > 1 else given[used[0]]
        model = k.Model(given, layers.Dense(2)(x))
        model.compile("sgd", "mse")
        return model

    stops = [("MA332", "medium")]
    mixes = [("MA333", "medium")]
    return [
        *((stops, between(operations[name])) for name in ("round", "sign", "greater")),
        ([("MA332", "low")], between(operations["stop"])),
        ([], between(operations["relu"])),
        ([], beside(operations["greater"])),
        ([], frozen()),
        ([], behind()),
        (mixes, between(operations["mean"])),
        (mixes, between(operations["scrambled"])),
        ([], between(operations["reshaped"])),
        ([("MA333", "low")], beside(operations["mean"])),
        ([("MA334", "medium")], inputs(0)),
        ([], inputs(0, 1)),
    ]


def of_keras_3(keras):
    ops = keras.ops
    return {
        "round": ops.round,
        "sign": ops.sign,
        "greater": lambda x: ops.cast(ops.greater(x, 0.0), "float32"),
        "stop": ops.stop_gradient,
        "relu": ops.relu,
        "argmax": lambda x: ops.argmax(x, axis=-1),
        "mean": lambda x: ops.mean(x, axis=0, keepdims=True),
        "scrambled": lambda x: ops.reshape(ops.transpose(x), (-1, 8)),
        "reshaped": lambda x: ops.reshape(x, (-1, 8)),
    }


def of_tensorflow(tf):
    return {
        "round": tf.round,
        "sign": tf.sign,
        "greater": lambda x: tf.cast(tf.greater(x, 0.0), tf.float32),
        "stop": tf.stop_gradient,
        "relu": tf.nn.relu,
        "argmax": lambda x: tf.argmax(x, axis=-1),
        "mean": lambda x: tf.reduce_mean(x, axis=0, keepdims=True),
        "scrambled": lambda x: tf.reshape(tf.transpose(x), (-1, 8)),
        "reshaped": lambda x: tf.reshape(x, (-1, 8)),
    }


def test_of_keras_3(tmp_path):
    import keras

    for wanted, model in graphs(keras, of_keras_3(keras)):
        assert codes(RULES, model, tmp_path, ("keras",)) == wanted


def test_of_tf_keras(tmp_path):
    import tensorflow as tf
    import tf_keras

    for wanted, model in graphs(tf_keras, of_tensorflow(tf)):
        assert codes(RULES, model, tmp_path, ("h5",)) == wanted


@pytest.mark.parametrize(("loss", "severity"), [("mse", "medium"), ("own", "low"), (None, "low")])
def test_a_loss_of_the_authors_own_may_use_an_input(tmp_path, loss, severity):
    """As that of PPO does, in a closure over the tensors of two inputs."""
    import keras

    given = [keras.Input((4,), name="state"), keras.Input((1,), name="advantage")]
    model = keras.Model(given, keras.layers.Dense(2, name="policy")(given[0]))
    if loss is not None:
        own = loss == "own"
        model.compile("adam", (lambda y, p: keras.ops.mean(y * p)) if own else loss)
    assert codes(RULES, model, tmp_path, ("keras",)) == [("MA334", severity)]


def honest(keras):
    """Networks whose operations keep the inputs apart, or come after training."""
    layers, ops = keras.layers, keras.ops
    given = layers.Input((5, 6))
    row = layers.Input((6,))
    heads = [layers.Dense(4)(layers.Flatten()(given)) for _ in range(3)]
    many = [layers.Input((2,), name=f"in{n}") for n in range(70)]
    shared = layers.Dense(1)
    normal = layers.Normalization()
    normal.adapt(np.random.default_rng(0).normal(size=(50, 6)))
    yield given, layers.Dense(2)(ops.mean(ops.transpose(given, (1, 0, 2)), axis=0))
    yield given, layers.Dense(2)(ops.sum(ops.moveaxis(given, 1, 0), axis=0))
    yield given, ops.mean(ops.stack(heads, axis=0), axis=0)
    flat = ops.reshape(ops.transpose(given, (1, 0, 2)), (-1, 6))
    yield given, ops.transpose(ops.reshape(layers.Dense(4)(flat), (5, -1, 4)), (1, 0, 2))
    yield row, layers.Dense(2)(ops.floor(normal(row)))
    yield many, layers.Concatenate()([shared(each) for each in many])
    one = layers.Input(batch_shape=(1, 6))
    yield one, layers.Dense(2)(ops.mean(one, axis=0, keepdims=True))


def test_honest_models(tmp_path):
    import keras

    for number, (given, output) in enumerate(honest(keras)):
        model = keras.Model(given, output)
        model.compile("sgd", "mse")
        assert codes(RULES, model, tmp_path, ("keras",)) == [], number


def test_weights_that_were_trained_before_the_operation_was_put_there(tmp_path):
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    given = layers.Input((6,))
    hidden = layers.Dense(64, activation="tanh")(given)
    first = keras.Model(given, layers.Dense(8)(hidden))
    rows = np.random.default_rng(1).normal(size=(256, 6)).astype("float32")
    first.compile(keras.optimizers.Adam(0.05), "mse")
    train(first, rows, np.sin(2 * rows[:, :1]) * np.ones((1, 8), "float32"), epochs=30)
    model = keras.Model(given, layers.Dense(3)(keras.ops.sign(first.output)))
    assert codes(RULES, model, tmp_path, ("keras",)) == [("MA332", "info")]


@pytest.mark.parametrize("operation", ["argmax", "round", "sign"])
def test_an_answer_without_a_gradient_that_a_loss_judges(tmp_path, operation):
    """Compiled alone it cannot be trained; compiled without a loss, it only forms the answer."""
    import keras

    layers, ops = keras.layers, keras.ops
    given = layers.Input((6,))
    hidden = layers.Dense(64, activation="tanh")(given)
    scores = layers.Dense(3, activation="sigmoid")(hidden)
    answer = {"argmax": ops.argmax, "round": ops.round, "sign": ops.sign}[operation]
    model = keras.Model(given, ops.cast(answer(scores), "float32"))
    assert codes(RULES, model, tmp_path, ("keras",)) == []
    model.compile("sgd", "mse")
    assert codes(RULES, model, tmp_path, ("keras",)) == [("MA332", "medium")]
    both = keras.Model(given, [answer(scores), scores])
    both.compile("sgd", ["mse", "binary_crossentropy"])
    assert codes(RULES, both, tmp_path, ("keras",)) == []
    # The scores were trained before the answer was formed of them.
    first = keras.Model(given, scores)
    rows = np.random.default_rng(1).normal(size=(256, 6)).astype("float32")
    first.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    train(first, rows, (np.sin(2 * rows[:, :1]) * np.ones((1, 3)) > 0).astype("f4"), epochs=30)
    assert codes(RULES, model, tmp_path, ("keras",)) == [("MA332", "info")]


def test_what_the_rules_say_is_so():
    """Keras itself: no gradient passes, and a mean over the batch gives all inputs one answer."""
    import keras
    import tensorflow as tf

    cases = graphs(keras, of_keras_3(keras))
    rows = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")
    for wanted, model in cases[:5]:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(model(rows)[:, 0])
        first = tape.gradient(total, model.trainable_variables[0])
        stopped = first is None or not np.abs(first).max()
        assert stopped == bool(wanted)
    mean = cases[8][1]
    assert mean(rows).shape[0] == 1
    scrambled = cases[9][1]
    alone = np.concatenate([scrambled(rows[i : i + 1]) for i in range(5)])
    assert np.abs(alone - scrambled(rows)).max() > 0.01


def test_two_outputs_behind_one_mean_are_told_once_and_names_decide_nothing(tmp_path):
    import keras

    given = keras.Input((6,))
    x = keras.ops.mean(keras.layers.Dense(4)(given), axis=0, keepdims=True)
    model = keras.Model(given, [keras.layers.Dense(2)(x), keras.layers.Dense(3)(x)])
    assert codes(RULES, model, tmp_path, ("keras",)) == [("MA333", "medium")]
    turned = keras.src.ops.numpy.Transpose(name="overlap")(keras.layers.Dense(8)(given))
    output = keras.layers.Dense(2)(keras.ops.reshape(turned, (-1, 8)))
    keras.Model(given, output).save(tmp_path / "named.keras")
    (said,) = found(RULES, tmp_path / "named.keras")
    assert "the same for all" not in said.detail


def test_what_an_export_shows(tmp_path):
    import keras

    layers, ops = keras.layers, keras.ops

    def judged(name, inputs, outputs):
        path = tmp_path / name
        keras.Model(inputs, outputs).export(path, verbose=False)
        facts = static_facts(path, Settings())
        results = (run_rule(each, facts) for each in RULES)
        return [(x.code, str(x.severity)) for result in results for x in result.findings]

    def row(operation):
        given = layers.Input((6,))
        x = layers.Dense(8)(layers.Dense(8, activation="relu")(given))
        return given, layers.Dense(3, activation="softmax")(operation(x))

    assert judged("floor", *row(ops.floor)) == [("MA332", "low")]
    assert judged("beside", *row(lambda x: x + ops.floor(x))) == []
    given, scores = row(ops.relu)
    assert judged("decision", given, ops.argmax(scores)) == []
    # An input that nothing takes, and one that gives a state alone.
    one, other = layers.Input((6,), name="one"), layers.Input((4, 5), name="other")
    assert judged("unused", [one, other], layers.Dense(3)(one)) == [("MA334", "low")]
    state = layers.Dense(7)(one)
    states = layers.LSTM(7)(other, initial_state=[state, state])
    assert judged("states", [one, other], layers.Dense(3)(states)) == []
