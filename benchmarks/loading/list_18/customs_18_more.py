"""More custom objects of models of images in `images.py`; copied as `customs_18_more.py`
beside the models.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
initializers, regularizers = keras.initializers, keras.regularizers

nonlinearities = {
    "gelu": lambda x: keras.activations.gelu(x) * 1.7015043497085571,
    "relu": lambda x: keras.activations.relu(x) * 1.7139588594436646,
}


class WSConv2D(layers.Conv2D):
    """A convolution whose weights are standardized, with a gain of its own."""

    def __init__(self, *args, **kwargs):
        spread = keras.initializers.VarianceScaling(
            scale=1.0, mode="fan_in", distribution="untruncated_normal"
        )
        super().__init__(*args, kernel_initializer=spread, **kwargs)
        given = {"initializer": "ones", "trainable": True, "dtype": self.dtype}
        self.gain = self.add_weight(name="gain", shape=(self.filters,), **given)

    def standardize_weight(self, eps):
        mean = tf.math.reduce_mean(self.kernel, axis=(0, 1, 2), keepdims=True)
        var = tf.math.reduce_variance(self.kernel, axis=(0, 1, 2), keepdims=True)
        fan_in = np.prod(self.kernel.shape[:-1])
        scale = tf.math.rsqrt(tf.math.maximum(var * fan_in, eps)) * self.gain
        return self.kernel * scale - mean * scale

    def call(self, inputs, eps=1e-4):
        weight = self.standardize_weight(eps)
        given = {"strides": self.strides, "padding": self.padding.upper()}
        given["dilations"] = self.dilation_rate
        return tf.nn.conv2d(inputs, weight, **given) + self.bias


class SqueezeExcite(keras.Model):
    """A factor for each channel, with an activation that is given."""

    def __init__(self, in_ch, out_ch, se_ratio=0.5, activation=keras.activations.relu, name=None):
        super().__init__(name=name)
        self.in_ch, self.out_ch = in_ch, out_ch
        self.activation = activation
        self.fc0 = layers.Dense(max(1, int(in_ch * se_ratio)), use_bias=True)
        self.fc1 = layers.Dense(self.out_ch, use_bias=True)

    def call(self, x):
        h = self.fc1(self.activation(self.fc0(tf.math.reduce_mean(x, axis=[1, 2]))))
        return keras.activations.sigmoid(h)[:, None, None]


class NFBlock(keras.Model):
    """A block without normalization, with a gain that starts at 0."""

    def __init__(self, in_ch, out_ch, stride=1, beta=1.0, alpha=0.2, activation=None, name=None):
        super().__init__(name=name)
        self.in_ch, self.out_ch, self.stride = in_ch, out_ch, stride
        self.beta, self.alpha = beta, alpha
        self.activation = activation
        width = out_ch // 2
        self.conv0 = WSConv2D(filters=width, kernel_size=1, padding="same", name="conv0")
        self.conv1 = WSConv2D(
            filters=width, kernel_size=3, strides=stride, padding="same", name="conv1"
        )
        self.conv2 = WSConv2D(filters=out_ch, kernel_size=1, padding="same", name="conv2")
        self.use_projection = stride > 1 or in_ch != out_ch
        if self.use_projection:
            if stride > 1:
                self.shortcut_avg_pool = layers.AveragePooling2D(pool_size=2, padding="same")
            given = {"kernel_size": 1, "padding": "same", "name": "conv_shortcut"}
            self.conv_shortcut = WSConv2D(filters=out_ch, **given)
        self.se = SqueezeExcite(out_ch, out_ch, 0.5)
        self.skip_gain = self.add_weight(
            name="skip_gain", shape=(), initializer="zeros", trainable=True, dtype=self.dtype
        )

    def call(self, x, training):
        out = self.activation(x) * self.beta
        shortcut = x
        if self.use_projection:
            shortcut = self.shortcut_avg_pool(out) if self.stride > 1 else out
            shortcut = self.conv_shortcut(shortcut)
        out = self.conv1(self.activation(self.conv0(out)))
        out = self.conv2(self.activation(out))
        out = (self.se(out) * 2) * out
        average = tf.math.reduce_mean(tf.math.reduce_variance(out, axis=[0, 1, 2]))
        return out * self.skip_gain * self.alpha + shortcut, average


nfnet_params = {"F0": {"width": [8, 12], "depth": [1, 2], "drop_rate": 0.2}}


class NFNet(keras.Model):
    """A network of such blocks, which makes a layer while it is called."""

    def __init__(
        self, num_classes, variant="F0", activation="gelu", label_smoothing=0.1, name="NFNet"
    ):
        super().__init__(name=name)
        self.num_classes = num_classes
        self.variant = variant
        params = nfnet_params[variant]
        self.drop_rate = params["drop_rate"]
        self.activation = nonlinearities[activation]
        self.spositives = 1 - label_smoothing
        self.stem = keras.Sequential(
            [
                WSConv2D(4, kernel_size=3, strides=2, padding="same", name="stem_conv0"),
                layers.Lambda(self.activation),
                WSConv2D(6, kernel_size=3, strides=2, padding="same", name="stem_conv1"),
            ]
        )
        self.blocks, channels = [], 6
        for i, width in enumerate(params["width"]):
            for j in range(params["depth"][i]):
                given = {"stride": 2 if j == 0 and i else 1, "activation": self.activation}
                self.blocks += [NFBlock(channels, width, **given)]
                channels = width
        self.final_conv = WSConv2D(16, kernel_size=1, padding="same", name="final_conv")
        spread = keras.initializers.RandomNormal(mean=0, stddev=0.01)
        self.fc = layers.Dense(num_classes, kernel_initializer=spread, use_bias=True)

    def call(self, x, training=True):
        outputs = {}
        out = self.stem(x)
        for block in self.blocks:
            out, _ = block(out, training=training)
        out = layers.Lambda(self.activation)(self.final_conv(out))
        pool = tf.math.reduce_mean(out, [1, 2])
        outputs["pool"] = pool
        outputs["logits"] = self.fc(pool)
        return outputs

    def train_step(self, data):
        x, y_true = data
        with tf.GradientTape() as tape:
            loss = self.compiled_loss(y_true * self.spositives, self(x, training=True)["logits"])
        gradients = tape.gradient(loss, self.trainable_weights)
        for i, weight in enumerate(self.trainable_weights):
            self.optimizer.apply_gradients([(gradients[i], weight)])
        return {"loss": loss}


class Local(layers.Layer):
    """A dense layer without its corners; it hides what it is given."""

    def __init__(self, units, activation=None, kernel_initializer=None, **kwargs):
        self.__units = units
        self.__activation = keras.activations.get(activation)
        self.__kernel_initializer = kernel_initializer
        self.__w = self.__b = self.__cond = self.__where_y = None
        super().__init__(**kwargs)

    def build(self, input_shape):
        shape = (input_shape[1], self.__units)
        given = {"initializer": Local.__with_holes, "trainable": True}
        self.__w = self.add_weight(name="w", shape=shape, **given)
        whole = np.ones(shape=shape, dtype=bool)
        self.__cond = tf.convert_to_tensor(Local.__cut(whole, shape, False))
        self.__where_y = tf.zeros(shape=shape)
        self.__b = self.add_weight(name="b", shape=(self.__units,), initializer="zeros")
        super().build(input_shape)
        self.built = True

    def call(self, x, **kwargs):
        kernel = tf.where(self.__cond, self.__w, self.__where_y)
        return self.__activation(tf.matmul(x, kernel) + self.__b)

    def compute_output_shape(self, input_shape):
        return input_shape[0], self.__units

    @staticmethod
    def __with_holes(shape, dtype=None):
        kernel = Local.__cut(np.random.random(tuple(shape)), shape, np.nan)
        return tf.convert_to_tensor(kernel, dtype=dtype)

    @staticmethod
    def __cut(matrix, shape, value):
        rows, columns = shape[0], shape[1]
        most = min(rows, columns) - 1
        for i in range(most):
            matrix[i, : most - i] = matrix[rows - 1 - i, columns - most + i : columns] = value
        return matrix


class BasicBlock(layers.Layer):
    """A residual block, one of whose attributes is a function or a layer."""

    def __init__(self, filter_num, strides=1):
        super().__init__()
        self.conv1 = layers.Conv2D(filter_num, (3, 3), strides=strides, padding="same")
        self.bn1 = layers.BatchNormalization()
        self.relu = layers.Activation("relu")
        self.conv2 = layers.Conv2D(filter_num, (3, 3), strides=1, padding="same")
        self.bn2 = layers.BatchNormalization()
        if strides != 1:
            self.downsample = layers.Conv2D(filter_num, (1, 1), strides=strides)
        else:
            self.downsample = lambda x: x

    def call(self, inputs, training=False):
        out = self.relu(self.bn1(self.conv1(inputs), training=training))
        out = self.bn2(self.conv2(out), training=training)
        return tf.nn.relu(layers.add([out, self.downsample(inputs)]))


class LineBody(keras.Model):
    """Stages as Sequential models of such blocks."""

    def __init__(self, layers_dim):
        super().__init__()
        self.stem = keras.Sequential(
            [
                layers.Conv2D(4, (3, 3), strides=(1, 1), padding="same"),
                layers.BatchNormalization(),
                layers.Activation("relu"),
                layers.MaxPool2D(pool_size=(2, 2), strides=(2, 1), padding="same"),
            ]
        )
        self.layer1 = self.build_resblock(4, layers_dim[0], stride=(2, 1))
        self.layer2 = self.build_resblock(6, layers_dim[1], stride=2)
        self.layer3 = self.build_resblock(8, layers_dim[2], stride=2)
        self.max_pool = layers.MaxPool2D(pool_size=(2, 2), strides=(1, 1))

    def build_resblock(self, filter_num, blocks, stride=(1, 1)):
        found = keras.Sequential()
        found.add(BasicBlock(filter_num, strides=stride))
        for _ in range(1, blocks):
            found.add(BasicBlock(filter_num, strides=1))
        return found

    def call(self, inputs, training=None, mask=None):
        x = self.layer1(self.stem(inputs, training=training), training=training)
        return self.layer3(self.layer2(x, training=training), training=training)


class ReceiptReader(keras.Model):
    """Columns of a line read in both directions."""

    def __init__(self, words):
        super().__init__()
        self.backbone = LineBody(layers_dim=[2, 1, 2])
        self.reshape_net = layers.Reshape((-1, 8))
        self.lstm01 = layers.Bidirectional(layers.LSTM(units=5, return_sequences=True))
        self.lstm02 = layers.Bidirectional(layers.LSTM(units=4, return_sequences=True))
        self.fc1 = layers.Dense(units=words)

    def call(self, inputs, training=None, mask=None):
        x = self.reshape_net(self.backbone(inputs, training=training))
        return self.fc1(self.lstm02(self.lstm01(x)))


class FRN(layers.Layer):
    """Divides by the mean square of a filter's responses, then takes the larger of two numbers."""

    def __init__(
        self,
        epsilon=1e-6,
        beta_initializer="zeros",
        gamma_initializer="ones",
        tau_initializers="zeros",
        beta_regularizer=None,
        gamma_regularizer=None,
        tau_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.epsilon = epsilon
        self.beta_initializer = initializers.get(beta_initializer)
        self.tau_initializer = initializers.get(tau_initializers)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.tau_regularizer = regularizers.get(tau_regularizer)
        self.axis = -1

    def build(self, input_shape):
        self.input_spec = layers.InputSpec(ndim=len(input_shape), axes={-1: input_shape[-1]})
        for name in ("tau", "gamma", "beta"):
            given = {"initializer": getattr(self, f"{name}_initializer")}
            given["regularizer"] = getattr(self, f"{name}_regularizer")
            setattr(self, name, self.add_weight(shape=(input_shape[-1],), name=name, **given))
        self.built = True

    def call(self, inputs, training=None):
        square = tf.reduce_mean(tf.square(inputs), axis=[1, 2], keepdims=True)
        x = inputs * tf.math.rsqrt(square + tf.abs(self.epsilon))
        return tf.maximum(self.gamma * x + self.beta, self.tau)

    def get_config(self):
        config = {
            "axis": self.axis,
            "epsilon": self.epsilon,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "tau_initializer": initializers.serialize(self.tau_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "tau_regularizer": regularizers.serialize(self.tau_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
        }
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))

    def compute_output_shape(self, input_shape):
        return input_shape
