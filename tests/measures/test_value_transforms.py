import numpy as np
import pytest

from modelaudit.measures import transforms, value_transforms
from modelaudit.measures.input_corrections import numpy_of


def test_domains() -> None:
    x = np.array([[0.0, 51.0, 255.0]])
    moved = {d.name: d.apply(x) for d in value_transforms.domain_transforms(x, None)}
    assert np.allclose(moved["/255"], [[0, 0.2, 1]])
    assert np.allclose(moved["x/127.5-1"], [[-1, -0.6, 1]])
    assert np.allclose(moved["1-x"], [[255, 204, 0]])
    assert np.allclose(moved["standardised"].mean(), 0, atol=1e-6)
    assert np.allclose(moved["standardised"].std(), 1)
    assert all(m.dtype == np.float32 for m in moved.values())


EVERYWHERE = {"1-x", "standardised", "standardised each", "BGR"}


@pytest.mark.parametrize(
    ("low", "high", "names"),
    [
        (0.0, 1.0, {"/255", "*255", "2x-1", "0-1>imagenet", "0-1>caffe"}),
        (-1.0, 1.0, {"*255", "(x+1)/2", "127.5(x+1)", "-1-1>imagenet", "-1-1>caffe"}),
        (0.0, 255.0, {"/255", "x/127.5-1", "0-255>imagenet", "0-255>caffe"}),
    ],
)
def test_every_usual_range_can_be_reached_from_every_other(low, high, names) -> None:
    x = np.linspace(low, high, 12, dtype="float32").reshape(1, 2, 2, 3)
    made = {d.name: d.apply(x) for d in value_transforms.domain_transforms(x, 3)}
    assert set(made) == names | EVERYWHERE
    np.testing.assert_array_equal(made["BGR"], x[..., ::-1])
    reached = {(float(v.min()), float(v.max())) for v in (x, *made.values())}
    assert {(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)} <= reached


def test_grey_images_get_the_averages_of_imagenets_statistics() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 1)).astype("float32")
    unit = pixels / 255
    made = {d.name: d.apply(unit) for d in value_transforms.domain_transforms(unit, 3)}
    normalised = made["0-1>imagenet-grey"]
    assert np.allclose(normalised, (unit - 0.449) / 0.226, atol=1e-5)
    back = value_transforms.domain_transforms(normalised, 3)
    assert np.allclose(
        {d.name: d for d in back}["imagenet-grey>0-255"].apply(normalised), pixels, atol=1e-2
    )
    assert not any("imagenet" in d.name for d in value_transforms.domain_transforms(unit, None))


@pytest.mark.parametrize("channels", [1, 3])
def test_inputs_standardised_one_by_one_are_known_by_their_own_statistics(channels) -> None:
    pixels = (
        np.random.default_rng(0).random((8, 6, 6, channels))
        * np.linspace(0.3, 1, 8)[:, None, None, None]
    )
    each = value_transforms.DomainTransform("each", each=True).apply(pixels)
    names = [d.name for d in value_transforms.domain_transforms(each, 3)]
    assert any(name in names for name in ("each>0-1", "each-grey>0-1"))
    together = (pixels - pixels.mean()) / pixels.std()
    names = [d.name for d in value_transforms.domain_transforms(together, 3)]
    assert not any(name.startswith("each") for name in names)


def test_changes_are_counted() -> None:
    names = ("/255", "BGR", "V + /255", "0-1>caffe", "imagenet>0-255 + BGR", "V + 0-1>caffe")
    assert [*map(value_transforms.changes, names)] == [1, 1, 2, 2, 2, 3]


RANGES = {
    "0-1": lambda pixels: pixels / 255,
    "-1-1": lambda pixels: pixels / 127.5 - 1,
    "0-255": lambda pixels: pixels,
    "imagenet": lambda pixels: preprocessed(pixels, "torch"),
    "caffe": lambda pixels: preprocessed(pixels, "caffe"),
}


def preprocessed(pixels, mode):
    """By Keras' own function."""
    from keras.src.applications.imagenet_utils import preprocess_input

    return preprocess_input(pixels.astype("float32").copy(), data_format="channels_last", mode=mode)


@pytest.mark.parametrize("source", RANGES)
@pytest.mark.parametrize("axis", [3, 1])
def test_every_normalization_is_that_of_keras_and_can_be_undone(source, axis) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype("float32")
    pixels[0, 0, :2] = [[0, 0, 0], [255, 255, 255]]
    given = np.moveaxis(RANGES[source](pixels), -1, axis)
    made = value_transforms.domain_transforms(given, axis)
    kept = [each for each in made if ">" in each.name and each.name not in value_transforms.SWAPS]
    targets = {each.name.partition(">")[2]: each.apply(given) for each in kept}
    if source in {"imagenet", "caffe"}:
        assert set(targets) == set(RANGES) - {source}
    for target, values in targets.items():
        expected = np.moveaxis(RANGES[target](pixels), -1, axis)
        np.testing.assert_allclose(values, expected, atol=2e-3)


