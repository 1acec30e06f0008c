"""Custom objects of models of sounds, flights and found weights in `tables.py`; copied as
`customs_21_sounds.py` beside the models.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
CATEGORIES = {"carrier": [1, 2, 3]}
MEANVARS = {"delay": (0.1, 0.5), "weather": (0.0, 2.0)}


class ExpandLastDimension(layers.Layer):
    """A layer of Keras that is made in `build`; its name is fixed."""

    def __init__(self, num_dims=None, name="expand_last_dimension"):
        super().__init__(name=name)
        self.num_dims = num_dims
        self.expand_last = None

    def build(self, input_shape):
        target_shape = list(input_shape[1:])
        if self.num_dims is None:
            target_shape = [*target_shape, 1]
        else:
            while len(target_shape) + 1 < self.num_dims:
                target_shape = [*target_shape, 1]
        self.expand_last = layers.Reshape(target_shape)

    def call(self, inputs):
        return self.expand_last(inputs)


class FlattenLastDimension(layers.Layer):
    """The last two as one."""

    def __init__(self, keepdims=False, name="flatten_last_dimension"):
        super().__init__(name=name)
        self.keepdims = keepdims
        self.flatten_last = None

    def build(self, input_shape):
        target_shape = [*input_shape[1:-2], input_shape[-2] * input_shape[-1]]
        if self.keepdims:
            target_shape = [*target_shape, 1]
        self.flatten_last = layers.Reshape(target_shape)

    def call(self, inputs):
        return self.flatten_last(inputs)


class GaussianNoise(layers.GaussianNoise):
    """The layer of Keras under its own name, with one more argument."""

    def __init__(self, regularization_layer=False, **kwargs):
        super().__init__(**kwargs)
        self.regularization_layer = regularization_layer

    def call(self, inputs, training=None):
        if self.regularization_layer:
            return super().call(inputs, training=training)
        return super().call(inputs, training=True)


class RoexFilterbank(layers.Layer):
    """Filters of frequencies; weights with a Lambda as their constraint, constants in `build`."""

    def __init__(
        self,
        sr=20e3,
        n=50,
        cfs_range=None,
        bws_range=None,
        dc_ramp_cutoff=30,
        kwargs_initialize_filters=None,
        dtype="float32",
        **kwargs,
    ):
        super().__init__(dtype=dtype, **kwargs)
        self.sr = int(sr)
        self.n = int(n)
        self.dc_ramp_cutoff = float(dc_ramp_cutoff)
        self.kwargs = kwargs
        self.cfs_range = [50.0, self.sr / 2] if cfs_range is None else list(cfs_range)
        self.bws_range = [50.0, self.sr / 2] if bws_range is None else list(bws_range)
        if kwargs_initialize_filters:
            self.initialize_filters(**kwargs_initialize_filters)
        else:
            self.cfs_init = None
            self.bws_init = None

    def initialize_filters(self, cf_min=125.0, cf_max=8e3, linear_bw=100.0):
        self.cfs_init = np.linspace(cf_min, cf_max, self.n)
        self.bws_init = linear_bw * np.ones_like(self.cfs_init)

    def build(self, input_shape):
        signal_length = input_shape[1]
        freqs = np.linspace(0, self.sr / 2, int(signal_length // 2) + 1)
        dc_ramp = np.ones_like(freqs)
        low = freqs < self.dc_ramp_cutoff
        dc_ramp[low] = freqs[low] / self.dc_ramp_cutoff
        dc_ramp[-1] = 0
        self.freqs = tf.constant(freqs, dtype=self.dtype)
        self.dc_ramp = tf.constant(dc_ramp, dtype=self.dtype)
        cfs_initializer = bws_initializer = None
        if self.cfs_init is not None:
            assert len(self.cfs_init) == self.n
            cfs_initializer = tf.constant_initializer(value=self.cfs_init)
        self.cfs = self.add_weight(
            name="cfs",
            shape=[self.n],
            initializer=cfs_initializer,
            constraint=lambda _: tf.clip_by_value(_, *self.cfs_range),
            trainable=True,
        )
        if self.bws_init is not None:
            assert len(self.bws_init) == self.n
            bws_initializer = tf.constant_initializer(value=self.bws_init)
        self.bws = self.add_weight(
            name="bws",
            shape=[self.n],
            initializer=bws_initializer,
            constraint=lambda _: tf.clip_by_value(_, *self.bws_range),
            trainable=True,
        )

    def compute_roex_transfer_functions(self):
        cfs = self.cfs[:, tf.newaxis]
        bws = self.bws[:, tf.newaxis]
        g = tf.math.abs((self.freqs[tf.newaxis, :] - cfs) / cfs)
        p = tf.math.abs((4.0 * cfs) / bws)
        filts = (1.0 + p * g) * tf.math.exp(-p * g)
        return self.dc_ramp[tf.newaxis, :] * filts, self.freqs

    def call(self, inputs):
        x = inputs
        if len(x.shape) < 3:
            x = tf.expand_dims(x, -1)
        assert len(x.shape) == 3, "batch, time and channels"
        x = tf.transpose(x, perm=[0, 2, 1])
        filts, _ = self.compute_roex_transfer_functions()
        rfft_x = tf.signal.rfft(x)[:, :, tf.newaxis, :]
        filts = tf.cast(filts[tf.newaxis, tf.newaxis, :, :], dtype=rfft_x.dtype)
        y = tf.signal.irfft(tf.math.multiply(rfft_x, filts))
        return tf.transpose(y, perm=[0, 2, 3, 1])


def scaled_column(mean, var, data):
    """A column of numbers, scaled."""
    return tf.reshape((tf.cast(data, tf.float32) - mean) / var, [-1, 1])


class UnionFeatureModel(keras.Model):
    """Features of columns and a recurrent cell; the name is an attribute of the class."""

    name = "UnionFeatureModel"

    def __init__(self):
        super().__init__()
        import functools

        columns, feature_column = [], tf.feature_column
        for col in ("delay", "weather", "carrier"):
            if col in CATEGORIES:
                words = feature_column.categorical_column_with_vocabulary_list(
                    key=col, vocabulary_list=CATEGORIES[col]
                )
                columns.append(feature_column.indicator_column(words))
            else:
                norm_fn = functools.partial(scaled_column, *MEANVARS[col])
                columns.append(feature_column.numeric_column(key=col, normalizer_fn=norm_fn))
        self.preprocessing_layer = layers.DenseFeatures(columns)
        self.fc_shared_1 = layers.Dense(6, activation="relu")
        self.fc_shared_2 = layers.Dense(5, activation="relu")
        self.lstm = layers.RNN(layers.LSTMCell(4), input_shape=(None, 5), return_state=True)
        self.shared_fc = layers.Dense(3, activation="relu")
        self.fc_global = layers.Dense(1, activation=None)

    def call(self, input_op):
        proc_xs = self.preprocessing_layer(input_op)
        seq_xs = tf.split(proc_xs, [2, 2, 1], axis=-1)
        embedded_xs = [self.fc_shared_2(self.fc_shared_1(proc_xs)) for _ in seq_xs[:-1]]
        shared_embedded = self.shared_fc(seq_xs[-1])
        lstm_hidden = self.lstm(tf.stack(embedded_xs, axis=1))[-2]
        return self.fc_global(layers.concatenate([lstm_hidden, shared_embedded], axis=-1))


class DarkConv(layers.Layer):
    """A convolution by given arrays, or by weights without names; it makes its name itself."""

    def __init__(
        self,
        alpha=0.1,
        index=None,
        do_lr=True,
        darknet=False,
        bn_weights=None,
        name="Conv_blk",
        downsample=False,
        kernel_size=None,
        num_filters=None,
        conv_weights=None,
        **kwargs,
    ):
        self.layer_name = name + "_" + str(index)
        if darknet:
            self.layer_name += "_darknet"
        super().__init__(name=self.layer_name, **kwargs)
        self.alpha = alpha
        self.do_lr = do_lr
        self.darknet = darknet
        self.bn_weights = bn_weights
        self.downsample = downsample
        self.num_filters = num_filters
        self.kernel_size = kernel_size
        self.conv_weights = conv_weights

    def build(self, input_shape):
        self.strides = [1, 2, 2, 1] if self.downsample else [1, 1, 1, 1]
        if self.darknet:
            if self.conv_weights is None or self.bn_weights is None:
                raise ValueError("weights for this layer", self.layer_name, "are not available")
            self.kernel = tf.Variable(self.conv_weights, dtype=tf.float32, trainable=False)
            self.mean = self.bn_weights["mean"]
            self.variance = self.bn_weights["variance"]
        else:
            if not self.kernel_size:
                raise ValueError("kernel Size is not available")
            self.kernel = self.add_weight(
                shape=[self.kernel_size, self.kernel_size, input_shape[-1], self.num_filters],
                initializer="random_normal",
                dtype=tf.float32,
                trainable=True,
            )
            self.bias = self.add_weight(
                shape=([self.num_filters]),
                initializer="random_normal",
                dtype=tf.float32,
                trainable=True,
            )
        super().build(input_shape=input_shape)

    def call(self, inputs):
        x = tf.nn.conv2d(inputs, self.kernel, self.strides, "SAME")
        if self.darknet:
            x = tf.nn.batch_normalization(x, self.mean, self.variance, None, None, 1e-05)
        else:
            x = tf.nn.bias_add(x, self.bias)
        return tf.nn.leaky_relu(x, alpha=self.alpha) if self.do_lr else x


class DarkResidual(layers.Layer):
    """Two of them, by lists of arrays."""

    def __init__(self, index, conv_weights, bn_weights, rb_index, name="residual_blk", **kwargs):
        super().__init__(name=name + str(rb_index), **kwargs)
        if len(conv_weights) != 2 or len(bn_weights) != 2:
            raise ValueError("insufficient weights data")
        given = {"darknet": True}
        self.conv1 = DarkConv(
            index=index, conv_weights=conv_weights[0], bn_weights=bn_weights[0], **given
        )
        self.conv2 = DarkConv(
            index=index + 1, conv_weights=conv_weights[1], bn_weights=bn_weights[1], **given
        )

    def call(self, inputs):
        return tf.add(inputs, self.conv2(self.conv1(inputs)))


class DarkInter(layers.Layer):
    """Convolutions of their own weights, with two outputs."""

    def __init__(self, index, weight_shapes, icb_index, name="intermediate_convs_block", **kwargs):
        super().__init__(name=name + str(icb_index), **kwargs)
        if len(weight_shapes) != 2:
            raise ValueError("insufficient data shapes")
        (size_1, filters_1), (size_2, filters_2) = weight_shapes
        self.conv1 = DarkConv(index=index, kernel_size=size_1, num_filters=filters_1)
        self.conv2 = DarkConv(index=index + 1, kernel_size=size_2, num_filters=filters_2)

    def call(self, inputs, training=True):
        shortcut = self.conv1(inputs)
        return shortcut, self.conv2(shortcut)
