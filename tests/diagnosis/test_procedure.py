"""What holds of every diagnosis: its order, its suspects, its advice, its code."""

from __future__ import annotations

import ast
import math
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.diagnosis import diagnose
from modelaudit.diagnosis.advice import ADVICE, next_steps
from modelaudit.diagnosis.answer import SENTENCES
from modelaudit.diagnosis.case import FLIPS, SCALES, SIMPLEST, WORDS
from modelaudit.diagnosis.loading import loading
from modelaudit.diagnosis.model import Diagnosis, Found
from modelaudit.diagnosis.procedure import FAULTS, PROCEDURE
from modelaudit.diagnosis.suspects import CLEARED, GUILTY, OPEN
from modelaudit.diagnosis.ways import AUGMENT, NUMPY, PUT_IN
from modelaudit.measures.batchnorm import MISFIT_ALIKE
from modelaudit.measures.summary import Collapse, TransformEffect
from modelaudit.restore.model import Change, Comparison, Difference
from modelaudit.restore.proof import RestoreProof
from modelaudit.rules import examples
from tests.diagnosis.cases import (
    behaviour,
    diagnosed,
    facts,
    fit,
    initial,
    labelled,
    measurements,
    mirror,
    norm,
    output,
    silent,
)

NAMES = [step.cause for step in PROCEDURE]
NAMED = ("training data", "filters and architecture", "restoration")


def test_faults_of_the_file_come_first_and_descriptions_last():
    order = list(dict.fromkeys(NAMES))
    assert order[:2] == ["damaged-restore", "nonfinite-weights"]
    assert order[2:5] == ["never-loaded", "partial-restore", "bn-statistics-lost"]
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


@pytest.mark.parametrize("cause", sorted({*NAMES, *ADVICE}))
def test_every_cause_has_title_sentence_and_refutation(cause):
    assert ADVICE[cause].title
    assert SENTENCES[cause].endswith((".", "{evidence}"))
    if cause in NAMES:
        assert ADVICE[cause].refute
        assert ADVICE[cause].steps


@pytest.mark.parametrize("cause", ADVICE)
@pytest.mark.parametrize("flip", [*SIMPLEST, ""])
def test_code_can_be_pasted(cause, flip):
    load = loading(examples.healthy())
    for step in next_steps(cause, Found(1.0, (), transform=flip), load):
        assert not re.search(r"\{[a-z]+\}", step.text + step.code)
        if step.code and not step.code.startswith(("modelaudit ", "sha256sum ")):
            ast.parse(step.code)


def test_code_does_what_its_words_say():
    import numpy as np

    from modelaudit.measures.dihedral import elements

    images = np.arange(2 * 4 * 4 * 3.0).reshape(2, 4, 4, 3)
    for element in elements((4, 4)):
        if element.name in NUMPY:
            done = eval(NUMPY[element.name], {"np": np, "images": images})
            expected = [[element.apply(image[..., c]) for c in range(3)] for image in images]
            np.testing.assert_array_equal(done, np.moveaxis(np.array(expected), 1, -1))
    assert set(AUGMENT) <= set(NUMPY)
    assert set(NUMPY) == set(WORDS) == set(SIMPLEST)


@pytest.mark.parametrize("high", [1.0, 255.0])
def test_code_for_scales_does_what_was_tried(high):
    import keras
    import numpy as np

    from modelaudit.measures.transforms import domain_transforms

    tried = 0
    for low in (-1.0, 0.0):
        images = np.linspace(low, high, 48, dtype="float32").reshape(1, 4, 4, 3)
        for scale in domain_transforms(images, 3):
            found = Found(1.0, (), transform=scale.name)
            steps = next_steps("input-domain", found, loading(examples.healthy()), (low, high))
            line = next(x for x in steps[0].code.splitlines() if x.startswith("images = "))
            given = {"np": np, "keras": keras, "images": images}
            done = eval(line.removeprefix("images = "), given)
            np.testing.assert_allclose(done, scale.apply(images), atol=1e-3)
            if scale.name in PUT_IN:
                layer = eval(steps[1].code.split("\n")[-1], given)
                np.testing.assert_allclose(layer(images), scale.apply(images), atol=1e-3)
                tried += 1
            assert (len(steps) == 2) == (scale.name in PUT_IN)
    assert tried >= 4


