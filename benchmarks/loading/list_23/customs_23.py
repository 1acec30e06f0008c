"""Custom objects of models of frames in `models.py`; copied beside the models."""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class PerceptualLoss(keras.losses.Loss):
    """How far apart features of two images are."""

    def __init__(self, layer_names=("second",), weight=1.0, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight
        self.layer_names = layer_names
        self.vgg = self._build_vgg()

    def _build_vgg(self):
        given = keras.Input((8, 8, 3))
        x = layers.Conv2D(3, 3, padding="same", activation="relu", name="first")(given)
        x = layers.Conv2D(4, 3, padding="same", activation="relu", name="second")(x)
        vgg = keras.Model(given, x)
        vgg.trainable = False
        outputs = [vgg.get_layer(name).output for name in self.layer_names]
        return keras.Model(inputs=vgg.input, outputs=outputs)

    def call(self, y_true, y_pred):
        y_true = tf.cast(y_true, tf.float32)
        y_pred = tf.cast(y_pred, tf.float32)
        b, t, h, w, c = (tf.shape(y_true)[place] for place in range(5))
        y_true_rgb = tf.image.grayscale_to_rgb(tf.reshape(y_true, (b * t, h, w, c))) * 255.0
        y_pred_rgb = tf.image.grayscale_to_rgb(tf.reshape(y_pred, (b * t, h, w, c))) * 255.0
        features_true = self.vgg(y_true_rgb)
        features_pred = self.vgg(y_pred_rgb)
        if not isinstance(features_true, list):
            features_true = [features_true]
            features_pred = [features_pred]
        loss = 0
        for f_true, f_pred in zip(features_true, features_pred):
            f_true_norm = tf.nn.l2_normalize(tf.cast(f_true, tf.float32), axis=-1)
            f_pred_norm = tf.nn.l2_normalize(tf.cast(f_pred, tf.float32), axis=-1)
            loss += tf.reduce_mean(tf.square(f_true_norm - f_pred_norm))
        return self.weight * loss


class GradientDifferenceLoss(keras.losses.Loss):
    """How far apart the edges of two images are."""

    def __init__(self, weight=1.0, alpha=2.0, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight
        self.alpha = alpha

    def call(self, y_true, y_pred):
        y_true = tf.cast(y_true, tf.float32)
        y_pred = tf.cast(y_pred, tf.float32)
        b, t, h, w, c = (tf.shape(y_true)[place] for place in range(5))
        dy_true, dx_true = tf.image.image_gradients(tf.reshape(y_true, (b * t, h, w, c)))
        dy_pred, dx_pred = tf.image.image_gradients(tf.reshape(y_pred, (b * t, h, w, c)))
        loss = tf.reduce_mean(
            tf.abs(tf.abs(dx_true) - tf.abs(dx_pred)) ** self.alpha
            + tf.abs(tf.abs(dy_true) - tf.abs(dy_pred)) ** self.alpha
        )
        return self.weight * loss


class TotalLoss(keras.losses.Loss):
    """The sum of three losses."""

    def __init__(
        self, bce_weight=1.0, perceptual_weight=0.1, gdl_weight=1.0, gdl_alpha=1.0, **kwargs
    ):
        super().__init__(**kwargs)
        self.bce_weight = bce_weight
        self.bce = keras.losses.BinaryCrossentropy(from_logits=False)
        self.perceptual = PerceptualLoss(weight=perceptual_weight)
        self.gdl = GradientDifferenceLoss(weight=gdl_weight, alpha=gdl_alpha)

    def call(self, y_true, y_pred):
        y_true = tf.cast(y_true, tf.float32)
        y_pred = tf.cast(y_pred, tf.float32)
        bce_loss = self.bce(y_true, y_pred)
        perc_loss = self.perceptual(y_true, y_pred)
        gdl_loss = self.gdl(y_true, y_pred)
        return (self.bce_weight * bce_loss) + perc_loss + gdl_loss


class ConvLSTMRecurrentLayer(layers.Layer):
    """A layer over frames that is fed with what it gave."""

    def __init__(self, num_filters_base, seq_len, **kwargs):
        super().__init__(**kwargs)
        self.num_filters_base = num_filters_base
        self.seq_len = seq_len
        self.convlstm_layer = layers.ConvLSTM2D(
            filters=num_filters_base,
            kernel_size=(3, 3),
            padding="same",
            return_sequences=True,
            return_state=True,
        )

    def call(self, tensor):
        batch_size = tf.shape(tensor)[0]
        height = tf.shape(tensor)[2]
        width = tf.shape(tensor)[3]
        state_h = tf.zeros((batch_size, height, width, self.num_filters_base))
        state_c = tf.zeros((batch_size, height, width, self.num_filters_base))
        input_tensor = tf.zeros((batch_size, 1, height, width, self.num_filters_base))
        out_fl = []
        for step in range(self.seq_len):
            current_step = step % tf.shape(tensor)[1]
            output_fl, state_h, state_c = self.convlstm_layer(
                input_tensor + tensor[:, current_step : current_step + 1, :, :, :],
                initial_state=[state_h, state_c],
            )
            out_fl.append(output_fl)
            input_tensor = output_fl
        return tf.stack(out_fl, axis=1)


class ConvRNN2DCell(layers.Layer):
    """A cell of two convolutions."""

    def __init__(self, filters, kernel_size, activation="tanh", use_bias=True, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = (
            kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
        )
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.conv_x = None
        self.conv_h = None

    @property
    def state_size(self):
        return [tf.TensorShape([None, None, self.filters])]

    def build(self, input_shape):
        int(input_shape[-1])
        self.conv_x = layers.Conv2D(
            self.filters, self.kernel_size, padding="same", use_bias=self.use_bias, name="conv_x"
        )
        self.conv_h = layers.Conv2D(
            self.filters, self.kernel_size, padding="same", use_bias=self.use_bias, name="conv_h"
        )
        super().build(input_shape)

    def call(self, inputs, states):
        h_prev = states[0]
        x_feat = self.conv_x(inputs)
        h_feat = self.conv_h(h_prev) if h_prev is not None else 0.0
        h = self.activation(x_feat + h_feat)
        return h, [h]


class ConvRNN2D(layers.Layer):
    """The cell over frames."""

    def __init__(self, filters, kernel_size, return_sequences=False, activation="tanh", **kwargs):
        super().__init__(**kwargs)
        self.cell = ConvRNN2DCell(filters, kernel_size, activation=activation)
        self.rnn = layers.RNN(self.cell, return_sequences=return_sequences)

    def call(self, x):
        b = tf.shape(x)[0]
        h, w, c = x.shape[2], x.shape[3], self.cell.filters
        h0 = tf.zeros([b, h, w, c])
        return self.rnn(x, initial_state=[h0])


def r2_metric(y_true, y_pred):
    """How much of the variance is told."""
    y_true = tf.convert_to_tensor(y_true)
    y_pred = tf.convert_to_tensor(y_pred)
    ss_res = tf.reduce_sum(tf.square(y_true - y_pred))
    y_mean = tf.reduce_mean(y_true)
    ss_tot = tf.reduce_sum(tf.square(y_true - y_mean))
    return 1.0 - tf.math.divide_no_nan(ss_res, ss_tot)
