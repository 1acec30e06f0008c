"""A common interface for all kinds of loaded models: ports, variables, and calls on a batch.

The child holds one adapter. Adapters do not import TensorFlow; the zygote passes the module to
them. Python 3.7 syntax; TensorFlow 1.15 and later.
"""

from __future__ import annotations

import contextlib
import json
from abc import ABC, abstractmethod
from collections import OrderedDict
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import as_array, only_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .frames import Untyped

    Values = dict[str, NDArray[Any]]


CONFIG_CHARACTERS = 1 << 16  # maximum length of a layer's config as JSON


class AdapterError(Exception):
    """The request is not possible for this kind of model."""


def dtype_name(dtype: Untyped) -> str:
    """Name of a numpy, TensorFlow or Keras dtype: `float32`, `bfloat16`, `string`."""
    return str(getattr(dtype, "name", dtype)).replace("_ref", "")


def shape_list(shape: Untyped) -> list[int | None] | None:
    """A shape as a list, with None for undefined axes; None if the rank is unknown."""
    if shape is None or getattr(shape, "rank", 0) is None:
        return None
    sizes = [getattr(size, "value", size) for size in shape]  # TensorFlow 1 wraps them
    return [None if size is None else int(size) for size in sizes]


def port(name: Untyped, spec: Untyped) -> dict[str, Any]:
    """Description of an input or output."""
    return {
        "name": str(name),
        "dtype": dtype_name(spec.dtype),
        "shape": shape_list(getattr(spec, "shape", None)),
    }


class LoadedModel(ABC):
    """A loaded model. `inputs` and `outputs` are port descriptions."""

    def __init__(self) -> None:
        self.inputs: list[dict[str, Any]] = []
        self.outputs: list[dict[str, Any]] = []
        self.notes: list[str] = []

    def layers(self) -> list[dict[str, Any]]:
        """Route and class of each layer; empty for graphs."""
        return []

    @abstractmethod
    def variables(self) -> OrderedDict[str, Any]:
        """Path -> variable, each variable once, in a reproducible order."""

    def value(self, variable: Untyped) -> NDArray[Any]:
        """Current value of a variable."""
        return as_array(variable.numpy())

    def assign(self, variable: Untyped, value: NDArray[Any]) -> None:
        """Overwrite a variable."""
        variable.assign(value)

    @abstractmethod
    def run(self, feeds: list[NDArray[Any]], training: bool | None) -> Values:
        """Outputs of one batch, by name."""

    def infer(self, feeds: list[NDArray[Any]]) -> Values:
        """Outputs of one batch at inference, in the fastest way for many batches."""
        return self.run(feeds, False)


