"""Changes of series and tables, and the layouts of inputs."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.measures.augmentation.other_changes import changeable

RNG = np.random.default_rng(6)
NONE = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("shape", "first", "images"),
    [
        ((2, 9, 8, 3), 1, (2, 9, 8, 3)),
        ((2, 3, 9, 8), 2, (2, 9, 8, 3)),
        ((2, 9, 8), 1, (2, 9, 8, 1)),
    ],
)
def test_images_of_every_layout_return_unchanged(
    shape: tuple[int, ...], first: int, images: tuple[int, ...]
) -> None:
    x = RNG.random(shape, dtype=np.float32)
    layout = changeable(x, kind="image", first_axis=first)
    assert layout is not None
    assert layout.images(x).shape == images
    assert np.array_equal(layout.restored(layout.images(x), x, (0, 1)), x)
    assert ("hue" in [each.name for each in layout.changes]) == (len(shape) == 4)


def test_bytes_are_rounded_and_clipped() -> None:
    x = RNG.integers(0, 256, (2, 4, 4, 1), dtype=np.uint8)
    layout = changeable(x, kind="image", first_axis=1)
    assert layout is not None
    back = layout.restored(layout.images(x) + 0.6, x, (0.0, 255.0))
    assert back.dtype == np.uint8
    assert np.array_equal(back, np.minimum(x.astype(int) + 1, 255))


def test_series_are_shifted_stretched_and_amplified() -> None:
    x = RNG.random((4, 40, 2), dtype=np.float32)
    layout = changeable(x, kind="series", first_axis=1)
    assert layout is not None
    by_name = {each.name: each for each in layout.changes}
    images = layout.images(x)

    def changed(name: str, strength: float) -> np.ndarray:
        values = by_name[name].apply(images, strength, (0, 1), NONE)
        return layout.restored(values, x, (-9, 9))

    assert np.allclose(changed("shift", 0.05)[0, 2:], x[0, :-2], atol=1e-6)
    assert np.allclose(changed("shift", 0.05)[1, :-2], x[1, 2:], atol=1e-6)
    at = (np.arange(40) - 19.5) / 1.1 + 19.5
    for channel in range(2):
        expected = np.interp(at, np.arange(40), x[0, :, channel])
        assert np.allclose(changed("stretch", 0.1)[0, :, channel], expected, atol=1e-5)
    assert np.allclose(changed("amplitude", 0.2)[0], 1.2 * x[0])
    assert np.allclose(changed("amplitude", 0.2)[1], 0.8 * x[1])


def test_columns_of_a_table_are_scaled_one_at_a_time() -> None:
    x = RNG.random((6, 30))
    x[:, 0] = 1.0  # does not vary, so it says nothing
    layout = changeable(x, kind="table", first_axis=1)
    assert layout is not None
    names = [each.name for each in layout.changes]
    assert len(names) == 16
    assert names[0] == "column 1"
    changed = layout.restored(
        layout.changes[0].apply(layout.images(x), 0.1, (0, 1), NONE), x, (-9, 9)
    )
    assert np.allclose(changed[::2, 1], 1.1 * x[::2, 1])
    assert np.allclose(changed[1::2, 1], 0.9 * x[1::2, 1])
    assert np.allclose(np.delete(changed, 1, axis=1), np.delete(x, 1, axis=1))


@pytest.mark.parametrize("kind", ["text", "volume", "unknown"])
def test_other_inputs_have_no_gradual_changes(kind: str) -> None:
    assert changeable(RNG.random((2, 5, 5)), kind=kind, first_axis=1) is None
