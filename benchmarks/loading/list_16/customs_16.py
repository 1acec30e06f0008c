"""Custom objects of models of images in `images.py` and `bodies.py`; copied as
`customs_16.py` beside the models. Most layers have no config, and none is registered, as their
authors left them.
"""

from __future__ import annotations

import math
import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
K = keras.backend

SMOOTH = 0.00001
LETTERS = 8


def overlap(y_true, y_pred):
    """Twice what is common, by the sum of both."""
    true, pred = K.flatten(y_true), K.flatten(y_pred)
    return (2.0 * K.sum(true * pred) + SMOOTH) / (K.sum(true) + K.sum(pred) + SMOOTH)


def overlap_loss(y_true, y_pred):
    """What is not common."""
    return 1.0 - overlap(y_true, y_pred)


def log_overlap(exp=1.0):
    """The loss of classes of pixels as a closure."""

    def inner(y_true, y_pred):
        true = K.cast(K.not_equal(y_true, 0), K.floatx())
        common = K.sum(true * y_pred, axis=1)
        share = (2.0 * common + 1.0) / (K.sum(true + y_pred, axis=1) + 1.0)
        share = K.clip(share, K.epsilon(), 1 - K.epsilon())
        share = K.pow(-K.log(share), exp)
        return K.mean(share, axis=-1) if K.ndim(share) == 2 else share

    return inner


def squash(vectors, axis=-1):
    """Shrinks short vectors to almost zero and long ones to almost one."""
    squared = K.sum(K.square(vectors), axis, keepdims=True)
    return squared / (1 + squared) / K.sqrt(squared + K.epsilon()) * vectors


def margin_loss(y_true, y_pred):
    """Of lengths that are too short or too long."""
    short = y_true * K.square(K.maximum(0.0, 0.9 - y_pred))
    return K.mean(K.sum(short + 0.5 * (1 - y_true) * K.square(K.maximum(0.0, y_pred - 0.1)), 1))


class Length(layers.Layer):
    """Of vectors."""

    def call(self, inputs, **kwargs):
        return K.sqrt(K.sum(K.square(inputs), -1) + K.epsilon())

    def compute_output_shape(self, input_shape):
        return input_shape[:-1]

    def get_config(self):
        return super().get_config()


class Mask(layers.Layer):
    """Keeps one vector: that of the label, or the longest."""

    def call(self, inputs, **kwargs):
        if type(inputs) is list:
            inputs, mask = inputs
        else:
            x = K.sqrt(K.sum(K.square(inputs), -1))
            mask = K.one_hot(indices=K.argmax(x, 1), num_classes=x.shape[1])
        return K.batch_flatten(inputs * K.expand_dims(mask, -1))

    def compute_output_shape(self, input_shape):
        if type(input_shape[0]) is tuple:
            return (None, input_shape[0][1] * input_shape[0][2])
        return (None, input_shape[1] * input_shape[2])

    def get_config(self):
        return super().get_config()


class CapsuleLayer(layers.Layer):
    """Vectors from vectors, by agreement; its config leaves the initializer out."""

    def __init__(
        self, num_capsule, dim_capsule, routings=3, kernel_initializer="glorot_uniform", **kwargs
    ):
        super().__init__(**kwargs)
        self.num_capsule = num_capsule
        self.dim_capsule = dim_capsule
        self.routings = routings
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        self.input_num_capsule = input_shape[1]
        self.input_dim_capsule = input_shape[2]
        self.W = self.add_weight(
            shape=[
                self.num_capsule,
                self.input_num_capsule,
                self.dim_capsule,
                self.input_dim_capsule,
            ],
            initializer=self.kernel_initializer,
            name="W",
        )
        self.built = True

    def call(self, inputs, training=None):
        tiled = K.tile(K.expand_dims(inputs, 1), [1, self.num_capsule, 1, 1])
        tiled = K.expand_dims(tiled, -1)
        hat = tf.squeeze(tf.map_fn(lambda x: tf.matmul(self.W, x), elems=tiled), axis=-1)
        b = tf.zeros(shape=[tf.shape(hat)[0], self.num_capsule, 1, self.input_num_capsule])
        for i in range(self.routings):
            outputs = squash(tf.matmul(tf.nn.softmax(b, axis=1), hat))
            if i < self.routings - 1:
                b += tf.matmul(outputs, hat, transpose_b=True)
        return tf.squeeze(outputs, axis=2)

    def compute_output_shape(self, input_shape):
        return (None, self.num_capsule, self.dim_capsule)

    def get_config(self):
        config = {
            "num_capsule": self.num_capsule,
            "dim_capsule": self.dim_capsule,
            "routings": self.routings,
        }
        return {**super().get_config(), **config}


