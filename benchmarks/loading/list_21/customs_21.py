"""Custom objects of models of capsules in `images.py`; copied as `customs_21.py` beside the
models.
"""

from __future__ import annotations

import math
import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers, K = keras.layers, keras.backend


def squash_vectors(vectors, axis=-1):
    """Long vectors to a length of nearly 1, short ones to 0."""
    squared = tf.reduce_sum(tf.square(vectors), axis, keepdims=True)
    return squared / (1 + squared) / tf.sqrt(squared + K.epsilon()) * vectors


def vectors_length(vecs):
    """Lengths of vectors."""
    return tf.sqrt(tf.reduce_sum(tf.square(vecs), -1) + K.epsilon())


def masked_capsules(inputs):
    """The capsule of the true label, or else the longest."""
    if type(inputs) is tuple or type(inputs) is list:
        inputs, mask = inputs[0], inputs[1]
    else:
        x = vectors_length(inputs)
        mask = K.one_hot(indices=K.argmax(x, 1), num_classes=x.shape[-1])
    return K.batch_flatten(inputs * K.expand_dims(mask, -1))


class PrimaryCaps(layers.Layer):
    """Capsules of a convolution; its layers, a Lambda among them, are made in `build`."""

    def __init__(self, n_caps, dims_caps, kernel_size, strides, padding, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.n_caps = n_caps
        self.dims_caps = dims_caps
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.activation = activation

    def get_config(self):
        config = super().get_config().copy()
        config.update(
            {
                "n_caps": self.n_caps,
                "dims_caps": self.dims_caps,
                "kernel_size": self.kernel_size,
                "strides": self.strides,
                "padding": self.padding,
                "activation": self.activation,
            }
        )
        return config

    def build(self, input_shape):
        self.conv2d = layers.Conv2D(
            filters=self.n_caps * self.dims_caps,
            kernel_size=self.kernel_size,
            strides=self.strides,
            padding=self.padding,
            activation=self.activation,
            name="primarycaps_conv2d",
        )
        side = int((input_shape[1] - self.kernel_size + 1) / self.strides)
        self.reshape = layers.Reshape(
            (side**2 * self.n_caps, self.dims_caps), name="primarycaps_reshape"
        )
        self.squash = layers.Lambda(squash_vectors, name="primarycaps_squash")
        self.built = True

    def call(self, inputs):
        x = self.conv2d(inputs)
        x = self.reshape(x)
        return self.squash(x)


class ClassCaps(layers.Layer):
    """Capsules of classes by routing; its weight is a variable of TensorFlow."""

    def __init__(self, n_caps, dims_caps, r_iter=3, **kwargs):
        super().__init__(**kwargs)
        self.n_caps = n_caps
        self.dims_caps = dims_caps
        self.r_iter = r_iter

    def get_config(self):
        config = super().get_config().copy()
        config.update({"n_caps": self.n_caps, "dims_caps": self.dims_caps, "r_iter": self.r_iter})
        return config

    def build(self, input_shape):
        assert len(input_shape) >= 3, "capsules need vectors"
        self.input_n_caps = input_shape[1]
        self.input_dims_caps = input_shape[2]
        self.init_sigma = 0.1
        self.W_init = tf.random.normal(
            shape=(1, self.input_n_caps, self.n_caps, self.dims_caps, self.input_dims_caps),
            stddev=self.init_sigma,
        )
        self.W = tf.Variable(self.W_init, name="W")
        self.built = True

    def call(self, inputs):
        batch_size = tf.shape(inputs)[0]
        tiled = tf.expand_dims(tf.expand_dims(inputs, -1), 2)
        tiled = tf.tile(tiled, [1, 1, self.n_caps, 1, 1])
        inputs_hat = tf.matmul(tf.tile(self.W, [batch_size, 1, 1, 1, 1]), tiled)
        b = tf.zeros([batch_size, self.input_n_caps, self.n_caps, 1, 1])
        for _ in range(self.r_iter):
            c = tf.nn.softmax(b, axis=2)
            weighted = tf.reduce_sum(tf.multiply(c, inputs_hat), axis=1, keepdims=True)
            outputs = squash_vectors(weighted, axis=-2)
            again = tf.tile(outputs, [1, self.input_n_caps, 1, 1, 1])
            b = tf.add(b, tf.matmul(inputs_hat, again, transpose_a=True))
        return tf.squeeze(outputs, axis=[1, -1])


class ReLUConv(layers.Layer):
    """A convolution that is `None` until `build`; no config."""

    def __init__(self, width=32, kernel_size=5, stride=2, **kwargs):
        super().__init__(**kwargs)
        self.num_channels = width
        self.kernel_size = kernel_size
        self.stride = stride
        self.conv = None

    def build(self, input_shape):
        self.conv = layers.Conv2D(
            filters=self.num_channels,
            kernel_size=self.kernel_size,
            strides=self.stride,
            padding="valid",
            activation="relu",
            kernel_regularizer=keras.regularizers.l2(0.05),
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=5e-2),
            bias_initializer=keras.initializers.Constant(0.1),
        )
        self.built = True

    def call(self, inputs):
        return self.conv(inputs)


