"""Properties of every diagnosis: order, explanations, completeness."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from modelaudit.audit_types.behaviour import Collapse, Intervention, TransformEffect
from modelaudit.diagnosis import diagnose
from modelaudit.diagnosis.case import FLIPS
from modelaudit.diagnosis.procedure import FAULTS, PROCEDURE
from modelaudit.measures.input_corrections import NUMPY
from modelaudit.structs import replace
from modelaudit.thresholds.weights import MISFIT_ALIKE
from tests.diagnosis.cases import (
    behaviour,
    check,
    diagnosed,
    facts,
    fit,
    initial,
    labelled,
    measurements,
    norm,
    output,
    silent,
)

NAMES = [step.cause for step in PROCEDURE]


def test_faults_of_the_file_come_first_and_descriptions_last():
    order = list(dict.fromkeys(NAMES))
    assert order[:2] == ["damaged-restore", "nonfinite-weights"]
    assert order[2] == "constant-by-construction"
    assert order[3:5] == ["not-trained", "never-loaded"]
    assert order[5:7] == ["partial-restore", "bn-statistics-lost"]
    described = [name for name in order if name not in FAULTS | {"labels-renumbered"}]
    assert order[-len(described) :] == described
    for earlier, later in (
        ("dead-units", "head-bias"),
        ("dead-units", "input-domain"),
        ("head-bias", "input-domain"),
        ("orientation-mismatch", "wrong-weights-upstream"),
        ("input-domain", "wrong-weights-upstream"),
        ("wrong-weights-upstream", "collapse-open"),
        ("input-domain", "nonfinite-output"),
        ("nonfinite-output", "wrong-weights-upstream"),
        ("labels-renumbered", "not-understood"),
        ("wrong-weights-upstream", "not-understood"),
        ("invariant-by-construction", "orientation-sensitive-architecture"),
    ):
        assert order.index(earlier) < order.index(later)


def test_only_earlier_causes_explain():
    for place, step in enumerate(PROCEDURE):
        assert step.explained_by & set(NAMES) <= set(NAMES[:place]) | {step.cause}


def test_consequences_name_their_cause():
    found = diagnosed(behaviour(silent()), measurements(initial("a", "fresh")))
    assert [cause.cause for cause in found.causes] == ["never-loaded"]
    assert {(each.cause, each.of) for each in found.consequences} == {
        ("collapse-open", "never-loaded")
    }


def test_given_images_are_not_asked_for_when_the_model_was_not_run():
    """Images may have been given but not used, which is another reason."""
    found = replace(
        facts(measured=measurements(batchnorm=[norm()])),
        behaviour=None,
        probe_skipped="it holds code",
    )
    diagnosis = diagnose(found, ())
    open_ = {each.cause: each.needs for each in diagnosis.undecidable}
    assert "it holds code" in open_["little-information"]
    assert "it holds code" in open_["bn-statistics-lost"]
    assert not any("images" in needs for needs in open_.values())


def test_images_that_could_not_be_used_are_not_asked_for():
    seen = behaviour(user=False)
    assert diagnose(facts(seen), ()).answer.startswith("Undecided: provide about 64 real images")
    inputs = replace(seen.inputs, unused="the probe data do not fit")
    answer = diagnose(facts(replace(seen, inputs=inputs)), ()).answer
    assert answer.startswith("Undecided: the probe data do not fit. The file, its")


def test_noise_outputs_rule_out_nothing_about_flips():
    flips = {"invariant-by-construction", "learned-invariance", "output-follows-flip"}
    flips |= {"orientation-sensitive-architecture", "orientation-sensitive-data"}
    sound, noisy = (diagnosed(behaviour(deterministic=d)) for d in (True, False))
    assert flips & {each.cause for each in sound.ruled_out}
    assert noisy.causes[0].cause == "nondeterministic"
    assert not flips & {each.cause for each in noisy.ruled_out}


@pytest.mark.parametrize("seen", [silent(), silent(name="other")])
def test_a_constant_output_is_not_described_as_varying(seen):
    found = diagnosed(behaviour(seen), measurements(initial("a", "fresh"), initial("b")))
    assert "little-information" not in {each.cause for each in found.ruled_out}
    assert "little-information" not in {each.cause for each in found.undecidable}


@pytest.mark.usefixtures("steps_alone")
def test_the_misfit_is_compared_with_the_named_limit():
    """The limit for images with equal predictions accepts a first, smaller misfit."""
    alike = output(collapse=Collapse(False, 0.2, 10, 3, 0.97, 0.3), orientation={}, domain={})
    seen = behaviour(alike, batchnorm=(fit(0.5, "first"), fit(1.8, "second")))
    found = next(c for c in diagnosed(seen).causes if c.cause == "wrong-weights-upstream")
    assert found.where == "second"
    assert found.evidence[0].threshold == MISFIT_ALIKE.value
    assert f"sound models stay below {MISFIT_ALIKE.value:.2f}" in found.evidence[0].text


numbers = st.floats(0, 4) | st.sampled_from([0.0, 1e-12, math.inf])
shares = st.floats(0, 1)
SCALES = [name for name in NUMPY if name not in FLIPS]
scales = st.dictionaries(st.sampled_from(SCALES), numbers)
variants = st.dictionaries(st.sampled_from(["e", "H", "V", "r90", *SCALES]), numbers)
effects = st.lists(
    st.builds(
        TransformEffect,
        name=st.sampled_from(FLIPS),
        n=st.integers(0, 200),
        agreement=st.none() | shares,
        kappa=st.none() | st.floats(-1, 1),
        nfv=st.none() | numbers,
        action=st.sampled_from(["invariant", "odd", "swap", "spatial"]),
    ),
    max_size=4,
)
states = st.builds(
    Collapse,
    collapsed=st.booleans(),
    information=st.none() | st.floats(0, 4),
    classes=st.none() | st.integers(1, 12),
    top_class=st.none() | st.integers(0, 11),
    top_share=st.none() | shares,
    spread=numbers,
)
outputs = st.builds(
    output,
    kind=st.sampled_from(["softmax", "sigmoid", "regression", "spatial", "embedding"]),
    collapse=states,
    transforms=effects.map(tuple),
    orientation=variants,
    domain=scales,
    accuracy=st.just({}) | st.dictionaries(st.sampled_from(["e", "H", "/255"]), shares),
    fit=variants,
    floor=variants,
)
interventions = st.dictionaries(
    st.sampled_from(["centre_head_bias", "clear_negative_bias", "recalibrate_batchnorm"]),
    st.builds(
        Intervention,
        output=st.just("digit"),
        layer=st.just("head") | st.just(UNSET),
        before=st.floats(),
        after=st.floats(),
        excess=st.floats() | st.just(UNSET),
        responsible=st.booleans() | st.just(UNSET),
    ),
)
behaviours = st.builds(
    lambda outs, largest, **changes: labelled(behaviour(*outs, **changes), largest),
    st.lists(outputs, min_size=1, max_size=2),
    st.none() | shares,
    user=st.booleans(),
    n=st.integers(1, 200),
    deterministic=st.booleans(),
    noise_floor=numbers,
    training_flag_matters=st.none() | st.booleans(),
    dead=st.dictionaries(st.sampled_from(["relu", "conv"]), shares),
    skipped=st.dictionaries(st.sampled_from(["dead units", "centred head bias"]), st.text()),
    interventions=interventions,
    batchnorm=st.lists(
        st.builds(fit, numbers, domain=scales, orientation=variants), max_size=2
    ).map(tuple),
)
measured = st.builds(
    lambda kernels, norms: measurements(*kernels, batchnorm=norms),
    st.lists(
        st.builds(
            initial,
            st.sampled_from(["conv", "head"]),
            st.sampled_from(["trained", "fresh", "undecidable"]),
            st.integers(0, 5000),
        ),
        max_size=3,
    ),
    st.lists(st.builds(norm, lost=st.booleans(), affine=st.booleans()), max_size=2),
)


@given(behaviours, measured)
def test_any_facts_get_a_complete_diagnosis(seen, known):
    check(diagnosed(seen, known))