class KerasModel(LoadedModel):
    """A Keras 2 or 3 model. Variables are named `layer route/name`."""

    def __init__(self, tf: Untyped, keras: Untyped, model: Untyped) -> None:
        super().__init__()
        self.tf, self.keras, self.model = tf, keras, model
        inputs = list(_attribute(model, "inputs") or [])
        names = _attribute(model, "input_names") or [_plain(tensor) for tensor in inputs]
        self.inputs = [port(names[i], tensor) for i, tensor in enumerate(inputs)]
        if not inputs:
            self._declare_built_input()
        outputs = list(_attribute(model, "outputs") or [])
        self.output_names = list(_attribute(model, "output_names") or [])
        if len(self.output_names) != len(outputs):  # Sequential: named by the output layer
            layers = [getattr(tensor, "_keras_history", (None,))[0] for tensor in outputs]
            self.output_names = [
                str(getattr(layer, "name", f"output_{i}")) for i, layer in enumerate(layers)
            ]
        self.output_names = _unique(self.output_names)
        self.outputs = [port(self.output_names[i], tensor) for i, tensor in enumerate(outputs)]
        # Models with a dict of inputs are called with a dict; the flat order is by key.
        structures = [_attribute(model, name) for name in ("_inputs_struct", "_nested_inputs")]
        keyed = [sorted(structure) for structure in structures if isinstance(structure, dict)]
        self.keys = keyed[0] if keyed else None
        self.graph: Untyped = None  # traced by `infer`
        self.traceable = bool(self.inputs) and tf.executing_eagerly()

    def _declare_built_input(self) -> None:
        """Subclassed models have no symbolic inputs, but may have the shape they were built for."""
        shape = _attribute(self.model, "_build_input_shape")
        shapes = _attribute(self.model, "_build_shapes_dict")
        if shape is None and isinstance(shapes, dict) and len(shapes) == 1:
            shape = next(iter(shapes.values()))
        if isinstance(shape, (tuple, list)) and all(
            isinstance(n, (int, type(None))) for n in shape
        ):
            dtype = _attribute(self.model, "compute_dtype") or "float32"
            open_batch = [None, *list(shape)[1:]]
            self.inputs = [{"name": "input", "dtype": str(dtype), "shape": open_batch}]
            self.notes.append("the input is inferred from the shape that the model was built for")

    def walk(self) -> Iterator[tuple[str, Any]]:
        """Route and object of each layer; the layers of a nested model follow it."""

        def below(model: Untyped, prefix: str) -> Iterator[tuple[str, Any]]:
            for layer in _attribute(model, "layers") or []:
                route = prefix + layer.name
                yield route, layer
                if layer is not model:
                    yield from below(layer, route + "/")

        return below(self.model, "")

    def operations(self) -> Iterator[tuple[str, Any]]:
        """Route and object of each operation of a Keras 3 functional model.

        `model.layers` does not include operations, but the saved config lists them as layers.
        """
        models = [("", self.model)]
        models += [(route + "/", layer) for route, layer in self.walk()]
        for prefix, model in models:
            layers = {id(layer) for layer in _attribute(model, "layers") or []}
            found = _attribute(model, "operations")
            for operation in found if isinstance(found, list) else []:
                if id(operation) not in layers:
                    yield prefix + operation.name, operation

    def layers(self) -> list[dict[str, Any]]:
        """Route, class, trainable flag, config and output shape of each layer and operation."""
        return [
            {
                "route": route,
                "class": type(layer).__name__,
                "trainable": bool(_attribute(layer, "trainable")),
                "config": _config(layer),
                "shape": _output_shape(layer),
            }
            for route, layer in chain(self.walk(), self.operations())
        ]

    def variables(self) -> OrderedDict[str, Any]:
        """Weights by layer route and name, then weights that belong to no layer."""
        found: OrderedDict[str, Any] = OrderedDict()
        seen = set()

        def keep(variable: Untyped, path: str) -> None:
            if id(variable) in seen:
                return
            seen.add(id(variable))
            unique, count = path, 2
            while unique in found:
                unique, count = f"{path}#{count}", count + 1
            found[unique] = variable

        for route, layer in self.walk():
            if not _attribute(layer, "layers"):
                for variable in only_arrays(layer.weights):
                    keep(variable, f"{route}/{_tail(variable, layer.name)}")
        for variable in only_arrays(self.model.weights):
            keep(variable, _path(variable))
        return found

    def value(self, variable: Untyped) -> NDArray[Any]:
        """Current value, including graph-mode variables (TensorFlow 1)."""
        if self.tf.executing_eagerly():
            return np.asarray(variable.numpy())
        return np.asarray(self.keras.backend.get_value(variable))

    def assign(self, variable: Untyped, value: NDArray[Any]) -> None:
        """Overwrite a variable, including graph-mode variables."""
        if self.tf.executing_eagerly():
            variable.assign(value)
        else:
            self.keras.backend.set_value(variable, value)

    def run(self, feeds: list[NDArray[Any]], training: bool | None) -> Values:
        """Call the model itself, which, unlike `predict`, uses the training flag."""
        if not self.tf.executing_eagerly():
            if training:
                raise AdapterError("graph mode has no training flag")
            result = self.model.predict_on_batch(feeds if len(feeds) != 1 else feeds[0])
            return named_outputs(result, self.output_names)
        argument = self._argument(self._tensors(feeds))
        if training is False:
            return named_outputs(self.model(argument, training=False), self.output_names)
        # A call in training mode updates BatchNormalization statistics; they are reset afterwards.
        # The states of random number generators are not, or all repetitions would be equal.
        kept = only_arrays(self.model.non_trainable_weights)
        before = [(each, self.value(each)) for each in kept]
        try:
            options = {} if training is None else {"training": training}
            return named_outputs(self.model(argument, **options), self.output_names)
        finally:
            for variable, value in before:
                variable.assign(value)

    def infer(self, feeds: list[NDArray[Any]]) -> Values:
        """Call the model as a graph, which is traced at the first call, as in `predict`.

        If tracing or the graph fails, the model is called directly.
        """
        if self.traceable:
            try:
                tensors = self._tensors(feeds)
                if self.graph is None:
                    self.graph = self._trace()
                return named_outputs(self.graph(*tensors), self.output_names)
            except Exception:  # layer code may raise anything; `run` gives better messages
                self.traceable, self.graph = False, None
        return self.run(feeds, False)

    def _trace(self) -> Untyped:
        # Optimising the graph takes longer than running a small model.
        with contextlib.suppress(AttributeError):
            self.tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        specs = [
            self.tf.TensorSpec(entry["shape"], self.tf.as_dtype(entry["dtype"]))
            for entry in self.inputs
        ]
        traced = self.tf.function(
            lambda *tensors: self.model(self._argument(list(tensors)), training=False),
            input_signature=specs,
            autograph=False,
        )
        return traced.get_concrete_function()

    def _tensors(self, feeds: list[NDArray[Any]]) -> list[Any]:
        """The inputs as tensors of the declared dtypes."""
        tensors = [self.tf.constant(feed) for feed in feeds]
        for i, tensor in enumerate(tensors[: len(self.inputs)]):
            if self.inputs[i]["dtype"] != "string":
                tensors[i] = self.tf.cast(tensor, self.inputs[i]["dtype"])
        return tensors

    def _argument(self, tensors: list[Any]) -> Untyped:
        """The inputs in the structure that the model expects."""
        if self.keys is not None and len(self.keys) == len(tensors):
            return {key: tensors[i] for i, key in enumerate(self.keys)}
        return tensors if len(tensors) != 1 else tensors[0]


