"""Weights that TensorFlow drew, told from others bit for bit; TensorFlow itself is the oracle."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from modelaudit.measures.kernels import initializers
from modelaudit.measures.kernels.generator_draws import only_draws, paired_draws
from modelaudit.measures.kernels.initialization import LayerContext, kernel_initialization
from modelaudit.measures.kernels.values import load_kernel
from tests.measures.artifacts import kernel, tensor

SHAPE = (3, 3, 16, 32)
PACKAGES = ("keras", "tf_keras", "tensorflow", "traced")


def loaded(values):
    stored = np.asarray(values, "float32")
    return load_kernel(kernel("dense", stored.shape), tensor("dense/kernel", stored))


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("name", ["GlorotUniform", "HeUniform", "LecunUniform", "RandomUniform"])
def test_weights_that_a_generator_drew_are_told_from_moved_ones(package, name) -> None:
    tf = pytest.importorskip("tensorflow")
    (law,) = initializers.candidates({"class_name": name}, (24, 10))
    draw = {
        "tensorflow": lambda: tf.random.uniform((24, 10), law.low, law.high, seed=1),
        "traced": tf.function(
            lambda: tf.random.stateless_uniform((24, 10), (1, 2), law.low, law.high),
            jit_compile=True,
        ),
    }
    if package in draw:
        drawn = draw[package]().numpy()
    else:
        of = pytest.importorskip(package).initializers
        drawn = np.asarray(getattr(of, name)(seed=4)((24, 10)))
    rng = np.random.default_rng(0)
    one = drawn.copy()
    one[:6] += np.float32(1e-6)
    others = (one, drawn * np.float32(0.999), rng.uniform(law.low, law.high, (24, 10)))
    assert [only_draws(law, loaded(each)) for each in (drawn, *others)] == [
        True,
        False,
        False,
        False,
    ]


NORMAL = ("RandomNormal", "TruncatedNormal", "GlorotNormal", "HeNormal", "LecunNormal")


@cache
def traced(cut, shape):
    """A function that TensorFlow traces once, for all seeds."""
    tf = pytest.importorskip("tensorflow")
    of = tf.random.stateless_truncated_normal if cut else tf.random.stateless_normal
    return tf.function(lambda seed: of(shape, tf.stack([1, seed]), stddev=0.7))


def normal(package, name, shape, seed):
    """What a package draws; TensorFlow itself with a spread that is no initializer's."""
    tf = pytest.importorskip("tensorflow")
    cut = name != "RandomNormal"
    if package == "tensorflow":
        of = tf.random.truncated_normal if cut else tf.random.normal
        return of(shape, stddev=0.3, seed=seed).numpy()
    if package == "traced":
        return traced(cut, shape)(tf.constant(seed)).numpy()
    of = pytest.importorskip(package).initializers
    return np.asarray(getattr(of, name)(seed=seed)(shape))


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("name", NORMAL)
@pytest.mark.parametrize("shape", [SHAPE, (9, 16), (8, 9)])
def test_normal_draws_are_told_from_moved_ones(package, name, shape) -> None:
    rng = np.random.default_rng(0)
    found = []
    for seed in range(20):
        drawn = normal(package, name, shape, seed)
        moved = drawn.copy()
        part = 4 if drawn.size > 1000 else 1  # of few weights, a few more pairs are by chance
        moved[..., : shape[-1] // part] += np.float32(1e-6)
        others = (moved, drawn + rng.normal(0, 1e-6, shape), rng.normal(0, 0.05, shape))
        found.append([paired_draws(loaded(each)) for each in (drawn, *others)])
    drawn, *others = zip(*found, strict=True)
    assert sum(drawn) >= 18  # few truncated draws have many gaps
    assert not np.any(others)
    assert all(paired_draws(loaded(each)) is False for each in (np.ones(shape), np.zeros(shape)))


def test_weights_that_were_rounded_between_powers_of_two_are_no_draws() -> None:
    law = initializers.uniform(0.5)  # Glorot and Bengio's of 12 inputs and 12 outputs
    weights = np.random.default_rng(0).uniform(-0.5, 0.5, (12, 12)).astype("float32")
    assert only_draws(law, loaded(weights.astype("float16"))) is False
    exact = np.round(weights * 2**22) / 2**22
    assert only_draws(law, loaded(exact)) is True


@pytest.mark.slow
def test_of_few_weights_and_of_other_numbers_nothing_is_said() -> None:
    assert paired_draws(loaded(normal("keras", "RandomNormal", (7, 9), 1))) is None
    whole = np.random.default_rng(0).integers(-9, 10, (64, 64))
    assert paired_draws(loaded(whole)) is False


def test_filters_that_are_next_to_nothing_or_alike_are_no_draws() -> None:
    rng = np.random.default_rng(3)
    trained = np.abs(rng.normal(0, 0.2, (3, 3, 3, 16)))  # angles near 0 are exact
    dead, alike, opposite = trained.copy(), trained.copy(), trained.copy()
    dead[..., 1::2] *= 1e-21
    alike[..., 1::2] = alike[..., ::2]
    opposite[..., 1::2] = -opposite[..., ::2]
    assert not any(paired_draws(loaded(each)) for each in (dead, alike, opposite))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RandomNormal", "TruncatedNormal"])
def test_draws_of_a_spread_that_no_file_names_are_fresh(name) -> None:
    of = pytest.importorskip("keras").initializers
    drawn = np.asarray(getattr(of, name)(stddev=0.9, seed=2)((16, 24)))
    rng = np.random.default_rng(1)
    for values, state in ((drawn, "fresh"), (drawn + rng.normal(0, 1e-3, drawn.shape), "fit")):
        stored = kernel("dense", drawn.shape, initializer=None)
        found = kernel_initialization(stored, loaded(values), "float32", LayerContext(), 1)
        assert found.guessed
        assert (found.state == "fresh") is (state == "fresh")
        if state == "fresh":
            assert found.initializer == name
            assert found.tests["draws"] is True
            assert found.tests["fits"] is True
