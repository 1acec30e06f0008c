"""Windows and attention over a single position, in models that Keras saved."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.architecture.one_position import RULES
from tests.rules.saved import codes, found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
LATE = [rule for rule in RULES if rule.code == "MA316"]


@pytest.fixture(scope="module")
def k():
    import keras

    return keras


def test_windows_over_one_position(k, tmp_path):
    layers = k.layers
    for first, late in ((layers.MaxPooling2D(8), True), (layers.MaxPooling2D(2), False)):
        after = layers.Conv2D(4, 3, padding="same", activation="relu", name="after")
        model = sequential(k, (8, 8, 1), first, after, layers.Flatten(), layers.Dense(1))
        assert codes(LATE, model, tmp_path) == ([("MA316", "medium")] if late else [])
        x = np.random.default_rng(0).normal(size=(3, 8, 8, 1))
        before = np.asarray(model(x))
        kernel, bias = model.get_layer("after").get_weights()
        kernel[[0, 0, 0, 1, 1, 2, 2, 2], [0, 1, 2, 0, 2, 0, 1, 2]] = 7.0  # all but the middle
        model.get_layer("after").set_weights([kernel, bias])
        assert np.array_equal(before, np.asarray(model(x))) is late
    for window, larger in ((4, False), (5, True)):
        wide = layers.Conv2D(4, window, padding="same")
        model = sequential(k, (4, 4, 1), wide, layers.Flatten(), layers.Dense(1))
        assert codes(LATE, model, tmp_path) == ([("MA316", "low")] if larger else [])
    for pool, alike in ((7, True), (6, False)):  # over a map of 4x4 positions, in training as well
        wide = layers.MaxPooling2D(pool, strides=1, padding="same")
        model = sequential(k, (4, 4, 1), layers.Conv2D(3, 1), wide)
        said = [("MA316", "medium" if alike else "low")]
        assert codes(LATE, model, tmp_path) == said
        # Of so many images, some have their largest or smallest value at the border.
        given = np.asarray(model(np.random.default_rng(0).normal(size=(64, 4, 4, 1))))
        assert np.array_equal(given, given[:, :1, :1] + 0 * given) is alike
    squeezed = [layers.GlobalAveragePooling2D(keepdims=True), layers.Conv2D(4, 1)]
    model = sequential(k, (8, 8, 3), *squeezed, layers.Flatten(), layers.Dense(1))
    assert codes(LATE, model, tmp_path) == []


def test_a_map_that_is_made_of_numbers_is_as_large_as_its_reshape(k, tmp_path):
    """The map of a decoder: what its dense layer gives is not one position of it."""
    layers = k.layers
    for target, wide, said in (
        ((7, 7, 4), 5, []),
        ((2, 2, 49), 5, [("MA316", "low")]),
        ((1, 1, 196), 3, [("MA316", "low")]),
    ):
        after = layers.Conv2D(2, wide, padding="same", activation="relu", name="after")
        begin = [
            layers.Conv2D(2, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(196, "relu"),
        ]
        model = sequential(k, (9, 9, 1), *begin, layers.Reshape(target), after)
        assert model.get_layer("after").output.shape[1:3] == target[:2]
        assert codes(LATE, model, tmp_path) == said


def test_a_window_over_the_axis_that_another_layer_takes_for_channels(k, tmp_path):
    """What is one position in the order of the layers before is a row of 6 in its own order."""
    layers = k.layers
    for order, alone in (("channels_last", True), ("channels_first", False)):
        pool = layers.MaxPooling2D(2, padding="same", data_format=order, name="pool")
        model = k.Sequential([layers.Input((1, 1, 6)), layers.Conv2D(6, 1), pool])
        kept = model.get_layer("pool").output.shape == model.layers[0].output.shape
        assert kept is alone
        for suffix in ("keras", "h5"):
            model.save(tmp_path / f"m.{suffix}")
            said = [x.detail for x in found(LATE, tmp_path / f"m.{suffix}")]
            assert any("changes nothing" in each for each in said) is kept, said


def test_attention_to_a_single_position(k, tmp_path):
    layers = k.layers
    for steps, alone in ((1, True), (5, False)):
        given = layers.Input((steps, 6))
        attention = layers.MultiHeadAttention(2, 3, name="attention")
        out = layers.Dense(1)(layers.Flatten()(attention(given, given)))
        model = k.Model(given, out)
        assert codes(LATE, model, tmp_path) == ([("MA316", "medium")] if alone else [])
        x = np.random.default_rng(0).normal(size=(3, steps, 6))
        before = np.asarray(model(x))
        for weight in attention.weights:
            if "query" in weight.path or "key" in weight.path:
                weight.assign(weight + 1.0)
        assert np.allclose(before, np.asarray(model(x)), atol=1e-5) is alone
    # A summary of many positions by one query attends to all of them.
    query, values = layers.Input((1, 6)), layers.Input((5, 6))
    summed = layers.MultiHeadAttention(2, 3)(query, values)
    assert codes(LATE, k.Model([query, values], summed), tmp_path) == []


def test_the_layer_that_left_one_position(k, tmp_path):
    layers = k.layers
    given = k.Input((8, 8, 1))
    shrinking = [layers.MaxPooling2D(2), layers.Conv2D(4, 3), layers.MaxPooling2D(2, name="last")]
    shrunk = given
    for layer in shrinking:
        shrunk = layer(shrunk)
    wide = layers.Conv2D(4, 3, padding="same", name="wide")(given)
    whole = layers.GlobalAveragePooling2D(keepdims=True, name="whole")(wide)
    for before, said in (
        (shrunk, "`last` leaves one position of [2, 2]"),
        (whole, "`whole` leaves one position of [8, 8]"),
    ):
        late = layers.Conv2D(4, 3, padding="same", name="late")(before)
        other = layers.Conv2D(4, 3, name="other")(given)  # a branch of its own
        flat = [layers.Flatten()(each) for each in (other, late)]
        k.Model(given, layers.Concatenate()(flat)).save(tmp_path / "m.keras")
        (only,) = [x for x in found(LATE, tmp_path / "m.keras") if x.location.route == "late"]
        assert said in only.fix


def test_a_map_that_grows_from_a_seed_was_no_larger_image(k, tmp_path):
    """The first convolution of a generator, in a model that takes an image as well."""
    layers = k.layers
    image, seed = k.Input((32, 32, 1)), k.Input((8,))
    grown = layers.Reshape((4, 4, 4))(layers.Dense(64)(seed))
    grown = layers.Conv2D(4, 5, padding="same", name="grown")(grown)
    shrunk = layers.Conv2D(4, 5, padding="same", name="shrunk")(layers.MaxPooling2D(8)(image))
    for late, severity in ((grown, "low"), (shrunk, "medium")):
        flat = layers.Flatten()(late)
        given = [image, seed]
        joined = layers.Concatenate()([flat, layers.GlobalAveragePooling2D()(image), seed])
        k.Model(given, layers.Dense(1)(joined)).save(tmp_path / "m.keras")
        (only,) = found(LATE, tmp_path / "m.keras")
        assert only.severity.value == severity
