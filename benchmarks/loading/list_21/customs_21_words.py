"""Custom objects of models of words in `texts.py`; copied as `customs_21_words.py` beside the
models.
"""

from __future__ import annotations

import copy
import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class PlainNorm(layers.Layer):
    """A normalization with constants for weights."""

    def __init__(self, num_feat, eps=1e-6):
        super().__init__()
        self.a_2 = tf.ones([num_feat])
        self.b_2 = tf.zeros([num_feat])
        self.eps = eps

    def call(self, x):
        mean = tf.math.reduce_mean(x, axis=-1, keepdims=True)
        std = tf.math.reduce_std(x, axis=-1, keepdims=True)
        return self.a_2 * (x - mean) / (std + self.eps) + self.b_2


class CopiedHeads(layers.Layer):
    """Attention that keeps its weights as an attribute; its layers begin with a line."""

    def __init__(self, d_model, num_heads, dropout=0.1, name="multihead_attention", **kwargs):
        super().__init__(name=name, **kwargs)
        self._num_heads = num_heads
        self._d_model = d_model
        assert d_model % num_heads == 0
        self._d_kv = d_model // num_heads
        self._wq = layers.Dense(d_model)
        self._wk = layers.Dense(d_model)
        self._wv = layers.Dense(d_model)
        self._wout = layers.Dense(d_model)
        self._attn = None
        self._dropout = layers.Dropout(dropout)

    def _transform_input(self, x, batch_size):
        x = tf.reshape(x, (batch_size, -1, self._num_heads, self._d_kv))
        return tf.transpose(x, perm=[0, 2, 1, 3])

    def call(self, query, key, value, mask=None):
        batch_size = tf.shape(query)[0]
        query, key, value = (
            self._transform_input(layer(x), batch_size)
            for layer, x in ((self._wq, query), (self._wk, key), (self._wv, value))
        )
        scores = tf.matmul(query, key, transpose_b=True) / tf.sqrt(float(self._d_kv))
        if mask is not None:
            scores += mask * -1e9
        self._attn = self._dropout(tf.nn.softmax(scores, axis=-1))
        x = tf.transpose(tf.matmul(self._attn, value), perm=[0, 2, 1, 3])
        return self._wout(tf.reshape(x, (batch_size, -1, self._d_model)))


class CopiedEncoder(layers.Layer):
    """Copies of the layer that it is given."""

    def __init__(self, layer, n_blocks, name="encoder", **kwargs):
        super().__init__(name=name, **kwargs)
        self.layers = [copy.deepcopy(layer) for _ in range(n_blocks)]
        self.norm = PlainNorm(layer.size)

    def call(self, x, mask):
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x)


class CopiedEncoderLayer(layers.Layer):
    """A block, with its normalization first."""

    def __init__(self, d_model, num_head, d_ff, dropout=0.1, name="encoder_layer", **kwargs):
        super().__init__(name=name, **kwargs)
        self.size = d_model
        self.attention = CopiedHeads(d_model, num_head)
        self.norm1 = PlainNorm(d_model)
        self.dropout1 = layers.Dropout(dropout)
        self.feedforward = keras.Sequential(
            [layers.Dense(d_ff, activation="relu"), layers.Dense(d_model)]
        )
        self.norm2 = PlainNorm(d_model)
        self.dropout2 = layers.Dropout(dropout)

    def call(self, x, mask):
        x_norm = self.norm1(x)
        x = x + self.dropout1(self.attention(x_norm, x_norm, x_norm, mask))
        return x + self.dropout2(self.feedforward(self.norm2(x)))


class CopiedDecoder(layers.Layer):
    """Copies of a layer that looks at what was encoded."""

    def __init__(self, layer, n_blocks, name="decoder", **kwargs):
        super().__init__(name=name, **kwargs)
        self.layers = [copy.deepcopy(layer) for _ in range(n_blocks)]
        self.norm = PlainNorm(layer.size)

    def call(self, x, memory, src_mask, tgt_mask):
        for layer in self.layers:
            x = layer(x, memory, src_mask, tgt_mask)
        return self.norm(x)


