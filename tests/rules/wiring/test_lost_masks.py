"""Masks that are lost, in models that Keras saved, and fill that nothing masks."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.wiring.lost_masks import _LOSE_MASKS, RULES
from tests.made.training import train
from tests.rules.saved import codes, found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_masks(k, tmp_path):
    layers = k.layers
    low = [("MA324", "low")]

    def text(*behind, mask=True):
        words = layers.Embedding(50, 4, mask_zero=mask)
        model = sequential(k, (12,), words, *behind, layers.Dense(2, "softmax"))
        return codes(RULES, model, tmp_path)

    assert text(layers.Flatten()) == low
    assert (
        text(layers.SpatialDropout1D(0.1), layers.Conv1D(4, 3), layers.GlobalMaxPooling1D()) == low
    )
    assert text(layers.GlobalMaxPooling1D()) == low
    assert text(layers.LSTM(4)) == text(layers.GlobalAveragePooling1D()) == []
    assert text(layers.Bidirectional(layers.GRU(4))) == []
    assert text(layers.Flatten(), mask=False) == []
    model = sequential(k, (12, 3), layers.Masking(), layers.Flatten(), layers.Dense(1))
    assert codes(RULES, model, tmp_path) == low
    for resized in (layers.ZeroPadding1D(1), layers.Cropping1D(1), layers.UpSampling1D(2)):
        assert text(resized, layers.LSTM(4)) == low
    model = sequential(k, (12, 3), layers.Masking(), layers.LSTM(4), layers.Dense(1))
    assert codes(RULES, model, tmp_path) == []


def test_a_lost_mask_makes_padding_count(k):
    layers = k.layers
    for behind, counts in ((layers.Flatten(), True), (layers.GlobalAveragePooling1D(), False)):
        words = layers.Embedding(50, 4, mask_zero=True)
        model = sequential(k, (12,), words, behind, layers.Dense(1))
        x = np.array([[3, 4, 5] + [0] * 9])
        first = np.asarray(model(x))
        table = words.get_weights()[0]
        table[0] += 1  # the row of padding
        words.set_weights([table])
        assert np.allclose(first, np.asarray(model(x))) is not counts


def filled(*, front=False, fill=50, rows=96):
    """Texts of six words, of which the label is the kind of one, and fill."""
    draw = np.random.default_rng(0)
    y = draw.integers(0, 2, rows)
    texts = draw.integers(6, 12, (rows, 6))
    texts[np.arange(rows), draw.integers(0, 6, rows)] = 1 + y
    empty = np.zeros((rows, fill), int)
    return np.concatenate([empty, texts] if front else [texts, empty], axis=1), y


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_fill_behind_texts_that_nothing_masks(library, kind, tmp_path):
    layers = (k := pytest.importorskip(library)).layers

    def told(*, mask=False, front=False, fill=50):
        k.utils.set_random_seed(1)
        x, y = filled(front=front, fill=fill)
        table = layers.Embedding(12, 6, mask_zero=mask)
        body = (table, getattr(layers, kind)(6), layers.Dense(1, "sigmoid"))
        model = sequential(k, x.shape[1:], *body, loss="binary_crossentropy")
        train(model, x, y[:, None], steps=24)
        model.save(tmp_path / "m.keras")
        return found(RULES, tmp_path / "m.keras")

    (only,) = told()
    assert (only.code, only.severity.value) == ("MA324", "low")
    assert "mask_zero=True" in only.fix and "pre" in only.fix
    assert told(mask=True) == told(front=True) == told(fill=6) == []


@pytest.mark.parametrize("name", sorted(_LOSE_MASKS - {"Flatten"}))
@pytest.mark.parametrize("module", ["keras", "tf_keras"])
def test_layers_that_lose_masks_support_none(module, name):
    """As both versions of Keras say; `Flatten` passes one on that fits nothing behind it."""
    given = {"Reshape": ((4, 1),), "Permute": ((2, 1),), "Conv1D": (2, 3)}
    given |= {"SeparableConv1D": (2, 3), "AveragePooling1D": (2,)}
    layer = getattr(pytest.importorskip(module).layers, name)(*given.get(name, ()))
    assert not layer.supports_masking
