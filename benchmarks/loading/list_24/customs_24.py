"""Custom objects of waves, boxes, signals and words in `models.py`; copied beside the models."""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
K = keras.backend
Model = keras.Model


class Resblock(keras.Model):
    """Three convolutions beside a shortcut; it gives itself to its constructor's base."""

    def __init__(self, filter1, filter2, filter3, strides=2, dif_dim=False):
        super().__init__(self)
        he = {"padding": "same", "kernel_initializer": "HeUniform"}
        conv = layers.Conv2D
        self.dif_dim = dif_dim
        self.conv1 = conv(filter1, kernel_size=3, strides=1, name="res_conv1", **he)
        self.conv2 = conv(filter2, kernel_size=3, strides=1, name="res_conv2", **he)
        self.conv3 = conv(filter3, kernel_size=3, strides=1, name="res_conv3", **he)
        self.bn = layers.BatchNormalization(name="bn")
        self.bn1 = layers.BatchNormalization(name="bn1")
        self.bn2 = layers.BatchNormalization(name="bn2")
        self.relu = layers.LeakyReLU()
        self.relu1 = layers.LeakyReLU()
        self.relu2 = layers.LeakyReLU()
        self.add = layers.Add()
        if dif_dim:
            self.shortcut_conv1 = conv(
                filter1, kernel_size=1, strides=strides, name="res_conv1", **he
            )
            self.shortcut_conv2 = conv(filter2, kernel_size=3, strides=1, name="res_conv2", **he)
            self.shortcut_conv3 = conv(filter3, kernel_size=1, strides=1, name="res_conv3", **he)
            self.shortcut_conv4 = conv(
                filter3, kernel_size=1, strides=strides, name="shortcut_conv", **he
            )
            self.shortcut_bn = layers.BatchNormalization(name="bn3")
            self.shortcut_bn1 = layers.BatchNormalization(name="bn4")
            self.shortcut_bn2 = layers.BatchNormalization(name="bn5")
            self.shortcut_bn3 = layers.BatchNormalization(name="bn6")
            self.shortcut_relu = layers.LeakyReLU()
            self.shortcut_relu1 = layers.LeakyReLU()
            self.shortcut_relu2 = layers.LeakyReLU()

    def call(self, pre_input):
        if self.dif_dim is False:
            xs = self.relu(self.bn(self.conv1(pre_input)))
            xs = self.relu1(self.bn1(self.conv2(xs)))
            xs = self.bn2(self.conv3(xs))
            xs = self.add([xs, pre_input])
            xs = self.relu2(xs)
        if self.dif_dim is True:
            xs = self.shortcut_relu(self.shortcut_bn(self.shortcut_conv1(pre_input)))
            xs = self.shortcut_relu1(self.shortcut_bn1(self.shortcut_conv2(xs)))
            xs = self.shortcut_bn2(self.shortcut_conv3(xs))
            short_cut = self.shortcut_bn3(self.shortcut_conv4(pre_input))
            xs = self.add([xs, short_cut])
            xs = self.shortcut_relu2(xs)
        return xs


