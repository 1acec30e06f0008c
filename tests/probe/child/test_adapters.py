"""Calls of Keras models by graph or directly, tested without TensorFlow."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.probe.child.adapters import AdapterError, KerasModel
from modelaudit.probe.protocol import Observation
from modelaudit.structs import replace

X = np.arange(6.0, dtype="float32").reshape(3, 2)


class Doubles:
    """A stand-in for a Keras model with one input, which counts its calls."""

    inputs = (SimpleNamespace(name="image", dtype="float32", shape=(None, 2)),)
    outputs = inputs
    output_names = ("y",)

    def __init__(self):
        self.calls = 0

    def __call__(self, x, training):
        assert training is False
        self.calls += 1
        return 2 * x


def tensorflow(trace):
    """A stand-in for the parts of TensorFlow used by a call; `trace` makes the graph function."""
    return SimpleNamespace(
        executing_eagerly=lambda: True,
        constant=np.asarray,
        cast=lambda x, dtype: x.astype(dtype),
        as_dtype=np.dtype,
        TensorSpec=lambda shape, dtype: (shape, dtype),
        function=lambda call, **options: SimpleNamespace(
            get_concrete_function=lambda: trace(call, **options)
        ),
    )


def test_the_graph_is_traced_once_with_an_unknown_batch_size() -> None:
    traced = []

    def trace(call, input_signature, autograph):
        traced.append(input_signature)
        return call

    model = Doubles()
    loaded = KerasModel(tensorflow(trace), None, model)
    for rows in (3, 1):
        np.testing.assert_array_equal(loaded.infer([X[:rows]])["y"], 2 * X[:rows])
    assert traced == [[([None, 2], np.dtype("float32"))]]
    assert model.calls == 2


@pytest.mark.parametrize("when", ["traced", "run"])
def test_a_model_without_a_working_graph_is_called_directly(when: str) -> None:
    tried = []

    def fail(*_tensors):
        raise ValueError("no graph")

    def trace(_call, **_options):
        tried.append(when)
        return fail() if when == "traced" else fail

    model = Doubles()
    loaded = KerasModel(tensorflow(trace), None, model)
    for _ in range(2):
        np.testing.assert_array_equal(loaded.infer([X])["y"], 2 * X)
    assert (len(tried), model.calls) == (1, 2)


def test_our_own_errors_are_shown_without_their_type():
    ours = Observation("here", "", Status.FAILED, AdapterError.__name__, "the model has no layers")
    theirs = replace(ours, error_type="ValueError")
    assert ours.failure == "the model has no layers"
    assert theirs.failure == "ValueError: the model has no layers"


def test_operations_that_are_not_layers_are_listed_too() -> None:
    dense = SimpleNamespace(name="dense", trainable=True)
    relu = SimpleNamespace(name="re_lu")
    inner = SimpleNamespace(name="inner", trainable=False, layers=[dense], operations=[dense, relu])
    model = Doubles()
    model.layers, model.operations = [inner], [inner, SimpleNamespace(name="add")]
    found = KerasModel(tensorflow(None), None, model).layers()
    assert [each["route"] for each in found] == ["inner", "inner/dense", "add", "inner/re_lu"]
    assert [each["trainable"] for each in found] == [False, True, False, False]


def test_tables_of_words_are_no_variables() -> None:
    """tf-keras lists a `VocabWeightHandler`, which has no name, among the weights."""
    kernel = SimpleNamespace(name="dense/kernel:0", path="dense/kernel")
    layer = SimpleNamespace(name="dense", weights=[object(), kernel])
    model = Doubles()
    model.layers, model.weights = [layer], [object(), kernel]
    assert list(KerasModel(tensorflow(None), None, model).variables()) == ["dense/kernel"]


def test_several_outputs_of_one_layer_are_all_there() -> None:
    """Keras 3 names the states that a layer returns by the layer."""

    class States(Doubles):
        outputs = Doubles.inputs * 3
        output_names = ("lstm", "lstm", "lstm_1")

        def __call__(self, x, training):
            return [x, 2 * x, 3 * x]

    loaded = KerasModel(tensorflow(lambda call, **options: call), None, States())
    found = loaded.run([X], False)
    assert (
        [port["name"] for port in loaded.outputs] == list(found) == ["lstm", "lstm_1", "lstm_1_1"]
    )
    np.testing.assert_array_equal(found["lstm_1"], 2 * X)
