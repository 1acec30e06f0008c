"""Custom objects of a model of stories in `series.py`; copied as `customs_19_stories.py` beside
the models.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

keras = sys.modules["__main__"].keras
layers, ops = keras.layers, getattr(keras, "ops", None)


class StoryNorm(layers.Layer):
    """A normalization of the mean square; no config."""

    def __init__(self, dim: int, eps: float, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.eps = eps

    def build(self, input_shape):
        given = {"initializer": keras.initializers.Ones(), "dtype": self.dtype}
        given |= {"trainable": True, "name": "rmsnorm_weight"}
        self.weight = self.add_weight(shape=(self.dim,), **given)
        super().build(input_shape)

    def call(self, x):
        mean = ops.mean(ops.power(x, 2), axis=-1, keepdims=True)
        return x * ops.reciprocal(ops.sqrt(mean + self.eps)) * self.weight


@dataclass
class StoryArgs:
    """What the network is made of."""

    dim: int = 8
    n_layers: int = 2
    n_heads: int = 2
    vocab_size: int = 13
    hidden_dim: int = 12
    norm_eps: float = 1e-5
    max_seq_len: int = 6
    dropout: float = 0.0


def _turned(x, cos, sin):
    """Pairs of features turned by their place."""
    x = ops.reshape(x, x.shape[:-1] + (x.shape[-1] // 2, 2))
    one, two = ops.unstack(x, 2, axis=-1)
    shape = [size if i in (1, len(one.shape) - 1) else 1 for i, size in enumerate(one.shape)]
    cos, sin = ops.reshape(cos, shape), ops.reshape(sin, shape)
    out = ops.stack([one * cos - two * sin, one * sin + two * cos], axis=-1)
    return ops.reshape(out, tuple(out.shape[:-2]) + (-1,))


class StoryAttention(keras.Model):
    """Attention as a Model with a mask as a tensor, which builds its layers itself."""

    def __init__(self, args: StoryArgs, **kwargs):
        super().__init__(**kwargs)
        self.args = args
        self.head_dim = args.dim // args.n_heads
        self.wq = layers.Dense(args.n_heads * self.head_dim, use_bias=False, name="wq")
        self.wk = layers.Dense(args.n_heads * self.head_dim, use_bias=False, name="wk")
        self.wv = layers.Dense(args.n_heads * self.head_dim, use_bias=False, name="wv")
        self.wo = layers.Dense(args.dim, use_bias=False, name="wo")
        self.attn_dropout = layers.Dropout(args.dropout)
        self.resid_dropout = layers.Dropout(args.dropout)
        shape = (1, 1, args.max_seq_len, args.max_seq_len)
        self.mask = ops.triu(ops.full(shape, float("-inf"), dtype=self.dtype), k=1)

    def build(self, input_shape):
        for layer in (self.wq, self.wk, self.wv, self.wo):
            layer.build(input_shape)
        self.built = True

    def call(self, x, freqs_cos, freqs_sin, batch_size=1, training=False, **kwargs):
        bsz, seqlen, _ = x.shape
        if bsz is None:
            bsz = batch_size
        shape = (bsz, seqlen, self.args.n_heads, self.head_dim)
        xq, xk, xv = (ops.reshape(each(x), shape) for each in (self.wq, self.wk, self.wv))
        xq, xk = _turned(xq, freqs_cos, freqs_sin), _turned(xk, freqs_cos, freqs_sin)
        xq, xk, xv = (ops.transpose(each, (0, 2, 1, 3)) for each in (xq, xk, xv))
        scores = ops.matmul(xq, ops.transpose(xk, (0, 1, 3, 2))) / math.sqrt(self.head_dim)
        scores += self.mask[:, :, :seqlen, :seqlen]
        output = ops.matmul(self.attn_dropout(ops.softmax(scores, axis=-1)), xv)
        output = ops.reshape(ops.transpose(output, (0, 2, 1, 3)), (bsz, seqlen, -1))
        return self.resid_dropout(self.wo(output))


class StoryFeed(keras.Model):
    """Three dense layers, built in the order of their shapes."""

    def __init__(self, args, **kwargs):
        super().__init__(**kwargs)
        self.args = args
        self.w1 = layers.Dense(args.hidden_dim, use_bias=False, name="w1")
        self.w2 = layers.Dense(args.dim, use_bias=False, name="w2")
        self.w3 = layers.Dense(args.hidden_dim, use_bias=False, name="w3")
        self.dropout = layers.Dropout(args.dropout)

    def build(self, input_shape):
        self.w1.build(input_shape)
        self.w3.build(input_shape)
        self.w2.build(self.w1.compute_output_shape(input_shape))
        self.built = True

    def call(self, x, training=False):
        return self.dropout(self.w2(ops.silu(self.w1(x)) * self.w3(x)))


class StoryBlock(keras.Model):
    """Attention and dense layers behind normalizations."""

    def __init__(self, layer_id: int, args, **kwargs):
        super().__init__(**kwargs)
        self.attention = StoryAttention(args)
        self.feed_forward = StoryFeed(args)
        self.layer_id = layer_id
        self.attention_norm = StoryNorm(args.dim, eps=args.norm_eps)
        self.ffn_norm = StoryNorm(args.dim, eps=args.norm_eps)

    def build(self, input_shape):
        self.attention.build(input_shape)
        self.feed_forward.build(input_shape)
        self.attention_norm.build(input_shape)
        self.ffn_norm.build(input_shape)
        self.built = True

    def call(self, x, freqs_cos, freqs_sin, batch_size=1, training=False, **kwargs):
        given = {"batch_size": batch_size}
        h = x + self.attention(self.attention_norm(x), freqs_cos, freqs_sin, **given)
        return h + self.feed_forward(self.ffn_norm(h))


class StoryTeller(keras.Model):
    """The next token of a story; tensors of places and a dataclass as attributes."""

    def __init__(self, params, jit_generate=False, **kwargs):
        super().__init__(**kwargs)
        self.params = params
        self.vocab_size = params.vocab_size
        self.n_layers = params.n_layers
        self.tok_embeddings = layers.Embedding(params.vocab_size, params.dim)
        self.dropout = layers.Dropout(params.dropout)
        self.t_layers = [
            StoryBlock(layer_id, params, name=f"layer.{layer_id}")
            for layer_id in range(params.n_layers)
        ]
        self.norm = StoryNorm(params.dim, eps=params.norm_eps)
        self.embed_out = layers.Dense(params.vocab_size, use_bias=False, name="output")
        dim = params.dim // params.n_heads
        freqs = 1.0 / (10_000.0 ** (ops.arange(0, dim, 2, dtype="float32")[: dim // 2] / dim))
        freqs = ops.outer(ops.arange(params.max_seq_len, dtype="float32"), freqs)
        self.freqs_cos, self.freqs_sin = ops.cos(freqs), ops.sin(freqs)
        self.last_loss = None
        self.jit_generate = jit_generate
        self.batch_size = 1

    def build(self, input_shape):
        self.tok_embeddings.build(input_shape)
        shape = self.tok_embeddings.compute_output_shape(input_shape)
        for layer in self.t_layers:
            layer.build(shape)
        self.norm.build(shape)
        self.embed_out.build(shape)
        self.built = True

    def call(self, tokens, targets=None, batch_size=1, training=False):
        bsz, seqlen = tokens.shape
        h = self.dropout(self.tok_embeddings(tokens))
        freqs_cos, freqs_sin = self.freqs_cos[:seqlen], self.freqs_sin[:seqlen]
        for layer in self.t_layers:
            h = layer(h, freqs_cos, freqs_sin, batch_size=bsz)
        h = self.norm(h)
        self.last_loss = None
        return self.embed_out(h[None, :, -1, :])

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        super().load_weights(filepath, skip_mismatch, **kwargs)
