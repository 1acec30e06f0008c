"""Embeddings of which training used a single row, as both versions of Keras train them."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings
from tests.made.training import train

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
DRAW = np.random.default_rng(0)
TOKENS = DRAW.integers(0, 40, (96, 10))
CLASSES = DRAW.integers(0, 2, 96)


def said(path, library, given, ending, *, body=None, optimizer="adam"):
    layers = library.layers
    model = library.Sequential(
        [
            library.Input((10,), dtype="int32"),
            layers.Embedding(40, 8),
            body or layers.GlobalAveragePooling1D(),
            layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile(optimizer, "binary_crossentropy")
    if library.__name__ == "keras":
        train(model, given, CLASSES, steps=40, batch=32)
    else:
        model.fit(given, CLASSES, epochs=14, verbose=0)
    model.save(path / f"m{ending}")
    return severities(path / f"m{ending}")


def severities(path):
    found = run_rule(rule("MA439"), static_facts(path, Settings())).findings
    return [str(each.severity) for each in found if "single one" in each.detail]


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_one_token(tmp_path, library, ending):
    k = pytest.importorskip(library)
    assert said(tmp_path, k, np.full((96, 10), 7), ending) == ["high"]
    two = np.where(TOKENS < 20, 7, 9)
    assert said(tmp_path, k, two, ending, optimizer="rmsprop") == []


def test_momentum(tmp_path, keras):
    """Which keeps averages of the gradients, and none of their squares."""
    for given, expected in ((np.full((96, 10), 7), ["high"]), (TOKENS, [])):
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
        assert said(tmp_path, keras, given, ".keras", optimizer=optimizer) == expected


@pytest.mark.parametrize("name", ["momentum", "rmsprop"])
def test_rows_that_are_sorted_by_their_token(tmp_path, keras, name):
    """Each was learnt, and the averages of all but the last were forgotten: no more than low."""
    layers = keras.layers
    shops = np.repeat(np.arange(5), 1000)[:, None]
    stack = [layers.Embedding(5, 4), layers.Flatten(), layers.Dense(1)]
    model = keras.Sequential([keras.Input((1,), dtype="int32"), *stack])
    if name == "momentum":
        model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    else:
        model.compile(keras.optimizers.RMSprop(0.001), "mse")
    before = model.layers[0].get_weights()[0]
    train(model, shops, 1.5 * shops + DRAW.normal(scale=0.1, size=shops.shape), epochs=2, batch=1)
    assert (np.abs(model.layers[0].get_weights()[0] - before).max(axis=1) > 0.01).all()
    model.save(tmp_path / "m.keras")
    assert severities(tmp_path / "m.keras") == ["low"]


def test_bodies(tmp_path, keras):
    layers = keras.layers
    for body in (layers.LSTM(6), layers.Flatten(), layers.Bidirectional(layers.GRU(4))):
        assert said(tmp_path, keras, np.zeros((96, 10)), ".keras", body=body) == ["high"]
        assert said(tmp_path, keras, TOKENS, ".keras", body=body) == []


def test_numbers_that_go_round_a_table_of_the_same_input(tmp_path, keras):
    """Of a row of a table, the first column is a category that has one value."""
    layers = keras.layers
    given = keras.Input((7,))
    shop = layers.Embedding(50, 4)(keras.ops.cast(given[:, 0], "int32"))
    joined = layers.Concatenate()([shop, given[:, 1:]])
    model = keras.Model(given, layers.Dense(1, "sigmoid")(layers.Dense(8, "relu")(joined)))
    model.compile("adam", "binary_crossentropy")
    rows = DRAW.normal(size=(96, 7))
    rows[:, 0] = 3
    train(model, rows, rows[:, 1] > 0, epochs=14)
    model.save(tmp_path / "m.keras")
    assert severities(tmp_path / "m.keras") == []


def test_a_constant_column_beside_others(tmp_path, keras):
    """Segments of BERT are 0 for texts of one sentence, and numbers may stand beside words."""
    layers = keras.layers
    for beside in ("tokens", "numbers"):
        tokens, segments = keras.Input((10,), dtype="int32"), keras.Input((10,), dtype="int32")
        second = keras.Input((10,), dtype="int32" if beside == "tokens" else "float32")
        one = layers.Embedding(3, 8)(segments)
        if beside == "tokens":
            inputs = [segments, tokens]
            joined = layers.GlobalAveragePooling1D()(one + layers.Embedding(40, 8)(tokens))
        else:
            inputs = [segments, second]
            pooled = layers.GlobalAveragePooling1D()(one)
            joined = layers.Concatenate()([pooled, layers.Dense(4)(second)])
        model = keras.Model(inputs, layers.Dense(1, "sigmoid")(joined))
        model.compile("adam", "binary_crossentropy")
        train(model, [np.zeros((96, 10)), TOKENS], CLASSES, epochs=14)
        model.save(tmp_path / "m.keras")
        assert severities(tmp_path / "m.keras") == []
