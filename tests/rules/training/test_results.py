"""MA435 and MA433: enormous weights that training may need, and for how long no gradient came."""

from __future__ import annotations

import math

import pytest

from modelaudit.facts import Kernel, TensorStats
from modelaudit.findings import Finding
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.rules.training.steps import adam
from modelaudit.structs import replace

WILD, USUAL = 2000.0, 1.0


def findings(*times: float, frozen: int | None = None) -> tuple[Finding, ...]:
    """Of a chain of layers whose kernels are so many times as large as an initializer draws them.

    Args:
        frozen: number of the layer that is frozen.
    """
    tensors, layers, kernels = [], [], []
    for number, each in enumerate(times):
        size, name = each * math.sqrt(2 / 128), f"layer_{number}"
        stats = TensorStats(-size, size, 0.0, size, 0, 0)
        tensors.append(examples.tensor(f"{name}/kernel", (64, 64), stats))
        layer = examples.layer(name, variables={"kernel": f"{name}/kernel"})
        layers.append(replace(layer, trainable=number != frozen))
        kernels.append(Kernel(name, f"{name}/kernel", "dense", "io", 0, (64, 64)))
    artifact = replace(examples.model(*layers, tensors=tuple(tensors)), kernels=tuple(kernels))
    return run_rule(rule("MA435"), Facts(artifact)).findings


def severities(*times: float, frozen: int | None = None) -> list[str]:
    found = findings(*times, frozen=frozen)
    assert all(("not scaled" in each.detail) is (each.severity == "low") for each in found)
    return [each.severity.value for each in found]


@pytest.mark.parametrize(
    ("times", "frozen", "expected"),
    [
        ((USUAL, WILD, USUAL), None, ["medium"]),
        ((USUAL, USUAL, WILD), None, ["low"]),  # targets that are not scaled
        ((WILD, USUAL, USUAL), None, ["low"]),  # inputs that are small
        ((WILD, WILD, WILD), None, ["medium"]),
        ((USUAL, WILD, USUAL), 1, []),  # a Fourier transform
        ((USUAL, USUAL, USUAL), None, []),
    ],
)
def test_enormous_weights_show_divergence_only_inside(times, frozen, expected):
    assert severities(*times, frozen=frozen) == expected


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ((WILD,), "draws them."),
        ((WILD, 5.0), "draws them, those of `layer_1` 5 times."),
        ((5.0, WILD), "draws them, those of `layer_0` 5 times."),
        ((2.0, 6.0, WILD), "draws them, those of the median layer 6 times."),
        ((2.0, 6.0, 8.0, WILD), "draws them, those of the median layer 6 times."),
    ],
)
def test_only_layers_that_exist_are_compared(times, said):
    (found,) = findings(*times)
    assert said in found.detail


@pytest.mark.parametrize(("shape", "expected"), [((2, 46784), []), ((2048, 2048), ["medium"])])
def test_weights_are_large_for_the_inputs_that_they_sum(shape, expected):
    """Of two inputs, weights of 2 are usual, although Glorot draws 0.007 for so many outputs."""
    tensors, layers, kernels = [], [], []
    for name in ("one", "two", "three"):
        stats = TensorStats(-3.5, 3.5, 0.0, 3.0, 0, 0)
        tensors.append(examples.tensor(f"{name}/kernel", shape, stats))
        layers.append(examples.layer(name, variables={"kernel": f"{name}/kernel"}))
        kernels.append(Kernel(name, f"{name}/kernel", "dense", "io", 0, shape))
    artifact = replace(examples.model(*layers, tensors=tuple(tensors)), kernels=tuple(kernels))
    found = run_rule(rule("MA435"), Facts(artifact)).findings
    assert [each.severity.value for each in found] == expected


def test_layers_whose_output_still_teaches_the_next_are_no_dead_ones():
    """Layers that were kept as they are; those behind dead ReLUs get no gradient, or one value."""
    alive = adam(("a", 1e-20, 0.1), ("b", 0.1, 0.1))
    silent = adam(("a", 1e-20, 0.1), ("b", 1e-20, 0.1), ("bias", 0.1, 0.1))
    for facts, kept in ((alive, True), (silent, False)):
        variables = {"bias": "bias/kernel"}
        layers = facts.artifact.architecture.layers
        if not kept:
            layers = (*layers[:2], replace(layers[2], variables=variables))
        architecture = replace(facts.artifact.architecture, layers=layers)
        artifact = replace(facts.artifact, architecture=architecture)
        (found,) = run_rule(rule("MA433"), replace(facts, artifact=artifact)).findings
        assert found.severity.value == ("low" if kept else "medium")
        assert ("on purpose" in found.detail) is kept


@pytest.mark.parametrize(
    ("m", "v", "said"),
    [
        (1e-20, 0.1, "for the last "),
        # (1 - beta) times these is the smallest normal float32: they fall no further.
        (1.2e-37, 1.2e-35, "for at least the last "),
        (1.2e-37, 0.1, "for at least the last "),
    ],
)
def test_averages_that_no_longer_fall_show_only_the_least_number_of_steps(m, v, said):
    (found,) = run_rule(rule("MA433"), adam(("a", m, v), ("b", 0.1, 0.1), steps=200_000)).findings
    assert said in found.detail
    assert (" or so" in found.detail) is ("at least" not in said)


@pytest.mark.parametrize(("scale", "severities"), [(2000.0, ["medium"]), (1.0, [])])
def test_recurrent_kernels_that_exploded(scale, severities):
    def stored(name, shape, factor):
        spread = factor * (2 / sum(shape)) ** 0.5
        return examples.tensor(name, shape, TensorStats(-spread, spread, 0.0, spread, 0, 0))

    variables = {"kernel": "lstm/kernel", "recurrent_kernel": "lstm/recurrent_kernel"}
    lstm = replace(examples.layer("lstm", "LSTM", variables), config={"units": 16})
    head = examples.dense("dense", "linear")
    tensors = (
        stored("lstm/kernel", (64, 64), scale),
        stored("lstm/recurrent_kernel", (16, 64), scale),
        stored("dense/kernel", (16, 8), scale / 4),
        examples.tensor("dense/bias", (8,)),
    )
    facts = examples.chain(lstm, head)
    found = Kernel("dense", "dense/kernel", "dense", "io", 0, (16, 8), "dense/bias")
    artifact = replace(facts.artifact, tensors=tensors, kernels=(found,))
    said = run_rule(rule("MA435"), replace(facts, artifact=artifact)).findings
    assert [str(each.severity) for each in said if "lstm/" in each.detail] == severities
