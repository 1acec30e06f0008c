"""Numbers that no float holds, and texts of more than one line, in settings that a file holds."""

from __future__ import annotations

import ast

import pytest

from modelaudit.audit_types.values import number
from modelaudit.facts import Layer
from modelaudit.findings import Outcome
from modelaudit.measures.kernels.initializers import candidates
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.probe.study.inputs import _number as probed
from modelaudit.restore.layers import _equal
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.rules.network.sigmoids import relu_code
from modelaudit.rules.training.alike_vectors import unmasked
from modelaudit.rules.training.settings import compiled_example

HUGE = 10**400
TEXT = '0"\nimport os\n'


def test_a_number_is_one_that_a_float_holds():
    assert [number(each) for each in (2, 0.5, -1)] == [2.0, 0.5, -1.0]
    assert [number(each) for each in (HUGE, -HUGE, True, "1", None, [1])] == [None] * 6


@pytest.mark.parametrize(
    "config",
    [
        {"learning_rate": 0.001, "epsilon": -1.0, "clipnorm": 1.0},
        {"learning_rate": 0.001, "weight_decay": HUGE},
        {"learning_rate": HUGE, "epsilon": HUGE, "clipvalue": HUGE, "beta_1": HUGE},
    ],
)
def test_settings_of_an_optimizer_that_are_out_of_range(config):
    facts = compiled_example(
        optimizer_config={"class_name": "Adam", "config": config},
        loss={"class_name": "BinaryCrossentropy", "config": {"label_smoothing": HUGE}},
    )()
    assert run_rule(rule("MA319"), facts).outcome is Outcome.PASS
    assert optimizer_state(facts.artifact).rate == number(config["learning_rate"])


@pytest.mark.parametrize("rates", [{"initial_learning_rate": float("inf"), "decay_steps": 9}])
@pytest.mark.parametrize("steps", [9, -float("inf")])
def test_a_schedule_without_end(rates, steps):
    for name, more in (("ExponentialDecay", {"decay_rate": 0.5}), ("CosineDecay", {})):
        schedule = {"class_name": name, "config": rates | more | {"decay_steps": steps}}
        config = {"class_name": "Adam", "config": {"learning_rate": schedule}}
        result = run_rule(rule("MA319"), compiled_example(optimizer_config=config)())
        assert result.outcome is not Outcome.ERROR


def test_settings_of_layers_that_no_float_holds():
    scales = [examples.layer(x, "Rescaling", {}, {"scale": HUGE, "offset": 0}) for x in "ab"]
    penalty = {"class_name": "L2", "config": {"l2": HUGE}}
    facts = examples.chain(
        examples.layer("norm", "BatchNormalization", {}, {"momentum": HUGE, "epsilon": HUGE}),
        examples.layer("dense", config={"units": 2, "kernel_regularizer": penalty}),
        *scales,
        examples.layer("words", "Embedding"),
    )
    assert run_rule(rule("MA322"), facts).outcome is Outcome.PASS
    turned = Layer("turn", "turn", "RandomRotation")
    assert _equal(0.1, [-0.1, 0.1], turned)
    assert _equal(0.1, [0.0, 0.1], turned)
    assert not _equal(0.1, [-0.2, 0.1], turned)
    assert not _equal(HUGE, [-0.1, 0.1], turned)
    assert not _equal(0.1, [-HUGE, HUGE], turned)
    assert _equal(HUGE, HUGE, turned)
    assert not _equal(HUGE, 1.0, turned)
    assert probed(HUGE) is None
    assert candidates({"class_name": "Constant", "config": {"value": HUGE}}, (2,)) is not None


@pytest.mark.parametrize(
    ("value", "said"), [(-1, "the value -1,"), (0.5, "the value 0.5,"), (TEXT, "mask_value,")]
)
def test_only_a_number_is_shown_as_the_value_of_a_mask(value, said):
    mask = examples.layer("mask", "Masking", {}, {"mask_value": value})
    facts = examples.chain(mask, examples.layer("dense"))
    fix = unmasked(saved_graph(facts), "dense", 1.0)
    assert said in fix
    assert "\n" not in fix


@pytest.mark.parametrize(
    "config", [{}, {"units": 4}, {"filters": 4, "kernel_size": TEXT}, {"filters": 4}]
)
def test_code_for_a_layer_is_one_line(config):
    code = relu_code(Layer("d", TEXT, "Dense", config=config))
    assert "\n" not in code
    compile(code, "advice", "eval")  # TEXT cannot end the string that it is in
    assert ast.literal_eval(code.rpartition("name=")[2].removesuffix(")")) == TEXT


@pytest.mark.parametrize("setting", ["momentum", "epsilon"])
def test_the_name_of_a_layer_cannot_add_code(setting):
    norm = examples.layer(TEXT, "BatchNormalization", {}, {setting: 1.0})
    (found,) = run_rule(rule("MA322"), examples.chain(norm, examples.layer("dense"))).findings
    assert f"name={TEXT!r}" in found.fix
    assert "\n" not in found.fix
