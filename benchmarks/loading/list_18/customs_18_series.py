"""Custom objects of models of sounds, series and translations in `series.py`; copied as
`customs_18_series.py` beside the models. None is registered or has a config.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers, K = keras.layers, keras.backend


def create_padding_mask(x):
    """Where all numbers of a step are 0."""
    total = tf.cast(tf.reduce_sum(x, axis=2), tf.int32)
    empty = tf.cast(tf.reduce_all(tf.equal(x, 0.0), axis=2), tf.float32)
    return (empty * tf.cast(tf.equal(total, 0), tf.float32))[:, tf.newaxis, tf.newaxis, :]


def scaled_dot_product_attention(query, key, value, mask):
    """As in the tutorial."""
    scores = tf.matmul(query, key, transpose_b=True)
    scores = scores / tf.math.sqrt(tf.cast(tf.shape(key)[-1], tf.float32))
    if mask is not None:
        scores += mask * -1e9
    return tf.matmul(tf.nn.softmax(scores, axis=-1), value)


class SoundAttention(layers.Layer):
    """Attention that takes a dictionary of tensors."""

    def __init__(self, d_model, num_heads, name="multi_head_attention"):
        super().__init__(name=name)
        self.num_heads = num_heads
        self.d_model = d_model
        assert d_model % self.num_heads == 0
        self.depth = d_model // self.num_heads
        self.query_dense = layers.Dense(units=d_model)
        self.key_dense = layers.Dense(units=d_model)
        self.value_dense = layers.Dense(units=d_model)
        self.dense = layers.Dense(units=d_model)

    def split_heads(self, inputs, batch_size):
        inputs = tf.reshape(inputs, shape=(batch_size, -1, self.num_heads, self.depth))
        return tf.transpose(inputs, perm=[0, 2, 1, 3])

    def call(self, inputs):
        query, key = inputs["query"], inputs["key"]
        value, mask = inputs["value"], inputs["mask"]
        batch_size = tf.shape(query)[0]
        query = self.split_heads(self.query_dense(query), batch_size)
        key = self.split_heads(self.key_dense(key), batch_size)
        value = self.split_heads(self.value_dense(value), batch_size)
        found = scaled_dot_product_attention(query, key, value, mask)
        found = tf.transpose(found, perm=[0, 2, 1, 3])
        return self.dense(tf.reshape(found, (batch_size, -1, self.d_model)))


class SoundPositions(layers.Layer):
    """Waves that are made when it is."""

    def __init__(self, position, d_model):
        super().__init__()
        self.pos_encoding = self.positional_encoding(position, d_model)

    def get_angles(self, position, i, d_model):
        return position / tf.pow(10000.0, (2 * (i // 2)) / tf.cast(d_model, tf.float32))

    def positional_encoding(self, position, d_model):
        angles = self.get_angles(
            position=tf.range(position, dtype=tf.float32)[:, tf.newaxis],
            i=tf.range(d_model, dtype=tf.float32)[tf.newaxis, :],
            d_model=d_model,
        )
        waves = [tf.math.sin(angles[:, 0::2]), tf.math.cos(angles[:, 1::2])]
        return tf.cast(tf.concat(waves, axis=-1)[tf.newaxis, ...], tf.float32)

    def call(self, inputs):
        return inputs + self.pos_encoding[:, : tf.shape(inputs)[1], :]


class FeedForwardAttention(layers.Layer):
    """Weighs the steps of a series; it takes arguments for Layer and keeps them to itself."""

    def __init__(self, step_dim, attention_dropout_rate, regularizer=None, bias=True, **kwargs):
        super().__init__()
        self.supports_masking = True
        self.init = keras.initializers.get("glorot_uniform")
        self.W_regularizer = keras.regularizers.get(regularizer)
        self.bias = bias
        self.step_dim = step_dim
        self.features_dim = 0
        self.dropout = layers.Dropout(attention_dropout_rate)

    def build(self, input_shape):
        assert len(input_shape) == 3
        given = {"initializer": self.init, "regularizer": self.W_regularizer}
        self.W = self.add_weight(shape=(input_shape[-1],), name=f"{self.name}_W", **given)
        self.features_dim = input_shape[-1]
        if self.bias:
            given = {"initializer": "zeros", "name": f"{self.name}_b"}
            self.b = self.add_weight(shape=(input_shape[1],), **given)
        else:
            self.b = None
        self.built = True

    def compute_mask(self, inputs, mask=None):
        return None

    def call(self, x, mask=None):
        flat = tf.reshape(x, (-1, self.features_dim))
        eij = tf.matmul(flat, tf.reshape(self.W, (self.features_dim, 1)))
        eij = tf.reshape(eij, (-1, self.step_dim))
        if self.bias:
            eij += self.b
        a = tf.exp(tf.tanh(eij))
        if mask is not None:
            a *= tf.cast(mask, K.floatx())
        a /= tf.reduce_sum(a, axis=1, keepdims=True) + K.epsilon()
        a = tf.expand_dims(self.dropout(a), -1)
        return tf.reduce_sum(x * a, axis=1)

    def compute_output_shape(self, input_shape):
        return input_shape[0], self.features_dim


class LSTNet:
    """Makes a model; not an object of Keras."""

    def __init__(self, window, dims, hid_rnn, hid_cnn, cnn_kernel, highway_window):
        self.P = window
        self.m = dims
        self.hidR = hid_rnn
        self.hidC = hid_cnn
        self.Ck = cnn_kernel
        self.hw = highway_window
        self.task_layer = layers.Dense(1, activation="linear")

    def make_model(self):
        x = layers.Input(shape=(self.P, self.m))
        c = layers.Conv1D(self.hidC, self.Ck, activation="relu", padding="same")(x)
        c = layers.Dropout(0.2)(c)
        r = layers.GRU(self.hidR, return_sequences=True)(c)
        r = FeedForwardAttention(step_dim=self.P, attention_dropout_rate=0.5)(r)
        res = layers.Dense(self.m)(r)
        if self.hw > 0:
            z = layers.Lambda(lambda k: k[:, -self.hw :, :])(x)
            z = layers.Lambda(lambda k: tf.transpose(k, (0, 2, 1)))(z)
            z = layers.Lambda(lambda k: tf.reshape(k, (-1, self.hw)))(z)
            z = layers.Dense(1)(z)
            z = layers.Lambda(lambda k: tf.reshape(k, (-1, self.m)))(z)
            res = layers.add([res, z])
        return keras.models.Model(inputs=x, outputs=self.task_layer(res))


class AttentionLayer(layers.Layer):
    """Bahdanau's attention, step by step, with what it looked at."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def build(self, input_shape):
        assert isinstance(input_shape, list)
        one, two = input_shape[0][2], input_shape[1][2]
        for name, shape in (("W_a", (one, one)), ("U_a", (two, one)), ("V_a", (one, 1))):
            given = {"initializer": "uniform", "trainable": True}
            weight = self.add_weight(name=name, shape=tf.TensorShape(shape), **given)
            setattr(self, name, weight)
        super().build(input_shape)

    def call(self, inputs):
        assert isinstance(inputs, list)
        encoded, decoded = inputs
        energies, contexts = [], []
        for step in range(decoded.shape[1]):
            seen = tf.expand_dims(tf.matmul(decoded[:, step], self.U_a), 1)
            energy = tf.tanh(tf.tensordot(encoded, self.W_a, 1) + seen)
            energy = tf.nn.softmax(tf.squeeze(tf.tensordot(energy, self.V_a, 1), -1))
            energies.append(energy)
            contexts.append(tf.reduce_sum(encoded * tf.expand_dims(energy, -1), axis=1))
        return tf.stack(contexts, 1), tf.stack(energies, 1)

    def compute_output_shape(self, input_shape):
        return [
            tf.TensorShape((input_shape[1][0], input_shape[1][1], input_shape[1][2])),
            tf.TensorShape((input_shape[1][0], input_shape[1][1], input_shape[0][1])),
        ]


