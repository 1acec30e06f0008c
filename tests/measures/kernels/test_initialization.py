import math

import numpy as np
import pytest

from modelaudit.measures.kernels import initializers
from modelaudit.measures.kernels.initialization import (
    LayerContext,
    kernel_initialization,
    like_their_kind,
    small_together,
    with_first_inconsistent,
)
from modelaudit.measures.kernels.values import load_kernel
from modelaudit.measures.statistics import spectrum_excess
from modelaudit.structs import replace
from tests.made.training import train
from tests.measures.artifacts import kernel, tensor

MOVED, STILL = LayerContext(bias_initial=False), LayerContext(bias_initial=True)
GLOROT = {"class_name": "GlorotUniform", "config": {"seed": None}}
SHAPE = (3, 3, 16, 32)


def glorot(seed: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    fan_in, fan_out = initializers.fans(shape)
    limit = math.sqrt(6 / (fan_in + fan_out))
    return np.random.default_rng(seed).uniform(-limit, limit, shape).astype(np.float32)


def judged(
    values: np.ndarray, initializer: dict | None, companions: LayerContext, kernels: int = 4
):
    facts = kernel("conv", values.shape, initializer=initializer)
    stored = load_kernel(facts, tensor("conv/kernel", values))
    return kernel_initialization(facts, stored, str(values.dtype), companions, kernels)


@pytest.mark.parametrize("seed", range(20))
def test_fresh_weights_are_fresh_only_with_an_initial_bias(seed: int) -> None:
    assert judged(glorot(seed), GLOROT, STILL).state == "fresh"
    assert judged(glorot(seed), GLOROT, MOVED).state == "trained"


def test_one_weight_beyond_the_bound_is_training() -> None:
    values = glorot(0)
    values[0, 0, 0, 0] = 1.02 * np.abs(values).max()
    found = judged(values, GLOROT, STILL)
    assert found.state == "trained"
    assert found.tests["inside_bound"] is False


def test_another_distribution_within_the_bound_is_training() -> None:
    found = judged(glorot(0) * np.float32(0.8), GLOROT, STILL)
    assert found.state == "trained"
    assert found.tests["ks_p"] < found.tests["level"]


def test_structure_in_the_spectrum_is_training() -> None:
    """The same values, sorted within every filter: only their order differs."""
    values = np.sort(glorot(0).reshape(-1, 32), axis=0).reshape(SHAPE)
    found = judged(values, GLOROT, STILL)
    assert found.state == "trained"
    assert found.tests["spectrum_excess"] > 2


@pytest.mark.parametrize(
    ("shape", "companions", "state"),
    [
        ((3, 3, 16, 32), LayerContext(), "fresh"),  # 4,608 weights are enough
        ((3, 3, 3, 16), LayerContext(), "undecidable"),  # 432 are not
        ((3, 3, 3, 16), LayerContext(batchnorm_initial=True), "fresh"),
        ((3, 3, 3, 16), LayerContext(batchnorm_initial=False), "undecidable"),
        ((1, 1, 30, 32), LayerContext(), "undecidable"),  # 960
        ((3, 3, 1, 16), LayerContext(bias_initial=True), "fresh"),
        ((3, 3, 1, 4), LayerContext(bias_initial=True), "undecidable"),  # 36
    ],
)
def test_small_kernels_without_a_bias_cannot_be_decided(
    shape: tuple[int, ...], companions: LayerContext, state: str
) -> None:
    assert judged(glorot(1, shape), GLOROT, companions).state == state


@pytest.mark.parametrize(
    ("companions", "state"),
    [
        (LayerContext(), "undecidable"),
        (LayerContext(bias_initial=True), "fresh"),
        (LayerContext(batchnorm_initial=True), "fresh"),
    ],
)
def test_untruncated_normal_weights_need_a_bias_or_a_normalization(
    companions: LayerContext, state: str
) -> None:
    """Old versions do not truncate `he_normal`; trained kernels look like that, too."""
    rng, std = np.random.default_rng(5), math.sqrt(2 / (9 * 16))
    uncut = rng.normal(0, std, SHAPE).astype(np.float32)
    he = {"class_name": "HeNormal", "config": {}}
    assert judged(uncut, he, companions).state == state
    wide = std / initializers.TRUNCATED_STD
    drawn = rng.normal(0, wide, 3 * uncut.size)
    cut = drawn[np.abs(drawn) < 2 * wide][: uncut.size].reshape(SHAPE).astype(np.float32)
    assert judged(cut, he, companions).state == "fresh"


@pytest.mark.parametrize(("scale", "fits"), [(1.0, True), (1.2, False), (0.83, False)])
def test_a_normal_law_of_another_width_is_training(scale: float, fits: bool) -> None:
    """Of 512 weights, the distance of the distributions alone does not show it."""
    values = np.random.default_rng(3).normal(0, scale, (16, 32)).astype(np.float32)
    normal = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 1.0}}
    found = judged(values, normal, STILL)
    assert found.tests["fits"] is fits
    assert found.tests["ks_p"] > found.tests["level"]
    assert (found.tests["spread_p"] > found.tests["level"]) is fits


