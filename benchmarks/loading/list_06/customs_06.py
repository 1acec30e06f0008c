"""Custom objects of the models in `models.py`; copied as `customs_06.py` beside them.

Some are registered, as guides advise, most are not.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras

# Functions without names, as they stand inside `Lambda(...)`.
LAMBDAS = {
    "shuffle": lambda x: tf.nn.depth_to_space(x, 2),
    "normalize": lambda x: tf.math.l2_normalize(x, axis=1),
    "last": lambda t: t[:, -1, :],
    "advantage": lambda a: a[:, :1] + a[:, 1:] - tf.reduce_mean(a[:, 1:], axis=1, keepdims=True),
}


def dice_coefficient(y_true, y_pred, smooth=1.0):
    """A metric of overlap."""
    y_true = tf.cast(y_true, y_pred.dtype)
    shared = tf.reduce_sum(y_true * y_pred)
    return (2.0 * shared + smooth) / (tf.reduce_sum(y_true) + tf.reduce_sum(y_pred) + smooth)


def dice_loss(y_true, y_pred):
    """Without overlap."""
    return 1.0 - dice_coefficient(y_true, y_pred)


def wasserstein_loss(y_true, y_pred):
    """Of a critic."""
    return tf.reduce_mean(tf.cast(y_true, y_pred.dtype) * y_pred)


class ReflectionPadding2D(keras.layers.Layer):
    """Pads by reflection."""

    def __init__(self, padding=(1, 1), **kwargs):
        self.padding = tuple(padding)
        super().__init__(**kwargs)

    def call(self, input_tensor, mask=None):
        wide, high = self.padding
        return tf.pad(input_tensor, [[0, 0], [high, high], [wide, wide], [0, 0]], mode="REFLECT")

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}


class Patches(keras.layers.Layer):
    """Squares of an image as rows."""

    def __init__(self, patch_size, **kwargs):
        super().__init__(**kwargs)
        self.patch_size = patch_size

    def call(self, images):
        size = [1, self.patch_size, self.patch_size, 1]
        found = tf.image.extract_patches(images, size, size, [1, 1, 1, 1], "VALID")
        return tf.reshape(found, [tf.shape(images)[0], -1, found.shape[-1]])

    def get_config(self):
        return {**super().get_config(), "patch_size": self.patch_size}


class PatchEncoder(keras.layers.Layer):
    """Projects patches and adds their places."""

    def __init__(self, num_patches, projection_dim, **kwargs):
        super().__init__(**kwargs)
        self.num_patches, self.projection_dim = num_patches, projection_dim
        self.projection = keras.layers.Dense(units=projection_dim)
        self.position_embedding = keras.layers.Embedding(num_patches, projection_dim)

    def call(self, patch):
        positions = tf.range(start=0, limit=self.num_patches, delta=1)
        return self.projection(patch) + self.position_embedding(positions)

    def get_config(self):
        own = {"num_patches": self.num_patches, "projection_dim": self.projection_dim}
        return {**super().get_config(), **own}


class OrthogonalRegularizer(keras.regularizers.Regularizer):
    """Keeps a matrix near a rotation."""

    def __init__(self, num_features, l2reg=0.001):
        self.num_features, self.l2reg = num_features, l2reg

    def __call__(self, x):
        x = tf.reshape(x, (-1, self.num_features, self.num_features))
        product = tf.matmul(x, x, transpose_b=True)
        return tf.reduce_sum(self.l2reg * tf.square(product - tf.eye(self.num_features)))

    def get_config(self):
        return {"num_features": self.num_features, "l2reg": self.l2reg}


class ClipConstraint(keras.constraints.Constraint):
    """Clips weights."""

    def __init__(self, clip_value):
        self.clip_value = clip_value

    def __call__(self, weights):
        return tf.clip_by_value(weights, -self.clip_value, self.clip_value)

    def get_config(self):
        return {"clip_value": self.clip_value}


def custom_standardization(input_data):
    """Lower case, without breaks of lines."""
    return tf.strings.regex_replace(tf.strings.lower(input_data), "<br />", " ")


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises, then falls with the square root."""

    def __init__(self, d_model, warmup_steps=4000):
        super().__init__()
        self.d_model, self.warmup_steps = d_model, warmup_steps

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        first, second = tf.math.rsqrt(step + 1.0), step * (self.warmup_steps**-1.5)
        return tf.math.rsqrt(float(self.d_model)) * tf.math.minimum(first, second)

    def get_config(self):
        return {"d_model": self.d_model, "warmup_steps": self.warmup_steps}