class LuongAttention(layers.Layer):
    """Luong's attention, whose bias has a shape without a comma."""

    def __init__(self, output_dim, hidden_dim):
        super().__init__()
        self.output_dim = output_dim
        self.hidden_dim = hidden_dim

    def build(self, input_shape):
        given = {"initializer": "glorot_normal", "trainable": True}
        shape = (self.hidden_dim, self.hidden_dim)
        self.W_a = self.add_weight(name="W_a", shape=shape, **given)
        shape = (self.hidden_dim + self.hidden_dim, self.output_dim)
        self.W_c = self.add_weight(name="W_c", shape=shape, **given)
        self.b = self.add_weight(name="b", shape=[self.output_dim], initializer="zeros")
        super().build(input_shape)

    def call(self, ht, hs, source=None):
        score = tf.einsum("ijk,kl->ijl", hs, self.W_a)
        score = tf.einsum("ijk,ilk->ijl", ht, score)
        score = tf.exp(score - tf.reduce_max(score, axis=-1, keepdims=True))
        if source is not None:
            long = tf.reduce_sum(tf.cast(tf.not_equal(source, 0), tf.int32), axis=1)
            mask = tf.cast(tf.sequence_mask(long, tf.shape(score)[-1]), tf.float32)
            score = score * mask[:, tf.newaxis, :]
        a = score / tf.reduce_sum(score, axis=-1, keepdims=True)
        h = tf.concat([tf.einsum("ijk,ikl->ijl", a, hs), ht], -1)
        return tf.nn.tanh(tf.einsum("ijk,kl->ijl", h, self.W_c) + self.b)