class PoseCaps(layers.Layer):
    """Poses and activations of one convolution, which is built and assigned in `build`."""

    def __init__(self, count=32, out_atoms=16, **kwargs):
        super().__init__(**kwargs)
        self.num_capsules = count
        self.out_atoms = out_atoms
        self.conv = None
        self.kernel_size = 1
        self.stride = 1
        self.sqrt_atoms = int(np.sqrt(out_atoms))

    def build(self, input_shape):
        self.conv_dim = input_shape[-1]
        self.conv = layers.Conv2D(
            filters=self.num_capsules * (self.out_atoms + 1),
            kernel_size=self.kernel_size,
            strides=self.stride,
            padding="same",
            kernel_regularizer=keras.regularizers.l2(0.0000002),
            use_bias=False,
        )
        self.conv.build(input_shape)
        kernels = []
        for stddev, count in ((0.5, self.out_atoms), (3.0, 1)):
            drawn = keras.initializers.TruncatedNormal(stddev=stddev)
            shape = [self.kernel_size, self.kernel_size, input_shape[-1], count * self.num_capsules]
            kernels.append(drawn(shape=shape))
        self.conv.kernel.assign(tf.concat(kernels, axis=-1))
        self.built = True

    def call(self, inputs):
        found = self.conv(inputs)
        split = [self.out_atoms * self.num_capsules, self.num_capsules]
        poses, activations = tf.split(found, split, axis=-1)
        n, h, w = tf.shape(poses)[0], poses.shape[1], poses.shape[2]
        poses = tf.reshape(poses, [n, h, w, self.num_capsules, self.sqrt_atoms, self.sqrt_atoms])
        activations = tf.expand_dims(tf.expand_dims(activations, -1), -1)
        return poses, tf.math.sigmoid(activations)


class VoteCaps(layers.Layer):
    """Votes of capsules by their places: the grid is a tuple of arrays that the model gives."""

    def __init__(self, position_grid, out_atoms=16, capsules_out=5, **kwargs):
        super().__init__(**kwargs)
        self.position_grid = position_grid
        self.out_atoms = out_atoms
        self.caps_out = capsules_out

    def build(self, input_shape):
        self.pose_shape_in = input_shape[0]
        self.in_sqrt_atoms = self.pose_shape_in[-1]
        self.act_shape_in = input_shape[1]
        self.caps_in = self.pose_shape_in[3]
        side = self.in_sqrt_atoms
        self.weight = self.add_weight(
            shape=(self.caps_in, self.caps_out, side, side),
            initializer=keras.initializers.TruncatedNormal(stddev=0.01),
            name="weights",
        )
        self.built = True

    def call(self, inputs):
        poses, activations = inputs
        votes = tf.einsum("bhwimn,ionp->bhwiomp", poses, self.weight)
        xv, yv = self.position_grid
        grid = tf.convert_to_tensor(np.stack([xv, yv], axis=-1), dtype=poses.dtype)
        h, w, side = *xv.shape, self.in_sqrt_atoms
        grid = tf.reshape(grid, [1, h, w, 1, 1, 1, 2])
        votes = votes + tf.pad(grid, [[0, 0]] * 5 + [[side - 1, 0], [0, side - 2]])
        b, i = tf.shape(votes)[0], self.caps_in
        votes = tf.reshape(votes, (b, h * w * i, self.caps_out, side, side))
        return votes, tf.reshape(activations, (b, h * w * i, 1, 1, 1))


class EMRouting(layers.Layer):
    """Routing by expectation and maximization; what it finds is kept as attributes."""

    def __init__(self, iterations=3, min_var=0.0005, final_beta=1.0, **kwargs):
        super().__init__(**kwargs)
        self.iterations = iterations
        self.min_var = min_var
        self.final_lambda = final_beta

    def build(self, input_shape):
        self.pose_shape_in = input_shape[0]
        self.act_shape_in = input_shape[1]
        shape = (1, 1, self.pose_shape_in[2], 1, 1)
        self.beta_a = self.add_weight(
            shape=shape, initializer=tf.constant_initializer(0.5), name="activation_bias"
        )
        self.beta_u = self.add_weight(
            shape=shape, initializer=tf.constant_initializer(0.5), name="sigma_bias"
        )
        self.built = True

    def call(self, inputs):
        votes, activations = inputs
        self.R_ij = tf.nn.softmax(tf.zeros(tf.shape(activations)))
        for i in range(self.iterations - 1):
            self.m_step(activations, votes, i)
            self.e_step(votes)
        self.m_step(activations, votes, self.iterations)
        return tf.squeeze(self.out_poses, axis=[1]), tf.squeeze(self.out_activations, axis=[1])

    def m_step(self, a_i, votes, i):
        weights = self.R_ij * a_i
        total = tf.reduce_sum(weights, axis=[1], keepdims=True)
        mean = tf.reduce_sum(weights * votes, axis=[1], keepdims=True) / total + 1e-7
        spread = tf.reduce_sum(weights * tf.pow(votes - mean, 2), axis=[1], keepdims=True)
        self.sigma_sq = spread / total + self.min_var
        cost = (self.beta_u + tf.math.log(tf.math.sqrt(self.sigma_sq))) * total
        inverse_temp = self.final_lambda * (1 - tf.pow(0.95, i + 1))
        cost = tf.reduce_sum(cost, axis=[-1, -2], keepdims=True)
        self.out_activations = tf.math.sigmoid(inverse_temp * (self.beta_a - cost))
        self.out_poses = mean

    def e_step(self, votes):
        apart = tf.pow(votes - self.out_poses, 2) / self.sigma_sq
        exponent = -0.5 * tf.reduce_sum(apart, axis=[-1, -2], keepdims=True)
        exponent = exponent - tf.reduce_max(exponent, axis=[2], keepdims=True)
        scale = tf.reduce_prod(2 * math.pi * self.sigma_sq, axis=[-1, -2], keepdims=True)
        likely = self.out_activations / tf.math.sqrt(scale) * tf.math.exp(exponent)
        self.R_ij = likely / tf.reduce_sum(likely, axis=[2], keepdims=True)
