"""MA339 and MA340: what layers join, in models that Keras saved, each with a sound twin."""

from __future__ import annotations

import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import found

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
LOW = [("MA339", "low")]


@pytest.mark.parametrize(
    "name", ["Add", "Average", "Maximum", "Minimum", "Multiply", "Concatenate"]
)
def test_a_shortcut_that_gets_the_block_twice(k, told, tmp_path, name):
    layers = k.layers
    given = k.Input((8,))
    block = layers.Dense(8, "relu")(given)
    branch = layers.Dense(8, name="branch")(block)
    join = getattr(layers, name)
    assert told("MA339", given, join()([branch, branch])) == LOW
    (only,) = found([rule("MA339")], tmp_path / "model.keras")
    assert "`branch` twice" in only.detail
    assert told("MA339", given, join()([branch, block])) == []


def test_what_may_be_joined_with_itself(k, told):
    layers = k.layers
    given = k.Input((8, 8, 1))
    # Three channels for a base that takes colors, a square as an operation, and a shared tower.
    colors = layers.Concatenate()([given, given, given])
    assert told("MA339", given, layers.Conv2D(4, 3)(colors)) == []
    hidden = layers.Dense(4)(layers.Flatten()(given))
    assert told("MA339", given, hidden * hidden) == []
    assert told("MA339", given, hidden + hidden) == []
    tower, other = layers.Dense(4), k.Input((8,))
    also = k.Input((8,))
    assert told("MA339", [other, also], layers.Add()([tower(other), tower(also)])) == []
    both = layers.LSTM(4, return_state=True)(k.ops.squeeze(given, -1))
    assert told("MA339", given, layers.Concatenate()([both[1], both[2]])) == []


def test_maps_joined_by_their_rows(k, told):
    layers = k.layers
    given = k.Input((8, 8, 3))
    skip = layers.Conv2D(4, 3, padding="same")(given)
    up = layers.UpSampling2D()(layers.MaxPooling2D()(skip))
    for axis in (1, 2):
        assert told("MA339", given, layers.Concatenate(axis=axis)([up, skip])) == LOW
    assert told("MA339", given, layers.Concatenate(axis=-1)([up, skip])) == []
    assert told("MA339", given, layers.Concatenate(axis=3)([up, skip])) == []
    narrow = layers.Cropping2D(2)(skip)  # of another size: a strip that is put beside
    wide = layers.Cropping2D(((2, 2), (0, 0)))(skip)
    assert told("MA339", given, layers.Concatenate(axis=2)([narrow, wide])) == []
    steps = layers.Reshape((64, 4))(skip)
    assert told("MA339", given, layers.Concatenate(axis=1)([steps, steps])) == LOW


def test_steps_of_opposite_directions(k, told, tmp_path):
    layers = k.layers
    given = k.Input((9, 3))

    def read(backwards=False):
        return layers.LSTM(4, return_sequences=True, go_backwards=backwards)

    low = [("MA340", "low")]
    there, back = read()(given), layers.Dropout(0.1)(read(True)(given))
    assert told("MA340", given, layers.Concatenate()([there, back])) == low
    (only,) = found([rule("MA340")], tmp_path / "model.keras")
    assert "begins with the last step" in only.detail
    assert told("MA340", given, layers.Add()([there, back])) == low
    assert told("MA340", given, layers.Add()([read(True)(given), back])) == []
    turned = k.ops.flip(back, axis=1)
    assert told("MA340", given, layers.Concatenate()([there, turned])) == []
    twice = read(True)(back)  # which turns them round again
    assert told("MA340", given, layers.Concatenate()([there, twice])) == []
    assert told("MA340", given, layers.Concatenate(axis=1)([there, back])) == []


def test_one_step_of_two_directions(k, told, tmp_path):
    layers = k.layers
    given = k.Input((9, 3))
    low = [("MA340", "low")]
    both = layers.Bidirectional(layers.GRU(4, return_sequences=True))(given)
    assert told("MA340", given, layers.Dense(1)(both[:, -1, :])) == low
    (only,) = found([rule("MA340")], tmp_path / "model.keras")
    assert "return_sequences=False" in only.fix
    assert told("MA340", given, layers.Dense(1)(layers.Dropout(0.1)(both)[:, -1])) == low
    assert told("MA340", given, layers.Dense(1)(both[:, 2:, :])) == []
    last = layers.Bidirectional(layers.GRU(4))(given)
    assert told("MA340", given, layers.Dense(1)(last)) == []
    attends = layers.Attention()([both[:, -1:, :], both])  # the last step asks all of them
    assert told("MA340", given, layers.Dense(1)(attends[:, 0, :])) == []
    one_way = layers.GRU(4, return_sequences=True)(given)
    assert told("MA340", given, layers.Dense(1)(one_way[:, -1, :])) == []
