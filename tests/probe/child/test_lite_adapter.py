"""Which interpreter runs a TensorFlow Lite model, and the numbers that it is given."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from modelaudit.probe.child.adapters import AdapterError
from modelaudit.probe.child.lite_adapter import LITERT, interpret

DETAILS = {
    "name": "x",
    "index": 0,
    "shape": np.array([1, 2]),
    "shape_signature": np.array([-1, 2]),
    "dtype": np.int8,
    "quantization": (0.5, -128),
}


class Fake:
    """An interpreter of a model that returns its input."""

    def __init__(self, model_path, num_threads):
        self.fed = None

    def allocate_tensors(self):
        pass

    def get_signature_list(self):
        return {}

    def get_input_details(self):
        return [DETAILS]

    get_output_details = get_input_details

    def resize_tensor_input(self, index, shape):
        self.shape = shape

    def set_tensor(self, index, value):
        self.fed = value

    def invoke(self):
        pass

    def get_tensor(self, index):
        return self.fed


class Without(Fake):
    """One that lacks an operator of the model."""

    def allocate_tensors(self):
        raise RuntimeError("unresolved custom op: Mine")


@pytest.fixture
def litert(monkeypatch):
    def install(interpreter):
        module = ModuleType(LITERT)
        module.Interpreter = interpreter
        monkeypatch.setitem(sys.modules, LITERT.partition(".")[0], ModuleType("ai_edge_litert"))
        monkeypatch.setitem(sys.modules, LITERT, module)

    return install


TF = SimpleNamespace(lite=SimpleNamespace(Interpreter=Fake))


def test_litert_is_preferred(litert):
    litert(Fake)
    assert interpret(TF, "m", 1, None).notes == ["run by LiteRT"]


def test_tensorflow_runs_what_litert_rejects(litert):
    litert(Without)
    assert interpret(TF, "m", 1, None).notes == ["run by tf.lite.Interpreter"]


def test_the_error_of_the_last_interpreter_is_shown(litert):
    litert(Without)
    with pytest.raises(RuntimeError, match="Mine"):
        interpret(SimpleNamespace(), "m", 1, None)


def test_a_runtime_without_an_interpreter(monkeypatch):
    monkeypatch.setitem(sys.modules, LITERT, None)
    with pytest.raises(AdapterError, match="ai-edge-litert"):
        interpret(SimpleNamespace(), "m", 1, None)


def test_quantised_numbers_are_what_they_stand_for(monkeypatch):
    """Rounded to the nearest step, and cut off at the ends of the type."""
    monkeypatch.setitem(sys.modules, LITERT, None)
    model = interpret(TF, "m", 1, None)
    assert model.inputs == [{"name": "x", "dtype": "float32", "shape": [None, 2]}]
    fed = np.array([[0.0, 0.3], [127.5, 200.0], [-1.0, 63.76]], np.float32)
    np.testing.assert_array_equal(
        model.run([fed], False)["x"], [[0.0, 0.5], [127.5, 127.5], [0.0, 64.0]]
    )
    with pytest.raises(AdapterError, match="training"):
        model.run([fed], True)
