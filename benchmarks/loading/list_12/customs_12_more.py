"""Custom objects of subclasses of Model in `tables.py` and `blocks.py`, and of a library
of rankings; copied as `customs_12_more.py` beside the models.

The objects of the ranking library are registered and have a config; the others are and have not.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
registered = keras.utils.register_keras_serializable(package="ranking")


@registered
class FlattenList(layers.Layer):
    """The items of all lists as rows."""

    def __init__(self, circular_padding=True, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self._circular_padding = circular_padding

    def call(self, inputs, list_mask):
        shown = tf.cast(list_mask, inputs.dtype)[:, :, tf.newaxis]
        first = inputs[:, :1] if self._circular_padding else tf.zeros_like(inputs[:, :1])
        return tf.reshape(inputs * shown + first * (1.0 - shown), [-1, inputs.shape[-1]])

    def get_config(self):
        config = super().get_config()
        config.update({"circular_padding": self._circular_padding})
        return config


@registered
class RestoreList(layers.Layer):
    """Rows as lists again, the smallest score for what pads them."""

    def __init__(self, name=None, by_scatter=False, **kwargs):
        super().__init__(name=name, **kwargs)
        self._by_scatter = by_scatter

    def call(self, flattened_logits, list_mask):
        logits = tf.reshape(flattened_logits, tf.shape(list_mask))
        return tf.where(list_mask, logits, tf.math.log(1e-10) * tf.ones_like(logits))

    def get_config(self):
        config = super().get_config()
        config.update({"by_scatter": self._by_scatter})
        return config


@registered
class ListSoftmaxLoss(keras.losses.Loss):
    """The cross entropy of relevant items in a list."""

    def __init__(self, name="softmax_loss", temperature=1.0, **kwargs):
        super().__init__(name=name, **kwargs)
        self._temperature = temperature

    def call(self, y_true, y_pred):
        logs = tf.nn.log_softmax(y_pred / self._temperature)
        return -tf.reduce_sum(tf.cast(y_true, y_pred.dtype) * logs, axis=-1)

    def get_config(self):
        return {**super().get_config(), "temperature": self._temperature}


def gru(units):
    """A GRU whose gates are sigmoids."""
    return layers.GRU(
        units,
        return_sequences=True,
        return_state=True,
        recurrent_activation="sigmoid",
        recurrent_initializer="glorot_uniform",
    )


class Decoder(keras.Model):
    """The next word, from the last, a state and what the encoder said."""

    def __init__(self, vocab_size, embedding_dim, dec_units, batch_sz):
        super().__init__()
        self.batch_sz = batch_sz
        self.dec_units = dec_units
        self.embedding = layers.Embedding(vocab_size, embedding_dim)
        self.gru = gru(self.dec_units)
        self.fc = layers.Dense(vocab_size)
        self.W1 = layers.Dense(self.dec_units)
        self.W2 = layers.Dense(self.dec_units)
        self.V = layers.Dense(1)

    def call(self, inputs):
        x, hidden, enc_output = inputs
        score = tf.nn.tanh(self.W1(enc_output) + self.W2(tf.expand_dims(hidden, 1)))
        weights = tf.nn.softmax(self.V(score), axis=1)
        context = tf.reduce_sum(weights * enc_output, axis=1)
        x = tf.concat([tf.expand_dims(context, 1), self.embedding(x)], axis=-1)
        output, state = self.gru(x)
        return self.fc(tf.reshape(output, (-1, output.shape[2]))), state, weights


class DeepResNet(keras.Model):
    """Dense layers around skips; the first is not trained, dropout is made in every call."""

    def __init__(
        self, num_classes, num_layers=3, num_hidden=128, dropout_rate=0.1, **classifier_kwargs
    ):
        super().__init__()
        self.num_hidden = num_hidden
        self.num_layers = num_layers
        self.dropout_rate = dropout_rate
        self.classifier_kwargs = classifier_kwargs
        self.input_layer = layers.Dense(self.num_hidden, trainable=False)
        self.dense_layers = [self.make_dense_layer() for _ in range(num_layers)]
        self.classifier = self.make_output_layer(num_classes)

    def call(self, inputs):
        hidden = self.input_layer(inputs)
        for number in range(self.num_layers):
            resid = self.dense_layers[number](hidden)
            resid = layers.Dropout(self.dropout_rate)(resid)
            hidden += resid
        return self.classifier(hidden)

    def make_dense_layer(self):
        return layers.Dense(self.num_hidden, activation="relu")

    def make_output_layer(self, num_classes):
        return layers.Dense(num_classes, **self.classifier_kwargs)


class ConditionalNorm(layers.Layer):
    """Normalization of instances by rows of weights that a number chooses."""

    def __init__(self, levels=3):
        super().__init__()
        self.L = levels

    def build(self, input_shape):
        self.C = input_shape[0][-1]
        self.alpha = self.add_weight(name="alpha", shape=[self.L, self.C])
        self.beta = self.add_weight(name="beta", shape=[self.L, self.C])
        self.gamma = self.add_weight(name="gamma", shape=[self.L, self.C])

    def call(self, inputs):
        x, sigmas = inputs
        mean, variance = tf.nn.moments(x, axes=[1, 2], keepdims=True)
        among, apart = tf.nn.moments(mean, axes=[-1], keepdims=True)
        scale, shift, third = (
            tf.gather(each, sigmas)[:, tf.newaxis, tf.newaxis]
            for each in (self.gamma, self.beta, self.alpha)
        )
        first = scale * (x - mean) / tf.sqrt(variance + 1e-3)
        return first + shift + third * (mean - among) / tf.sqrt(apart + 1e-3)


class ConditionalBlock(layers.Layer):
    """Normalized convolutions around a skip; the activation is a function that is given."""

    def __init__(self, activation, filters, kernel_size=3, dilation=1, pooling=False):
        super().__init__()
        self.norm1 = ConditionalNorm()
        self.conv1 = layers.Conv2D(filters, kernel_size, dilation_rate=dilation, padding="same")
        self.norm2 = ConditionalNorm()
        self.conv2 = layers.Conv2D(filters, kernel_size, dilation_rate=dilation, padding="same")
        self.skip = layers.Conv2D(filters, 1)
        self.pooling = layers.AveragePooling2D(2) if pooling else None
        self.activation = activation

    def call(self, inputs):
        skip_x, sigmas = inputs
        x = self.conv1(self.activation(self.norm1([skip_x, sigmas])))
        x = self.conv2(self.activation(self.norm2([x, sigmas])))
        x = self.skip(skip_x) + x
        return x if self.pooling is None else self.pooling(x)


class RefineNet(keras.Model):
    """The score of noise of some size; its last layer is made when it is built."""

    def __init__(self, filters, activation):
        super().__init__()
        self.preact_1 = ConditionalBlock(activation, filters)
        self.preact_2 = ConditionalBlock(activation, filters * 2, pooling=True)
        self.preact_3 = ConditionalBlock(activation, filters * 2, dilation=2)
        self.up = layers.UpSampling2D(2)
        self.norm = ConditionalNorm()
        self.decrease_channels = None

    def build(self, input_shape):
        self.decrease_channels = layers.Conv2D(input_shape[0][-1], kernel_size=3, padding="same")

    def call(self, inputs, mask=None):
        x, sigmas = inputs
        first = self.preact_1([x, sigmas])
        second = self.preact_2([first, sigmas])
        third = self.preact_3([second, sigmas])
        joined = tf.concat([first, self.up(second + third)], axis=-1)
        return self.decrease_channels(self.norm([joined, sigmas]))
