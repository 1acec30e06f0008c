"""Attentions that get masks as tensors, which are inputs without weights, from live models."""

from __future__ import annotations

from itertools import product

import h5py
import numpy as np
import pytest

from modelaudit.formats.keras.variables.specs import expected_variables
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.settings import Settings

pytestmark = pytest.mark.slow

# The arguments of the call, for x of width 8, y of width 6, k of width 5 and a mask.
CALLS = {
    "self": lambda x, y, k, m: ((x, x), {"attention_mask": m}),
    "cross": lambda x, y, k, m: ((x, y), {"attention_mask": m}),
    "key by keyword": lambda x, y, k, m: ((x, y), {"attention_mask": m, "key": k}),
    "key by position": lambda x, y, k, m: ((x, y, k), {"attention_mask": m}),
    "value behind the key": lambda x, y, k, m: ((x,), {"key": k, "value": y}),
    "all by position": lambda x, y, k, m: ((x, y, None, m), {}),
}


def saved(path, library, name):
    """A file of a model with one attention, and the shapes of the attention's weights."""
    keras = pytest.importorskip(library)
    x, y, k = (keras.Input((7, width)) for width in (8, 6, 5))
    mask = keras.Input((7, 7), dtype="bool")
    args, kwargs = CALLS[name](x, y, k, mask)
    layer = keras.layers.MultiHeadAttention(2, 4, name="heads")
    given = [each for each in (x, y, k, mask) if any(each is t for t in (*args, *kwargs.values()))]
    pooled = keras.layers.GlobalAveragePooling1D()(layer(*args, **kwargs))
    model = keras.Model(given, keras.layers.Dense(1, name="head")(pooled))
    model.save(path / "m.h5")
    return path / "m.h5", {f"{tuple(w.shape)}" for w in layer.weights}


def mismatches(file):
    return run_rule(rule("MA114"), static_facts(file, Settings())).findings


@pytest.mark.parametrize(
    ("library", "name"),
    [
        *product(["keras", "tf_keras"], sorted(CALLS.keys() - {"all by position"})),
        ("tf_keras", "all by position"),  # Keras 3 gives some masks by keyword itself
    ],
)
def test_a_mask_is_not_the_key(tmp_path, library, name):
    """The expected shapes are known in full, and those of the live layer."""
    file, shapes = saved(tmp_path, library, name)
    expected = static_facts(file, Settings()).artifact.architecture.layer("heads").expected
    assert {f"{shape}" for shape in expected.values()} == shapes
    widths = {"self": 8, "cross": 6, "all by position": 6}
    assert expected["key/kernel"] == (widths.get(name, 5), 2, 4)
    assert not mismatches(file)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", ["self", "key by keyword"])
def test_a_key_of_another_width_is_still_named(tmp_path, library, name):
    file, _ = saved(tmp_path, library, name)
    with h5py.File(file, "r+") as opened:
        found = []
        opened.visit(lambda at: found.append(at) if "key/kernel" in at else None)
        at = next(each for each in found if isinstance(opened[each], h5py.Dataset))
        del opened[at]
        opened[at] = np.ones((7, 2, 4), "float32")
    (finding,) = mismatches(file)
    assert finding.location.route == "heads/key/kernel"


def test_masks_that_keras_makes_itself(tmp_path):
    """Of an embedding with `mask_zero=True`, behind which Keras 3 gives each call its masks."""
    keras = pytest.importorskip("keras")
    given = keras.Input((7,), dtype="int32")
    x = keras.layers.Embedding(9, 8, mask_zero=True)(given)
    x = keras.layers.MultiHeadAttention(2, 4)(x, x)
    model = keras.Model(given, keras.layers.GlobalAveragePooling1D()(x))
    model.save(tmp_path / "m.keras")
    assert not mismatches(tmp_path / "m.keras")


def test_a_third_input_without_a_name_may_be_either():
    config = {"num_heads": 2, "key_dim": 4}
    expected = expected_variables("MultiHeadAttention", config, ((None, 7, 8),) * 3)
    assert expected["key/kernel"] == (None, 2, 4)
    assert expected["value/kernel"] == (8, 2, 4)


@pytest.mark.parametrize("name", ["LSTM", "BatchNormalization"])
def test_a_mask_that_is_given_before_the_input_is_not_the_input(tmp_path, name):
    keras = pytest.importorskip("keras")
    x, mask = keras.Input((7, 5)), keras.Input((7,), dtype="bool")
    lstm = name == "LSTM"
    layer = keras.layers.LSTM(8) if lstm else keras.layers.BatchNormalization()
    output = layer(mask=mask, **{"sequences" if lstm else "inputs": x})
    keras.Model([x, mask], output).save(tmp_path / "m.keras")
    assert mismatches(tmp_path / "m.keras") == ()
