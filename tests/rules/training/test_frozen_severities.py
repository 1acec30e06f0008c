"""Layers that keep what they began with: how grave that is, by what else was trained."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.initial_weights.untrained_bodies import only_head_moved
from modelaudit.rules.training.steps import adam
from modelaudit.structs import replace
from tests.rules.test_made_designs import dense


def _state(route, *, bias=True, norm=None, fits=True):
    tests = {"fits": fits, "bias_initial": bias, "batchnorm_initial": norm}
    return KernelInitialization(route, f"{route}/kernel", "GlorotUniform", "fresh", tests=tests)


def _body(*, frozen, norms=False, inside=False):
    base = replace(examples.layer("base", "Functional", {}), is_model=True, trainable=not frozen)
    inner = [replace(examples.layer(f"base/{name}"), trainable=not inside) for name in "ab"]
    bias, norm = (None, True) if norms else (True, None)
    kernels = [_state(x.route, bias=bias, norm=norm) for x in inner]
    moved = _state("head", bias=False, fits=False)
    made = examples.model(base, *inner, examples.layer("head"))
    return only_head_moved(made, (*kernels, moved))


@pytest.mark.parametrize("norms", [False, True])
def test_a_base_frozen_as_a_whole_at_its_initial_values(norms):
    assert [str(each.severity) for each in _body(frozen=True, norms=norms)] == ["medium"] * 2
    # Keras 2 saves a frozen model as one whose layers are frozen.
    assert [str(x.severity) for x in _body(frozen=False, inside=True)] == ["medium"] * 2
    # Layers that no file says are frozen may be random features on purpose.
    assert [str(each.severity) for each in _body(frozen=False, norms=norms)] == ["low"] * 2


def test_a_frozen_head_at_its_initial_values():
    def said(bias):
        hidden, head = dense(name="hidden"), dense(5, "softmax", name="head")
        facts = examples.chain(hidden, replace(head, trainable=False), training={"loss": "mse"})
        undecidable = replace(_state("head", bias=bias), state="undecidable")
        trained = replace(_state("hidden", bias=False, fits=False), state="trained")
        measured = Measurements(initialization=(undecidable, trained))
        (seen,) = run_rule(rule("MA321"), replace(facts, measurements=measured)).findings
        return str(seen.severity)

    assert said(bias=True) == "medium"
    assert said(bias=False) == "low"  # trained before it was frozen


def test_a_few_first_steps_of_a_head_on_a_frozen_base():
    def said(moved):
        facts = adam(("base", 0.1, 0.1), ("head", 0.1, 0.1), steps=3, rate=1e-3)
        stats = replace(examples.ORDINARY, minimum=-0.5, maximum=0.5)
        own = replace(stats, minimum=-moved, maximum=moved)
        biases = (
            examples.tensor("base/bias", (2,), stats),
            examples.tensor("head/bias", (2,), own),
        )
        architecture = facts.artifact.architecture
        assert architecture is not None
        layers = tuple(
            replace(
                each,
                trainable=each.name == "head",
                variables={**each.variables, "bias": f"{each.name}/bias"},
            )
            for each in architecture.layers
        )
        artifact = replace(
            facts.artifact,
            architecture=replace(architecture, layers=layers),
            tensors=(*facts.artifact.tensors, *biases),
        )
        (seen,) = run_rule(rule("MA432"), replace(facts, artifact=artifact)).findings
        return str(seen.severity)

    assert said(0.002) == "medium"
    assert said(0.2) == "low"  # compiled again after a longer training


@pytest.mark.parametrize(
    ("tests", "severity"),
    [
        (
            {"fits": False, "outside": 0.6, "ks_p": 0.0, "ks_distance": 0.3},
            "low",
        ),  # trained, then compiled again
        (
            {"fits": False, "outside": 0.6, "ks_p": 0.0, "ks_distance": 0.3, "trainable": False},
            "medium",
        ),
        # What few steps move, also from exactly orthogonal.
        ({"fits": False, "outside": 0.01, "ks_p": 0.5, "ks_distance": 0.01}, "medium"),
        ({"fits": False, "outside": None, "ks_p": 0.0, "orthogonality_error": 0.01}, "medium"),
        ({"fits": True, "outside": None, "ks_p": 0.5, "ks_distance": 0.01}, "medium"),
    ],
)
def test_trained_kernels_speak_against_few_steps(tests, severity):
    facts = adam(("head", 0.1, 0.1), steps=3, rate=1e-3)
    stats = replace(examples.ORDINARY, minimum=-0.002, maximum=0.002)
    (head,) = facts.artifact.architecture.layers
    head = replace(head, variables={**head.variables, "bias": "head/bias"})
    artifact = replace(
        facts.artifact,
        architecture=replace(facts.artifact.architecture, layers=(head,)),
        tensors=(*facts.artifact.tensors, examples.tensor("head/bias", (2,), stats)),
    )
    kernel = replace(_state("head", bias=False), weights=4096, tests={"level": 0.001, **tests})
    facts = replace(facts, artifact=artifact, measurements=Measurements(initialization=(kernel,)))
    (seen,) = run_rule(rule("MA432"), facts).findings
    assert str(seen.severity) == severity


def test_a_last_layer_of_a_model_that_was_frozen_as_a_whole():
    """As drawn behind trained layers, it never learned; as trained, it was frozen afterwards."""

    def said(fresh):
        hidden, head = (replace(dense(name=name), trainable=False) for name in ("hidden", "head"))
        facts = examples.chain(hidden, head, training={"loss": "mse"})
        trained = replace(_state("hidden", bias=False, fits=False), state="trained")
        last = _state("head", bias=fresh, fits=fresh)
        last = replace(last, state="fresh" if fresh else "trained")
        measured = Measurements(initialization=(trained, last))
        (seen,) = run_rule(rule("MA321"), replace(facts, measurements=measured)).findings
        return str(seen.severity)

    assert said(fresh=True) == "high"
    assert said(fresh=False) == "low"
