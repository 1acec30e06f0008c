"""Operations that give the same for every input, in the spellings of both versions of Keras."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import found

RULES = [rule("MA305"), rule("MA309")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
CASES = {
    "product": (lambda h, _: h * 0.0, True),
    "other way": (lambda h, _: 0.0 * h, True),
    "difference": (lambda h, _: h - h, True),
    "scaled": (lambda h, _: h * 0.5, False),
    "others": (lambda h, other: h - other, False),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_arithmetic_of_tensors(tmp_path, library, case):
    k = pytest.importorskip(library)
    apply, constant = CASES[case]
    given = k.Input((6,))
    hidden, other = (k.layers.Dense(8, "relu")(given) for _ in range(2))
    model = k.Model(given, k.layers.Dense(3)(apply(hidden, other)))
    answers = model.predict(np.random.default_rng(0).normal(size=(20, 6)), verbose=0)
    assert bool(np.ptp(answers, axis=0).max() == 0) is constant
    for ending in (".keras", ".h5"):
        model.save(tmp_path / f"m{ending}")
        said = [each.code for each in found(RULES, tmp_path / f"m{ending}")]
        assert said == ["MA305"] * constant, ending


@pytest.mark.parametrize(("activation", "codes"), [("linear", ["MA309"]), ("tanh", [])])
def test_activations_that_change_nothing(keras, tmp_path, activation, codes):
    """Two layers around a linear activation compute what one layer does."""
    layers = keras.layers
    stack = []
    for units in (12, 12, 12):
        stack += [layers.Dense(units), layers.Activation(activation)]
    head = [layers.Dense(8, "relu"), layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((6,)), layers.Dense(16, "relu"), *stack, *head])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.save(tmp_path / "m.keras")
    assert [each.code for each in found(RULES, tmp_path / "m.keras")] == codes


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize(
    ("settings", "constant"),
    [
        ({"bin_boundaries": []}, True),
        ({"num_bins": 1}, True),
        ({"num_bins": 3}, False),
        ({"bin_boundaries": [0.5]}, False),
    ],
)
def test_numbers_of_one_bin(tmp_path, library, settings, constant):
    k = pytest.importorskip(library)
    values = np.random.default_rng(0).random((40, 1)).astype("float32")
    bins = k.layers.Discretization(**settings)
    if "num_bins" in settings:
        bins.adapt(values)
    given = k.Input((1,))
    hidden = k.layers.Flatten()(k.layers.Embedding(4, 2)(bins(given)))
    model = k.Model(given, k.layers.Dense(3)(hidden))
    answers = model.predict(values, verbose=0)
    assert bool(np.ptp(answers, axis=0).max() == 0) is constant
    model.save(tmp_path / "m.keras")
    said = found(RULES, tmp_path / "m.keras")
    assert [each.code for each in said] == ["MA305"] * constant
    assert all("num_bins=10" in each.fix for each in said)
