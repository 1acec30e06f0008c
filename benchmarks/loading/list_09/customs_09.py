"""Custom objects of the models in `models.py`; copied as `customs_09.py` beside them.

None is registered: the examples that they follow register nothing.
"""

from __future__ import annotations

import itertools
import re
import string
import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class Involution(layers.Layer):
    """Kernels made for each place from what stands there; returns its result and the kernels.

    All its arguments must be given, and it has no config of its own.
    """

    def __init__(self, channel, group_number, kernel_size, stride, reduction_ratio, name):
        super().__init__(name=name)
        self.channel = channel
        self.group_number = group_number
        self.kernel_size = kernel_size
        self.stride = stride
        self.reduction_ratio = reduction_ratio

    def build(self, input_shape):
        (_, height, width, channels) = input_shape
        height, width = height // self.stride, width // self.stride
        if self.stride > 1:
            self.stride_layer = layers.AveragePooling2D(
                pool_size=self.stride, strides=self.stride, padding="same"
            )
        else:
            self.stride_layer = tf.identity
        area, groups = self.kernel_size * self.kernel_size, self.group_number
        self.kernel_gen = keras.Sequential(
            [
                layers.Conv2D(filters=self.channel // self.reduction_ratio, kernel_size=1),
                layers.BatchNormalization(),
                layers.ReLU(),
                layers.Conv2D(filters=area * groups, kernel_size=1),
            ]
        )
        self.kernel_reshape = layers.Reshape((height, width, area, 1, groups))
        self.patches_reshape = layers.Reshape((height, width, area, channels // groups, groups))
        self.output_reshape = layers.Reshape((height, width, channels))

    def call(self, x):
        kernel = self.kernel_reshape(self.kernel_gen(self.stride_layer(x)))
        patches = tf.image.extract_patches(
            images=x,
            sizes=[1, self.kernel_size, self.kernel_size, 1],
            strides=[1, self.stride, self.stride, 1],
            rates=[1, 1, 1, 1],
            padding="SAME",
        )
        output = tf.multiply(kernel, self.patches_reshape(patches))
        return self.output_reshape(tf.reduce_sum(output, axis=3)), kernel


class DownscaleBlock(layers.Layer):
    """Two convolutions around a skip; returns what it found before and after pooling."""

    def __init__(self, filters, kernel_size=(3, 3), padding="same", strides=1):
        super().__init__()
        self.convA = layers.Conv2D(filters, kernel_size, strides, padding)
        self.convB = layers.Conv2D(filters, kernel_size, strides, padding)
        self.reluA, self.reluB = layers.LeakyReLU(0.2), layers.LeakyReLU(0.2)
        self.bn2a, self.bn2b = layers.BatchNormalization(), layers.BatchNormalization()
        self.pool = layers.MaxPool2D((2, 2), (2, 2))

    def call(self, input_tensor):
        d = self.convA(input_tensor)
        x = self.reluA(self.bn2a(d))
        x = self.reluB(self.bn2b(self.convB(x)))
        x += d
        return x, self.pool(x)


class UpscaleBlock(layers.Layer):
    """Called with two tensors."""

    def __init__(self, filters, kernel_size=(3, 3), padding="same", strides=1):
        super().__init__()
        self.us = layers.UpSampling2D((2, 2))
        self.convA = layers.Conv2D(filters, kernel_size, strides, padding)
        self.convB = layers.Conv2D(filters, kernel_size, strides, padding)
        self.reluA, self.reluB = layers.LeakyReLU(0.2), layers.LeakyReLU(0.2)
        self.bn2a, self.bn2b = layers.BatchNormalization(), layers.BatchNormalization()
        self.conc = layers.Concatenate()

    def call(self, x, skip):
        x = self.conc([self.us(x), skip])
        x = self.reluA(self.bn2a(self.convA(x)))
        return self.reluB(self.bn2b(self.convB(x)))


class DepthEstimationModel(keras.Model):
    """Blocks in lists, a loss and a metric of its own, and a step of its own; no arguments."""

    def __init__(self):
        super().__init__()
        self.l1_loss_weight, self.edge_loss_weight = 0.1, 0.9
        self.loss_metric = keras.metrics.Mean(name="loss")
        self.downscale_blocks = [DownscaleBlock(4), DownscaleBlock(6)]
        self.bottle_neck = layers.Conv2D(8, (3, 3), padding="same", activation="relu")
        self.upscale_blocks = [UpscaleBlock(6), UpscaleBlock(4)]
        self.conv_layer = layers.Conv2D(1, (1, 1), padding="same", activation="tanh")

    def calculate_loss(self, target, pred):
        dy, dx = tf.image.image_gradients(pred)
        edges = tf.reduce_mean(abs(dx)) + tf.reduce_mean(abs(dy))
        distance = tf.reduce_mean(tf.abs(target - pred))
        return self.l1_loss_weight * distance + self.edge_loss_weight * edges

    @property
    def metrics(self):
        return [self.loss_metric]

    def train_step(self, batch_data):
        images, target = batch_data
        with tf.GradientTape() as tape:
            loss = self.calculate_loss(target, self(images, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        pairs = itertools.zip_longest(gradients, self.trainable_variables)
        self.optimizer.apply_gradients(pairs)
        self.loss_metric.update_state(loss)
        return {"loss": self.loss_metric.result()}

    def call(self, x):
        c1, p1 = self.downscale_blocks[0](x)
        c2, p2 = self.downscale_blocks[1](p1)
        u1 = self.upscale_blocks[0](self.bottle_neck(p2), c2)
        return self.conv_layer(self.upscale_blocks[1](u1, c1))


class StandardizedConv2DWithOverride(layers.Conv2D):
    """A convolution whose operation is replaced."""

    def convolution_op(self, inputs, kernel):
        mean, var = tf.nn.moments(kernel, axes=[0, 1, 2], keepdims=True)
        kernel = (kernel - mean) / tf.sqrt(var + 1e-10)
        return tf.nn.conv2d(inputs, kernel, padding="VALID", strides=list(self.strides))


class StandardizedConv2DWithCall(layers.Conv2D):
    """A convolution whose call is replaced; it leaves out the activation."""

    def call(self, inputs):
        mean, var = tf.nn.moments(self.kernel, axes=[0, 1, 2], keepdims=True)
        result = self.convolution_op(inputs, (self.kernel - mean) / tf.sqrt(var + 1e-10))
        return result + self.bias if self.use_bias else result


class GraphAttention(layers.Layer):
    """Neighbours weighed by what both ends of an edge say; it has no config of its own."""

    def __init__(
        self, units, kernel_initializer="glorot_uniform", kernel_regularizer=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape):
        same = {"initializer": self.kernel_initializer, "regularizer": self.kernel_regularizer}
        shape = (input_shape[0][-1], self.units)
        self.kernel = self.add_weight(shape=shape, trainable=True, name="kernel", **same)
        self.kernel_attention = self.add_weight(
            shape=(self.units * 2, 1), trainable=True, name="kernel_attention", **same
        )
        self.built = True

    def call(self, inputs):
        node_states, edges = inputs
        z = tf.matmul(node_states, self.kernel)
        pairs = tf.concat([tf.gather(z, edges[:, 0]), tf.gather(z, edges[:, 1])], axis=-1)
        scores = tf.squeeze(tf.nn.leaky_relu(tf.matmul(pairs, self.kernel_attention)), -1)
        scores = tf.math.exp(tf.clip_by_value(scores, -2, 2))
        nodes = tf.shape(node_states)[0]
        total = tf.math.unsorted_segment_sum(scores, edges[:, 0], num_segments=nodes)
        scores = scores / (tf.gather(total, edges[:, 0]) + 1e-8)
        neighbors = tf.gather(z, edges[:, 1]) * scores[:, tf.newaxis]
        return tf.math.unsorted_segment_sum(neighbors, edges[:, 0], num_segments=nodes)


class MultiHeadGraphAttention(layers.Layer):
    """Several of them side by side, in a list."""

    def __init__(self, units, num_heads=8, merge_type="concat", **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.merge_type = merge_type
        self.attention_layers = [GraphAttention(units) for _ in range(num_heads)]

    def call(self, inputs):
        node_states, edges = inputs
        outputs = [attend([node_states, edges]) for attend in self.attention_layers]
        if self.merge_type == "concat":
            return tf.nn.relu(tf.concat(outputs, axis=-1))
        return tf.nn.relu(tf.reduce_mean(tf.stack(outputs, axis=-1), axis=-1))


class GraphAttentionNetwork(keras.Model):
    """Holds the whole graph as tensors and is called with numbers of nodes."""

    def __init__(self, node_states, edges, units, num_heads, num_layers, output_dim, **kwargs):
        super().__init__(**kwargs)
        self.node_states = node_states
        self.edges = edges
        self.preprocess = layers.Dense(units * num_heads, activation="relu")
        self.attention_layers = [
            MultiHeadGraphAttention(units, num_heads) for _ in range(num_layers)
        ]
        self.output_layer = layers.Dense(output_dim)

    def call(self, inputs, training=False):
        x = self.preprocess(self.node_states)
        for attend in self.attention_layers:
            x = attend([x, self.edges]) + x
        return tf.gather(self.output_layer(x), inputs)


class NeuralDecisionTree(keras.Model):
    """Routes by some features, which it draws when it is made and keeps as a constant."""

    def __init__(self, depth, num_features, used_features_rate, num_classes):
        super().__init__()
        self.depth = depth
        self.num_leaves = 2**depth
        used = int(num_features * used_features_rate)
        drawn = np.random.choice(np.arange(num_features), used, replace=False)
        self.used_features_mask = tf.constant(np.eye(num_features)[drawn], dtype="float32")
        self.pi = self.add_weight(
            name="pi",
            initializer="random_normal",
            shape=[self.num_leaves, num_classes],
            dtype="float32",
            trainable=True,
        )
        self.decision_fn = layers.Dense(self.num_leaves, activation="sigmoid", name="decision")

    def call(self, features):
        rows = tf.shape(features)[0]
        features = tf.matmul(features, self.used_features_mask, transpose_b=True)
        decisions = tf.expand_dims(self.decision_fn(features), axis=2)
        decisions = tf.concat([decisions, 1 - decisions], axis=2)
        mu = tf.ones([rows, 1, 1])
        begin, end = 1, 2
        for level in range(self.depth):
            mu = tf.tile(tf.reshape(mu, [rows, -1, 1]), (1, 1, 2))
            mu = mu * decisions[:, begin:end, :]
            begin, end = end, end + 2 ** (level + 1)
        mu = tf.reshape(mu, [rows, self.num_leaves])
        return tf.matmul(mu, tf.nn.softmax(self.pi))


class NeuralDecisionForest(keras.Model):
    """The mean of trees in a list; used as a layer of a Functional model."""

    def __init__(self, num_trees, depth, num_features, used_features_rate, num_classes):
        super().__init__()
        self.ensemble = [
            NeuralDecisionTree(depth, num_features, used_features_rate, num_classes)
            for _ in range(num_trees)
        ]

    def call(self, inputs):
        outputs = 0.0
        for tree in self.ensemble:
            outputs += tree(inputs)
        return outputs / len(self.ensemble)


def elu_plus_one_plus_epsilon(x):
    """An activation that is never zero."""
    return keras.activations.elu(x) + 1 + keras.backend.epsilon()


class MixtureDensityOutput(layers.Layer):
    """Means, deviations and weights of a mixture; it has no config of its own."""

    def __init__(self, output_dimension, num_mixtures, **kwargs):
        super().__init__(**kwargs)
        self.output_dim = output_dimension
        self.num_mix = num_mixtures
        wide = num_mixtures * output_dimension
        self.mdn_mus = layers.Dense(wide, name="mdn_mus")
        self.mdn_sigmas = layers.Dense(
            wide, activation=elu_plus_one_plus_epsilon, name="mdn_sigmas"
        )
        self.mdn_pi = layers.Dense(num_mixtures, name="mdn_pi")

    def build(self, input_shape):
        self.mdn_mus.build(input_shape)
        self.mdn_sigmas.build(input_shape)
        self.mdn_pi.build(input_shape)
        super().build(input_shape)

    def call(self, x, mask=None):
        return layers.concatenate([self.mdn_mus(x), self.mdn_sigmas(x), self.mdn_pi(x)])


def mixture_loss(num_mixes):
    """A loss inside a function, for one output."""

    def mdn_loss_func(y_true, y_pred):
        mean, deviation, weight = tf.split(y_pred, num_or_size_splits=[num_mixes] * 3, axis=-1)
        likely = -0.5 * tf.square((y_true - mean) / deviation) - tf.math.log(deviation)
        return -tf.reduce_mean(tf.reduce_logsumexp(tf.nn.log_softmax(weight) + likely, axis=-1))

    return mdn_loss_func


def mse_with_positive_pressure(y_true, y_pred):
    """A loss that pushes away from negative numbers."""
    return tf.reduce_mean((y_true - y_pred) ** 2 + 10 * tf.maximum(-y_pred, 0.0))


def strip_markup(input_data):
    """Lower case, without breaks of lines and punctuation."""
    stripped = tf.strings.regex_replace(tf.strings.lower(input_data), "<br />", " ")
    return tf.strings.regex_replace(stripped, f"[{re.escape(string.punctuation)}]", "")
