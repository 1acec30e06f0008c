"""Kernels of graphs written by TensorFlow, with the values that it computes with."""

from __future__ import annotations

import os

import numpy as np
import pytest

from modelaudit.formats.checkpoint.reader import read_checkpoint
from modelaudit.formats.graph.frozen_graph import read_frozen_graph
from modelaudit.formats.saved_model.reader import read_saved_model
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow
LIMITS = Limits()


class _Layers:
    """Convolutions of every kind, each with the expected result."""

    def __init__(self, tf):
        rng = np.random.default_rng(8)

        def kernel(name, *shape):
            return tf.Variable(rng.normal(size=shape).astype("float32"), name=f"{name}/kernel")

        self.plane = kernel("plane", 3, 3, 4, 6)
        self.plane_bias = tf.Variable(rng.normal(size=6).astype("float32"), name="plane/bias")
        self.dilated = kernel("dilated", 3, 3, 6, 6)
        self.spaced = kernel("spaced", 3, 3, 6, 6)
        self.grouped = kernel("grouped", 3, 3, 3, 6)
        self.depthwise = kernel("depthwise", 3, 3, 6, 1)
        self.up = kernel("up", 2, 2, 5, 6)
        self.explicit = kernel("explicit", 3, 3, 5, 2)
        self.line = kernel("line", 5, 2, 3)
        self.volume = kernel("volume", 2, 2, 2, 1, 2)
        self.head = kernel("head", 8 * 8 * 2, 4)


def _forward(tf, layers, x):
    x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, layers.plane, 1, "SAME"), layers.plane_bias))
    x = tf.nn.conv2d(x, layers.dilated, 1, "SAME", dilations=2)
    x = tf.space_to_batch(x, [2, 2], [[2, 2], [2, 2]])
    x = tf.nn.conv2d(x, layers.spaced, 1, "VALID")
    x = tf.batch_to_space(x, [2, 2], [[0, 0], [0, 0]])
    x = tf.nn.conv2d(x, layers.grouped, [2, 1], "SAME")
    x = tf.nn.depthwise_conv2d(x, layers.depthwise, [1, 1, 1, 1], "SAME")
    shape = tf.stack([tf.shape(x)[0], 8, 16, 5])
    x = tf.nn.conv2d_transpose(x, layers.up, shape, [2, 2], "SAME")
    x = tf.nn.conv2d(x, layers.explicit, [1, 2], [[0, 0], [1, 1], [1, 1], [0, 0]])
    x = tf.ensure_shape(x, (None, 8, 8, 2))
    line = tf.reduce_sum(tf.nn.conv1d(tf.reshape(x, (-1, 64, 2)), layers.line, 3, "VALID"))
    volume = tf.reduce_sum(
        tf.nn.conv3d(tf.reshape(x, (-1, 8, 8, 2, 1)), layers.volume, [1, 1, 1, 1, 1], "SAME")
    )
    scores = tf.nn.softmax(tf.matmul(tf.reshape(x, (-1, 128)), layers.head))
    return scores + 0 * (line + volume)


EXPECTED = {
    # kind, spatial, strides, dilations, padding, groups, activation
    "plane": ("conv", 2, (1, 1), (1, 1), "same", 1, "relu"),
    "dilated": ("conv", 2, (1, 1), (2, 2), "same", 1, None),
    "spaced": ("conv", 2, (1, 1), (2, 2), "same", 1, None),
    "grouped": ("conv", 2, (2, 1), (1, 1), "same", 2, None),
    "depthwise": ("depthwise", 2, (1, 1), (1, 1), "same", 1, None),
    "up": ("transpose", 2, (2, 2), (1, 1), "same", 1, None),
    "explicit": ("conv", 2, (1, 2), (1, 1), "explicit 0,0,1,1,1,1,0,0", 1, None),
    "line": ("conv", 1, (3,), (1,), "valid", 1, None),
    "volume": ("conv", 3, (1, 1, 1), (1, 1, 1), "same", 1, None),
    "head": ("dense", 0, (), (), "", 1, "softmax"),
}


def assert_kernels(artifact, values):
    found = {kernel.route: kernel for kernel in artifact.kernels}
    assert set(found) == set(EXPECTED)
    for route, kernel in found.items():
        described = (
            *(kernel.kind, kernel.spatial, kernel.strides, kernel.dilations),
            *(kernel.padding, kernel.groups, kernel.activation),
        )
        assert described == EXPECTED[route], route
        np.testing.assert_array_equal(
            artifact.tensor(kernel.tensor).source.array(), values[f"{route}/kernel"]
        )
    np.testing.assert_array_equal(
        artifact.tensor(found["plane"].bias).source.array(), values["plane/bias"]
    )
    assert found["head"].grid == (8, 8, 2)


@pytest.fixture(scope="module")
def module(tf):
    class Everything(tf.Module):
        def __init__(self):
            super().__init__()
            self.layers = _Layers(tf)
            self.held = list(vars(self.layers).values())

        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 4), tf.float32, name="x")])
        def inner(self, x):
            return _forward(tf, self.layers, x)

        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 4), tf.float32, name="x")])
        def outer(self, x):
            return {"scores": self.inner(x)}

    return Everything()


@pytest.mark.parametrize("signed", [True, False])
def test_kernels_of_a_module_through_nested_functions(tf, module, tmp_path, signed):
    signatures = {"serving_default": module.outer, "other": module.inner} if signed else None
    tf.saved_model.save(module, os.fspath(tmp_path / "m"), signatures)
    artifact = read_saved_model(tmp_path / "m", LIMITS)
    assert len(artifact.signatures) == (2 if signed else 0)
    values = {variable.name.split(":")[0]: variable.numpy() for variable in module.held}
    assert_kernels(artifact, values)


def test_kernels_of_a_tf1_graph_with_gradients_and_frozen(tf, tmp_path):
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 8, 8, 4), name="x")
        with v1.variable_scope("", use_resource=True):
            layers = _Layers(tf)
            scores = tf.identity(_forward(tf, layers, x), name="scores")
        held = {v.name.split(":")[0]: v for v in vars(layers).values()}
        tf.gradients(scores, list(held.values()))
        session.run([variable.initializer for variable in held.values()])
        values = session.run(held)
        v1.train.Saver(list(held.values())).save(session, os.fspath(tmp_path / "m"))
        frozen = v1.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), ["scores"]
        )
    (tmp_path / "frozen.pb").write_bytes(frozen.SerializeToString())
    assert_kernels(read_checkpoint(tmp_path / "m", LIMITS), values)
    assert_kernels(read_frozen_graph(tmp_path / "frozen.pb", LIMITS), values)
