import numpy as np
import pytest

from modelaudit.facts import Layer
from modelaudit.measures.measure import measure
from modelaudit.structs import replace
from tests.measures.artifacts import artifact, chain, kernel, layer
from tests.measures.kernels.test_mirror_pairs import closed_kernel, involution

RNG = np.random.default_rng(0)
E3 = np.arange(3)


def image() -> Layer:
    return layer("in", "InputLayer", output_shape=(None, 16, 16, 3))


def conv(name: str, *sources: str, class_name: str = "Conv2D") -> Layer:
    config = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "same"}
    return layer(name, class_name, *([sources] if sources else []), config=config)


def twins_of(layers, kernels: dict[str, np.ndarray], **facts: dict) -> dict:
    made = artifact(
        {f"{route}/kernel": values.astype(np.float32) for route, values in kernels.items()},
        [kernel(route, values.shape, **facts.get(route, {})) for route, values in kernels.items()],
        layers,
    )
    found = measure(made)
    scores = {s.route: s.twins["H"]["score"] for s in found.symmetry if "H" in s.twins}
    return scores | {k: v for k, v in found.skipped.items() if k.startswith("twins:")}


def square(values: np.ndarray) -> np.ndarray:
    return values.reshape(3, 3, *values.shape[1:])


def test_permutations_are_propagated_through_a_chain() -> None:
    p1, p2 = involution(RNG, 8), involution(RNG, 12)
    kernels = {
        "a": square(closed_kernel(RNG, E3, p1)),
        "b": square(closed_kernel(RNG, p1, p2)),
    }
    layers = chain(
        image(), conv("a"), layer("bn", "BatchNormalization"), layer("r", "ReLU"),
        layer("pool", "MaxPooling2D", config={"pool_size": [2, 2]}), conv("b"),
    )  # fmt: skip
    found = twins_of(layers, kernels)
    assert found == pytest.approx({"a": 1, "b": 1}, abs=1e-5)
    unrelated = kernels | {"b": square(closed_kernel(RNG, np.arange(8), p2))}
    assert twins_of(layers, unrelated)["b"] < 0.9


def test_no_array_is_made_of_channels_that_only_a_config_says() -> None:
    kernels = {"a": square(closed_kernel(RNG, E3, involution(RNG, 8)))}
    for channels in (1 << 40, (1 << 12) + 1):
        vast = layer("in", "InputLayer", output_shape=(None, 16, 16, channels))
        found = twins_of(chain(vast, conv("a")), kernels)
        assert f"{channels:,} channels" in str(found), found


def test_one_by_one_kernels_permute_and_dense_grids_match() -> None:
    p1, p2, p3 = involution(RNG, 8), involution(RNG, 6), involution(RNG, 10)
    mixed = RNG.normal(size=(8, 6))
    mixed = mixed + mixed[np.argsort(p1)][:, np.argsort(p2)]
    kernels = {
        "a": square(closed_kernel(RNG, E3, p1)),
        "b": mixed.reshape(1, 1, 8, 6),
        "d": closed_kernel(RNG, p2, p3).reshape(54, 10),
    }
    layers = chain(
        layer("in", "InputLayer", output_shape=(None, 3, 3, 3)),
        conv("a"), conv("b"), layer("f", "Flatten"), layer("d", "Dense"),
    )  # fmt: skip
    found = twins_of(layers, kernels, d={"grid": (3, 3, 6)})
    assert found == pytest.approx({"a": 1, "d": 1}, abs=1e-5)


def test_concatenation_and_residual_branches() -> None:
    p1, p2 = involution(RNG, 4), involution(RNG, 6)
    both = np.concatenate([p1, p2 + 4])
    kernels = {
        "a": square(closed_kernel(RNG, E3, p1)),
        "b": square(closed_kernel(RNG, E3, p2)),
        "c": square(closed_kernel(RNG, both, involution(RNG, 8))),
    }
    layers = [
        image(), conv("a", "in"), conv("b", "in"),
        layer("join", "Concatenate", ("a", "b"), config={"axis": -1}), conv("c", "join"),
    ]  # fmt: skip
    assert twins_of(layers, kernels)["c"] == pytest.approx(1, abs=1e-5)

    same = {"a": kernels["a"], "b": square(closed_kernel(RNG, E3, p1))}
    last = {"c": square(closed_kernel(RNG, p1, involution(RNG, 8)))}
    layers[3] = layer("join", "Add", ("a", "b"))
    assert twins_of(layers, same | last)["c"] == pytest.approx(1, abs=1e-5)
    same["b"] = square(closed_kernel(RNG, E3, np.array([1, 0, 2, 3])))
    if not np.array_equal(p1, [1, 0, 2, 3]):
        assert "disagree" in twins_of(layers, same | last)["twins:c/kernel"]


