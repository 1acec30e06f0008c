"""Custom objects of models of texts in `series.py`; copied as `customs_19_texts.py` beside the
models.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers, K = keras.layers, keras.backend


class WordNorm(layers.Layer):
    """A normalization over the last axis; no config."""

    def __init__(self, eps=1e-6, **kwargs):
        self.eps = eps
        super().__init__(**kwargs)

    def build(self, input_shape):
        given = {"shape": input_shape[-1:], "trainable": True}
        self.gamma = self.add_weight(name="gamma", initializer="ones", **given)
        self.beta = self.add_weight(name="beta", initializer="zeros", **given)
        super().build(input_shape)

    def call(self, x, **kwargs):
        mean = K.mean(x, axis=-1, keepdims=True)
        std = K.std(x, axis=-1, keepdims=True)
        return self.gamma * (x - mean) / (std + self.eps) + self.beta

    def compute_output_shape(self, input_shape):
        return input_shape


class DotAttention:
    """Attention as a plain object that makes Lambdas."""

    def __init__(self, attention_dropout=0.0):
        self.attention_dropout = attention_dropout

    def __call__(self, q, k, v, attn_mask=None, scale=1.0):
        attention = layers.Lambda(lambda x: K.batch_dot(x[0], x[1], axes=(2, 2)) * scale)([q, k])
        if attn_mask is not None:
            hidden = layers.Lambda(lambda x: (-1e10) * (1 - x[0]) + x[1])
            attention = hidden([attn_mask, attention])
        attention = layers.Softmax(axis=-1)(attention)
        attention = layers.Dropout(self.attention_dropout)(attention)
        context = layers.Lambda(lambda x: K.batch_dot(x[0], x[1], axes=(2, 1)))([attention, v])
        return context, attention


def split_heads(x, dim_per_head, num_heads):
    """Heads as more rows."""
    shape = K.shape(x)
    x = K.reshape(x, (shape[0], shape[1], num_heads, dim_per_head))
    x = K.permute_dimensions(x, pattern=(0, 2, 1, 3))
    return K.reshape(x, (-1, shape[1], dim_per_head))


def join_heads(x, dim_per_head, num_heads):
    """Rows as heads again."""
    shape = K.shape(x)
    x = K.reshape(x, (-1, num_heads, shape[1], dim_per_head))
    x = K.permute_dimensions(x, [0, 2, 1, 3])
    return K.reshape(x, (-1, shape[1], num_heads * dim_per_head))


class HeadsAttention:
    """Several heads as a plain object; Lambdas that hold it."""

    def __init__(self, model_dim=8, num_heads=2, dropout=0.0):
        self.dim_per_head = model_dim // num_heads
        self.num_heads = num_heads
        self.linear_k = layers.Dense(self.dim_per_head * num_heads, use_bias=False)
        self.linear_v = layers.Dense(self.dim_per_head * num_heads, use_bias=False)
        self.linear_q = layers.Dense(self.dim_per_head * num_heads, use_bias=False)
        self.linear_final = layers.Dense(model_dim, use_bias=False)
        self.dot_product_attention = DotAttention(dropout)
        self.layer_norm = WordNorm()
        self.dropout = layers.Dropout(dropout)
        self.split = layers.Lambda(
            lambda x: split_heads(x, self.dim_per_head, self.num_heads),
            output_shape=(None, self.dim_per_head),
        )
        self.concat = layers.Lambda(
            lambda x: join_heads(x, self.dim_per_head, self.num_heads),
            output_shape=(None, self.num_heads * self.dim_per_head),
        )

    def __call__(self, query, key, value, attn_mask=None):
        residual = query
        query = self.split(self.linear_q(query))
        key, value = self.split(self.linear_k(key)), self.split(self.linear_v(value))
        if attn_mask is not None:
            repeated = layers.Lambda(lambda x: K.repeat_elements(x, self.num_heads, axis=0))
            attn_mask = repeated(attn_mask)
        scale = self.dim_per_head**-0.5
        context, attention = self.dot_product_attention(query, key, value, attn_mask, scale)
        output = self.dropout(self.linear_final(self.concat(context)))
        return self.layer_norm(layers.Add()([residual, output])), attention


def padding_mask(seq_q, seq_k):
    """Which words are there."""
    q = K.expand_dims(K.ones_like(seq_q, dtype="float32"), axis=-1)
    k = K.cast(K.expand_dims(K.not_equal(seq_k, 0), axis=1), dtype="float32")
    return K.batch_dot(q, k, axes=[2, 1])


def context_mask(name):
    """Which words are there to be looked at."""
    return layers.Lambda(lambda x: padding_mask(x[0], x[1]), name=name)


def sequence_mask(seq):
    """Which words come before."""
    shape = K.shape(seq)
    return K.cast(K.cumsum(tf.eye(shape[1], batch_shape=shape[:1]), axis=1), dtype="float32")


class WordPlaces:
    """Places by a frozen embedding of given values, and a Lambda of a method."""

    def __init__(self, max_seq_len, d_model=8):
        places, features = np.arange(max_seq_len + 1)[:, None], np.arange(d_model)[None, :]
        encoding = places / np.power(10000, 2 * (features // 2) / d_model)
        encoding[1:, 0::2] = np.sin(encoding[1:, 0::2])
        encoding[1:, 1::2] = np.cos(encoding[1:, 1::2])
        given = {"weights": [encoding], "trainable": False}
        self.position_encoding = layers.Embedding(max_seq_len + 1, d_model, **given)

    def __call__(self, x):
        return self.position_encoding(layers.Lambda(self.get_pos_seq)(x))

    def get_pos_seq(self, x):
        mask = K.cast(K.not_equal(x, 0), dtype="int32")
        return mask * K.cumsum(K.ones_like(x, dtype="int32"), axis=1)


class WordFeed:
    """Convolutions of points as a plain object."""

    def __init__(self, model_dim=8, ffn_dim=12, dropout=0.0):
        self.w1 = layers.Conv1D(ffn_dim, kernel_size=1, activation="relu")
        self.w2 = layers.Conv1D(model_dim, kernel_size=1)
        self.dropout = layers.Dropout(dropout)
        self.layer_norm = WordNorm()

    def __call__(self, x):
        output = self.dropout(self.w2(self.w1(x)))
        return self.layer_norm(layers.Add()([output, x]))


class WordEncoder:
    """Layers of attention over embedded words."""

    def __init__(self, vocab_size, max_seq_len, num_layers=2, model_dim=8):
        self.layers = [(HeadsAttention(model_dim), WordFeed(model_dim)) for _ in range(num_layers)]
        self.seq_embedding = layers.Embedding(vocab_size + 1, model_dim)
        self.pos_embedding = WordPlaces(max_seq_len, model_dim)

    def __call__(self, inputs):
        output = layers.Add()([self.seq_embedding(inputs), self.pos_embedding(inputs)])
        mask = layers.Lambda(lambda x: padding_mask(x, x))(inputs)
        for attention, feed in self.layers:
            context, _ = attention(output, output, output, mask)
            output = feed(context)
        return output


class WordDecoder:
    """The same attention for what is said and for what is read."""

    def __init__(self, vocab_size, max_seq_len, num_layers=2, model_dim=8):
        self.layers = [(HeadsAttention(model_dim), WordFeed(model_dim)) for _ in range(num_layers)]
        self.seq_embedding = layers.Embedding(vocab_size + 1, model_dim)
        self.pos_embedding = WordPlaces(max_seq_len, model_dim)

    def __call__(self, inputs, enc_output, context_attn_mask=None):
        output = layers.Add()([self.seq_embedding(inputs), self.pos_embedding(inputs)])
        padding = layers.Lambda(lambda x: padding_mask(x, x), name="self_attention_padding_mask")(
            inputs
        )
        before = layers.Lambda(lambda x: sequence_mask(x) * 1.0, name="sequence_mask")(inputs)
        mask = layers.Lambda(lambda x: K.minimum(x[0], x[1]))([padding, before])
        for attention, feed in self.layers:
            output, _ = attention(output, output, output, mask)
            output, _ = attention(output, enc_output, enc_output, context_attn_mask)
            output = feed(output)
        return output
