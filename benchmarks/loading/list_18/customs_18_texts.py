"""Custom objects of models of questions and texts in `series.py`; copied as
`customs_18_texts.py` beside the models. None is registered.
"""

from __future__ import annotations

import math
import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers

classifier_config = {
    "head_num": 2,
    "hidden_dim": 10,
    "encoder_num": 2,
    "max_sequence_length": 6,
    "dropout_rate": 0.1,
    "embedding_method": "",
}


def to_mask(x):
    """Which are words."""
    return tf.cast(tf.cast(x, tf.bool), tf.float32)


def cut_letters(x, letters, code):
    """A row for each word."""
    return tf.reshape(x, (-1, letters, code))


def to_shape(x, shape):
    """Back to the words of a text."""
    return tf.reshape(x, shape)


def squeezed(x):
    """Without the last axis."""
    return tf.squeeze(x, axis=-1)


def mask_logits(inputs, mask, mask_value=-1e30):
    """Hardly anything where there is no word."""
    return inputs + mask_value * (1 - tf.cast(mask, tf.float32))


def masked_softmax(pair):
    """Of words alone."""
    return tf.nn.softmax(mask_logits(*pair))


class PositionEmbedding(layers.Layer):
    """Waves added to what comes in."""

    def __init__(self, min_timescale=1.0, max_timescale=1.0e4, **kwargs):
        self.min_timescale = min_timescale
        self.max_timescale = max_timescale
        super().__init__(**kwargs)

    def call(self, x, mask=None):
        length, channels = tf.shape(x)[1], tf.shape(x)[2]
        scales = channels // 2
        step = math.log(self.max_timescale / self.min_timescale)
        step = step / (tf.cast(scales, tf.float32) - 1)
        scales = self.min_timescale * tf.exp(tf.cast(tf.range(scales), tf.float32) * -step)
        time = tf.expand_dims(tf.cast(tf.range(length), tf.float32), 1) * tf.expand_dims(scales, 0)
        signal = tf.concat([tf.sin(time), tf.cos(time)], axis=1)
        signal = tf.pad(signal, [[0, 0], [0, channels % 2]])
        return x + tf.reshape(signal, [1, length, channels])

    def compute_output_shape(self, input_shape):
        return input_shape


class LayerDropout(layers.Layer):
    """Leaves a branch out while it is trained."""

    def __init__(self, dropout=0.0, **kwargs):
        self.dropout = dropout
        super().__init__(**kwargs)

    def build(self, input_shape):
        super().build(input_shape)

    def call(self, x, mask=None, training=None):
        x, residual = x
        if training:
            kept = tf.cast(tf.random.uniform([]) >= self.dropout, x.dtype)
            return kept * tf.nn.dropout(x, self.dropout) + residual
        return x + residual

    def compute_output_shape(self, input_shape):
        return input_shape[0]


class Context2Query(layers.Layer):
    """What every word of a text has with every word of a question; a config that is not there."""

    def __init__(self, output_dim, c_maxlen, q_maxlen, dropout, **kwargs):
        self.output_dim = output_dim
        self.c_maxlen = c_maxlen
        self.q_maxlen = q_maxlen
        self.dropout = dropout
        super().__init__(**kwargs)

    def build(self, input_shape):
        wide = input_shape[0][-1]
        init = keras.initializers.VarianceScaling(1.0, mode="fan_avg", distribution="uniform")
        given = {"initializer": init, "regularizer": keras.regularizers.l2(3e-7)}
        self.W0 = self.add_weight(name="W0", shape=(wide, 1), trainable=True, **given)
        self.W1 = self.add_weight(name="W1", shape=(wide, 1), trainable=True, **given)
        self.W2 = self.add_weight(name="W2", shape=(1, 1, wide), trainable=True, **given)
        self.bias = self.add_weight(name="linear_bias", shape=([1]), initializer="zeros")
        super().build(input_shape)

    def call(self, x, mask=None):
        text, asked, text_mask, asked_mask = x
        one = tf.tile(tf.tensordot(text, self.W0, 1), [1, 1, self.q_maxlen])
        two = tf.transpose(tf.tensordot(asked, self.W1, 1), (0, 2, 1))
        two = tf.tile(two, [1, self.c_maxlen, 1])
        found = one + two + tf.matmul(text * self.W2, asked, transpose_b=True) + self.bias
        rows = tf.nn.softmax(mask_logits(found, tf.expand_dims(asked_mask, 1)))
        columns = tf.nn.softmax(mask_logits(found, tf.expand_dims(text_mask, 2)), axis=1)
        c2q = tf.matmul(rows, asked)
        q2c = tf.matmul(tf.matmul(rows, columns, transpose_b=True), text)
        return tf.concat([text, c2q, text * c2q, text * q2c], axis=-1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0], input_shape[0][1], self.output_dim)


