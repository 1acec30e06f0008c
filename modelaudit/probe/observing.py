"""Watching what flows through a Keras model's layers while it runs.

Each watched layer's `call` is wrapped for the time of the watching. Unlike a second model built
from the layers' symbolic outputs, that reaches layers inside nested and subclassed models too,
and shows every call of a layer that is used more than once. Python 3.7 syntax.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .adapters import AdapterError, KerasModel, Loaded

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

    from .frames import Untyped

STATISTICS = ("mean", "var", "min", "max")


class Capture:
    """Context in which the named layers are watched.

    Results are keyed `route` for a layer's first call in a forward pass, `route@1` for its
    second, and so on; statistics add `:mean`, `:var`, `:min`, `:max` and `:count`.
    """

    def __init__(self, model: Loaded, routes: list[str], into: bool) -> None:
        if not isinstance(model, KerasModel) or not model.tf.executing_eagerly():
            raise AdapterError("layers can be watched in Keras models under TensorFlow 2 only")
        layers = dict(model.walk())
        self.missing = [route for route in routes if route not in layers]
        self.layers = {route: layers[route] for route in routes if route in layers}
        self.into = into
        self.calls: dict[str, NDArray[Any]] = {}
        self.whole: dict[str, list[NDArray[Any]]] = {}
        self.sums: dict[str, _Moments] = {}

    def __enter__(self) -> Capture:
        """Wrap the layers' calls."""
        for route, layer in self.layers.items():
            layer.call = self._watch(route, layer.call)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the layers their own calls back."""
        for layer in self.layers.values():
            del layer.call

    def _watch(self, route: str, call: Untyped) -> Untyped:
        def watched(*args: Untyped, **kwargs: Untyped) -> Untyped:
            result = call(*args, **kwargs)
            value = (args[0] if args else None) if self.into else result
            if isinstance(value, (list, tuple)):
                value = value[0] if value else None
            if value is not None and hasattr(value, "numpy"):
                key, count = route, 0
                while key in self.calls:
                    count += 1
                    key = f"{route}@{count}"
                self.calls[key] = np.asarray(value.numpy())
            return result

        return watched

    def keep(self, rows: int, statistics: bool) -> None:
        """Take over what one forward pass of `rows` samples showed."""
        for key, value in self.calls.items():
            route = key.rpartition("@")[0] or key
            if value.ndim == 0 or value.dtype.kind in "OSU":
                continue
            value = value[:rows]  # noqa: PLW2901 - the padded rows are no samples
            if statistics:
                first = getattr(self.layers[route], "data_format", None) == "channels_first"
                self.sums.setdefault(key, _Moments()).add(value, 1 if first else value.ndim - 1)
            else:
                narrow = value.dtype.kind == "V" or value.dtype.itemsize < 4
                kept = value.astype(np.float32) if narrow else value
                self.whole.setdefault(key, []).append(kept)
        self.calls.clear()

    def results(self) -> dict[str, NDArray[Any]]:
        """What was kept, by call."""
        found = {key: np.concatenate(pieces) for key, pieces in self.whole.items()}
        for key, moments in self.sums.items():
            for name, value in moments.results().items():
                found[f"{key}:{name}"] = value
        return found


class _Moments:
    """Mean, population variance, minimum and maximum per channel, batch by batch.

    Batches are merged as in Chan, Golub and LeVeque (1983): no cancellation for large means.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: Untyped = 0.0
        self.square: Untyped = 0.0
        self.low: Untyped = np.inf
        self.high: Untyped = -np.inf

    def add(self, value: NDArray[Any], axis: int) -> None:
        flat = np.moveaxis(value.astype(np.float64), axis, -1).reshape(-1, value.shape[axis])
        if not len(flat):
            return
        total = self.count + len(flat)
        mean = flat.mean(axis=0)
        step = mean - self.mean
        self.square = (
            self.square
            + ((flat - mean) ** 2).sum(axis=0)
            + step**2 * self.count * len(flat) / total
        )
        self.mean = self.mean + step * len(flat) / total
        self.low = np.minimum(self.low, flat.min(axis=0))
        self.high = np.maximum(self.high, flat.max(axis=0))
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