class Res_Triangular_wave_Net(keras.Model):
    """Larger, then smaller, then larger again; some of its layers are never called."""

    def __init__(self):
        super().__init__(self)
        he = {"padding": "same", "activation": "relu", "kernel_initializer": "HeUniform"}
        self.conv1 = layers.Conv2D(6, kernel_size=3, strides=1, **he)
        self.conv_32up = layers.Conv2DTranspose(6, kernel_size=3, strides=2, **he)
        self.conv_32 = layers.Conv2D(6, kernel_size=3, strides=1, **he)
        self.res_block1 = Resblock(5, 6, 8, dif_dim=True)
        self.res_block2 = Resblock(8, 8, 8, dif_dim=True)
        self.conv_128up = layers.Conv2DTranspose(8, kernel_size=3, strides=2, **he)
        self.conv_64 = layers.Conv2D(7, kernel_size=3, strides=1, **he)
        self.conv4 = layers.Conv2D(6, kernel_size=3, strides=1, **he)
        self.conv_last = layers.Conv2D(4, kernel_size=1, strides=1, name="output", **he)
        self.bn1 = layers.BatchNormalization(name="bn1")
        self.bn2 = layers.BatchNormalization(name="bn2")
        self.bn3 = layers.BatchNormalization(name="bn3")
        self.bn4 = layers.BatchNormalization(name="bn4")
        self.bn5 = layers.BatchNormalization(name="bn5")
        self.bn6 = layers.BatchNormalization(name="bn6")
        self.bn7 = layers.BatchNormalization(name="bn7")
        self.bn8 = layers.BatchNormalization(name="bn8")
        self.bn9 = layers.BatchNormalization(name="bn9")
        self.bn10 = layers.BatchNormalization(name="bn10")

    def call(self, x, training=True):
        stage1 = self.bn1(self.conv1(x, training=training))
        stage2 = self.bn2(self.conv_32up(stage1, training=training))
        stage3 = self.bn3(self.res_block1(stage2, training=training))
        stage4 = self.bn4(self.res_block2(stage3, training=training))
        stage5 = self.bn5(self.conv_128up(stage4, training=training))
        stage6 = self.bn6(self.conv_64(stage5, training=training))
        stage7 = self.bn7(self.conv4(stage6, training=training))
        return self.bn9(self.conv_last(stage7, training=training))


def rmse(y_true, y_pred):
    """The root of the mean square."""
    return K.sqrt(K.mean(K.square(y_pred - y_true)))


def smape(y_true, y_pred):
    """Errors as parts of what is and what was said."""
    diff = K.abs(y_true - y_pred) / K.clip(K.abs(y_true) + K.abs(y_pred), K.epsilon(), None)
    return 200.0 * K.mean(diff, axis=-1)


def coeff_determination(y_true, y_pred):
    """How much of the variance is told."""
    ss_res = K.sum(K.square(y_true - y_pred))
    ss_tot = K.sum(K.square(y_true - K.mean(y_true)))
    return 1 - ss_res / (ss_tot + K.epsilon())


class TSG(keras.regularizers.Regularizer):
    """Sparse groups, smooth in time."""

    def __init__(self, l1=0.0, l21=0.0, tl1=0.0):
        self.l1 = K.cast_to_floatx(l1)
        self.l21 = K.cast_to_floatx(l21)
        self.tl1 = K.cast_to_floatx(tl1)

    def __call__(self, x):
        if not self.l1 and not self.l21 and not self.tl1:
            return K.constant(0.0)
        regularization = 0.0
        if x.shape[0] == 1:
            ntf = tf.squeeze(x, 0)
        elif x.shape[1] == 1:
            ntf = tf.squeeze(x, 1)
        elif len(x.shape) == 2:
            ntf = tf.expand_dims(x, axis=0)
        else:
            ntf = x
        if self.l1:
            regularization += self.l1 * tf.reduce_sum(tf.abs(ntf))
        if self.l21:
            regularization += self.l21 * tf.reduce_sum(
                tf.sqrt(
                    tf.multiply(
                        tf.cast(ntf.shape[2], tf.float32),
                        tf.reduce_sum(tf.square(ntf), [0, 1]),
                    )
                )
            )
        if self.tl1:
            regularization += self.tl1 * tf.reduce_sum(
                tf.abs(tf.subtract(ntf[:, :-1, :], ntf[:, 1:, :]))
            )
        return regularization

    def get_config(self):
        return {"l1": float(self.l1), "l21": float(self.l21), "tl1": float(self.tl1)}


def tsc(tl1=0.01):
    """Smooth in time."""
    return TSG(tl1=tl1)


def sgl(l1=0.01, l21=0.01):
    """Sparse, by groups."""
    return TSG(l1=l1, l21=l21)


class Model(Model):  # its own name is that of its base
    """Three dense layers."""

    def __init__(self):
        super().__init__()
        self.hidden_layer_1 = layers.Dense(units=6, activation=keras.activations.sigmoid)
        self.hidden_layer_2 = layers.Dense(units=5, activation=keras.activations.sigmoid)
        self.output_layer = layers.Dense(units=4, activation=keras.activations.softmax)

    def call(self, x):
        x = self.hidden_layer_1(x)
        x = self.hidden_layer_2(x)
        return self.output_layer(x)


