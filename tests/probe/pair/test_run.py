"""Comparisons of two models that are numpy functions, of several outputs."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.audit_types.restore import TensorChange
from modelaudit.facts import Artifact, Format
from modelaudit.graphs import (
    Endpoint,
    LiteModel,
    LiteSubgraph,
    LiteTensor,
    Quantization,
    Signature,
)
from modelaudit.probe.pair.model import PairCause, PairVerdict
from modelaudit.probe.pair.outputs import paired_outputs
from modelaudit.probe.pair.run import PairSide, compare_sides
from modelaudit.probe.pair.wording import sentences
from modelaudit.restore.model import TensorDifference, WeightComparison
from modelaudit.settings import ProbeSettings
from tests.probe.fake_session import FakeSession

WEIGHTS = np.random.default_rng(0).normal(size=(6, 3))
ALIKE = WeightComparison(1, 1)
KERNEL = TensorDifference("kernel", "c", TensorChange.VALUES, distance=1.0)


def a_and_b(x):
    return {"a": np.tanh(x @ WEIGHTS), "b": x @ WEIGHTS + 1}


def side(function, artifact):
    session = FakeSession(lambda _, inputs, __: function(inputs[0]), {}, [(None, 6)])
    return PairSide(session, artifact)


def compared(source, export, weights=ALIKE, steps=None, names=("", "")):
    """The comparison; `steps` of the export's outputs by name, `names` of the classes."""
    quantised = {name: Quantization((step,)) for name, step in (steps or {}).items()}
    tensors = tuple(
        LiteTensor(f"t/{name}", "uint8", (1, 3), quantization=each)
        for name, each in quantised.items()
    )
    ends = tuple(Endpoint(each, f"t/{each}", "uint8", (1, 3)) for each in quantised)
    labels = [{"labels": {"names": [*each]}} for each in names]
    graph = LiteSubgraph("main", tensors, (), (), tuple(range(len(tensors))))
    artifact = Artifact(
        "m.tflite",
        Format.TFLITE,
        lite=LiteModel(subgraphs=(graph,)),
        signatures=(Signature("main", "", (), ends),),
        extra=labels[1],
    )
    saved = Artifact("m.keras", Format.KERAS_ARCHIVE, extra=labels[0])
    sides = side(source, saved), side(export, artifact)
    return compare_sides(*sides, weights, ProbeSettings())


def test_the_same_outputs():
    found = compared(a_and_b, a_and_b)
    assert (found.verdict, found.causes, found.reason) == (PairVerdict.EQUAL, (), "")
    assert [each.name for each in found.outputs] == ["a", "b"]


@pytest.mark.parametrize(
    "export",
    [
        lambda x: {"a": a_and_b(x)["a"]},
        lambda x: {"a": a_and_b(x)["a"], "b": a_and_b(x)["b"][:, :2]},
    ],
)
def test_an_output_that_the_export_lacks(export):
    found = compared(a_and_b, export)
    assert (found.verdict, found.causes) == (PairVerdict.DIFFERENT, ())
    assert found.reason == "the export has no output as the source's b (3,)"
    assert found.reason in [*sentences(found)]


def test_no_output_is_paired_twice():
    a, b, c, d = (np.full((5, 3), float(i)) for i in range(4))
    assert paired_outputs({"a": a, "b": b}, {"b": b, "c": c}) == {"a": "c", "b": "b"}
    assert paired_outputs({"a": a, "b": b}, {"c": c, "d": d}) == {"a": "c", "b": "d"}
    square = np.zeros((5, 1, 3))
    assert paired_outputs({"a": square, "b": b}, {"c": c, "d": d}) == {"a": "c", "b": "d"}
    assert paired_outputs({"a": a, "b": square}, {"c": square, "d": d}) == {"a": "d", "b": "c"}
    assert paired_outputs({"a": a}, {"b": b, "c": c}) == {}


def test_nan_in_one_of_both():
    def broken(x):
        found = a_and_b(x)
        return found | {"b": np.where(np.arange(len(x))[:, None] < 2, np.nan, found["b"])}

    found = compared(a_and_b, broken)
    (cause,) = found.causes
    assert (found.verdict, cause.kind, cause.detail) == (
        *(PairVerdict.DIFFERENT, PairCause.FINITE, "b"),
    )
    assert (cause.numbers["export"], cause.numbers["source"]) == (2, 0)
    assert any("NaN or infinite for 2 of" in each for each in sentences(found))
    assert compared(broken, broken).verdict is PairVerdict.EQUAL


@pytest.mark.parametrize(
    ("value", "verdict"), [(5.0, "equal"), (5.005, "equal"), (5.1, "different")]
)
def test_an_output_that_is_always_the_same(value, verdict):
    """It is compared as it is, and the first that varies tells of the form."""

    def source(x):
        return {"bias": np.full((len(x), 3), 5.0), **a_and_b(x)}

    found = compared(source, lambda x: source(x) | {"bias": np.full((len(x), 3), value)})
    assert found.verdict == verdict
    assert [each.name for each in found.outputs] == ["a", "b"]
    assert ("bias" in found.reason) == (verdict == "different")


def test_outputs_that_are_all_the_same():
    found = compared(*[lambda x: {"bias": np.full((len(x), 3), 5.0)}] * 2)
    assert found.verdict is PairVerdict.UNKNOWN
    assert "same output" in found.reason


def test_only_a_named_cause_is_undone():
    """The order is a cause, unless the names of the classes say it."""

    def turned(x):
        return {"a": source(x)["a"][:, ::-1] + 0.05}

    def source(x):
        return {"a": a_and_b(x)["a"]}

    weights = WeightComparison(1, 0, (KERNEL,))
    found = compared(source, turned, weights)
    assert [each.kind for each in found.causes] == [PairCause.WEIGHTS, PairCause.CLASSES]
    assert len(found.mended) == 1
    found = compared(source, turned, weights, names=("abc", "cba"))
    assert [each.kind for each in found.causes] == [PairCause.WEIGHTS]
    assert found.mended == ()


def test_the_step_is_that_of_the_output():
    def outputs(steps):
        return {each.name: each.step for each in compared(a_and_b, a_and_b, steps=steps).outputs}

    assert outputs({"b": 0.5}) == {"a": None, "b": 0.5}
    assert outputs({"b": 0.5, "a": 0.25}) == {"a": 0.25, "b": 0.5}
    assert outputs({"b": 0.0}) == {"a": None, "b": None}
