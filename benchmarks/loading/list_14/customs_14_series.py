"""Custom objects of the models of prices, music and uncertain functions in `series.py`;
copied as `customs_14_series.py` beside the models. None is registered; most have a config.
"""

from __future__ import annotations

import math
import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
K = keras.backend


class DrivingAttention(layers.Layer):
    """How much each driving series counts at a step; its name is fixed."""

    def __init__(self, window, **kwargs):
        super().__init__(name="input_attention", **kwargs)
        self.T = window
        self.W_e = layers.Dense(window)
        self.U_e = layers.Dense(window)
        self.v_e = layers.Dense(1)

    def call(self, hidden_state, cell_state, series):
        hs = K.repeat(tf.concat([hidden_state, cell_state], axis=-1), series.shape[2])
        turned = layers.Permute((2, 1))(series)
        e = self.v_e(tf.math.tanh(tf.concat([self.W_e(hs), self.U_e(turned)], axis=-1)))
        return tf.nn.softmax(layers.Permute((2, 1))(e))

    def get_config(self):
        config = super().get_config().copy()
        config.update({"window": self.T})
        return config


class DrivingEncoder(layers.Layer):
    """One recurrent layer, called a step at a time on weighed series."""

    def __init__(self, window, m, **kwargs):
        super().__init__(name="encoder_input", **kwargs)
        self.T = window
        self.m = m
        self.input_lstm = layers.LSTM(m, return_state=True)
        self.input_attention = DrivingAttention(window)

    def call(self, series):
        rows = tf.shape(series)[0]
        hidden_state = tf.zeros((rows, self.m))
        cell_state = tf.zeros((rows, self.m))
        encoded = []
        for t in range(self.T):
            alpha = self.input_attention(hidden_state, cell_state, series)
            weighed = tf.multiply(alpha, series[:, None, t, :])
            hidden_state, _, cell_state = self.input_lstm(
                weighed, initial_state=[hidden_state, cell_state]
            )
            encoded.append(hidden_state[:, None, :])
        return tf.concat(encoded, axis=1)

    def get_config(self):
        config = super().get_config().copy()
        config.update({"window": self.T, "m": self.m})
        return config


class StepAttention(layers.Layer):
    """How much each step counts."""

    def __init__(self, m, **kwargs):
        super().__init__(name="temporal_attention", **kwargs)
        self.m = m
        self.W_d = layers.Dense(m)
        self.U_d = layers.Dense(m)
        self.v_d = layers.Dense(1)

    def call(self, hidden_state, cell_state, encoded_steps):
        both = tf.concat([hidden_state, cell_state], axis=-1)
        repeated = K.repeat(both, encoded_steps.shape[1])
        joined = tf.concat([self.W_d(repeated), self.U_d(encoded_steps)], axis=-1)
        return tf.nn.softmax(self.v_d(tf.math.tanh(joined)), axis=1)

    def get_config(self):
        config = super().get_config().copy()
        config.update({"m": self.m})
        return config


class StepDecoder(layers.Layer):
    """The next value from the last ones and the weighed steps."""

    def __init__(self, window, m, p, y_dim, **kwargs):
        super().__init__(name="decoder", **kwargs)
        self.T = window
        self.m = m
        self.p = p
        self.y_dim = y_dim
        self.temp_attention = StepAttention(m)
        self.dense = layers.Dense(1)
        self.decoder_lstm = layers.LSTM(p, return_state=True)
        self.Wb = layers.Dense(p)
        self.vb = layers.Dense(y_dim)

    def call(self, known, encoded_steps):
        rows = tf.shape(encoded_steps)[0]
        hidden_state = tf.zeros((rows, self.p))
        cell_state = tf.zeros((rows, self.p))
        context = tf.zeros((rows, 1, self.m))
        for t in range(self.T - 1):
            beta = self.temp_attention(hidden_state, cell_state, encoded_steps)
            context = tf.matmul(beta, encoded_steps, transpose_a=True)
            tilde = self.dense(tf.concat([known[:, None, t, :], context], axis=-1))
            hidden_state, _, cell_state = self.decoder_lstm(
                tilde, initial_state=[hidden_state, cell_state]
            )
        joined = tf.concat([hidden_state[:, None, :], context], axis=-1)
        return tf.squeeze(self.vb(self.Wb(joined)), axis=1)

    def get_config(self):
        config = super().get_config().copy()
        config.update({"window": self.T, "m": self.m, "p": self.p, "y_dim": self.y_dim})
        return config


