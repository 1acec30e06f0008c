"""Rules on what training left in a file: faults made by training small networks, and sound twins.

Every model is trained by TensorFlow, in one process, and saved in the formats that Keras 3 writes.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from modelaudit.findings import Outcome
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.engine import run_rule, run_rules
from modelaudit.rules.training import alike_inputs, gradients, results, shrunk_kernels
from modelaudit.rules.training import steps as training_steps
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.made.training import train

pytestmark = pytest.mark.slow

OWN = {
    rule.code
    for module in (
        shrunk_kernels,
        training_steps,
        results,
        gradients,
        alike_inputs,
    )
    for rule in module.RULES
}
RULES = [rule for rule in CATALOGUE if rule.code in OWN | {"MA404"}]
SHAPES = {"dense": (12,), "conv": (8, 8, 1), "recurrent": (4, 4)}
BODIES = tuple(SHAPES)  # where the layers decide; what the optimizer tells is of a dense one
FILES = ("model.keras", "model.h5")  # with an architecture
N = 64


@pytest.fixture(scope="module")
def keras():
    import keras

    keras.utils.set_random_seed(3)
    return keras


def data(body, scale=1.0):
    """Inputs whose label is whether their first values are positive."""
    x = np.random.default_rng(1).normal(size=(N, *SHAPES[body])).astype("f4")
    return scale * x, (x.reshape(N, -1)[:, 0] > 0).astype("i4")


def network(keras, body, activation="relu", depth=2, *, norm=False, head=2, last="softmax", **more):
    layers = keras.layers
    stack = [layers.Input(SHAPES[body])]
    if body == "recurrent":
        stack.append(layers.LSTM(8, unroll=True))  # half the cost of a loop, without a graph
    for _ in range(depth):
        made = layers.Conv2D if body == "conv" else layers.Dense
        size = (8, 3) if body == "conv" else (24,)
        stack.append(made(*size, activation=None if norm else activation, **more))
        if body == "conv":
            more = {**more, "padding": "same"}
        if norm:
            stack += [layers.BatchNormalization(), layers.Activation(activation)]
    if body == "conv":
        stack.append(layers.Flatten())
    more.pop("padding", None)
    more.pop("bias_initializer", None)
    return keras.Sequential([*stack, layers.Dense(head, activation=last, **more)])


def fit(model, x, y, optimizer, steps, loss="sparse_categorical_crossentropy"):
    """`model` after `steps` steps of a new training."""
    model.compile(optimizer, loss)
    return steps_of(model, x, y, steps)


def steps_of(model, x, y, steps):
    """`model` after further steps on batches of 16."""
    return train(model, x, y if model.output_shape[-1] > 1 else y[:, None], steps=steps, batch=16)


def found(model, folder, code="", *, exported=True):
    """Findings by format: code and severity; only of `code`, if it is given.

    An export takes as long as all other formats; few rules see more in it than in a checkpoint.
    """
    import tensorflow as tf

    folder.mkdir(exist_ok=True)
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(str(folder / "ck" / "ck"))
    files = [*FILES, "ck/ck"]
    if exported and model.input_shape == (None, *SHAPES["dense"]):
        tf.saved_model.save(model, str(folder / "saved"))
        files.append("saved")
    seen = {}
    for name in files:
        results = run_rules(RULES, static_facts(folder / name, Settings()))
        assert not [result for result in results if result.outcome == "error"]
        findings = [finding for result in results for finding in result.findings]
        seen[name] = {(f.code, f.severity.value) for f in findings if not code or f.code == code}
    return seen


def check(seen, code, severity, *, bare=None):
    """`code` in every format, with the severity `bare` where there is no architecture."""
    for name, codes in seen.items():
        wanted = severity if name in FILES or bare is None else bare
        assert {found for found in codes if found[0] == code} == (
            {(code, wanted)} if wanted else set()
        )


def test_no_step_and_steps_of_size_zero(keras, tmp_path):
    x, y = data("dense")
    adam = keras.optimizers.Adam
    for number, (optimizer, steps) in enumerate(((adam(), 0), (adam(0.0), 12))):
        seen = found(fit(network(keras, "dense"), x, y, optimizer, steps), tmp_path / str(number))
        for name, codes in seen.items():
            # Where kernels can be tested, MA404 says that they are as drawn, and MA319 or MA431 of
            # which rate.
            if steps:
                graver = [{("MA404", "low")}, {("MA404", "low"), ("MA431", "high")}]
                assert codes in graver or codes - {("MA431", "low")} == {("MA430", "high")}
            else:
                start = "medium" if name == "ck/ck" else "high"  # weights may be a start
                assert codes in ({("MA404", start)}, {("MA430", "medium")})


def test_rates_that_diverge_or_climb(keras, tmp_path):
    x, y = data("dense")
    made = network(keras, "dense")
    wild = fit(made, x, y, keras.optimizers.Adam(30.0), 40)
    seen = found(wild, tmp_path / "wild")
    check(seen, "MA435", "medium")
    check({"ck/ck": seen["ck/ck"]}, "MA431", "medium")  # MA319 judges compile settings
    climbing = fit(network(keras, "dense"), x, y, keras.optimizers.SGD(-0.001), 12)
    seen = found(climbing, tmp_path / "climbing")
    check({"ck/ck": seen["ck/ck"]}, "MA431", "high")


def test_a_few_steps(keras, tmp_path):
    made = fit(network(keras, "dense"), *data("dense"), keras.optimizers.Adam(), 3)
    check(found(made, tmp_path), "MA432", "medium", bare="low")


@pytest.mark.parametrize("body", BODIES)
def test_layers_without_gradient(keras, body, tmp_path):
    """ReLUs that start far below zero never pass a gradient on."""
    start = keras.initializers.Constant(-50.0)
    made = network(keras, body, bias_initializer=start)
    made = fit(made, *data(body), keras.optimizers.Adam(), 12)
    seen = found(made, tmp_path)
    if body == "recurrent":
        # An LSTM gives values from -1 to 1, which proves that the ReLUs behind it are dead.
        check({name: seen[name] for name in FILES}, "MA437", "high")
        check({"ck/ck": seen["ck/ck"]}, "MA433", "medium")
    else:
        check(seen, "MA433", "high", bare="medium")


def test_a_gradient_that_exploded_once_is_no_missing_gradient():
    """Its square outlives it by thousands of steps; the average gradient is like the others'."""
    assert (
        outcome_of("MA433", training_steps.adam(("a", 1e-4, 1e9), ("b", 1e-4, 1e-8)))
        is Outcome.PASS
    )
    assert (
        outcome_of("MA433", training_steps.adam(("a", 1e-9, 1e-2), ("b", 1e-4, 1e-8)))
        is Outcome.FAIL
    )