class LabelPadding(layers.Layer):
    """Zeros up to a length."""

    def __init__(self, max_len, **kwargs):
        self.max_len = max_len
        super().__init__(**kwargs)

    def call(self, x, mask=None, training=None):
        zeros = tf.zeros((tf.shape(x)[0], self.max_len - x.shape[1]))
        return tf.concat([x, zeros], axis=-1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.max_len)


class QAoutputBlock(layers.Layer):
    """The best start and end that are near each other."""

    def __init__(self, ans_limit=30, **kwargs):
        self.ans_limit = ans_limit
        super().__init__(**kwargs)

    def call(self, x, mask=None):
        one, two = x
        outer = tf.matmul(tf.expand_dims(one, axis=2), tf.expand_dims(two, axis=1))
        outer = tf.linalg.band_part(outer, 0, self.ans_limit)
        start = tf.argmax(tf.reduce_max(outer, axis=2), axis=1)
        end = tf.argmax(tf.reduce_max(outer, axis=1), axis=1)
        return [tf.reshape(tf.cast(each, tf.float32), (-1, 1)) for each in (start, end)]

    def compute_output_shape(self, input_shape):
        return [(input_shape[0][0], 1), (input_shape[0][0], 1)]


class EpisodicMemoryModule(layers.Layer):
    """Looks at facts several times; slices of a weight are attributes, its config is an error."""

    def __init__(
        self, units, emb_dim, batch_size, memory_steps=3, dropout=0.0, regularization=None, **kwargs
    ):
        super().__init__(name="episodic_memory_module")
        self.memory_steps = memory_steps
        self.dropout = dropout
        self.supports_masking = True
        self.units = units
        self.emb_dim = emb_dim
        self.batch_size = batch_size
        self.kernel_initializer = "glorot_uniform"
        self.kernel_regularizer = regularization
        self.activation = keras.activations.get("sigmoid")
        self.memory_activation = keras.activations.get("relu")
        self.recurrent_activation = keras.activations.get("hard_sigmoid")

    def get_config(self):
        # As in the public program: the list asks what loads of a class that refuses to be saved.
        raise NotImplementedError("this layer has no config")

    def compute_output_shape(self, input_shape):
        return (*input_shape[1][:-1], self.units)

    def build(self, input_shape):
        given = {"initializer": self.kernel_initializer, "regularizer": self.kernel_regularizer}
        wide = self.units
        self.l_1 = self.add_weight(name="l_1", shape=(wide * 4, self.emb_dim), **given)
        self.l_2 = self.add_weight(name="l_2", shape=(self.emb_dim, 1), **given)
        self.memory_net = self.add_weight(name="memory", shape=(3 * wide, wide), **given)
        self.recurrent_kernel = self.add_weight(
            shape=(wide, wide * 2), name="recurrent_kernel", **given
        )
        for name, shape in (("bias", (wide * 2,)), ("bias_l1", (self.emb_dim,)), ("bias_l2", (1,))):
            setattr(self, name, self.add_weight(shape=shape, name=name, initializer="zeros"))
        self.memory_bias = self.add_weight(shape=(wide,), name="memory_bias", initializer="zeros")
        super().build(input_shape)

    def call(self, inputs):
        facts, question = inputs
        memory = tf.identity(question)
        for _ in range(self.memory_steps):
            state = memory
            for fact in tf.unstack(facts, axis=1):
                gate = self.compute_attention_gate(fact, question, memory)
                state = self.step(fact, gate, state)
            found = tf.matmul(tf.concat([memory, state, question], axis=1), self.memory_net)
            memory = self.memory_activation(found + self.memory_bias)
        return memory

    def step(self, x, gate, state):
        wide = self.units
        one, two = self.recurrent_kernel[:, :wide], self.recurrent_kernel[:, wide:]
        r = tf.matmul(x, one) + self.bias[:wide] + tf.matmul(state, one)
        r = self.recurrent_activation(r)
        new = tf.matmul(x, two) + self.bias[wide:] + tf.matmul(r * state, two)
        return gate * self.activation(new) + (1 - gate) * state

    def compute_attention_gate(self, fact, question, memory):
        found = [fact * question, fact * memory, tf.abs(fact - question), tf.abs(fact - memory)]
        gate = tf.tanh(tf.matmul(tf.concat(found, axis=1), self.l_1) + self.bias_l1)
        return tf.sigmoid(tf.matmul(gate, self.l_2) + self.bias_l2)