class TwoStageSeries(keras.Model):
    """Driving series and the one to forecast, in one input."""

    def __init__(self, window, m, p=None, y_dim=1):
        super().__init__(name="DARNN")
        self.T = window
        self.m = m
        self.p = p or m
        self.y_dim = y_dim
        self.encoder = DrivingEncoder(window, m)
        self.decoder = StepDecoder(window, m, self.p, y_dim=y_dim)

    def call(self, inputs):
        encoded = self.encoder(inputs[:, :, : -self.y_dim])
        return self.decoder(inputs[:, :, -self.y_dim :], encoded)

    def get_config(self):
        return {"window": self.T, "m": self.m, "p": self.p, "y_dim": self.y_dim}


class MusicPlaces(layers.Layer):
    """Adds sines of places from a constant table."""

    def __init__(self, embedding_dim, max_seq=2048, **kwargs):
        super().__init__(**kwargs)
        table = [
            [
                math.sin(
                    place
                    * math.exp(-math.log(10000) * i / embedding_dim)
                    * math.exp(math.log(10000) / embedding_dim * (i % 2))
                    + 0.5 * math.pi * (i % 2)
                )
                for i in range(embedding_dim)
            ]
            for place in range(max_seq)
        ]
        self.positional_embedding = tf.constant(np.array([table]), dtype=tf.float32)

    def call(self, inputs, **kwargs):
        return tf.add(inputs, self.positional_embedding[:, : inputs.shape[1], :])


class RelativeAttention(layers.Layer):
    """Attention with embedded distances; takes a list, and reads the size of the batch."""

    def __init__(self, h=4, d=256, add_emb=False, max_seq=2048, **kwargs):
        super().__init__(**kwargs)
        self.len_k = None
        self.max_seq = max_seq
        self.E = None
        self.h = h
        self.d = d
        self.dh = d // h
        self.Wq = layers.Dense(int(self.d))
        self.Wk = layers.Dense(int(self.d))
        self.Wv = layers.Dense(int(self.d))
        self.fc = layers.Dense(d)
        self.additional = add_emb

    def build(self, input_shape):
        self.shape_q = input_shape[0][1]
        self.shape_k = input_shape[1][1]
        self.E = self.add_weight("emb", shape=[self.max_seq, int(self.dh)])

    def _heads(self, x):
        return tf.transpose(tf.reshape(x, (x.shape[0], x.shape[1], self.h, -1)), (0, 2, 1, 3))

    def call(self, inputs, mask=None, **kwargs):
        q = self._heads(self.Wq(inputs[0]))
        k = self._heads(self.Wk(inputs[1]))
        v = self._heads(self.Wv(inputs[2]))
        self.len_k = k.shape[2]
        self.len_q = q.shape[2]
        near = self.E[max(0, self.max_seq - self.len_q) :, :]
        qe = tf.einsum("bhld,md->bhlm", q, near)
        ends = tf.range(qe.shape[-1] - 1, qe.shape[-1] - qe.shape[-2] - 1, -1)
        hidden = tf.cast(tf.logical_not(tf.sequence_mask(ends, qe.shape[-1])), tf.float32)
        padded = tf.pad(hidden * qe, [[0, 0], [0, 0], [0, 0], [1, 0]])
        shape = [-1, padded.shape[1], padded.shape[-1], padded.shape[-2]]
        logits = tf.matmul(q, tf.transpose(k, [0, 1, 3, 2])) + tf.reshape(padded, shape)[:, :, 1:]
        logits = logits / math.sqrt(self.dh)
        if mask is not None:
            logits += tf.cast(mask, tf.float32) * -1e9
        weights = tf.nn.softmax(logits, -1)
        out = tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))
        return self.fc(tf.reshape(out, (out.shape[0], -1, self.d))), weights


