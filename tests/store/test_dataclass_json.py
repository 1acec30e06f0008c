"""Facts to JSON and back: what comes back is equal to what went in."""

from __future__ import annotations

import dataclasses
import json
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.measures import summary
from modelaudit.probe.protocol import Observation, Port, Status, VariableDigest
from modelaudit.probe.run import ProbeResult
from modelaudit.restore.model import TensorChange, TensorDifference, WeightComparison
from modelaudit.store.dataclass_json import decode, encode, layout

FLOATS = st.floats(allow_nan=False)
TEXT = st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
SCALARS = {str: TEXT, int: st.integers(), float: FLOATS, bool: st.booleans()}


def values(hint: object) -> st.SearchStrategy:
    """Any value of a type hint, for every kind of hint that facts are made of."""
    if hint in SCALARS:
        return SCALARS[hint]
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        fields = {
            f.name: st.deferred(lambda h=hints[f.name]: values(h)) for f in dataclasses.fields(hint)
        }
        return st.builds(hint, **fields)
    if isinstance(hint, type) and issubclass(hint, Status | TensorChange):
        return st.sampled_from(list(hint))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and arguments[1:] == (...,):
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if isinstance(origin, type) and issubclass(origin, typing.Mapping):
        return st.dictionaries(TEXT, values(arguments[1]), max_size=2)
    kinds = [each for each in arguments if each is not type(None)]
    if len(kinds) == 1:
        return st.none() | values(kinds[0])
    return JSON


KINDS = (
    *(Observation, Port, VariableDigest, WeightComparison, TensorDifference),
    *(summary.TransformEffect, summary.Collapse, summary.OutputBehaviour, summary.ProbeInputs),
    *(summary.BatchNormFit, summary.Behaviour, ProbeResult),
)


@pytest.mark.parametrize("kind", KINDS)
def test_everything_that_a_probe_shows_comes_back_equal(kind) -> None:
    @given(values(kind))
    def check(value) -> None:
        text = json.dumps(encode(value))
        assert decode(kind, json.loads(text)) == value

    check()


def test_numbers_beyond_the_finite_come_back() -> None:
    collapse = summary.Collapse(False, float("inf"), 3, 1, float("-inf"), 1.0)
    assert decode(summary.Collapse, json.loads(json.dumps(encode(collapse)))) == collapse


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object cannot be encoded as JSON"):
        encode(Observation("here", object(), Status.LOADED))


@pytest.mark.parametrize("data", [None, [], {}, {"runtime": "here"}, {"status": "no such"}])
def test_other_data_is_refused(data) -> None:
    with pytest.raises((TypeError, KeyError, ValueError)):
        decode(Observation, data)


def test_a_layout_changes_with_any_field_inside() -> None:
    @dataclasses.dataclass(frozen=True)
    class One:
        port: Port | None

    first = layout(One)
    assert first == layout(One)

    @dataclasses.dataclass(frozen=True)
    class Two(One):
        more: int = 0

    assert layout(Two) != first
    assert layout(ProbeResult) != layout(Observation)
