"""How far steps of RMSprop reach and what its averages tell; and that no table is built twice."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import TensorStats
from modelaudit.findings import Severity
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.tensor_stats import FileArray, summarise
from modelaudit.measures.optimizer_state import (
    OptimizerState,
    WeightMoments,
    _summed,
    optimizer_state,
)
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.initial_weights.initial_values import left_initial
from modelaudit.rules.initial_weights.training_reach import (
    forgets_squares,
    hardly_moved,
    trained_slightly,
)
from modelaudit.rules.model import Facts
from modelaudit.rules.training.extent import short
from modelaudit.rules.training.silent_units import silent_units
from modelaudit.rules.training.steps import adam
from modelaudit.settings import Limits
from modelaudit.structs import replace
from tests.rules.initial_kernels import drawn, model, moved
from tests.thresholds.test_training_extent import barely


def compiled(name, rate, **more):
    return barely({"class_name": name, "config": {"learning_rate": rate, **more}}, 1e-6)


def farthest_of_rmsprop(rate, rho, momentum, steps=80):
    """The farthest of many sequences of gradients, by the formulas of keras.optimizers.RMSprop."""
    best = 0.0
    for quiet in range(steps):
        square = speed = place = 0.0
        for step in range(steps):
            gradient = 1.0 if step >= quiet else 0.0
            square = rho * square + (1 - rho) * gradient**2
            speed = momentum * speed + rate * gradient / math.sqrt(square + 1e-14)
            place += speed
        best = max(best, place)
    return best


@pytest.mark.parametrize(("rho", "momentum"), [(0.9, 0.0), (0.99, 0.0), (0.9, 0.5)])
def test_the_reach_of_rmsprop_is_that_of_its_steps(rho, momentum):
    facts = compiled("RMSprop", 1e-5, rho=rho, momentum=momentum)
    reach, share = short(facts, optimizer_state(facts.artifact))
    assert reach == pytest.approx(80 * 1e-5 / math.sqrt(1 - rho) / (1 - momentum))
    assert reach >= farthest_of_rmsprop(1e-5, rho, momentum)
    assert share == pytest.approx(reach / 0.5)


def test_the_reach_of_adam_is_that_of_the_stored_rate():
    facts = compiled("Adam", 1e-5)
    assert short(facts, optimizer_state(facts.artifact))[0] == pytest.approx(80 * 1e-5)
    (found,) = run_rule(rule("MA432"), facts).findings
    assert "at the stored learning rate of 1e-05" in found.detail
    # 0.13 of the spread by the rate alone, 0.4 by the steps of RMSprop
    assert run_rule(rule("MA432"), compiled("Adam", 8e-4)).findings
    assert not run_rule(rule("MA432"), compiled("RMSprop", 8e-4)).findings
    assert not run_rule(rule("MA432"), compiled("Adam", -1e-5)).findings


@pytest.mark.parametrize(
    ("name", "first", "said"),
    [
        ("Adam", 0.1, "never received a gradient"),
        ("RMSprop", None, "received no gradient for a long time"),
        ("RMSprop", 0.1, "received no gradient for a long time"),  # with a momentum
        ("", None, "received no gradient for a long time"),
    ],
)
def test_averages_of_rmsprop_fade_to_zero(name, first, said):
    """A float32 that is multiplied by 0.9 is 0 after about 1,000 steps."""
    facts = examples.chain(examples.layer("hidden", config={"activation": "relu"}))
    bias = WeightMoments("hidden", "bias", (10,), first, 1.0, 0.5, zeros=5)
    (found,) = silent_units(rule("MA433"), facts, OptimizerState(name, moments=(bias,)))
    assert said in found.detail


def average(steps, beta=0.9):
    """Adam's average of a gradient of 1 that stopped `steps` ago, by its update in float32."""
    m = np.float32(0.01)
    for _ in range(steps):
        m += (np.float32(0) - m) * np.float32(1 - beta)
    return float(m)


