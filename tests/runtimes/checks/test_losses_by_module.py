"""Losses that Keras 3 finds by their module in an archive, and in HDF5 by its table of names."""

from __future__ import annotations

import pytest

from modelaudit.formats.reader import read
from modelaudit.pipeline import static_facts
from modelaudit.rules.compatibility import uncompiled
from modelaudit.rules.engine import run_rules
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits, Settings

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_every_public_loss_is_predicted_to_load_as_it_does(suffix, tmp_path):
    import keras

    public = [getattr(keras.losses, name) for name in dir(keras.losses) if name[0].isupper()]
    for made in public:
        if made is keras.losses.Loss:
            continue
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])
        model.compile("adam", made())
        path = tmp_path / f"{made.__name__}.{suffix}"
        model.save(path)
        try:
            keras.models.load_model(path)
            loads = True
        except ValueError:
            loads = False
        results = run_rules(uncompiled.RULES, static_facts(path, Settings()))
        told = [x.detail for each in results for x in each.findings if made.__name__ in x.detail]
        assert loads == (not told), (made.__name__, told)


@pytest.mark.parametrize("name", [None, "own"])
@pytest.mark.parametrize("reduction", ["auto", "sum"])
def test_a_loss_of_the_program_from_keras_2(name, reduction, tmp_path):
    """Keras 3 looks up one that it does not know by the name in its config, if that says one."""
    import keras
    import tf_keras

    class Own(tf_keras.losses.Loss):
        def call(self, y_true, y_pred):
            return tf_keras.backend.mean((y_true - y_pred) ** 2, -1)

    model = tf_keras.Sequential([tf_keras.layers.Input((4,)), tf_keras.layers.Dense(3)])
    model.compile("adam", Own(name=name, reduction=reduction))
    model.save(path := tmp_path / "m.h5")
    try:
        keras.models.load_model(path)
        seen = "loads"
    except ValueError:
        seen = "fails"
    target = as_installed(find_profile("tf==2.21.0"))
    request = LoadRequest(LoadCall.LOAD_MODEL, compile=True)
    (found,) = predict_calls(read(path, Limits()), [(target, request)])
    assert found.predicted.value == seen == ("loads" if name is None else "fails")
