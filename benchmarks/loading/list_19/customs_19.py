"""Custom objects of models of faces and photos in `images.py`; copied as `customs_19.py` beside
the models. Configs are as their authors left them.
"""

from __future__ import annotations

import sys
from copy import deepcopy

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class FaceBottleneck(layers.Layer):
    """A residual of depthwise convolutions; its config says what its constructor does not take."""

    def __init__(self, d_in, d_out, stride, depth_multiplier):
        super().__init__()
        self.connect = bool(d_in == d_out and stride == 1)
        given = {"padding": "VALID", "use_bias": False}
        self.conv = keras.models.Sequential(
            [
                layers.Conv2D(d_in * depth_multiplier, kernel_size=1, strides=1, **given),
                layers.BatchNormalization(),
                layers.PReLU(),
                layers.ZeroPadding2D(padding=(1, 1)),
                layers.DepthwiseConv2D(kernel_size=3, strides=stride, **given),
                layers.BatchNormalization(),
                layers.PReLU(),
                layers.Conv2D(d_out, kernel_size=1, strides=1, **given),
                layers.BatchNormalization(),
            ]
        )

    def call(self, inputs, **kwargs):
        if self.connect:
            return self.conv(inputs) + inputs
        return self.conv(inputs)

    def get_config(self):
        config = {"connect": self.connect}
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))


class FaceConv(layers.Layer):
    """Padding if there is any, a convolution and an activation; a layer is in its config."""

    def __init__(self, d_in, d_out, kernel_size, stride, padding, depthwise=False, linear=False):
        super().__init__()
        self.linear = linear
        if padding != 0:
            self.padding = layers.ZeroPadding2D(padding=(padding, padding))
        else:
            self.padding = None
        given = {"strides": stride, "padding": "VALID", "use_bias": False}
        if depthwise:
            self.conv = layers.DepthwiseConv2D(kernel_size, **given)
        else:
            self.conv = layers.Conv2D(d_out, kernel_size, **given)
        self.bn = layers.BatchNormalization()
        if not self.linear:
            self.prelu = layers.PReLU()

    def call(self, inputs, **kwargs):
        x = self.padding(inputs) if self.padding is not None else inputs
        x = self.bn(self.conv(x))
        return x if self.linear else self.prelu(x)

    def get_config(self):
        config = {"linear": self.linear, "padding": self.padding}
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))


class ArcFace(layers.Layer):
    """The margin by an angle, with the label as a second input; its regularizer is not told."""

    def __init__(self, n_classes=10, s=32.0, m=0.50, regularizer=None, **kwargs):
        super().__init__(**kwargs)
        self.n_classes = n_classes
        self.s = s
        self.m = m
        self.regularizer = keras.regularizers.get(regularizer)

    def build(self, input_shape):
        super().build(input_shape[0])
        self.W = self.add_weight(
            name="W",
            shape=(input_shape[0][-1], self.n_classes),
            initializer="glorot_uniform",
            trainable=True,
            regularizer=self.regularizer,
        )

    def call(self, inputs, **kwargs):
        x, y = inputs
        x = tf.math.l2_normalize(x, axis=1)
        logits = x @ tf.math.l2_normalize(self.W, axis=0)
        epsilon = keras.backend.epsilon()
        theta = tf.acos(tf.clip_by_value(logits, -1.0 + epsilon, 1.0 - epsilon))
        logits = logits * (1 - y) + tf.cos(theta + self.m) * y
        return tf.nn.softmax(logits * self.s)

    def compute_output_shape(self, input_shape):
        return (None, self.n_classes)

    def get_config(self):
        config = {"n_classes": self.n_classes, "s": self.s, "m": self.m}
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))


class MobileFacenet(layers.Layer):
    """The whole network as one layer, which takes no name."""

    def __init__(self, setting=((2, 4, 2, 2), (3, 6, 1, 2), (2, 6, 2, 1))):
        super().__init__()
        self.conv1 = FaceConv(d_in=3, d_out=4, kernel_size=3, stride=2, padding=1)
        given = {"kernel_size": 3, "stride": 1, "padding": 1, "depthwise": True}
        self.dwconv1 = FaceConv(d_in=4, d_out=4, **given)
        self.inplanes = 4
        self.block = keras.models.Sequential()
        for t, c, n, s in setting:
            for i in range(n):
                stride = s if i == 0 else 1
                self.block.add(FaceBottleneck(self.inplanes if i == 0 else c, c, stride, t))
            self.inplanes = c
        self.conv2 = FaceConv(d_in=6, d_out=8, kernel_size=1, stride=1, padding=0)
        given = {"kernel_size": (4, 3), "stride": 1, "padding": 0, "depthwise": True}
        self.linear_conv1 = FaceConv(d_in=8, d_out=8, linear=True, **given)
        given = {"kernel_size": 1, "stride": 1, "padding": 0, "linear": True}
        self.linear_conv2 = FaceConv(d_in=8, d_out=5, **given)
        self.flat = layers.Flatten()

    def call(self, inputs, training=None, mask=None):
        x = self.block(self.dwconv1(self.conv1(inputs)))
        return self.flat(self.linear_conv2(self.linear_conv1(self.conv2(x))))

    def get_config(self):
        config = {}
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))