@pytest.mark.parametrize(
    ("alive", "steps", "said"),
    [
        (0.01, 1000, True),
        (0.01, 100, False),  # a rare kind of input may activate them
        (1e-20, 1000, False),  # all have faded: training had converged
    ],
)
def test_averages_of_adam_fade_but_not_to_zero(tmp_path, alive, steps, said):
    """Six of ten units whose gradient stopped; their averages of squares are far from 0."""
    values = np.array([average(steps)] * 6 + [alive] * 4)
    assert values.all()
    file = tmp_path / "m.bin"
    file.write_bytes(values.tobytes())
    source = FileArray(FileWindow.of_file(file), 0, (10,), "float64")
    first = summarise("m", (10,), "float64", "m.bin", "optimizer", source, Limits())
    second = examples.tensor("v", (10,), TensorStats(1e-9, 1.0, 0.5, 0.1, 0, 0))
    facts = examples.chain(examples.layer("hidden", config={"activation": "relu"}))
    moments = (_summed("hidden", "bias", first, second),)
    state = OptimizerState("Adam", settings={"beta_1": 0.9}, moments=moments)
    found = [*silent_units(rule("MA433"), facts, state)]
    assert [each.detail.partition(",")[0] for each in found] == [
        "6 of the 10 units of `hidden` received no gradient for a long time"
    ] * said


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"momentum": 0.9}, True),
        ({"beta_1": np.float32(0.9).item()}, True),
        ({"momentum": 0.0}, False),  # plain SGD of tf-keras stores the last gradient
        ({"beta_1": 0.0, "beta_2": 0.999}, False),
        ({"beta_1": 0.5}, False),  # 0 after 120 steps
        ({}, False),
    ],
)
def test_only_a_slow_average_tells_of_a_long_time(settings, said):
    facts = examples.chain(examples.layer("hidden", config={"activation": "relu"}))
    bias = WeightMoments("hidden", "bias", (10,), 0.1, faded=6)
    state = OptimizerState(settings=settings, moments=(bias,))
    assert bool([*silent_units(rule("MA433"), facts, state)]) is said


@pytest.mark.parametrize("count", [3, 30])
def test_the_optimizer_state_is_read_once_for_all_kernels(monkeypatch, count):
    seen = []
    find = optimizer_state._compute
    monkeypatch.setattr(
        optimizer_state, "_compute", lambda artifact: seen.append(artifact) or find(artifact)
    )
    fresh, trained = ([f"{kind}{i}" for i in range(count)] for kind in "ab")
    slots = [(name, 0.0, 0.0) for name in fresh] + [(name, 0.1, 0.1) for name in trained]
    found = left_initial(adam(*slots).artifact, [*map(drawn, fresh), *map(moved, trained)])
    assert len(found) == count
    assert len(seen) == 1


class Walked(tuple):
    """Layers that count how often all of them are walked through."""

    walks = 0

    def __iter__(self):
        Walked.walks += 1
        return super().__iter__()


def test_layers_are_walked_through_as_often_for_many_biases_as_for_few():
    walks = []
    for count in (3, 30):
        names = [f"layer{i}" for i in range(count)]
        facts = adam(*((name, 0.1, 0.1) for name in names), steps=20, rate=1e-6)
        variables = {name: {"kernel": f"{name}/kernel", "bias": f"{name}/bias"} for name in names}
        layers = Walked(
            replace(layer, variables=variables[layer.name])
            for layer in facts.artifact.architecture.layers
        )
        stats = TensorStats(0.0, 0.0, 0.0, 0.0, 4, 0)
        biases = [examples.tensor(f"{name}/bias", (2,), stats) for name in names]
        architecture = replace(facts.artifact.architecture, layers=layers)
        artifact = replace(
            facts.artifact, architecture=architecture, tensors=(*facts.artifact.tensors, *biases)
        )
        kernels = [drawn(name, bias=None) for name in names]
        Walked.walks = 0
        hardly_moved(artifact, kernels)
        for kernel in kernels:
            trained_slightly(artifact, kernel)
        walks.append(Walked.walks)
    assert walks[0] == walks[1]


@pytest.mark.parametrize(
    ("bias", "trainable", "slots", "told"),
    [
        (True, True, "ac", True),
        (False, True, "ac", False),  # its bias moved: another optimizer trained it
        (None, True, "ac", False),
        (True, False, "ac", False),  # frozen
        (True, True, "abc", False),
        (True, True, "", False),  # plain gradient descent keeps nothing
    ],
)
def test_an_optimizer_keeps_nothing_of_what_the_loss_does_not_depend_on(
    bias, trainable, slots, told
):
    state = [examples.tensor(f"{name}/kernel/Adam", (48, 96)) for name in slots]
    artifact = model()
    tensors = (*artifact.tensors, *(replace(each, role="optimizer") for each in state))
    kernels = (moved("a"), drawn("b", bias=bias, trainable=trainable), moved("c"))
    measured = Measurements(initialization=kernels)
    facts = Facts(replace(artifact, tensors=tensors), measurements=measured)
    findings = run_rule(rule("MA433"), facts).findings
    assert [each.severity for each in findings] == [Severity.MEDIUM] * told
    assert all("keeps nothing of `b`, whose" in each.detail for each in findings)


