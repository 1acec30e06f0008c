"""What layers are told of values, axes and sizes that they do not get, as Keras saves them."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.architecture import bottlenecks, layer_settings
from tests.rules.saved import codes, found, sequential

RULES = [*layer_settings.RULES, *bottlenecks.RULES]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_ranges_of_random_changes(tmp_path):
    import keras

    layers = keras.layers
    told = [("MA322", "medium")]

    def through(*front):
        tail = layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(2)
        model = sequential(keras, (8, 8, 3), *front, *tail)
        return codes(RULES, model, tmp_path, ("keras",))

    scaled = layers.Rescaling
    assert through(scaled(1 / 255), layers.RandomBrightness(0.2)) == told
    assert through(scaled(1 / 255), layers.RandomFlip(), layers.RandomInvert(0.5)) == told
    assert through(scaled(1 / 127.5, -1), layers.RandomBrightness(0.2)) == told
    assert through(layers.RandomBrightness(0.2), scaled(1 / 255)) == []
    assert through(scaled(1 / 255), layers.RandomBrightness(0.2, value_range=(0, 1))) == []
    assert through(scaled(1 / 255), layers.RandomContrast(0.2)) == []  # it clips nothing
    assert through(layers.RandomBrightness(0.2, value_range=(0, 1)), scaled(1 / 255)) == told
    assert through(layers.RandomBrightness(0.2, value_range=(0, 1))) == []
    assert through(scaled(1 / 255), layers.RandomBrightness(0.1 / 255)) == []  # of 255 values: 0.1
    erasing = layers.RandomErasing(value_range=(0, 1))
    assert through(erasing, scaled(1 / 255)) == []  # it clips nothing but what it fills in


def test_what_is_said_of_ranges_is_so():
    """Keras itself: behind the scaling, the change is far larger than the image is."""
    import keras

    image = np.random.default_rng(0).uniform(0, 1, (64, 4, 4, 3)).astype("float32")
    spread = {}
    for most in (255, 1):
        layer = keras.layers.RandomBrightness(0.2, value_range=(0, most), seed=1)
        spread[most] = np.abs(np.asarray(layer(image, training=True)) - image).mean()
    assert spread[255] > 10
    assert spread[1] < 0.2
    clips = keras.layers.RandomBrightness(0.2, value_range=(0, 1), seed=1)
    pixels = np.asarray(clips(255 * image, training=True))
    assert (pixels == 1).mean() > 0.98


def test_axes_of_normalizations(tmp_path):
    import keras

    layers = keras.layers

    def steps(norm):
        hidden = layers.Dense(12), norm, layers.GRU(4), layers.Dense(2)
        return codes(RULES, sequential(keras, (6, 5), *hidden), tmp_path)

    def rows(norm):
        hidden = layers.Conv2D(4, 3), norm, layers.Flatten(), layers.Dense(2)
        return codes(RULES, sequential(keras, (8, 8, 3), *hidden), tmp_path)

    for through in (steps, rows):
        assert through(layers.LayerNormalization(axis=1)) == [("MA322", "low")]
        assert through(layers.LayerNormalization()) == []
    assert rows(layers.GroupNormalization(2, axis=2)) == [("MA322", "low")]
    assert rows(layers.LayerNormalization(axis=[1, 2, 3])) == []
    assert rows(layers.BatchNormalization(axis=1))[0] == ("MA322", "low")


def test_images_of_one_pixel(tmp_path):
    import keras

    layers = keras.layers

    def through(front, shape=(9, 9, 3)):
        tail = layers.Conv2D(4, 1), layers.Flatten(), layers.Dense(2)
        return codes(RULES, sequential(keras, shape, front, *tail), tmp_path, ("keras",))

    def behind(front):
        """A pixel for which convolutions have seen those around it."""
        hidden = layers.Conv2D(4, 3, padding="same"), front, layers.Flatten(), layers.Dense(2)
        return codes(RULES, sequential(keras, (9, 9, 3), *hidden), tmp_path, ("keras",))

    one = [("MA312", "medium")]
    assert behind(layers.Cropping2D(4)) == []
    assert through(layers.Resizing(1, 1)) == one
    assert through(layers.Resizing(1, 1), (None, None, 3)) == one
    assert through(layers.Cropping2D(4)) == one
    assert through(layers.CenterCrop(1, 1)) == one
    assert through(layers.Resizing(2, 1)) == []
    assert through(layers.Cropping2D(3)) == []
    assert through(layers.ZeroPadding2D(0), (1, 1, 3)) == []


@pytest.mark.parametrize(("order", "adapted", "said"), [("sn", 1, 1), ("ns", 1, 1), ("sn", 255, 0)])
def test_a_normalization_and_a_scaling_of_raw_pixels(order, adapted, said, tmp_path):
    """One that was adapted to raw pixels, behind or before 1/255; and one to what it gets."""
    import keras as k

    pixels = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3)).astype("float32")
    norm = k.layers.Normalization()
    norm.adapt(pixels / adapted)
    scaling = k.layers.Rescaling(1 / 255)
    both = [scaling, norm] if order == "sn" else [norm, scaling]
    model = sequential(k, (8, 8, 3), *both, k.layers.Flatten(), k.layers.Dense(1))
    model.save(tmp_path / "model.keras")
    spread = k.Sequential([k.layers.Input((8, 8, 3)), *both])(pixels).numpy().std()
    assert bool(spread < 0.02) is bool(said)
    about = [x for x in found(RULES, tmp_path / "model.keras") if "scalings" in x.detail]
    assert [str(each.severity) for each in about] == ["medium"] * said
