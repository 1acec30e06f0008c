"""Custom objects of the models in `models.py`; copied as `customs_07.py` beside them.

About half of them are registered, under packages of their own or the default one.
"""

from __future__ import annotations

import itertools
import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


@keras.utils.register_keras_serializable(package="Ranking")
class CrossLayer(layers.Layer):
    """x0 * (W x + b) + x of a deep and cross network; registered."""

    def __init__(self, rank=2, **kwargs):
        super().__init__(**kwargs)
        self.rank = rank

    def build(self, input_shape):
        last = int(input_shape[0][-1])
        self.down = self.add_weight(name="down", shape=(last, self.rank))
        self.up = self.add_weight(name="up", shape=(self.rank, last))
        self.bias = self.add_weight(name="bias", shape=(last,), initializer="zeros")
        self.built = True

    def call(self, inputs):
        first, value = inputs
        return first * (tf.matmul(tf.matmul(value, self.down), self.up) + self.bias) + value

    def get_config(self):
        return {**super().get_config(), "rank": self.rank}


class GraphConvolution(layers.Layer):
    """Neighbours summed through the adjacency, then a dense map; not registered."""

    def __init__(self, units, activation=None, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(int(input_shape[0][-1]), self.units),
            initializer=self.kernel_initializer,
        )
        self.built = True

    def call(self, inputs):
        nodes, adjacency = inputs
        degree = tf.reduce_sum(tf.abs(adjacency), axis=-1, keepdims=True) + 1.0
        return self.activation(tf.matmul(adjacency, tf.matmul(nodes, self.kernel)) / degree)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def sinusoidal_embedding(step):
    """Of the time of a diffusion; a function for `Lambda`, not registered."""
    rates = tf.exp(tf.linspace(0.0, 3.0, 3)) * 0.5
    turned = tf.cast(step, tf.float32) * rates
    return tf.concat([tf.sin(turned), tf.cos(turned)], axis=-1)


@keras.utils.register_keras_serializable(package="clip")
class LogitScale(layers.Layer):
    """Similarities of all pairs, with a temperature that is learned; registered."""

    def build(self, input_shape):
        self.scale = self.add_weight(
            name="logit_scale", shape=(), initializer=keras.initializers.Constant(2.0)
        )
        self.built = True

    def call(self, inputs):
        image, text = inputs
        return tf.exp(self.scale) * tf.matmul(image, text, transpose_b=True)


@keras.utils.register_keras_serializable(package="vit", name="ClassToken")
class PrependedToken(layers.Layer):
    """Prepends a token that is learned; registered under another name than its own."""

    def build(self, input_shape):
        self.token = self.add_weight(name="cls", shape=(1, 1, int(input_shape[-1])))
        self.built = True

    def call(self, inputs):
        token = tf.repeat(self.token, tf.shape(inputs)[0], axis=0)
        return tf.concat([token, inputs], axis=1)

    def compute_output_shape(self, input_shape):
        steps = None if input_shape[1] is None else input_shape[1] + 1
        return (input_shape[0], steps, input_shape[2])


class LayerScale(layers.Layer):
    """Scales channels; without a config of its own argument, as many write it."""

    def __init__(self, init_values=1e-2, **kwargs):
        super().__init__(**kwargs)
        self.init_values = init_values

    def build(self, input_shape):
        start = keras.initializers.Constant(self.init_values)
        self.gamma = self.add_weight(name="gamma", shape=(input_shape[-1],), initializer=start)
        self.built = True

    def call(self, x):
        return x * self.gamma


class StochasticDepth(layers.Layer):
    """Leaves out branches while it trains; its config is whole, it is not registered."""

    def __init__(self, drop_path_rate, **kwargs):
        super().__init__(**kwargs)
        self.drop_path_rate = drop_path_rate

    def call(self, x, training=None):
        if training:
            keep = 1.0 - self.drop_path_rate
            return x * tf.floor(keep + tf.random.uniform((tf.shape(x)[0], 1, 1, 1))) / keep
        return x

    def get_config(self):
        return {**super().get_config(), "drop_path_rate": self.drop_path_rate}


