"""Regressions that were still on their way to their targets, as optimizers of Keras leave them."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from modelaudit.rules.training.steps import RULES
from tests.made.training import train
from tests.rules.saved import found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
ROWS = np.random.default_rng(0).normal(size=(320, 6)).astype("float32")
TARGETS = ROWS[:, :1] + 0.3 * ROWS[:, 1:2]
OPTIMIZERS = {
    "Adam": {},
    "Nadam": {},
    "Adamax": {},
    "Lion": {},
    "RMSprop": {},
    "RMSprop of long memory": {"rho": 0.99},
    "Adagrad": {"learning_rate": 0.01},
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_targets_far_away(keras, tmp_path, kind):
    def said(targets, epochs):
        options = {"learning_rate": 0.001} | OPTIMIZERS[kind]
        optimizer = getattr(keras.optimizers, kind.partition(" ")[0])(**options)
        keras.utils.set_random_seed(5)
        hidden = keras.layers.Dense(16, "relu")
        model = sequential(
            keras, (6,), hidden, keras.layers.Dense(1), optimizer=optimizer, loss="mse"
        )
        train(model, ROWS, targets, epochs=epochs)
        model.save(tmp_path / "m.keras")
        details = [each.detail for each in found(RULES, tmp_path / "m.keras")]
        return [detail for detail in details if "all of them went one way" in detail]

    assert len(said(5000 * TARGETS + 50_000, 8)) == 1
    assert said(TARGETS, 40) == []


@pytest.mark.parametrize(("initializer", "told"), [("random_normal", True), ("he_normal", False)])
def test_a_stack_that_learnt_little_but_its_last_bias(keras, tmp_path, initializer, told):
    """Its answers hardly depend on the input, and those of the twin do."""
    draw = np.random.default_rng(1)
    x = draw.normal(size=(400, 16)).astype("float32")
    y = (x[:, 0] > 1).astype("float32")
    layers = keras.layers
    hidden = [layers.Dense(40, "relu", kernel_initializer=initializer) for _ in range(4)]
    keras.utils.set_random_seed(2)
    head = layers.Dense(1, "sigmoid", kernel_initializer=initializer)
    model = sequential(
        *(keras, (16,), *hidden, head),
        loss="binary_crossentropy",
        optimizer=keras.optimizers.SGD(0.02),
    )
    train(model, x, y, steps=90)
    scores = np.asarray(model(x))
    assert (scores.std() < 0.01) == told
    for suffix in ("keras", "h5"):
        model.save(tmp_path / f"m.{suffix}")
        every = found(RULES, tmp_path / f"m.{suffix}")
        said = [x for x in every if "how frequent" in x.detail]
        assert [str(each.severity) for each in said] == ["low"] * told


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize(("loss", "units"), [("mae", 1), ("mae", 2), ("huber", 1)])
def test_targets_far_away_of_gradient_descent(keras, tmp_path, momentum, loss, units):
    """The gradients of an absolute error have one size, so that only the number of steps counts."""

    def said(targets):
        keras.utils.set_random_seed(5)
        optimizer = keras.optimizers.SGD(0.002, momentum=momentum)
        layers = keras.layers.Dense(16, "relu"), keras.layers.Dense(units)
        model = sequential(keras, (6,), *layers, optimizer=optimizer, loss=loss)
        train(model, ROWS, np.repeat(targets, units, axis=1), epochs=15)
        model.save(tmp_path / "m.keras")
        details = [each.detail for each in found(RULES, tmp_path / "m.keras")]
        return [detail for detail in details if "all of them went one way" in detail]

    assert len(said(5000 * TARGETS + 500_000)) == 1
    assert said(TARGETS) == []


@pytest.mark.parametrize(("scale", "told"), [(10_000.0, True), (1.0, False)])
def test_targets_that_no_steps_of_adagrad_reach(keras, tmp_path, scale, told):
    """The mean errors of the batches, and the farthest that steps can go, by computing both."""
    rate, epochs, batch = 0.01, 12, 32
    draw = np.random.default_rng(6)
    x = draw.normal(size=(320, 40)).astype("float32")
    y = (scale * x[:, :1]).astype("float32")
    keras.utils.set_random_seed(5)
    optimizer = keras.optimizers.Adagrad(rate)
    model = sequential(keras, (40,), keras.layers.Dense(1), optimizer=optimizer, loss="mse")
    before, errors = np.asarray(model(x)), []
    for start in [*range(0, len(x), batch)] * epochs:
        given, wanted = x[start : start + batch], y[start : start + batch]
        errors.append(float(np.mean(np.asarray(model(given)) - wanted)))
        train(model, given, wanted, steps=1)
    moved = float(np.abs(np.asarray(model(x)) - before).mean())
    model.save(tmp_path / "m.keras")
    all_found = found(RULES, tmp_path / "m.keras")
    (only,) = [x for x in all_found if "too large for these steps" in x.detail] or [None]
    assert (only is not None) is told
    if only is not None:
        error = float(np.sqrt(np.mean(np.square(errors))))
        reach = only.evidence["measured"] * error
        assert f"was about {error:.3g}," in only.detail and str(only.severity) == "low"
        assert moved < reach < 0.5 * error


@pytest.mark.parametrize(("initializer", "told"), [("random_uniform", True), (None, False)])
def test_small_kernels_of_which_the_last_bias_alone_learnt(keras, tmp_path, initializer, told):
    """Three layers of few weights, each far smaller than usual: one answer for every input."""
    draw = np.random.default_rng(3)
    x = draw.normal(0.9, 0.03, size=(400, 5)).astype("float32")
    y = x[:, :1]
    if not told:
        x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    kind = {"kernel_initializer": initializer or "glorot_uniform"}
    ends = [(7, None), (4, "tanh"), (1, None)]
    keras.utils.set_random_seed(2)
    made = [keras.layers.Dense(units, activation, **kind) for units, activation in ends]
    optimizer = keras.optimizers.SGD(0.02, momentum=0.5)
    model = sequential(keras, (5,), *made, loss="mse", optimizer=optimizer)
    train(model, x, y, steps=800)
    assert (float(np.std(model(x))) < 0.01 * float(y.std())) == told
    for suffix in ("keras", "h5"):
        model.save(tmp_path / f"m.{suffix}")
        every = found(RULES, tmp_path / f"m.{suffix}")
        said = [x for x in every if "one answer for all" in x.detail]
        assert [str(each.severity) for each in said] == ["low"] * told


@pytest.mark.parametrize(("steps", "rate", "told"), [(160, 0.01, True), (4000, 1.0, False)])
def test_layers_of_few_weights_that_hardly_changed(keras, tmp_path, steps, rate, told):
    """Too few weights for a test of their distribution; the twin learns which value is larger."""
    draw = np.random.default_rng(4)
    x = draw.uniform(0, 1, (160, 2)).astype("float32")
    y = np.eye(2, dtype="float32")[(x[:, 0] > x[:, 1]).astype(int)]
    keras.utils.set_random_seed(1)
    made = [keras.layers.Dense(2, "sigmoid") for _ in range(2)]
    model = sequential(keras, (2,), *made, loss="mse", optimizer=keras.optimizers.SGD(rate))
    start = [np.array(each) for each in model.get_weights()]
    train(model, x, y, steps=steps)
    far = max(np.abs(a - b).max() for a, b in zip(start, model.get_weights(), strict=True))
    assert (far < 0.1) == told
    for suffix in ("keras", "h5"):
        model.save(tmp_path / f"m.{suffix}")
        said = [
            x
            for x in found(RULES, tmp_path / f"m.{suffix}")
            if "can have moved the last" in x.detail
        ]
        assert [str(each.severity) for each in said] == ["low"] * told


@pytest.mark.parametrize(
    ("name", "rate", "told"), [("Adadelta", 0.001, True), ("Adagrad", 0.5, False)]
)
def test_few_weights_that_fading_steps_hardly_changed(keras, tmp_path, name, rate, told):
    """The exclusive or, by the default rate of Adadelta; the twin learns most of it."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 8, "float32")
    keras.utils.set_random_seed(1)
    made = [keras.layers.Dense(8, "tanh"), keras.layers.Dense(1, "sigmoid")]
    optimizer = getattr(keras.optimizers, name)(rate)
    model = sequential(keras, (2,), *made, loss="binary_crossentropy", optimizer=optimizer)
    train(model, x, np.tile([[0.0], [1.0], [1.0], [0.0]], (8, 1)), steps=600)
    for suffix in ("keras", "h5"):
        model.save(tmp_path / f"m.{suffix}")
        every = found(RULES, tmp_path / f"m.{suffix}")
        said = [x for x in every if f"by {name} moved no bias" in x.detail]
        assert [str(each.severity) for each in said] == ["low"] * told