class F1Score(keras.metrics.Metric):
    """Of precision and recall."""

    def __init__(self, name="f1_score", **kwargs):
        super().__init__(name=name, **kwargs)
        self.precision, self.recall = keras.metrics.Precision(), keras.metrics.Recall()

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.precision.update_state(y_true, y_pred, sample_weight)
        self.recall.update_state(y_true, y_pred, sample_weight)

    def result(self):
        p, r = self.precision.result(), self.recall.result()
        return 2 * p * r / (p + r + 1e-7)

    def reset_state(self):
        self.precision.reset_state()
        self.recall.reset_state()


@keras.utils.register_keras_serializable()
class GatedResidualNetwork(keras.layers.Layer):
    """A gate around dense layers; registered; its layers are built by the first call."""

    def __init__(self, units, dropout_rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.units, self.dropout_rate = units, dropout_rate
        self.elu_dense = keras.layers.Dense(units, activation="elu")
        self.linear_dense = keras.layers.Dense(units)
        self.dropout = keras.layers.Dropout(dropout_rate)
        self.gate = keras.layers.Dense(units, activation="sigmoid")
        self.layer_norm = keras.layers.LayerNormalization()
        self.project = keras.layers.Dense(units)

    def call(self, inputs, training=None):
        x = self.dropout(self.linear_dense(self.elu_dense(inputs)), training=training)
        return self.layer_norm(self.project(inputs) + x * self.gate(x))

    def get_config(self):
        own = {"units": self.units, "dropout_rate": self.dropout_rate}
        return {**super().get_config(), **own}


@keras.utils.register_keras_serializable()
class Sampling(keras.layers.Layer):
    """Draws from the code while it trains, and adds the divergence."""

    def call(self, inputs, training=False):
        mean, log_var = inputs
        self.add_loss(-0.5 * tf.reduce_mean(1 + log_var - tf.square(mean) - tf.exp(log_var)))
        if training:
            return mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean))
        return mean


class AnomalyDetector(keras.models.Model):
    """An autoencoder of two Sequential models; no config of its own."""

    def __init__(self):
        super().__init__()
        dense = keras.layers.Dense
        self.encoder = keras.Sequential([dense(6, activation="relu"), dense(3, activation="relu")])
        self.decoder = keras.Sequential([dense(6, activation="relu"), dense(10, "sigmoid")])

    def call(self, x):
        return self.decoder(self.encoder(x))


class FeedBack(keras.Model):
    """Forecasts step by step from its own forecasts."""

    def __init__(self, units, out_steps, num_features=2):
        super().__init__()
        self.out_steps, self.units, self.num_features = out_steps, units, num_features
        self.lstm_cell = keras.layers.LSTMCell(units)
        self.lstm_rnn = keras.layers.RNN(self.lstm_cell, return_state=True)
        self.dense = keras.layers.Dense(num_features)

    def call(self, inputs, training=None):
        x, *state = self.lstm_rnn(inputs)
        predictions = [self.dense(x)]
        for _ in range(1, self.out_steps):
            x, state = self.lstm_cell(predictions[-1], states=state, training=training)
            predictions.append(self.dense(x))
        return tf.transpose(tf.stack(predictions), [1, 0, 2])

    def get_config(self):
        return {"units": self.units, "out_steps": self.out_steps}