LSTM = {"activation": "tanh", "recurrent_activation": "sigmoid", "return_sequences": True}
LSTM |= {"kernel_initializer": "glorot_normal", "return_state": True}


class LuongEncoder(keras.Model):
    """Words with a mask, and two states."""

    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.embedding = layers.Embedding(input_dim, hidden_dim, mask_zero=True)
        self.lstm = layers.LSTM(hidden_dim, recurrent_initializer="orthogonal", **LSTM)

    def call(self, x):
        h, state_h, state_c = self.lstm(self.embedding(x))
        return h, (state_h, state_c)


class LuongDecoder(keras.Model):
    """One word from states and what was said; it takes several tensors."""

    def __init__(self, hidden_dim, output_dim):
        super().__init__()
        self.embedding = layers.Embedding(output_dim, hidden_dim)
        self.lstm = layers.LSTM(hidden_dim, recurrent_initializer="orthogonal", **LSTM)
        self.attn = LuongAttention(hidden_dim, hidden_dim)
        given = {"kernel_initializer": "glorot_normal", "activation": "softmax"}
        self.out = layers.Dense(output_dim, **given)

    def call(self, x, hs, states, source=None):
        ht, state_h, state_c = self.lstm(self.embedding(x), initial_state=list(states))
        return self.out(self.attn(ht, hs, source=source)), (state_h, state_c)


class EncoderDecoder(keras.Model):
    """Word by word."""

    def __init__(self, input_dim, hidden_dim, output_dim, maxlen=20):
        super().__init__()
        self.encoder = LuongEncoder(input_dim, hidden_dim)
        self.decoder = LuongDecoder(hidden_dim, output_dim)
        self.maxlen = maxlen
        self.output_dim = output_dim

    def call(self, source):
        batch_size = tf.shape(source)[0]
        hs, states = self.encoder(source)
        y = tf.ones((batch_size, 1), dtype=tf.int32)
        output = tf.zeros((batch_size, 1, self.output_dim), dtype=tf.float32)
        for _ in range(self.maxlen):
            out, states = self.decoder(y, hs, states, source=source)
            output = tf.concat([output, out[:, :1]], axis=1)
            y = tf.argmax(out, axis=-1, output_type=tf.int32)
        return output[:, 1:]
