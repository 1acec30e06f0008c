"""Custom objects of the models in `models.py`, in the style of books and guides; copied
as `customs_04.py` beside them, as `list_01/customs.py` is.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras


class AttentionPooling(keras.layers.Layer):
    """A mean over time weighted by a score, which uses the mask and ends it."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units = units
        self.score = keras.layers.Dense(units, activation="tanh")
        self.weight = keras.layers.Dense(1, use_bias=False)

    def call(self, inputs, mask=None):
        scores = self.weight(self.score(inputs))
        if mask is not None:
            scores += (1.0 - tf.cast(tf.expand_dims(mask, -1), scores.dtype)) * -1e9
        return tf.reduce_sum(tf.nn.softmax(scores, axis=1) * inputs, axis=1)

    def compute_mask(self, inputs, mask=None):
        return None

    def get_config(self):
        config = super().get_config()
        config.update({"units": self.units})
        return config


@keras.utils.register_keras_serializable()
class SinePositions(keras.layers.Layer):
    """Adds sines and cosines of the position, computed once."""

    def __init__(self, max_steps, max_dims, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.max_steps, self.max_dims = max_steps, max_dims
        p, i = np.meshgrid(np.arange(max_steps), np.arange(max_dims // 2))
        pos_emb = np.empty((1, max_steps, max_dims))
        pos_emb[0, :, ::2] = np.sin(p / 10000 ** (2 * i / max_dims)).T
        pos_emb[0, :, 1::2] = np.cos(p / 10000 ** (2 * i / max_dims)).T
        self.positional_embedding = tf.constant(pos_emb.astype("float32"))

    def call(self, inputs):
        return inputs + self.positional_embedding[:, : self.max_steps]

    def get_config(self):
        base = super().get_config()
        return {**base, "max_steps": self.max_steps, "max_dims": self.max_dims}


@keras.utils.register_keras_serializable(package="Vision", name="conv_block")
class ConvBlock(keras.layers.Layer):
    """Convolution, batch normalization, activation and pooling."""

    def __init__(self, filters, pool=True, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.pool = filters, pool
        self.conv = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)
        self.norm = keras.layers.BatchNormalization()
        self.act = keras.layers.Activation("relu")
        self.max_pool = keras.layers.MaxPooling2D() if pool else None

    def build(self, input_shape):
        self.conv.build(input_shape)
        self.norm.build(tuple(input_shape[:-1]) + (self.filters,))
        super().build(input_shape)

    def call(self, x, training=None):
        x = self.act(self.norm(self.conv(x), training=training))
        return self.max_pool(x) if self.max_pool is not None else x

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "pool": self.pool}


class EuclideanDistance(keras.layers.Layer):
    """Of two vectors."""

    def call(self, inputs):
        x, y = inputs
        total = tf.reduce_sum(tf.square(x - y), axis=1, keepdims=True)
        return tf.sqrt(tf.maximum(total, 1e-7))


def contrastive_loss(y_true, y_pred):
    """Near for pairs, far for others."""
    y_true = tf.cast(y_true, y_pred.dtype)
    far = tf.square(tf.maximum(1.0 - y_pred, 0.0))
    return tf.reduce_mean((1 - y_true) * tf.square(y_pred) + y_true * far)


def my_softplus(z):
    """An activation."""
    return tf.math.log(1.0 + tf.exp(z))


def my_glorot(shape, dtype=None):
    """An initializer."""
    return tf.random.normal(shape, stddev=(2.0 / sum(shape)) ** 0.5, dtype=dtype or "float32")


def my_positive_weights(weights):
    """A constraint."""
    return tf.where(weights < 0.0, tf.zeros_like(weights), weights)


class MyL1(keras.regularizers.Regularizer):
    """A regularizer."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, weights):
        return tf.reduce_sum(tf.abs(self.factor * weights))

    def get_config(self):
        return {"factor": self.factor}


class HuberLoss(keras.losses.Loss):
    """A loss with a threshold."""

    def __init__(self, threshold=1.0, **kwargs):
        self.threshold = threshold
        super().__init__(**kwargs)

    def call(self, y_true, y_pred):
        error = tf.cast(y_true, y_pred.dtype) - y_pred
        small = tf.abs(error) < self.threshold
        linear = self.threshold * tf.abs(error) - self.threshold**2 / 2
        return tf.where(small, tf.square(error) / 2, linear)

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}


class OwnStep(keras.Model):
    """A Functional model with a training step of its own."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = tf.reduce_mean(tf.square(tf.cast(y, y_pred.dtype) - y_pred))
        gradients = tape.gradient(loss, self.trainable_variables)
        weights = self.trainable_variables
        self.optimizer.apply_gradients((gradients[i], weights[i]) for i in range(len(weights)))
        return {"loss": loss}


@keras.utils.register_keras_serializable(package="rnn")
class NormalizedCell(keras.layers.Layer):
    """A simple cell whose output is normalized before its activation."""

    def __init__(self, units, activation="tanh", **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.output_size = units
        self.simple_rnn_cell = keras.layers.SimpleRNNCell(units, activation=None)
        self.layer_norm = keras.layers.LayerNormalization()
        self.activation = keras.activations.get(activation)

    def call(self, inputs, states):
        outputs, _ = self.simple_rnn_cell(inputs, states)
        norm_outputs = self.activation(self.layer_norm(outputs))
        return norm_outputs, [norm_outputs]

    def get_config(self):
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "units": self.state_size, "activation": activation}


class Variational(keras.Model):
    """Draws from the code while it trains; uses the mean otherwise."""

    def __init__(self, latent=2, **kwargs):
        super().__init__(**kwargs)
        self.latent = latent
        x = keras.Input((6,))
        hidden = keras.layers.Dense(5, activation="relu")(x)
        outputs = [keras.layers.Dense(latent)(hidden), keras.layers.Dense(latent)(hidden)]
        self.encoder = keras.Model(x, outputs, name="encoder")
        self.decoder = keras.Sequential(
            [keras.Input((latent,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(6)],
            name="decoder",
        )

    def call(self, inputs, training=False):
        mean, log_variance = self.encoder(inputs)
        code = mean
        if training:
            code += tf.exp(log_variance / 2) * tf.random.normal(tf.shape(mean))
        divergence = tf.exp(log_variance) + tf.square(mean) - 1.0 - log_variance
        self.add_loss(0.5 * tf.reduce_mean(divergence))
        return self.decoder(code)

    def get_config(self):
        return {"latent": self.latent}


class WideAndDeep(keras.Model):
    """Two inputs, two outputs."""

    def __init__(self, units=30, activation="relu", **kwargs):
        super().__init__(**kwargs)
        self.norm_layer_wide = keras.layers.LayerNormalization()
        self.hidden1 = keras.layers.Dense(units, activation=activation)
        self.hidden2 = keras.layers.Dense(units, activation=activation)
        self.main_output = keras.layers.Dense(1)
        self.aux_output = keras.layers.Dense(1)

    def call(self, inputs):
        input_wide, input_deep = inputs
        hidden2 = self.hidden2(self.hidden1(input_deep))
        concat = tf.concat([self.norm_layer_wide(input_wide), hidden2], axis=-1)
        return self.main_output(concat), self.aux_output(hidden2)


class ResidualBlock(keras.layers.Layer):
    """Dense layers around a skip."""

    def __init__(self, n_layers, n_neurons, **kwargs):
        super().__init__(**kwargs)
        self.n_layers, self.n_neurons = n_layers, n_neurons
        self.hidden = [keras.layers.Dense(n_neurons, activation="relu") for _ in range(n_layers)]

    def call(self, inputs):
        z = inputs
        for layer in self.hidden:
            z = layer(z)
        return inputs + z

    def get_config(self):
        own = {"n_layers": self.n_layers, "n_neurons": self.n_neurons}
        return {**super().get_config(), **own}


class ResidualRegressor(keras.Model):
    """Blocks, one of them called several times."""

    def __init__(self, output_dim, **kwargs):
        super().__init__(**kwargs)
        self.output_dim = output_dim
        self.hidden1 = keras.layers.Dense(5, activation="relu")
        self.block1 = ResidualBlock(2, 5)
        self.block2 = ResidualBlock(2, 5)
        self.out = keras.layers.Dense(output_dim)

    def call(self, inputs):
        z = self.hidden1(inputs)
        for _ in range(1 + 2):
            z = self.block1(z)
        return self.out(self.block2(z))

    def get_config(self):
        return {"output_dim": self.output_dim}


@keras.utils.register_keras_serializable(package="moe")
class Experts(keras.layers.Layer):
    """Dense layers by name, mixed by a gate."""

    def __init__(self, names, units, **kwargs):
        super().__init__(**kwargs)
        self.names, self.units = list(names), units
        self.experts = {name: keras.layers.Dense(units) for name in self.names}
        self.gate = keras.layers.Dense(len(self.names), activation="softmax")

    def call(self, x):
        weights = self.gate(x)
        found = [self.experts[name](x) for name in self.names]
        return sum(weights[:, n : n + 1] * each for n, each in enumerate(found))

    def get_config(self):
        return {**super().get_config(), "names": list(self.names), "units": self.units}


class RunningMean(keras.layers.Layer):
    """Subtracts a mean that follows the batches while it trains."""

    def build(self, input_shape):
        self.mean = self.add_weight(
            name="mean", shape=(int(input_shape[-1]),), initializer="zeros", trainable=False
        )
        super().build(input_shape)

    def call(self, x, training=False):
        if training:
            self.mean.assign(0.9 * self.mean + 0.1 * tf.reduce_mean(x, axis=0))
        return x - self.mean
