"""Custom objects of the models in `models.py`; copied as `customs_08.py` beside them.

Two classes are registered, one of them without a package.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class StatisticsPooling(layers.Layer):
    """Mean and deviation over time; it has no arguments and is not registered."""

    def call(self, inputs):
        mean = tf.reduce_mean(inputs, axis=1)
        variance = tf.reduce_mean(tf.square(inputs - mean[:, tf.newaxis]), axis=1)
        return tf.concat([mean, tf.sqrt(variance + 1e-5)], axis=-1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 2 * input_shape[-1])


class CTCLayer(layers.Layer):
    """Adds the loss of readings; it takes nothing but a name, as guides write it."""

    def __init__(self, name=None):
        super().__init__(name=name)

    def call(self, y_true, y_pred):
        rows, steps = tf.shape(y_pred)[0], tf.shape(y_pred)[1]
        loss = tf.nn.ctc_loss(
            labels=tf.cast(y_true, tf.int32),
            logits=tf.math.log(y_pred + 1e-7),
            label_length=tf.fill([rows], tf.shape(y_true)[1]),
            logit_length=tf.fill([rows], steps),
            logits_time_major=False,
            blank_index=-1,
        )
        self.add_loss(tf.reduce_mean(loss))
        return y_pred


class LearnedPositions(layers.Layer):
    """Adds a vector for each place; its weights need the length; not registered."""

    def __init__(self, length, **kwargs):
        super().__init__(**kwargs)
        self.length = length
        self.supports_masking = True

    def build(self, input_shape):
        shape = (self.length, input_shape[-1])
        self.table = self.add_weight(name="positions", shape=shape, initializer="uniform")
        super().build(input_shape)

    def call(self, inputs):
        return inputs + self.table[: tf.shape(inputs)[1]]

    def get_config(self):
        config = super().get_config()
        config.update({"length": self.length})
        return config


@keras.utils.register_keras_serializable(package="reading")
class EncoderLayer(layers.Layer):
    """Attention and a feed-forward network after the sum of both ways; registered."""

    def __init__(self, width, heads, hidden, rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.width, self.heads, self.hidden, self.rate = width, heads, hidden, rate
        self.attention = layers.MultiHeadAttention(num_heads=heads, key_dim=width // heads)
        self.feed = keras.Sequential([layers.Dense(hidden, "relu"), layers.Dense(width)])
        self.norm_1 = layers.LayerNormalization(epsilon=1e-6)
        self.norm_2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout_1, self.dropout_2 = layers.Dropout(rate), layers.Dropout(rate)

    def call(self, inputs, training=None):
        seen = self.dropout_1(self.attention(inputs, inputs), training=training)
        first = self.norm_1(inputs + seen)
        return self.norm_2(first + self.dropout_2(self.feed(first), training=training))

    def get_config(self):
        config = super().get_config()
        config.update({"width": self.width, "heads": self.heads, "hidden": self.hidden})
        config["rate"] = self.rate
        return config


@keras.utils.register_keras_serializable()
class MachineDetector(keras.Model):
    """An autoencoder as the guide on anomalies writes it, with a config; registered."""

    def __init__(self, features=12, latent=3, **kwargs):
        super().__init__(**kwargs)
        self.features, self.latent = features, latent
        self.encoder = keras.Sequential(
            [layers.Dense(6, activation="relu"), layers.Dense(latent, activation="relu")]
        )
        self.decoder = keras.Sequential(
            [layers.Dense(6, activation="relu"), layers.Dense(features, activation="sigmoid")]
        )

    def call(self, x):
        return self.decoder(self.encoder(x))

    def get_config(self):
        return {"features": self.features, "latent": self.latent}


class RankingModel(keras.Model):
    """Towers that look up names, from a dictionary of features; without a config of its own."""

    def __init__(self, users, titles, width=4):
        super().__init__()
        self.user_tower = keras.Sequential(
            [
                layers.StringLookup(vocabulary=users, mask_token=None),
                layers.Embedding(len(users) + 1, width),
            ]
        )
        self.title_tower = keras.Sequential(
            [
                layers.StringLookup(vocabulary=titles, mask_token=None),
                layers.Embedding(len(titles) + 1, width),
            ]
        )
        self.rating = keras.Sequential([layers.Dense(6, activation="relu"), layers.Dense(1)])

    def call(self, features):
        user = self.user_tower(features["user_id"])
        title = self.title_tower(features["movie_title"])
        return self.rating(tf.concat([user, title], axis=-1))


# Functions without names, as they stand inside `Lambda(...)` of scripts.
LAMBDAS = {"unit": lambda t: tf.math.l2_normalize(t, axis=1)}
