"""Which layers give one value for all negative inputs, against Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelaudit.facts import Layer
from modelaudit.probe.study import activations

pytestmark = pytest.mark.slow


def test_layers_that_keep_negative_values_apart_are_not_rectified(keras: Any) -> None:
    layers = keras.layers
    tried = [
        layers.ReLU(),
        layers.ReLU(max_value=6),
        layers.ReLU(negative_slope=0.1),
        layers.LeakyReLU(),
        layers.LeakyReLU(negative_slope=0.01),
        layers.Activation("relu"),
        layers.Activation("relu6"),
        layers.Activation("leaky_relu"),
        layers.Activation(layers.LeakyReLU()),
    ]
    for layer in tried:
        below = np.asarray(layer(np.array([[-3.0, -1.0]], dtype="float32")))
        held = Layer(layer.name, layer.name, type(layer).__name__, config=layer.get_config())
        assert activations._rectified(held) is bool(below[0, 0] == below[0, 1]), held
