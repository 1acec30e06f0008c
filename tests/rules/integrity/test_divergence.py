"""MA111: which cause comes first where no layer is left finite, by optimizer and loss."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.integrity.non_finite import RULES
from tests.made.training import train
from tests.rules.saved import found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
UNSCALED = 1000.0


def data(scale=1.0):
    draw = np.random.default_rng(3)
    x = draw.normal(size=(96, 6)).astype("float32") * scale
    return x, (x.sum(axis=1, keepdims=True) * scale).astype("float32")


def trained(keras, optimizer, *, x, y, loss="mse", last="linear", steps=40):
    layers = keras.layers
    hidden = layers.Dense(16, activation="relu"), layers.Dense(1, activation=last)
    made = sequential(keras, (6,), *hidden, loss=loss, optimizer=optimizer)
    return train(made, x, y, steps=steps)


def is_finite(model):
    return all(np.isfinite(each).all() for each in model.get_weights())


def advice(model, path):
    """Detail and advice of the finding on the weights, which is the same in both formats."""
    said = []
    for suffix in ("keras", "h5"):
        model.save(path / f"m.{suffix}")
        all_found = found(RULES, path / f"m.{suffix}")
        (only,) = [each for each in all_found if str(each.severity) == "high"]
        said.append((only.detail.partition(": ")[2].partition(". ")[2], only.fix))
    assert said[0] == said[1]
    return said[0]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_plain_descent_diverges_and_the_advised_optimizer_does_not(keras, tmp_path, momentum):
    x, y = data(UNSCALED)
    model = trained(keras, keras.optimizers.SGD(0.02, momentum=momentum), x=x, y=y)
    assert not is_finite(model)
    said, fix = advice(model, tmp_path)
    assert "SGD at a rate of 0.02," in said and "too large for the scale" in said
    assert fix.index("learning rate") < fix.index("labels for NaN")
    assert "keras.optimizers.SGD(0.002, clipnorm=1.0)" in fix
    assert is_finite(trained(keras, keras.optimizers.SGD(0.002, clipnorm=1.0), x=x, y=y))


def test_steps_of_adam_do_not_grow_and_a_label_that_is_no_number_comes_first(keras, tmp_path):
    x, y = data(UNSCALED)
    assert is_finite(trained(keras, keras.optimizers.Adam(0.001), x=x, y=y))
    x, y = data()
    y[5] = np.nan
    model = trained(keras, keras.optimizers.Adam(0.001), x=x, y=y)
    assert not is_finite(model)
    said, fix = advice(model, tmp_path)
    assert "Adam at a rate of 0.001" in said and "not finite come first" in said
    assert fix.index("labels for NaN") < fix.index("learning rate")


def test_a_rate_far_above_the_usual_ones_comes_first(keras, tmp_path):
    x, y = data(UNSCALED)
    model = trained(keras, keras.optimizers.SGD(200.0), x=x, y=y)
    assert not is_finite(model)
    said, fix = advice(model, tmp_path)
    assert "far above the usual ones" in said and "default learning rate" in fix


def test_a_logarithm_of_the_program_s_own_loss(keras, tmp_path):
    def product(y_true, y_pred):
        return -keras.ops.mean(y_true * keras.ops.log(y_pred))

    x, y = data()
    own = {"x": x, "y": abs(y), "loss": product, "last": "relu"}
    model = trained(keras, keras.optimizers.Adam(0.001), **own)
    assert not is_finite(model)
    said, fix = advice(model, tmp_path)
    assert "a loss that are not finite" in said
    assert "the loss product divides by nothing that can be 0" in fix


def test_nothing_is_said_where_steps_were_limited_or_a_layer_is_finite(keras, tmp_path):
    x, y = data()
    y[5] = np.nan
    model = trained(keras, keras.optimizers.SGD(0.01, clipnorm=1.0), x=x, y=y)
    assert not is_finite(model)
    assert advice(model, tmp_path)[0] == ""
    x, y = data()
    model = trained(keras, keras.optimizers.SGD(0.01), x=x, y=y)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel * np.nan, bias])
    said, fix = advice(model, tmp_path)
    assert said == "" and "check the inputs and labels for NaN, scale both" in fix


@pytest.mark.parametrize("large", [True, False])
def test_a_small_rate_of_plain_descent_leaves_open_which(keras, tmp_path, large):
    """Inputs that are far too large and a label that is no number leave the same file."""
    x, y = data(UNSCALED if large else 1.0)
    if not large:
        y[5] = np.nan
    model = trained(keras, keras.optimizers.SGD(0.001), x=x, y=y)
    assert not is_finite(model)
    said, fix = advice(model, tmp_path)
    assert "does not tell which" in said and "comes first" not in said
    assert fix.index("labels for NaN") < fix.index("scale of about 1")
    assert "keras.optimizers.SGD(0.001, clipnorm=1.0)" in fix


@pytest.mark.parametrize("beyond", [False, True])
def test_numbers_of_classes_without_a_unit_come_first(keras, tmp_path, beyond):
    """XLA gives NaN for them, where the processor alone would raise an error."""
    x, _ = data()
    layers = keras.layers
    hidden = layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax", name="out")
    model = sequential(keras, (6,), *hidden, loss="sparse_categorical_crossentropy")
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=True)
    y = np.arange(len(x)) % (6 if beyond else 3)
    model.fit(x, y, epochs=2, verbose=0)
    assert is_finite(model) is not beyond
    if not beyond:
        return
    said, fix = advice(model, tmp_path)
    assert "labels outside 0 to 2 come first" in said and "3 units of `out`" in said
    assert fix.index("all labels are from 0 to 2") < fix.index("labels for NaN")
    code = next(line for line in fix.splitlines() if "keras.layers.Dense(K" in line)
    advised = eval(code, {"keras": keras, "K": 6})
    trained = sequential(keras, (6,), hidden[0], advised, loss="sparse_categorical_crossentropy")
    trained.compile("adam", "sparse_categorical_crossentropy", jit_compile=True)
    hidden[0].set_weights([np.full(each.shape, 0.1) for each in hidden[0].get_weights()])
    trained.fit(x, y, epochs=2, verbose=0)
    assert is_finite(trained)


@pytest.mark.parametrize("beyond", [True, False])
def test_labels_beyond_a_sigmoid_come_first(keras, tmp_path, beyond):
    """Sizes of about 50 under a binary cross-entropy; gradients of 0 and 1 have a limit."""
    x, y = data(50.0)
    sizes = 50 + y / y.std() if beyond else (y > 0).astype("float32")
    rate = keras.optimizers.SGD(0.01)
    model = trained(
        keras, rate, x=x, y=sizes, loss="binary_crossentropy", last="sigmoid", steps=300
    )
    assert is_finite(model) is not beyond
    if not beyond:
        return
    said, fix = advice(model, tmp_path)
    assert said.index("labels beyond 0 to 1 come first") < said.index("learning rate that is too")
    assert fix.index("all labels are from 0 to 1") < fix.index("smaller learning rate")
    assert 'activation="linear"' in fix and "mean_squared_error" in fix


@pytest.mark.parametrize("kind", ["relu", "exponential"])
def test_layers_that_give_no_numbers_come_first(keras, tmp_path, kind):
    """Outputs that are all 0 by their sum, exponentials beyond float32, and the advised twin."""
    x, _ = data(4.0)
    y = np.eye(3, dtype="float32")[np.arange(len(x)) % 3]

    def made(hidden, last):
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Dense(8, hidden) for _ in range(4 if hidden else 0)]
        layers.append(keras.layers.Dense(3, last))
        model = sequential(keras, (6,), *layers, loss="categorical_crossentropy")
        return train(model, x, y, steps=60)

    model = made("", "relu") if kind == "relu" else made("exponential", "softmax")
    assert not is_finite(model)
    said, fix = advice(model, tmp_path)
    assert {"relu": "0 / 0, which comes first", "exponential": "sums above 88"}[kind] in said
    assert fix.index({"relu": "a softmax", "exponential": '"relu"'}[kind]) < fix.index("for NaN")
    assert is_finite(made("relu", "softmax"))


def test_a_root_in_a_layer_of_the_program_is_named(keras, tmp_path):
    def product(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred))

    x, y = data()
    x[5] = 0
    layers, ops = keras.layers, keras.ops
    size = layers.Lambda(ops.square), layers.Lambda(ops.sqrt)  # without a slope at 0
    hidden = layers.Dense(16), *size, layers.Dense(1)
    made = sequential(keras, (6,), *hidden, loss=product, optimizer=keras.optimizers.Adam(0.001))
    model = train(made, x, y, steps=40)
    assert not is_finite(model)
    _, fix = advice(model, tmp_path)
    assert "no layer or loss of the program's own (the loss product is one)" in fix
    assert "logarithm or root" in fix


def test_steps_without_a_limit_in_float16(keras, tmp_path):
    def made(epsilon, policy="float16"):
        kept = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            layers = keras.layers
            hidden = [layers.Dense(32, activation="relu") for _ in range(4)]
            optimizer = keras.optimizers.Adam(0.001, epsilon=epsilon)
            x, y = data()
            model = sequential(
                keras, (6,), *hidden, layers.Dense(1), loss="mse", optimizer=optimizer
            )
            return train(model, x, 0.1 * y, steps=180)
        finally:
            keras.config.set_dtype_policy(kept)

    model = made(1e-7)
    assert not is_finite(model)
    said, fix = advice(model, tmp_path)
    assert "float16" in said and "come first" in said and "1e-07" in said
    assert fix.index("mixed_float16") < fix.index("epsilon=1e-4") < fix.index("labels for NaN")
    assert is_finite(made(1e-4))
    assert is_finite(made(1e-7, "mixed_float16"))


def test_a_state_without_a_limit_comes_before_inputs_and_labels(keras, tmp_path):
    """All inputs and labels are finite, and so is the state with the default activation."""
    draw = np.random.default_rng(5)
    x = draw.normal(size=(64, 200, 4)).astype("float32")
    y = draw.integers(0, 2, (64, 1)).astype("float32")

    def made(applied):
        layers = keras.layers
        wide = keras.initializers.RandomNormal(stddev=0.7, seed=7)
        state = layers.SimpleRNN(24, activation=applied, recurrent_initializer=wide)
        stack = state, layers.Dense(1, activation="sigmoid")
        rate = keras.optimizers.Adam(0.001)
        return sequential(keras, (200, 4), *stack, loss="binary_crossentropy", optimizer=rate)

    def state(model):
        with np.errstate(all="ignore"):
            return np.asarray(model.layers[0](x))

    model = made("relu")
    assert not np.isfinite(state(model)).all() and np.isfinite(state(made("tanh"))).all()
    train(model, x, y, steps=3)
    assert not is_finite(model)
    said, fix = advice(model, tmp_path)
    assert "fed back through relu, which has no limit" in said and "first among" in said
    assert fix.index('activation="tanh"') < fix.index("labels for NaN")