class LogMel(layers.Layer):
    """A spectrogram in decibels by `tf.signal`; not registered."""

    def __init__(self, frame=64, step=32, bins=8, **kwargs):
        super().__init__(**kwargs)
        self.frame, self.step, self.bins = frame, step, bins

    def call(self, waves):
        power = tf.abs(tf.signal.stft(waves, self.frame, self.step, fft_length=self.frame))
        matrix = tf.signal.linear_to_mel_weight_matrix(
            self.bins, self.frame // 2 + 1, 800, 20.0, 380.0
        )
        return tf.math.log(tf.matmul(power, matrix) + 1e-3)[..., tf.newaxis]

    def get_config(self):
        own = {"frame": self.frame, "step": self.step, "bins": self.bins}
        return {**super().get_config(), **own}


class VectorQuantizer(layers.Layer):
    """The nearest of some vectors, passed straight through; adds its loss; not registered."""

    def __init__(self, num_embeddings, embedding_dim, beta=0.25, **kwargs):
        super().__init__(**kwargs)
        self.num_embeddings, self.embedding_dim, self.beta = num_embeddings, embedding_dim, beta

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            name="codes", shape=(self.embedding_dim, self.num_embeddings), initializer="uniform"
        )
        self.built = True

    def call(self, x):
        flat = tf.reshape(x, [-1, self.embedding_dim])
        apart = tf.reduce_sum(tf.square(self.embeddings), axis=0) - 2 * flat @ self.embeddings
        one_hot = tf.one_hot(tf.argmin(apart, axis=1), self.num_embeddings)
        found = tf.reshape(tf.matmul(one_hot, self.embeddings, transpose_b=True), tf.shape(x))
        self.add_loss(self.beta * tf.reduce_mean((tf.stop_gradient(found) - x) ** 2))
        return x + tf.stop_gradient(found - x)

    def get_config(self):
        own = {"num_embeddings": self.num_embeddings, "embedding_dim": self.embedding_dim}
        return {**super().get_config(), **own, "beta": self.beta}


@keras.utils.register_keras_serializable(package="losses")
def focal_loss(y_true, y_pred, gamma=2.0):
    """Registered."""
    y_true, y_pred = tf.cast(y_true, tf.float32), tf.clip_by_value(y_pred, 1e-6, 1 - 1e-6)
    right = y_true * y_pred + (1 - y_true) * (1 - y_pred)
    return -tf.reduce_mean((1 - right) ** gamma * tf.math.log(right), axis=-1)


