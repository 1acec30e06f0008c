"""Variables whose owners neither shapes nor lists of weights tell, each with a twin of no owner."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.formats.checkpoint.variables import name_roles
from modelaudit.rules.integrity.completeness import RULES
from modelaudit.rules.integrity.weight_owners import RULES as MISORDERED
from modelaudit.rules.security.graph.access import RULES as ACCESS
from tests.rules.saved import found

pytestmark = pytest.mark.slow


def unowned(path: Path) -> list[str]:
    return [each.detail for each in found(RULES, path) if each.code == "MA113"]


@pytest.fixture(params=["keras", "tf_keras"])
def library(request):
    return pytest.importorskip(request.param)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_behind_an_unknown_class_the_shape_of_a_layer_is_unknown(library, suffix, tmp_path):
    layers = library.layers

    class Shuffle(layers.Layer):
        def call(self, inputs):
            return inputs * 2.0

        def compute_output_shape(self, shape):
            return shape

    inputs = library.Input((8, 8, 3))
    outputs = layers.Conv2D(4, 3, name="first")(inputs)
    outputs = layers.PReLU(shared_axes=[1, 2], name="curve")(Shuffle()(outputs))
    path = tmp_path / f"model.{suffix}"
    library.Model(inputs, layers.Dense(2)(layers.Flatten()(outputs))).save(path)
    assert unowned(path) == []
    if suffix == "h5":
        with h5py.File(path, "a") as file:
            group = file["model_weights/first"]
            stored = group.create_dataset("first/extra:0", data=np.ones(3, "float32"))
            names = [*group.attrs["weight_names"], stored.name.split("/first/", 1)[1]]
            group.attrs["weight_names"] = np.asarray(names, dtype="S")
        (said,) = unowned(path)
        assert "1 stored tensor belongs to no layer" in said


@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
def test_what_a_stateful_layer_remembers_is_no_weight(name, tmp_path):
    """Keras 2 saves it in a SavedModel below `keras_api`, where no weight is alone."""
    library = pytest.importorskip("tf_keras")
    layers = library.layers
    inputs = library.Input(batch_shape=(2, 5, 3))
    outputs = getattr(layers, name)(4, stateful=True)(inputs)
    model = library.Model(inputs, layers.Dense(2)(outputs))
    model.predict(np.ones((2, 5, 3)), verbose=0)
    model.save(tmp_path / "model", save_format="tf")
    import tensorflow as tf

    keys = [key for key, _ in tf.train.list_variables(str(tmp_path / "model/variables/variables"))]
    states = [key for key in keys if "/keras_api/states/" in key]
    assert states
    assert {name_roles(keys)[key] for key in states} == {"other"}
    assert unowned(tmp_path / "model") == []


@pytest.mark.parametrize("asked", [False, True])
def test_what_a_discretization_saw_is_its_own_and_no_prediction_calls_python(asked, tmp_path):
    """Keras 2 saves the summary, which is no weight of the layers behind it, and `adapt`."""
    library = pytest.importorskip("tf_keras")
    layers = library.layers
    bins = layers.Discretization(num_bins=4)
    bins.adapt(np.linspace(0, 1, 40, dtype="float32"))
    inputs = library.Input((6,))
    outputs = layers.Rescaling(0.25)(bins(inputs))
    if asked:

        def root(values):
            import tensorflow as tf

            return tf.ensure_shape(tf.numpy_function(np.sqrt, [values], tf.float32), (None, 6))

        outputs = layers.Lambda(root)(outputs)
    for name in ("one", "two"):
        outputs = layers.Dense(6, name=name)(outputs)
    library.Model(inputs, outputs).save(tmp_path / "model", save_format="tf")
    results = found((*RULES, *MISORDERED, *ACCESS), tmp_path / "model")
    callbacks = {each.severity.value for each in results if each.code == "MA744"}
    assert callbacks == ({"low", "medium"} if asked else {"low"})
    assert not {each.code for each in results if each.code < "MA7"}


def test_a_class_that_keras_exports_under_another_name_keeps_its_own_in_archives(tmp_path):
    """`GroupQueryAttention` in the config is `grouped_query_attention` in the weights."""
    library = pytest.importorskip("keras")
    inputs = library.Input((6, 8))
    outputs = library.layers.GroupQueryAttention(4, 4, 2)(inputs, inputs)
    library.Model(inputs, outputs).save(tmp_path / "model.keras")
    assert found(RULES, tmp_path / "model.keras") == []


def test_a_class_of_the_program_with_such_a_name_has_its_own_name_in_archives(tmp_path):
    library = pytest.importorskip("keras")

    class GroupQueryAttention(library.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(shape[-1],), name="scale")
            self.shift = self.add_weight(shape=(shape[-1],), name="shift")

        def call(self, values):
            return values * self.scale + self.shift

    inputs = library.Input((6, 8))
    outputs = library.layers.Dense(3)(GroupQueryAttention()(inputs))
    library.Model(inputs, outputs).save(tmp_path / "model.keras")
    assert found(RULES, tmp_path / "model.keras") == []