def test_a_recurrent_kernel_in_sequences_of_one_step_is_no_missing_gradient():
    """Its input kernel receives a gradient; a recurrent layer of which neither does is a fault."""
    for m, outcome in ((1e-4, Outcome.PASS), (0.0, Outcome.FAIL)):
        facts = training_steps.adam(("a", m, m**2), ("r", 0.0, 0.0), ("b", 1e-4, 1e-8))
        architecture = facts.artifact.architecture
        first, _, last = architecture.layers
        both = {"kernel": "a/kernel", "recurrent_kernel": "r/kernel"}
        layers = (replace(first, class_name="GRU", variables=both), last)
        artifact = replace(facts.artifact, architecture=replace(architecture, layers=layers))
        assert outcome_of("MA433", replace(facts, artifact=artifact)) is outcome


def outcome_of(code, facts):
    return run_rule(rule(code), facts).outcome


def test_gradients_that_stopped_tell_since_when(keras, tmp_path):
    """Closed form: m falls by 0.9 and the root of v by 0.999 ** 0.5 in each such step."""
    x, y = data("dense")
    made = fit(network(keras, "dense"), x, y, keras.optimizers.Adam(), 12)
    first = made.layers[0]
    first.set_weights([first.get_weights()[0], np.full(24, -100.0)])  # dead from here on
    steps = 200
    steps_of(made, x, y, steps)
    made.save(tmp_path / "model.keras")
    results = run_rules(RULES, static_facts(tmp_path / "model.keras", Settings()))
    text = next(f.detail for result in results for f in result.findings if f.code == "MA433")
    said = re.search(r"last ([\d,]+) steps", text)
    assert said is not None
    assert abs(int(said[1]) - steps) < 25


@pytest.mark.parametrize("body", BODIES)
def test_gradients_that_vanish(keras, body, tmp_path):
    made = network(keras, body, "sigmoid", depth=12)
    made = fit(made, *data(body), keras.optimizers.Adam(), 12)
    seen = found(made, tmp_path, "MA434")
    assert all(codes & {("MA434", "low"), ("MA434", "medium")} for codes in seen.values())


@pytest.mark.parametrize("body", BODIES)
def test_statistics_after_a_few_steps(keras, body, tmp_path):
    x, y = data(body, 20.0)
    made = fit(network(keras, body, norm=True), x + 30, y, keras.optimizers.Adam(), 12)
    seen = found(made, tmp_path, "MA438")
    if body == "recurrent":  # whose statistics are close to the initial ones
        assert seen["model.keras"] == seen["model.h5"] != set()
    else:
        check(seen, "MA438", "low", bare="")
    again = fit(network(keras, body, norm=True), x, y, keras.optimizers.Adam(), 0)
    again.optimizer.iterations.assign(2000)
    assert not found(again, tmp_path / "again", "MA438")["model.keras"]


def test_kernels_that_regularization_shrank(keras, tmp_path):
    strong = keras.regularizers.L2(5.0)
    made = network(keras, "dense", kernel_regularizer=strong)
    made = fit(made, *data("dense"), keras.optimizers.SGD(0.09), 40)
    check(found(made, tmp_path), "MA436", "high", bare="low")


