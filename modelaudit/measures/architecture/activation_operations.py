"""Operations that compute an activation, as the layer that computes the same.

`tf.nn.softmax(x)` is saved by Keras 2 as a TFOpLambda (TensorFlowOpLayer before 2.4), and
`keras.ops.softmax(x)` by Keras 3 as an operation; both are a Softmax layer.
"""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.facts import Json, Layer
from modelaudit.structs import replace

# Operations of Keras 3, and the activation that each computes; TensorFlow's have the same names.
_ACTIVATIONS: Mapping[str, str] = {
    "Sigmoid": "sigmoid",
    "Relu": "relu",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Elu": "elu",
    "Selu": "selu",
    "Gelu": "gelu",
    "Silu": "silu",
    "Swish": "silu",
    "LeakyRelu": "leaky_relu",
    "HardSigmoid": "hard_sigmoid",
    "LogSigmoid": "log_sigmoid",
    "LogSoftmax": "log_softmax",
    "Exp": "exponential",
}


def as_activation(layer: Layer) -> Layer:
    """The same layer as a Softmax or Activation if it is such an operation."""
    if layer.custom:
        return layer
    name = operation_name(layer)
    if name == "Softmax":
        said = [call["axis"] for call in layer.call_kwargs if "axis" in call]
        axis = said[0] if said else layer.config.get("axis", -1)
        config: dict[str, Json] = {"axis": -1 if axis is None else axis}
        return replace(layer, class_name="Softmax", config=config)
    if name in _ACTIVATIONS:
        return replace(layer, class_name="Activation", config={"activation": _ACTIVATIONS[name]})
    return layer


def operation_name(layer: Layer) -> str:
    """The name of the operation in the style of Keras 3, such as `LogSoftmax`."""
    if layer.class_name in {"TFOpLambda", "SlicingOpLambda"}:  # nn.log_softmax
        function = str(layer.config.get("function")).rpartition(".")[2]
        return function.title().replace("_", "")
    if layer.class_name == "TensorFlowOpLayer":
        node = layer.config.get("node_def")
        return str(node.get("op")) if isinstance(node, dict) else ""
    return layer.class_name
