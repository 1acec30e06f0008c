"""Gradual changes of images, against SciPy, colorsys and closed forms."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from scipy import ndimage

from modelaudit.measures.augmentation.image_changes import (
    IMAGE_CHANGES,
    blurred,
    contrasted,
    occluded,
    rotated,
    sheared,
    shifted,
    turned_hue,
    zoomed,
)

RNG = np.random.default_rng(5)
X = RNG.random((4, 11, 14, 3), dtype=np.float32)


def warped(
    image: np.ndarray, matrix: np.ndarray, offset: tuple[float, float] = (0, 0)
) -> np.ndarray:
    """SciPy's affine transform about the centre."""
    centre = (np.array(image.shape[:2]) - 1) / 2
    moved = centre - matrix @ centre + np.array(offset)
    planes = [
        ndimage.affine_transform(
            image[..., c].astype(float), matrix, moved, order=1, mode="reflect"
        )
        for c in range(image.shape[2])
    ]
    return np.stack(planes, axis=-1)


def turn(degrees: float) -> np.ndarray:
    t = np.deg2rad(degrees)
    return np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])


@pytest.mark.parametrize(
    ("changed", "matrices"),
    [
        (rotated(X, 20), (turn(20), turn(-20))),
        (
            sheared(X, 0.3),
            (np.array([[1, 0], [0.3, 1]]), np.array([[1, 0], [-0.3, 1]])),
        ),
        (zoomed(X, 0.25), (np.eye(2) / 1.25, np.eye(2) * 1.25)),
    ],
)
def test_geometric_changes_are_those_of_scipy_and_take_turns(
    changed: np.ndarray, matrices: tuple[np.ndarray, np.ndarray]
) -> None:
    for i, image in enumerate(X):
        assert np.allclose(changed[i], warped(image, matrices[i % 2]), atol=1e-5)


@pytest.mark.parametrize(("rows", "columns"), [(1.0, 1.0), (2.4, 0.7), (13.0, 30.0)])
def test_shifts_go_in_four_directions(rows: float, columns: float) -> None:
    moved = shifted(X, rows, columns)
    for i, (down, right) in enumerate(((1, 1), (-1, -1), (1, -1), (-1, 1))):
        expected = warped(X[i], np.eye(2), (-down * rows, -right * columns))
        assert np.allclose(moved[i], expected, atol=1e-5)


def test_a_shift_of_one_pixel_copies_pixels_and_reflects_the_edge() -> None:
    first = shifted(X, 1, 1)[0]
    assert np.array_equal(first[1:, 1:], X[0, :-1, :-1])
    assert np.array_equal(first[0, 1:], X[0, 0, :-1])


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_blur_is_scipys_gaussian_filter(sigma: float) -> None:
    expected = ndimage.gaussian_filter(X.astype(float), (0, sigma, sigma, 0), mode="reflect")
    assert np.allclose(blurred(X, sigma), expected, atol=1e-5)


def test_hue_is_that_of_colorsys_on_the_span_of_the_values() -> None:
    moved = turned_hue(X * 200 - 50, 0.1, (-50.0, 150.0))
    for i, sign in ((0, 1), (1, -1)):
        for row, column in ((0, 0), (5, 7), (10, 13)):
            hue, saturation, value = colorsys.rgb_to_hsv(*X[i, row, column].tolist())
            expected = colorsys.hsv_to_rgb((hue + sign * 0.1) % 1, saturation, value)
            assert np.allclose((moved[i, row, column] + 50) / 200, expected, atol=1e-4)


def test_hue_leaves_grey_as_it_is() -> None:
    grey = np.repeat(X[..., :1], 3, axis=3)
    assert np.allclose(turned_hue(grey, 0.3, (0, 1)), grey, atol=1e-6)


def test_contrast_keeps_the_mean_and_scales_the_deviation() -> None:
    changed = contrasted(X, 0.4)
    assert np.allclose(changed.mean(axis=(1, 2)), X.mean(axis=(1, 2)), atol=1e-5)
    assert np.allclose(changed[0].std(), 1.4 * X[0].std(), rtol=0.2)
    ratio = changed.std(axis=(1, 2)) / X.std(axis=(1, 2))
    assert np.allclose(ratio[::2], 1.4, atol=1e-4)
    assert np.allclose(ratio[1::2], 0.6, atol=1e-4)


def test_occlusion_covers_one_square_of_the_area() -> None:
    changed = occluded(X, 0.1, (2.0, 3.0), np.random.default_rng(0))
    side = round((0.1 * 11 * 14) ** 0.5)
    for image, before in zip(changed, X, strict=True):
        rows, columns = np.nonzero((image != before).any(axis=-1))
        assert len(rows) == side**2
        assert np.ptp(rows) == np.ptp(columns) == side - 1
        inside = image[rows, columns]
        assert inside.min() >= 2
        assert inside.max() <= 3
        assert inside.std() > 0.2


@pytest.mark.parametrize("change", IMAGE_CHANGES, ids=lambda each: each.name)
def test_each_change_grows_with_its_strength(change) -> None:
    x = ndimage.gaussian_filter(RNG.random((8, 32, 32, 3)), (0, 2, 2, 0)).astype(np.float32)
    sizes = [
        float(np.square(change.apply(x, s, (0.0, 1.0), np.random.default_rng(1)) - x).sum())
        for s in change.strengths
    ]
    assert change.moderate in change.strengths
    assert sizes == sorted(sizes)
    assert sizes[0] > 0
