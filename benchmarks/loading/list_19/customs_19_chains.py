"""Custom objects of a chain of tags in `series.py`; copied as `customs_19_chains.py` beside the
models.
"""

from __future__ import annotations

import sys

keras = sys.modules["__main__"].keras
layers, ops = keras.layers, getattr(keras, "ops", None)


def _symbolic(x):
    return "KerasTensor" in x.__class__.__name__ or any(size is None for size in x.shape)


def _before(lens, most):
    return ops.less(ops.expand_dims(ops.arange(most), 0), ops.expand_dims(lens, -1))


def crf_log_likelihood(potentials, tags, lens, trans):
    """How likely the tags are: their score without what all chains sum up to."""
    lens = ops.cast(lens, "int32")
    steps, units = ops.shape(potentials)[1], ops.shape(potentials)[2]
    one_hot = ops.one_hot(tags, units)
    unary = ops.sum(potentials * one_hot, axis=-1)
    unary = ops.sum(unary * ops.cast(_before(lens, steps), unary.dtype), axis=-1)
    pairs = ops.sum(ops.matmul(one_hot[:, :-1], trans) * one_hot[:, 1:], axis=-1)
    pairs = pairs * ops.cast(_before(lens - 1, steps - 1), pairs.dtype)
    emitted = ops.transpose(potentials[:, 1:], (1, 0, 2))
    valid = ops.transpose(_before(lens, steps)[:, 1:], (1, 0))

    def body(t, alphas):
        scores = ops.expand_dims(alphas, 2) + ops.expand_dims(trans, 0)
        new = ops.logsumexp(scores, axis=1) + ops.take(emitted, t, axis=0)
        kept = ops.where(ops.expand_dims(ops.take(valid, t, axis=0), -1), new, alphas)
        return t + 1, kept

    start = (ops.zeros((), dtype="int32"), potentials[:, 0])
    _, alphas = ops.while_loop(lambda t, _: t < steps - 1, body, start)
    return unary + ops.sum(pairs, axis=-1) - ops.logsumexp(alphas, axis=-1)


def crf_decode(potentials, lens, trans):
    """The best chain, forwards and then backwards."""
    steps, units = ops.shape(potentials)[1], ops.shape(potentials)[2]
    emitted = ops.transpose(potentials[:, 1:], (1, 0, 2))
    valid = ops.transpose(_before(lens, steps)[:, 1:], (1, 0))

    def forwards(alphas, inputs):
        emit, here = inputs
        scores = ops.expand_dims(alphas, 2) + ops.expand_dims(trans, 0)
        best = ops.cast(ops.argmax(scores, axis=1), potentials.dtype)
        new = ops.max(scores, axis=1) + emit
        return ops.where(ops.expand_dims(here, -1), new, alphas), best

    alphas, back = ops.scan(forwards, potentials[:, 0], xs=(emitted, valid))
    last = ops.cast(ops.argmax(alphas, axis=-1), "int32")

    def backwards(tag, inputs):
        from_tags, here = inputs
        before = ops.sum(from_tags * ops.one_hot(tag, units), axis=1)
        return ops.where(here, ops.cast(before, "int32"), tag), tag

    first, tags = ops.scan(backwards, last, xs=(back, valid), reverse=True)
    tags = ops.concatenate([ops.expand_dims(first, 0), tags], axis=0)
    return ops.transpose(tags, (1, 0)), ops.max(alphas, axis=-1)


@keras.utils.register_keras_serializable(package="Keras3CRF")
class ChainField(layers.Layer):
    """A conditional random field with four outputs, which says how it is built."""

    def __init__(self, units: int, use_boundary: bool = True, use_kernel: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units = units
        self.use_boundary = use_boundary
        self.use_kernel = use_kernel
        if self.use_kernel:
            self.proj = layers.Dense(units)
        else:
            self.proj = None

    def build(self, input_shape):
        shape = (self.units, self.units)
        self.trans = self.add_weight(shape=shape, name="transitions", initializer="glorot_uniform")
        if self.use_boundary:
            given = {"shape": (self.units,), "initializer": "zeros"}
            self.left_boundary = self.add_weight(name="left_boundary", **given)
            self.right_boundary = self.add_weight(name="right_boundary", **given)
        if self.use_kernel:
            self.proj.build(input_shape)
        super().build(input_shape)

    def call(self, inputs, mask=None, **kwargs):
        x = inputs[0] if isinstance(inputs, (list, tuple)) else inputs
        potentials = self.proj(x) if self.proj is not None else x
        batch, steps = ops.shape(potentials)[0], ops.shape(potentials)[1]
        if mask is None:
            lens = ops.full((batch,), steps, dtype="int32")
        else:
            lens = ops.sum(ops.cast(mask, "int32"), axis=1)
        if self.use_boundary:
            potentials = self._with_ends(potentials, mask, lens)
        if _symbolic(potentials):
            decoded = ops.argmax(potentials, axis=-1)
        else:
            decoded, _ = crf_decode(potentials, lens, self.trans)
        return decoded, potentials, lens, ops.convert_to_tensor(self.trans)

    def _with_ends(self, potentials, mask, lengths):
        batch, steps = ops.shape(potentials)[0], ops.shape(potentials)[1]
        if mask is None:
            first = ops.zeros((batch,), dtype="int32")
            last = ops.full((batch,), steps - 1, dtype="int32")
        else:
            first = steps - lengths
            last = first + lengths - 1
        here = ops.arange(steps)[None, :]
        for place, bound in ((first, self.left_boundary), (last, self.right_boundary)):
            chosen = ops.cast(ops.equal(here, ops.expand_dims(place, 1)), potentials.dtype)
            wide = ops.reshape(bound, (1, 1, self.units))
            potentials = potentials + ops.expand_dims(chosen, -1) * wide
        return potentials

    def compute_output_shape(self, input_shape):
        batch, steps, _ = input_shape
        units = self.units
        return (batch, steps), (batch, steps, units), (batch,), (units, units)

    def get_config(self):
        cfg = {"units": self.units, "use_boundary": self.use_boundary}
        return {**super().get_config(), **cfg, "use_kernel": self.use_kernel}

    def get_build_config(self):
        wide = int(self.units) if not self.use_kernel else None
        if self.use_kernel and getattr(self.proj, "kernel", None) is not None:
            wide = int(self.proj.kernel.shape[0])
        return {"input_shape": (None, None, wide)}

    def build_from_config(self, cfg):
        shape = cfg.get("input_shape", (None, None, None))
        self.build((None, None, shape[-1]))
        self.built = True
