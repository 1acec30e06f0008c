"""More custom objects of models of images in `images.py`; copied as `customs_17_more.py`
beside the models.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
K = keras.backend

BETA = 0.2


def scaled_he_normal(shape, dtype=None):
    """A tenth of another initializer, as a function."""
    return keras.initializers.HeNormal()(shape=shape, dtype=dtype) * 0.1


def _detail_conv(filters):
    given = {"kernel_size": 3, "strides": (1, 1), "padding": "same"}
    return layers.Conv2D(filters=filters, kernel_initializer=scaled_he_normal, **given)


class RRDBDense(layers.Layer):
    """Five convolutions, each of the sum of all before."""

    def __init__(self):
        super().__init__()
        self.conv1 = _detail_conv(4)
        self.conv2 = _detail_conv(4)
        self.conv3 = _detail_conv(4)

    def call(self, x):
        x1 = tf.add(tf.nn.leaky_relu(self.conv1(x)), x)
        x2 = tf.add_n([tf.nn.leaky_relu(self.conv2(x1)), x1, x])
        return self.conv3(x2) * BETA + x


class RRDB(layers.Layer):
    """Dense blocks one after another."""

    def __init__(self):
        super().__init__()
        self.block1 = RRDBDense()
        self.block2 = RRDBDense()

    def call(self, x):
        return tf.add(self.block2(self.block1(x)) * BETA, x)


class NearestUp(layers.Layer):
    """Twice as large, then a convolution."""

    def __init__(self):
        super().__init__()
        self.upsampler = layers.UpSampling2D((2, 2), interpolation="nearest")
        self.conv1 = _detail_conv(5)

    def call(self, x):
        return tf.nn.leaky_relu(self.conv1(self.upsampler(x)))


class DetailGenerator(keras.Model):
    """The generator of ESRGAN."""

    def __init__(self):
        super().__init__()
        self.conv1 = _detail_conv(4)
        self.block1 = RRDB()
        self.block2 = RRDB()
        self.conv2 = _detail_conv(4)
        self.lastconv1 = _detail_conv(4)
        self.lastconv2 = _detail_conv(3)
        self.upsample = NearestUp()

    def call(self, x, training=None):
        first = self.conv1(x)
        out = tf.add_n([self.conv2(self.block2(self.block1(first))), first])
        out = tf.nn.leaky_relu(self.lastconv1(self.upsample(out)))
        return tf.nn.sigmoid(self.lastconv2(out))


class InstanceNorm(layers.Layer):
    """Normalization of every image and channel."""

    def __init__(self, epsilon=1e-5):
        super().__init__()
        self.epsilon = epsilon

    def build(self, input_shape):
        self.scale = self.add_weight(
            name="scale",
            shape=input_shape[-1:],
            initializer=tf.random_normal_initializer(1.0, 0.02),
            trainable=True,
        )
        self.offset = self.add_weight(
            name="offset", shape=input_shape[-1:], initializer="zeros", trainable=True
        )

    def call(self, x):
        mean, variance = tf.nn.moments(x, axes=[1, 2], keepdims=True)
        return self.scale * (x - mean) * tf.math.rsqrt(variance + self.epsilon) + self.offset


class ScanGenerator(keras.Model):
    """A U-Net of dilated convolutions, whose call is a function of TensorFlow."""

    def __init__(self):
        super().__init__()
        self.convd1_0 = layers.Conv2D(filters=4, kernel_size=3, padding="SAME".lower())
        self.ind1_0 = InstanceNorm()
        self.convd1_1 = layers.Conv2D(4, 3, padding="same", dilation_rate=2)
        self.ind1_1 = InstanceNorm()
        self.convd1_2 = layers.Conv2D(4, 3, padding="same", dilation_rate=3)
        self.ind1_2 = InstanceNorm()
        self.down1 = layers.MaxPool2D(2, 2, padding="valid")
        self.convd2_0 = layers.Conv2D(6, 3, padding="same")
        self.ind2_0 = InstanceNorm()
        self.up1 = layers.UpSampling2D(size=2)
        self.convu1_0 = layers.Conv2D(4, 3, padding="same")
        self.inu1_0 = InstanceNorm()
        self.convu1_1 = layers.Conv2D(4, 3, padding="same", dilation_rate=2)
        self.inu1_1 = InstanceNorm()
        self.outconv = layers.Conv2D(1, 1, padding="same", activation=tf.nn.tanh)

    @tf.function
    def call(self, x, training=False):
        input1 = tf.nn.relu(self.ind1_0(self.convd1_0(x)))
        od1 = tf.nn.relu(self.ind1_1(self.convd1_1(input1)))
        od1 = tf.nn.relu(self.ind1_1(self.convd1_2(od1))) + input1
        input2 = tf.nn.relu(self.ind2_0(self.convd2_0(self.down1(od1))))
        up1 = tf.nn.relu(self.inu1_0(self.convu1_0(self.up1(input2))))
        ou1 = tf.concat([od1, up1], axis=3)
        return self.outconv(tf.nn.relu(self.inu1_1(self.convu1_1(ou1))) + up1)


@keras.utils.register_keras_serializable(package="fairvision")
class ImageScaling(layers.Layer):
    """Images by the statistics of a well-known set."""

    def __init__(self, mode="imagenet", **kwargs):
        super().__init__(**kwargs)
        self.mode = mode
        self.mean = tf.constant([0.485, 0.456, 0.406])
        self.std = tf.constant([0.229, 0.224, 0.225])

    def call(self, inputs):
        x = tf.cast(inputs, tf.float32) / 255.0
        return (x - self.mean) / self.std if self.mode == "imagenet" else x * 2.0 - 1.0

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}


@keras.utils.register_keras_serializable(package="fairvision")
class TokenScale(layers.Layer):
    """A factor for each channel."""

    def __init__(self, init_values, **kwargs):
        super().__init__(**kwargs)
        self.init_values = init_values

    def build(self, input_shape):
        self.gamma = self.add_weight(
            shape=(input_shape[-1],),
            initializer=keras.initializers.Constant(self.init_values),
            trainable=True,
            name="gamma",
        )

    def call(self, x):
        return x * self.gamma

    def get_config(self):
        return {**super().get_config(), "init_values": self.init_values}


@keras.utils.register_keras_serializable(package="fairvision")
class DroppedDepth(layers.Layer):
    """Leaves whole branches out while it trains."""

    def __init__(self, drop_path_rate, **kwargs):
        super().__init__(**kwargs)
        self.drop_path_rate = drop_path_rate

    def call(self, x, training=None):
        if not training:
            return x
        keep = 1 - self.drop_path_rate
        drawn = tf.floor(keep + tf.random.uniform([tf.shape(x)[0], 1, 1, 1]))
        return x / keep * drawn

    def get_config(self):
        return {**super().get_config(), "drop_path_rate": self.drop_path_rate}


@keras.utils.register_keras_serializable(package="fairvision")
class PoolFormer(keras.Model):
    """A Functional model that its arguments make, and that gives them in its config."""

    def __init__(
        self,
        embed_dims,
        num_blocks,
        mlp_ratio=4.0,
        drop_path_rate=0.0,
        init_scale=1e-5,
        input_shape=None,
        num_classes=1000,
        classifier_activation="softmax",
        name="PoolFormer",
        **kwargs,
    ):
        inputs = layers.Input(shape=input_shape)
        x = ImageScaling(mode="imagenet")(inputs)
        x = layers.ZeroPadding2D(padding=((2, 2), (2, 2)), name="stem_pad")(x)
        x = layers.Conv2D(embed_dims[0], kernel_size=7, strides=4, name="stem_conv")(x)
        total = sum(num_blocks)
        rates, cur = [i * drop_path_rate / total for i in range(total)], 0
        for stage, wide in enumerate(embed_dims):
            if stage:
                given = {"kernel_size": 3, "strides": 2, "name": f"stage_{stage}_downsample_conv"}
                x = layers.ZeroPadding2D(((1, 1), (1, 1)), name=f"stage_{stage}_pad")(x)
                x = layers.Conv2D(wide, **given)(x)
            for block in range(num_blocks[stage]):
                prefix = f"stage_{stage}_block_{block}"
                x = self._block(x, wide, mlp_ratio, rates[cur], init_scale, prefix)
                cur += 1
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.LayerNormalization(epsilon=1e-6, name="layernorm")(x)
        x = layers.Dense(num_classes, activation=classifier_activation, name="predictions")(x)
        super().__init__(inputs=inputs, outputs=x, name=name, **kwargs)
        self.embed_dims = embed_dims
        self.num_blocks = num_blocks
        self.mlp_ratio = mlp_ratio
        self.drop_path_rate = drop_path_rate
        self.init_scale = init_scale
        self.num_classes = num_classes
        self.classifier_activation = classifier_activation

    @staticmethod
    def _block(x, wide, ratio, rate, scale, name):
        short, given = x, {"groups": 1, "axis": -1, "epsilon": 1e-5}
        x = layers.GroupNormalization(name=f"{name}_groupnorm_1", **given)(x)
        pooled = layers.AveragePooling2D(pool_size=3, strides=1, padding="same")(x)
        x = layers.Subtract(name=f"{name}_token_mixer")([pooled, x])
        x = TokenScale(scale, name=f"{name}_layerscale_1")(x)
        x = DroppedDepth(rate)(x) if rate > 0 else x
        short = x = layers.Add(name=f"{name}_add_1")([short, x])
        x = layers.GroupNormalization(name=f"{name}_groupnorm_2", **given)(x)
        x = layers.Conv2D(int(wide * ratio), kernel_size=1, name=f"{name}_mlp_conv_1")(x)
        x = layers.Activation("gelu", name=f"{name}_mlp_act")(x)
        x = layers.Conv2D(wide, kernel_size=1, name=f"{name}_mlp_conv_2")(x)
        x = TokenScale(scale, name=f"{name}_layerscale_2")(x)
        x = DroppedDepth(rate)(x) if rate > 0 else x
        return layers.Add(name=f"{name}_add_2")([short, x])

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "embed_dims": self.embed_dims,
                "num_blocks": self.num_blocks,
                "mlp_ratio": self.mlp_ratio,
                "drop_path_rate": self.drop_path_rate,
                "init_scale": self.init_scale,
                "input_shape": self.input_shape[1:],
                "num_classes": self.num_classes,
                "classifier_activation": self.classifier_activation,
                "name": self.name,
                "trainable": self.trainable,
            }
        )
        return config

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class Normalize(layers.Layer):
    """Unit vectors by learned factors; its config asks for what it does not have."""

    def __init__(self, scale, **kwargs):
        self.axis = 3
        self.scale = scale
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.gamma = K.variable(self.scale * np.ones((input_shape[self.axis],)), name="gamma")

    def call(self, x, mask=None):
        return tf.math.l2_normalize(x, self.axis) * self.gamma

    def get_config(self):
        config = super().get_config().copy()
        config.update({"return_sequences": self.return_sequences})
        return config


class PriorBox(layers.Layer):
    """Boxes of one map, by its size; without a config."""

    def __init__(self, img_size, min_size, max_size=None, variances=(0.1,), **kwargs):
        self.img_size = img_size
        self.min_size = min_size
        self.max_size = max_size
        self.variances = np.array(variances)
        super().__init__(**kwargs)

    def call(self, x, mask=None):
        high, wide = K.int_shape(x)[1:3]
        half = 0.5 * np.array([self.min_size, np.sqrt(self.min_size * self.max_size)])
        step_x, step_y = self.img_size[0] / wide, self.img_size[1] / high
        along = np.linspace(0.5 * step_x, self.img_size[0] - 0.5 * step_x, wide)
        down = np.linspace(0.5 * step_y, self.img_size[1] - 0.5 * step_y, high)
        found = np.stack(np.meshgrid(along, down), -1).reshape(-1, 2)
        found = np.tile(found, (1, 4))
        found[:, ::4] -= half
        found[:, 1::4] -= half
        found[:, 2::4] += half
        found[:, 3::4] += half
        found = np.clip(found.reshape(-1, 4) / self.img_size[0], 0.0, 1.0)
        found = np.concatenate((found, np.tile(self.variances, (len(found), 1))), axis=1)
        found = tf.expand_dims(tf.cast(found, dtype=tf.float32), 0)
        return tf.tile(found, [tf.shape(x)[0], 1, 1])
