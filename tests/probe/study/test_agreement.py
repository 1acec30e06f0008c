"""Matching inputs and outputs of two runtimes, and comparing their outputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from modelaudit.audit_types.loading import Port, Status
from modelaudit.facts import Artifact, Format, Tensor
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study.agreement import ReferenceRun, compare_with_reference
from modelaudit.rules import examples

RNG = np.random.default_rng(4)
A, B = RNG.normal(size=(2, 5, 3)).astype("f4")
IMAGE = RNG.normal(size=(5, 2, 2)).astype("f4")
ARTIFACT = Artifact(examples.ROOT, Format.KERAS_ARCHIVE)


class Asked:
    """A session whose outputs are a function of the arrays in the order of its ports."""

    def __init__(self, function, *ports: tuple[str, tuple[int | None, ...]]) -> None:
        self.function, self.kept = function, {}
        named = tuple(Port(name, "float32", shape) for name, shape in ports)
        self.observation = Observation("there", "load_model", Status.LOADED, inputs=named)

    def put(self, arrays: Mapping[str, np.ndarray], *, drop=()) -> None:
        self.kept |= arrays

    def predict(self, feeds, *, batch_size: int = 32, training: bool | None = False):
        return self.function(*(self.kept[feed.put] for feed in feeds))


def reference(outputs: dict[str, np.ndarray], **inputs: np.ndarray) -> ReferenceRun:
    ports = tuple(Port(n, "float32", (None, *x.shape[1:])) for n, x in inputs.items())
    seen = Observation("here", "load_model", Status.LOADED, inputs=ports)
    return ReferenceRun(seen, tuple(inputs.values()), outputs)


def test_inputs_are_matched_by_name_in_any_order() -> None:
    first = reference({"y": A - B}, left=A, right=B)
    there = Asked(
        lambda right, left: {"y": left - right}, ("right", (None, 3)), ("left", (None, 3))
    )
    found = compare_with_reference(there, ARTIFACT, first)
    assert (found.same, found.difference, found.not_compared) == (True, 0.0, "")
    assert (found.reference, found.reference_call, found.samples) == ("here", "load_model", 5)


def test_renamed_inputs_are_matched_by_shape_if_unambiguous() -> None:
    first = reference({"y": A}, vector=A, image=IMAGE)
    there = Asked(lambda image, x: {"y": x}, ("in_1", (None, 2, 2)), ("in_2", (None, 3)))
    assert compare_with_reference(there, ARTIFACT, first).same
    first = reference({"y": A - B}, left=A, right=B)
    there = Asked(lambda x, y: {"y": x - y}, ("in_1", (None, 3)), ("in_2", (None, 3)))
    found = compare_with_reference(there, ARTIFACT, first)
    assert not found.same
    assert "are not unique" in found.not_compared


@pytest.mark.parametrize(("shape", "same"), [((None, 3), True), (None, True), ((None, 4), False)])
def test_a_renamed_only_input_must_fit(shape: tuple[int | None, ...] | None, same: bool) -> None:
    there = Asked(lambda x: {"y": x}, ("renamed", shape))
    found = compare_with_reference(there, ARTIFACT, reference({"y": A}, x=A))
    assert found.same is same
    assert bool(found.not_compared) is not same


@pytest.mark.parametrize(
    "names",
    [("first", "second"), ("output_0", "output_1")],
)
def test_outputs_are_matched_by_name_or_index(names: tuple[str, str]) -> None:
    first = reference({"first": A, "second": B}, x=A)
    there = Asked(lambda x: dict(zip(names[::-1], (B, A), strict=True)), ("x", (None, 3)))
    assert compare_with_reference(there, ARTIFACT, first).same


def test_ambiguous_outputs_are_not_compared() -> None:
    first = reference({"first": A, "second": B}, x=A)
    there = Asked(lambda x: {"c": A, "d": B}, ("x", (None, 3)))
    assert "'first'" in compare_with_reference(there, ARTIFACT, first).not_compared


@pytest.mark.parametrize(
    ("change", "same"), [(0.0, True), (1e-6, True), (1e-3, False), (np.nan, False)]
)
def test_rounding_is_not_a_difference(change: float, same: bool) -> None:
    there = Asked(lambda x: {"y": A + np.float32(change)}, ("x", (None, 3)))
    found = compare_with_reference(there, ARTIFACT, reference({"y": A}, x=A))
    assert found.same is same
    if np.isfinite(change) and change:
        assert found.difference == pytest.approx(change, rel=0.2)
        assert found.relative == pytest.approx(found.difference / np.abs(A).max(), rel=1e-3)


def test_noise_and_half_precision_widen_the_tolerance() -> None:
    calls = iter([A, A + np.float32(0.001)])
    noisy = Asked(lambda x: {"y": next(calls)}, ("x", (None, 3)))
    found = compare_with_reference(noisy, ARTIFACT, reference({"y": A + np.float32(0.005)}, x=A))
    assert found.noise == pytest.approx(0.001, rel=1e-2)
    assert found.same
    half = Artifact(
        examples.ROOT, Format.KERAS_ARCHIVE, tensors=(Tensor("w", (2,), "float16", 4, ""),)
    )
    there = Asked(lambda x: {"y": A + np.float32(1e-3)}, ("x", (None, 3)))
    assert compare_with_reference(there, half, reference({"y": A}, x=A)).same


def test_a_reference_without_outputs_has_a_reason() -> None:
    seen = Observation("here", "load_model", Status.LOADED)
    there = Asked(lambda x: {"y": A}, ("x", (None, 3)))
    found = compare_with_reference(there, ARTIFACT, ReferenceRun(seen, reason="text inputs"))
    assert "text inputs" in found.not_compared


@pytest.mark.parametrize(("error", "same"), [(0.0, True), (0.01, False)])
def test_a_state_that_goes_on_from_call_to_call_is_no_rounding(error, same) -> None:
    """The first runs start with one state: only they show whether it is the same model."""
    state = iter((0.0, 0.5))
    there = Asked(lambda x: {"y": x + next(state) + error}, ("x", (None, 3)))
    found = compare_with_reference(there, ARTIFACT, reference({"y": A}, x=A))
    assert found.same is same
    assert found.tolerance < 0.001
    assert ("between two runs" in found.not_compared) is not same


def test_the_error_of_a_model_that_cannot_be_called() -> None:
    failed = Observation("there", "load_model", Status.FAILED, "ValueError", "it failed: once")
    there = Asked(lambda *_: failed, ("x", (None, 2, 2)))
    found = compare_with_reference(there, ARTIFACT, reference({"y": A}, x=IMAGE))
    assert found.failure == failed.failure
    assert found.not_compared == f"it failed: {failed.failure}"
    other = compare_with_reference(there, ARTIFACT, ReferenceRun(failed, reason="it failed: x"))
    assert other.failure == ""
