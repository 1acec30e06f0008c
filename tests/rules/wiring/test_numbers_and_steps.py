"""MA341 to MA343: numbers of rows, steps and words as layers get them, and sound twins."""

from __future__ import annotations

import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import found

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
WORDS = ["the", "cat", "sat", "on", "a", "mat"]


@pytest.mark.parametrize(
    "name, options",
    [("Dense", {"units": 6}), ("BatchNormalization", {}), ("LayerNormalization", {})],
)
def test_rows_of_fractions(k, told, tmp_path, name, options):
    layers = k.layers
    given = k.Input((6,))
    before = getattr(layers, name)(**options)(given)
    assert told("MA341", given, layers.Embedding(9, 4)(before)) == [("MA341", "medium")]
    (only,) = found([rule("MA341")], tmp_path / "model.keras")
    assert "whole numbers" in only.detail
    assert told("MA341", given, layers.Embedding(9, 4)(layers.Reshape((2, 3))(given))) == []
    codes_ = k.ops.argmax(layers.Reshape((6, 1))(before), axis=-1)
    assert told("MA341", given, layers.Embedding(9, 4)(codes_)) == []


def test_rows_of_columns(k, told):
    layers = k.layers
    given = k.Input((), dtype="string")

    def words(mode, **more):
        return layers.TextVectorization(vocabulary=WORDS, output_mode=mode, **more)(given)

    def looked_up(x):
        return told("MA341", given, layers.Embedding(9, 4)(x), ("keras",))

    for mode in ("multi_hot", "count"):
        assert looked_up(words(mode)) == [("MA341", "medium")]
    assert looked_up(words("int", output_sequence_length=5)) == []


def test_rows_of_places_that_words_look_up(k, told, tmp_path):
    layers = k.layers
    given = k.Input((12,), dtype="int32")
    words = layers.Embedding(500, 8)

    def both(places, at):
        return layers.Add()([words(given), places(at)])

    assert told("MA341", given, both(layers.Embedding(12, 8), given)) == [("MA341", "medium")]
    (only,) = found([rule("MA341")], tmp_path / "model.keras")
    assert "arange(12)" in only.fix
    assert told("MA341", given, both(layers.Embedding(300, 8), given)) == [("MA341", "low")]
    assert told("MA341", given, both(layers.Embedding(500, 8), given)) == []
    numbers = k.ops.cumsum(k.ops.ones_like(given), axis=1) - 1
    assert told("MA341", given, both(layers.Embedding(12, 8), numbers)) == []
    other = k.Input((12,), dtype="int32")
    assert told("MA341", [given, other], both(layers.Embedding(12, 8), other)) == []


def test_numbers_of_words_taken_for_sizes(k, told):
    layers = k.layers
    given = k.Input((), dtype="string")

    def read(mode, **more):
        x = layers.TextVectorization(vocabulary=WORDS, output_mode=mode, **more)(given)
        return told("MA336", given, layers.Dense(4)(k.ops.cast(x, "float32")), ("keras",))

    assert read("int", output_sequence_length=5) == [("MA336", "low")]
    assert read("multi_hot") == []


def test_units_read_as_steps(k, told, tmp_path):
    layers = k.layers
    given = k.Input((9, 3))
    low = [("MA342", "low")]
    for read in (layers.LSTM, layers.GRU):
        x = layers.Dropout(0.1)(layers.LSTM(16)(given))
        assert told("MA342", given, read(4)(layers.Reshape((16, 1))(x))) == low
    (only,) = found([rule("MA342")], tmp_path / "model.keras")
    assert "return_sequences=True" in only.fix
    x = layers.Bidirectional(layers.LSTM(8))(given)
    assert told("MA342", given, layers.Conv1D(4, 3)(k.ops.expand_dims(x, -1))) == low
    assert told("MA342", given, layers.LSTM(4)(layers.RepeatVector(5)(x))) == []
    assert told("MA342", given, layers.LSTM(4)(layers.Reshape((4, 4))(x))) == []
    row = k.Input((16,))  # a series of one value for each step
    assert told("MA342", row, layers.LSTM(4)(layers.Reshape((16, 1))(row))) == []
    column = layers.Reshape((16, 1))(layers.Dense(16)(row))
    assert told("MA342", row, layers.LSTM(4)(column)) == []


class TestNextWords:
    def test_readers_of_both_directions(self, k, told, tmp_path):
        layers = k.layers
        given = k.Input((9,), dtype="int32")

        def reader(wrap, words=40):
            x = wrap(layers.LSTM(8, return_sequences=True))(layers.Embedding(40, 8)(given))
            return told("MA343", given, layers.Dense(words, "softmax")(x))

        assert reader(layers.Bidirectional) == [("MA343", "low")]
        (only,) = found([rule("MA343")], tmp_path / "model.keras")
        assert "next word" in only.detail
        assert reader(lambda inner: inner) == []
        assert reader(layers.Bidirectional, words=7) == []  # a tagger

    @pytest.mark.parametrize("causal, severity", [(False, "low"), (True, "")])
    def test_decoders(self, k, told, causal, severity):
        layers = k.layers
        source, target = (k.Input((size,), dtype="int32") for size in (7, 9))
        read = layers.LSTM(8, return_sequences=True)(layers.Embedding(30, 8)(source))
        x = layers.Embedding(40, 8)(target)
        x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=causal)])
        x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, read)])
        result = layers.Dense(40, "softmax")(layers.LayerNormalization()(x))
        found_ = told("MA343", [source, target], result)
        assert found_ == ([("MA343", severity)] if severity else [])

    def test_words_that_may_be_masked(self, k, told):
        layers = k.layers
        given = k.Input((9,), dtype="int32")
        x = layers.Embedding(40, 8)(given)
        x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)])
        assert told("MA343", given, layers.Dense(40)(x)) == [("MA343", "info")]