def test_what_else_got_no_gradient_is_told_beside_what_has_no_state():
    def slot(name, largest, shape=(48, 96)):
        stats = TensorStats(largest if not shape else 0.0, largest, largest, largest / 4, 4608, 0)
        return replace(examples.tensor(name, shape, stats), role="optimizer")

    powers = [slot(f"beta{i}_power", beta**101, ()) for i, beta in ((1, 0.9), (2, 0.999))]
    slots = [
        *powers,
        *(
            slot(f"{name}/kernel/{part}", size)
            for name, first in (("a", 1e-20), ("c", 0.1))
            for part, size in (("Adam", first), ("Adam_1", 0.1))
        ),
    ]
    artifact = model()
    artifact = replace(artifact, tensors=(*artifact.tensors, *slots), architecture=None)
    kernels = (moved("a"), drawn("b", trainable=True), moved("c"))
    facts = Facts(artifact, measurements=Measurements(initialization=kernels))
    findings = run_rule(rule("MA433"), facts).findings
    assert [each.location.route for each in findings] == ["b", "a"]
    assert "steps or so, `a`. Of the 2 trained weights, 1 receives one still." in findings[1].detail


def test_a_short_training_is_to_be_longer():
    """Not only to be run at all; at a rate of 0, more steps change nothing."""
    (few,) = run_rule(rule("MA432"), adam(("a", 0.1, 0.1), steps=3)).findings
    assert "more epochs" in few.fix and "epochs=" in few.fix
    initial = KernelInitialization("a", "a/kernel", "", "undecidable", tests={"bias_initial": True})
    started = Measurements(initialization=(initial,))
    (still,) = run_rule(
        rule("MA430"), adam(("a", 0.1, 0.1), steps=500, rate=0.0, measurements=started)
    ).findings
    assert "rate above 0" in still.fix


@pytest.mark.parametrize(("steps", "ever"), [(500, True), (40_000, True), (90_000, False)])
def test_squares_of_gradients_fall_to_0_in_a_long_training(steps, ever):
    """As float32 computes Adam's average of squares, when no gradient comes any more."""
    kept, square = np.float32(0.999), np.float32(1e-3)
    for _ in range(steps):
        square *= kept
        if square < np.finfo(np.float32).tiny:  # TensorFlow takes smaller ones for 0
            square = np.float32(0)
    assert bool(square > 0) is ever
    (found,) = run_rule(rule("MA433"), adam(("a", 0.0, 0.0), ("b", 0.1, 0.1), steps=steps)).findings
    assert ("has reached `a` since the model was compiled." in found.detail) is ever
    assert ("or ever." in found.detail) is not ever


@pytest.mark.parametrize(
    ("steps", "said"), [(500, "In training, every"), (90_000, "At the end of training, every")]
)
def test_what_a_layer_got_is_known_as_far_back_as_the_averages(steps, said):
    facts = adam(("kernel", 0.2, 0.8), ("bias", 0.1, 0.2), steps=steps)
    variables = {name: f"{name}/kernel" for name in ("kernel", "bias")}
    architecture = examples.model(examples.layer("dense", variables=variables)).architecture
    artifact = replace(facts.artifact, architecture=architecture)
    (finding,) = run_rule(rule("MA439"), replace(facts, artifact=artifact)).findings
    assert finding.detail.startswith(said)


@pytest.mark.parametrize(
    ("optimizer", "kept", "steps"), [("RMSprop", 0.9, 500), ("Adam", 0.999, 50_000)]
)
def test_each_optimizer_forgets_squares_at_its_own_pace(optimizer, kept, steps):
    """The square of 1e-10, as float32 keeps it; a tenth of these steps leaves it."""
    square = np.float32(1e-20)
    for _ in range(steps):
        square *= np.float32(kept)
    assert square < np.finfo(np.float32).tiny
    assert forgets_squares(OptimizerState(optimizer, steps))
    assert not forgets_squares(OptimizerState(optimizer, steps // 10))
