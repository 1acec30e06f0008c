"""Facts to JSON and back give equal facts."""

from __future__ import annotations

import json
import types
import typing
from enum import Enum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Struct, UnsetType

from modelaudit.audit_types.behaviour import (
    BatchNormFit,
    Collapse,
    OutputBehaviour,
    TransformEffect,
)
from modelaudit.audit_types.loading import Port, Status
from modelaudit.audit_types.probe_data import ProbeInputs
from modelaudit.audit_types.restore import TensorDifference
from modelaudit.audit_types.values import Real
from modelaudit.measures.summary import Behaviour
from modelaudit.probe.protocol import Observation, VariableDigest
from modelaudit.probe.result import ProbeResult
from modelaudit.restore.model import WeightComparison
from modelaudit.store.typed_json import decode, encode, layout

FLOATS = st.floats(allow_nan=False)
TEXT = st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
SCALARS = {
    str: TEXT,
    int: INTEGERS,
    float: FLOATS,
    Real: FLOATS,
    bool: st.booleans(),
    type(None): st.none(),
    UnsetType: st.just(UNSET),
}


def values(hint: object) -> st.SearchStrategy:
    """Any value of a type hint, for every kind of hint used in facts."""
    if hint in SCALARS:
        return SCALARS[hint]
    if isinstance(hint, type) and issubclass(hint, Struct):
        return st.deferred(lambda: objects(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return st.integers(0, 2**63 - 1) if arguments[0] is int else st.floats(0, 1)
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin is tuple and arguments[1:] == (...,):
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if isinstance(origin, type) and issubclass(origin, typing.Mapping):
        return st.dictionaries(TEXT, values(arguments[1]), max_size=2)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(map(values, arguments))
    return JSON


def objects(kind: type) -> st.SearchStrategy:
    """Any value of a struct."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{name: values(hints[name]) for name in kind.__struct_fields__})


KINDS = (
    *(
        Observation,
        Port,
        VariableDigest,
        WeightComparison,
        TensorDifference,
        TransformEffect,
        Collapse,
    ),
    *(OutputBehaviour, ProbeInputs, BatchNormFit, Behaviour, ProbeResult),
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_all_probe_results_round_trip(kind) -> None:
    @settings(max_examples=10)  # each has dozens of values
    @given(values(kind))
    def check(value) -> None:
        text = json.dumps(encode(value))
        decoded = decode(kind, json.loads(text))
        assert decoded == value
        assert json.dumps(encode(decoded)) == text  # a reused result is stored again

    check()


def test_nonfinite_numbers_round_trip() -> None:
    collapse = Collapse(False, float("inf"), 3, 1, float("-inf"), 1.0)
    text = json.dumps(encode(collapse))
    decoded = decode(Collapse, json.loads(text))
    assert decoded == collapse
    assert json.dumps(encode(decoded)) == text


def test_values_without_a_json_form_are_rejected() -> None:
    with pytest.raises(TypeError, match="object cannot be encoded as JSON"):
        encode(Observation("here", object(), Status.LOADED))


@pytest.mark.parametrize("data", [None, [], {}, {"runtime": "here"}, {"status": "no such"}])
def test_other_data_is_rejected(data) -> None:
    with pytest.raises(ValueError):
        decode(Observation, data)


def test_a_layout_changes_with_any_field_inside() -> None:
    class One(Struct):
        port: Port | None

    first = layout(One)
    assert first == layout(One)

    class Two(One):
        more: int = 0

    assert layout(Two) != first
    assert layout(ProbeResult) != layout(Observation)
