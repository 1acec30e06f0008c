"""A session whose model is a numpy function with results in closed form."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from modelaudit.audit_types.loading import Port, Status
from modelaudit.facts import Artifact, Format, Kernel, Tensor
from modelaudit.probe.protocol import Observation, VariableDigest

SIDE, CLASSES = 8, 4


@dataclass(frozen=True)
class Source:
    values: np.ndarray

    def array(self):
        return self.values


def sha256(values):
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class FakeSession:
    """`function(variables, inputs, training)` gives the outputs by name.

    `refuse` names requests that fail, `die_at` the number of the request that kills the child.
    """

    def __init__(self, function, variables, shapes, *, refuse=(), die_at=None):
        self.function = function
        self.stored = variables
        self.variables = dict(variables)
        self.arrays = {}
        self.alive = True
        self.refuse, self.die_at, self.asked = set(refuse), die_at, []
        self.observation = Observation(
            "here",
            "load_model",
            Status.LOADED,
            inputs=tuple(Port(f"x{i}", "float32", shape) for i, shape in enumerate(shapes)),
            variables=tuple(
                VariableDigest(path, values.shape, str(values.dtype), sha256(values))
                for path, values in variables.items()
            ),
        )

    def _ask(self, verb):
        self.asked.append(verb)
        if self.die_at is not None and len(self.asked) >= self.die_at:
            self.alive = False
        if not self.alive:
            return Observation("here", "load_model", Status.CRASHED, error="died of signal 11")
        if verb in self.refuse:
            return Observation("here", "load_model", Status.FAILED, "ValueError", f"no {verb}")
        return None

    def put(self, arrays, *, drop=()):
        failed = self._ask("put")
        if failed is None:
            for name in drop:
                del self.arrays[name]
            self.arrays |= arrays
        return failed

    def predict(self, feeds, *, batch_size=32, training=False, rows=None, traced=True):
        failed = self._ask("predict" if training is not None else "call")
        if failed is not None:
            return failed
        fed = [self._fed(feed)[:rows] for feed in feeds]
        return self.function(self.variables, fed, training)

    def _fed(self, feed):
        x, how = self.arrays[feed.put], feed.transform
        if how.perm is not None:
            x = x.transpose(how.perm)
        return np.flip(x, how.flip).astype("float64") * how.scale + how.offset

    def activations(self, feeds, watches, **_):
        return self._ask("activations") or tuple({} for _ in watches)

    def assign(self, values):
        failed = self._ask("assign")
        if failed is None:
            assert set(values) <= set(self.variables)
            self.variables |= values
        return failed

    def restore(self):
        failed = self._ask("restore")
        if failed is None:
            self.variables = dict(self.stored)
        return failed


def linear(variables, inputs, training):
    """Softmax of one dense layer on flattened images."""
    flat = inputs[0].reshape(len(inputs[0]), -1)
    return {"digit": softmax(flat @ variables["head/kernel"] + variables["head/bias"])}


def artifact_of(kernel, bias, side=SIDE):
    """The artifact of `linear`: a dense kernel directly after a flattened map."""
    stored = {"kernel": kernel, "bias": bias}
    tensors = tuple(
        Tensor(
            name,
            values.shape,
            str(values.dtype),
            values.nbytes,
            "m.keras",
            sha256=sha256(values),
            source=Source(values),
        )
        for name, values in stored.items()
    )
    head = Kernel(
        route="head",
        tensor="kernel",
        kind="dense",
        axes="io",
        spatial=0,
        shape=kernel.shape,
        bias="bias",
        activation="softmax",
        grid=(side, side, 1),
    )
    return Artifact("m.keras", Format.KERAS_ARCHIVE, tensors=tensors, kernels=(head,))


def templates(rng):
    """One asymmetric image per class, (CLASSES, SIDE, SIDE, 1), of norm 1."""
    made = rng.normal(size=(CLASSES, SIDE, SIDE, 1))
    made -= made[:, :, ::-1]  # odd under the mirror: the opposite of its mirror image
    return (made / np.sqrt((made**2).sum(axis=(1, 2, 3), keepdims=True))).astype("float32")
