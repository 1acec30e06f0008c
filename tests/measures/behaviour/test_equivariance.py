import numpy as np
import pytest

from modelaudit.measures.behaviour.equivariance import layer_residuals
from modelaudit.measures.transforms import transforms_for

H = transforms_for((None, 6, 6, 1))[0]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 6, 6, 1))


def features(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Circular 1 x 3 convolution along the width, then squares: (n, 6, 6, channels)."""
    taps = np.stack([np.roll(x[..., 0], shift, axis=2) for shift in (1, 0, -1)], axis=-1)
    return (taps @ kernel) ** 2


def test_symmetric_kernels_are_exact_without_a_permutation() -> None:
    kernel = RNG.normal(size=(3, 4))
    kernel += kernel[::-1]
    found = layer_residuals(features(X, kernel), features(H.apply(X), kernel), H)
    assert found.identity == pytest.approx(0, abs=1e-20)
    assert found.permutation == pytest.approx(0, abs=1e-20)


def test_twins_are_exact_with_a_permutation_only() -> None:
    half = RNG.normal(size=(3, 4))
    kernel = np.concatenate([half, half[::-1]], axis=1)
    found = layer_residuals(features(X, kernel), features(H.apply(X), kernel), H)
    assert found.identity > 0.1
    assert found.permutation == pytest.approx(0, abs=1e-20)


def test_other_kernels_are_not_equivariant() -> None:
    kernel = RNG.normal(size=(3, 6))
    found = layer_residuals(features(X, kernel), features(H.apply(X), kernel), H)
    assert found.identity > 0.1
    assert found.permutation > 0.05


def test_vectors_need_no_transform() -> None:
    z = RNG.normal(size=(40, 5))
    found = layer_residuals(z, z[:, [1, 0, 2, 4, 3]], None)
    assert found.identity > 0.3
    assert found.permutation == pytest.approx(0, abs=1e-20)
    independent = layer_residuals(z, RNG.normal(size=(40, 5)), None)
    assert independent.identity == pytest.approx(1, abs=0.3)


def test_channels_first() -> None:
    half = RNG.normal(size=(3, 2))
    kernel = np.concatenate([half, half[::-1]], axis=1)
    a, b = features(X, kernel), features(H.apply(X), kernel)
    first = transforms_for((None, 1, 6, 6), "channels_first")[0]
    found = layer_residuals(np.moveaxis(a, -1, 1), np.moveaxis(b, -1, 1), first, channel_axis=1)
    assert found == layer_residuals(a, b, H)


def test_undefined_cases() -> None:
    constant = np.ones((10, 4))
    assert layer_residuals(constant, constant, None).identity is None
    assert layer_residuals(constant[:1], constant[:1], None).identity is None
    assert layer_residuals(constant, np.ones((10, 5)), None).identity is None
    few = RNG.normal(size=(3, 4))
    assert layer_residuals(few, few, None).permutation is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("where", ["plain", "moved"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_features_are_not_compared(where: str, value: float) -> None:
    features = {name: np.random.default_rng(0).random((8, 4)) for name in ("plain", "moved")}
    features[where][1, 2] = value
    found = layer_residuals(features["plain"], features["moved"], None)
    assert (found.identity, found.permutation) == (None, None)
