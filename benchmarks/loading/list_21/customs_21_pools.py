"""Custom objects of an encoder of sentences in `texts.py`; copied as `customs_21_pools.py` beside
the models.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class PooledHeads(layers.Layer):
    """Attention, whose `build` calls itself built before it calls that of its base."""

    def __init__(
        self,
        d_model,
        num_heads,
        return_mha=False,
        kernel_initializer="glorot_normal",
        kernel_regularizer=None,
        **kwargs,
    ):
        if "input_shape" not in kwargs and "input_dim" in kwargs:
            kwargs["input_shape"] = (kwargs.pop("input_dim"),)
        super().__init__(**kwargs)
        self.d_model = d_model
        self.num_heads = num_heads
        self.return_mha = return_mha
        self.kernel_initializer = kernel_initializer
        self.kernel_regularizer = kernel_regularizer
        assert self.d_model % self.num_heads == 0
        self.depth = self.d_model // self.num_heads
        self.wQuery = layers.Dense(self.d_model)
        self.wKey = layers.Dense(self.d_model)
        self.wValue = layers.Dense(self.d_model)
        self.unifyHeads = layers.Dense(self.d_model)

    def build(self, input_shape):
        assert len(input_shape) >= 2
        self.built = True
        super().build(input_shape)

    def call(self, v, q, k, mask):
        batch_size, input_size = tf.shape(q)[0], tf.shape(q)[1]
        mixed_q = self._split_heads(self.wQuery(q), batch_size, input_size)
        mixed_k = self._split_heads(self.wQuery(k), batch_size, input_size)
        mixed_v = self._split_heads(self.wValue(v), batch_size, input_size)
        scaled = tf.matmul(mixed_q, mixed_k, transpose_b=True)
        scaled = scaled / tf.math.sqrt(tf.cast(tf.shape(mixed_k)[-1], tf.float32))
        if mask is not None:
            scaled += mask * -1e9
        found = tf.matmul(tf.nn.softmax(scaled, axis=-1), mixed_v)
        found = tf.reshape(tf.transpose(found, perm=[0, 2, 1, 3]), (batch_size, -1, self.d_model))
        return self.unifyHeads(found)

    def _split_heads(self, x, batch_size, input_size):
        x = tf.reshape(x, (batch_size, input_size, self.num_heads, self.depth))
        return tf.transpose(x, perm=[0, 2, 1, 3])


class PooledPlaces(layers.Layer):
    """An embedding and places; the defaults of the arguments are types."""

    def __init__(self, input_vocab_size=int, d_model=int, max_pos_encoding=int, **kwargs):
        super().__init__(**kwargs)
        self.input_vocab_size = input_vocab_size
        self.d_model = d_model
        self.maxposEncoding = max_pos_encoding
        self.Embedding = layers.Embedding(self.input_vocab_size, self.d_model)
        self.posEncoding = self._compute_position(self.maxposEncoding, self.d_model)

    def build(self, input_shape):
        assert len(input_shape) >= 2
        self.built = True
        super().build(input_shape)

    def call(self, x, mask=None):
        max_len = tf.shape(x)[1]
        x = self.Embedding(x)
        x *= tf.math.sqrt(tf.cast(self.d_model, tf.float32))
        return x + self.posEncoding[:, :max_len, :]

    def _compute_position(self, position, d_model):
        place = np.arange(position)[:, np.newaxis]
        i = np.arange(d_model)[np.newaxis, :]
        found = place / np.power(10000, (2 * (i // 2)) / np.float32(d_model))
        found[:, 0::2] = np.sin(found[:, 0::2])
        found[:, 1::2] = np.cos(found[:, 1::2])
        return tf.cast(found[np.newaxis, ...], tf.float32)


class PooledEncoder(layers.Layer):
    """A block of the encoder."""

    def __init__(
        self, d_model=int, num_heads=int, dff=int, return_attention=False, dropout=int, **kwargs
    ):
        super().__init__(**kwargs)
        self.d_model = d_model
        self.num_heads = num_heads
        self.dff = dff
        self.return_attention = return_attention
        self.dropoutRate = dropout
        self.MHA = PooledHeads(self.d_model, self.num_heads)
        self.FFN = self._feed_forward(self.d_model, self.dff)
        self.LayerNorm1 = layers.LayerNormalization()
        self.LayerNorm2 = layers.LayerNormalization()
        self.DropOut1 = layers.Dropout(self.dropoutRate)
        self.DropOut2 = layers.Dropout(self.dropoutRate)

    def build(self, input_shape):
        assert len(input_shape) >= 2
        self.built = True
        super().build(input_shape)

    def call(self, x, mask):
        if not self.return_attention:
            attention_output = self.MHA(x, x, x, mask)
        else:
            attention_output, _ = self.MHA(x, x, x, mask)
        first = self.LayerNorm1(x + self.DropOut1(attention_output))
        second = self.DropOut2(self.FFN(first))
        return self.LayerNorm2(first + second)

    def _feed_forward(self, d_model, dff):
        return keras.Sequential([layers.Dense(dff, activation="relu"), layers.Dense(d_model)])


class SentencePooler(layers.Layer):
    """One vector of a sentence."""

    def __init__(self, d_model=int, pooling_activation="tanh", pooling_strategy=str, **kwargs):
        super().__init__(**kwargs)
        self.d_model = d_model
        self.pooling_activation = pooling_activation
        self.pooling_strategy = pooling_strategy
        if self.pooling_strategy == "Average":
            self.poolingLayer = layers.GlobalAveragePooling1D()
        elif self.pooling_strategy == "CLS":
            self.poolingLayer = layers.Dense(self.d_model, activation=self.pooling_activation)

    def call(self, x):
        return self.poolingLayer(x if self.pooling_strategy == "Average" else x[:, 0])


class PooledTransformer(layers.Layer):
    """All of it as one layer: a list of one block, which is called several times."""

    def __init__(
        self,
        num_encoder=int,
        d_model=int,
        num_heads=int,
        dff=int,
        input_vocab_size=int,
        max_pos_encoding=int,
        dropout_rate=int,
        pooling_activation=str,
        pooling_strategy=str,
        n_classes=int,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.nlayers = num_encoder
        self.d_model = d_model
        self.num_heads = num_heads
        self.dff = dff
        self.input_vocab_size = input_vocab_size
        self.max_pos_encoding = max_pos_encoding
        self.pooling_activation = pooling_activation
        self.pooling_strategy = pooling_strategy
        self.n_classes = n_classes
        self.dropoutRate = dropout_rate
        self.Embedding = PooledPlaces(self.input_vocab_size, self.d_model, self.max_pos_encoding)
        self.encoderLayers = [
            PooledEncoder(self.d_model, self.num_heads, self.dff, False, self.dropoutRate)
        ]
        self.encoderPooler = SentencePooler(
            self.d_model, self.pooling_activation, self.pooling_strategy
        )
        if self.n_classes > 1:
            self.logits = layers.Dense(n_classes, activation="softmax")
        else:
            self.logits = layers.Dense(n_classes, activation="sigmoid")

    def call(self, x, mask=None):
        x = self.Embedding(x)
        for _ in list(range(self.nlayers)):
            x = self.encoderLayers[0](x, mask)
        return self.logits(self.encoderPooler(x))
