"""Custom objects of models of images in `images.py`; copied as `customs_17.py` beside the
models. Layers and models are mostly without a config, as their authors left them.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
K = keras.backend

SEP = "_" if hasattr(keras, "ops") else "/"  # Keras 3 wants no slashes in names
UV_WEIGHTS = np.linspace(0.5, 4.0, 256).reshape(16, 16).astype("float32")


def rerange(x):
    """From bytes to [-1, 1]."""
    return x / 127.5 - 1.0


def img_resize(x, size, mode="bilinear"):
    """Resizes images in one of two ways."""
    if mode == "bilinear":
        return tf.image.resize(x, size=size, method="bilinear")
    if mode == "nearest":
        return tf.image.resize(x, size=size, method="nearest")
    raise ValueError(f"output padding mode {mode} is not supported")


def _repeat(x, num_repeats):
    ones = tf.ones((1, num_repeats), dtype="int32")
    return tf.reshape(tf.matmul(tf.reshape(x, shape=(-1, 1)), ones), [-1])


def _meshgrid(height, width):
    x, y = tf.meshgrid(tf.linspace(-1.0, 1.0, width), tf.linspace(-1.0, 1.0, height))
    x, y = tf.reshape(x, shape=(1, -1)), tf.reshape(y, shape=(1, -1))
    return tf.concat([x, y, tf.ones_like(x)], 0)


def _transform(inputs):
    image, theta = inputs
    high, wide = image.shape[1:3]
    batch, channels = tf.shape(image)[0], tf.shape(image)[3]
    theta = tf.cast(tf.reshape(theta, (-1, 2, 3)), "float32")
    grid = tf.reshape(tf.expand_dims(_meshgrid(high, wide), 0), [-1])
    grid = tf.reshape(tf.tile(grid, tf.stack([batch])), tf.stack([batch, 3, -1]))
    moved = tf.matmul(theta, grid)
    x = tf.reshape(tf.slice(moved, [0, 0, 0], [-1, 1, -1]), [-1])
    y = tf.reshape(tf.slice(moved, [0, 1, 0], [-1, 1, -1]), [-1])
    x, y = 0.5 * (x + 1.0) * wide, 0.5 * (y + 1.0) * high
    x0, y0 = tf.cast(tf.floor(x), "int32"), tf.cast(tf.floor(y), "int32")
    x1, y1 = tf.clip_by_value(x0 + 1, 0, wide - 1), tf.clip_by_value(y0 + 1, 0, high - 1)
    x0, y0 = tf.clip_by_value(x0, 0, wide - 1), tf.clip_by_value(y0, 0, high - 1)
    base = _repeat(tf.range(batch) * (wide * high), high * wide)
    flat = tf.cast(tf.reshape(image, shape=(-1, channels)), dtype="float32")
    found = []
    for column, row in ((x0, y0), (x0, y1), (x1, y0), (x1, y1)):
        far_x = tf.cast(x0 + x1 - column, "float32")
        far_y = tf.cast(y0 + y1 - row, "float32")
        area = tf.expand_dims(tf.abs((far_x - x) * (far_y - y)), 1)
        found.append(area * tf.gather(flat, base + row * wide + column))
    return tf.reshape(tf.add_n(found), shape=(batch, high, wide, channels))


def weighted_mean_square_error(y_true, y_pred):
    """Of positions, by a mask of the face."""
    loss = tf.square(y_true - y_pred)
    return tf.reduce_mean(loss * UV_WEIGHTS[None, :, :, None])


def wgan_loss(y_true, y_pred):
    """Of labels that are 1 and -1."""
    return tf.reduce_mean(y_true * y_pred)


class Conv2d(keras.Model):
    """A convolution, padded by numbers, as a model of its own."""

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size=3,
        strides=1,
        padding=0,
        groups=1,
        use_bias=True,
        name="conv2d",
    ):
        super().__init__(name=name)
        self.pad = layers.ZeroPadding2D(padding) if padding else None
        given = {"strides": strides, "use_bias": use_bias}
        if groups == in_channels:
            self.conv = layers.DepthwiseConv2D(kernel_size, **given)
        else:
            self.conv = layers.Conv2D(out_channels, kernel_size, **given)

    def call(self, x):
        return self.conv(self.pad(x) if self.pad is not None else x)


class ChannelShuffle(keras.Model):
    """Mixes the channels of groups."""

    def __init__(self, n_groups, name="channel_shuffle"):
        super().__init__(name=name)
        self.n_groups = n_groups

    def call(self, x):
        _, high, wide, channels = x.shape
        x = tf.reshape(x, [-1, high, wide, self.n_groups, channels // self.n_groups])
        return tf.reshape(tf.transpose(x, [0, 1, 2, 4, 3]), [-1, high, wide, channels])


class DWConv3x3(keras.Model):
    """A convolution of each channel and a normalization."""

    def __init__(self, channels, strides, active=False, name="dwconv3x3"):
        super().__init__(name=name)
        given = {"kernel_size": 3, "strides": strides, "padding": 1, "groups": channels}
        self.conv = Conv2d(channels, channels, use_bias=False, name=name + SEP + "conv2d", **given)
        self.bn = layers.BatchNormalization(axis=-1, name=name + SEP + "bn")
        self.active = layers.ReLU(name=name + SEP + "active") if active else None

    def call(self, x, training=False):
        x = self.bn(self.conv(x), training=training)
        return self.active(x) if self.active else x


class Conv1x1(keras.Model):
    """A convolution of points, a normalization, and mostly a rectifier."""

    def __init__(self, in_channels, out_channels, active=True, name="conv1x1"):
        super().__init__(name=name)
        given = {"kernel_size": 1, "use_bias": False}
        self.conv = Conv2d(in_channels, out_channels, name=name + SEP + "conv2d", **given)
        self.bn = layers.BatchNormalization(axis=-1, name=name + SEP + "bn")
        self.active = layers.ReLU(name=name + SEP + "active") if active else None

    def call(self, x, training=False):
        x = self.bn(self.conv(x), training=training)
        return self.active(x) if self.active else x


class ShuffleBasicUnit(keras.Model):
    """Half of the channels as they are, half through convolutions."""

    def __init__(self, channels, n_groups=2, residual=False, name="shuffle_basic_unit"):
        super().__init__(name=name)
        half = channels // 2
        self.branch = keras.Sequential(
            [
                Conv1x1(half, half, active=True, name=name + SEP + "conv1x1_0"),
                DWConv3x3(half, strides=1, active=False, name=name + SEP + "dwconv3x3"),
                Conv1x1(half, half, active=residual is False, name=name + SEP + "conv1x1_1"),
            ]
        )
        self.residual_active = layers.ReLU(name=name + SEP + "residual") if residual else None
        self.concat = layers.Concatenate(axis=-1, name=name + SEP + "concat")
        self.shuffle = ChannelShuffle(n_groups, name=name + SEP + "channel_shuffle")

    def call(self, x, training=False):
        x1, x2 = tf.split(x, num_or_size_splits=2, axis=-1)
        found = self.branch(x2, training=training)
        if self.residual_active:
            found = self.residual_active(found + x2)
        return self.shuffle(self.concat([x1, found]))


class ShuffleDownUnit(keras.Model):
    """Two branches of all channels, each half as large."""

    def __init__(self, in_channels, out_channels, n_groups=2, name="shuffle_down_unit"):
        super().__init__(name=name)
        rest, middle = out_channels - in_channels, out_channels // 2
        self.short_cut_branch = keras.Sequential(
            [
                DWConv3x3(in_channels, strides=2, active=False, name=name + SEP + "short_dw"),
                Conv1x1(in_channels, in_channels, active=True, name=name + SEP + "short_conv"),
            ]
        )
        self.branch = keras.Sequential(
            [
                Conv1x1(in_channels, middle, active=True, name=name + SEP + "branch_conv_0"),
                DWConv3x3(middle, strides=2, active=False, name=name + SEP + "branch_dw"),
                Conv1x1(middle, rest, active=True, name=name + SEP + "branch_conv_1"),
            ]
        )
        self.concat = layers.Concatenate(axis=-1, name=name + SEP + "concat")
        self.shuffle = ChannelShuffle(n_groups, name=name + SEP + "channel_shuffle")

    def call(self, x, training=False):
        short = self.short_cut_branch(x, training=training)
        return self.shuffle(self.concat([short, self.branch(x, training=training)]))


class ShuffleNetV2(keras.Model):
    """Stages of units in Sequential models in a Sequential model."""

    def __init__(self, in_channels=3, num_classes=5, c=(8, 12), n=(2, 2), name="ShuffleNetV2"):
        super().__init__(name=name)
        given = {"kernel_size": 3, "strides": 2, "padding": 1, "use_bias": False}
        self.init_conv = keras.Sequential(
            [
                Conv2d(in_channels, 4, name=name + SEP + "init" + SEP + "conv0", **given),
                layers.BatchNormalization(axis=-1, name=name + SEP + "init" + SEP + "bn0"),
                layers.ReLU(name=name + SEP + "init" + SEP + "active0"),
                layers.MaxPooling2D(pool_size=3, strides=2, padding="same"),
            ]
        )
        self.features, wide = keras.Sequential(), 4
        for i, channels in enumerate(c):
            stage = keras.Sequential(name=name + SEP + f"stage{i}")
            for j in range(n[i]):
                if j == 0:
                    stage.add(ShuffleDownUnit(wide, channels, 2))
                else:
                    stage.add(ShuffleBasicUnit(channels, 2, residual=True))
            wide = channels
            self.features.add(stage)
        self.features.add(layers.AveragePooling2D(pool_size=2, name="global_avg_pool"))
        self.classifier = keras.Sequential(
            [Conv2d(wide, num_classes, kernel_size=1, name="classifier"), layers.Flatten()]
        )

    def call(self, x, training=False):
        x = self.features(self.init_conv(x, training=training), training=training)
        return self.classifier(x)


class SelUnit(layers.Layer):
    """Adds a gate of what comes in."""

    def __init__(self):
        super().__init__()
        self.conv = layers.Conv2D(4, kernel_size=(1, 1), strides=(1, 1), padding="same")

    def call(self, x):
        return tf.nn.sigmoid(self.conv(tf.nn.relu(x))) + x


class ConvResLayer(layers.Layer):
    """Three convolutions with units between."""

    def __init__(self):
        super().__init__()
        given = {"kernel_size": (3, 3), "strides": (1, 1), "padding": "same"}
        self.conv1 = layers.Conv2D(4, **given)
        self.conv2 = layers.Conv2D(4, **given)
        self.conv3 = layers.Conv2D(4, **given)
        self.sel1 = SelUnit()
        self.sel2 = SelUnit()
        self.sel3 = SelUnit()

    def call(self, x):
        res = self.conv1(x)
        output = self.conv3(self.sel2(self.conv2(self.sel1(res))))
        return self.sel3(output + res)


class SelNet(keras.Model):
    """Larger images, added to the image by its nearest pixels."""

    def __init__(self):
        super().__init__()
        self.res1 = ConvResLayer()
        self.res2 = ConvResLayer()
        given = {"kernel_size": (3, 3), "strides": (1, 1), "padding": "same"}
        self.conv1 = layers.Conv2D(6, **given)
        self.conv2 = layers.Conv2D(5, **given)
        self.conv3 = layers.Conv2D(3, **given)
        self.upsample = layers.UpSampling2D((2, 2), interpolation="nearest")

    def call(self, x, training=None):
        out = self.conv1(self.res2(self.res1(x)))
        output = self.conv3(self.upsample(self.conv2(out)))
        return tf.nn.sigmoid(output + self.upsample(x))


class RoiAlign(layers.Layer):
    """Cuts boxes out of features; it gives its arguments to nobody."""

    def __init__(self, image_max_dim, pool_size=(3, 3), **kwargs):
        self.pool_size = pool_size
        self.image_max_dim = image_max_dim
        super().__init__(**kwargs)

    def call(self, inputs, **kwargs):
        features, rois = inputs[0], inputs[1][..., :-1]
        rois = rois / tf.constant(self.image_max_dim, dtype=tf.float32)
        rows, number = tf.shape(rois)[0], tf.shape(rois)[1]
        index = tf.reshape(tf.tile(tf.expand_dims(tf.range(rows), 1), [1, number]), [-1])
        boxes = tf.reshape(rois, [-1, 4])
        found = tf.image.crop_and_resize(features, boxes, index, crop_size=self.pool_size)
        shape = [rows, rois.shape[1], *self.pool_size, features.shape[-1]]
        return tf.reshape(found, shape)

    def compute_output_shape(self, input_shape):
        return (*input_shape[1][:2], *self.pool_size, input_shape[0][-1])
