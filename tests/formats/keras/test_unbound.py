"""Names and kernels of weights without an architecture, compared with what Keras calls them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelaudit.facts import Tensor
from modelaudit.formats.keras.variables.unbound import named_kernels, numbered_names
from modelaudit.formats.reader import read
from modelaudit.measures.kernels.batchnorm import batchnorm_tensors
from modelaudit.rules.weights.stored_values import RULES as STORED
from modelaudit.settings import Limits
from tests.rules.saved import found as rule_found
from tests.sharing import told_with_tensorflow

PROGRAM = """
import json, sys
import keras
L = keras.layers
inputs = L.Input((9, 9, 3))
x = L.Conv2D(4, 3, name="first")(inputs)
x = L.PReLU(shared_axes=[1, 2], name="slopes")(x)
x = L.LayerNormalization(axis=[1, 2, 3], center=False, name="whole")(x)
class Table(L.Layer):
    def build(self, shape):
        self.table = self.add_weight(name="table", shape=(1, *shape[1:]), initializer="zeros")
    def call(self, inputs):
        return inputs + self.table
x = Table(name="places")(x)
x = L.BatchNormalization(name="norm")(x)
x = L.BatchNormalization(name="plain", scale=False, center=False)(x)
x = L.DepthwiseConv2D(3, name="depth", use_bias=False)(x)
x = L.SeparableConv2D(5, 3, name="separable")(x)
x = L.Conv2DTranspose(2, 2, name="up")(x)
x = L.LayerNormalization(name="layer_norm")(x)
x = L.Flatten()(x)
x = L.Reshape((6, -1))(L.Dense(36, name="wide")(x))
x = L.Bidirectional(L.LSTM(3, return_sequences=True), name="both")(x)
x = L.GRU(3, name="gru")(x)
model = keras.Model(inputs, L.Dense(2, name="head", use_bias=False)(x))
model.save_weights(sys.argv[1] + "/m.weights.h5")
paths = {}
for layer in model.layers:
    for v in layer.weights:
        paths[v.path] = list(v.shape)
print(json.dumps(paths))
"""


@pytest.mark.slow
def test_names_and_kernels_are_those_of_keras(tmp_path: Path) -> None:
    paths = told_with_tensorflow("-c", PROGRAM, tmp_path)
    artifact = read(tmp_path / "m.weights.h5", Limits())
    kernels = {kernel.route: kernel for kernel in artifact.kernels}
    assert sorted((kernel.route, kernel.kind, kernel.spatial) for kernel in artifact.kernels) == [
        ("depth", "depthwise", 2),
        ("first", "conv", 2),
        ("head", "dense", 0),
        ("separable", "conv", 2),
        ("separable", "depthwise", 2),
        ("up", "transpose", 2),
        ("wide", "dense", 0),
    ]
    # The slopes of a PReLU and a table of a class are zeros until they are trained.
    assert rule_found(STORED, tmp_path / "m.weights.h5") == []
    for route in ("first", "wide", "head"):
        assert list(kernels[route].shape) == paths[f"{route}/kernel"]
    assert kernels["head"].bias is None
    assert kernels["first"].bias is not None
    assert [each.route for each in batchnorm_tensors(artifact)] == ["norm", "plain"]
    names = artifact.extra["variable_names"]
    assert "layers/layer_normalization/vars/0" not in names


def weight(name: str, *shape: int) -> Tensor:
    return Tensor(name, shape, "float32", 4 * int(np.prod(shape)), "f")


def test_equal_layer_names_are_distinguished_by_their_path() -> None:
    tensors = [weight("a/dense/vars/0", 3, 4), weight("b/dense/vars/0", 3, 4)]
    found = numbered_names(tensors, {"a/dense/vars": "dense", "b/dense/vars": "dense"})
    assert list(found.values()) == ["a/dense/kernel", "b/dense/kernel"]


def test_a_lone_weight_of_a_free_name_may_be_anything_but_a_kernel() -> None:
    """Attributes of a subclass name their containers as they like."""
    shapes = {"slopes": [(1, 1, 6)], "places": [(1, 9, 4)], "out": [(6, 4), (4,)]}
    shapes |= {"dense_3": [(6, 4)], "query_dense": [(6, 2, 3)], "reversible_embedding": [(9, 4)]}
    shapes |= {"layer_normalization": [(8, 8, 3)], "p_re_lu": [(8, 8, 3)]}
    tensors = [
        weight(f"{container}/vars/{number}", *shape)
        for container, each in shapes.items()
        for number, shape in enumerate(each)
    ]
    named = numbered_names(tensors, {f"{each}/vars": each for each in shapes})
    kernels = {name.partition("/")[0] for name in named.values() if name.endswith("/kernel")}
    assert kernels == {"out", "dense_3", "query_dense"}


def test_groups_that_several_classes_write_are_left_out() -> None:
    layers = {"x/vars": "x", "y/vars": "y", "z/vars": "z"}
    tensors = [weight("x/vars/0", 4), weight("x/vars/1", 4)]  # gamma and beta of something
    tensors += [weight("y/vars/1", 4)]  # the first is missing
    tensors += [weight("z/vars/0", 3, 4), weight("z/vars/1", 3, 4)]
    assert numbered_names(tensors, layers) == {}


def test_only_kernels_that_are_applied_as_such_are_kernels() -> None:
    tensors = [
        weight("conv/kernel:0", 3, 3, 2, 4),
        weight("conv/bias:0", 4),
        weight("lstm/lstm_cell/kernel", 4, 12),
        weight("lstm/lstm_cell/recurrent_kernel", 3, 12),
        weight("mha/query/kernel", 8, 2, 4),
        weight("einsum/kernel", 8, 2, 4),
        weight("einsum/bias", 2, 4),
        weight("emb/embeddings", 10, 4),
        weight("a_transpose/kernel", 3, 3, 2, 4),
    ]
    found = {kernel.route: (kernel.kind, kernel.bias) for kernel in named_kernels(tensors, {})}
    assert found == {"conv": ("conv", "conv/bias:0"), "a_transpose": ("transpose", None)}
