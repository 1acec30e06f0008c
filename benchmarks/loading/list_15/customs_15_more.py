"""Custom objects of models of tables, digits, agents and noise in `series.py` and
`images.py`; copied as `customs_15_more.py` beside the models. Only the layer of fields
has a config; the layers of noise need Keras 3.
"""

from __future__ import annotations

import itertools
import sys

import tensorflow as tf
import tensorflow.experimental.numpy as tnp

keras = sys.modules["__main__"].keras
layers = keras.layers
ops = getattr(keras, "ops", None)


class NumpyNetwork(keras.Model):
    """Dense layers written in the style of NumPy, their weights in lists of the model."""

    def __init__(self, blocks=None, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(blocks, list):
            raise TypeError(f"blocks must be a list, not {blocks}")
        self.blocks = blocks
        self.block_weights = None
        self.biases = None

    def build(self, input_shape):
        wide = input_shape[1]
        self.block_weights = []
        self.biases = []
        for i, block in enumerate(self.blocks):
            self.block_weights.append(
                self.add_weight(
                    shape=(wide, block),
                    trainable=True,
                    name=f"block-{i}",
                    initializer="glorot_normal",
                )
            )
            self.biases.append(
                self.add_weight(
                    shape=(block,), trainable=True, name=f"bias-{i}", initializer="zeros"
                )
            )
            wide = block
        self.linear_layer = self.add_weight(
            shape=(wide, 1), name="linear_projector", trainable=True, initializer="glorot_normal"
        )

    def call(self, inputs):
        x = inputs
        for i, w in enumerate(self.block_weights):
            x = tnp.maximum(tnp.matmul(x, w) + self.biases[i], 0.0)
        return tnp.matmul(x, self.linear_layer)


def numpy_squares(y_true, y_pred):
    return tnp.mean(tnp.square(y_true - y_pred), axis=0)


class DigitSampling(layers.Layer):
    """A drawn code."""

    def call(self, inputs):
        mean, log_variance = inputs
        shape = tf.shape(mean)
        noise = tf.random.normal(shape=(shape[0], shape[1]))
        return mean + tf.exp(0.5 * log_variance) * noise


class DigitEncoder(layers.Layer):
    """A digit to a mean, a variance and a drawn code."""

    def __init__(self, latent_dim=32, intermediate_dim=64, name="encoder", **kwargs):
        super().__init__(name=name, **kwargs)
        self.dense_proj = layers.Dense(intermediate_dim, activation="relu")
        self.dense_mean = layers.Dense(latent_dim)
        self.dense_log_var = layers.Dense(latent_dim)
        self.sampling = DigitSampling()

    def call(self, inputs):
        x = self.dense_proj(inputs)
        mean, log_variance = self.dense_mean(x), self.dense_log_var(x)
        return mean, log_variance, self.sampling((mean, log_variance))


class DigitDecoder(layers.Layer):
    """A code to a digit."""

    def __init__(self, original_dim, intermediate_dim=64, name="decoder", **kwargs):
        super().__init__(name=name, **kwargs)
        self.dense_proj = layers.Dense(intermediate_dim, activation="relu")
        self.dense_output = layers.Dense(original_dim, activation="sigmoid")

    def call(self, inputs):
        return self.dense_output(self.dense_proj(inputs))


class DigitAutoencoder(keras.Model):
    """Both, with a loss that the call adds."""

    def __init__(
        self, original_dim, intermediate_dim=64, latent_dim=32, name="autoencoder", **kwargs
    ):
        super().__init__(name=name, **kwargs)
        self.original_dim = original_dim
        self.encoder = DigitEncoder(latent_dim=latent_dim, intermediate_dim=intermediate_dim)
        self.decoder = DigitDecoder(original_dim, intermediate_dim=intermediate_dim)

    def call(self, inputs):
        mean, log_variance, code = self.encoder(inputs)
        made = self.decoder(code)
        apart = log_variance - tf.square(mean) - tf.exp(log_variance) + 1
        self.add_loss(-0.5 * tf.reduce_mean(apart))
        return made


class HeartModel(keras.Model):
    """Columns of a dictionary side by side, scaled by a layer that two attributes hold."""

    def __init__(self):
        super().__init__()
        self.normalizer = layers.Normalization(axis=-1)
        self.seq = keras.Sequential(
            [
                self.normalizer,
                layers.Dense(10, activation="relu"),
                layers.Dense(10, activation="relu"),
                layers.Dense(1),
            ]
        )
        self.concat = layers.Concatenate(axis=1)

    def _stack(self, input_dict):
        return self.concat([value for _, value in sorted(input_dict.items())])

    def adapt(self, inputs):
        self.normalizer.adapt(self._stack(inputs))

    def call(self, inputs):
        return self.seq(self._stack(inputs))


class PoleCritic(keras.Model):
    """What to do and what it is worth, from one dense layer."""

    def __init__(self, num_actions, num_hidden_units):
        super().__init__()
        self.common = layers.Dense(num_hidden_units, activation="relu")
        self.actor = layers.Dense(num_actions)
        self.critic = layers.Dense(1)

    def call(self, inputs):
        x = self.common(inputs)
        return self.actor(x), self.critic(x)


class Continuous:
    """Facts of an environment."""

    def __init__(self, act_size):
        self.act_size = act_size


class SoftGaussian(keras.Model):
    """Means and deviations of actions; its name is given by place."""

    def __init__(self, hidden_sizes=(32, 32), env_info=Continuous, activation="relu"):
        super().__init__("pi_gaussian_model")
        self.env_info = env_info
        self.num_outputs = self.env_info.act_size
        self.hidden_layers = keras.Sequential(
            [layers.Dense(size, activation=activation) for size in hidden_sizes]
        )
        self.mu = layers.Dense(self.num_outputs, name="policy_mu")
        self.log_std = layers.Dense(self.num_outputs, name="policy_log_std")

    def call(self, inputs):
        x = self.hidden_layers(tf.convert_to_tensor(inputs))
        return self.mu(x), self.log_std(x)


class FieldMatrices(layers.Layer):
    """Products of all pairs of fields through symmetric matrices in a dictionary."""

    def __init__(self, regularizer, **kwargs):
        self.regularizer = regularizer
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.num_fields = int(input_shape[1])
        wide = int(input_shape[2])
        self.field_embeddings = {}
        for fi, fj in itertools.combinations(range(self.num_fields), 2):
            pair = f"{fi}-{fj}"
            self.field_embeddings[pair] = self.add_weight(
                name="field_embeddings" + pair,
                shape=(wide, wide),
                initializer=keras.initializers.TruncatedNormal(),
                regularizer=keras.regularizers.l2(self.regularizer),
                trainable=True,
            )
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        found = []
        for fi, fj in itertools.combinations(range(self.num_fields), 2):
            first = tf.squeeze(inputs[0:, fi : fi + 1, 0:], axis=1)
            second = tf.squeeze(inputs[0:, fj : fj + 1, 0:], axis=1)
            matrix = self.field_embeddings[f"{fi}-{fj}"]
            first = tf.matmul(first, matrix + tf.transpose(matrix))
            found.append(keras.backend.batch_dot(first, second, axes=1))
        return tf.concat(found, axis=1)

    def compute_output_shape(self, input_shape):
        fields = int(input_shape[1])
        return (None, (fields * (fields - 1)) / 2)

    def get_config(self):
        config = super().get_config().copy()
        config.update({"regularizer": self.regularizer})
        return config


class Unmasked(layers.Layer):
    """Drops a mask."""

    def build(self, input_shape):
        super().build(input_shape)

    def call(self, x, mask=None, **kwargs):
        return x

    def compute_mask(self, inputs, mask):
        return None


class NoiseBlock(layers.Layer):
    """Convolutions beside a shortcut, scaled and shifted by the time; layers are made in build."""

    def __init__(self, out_channels, **kwargs):
        super().__init__(**kwargs)
        self.out_channels = out_channels

    def build(self, input_shape):
        self.conv1 = layers.Conv2D(self.out_channels, 3, padding="same")
        self.conv2 = layers.Conv2D(self.out_channels, 3, padding="same")
        self.norm1 = layers.GroupNormalization(8)
        self.norm2 = layers.GroupNormalization(8)
        self.time_proj = layers.Dense(self.out_channels * 2)
        self.skip = None
        if input_shape[-1] != self.out_channels:
            self.skip = layers.Conv2D(self.out_channels, 1, padding="same")

    def call(self, x, t_emb=None):
        h = self.conv1(ops.silu(self.norm1(x)))
        if t_emb is not None:
            scale, shift = ops.split(self.time_proj(ops.silu(t_emb)), 2, axis=-1)
            h = h * (1 + scale[:, None, None, :]) + shift[:, None, None, :]
        h = self.conv2(ops.silu(self.norm2(h)))
        if self.skip is not None:
            x = self.skip(x)
        return x + h


class NoiseAttention(layers.Layer):
    """Attention of places with one head."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def build(self, input_shape):
        channels = input_shape[-1]
        self.norm = layers.GroupNormalization(8)
        self.qkv = layers.Conv2D(channels * 3, 1, padding="same")
        self.proj = layers.Conv2D(channels, 1, padding="same")
        self.channels = channels

    def call(self, x):
        shape = ops.shape(x)
        rows, height, width = shape[0], shape[1], shape[2]
        parts = ops.split(self.qkv(self.norm(x)), 3, axis=-1)
        q, k, v = (ops.reshape(part, (rows, height * width, self.channels)) for part in parts)
        scores = ops.matmul(q, ops.transpose(k, (0, 2, 1)))
        scores = scores / ops.sqrt(ops.cast(self.channels, "float32"))
        out = ops.matmul(ops.softmax(scores, axis=-1), v)
        return x + self.proj(ops.reshape(out, (rows, height, width, self.channels)))


class NoiseSmaller(layers.Layer):
    """A convolution with strides."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.conv = layers.Conv2D(input_shape[-1], 3, strides=2, padding="same")

    def call(self, x):
        return self.conv(x)


class NoiseLarger(layers.Layer):
    """A transposed convolution."""

    def __init__(self, out_channels, **kwargs):
        super().__init__(**kwargs)
        self.out_channels = out_channels

    def build(self, input_shape):
        self.conv = layers.Conv2DTranspose(self.out_channels, 3, strides=2, padding="same")

    def call(self, x):
        return self.conv(x)
