"""Capturing inputs and outputs of Keras layers while a model runs, and refitting statistics.

The `call` method of each layer is wrapped temporarily. Unlike a second model built from symbolic
outputs, this includes layers in nested and subclassed models, and each call of a shared layer.
Python 3.7 syntax.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from .adapters import AdapterError, KerasModel, LoadedModel, dtype_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from numpy.typing import NDArray

    from .frames import Untyped

SMALL = 1 << 20  # number of values up to which numpy is faster than TensorFlow


class LayerHook(ABC):
    """Context manager that passes calls of the named layers to `around`."""

    def __init__(self, model: LoadedModel, routes: Iterable[str]) -> None:
        if not isinstance(model, KerasModel) or not model.tf.executing_eagerly():
            raise AdapterError("layers can be watched only in Keras models under TensorFlow 2")
        layers = dict(model.walk())
        self.tf = model.tf
        self.before: dict[str, Untyped] = {}  # calls of layers that are wrapped already
        self.missing = [route for route in routes if route not in layers]
        self.layers = {route: layers[route] for route in routes if route in layers}

    def __enter__(self) -> Self:
        """Wrap the layers' calls."""
        for route, layer in self.layers.items():
            if "call" in vars(layer):
                self.before[route] = layer.call
            layer.call = functools.partial(self.around, route, layer.call)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Restore the layers' own calls."""
        for route, layer in self.layers.items():
            if route in self.before:
                layer.call = self.before[route]
            else:
                del layer.call

    @abstractmethod
    def around(self, route: str, call: Untyped, *args: Untyped, **kwargs: Untyped) -> Untyped:
        """Run `call` with these arguments and return its result, with additional actions."""


class ActivationCapture(LayerHook):
    """Context manager that captures inputs or outputs of the named layers.

    Results have the key `route` for a layer's first call in a forward pass, `route@1` for the
    second, and so on; statistics add `:mean`, `:var`, `:min`, `:max` and `:count`.
    """

    def __init__(self, model: LoadedModel, routes: list[str], into: bool) -> None:
        super().__init__(model, routes)
        self.into = into
        self.calls: dict[str, Any] = {}  # tensors of the last forward pass
        self.whole: dict[str, list[NDArray[Any]]] = {}
        self.sums: dict[str, _ChannelMoments] = {}

    def around(self, route: str, call: Untyped, *args: Untyped, **kwargs: Untyped) -> Untyped:
        """Run the layer and store its input or output."""
        result = call(*args, **kwargs)
        value = (args[0] if args else None) if self.into else result
        if isinstance(value, (list, tuple)):
            value = value[0] if value else None
        if value is not None and hasattr(value, "numpy"):
            key, count = route, 0
            while key in self.calls:
                count += 1
                key = f"{route}@{count}"
            self.calls[key] = value
        return result

    def keep(self, rows: int, statistics: bool) -> None:
        """Store the captured values of one forward pass with `rows` samples."""
        for key, tensor in self.calls.items():
            route = key.rpartition("@")[0] or key
            dtype = np.dtype(tensor.dtype.as_numpy_dtype)
            if tensor.shape.rank == 0 or dtype.kind in "OSU":
                continue
            value = tensor[:rows] if len(tensor) > rows else tensor  # remove padded rows
            if statistics:
                axis = channel_axis(self.layers[route], value.shape.rank)
                self.sums.setdefault(key, _ChannelMoments()).add(self.tf, value, axis)
            else:
                narrow = dtype.kind == "V" or dtype.itemsize < 4
                kept = np.asarray(value.numpy())
                self.whole.setdefault(key, []).append(kept.astype(np.float32) if narrow else kept)
        self.calls.clear()

    def results(self) -> dict[str, NDArray[Any]]:
        """The stored values or statistics, by call."""
        found = {key: np.concatenate(pieces) for key, pieces in self.whole.items()}
        for key, moments in self.sums.items():
            for name, value in moments.results().items():
                found[f"{key}:{name}"] = value
        return found