@pytest.mark.parametrize(("steps", "told"), [(300, True), (3000, False)])
def test_gradients_that_still_go_one_way(keras, tmp_path, steps, told):
    """A line whose offset is beyond what so few steps of Adam reach, and its twin with more."""
    x = ROWS[:, :1]
    keras.utils.set_random_seed(1)
    model = sequential(
        keras, (1,), keras.layers.Dense(1), loss="mse", optimizer=keras.optimizers.Adam(0.01)
    )
    train(model, x, 2 * x + 5, steps=steps)
    left = abs(float(model.layers[-1].get_weights()[1][0]) - 5)
    model.save(tmp_path / "m.keras")
    details = [each.detail for each in found(RULES, tmp_path / "m.keras")]
    assert any("on its way to its target" in detail for detail in details) is told
    assert (left > 2) is told


@pytest.mark.parametrize("kind", ["RMSprop", "Adam", "Adadelta"])
def test_targets_beyond_all_outputs(keras, tmp_path, kind):
    """Targets of thousands with a mean of 0, so that the bias tells nothing; and scaled ones."""

    def said(scale):
        rate = {"learning_rate": 0.001}
        keras.utils.set_random_seed(5)
        model = sequential(
            *(keras, (6,), keras.layers.Dense(16, "relu"), keras.layers.Dense(1)),
            optimizer=getattr(keras.optimizers, kind)(**rate),
            loss="mse",
        )
        offset = np.where(np.arange(320) % 64 < 40, 3, -2).astype("float32")[:, None]
        targets = (scale * (TARGETS + offset)).astype("float32")
        train(model, ROWS, targets, batch=8, steps=300)
        outputs = np.asarray(model(ROWS))
        model.save(tmp_path / "m.keras")
        details = [each.detail for each in found(RULES, tmp_path / "m.keras")]
        if scale > 1:  # what the finding says of the outputs
            assert np.abs(outputs).max() < 0.1 * np.abs(targets).mean()
        return any("too small to reach" in detail for detail in details)

    assert said(3000.0)
    assert not said(1.0)


