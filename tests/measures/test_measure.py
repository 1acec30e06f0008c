import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Layer
from modelaudit.measures.measure import measure
from modelaudit.settings import Limits
from modelaudit.structs import replace
from tests.measures.artifacts import ArraySource, artifact, chain, kernel, layer

GLOROT = {"class_name": "GlorotUniform", "config": {}}


def conv(name: str, **config: object) -> Layer:
    saved = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "same", **config}
    return layer(name, "Conv2D", config=saved)


def drawn(rng: np.random.Generator, *shape: int) -> np.ndarray:
    field = int(np.prod(shape[:-2]))
    limit = (6 / (field * (shape[-2] + shape[-1]))) ** 0.5
    return rng.uniform(-limit, limit, shape).astype(np.float32)


def network(moved: bool) -> Artifact:
    """Two convolutions and a head at initial values; with `moved`, the second bias is trained."""
    rng = np.random.default_rng(0)
    shapes = {"a": (3, 3, 3, 16), "b": (3, 3, 16, 32), "head": (32, 10)}
    tensors = {f"{r}/kernel": drawn(rng, *shape) for r, shape in shapes.items()}
    tensors |= {f"{r}/bias": np.zeros(shape[-1], np.float32) for r, shape in shapes.items()}
    tensors["b/bias"] += np.float32(1e-7 * moved)
    kernels = [
        kernel(r, shape, initializer=GLOROT, bias=f"{r}/bias") for r, shape in shapes.items()
    ]
    layers = chain(
        layer("in", "InputLayer", output_shape=(None, 16, 16, 3)),
        conv("a"),
        conv("b"),
        layer("gap", "GlobalAveragePooling2D"),
        layer("head", "Dense"),
    )
    return artifact(tensors, kernels, layers)


def test_everything_of_a_small_network() -> None:
    found = measure(network(moved=False))
    assert [s.route for s in found.symmetry] == ["a", "b"]
    assert all(set(s.twins) == {"H", "V"} for s in found.symmetry)
    assert {k.route: k.state for k in found.initialization} == dict.fromkeys("ab", "fresh") | {
        "head": "fresh"
    }
    assert found.profile is not None
    assert found.profile.head == "gap"
    assert found.skipped == {}


def test_one_trained_layer_is_recognised() -> None:
    states = {k.route: k.state for k in measure(network(moved=True)).initialization}
    assert states == {"a": "fresh", "b": "trained", "head": "fresh"}


def test_batchnorm_after_a_kernel_replaces_a_missing_bias() -> None:
    rng = np.random.default_rng(0)

    def model(gamma: float) -> Artifact:
        ones, zeros = np.ones(16, np.float32), np.zeros(16, np.float32)
        tensors = {
            "c/kernel": drawn(rng, 3, 3, 3, 16),
            "bn/gamma": gamma * ones,
            "bn/beta": zeros,
            "bn/moving_mean": zeros,
            "bn/moving_variance": ones,
        }
        layers = chain(
            layer("in", "InputLayer", output_shape=(None, 8, 8, 3)),
            conv("c"),
            layer("relu", "ReLU"),
            layer("bn", "BatchNormalization", variables={
                role: f"bn/{role}" for role in ("gamma", "beta", "moving_mean", "moving_variance")
            }),
        )  # fmt: skip
        return artifact(tensors, [kernel("c", (3, 3, 3, 16), initializer=GLOROT)], layers)

    assert measure(model(1.0)).initialization[0].state == "fresh"
    assert measure(model(1.5)).initialization[0].state == "undecidable"


def test_a_random_bias_initializer_is_no_evidence() -> None:
    made = network(moved=True)
    normal = {"class_name": "RandomNormal", "config": {}}
    kernels = tuple(replace(k, bias_initializer=normal) for k in made.kernels)
    tests = measure(replace(made, kernels=kernels)).initialization[1].tests
    assert tests["bias_initial"] is None


@pytest.mark.parametrize(("values", "initial"), [((-1, -1), True), ((-1, -1.5), False)])
def test_without_a_config_a_constant_bias_is_at_its_start(values, initial) -> None:
    """Such as -1 for gates that are closed at first; trained biases differ."""
    rng = np.random.default_rng(0)
    bias = np.array(values * 8, np.float32)
    tensors = {"a/kernel": drawn(rng, 32, 16), "a/bias": bias}
    gate = replace(kernel("a", (32, 16)), bias="a/bias")
    tests = measure(artifact(tensors, [gate])).initialization[0].tests
    assert tests["bias_initial"] is initial


def test_measuring_twice_gives_the_same() -> None:
    assert measure(network(moved=True)) == measure(network(moved=True))


def test_a_file_without_architecture_is_measured_without_its_layers() -> None:
    found = measure(replace(network(moved=False), architecture=None))
    assert len(found.symmetry) == 2
    assert len(found.initialization) == 3
    assert found.profile is None
    assert set(found.skipped) == {"profile", "twins:a/kernel", "twins:b/kernel"}


def test_a_file_without_kernels_says_so() -> None:
    assert "kernels" in measure(artifact({})).skipped


