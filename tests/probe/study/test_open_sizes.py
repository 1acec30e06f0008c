"""Sizes for undefined axes, of models that accept only some of them, by their own answers."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Artifact, Format
from modelaudit.formats.keras.config import parse_architecture
from modelaudit.measures.summary import Behaviour
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study import open_sizes, sample_budget
from modelaudit.probe.study.inputs import Uncallable, open_axes, sample_shape
from modelaudit.probe.study.study import study
from modelaudit.settings import Limits, ProbeSettings
from modelaudit.structs import replace
from tests.probe.fake_session import CLASSES, FakeSession, softmax

SETTINGS = ProbeSettings(samples=32)
ARTIFACT = Artifact("m.h5", Format.LEGACY_H5_FULL)
WEIGHTS = {"head/kernel": np.random.default_rng(0).normal(size=(4, CLASSES)).astype("float32")}


class Picky(FakeSession):
    """A session whose model takes inputs only if `takes` their shape, batch included."""

    def __init__(self, shape, takes):
        super().__init__(self._answer, WEIGHTS, [shape])
        self.takes, self.tried = takes, []

    def _answer(self, variables, inputs, training):
        x = inputs[0]
        parts = np.array_split(x.reshape(len(x), -1), len(variables["head/kernel"]), axis=1)
        means = np.stack([part.mean(axis=1) for part in parts], axis=1)
        return {"class": softmax(means @ variables["head/kernel"])}

    def predict(self, feeds, *, batch_size=32, training=False, rows=None, traced=True):
        shape = self.arrays[feeds[0].put].shape
        called = (min(batch_size, shape[0]), *shape[1:])
        self.tried.append(called)
        if not self.takes(called):
            return Observation("here", "load_model", Status.FAILED, "ValueError", f"no {called}")
        return super().predict(
            feeds, batch_size=batch_size, training=training, rows=rows, traced=traced
        )


@pytest.mark.parametrize("first", [False, True])
def test_a_trial_that_ends_the_process_is_no_crash_of_the_model(first):
    """The usual size is refused, and a larger one kills the child; or the usual one does so."""

    class Fragile(Picky):
        def predict(self, feeds, **options):
            if self.arrays[feeds[0].put].shape[1] > 32 or first:
                self.alive = False
            return super().predict(feeds, **options)

    found = study(Fragile((None, None, 4), lambda shape: False), ARTIFACT, SETTINGS, None)
    if first:
        assert isinstance(found, Observation)
    else:
        assert isinstance(found, Uncallable)
        assert found.reason.startswith(
            "ValueError: no (32, 32, 4); otherwise: a trial of other sizes"
        )


@pytest.mark.parametrize("least", [32, 33, 64, 1000, 10_001])
def test_a_sequence_gets_the_least_power_of_two_that_the_model_takes(least):
    session = Picky((None, None, 4), lambda shape: shape[1] >= least)
    behaviour = study(session, ARTIFACT, SETTINGS, None)
    assert isinstance(behaviour, Behaviour)
    assert behaviour.inputs.shape[1:] == (1 << (least - 1).bit_length(), 4)
    raised = any("smaller inputs fail" in note for note in behaviour.inputs.notes)
    assert raised == (least > 32)


def test_a_model_that_takes_the_usual_size_is_called_with_no_other():
    session = Picky((None, None, None, 3), lambda shape: True)
    assert isinstance(study(session, ARTIFACT, SETTINGS, None), Behaviour)
    assert {shape[1:] for shape in session.tried} == {(64, 64, 3)}


def test_one_input_at_a_time():
    session = Picky((None, 8, 4), lambda shape: shape[0] == 1)
    behaviour = study(session, ARTIFACT, SETTINGS, None)
    assert isinstance(behaviour, Behaviour)
    assert behaviour.inputs.n == 32
    assert "the model runs with one input at a time only" in behaviour.inputs.notes


@pytest.mark.parametrize("slow", [False, True])
def test_larger_inputs_that_take_too_long_are_no_timeout(monkeypatch, slow):
    times = iter(np.arange(0, 10_000, 50.0 if slow else 0.01))
    monkeypatch.setattr(sample_budget.time, "monotonic", lambda: float(next(times)))
    session = Picky((None, None, 4), lambda shape: shape[1] >= 64)
    answer = study(session, ARTIFACT, SETTINGS, None)
    assert isinstance(answer, Uncallable if slow else Behaviour)
    if slow:
        assert "no (32, 32, 4); otherwise: one input takes 12 s, too long" in answer.reason


@pytest.mark.parametrize("seconds", [1e-5, 0.001, 0.01, 0.1])  # for each step of a sequence
def test_the_search_ends_after_a_share_of_the_time(monkeypatch, seconds):
    """Whatever the size, the answer has no row per sample, and larger inputs take longer."""
    clock = [0.0]
    monkeypatch.setattr(open_sizes.time, "monotonic", lambda: clock[0])

    def takes(called):
        clock[0] += seconds * called[0] * called[1]
        return False

    session = Picky((None, None, 4), takes)
    answer = study(session, ARTIFACT, SETTINGS, None)
    assert isinstance(answer, Uncallable)
    assert "no (32, 32, 4)" in answer.reason
    tried = [shape for shape in session.tried if shape[1] > 32]
    sizes = [64 << n for n in range(10)]
    # Two inputs each: of 64, 128, ..., n steps, which are 2 n - 64 in all.
    affordable = [n for n in sizes if 2 * seconds * (2 * n - 64) <= 0.2 * SETTINGS.timeout]
    assert tried == [(2, n, 4) for n in affordable]
    assert len(tried) > 0


@pytest.mark.parametrize(("shape", "said"), [((8, None), True), ((None, None), False)])
def test_samples_in_columns_are_named(shape, said):
    """Matrices of old tutorials hold a sample in each column: the last axis alone is open."""
    answer = study(Picky(shape, lambda _: False), ARTIFACT, SETTINGS, None)
    assert isinstance(answer, Uncallable)
    assert ("its samples seem to be columns" in answer.reason) is said


def test_a_model_that_answers_and_cannot_be_measured_is_given_no_other_inputs():
    """Its failure says nothing about sizes or batches."""
    session = Picky((None, None, 4), lambda shape: True)
    session.function = lambda variables, inputs, training: {}
    assert study(session, ARTIFACT, SETTINGS, None) == Uncallable(
        "no output of the model has numbers"
    )
    assert {shape[1] for shape in session.tried} == {32}


def test_what_only_the_user_knows_is_asked_for():
    session = Picky((None, None, 4), lambda shape: shape[1] == 777)
    answer = study(session, ARTIFACT, SETTINGS, None)
    assert isinstance(answer, Uncallable)
    assert "no (32, 32, 4)" in answer.reason  # the first error, not that of a trial
    assert "leaves axis 1 of input 'x0' undefined" in answer.reason
    assert "--probe-data" in answer.reason


def test_a_model_with_sizes_is_not_asked_for_any():
    session = Picky((None, 8, 4), lambda shape: False)
    assert study(session, ARTIFACT, SETTINGS, None) == Uncallable("ValueError: no (32, 8, 4)")


@pytest.mark.parametrize(
    ("shape", "axes", "sample"),
    [
        ((None, None, None, 3), [1, 2], (64, 64, 3)),
        ((None, 3, None, None), [2, 3], (3, 64, 64)),
        ((None, None, None, None), [1, 2], (64, 64, 3)),
        ((None, 1, None, None, None), [2, 3, 4], (1, 16, 16, 16)),
        ((None, None), [1], (32,)),
        ((None, None, None), [1], (32, 8)),
        ((None, 8, 4), [], (8, 4)),
    ],
)
def test_channels_are_no_size(shape, axes, sample):
    assert open_axes(shape) == axes
    assert sample_shape(shape) == sample


STATED = {"batch_input_shape": [None, None, 4]}
FIRST = {  # how a config states the shape of its input: by a layer, by the first one, or by both
    "layer": ({"batch_shape": [None, None, 4]}, {}),
    "old layer": (STATED, {}),
    "first": (None, STATED),
    "both": (STATED, STATED),
}


def dilated(kernel: int, rate: int, crop: int, way: str = "layer") -> Artifact:
    """The file of a model of a dilated convolution without padding, and a cropping behind it."""
    given, own = FIRST[way]
    layers = [
        *([("InputLayer", {"name": "x0", **given})] if given else []),
        (
            "Conv1D",
            {"name": "c", "filters": 2, "kernel_size": [kernel], "dilation_rate": [rate]}
            | {"padding": "valid", "strides": [1]}
            | own,
        ),
        ("Cropping1D", {"name": "p", "cropping": [crop, crop]}),
    ]
    written = [{"class_name": name, "config": config} for name, config in layers]
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": written}}
    return replace(ARTIFACT, architecture=parse_architecture(config, limits=Limits()))


@pytest.mark.parametrize("way", FIRST)
@pytest.mark.parametrize(("kernel", "rate", "crop"), [(11, 25, 500), (31, 1, 0), (41, 10, 5000)])
def test_the_config_implies_the_least_size(kernel, rate, crop, way):
    least = (kernel - 1) * rate + 2 * crop + 1  # one position is left
    usual = -(-least // 32) * 32
    session = Picky((None, None, 4), lambda shape: shape[1] >= least)
    behaviour = study(session, dilated(kernel, rate, crop, way), SETTINGS, None)
    assert isinstance(behaviour, Behaviour)
    assert behaviour.inputs.shape[1:] == (usual, 4)
    assert {shape[1] for shape in session.tried} == {32, usual}
    assert max((shape[0] for shape in session.tried if shape[1] > 32), default=0) <= 2
