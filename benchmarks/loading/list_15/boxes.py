"""A network of boxes in photos from public code, for `images.py`: inner models as heads,
Lambdas that use what is around them, and closures as losses.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats

ANCHORS = 3
CLASSES = 3


def grid_loss(k, anchors):
    """The loss of one grid."""

    def yolo_loss(y_true, y_pred):
        xy, wh, obj, kind = tf.split(y_pred, (2, 2, 1, CLASSES), axis=-1)
        box, there, index = tf.split(y_true, (4, 1, 1), axis=-1)
        center = (box[..., 0:2] + box[..., 2:4]) / 2
        size = tf.shape(y_true)[1]
        grid = tf.meshgrid(tf.range(size), tf.range(size))
        grid = tf.expand_dims(tf.stack(grid, axis=-1), axis=2)
        center = center * tf.cast(size, tf.float32) - tf.cast(grid, tf.float32)
        wide = tf.math.log((box[..., 2:4] - box[..., 0:2]) / anchors)
        wide = tf.where(tf.math.is_inf(wide), tf.zeros_like(wide), wide)
        mask = tf.squeeze(there, -1)
        first = tf.reduce_sum(mask * tf.reduce_sum(tf.square(center - xy), axis=-1))
        second = tf.reduce_sum(mask * tf.reduce_sum(tf.square(wide - wh), axis=-1))
        third = tf.reduce_sum(k.losses.binary_crossentropy(there, obj))
        fourth = k.losses.sparse_categorical_crossentropy(index, kind)
        return first + second + third + tf.reduce_sum(mask * fourth)

    return yolo_loss


class BoxModel:
    """Builds the network."""

    XY, WH, OBJ = 2, 2, 1

    def __init__(self, k):
        self.k = k

    def block(self, x, filters, size, strides=1, norm=True):
        layers, padding = self.k.layers, "same"
        if strides != 1:
            x, padding = layers.ZeroPadding2D(((1, 0), (1, 0)))(x), "valid"
        x = layers.Conv2D(
            filters=filters,
            kernel_size=size,
            strides=strides,
            padding=padding,
            use_bias=not norm,
            kernel_regularizer=self.k.regularizers.l2(0.0005),
        )(x)
        return layers.LeakyReLU(alpha=0.1)(layers.BatchNormalization()(x)) if norm else x

    def residual(self, x, filters):
        y = self.block(self.block(x, filters, 1), filters * 2, 3)
        return self.k.layers.Add()([x, y])

    def body(self):
        start = self.k.layers.Input([None, None, 3], name="_darknet53 in")
        x, outputs = self.block(start, 2, 3), []
        for filters in (2, 3, 4, 5, 6):
            x = self.residual(self.block(x, filters * 2, 3, strides=2), filters)
            outputs.append(x)
        return self.k.Model(start, tuple(outputs[2:]), name="darknet53")

    def head(self, filters, name):
        ngrids, nclasses = ANCHORS, CLASSES

        def network_head(x_in):
            x = start = self.k.layers.Input(x_in.shape[1:])
            for _ in range(2):
                x = self.block(self.block(x, filters, 1), filters * 2, 3)
            between = self.block(x, filters, 1)
            x = self.block(between, filters * 2, 3)
            ends = ngrids * (nclasses + (self.XY + self.WH + self.OBJ))
            x = self.block(x, ends, 1, norm=False)
            x = self.k.layers.Lambda(
                lambda x: tf.reshape(
                    x,
                    (
                        -1,
                        tf.shape(x)[1],
                        tf.shape(x)[2],
                        ngrids,
                        nclasses + (self.XY + self.WH + self.OBJ),
                    ),
                )
            )(x)
            return self.k.Model(start, (between, x), name=name)(x_in)

        return network_head

    def joined(self, x, skipped, filters):
        x = self.k.layers.UpSampling2D(2)(self.block(x, filters, 1))
        return self.k.layers.Concatenate()([x, skipped])

    def arranged(self, x, nclasses):
        layer = self.k.layers.Lambda
        xy, wh, obj, kind = layer(lambda x: tf.split(x, (2, 2, 1, nclasses), axis=-1))(x)
        # A Lambda saves a lambda as code, and `tf.sigmoid` by its name: the code is what is tried.
        squashed = [layer(lambda x: tf.sigmoid(x, name=None))(y) for y in (xy, obj, kind)]
        xy, obj, kind = squashed
        return layer(lambda x: tf.concat([x[0], x[1], x[2], x[3]], axis=-1))((xy, wh, obj, kind))

    def __call__(self):
        start = self.k.layers.Input([64, 64, 3], name="darknet53 input")
        first, second, last = self.body()(start)
        x, end0 = self.head(6, "head0")(last)
        x, end1 = self.head(5, "head1")(self.joined(x, second, 5))
        _, end2 = self.head(4, "head2")(self.joined(x, first, 4))
        outputs = tuple(self.arranged(each, CLASSES) for each in (end0, end1, end2))
        return self.k.Model(start, outputs, name="yolov3")


def grid_boxes(k):
    """Three grids of boxes, trained for a step."""
    model = BoxModel(k)()
    anchors = (np.arange(1, 19, dtype="float32").reshape(3, 3, 2)) / 20
    losses = [grid_loss(k, each) for each in anchors]
    model.compile(optimizer=k.optimizers.Adam(learning_rate=0.001), loss=losses, run_eagerly=False)
    targets = []
    for size in (2, 4, 8):
        target = np.zeros((1, size, size, 3, 6), "float32")
        target[0, 1, 1, 1] = (0.2, 0.3, 0.6, 0.8, 1.0, 2.0)
        targets.append(target)
    model.fit(INPUTS_OF["grid_boxes"][0], targets, verbose=0)
    return model


INPUTS_OF = {"grid_boxes": [np.abs(floats(1, 64, 64, 3))]}
MODELS = {"grid_boxes": (grid_boxes, INPUTS_OF["grid_boxes"])}
LAMBDAS = ("grid_boxes",)
