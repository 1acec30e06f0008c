"""Effects of loaders on the runtime."""

from __future__ import annotations

import gc
import importlib
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from modelaudit.probe.child.loading import run_ops_directly
from modelaudit.probe.child.zygote import cheap_imports
from tests.sharing import told_with_tensorflow

# TensorFlow lists the functions of a process, including those made for single ops.
CALLS = """
import json, sys
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context
from modelaudit.probe.child.loading import run_ops_directly

if sys.argv[1] == "directly":
    run_ops_directly(tf)
    run_ops_directly(tf)
rng = np.random.default_rng(0)
x = tf.constant(rng.standard_normal((4, 12, 12, 3)), tf.float32)
kernel = tf.constant(rng.standard_normal((3, 3, 3, 8)), tf.float32)
y = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))
y = tf.nn.softmax(tf.matmul(tf.reshape(y, (4, -1)), tf.ones((12 * 12 * 8, 5))))
double = tf.function(lambda a: 2 * a)
made = [name for name in context.context().list_function_names() if "wrapped" in name]
print(json.dumps({"made": len(made), "y": y.numpy().tolist(), "twice": double(y).numpy().tolist()}))
"""


@pytest.mark.slow
def test_ops_run_directly_make_no_functions_and_compute_the_same() -> None:
    usual, directly = (told_with_tensorflow("-c", CALLS, way) for way in ("as usual", "directly"))
    assert usual["made"] > 3
    assert directly["made"] == 0
    np.testing.assert_allclose(directly["y"], usual["y"], rtol=1e-5)
    np.testing.assert_array_equal(directly["twice"], 2 * np.array(directly["y"]))


@pytest.mark.parametrize("wrapper", [SimpleNamespace(), None])
def test_a_runtime_without_the_option_is_unchanged(
    monkeypatch: pytest.MonkeyPatch, wrapper: object
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow.python.pywrap_tfe", wrapper)
    run_ops_directly(SimpleNamespace(executing_eagerly=lambda: True))


def test_graph_mode_is_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    switched = []
    wrapper = SimpleNamespace(TFE_ContextSetRunEagerOpAsFunction=lambda *_: switched.append(1))
    monkeypatch.setitem(sys.modules, "tensorflow.python.pywrap_tfe", wrapper)
    run_ops_directly(SimpleNamespace(executing_eagerly=lambda: False))
    assert not switched


@pytest.mark.parametrize("name", ["matplotlib", "pandas"])
def test_what_keras_can_do_without_is_only_absent_while_it_is_imported(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for loaded in [each for each in sys.modules if each.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, loaded)
    finders = list(sys.meta_path)
    with cheap_imports():
        assert not gc.isenabled()
        with pytest.raises(ImportError):
            importlib.import_module(name)
    assert gc.isenabled()
    assert sys.meta_path == finders
    assert name not in sys.modules
