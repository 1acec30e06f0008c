"""Custom objects of boxes on images in `boxes.py`; copied beside the models."""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


def get_number_default_boxes(aspect_ratios, extra_box_for_ar_1=True):
    """Boxes of one cell."""
    num_aspect_ratios = len(aspect_ratios)
    extra = (1.0 in aspect_ratios) and extra_box_for_ar_1
    return num_aspect_ratios + 1 if extra else num_aspect_ratios


def center_to_corner(boxes):
    """Boxes by their corners."""
    found = boxes.copy()
    found[..., 0] = boxes[..., 0] - boxes[..., 2] / 2.0
    found[..., 1] = boxes[..., 1] - boxes[..., 3] / 2.0
    found[..., 2] = boxes[..., 0] + boxes[..., 2] / 2.0
    found[..., 3] = boxes[..., 1] + boxes[..., 3] / 2.0
    return found


def corner_to_center(boxes):
    """Boxes by their middles."""
    found = boxes.copy()
    found[..., 0] = (boxes[..., 0] + boxes[..., 2]) / 2.0
    found[..., 1] = (boxes[..., 1] + boxes[..., 3]) / 2.0
    found[..., 2] = boxes[..., 2] - boxes[..., 0]
    found[..., 3] = boxes[..., 3] - boxes[..., 1]
    return found


def generate_default_boxes_for_feature_map(
    feature_map_size,
    image_size,
    offset,
    scale,
    next_scale,
    aspect_ratios,
    variances,
    extra_box_for_ar_1,
    clip_boxes=True,
):
    """Boxes of all cells, with their variances."""
    assert len(offset) == 2, "offset must be of len 2"
    grid_size = image_size / feature_map_size
    offset_x, offset_y = offset
    num_default_boxes = get_number_default_boxes(
        aspect_ratios, extra_box_for_ar_1=extra_box_for_ar_1
    )
    wh_list = []
    for ar in aspect_ratios:
        if ar == 1.0 and extra_box_for_ar_1:
            both = image_size * np.sqrt(scale * next_scale)
            wh_list.append([both * np.sqrt(ar), both * (1 / np.sqrt(ar))])
        wh_list.append([image_size * scale * np.sqrt(ar), image_size * scale * (1 / np.sqrt(ar))])
    wh_list = np.array(wh_list, dtype=float)
    cx = np.linspace(offset_x * grid_size, image_size - (offset_x * grid_size), feature_map_size)
    cy = np.linspace(offset_y * grid_size, image_size - (offset_y * grid_size), feature_map_size)
    cx_grid, cy_grid = np.meshgrid(cx, cy)
    cx_grid, cy_grid = np.expand_dims(cx_grid, axis=-1), np.expand_dims(cy_grid, axis=-1)
    default_boxes = np.zeros((feature_map_size, feature_map_size, num_default_boxes, 4))
    default_boxes[:, :, :, 0] = np.tile(cx_grid, (1, 1, num_default_boxes))
    default_boxes[:, :, :, 1] = np.tile(cy_grid, (1, 1, num_default_boxes))
    default_boxes[:, :, :, 2] = wh_list[:, 0]
    default_boxes[:, :, :, 3] = wh_list[:, 1]
    if clip_boxes:
        default_boxes = np.clip(center_to_corner(default_boxes), 0, image_size - 1)
        default_boxes = corner_to_center(default_boxes)
    default_boxes[:, :, :, [0, 2]] /= image_size
    default_boxes[:, :, :, [1, 3]] /= image_size
    variances_tensor = np.zeros_like(default_boxes)
    variances_tensor += variances
    return np.concatenate([default_boxes, variances_tensor], axis=-1)