class LetterNet(keras.Sequential):
    """A Sequential model that fills and compiles itself."""

    def __init__(self, input_shape, nb_classes, name):
        super().__init__(name=name)
        conv = {"kernel_size": (5, 5), "strides": (1, 1), "activation": "ReLU"}
        self.add(layers.Conv2D(3, input_shape=input_shape, padding="same", **conv))
        pool = {"pool_size": (2, 2), "padding": "valid", "trainable": False}
        self.add(layers.AveragePooling2D(strides=(1, 1), **pool))
        self.add(layers.Conv2D(4, padding="valid", **conv))
        self.add(layers.AveragePooling2D(strides=(2, 2), **pool))
        self.add(layers.Conv2D(8, padding="valid", **conv))
        self.add(layers.Flatten(trainable=False))
        self.add(layers.Dense(7, activation="ReLU"))
        self.add(layers.Dense(nb_classes, activation="softmax"))
        given = {"learning_rate": 0.1, "momentum": 0.0, "nesterov": False}
        try:
            sgd = keras.optimizers.SGD(decay=1, **given)
        except (TypeError, ValueError):  # newer optimizers have no decay
            sgd = keras.optimizers.SGD(**given)
        loss = keras.losses.categorical_crossentropy
        self.compile(loss=loss, optimizer=sgd, metrics=["accuracy"])


def plate_loss(y_true, y_pred):
    """Of letters in any place, by dynamic programming."""
    batch = tf.cast(tf.shape(y_true)[0], dtype="int64")
    wide = tf.cast(tf.shape(y_pred)[1], dtype="int64") * tf.ones((batch, 1), dtype="int64")
    long = tf.cast(tf.shape(y_true)[1], dtype="int64") * tf.ones((batch, 1), dtype="int64")
    return K.ctc_batch_cost(y_true, y_pred, wide, long)


def _conv(filters, size, **given):
    start, zero = keras.initializers.glorot_uniform(), keras.initializers.constant()
    given = {"padding": "same", "kernel_initializer": start, "bias_initializer": zero, **given}
    return layers.Conv2D(filters, size, **given)


class SmallBasicBlock(layers.Layer):
    """Convolutions in a list; it takes a name and does not pass it on."""

    def __init__(self, out_channels, name=None, **kwargs):
        super().__init__(**kwargs)
        narrow = int(out_channels / 4)
        self.main_layers = []
        for filters, size in ((narrow, 1), (narrow, (3, 1)), (narrow, (1, 3)), (out_channels, 1)):
            found = [_conv(filters, size), layers.BatchNormalization(), layers.ReLU()]
            self.main_layers += found

    def call(self, input):
        x = input
        for layer in self.main_layers:
            x = layer(x)
        return x