@pytest.mark.parametrize("bias", [[0.1, -0.2, 60.0], [60.0]])
def test_code_centres_the_bias_of_the_layer_that_is_named(bias):
    import numpy as np

    class Layer:
        name, weights = "digit", [np.ones((2, len(bias))), np.array(bias)]

        def get_weights(self):
            return self.weights

        def set_weights(self, weights):
            self.weights = weights

    head, last = Layer(), Layer()
    last.name = "odd"
    model = SimpleNamespace(_flatten_layers=lambda: [head, last])
    found = Found(1.0, (), where="trunk/digit")
    code = next_steps("head-bias", found, loading(examples.healthy()))[0].code
    exec(code.partition("compile=False)\n")[2], {"np": np, "model": model, "print": str})
    assert np.ptp(head.weights[1]) == 0
    assert abs(head.weights[1]).max() < 1
    assert last.weights is Layer.weights


def check(diagnosis: Diagnosis) -> None:
    """What must hold of any diagnosis."""
    assert [suspect.name for suspect in diagnosis.suspects] == list(NAMED)
    for suspect in diagnosis.suspects:
        assert suspect.state in {GUILTY, CLEARED, OPEN}
        assert suspect.text.rstrip().endswith(".")
    assert diagnosis.causes
    assert diagnosis.answer
    assert "{" not in diagnosis.answer
    beliefs = [cause.belief for cause in diagnosis.causes]
    assert all(0 < belief <= 1 for belief in beliefs)
    assert all(later < beliefs[0] for later in beliefs[1:])
    for cause in diagnosis.causes:
        assert all(evidence.text.rstrip().endswith(".") for evidence in cause.evidence)
    groups = (diagnosis.causes, diagnosis.consequences, diagnosis.ruled_out, diagnosis.undecidable)
    named = [each.cause for group in groups for each in group]
    assert len(named) == len(set(named))
    confirmed = {cause.cause for cause in diagnosis.causes}
    for step in PROCEDURE:  # what is not named does not arise behind a cause that is
        assert step.cause in named or (step.explained_by | step.unasked_behind) & confirmed


def test_consequences_name_what_brings_them_about():
    found = diagnosed(behaviour(silent()), measurements(initial("a", "fresh")))
    assert [cause.cause for cause in found.causes] == ["never-loaded"]
    assert {(each.cause, each.of) for each in found.consequences} == {
        ("collapse-open", "never-loaded")
    }


def test_orientation_mismatch_clears_the_training_data_and_is_the_only_cause():
    turned = output(
        collapse=Collapse(False, 1.0, 10, 3, 0.4, 0.3),
        orientation={"e": 1.0, "H": 3.0},
        transforms=(mirror(0.47, 0.3),),
    )
    found = diagnosed(behaviour(turned, batchnorm=(fit(0.5),)))
    assert [cause.cause for cause in found.causes] == ["orientation-mismatch"]
    assert {each.cause for each in found.consequences} == {
        "wrong-weights-upstream",
        "orientation-sensitive-data",
    }
    training, filters, _ = found.suspects
    assert training.state == filters.state == CLEARED
    assert "differ in orientation" in training.text


@pytest.mark.parametrize(
    ("comparison", "state", "words"),
    [
        (Comparison(6, 6), CLEARED, "in the model as it was loaded here, byte for byte;"),
        (
            Comparison(6, 5, missing=("head/bias",)),
            OPEN,
            "Weights that differ: 1, first head/bias.",
        ),
        (
            Comparison(6, 5, differing=(Difference("a", "a", Change.ALTERED, "transposed"),)),
            OPEN,
            "differ: 1, first a.",
        ),
    ],
)
def test_the_restore_proof_clears_or_holds_the_restoration(comparison, state, words):
    proof = RestoreProof("here", "load_model", comparison)
    _, _, restoration = diagnose(replace(facts(), restore=proof), ()).suspects
    assert restoration.state == state
    assert words in restoration.text


def test_suspects_of_a_model_that_was_not_run():
    found = replace(facts(), behaviour=None, probe_skipped="running was switched off")
    diagnosis = diagnose(found, ())
    check(diagnosis)
    assert "running was switched off" in diagnosis.suspects[0].text
    assert "running was switched off" in diagnosis.answer


