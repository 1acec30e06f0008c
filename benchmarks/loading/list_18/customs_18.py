"""Custom objects of models of images in `images.py`; copied as `customs_18.py` beside the
models. Layers and models are mostly without a config, as their authors left them.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers

VIEWS, SIZE = 3, 48
GIVEN = {"kernel_initializer": "he_normal", "kernel_regularizer": keras.regularizers.L2(5e-5)}
SMOOTH = 1e-15


class CaptchaModel(keras.Model):
    """Convolutions, each with a normalization, and a softmax over all letters of all places."""

    def __init__(self, output):
        super().__init__()
        self.make = layers.Rescaling(1.0 / 255)
        self.conv1 = layers.Conv2D(3, 2, activation="relu")
        self.batch1 = layers.BatchNormalization()
        self.conv2 = layers.Conv2D(4, 2, activation="relu")
        self.batch2 = layers.BatchNormalization()
        self.maxpadding2 = layers.MaxPooling2D((2, 2), padding="same")
        self.conv3 = layers.Conv2D(5, 1, activation="relu")
        self.batch3 = layers.BatchNormalization()
        self.maxpadding3 = layers.MaxPooling2D((2, 2), padding="same")
        self.conv6 = layers.Conv2D(6, 3, activation="relu")
        self.batch6 = layers.BatchNormalization()
        self.maxpadding6 = layers.MaxPooling2D((2, 2), padding="same")
        self.conv4 = layers.Conv2D(4, 2, activation="relu")
        self.batch4 = layers.BatchNormalization()
        self.flatten = layers.Flatten()
        self.d1 = layers.Dense(output[0] * output[1], activation="softmax")
        self.out = layers.Reshape(output)

    def call(self, x, training=None, mask=None):
        x = self.batch1(self.conv1(self.make(x)))
        x = self.maxpadding2(self.batch2(self.conv2(x)))
        x = self.maxpadding3(self.batch3(self.conv3(x)))
        x = self.maxpadding6(self.batch6(self.conv6(x)))
        x = self.batch4(self.conv4(x))
        return self.out(self.d1(self.flatten(x)))


def iou(y_true, y_pred):
    """What two masks share, in NumPy."""

    def shared(y_true, y_pred):
        both = (y_true * y_pred).sum()
        found = (both + 1e-15) / (y_true.sum() + y_pred.sum() - both + 1e-15)
        return found.astype(np.float32)

    found = tf.numpy_function(shared, [y_true, y_pred], tf.float32)
    found.set_shape(())
    return found


def dice_coef(y_true, y_pred):
    """Twice what two masks share, of both."""
    y_true, y_pred = layers.Flatten()(y_true), layers.Flatten()(y_pred)
    both = tf.reduce_sum(y_true * y_pred)
    return (2.0 * both + SMOOTH) / (tf.reduce_sum(y_true) + tf.reduce_sum(y_pred) + SMOOTH)


def lesion_loss(y_true, y_pred):
    """What is missing."""
    return 1.0 - dice_coef(y_true, y_pred)


class MultiViews(keras.Model):
    """The largest of what every view says."""

    def __init__(self, num_classes=1000):
        super().__init__()
        self.features = keras.Sequential(name="mvcnn")
        self.features.add(layers.Input(shape=(SIZE, SIZE, 3)))
        self.features.add(layers.Conv2D(4, kernel_size=11, strides=4, padding="same"))
        self.features.add(layers.ReLU())
        self.features.add(layers.MaxPool2D(pool_size=3, strides=2))
        self.features.add(layers.Conv2D(6, kernel_size=5, padding="same"))
        self.features.add(layers.ReLU())
        self.features.add(layers.MaxPool2D(pool_size=3, strides=2))
        self.features.add(layers.Flatten())
        self.classifier = keras.Sequential()
        self.classifier.add(layers.Dropout(rate=0.2))
        self.classifier.add(layers.Dense(8))
        self.classifier.add(layers.ReLU())
        self.classifier.add(layers.Dense(num_classes, activation=tf.nn.softmax))

    def call(self, x):
        x = tf.reshape(x, (-1, VIEWS, SIZE, SIZE, 3))
        views = tf.transpose(x, perm=[1, 0, 2, 3, 4])
        found = tf.TensorArray(dtype=tf.float32, size=VIEWS)
        for i in range(VIEWS):
            view = tf.reshape(views[i], (-1, SIZE, SIZE, 3))
            found = found.write(i, self.features(view))
        found = found.stack()
        pooled = tf.expand_dims(found[0], 0)
        for i in range(1, VIEWS):
            pooled = tf.concat([pooled, tf.expand_dims(found[i], 0)], 0)
        return self.classifier(tf.reduce_max(pooled, [0], name="view_pool"))


class SepConv(keras.Model):
    """A convolution of each channel, then of points."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        given = {"strides": (1, 1), "padding": "same", "use_bias": False}
        self.dw_conv1 = layers.DepthwiseConv2D((3, 3), **given)
        self.bn1 = layers.BatchNormalization()
        self.relu1 = layers.ReLU()
        self.conv2 = layers.Conv2D(self.out_channels, (1, 1), padding="same")
        self.bn2 = layers.BatchNormalization()

    def call(self, input_tensor, training=False):
        x = self.relu1(self.bn1(self.dw_conv1(input_tensor)))
        return self.bn2(self.conv2(x))