def _attribute(owner: Untyped, name: str) -> Untyped:
    """An attribute, or None if Keras raises because the model was never built."""
    try:
        return getattr(owner, name, None)
    except (AttributeError, ValueError, RuntimeError, TypeError):
        return None


def _config(layer: Untyped) -> Untyped:
    """The layer's config as JSON; None if it has none, or if it is large (vocabularies)."""
    try:
        text = json.dumps(layer.get_config(), default=_named)
    except Exception:  # layer code may raise anything
        return None
    return json.loads(text) if len(text) <= CONFIG_CHARACTERS else None


def _named(value: Untyped) -> Untyped:
    """Replacement for values that are not JSON: lists for arrays, names for functions."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return getattr(value, "__name__", None) or str(value)


def _output_shape(layer: Untyped) -> Untyped:
    """Shape of the layer's output; None if the layer has several calls or outputs, or none."""
    shape = getattr(_attribute(layer, "output"), "shape", None)
    try:
        return None if shape is None else shape_list(shape)
    except (TypeError, ValueError):
        return None


def _plain(tensor: Untyped) -> str:
    return str(tensor.name).split(":")[0]


def _path(variable: Untyped) -> str:
    return str(getattr(variable, "path", None) or variable.name).split(":")[0]


def _tail(variable: Untyped, layer: str) -> str:
    """A variable's own name: the part of its path after the last occurrence of its layer."""
    path = _path(variable)
    _, mark, tail = ("/" + path).rpartition("/" + layer + "/")
    return tail if mark else path.rsplit("/", 1)[-1]


def _unique(names: list[str]) -> list[str]:
    """Names numbered as in Keras 2; Keras 3 names several outputs of one layer alike."""
    unique: list[str] = []
    for name in names:
        numbered = chain((name,), (f"{name}_{number}" for number in count(1)))
        unique.append(next(each for each in numbered if each not in unique))
    return unique


def named_outputs(result: Untyped, names: list[str]) -> Values:
    """Outputs by name, for any structure that the model returns."""
    flat: list[tuple[str, Any]] = []

    def gather(value: Untyped, name: str) -> None:
        if isinstance(value, dict):
            for key in sorted(value):
                gather(value[key], f"{name}/{key}".lstrip("/"))
        elif isinstance(value, (list, tuple)):
            for i, item in enumerate(value):
                gather(item, f"{name}/{i}".lstrip("/"))
        else:
            flat.append((name, value))

    gather(result, "")
    keyed = isinstance(result, dict)
    values = {}
    for i, (name, value) in enumerate(flat):
        own = not keyed and len(names) == len(flat)  # prefer the model's own names
        values[(names[i] if own else name) or "output_0"] = np.asarray(value)
    return values