class DefaultBoxes(layers.Layer):
    """Boxes for each cell of a map of features."""

    def __init__(
        self,
        image_shape,
        scale,
        next_scale,
        aspect_ratios,
        variances,
        offset=(0.5, 0.5),
        extra_box_for_ar_1=True,
        clip_boxes=True,
        **kwargs,
    ):
        self.image_shape = image_shape
        self.scale = scale
        self.next_scale = next_scale
        self.aspect_ratios = aspect_ratios
        self.extra_box_for_ar_1 = extra_box_for_ar_1
        self.clip_boxes = (clip_boxes,)
        self.variances = variances
        self.offset = offset
        super().__init__(**kwargs)

    def build(self, input_shape):
        _, feature_map_height, feature_map_width, _ = input_shape
        image_height, image_width, _ = self.image_shape
        assert feature_map_height == feature_map_width
        assert image_height == image_width
        self.feature_map_size = min(feature_map_height, feature_map_width)
        self.image_size = min(image_height, image_width)
        super().build(input_shape)

    def call(self, inputs):
        default_boxes = generate_default_boxes_for_feature_map(
            feature_map_size=self.feature_map_size,
            image_size=self.image_size,
            offset=self.offset,
            scale=self.scale,
            next_scale=self.next_scale,
            aspect_ratios=self.aspect_ratios,
            variances=self.variances,
            extra_box_for_ar_1=self.extra_box_for_ar_1,
            clip_boxes=self.clip_boxes,
        )
        default_boxes = np.expand_dims(default_boxes, axis=0)
        default_boxes = tf.constant(default_boxes, dtype="float32")
        return tf.tile(default_boxes, (tf.shape(inputs)[0], 1, 1, 1, 1))

    def get_config(self):
        config = {
            "image_shape": self.image_shape,
            "scale": self.scale,
            "next_scale": self.next_scale,
            "aspect_ratios": self.aspect_ratios,
            "extra_box_for_ar_1": self.extra_box_for_ar_1,
            "clip_boxes": self.clip_boxes,
            "variances": self.variances,
            "offset": self.offset,
            "feature_map_size": self.feature_map_size,
            "image_size": self.image_size,
        }
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class L2Normalization(layers.Layer):
    """Features of one length, which is learned for each channel."""

    def __init__(self, gamma_init=20, axis=-1, **kwargs):
        self.axis = axis
        self.gamma_init = gamma_init
        super().__init__(**kwargs)

    def build(self, input_shape):
        gamma = self.gamma_init * np.ones((input_shape[self.axis],), dtype=np.float32)
        self.gamma = tf.Variable(gamma, trainable=True)
        super().build(input_shape)

    def call(self, inputs):
        return tf.math.l2_normalize(inputs, self.axis) * self.gamma

    def get_config(self):
        config = {"gamma_init": self.gamma_init, "axis": self.axis}
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class SMOOTH_L1_LOSS:
    """How far boxes are."""

    def compute(self, y_true, y_pred):
        abs_loss = tf.abs(y_true - y_pred)
        square_loss = 0.5 * (y_true - y_pred) ** 2
        res = tf.where(tf.less(abs_loss, 1.0), square_loss, abs_loss - 0.5)
        return tf.reduce_sum(res, axis=-1)


class SOFTMAX_LOSS:
    """How wrong classes are."""

    def compute(self, y_true, y_pred):
        y_pred = tf.maximum(y_pred, 1e-15)
        return -1 * tf.reduce_sum(y_true * tf.math.log(y_pred), axis=-1)


class SSD_LOSS:
    """Both, with the worst of the empty boxes; no class of Keras."""

    def __init__(self, alpha=1, min_negative_boxes=0, negative_boxes_ratio=3):
        self.alpha = alpha
        self.min_negative_boxes = min_negative_boxes
        self.negative_boxes_ratio = negative_boxes_ratio
        self.smooth_l1_loss = SMOOTH_L1_LOSS()
        self.softmax_loss = SOFTMAX_LOSS()

    def compute(self, y_true, y_pred):
        batch_size = tf.shape(y_true)[0]
        num_boxes = tf.shape(y_true)[1]
        bbox_true, bbox_pred = y_true[:, :, -12:-8], y_pred[:, :, -12:-8]
        class_true, class_pred = y_true[:, :, :-12], y_pred[:, :, :-12]
        regression_loss = self.smooth_l1_loss.compute(bbox_true, bbox_pred)
        classification_loss = self.softmax_loss.compute(class_true, class_pred)
        negatives = class_true[:, :, 0]
        positives = tf.reduce_max(class_true[:, :, 1:], axis=-1)
        num_positives = tf.cast(tf.reduce_sum(positives), tf.int32)
        pos_regression_loss = tf.reduce_sum(regression_loss * positives, axis=-1)
        pos_classification_loss = tf.reduce_sum(classification_loss * positives, axis=-1)
        neg_classification_loss = classification_loss * negatives
        num_neg = tf.math.count_nonzero(neg_classification_loss, dtype=tf.int32)
        num_neg_keep = tf.minimum(
            tf.maximum(self.negative_boxes_ratio * num_positives, self.min_negative_boxes),
            num_neg,
        )

        def f1():
            return tf.zeros([batch_size])

        def f2():
            neg_1d = tf.reshape(neg_classification_loss, [-1])
            _, indices = tf.nn.top_k(neg_1d, k=num_neg_keep, sorted=False)
            negatives_keep = tf.scatter_nd(
                indices=tf.expand_dims(indices, axis=1),
                updates=tf.ones_like(indices, dtype=tf.int32),
                shape=tf.shape(neg_1d),
            )
            negatives_keep = tf.reshape(negatives_keep, [batch_size, num_boxes])
            negatives_keep = tf.cast(negatives_keep, tf.float32)
            return tf.reduce_sum(classification_loss * negatives_keep, axis=-1)

        neg_classification_loss = tf.cond(tf.equal(num_neg, tf.constant(0)), f1, f2)
        classification_loss = pos_classification_loss + neg_classification_loss
        total = classification_loss + self.alpha * pos_regression_loss
        total = total / tf.maximum(1.0, tf.cast(num_positives, tf.float32))
        return total * tf.cast(batch_size, tf.float32)
