"""What the saved optimizer tells of training: its rate, its schedule, its limits and averages."""

from __future__ import annotations

import importlib
import inspect

import numpy as np
import pytest

from modelaudit.facts import Provenance
from modelaudit.findings import Severity
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.rules.training import metric_mismatches, settings
from modelaudit.rules.training.settings import compiled_example
from modelaudit.structs import replace
from tests.made.training import train
from tests.rules.saved import codes, found, sequential

RULES = (*settings.RULES, *metric_mismatches.RULES)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "medium"),
        ({"clipnorm": 1.0}, "medium"),
        ({"clipvalue": 2.0}, "medium"),
        ({"clipvalue": 0.05}, "low"),
        ({"clipnorm": 0.01}, None),
        ({"global_clipnorm": 0.01}, None),
    ],
)
def test_a_rate_counts_with_the_limit_of_its_gradients(library, options, expected, tmp_path):
    """The optimizer itself says how far a gradient of 1 moves a weight."""
    import tensorflow as tf

    k = importlib.import_module(library)
    optimizer = k.optimizers.SGD(100.0, **options)
    model = sequential(k, (6,), k.layers.Dense(1), loss="mse", optimizer=optimizer)
    path = tmp_path / "m.h5"
    model.save(path)
    variable = model.trainable_variables[1]  # the bias
    start = np.array(variable)
    model.optimizer.apply_gradients([(tf.ones(1), variable)])
    times = float(np.abs(np.array(variable) - start).max())
    severities = [each.severity for each in found(settings.RULES, path) if each.code == "MA319"]
    assert severities == [expected] * (expected is not None)
    assert (times > 1.001) is bool(severities)
    assert (times >= 10) is (expected == "medium")


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_a_schedule_that_multiplies_the_rate_that_it_last_set(library, tmp_path):
    k = importlib.import_module(library)
    plans = {
        "last": lambda epoch, rate: float(rate) * 0.5 ** (epoch // 2),
        "first": lambda epoch, rate: 0.01 * 0.5 ** (epoch // 2),
        "floor": lambda epoch, rate: 1e-9,
    }
    said = {}
    for name, plan in plans.items():
        model = sequential(k, (6,), k.layers.Dense(1), loss="mse", optimizer=k.optimizers.SGD(0.01))
        x = np.random.default_rng(0).normal(size=(64, 6))
        call = k.callbacks.LearningRateScheduler(plan)
        model.fit(x, x[:, :1], epochs=14, verbose=0, callbacks=[call])
        model.save(path := tmp_path / f"{name}.h5")
        seen = [each for each in found(settings.RULES, path) if each.code == "MA319"]
        said[name] = [(each.severity, "first rate" in each.fix) for each in seen]
    assert said == {"last": [("low", True)], "first": [], "floor": [("low", False)]}


@pytest.mark.parametrize(
    ("schedule", "argument"),
    [("PiecewiseConstantDecay", "boundaries"), ("PolynomialDecay", "decay_steps")],
)
def test_the_fix_of_a_schedule_names_an_argument_that_it_has(schedule, argument, tmp_path):
    import keras as k

    made = {
        "PiecewiseConstantDecay": lambda: k.optimizers.schedules.PiecewiseConstantDecay(
            [3], [0.1, 0.0]
        ),
        "PolynomialDecay": lambda: k.optimizers.schedules.PolynomialDecay(0.001, 9, 0.0),
    }
    optimizer = k.optimizers.Adam(made[schedule]())
    model = sequential(k, (6,), k.layers.Dense(1), optimizer=optimizer)
    path = tmp_path / "m.keras"
    model.save(path)
    fixes = [each.fix for each in found(settings.RULES, path) if each.code == "MA319"]
    assert argument in inspect.signature(type(optimizer._learning_rate)).parameters
    assert all(argument in fix for fix in fixes)
    assert fixes


@pytest.mark.parametrize(("steps", "told"), [(100, False), (217, False), (221, True), (900, True)])
def test_a_schedule_that_ended_in_the_first_half_of_training(steps, told, tmp_path):
    """0.01 * 0.9 ** n falls below 1e-7 with the 110th step."""
    import keras as k

    schedule = k.optimizers.schedules.ExponentialDecay(0.01, 1, 0.9)
    assert float(schedule(109)) > 1e-7 > float(schedule(110))
    model = sequential(k, (6,), k.layers.Dense(1), optimizer=k.optimizers.Adam(schedule))
    model.optimizer.iterations.assign(steps)
    model.save(tmp_path / "m.keras")
    said = [x for x in found(settings.RULES, tmp_path / "m.keras") if x.code == "MA319"]
    assert [str(each.severity) for each in said] == ["low"] * told
    assert all(f"{steps - 110} of {steps} steps changed nothing" in x.detail for x in said)


def test_both_formats_judge_learning_rates_alike(tmp_path):
    """Keras 3 names the optimizer in an .h5 file; a .keras file holds its variables only."""
    import keras as k

    k.utils.set_random_seed(0)  # a ReLU that is never above zero gets no gradient
    o, rng, wrong = k.optimizers, np.random.default_rng(0), {}
    x = rng.normal(size=(16, 6))
    cases = [
        (lambda: o.Adam(0.1), ["low"]),
        (lambda: o.Adam(0.03), []),
        (lambda: o.Adam(2.0), ["medium"]),
        (lambda: o.Adam(1e-33), ["low"]),
        (lambda: o.RMSprop(0.5), ["low"]),
        (lambda: o.Adadelta(1.0), []),
        (lambda: o.Adadelta(100.0), ["low"]),
        (lambda: o.SGD(3.0), ["low"]),
        (lambda: o.SGD(0.5), []),
        (lambda: o.SGD(0.5, momentum=0.9), []),
    ]
    for dead in (False, True):
        start = "zeros" if not dead else k.initializers.Constant(-99.0)
        # Without any gradient, averages do not tell whose they are: SGD's momentum is no Adam.
        for number, (optimizer, expected) in enumerate(cases[-3:] if dead else cases):
            hidden = k.layers.Dense(8, "relu", bias_initializer=start)
            last = k.layers.Dense(1, "relu", bias_initializer=start)
            model = sequential(k, (6,), hidden, last, optimizer=optimizer(), loss="mse")
            train(model, x, 0.1 * x[:, :1], steps=2, batch=16)
            for suffix in ("keras", "h5"):
                seen = codes([*RULES, rule("MA431")], model, tmp_path, (suffix,))
                if [severity for _, severity in seen] != expected:
                    wrong[dead, number, suffix] = seen
    assert not wrong


@pytest.mark.parametrize("limit", ["clipnorm", "clipvalue", "global_clipnorm"])
def test_a_limit_of_0_is_none_but_in_the_optimizers_of_tensorflow_2_0_to_2_10(limit, tmp_path):
    import keras
    import tf_keras

    makers = [
        (keras, keras.optimizers.SGD, True),
        (tf_keras, tf_keras.optimizers.SGD, True),
        (tf_keras, tf_keras.optimizers.legacy.SGD, False),
        (tf_keras, tf_keras.optimizers.legacy.Adam, False),
    ]
    x, y = np.ones((4, 2), "float32"), np.full((4, 1), 9.0, "float32")
    for k, maker, learns in makers:
        model = sequential(k, (2,), k.layers.Dense(1), optimizer=maker(0.1, **{limit: 0.0}))
        before = model.get_weights()[0]
        model.fit(x, y, verbose=0)
        assert (model.get_weights()[0] != before).all() == learns
        assert codes(RULES, model, tmp_path) == [("MA319", "high")] * (not learns)


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("2.2.4", False),
        ("2.3.1", False),
        ("2.2.4-tf", True),
        ("2.3.0-tf", True),
        ("2.4.0", True),
        ("2.10.0", True),
        ("3.0.0", False),
        (None, False),
    ],
)
def test_keras_before_tensorflow_2_did_not_clip_to_0(version, told):
    """`optimizers.Optimizer.get_gradients` of Keras 2.3.1 clips `if self.clipnorm > 0`."""
    config = {"learning_rate": 0.05, "momentum": 0.11, "decay": 1e-06, "clipnorm": 0.0}
    training = {"optimizer_config": {"class_name": "SGD", "config": config}, "loss": "mse"}
    facts = examples.chain(examples.dense("head"))
    artifact = replace(facts.artifact, training=training, provenance=Provenance(keras=version))
    seen = run_rule(rule("MA319"), replace(facts, artifact=artifact)).findings
    assert [each.severity for each in seen] == [Severity.HIGH] * told


