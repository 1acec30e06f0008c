"""Custom objects of two networks that teach each other in `items.py`; copied beside the models."""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class ConvLayer(layers.Layer):
    """A convolution, normalized."""

    def __init__(self, filters, kernel_size, strides, padding):
        super().__init__()
        self.conv = layers.Conv2D(filters, kernel_size, strides, padding, use_bias=False)
        self.bn = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        self.relu = layers.LeakyReLU(alpha=0.01)

    def call(self, inputs, training):
        x = self.conv(inputs)
        x = self.bn(x, training=training)
        return self.relu(x)


class CNNModel(keras.Model):
    """Convolutions, and a mean whose size is read from a tensor."""

    def __init__(self, n_outputs, drop_rate, top_bn=False):
        super().__init__()
        self.drop_rate = drop_rate
        self.top_bn = top_bn
        self.conv1 = ConvLayer(3, 3, 1, "same")
        self.conv2 = ConvLayer(3, 3, 1, "same")
        self.pool3 = layers.MaxPooling2D(pool_size=2, strides=2)
        self.conv4 = ConvLayer(4, 3, 1, "same")
        self.pool6 = layers.MaxPooling2D(pool_size=2, strides=2)
        self.conv7 = ConvLayer(5, 3, 1, "valid")
        self.conv8 = ConvLayer(4, 3, 1, "valid")
        self.flatten = layers.Flatten()
        self.fc = layers.Dense(n_outputs)

    def call(self, inputs, training=False):
        x = self.conv1(inputs, training=training)
        x = self.conv2(x, training=training)
        x = self.pool3(x)
        if training:
            noise_shape = [
                tf.shape(x)[0].numpy(),
                tf.shape(x)[1].numpy(),
                tf.shape(x)[2].numpy(),
                1,
            ]
            x = tf.nn.dropout(x, rate=self.drop_rate, noise_shape=noise_shape)
        x = self.conv4(x, training=training)
        x = self.pool6(x)
        x = self.conv7(x, training=training)
        x = self.conv8(x, training=training)
        pool_size = tf.shape(x)[1].numpy()
        strides = tf.shape(x)[1].numpy()
        x = tf.nn.avg_pool(
            x,
            ksize=[1, pool_size, pool_size, 1],
            strides=[1, strides, strides, 1],
            padding="VALID",
        )
        h = self.flatten(x)
        h = self.fc(h)
        logits = h
        predicts = tf.argmax(tf.nn.softmax(h, axis=-1), axis=-1)
        return logits, predicts


class CoTeachingModel(keras.Model):
    """Two of these, whose classes it keeps."""

    def __init__(self, n_outputs, batch_size=128, drop_rate=0.25, top_bn=False):
        super().__init__()
        self.n_outputs = n_outputs
        self.batch_size = batch_size
        self.drop_rate = drop_rate
        self.top_bn = top_bn
        self.cnn_model_1 = CNNModel(self.n_outputs, self.drop_rate, self.top_bn)
        self.cnn_model_2 = CNNModel(self.n_outputs, self.drop_rate, self.top_bn)

    def call(self, inputs, training=False):
        logits1, self.predicts1 = self.cnn_model_1(inputs, training=training)
        logits2, self.predicts2 = self.cnn_model_2(inputs, training=training)
        return logits1, self.predicts1, logits2, self.predicts2
