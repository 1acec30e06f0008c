"""Custom objects of the tables in `series.py`; copied as `customs_11_tables.py` beside
the models. None is registered; those of the recommender have a config, as in its library.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class Dice(layers.Layer):
    """An activation between two slopes, by where a value stands among its batch."""

    def __init__(self, axis=-1, epsilon=1e-9, **kwargs):
        self.axis = axis
        self.epsilon = epsilon
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.bn = layers.BatchNormalization(
            axis=self.axis, epsilon=self.epsilon, center=False, scale=False
        )
        self.alphas = self.add_weight(
            shape=(input_shape[-1],), initializer="zeros", dtype="float32", name="dice_alpha"
        )
        super().build(input_shape)
        self.uses_learning_phase = True

    def call(self, inputs, training=None, **kwargs):
        inputs_normed = self.bn(inputs, training=training)
        x_p = tf.sigmoid(inputs_normed)
        return self.alphas * (1.0 - x_p) * inputs + x_p * inputs

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = {"axis": self.axis, "epsilon": self.epsilon}
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))


class LocalActivationUnit(layers.Layer):
    """Scores of what was clicked, by a small network over pairs with what is shown."""

    def __init__(self, hidden_units=(6, 4), activation="sigmoid", **kwargs):
        self.hidden_units = hidden_units
        self.activation = activation
        super().__init__(**kwargs)

    def build(self, input_shape):
        size = 4 * int(input_shape[0][-1])
        sizes = [size, *self.hidden_units]
        self.kernels = [
            self.add_weight(
                name=f"kernel{i}",
                shape=(sizes[i], sizes[i + 1]),
                initializer="glorot_normal",
                trainable=True,
            )
            for i in range(len(self.hidden_units))
        ]
        self.last = self.add_weight(
            name="kernel", shape=(sizes[-1], 1), initializer="glorot_normal", trainable=True
        )
        self.bias = self.add_weight(name="bias", shape=(1,), initializer="zeros", trainable=True)
        super().build(input_shape)

    def call(self, inputs, training=None, **kwargs):
        query, keys = inputs
        queries = tf.repeat(query, keys.shape[1], axis=1)
        x = tf.concat([queries, keys, queries - keys, queries * keys], axis=-1)
        for kernel in self.kernels:
            x = layers.Activation(self.activation)(tf.tensordot(x, kernel, axes=(-1, 0)))
        return tf.tensordot(x, self.last, axes=(-1, 0)) + self.bias

    def compute_output_shape(self, input_shape):
        return input_shape[1][:2] + (1,)

    def get_config(self):
        config = {"hidden_units": self.hidden_units, "activation": self.activation}
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))


class AttentionSequencePoolingLayer(layers.Layer):
    """The sum of what was clicked, weighed; the mask of the clicks says which are there."""

    def __init__(
        self,
        att_hidden_units=(80, 40),
        att_activation="sigmoid",
        weight_normalization=False,
        return_score=False,
        **kwargs,
    ):
        self.att_hidden_units = att_hidden_units
        self.att_activation = att_activation
        self.weight_normalization = weight_normalization
        self.return_score = return_score
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        self.local_att = LocalActivationUnit(self.att_hidden_units, self.att_activation)
        super().build(input_shape)

    def call(self, inputs, mask=None, training=None, **kwargs):
        queries, keys = inputs
        key_masks = tf.expand_dims(mask[-1], axis=1)
        scores = tf.transpose(self.local_att([queries, keys], training=training), (0, 2, 1))
        paddings = tf.zeros_like(scores)
        if self.weight_normalization:
            paddings = tf.ones_like(scores) * (-(2**32) + 1)
        scores = tf.where(key_masks, scores, paddings)
        if self.weight_normalization:
            scores = tf.nn.softmax(scores)
        return scores if self.return_score else tf.matmul(scores, keys)

    def compute_output_shape(self, input_shape):
        return (None, 1, input_shape[0][-1])

    def compute_mask(self, inputs, mask=None):
        return None

    def get_config(self):
        config = {
            "att_hidden_units": self.att_hidden_units,
            "att_activation": self.att_activation,
            "weight_normalization": self.weight_normalization,
            "return_score": self.return_score,
        }
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))


class LinearTokens(layers.Layer):
    """A vector for every number: its weight times the number, and a bias; whole config."""

    def __init__(self, n_features, d_token, **kwargs):
        super().__init__(**kwargs)
        self.n_features = n_features
        self.d_token = d_token

    def build(self, input_shape):
        shape = (self.n_features, self.d_token)
        self.linear_w = self.add_weight(
            name="linear_w", shape=shape, initializer="random_normal", trainable=True
        )
        self.linear_b = self.add_weight(
            name="linear_b", shape=shape, initializer="random_normal", trainable=True
        )

    def call(self, x):
        embs = tf.einsum("fd,bf->bfd", tf.convert_to_tensor(self.linear_w), x)
        return tf.nn.relu(embs + self.linear_b)

    def get_config(self):
        return {
            **super().get_config(),
            "n_features": self.n_features,
            "d_token": self.d_token,
        }


class ClassToken(layers.Layer):
    """Puts a learned token first: a variable of TensorFlow, made in the constructor."""

    def __init__(self, d_token, **kwargs):
        super().__init__(**kwargs)
        self.cls_weights = tf.Variable(
            initial_value=tf.random.normal((1, d_token), stddev=0.05), trainable=True
        )

    def call(self, tokens):
        cls_token = tf.repeat(self.cls_weights, repeats=tf.shape(tokens)[0], axis=0)
        return tf.concat([cls_token[:, tf.newaxis, :], tokens], axis=1)