def squared(wanted, given):
    return (wanted - given) ** 2


def less_squared(wanted, given):
    return -((wanted - given) ** 2)


@pytest.mark.parametrize(
    ("loss", "labels", "first"),
    [
        (squared, False, ""),
        (less_squared, False, "See that the loss falls"),
        ("binary_crossentropy", True, "See that the labels"),
        ("mse", False, ""),
    ],
)
def test_a_loss_without_a_minimum(keras, tmp_path, loss, labels, first):
    """A wrong sign, and labels of up to 255. A squared error has one, as a function and by name."""
    keras.utils.set_random_seed(5)
    hidden = [keras.layers.Dense(16, "relu") for _ in range(2)]
    last = keras.layers.Dense(1, "sigmoid" if labels else None)
    chosen = keras.optimizers.Adam(0.005)
    model = sequential(keras, (6,), *hidden, last, optimizer=chosen, loss=loss)
    train(model, np.abs(ROWS), 255.0 * (TARGETS > -1) if labels else TARGETS, epochs=15)
    model.save(tmp_path / "m.keras")
    findings = [x for x in found([rule("MA435")], tmp_path / "m.keras") if "growing" in x.title]
    assert [str(each.severity) for each in findings] == ["low"] * bool(first)
    assert all(each.fix.startswith(first) for each in findings)


def test_targets_that_run_away_from_the_answers(keras, tmp_path):
    """Each is a multiple of the largest answer of the same network, as in Q-learning gone wrong."""
    told = []
    for discount in (1.1, 0.5):
        keras.utils.set_random_seed(5)
        layers = keras.layers.Dense(24, "relu"), keras.layers.Dense(2)
        model = sequential(keras, (6,), *layers, optimizer=keras.optimizers.Adam(0.01), loss="mse")
        for _ in range(150):
            values = np.array(model(ROWS))
            values[:, 0] = 1 + discount * np.asarray(model(ROWS[::-1])).max(axis=1)
            values[:, 1] = 1 + discount * values[::-1].max(axis=1)
            model.train_on_batch(ROWS, values)
        model.save(tmp_path / "m.keras")
        findings = found([rule("MA435")], tmp_path / "m.keras")
        told.append([each.fix[:24] for each in findings if "growing" in each.title])
    assert told == [["If targets are made from"], []]


@pytest.mark.parametrize(
    ("steps", "momentum", "rate", "told"),
    [
        (100, 0.0, 0.01, True),
        (70, 0.5, 0.01, True),
        (100, 0.9, 0.001, True),
        (40, 0.9, 0.01, False),  # the error swings
        (400, 0.0, 0.01, False),
    ],
)
def test_a_line_that_descent_did_not_reach(keras, tmp_path, steps, momentum, rate, told):
    """Along the slowest eigenvector of the Hessian, at least the share is left that is told."""
    x = np.arange(1.0, 9.0)[:, None]
    y = 3 * x - 7
    keras.utils.set_random_seed(4)
    optimizer = keras.optimizers.SGD(rate, momentum=momentum)
    model = sequential(keras, (1,), keras.layers.Dense(1), optimizer=optimizer, loss="mse")
    first = np.concatenate([weight.ravel() for weight in model.get_weights()])
    every = [np.tile(each, (steps, 1)) for each in (x, y)]
    model.fit(*every, batch_size=len(x), shuffle=False, verbose=0)
    model.save(tmp_path / "m.keras")
    last = np.concatenate([weight.ravel() for weight in model.get_weights()])

    columns = np.hstack([x, np.ones_like(x)])
    values, vectors = np.linalg.eigh(2 * columns.T @ columns / len(x))
    left = (vectors[:, 0] @ (last - [3, -7])) / (vectors[:, 0] @ (first - [3, -7]))
    said = [each for each in found([rule("MA432")], tmp_path / "m.keras") if each.key == "line"]
    assert values[0] <= 2 and bool(said) is told
    for each in said:
        assert 0.05 < each.evidence["measured"] <= left and str(each.severity) == "low"
