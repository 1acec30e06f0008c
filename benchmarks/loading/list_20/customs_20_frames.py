"""Custom objects of models of frames and boxes in `boxes.py`; copied as `customs_20_frames.py`
beside the models.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


def scaled():
    """An initializer, one for each layer."""
    given = {"mode": "fan_in", "distribution": "truncated_normal", "seed": None}
    return keras.initializers.VarianceScaling(scale=1.0, **given)


class RB(keras.Model):
    """A convolution and an activation as a model."""

    def __init__(self, filters=32, kernel_size=3, name=None):
        super().__init__()
        given = {"padding": "same", "strides": (1, 1), "name": name}
        self.conv = layers.Conv2D(filters, kernel_size, kernel_initializer=scaled(), **given)
        self.lrelu = layers.LeakyReLU(alpha=0.2)

    def call(self, inputs):
        x = self.conv(inputs)
        return self.lrelu(x)


class FrameUpsample(keras.Model):
    """Channels to pixels by a Lambda that holds the factor."""

    def __init__(self, channels=1, scale_factor=2):
        super().__init__()
        self.conv = layers.Conv2D(
            channels * (scale_factor**2),
            3,
            activation="tanh",
            padding="same",
            strides=(1, 1),
            kernel_initializer=scaled(),
        )
        self.upsample = layers.Lambda(lambda x: tf.nn.depth_to_space(x, scale_factor))

    def call(self, inputs):
        x = self.conv(inputs)
        return self.upsample(x)


class FrameGenerator(keras.Model):
    """Larger frames; it holds an empty list and keeps the arguments that nobody tells."""

    def __init__(self, channels=1, scale_factor=2, file_writer_cm=None, method=None):
        super().__init__()
        self.method = method
        self.scale_factor = scale_factor
        self.RB1 = RB(filters=6, kernel_size=3)
        self.RB2 = RB(filters=6, kernel_size=3)
        self.RB3 = RB(filters=6, kernel_size=3)
        self.upsample = FrameUpsample(channels=channels, scale_factor=scale_factor)
        self.time = []

    def get_run_time(self):
        return sum(self.time) / len(self.time) if self.time else -1

    def call(self, inputs):
        x = tf.pad(inputs, [[0, 0], [0, 0], [0, 0], [0, 0]], "SYMMETRIC")
        rb1 = self.RB1(x)
        rb2 = self.RB2(rb1)
        x = layers.add([rb1, rb2])
        rb3 = self.RB3(x)
        x = layers.concatenate([rb1, rb2, rb3], axis=3)
        x = self.upsample(x)
        if self.method is not None:
            size = [inputs.shape[1] * self.scale_factor, inputs.shape[2] * self.scale_factor]
            x = layers.add([x, tf.image.resize(inputs, size, method=self.method)])
        return x


def leaky(x):
    """The activation of all blocks."""
    return tf.nn.leaky_relu(x, alpha=0.1)


def bare_conv(filters, size, name, strides=1, padding="same", use_bias=False):
    """A convolution, whose name its normalization shares."""
    given = {"strides": (strides, strides), "padding": padding, "use_bias": use_bias}
    return layers.Conv2D(filters, (size, size), name=name, **given)


def normed(name):
    """Its normalization."""
    return layers.BatchNormalization(epsilon=0.001, name=name)


class StageConv(keras.Model):
    """A convolution and its normalization of one name."""

    def __init__(self, filters, layer_idx, name=""):
        super().__init__(name=name)
        layer_name = f"layer_{layer_idx}"
        self.conv = bare_conv(filters, 3, layer_name)
        self.bn = normed(layer_name)

    def call(self, input_tensor, training=False):
        x = self.conv(input_tensor)
        x = self.bn(x, training=training)
        return leaky(x)


class StagePool(keras.Model):
    """A convolution that halves."""

    def __init__(self, filters, layer_idx, name=""):
        super().__init__(name=name)
        layer_name = f"layer_{layer_idx}"
        self.pad = layers.ZeroPadding2D(((1, 0), (1, 0)))
        self.conv = bare_conv(filters, 3, layer_name, strides=2, padding="valid")
        self.bn = normed(layer_name)

    def call(self, input_tensor, training=False):
        x = self.pad(input_tensor)
        x = self.conv(x)
        x = self.bn(x, training=training)
        return leaky(x)


class StageResidual(keras.Model):
    """Two convolutions beside which the input goes on."""

    def __init__(self, filters, layer_idx, name=""):
        super().__init__(name=name)
        filters1, filters2 = filters
        layer1, layer2 = layer_idx
        self.conv2a = bare_conv(filters1, 1, f"layer_{layer1}")
        self.bn2a = normed(f"layer_{layer1}")
        self.conv2b = bare_conv(filters2, 3, f"layer_{layer2}")
        self.bn2b = normed(f"layer_{layer2}")

    def call(self, input_tensor, training=False):
        x = self.conv2a(input_tensor)
        x = leaky(self.bn2a(x, training=training))
        x = self.conv2b(x)
        x = leaky(self.bn2b(x, training=training))
        x += input_tensor
        return x


class Bodynet(keras.Model):
    """Darknet with three outputs; `training` goes to its blocks by position."""

    def __init__(self):
        super().__init__(name="")
        self.l0a = StageConv(3, layer_idx=0, name="stage0")
        self.l0_pool = StagePool(4, layer_idx=1, name="stage0")
        self.l1a = StageResidual([3, 4], layer_idx=[2, 3], name="stage1")
        self.l1_pool = StagePool(5, layer_idx=4, name="stage1")
        self.l2a = StageResidual([3, 5], layer_idx=[5, 6], name="stage2")
        self.l2b = StageResidual([3, 5], layer_idx=[7, 8], name="stage2")
        self.l2_pool = StagePool(6, layer_idx=9, name="stage2")
        self.l3a = StageResidual([3, 6], layer_idx=[10, 11], name="stage3")
        self.l3_pool = StagePool(7, layer_idx=26, name="stage3")
        self.l4a = StageResidual([3, 7], layer_idx=[27, 28], name="stage4")
        self.l4_pool = StagePool(8, layer_idx=43, name="stage4")
        self.l5a = StageResidual([4, 8], layer_idx=[44, 45], name="stage5")
        self.num_layers = 52
        self._init_vars()

    def call(self, input_tensor, training=False):
        x = self.l0a(input_tensor, training)
        x = self.l0_pool(x, training)
        x = self.l1a(x, training)
        x = self.l1_pool(x, training)
        x = self.l2b(self.l2a(x, training), training)
        x = self.l2_pool(x, training)
        output_stage3 = x = self.l3a(x, training)
        x = self.l3_pool(x, training)
        output_stage4 = x = self.l4a(x, training)
        x = self.l4_pool(x, training)
        return output_stage3, output_stage4, self.l5a(x, training)

    def _init_vars(self):
        imgs = np.random.randn(1, 64, 64, 3).astype(np.float32)
        self.call(tf.constant(imgs))


class HeadConvs(keras.Model):
    """Convolutions that widen and narrow."""

    def __init__(self, filters, layer_idx, name=""):
        super().__init__(name=name)
        names = [f"layer_{i}" for i in layer_idx]
        self.conv1 = bare_conv(filters[0], 1, names[0])
        self.bn1 = normed(names[0])
        self.conv2 = bare_conv(filters[1], 3, names[1])
        self.bn2 = normed(names[1])
        self.conv3 = bare_conv(filters[2], 1, names[2])
        self.bn3 = normed(names[2])

    def call(self, input_tensor, training=False):
        x = leaky(self.bn1(self.conv1(input_tensor), training=training))
        x = leaky(self.bn2(self.conv2(x), training=training))
        return leaky(self.bn3(self.conv3(x), training=training))


class HeadOut(keras.Model):
    """What is found at one stage."""

    def __init__(self, filters, layer_idx, name=""):
        super().__init__(name=name)
        names = [f"layer_{i}" for i in layer_idx]
        self.conv1 = bare_conv(filters[0], 3, names[0])
        self.bn = normed(names[0])
        self.conv2 = bare_conv(filters[1], 1, names[1], use_bias=True)

    def call(self, input_tensor, training=False):
        x = self.bn(self.conv1(input_tensor), training=training)
        return self.conv2(leaky(x))


class HeadUp(keras.Model):
    """To the next stage."""

    def __init__(self, filters, layer_idx, name=""):
        super().__init__(name=name)
        self.conv = bare_conv(filters[0], 1, f"layer_{layer_idx[0]}")
        self.bn = normed(f"layer_{layer_idx[0]}")
        self.upsampling = layers.UpSampling2D(2)

    def call(self, input_tensor, training=False):
        x = self.bn(self.conv(input_tensor), training=training)
        return self.upsampling(leaky(x))


class Headnet(keras.Model):
    """Three inputs by position."""

    def __init__(self, n_classes=80):
        super().__init__(name="")
        n_features = 3 * (n_classes + 1 + 4)
        self.stage5_conv = HeadConvs([4, 8, 4], [75, 76, 77])
        self.stage5_out = HeadOut([8, n_features], [80, 81], f"detection_layer_1_{n_features}")
        self.stage5_up = HeadUp([4], [84])
        self.stage4_conv = HeadConvs([4, 7, 4], [87, 88, 89])
        self.stage4_out = HeadOut([7, n_features], [92, 93], f"detection_layer_2_{n_features}")
        self.stage4_up = HeadUp([3], [96])
        self.stage3_conv = HeadConvs([3, 6, 3], [99, 100, 101])
        self.stage3_out = HeadOut([6, n_features], [104, 105], f"detection_layer_3_{n_features}")
        self.num_layers = 106
        self._init_vars()

    def call(self, stage3_in, stage4_in, stage5_in, training=False):
        x = self.stage5_conv(stage5_in, training)
        stage5_output = self.stage5_out(x, training)
        x = self.stage5_up(x, training)
        x = layers.concatenate([x, stage4_in])
        x = self.stage4_conv(x, training)
        stage4_output = self.stage4_out(x, training)
        x = self.stage4_up(x, training)
        x = layers.concatenate([x, stage3_in])
        x = self.stage3_conv(x, training)
        return stage5_output, stage4_output, self.stage3_out(x, training)

    def _init_vars(self):
        s3 = tf.constant(np.random.randn(1, 8, 8, 6).astype(np.float32))
        s4 = tf.constant(np.random.randn(1, 4, 4, 7).astype(np.float32))
        s5 = tf.constant(np.random.randn(1, 2, 2, 8).astype(np.float32))
        self.call(s3, s4, s5, training=False)


class Yolonet(keras.Model):
    """Body and head, made by a call in the constructor."""

    def __init__(self, n_classes=80):
        super().__init__(name="")
        self.body = Bodynet()
        self.head = Headnet(n_classes)
        self.num_layers = 110
        self._init_vars()

    def predict(self, input_array):
        f5, f4, f3 = self.call(tf.constant(input_array.astype(np.float32)))
        return f5.numpy(), f4.numpy(), f3.numpy()

    def call(self, input_tensor, training=False):
        s3, s4, s5 = self.body(input_tensor, training)
        f5, f4, f3 = self.head(s3, s4, s5, training)
        return f5, f4, f3

    def _init_vars(self):
        sample = tf.constant(np.random.randn(1, 64, 64, 3).astype(np.float32))
        self.call(sample, training=False)
