import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelaudit.facts import Layer
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.measures.architecture.receptive_field import field_states, layer_fields
from tests.measures.artifacts import architecture, chain, layer

SIZE = 61


def conv(name: str, k: int, s: int = 1, d: int = 1, padding: str = "valid") -> Layer:
    config = {"kernel_size": [k], "strides": [s], "dilation_rate": [d], "padding": padding}
    return layer(name, "Conv1D", config=config)


def source(size: int = SIZE) -> Layer:
    return layer("in", "InputLayer", output_shape=(None, size, 1))


def fields(*layers: Layer, size: int = SIZE):
    graph = layer_graph(architecture(layers))
    return {f.route: f for f in layer_fields(graph, field_states(graph), (size,))}


def slide(reach: list[set[int]], k: int, s: int, d: int) -> list[set[int]]:
    """Sets of input positions that each valid window depends on, from the set of each position."""
    return [
        set().union(*(reach[start + tap * d] for tap in range(k)))
        for start in range(0, len(reach) - (k - 1) * d, s)
    ]


def extent(positions: set[int]) -> int:
    return max(positions) - min(positions) + 1


STEPS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 2), st.integers(1, 2)), min_size=1, max_size=3
)


@given(STEPS)
def test_chains_against_sets_of_positions(steps: list[tuple[int, int, int]]) -> None:
    reach = [{i} for i in range(SIZE)]
    layers = [source()]
    for index, (k, s, d) in enumerate(steps):
        reach = slide(reach, k, s, d)
        layers.append(conv(f"c{index}", k, s, d))
    states = field_states(layer_graph(architecture(chain(*layers))))
    last = states[layers[-1].route]
    assert last.size == (len(reach),)
    assert {extent(r) for r in reach} == {int(last.low[0])} == {int(last.high[0])}
    if len(reach) > 1:
        assert min(reach[1]) - min(reach[0]) == last.jump[0]


@given(STEPS, STEPS)
@settings(max_examples=40)
def test_branches_give_the_smallest_and_the_largest_field(
    left: list[tuple[int, int, int]], right: list[tuple[int, int, int]]
) -> None:
    def branch(side: str, steps: list[tuple[int, int, int]]) -> list[Layer]:
        convs = [conv(f"{side}{i}", k, 1, d, "same") for i, (k, _, d) in enumerate(steps)]
        return list(chain(source(), *convs))[1:]

    a, b = branch("a", left), branch("b", right)
    add = layer("add", "Add", (a[-1].route, b[-1].route))
    states = field_states(layer_graph(architecture([source(), *a, *b, add])))
    grown = [1 + sum((k - 1) * d for k, _, d in steps) for steps in (left, right)]
    assert states["add"].low == (min(grown),)
    assert states["add"].high == (max(grown),)


def test_vgg_like_numbers() -> None:
    """3x3, 3x3, pool 2, 3x3: 3, 5, 6, 10, computed by hand."""
    found = fields(
        *chain(
            source(),
            conv("a", 3, padding="same"),
            conv("b", 3, padding="same"),
            layer("p", "MaxPooling1D", config={"pool_size": [2], "strides": [2]}),
            conv("c", 3, padding="same"),
        )
    )
    assert [found[r].minimum for r in "abpc"] == [(3,), (5,), (6,), (10,)]
    assert found["c"].jump == (2,)


def test_border_layers_are_those_whose_sources_see_everything() -> None:
    convs = [conv(f"c{i}", 3, padding="same") for i in range(6)]
    found = fields(*chain(source(7), *convs), size=7)
    assert [found[f"c{i}"].border for i in range(6)] == [False, False, False, True, True, True]


@pytest.mark.parametrize(("k", "s"), list(itertools.product(range(1, 6), range(1, 4))))
def test_transposed_convolution_bounds(k: int, s: int) -> None:
    """Oracle: which inputs write each output of a transposed convolution, away from the border."""
    n = 12
    writers: dict[int, set[int]] = {}
    for i, tap in itertools.product(range(n), range(k)):
        writers.setdefault(i * s + tap, set()).add(i)
    inner = [extent(w) for o, w in writers.items() if k <= o < n * s - k]
    up = layer("t", "Conv1DTranspose", config={"kernel_size": [k], "strides": [s]})
    state = field_states(layer_graph(architecture(chain(source(n), up))))["t"]
    assert (min(inner), max(inner)) == (state.low[0], state.high[0])


def test_squeeze_and_excitation_is_followed() -> None:
    gate = [
        layer("gap", "GlobalAveragePooling1D", ("c",)),
        layer("reshape", "Reshape", ("gap",), config={"target_shape": [1, 8]}),
        layer("fc", "Dense", ("reshape",)),
        layer("mul", "Multiply", ("c", "fc")),
    ]
    first = list(chain(source(), conv("c", 3, padding="same")))
    last = layer("d", "Conv1D", ("mul",), config=conv("d", 3, padding="same").config)
    found = fields(*first, *gate, last)
    assert found["d"].minimum == (5,)
    assert found["d"].maximum[0] >= SIZE


def test_unknown_layers_make_the_field_unknown() -> None:
    found = fields(*chain(source(), layer("x", "Mystery"), conv("c", 3)))
    assert found == {}


@pytest.mark.parametrize("flat", ["Flatten", "Reshape"])
def test_dense_after_a_flattened_map_sees_all_of_it(flat: str) -> None:
    layers = chain(
        source(16),
        conv("c", 3),
        layer("f", flat, config={"target_shape": [14]}),
        layer("d", "Dense"),
    )
    assert fields(*layers, size=16)["d"].minimum == (16,)


def test_states_agree_with_output_sizes_of_a_plain_convolution() -> None:
    x = np.zeros(SIZE)
    state = field_states(layer_graph(architecture(chain(source(), conv("c", 5, 3)))))["c"]
    assert state.size == (len(np.convolve(x, np.ones(5), "valid")[::3]),)


@pytest.mark.parametrize(
    ("axis", "order", "known"),
    [
        *((-1, "channels_last", True), (3, "channels_last", True)),
        *((1, "channels_last", False), (2, "channels_last", False), (-2, "channels_last", False)),
        *((1, "channels_first", True), (-3, "channels_first", True)),
        *((-1, "channels_first", False), (2, "channels_first", False)),
    ],
)
def test_maps_side_by_side_have_no_field_of_one_input(axis: int, order: str, known: bool) -> None:
    """Only along the channels each position is still one of an input; Keras says what is joined."""
    import keras

    shape = (None, 8, 9, 2)
    joined = keras.layers.Concatenate(axis).compute_output_shape([shape, shape])
    spatial = joined[1:3] if order == "channels_last" else joined[2:4]
    assert (spatial == shape[1:3] if order == "channels_last" else spatial == shape[2:4]) is known
    config = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "data_format": order}
    layers = (
        layer("a", "InputLayer", output_shape=shape),
        layer("b", "InputLayer", output_shape=shape),
        layer("c", "Conv2D", ("a",), config=config),
        layer("d", "Conv2D", ("b",), config=config),
        layer("e", "Concatenate", ("c", "d"), config={"axis": axis}),
    )
    state = field_states(layer_graph(architecture(layers))).get("e")
    assert (state is not None) is known


def test_features_of_whole_maps_are_joined_as_such() -> None:
    pooled = layer("p", "GlobalAveragePooling1D", ("in",))
    joined = layer("j", "Concatenate", ("p", "p"), config={"axis": 1})
    states = field_states(layer_graph(architecture((source(), pooled, joined))))
    assert states["j"].single