class CopiedDecoderLayer(layers.Layer):
    """A block with two attentions."""

    def __init__(self, d_model, num_head, d_ff, dropout=0.1, name="decoder_layer", **kwargs):
        super().__init__(name=name, **kwargs)
        self.size = d_model
        self.attention = CopiedHeads(d_model, num_head)
        self.norm1 = PlainNorm(d_model)
        self.src_attention = CopiedHeads(d_model, num_head)
        self.norm2 = PlainNorm(d_model)
        self.feedforward = keras.Sequential(
            [layers.Dense(d_ff, activation="relu"), layers.Dense(d_model)]
        )
        self.norm3 = PlainNorm(d_model)
        self.dropout = layers.Dropout(dropout)

    def call(self, x, memory, src_mask, tgt_mask):
        x_norm = self.norm1(x)
        x = x + self.dropout(self.attention(x_norm, x_norm, x_norm, tgt_mask))
        x = x + self.dropout(self.src_attention(self.norm2(x), memory, memory, src_mask))
        return x + self.dropout(self.feedforward(self.norm3(x)))


class CopiedPlaces(layers.Layer):
    """Places as a constant tensor."""

    def __init__(self, d_model, dropout=0.1, max_length=20):
        super().__init__()
        self.dropout = layers.Dropout(dropout)
        position = np.arange(max_length)[:, np.newaxis]
        i = np.arange(d_model)[np.newaxis, :]
        angle_rads = position / np.power(10000.0, (2 * (i // 2)) / np.float32(d_model))
        angle_rads[:, 0::2] = np.sin(angle_rads[:, 0::2])
        angle_rads[:, 1::2] = np.cos(angle_rads[:, 1::2])
        self.positional_encoding = tf.cast(angle_rads[np.newaxis, ...], dtype=tf.float32)

    def call(self, x):
        x = x + self.positional_encoding[:, : tf.shape(x)[1]]
        return self.dropout(x)


class CopiedEncoderDecoder(layers.Layer):
    """Four layers that it is given."""

    def __init__(self, encoder, decoder, src_embed, tgt_embed, name="encoder_decoder", **kwargs):
        super().__init__(name=name, **kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.src_embed = src_embed
        self.tgt_embed = tgt_embed

    def call(self, src, tgt, src_mask=None, tgt_mask=None):
        memory = self.encoder(self.src_embed(src), src_mask)
        return self.decoder(self.tgt_embed(tgt), memory, src_mask, tgt_mask)


class CopiedTransformer(keras.Model):
    """Translation of a list of four tensors, with a step of its own that makes the masks."""

    def __init__(
        self, src_vocab, tgt_vocab, n_blocks=6, d_model=512, d_ff=2048, h=8, name="copied", **kwargs
    ):
        super().__init__(name=name, **kwargs)
        self.enc_dec = CopiedEncoderDecoder(
            CopiedEncoder(CopiedEncoderLayer(d_model, h, d_ff), n_blocks),
            CopiedDecoder(CopiedDecoderLayer(d_model, h, d_ff), n_blocks),
            keras.Sequential([layers.Embedding(src_vocab, d_model), CopiedPlaces(d_model)]),
            keras.Sequential([layers.Embedding(tgt_vocab, d_model), CopiedPlaces(d_model)]),
        )
        self.final_layer = layers.Dense(tgt_vocab)

    def call(self, inputs):
        src, tgt, src_mask, tgt_mask = inputs
        return self.final_layer(self.enc_dec(src, tgt, src_mask, tgt_mask))

    def train_step(self, data):
        src, tgt = data
        tgt_in, tgt_out = tgt[:, :-1], tgt[:, 1:]
        src_mask = tf.cast(tf.equal(src, 0), tf.float32)[:, tf.newaxis, tf.newaxis, :]
        tgt_mask = tf.cast(tf.equal(tgt_in, 0), tf.float32)[:, tf.newaxis, tf.newaxis, :]
        ahead = 1 - tf.linalg.band_part(tf.ones((tgt_in.shape[1], tgt_in.shape[1])), -1, 0)
        with tf.GradientTape() as tape:
            given = [src, tgt_in, src_mask, tf.maximum(tgt_mask, ahead)]
            y_pred = self(given, training=True)
            loss = self.compiled_loss(tgt_out, y_pred, regularization_losses=self.losses)
        variables = self.trainable_variables
        gradients = tape.gradient(loss, variables)
        self.optimizer.apply_gradients((each, variables[i]) for i, each in enumerate(gradients))
        self.compiled_metrics.update_state(tgt_out, y_pred)
        return {m.name: m.result() for m in self.metrics}


class EmbeddingDropout(layers.Layer):
    """Drops words in training; it makes itself not trainable."""

    def __init__(self, encoder_dp_rate, **kwargs):
        super().__init__(**kwargs)
        self.trainable = False
        self.encoder_dp_rate = encoder_dp_rate
        self.supports_masking = True
        self.bsize = None

    def build(self, input_shape):
        self.bsize = input_shape[0]

    def call(self, inputs, training=None):
        if training is None:
            training = keras.backend.learning_phase()

        def dropped_embedding():
            ones = tf.ones((tf.shape(inputs)[0], tf.shape(inputs)[1]), dtype=tf.float32)
            dp_mask = tf.nn.dropout(ones, rate=self.encoder_dp_rate)
            dp_mask = tf.cast(tf.cast(dp_mask, tf.bool), tf.float32)
            return inputs * tf.expand_dims(dp_mask, axis=2)

        return dropped_embedding() if training else tf.identity(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        cfg = super().get_config()
        cfg.update({"encoder_dp_rate": self.encoder_dp_rate})
        return cfg

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class TiedDense(layers.Layer):
    """A dense layer with the weights of another layer, which is in its config."""

    def __init__(self, reference_layer, activation, **kwargs):
        super().__init__(**kwargs)
        self.ref_layer = reference_layer
        self.biases = None
        self.input_dim = None
        self.output_dim = None
        self.activation_fn = keras.activations.get(activation)
        self.supports_masking = True

    def build(self, input_shape):
        self.input_dim = self.ref_layer.variables[0].shape[0]
        self.output_dim = self.ref_layer.variables[0].shape[1]
        self.biases = self.add_weight(name="tied_bias", shape=[self.input_dim], initializer="zeros")
        super().build(input_shape)

    def call(self, inputs):
        wx = tf.matmul(inputs, self.ref_layer.variables[0], transpose_b=True)
        return self.activation_fn(wx + self.biases)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.ref_layer.variables[0].shape[0])

    def get_config(self):
        cfg = super().get_config()
        cfg.update({"reference_layer": self.ref_layer, "activation": self.activation_fn})
        return cfg

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class MaskableEmbedding(layers.Embedding):
    """An embedding whose mask is another number than 0."""

    def __init__(
        self,
        input_dim,
        output_dim,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        activity_regularizer=None,
        embeddings_constraint=None,
        mask_value=None,
        **kwargs,
    ):
        super().__init__(
            input_dim=input_dim,
            output_dim=output_dim,
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
            activity_regularizer=activity_regularizer,
            embeddings_constraint=embeddings_constraint,
            **kwargs,
        )
        self.mask_value = mask_value
        if self.mask_value is not None:
            self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        if not self.mask_value:
            return None
        return tf.math.not_equal(inputs, self.mask_value)

    def get_config(self):
        cfg = super().get_config()
        cfg.update({"mask_value": self.mask_value})
        return cfg

    @classmethod
    def from_config(cls, config):
        return cls(**config)