class SkipGram(layers.Layer):
    """What a word says about the words around it; its output is its loss."""

    def __init__(self, input_dim, output_dim, window, **kwargs):
        super().__init__(**kwargs)
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.span = tf.cast(2 * window, tf.float32)
        self.embedding = layers.Embedding(
            input_dim=input_dim, output_dim=output_dim, embeddings_initializer="uniform"
        )
        self.dense = layers.Dense(input_dim)

    def call(self, inputs):
        context, target = inputs
        hidden = self.embedding(context)
        hidden = tf.squeeze(hidden, axis=1)
        scores = self.dense(hidden)
        target_scores = tf.gather(scores, target, batch_dims=-1)
        loss = self.span * tf.reduce_logsumexp(scores, axis=1) - tf.reduce_sum(
            target_scores, axis=1
        )
        self.add_loss(tf.reduce_mean(loss))
        return loss


class DarknetConvBlock(layers.Layer):
    """A convolution, normalized."""

    def __init__(self, out_channels, kernel_size, strides):
        super().__init__()
        self.conv2d = layers.Conv2D(
            filters=out_channels,
            kernel_size=kernel_size,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_regularizer=keras.regularizers.l2(5e-4),
        )
        self.batchnorm = layers.BatchNormalization()
        self.leakyrelu = layers.LeakyReLU(alpha=0.1)

    def call(self, x):
        x = self.conv2d(x)
        x = self.batchnorm(x)
        return self.leakyrelu(x)


class DarknetResidualBlock(layers.Layer):
    """Narrow, wide, and a skip."""

    def __init__(self, in_channels):
        super().__init__()
        self.conv1x1 = DarknetConvBlock(out_channels=in_channels // 2, kernel_size=1, strides=1)
        self.conv3x3 = DarknetConvBlock(out_channels=in_channels, kernel_size=3, strides=1)
        self.add = layers.Add()

    def call(self, x):
        x_input = x
        x = self.conv1x1(x)
        x = self.conv3x3(x)
        return self.add([x_input, x])


class DarknetResidualBlockRepeat(layers.Layer):
    """Blocks in a Sequential model that starts empty."""

    def __init__(self, in_channels, n_repeats):
        super().__init__()
        self.resblock_repeated = keras.Sequential()
        for _ in range(n_repeats):
            self.resblock_repeated.add(DarknetResidualBlock(in_channels=in_channels))

    def call(self, x):
        return self.resblock_repeated(x)


class Darknet53(keras.Model):
    """Features of three sizes."""

    def __init__(self, include_top=False):
        super().__init__()
        self.conv1 = DarknetConvBlock(out_channels=2, kernel_size=3, strides=1)
        self.conv1_1 = DarknetConvBlock(out_channels=4, kernel_size=3, strides=2)
        self.resblock_n1 = DarknetResidualBlockRepeat(in_channels=4, n_repeats=1)
        self.conv3 = DarknetConvBlock(out_channels=4, kernel_size=3, strides=2)
        self.resblock_n8 = DarknetResidualBlockRepeat(in_channels=4, n_repeats=2)
        self.conv4 = DarknetConvBlock(out_channels=6, kernel_size=3, strides=2)
        self.resblock_n8_2 = DarknetResidualBlockRepeat(in_channels=6, n_repeats=2)
        self.conv5 = DarknetConvBlock(out_channels=8, kernel_size=3, strides=2)
        self.resblock_n4 = DarknetResidualBlockRepeat(in_channels=8, n_repeats=1)
        self.include_top = include_top
        if self.include_top:
            self.gap = layers.GlobalAveragePooling2D()
            self.dense = layers.Dense(5, activation="softmax")

    def call(self, x):
        x = self.conv1(x)
        x = self.conv1_1(x)
        x = self.resblock_n1(x)
        x = self.conv3(x)
        x = x256 = self.resblock_n8(x)
        x = self.conv4(x)
        x = x512 = self.resblock_n8_2(x)
        x = self.conv5(x)
        x1024 = self.resblock_n4(x)
        if self.include_top:
            x = self.gap(x1024)
            return self.dense(x)
        return x1024, x512, x256
