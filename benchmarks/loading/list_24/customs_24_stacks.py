"""Custom objects of stacked layers that translate in `items.py`; copied beside the models."""

from __future__ import annotations

import math
import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


def scaled_dot_product_attention(query, key, value):
    """A weight for each word."""
    product = tf.einsum("bij, bij -> bi", query, key)
    product = tf.nn.softmax(product / tf.math.sqrt(tf.cast(query.shape[-2], dtype=tf.float32)))
    return tf.einsum("bi, bij -> bij", product, value)


class MultiheadAttention(layers.Layer):
    """Heads of full width, whose lists `build` makes and whose results are kept in lists."""

    def __init__(self, d_k=8, model_embedding=512):
        super().__init__()
        self.d_k = d_k
        self.model_embedding = model_embedding
        self.query_projection = [None] * self.d_k
        self.key_projection = [None] * self.d_k
        self.value_projection = [None] * self.d_k
        self.attention_result = [None] * self.d_k
        self.final_dense = layers.Dense(self.model_embedding, activation="linear")

    def build(self, input_sizes):
        self.query_matrix = []
        self.key_matrix = []
        self.value_matrix = []
        for _ in range(self.d_k):
            self.query_matrix.append(layers.Dense(self.model_embedding))
            self.key_matrix.append(layers.Dense(self.model_embedding))
            self.value_matrix.append(layers.Dense(self.model_embedding))

    def call(self, inputs):
        query, key, value = inputs
        for i in range(self.d_k):
            self.query_projection[i] = self.query_matrix[i](query)
            self.key_projection[i] = self.key_matrix[i](key)
            self.value_projection[i] = self.value_matrix[i](value)
        for i in range(self.d_k):
            self.attention_result[i] = scaled_dot_product_attention(
                self.query_projection[i], self.key_projection[i], self.value_projection[i]
            )
        result_tensor = self.attention_result[0]
        for i in range(1, self.d_k):
            result_tensor = tf.concat([result_tensor, self.attention_result[i]], -1)
        return self.final_dense(result_tensor)


def positional_function(words, embedding):
    """Sines and cosines of the places."""
    pos = np.zeros((words, embedding))
    for i in range(words):
        for j in range(embedding):
            wave = math.sin if j % 2 == 0 else math.cos
            pos[i, j] = wave(i / pow(10000, 2 * j / (512)))
    return pos


class Encoder(layers.Layer):
    """Attention and a small network, with normalizations that were not adapted."""

    def __init__(self, d_k=8, attention_function=MultiheadAttention, model_embedding=512):
        super().__init__()
        self.d_k = d_k
        self.normalize_layer_1 = layers.Normalization(axis=-1)
        self.normalize_layer_2 = layers.Normalization(axis=-1)
        self.embedding_size = model_embedding
        self.relu_layer = layers.Dense(self.embedding_size, activation="relu")
        self.linear_layer = layers.Dense(self.embedding_size, activation="linear")
        self.attention = attention_function(d_k=self.d_k, model_embedding=self.embedding_size)

    def build(self, input_shape):
        pass

    def call(self, inputs):
        attention_layer_output = self.attention((inputs, inputs, inputs))
        attention_layer_output = self.normalize_layer_1(inputs + attention_layer_output)
        feedforward_net_output = self.linear_layer(self.relu_layer(attention_layer_output))
        feedforward_net_output = self.normalize_layer_2(
            attention_layer_output + feedforward_net_output
        )
        return attention_layer_output, feedforward_net_output


class Decoder(layers.Layer):
    """Attention to itself and to both results of an encoder."""

    def __init__(
        self, input_words=64, attention_function=MultiheadAttention, model_embedding=512, d_k=8
    ):
        super().__init__()
        self.d_k = d_k
        self.input_words = 64
        self.model_embedding = model_embedding
        self.attention1 = attention_function(d_k=self.d_k, model_embedding=self.model_embedding)
        self.attention2 = attention_function(d_k=self.d_k, model_embedding=self.model_embedding)
        self.first_sublayer_norm = layers.Normalization(axis=-1)
        self.concatenate1 = layers.Concatenate(axis=-2)
        self.concatenate2 = layers.Concatenate(axis=-2)
        self.second_sublayer_norm = layers.Normalization(axis=-1)
        self.feedforward_relu = layers.Dense(self.model_embedding, activation="relu")
        self.feedforward_linear = layers.Dense(self.model_embedding, activation="linear")
        self.third_sublayer_norm = layers.Normalization(axis=-1)

    def build(self, input_shape):
        pass

    def call(self, inputs):
        decoder_input, encoder_layer1_input, encoder_layer2_input = inputs
        first_sublayer_out = self.attention1((decoder_input, decoder_input, decoder_input))
        first_sublayer_out = self.first_sublayer_norm(decoder_input + first_sublayer_out)
        second_sublayer_output = self.attention2(
            (first_sublayer_out, encoder_layer1_input, encoder_layer2_input)
        )
        second_sublayer_output = self.second_sublayer_norm(
            second_sublayer_output + first_sublayer_out
        )
        third_sublayer_out = self.feedforward_relu(self.feedforward_linear(second_sublayer_output))
        return self.third_sublayer_norm(second_sublayer_output + third_sublayer_out)


class PositionalEmbedding(layers.Layer):
    """A product with sines and cosines."""

    def __init__(self, positional_function=positional_function, embedding_size=512, words=64):
        super().__init__()
        self.embedding_size = embedding_size
        self.words = words
        pos_mat = positional_function(self.words, self.embedding_size)
        self.pos_mat = tf.cast(tf.convert_to_tensor(pos_mat), tf.float32)

    def build(self, input_sizes):
        pass

    def call(self, inputs):
        return tf.einsum("bij, ij -> bij", inputs, self.pos_mat)