class TextPositions(layers.Layer):
    """Waves as an array of NumPy in float64."""

    def __init__(self, embedding_dim, seq_length):
        super().__init__()
        places = [
            [pos / np.power(10000, 2 * (i // 2) / embedding_dim) for i in range(embedding_dim)]
            for pos in range(seq_length)
        ]
        self.pe = np.array(places)
        self.pe[:, 0::2] = np.sin(self.pe[:, 0::2])
        self.pe[:, 1::2] = np.cos(self.pe[:, 1::2])

    @tf.function
    def call(self, inputs):
        return inputs + tf.cast(self.pe, tf.float32)


class SelfAttention(layers.Layer):
    """Its heads are a setting of the program."""

    def __init__(self, embedding_dim):
        super().__init__()
        self.head_num = classifier_config["head_num"]
        self.head_dim = embedding_dim // self.head_num
        self.embedding_dim = embedding_dim
        self.W_Q = layers.Dense(embedding_dim)
        self.W_K = layers.Dense(embedding_dim)
        self.W_V = layers.Dense(embedding_dim)
        self.W_O = layers.Dense(embedding_dim)

    def split_head(self, tensor, batch_size):
        tensor = tf.reshape(tensor, (batch_size, -1, self.head_num, self.head_dim))
        return tf.transpose(tensor, perm=[0, 2, 1, 3])

    @tf.function
    def call(self, inputs, mask=None):
        size = tf.shape(inputs)[0]
        query, key = (
            self.split_head(self.W_Q(inputs), size),
            self.split_head(self.W_K(inputs), size),
        )
        scores = tf.matmul(query, key, transpose_b=True) / tf.math.sqrt(self.head_dim**-0.5)
        if mask is not None:
            scores += mask * -1e9
        z = tf.matmul(tf.nn.softmax(scores, axis=-1), self.split_head(self.W_V(inputs), size))
        return self.W_O(tf.reshape(z, (size, -1, self.embedding_dim)))


class TextEncoderLayer(layers.Layer):
    """Attention and two dense layers; it takes training and a mask by place."""

    def __init__(self, embedding_dim, dropout_rate):
        super().__init__()
        self.attention = SelfAttention(embedding_dim)
        given = {"activation": "relu", "kernel_initializer": "he_uniform"}
        self.dense_1 = layers.Dense(classifier_config["hidden_dim"], **given)
        self.dense_2 = layers.Dense(embedding_dim)
        self.layer_norm_1 = layers.LayerNormalization(epsilon=1e-6)
        self.layer_norm_2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout_1 = layers.Dropout(dropout_rate)
        self.dropout_2 = layers.Dropout(dropout_rate)

    @tf.function
    def call(self, inputs, training, mask):
        seen = self.dropout_1(self.attention(inputs, mask), training=training)
        seen = self.layer_norm_1(inputs + seen)
        found = self.dropout_2(self.dense_2(self.dense_1(seen)), training=training)
        return self.layer_norm_2(seen + found)


class Transformer(keras.Model):
    """Classes of texts."""

    def __init__(self, num_classes, embedding_dim, vocab_size, embeddings_matrix=None):
        super().__init__()
        rate = classifier_config["dropout_rate"]
        length = classifier_config["max_sequence_length"]
        if classifier_config["embedding_method"] == "":
            self.embedding = layers.Embedding(vocab_size + 1, embedding_dim, mask_zero=True)
        else:
            given = {"weights": [embeddings_matrix], "trainable": False}
            self.embedding = layers.Embedding(vocab_size + 1, embedding_dim, **given)
        self.positional_encoder = TextPositions(embedding_dim, length)
        number = classifier_config["encoder_num"]
        self.encoders = [TextEncoderLayer(embedding_dim, rate) for _ in range(number)]
        self.dense = layers.Dense(num_classes, activation="softmax")
        self.dropout = layers.Dropout(rate)
        self.avg_pool = layers.GlobalAveragePooling1D()

    @tf.function
    def call(self, inputs, training=None):
        mask = tf.cast(tf.equal(inputs, 0), tf.float32)[:, tf.newaxis, tf.newaxis, :]
        output = self.positional_encoder(self.embedding(inputs))
        for encoder in self.encoders:
            output = encoder(output, training=training, mask=mask)
        output = self.dropout(output, training=training)
        return self.dense(self.avg_pool(output))
