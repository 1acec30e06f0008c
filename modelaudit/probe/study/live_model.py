"""A live model in this process: its inputs, outputs and weights."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelaudit.audit_types.loading import Port
from modelaudit.facts import Artifact, TensorStats
from modelaudit.probe.child.adapters import KerasModel, named_outputs
from modelaudit.probe.protocol import VariableDigest
from modelaudit.probe.study.determinism import largest_difference
from modelaudit.restore.conversions import digest
from modelaudit.restore.model import Weight, sketch
from modelaudit.restore.weight_sources import restored_weights
from modelaudit.structs import replace

if TYPE_CHECKING:
    from modelaudit.probe.child.frames import Untyped

Outputs = Mapping[str, NDArray[Any]]


def wrap_live_model(model: Untyped) -> LiveModel:
    """Wrap a Keras model, or anything that is called with arrays."""
    return LiveKerasModel(model) if hasattr(model, "layers") else LiveCallable(model)


class LiveModel(ABC):
    """A model in this process."""

    def __init__(self, model: Untyped) -> None:
        self.model = model

    @abstractmethod
    def ports(self) -> list[Port]:
        """Inputs of the model."""

    @abstractmethod
    def run(self, feeds: list[NDArray[Any]]) -> Outputs:
        """Outputs by name, in inference mode."""

    @abstractmethod
    def variables(self) -> Mapping[str, Any]:
        """Variables by path."""

    def answers(self, feeds: list[NDArray[Any]]) -> tuple[Outputs, float]:
        """Numeric outputs, and the largest difference from running the samples in two halves."""
        outputs = self.run(feeds)
        whole = {name: value for name, value in outputs.items() if value.dtype.kind in "fiub"}
        n = min((len(feed) for feed in feeds), default=0)
        halves = [self.run([feed[i:j] for feed in feeds]) for i, j in _halves(n)]
        again = {name: np.concatenate([half[name] for half in halves]) for name in whole}
        return whole, largest_difference(whole, again)

    def weights(self, artifact: Artifact) -> list[Weight]:
        """Weights with digests and statistics."""
        arrays = {path: np.asarray(value) for path, value in self.variables().items()}
        numeric = {path: array for path, array in arrays.items() if array.dtype.kind not in "OSU"}
        digests = [
            VariableDigest(path, array.shape, array.dtype.name, digest(array))
            for path, array in numeric.items()
        ]
        return [described(w, numeric[w.name]) for w in restored_weights(artifact, digests, None)]


class LiveKerasModel(LiveModel):
    """A Keras 2 or 3 model."""

    def __init__(self, model: Untyped) -> None:
        super().__init__(model)
        self.adapter = KerasModel(sys.modules.get("tensorflow"), None, model)

    def ports(self) -> list[Port]:
        """Inputs, as declared by Keras."""
        return [
            Port(each["name"], each["dtype"], None if each["shape"] is None else (*each["shape"],))
            for each in self.adapter.inputs
        ]

    def run(self, feeds: list[NDArray[Any]]) -> Outputs:
        """One call of `predict_on_batch`, which all versions and backends of Keras have."""
        batch: Any = feeds if len(feeds) != 1 else feeds[0]
        if self.adapter.keys is not None:
            batch = dict(zip(self.adapter.keys, feeds, strict=True))
        return named_outputs(self.model.predict_on_batch(batch), self.adapter.output_names)

    def variables(self) -> Mapping[str, Any]:
        """`layer route/name` -> variable."""
        return self.adapter.variables()


class LiveCallable(LiveModel):
    """Anything that is called with arrays: a `tf.Module`, a function of a SavedModel."""

    def ports(self) -> list[Port]:
        """Unknown; the inputs must be given."""
        return []

    def run(self, feeds: list[NDArray[Any]]) -> Outputs:
        """One call with the arrays in order."""
        return named_outputs(self.model(*feeds), [])

    def variables(self) -> Mapping[str, Any]:
        """Variables by name."""
        held = getattr(self.model, "variables", ())
        return {str(variable.name).partition(":")[0]: variable for variable in held}


def _halves(n: int) -> list[tuple[int, int]]:
    return [(0, n // 2), (n // 2, n)] if n > 1 else [(0, n)]


def described(weight: Weight, array: NDArray[Any]) -> Weight:
    """The weight with statistics over its finite values, and a sketch of all values."""
    values = array.astype(np.float64).ravel()
    finite = values[np.isfinite(values)]
    if not finite.size:
        return weight
    stats = TensorStats(
        minimum=float(finite.min()),
        maximum=float(finite.max()),
        mean=float(finite.mean()),
        std=float(finite.std()),
        zeros=int(values.size - np.count_nonzero(values)),
        nonfinite=int(values.size - finite.size),
    )
    return replace(weight, stats=stats, sketch=sketch(array))
