"""Custom objects of models that make images in `photos.py`; copied as `customs_21_faces.py`
beside the models.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers, K = keras.layers, keras.backend
initializers, regularizers = keras.initializers, keras.regularizers
constraints = keras.constraints
IM_SIZE = 16


class PaintEncoderBlock(layers.Layer):
    """A convolution; it has an activation that it may not use."""

    def __init__(self, filters, bn, relu):
        super().__init__()
        self.filters = filters
        self.relu = relu
        self.bn = bn
        self.conv_layer = layers.Conv2D(self.filters, 4, 2, padding="same")
        self.bn_layer = layers.BatchNormalization(momentum=0.8)
        self.lrelu_layer = layers.LeakyReLU(0.2)
        self.relu_layer = layers.ReLU()

    def call(self, input_tensor, training=None):
        x = self.conv_layer(input_tensor)
        if self.bn:
            x = self.bn_layer(x, training=training)
        return self.relu_layer(x) if self.relu else self.lrelu_layer(x)


class PaintDecoderBlock(layers.Layer):
    """Two tensors, the second from the encoder."""

    def __init__(self, filters, bn, dropout, tanh):
        super().__init__()
        self.filters = filters
        self.bn = bn
        self.tanh = tanh
        self.dropout = dropout
        self.conv_layer = layers.Conv2DTranspose(self.filters, 4, 2, padding="same", use_bias=False)
        self.bn_layer = layers.BatchNormalization()
        self.relu_layer = layers.ReLU()
        self.tanh_layer = layers.Activation(tf.nn.tanh)
        self.dropout_layer = layers.Dropout(0.5)
        self.concat_layer = layers.Concatenate()

    def call(self, input_tensor, connection_layer, training=None):
        x = self.conv_layer(input_tensor)
        if self.bn:
            x = self.bn_layer(x, training=training)
        if self.dropout:
            x = self.dropout_layer(x)
        x = self.tanh_layer(x) if self.tanh else self.relu_layer(x)
        return self.concat_layer([x, connection_layer])


class Painter(keras.Model):
    """Lists of blocks made by methods, which change how wide they are; `training` must be told."""

    def __init__(self, filters=64, bn=True, relu=False, tanh=False, dropout=False):
        super().__init__()
        self.filters = filters
        self.bn = bn
        self.relu = relu
        self.tanh = tanh
        self.dropout = dropout
        self.conv_layer = layers.Conv2DTranspose(
            3, 4, 2, padding="same", use_bias=False, activation="tanh"
        )
        self.encoder_block = self.make_encoder_block()
        self.decoder_block = self.make_decoder_block()

    def make_encoder_block(self):
        label = [PaintEncoderBlock(self.filters, False, self.relu)]
        for _ in range(1):
            self.filters = self.filters * 2
            label.append(PaintEncoderBlock(self.filters, self.bn, self.relu))
        label.append(PaintEncoderBlock(self.filters, self.bn, True))
        return label

    def make_decoder_block(self):
        label = [PaintDecoderBlock(self.filters, self.bn, True, self.tanh)]
        for _ in range(1):
            self.filters = int(self.filters / 2)
            label.append(PaintDecoderBlock(self.filters, self.bn, self.dropout, self.tanh))
        return label

    def call(self, x, training):
        x1 = self.encoder_block[0](x)
        x2 = self.encoder_block[1](x1)
        backbone = self.encoder_block[2](x2)
        x3 = self.decoder_block[0](backbone, x2)
        x4 = self.decoder_block[1](x3, x1)
        return self.conv_layer(x4)


class PaintedPix(keras.models.Model):
    """The painter in a model whose `compile` takes what its own step needs."""

    def __init__(self, **kwargs):
        super().__init__()
        self.generator_model = Painter(4)

    def compile(self, generator_optimizer, loss_fn):
        super().compile()
        self.generator_optimizer = generator_optimizer
        self.loss_fn = loss_fn

    def call(self, x, training=None):
        return self.generator_model(x, training=training)


class SpatialAdaptiveNormalization(layers.Layer):
    """A normalization by a mask, which is the second tensor; `build` makes no weight."""

    def __init__(self, n_filters: int, epsilon: float = 1e-5, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.epsilon = epsilon
        self.conv_layer = layers.Conv2D(6, 3, padding="same", activation="relu")
        self.gamma_conv_layer = layers.Conv2D(n_filters, 3, padding="same")
        self.beta_conv_layer = layers.Conv2D(n_filters, 3, padding="same")

    def build(self, input_shape):
        self.resize_shape = input_shape[1:3]

    def call(self, input_tensor, raw_mask):
        mask = tf.image.resize(raw_mask, self.resize_shape, method="nearest")
        x = self.conv_layer(mask)
        gamma = self.gamma_conv_layer(x)
        beta = self.beta_conv_layer(x)
        mean, var = tf.nn.moments(input_tensor, axes=(0, 1, 2), keepdims=True)
        std = tf.sqrt(var + self.epsilon)
        return gamma * ((input_tensor - mean) / std) + beta


class SpadeResidual(layers.Layer):
    """A block of such normalizations, made in `build`, some of them only where they are needed."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters

    def build(self, input_shape):
        input_filter = input_shape[-1]
        self.spade_1 = SpatialAdaptiveNormalization(input_filter)
        self.spade_2 = SpatialAdaptiveNormalization(self.filters)
        self.conv_1 = layers.Conv2D(self.filters, 3, padding="same")
        self.conv_2 = layers.Conv2D(self.filters, 3, padding="same")
        self.learned_skip = False
        if self.filters != input_filter:
            self.learned_skip = True
            self.spade_3 = SpatialAdaptiveNormalization(input_filter)
            self.conv_3 = layers.Conv2D(self.filters, 3, padding="same")

    def call(self, input_tensor, mask):
        x = self.spade_1(input_tensor, mask)
        x = self.conv_1(tf.nn.leaky_relu(x, 0.2))
        x = self.spade_2(x, mask)
        x = self.conv_2(tf.nn.leaky_relu(x, 0.2))
        skip = (
            self.conv_3(tf.nn.leaky_relu(self.spade_3(input_tensor, mask), 0.2))
            if self.learned_skip
            else input_tensor
        )
        return skip + x