def test_inconsistent_statistics_after_small_kernels_decide() -> None:
    found = judged(glorot(1, (3, 3, 3, 16)), GLOROT, LayerContext(batchnorm_initial=False))
    assert with_first_inconsistent(found, False) == found
    assert with_first_inconsistent(found, True).state == "fresh"
    trained = judged(glorot(1, (3, 3, 3, 16)) * 2, GLOROT, LayerContext())
    assert with_first_inconsistent(trained, True).state == "trained"


def test_weights_without_a_config_need_a_bias() -> None:
    assert judged(glorot(2), None, STILL).state == "fresh"
    assert judged(glorot(2), None, STILL).initializer == "GlorotUniform"
    assert judged(glorot(2), None, STILL).guessed
    assert not judged(glorot(2), GLOROT, STILL).guessed
    assert judged(glorot(2), None, LayerContext()).state == "undecidable"
    assert judged(glorot(2), None, MOVED).state == "trained"
    odd = np.random.default_rng(0).laplace(size=SHAPE).astype(np.float32)
    assert judged(odd, None, STILL).state == "undecidable"


def test_copies_of_a_layer_have_one_initializer() -> None:
    """A lightly trained kernel may fit the normal law that its untouched copy rules out."""
    shape = (256, 64)
    std = math.sqrt(2 / sum(shape)) / 0.87962566
    many = np.random.default_rng(1).normal(0, std, 2 * math.prod(shape))
    drawn = many[np.abs(many) < 2 * std][: math.prod(shape)].reshape(shape)
    normal = judged(drawn.astype(np.float32), None, MOVED)
    assert (normal.tests["fits"], normal.tests["law"]) == (True, "truncated")
    moved = replace(normal, route="one/dense", tensor="one/dense/kernel")
    for values, same, fits in (
        (glorot(1, shape), shape, False),  # as the copy was drawn
        (glorot(1, shape), (64, 256), True),  # another layer
        (drawn.astype(np.float32), shape, True),
    ):
        still = judged(values, None, STILL)
        copy = replace(still, route="two/dense", tensor="two/dense/kernel")
        shapes = {"one/dense/kernel": shape, "two/dense/kernel": same}
        found = like_their_kind([moved, copy], shapes)
        assert (found[0].tests["fits"], found[1]) == (fits, copy)


@pytest.mark.parametrize(
    ("count", "last", "states"),
    [
        (10, STILL, {"fresh"}),
        (2, STILL, {"fresh"}),
        (1, STILL, {"undecidable"}),  # 41 weights alone may fit by chance
        (10, MOVED, {"undecidable", "trained"}),  # a step moved one bias: it may have moved others
        (10, LayerContext(), {"undecidable"}),  # one layer has no bias that tells
    ],
)
def test_small_kernels_with_untouched_biases_are_decided_together(
    count: int, last: LayerContext, states: set[str]
) -> None:
    """Ten logistic units of 41 inputs each, with the zeros that Keras gives to biases."""
    sides = [STILL] * (count - 1) + [last]
    found = [judged(glorot(n, (41, 1)), None, side, count) for n, side in enumerate(sides)]
    assert {each.state for each in small_together(found)} == states


