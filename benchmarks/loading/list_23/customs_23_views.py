"""Custom objects of models of views and styles in `models.py`; copied beside the models."""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
regularizers = keras.regularizers
K = keras.backend


def psnr(y_true, y_pred):
    """Ratio of the signal to the noise."""
    return tf.image.psnr(y_true, y_pred, max_val=1.0)


def ssim(y_true, y_pred):
    """How alike two images are."""
    return tf.image.ssim(y_true, y_pred, max_val=1.0, filter_size=3)


class ResNetUnit(layers.Layer):
    """Two convolutions beside a shortcut that is pooled and padded."""

    def __init__(
        self,
        depth,
        stride,
        shortcut_connection,
        shortcut_from_preact,
        weight_decay,
        batch_norm_momentum,
        batch_norm_epsilon,
        batch_norm_center,
        batch_norm_scale,
        name,
    ):
        super().__init__(name=name)
        self._depth = depth
        self._stride = stride
        self._shortcut_connection = shortcut_connection
        self._shortcut_from_preact = shortcut_from_preact
        self._weight_decay = weight_decay
        self._kernel_regularizer = regularizers.l2(weight_decay)
        normal = {
            "momentum": batch_norm_momentum,
            "epsilon": batch_norm_epsilon,
            "center": batch_norm_center,
            "scale": batch_norm_scale,
        }
        self._bn1 = layers.BatchNormalization(-1, **normal, name="batchnorm_1")
        self._conv1 = layers.Conv2D(
            depth,
            3,
            stride,
            "same",
            use_bias=False,
            kernel_regularizer=self._kernel_regularizer,
            name="conv1",
        )
        self._bn2 = layers.BatchNormalization(-1, **normal, name="batchnorm_2")
        self._conv2 = layers.Conv2D(
            depth,
            3,
            1,
            "same",
            use_bias=False,
            kernel_regularizer=self._kernel_regularizer,
            name="conv2",
        )

    def call(self, inputs):
        depth_in = inputs.shape[3]
        depth = self._depth
        preact = tf.nn.relu(self._bn1(inputs))
        shortcut = preact if self._shortcut_from_preact else inputs
        if depth != depth_in:
            shortcut = tf.nn.avg_pool2d(shortcut, (2, 2), strides=(1, 2, 2, 1), padding="SAME")
            shortcut = tf.pad(shortcut, [[0, 0], [0, 0], [0, 0], [(depth - depth_in) // 2] * 2])
        residual = self._conv1(preact)
        residual = self._conv2(tf.nn.relu(self._bn2(residual)))
        return residual + shortcut if self._shortcut_connection else residual


class Architecture_fullModel(keras.models.Model):
    """An encoder and its head, which gives what both give."""

    def __init__(
        self,
        num_layers,
        num_initial_filters=16,
        shortcut_connection=True,
        weight_decay=2e-4,
        batch_norm_momentum=0.99,
        batch_norm_epsilon=1e-3,
        batch_norm_center=True,
        batch_norm_scale=True,
        dense=128,
        mlp_dense1=128,
        mlp_dense2=128,
    ):
        super().__init__(name="ResNet")
        self._num_layers = num_layers
        self._num_units = (num_layers - 2) // 6
        self._kernel_regularizer = regularizers.l2(weight_decay)
        self._init_conv = layers.Conv2D(
            num_initial_filters,
            3,
            1,
            "same",
            use_bias=False,
            kernel_regularizer=self._kernel_regularizer,
            name="init_conv",
        )
        given = (weight_decay, batch_norm_momentum, batch_norm_epsilon)
        given += (batch_norm_center, batch_norm_scale)

        def block(depth, first, stride, name):
            return keras.models.Sequential(
                [
                    ResNetUnit(
                        depth,
                        stride if i == 0 else 1,
                        shortcut_connection,
                        first if i == 0 else False,
                        *given,
                        f"res_net_unit_{i + 1}",
                    )
                    for i in range(self._num_units)
                ],
                name=name,
            )

        self._block1 = block(num_initial_filters, True, 1, "block1")
        self._block2 = block(num_initial_filters * 2, False, 2, "block2")
        self._block3 = block(num_initial_filters * 4, False, 2, "block3")
        self._global_avg = layers.GlobalAveragePooling2D(name="GlobalAvgPooling")
        self._dense = layers.Dense(dense, name="simclrv2_Dense")
        self._dense_bn = layers.BatchNormalization(name="BN_of_simclrv2_Dense")
        self._dense_relu = layers.Activation("relu", name="relu_of_simclrv2_Dense")
        self._mlp_dense_in = layers.Dense(mlp_dense1, name="Head_Dense1")
        self._mlp_bn = layers.BatchNormalization(name="BN_of_Head_Dense1")
        self._mlp_relu = layers.Activation("relu", name="relu_of_Head_Dense1")
        self._mlp_dense_out = layers.Dense(mlp_dense2, use_bias=False, name="Head_Dense2")

    def call(self, inputs):
        h = self._init_conv(inputs)
        h = self._block1(h)
        h = self._block2(h)
        h = self._block3(h)
        h = self._global_avg(h)
        h = self._dense_relu(self._dense_bn(self._dense(h)))
        g = self._mlp_dense_in(h)
        g = self._mlp_relu(self._mlp_bn(g))
        g = self._mlp_dense_out(g)
        return h, g


class Standardize(layers.Layer):
    """Features without their mean, which the first batch tells."""

    def __init__(self, shift=True, scale=True, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.shift, self.scale = shift, scale

    def build(self, input_shape):
        shape = [1, 1, 1, input_shape[-1]]
        self.mean = self.add_weight("mean", shape, trainable=False, initializer="zeros")
        self.variance = self.add_weight("variance", shape, trainable=False, initializer="ones")
        self.configured = self.add_weight(
            "configured", [], trainable=False, dtype=tf.bool, initializer="zeros"
        )

    def configure(self, feats):
        feats = tf.cast(feats, tf.float64)
        if self.shift:
            mean = tf.reduce_mean(feats, axis=[0, 1, 2], keepdims=True)
            self.mean.assign(tf.cast(mean, tf.float32))
        if self.scale:
            variance = tf.math.reduce_variance(feats, axis=[0, 1, 2], keepdims=True)
            self.variance.assign(tf.cast(variance, tf.float32))

    def call(self, inputs, **kwargs):
        if self.configured == tf.zeros_like(self.configured):
            self.configure(inputs)
            self.configured.assign(tf.ones_like(self.configured))
        return (inputs - self.mean) * tf.math.rsqrt(self.variance + 1e-5)


class StandardizeImage(layers.Layer):
    """Images by the mean and the deviation of their colours."""

    def call(self, inputs, **kwargs):
        tf.debugging.assert_rank(inputs, 4)
        inputs = tf.cast(inputs, self.dtype)
        mean = [0.485 * 255, 0.456 * 255, 0.406 * 255]
        deviation = [0.229 * 255, 0.224 * 255, 0.225 * 255]
        inputs -= tf.constant(mean, shape=[1, 1, 1, 3], dtype=self.dtype)
        inputs /= tf.constant(deviation, shape=[1, 1, 1, 3], dtype=self.dtype)
        return inputs


class FeatViews(layers.Layer):
    """Two views side by side."""

    def call(self, inputs, **kwargs):
        feats1, feats2 = inputs
        feats1 = tf.expand_dims(feats1, axis=1)
        feats2 = tf.expand_dims(feats2, axis=1)
        return tf.concat([feats1, feats2], axis=1)


class L2Normalize(layers.Layer):
    """Features of length one."""

    def call(self, inputs, **kwargs):
        return tf.nn.l2_normalize(inputs, axis=1)


class MeasureNorm(layers.Layer):
    """What it gets, with metrics of its lengths."""

    def call(self, inputs, **kwargs):
        norms = tf.linalg.norm(inputs, axis=1)
        tf.debugging.assert_rank(norms, 1)
        mean, var = tf.nn.moments(norms, axes=[0])
        self.add_metric(tf.cast(mean, tf.float32), f"{self.name}_mean")
        self.add_metric(tf.cast(var, tf.float32), f"{self.name}_var")
        return inputs


class Scale(layers.Layer):
    """A product with a weight made in the constructor."""

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.scale_weight = self.add_weight(
            shape=[],
            initializer=keras.initializers.Constant(scale),
            trainable=False,
            name="scale",
            dtype=self.dtype,
        )

    def call(self, inputs, **kwargs):
        return self.scale_weight * inputs

    def get_config(self):
        config = {"scale": self.scale}
        base_config = super().get_config()
        return {**base_config, **config}


class Identity(layers.Activation):
    """An activation that changes nothing."""

    def __init__(self, **kwargs):
        kwargs["activation"] = "linear"
        super().__init__(**kwargs)


class VggPreprocess(layers.Layer):
    """Colours in another order, without their mean."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def call(self, x):
        x = tf.reverse(x, axis=[-1])
        return x - tf.constant(np.array([103.939, 116.779, 123.68], dtype=np.float32))


class SpatialReflectionPadding(layers.Layer):
    """Borders that mirror."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def call(self, x):
        return tf.pad(x, tf.constant([[0, 0], [1, 1], [1, 1], [0, 0]]), mode="REFLECT")