class BatchNormRefit(LayerHook):
    """Context manager in which BatchNormalization layers compute their statistics from inputs.

    The stored mean and variance of each layer are overwritten right before it runs, so one forward
    pass refits all layers in turn: each sees the outputs of the refitted layers before it.
    `variables` are the two variables of each route; `assign` overwrites one.
    """

    def __init__(self, model: LoadedModel, variables: dict[str, tuple[Untyped, Untyped]]) -> None:
        super().__init__(model, list(variables))
        if self.missing:
            raise AdapterError(f"the model has no layer {self.missing[0]}")
        self.variables, self.assign = variables, model.assign

    def around(self, route: str, call: Untyped, *args: Untyped, **kwargs: Untyped) -> Untyped:
        """Refit the layer, then run it."""
        value = args[0] if args else kwargs["inputs"]
        axis = channel_axis(self.layers[route], value.shape.rank)
        moments = _ChannelMoments()
        moments.add(self.tf, value, axis)
        found = moments.results()
        mean, variance = self.variables[route]
        for variable, seen in ((mean, found["mean"]), (variance, found["var"])):
            if seen.shape != tuple(variable.shape):
                raise AdapterError(f"inputs of {route} have another number of channels")
            self.assign(variable, seen.astype(dtype_name(variable.dtype)))
        return call(*args, **kwargs)


def channel_axis(layer: Untyped, rank: int) -> int:
    """Axis of the layer's statistics: its own `axis`, or that of its data format."""
    axis = getattr(layer, "axis", None) if hasattr(layer, "moving_mean") else None
    if isinstance(axis, (list, tuple)) and len(axis) == 1:
        axis = axis[0]
    if isinstance(axis, int):
        return axis % rank
    return 1 if getattr(layer, "data_format", None) == "channels_first" else rank - 1


class _ChannelMoments:
    """Mean, population variance, minimum and maximum per channel, updated batch by batch.

    Batches are merged as in Chan, Golub and LeVeque (1983), which avoids cancellation.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: Untyped = 0.0
        self.square: Untyped = 0.0
        self.low: Untyped = np.inf
        self.high: Untyped = -np.inf

    def add(self, tf: Untyped, value: Untyped, axis: int) -> None:
        count = 1
        for i, size in enumerate(value.shape):
            count *= 1 if i == axis else int(size)
        if not count:
            return
        if value.dtype.is_bool or not value.dtype.is_floating or value.dtype.size < 4:
            value = tf.cast(value, tf.float32)
        others = tuple(i for i in range(value.shape.rank) if i != axis)
        mean, variance, low, high = _of_batch(tf, value, others)
        total = self.count + count
        step = mean - self.mean
        self.square = self.square + variance * count + step**2 * self.count * count / total
        self.mean = self.mean + step * count / total
        self.low = np.minimum(self.low, low)
        self.high = np.maximum(self.high, high)
        self.count = total

    def results(self) -> dict[str, NDArray[Any]]:
        if not self.count:
            return {}
        return {
            "mean": np.asarray(self.mean),
            "var": np.asarray(self.square / self.count),
            "min": np.asarray(self.low),
            "max": np.asarray(self.high),
            "count": np.asarray(self.count, dtype=np.int64),
        }


def _of_batch(tf: Untyped, value: Untyped, axes: tuple[int, ...]) -> tuple[NDArray[Any], ...]:
    """Mean and population variance (float64), minimum and maximum over `axes`."""
    array = value.numpy()
    if array.size <= SMALL:
        exact = array.astype(np.float64)
        return exact.mean(axes), exact.var(axes), array.min(axes), array.max(axes)
    mean, variance = (each.numpy().astype(np.float64) for each in tf.nn.moments(value, axes))
    return mean, variance, tf.reduce_min(value, axes).numpy(), tf.reduce_max(value, axes).numpy()
