"""Subclasses of recurrent layers in SavedModels, and lists of layers under a name of Keras 3."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.checks.stored.object_names import written_by_keras2, written_by_keras3
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def halved(k, base):
    class Halved(getattr(k.layers, base)):
        def call(self, inputs):
            return super().call(inputs) * 0.5

    return Halved


@pytest.mark.parametrize(("base", "loads"), [("LSTM", False), ("GRU", False), ("Dense", True)])
def test_a_recurrent_layer_is_not_revived_without_its_class(base, loads, tmp_path):
    import tf_keras as k

    own = halved(k, base)
    model = k.Sequential([k.layers.Input((3, 2)), own(4)])
    model.save(path := tmp_path / "m")
    for custom in ({}, {"Halved": own}):
        try:
            k.models.load_model(path, custom_objects=custom, compile=False)
            seen = "loads"
        except ValueError as error:
            assert "Unable to restore custom object" in str(error)
            seen = "fails"
        target = as_installed(find_profile("tf-keras==2.21.0"))
        request = LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset(custom))
        (found,) = fitting_predictions(read(path, Limits()), [(target, request)])
        assert found.predicted.value == seen, found.because
        assert seen == ("loads" if loads or custom else "fails")


def test_a_list_of_layers_in_keras_2_under_a_name_of_keras_3(tmp_path):
    import tensorflow as tf
    import tf_keras as k

    class Held(k.layers.Layer):
        def __init__(self):
            super().__init__()
            self._layers = [k.layers.Dense(3), k.layers.Dense(2)]

        def call(self, x):
            for layer in self._layers:
                x = layer(x)
            return x

    def made():
        return k.Sequential([k.layers.Input((4,)), Held(), k.layers.Dense(2)])

    model, again = made(), made()
    place = tf.train.Checkpoint(model).write(str(tmp_path / "c"))
    artifact = read(tmp_path / "c.index", Limits())
    assert written_by_keras2(artifact)
    assert not written_by_keras3(artifact)
    tf.train.Checkpoint(again).read(place).assert_consumed()
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    target = as_installed(find_profile("tf-keras==2.21.0"))
    (found,) = fitting_predictions(artifact, [(target, LoadRequest(LoadCall.RESTORE))])
    assert found.predicted.value == "loads"