def test_depthwise_filters_stay_with_their_channel() -> None:
    p1 = np.array([1, 0, 3, 2])
    depthwise = RNG.normal(size=(3, 3, 4, 2))
    depthwise[:, :, [1, 3]] = depthwise[:, ::-1, [0, 2]]
    kernels = {"a": square(closed_kernel(RNG, E3, p1)), "d": depthwise}
    layers = chain(image(), conv("a"), conv("d", class_name="DepthwiseConv2D"))
    facts = {"d": {"kind": "depthwise", "axes": "hwcm"}}
    assert twins_of(layers, kernels, **facts)["d"] == pytest.approx(1, abs=1e-5)
    # The same filters on channels that are not each other's mirror images.
    kernels["d"] = depthwise[:, :, [0, 2, 1, 3]]
    assert twins_of(layers, kernels, **facts)["d"] < 0.7


def test_transposed_kernels_swap_in_and_out() -> None:
    p1, p2 = involution(RNG, 4), involution(RNG, 6)
    kernels = {
        "a": square(closed_kernel(RNG, E3, p1)),
        "t": square(closed_kernel(RNG, p1, p2)).swapaxes(2, 3),
    }
    layers = chain(image(), conv("a"), conv("t", class_name="Conv2DTranspose"))
    facts = {"t": {"kind": "transpose", "axes": "hwoi"}}
    assert twins_of(layers, kernels, **facts)["t"] == pytest.approx(1, abs=1e-5)


def test_unmatched_layers_have_a_reason() -> None:
    kernels = {"a": RNG.normal(size=(3, 3, 3, 4)), "b": RNG.normal(size=(3, 3, 4, 4))}
    unknown = chain(image(), conv("a"), layer("x", "Mystery"), conv("b"))
    assert "Mystery" in twins_of(unknown, kernels)["twins:b/kernel"]
    grouped = chain(image(), conv("a"), conv("b"))
    assert "grouped" in twins_of(grouped, kernels, b={"groups": 2})["twins:b/kernel"]
    misfit = kernels | {"b": RNG.normal(size=(3, 3, 5, 4))}
    assert "the input has 4 channels" in twins_of(grouped, misfit)["twins:b/kernel"]
    assert "inputs are unknown" in twins_of((), kernels)["twins:a/kernel"]
    wide = {"a": RNG.normal(size=(3, 3, 3, 600)), "b": RNG.normal(size=(3, 3, 600, 2))}
    found = twins_of(grouped, wide)
    assert "too many" in found["twins:a/kernel"]
    assert "unknown" in found["twins:b/kernel"]


def test_shared_layers_need_calls_that_agree() -> None:
    p1 = np.array([1, 0, 2, 3])
    kernels = {
        "a": square(closed_kernel(RNG, E3, p1)),
        "b": square(closed_kernel(RNG, E3, np.array([0, 1, 3, 2]))),
        "c": square(closed_kernel(RNG, p1, involution(RNG, 6))),
    }
    shared = layer("c", "Conv2D", ("a",), ("b",), config=conv("c").config)
    found = twins_of([image(), conv("a", "in"), conv("b", "in"), shared], kernels)
    assert "disagree" in found["twins:c/kernel"]


def test_channels_first_inputs() -> None:
    p1 = involution(RNG, 8)
    kernels = {"a": square(closed_kernel(RNG, E3, p1))}
    layers = chain(layer("in", "InputLayer", output_shape=(None, 3, 16, 16)), conv("a"))
    found = twins_of(layers, kernels, a={"data_format": "channels_first"})
    assert found["a"] == pytest.approx(1, abs=1e-5)


def test_first_layers_without_input_layer_and_nested_models() -> None:
    p1 = involution(RNG, 8)
    kernels = {
        "a": square(closed_kernel(RNG, E3, p1)),
        "m/b": square(closed_kernel(RNG, p1, involution(RNG, 6))),
    }
    layers = [
        replace(conv("a"), input_shapes=((None, 16, 16, 3),)),
        layer("m", "Functional", ("a",), is_model=True),
        layer("m/x", "InputLayer"),
        conv("m/b", "m/x"),
    ]
    assert twins_of(layers, kernels) == pytest.approx({"a": 1, "m/b": 1}, abs=1e-5)