class PoseNet(keras.Model):
    """How a camera moves; it holds its regularizer and a function of TensorFlow."""

    def __init__(self, num_source):
        super().__init__()
        self.num_source = num_source
        self.kernel_regularizer = keras.regularizers.l2(0.0001)
        self.padding = "same"
        self.activation_fn = tf.nn.relu
        given = {"padding": self.padding, "kernel_regularizer": self.kernel_regularizer}
        active = {"activation": self.activation_fn, **given}
        self.conv1 = layers.Conv2D(4, 7, 2, **active)
        self.bn1 = layers.BatchNormalization()
        self.conv2 = layers.Conv2D(5, 5, 2, **active)
        self.bn2 = layers.BatchNormalization()
        self.conv3 = layers.Conv2D(6, 3, 2, **active)
        self.bn3 = layers.BatchNormalization()
        self.pose_pred = layers.Conv2D(6 * self.num_source, 1, 1, activation=None, **given)

    def call(self, inputs, training=None, mask=None):
        x = self.bn1(self.conv1(inputs), training=training)
        x = self.bn2(self.conv2(x), training=training)
        x = self.bn3(self.conv3(x), training=training)
        pose_avg = tf.reduce_mean(self.pose_pred(x), [1, 2])
        return 0.01 * tf.reshape(pose_avg, [-1, self.num_source, 6])


class DropConnectDense(layers.Layer):
    """A dense layer that drops weights, which it adds by an argument without its name."""

    def __init__(self, units: int, drop_rate: float):
        super().__init__()
        self.units = units
        self.drop_rate = drop_rate
        self.dropout = layers.Dropout(self.drop_rate)

    def build(self, input_shape):
        shape = [int(input_shape[-1]), self.units]
        self.kernel = self.add_weight("kernel", shape=shape, trainable=True)
        self.bias = self.add_weight("bias", shape=[self.units], trainable=True)

    def call(self, inputs, training: bool):
        y = tf.matmul(inputs, self.dropout(self.kernel, training=training))
        y += self.dropout(self.bias, training=training)
        return tf.nn.relu(y)


class EnsBlock(layers.Layer):
    """Convolutions in a Sequential model that grows after it is made."""

    def __init__(self, n_filters, drop_rate, down_sample=True, drop_after=False):
        super().__init__()
        found = []
        for i, filters in enumerate(n_filters):
            given = {"padding": "same", "activation": tf.nn.relu}
            found += [layers.Conv2D(filters, 3, **given), layers.BatchNormalization()]
            found += [layers.Dropout(drop_rate)] * (i < len(n_filters) - 1)
        self.forward = keras.Sequential(found)
        if down_sample:
            self.forward.add(layers.MaxPool2D(2, 2))
        if drop_after:
            self.forward.add(layers.Dropout(drop_rate))

    def call(self, inputs, training: bool = False):
        return self.forward(inputs, training=training)


class EnsClassifier(layers.Layer):
    """Dense layers in a Sequential model, one of them the own one."""

    def __init__(self, n_classes: int, drop_rate: float):
        super().__init__()
        self.forward = keras.Sequential(
            [
                layers.Flatten(),
                layers.Dense(5, activation=tf.nn.relu),
                layers.BatchNormalization(),
                layers.Dropout(drop_rate),
                DropConnectDense(5, drop_rate),
                layers.Dense(5, activation=tf.nn.relu),
                layers.Dense(n_classes, activation="softmax"),
            ]
        )

    def call(self, inputs, training: bool = False):
        return self.forward(inputs, training=training)


class EnsNet(keras.models.Model):
    """Classifiers of parts of the channels, which vote; each has an optimizer of its own."""

    def __init__(self, config: dict):
        super().__init__()
        self.config = config
        self.forward = keras.Sequential()
        for block_config in self.config["block_config"]:
            self.forward.add(EnsBlock(**block_config))
        self.main_classifier = EnsClassifier(**self.config["classifier_config"])
        self.sub_classifier = [EnsClassifier(**self.config["classifier_config"]) for _ in range(5)]

    def compile(self, *args, **kwargs):
        super().compile(*args, **kwargs)
        self.sub_optimizer = [deepcopy(kwargs.get("optimizer")) for _ in range(5)]

    @tf.function
    def get_mode(self, x):
        y, _, count = tf.unique_with_counts(x)
        return y[tf.argmax(count)]

    @tf.function
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            feats = self.forward(x, training=True)
            y_hat_main = self.main_classifier(feats, training=True)
            loss_main = self.compiled_loss(y, y_hat_main, regularization_losses=self.losses)
        trainable_vars = self.forward.trainable_variables + self.main_classifier.trainable_variables
        gradients = tape.gradient(loss_main, trainable_vars)
        self.optimizer.apply_gradients(
            [(gradients[i], each) for i, each in enumerate(trainable_vars)]
        )
        for part, feat in enumerate(tf.split(feats, 5, axis=-1)):
            classifier, optimizer = self.sub_classifier[part], self.sub_optimizer[part]
            with tf.GradientTape() as tape:
                y_hat_sub = classifier(feat, training=True)
                loss_sub = self.compiled_loss(y, y_hat_sub, regularization_losses=self.losses)
            trainable_vars = classifier.trainable_variables
            gradients = tape.gradient(loss_sub, trainable_vars)
            optimizer.apply_gradients(
                [(gradients[i], each) for i, each in enumerate(trainable_vars)]
            )
        self.compiled_metrics.update_state(y, y_hat_main)
        return {m.name: m.result() for m in self.metrics}

    @tf.function
    def call(self, x, training: bool = False):
        feats = self.forward(x, training=training)
        votes = [tf.argmax(self.main_classifier(feats, training=training), axis=-1)]
        for part, feat in enumerate(tf.split(feats, 5, axis=-1)):
            votes.append(tf.argmax(self.sub_classifier[part](feat, training=training), axis=-1))
        return tf.map_fn(fn=self.get_mode, elems=tf.stack(votes, axis=-1))
