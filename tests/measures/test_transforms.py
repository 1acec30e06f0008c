import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.measures import transforms

SHAPES = [
    ((2, 6, 6, 3), "channels_last"),
    ((2, 6, 8, 3), "channels_last"),
    ((2, 3, 6, 6), "channels_first"),
    ((2, 9, 4), "channels_last"),
    ((2, 4, 5, 6, 1), "channels_last"),
    ((2, 8, 8), transforms.NO_CHANNELS),
]


@pytest.mark.parametrize(("shape", "layout"), SHAPES)
def test_inverse_and_shape(shape: tuple[int, ...], layout: str) -> None:
    x = np.arange(np.prod(shape)).reshape(shape)
    found = transforms.transforms_for(shape, layout)
    assert found
    for t in found:
        moved = t.apply(x)
        assert moved.shape == x.shape
        assert moved.flags.c_contiguous
        assert not np.array_equal(moved, x)
        assert np.array_equal(t.inverse.apply(moved), x)
        assert np.array_equal(t.undo_on_output(moved), x)
        assert t.perm[0] == 0
        assert 0 not in t.flip


def test_images_are_transformed_as_named() -> None:
    x = np.random.default_rng(0).random((2, 5, 5, 3))
    moved = {t.name: t.apply(x) for t in transforms.transforms_for(x.shape)}
    assert np.array_equal(moved["H"], x[:, :, ::-1])
    assert np.array_equal(moved["V"], x[:, ::-1])
    assert np.array_equal(moved["r90"], np.rot90(x, axes=(1, 2)))
    assert np.array_equal(moved["T"], x.swapaxes(1, 2))
    assert set(moved) == {"H", "V", "r90", "r180", "r270", "T", "AT"}


def test_names_by_rank() -> None:
    def names(shape: tuple[int | None, ...], layout: str = "channels_last") -> list[str]:
        return [t.name for t in transforms.transforms_for(shape, layout)]

    assert names((None, 4, 6, 3)) == ["H", "V", "r180"]
    assert names((None, 100, 2)) == ["flip"]
    assert names((None, 4, 4, 4, 1)) == ["x0", "x1", "x2"]
    assert names((None, 10)) == []
    # A flip of one value is no change.
    assert names((None, 128, 1, 8)) == ["V"]
    assert names((None, 1, 128, 8)) == ["H"]
    assert names((None, 1, 1, 8)) == names((None, 1, 8)) == []
    assert names((None, None, None, 3)) == ["H", "V", "r180"]
    assert "r90" in names((None, 28, 28), transforms.layout_of((None, 28, 28)))


def test_layout_of_images_without_channels() -> None:
    assert transforms.layout_of((None, 28, 28)) == transforms.NO_CHANNELS
    assert transforms.layout_of((None, 100, 3)) == "channels_last"
    assert transforms.layout_of((None, 28, 28, 1), "channels_first") == "channels_first"


@given(st.sampled_from(["H", "V", "r90", "r180", "r270", "T", "AT"]))
def test_masks_without_channels_are_undone(name: str) -> None:
    x = np.random.default_rng(1).random((3, 7, 7, 2))
    t = next(t for t in transforms.transforms_for(x.shape) if t.name == name)
    mask = t.apply(x).sum(axis=-1)
    assert np.allclose(t.undo_on_output(mask), x.sum(axis=-1))
    first = np.moveaxis(t.apply(x), -1, 1)
    assert np.array_equal(t.undo_on_output(first, first_axis=2), np.moveaxis(x, -1, 1))


def test_scores_are_not_a_map() -> None:
    t = transforms.transforms_for((None, 7, 7, 2))[0]
    with pytest.raises(ValueError, match="spatial"):
        t.undo_on_output(np.zeros((3, 10)))