@pytest.mark.parametrize("body", BODIES)
def test_layers_that_are_constant_by_their_weights(keras, body, tmp_path):
    """Interval arithmetic agrees with the outputs of TensorFlow."""
    uniform = keras.initializers.RandomUniform
    dead = network(keras, body, kernel_initializer=uniform(-1, -0.01))
    stuck = network(keras, body, "sigmoid", bias_initializer=keras.initializers.Constant(60.0))
    for number, made in enumerate((dead, stuck)):
        fit(made, *data(body), keras.optimizers.Adam(), 10)
        x = np.abs(np.random.default_rng(5).normal(size=(200, *SHAPES[body]))) * 3
        out = np.asarray(made(x))
        assert np.ptp(out, axis=0).max() < 1e-6
        assert ("MA437", "high") in found(made, tmp_path / str(number), "MA437")["model.keras"]


def test_a_first_layer_that_is_dead_for_inputs_without_negative_values(keras, tmp_path):
    layers, start = keras.layers, keras.initializers.RandomUniform(-1, -0.01)
    made = keras.Sequential(
        [layers.Input((12,)), layers.Dense(24, "relu", kernel_initializer=start), layers.Dense(2)]
    )
    made = fit(made, *data("dense"), keras.optimizers.Adam(), 0)
    check(found(made, tmp_path), "MA437", "medium", bare="")


def twins(keras, body):
    """Sound models that look unusual, by name."""
    x, y = data(body)
    optimizers, layers = keras.optimizers, keras.layers
    made = network(keras, body)  # saved at several times of one training
    yield "brief", fit(made, x, y, optimizers.Adam(), 5)
    yield "adam", steps_of(made, x, y, 25)
    made.optimizer.learning_rate = 0.0
    yield "rate decayed to 0", made
    trained = made.get_weights()
    for layer in made.layers:
        kernel, *rest = layer.get_weights() or [np.zeros(1)]
        if kernel.ndim > 1:
            kernel = np.where(np.abs(kernel) < np.quantile(np.abs(kernel), 0.8), 0, kernel)
            kernel[..., : kernel.shape[-1] // 3] = 0  # whole units
            layer.set_weights([kernel, *rest])
    yield "pruned", made
    made.set_weights(trained)
    made.compile(optimizers.Adam(), "sparse_categorical_crossentropy")
    yield "compiled again", made
    for layer in made.layers[:-1]:
        layer.trainable = False
    yield "transfer", fit(made, x, y, optimizers.Adam(), 12)
    strong = network(keras, body, norm=True, kernel_regularizer=keras.regularizers.L2(1.0))
    for layer in strong.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9  # so that 60 steps are enough
    yield "regularized before a normalization", fit(strong, x, y, optimizers.Adam(0.01), 60)
    if body != "dense":
        return
    # What the optimizer, the labels or the head make unusual is the same behind any body.
    yield "momentum", fit(network(keras, body), x, y, optimizers.SGD(0.05, momentum=0.9), 30)
    yield "rmsprop", fit(network(keras, body), x, y, optimizers.RMSprop(), 30)
    rare = (np.arange(N) % 20 == 0).astype("i4")
    yield "imbalanced", fit(network(keras, body), x, rare, optimizers.Adam(), 30)
    target = (5000.0 * y + 30000).astype("f4")
    value = network(keras, body, head=1, last=None)
    yield "regression", fit(value, x, target, optimizers.Adam(0.01), 30, "mean_squared_error")
    zeros = keras.initializers.Zeros()
    given = layers.Input(SHAPES[body])
    kept = layers.Flatten()(given)
    first = kept = layers.Dense(8)(kept)
    for _ in range(2):
        branch = layers.Dense(8, "relu")(kept)
        branch = layers.BatchNormalization(gamma_initializer=zeros)(layers.Dense(8)(branch))
        kept = layers.Add()([kept, branch])
    gated = keras.Model(given, layers.Dense(2, "softmax")(layers.Concatenate()([kept, first])))
    yield "zero gamma", fit(gated, x, y, optimizers.Adam(), 25)


@pytest.mark.parametrize("body", BODIES)
def test_sound_twins_have_no_finding_at_medium(keras, body, tmp_path):
    for name, model in twins(keras, body):
        seen = found(model, tmp_path / name, exported=name == "transfer")
        for file, codes in seen.items():
            serious = {code for code, severity in codes if severity not in {"low", "info"}}
            few = {"MA432"} if name == "brief" else set()  # 5 steps, and weights as drawn
            assert serious <= few, (name, file)


@pytest.mark.parametrize("cell", ["GRU", "GlobalAveragePooling1D"])
def test_rows_of_an_embedding_that_no_input_had(keras, cell, tmp_path):
    layers = keras.layers
    tokens = np.random.default_rng(2).integers(0, 20, (N, 7))
    y = (tokens[:, 0] > 9).astype("i4")
    read = layers.GRU(8) if cell == "GRU" else layers.GlobalAveragePooling1D()
    made = keras.Sequential(
        [layers.Input((7,)), layers.Embedding(300, 8), read, layers.Dense(2, "softmax")]
    )
    fit(made, tokens, y, keras.optimizers.Adam(), 25)
    for codes in found(made, tmp_path).values():
        assert all(severity == "low" for _, severity in codes)
