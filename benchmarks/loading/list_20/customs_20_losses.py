"""Losses and metrics of models of `images.py`, `photos.py` and `boxes.py`; copied as
`customs_20_losses.py` beside the models.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
K, losses = keras.backend, keras.losses


def first_loss(y_true, y_pred):
    """Squares, and a little of an entropy."""
    binary_cross = losses.binary_crossentropy(y_true, y_pred)
    return K.mean(K.square(y_pred - y_true), axis=-1) + 1e-3 * binary_cross


def dice_coeff(y_true, y_pred):
    """Overlap of persons."""
    smooth = 1.0
    y_true_f = K.flatten(y_true)
    y_pred_f = K.flatten(y_pred)
    intersection = K.sum(y_true_f * y_pred_f)
    return (2.0 * intersection + smooth) / (K.sum(y_true_f) + K.sum(y_pred_f) + smooth)


def persons_dice_loss(y_true, y_pred):
    """What is left of one."""
    return 1 - dice_coeff(y_true, y_pred)


def crack_dice_coef(y_true, y_pred):
    """Overlap of cracks."""
    y_true_f = K.flatten(y_true)
    y_pred_f = K.flatten(y_pred)
    intersection = K.sum(y_true_f * y_pred_f)
    total = K.sum(y_true_f) + K.sum(y_pred_f)
    return (2.0 * intersection + K.epsilon()) / (total + K.epsilon())


def crack_dice_loss(y_true, y_pred):
    """What is left of one."""
    return 1 - crack_dice_coef(y_true, y_pred)


def lung_dice_coef(y_true, y_pred, smooth=1):
    """Overlap of lungs."""
    y_true_f = K.flatten(y_true)
    y_pred_f = K.flatten(y_pred)
    intersection = K.sum(y_true_f * y_pred_f)
    return (2.0 * intersection + smooth) / (K.sum(y_true_f) + K.sum(y_pred_f) + smooth)


def lung_tversky(y_true, y_pred, smooth=1, alpha=0.7):
    """An overlap that counts one kind of error more."""
    y_true_pos = K.flatten(y_true)
    y_pred_pos = K.flatten(y_pred)
    true_pos = K.sum(y_true_pos * y_pred_pos)
    false_neg = K.sum(y_true_pos * (1 - y_pred_pos))
    false_pos = K.sum((1 - y_true_pos) * y_pred_pos)
    total = true_pos + alpha * false_neg + (1 - alpha) * false_pos
    return (true_pos + smooth) / (total + smooth)


def lung_tversky_loss(y_true, y_pred):
    """What is left of one."""
    return 1 - lung_tversky(y_true, y_pred)


def expend_as(tensor, rep):
    """Channels repeated by a function with an argument."""
    return keras.layers.Lambda(
        lambda x, repnum: K.repeat_elements(x, repnum, axis=3), arguments={"repnum": rep}
    )(tensor)


class DiceLossByClass:
    """A loss as the method of an object that knows the shape."""

    def __init__(self, input_shape, class_num):
        self.__input_h = input_shape[0]
        self.__input_w = input_shape[1]
        self.__class_num = class_num

    def dice_of_class(self, y_true, y_pred):
        y_true = K.flatten(y_true)
        y_pred = K.flatten(y_pred)
        intersection = K.sum(y_true * y_pred)
        denominator = K.sum(y_true) + K.sum(y_pred)
        if denominator == 0:
            return 1
        if intersection == 0:
            return 1 / (denominator + 1)
        return (2.0 * intersection) / denominator

    def nuclei_dice_loss(self, y_true, y_pred):
        shape = (-1, self.__input_h, self.__input_w, self.__class_num)
        y_trues = tf.unstack(tf.reshape(y_true, shape), axis=3)
        y_preds = tf.unstack(tf.reshape(y_pred, shape), axis=3)
        found = []
        for place, y_t in enumerate(y_trues):
            found.append((1 - self.dice_of_class(y_t, y_preds[place])) * 3)
        return tf.reduce_sum(tf.stack(found))


class PixelGan:
    """Holds the loss of a generator as a method."""

    def ab_loss(self, y_true, y_pred):
        return losses.mean_absolute_error(y_true, y_pred)
