"""The study of a model with results in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.measures.summary import Behaviour
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study.inputs import Uncallable
from modelaudit.probe.study.study import study
from modelaudit.settings import ProbeSettings
from tests.probe.fake_session import (
    CLASSES,
    SIDE,
    FakeSession,
    artifact_of,
    linear,
    softmax,
    templates,
)

SETTINGS = ProbeSettings(samples=32)
SHAPE = (None, SIDE, SIDE, 1)


def make(kernel, bias=None, function=linear, **options):
    bias = np.zeros(kernel.shape[1], "float32") if bias is None else bias
    variables = {"head/kernel": kernel, "head/bias": bias}
    return FakeSession(function, variables, [SHAPE], **options), artifact_of(kernel, bias)


def random_kernel():
    """Weights with zero response to a constant image, so that no class always wins."""
    kernel = np.random.default_rng(0).normal(size=(SIDE * SIDE, CLASSES))
    return (kernel - kernel.mean(axis=0)).astype("float32")


def mirrored(kernel):
    return kernel.reshape(SIDE, SIDE, -1)[:, ::-1].reshape(kernel.shape)


def effects(behaviour):
    return {effect.name: effect for effect in behaviour.outputs[0].transforms}


@pytest.fixture
def photographs(tmp_path):
    """Noisy images of each class, with labels."""
    rng = np.random.default_rng(1)
    known = templates(rng)
    y = np.arange(200) % CLASSES
    x = 0.5 + known[y] + 0.01 * rng.normal(size=(200, SIDE, SIDE, 1))
    path = tmp_path / "photographs.npz"
    np.savez(path, x=x.astype("float32"), y=y)
    return path, known


def test_a_symmetric_kernel_is_invariant_and_others_are_not():
    kernel = random_kernel()
    session, artifact = make(kernel + mirrored(kernel))
    found = effects(study(session, artifact, SETTINGS, None))
    assert found["H"].nfv == pytest.approx(0, abs=1e-12)
    assert found["H"].agreement == 1.0
    assert found["V"].nfv > 0.1
    session, artifact = make(kernel)
    assert effects(study(session, artifact, SETTINGS, None))["H"].nfv > 0.1


def test_a_mirroring_pipeline_is_identified_by_information_and_accuracy(photographs):
    path, known = photographs
    kernel = 40 * known[:, :, ::-1].reshape(CLASSES, -1).T
    session, artifact = make(np.ascontiguousarray(kernel))
    behaviour = study(session, artifact, SETTINGS, path)
    output = behaviour.outputs[0]
    assert behaviour.inputs.labelled
    assert output.accuracy["H"] == 1.0
    assert output.accuracy["e"] == 0.0  # the templates are odd, so every prediction is wrong
    assert max(output.orientation, key=output.orientation.get) in {"H", "e"}
    assert output.orientation["H"] == pytest.approx(np.log2(CLASSES), abs=0.1)
    assert output.orientation["H"] > output.orientation["e"] + 0.3


def test_labels_give_accuracy_as_given(photographs):
    path, known = photographs
    session, artifact = make(np.ascontiguousarray(40 * known.reshape(CLASSES, -1).T))
    output = study(session, artifact, SETTINGS, path).outputs[0]
    assert (output.accuracy["e"], output.accuracy["H"]) == (1.0, 0.0)
    assert len(output.per_class) == CLASSES


def test_a_dominating_bias_of_the_head_is_found_and_removed(photographs):
    path, known = photographs
    bias = np.array([500, 0, 0, 0], "float32")
    session, artifact = make(np.ascontiguousarray(40 * known.reshape(CLASSES, -1).T), bias)
    behaviour = study(session, artifact, SETTINGS, path)
    assert behaviour.outputs[0].collapse.collapsed
    found = behaviour.interventions["centre_head_bias"]
    assert found.layer == "head"
    assert found.before == pytest.approx(0, abs=1e-6)
    assert found.after == pytest.approx(2, abs=0.1)
    assert found.responsible
    np.testing.assert_array_equal(session.variables["head/bias"], bias)


def test_variation_with_symmetrised_kernels_is_due_to_the_architecture():
    kernel = random_kernel()
    session, artifact = make(kernel)
    floor = study(session, artifact, SETTINGS, None).outputs[0].floor
    assert floor["H"] == pytest.approx(0, abs=1e-6)
    np.testing.assert_array_equal(session.variables["head/kernel"], kernel)

    ramp = np.linspace(0, 3, SIDE)[:, None]

    def with_ramp(variables, inputs, training):  # depends on the column, whatever the kernel
        return linear(variables, [inputs[0] * ramp], training)

    session, artifact = make(kernel, function=with_ramp)
    assert study(session, artifact, SETTINGS, None).outputs[0].floor["H"] > 0.05


def test_inputs_other_than_images_are_not_transformed():
    seen = []

    def function(variables, inputs, training):
        seen.append(inputs[1].copy())
        return linear(variables, inputs, training)

    kernel = random_kernel()
    bias = np.zeros(CLASSES, "float32")
    variables = {"head/kernel": kernel, "head/bias": bias}
    session = FakeSession(function, variables, [SHAPE, (None, 3)])
    behaviour = study(session, artifact_of(kernel, bias), SETTINGS, None)
    assert effects(behaviour)["H"].nfv > 0.1
    whole = [fed for fed in seen if len(fed) == behaviour.inputs.n]  # the first are timing calls
    assert len(whole) > 5
    for fed in whole:
        np.testing.assert_array_equal(fed, whole[0])


def test_nan_outputs_are_counted():
    def broken(variables, inputs, training):
        outputs = linear(variables, inputs, training)
        outputs["digit"][::4, 0] = np.nan
        return outputs

    session, artifact = make(random_kernel(), function=broken)
    behaviour = study(session, artifact, SETTINGS, None)
    assert behaviour.outputs[0].nonfinite == pytest.approx(0.25)
    assert behaviour.deterministic
    assert np.isfinite(behaviour.outputs[0].collapse.information)


def test_random_outputs_are_not_deterministic():
    rng = np.random.default_rng(0)

    def random(variables, inputs, training):
        return {"digit": softmax(rng.normal(size=(len(inputs[0]), CLASSES)))}

    session, artifact = make(random_kernel(), function=random)
    behaviour = study(session, artifact, SETTINGS, None)
    assert not behaviour.deterministic
    assert behaviour.noise_floor > 0.1


def test_failed_measurements_are_skipped_with_a_reason():
    session, artifact = make(random_kernel(), refuse=("assign", "call"))
    behaviour = study(session, artifact, SETTINGS, None)
    assert isinstance(behaviour, Behaviour)
    assert behaviour.training_flag_matters is None
    assert behaviour.interventions == {}
    assert behaviour.skipped["centred head bias"] == "ValueError: no assign"
    assert behaviour.skipped["architecture floor H"] == "ValueError: no assign"
    session, artifact = make(random_kernel(), refuse=("predict",))
    assert study(session, artifact, SETTINGS, None) == Uncallable("ValueError: no predict")


def test_a_death_at_any_request_ends_the_study():
    session, artifact = make(random_kernel())
    assert isinstance(study(session, artifact, SETTINGS, None), Behaviour)
    for number in range(1, len(session.asked) + 1):
        session, artifact = make(random_kernel(), die_at=number)
        end = study(session, artifact, SETTINGS, None)
        assert isinstance(end, Observation)
        assert (end.status, len(session.asked)) == (Status.CRASHED, number)


def test_the_same_study_twice_is_the_same(photographs):
    path, known = photographs
    kernel = np.ascontiguousarray(40 * known.reshape(CLASSES, -1).T)
    for data in (None, Path(path)):
        first, second = (study(*make(kernel), SETTINGS, data) for _ in range(2))
        assert first == second


@pytest.mark.parametrize(("scale", "varies"), [(1 / 255, True), (1e-7, False), (1.0, None)])
def test_an_output_that_is_constant_from_0_to_1_is_tried_from_0_to_255(scale, varies):
    kernel = random_kernel() * np.float32(scale)
    session, artifact = make(kernel)
    behaviour = study(session, artifact, SETTINGS, None)
    assert isinstance(behaviour, Behaviour)
    assert behaviour.outputs[0].collapse.collapsed is (varies is not None)
    tried = behaviour.interventions.get("inputs_times_255")
    assert (tried and tried.responsible) is varies
