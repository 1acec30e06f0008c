"""More custom objects of models of texts in `texts.py`; copied as `customs_17_words.py`
beside the models.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


def gelu_erf(x):
    """By the error function."""
    return x * 0.5 * (1.0 + tf.math.erf(x / tf.math.sqrt(2.0)))


def gelu_tanh(x):
    """By the hyperbolic tangent."""
    return x * 0.5 * (1.0 + tf.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * tf.pow(x, 3))))


ACT2FN = {"gelu": layers.Activation(gelu_erf), "gelu_new": layers.Activation(gelu_tanh)}


class BertConfig:
    """Sizes, which every layer is made with; not an object of Keras."""

    def __init__(self, **kwargs):
        self.vocab_size = kwargs.get("vocab_size", 12)
        self.hidden_size = kwargs.get("hidden_size", 6)
        self.num_heads = kwargs.get("num_heads", 2)
        self.num_hidden_layers = kwargs.get("num_hidden_layers", 2)
        self.intermediate_size = kwargs.get("intermediate_size", 8)
        self.hidden_activation = kwargs.get("hidden_activation", "gelu")
        self.hidden_dropout_rate = kwargs.get("hidden_dropout_rate", 0.1)
        self.max_positions = kwargs.get("max_positions", 10)


def _narrow():
    return keras.initializers.TruncatedNormal(stddev=0.02)


class BertEmbedding(layers.Layer):
    """Words, kinds and places; the other way round it scores words."""

    def __init__(self, config, **kwargs):
        super().__init__(name="BertEmbedding")
        self.vocab_size = config.vocab_size
        self.hidden_size = config.hidden_size
        self.position = layers.Embedding(
            config.max_positions, config.hidden_size, embeddings_initializer=_narrow()
        )
        self.segment = layers.Embedding(2, config.hidden_size, embeddings_initializer=_narrow())
        self.layer_norm = layers.LayerNormalization(epsilon=1e-12, name="LayerNorm")
        self.dropout = layers.Dropout(config.hidden_dropout_rate)

    def build(self, input_shape):
        shape = (self.vocab_size, self.hidden_size)
        self.token = self.add_weight(shape=shape, initializer=_narrow(), name="weight")
        super().build(input_shape)

    def call(self, inputs, mode="embedding", training=False):
        if mode == "linear":
            return tf.matmul(inputs, self.token, transpose_b=True)
        words, kinds = inputs
        places = tf.range(0, words.shape[1])[tf.newaxis, :]
        found = tf.gather(self.token, words) + self.position(places) + self.segment(kinds)
        return self.dropout(self.layer_norm(found), training=training)


class BertAttention(layers.Layer):
    """Attention to itself, with the scores."""

    def __init__(self, config, **kwargs):
        super().__init__(name="BertAttention")
        self.heads = config.num_heads
        self.depth = config.hidden_size // config.num_heads
        self.query = layers.Dense(config.hidden_size, kernel_initializer=_narrow(), name="query")
        self.key = layers.Dense(config.hidden_size, kernel_initializer=_narrow(), name="key")
        self.value = layers.Dense(config.hidden_size, kernel_initializer=_narrow(), name="value")
        self.dense = layers.Dense(config.hidden_size, kernel_initializer=_narrow())
        self.layer_norm = layers.LayerNormalization(epsilon=1e-12, name="LayerNorm")

    def _split(self, x):
        x = tf.reshape(x, [tf.shape(x)[0], -1, self.heads, self.depth])
        return tf.transpose(x, [0, 2, 1, 3])

    def call(self, inputs, training=False):
        hidden, mask = inputs
        query, key = self._split(self.query(hidden)), self._split(self.key(hidden))
        scores = tf.matmul(query, key, transpose_b=True) / tf.sqrt(float(self.depth))
        scores += (1.0 - tf.cast(mask[:, None, None, :], tf.float32)) * -1e4
        scores = tf.nn.softmax(scores, axis=-1)
        found = tf.transpose(tf.matmul(scores, self._split(self.value(hidden))), [0, 2, 1, 3])
        found = tf.reshape(found, [tf.shape(found)[0], -1, self.heads * self.depth])
        return self.layer_norm(self.dense(found) + hidden), scores


class BertIntermediate(layers.Layer):
    """A wider layer, whose activation is a layer that all of them share."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(config.intermediate_size, kernel_initializer=_narrow())
        self.activation = ACT2FN[config.hidden_activation]

    def call(self, inputs, training=False):
        return self.activation(self.dense(inputs))