class GlobalContext(layers.Layer):
    """An average by its mean square; its call makes the layers, its config has no name."""

    def __init__(self, kernel_size, stride, **kwargs):
        super().__init__(**kwargs)
        self.ksize = kernel_size
        self.stride = stride

    def call(self, input):
        given = {"pool_size": self.ksize, "strides": self.stride, "padding": "same"}
        average = layers.AveragePooling2D(**given)(input)
        # A Lambda saves a lambda as code, and a function by its name: the code is what is tried.
        squared = layers.Lambda(lambda x: tf.math.square(x, name=None))(average)
        mean = layers.Lambda(lambda x: tf.math.reduce_mean(x, axis=None))(squared)
        return layers.Lambda(lambda x: tf.math.divide(x[0], x[1]))([average, mean])

    def get_config(self):
        return {"kernel_size": self.ksize, "stride": self.stride}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class LPRnet(keras.Model):
    """Calls itself while it is made, then makes itself again, as a Functional model."""

    def __init__(self, input_shape=(12, 32, 3), **kwargs):
        super().__init__(**kwargs)
        self.input_layer = layers.Input(input_shape)
        pool = {"pool_size": (3, 3), "padding": "same"}
        self.cnn_layers = [
            _conv(4, (3, 3), strides=1, name="main_conv1"),
            layers.BatchNormalization(name="BN1"),
            layers.ReLU(name="RELU1"),
            layers.MaxPool2D(strides=(1, 1), name="maxpool2d_1", **pool),
            SmallBasicBlock(8),
            layers.MaxPool2D(strides=(1, 2), name="maxpool2d_2", **pool),
            SmallBasicBlock(12),
            SmallBasicBlock(12),
            layers.MaxPool2D(strides=(1, 2), name="maxpool2d_3", **pool),
            layers.Dropout(0.5),
            _conv(12, (4, 1), strides=1, name="main_conv2"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.5),
            _conv(LETTERS, (1, 13), name="main_conv3"),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]
        self.out_layers = [_conv(LETTERS, (1, 1), strides=(1, 1), name="conv_out")]
        self.out = self.call(self.input_layer)
        super().__init__(inputs=self.input_layer, outputs=self.out, **kwargs)

    def call(self, inputs, training=False):
        x, kept = inputs, []
        for layer in self.cnn_layers:
            x = layer(x)
            kept.append(x)
        scales = [GlobalContext((1, 4), (1, 4))(kept[i]) for i in (0, 4)]
        scales += [GlobalContext((1, 2), (1, 2))(kept[i]) for i in (6, 7)]
        # As code, as above.
        squared = layers.Lambda(lambda x: tf.math.square(x, name=None))(x)
        mean = layers.Lambda(lambda x: tf.math.reduce_mean(x, axis=None))(squared)
        scales.append(layers.Lambda(lambda x: tf.math.divide(x[0], x[1]))([x, mean]))
        joined = layers.Lambda(lambda x: tf.concat([x[0], x[1], x[2], x[3], x[4]], 3))(scales)
        for layer in self.out_layers:
            joined = layer(joined)
        logits = layers.Lambda(lambda x: tf.math.reduce_mean(x[0], axis=1))([joined])
        return layers.Softmax()(logits)


def lowpass(weights):
    """A smooth kernel."""
    kernel = np.convolve(weights, [1, 1]).reshape(1, -1)
    kernel = tf.convert_to_tensor(np.matmul(kernel.T, kernel), dtype=tf.float32)
    return kernel / tf.reduce_sum(kernel)


class MSRInitializer(keras.initializers.Initializer):
    """By the number of what comes in."""

    def __init__(self, gain=1.0):
        self.gain = gain

    def __call__(self, shape, dtype=None):
        deviation = self.gain / tf.math.sqrt(tf.cast(tf.reduce_prod(shape[:-1]), tf.float32))
        return tf.random.normal(shape, stddev=deviation, dtype=dtype)

    def get_config(self):
        return {"gain": self.gain}


class InterpolativeUpsampler(layers.Layer):
    """A convolution whose weights are set when it is built."""

    def __init__(self, filter_weights):
        super().__init__()
        self.kernel = lowpass(filter_weights)
        self.built_flag = False

    def build(self, input_shape):
        _, h, w, _ = input_shape
        size = self.kernel.shape[0]
        given = {"strides": 2, "padding": "same", "use_bias": False}
        self.conv_transpose = layers.Conv2DTranspose(filters=1, kernel_size=size, **given)
        self.conv_transpose.build((None, h, w, 1))
        kernel = 4 * tf.expand_dims(tf.expand_dims(self.kernel, -1), -1)
        self.conv_transpose.set_weights([tf.cast(kernel, tf.float32)])
        self.built_flag = True

    def call(self, x):
        rows, h, w, c = tf.unstack(tf.shape(x))
        x = self.conv_transpose(tf.reshape(x, [rows * c, h, w, 1]))
        return tf.reshape(x, [rows, h * 2, w * 2, c])


GAIN = math.sqrt(2.0 / (1 + 0.2**2))
