"""Which interpreter runs a TensorFlow Lite model, and the numbers that it is given."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from modelaudit.probe.child.adapters import AdapterError
from modelaudit.probe.child.lite_adapter import LITERT, TensorCapture, interpret

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


class Strict(Fake):
    """One that takes inputs of its own shape only."""

    def __init__(self, **_):
        self.shape = (1, 2)

    def get_input_details(self):
        floats = {"dtype": np.float32, "quantization": (0.0, 0)}
        return [{**DETAILS, **floats, "shape": np.array(self.shape)}]

    get_output_details = get_tensor_details = get_input_details

    def set_tensor(self, index, value):
        assert value.shape == self.shape
        self.fed = value


class Single(Fake):
    """One that takes six numbers as one sample, and gives their scores or a map."""

    sizes, answer = (6,), (2, 3)

    def _details(self, sizes):
        floats = {"dtype": np.float32, "quantization": (0.0, 0)}
        return [{**DETAILS, **floats, "shape": np.array(sizes), "shape_signature": np.array(sizes)}]

    def get_input_details(self):
        return self._details(self.sizes)

    def get_output_details(self):
        return self._details(self.answer)

    def set_tensor(self, index, value):
        assert value.shape == self.sizes
        self.fed = value

    def get_tensor(self, index):
        return 2 * self.fed.reshape(self.answer)


class Scores(Single):
    """The same, with an axis for samples on one side."""

    answer = (1, 6)


class Image(Single):
    sizes = (1, 3, 2)


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


def test_inner_values_of_as_many_rows_as_in_the_last_call(monkeypatch):
    """Without a signature, the interpreter that keeps all tensors has to be resized again."""
    monkeypatch.setitem(sys.modules, LITERT, None)
    types = SimpleNamespace(BUILTIN_WITHOUT_DEFAULT_DELEGATES=0)
    lite = SimpleNamespace(Interpreter=Strict, OpResolverType=types)
    model = interpret(SimpleNamespace(lite=lite), "m", 1, None)
    x = np.ones((3, 2), np.float32)
    model.run([x], False)
    with TensorCapture(model, ["0"], False) as capture:
        model.run([x], False)
        capture.keep(3, False)
    np.testing.assert_array_equal(capture.results()["0"], x)
    np.testing.assert_array_equal(model.run([x], False)["x"], x)


@pytest.mark.parametrize(
    ("interpreter", "given", "answer"),
    [
        (Single, [1, 6], [1, 2, 3]),
        (Scores, [1, 6], [1, 6]),
        (Image, [1, 3, 2], [1, 2, 3]),
    ],
)
def test_samples_without_an_axis_are_rows(monkeypatch, interpreter, given, answer):
    monkeypatch.setitem(sys.modules, LITERT, None)
    model = interpret(SimpleNamespace(lite=SimpleNamespace(Interpreter=interpreter)), "m", 1, None)
    assert [port["shape"] for port in (*model.inputs, *model.outputs)] == [given, answer]
    x = np.arange(6, dtype=np.float32).reshape(given)
    np.testing.assert_array_equal(model.run([x], False)["x"], 2 * x.reshape(answer))
