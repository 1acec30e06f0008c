"""Custom objects of models of eyes, skin and photos in `bodies.py`; copied as
`customs_14_more.py` beside the models. One class is registered and has a config.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
LITTLE = 1e-15


def _wave_conv(filters, size, strides=1, **given):
    return layers.Conv2D(
        filters,
        kernel_size=size,
        strides=strides,
        padding="same",
        kernel_initializer="HeUniform",
        **given,
    )


class WaveBlock(keras.Model):
    """Residual layers; those of the branch that is not taken stay without weights."""

    def __init__(self, filter1, filter2, filter3, strides=2, dif_dim=False):
        super().__init__(self)
        self.dif_dim = dif_dim
        self.conv1 = _wave_conv(filter1, 3, name="res_conv1")
        self.conv2 = _wave_conv(filter2, 3, name="res_conv2")
        self.conv3 = _wave_conv(filter3, 3, name="res_conv3")
        self.bn = layers.BatchNormalization(name="bn")
        self.bn1 = layers.BatchNormalization(name="bn1")
        self.bn2 = layers.BatchNormalization(name="bn2")
        self.relu = layers.LeakyReLU()
        self.relu1 = layers.LeakyReLU()
        self.relu2 = layers.LeakyReLU()
        self.add = layers.Add()
        if dif_dim:
            self.shortcut_conv1 = _wave_conv(filter1, 1, strides, name="res_conv1")
            self.shortcut_conv2 = _wave_conv(filter2, 3, name="res_conv2")
            self.shortcut_conv3 = _wave_conv(filter3, 1, name="res_conv3")
            self.shortcut_conv4 = _wave_conv(filter3, 1, strides, name="shortcut_conv")
            self.shortcut_bn = layers.BatchNormalization(name="bn3")
            self.shortcut_bn1 = layers.BatchNormalization(name="bn4")
            self.shortcut_bn2 = layers.BatchNormalization(name="bn5")
            self.shortcut_bn3 = layers.BatchNormalization(name="bn6")
            self.shortcut_relu = layers.LeakyReLU()
            self.shortcut_relu1 = layers.LeakyReLU()
            self.shortcut_relu2 = layers.LeakyReLU()

    def call(self, pre_input):
        if not self.dif_dim:
            xs = self.relu(self.bn(self.conv1(pre_input)))
            xs = self.relu1(self.bn1(self.conv2(xs)))
            return self.relu2(self.add([self.bn2(self.conv3(xs)), pre_input]))
        xs = self.shortcut_relu(self.shortcut_bn(self.shortcut_conv1(pre_input)))
        xs = self.shortcut_relu1(self.shortcut_bn1(self.shortcut_conv2(xs)))
        xs = self.shortcut_bn2(self.shortcut_conv3(xs))
        short_cut = self.shortcut_bn3(self.shortcut_conv4(pre_input))
        return self.shortcut_relu2(self.add([xs, short_cut]))


class WaveVessels(keras.Model):
    """Up, down by two blocks and up again, and normalization last."""

    def __init__(self):
        super().__init__(self)
        self.conv1 = _wave_conv(4, 3, activation="relu")
        given = {"padding": "same", "activation": "relu", "kernel_initializer": "HeUniform"}
        self.conv_32up = layers.Conv2DTranspose(4, kernel_size=3, strides=2, **given)
        self.conv_32 = _wave_conv(6, 3, activation="relu")
        self.res_block1 = WaveBlock(4, 6, 8, dif_dim=True)
        self.res_block2 = WaveBlock(8, 8, 8, dif_dim=True)
        self.conv_128up = layers.Conv2DTranspose(8, kernel_size=3, strides=2, **given)
        self.conv_64 = _wave_conv(6, 3, activation="relu")
        self.conv4 = _wave_conv(4, 3, activation="relu")
        self.conv_last = _wave_conv(1, 1, activation="relu", name="output")
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
        x = self.bn1(self.conv1(x, training=training))
        x = self.bn2(self.conv_32up(x, training=training))
        x = self.bn3(self.res_block1(x, training=training))
        x = self.bn4(self.res_block2(x, training=training))
        x = self.bn5(self.conv_128up(x, training=training))
        x = self.bn6(self.conv_64(x, training=training))
        x = self.bn7(self.conv4(x, training=training))
        return self.bn9(self.conv_last(x, training=training))

    def model(self, patch_w, patch_h, channel):
        x = layers.Input(shape=(patch_w, patch_h, channel))
        return keras.Model(inputs=[x], outputs=self.call(x, training=False), name="waves")


def lesion_overlap(y_true, y_pred):
    """A metric that NumPy computes."""

    def share(truth, found):
        both = (truth * found).sum()
        either = truth.sum() + found.sum() - both
        return ((both + LITTLE) / (either + LITTLE)).astype(np.float32)

    return tf.numpy_function(share, [y_true, y_pred], tf.float32)


def lesion_dice(y_true, y_pred):
    y_true = tf.keras.layers.Flatten()(y_true)
    y_pred = tf.keras.layers.Flatten()(y_pred)
    both = tf.reduce_sum(y_true * y_pred)
    return (2.0 * both + LITTLE) / (tf.reduce_sum(y_true) + tf.reduce_sum(y_pred) + LITTLE)


def lesion_dice_loss(y_true, y_pred):
    return 1.0 - lesion_dice(y_true, y_pred)


def _contrast_conv(filters, size, name, decay, strides=1):
    return layers.Conv2D(
        filters,
        size,
        strides=strides,
        name=name,
        use_bias=False,
        kernel_initializer=keras.initializers.VarianceScaling(
            scale=2.0, mode="fan_out", distribution="untruncated_normal"
        ),
        kernel_regularizer=keras.regularizers.l2(decay),
    )


def _contrast_norm(name):
    return layers.BatchNormalization(axis=-1, momentum=0.9, epsilon=1e-5, name=name)


class ContrastBlock(keras.models.Model):
    """A bottleneck; a slash in the names of its shortcut."""

    def __init__(self, filters, kernel_size, stride, downsample, w_decay, name, **kwargs):
        super().__init__(name=name, **kwargs)
        self.downsample = downsample
        self.relu = layers.Activation("relu", name="relu")
        if self.downsample:
            self.conv = _contrast_conv(4 * filters, 1, "downsample/0", w_decay, stride)
            self.bn = _contrast_norm("downsample/1")
        self.conv_1 = _contrast_conv(filters, 1, "conv1", w_decay)
        self.bn_1 = _contrast_norm("bn1")
        self.pad_2 = layers.ZeroPadding2D(padding=((1, 1), (1, 1)), name="pad2")
        self.conv_2 = _contrast_conv(filters, kernel_size, "conv2", w_decay, stride)
        self.bn_2 = _contrast_norm("bn2")
        self.conv_3 = _contrast_conv(4 * filters, 1, "conv3", w_decay)
        self.bn_3 = _contrast_norm("bn3")

    def call(self, inputs, training=None, mask=None):
        identity = tf.identity(inputs)
        out = self.relu(self.bn_1(self.conv_1(inputs), training=training))
        out = self.relu(self.bn_2(self.conv_2(self.pad_2(out)), training=training))
        out = self.bn_3(self.conv_3(out), training=training)
        if self.downsample:
            identity = self.bn(self.conv(inputs), training=training)
        out += identity
        return self.relu(out)


class ContrastStack(keras.models.Model):
    """Blocks in a list after the first."""

    def __init__(self, filters, n_blocks, stride, w_decay, name, **kwargs):
        super().__init__(name=name, **kwargs)
        self.block_1 = ContrastBlock(filters, 3, stride, downsample=True, w_decay=w_decay, name="0")
        self.blocks = []
        for each in range(1, n_blocks):
            self.blocks.append(
                ContrastBlock(filters, 3, 1, downsample=False, w_decay=w_decay, name=f"{each}")
            )

    def call(self, inputs, training=None, mask=None):
        x = self.block_1(inputs, training=training)
        for block in self.blocks:
            x = block(x, training=training)
        return x


class ContrastNet(keras.models.Model):
    """A residual network whose Lambda layer calls a method."""

    def __init__(self, resnet_params, name, **kwargs):
        super().__init__(name=name, **kwargs)
        decay = resnet_params["w_decay"]
        self.res = resnet_params["input_shape"][0]
        self.classes = resnet_params["dim"]
        self.with_projection_head = resnet_params["mlp"]
        self.preprocess = layers.Lambda(lambda x: self._preprocess_inputs(image=x))
        self.pad1 = layers.ZeroPadding2D(padding=((3, 3), (3, 3)), name="pad1")
        self.conv1 = _contrast_conv(4, 7, "conv1", decay, 2)
        self.bn1 = _contrast_norm("bn1")
        self.relu1 = layers.Activation("relu", name="relu1")
        self.pool1_pad = layers.ZeroPadding2D(padding=((1, 1), (1, 1)), name="pool1_pad")
        self.pool1_pool = layers.MaxPooling2D(3, strides=2, name="pool1_pool")
        self.stack_1 = ContrastStack(2, 2, stride=1, w_decay=decay, name="layer1")
        self.stack_2 = ContrastStack(3, 1, stride=2, w_decay=decay, name="layer2")
        self.avg_pool = layers.GlobalAveragePooling2D(name="avg_pool")
        given = {
            "kernel_initializer": keras.initializers.VarianceScaling(
                scale=1 / 3, mode="fan_in", distribution="uniform"
            ),
            "kernel_regularizer": keras.regularizers.l2(decay),
            "bias_regularizer": keras.regularizers.l2(decay),
        }
        if self.with_projection_head:
            self.mlp = layers.Dense(8, activation="relu", name="fc/0", **given)
        self.last_dense = layers.Dense(self.classes, activation=None, name="fc/2", **given)

    def _preprocess_inputs(self, image):
        mean = tf.constant([0.485, 0.456, 0.406], dtype=tf.float32)[None, None, None, :]
        deviation = tf.constant([0.229, 0.224, 0.225], dtype=tf.float32)[None, None, None, :]
        return (image - mean) / deviation

    def call(self, inputs, training=None, mask=None):
        x = self.conv1(self.pad1(self.preprocess(inputs)))
        x = self.relu1(self.bn1(x, training=training))
        x = self.pool1_pool(self.pool1_pad(x))
        x = self.stack_1(x, training=training)
        x = self.stack_2(x, training=training)
        x = self.avg_pool(x)
        if self.with_projection_head:
            x = self.mlp(x)
        return self.last_dense(x)


@keras.utils.register_keras_serializable(package="kecam")
class PairwisePlaces(layers.Layer):
    """A bias of pairs of places, or a value of each place, by two dense layers of its own."""

    def __init__(
        self,
        hidden_dim=512,
        attn_height=-1,
        attn_width=-1,
        pos_scale=-1,
        use_absolute_pos=False,
        is_deploy_mode=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hidden_dim, self.attn_height, self.attn_width = hidden_dim, attn_height, attn_width
        self.pos_scale, self.use_absolute_pos = pos_scale, use_absolute_pos
        self.is_deploy_mode = is_deploy_mode

    def build(self, input_shape):
        if self.use_absolute_pos:
            compressed = len(input_shape) == 3
            if compressed:
                height = self.attn_height
                if height == -1:
                    height = int(float(input_shape[-2]) ** 0.5)
                width = input_shape[-2] // height
            else:
                height, width = input_shape[1:-1]
            rows, columns = np.meshgrid(range(height), range(width), indexing="ij")
            coords = np.stack([rows, columns], axis=-1).astype("float32")
            coords = coords / [height // 2, width // 2] - 1
            coords = np.reshape(coords, [-1, 2]) if compressed else coords
            out_shape = [self.hidden_dim, input_shape[-1]]
        else:
            height = self.attn_height
            if height == -1:
                height = int(float(input_shape[-2]) ** 0.5)
            width = self.attn_width if self.attn_width != -1 else input_shape[-2] // height
            padding = input_shape[-2] - height * width
            self.padding = [[padding, 0], [padding, 0], [0, 0]] if padding > 0 else None
            rows, columns = np.meshgrid(
                range(-height + 1, height), range(-width + 1, width), indexing="ij"
            )
            coords = np.stack([rows, columns], axis=-1).astype("float32")
            coords = coords * 8 / [float(height - 1), float(width - 1)]
            coords = np.sign(coords) * np.log(1.0 + np.abs(coords)) / (np.log(2.0) * 3.0)
            coords = np.reshape(coords, [-1, 2])
            flat = np.reshape(np.stack(np.meshgrid(range(height), range(width)), -1), [-1, 2])
            apart = flat[:, None, :] - flat[None, :, :]
            index = apart[..., 0] + height - 1
            index = index + (apart[..., 1] + width - 1) * (2 * height - 1)
            self.relative_position_index = tf.convert_to_tensor(index, dtype="int64")
            out_shape = [self.hidden_dim, input_shape[1]]
        self.coords = tf.convert_to_tensor(coords, dtype=self.compute_dtype)
        given = {"initializer": "glorot_uniform", "trainable": True}
        self.hidden_weight = self.add_weight(
            name="hidden_weight", shape=[2, self.hidden_dim], **given
        )
        self.hidden_bias = self.add_weight(
            name="hidden_bias", initializer="zeros", shape=[self.hidden_dim], trainable=True
        )
        self.out = self.add_weight(name="out", shape=out_shape, **given)
        self.is_deploy_mode = False
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        bias = tf.nn.relu(self.coords @ self.hidden_weight + self.hidden_bias) @ self.out
        if not self.use_absolute_pos:
            bias = tf.sigmoid(tf.gather(bias, self.relative_position_index)) * 16.0
            bias = tf.pad(bias, self.padding) if self.padding else bias
            bias = tf.transpose(bias, [2, 0, 1])
        return inputs + tf.expand_dims(bias, 0)

    def get_config(self):
        names = ("hidden_dim", "attn_height", "attn_width", "pos_scale", "use_absolute_pos")
        kept = {name: getattr(self, name) for name in (*names, "is_deploy_mode")}
        return {**super().get_config(), **kept}
