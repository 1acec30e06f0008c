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


def test_domains() -> None:
    x = np.array([[0.0, 51.0, 255.0]])
    moved = {d.name: d.apply(x) for d in transforms.domain_transforms(x, None)}
    assert np.allclose(moved["/255"], [[0, 0.2, 1]])
    assert np.allclose(moved["x/127.5-1"], [[-1, -0.6, 1]])
    assert np.allclose(moved["1-x"], [[255, 204, 0]])
    assert np.allclose(moved["standardised"].mean(), 0, atol=1e-6)
    assert np.allclose(moved["standardised"].std(), 1)
    assert all(m.dtype == np.float32 for m in moved.values())


@pytest.mark.parametrize(
    ("low", "high", "names"),
    [
        (0.0, 1.0, {"/255", "*255", "2x-1"}),
        (-1.0, 1.0, {"*255", "(x+1)/2", "127.5(x+1)"}),
        (0.0, 255.0, {"/255", "x/127.5-1"}),
        (-124.0, 151.0, {"/255", "x/127.5-1"}),
    ],
)
def test_every_usual_range_can_be_reached_from_every_other(low, high, names) -> None:
    x = np.linspace(low, high, 12, dtype="float32").reshape(1, 2, 2, 3)
    made = {d.name: d.apply(x) for d in transforms.domain_transforms(x, 3)}
    assert set(made) == names | {"1-x", "standardised", "BGR"}
    np.testing.assert_array_equal(made["BGR"], x[..., ::-1])
    if high == round(high) and low > -2:  # from a usual range to the other usual ranges
        reached = {(float(v.min()), float(v.max())) for v in (x, *made.values())}
        assert {(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)} <= reached


def test_a_constant_input_cannot_be_standardised() -> None:
    names = {d.name for d in transforms.domain_transforms(np.ones((2, 3)), None)}
    assert "standardised" not in names


@pytest.mark.parametrize(
    ("shape", "layout", "axis"),
    [
        ((2, 8, 8, 3), "channels_last", 3),
        ((2, 3, 8, 8), "channels_first", 1),
        ((2, 8, 8, 1), "channels_last", None),
        ((2, 8, 3), "channels_last", None),
        ((2, 8, 8, 8, 3), "channels_last", None),
    ],
)
def test_only_images_have_colours(shape, layout, axis) -> None:
    assert transforms.colour_axis(shape, transforms.transforms_for(shape, layout)) == axis
