"""Custom objects of detectors and networks of blocks in `images.py` and `blocks.py`;
copied as `customs_12_images.py` beside the models.

The layers of the library of blocks are registered and have a config; all others are and have not.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
registered = keras.utils.register_keras_serializable(package="blocks")


class FeaturePyramid(layers.Layer):
    """Maps of five sizes from a model that is given."""

    def __init__(self, backbone=None, **kwargs):
        super().__init__(name="FeaturePyramid", **kwargs)
        self.backbone = backbone
        self.conv_c3_1x1 = layers.Conv2D(8, 1, 1, "same")
        self.conv_c4_1x1 = layers.Conv2D(8, 1, 1, "same")
        self.conv_c5_1x1 = layers.Conv2D(8, 1, 1, "same")
        self.conv_c3_3x3 = layers.Conv2D(8, 3, 1, "same")
        self.conv_c4_3x3 = layers.Conv2D(8, 3, 1, "same")
        self.conv_c5_3x3 = layers.Conv2D(8, 3, 1, "same")
        self.conv_c6_3x3 = layers.Conv2D(8, 3, 2, "same")
        self.conv_c7_3x3 = layers.Conv2D(8, 3, 2, "same")
        self.upsample_2x = layers.UpSampling2D(2)

    def call(self, images, training=False):
        c3, c4, c5 = self.backbone(images, training=training)
        p3, p4, p5 = self.conv_c3_1x1(c3), self.conv_c4_1x1(c4), self.conv_c5_1x1(c5)
        p4 = p4 + self.upsample_2x(p5)
        p3 = p3 + self.upsample_2x(p4)
        p3, p4, p5 = self.conv_c3_3x3(p3), self.conv_c4_3x3(p4), self.conv_c5_3x3(p5)
        p6 = self.conv_c6_3x3(c5)
        return p3, p4, p5, p6, self.conv_c7_3x3(tf.nn.relu(p6))


def build_head(output_filters, bias_init):
    """A Sequential model that all maps share."""
    head = keras.Sequential([keras.Input(shape=[None, None, 8])])
    kernel_init = tf.initializers.RandomNormal(0.0, 0.01)
    for _ in range(2):
        head.add(layers.Conv2D(8, 3, padding="same", kernel_initializer=kernel_init))
        head.add(layers.ReLU())
    head.add(
        layers.Conv2D(
            output_filters,
            3,
            1,
            padding="same",
            kernel_initializer=kernel_init,
            bias_initializer=bias_init,
        )
    )
    return head


class RetinaNet(keras.Model):
    """Boxes and classes from every map, by two heads."""

    def __init__(self, num_classes, backbone=None, **kwargs):
        super().__init__(name="RetinaNet", **kwargs)
        self.fpn = FeaturePyramid(backbone)
        self.num_classes = num_classes
        prior = tf.constant_initializer(-np.log((1 - 0.01) / 0.01))
        self.cls_head = build_head(3 * num_classes, prior)
        self.box_head = build_head(3 * 4, "zeros")

    def call(self, image, training=False):
        rows = tf.shape(image)[0]
        classes, boxes = [], []
        for feature in self.fpn(image, training=training):
            boxes.append(tf.reshape(self.box_head(feature), [rows, -1, 4]))
            classes.append(tf.reshape(self.cls_head(feature), [rows, -1, self.num_classes]))
        return tf.concat([tf.concat(boxes, axis=1), tf.concat(classes, axis=1)], axis=-1)


class RetinaNetLoss(keras.losses.Loss):
    """Smooth distances of boxes and a focal loss of classes; its constructor sets the rest."""

    def __init__(self, num_classes=80, alpha=0.25, gamma=2.0, delta=1.0):
        super().__init__(reduction="sum_over_batch_size", name="RetinaNetLoss")
        self._num_classes, self._alpha, self._gamma, self._delta = num_classes, alpha, gamma, delta

    def call(self, y_true, y_pred):
        off = tf.abs(y_true[:, :, :4] - y_pred[:, :, :4])
        box = tf.reduce_sum(tf.where(off < self._delta, 0.5 * off**2, off - 0.5), axis=-1)
        label = tf.one_hot(tf.cast(y_true[:, :, 4], tf.int32), depth=self._num_classes)
        cross = tf.nn.sigmoid_cross_entropy_with_logits(labels=label, logits=y_pred[:, :, 4:])
        true = tf.where(tf.equal(label, 1.0), tf.sigmoid(y_pred[:, :, 4:]), 1.0)
        focal = tf.reduce_sum(self._alpha * tf.pow(1.0 - true, self._gamma) * cross, axis=-1)
        return tf.reduce_mean(box + focal, axis=-1)


class FrozenBatchNorm2D(layers.Layer):
    """Statistics that are never trained."""

    def __init__(self, eps=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.eps = eps

    def build(self, input_shape):
        made = {"shape": [input_shape[-1]], "trainable": False}
        self.weight = self.add_weight(name="weight", initializer="ones", **made)
        self.bias = self.add_weight(name="bias", initializer="zeros", **made)
        self.running_mean = self.add_weight(name="running_mean", initializer="zeros", **made)
        self.running_var = self.add_weight(name="running_variance", initializer="ones", **made)

    def call(self, x):
        scale = self.weight * tf.math.rsqrt(self.running_var + self.eps)
        return x * scale + (self.bias - self.running_mean * scale)


class BottleNeck(keras.Model):
    """Three convolutions around a skip, as a model."""

    def __init__(self, dim1, dim2, strides=1, **kwargs):
        super().__init__(**kwargs)
        self.pad = layers.ZeroPadding2D(1)
        self.relu = layers.ReLU(name="relu")
        self.conv1 = layers.Conv2D(dim1, kernel_size=1, use_bias=False, name="conv1")
        self.bn1 = FrozenBatchNorm2D(name="bn1")
        self.conv2 = layers.Conv2D(dim2, 3, strides=strides, use_bias=False, name="conv2")
        self.bn2 = FrozenBatchNorm2D(name="bn2")
        self.downsample_conv = layers.Conv2D(
            dim2, kernel_size=1, strides=strides, use_bias=False, name="downsample_0"
        )

    def call(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(self.pad(out)))
        return self.relu(out + self.downsample_conv(x))


class PackedAttention(layers.Layer):
    """Attention whose three projections are one weight; time comes first."""

    def __init__(self, model_dim, num_heads, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.model_dim = model_dim
        self.num_heads = num_heads
        self.head_dim = model_dim // num_heads
        self.dropout = layers.Dropout(rate=dropout)

    def build(self, input_shapes):
        in_dim = sum(shape[-1] for shape in input_shapes[:3])
        draw = {"initializer": "glorot_uniform", "trainable": True}
        self.in_proj_weight = self.add_weight(
            name="in_proj_kernel", shape=(in_dim, self.model_dim), **draw
        )
        self.in_proj_bias = self.add_weight(
            name="in_proj_bias", shape=(in_dim,), initializer="zeros"
        )
        self.out_proj_weight = self.add_weight(
            name="out_proj_kernel", shape=(self.model_dim, self.model_dim), **draw
        )

    def call(self, inputs, training=False):
        rows = tf.shape(inputs[0])[1]
        heads = []
        for number, each in enumerate(inputs):
            part = slice(number * self.model_dim, (number + 1) * self.model_dim)
            value = tf.matmul(each, self.in_proj_weight[part, :], transpose_b=True)
            value = value + self.in_proj_bias[part]
            shape = [tf.shape(each)[0], rows * self.num_heads, self.head_dim]
            heads.append(tf.transpose(tf.reshape(value, shape), [1, 0, 2]))
        query, key, value = heads
        scores = tf.matmul(query * float(self.head_dim) ** -0.5, key, transpose_b=True)
        scores = self.dropout(tf.nn.softmax(scores, axis=-1), training=training)
        found = tf.transpose(tf.matmul(scores, value), [1, 0, 2])
        found = tf.reshape(found, [tf.shape(inputs[0])[0], rows, self.model_dim])
        return tf.matmul(found, self.out_proj_weight, transpose_b=True)


class DetrDecoderLayer(layers.Layer):
    """Queries that look at each other and then at the image."""

    def __init__(self, model_dim=8, num_heads=2, dim_feedforward=12, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self.self_attn = PackedAttention(model_dim, num_heads, dropout=dropout, name="self_attn")
        self.multihead_attn = PackedAttention(model_dim, num_heads, name="multihead_attn")
        self.dropout = layers.Dropout(dropout)
        self.activation = layers.Activation("relu")
        self.linear1 = layers.Dense(dim_feedforward, name="linear1")
        self.linear2 = layers.Dense(model_dim, name="linear2")
        self.norm1 = layers.LayerNormalization(epsilon=1e-5, name="norm1")
        self.norm2 = layers.LayerNormalization(epsilon=1e-5, name="norm2")

    def call(self, target, memory, pos_encoding=None, query_encoding=None, training=False):
        query = target + query_encoding
        seen = self.self_attn((query, query, target))
        target = self.norm1(target + self.dropout(seen, training=training))
        seen = self.multihead_attn((target + query_encoding, memory + pos_encoding, memory))
        target = target + self.dropout(seen, training=training)
        x = self.linear2(self.activation(self.linear1(target)))
        return self.norm2(target + self.dropout(x, training=training))


class FixedEmbedding(layers.Layer):
    """Learned vectors, whatever it is called with."""

    def __init__(self, embed_shape, **kwargs):
        super().__init__(**kwargs)
        self.embed_shape = embed_shape

    def build(self, input_shape=None):
        self.w = self.add_weight(
            name="kernel", shape=self.embed_shape, initializer="glorot_uniform", trainable=True
        )

    def call(self, x=None):
        return self.w


class DETR(keras.Model):
    """A fixed number of boxes and classes in a dictionary, from queries of an image."""

    def __init__(self, num_classes=5, num_queries=4, model_dim=8, num_decoder_layers=2, **kwargs):
        super().__init__(**kwargs)
        self.num_queries, self.model_dim = num_queries, model_dim
        self.backbone = BottleNeck(4, 6, strides=2, name="backbone")
        self.input_proj = layers.Conv2D(model_dim, kernel_size=1, name="input_proj")
        self.query_embed = FixedEmbedding((num_queries, model_dim), name="query_embed")
        self.dec_layers = [
            DetrDecoderLayer(model_dim, name=f"layer_{number}")
            for number in range(num_decoder_layers)
        ]
        self.class_embed = layers.Dense(num_classes, name="class_embed")
        self.bbox_embed_linear1 = layers.Dense(model_dim, name="bbox_embed_0")
        self.bbox_embed_linear2 = layers.Dense(4, name="bbox_embed_1")
        self.activation = layers.ReLU(name="re_lu")

    def places(self, x):
        ones = tf.ones_like(x[:, :, :, 0])
        both = (tf.cumsum(ones, axis=1), tf.cumsum(ones, axis=2))
        parts = [turn(each / 2.0**step) for each in both for step in (0, 1)
                 for turn in (tf.sin, tf.cos)]  # fmt: skip
        return tf.stack(parts, axis=-1)

    def call(self, x, training=False):
        x = self.input_proj(self.backbone(x))
        rows = tf.shape(x)[0]
        places = tf.transpose(tf.reshape(self.places(x), [rows, -1, self.model_dim]), [1, 0, 2])
        memory = tf.transpose(tf.reshape(x, [rows, -1, self.model_dim]), [1, 0, 2])
        query = tf.tile(tf.expand_dims(self.query_embed(x), axis=1), [1, rows, 1])
        found = tf.zeros_like(query)
        for layer in self.dec_layers:
            found = layer(
                found, memory, pos_encoding=places, query_encoding=query, training=training
            )
        found = tf.transpose(found, [1, 0, 2])
        boxes = self.bbox_embed_linear2(self.activation(self.bbox_embed_linear1(found)))
        return {"pred_logits": self.class_embed(found), "pred_boxes": tf.sigmoid(boxes)}


class YOLO(keras.Model):
    """A subclass of Model around a Functional model that it makes of another."""

    def __init__(self, backbone, cell_size=3, boxes_per_cell=2, num_classes=4):
        super().__init__()
        depth = boxes_per_cell * 5 + num_classes
        x = layers.GlobalAveragePooling2D()(backbone.output)
        x = layers.Dense(cell_size * cell_size * depth, activation=None)(x)
        reshape = keras.ops.reshape if hasattr(keras, "ops") else tf.reshape
        output = reshape(x, [-1, cell_size, cell_size, depth])
        self.model = keras.Model(inputs=backbone.input, outputs=output)

    def call(self, x):
        return self.model(x)


@registered
class PureWeights(layers.Layer):
    """Gives its weight, whatever it is called with; the config leaves out the initial values."""

    def __init__(self, shape, initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.shape, self.initializer = shape, initializer

    def build(self, input_shape):
        self.gain = self.add_weight(
            name="gain", initializer=self.initializer, shape=self.shape, trainable=True
        )
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        return self.gain

    def get_config(self):
        config = super().get_config()
        config.update({"shape": self.shape})
        return config

    def compute_output_shape(self, input_shape):
        return self.shape


@registered
class PlacesEmbedding(layers.Layer):
    """Adds a learned map."""

    def build(self, input_shape):
        self.pp = self.add_weight(
            name="positional_embedding", shape=(1, *input_shape[1:]), initializer="zeros"
        )
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        return inputs + self.pp


@registered
class ChannelAffine(layers.Layer):
    """A scale of every channel, and a shift if it is wanted."""

    def __init__(self, use_bias=True, weight_init_value=1, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.use_bias, self.weight_init_value, self.axis = use_bias, weight_init_value, axis

    def build(self, input_shape):
        self.ww = self.add_weight(
            name="weight",
            shape=(input_shape[-1],),
            initializer=keras.initializers.Constant(self.weight_init_value),
        )
        if self.use_bias:
            self.bb = self.add_weight(name="bias", shape=(input_shape[-1],), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs):
        return inputs * self.ww + self.bb if self.use_bias else inputs * self.ww

    def get_config(self):
        config = super().get_config()
        config.update(
            use_bias=self.use_bias, weight_init_value=self.weight_init_value, axis=self.axis
        )
        return config