def test_what_was_given_is_not_asked_for_where_the_model_was_not_run():
    """Images may have been given; that they were not fed is another reason."""
    found = replace(facts(), behaviour=None, probe_skipped="it holds code")
    diagnosis = diagnose(found, ())
    open_ = {each.cause: each.needs for each in diagnosis.undecidable}
    assert "it holds code" in open_["little-information"]
    assert "it holds code" in open_["bn-statistics-lost"]
    assert not any("images" in needs for needs in open_.values())


def unsure():
    """Says less than half of what it could, in every orientation."""
    said = Collapse(False, 1.4, 10, 1, 0.3, 0.3)
    return output(collapse=said, orientation={"e": 1.4, "H": 1.4})


def test_images_that_could_not_be_fed_are_not_asked_for_as_if_none_were_given():
    seen = behaviour(user=False)
    seen = replace(seen, inputs=replace(seen.inputs, notes=("the probe data do not fit",)))
    known = facts(seen)
    assert diagnose(known, ()).answer.startswith("Not decided yet: give some 64 real images")
    settings = replace(known.settings, probe=replace(known.settings.probe, data="images.npz"))
    answer = diagnose(replace(known, settings=settings), ()).answer
    assert answer.startswith("Not decided: the probe data do not fit. The file itself")


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (behaviour(), CLEARED),
        (behaviour(user=False), OPEN),  # made-up inputs show no weights in each other's place
        (behaviour(silent()), OPEN),
        (behaviour(unsure()), OPEN),
        (behaviour(unsure(), batchnorm=(fit(),)), CLEARED),
    ],
)
def test_the_restoration_is_cleared_only_where_the_model_understands_its_inputs(seen, state):
    suspect = diagnosed(seen).suspects[-1]
    assert suspect.state == state
    assert ("shows only on inputs" in suspect.text) == (state == OPEN)


def test_the_restoration_of_a_model_that_was_not_loaded_is_open():
    found = replace(facts(), behaviour=None, restore=None, probe_skipped="it holds code")
    _, _, restoration = diagnose(found, ()).suspects
    assert restoration.state == OPEN
    assert "was not compared (it holds code)" in restoration.text


def test_answers_that_are_noise_rule_out_nothing_about_flips():
    flips = {"invariant-by-construction", "learned-invariance", "output-follows-flip"}
    flips |= {"orientation-sensitive-architecture", "orientation-sensitive-data"}
    sound, noisy = (diagnosed(behaviour(deterministic=d)) for d in (True, False))
    assert flips & {each.cause for each in sound.ruled_out}
    assert noisy.causes[0].cause == "nondeterministic"
    assert not flips & {each.cause for each in noisy.ruled_out}


@pytest.mark.parametrize("seen", [silent(), silent(name="other")])
def test_a_constant_output_is_not_said_to_differ_from_image_to_image(seen):
    found = diagnosed(behaviour(seen), measurements(initial("a", "fresh"), initial("b")))
    assert "little-information" not in {each.cause for each in found.ruled_out}
    assert "little-information" not in {each.cause for each in found.undecidable}


def test_the_misfit_is_held_against_the_limit_that_is_named():
    """What is asked of images that are answered alike lets a first, smaller misfit pass."""
    alike = output(collapse=Collapse(False, 0.2, 10, 3, 0.97, 0.3), orientation={}, domain={})
    seen = behaviour(alike, batchnorm=(fit(0.5, "first"), fit(1.8, "second")))
    found = next(c for c in diagnosed(seen).causes if c.cause == "wrong-weights-upstream")
    assert found.where == "second"
    assert found.evidence[0].threshold == MISFIT_ALIKE
    assert f"sound models stay under {MISFIT_ALIKE:.2f}" in found.evidence[0].text


numbers = st.floats(0, 4) | st.sampled_from([0.0, 1e-12, math.inf])
shares = st.floats(0, 1)
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
json_numbers = st.none() | st.booleans() | st.text(max_size=3) | numbers
interventions = st.dictionaries(
    st.sampled_from(["centre_head_bias", "clear_negative_bias", "recalibrate_batchnorm"]),
    st.dictionaries(
        st.sampled_from(["output", "layer", "before", "after", "excess", "responsible"]),
        json_numbers | st.just("digit"),
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
def test_any_facts_get_a_whole_diagnosis(seen, known):
    check(diagnosed(seen, known))