class Conv2DMod(layers.Layer):
    """A convolution whose weights a style scales: a list of two tensors, with their specs."""

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        dilation_rate=1,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        demod=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.rank = 2
        self.kernel_size = (
            (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        )
        self.strides = (strides, strides) if isinstance(strides, int) else tuple(strides)
        self.padding = padding
        self.dilation_rate = dilation_rate
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.demod = demod
        self.input_spec = [layers.InputSpec(ndim=4), layers.InputSpec(ndim=2)]

    def build(self, input_shape):
        channel_axis = -1
        if input_shape[0][channel_axis] is None:
            raise ValueError("The channels of the inputs must be known.")
        input_dim = input_shape[0][channel_axis]
        kernel_shape = (*self.kernel_size, input_dim, self.filters)
        if input_shape[1][-1] != input_dim:
            raise ValueError("A style must have the width of the input.")
        self.kernel = self.add_weight(
            shape=kernel_shape,
            initializer=self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.input_spec = [
            layers.InputSpec(ndim=4, axes={channel_axis: input_dim}),
            layers.InputSpec(ndim=2),
        ]
        self.built = True

    def call(self, inputs):
        style = inputs[1] + 1
        x = inputs[0] * K.expand_dims(K.expand_dims(style, axis=1), axis=1)
        x = tf.nn.conv2d(x, self.kernel, strides=self.strides, padding="SAME")
        if self.demod:
            scales = K.expand_dims(K.expand_dims(K.expand_dims(style, axis=1), axis=1), axis=-1)
            weights = K.expand_dims(self.kernel, axis=0) * scales
            d = K.sqrt(K.sum(K.square(weights), axis=[1, 2, 3]) + 1e-8)
            x = x / K.expand_dims(K.expand_dims(d, axis=1), axis=1)
        return x

    def compute_output_shape(self, input_shape):
        return (*input_shape[0][:-1], self.filters)

    def get_config(self):
        config = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "demod": self.demod,
        }
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))


def crop_to_fit(x):
    """The noise as large as the image."""
    return x[0][:, : x[1].shape[1], : x[1].shape[2], :]


def upsample(x):
    """Twice as large."""
    return K.resize_images(x, 2, 2, "channels_last", interpolation="bilinear")


def upsample_to_size(x):
    """As large as the result."""
    y = IM_SIZE // x.shape[2]
    return K.resize_images(x, y, y, "channels_last", interpolation="bilinear")
