"""What a place changes: normalizations inside a model, layers that drop a mask, operations."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import found, sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize(("scaled", "severity"), [(False, "medium"), (True, "low")])
def test_a_normalization_that_was_not_adapted_inside_a_model(keras, tmp_path, scaled, severity):
    layers = keras.layers
    before = [layers.Rescaling(1 / 255)] if scaled else []
    inner = keras.Sequential([keras.Input((5,)), *before, layers.Normalization(), layers.Dense(4)])
    model = keras.Sequential([keras.Input((5,)), inner, layers.Dense(1)])
    model.save(tmp_path / "m.keras")
    (said,) = found([rule("MA313")], tmp_path / "m.keras")
    assert said.severity.value == severity


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", ["ZeroPadding1D", "Cropping1D", "UpSampling1D", "Dropout"])
def test_layers_that_drop_a_mask(tmp_path, library, name):
    k = pytest.importorskip(library)
    words = k.layers.Embedding(30, 8, mask_zero=True)
    between = k.layers.Dropout(0.1) if name == "Dropout" else getattr(k.layers, name)(1)
    passed = getattr(between(words(np.ones((2, 6), "int32"))), "_keras_mask", None)
    head = [k.layers.GlobalAveragePooling1D(), k.layers.Dense(2, "softmax")]
    model = k.Sequential([k.Input((6,), dtype="int32"), words, between, *head])
    model.save(tmp_path / "m.h5")
    said = found([rule("MA324")], tmp_path / "m.h5")
    assert bool(said) is (passed is None)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_rounding_is_known_without_its_module(keras, tmp_path, ending):
    given = keras.Input((6,))
    rounded = keras.ops.round(keras.layers.Dense(8)(given))
    model = keras.Model(given, keras.layers.Dense(2, "softmax")(rounded))
    model.save(tmp_path / f"m{ending}")
    said = found([rule("MA332")], tmp_path / f"m{ending}")
    assert [each.severity.value for each in said] == ["medium"]


@pytest.mark.parametrize(("value", "trained"), [(0.041, True), (0.05, False)])
def test_equal_units_stay_equal(keras, tmp_path, value, trained):
    """Behind equal units, training moves all weights of a kernel of one value by the same."""
    same = keras.layers.Dense(12, "tanh", kernel_initializer=keras.initializers.Constant(0.05))
    model = sequential(keras, (5,), same, keras.layers.Dense(1))
    same.set_weights([np.full((5, 12), value), np.zeros(12)])
    model.save(tmp_path / "m.keras")
    (said,) = found([rule("MA406")], tmp_path / "m.keras")
    assert ("it was not trained" in said.detail) is not trained