class Broken(ArraySource):
    def array(self) -> np.ndarray:
        raise ReadError("truncated", "model", "ends early")


def test_unreadable_tensors_are_skipped_and_named() -> None:
    made = network(moved=False)
    sources = {"a/kernel": Broken(np.zeros(1)), "head/kernel": None}
    tensors = tuple(replace(t, source=sources.get(t.name, t.source)) for t in made.tensors)
    found = measure(replace(made, tensors=tensors))
    assert "ends early" in found.skipped["kernel:a/kernel"]
    assert "kernel:head/kernel" in found.skipped
    assert "a could not be measured" in found.skipped["twins:b/kernel"]
    assert [k.route for k in found.initialization] == ["b"]


def test_values_that_are_not_finite_are_skipped() -> None:
    made = network(moved=False)
    bad = np.full((3, 3, 3, 16), np.nan, np.float32)
    tensors = tuple(
        replace(t, source=ArraySource(bad)) if t.name == "a/kernel" else t for t in made.tensors
    )
    assert "non-finite" in measure(replace(made, tensors=tensors)).skipped["kernel:a/kernel"]


def test_limits_hold() -> None:
    found = measure(network(moved=False), limits=Limits(tensor_bytes=2000))
    assert {"kernel:b/kernel", "twins:b/kernel"} & set(found.skipped) == {"kernel:b/kernel"}
    assert [k.route for k in found.initialization] == ["a", "head"]


def test_a_large_kernel_is_sampled_and_marked_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from modelaudit.measures import measure as module

    load = module.load_kernel
    monkeypatch.setattr(module, "load_kernel", lambda k, t: load(k, t, 1000))
    found = measure(network(moved=False))
    assert "111 of 512 slices" in found.skipped["sampled:b/kernel"]
    assert found.skipped["twins:b/kernel"] == "too large to match"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 5) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = ["kernel_size", "strides", "padding", "dilation_rate", "pool_size", "size", "axis",
        "target_shape", "cropping", "data_format", "interpolation", "function",
        "output_layers", "input_layers"]  # fmt: skip
CLASSES = ["Conv2D", "Conv2DTranspose", "MaxPooling2D", "ZeroPadding2D", "Cropping2D", "Add",
           "UpSampling2D", "Concatenate", "Reshape", "Flatten", "Dense", "Mystery", "Functional",
           "GlobalMaxPooling2D", "InputLayer", "TFOpLambda", "DepthwiseConv2D"]  # fmt: skip
ROUTES = ["a", "b", "c", "a/x", "b/y"]


@st.composite
def hostile(draw: st.DrawFn) -> Artifact:
    layers = [
        layer(
            route,
            draw(st.sampled_from(CLASSES)),
            *draw(st.lists(st.lists(st.sampled_from([*ROUTES, "gone"]), max_size=2), max_size=2)),
            config=draw(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4)),
            output_shape=draw(
                st.none() | st.lists(st.none() | st.integers(-1, 6), max_size=6).map(tuple)
            ),
            is_model=draw(st.booleans()),
            variables={"moving_mean": "a/kernel", "moving_variance": "b/kernel"},
        )
        for route in draw(st.permutations(ROUTES))
    ]
    kernels, tensors = [], {}
    for route in ROUTES[:3]:
        shape = tuple(draw(st.lists(st.integers(0, 4), min_size=1, max_size=5)))
        values = np.random.default_rng(0).normal(size=shape)
        if draw(st.booleans()):
            values = values * draw(st.sampled_from([0.0, np.nan, np.inf, 1e300, 1e-300]))
        tensors[f"{route}/kernel"] = values.astype(
            draw(st.sampled_from(["f2", "f4", "f8", "i4", "?"]))
        )
        kernels.append(
            kernel(
                route,
                shape,
                kind="conv",
                axes=draw(st.sampled_from(["hwio", "hwoi", "hwcm", "io"])),
                spatial=draw(st.integers(0, 4)),
                groups=draw(st.integers(0, 2)),
                grid=draw(st.none() | st.lists(st.integers(0, 3), max_size=4).map(tuple)),
                bias=draw(st.sampled_from([None, "gone", "a/kernel"])),
                initializer=draw(
                    st.none() | st.dictionaries(st.sampled_from(["class_name", "config"]), JSON)
                ),
            )
        )
    return artifact(tensors, kernels, layers)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(hostile())
def test_hostile_artifacts_never_raise_and_lose_no_kernel(made: Artifact) -> None:
    found = measure(made)
    for facts in made.kernels:
        told = any(k.tensor == facts.tensor for k in found.initialization)
        assert told or f"kernel:{facts.tensor}" in found.skipped


@pytest.mark.slow
def test_an_imagenet_sized_network_costs_little_more_than_the_formula() -> None:
    """Measured: 2.9 times the plain formula for VGG16, 20 times for a small network."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.measures"],
        cwd=root,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    times = re.findall(r"([\d.]+) times the formula", done.stdout)
    assert len(times) == 2
    assert float(times[0]) < 6, done.stdout
    assert float(times[1]) < 40, done.stdout
