"""Custom objects of models of images in `photos.py`; copied as `customs_21_images.py` beside the
models.
"""

from __future__ import annotations

import collections
import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers, Sequential = keras.layers, keras.Sequential
BlockSpec = collections.namedtuple(
    "BlockSpec",
    [
        "input_nf",
        "expand_ratio",
        "dw_kernel_size",
        "dw_strides",
        "se_ratio",
        "output_nf",
        "dropout_rate",
        "skip_conn",
        "repeat_num",
    ],
)
NNSpec = collections.namedtuple("NNSpec", ["w", "include_top", "dropout_rate", "classes"])


class SWISH(layers.Layer):
    """The function as a layer, to give it a name."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def call(self, inputs, **kwargs):
        return tf.nn.swish(inputs)


class MobileV2Block(layers.Layer):
    """A block by a named tuple; its layers, some of them only by the tuple, are made in `build`."""

    def __init__(self, block_spec, prefix="", **kwargs):
        super().__init__(**kwargs)
        self._cfg = block_spec
        self._prefix = prefix

    def build(self, input_shape):
        self._expand_nf = self._cfg.input_nf * self._cfg.expand_ratio
        self._kernel_initializer = keras.initializers.VarianceScaling(
            scale=2.0, mode="fan_out", distribution="truncated_normal"
        )
        given = {"padding": "same", "kernel_initializer": self._kernel_initializer}
        pre = self._prefix
        self._expanding_conv = layers.Conv2D(
            self._expand_nf, 1, use_bias=False, name=pre + "expanding_conv", **given
        )
        self._expanding_bn = layers.BatchNormalization(name=pre + "expanding_bn")
        self._expanding_swish = SWISH(name=pre + "expanding_swish")
        self._dw_conv = layers.DepthwiseConv2D(
            self._cfg.dw_kernel_size,
            strides=self._cfg.dw_strides,
            padding="same",
            use_bias=False,
            depthwise_initializer=self._kernel_initializer,
            name=pre + "dw_conv",
        )
        self._dw_bn = layers.BatchNormalization(name=pre + "dw_bn")
        self._dw_swish = SWISH(name=pre + "dw_swish")
        if self._cfg.se_ratio:
            self._squeeze_nf = max(1, int(self._cfg.input_nf * self._cfg.se_ratio))
            self._se_squeeze = layers.GlobalAveragePooling2D(name=pre + "se_squeeze")
            self._se_reshape = layers.Reshape(
                target_shape=(1, 1, self._expand_nf), name=pre + "se_reshape"
            )
            self._se_reduce = layers.Conv2D(
                self._squeeze_nf, 1, activation="swish", name=pre + "se_reduce", **given
            )
            self._se_expand = layers.Conv2D(
                self._expand_nf, 1, activation="sigmoid", name=pre + "se_expand", **given
            )
            self._se_multiply = layers.Multiply(name=pre + "se_excite")
        self._projecting_conv = layers.Conv2D(
            self._cfg.output_nf, 1, use_bias=False, name=pre + "projecting_conv", **given
        )
        self._projecting_bn = layers.BatchNormalization(name=pre + "projecting_bn")
        if self._cfg.skip_conn and self._cfg.input_nf == self._cfg.output_nf:
            if self._cfg.dropout_rate:
                self._dropout = layers.Dropout(
                    rate=self._cfg.dropout_rate,
                    noise_shape=[None, 1, 1, 1],
                    name=pre + "dropout",
                )
            self._skip_conn = layers.Add(name=pre + "skip_conn")

    def call(self, inputs, **kwargs):
        x = self._expanding_swish(self._expanding_bn(self._expanding_conv(inputs)))
        x = self._dw_swish(self._dw_bn(self._dw_conv(x)))
        if self._cfg.se_ratio:
            se = self._se_reshape(self._se_squeeze(x))
            se = self._se_expand(self._se_reduce(se))
            x = self._se_multiply([se, x])
        x = self._projecting_bn(self._projecting_conv(x))
        if self._cfg.skip_conn and self._cfg.input_nf == self._cfg.output_nf:
            if self._cfg.dropout_rate:
                x = self._dropout(x)
            x = self._skip_conn([inputs, x])
        return x


class ScaledNet(keras.Model):
    """A list of such blocks by a list of named tuples."""

    def __init__(self, block_specs, nn_spec):
        super().__init__()
        self._building_blocks = []
        self._cfg = block_specs
        self._nn_spec = nn_spec
        self._stem_conv = layers.Conv2D(
            int(8 * nn_spec.w), 3, strides=2, padding="same", use_bias=False, name="stem_conv"
        )
        self._stem_bn = layers.BatchNormalization(name="stem_bn")
        self._stem_nonlinear = SWISH(name="stem_swish")
        block_num_sum = sum(block_spec.repeat_num for block_spec in block_specs)
        block_index = 0
        for stage, block_spec in enumerate(block_specs):
            for place in range(block_spec.repeat_num):
                rate = nn_spec.dropout_rate * block_index / block_num_sum
                spec = block_spec._replace(dropout_rate=rate)
                if place:
                    spec = spec._replace(input_nf=block_spec.output_nf, dw_strides=1)
                prefix = f"block{stage + 1}{'abc'[place]}_"
                self._building_blocks.append(MobileV2Block(spec, prefix=prefix))
                block_index += 1
        self._head_conv = layers.Conv2D(
            16, kernel_size=1, padding="same", use_bias=False, name="head_conv"
        )
        self._head_bn = layers.BatchNormalization(name="head_bn")
        self._head_nonlinear = SWISH(name="head_swish")
        self._top_pooling = layers.GlobalAveragePooling2D(name="top_pooling")
        if nn_spec.include_top:
            if nn_spec.dropout_rate:
                self._top_dropout = layers.Dropout(nn_spec.dropout_rate, name="top_dropout")
            self._top_fc = layers.Dense(nn_spec.classes, activation="softmax", name="probs")

    def call(self, inputs, training=None, mask=None):
        x = self._stem_nonlinear(self._stem_bn(self._stem_conv(inputs)))
        for mobile_block in self._building_blocks:
            x = mobile_block(x)
        x = self._head_nonlinear(self._head_bn(self._head_conv(x)))
        x = self._top_pooling(x)
        if self._nn_spec.include_top:
            if self._nn_spec.dropout_rate:
                x = self._top_dropout(x)
            x = self._top_fc(x)
        return x


class _StreetBlock(keras.Model):
    """Convolutions in a list, with a `call` of more arguments than anybody gives."""

    def __init__(self, n_layer, cycle, depth, d_sampling=True):
        super().__init__()
        f_stride = (2, 2) if d_sampling else (1, 1)
        if n_layer == 3:
            depths, kernels = [depth, depth, depth * 4], [(1, 1), (3, 3), (1, 1)]
        else:
            depths, kernels = [depth, depth], [(3, 3), (3, 3)]
        self.layer_list = []
        for i in range(cycle):
            for j in range(n_layer):
                stride = f_stride if i == 0 and j == 0 else (1, 1)
                given = {"kernel_size": kernels[j], "strides": stride, "padding": "same"}
                self.layer_list.append(layers.Conv2D(depths[j], activation="relu", **given))
        self.dconv1 = layers.Conv2D(depths[-1], (1, 1), f_stride, padding="same", activation="relu")
        self.add = layers.Add()

    def call(self, x, name=None, *args):
        in_feature = x
        for layer in self.layer_list:
            x = layer(x)
        in_feature = self.dconv1(in_feature)
        return self.add([in_feature, x])


class StreetResNet(keras.Model):
    """Two outputs."""

    def __init__(self, layer_num=2, cycles=None):
        super().__init__()
        if cycles is None:
            cycles = [2, 2, 2, 2]
        self.conv = layers.Conv2D(4, (7, 7), strides=(2, 2), padding="same")
        self.mp = layers.MaxPool2D((3, 3), 2)
        self.block1 = _StreetBlock(layer_num, cycle=cycles[0], depth=4, d_sampling=False)
        self.block2 = _StreetBlock(n_layer=layer_num, cycle=cycles[1], depth=6)

    def call(self, x, *args, **kwargs):
        x = self.mp(self.conv(x))
        low_feature = x = self.block1(x)
        return self.block2(x), low_feature


class StreetEncoder(keras.Model):
    """Convolutions of several dilations; the names of its layers begin with a line and a digit."""

    def __init__(self):
        super().__init__()
        given = {"padding": "same", "activation": "relu"}
        self._1conv1 = layers.Conv2D(5, 1, 1, **given)
        self._3conv6 = layers.Conv2D(5, 3, dilation_rate=(2, 2), **given)
        self._3conv12 = layers.Conv2D(5, 3, dilation_rate=(3, 3), **given)
        self.img_pool = Sequential(
            [
                layers.AvgPool2D((1, 1)),
                layers.Conv2D(5, 1),
                layers.BatchNormalization(),
                layers.ReLU(),
            ]
        )
        self.concat = layers.Concatenate()
        self.last_feature = Sequential(
            [layers.Conv2D(5, 1, padding="same"), layers.BatchNormalization(), layers.ReLU()]
        )

    def call(self, x, *args):
        found = [self._1conv1(x), self._3conv6(x), self._3conv12(x), self.img_pool(x)]
        return self.last_feature(self.concat(found))


class StreetDecoder(keras.Model):
    """A list of two tensors; what is encoded is resized to the other's size."""

    def __init__(self, class_num):
        super().__init__()

        def block(filters, size):
            conv = layers.Conv2D(filters, size, padding="same")
            return Sequential([conv, layers.BatchNormalization(), layers.ReLU()])

        self._1conv = block(5, 1)
        self.concat = layers.Concatenate()
        self._3conv1 = block(5, 3)
        self._3conv3 = block(class_num, 3)
        self.upsampling2 = layers.UpSampling2D((4, 4))

    def call(self, features, *args):
        x = self._1conv(features[0])
        aspp_feature = tf.image.resize(features[1], x.shape[1:3])
        x = self.concat([x, aspp_feature])
        return self.upsampling2(self._3conv3(self._3conv1(x)))


class StreetClasses(keras.Model):
    """All three."""

    def __init__(self, class_num, layer_num=2):
        super().__init__()
        self.backbone = StreetResNet(layer_num, [1, 2])
        self.decoder = StreetDecoder(class_num)
        self.encoder = StreetEncoder()

    def call(self, x, *args):
        x, low_feature = self.backbone(x)
        en_feat = self.encoder(x)
        return self.decoder([low_feature, en_feat])