def test_small_trained_kernels_are_not_drawn_together() -> None:
    """One kernel beyond the bound, or of another law, says that its like were trained, too."""
    found = [judged(glorot(n, (41, 1)), None, STILL, 10) for n in range(9)]
    large = np.random.default_rng(9).standard_t(1.5, (41, 1)).astype(np.float32) * 3
    other = judged(large, GLOROT, STILL, 10)
    assert other.state == "trained"
    assert {each.state for each in small_together([*found, other])} == {"undecidable", "trained"}


def test_custom_initializers_are_not_guessed() -> None:
    custom = {"class_name": "MyInit", "config": {}}
    assert judged(glorot(0), custom, STILL).state == "undecidable"
    assert judged(glorot(0), custom, MOVED).state == "trained"


def test_fixed_initializers() -> None:
    zeros = {"class_name": "Zeros", "config": {}}
    assert judged(np.zeros(SHAPE, np.float32), zeros, STILL).state == "fresh"
    assert judged(glorot(0), zeros, STILL).state == "trained"
    constant = {"class_name": "Constant", "config": {"value": 0.1}}
    assert judged(np.full(SHAPE, 0.1, np.float32), constant, STILL).state == "fresh"
    identity = {"class_name": "Identity", "config": {"gain": 2.0}}
    assert judged(2 * np.eye(16, 24, dtype=np.float32), identity, STILL).state == "fresh"
    q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(144, 32)))
    orthogonal = {"class_name": "OrthogonalInitializer", "config": {"gain": 1.0}}
    assert judged(q.reshape(SHAPE).astype(np.float32), orthogonal, STILL).state == "fresh"
    assert (
        judged((q * 1.01).reshape(SHAPE).astype(np.float32), orthogonal, STILL).state == "trained"
    )


def test_rounding_of_short_floats_is_not_training() -> None:
    values = glorot(3)
    fan_in, fan_out = initializers.fans(SHAPE)
    values[0, 0, 0, 0] = math.sqrt(6 / (fan_in + fan_out))
    assert judged(values.astype(np.float16), GLOROT, STILL).state == "fresh"


def test_spectrum_of_a_known_outlier() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(400, 100))
    assert spectrum_excess(noise, noise.shape) == pytest.approx(0.97, abs=0.04)
    spiked = noise + 3 * np.outer(rng.normal(size=400), rng.normal(size=100)) / 10
    assert spectrum_excess(spiked, spiked.shape) > 1.25
    assert spectrum_excess(np.ones((4, 4)), (4, 4)) is None
    assert spectrum_excess(np.ones((9, 1)), (9, 1)) is None


def layers_of(keras, initializer):
    """One layer of every class that has a kernel, built on a suitable input."""
    layers = keras.layers
    image, row = (None, 12, 12, 32), (None, 12, 32)
    made = [
        (layers.Conv2D(48, 3, kernel_initializer=initializer), image),
        (layers.Conv1D(64, 5, kernel_initializer=initializer), row),
        (layers.Conv3D(16, 3, kernel_initializer=initializer), (None, 6, 6, 6, 8)),
        (layers.Conv2DTranspose(24, 4, kernel_initializer=initializer), image),
        (layers.DepthwiseConv2D(3, depth_multiplier=4, depthwise_initializer=initializer), image),
        (layers.Dense(100, kernel_initializer=initializer), (None, 60)),
    ]
    for layer, shape in made:
        layer.build(shape)
        weights = [w for w in layer.weights if "bias" not in w.name]
        yield layer, np.asarray(weights[0]), keras.initializers.serialize(initializer)


