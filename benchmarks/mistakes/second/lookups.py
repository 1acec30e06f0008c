"""Bodies of the second set over tables of words and masked steps, for `table.py`."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.mistakes.second.bodies import WORDS, Ground


def _words(g: Ground) -> object:
    """A table of strings, and its embedding, pooled."""
    kl = g.keras.layers
    lookup = kl.StringLookup(vocabulary=WORDS, num_oov_indices=2)
    x = kl.Embedding(g.change.room, 6)(lookup(g.enter(5, dtype="string")))
    y: object = kl.GlobalMaxPooling1D()(x)
    return y


def _codes(g: Ground) -> object:
    """A table of numbers (post codes, products), embedded beside numbers."""
    kl = g.keras.layers
    lookup = kl.IntegerLookup(vocabulary=list(range(100, 130)))
    x = lookup(g.enter(1, name="code", dtype="int64"))
    x = kl.Flatten()(kl.Embedding(g.change.room, 4, name="code_vector")(x))
    y: object = kl.Concatenate()([x, g.enter(6, name="numbers")])
    return y


def _hashes(g: Ground) -> object:
    """Hashed strings, embedded, through a recurrent layer."""
    kl = g.keras.layers
    x = kl.Hashing(num_bins=36)(g.enter(6, dtype="string"))
    y: object = kl.GRU(8)(kl.Embedding(g.change.room, 6)(x))
    return y


def _bins(g: Ground) -> object:
    """Numbers in bins, embedded."""
    kl = g.keras.layers
    bins = kl.Discretization(bin_boundaries=[float(edge) for edge in range(30)])
    x = bins(g.enter(3, dtype="float32"))
    y: object = kl.Flatten()(kl.Embedding(g.change.room, 5)(x))
    return y


def _text(g: Ground) -> object:
    """Sentences through a table of words and a recurrent layer in both directions."""
    kl = g.keras.layers
    lookup = kl.TextVectorization(output_mode="int", output_sequence_length=9, vocabulary=WORDS)
    x = kl.Embedding(g.change.room, 8, mask_zero=True)(lookup(g.enter(1, dtype="string")))
    y: object = kl.Bidirectional(kl.LSTM(6))(x)
    return y


def _masked(way: str) -> Callable[[Ground], object]:
    """A body whose mask the next layers use, or with `loose` a layer that loses it."""

    def build(g: Ground) -> object:
        kl = g.keras.layers
        if way == "values":
            x = kl.Masking(mask_value=-1.0)(g.enter(12, 4))
        else:
            x = kl.Embedding(60, 8, mask_zero=True)(g.enter(12, dtype="int32"))
        if not g.change.loose:
            y: object = kl.LSTM(8)(x) if way == "chars" else kl.GlobalAveragePooling1D()(x)
            return y
        if way == "words":
            x = kl.Reshape((-1,))(x)
        elif way == "chars":
            x = kl.SeparableConv1D(8, 3, padding="causal", activation="relu")(x)
            x = kl.LSTM(8)(x)
        elif way == "pieces":
            x = kl.Flatten()(kl.AveragePooling1D(2)(x))
        elif way == "topics":
            x = kl.GlobalMaxPooling1D()(kl.Dense(8, activation="relu")(x))
        else:
            x = kl.Flatten()(kl.Conv1D(8, 3, strides=2, activation="relu")(x))
        z: object = x
        return z

    return build


LOOKUPS = ("look_words", "look_codes", "look_hashes", "look_bins", "look_text")
MASKED = ("mask_words", "mask_chars", "mask_pieces", "mask_topics", "mask_values")
LOOKUP_FEATURES: dict[str, Callable[[Ground], object]] = {
    **dict(zip(LOOKUPS, (_words, _codes, _hashes, _bins, _text), strict=True)),
    **{name: _masked(name.split("_")[1]) for name in MASKED},
}