class QuantileLoss(keras.losses.Loss):
    """Pinball loss of several quantiles; not registered."""

    def __init__(self, quantiles=(0.1, 0.5, 0.9), name="quantile_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.quantiles = tuple(quantiles)

    def call(self, y_true, y_pred):
        apart = tf.cast(y_true, y_pred.dtype) - y_pred
        shares = tf.constant(self.quantiles, y_pred.dtype)
        return tf.reduce_mean(tf.maximum(shares * apart, (shares - 1.0) * apart), axis=-1)

    def get_config(self):
        return {**super().get_config(), "quantiles": list(self.quantiles)}


@keras.utils.register_keras_serializable(package="metrics")
class FBeta(keras.metrics.Metric):
    """With counts of its own; registered."""

    def __init__(self, beta=1.0, name="fbeta", **kwargs):
        super().__init__(name=name, **kwargs)
        self.beta = beta
        self.hits = self.add_weight(name="hits", initializer="zeros")
        self.total = self.add_weight(name="total", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        guess = tf.cast(y_pred > 0.5, tf.float32)
        truth = tf.cast(y_true, tf.float32)
        self.hits.assign(self.hits + tf.reduce_sum(guess * truth))
        self.total.assign(self.total + tf.reduce_sum(guess + truth))

    def result(self):
        return 2.0 * self.hits / (self.total + 1e-7)

    def get_config(self):
        return {**super().get_config(), "beta": self.beta}


class PeepholeCell(layers.LSTMCell):
    """An LSTM cell whose state passes through one more tanh; a subclass; not registered."""

    def call(self, inputs, states, training=None):
        value, (hidden, carry) = super().call(inputs, states, training=training)
        return tf.tanh(value), [hidden, tf.tanh(carry)]


@keras.utils.register_keras_serializable(package="llm")
class RMSNorm(layers.Layer):
    """Registered; its weight is built by the call's shape."""

    def __init__(self, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")
        self.built = True

    def call(self, x):
        return (
            x * tf.math.rsqrt(tf.reduce_mean(x * x, -1, keepdims=True) + self.epsilon) * self.scale
        )

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.utils.register_keras_serializable(package="llm")
class SwiGLU(layers.Layer):
    """A gated feed-forward block, whose layers are made in the constructor; registered."""

    def __init__(self, hidden, width, **kwargs):
        super().__init__(**kwargs)
        self.hidden, self.width = hidden, width
        self.gate = layers.Dense(hidden, use_bias=False, activation="swish")
        self.up = layers.Dense(hidden, use_bias=False)
        self.down = layers.Dense(width, use_bias=False)

    def build(self, input_shape):
        self.gate.build(input_shape)
        self.up.build(input_shape)
        self.down.build((*input_shape[:-1], self.hidden))
        self.built = True

    def call(self, x):
        return self.down(self.gate(x) * self.up(x))

    def get_config(self):
        return {**super().get_config(), "hidden": self.hidden, "width": self.width}


class NBeatsBlock(layers.Layer):
    """Backcast and forecast; without a config of its own: the file cannot make it again."""

    def __init__(self, units, horizon, lookback, **kwargs):
        super().__init__(**kwargs)
        self.hidden = [layers.Dense(units, activation="relu") for _ in range(2)]
        self.back, self.fore = layers.Dense(lookback), layers.Dense(horizon)

    def call(self, x):
        for layer in self.hidden:
            x = layer(x)
        return self.back(x), self.fore(x)


class VAE(keras.Model):
    """Encoder and decoder are given, and are in its config; a step of its own; not registered."""

    def __init__(self, encoder, decoder, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.decoder = encoder, decoder
        self.total_loss_tracker = keras.metrics.Mean(name="total_loss")

    @property
    def metrics(self):
        return [self.total_loss_tracker]

    def call(self, inputs):
        return self.decoder(self.encoder(inputs)[0])

    def get_config(self):
        write = getattr(keras, "saving", keras.utils).serialize_keras_object
        return {"encoder": write(self.encoder), "decoder": write(self.decoder)}

    @classmethod
    def from_config(cls, config):
        return cls(*(layers.deserialize(config[each]) for each in ("encoder", "decoder")))

    def train_step(self, data):
        data = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape() as tape:
            mean, log_var = self.encoder(data)
            wrong = tf.reduce_mean(tf.square(data - self.decoder(mean)))
            loss = wrong - 0.5 * tf.reduce_mean(1 + log_var - mean**2 - tf.exp(log_var))
        slopes = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(itertools.zip_longest(slopes, self.trainable_weights))
        self.total_loss_tracker.update_state(loss)
        return {"loss": self.total_loss_tracker.result()}


def triplet_margin(y_true, y_pred):
    """A loss of distances; not registered."""
    return tf.reduce_mean(tf.maximum(y_pred[:, 0] - y_pred[:, 1] + 0.5, 0.0)) + 0.0 * y_true[:, 0]


K = keras.backend
# Functions without names, as they stand inside `Lambda(...)` of older guides.
LAMBDAS = {
    "length": lambda z: K.sqrt(K.sum(K.square(z), axis=-1) + 1e-7),
    "halve": lambda z, share=0.5: z * share,
}
