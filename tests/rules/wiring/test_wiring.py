"""How inputs reach the layers that read them, in models that Keras saved, and sound twins."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import codes, found

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_categories_taken_for_sizes(k, tmp_path):
    layers, rules = k.layers, [rule("MA336")]
    words = [f"w{n}" for n in range(9)]

    def told(*behind, vocabulary=words, table=None, **options):
        given = k.Input((1,), dtype="string")
        x = (table or layers.StringLookup(vocabulary=vocabulary, **options))(given)
        for each in behind:
            x = each(x)
        return codes(rules, k.Model(given, x), tmp_path, ("keras",))

    def cast(x):
        return k.ops.cast(x, "float32")

    low = [("MA336", "low")]
    assert told(cast, layers.Dense(4)) == low
    assert told(cast, layers.Rescaling(0.1), layers.Flatten(), layers.Dense(4)) == low
    assert told(cast, layers.Dense(4), table=layers.Hashing(20)) == low
    (only,) = found(rules, tmp_path / "model.keras")
    assert "`dense" in only.detail
    assert told(layers.Embedding(10, 4), layers.Flatten(), layers.Dense(4)) == []
    assert told(layers.Dense(4), output_mode="one_hot") == []
    assert told(cast, layers.Dense(4), vocabulary=["no", "yes"]) == []


def test_towers_that_share_no_weights(k, tmp_path):
    layers, rules = k.layers, [rule("MA337")]

    def tower(units=8):
        return k.Sequential([k.Input((6,)), layers.Dense(16, "relu"), layers.Dense(units)])

    def told(one, other, join, size=6):
        a, b = k.Input((6,)), k.Input((size,))
        joined = join([one(a), other(b)])
        return codes(rules, k.Model([a, b], layers.Dense(1)(joined)), tmp_path, ("keras", "h5"))

    both, low = tower(), [("MA337", "low")]
    assert told(tower(), tower(), layers.Subtract()) == low
    assert told(tower(), tower(), layers.Dot(axes=1, normalize=True)) == low
    assert told(tower(), tower(), lambda x: k.ops.abs(k.ops.subtract(*x))) == low
    (only,) = found(rules, tmp_path / "model.keras")
    assert "2 layers of weights" in only.detail
    assert told(both, both, layers.Subtract()) == []
    assert told(tower(), tower(), layers.Concatenate()) == []
    assert told(layers.Dense(8), layers.Dense(8, "relu"), layers.Subtract()) == []
    assert told(layers.Dense(8), layers.Dense(8), layers.Subtract(), size=5) == []  # of two kinds


class TestOrder:
    def model(self, k, read=None, places=None, last=None, **options):
        layers = k.layers
        given = k.Input((6,), dtype="int32")
        x = layers.Embedding(20, 8)(given)
        if read is not None:
            x = read(x)
        if places is not None:
            x = layers.Add()([x, layers.Embedding(6, 8)(places(given))])
        seen = layers.MultiHeadAttention(2, 4)(x, x, **options)
        x = layers.LayerNormalization()(layers.Add()([x, seen]))
        x = (last or layers.GlobalAveragePooling1D())(layers.Dense(8, "relu")(x))
        return k.Model(given, layers.Dense(1)(x))

    def test_where_words_stand(self, k, tmp_path):
        layers, rules = k.layers, [rule("MA338")]

        def told(**options):
            return codes(rules, self.model(k, **options), tmp_path, ("keras", "h5"))

        def numbers(x):
            return k.ops.cumsum(k.ops.ones_like(x), axis=1) - 1

        assert told() == [("MA338", "low")]
        (only,) = found(rules, tmp_path / "model.keras")
        assert "any other order" in only.detail
        assert told(places=numbers) == []
        assert told(read=layers.LSTM(8, return_sequences=True)) == []
        assert told(read=layers.Conv1D(8, 3, padding="same")) == []
        assert told(last=layers.Flatten()) == []
        assert told(use_causal_mask=True) == []

    def test_what_is_said_is_so(self, k):
        k.utils.set_random_seed(0)
        words = np.array([[1, 5, 3, 9, 2, 7]])
        mixed = words[:, ::-1]
        blind = self.model(k)
        seen = self.model(k, read=k.layers.LSTM(8, return_sequences=True))
        assert np.allclose(blind(words), blind(mixed), atol=1e-5)
        assert not np.allclose(seen(words), seen(mixed), atol=1e-5)