class BertEncoderLayer(layers.Layer):
    """All of them have the same name."""

    def __init__(self, config, **kwargs):
        super().__init__(name="BertEncoderLayer")
        self.attention = BertAttention(config)
        self.intermediate = BertIntermediate(config)
        self.dense = layers.Dense(config.hidden_size, kernel_initializer=_narrow())
        self.dropout = layers.Dropout(config.hidden_dropout_rate)
        self.layer_norm = layers.LayerNormalization(epsilon=1e-12, name="LayerNorm")

    def call(self, inputs, training=False):
        hidden, mask = inputs
        seen, scores = self.attention([hidden, mask], training=training)
        outputs = self.dropout(self.dense(self.intermediate(seen)), training=training)
        return self.layer_norm(seen + outputs), scores


class BertEncoder(layers.Layer):
    """Gives all states and scores."""

    def __init__(self, config, **kwargs):
        super().__init__(name="BertEncoder")
        self.encoder_layers = [BertEncoderLayer(config) for _ in range(config.num_hidden_layers)]

    def call(self, inputs, training=False):
        hidden, mask = inputs
        states, scores = [], []
        for encoder in self.encoder_layers:
            hidden, score = encoder([hidden, mask], training=training)
            states.append(hidden)
            scores.append(score)
        return states, scores


class BertPooler(layers.Layer):
    """The first word."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        given = {"kernel_initializer": _narrow(), "activation": "tanh", "name": "pooler"}
        self.dense = layers.Dense(config.hidden_size, **given)

    def call(self, inputs, training=False):
        return self.dense(inputs[:, 0])


class BertModel(keras.Model):
    """Lists in lists come out."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.bert_embedding = BertEmbedding(config, **kwargs)
        self.bert_encoder = BertEncoder(config, **kwargs)
        self.bert_pooler = BertPooler(config, **kwargs)

    def call(self, inputs, training=False):
        words, kinds, mask = inputs
        embedding = self.bert_embedding([words, kinds], training=training)
        states, scores = self.bert_encoder([embedding, mask], training=training)
        return states[-1], self.bert_pooler(states[-1]), states, scores


class BertMLMHead(layers.Layer):
    """Scores of masked words, by the embedding that it is given."""

    def __init__(self, config, embedding, **kwargs):
        super().__init__(**kwargs)
        self.vocab_size = config.vocab_size
        self.embedding = embedding
        given = {"kernel_initializer": _narrow(), "name": "dense"}
        self.dense = layers.Dense(config.hidden_size, **given)
        self.activation = ACT2FN[config.hidden_activation]
        self.layer_norm = layers.LayerNormalization(epsilon=1e-12)

    def build(self, input_shape):
        self.bias = self.add_weight(shape=(self.vocab_size,), initializer="zeros", name="bias")
        super().build(input_shape)

    def call(self, inputs, training=False):
        hidden = self.layer_norm(self.activation(self.dense(inputs)))
        return self.embedding(hidden, mode="linear") + self.bias


