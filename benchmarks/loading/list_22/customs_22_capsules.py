"""Custom objects of capsules and of noise at times, in `photos.py`; copied beside the models."""

from __future__ import annotations

import math
import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
initializers = keras.initializers
K = keras.backend


def routed_length(x):
    """Lengths of capsules."""
    return K.sqrt(K.sum(K.square(x), axis=-1))


def routed_squash(x):
    """Capsules of a length below 1."""
    l2_norm = K.sum(K.square(x), axis=-1, keepdims=True)
    return l2_norm / (1 + l2_norm) * (x / (K.sqrt(l2_norm + K.epsilon())))


keras.utils.get_custom_objects().update({"routed_squash": layers.Activation(routed_squash)})


class RoutedCapsules(layers.Layer):
    """Routing; its config has the objects themselves."""

    def __init__(
        self,
        output_capsules,
        capsule_dim,
        routing_iterations=3,
        kernel_initializer="glorot_uniform",
        activation="routed_squash",
        **kwargs,
    ):
        self.output_capsules = output_capsules
        self.capsule_dim = capsule_dim
        self.routing_iterations = routing_iterations
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.activation = layers.Activation(activation)
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[1], self.output_capsules, input_shape[2], self.capsule_dim),
            initializer=self.kernel_initializer,
            trainable=True,
        )
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        U = tf.einsum("bid,iodc->bioc", inputs, self.kernel)
        input_shape = K.shape(inputs)
        B = tf.zeros((input_shape[0], input_shape[1], self.output_capsules))
        for i in range(self.routing_iterations):
            V, B_updated = self._routing_single_iter(B, U, i, input_shape)
            B = B_updated
        return V

    def _routing_single_iter(self, B, U, i, input_shape):
        C = K.softmax(B, axis=-1)
        C = K.expand_dims(C, axis=-1)
        C = K.repeat_elements(C, rep=self.capsule_dim, axis=-1)
        S = K.sum(C * U, axis=1)
        V = self.activation(S)
        if i != self.routing_iterations:
            V_expanded = K.expand_dims(V, axis=1)
            V_expanded = K.tile(V_expanded, [1, input_shape[1], 1, 1])
            B = B + K.sum(U * V_expanded, axis=-1)
        return V, B

    def compute_output_shape(self, input_shape):
        return None, self.output_capsules, self.capsule_dim

    def get_config(self):
        config = {
            "output_capsules": self.output_capsules,
            "capsule_dim": self.capsule_dim,
            "routing_iterations": self.routing_iterations,
            "kernel_initializer": self.kernel_initializer,
            "activation": self.activation,
        }
        base_config = super().get_config()
        return dict(**base_config, **config)


class RoutedMask(layers.Layer):
    """A mask of capsules, with one input or two."""

    def call(self, inputs, **kwargs):
        if type(inputs) is list and len(inputs) == 2:
            x, mask = inputs[0], inputs[1]
        else:
            x = inputs
            len_x = K.sqrt(K.sum(K.square(x), -1))
            mask = K.one_hot(indices=K.argmax(len_x, 1), num_classes=K.shape(x)[1])
        return K.batch_flatten(x * K.expand_dims(mask, -1))

    def compute_output_shape(self, input_):
        if type(input_) is list and len(input_) == 2:
            input_shape = input_[0]
            return None, input_shape[2]
        return None, input_[1] * input_[2]

    def get_config(self):
        return super().get_config()


def kernel_init(scale):
    """An initializer of a scale."""
    scale = max(scale, 1e-10)
    return initializers.VarianceScaling(scale, mode="fan_avg", distribution="uniform")


class NoiseAttentionBlock(layers.Layer):
    """Attention of all pixels; its attributes come before its base."""

    def __init__(self, units, groups, **kwargs):
        self.units = units
        self.groups = groups
        super().__init__(**kwargs)
        self.norm = layers.GroupNormalization(groups=groups)
        self.query = layers.Dense(units, kernel_initializer=kernel_init(1.0))
        self.key = layers.Dense(units, kernel_initializer=kernel_init(1.0))
        self.value = layers.Dense(units, kernel_initializer=kernel_init(1.0))
        self.proj = layers.Dense(units, kernel_initializer=kernel_init(0.0))

    def get_config(self):
        config = super().get_config()
        config.update({"units": self.units, "groups": self.groups})
        return config

    def call(self, inputs):
        batch_size = tf.shape(inputs)[0]
        height = tf.shape(inputs)[1]
        width = tf.shape(inputs)[2]
        scale = tf.cast(self.units, tf.float32) ** (-0.5)
        inputs = self.norm(inputs)
        q = self.query(inputs)
        k = self.key(inputs)
        v = self.value(inputs)
        attn_score = tf.einsum("bhwc, bHWc->bhwHW", q, k) * scale
        attn_score = tf.reshape(attn_score, [batch_size, height, width, height * width])
        attn_score = tf.nn.softmax(attn_score, -1)
        attn_score = tf.reshape(attn_score, [batch_size, height, width, height, width])
        proj = tf.einsum("bhwHW,bHWc->bhwc", attn_score, v)
        return inputs + self.proj(proj)


class NoiseTimeEmbedding(layers.Layer):
    """Sines of times by a tensor that the layer keeps."""

    def __init__(self, dim, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.half_dim = dim // 2
        self.emb = math.log(10000) / (self.half_dim - 1)
        self.emb = tf.exp(tf.range(self.half_dim, dtype=tf.float32) * -self.emb)

    def get_config(self):
        config = super().get_config()
        config.update({"dim": self.dim})
        return config

    def call(self, inputs):
        inputs = tf.round(1000.0 * inputs[:, 0, 0, 0]) - 1
        emb = inputs[:, None] * self.emb[None, :]
        return tf.concat([tf.sin(emb), tf.cos(emb)], axis=-1)