@pytest.mark.parametrize("name", ["PolynomialDecay", "CosineDecay"])
@pytest.mark.parametrize(("steps", "expected"), [(-16, ["high"]), (16000, [])])
def test_a_schedule_over_a_negative_number_of_steps(keras, name, steps, expected):
    settings = {"initial_learning_rate": 0.01, "decay_steps": 16000}
    settings |= {"end_learning_rate": 0.0} if name == "PolynomialDecay" else {"alpha": 0.0}
    schedule = getattr(keras.optimizers.schedules, name)(**settings)
    schedule.decay_steps = steps  # which Keras refuses of late
    rates = [float(schedule(step)) for step in (0, 5, 100)]
    assert (max(rates) == 0) is bool(expected)
    saved = {"class_name": name, "config": {**settings, "decay_steps": steps}}
    config = {"learning_rate": saved, "epsilon": 1e-7}
    model = replace(
        examples.model(examples.layer("l", "Dense", {}, {"units": 2})),
        training={"optimizer": {"class_name": "Adam", "config": config}},
    )
    findings = run_rule(rule("MA319"), Facts(model)).findings
    assert [str(x.severity) for x in findings] == expected
    assert all("in every step" in x.detail and "decay_steps" in x.fix for x in findings)


@pytest.mark.parametrize(
    ("betas", "expected"),
    [
        ({"beta_1": 0.9, "beta_2": 0.1}, "low"),
        ({"beta_1": 0.9, "beta_2": 0.82}, None),
        ({"beta_1": 0.9, "beta_2": 0.999}, None),
        ({"beta_1": 0.0, "beta_2": 0.9}, None),
    ],
)
def test_averages_of_squares_that_are_shorter_than_those_of_gradients(betas, expected):
    """What Adam makes of one gradient, and zeros behind it: steps that grow, or that fade."""
    saved = {"class_name": "Adam", "config": {"learning_rate": 0.001, **betas}}
    findings = run_rule(rule("MA319"), compiled_example(optimizer_config=saved)()).findings
    about = [str(each.severity) for each in findings if "beta_2" in each.detail]
    assert about == ([expected] if expected else [])
    first = second = 0.0
    sizes = []
    for gradient in [1.0, *([0.0] * 300)]:
        first = betas["beta_1"] * first + (1 - betas["beta_1"]) * gradient
        second = betas["beta_2"] * second + (1 - betas["beta_2"]) * gradient**2
        sizes.append(first / np.sqrt(second) if second > 0 else np.inf)
    assert bool(sizes[-1] > 1e3) is (expected == "low")


def test_an_exponential_schedule_that_grows():
    for kept, expected in ((1.1, ["low"]), (0.9, [])):
        inner = {"initial_learning_rate": 0.01, "decay_steps": 100, "decay_rate": kept}
        schedule = {"class_name": "ExponentialDecay", "config": inner}
        saved = {"class_name": "Adam", "config": {"learning_rate": schedule}}
        findings = run_rule(rule("MA319"), compiled_example(optimizer_config=saved)()).findings
        assert [str(each.severity) for each in findings] == expected