def every_initializer(keras):
    init = keras.initializers
    yield from (init.GlorotUniform(1), init.GlorotNormal(2), init.HeUniform(3), init.HeNormal(4))
    yield from (init.LecunUniform(5), init.LecunNormal(6), init.RandomUniform(-0.1, 0.3, seed=7))
    yield from (init.RandomNormal(0.1, 0.02, seed=8), init.TruncatedNormal(0.0, 0.1, seed=9))
    yield init.VarianceScaling(0.5, "fan_out", "untruncated_normal", seed=10)
    yield init.VarianceScaling(2.0, "fan_avg", "truncated_normal", seed=11)
    yield from (init.Orthogonal(0.7, seed=12), init.Zeros(), init.Ones(), init.Constant(0.25))


@pytest.mark.slow
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_every_layer_initialised_by_keras_is_recognised(package: str) -> None:
    """Also, with the same initializer name but twice the scale, none is called fresh."""
    keras = pytest.importorskip(package)
    missed, wide = [], []
    for initializer in every_initializer(keras):
        for layer, drawn, saved in layers_of(keras, initializer):
            if (
                saved["class_name"].startswith("Orthogonal")
                and min(drawn.shape[-1], drawn.size) < 2
            ):
                continue
            name = f"{saved['class_name']} {type(layer).__name__} {drawn.shape}"
            if judged(drawn, saved, STILL, kernels=90).state != "fresh":
                missed.append(name)
            if drawn.any() and judged(drawn * 2, saved, STILL, kernels=90).state != "trained":
                wide.append(name)
    assert not missed
    assert not wide


@pytest.mark.slow
def test_no_trained_layer_is_called_fresh() -> None:
    """Networks with and without bias, trained for 30 steps with two optimizers."""
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 256)
    x = rng.normal(size=(256, 12, 12, 1)).astype(np.float32) * 0.3
    x[np.arange(256), 3 * (y % 2) + 2, 3 * (y // 2) + 2] += 3
    called = []
    for optimizer, bias in (("adam", True), ("sgd", True), ("adam", False)):
        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [
                keras.Input((12, 12, 1)),
                keras.layers.Conv2D(16, 3, use_bias=bias, activation="relu"),
                keras.layers.Conv2D(32, 3, use_bias=bias, activation="relu"),
                keras.layers.Flatten(),
                keras.layers.Dense(4, use_bias=bias),
            ]
        )
        fresh = [
            judged(
                np.asarray(w.kernel),
                keras.initializers.serialize(w.kernel_initializer),
                companions(w),
            )
            for w in model.layers
            if hasattr(w, "kernel")
        ]
        assert {f.state for f in fresh} <= {"fresh", "undecidable"}
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer, loss)
        train(model, x, y, epochs=4)
        for layer in model.layers:
            if hasattr(layer, "kernel"):
                saved = keras.initializers.serialize(layer.kernel_initializer)
                found = judged(np.asarray(layer.kernel), saved, companions(layer))
                called.append((optimizer, bias, layer.name, found.state))
    assert len(called) == 9
    assert not [c for c in called if c[3] == "fresh"]


def companions(layer) -> LayerContext:
    still = None if not layer.use_bias else bool((np.asarray(layer.bias) == 0).all())
    return replace(LayerContext(), bias_initial=still)


@pytest.mark.parametrize(
    ("change", "draws", "state"),
    [
        (lambda w: w, True, "fresh"),
        (lambda w: w + np.float32(1e-6), False, "trained"),
        (lambda w: 0 * w, False, "trained"),
    ],
)
def test_unlikely_draws_are_draws_bit_for_bit(change, draws, state) -> None:
    """128 values of the generator, of which chance left none near the bounds."""
    bound = np.float32(math.sqrt(6 / 24))
    unit = (np.random.default_rng(1).integers(3 << 20, 5 << 20, (16, 8)) / 2**23).astype("float32")
    found = judged(change(unit * (2 * bound) - bound), GLOROT, STILL)
    assert found.tests["range_p"] < 1e-6
    assert (found.tests["draws"], found.state) == (draws, state)
