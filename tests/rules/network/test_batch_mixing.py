"""Reductions over a batch that are joined with its inputs, against answers alone and in a batch."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import found

RULES = [rule("MA333")]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def centred(k, h, axis):
    if k.__name__ == "keras":
        return h - k.ops.mean(h, axis=axis, keepdims=True)
    import tensorflow as tf

    return h - tf.reduce_mean(h, axis=axis, keepdims=True)


def scaled(k, h, axis):
    if k.__name__ == "keras":
        return h / (k.ops.max(k.ops.absolute(h), axis=axis, keepdims=True) + 1e-6)
    import tensorflow as tf

    return h / (tf.reduce_max(tf.abs(h), axis=axis, keepdims=True) + 1e-6)


def normalized(k, h, axis):
    if k.__name__ == "keras":
        return k.layers.UnitNormalization(axis=axis)(h)
    import tensorflow as tf

    return tf.math.l2_normalize(h, axis=axis)


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("apply", [centred, scaled, normalized])
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_what_is_joined_with_each_input(tmp_path, library, apply, axis):
    k = pytest.importorskip(library)
    given = k.Input((6,))
    hidden = k.layers.Dense(8, "softplus")(given)  # of ReLUs, all may be 0 for the first input
    model = k.Model(given, k.layers.Dense(3)(apply(k, hidden, axis)))
    x = np.random.default_rng(0).normal(size=(20, 6)).astype("float32")
    alone = np.asarray(model(x[:1]))
    mixed = np.abs(np.asarray(model(x))[:1] - alone).max() > 1e-4
    assert bool(mixed) is (axis == 0)
    paths = [tmp_path / "m.keras", tmp_path / "m.h5", tmp_path / "exported"]
    model.save(paths[0])
    model.save(paths[1])
    if library == "keras":
        model.export(paths[2], verbose=False)
    for path in paths[: 3 if library == "keras" else 2]:
        said = [each.severity.value for each in found(RULES, path)]
        assert said == ["low"] * bool(mixed), path
