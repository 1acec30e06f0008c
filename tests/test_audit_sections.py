"""The content of an audit must not depend on the run that made it."""

from __future__ import annotations

from modelaudit.audit_sections import (
    architecture_section,
    compatibility_section,
    observation_sections,
    weights_section,
)
from modelaudit.audit_types.loading import LoadOutcome, Status
from modelaudit.probe.protocol import Observation
from modelaudit.rules import examples
from modelaudit.rules.model import Facts
from modelaudit.runtimes.model import Prediction
from modelaudit.structs import replace


def test_observations_of_two_runs_are_equal_whatever_their_cost() -> None:
    seen = Observation("here", "load_model", Status.LOADED, seconds=1.0, peak_memory=100)
    dearer = replace(seen, seconds=9.0, peak_memory=900)
    assert observation_sections((seen,)) == observation_sections((dearer,))


def test_different_observations_are_not_equal() -> None:
    seen = Observation("here", "load_model", Status.LOADED)
    failed = replace(seen, status=Status.FAILED, error="no such class")
    assert observation_sections((seen,)) != observation_sections((failed,))


def test_the_state_of_a_random_generator_is_not_a_parameter() -> None:
    dense = examples.model(examples.layer())
    seed = replace(examples.tensor("seed/state", (2,)), dtype="int64", nbytes=16)
    with_seed = replace(dense, tensors=(*dense.tensors, seed))
    (plain, seeded) = (Facts(dense), Facts(with_seed))
    assert architecture_section(seeded).params == architecture_section(plain).params == 10
    assert weights_section(seeded).total == weights_section(plain).total == 10
    assert weights_section(seeded).bytes == 40
    assert len(weights_section(seeded).tensors) == 3  # it is still listed


def test_weights_are_foreseen_to_load_only_if_the_architecture_beside_them_does() -> None:
    seen = Observation("here", "load_weights", Status.FAILED, target="tf==2.21.0")
    weights = Prediction("tf==2.21.0", "load_weights", LoadOutcome.LOADS)
    for outcome in (LoadOutcome.FAILS, LoadOutcome.LOADS):
        design = Prediction("tf==2.21.0", "model_from_json", outcome)
        facts = Facts(examples.model(), observations=(seen,), predictions=(weights, design))
        observed, alone = compatibility_section(facts)
        assert (observed.runtime, observed.predicted) == ("here", outcome)
        assert (alone.call, alone.observed) == ("model_from_json", None)
