"""Malformed configs: facts or a ReadError, in bounded time."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Json, Tensor
from modelaudit.formats.keras.config import parse_architecture
from modelaudit.formats.keras.variables.matching import bind
from modelaudit.settings import Limits
from tests.growth import LINEAR, growth
from tests.made.keras_configs import (
    functional,
    input_layer,
    keras3_model,
    layer,
    nested_model,
    parse,
    shared_model,
)


def bad_configs() -> Iterator[tuple[str, Json]]:
    yield "text", "Sequential"
    yield "no class", {"config": {}}
    yield "no layers", {"class_name": "Sequential", "config": {}}
    yield "a layer that is a number", {"class_name": "Sequential", "config": [3]}
    x = input_layer("x", 4)
    for name, inbound in (
        ("cycle", [[["dense", 0, 0, {}]]]),
        ("dangling", [[["nowhere", 0, 0, {}]]]),
        ("nodes of text", ["x"]),
        ("call that is not there", [[["x", 7, 0, {}]]]),
        ("nothing", [[]]),
        ("tensor without history", [{"args": [{"class_name": "__keras_tensor__"}]}]),
    ):
        dense = layer("Dense", "dense", units=1, inbound=inbound)
        yield name, functional([x, dense], [["x", 0, 0]], [["dense", 0, 0]])
    yield "no outputs", functional([x], [["x", 0, 0]], [])


@pytest.mark.parametrize(("name", "config"), list(bad_configs()))
def test_documents_that_are_not_configs_are_reported(name: str, config: Json) -> None:
    with pytest.raises(ReadError) as caught:
        parse(config)
    assert (caught.value.kind, caught.value.file) == ("config-invalid", "config.json"), name


def test_bounds() -> None:
    deep: dict[str, Json] = layer("ReLU", "r")
    for i in range(45):
        deep = {"class_name": "Sequential", "config": {"name": f"s{i}", "layers": [deep]}}
    with pytest.raises(LimitExceeded, match="nested"):
        parse(deep)
    wide: list[Json] = [layer("ReLU", f"r{i}") for i in range(11)]
    config: Json = {"class_name": "Sequential", "config": {"name": "s", "layers": wide}}
    with pytest.raises(LimitExceeded, match="layers"):
        parse_architecture(config, limits=Limits(layers=10))
    nest: Json = []
    for _ in range(100_000):
        nest = [nest]
    with pytest.raises(LimitExceeded, match="json_depth"):
        parse({"class_name": "Sequential", "config": {"layers": [], "x": nest}})


def test_calls_that_double_at_each_level_are_cheap() -> None:
    """30 nested models, each calling the next twice at other lengths: 2**30 calls in all."""
    model = functional([input_layer("x", 1, 1)], [["x", 0, 0]], [["x", 0, 0]], name="m")
    for level in range(30):
        inner = model | {"name": "m", "inbound_nodes": [[["x", 0, 0, {}]], [["pad", 0, 0, {}]]]}
        pad = layer("ZeroPadding1D", "pad", padding=2**level, inbound=[[["m", 0, 0, {}]]])
        layers = [input_layer("x", 1, 1), inner, pad]
        model = functional(layers, [["x", 0, 0]], [["m", 1, 0]], name="m")
    parsed = parse(model)
    assert len(parsed.layers) == 30 * 3 + 1
    deepest = max(parsed.layers, key=lambda each: each.route.count("/"))
    assert deepest.output_shape == (None, 1, 1)  # as declared
    assert parsed.layer("pad").output_shape is None  # not computed, and reported


def test_impossible_lengths_are_unknown() -> None:
    layers: list[Json] = [layer("UpSampling1D", f"up{i}", size=2**30) for i in range(500)]
    layers = [input_layer("x", 2, 2), *layers]
    model = parse({"class_name": "Sequential", "config": {"name": "s", "layers": layers}})
    assert model.layer("up0").output_shape == (None, 2**31, 2)
    assert model.layer("up1").output_shape is None


def test_many_layers_of_one_name_take_linear_time() -> None:
    def bound(count: int) -> None:
        layers: list[Json] = [layer("Dense", "same", units=3) for _ in range(count)]
        model = parse({"class_name": "Sequential", "config": {"name": "s", "layers": layers}})
        tensors = [Tensor(f"same/{i}/kernel", (3, 3), "float32", 36, "f") for i in range(count)]
        names = [tensor.name for tensor in tensors]
        for layout in ("h5_v3", "checkpoint", "h5_legacy"):
            assert bind(model, tensors, layout, groups={"same": names}).unclaimed

    assert growth(int, bound, 400) < LINEAR


@pytest.mark.parametrize("class_name", ["..", "/", "∞∞"])
def test_a_layer_without_letters_in_its_name_has_its_own_route(class_name: str) -> None:
    """Found by fuzzing: it got the empty route of the root, and a traversal never ended."""
    model = parse({"class_name": "Sequential", "config": {"layers": [{"class_name": class_name}]}})
    assert [each.route for each in model.layers] == [class_name]
    assert bind(model, (), "h5_v3").architecture.layers == model.layers


SEEDS = (keras3_model(), shared_model(), nested_model(1))
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**30),
    st.floats(),
    st.sampled_from(["x", "dense", "Dense", "Sequential", "inner", "", "/", "_CONSTANT_VALUE"]),
    st.just([]),
    st.just({}),
    st.just(["x", 0, 0, {}]),
    st.just({"class_name": "__tuple__", "items": [1]}),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a document."""
    found: list[tuple[Any, Any]] = []
    todo = [value]
    while todo:
        item = todo.pop()
        keys = item.keys() if isinstance(item, dict) else range(len(item))
        for key in keys:
            found.append((item, key))
            if isinstance(item[key], (dict, list)):
                todo.append(item[key])
    return found


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SEEDS), st.integers(0, 2**32), st.lists(JUNK, min_size=1, max_size=4))
def test_damaged_configs_give_facts_or_a_read_error(
    config: dict[str, Json], seed: int, junk: list[Json]
) -> None:
    damaged = copy.deepcopy(config)
    for value in junk:
        container, key = random.Random(seed).choice(places(damaged))
        container[key] = copy.deepcopy(value)
    try:
        model = parse(damaged)
    except ReadError:
        return
    routes = [each.route for each in model.layers]
    assert len(set(routes)) == len(routes)
    known = set(routes)
    assert all(source in known for each in model.layers for call in each.inbound for source in call)
    assert {*model.inputs, *model.outputs} <= known


JSON = st.recursive(
    JUNK,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["class_name", "config", "layers", "name", "inbound_nodes", "units"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["Sequential", "Functional", "Model", "Dense", "Bidirectional"]), JSON)
def test_any_json_gives_facts_or_a_read_error(class_name: str, config: Json) -> None:
    try:
        parse({"class_name": class_name, "config": config})
    except ReadError as error:
        assert error.kind in ("config-invalid", "limit-exceeded")