class MusicLayer(layers.Layer):
    """Attention, then two dense layers; also gives the weights."""

    def __init__(self, d_model, rate=0.1, h=16, additional=False, max_seq=2048):
        super().__init__()
        self.d_model = d_model
        self.rga = RelativeAttention(h=h, d=d_model, max_seq=max_seq, add_emb=additional)
        self.FFN_pre = layers.Dense(self.d_model // 2, activation=tf.nn.relu)
        self.FFN_suf = layers.Dense(self.d_model)
        self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
        self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout1 = layers.Dropout(rate)
        self.dropout2 = layers.Dropout(rate)

    def call(self, x, mask=None, training=False, **kwargs):
        attended, w = self.rga([x, x, x], mask)
        out = self.layernorm1(self.dropout1(attended, training=training) + x)
        found = self.dropout2(self.FFN_suf(self.FFN_pre(out)), training=training)
        return self.layernorm2(out + found), w


class MusicEncoder(layers.Layer):
    """Embedded notes through layers in a list."""

    def __init__(self, num_layers, d_model, input_vocab_size, rate=0.1, max_len=None):
        super().__init__()
        self.d_model = d_model
        self.num_layers = num_layers
        self.embedding = layers.Embedding(input_vocab_size, d_model)
        self.pos_encoding = MusicPlaces(self.d_model, max_seq=max_len)
        self.enc_layers = [
            MusicLayer(d_model, rate, h=self.d_model // 4, additional=False, max_seq=max_len)
            for _ in range(num_layers)
        ]
        self.dropout = layers.Dropout(rate)

    def call(self, x, mask=None, training=False):
        weights = []
        x = self.embedding(x) * tf.math.sqrt(tf.cast(self.d_model, tf.float32))
        x = self.dropout(self.pos_encoding(x), training=training)
        for each in range(self.num_layers):
            x, w = self.enc_layers[each](x, mask, training=training)
            weights.append(w)
        return x, weights


class ComposedMusic(keras.Model):
    """The next note: logits in training, else probabilities."""

    def __init__(
        self,
        embedding_dim=256,
        vocab_size=390,
        num_layer=6,
        max_seq=2048,
        dropout=0.2,
        debug=False,
        dist=False,
    ):
        super().__init__()
        self._debug = debug
        self.max_seq = max_seq
        self.num_layer = num_layer
        self.embedding_dim = embedding_dim
        self.vocab_size = vocab_size
        self.dist = dist
        self.Decoder = MusicEncoder(
            num_layers=self.num_layer,
            d_model=self.embedding_dim,
            input_vocab_size=self.vocab_size,
            rate=dropout,
            max_len=max_seq,
        )
        self.fc = layers.Dense(self.vocab_size, activation=None, name="output")
        self.custom_metrics = [keras.metrics.SparseCategoricalAccuracy()]

    def call(self, inputs, training=None, eval=None, lookup_mask=None):
        decoded, w = self.Decoder(inputs, training=training, mask=lookup_mask)
        fc = self.fc(decoded)
        if training:
            return fc
        if eval:
            return fc, w
        return tf.nn.softmax(fc)

    def get_config(self):
        names = ("max_seq", "num_layer", "embedding_dim", "vocab_size", "dist")
        return {"debug": self._debug, **{name: getattr(self, name) for name in names}}


def padded_music_loss(y_true, y_pred):
    y_true = tf.cast(y_true, tf.int32)
    seen = tf.cast(tf.math.logical_not(tf.math.equal(y_true, 0)), tf.float32)
    return tf.nn.softmax_cross_entropy_with_logits(tf.one_hot(y_true, 20), y_pred) * seen


class MusicRate(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises, then falls; its config is nothing."""

    def __init__(self, d_model, warmup_steps=4000):
        super().__init__()
        self.d_model = tf.cast(d_model, tf.float32)
        self.warmup_steps = warmup_steps

    def get_config(self):
        super().get_config()

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        falling, rising = tf.math.rsqrt(step), step * self.warmup_steps**-1.5
        return tf.math.rsqrt(self.d_model) * tf.math.minimum(falling, rising)