def test_each_input_is_standardised_by_itself() -> None:
    x = np.random.default_rng(0).random((3, 5, 5, 3)) * np.reshape([2.0, 5.0, 0.0], (3, 1, 1, 1))
    made = {d.name: d.apply(x) for d in value_transforms.domain_transforms(x, 3)}
    each = made["standardised each"].reshape(3, -1)
    np.testing.assert_allclose(each.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(each.std(axis=1), [1, 1, 0], atol=1e-5)


@pytest.mark.parametrize("source", RANGES)
def test_red_and_blue_are_exchanged_between_two_normalizations(source) -> None:
    """As in a pipeline that reads blue, green, red, and then normalises for another network."""
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype("float32")
    pixels[0, 0, :2] = [[0, 0, 0], [255, 255, 255]]
    given = RANGES[source](pixels[..., ::-1])
    made = [each for each in value_transforms.domain_transforms(given, 3) if ">" in each.name]
    alone = [each for each in made if each.name in value_transforms.SWAPS]
    assert [each.name for each in alone] == [f"{source}>BGR"] * (source in {"imagenet", "caffe"})
    for each in made:
        exchanged = each if each in alone else each.swapped(3)
        expected = RANGES[source if each in alone else each.name.partition(">")[2]](pixels)
        np.testing.assert_allclose(exchanged.apply(given), expected, atol=2e-3)
        held = {"np": np, "images": given}
        exec(numpy_of(exchanged.name), held)  # the code that users are given
        np.testing.assert_allclose(held["images"], expected, atol=2e-3)


def test_a_constant_input_cannot_be_standardised() -> None:
    names = {d.name for d in value_transforms.domain_transforms(np.ones((2, 3)), None)}
    assert "standardised" not in names


@pytest.mark.parametrize(
    ("shape", "layout", "axis"),
    [
        ((2, 8, 8, 3), "channels_last", 3),
        ((2, 3, 8, 8), "channels_first", 1),
        ((2, 8, 8, 1), "channels_last", 3),
        ((2, 8, 3), "channels_last", None),
        ((2, 8, 8, 8, 3), "channels_last", None),
    ],
)
def test_only_images_have_channels(shape, layout, axis) -> None:
    assert value_transforms.channel_axis(shape, transforms.transforms_for(shape, layout)) == axis


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0), (-2.1, 2.4)])
def test_what_was_normalised_twice_is_undone(low, high) -> None:
    """Every usual transform of the inputs as given has an inverse among those of pairs."""
    rng = np.random.default_rng(0)
    x = rng.uniform(low, high, (4, 3, 3, 3))
    x[0, 0, 0], x[0, 0, 1] = low, high
    domains = value_transforms.paired_transforms(x, 3)
    assert {each.name for each in domains} >= {
        each.name for each in value_transforms.domain_transforms(x, 3)
    }
    used = [*value_transforms._ranges(value_transforms.value_range(low, high))]
    for transform in used:
        once = transform.apply(x)
        undone = [each.apply(once) for each in domains if len(each.scale) == 1]
        # x / 255 of numbers from 0 to 1 is what `*255` undoes, and so on.
        assert min(np.abs(each - x).max() for each in undone) < 1e-4 * high, transform.name


@pytest.mark.parametrize(
    ("given", "name", "target"),
    [
        ("0-1", "*255", "0-255"),
        ("0-255", "*255", ""),
        ("0-1", "2x-1", "-1-1"),
        ("0-255", "x/127.5-1", "-1-1"),
        ("0-255", "127.5(x+1)", ""),
        ("-1-1", "(x+1)/2", "0-1"),
        ("0-1", "0-1>imagenet", "imagenet"),
        ("0-1", "imagenet>0-1", ""),
        ("0-1", "1-x", ""),
    ],
)
def test_the_range_that_a_transform_leads_to(given, name, target) -> None:
    low, high = {"0-1": (0, 1), "0-255": (0, 255), "-1-1": (-1, 1)}[given]
    x = np.linspace(low, high, 24).reshape(2, 2, 2, 3)
    found = {each.name: each for each in value_transforms.paired_transforms(x, 3)}
    assert value_transforms.reached_range(found[name], given) == target
    swapped = found[name].swapped(3)
    assert value_transforms.reached_range(swapped, given) == target
