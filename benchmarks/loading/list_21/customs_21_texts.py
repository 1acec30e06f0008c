"""Custom objects of models of texts in `texts.py`; copied as `customs_21_texts.py` beside the
models.
"""

from __future__ import annotations

import sys
from abc import ABC

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
classifier_config = {
    "head_num": 2,
    "hidden_dim": 10,
    "dropout_rate": 0.5,
    "encoder_num": 2,
    "max_sequence_length": 7,
    "embedding_method": "",
}


def create_padding_mask(seq):
    """1 where there is no word."""
    seq = tf.cast(tf.math.equal(seq, 0), tf.float32)
    return seq[:, tf.newaxis, tf.newaxis, :]


def angles(length, width):
    """Sines and cosines of places."""
    found = np.array(
        [
            [pos / np.power(10000, 2 * (i // 2) / width) for i in range(width)]
            for pos in range(length)
        ]
    )
    found[:, 0::2] = np.sin(found[:, 0::2])
    found[:, 1::2] = np.cos(found[:, 1::2])
    return found


class PositionalEncoding(layers.Layer):
    """Places as an array of the layer."""

    def __init__(self, embedding_dim, seq_length):
        super().__init__()
        self.pe = angles(seq_length, embedding_dim)

    @tf.function
    def call(self, inputs):
        return inputs + self.pe


class MultiHeadAttention(layers.Layer):
    """Heads whose number a dictionary of the module tells, under a name of Keras."""

    def __init__(self, embedding_dim):
        super().__init__()
        self.head_num = classifier_config["head_num"]
        if embedding_dim % self.head_num != 0:
            raise ValueError(f"embedding_dim({embedding_dim}) % head_num({self.head_num}) is not 0")
        self.head_dim = embedding_dim // self.head_num
        self.embedding_dim = embedding_dim
        self.W_Q = layers.Dense(embedding_dim)
        self.W_K = layers.Dense(embedding_dim)
        self.W_V = layers.Dense(embedding_dim)
        self.W_O = layers.Dense(embedding_dim)

    def scaled_dot_product_attention(self, query, key, value, mask):
        matmul_qk = tf.matmul(query, key, transpose_b=True)
        dk = self.head_dim**-0.5
        scaled_attention = matmul_qk / tf.math.sqrt(dk)
        if mask is not None:
            scaled_attention += mask * -1e9
        attention_weights = tf.nn.softmax(scaled_attention, axis=-1)
        return tf.matmul(attention_weights, value)

    def split_head(self, tensor, batch_size):
        tensor = tf.reshape(tensor, (batch_size, -1, self.head_num, self.head_dim))
        return tf.transpose(tensor, perm=[0, 2, 1, 3])

    @tf.function
    def call(self, inputs, mask=None):
        batch_size = tf.shape(inputs)[0]
        query = self.split_head(self.W_Q(inputs), batch_size)
        key = self.split_head(self.W_K(inputs), batch_size)
        value = self.split_head(self.W_V(inputs), batch_size)
        z = self.scaled_dot_product_attention(query, key, value, mask)
        z = tf.reshape(z, (batch_size, -1, self.embedding_dim))
        return self.W_O(z)


class PositionWiseFeedForwardLayer(layers.Layer):
    """Two dense layers."""

    def __init__(self, embedding_dim):
        super().__init__()
        hidden_dim = classifier_config["hidden_dim"]
        self.dense_1 = layers.Dense(hidden_dim, activation="relu", kernel_initializer="he_uniform")
        self.dense_2 = layers.Dense(embedding_dim)

    @tf.function
    def call(self, inputs):
        output = self.dense_1(inputs)
        return self.dense_2(output)


class ReviewEncoder(layers.Layer):
    """A block, called with all of its arguments by place."""

    def __init__(self, embedding_dim, dropout_rate):
        super().__init__()
        self.attention = MultiHeadAttention(embedding_dim)
        self.feed_forward = PositionWiseFeedForwardLayer(embedding_dim)
        self.layer_norm_1 = layers.LayerNormalization(epsilon=1e-6)
        self.layer_norm_2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout_1 = layers.Dropout(dropout_rate)
        self.dropout_2 = layers.Dropout(dropout_rate)

    @tf.function
    def call(self, inputs, training, mask):
        attention_outputs = self.attention(inputs, mask)
        outputs_1 = self.dropout_1(attention_outputs, training=training)
        outputs_1 = self.layer_norm_1(inputs + outputs_1)
        ffn_output = self.feed_forward(outputs_1)
        outputs_2 = self.dropout_2(ffn_output, training=training)
        return self.layer_norm_2(outputs_1 + outputs_2)


class ReviewTransformer(keras.Model, ABC):
    """Classes of texts."""

    def __init__(self, num_classes, embedding_dim, vocab_size, embeddings_matrix=None):
        super().__init__()
        dropout_rate = classifier_config["dropout_rate"]
        encoder_num = classifier_config["encoder_num"]
        seq_length = classifier_config["max_sequence_length"]
        if classifier_config["embedding_method"] == "":
            self.embedding = layers.Embedding(vocab_size + 1, embedding_dim, mask_zero=True)
        else:
            self.embedding = layers.Embedding(
                vocab_size + 1, embedding_dim, weights=[embeddings_matrix], trainable=False
            )
        self.positional_encoder = PositionalEncoding(embedding_dim, seq_length)
        self.encoders = [ReviewEncoder(embedding_dim, dropout_rate) for _ in range(encoder_num)]
        self.dense = layers.Dense(num_classes, activation="softmax")
        self.dropout = layers.Dropout(dropout_rate)
        self.avg_pool = layers.GlobalAvgPool1D()

    @tf.function
    def call(self, inputs, training=None):
        mask = create_padding_mask(inputs)
        embed_inputs = self.embedding(inputs)
        output = self.positional_encoder(embed_inputs)
        for encoder in self.encoders:
            output = encoder(output, training, mask)
        output = self.dropout(output, training=training)
        output = self.avg_pool(output)
        return self.dense(output)


class AskEncoder(keras.Model):
    """Two LSTM layers: the states of the first are the input of the second."""

    def __init__(self, lstm_units, embed_dim, vocab, batch_size):
        super().__init__()
        self.lstm_units = lstm_units
        self.embed_dim = embed_dim
        self.vocab = vocab
        self.batch_size = batch_size
        self.embed = layers.Embedding(self.vocab, self.embed_dim)
        self.drop1 = layers.Dropout(0.1)
        self.cell1 = layers.LSTM(self.lstm_units, return_sequences=True, return_state=True)
        self.drop2 = layers.Dropout(0.05)
        self.cell2 = layers.LSTM(self.lstm_units, return_sequences=True, return_state=True)

    def call(self, x, state):
        x = self.embed(x)
        x = self.drop1(x)
        x = self.cell1(x, state)
        o, h, _ = self.cell2(x)
        return o, h

    def get_state(self):
        return [tf.zeros((self.batch_size, self.lstm_units)) for _ in range(2)]


class AnswerDecoder(keras.Model):
    """The next word by additive attention."""

    def __init__(self, lstm_units, embed_dim, vocab, batch_size):
        super().__init__()
        self.lstm_units = lstm_units
        self.embed_dim = embed_dim
        self.vocab = vocab
        self.drop1 = layers.Dropout(0.1)
        self.drop2 = layers.Dropout(0.1)
        self.batch_size = batch_size
        self.fc1 = layers.Dense(self.embed_dim, activation="relu")
        self.fc2 = layers.Dense(self.embed_dim, activation="relu")
        self.fc3 = layers.Dense(self.vocab)
        self.embed = layers.Embedding(self.vocab, self.embed_dim)
        self.cell1 = layers.LSTM(self.lstm_units, return_sequences=True, return_state=True)
        self.cell2 = layers.LSTM(self.lstm_units, return_sequences=True, return_state=True)

    def attention_module(self, x, y):
        a_xy = tf.tanh(x + y)
        a_xy = tf.nn.softmax(a_xy, axis=1) * y
        return tf.expand_dims(tf.reduce_sum(a_xy, axis=1), axis=1)

    def call(self, x, hidden_, out_):
        out_ = self.fc1(out_)
        hidden_ = self.fc2(hidden_[:, tf.newaxis, :])
        context_ = tf.concat((self.attention_module(hidden_, out_), self.embed(x)), axis=-1)
        context_ = self.drop1(context_)
        out = self.cell1(context_)
        out, h, _ = self.cell2(out)
        out = self.fc3(self.drop2(out))
        out = tf.reshape(out, (-1, out.shape[-1]))
        return out, h


class Answering(keras.Model):
    """Both in one model, with the first word of the answer."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def call(self, inputs):
        question, word = inputs
        out, state = self.encoder(question, self.encoder.get_state())
        return self.decoder(word, state, out)[0]
