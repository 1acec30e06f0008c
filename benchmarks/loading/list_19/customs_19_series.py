"""Custom objects of models of series and sounds in `series.py`; copied as `customs_19_series.py`
beside the models.
"""

from __future__ import annotations

import math
import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers, K = keras.layers, keras.backend


class SeriesDecomposition(layers.Layer):
    """A moving average and what is left."""

    def __init__(self, kernel_size=5, padding="same", **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.padding = padding
        given = {"pool_size": kernel_size, "strides": 1, "padding": padding}
        self.avg_pool = layers.AveragePooling1D(**given)

    def call(self, inputs):
        trend = self.avg_pool(inputs)
        return inputs - trend, trend

    def get_config(self):
        config = super().get_config()
        config.update({"kernel_size": self.kernel_size, "padding": self.padding})
        return config


class AutoCorrelation(layers.Layer):
    """Attention by rolling the values; how many places are kept is found in `build`."""

    def __init__(self, d_model, n_heads, c=1, **kwargs):
        super().__init__(**kwargs)
        self.d_model = d_model
        self.n_heads = n_heads
        self.c = c
        self.d_head = d_model // n_heads
        self.max_k = None

    def build(self, input_shape):
        q_shape = input_shape[0] if isinstance(input_shape, list) else input_shape
        given = {"shape": (q_shape[-1], self.d_model), "initializer": "glorot_uniform"}
        self.wq = self.add_weight(trainable=True, name="wq", **given)
        self.wk = self.add_weight(trainable=True, name="wk", **given)
        self.wv = self.add_weight(trainable=True, name="wv", **given)
        self.wo = self.add_weight(trainable=True, name="wo", **given)
        seq_len = q_shape[1]
        if isinstance(seq_len, int) and seq_len is not None:
            self.max_k = max(1, int(self.c * math.log(max(2, seq_len))))
        else:
            self.max_k = 1
        super().build(input_shape)

    def call(self, inputs):
        queries, keys, values = inputs
        batch_size = tf.shape(queries)[0]
        len_q, len_k = tf.shape(queries)[1], tf.shape(keys)[1]

        def heads(x, weights, length):
            x = tf.reshape(
                tf.tensordot(x, weights, axes=1), (batch_size, length, self.n_heads, self.d_head)
            )
            return tf.transpose(x, perm=[0, 2, 1, 3])

        q, k = heads(queries, self.wq, len_q), heads(keys, self.wk, len_k)
        v = heads(values, self.wv, len_k)
        corr = tf.einsum("b h i d, b h j d -> b h i j", q, k)
        mean_corr = tf.reduce_mean(corr, axis=[1, 2])
        count = self.max_k if self.max_k is not None else 1
        topk_idx = tf.argsort(mean_corr, direction="DESCENDING")[:, :count]
        weights = tf.nn.softmax(tf.gather(mean_corr, topk_idx, batch_dims=1), axis=-1)
        delays_agg = tf.zeros_like(v)
        for i in range(count):
            delays, w = topk_idx[:, i], weights[:, i]

            def roll_one(b, delays=delays):
                return tf.roll(v[b], shift=-tf.cast(delays[b], tf.int32), axis=1)

            rolled = tf.map_fn(roll_one, tf.range(batch_size), dtype=v.dtype)
            delays_agg += rolled * tf.cast(tf.reshape(w, (batch_size, 1, 1, 1)), v.dtype)
        x = tf.transpose(delays_agg, perm=[0, 2, 1, 3])
        x = tf.reshape(x, (batch_size, len_q, self.d_model))
        return tf.tensordot(x, self.wo, axes=[[2], [0]])

    def compute_output_shape(self, input_shape):
        query_shape = input_shape[0]
        return (query_shape[0], query_shape[1], self.d_model)


class AutoCorrelationWrapper(layers.Layer):
    """Only calls the other layer."""

    def __init__(self, d_model, n_heads, c=1, **kwargs):
        super().__init__(**kwargs)
        self.auto_correlation = AutoCorrelation(d_model=d_model, n_heads=n_heads, c=c)

    def call(self, inputs):
        return self.auto_correlation(inputs)

    def compute_output_shape(self, input_shape):
        return self.auto_correlation.compute_output_shape(input_shape)


def _series_feed(self):
    given = {"kernel_size": 1, "use_bias": False, "filters": self.conv_filter}
    return keras.Sequential(
        [
            layers.Conv1D(activation=self.activation, **given),
            layers.Dropout(self.dropout_rate),
            layers.Conv1D(activation=None, **given),
            layers.Dropout(self.dropout_rate),
        ]
    )


class SeriesEncoder(layers.Layer):
    """Makes its layers when it is made."""

    def __init__(
        self,
        d_model,
        n_heads,
        conv_filter,
        activation="relu",
        kernel_size=5,
        padding="same",
        dropout_rate=0.1,
        c=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.kernel_size, self.padding = kernel_size, padding
        self.dropout_rate, self.c = dropout_rate, c
        self.d_model, self.n_heads = d_model, n_heads
        self.activation, self.conv_filter = activation, conv_filter
        self.input_proj = layers.Dense(self.d_model)
        self.residual_proj = layers.Dense(self.d_model)
        self.moving_avg = SeriesDecomposition(kernel_size=self.kernel_size, padding=self.padding)
        self.ff_layer = _series_feed(self)
        self.AutoCorr = AutoCorrelationWrapper(d_model=self.d_model, n_heads=self.n_heads)

    def call(self, inputs):
        proj_input = self.residual_proj(inputs)
        x = self.input_proj(proj_input)
        x, _ = self.moving_avg(self.AutoCorr([x, x, x]) + proj_input)
        y, _ = self.moving_avg(self.ff_layer(x))
        return y

    def get_config(self):
        config = super().get_config()
        config.update({"d_model": self.d_model, "n_heads": self.n_heads, "c": self.c})
        config.update({"conv_filter": self.conv_filter, "activation": self.activation})
        config.update({"kernel_size": self.kernel_size, "padding": self.padding})
        config.update({"dropout_rate": self.dropout_rate})
        return config

    def compute_output_shape(self, input_shape):
        return input_shape


class SeriesDecoder(layers.Layer):
    """Makes half of its layers in `build`."""

    def __init__(
        self,
        d_out,
        d_model,
        n_heads,
        conv_filter,
        activation="relu",
        kernel_size=5,
        padding="same",
        dropout_rate=0.1,
        c=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.kernel_size, self.padding = kernel_size, padding
        self.dropout_rate, self.c = dropout_rate, c
        self.d_model, self.d_out, self.n_heads = d_model, d_out, n_heads
        self.activation, self.conv_filter = activation, conv_filter
        self.moving_avg = SeriesDecomposition(kernel_size=self.kernel_size, padding=self.padding)
        self.ff_layer = None
        given = {"kernel_size": 3, "strides": 1, "padding": "same", "use_bias": False}
        self.out_proj = layers.Conv1D(filters=self.d_out, **given)

    def build(self, input_shape):
        super().build(input_shape)
        self.ff_layer = _series_feed(self)
        self.AutoCorr = AutoCorrelationWrapper(d_model=self.d_model, n_heads=self.n_heads)

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        x, cross = inputs
        x = x + self.AutoCorr([x, x, x])
        seasonal, trend1 = self.moving_avg(x)
        x = seasonal + self.AutoCorr([cross, cross, x])
        seasonal, trend2 = self.moving_avg(x)
        y_seasonal, y_trend = self.moving_avg(self.ff_layer(seasonal))
        return y_seasonal + self.out_proj(trend1 + trend2 + y_trend)

    def get_config(self):
        config = super().get_config()
        config.update({"d_out": self.d_out, "d_model": self.d_model, "n_heads": self.n_heads})
        config.update({"conv_filter": self.conv_filter, "activation": self.activation})
        config.update({"kernel_size": self.kernel_size, "padding": self.padding})
        config.update({"dropout_rate": self.dropout_rate, "c": self.c})
        return config

    def compute_output_shape(self, input_shape):
        return input_shape


class Autoformer(layers.Layer):
    """Lists of such layers, which it builds itself; its config is never returned."""

    def __init__(
        self,
        d_out,
        d_model,
        n_heads,
        conv_filter,
        num_decoder=1,
        num_encoder=1,
        activation="relu",
        kernel_size=5,
        padding="same",
        c=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.kernel_size, self.padding, self.c = kernel_size, padding, c
        self.d_model, self.d_out, self.n_heads = d_model, d_out, n_heads
        self.activation, self.conv_filter = activation, conv_filter
        self.num_decoder, self.num_encoder = num_decoder, num_encoder
        given = {"d_model": d_model, "n_heads": n_heads, "conv_filter": conv_filter}
        self.encoder_layer = [SeriesEncoder(**given) for _ in range(self.num_encoder)]
        self.decoder_layer = [SeriesDecoder(d_out=d_out, **given) for _ in range(self.num_decoder)]
        self.output_dence = layers.Dense(1, activation="linear")

    def build(self, input_shape):
        super().build(input_shape)
        for layer in self.encoder_layer:
            layer.build(input_shape)
        for layer in self.decoder_layer:
            layer.build(input_shape)

    def call(self, inputs):
        x = inputs
        for encoder_layer in self.encoder_layer:
            x = encoder_layer(x)
        decoder_output = x
        for decoder_layer in self.decoder_layer:
            decoder_output = decoder_layer((decoder_output, x))
        return self.output_dence(decoder_output)

    def get_config(self):
        config = super().get_config()
        config.update({"d_out": self.d_out, "d_model": self.d_model, "n_heads": self.n_heads})
        config.update({"conv_filter": self.conv_filter, "num_decoder": self.num_decoder})

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[1], 1)


class SincLayer(layers.Layer):
    """Filters by their frequencies, which `build` sets; tensors are kept as attributes."""

    min_mel_freq = 80
    min_hz_freq = 50
    min_hz_bandwidth = 50

    @staticmethod
    def hz_to_mel(hz):
        return 2595 * np.log10(1 + hz / 700)

    @staticmethod
    def mel_to_hz(mel):
        return (10 ** (mel / 2595) - 1) * 700

    def __init__(self, n_filter, filter_dim, sample_rate, stride, **kwargs):
        self.n_filter = n_filter
        self.filter_dim = filter_dim
        self.sample_rate = sample_rate
        self.stride = stride
        super().__init__(**kwargs)

    def build(self, input_shape):
        given = {"shape": (self.n_filter,), "initializer": "uniform", "dtype": tf.float32}
        given |= {"constraint": keras.constraints.NonNeg(), "trainable": True}
        self.filter_low_freq = self.add_weight(name="filter_low_freq", **given)
        self.filter_bandwidth = self.add_weight(name="filter_bandwidth", **given)
        most = self.hz_to_mel(self.sample_rate / 2)
        hz_points = self.mel_to_hz(np.linspace(self.min_mel_freq, most, self.n_filter))
        left_band, right_band = np.roll(hz_points, 1), np.roll(hz_points, -1)
        left_band[0] = 30
        right_band[-1] = (self.sample_rate / 2) - 100
        rate = self.sample_rate
        self.set_weights([left_band / rate, (right_band - left_band) / rate])
        n = np.linspace(0, self.filter_dim, self.filter_dim)
        window = 0.54 - 0.46 + np.cos(2 * math.pi * n / self.filter_dim)
        self.window = tf.constant(window.reshape([1, -1]), dtype=tf.float32)
        half = (self.filter_dim - 1) / 2
        n = np.linspace(1, half, int(half)).reshape((1, -1))
        self._n = tf.constant(n / rate, dtype=tf.float32)

    def call(self, x):
        low = self.filter_low_freq + self.min_hz_freq / self.sample_rate
        high = low + self.filter_bandwidth + self.min_hz_bandwidth / self.sample_rate
        self.filter_low_cutoff = tf.reshape(low, [-1, 1])
        self.filter_high_cutoff = tf.reshape(high, [-1, 1])
        turn = 2 * math.pi * self.sample_rate
        inter_low = tf.linalg.matmul(self.filter_low_cutoff * turn, self._n)
        inter_high = tf.linalg.matmul(self.filter_high_cutoff * turn, self._n)
        low_pass = 2 * (tf.math.sin(inter_low) / inter_low) * self.filter_low_cutoff
        high_pass = 2 * (tf.math.sin(inter_high) / inter_high) * self.filter_high_cutoff
        band_pass = high_pass - low_pass
        parts = [tf.reverse(band_pass, axis=[1]), tf.zeros([self.n_filter, 1]), band_pass]
        self.band_pass = tf.multiply(tf.concat(parts, 1), self.window)
        shape = [self.filter_dim, 1, self.n_filter]
        self.kernel = tf.reshape(tf.transpose(self.band_pass), shape)
        return tf.nn.conv1d(x, filters=self.kernel, stride=self.stride, padding="VALID")

    def compute_output_shape(self, input_shape):
        steps = (input_shape[1] - self.filter_dim) // self.stride + 1
        return (input_shape[0], steps, self.n_filter)


def gated_activation(x):
    """A tanh times a sigmoid, by layers that are made for it."""
    tanh = layers.Activation("tanh")(x)
    sigmoid = layers.Activation("sigmoid")(x)
    return layers.multiply([tanh, sigmoid])


def root_error(y_true, y_pred):
    """The root of the mean square error."""
    return K.sqrt(K.mean(K.square(y_pred - y_true), axis=-1))
