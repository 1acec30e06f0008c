"""MA347 to MA350, and further numbers and steps: models that Keras saved, and sound twins."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import codes, found

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def told(k, tmp_path):
    def judged(code, given, result, loss="mse", formats=("keras", "h5")):
        model = k.Model(given, result)
        model.compile("adam", loss)
        return [severity for _, severity in codes([rule(code)], model, tmp_path, formats)]

    return judged


def test_a_relu_of_inputs(k, told, tmp_path):
    layers = k.layers
    given = k.Input((9, 3))

    def read(*before, inputs=given):
        x = inputs
        for each in before:
            x = each(x)
        return told("MA347", inputs, layers.Dense(1)(layers.LSTM(4)(x)))

    assert read(layers.Activation("relu")) == read(layers.ReLU()) == ["low"]
    (only,) = found([rule("MA347")], tmp_path / "model.keras")
    assert "below 0" in only.detail
    assert read(layers.BatchNormalization(), layers.ReLU()) == ["low"]
    assert read() == read(layers.Dense(3), layers.ReLU()) == read(layers.Activation("tanh")) == []
    assert read(layers.Rescaling(1 / 255), layers.ReLU()) == []
    assert read(layers.ReLU(), inputs=k.Input((9, 3), dtype="uint8")) == []
    pixels = k.Input((8, 8, 3))
    seen = layers.Flatten()(layers.Conv2D(4, 3)(layers.ReLU()(pixels)))
    assert told("MA347", pixels, layers.Dense(1)(seen)) == []


def test_an_output_that_is_cut_off(k, told, tmp_path):
    layers = k.layers
    given = k.Input((8,))
    score = layers.Dense(1)(given)
    clip = k.ops.clip
    for loss in ("mse", "binary_crossentropy"):
        assert told("MA347", given, clip(score, 0.0, 1.0), loss) == ["low"]
    (only,) = found([rule("MA347")], tmp_path / "model.keras")
    assert 'activation="sigmoid"' in only.fix
    assert told("MA347", given, score) == []
    assert told("MA347", given, layers.Dense(1)(clip(score, 0.0, 1.0))) == []
    assert told("MA347", given, clip(layers.Dense(1, "sigmoid")(given), 0.01, 0.99)) == []


def test_a_comparison_by_signed_differences(k, told, tmp_path):
    layers = k.layers
    a, b = k.Input((8,)), k.Input((8,))
    tower = k.Sequential([k.Input((8,)), layers.Dense(6, "relu"), layers.Dense(4)])
    one = layers.Dense(4)

    def compared(difference, *behind, units=1):
        x = difference
        for each in behind:
            x = each(x)
        return told("MA348", [a, b], layers.Dense(units, "sigmoid")(x), "binary_crossentropy")

    assert compared(layers.Subtract()([tower(a), tower(b)])) == ["low"]
    (only,) = found([rule("MA348")], tmp_path / "model.keras")
    assert "keras.ops.abs" in only.fix
    assert compared(layers.Subtract()([one(a), one(b)])) == ["low"]
    assert compared(k.ops.abs(tower(a) - tower(b))) == []
    assert compared(layers.Subtract()([tower(a), tower(b)]), layers.Dense(4, "relu")) == []
    assert compared(layers.Subtract()([layers.Dense(4)(a), layers.Dense(4)(b)])) == []
    wins = layers.Activation("sigmoid")(layers.Subtract()([tower(a), tower(b)]))
    assert told("MA348", [a, b], wins, "binary_crossentropy") == []


@pytest.mark.parametrize("exchanged", [True, False])
def test_states_of_an_encoder(k, told, tmp_path, exchanged):
    layers = k.layers
    source, target = k.Input((7, 3)), k.Input((5, 3))
    _, hidden, cell = layers.LSTM(4, return_state=True)(source)
    states = [cell, hidden] if exchanged else [hidden, cell]
    x = layers.LSTM(4, return_sequences=True)(target, initial_state=states)
    assert told("MA349", [source, target], layers.Dense(3)(x)) == ["low"] * exchanged


def test_labels_that_are_stretched_over_a_batch(k, told, tmp_path):
    layers = k.layers
    given = k.Input((8, 8, 3))
    seen = layers.Conv2D(4, 3)(given)

    def pooled(keep, loss="mse", *behind):
        x = layers.Dense(1)(layers.GlobalAveragePooling2D(keepdims=keep)(seen))
        for each in behind:
            x = each(x)
        return told("MA350", given, x, loss)

    assert pooled(True) == pooled(True, "binary_crossentropy") == ["low"]
    (only,) = found([rule("MA350")], tmp_path / "model.keras")
    assert "Flatten()" in only.fix
    assert pooled(False) == pooled(True, "mse", layers.Flatten()) == []
    assert told("MA350", given, layers.Conv2D(1, 1)(seen)) == []  # a map of answers
    answers, labels = np.array([1.0, 5.0]), np.array([[1.0], [5.0]])
    every = k.losses.MeanSquaredError()(labels, answers.reshape(2, 1, 1, 1))
    assert np.allclose(np.asarray(every), np.mean((labels - answers[None]) ** 2))  # not 0


def test_rows_of_dropped_numbers(k, told):
    layers = k.layers
    given = k.Input((9,))
    for changed in (layers.Dropout(0.2), layers.GaussianNoise(0.1)):
        x = layers.LSTM(4)(layers.Embedding(50, 4)(changed(given)))
        assert told("MA341", given, layers.Dense(1)(x)) == ["medium"]
    x = layers.LSTM(4)(layers.Dropout(0.2)(layers.Embedding(50, 4)(given)))
    assert told("MA341", given, layers.Dense(1)(x)) == []


@pytest.mark.parametrize("dtype, severities", [("int32", ["low"]), ("float32", [])])
def test_whole_numbers_that_a_sequence_is_read_of(k, told, dtype, severities):
    layers = k.layers
    given = k.Input((9,), dtype=dtype)
    column = layers.Reshape((9, 1))(given)
    assert told("MA336", given, layers.Dense(1)(layers.LSTM(4)(column))) == severities
    words = layers.Embedding(50, 4)(given)
    assert told("MA336", given, layers.Dense(1)(layers.LSTM(4)(words))) == []


@pytest.mark.parametrize("padding, severities", [("same", ["low"]), ("causal", [])])
def test_windows_over_next_words(k, told, padding, severities):
    layers = k.layers
    given = k.Input((9,), dtype="int32")
    x = layers.Conv1D(8, 3, padding=padding, activation="relu")(layers.Embedding(40, 8)(given))
    result = layers.Dense(40, "softmax")(x)
    assert told("MA343", given, result, "sparse_categorical_crossentropy") == severities


@pytest.mark.parametrize("channels, severities", [(1, ["low"]), (3, [])])
def test_a_dropout_of_the_only_channel(k, told, channels, severities):
    layers = k.layers
    given = k.Input((9, channels))
    x = layers.Flatten()(layers.Conv1D(4, 3)(layers.SpatialDropout1D(0.3)(given)))
    assert told("MA310", given, layers.Dense(1)(x)) == severities
    x = layers.Flatten()(layers.Conv1D(4, 3)(layers.Dropout(0.3)(given)))
    assert told("MA310", given, layers.Dense(1)(x)) == []


def test_a_scaling_by_an_operation_and_by_a_layer(k, told):
    layers = k.layers
    given = k.Input((8, 8, 3))

    def seen(x):
        return told("MA322", given, layers.Dense(1)(layers.Flatten()(layers.Conv2D(4, 3)(x))))

    for scaled in (given / 255.0, given * (1 / 255)):
        assert seen(layers.Rescaling(1 / 255)(scaled)) == ["medium"]
        assert seen(layers.Rescaling(1 / 127.5, offset=-1)(scaled - 1.0)) == ["medium"]
        assert (
            seen(layers.Rescaling(2.0)(scaled)) == seen(layers.Rescaling(2.0)(scaled - 1.0)) == []
        )


@pytest.mark.parametrize("axis, severities", [(None, ["low"]), (0, ["low"]), (1, [])])
def test_a_mean_of_all_advantages_of_a_batch(k, told, axis, severities):
    layers, given = k.layers, k.Input((8,))
    value, gains = layers.Dense(1)(given), layers.Dense(4)(given)
    mean = k.ops.mean(gains, axis=axis, keepdims=axis is not None)
    assert told("MA333", given, value + gains - mean) == severities


@pytest.mark.parametrize(
    "threshold, units, severities", [(None, 1, ["low"]), (0.5, 1, []), (None, 3, [])]
)
def test_an_f_score_of_one_value(k, tmp_path, threshold, units, severities):
    given = k.Input((8,))
    model = k.Model(given, k.layers.Dense(units, "sigmoid")(given))
    metric = k.metrics.F1Score(threshold=threshold)
    model.compile("adam", "binary_crossentropy", metrics=[metric])
    judged = codes([rule("MA320")], model, tmp_path, ("keras",))
    assert [severity for _, severity in judged] == severities
    if severities:
        metric.update_state(np.array([[0.0], [1.0]]), np.array([[0.1], [0.2]]))
        assert np.allclose(np.asarray(metric.result()), 2 / 3)  # as if both were a yes
