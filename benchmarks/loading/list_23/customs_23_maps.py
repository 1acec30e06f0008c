"""Custom objects of models of maps and markets in `models.py`; copied beside the models."""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
K = keras.backend


class ChannelAttention(layers.Layer):
    """Channels weighed by their means; its call makes layers."""

    def __init__(self, reduction_ratio=8, **kwargs):
        super().__init__(**kwargs)
        self.reduction_ratio = reduction_ratio

    def build(self, input_shape):
        channel = input_shape[-1]
        self.fc1 = layers.Dense(
            channel // self.reduction_ratio,
            activation="relu",
            kernel_initializer="he_normal",
            use_bias=True,
            bias_initializer="zeros",
        )
        self.fc2 = layers.Dense(
            channel,
            activation="sigmoid",
            kernel_initializer="he_normal",
            use_bias=True,
            bias_initializer="zeros",
        )
        super().build(input_shape)

    def call(self, inputs):
        avg_pool = layers.GlobalAveragePooling2D()(inputs)
        avg_pool = layers.Reshape((1, 1, avg_pool.shape[1]))(avg_pool)
        fc1_out = self.fc1(avg_pool)
        fc2_out = self.fc2(fc1_out)
        return layers.Multiply()([inputs, fc2_out])

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = super().get_config()
        config.update({"reduction_ratio": self.reduction_ratio})
        return config


class SpatialAttention(layers.Layer):
    """Places weighed by a convolution."""

    def __init__(self, kernel_size=7, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def build(self, input_shape):
        self.conv = layers.Conv2D(
            1,
            self.kernel_size,
            padding="same",
            activation="sigmoid",
            kernel_initializer="he_normal",
            use_bias=False,
        )
        super().build(input_shape)

    def call(self, inputs):
        avg_pool = K.mean(inputs, axis=3, keepdims=True)
        max_pool = K.max(inputs, axis=3, keepdims=True)
        concat = K.concatenate([avg_pool, max_pool], axis=3)
        attention = self.conv(concat)
        return layers.multiply([inputs, attention])

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = super().get_config()
        config.update({"kernel_size": self.kernel_size})
        return config


class MultiHeadAttentionBlock(layers.Layer):
    """Attention of several heads, added and normalized; a projection where it is needed."""

    def __init__(self, d_model, num_heads=4, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self.d_model = d_model
        self.num_heads = num_heads
        self.drop_rate = dropout

    def build(self, input_shape):
        feat_dim = input_shape[-1]
        self.needs_projection = feat_dim != self.d_model
        if self.needs_projection:
            self.input_proj = layers.Dense(self.d_model, name="mha_input_proj")
        self.mha = layers.MultiHeadAttention(
            num_heads=self.num_heads,
            key_dim=self.d_model // self.num_heads,
            dropout=self.drop_rate,
            name="mha_core",
        )
        self.layernorm = layers.LayerNormalization(name="mha_layernorm")
        self.dropout = layers.Dropout(self.drop_rate)
        super().build(input_shape)

    def call(self, x, training=None):
        residual = self.input_proj(x) if self.needs_projection else x
        attn_out = self.mha(query=x, value=x, key=x, training=training)
        attn_out = self.dropout(attn_out, training=training)
        return self.layernorm(residual + attn_out)

    def get_config(self):
        cfg = super().get_config()
        cfg.update(
            {"d_model": self.d_model, "num_heads": self.num_heads, "dropout": self.drop_rate}
        )
        return cfg


@keras.utils.register_keras_serializable(package="custom")
def collapse_aware_bce(y_true, y_pred):
    """A loss that wants what is predicted to differ."""
    bce = tf.reduce_mean(keras.losses.binary_crossentropy(y_true, y_pred))
    avg_std = tf.reduce_mean(tf.math.reduce_std(y_pred, axis=0))
    return bce + tf.maximum(0.0, 0.05 - avg_std) * 20.0


class DirectionalAccuracy(keras.metrics.Metric):
    """How often the direction is right."""

    def __init__(self, index=0, name="dir_acc", **kw):
        super().__init__(name=name, **kw)
        self.index = index
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        yt = tf.cast(y_true[:, self.index] > 0.5, tf.float32)
        yp = tf.cast(y_pred[:, self.index] > 0.5, tf.float32)
        match = tf.cast(tf.equal(yt, yp), tf.float32)
        self.total.assign_add(tf.reduce_sum(match))
        self.count.assign_add(tf.cast(tf.size(match), tf.float32))

    def result(self):
        return self.total / (self.count + 1e-8)

    def reset_state(self):
        self.total.assign(0.0)
        self.count.assign(0.0)


class BinaryAUCFromSoft(keras.metrics.AUC):
    """The area under the curve of labels that are cut."""

    def __init__(self, index=0, name="auc", **kw):
        super().__init__(name=name, **kw)
        self.index = index

    def update_state(self, y_true, y_pred, sample_weight=None):
        yt = tf.cast(y_true[:, self.index] > 0.5, tf.float32)
        return super().update_state(yt, y_pred[:, self.index], sample_weight)


def f1_mean(y_true, y_pred):
    """The mean of precision and recall."""

    def recall(y_true, y_pred):
        true_positives = K.round(K.clip(y_true * y_pred, 0, 1))
        possible_positives = K.round(K.clip(y_true, 0, 1))
        return K.sum(true_positives) / (K.sum(possible_positives) + K.epsilon())

    def precision(y_true, y_pred):
        true_positives = K.round(K.clip(y_true * y_pred, 0, 1))
        predicted_positives = K.round(K.clip(y_pred, 0, 1))
        return K.sum(true_positives) / (K.sum(predicted_positives) + K.epsilon())

    precision, recall = precision(y_true, y_pred), recall(y_true, y_pred)
    return 2 * ((precision * recall) / (precision + recall + K.epsilon()))