class MaskedBert(keras.Model):
    """BERT for masked words."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.bert = BertModel(config, name="Bert")
        self.mlm = BertMLMHead(config, self.bert.bert_embedding, name="MLM")

    @tf.function
    def call(self, inputs, training=False):
        last, pooled, states, scores = self.bert(inputs, training=training)
        return self.mlm(last, training=training), pooled, states, scores


class TimeShift(layers.Layer):
    """One step later; it takes no other arguments than a name."""

    def __init__(self, name="time_shift"):
        super().__init__(name=name)

    def call(self, inputs):
        return keras.ops.pad(inputs, [[0, 0], [1, 0], [0, 0]], constant_values=0.0)[:, :-1, :]

    def compute_output_shape(self, input_shape):
        return input_shape


class ChannelMix(layers.Layer):
    """Channels of a step and the one before; built with its layers."""

    def __init__(self, dim_ffn, **kwargs):
        super().__init__(**kwargs)
        self.dim_ffn = dim_ffn

    def call(self, x):
        k = x + (self.time_shift(x) - x) * self.x_k
        return self.value(self.key(k) ** 2)

    def compute_output_shape(self, input_shape):
        return input_shape[0] if isinstance(input_shape, list) else input_shape

    def build(self, input_shape):
        super().build(input_shape)
        self.x_k = self.add_weight(shape=(1, 1, input_shape[-1]), name="time_mix_k")
        self.time_shift = TimeShift()
        given = {"activation": "relu", "use_bias": False, "name": "dense_k"}
        self.key = layers.Dense(self.dim_ffn, **given)
        self.value = layers.Dense(input_shape[-1], use_bias=False, name="dense_v")
        self.key.build(input_shape)
        self.value.build([None, None, self.dim_ffn])

    def get_config(self):
        config = {"dim_ffn": self.dim_ffn}
        return dict(list(super().get_config().items()) + list(config.items()))


class TimeMix(layers.Layer):
    """A state that decays, is written and read, with values of the first layer."""

    def __init__(self, hidden_size, head_size, lora=3, **kwargs):
        super().__init__(**kwargs)
        self.head_size = head_size
        self.hidden_size = hidden_size
        self.n_head = hidden_size // head_size
        self.lora = lora

    def build(self, input_shape):
        super().build(input_shape)
        if isinstance(input_shape[0], list):
            input_shape = input_shape[0]
        wide = input_shape[-1]
        for name in ("x_r", "x_w", "x_k", "x_v", "w0", "v0", "k_k"):
            setattr(self, name, self.add_weight(shape=(1, 1, wide), name=name))
        for name in ("w", "v", "g"):
            given = {"shape": (wide, self.lora), "name": f"{name}1"}
            setattr(self, f"{name}1", self.add_weight(**given))
            given = {"shape": (self.lora, wide), "name": f"{name}2"}
            setattr(self, f"{name}2", self.add_weight(**given))
        self.time_shift = TimeShift()
        self.receptance = layers.Dense(wide, use_bias=False)
        self.key = layers.Dense(wide, use_bias=False)
        self.value = layers.Dense(wide, use_bias=False)
        self.out = layers.Dense(wide, use_bias=False)
        self.ln_x = layers.GroupNormalization(groups=self.n_head, epsilon=64e-5)
        for layer in (self.receptance, self.key, self.value, self.out):
            layer.build(input_shape)
        self.ln_x.build((None, wide))

    def call(self, x, v_first=None):
        ops = keras.ops
        _, steps, wide = x.shape
        shape = (-1, steps, self.n_head, self.head_size)
        xx = self.time_shift(x) - x
        r = self.receptance(x + xx * self.x_r)
        w = -ops.softplus(-(self.w0 + ops.tanh((x + xx * self.x_w) @ self.w1) @ self.w2)) - 0.5
        k, v = self.key(x + xx * self.x_k), self.value(x + xx * self.x_v)
        if v_first is None:
            v_first = v
        else:
            v = v + (v_first - v) * ops.sigmoid(self.v0 + (x @ self.v1) @ self.v2)
        decay = ops.exp(-ops.exp(ops.reshape(w, shape)))
        key, value = ops.reshape(k * self.k_k, shape), ops.reshape(v, shape)
        state, found = 0.0, []
        for step in range(steps):
            written = value[:, step, :, :, None] * key[:, step, :, None, :]
            state = state * decay[:, step, :, None, :] + written
            read = ops.reshape(r, shape)[:, step, :, :, None]
            found.append(ops.matmul(state, read)[..., 0])
        y = ops.reshape(ops.stack(found, axis=1), (-1, wide))
        y = ops.reshape(self.ln_x(y), (-1, steps, wide))
        return self.out(y * (ops.sigmoid(x @ self.g1) @ self.g2)), v_first

    def compute_output_shape(self, input_shape, *others):
        return input_shape, input_shape

    def get_config(self):
        config = {
            "hidden_size": self.hidden_size,
            "head_size": self.head_size,
            "lora": self.lora,
        }
        return dict(list(super().get_config().items()) + list(config.items()))