class MBConv(keras.Model):
    """An inverted residual, with a squeeze if it is asked for."""

    def __init__(self, expansion, in_channels, out_channels, kernel_size, strides, squeeze=False):
        super().__init__()
        wide = in_channels * expansion
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.squeeze = squeeze
        self.conv1 = layers.Conv2D(wide, kernel_size=(1, 1), padding="same", use_bias=False)
        self.bn1 = layers.BatchNormalization()
        self.relu1 = layers.ReLU()
        given = {"kernel_size": kernel_size, "strides": strides, "padding": "same"}
        self.dw_conv2 = layers.DepthwiseConv2D(**given)
        self.bn2 = layers.BatchNormalization()
        self.relu2 = layers.ReLU()
        if squeeze:
            self.se_gap3 = layers.GlobalAveragePooling2D()
            self.reshape3 = layers.Reshape((1, 1, wide))
            self.se_fc3_1 = layers.Dense(wide // 4)
            self.se_relu3 = layers.ReLU()
            self.se_fc3_2 = layers.Dense(wide, activation="sigmoid")
            self.multiply3 = layers.Multiply()
        self.conv3 = layers.Conv2D(self.out_channels, kernel_size=(1, 1), padding="same")
        self.bn3 = layers.BatchNormalization()
        if self.in_channels == self.out_channels:
            self.add4 = layers.Add()

    def call(self, input_tensor, training=False):
        x = self.relu1(self.bn1(self.conv1(input_tensor)))
        x = self.relu2(self.bn2(self.dw_conv2(x)))
        if self.squeeze:
            squeezed = self.se_relu3(self.se_fc3_1(self.reshape3(self.se_gap3(x))))
            x = self.multiply3([self.se_fc3_2(squeezed), x])
        x = self.bn3(self.conv3(x))
        return self.add4([input_tensor, x]) if self.in_channels == self.out_channels else x


class MnasNet(keras.Model):
    """Stages as Sequential models, which are filled one by one."""

    def __init__(self, nb_classes):
        super().__init__()
        self.nb_classes = nb_classes
        self.conv_1 = layers.Conv2D(4, kernel_size=(3, 3), strides=(2, 2), padding="same")
        self.SepConv_2 = keras.Sequential()
        self.SepConv_2.add(SepConv(in_channels=4, out_channels=4))
        self.MBConv_3 = keras.Sequential()
        self.MBConv_3.add(MBConv(2, in_channels=4, out_channels=6, kernel_size=3, strides=(2, 2)))
        self.MBConv_3.add(MBConv(2, in_channels=6, out_channels=6, kernel_size=3, strides=(1, 1)))
        self.MBConv_SE_4 = keras.Sequential()
        self.MBConv_SE_4.add(MBConv(3, 6, 8, (5, 5), (2, 2), squeeze=True))
        self.MBConv_SE_4.add(MBConv(3, 8, 8, (5, 5), (1, 1), squeeze=True))
        self.pool = layers.GlobalAveragePooling2D()
        self.fc = layers.Dense(self.nb_classes, activation="softmax")

    def call(self, input_tensor, training=False):
        x = self.SepConv_2(self.conv_1(input_tensor))
        x = self.MBConv_SE_4(self.MBConv_3(x))
        return self.fc(self.pool(x))


class SwishActivation(layers.Layer):
    """A number times its sigmoid."""

    def __init__(self):
        super().__init__()

    def call(self, x):
        return tf.sigmoid(x) * x


class InvertedResidualBlock(layers.Layer):
    """Sequential models in a layer, which leaves its name where it is."""

    def __init__(
        self, filters_in=32, filters_out=16, kernel_size=3, strides=1, expand_ratio=1, name=""
    ):
        super().__init__()
        filters = filters_in * expand_ratio
        self.conv_layer1 = keras.models.Sequential(
            [
                layers.Conv2D(filters, 1, use_bias=False, **GIVEN),
                layers.BatchNormalization(),
                SwishActivation(),
                layers.DepthwiseConv2D(kernel_size, strides, padding="same", use_bias=False),
                layers.BatchNormalization(),
                SwishActivation(),
            ]
        )
        self.se_conv = keras.models.Sequential(
            [
                layers.GlobalAveragePooling2D(),
                layers.Reshape((1, 1, filters)),
                layers.Conv2D(max(1, filters_in // 4), 1, use_bias=False, **GIVEN),
                SwishActivation(),
                layers.Conv2D(filters, 1, use_bias=False, **GIVEN),
                layers.Activation("sigmoid"),
            ]
        )
        self.multiply = layers.Multiply()
        self.conv_layer2 = keras.models.Sequential(
            [layers.Conv2D(filters_out, 1, use_bias=False, **GIVEN), layers.BatchNormalization()]
        )

    def call(self, x, training=None):
        x = self.conv_layer1(x)
        return self.conv_layer2(self.multiply([x, self.se_conv(x)]))


class GEN(layers.Layer):
    """Three curves for a photo."""

    def __init__(self, **kwargs):
        super().__init__()
        self.conv1 = keras.models.Sequential(
            [
                layers.Conv2D(4, 5, padding="same", use_bias=False, **GIVEN),
                layers.BatchNormalization(),
                SwishActivation(),
            ]
        )
        self.blocks = keras.models.Sequential(
            [
                InvertedResidualBlock(4, 5, 5, 2, 2, name="stage2"),
                InvertedResidualBlock(5, 6, 5, 1, 2, name="stage5"),
            ]
        )
        self.conv2 = keras.models.Sequential(
            [
                layers.Conv2D(8, 1, use_bias=False, name="GEN_stage6_conv", **GIVEN),
                layers.BatchNormalization(),
                SwishActivation(),
                layers.GlobalAveragePooling2D(),
                layers.Dense(16 * 3, use_bias=False, **GIVEN),
                layers.Activation("sigmoid"),
                layers.Reshape((16, 3)),
            ]
        )

    def call(self, inputs, training=False):
        return self.conv2(self.blocks(self.conv1(inputs)))


class IntensityTransform(layers.Layer):
    """Looks every colour up in its curve, a photo at a time."""

    def __init__(self, channels, intensities, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.scale = intensities - 1

    def call(self, inputs):
        image, curves = inputs
        return tf.map_fn(self._transform, [image, curves], fn_output_signature="float32")

    def _transform(self, inputs):
        image, curves = inputs
        image = tf.cast(tf.math.round(self.scale * image), dtype="int32")
        image = tf.split(image, num_or_size_splits=self.channels, axis=-1)
        curves = tf.split(curves, num_or_size_splits=self.channels, axis=-1)
        found = [tf.gather_nd(curves[i], each) for i, each in enumerate(image)]
        return tf.concat(found, axis=-1)


class GleNet(keras.Model):
    """A photo with what its curves say; its backbone is named."""

    def __init__(self, backbone="GEN", low_size=(256, 256), **kwargs):
        super().__init__()
        self.down_sampler = layers.Lambda(tf.image.resize, arguments={"size": low_size})
        self.regressor = globals()[backbone](**kwargs)
        self.curve_enhancer = IntensityTransform(3, 16)

    def call(self, inputs, is_training=False):
        x = inputs if is_training else self.down_sampler(inputs)
        x = self.curve_enhancer([inputs, self.regressor(x)])
        return tf.clip_by_value(x + inputs, 0, 1)
