"""Custom losses and metrics of masks, and a norm that can be frozen, for `photos.py`; copied
beside the models.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
K = keras.backend


@keras.utils.register_keras_serializable()
class MaskSimilarity(keras.metrics.Metric):
    """Structural similarity of the last batch; its config has another name for an argument."""

    def __init__(
        self, filter_size=3, filter_sigma=1.5, max_val=1.0, name="mask_similarity", **kwargs
    ):
        super().__init__(name=name, **kwargs)
        self.filter_size = filter_size
        self.filter_sigma = filter_sigma
        self.max_val = max_val

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.y_true = y_true
        self.y_pred = y_pred

    def result(self):
        return K.mean(
            tf.image.ssim(
                self.y_true,
                self.y_pred,
                filter_size=self.filter_size,
                filter_sigma=self.filter_sigma,
                max_val=self.max_val,
            )
        )

    def get_config(self):
        config = super().get_config()
        config["filter_size"] = self.filter_size
        config["filter_sigma"] = self.filter_sigma
        config["max_value"] = self.max_val
        return config


@keras.utils.register_keras_serializable()
class MaskSimilarityLoss(keras.losses.Loss):
    """1 less a metric that it holds; its config has another name for an argument."""

    def __init__(
        self,
        filter_size=11,
        filter_sigma=1.5,
        max_val=1.0,
        name="mask_similarity_loss",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.filter_size = filter_size
        self.filter_sigma = filter_sigma
        self.max_val = max_val
        self.metric = MaskSimilarity(
            filter_size=self.filter_size,
            filter_sigma=self.filter_sigma,
            max_val=self.max_val,
        )

    def call(self, y_true, y_pred):
        return 1.0 - self.metric(y_true, y_pred)

    def get_config(self):
        config = super().get_config()
        config["filter_size"] = self.filter_size
        config["filter_sigma"] = self.filter_sigma
        config["max_value"] = self.max_val
        return config


@keras.utils.register_keras_serializable()
class MaskEntropyLoss(keras.losses.Loss):
    """A loss of Keras in another."""

    def __init__(self, name="mask_entropy_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.loss_fnc = keras.losses.BinaryCrossentropy()

    def call(self, y_true, y_pred):
        return self.loss_fnc(y_true, y_pred)

    def get_config(self):
        return super().get_config()


@keras.utils.register_keras_serializable()
class MaskJoinedLoss(keras.losses.Loss):
    """The sum of both."""

    def __init__(
        self, ssim_filter_size=11, ssim_filter_sigma=1.5, name="mask_joined_loss", **kwargs
    ):
        super().__init__(name=name, **kwargs)
        self.ssim_filter_size = ssim_filter_size
        self.ssim_filter_sigma = ssim_filter_sigma
        self.f_similarity = MaskSimilarityLoss(
            filter_size=self.ssim_filter_size, filter_sigma=self.ssim_filter_sigma
        )
        self.f_entropy = MaskEntropyLoss()

    def call(self, y_true, y_pred):
        similarity_loss = self.f_similarity(y_true, y_pred)
        entropy_loss = self.f_entropy(y_true, y_pred)
        return similarity_loss + entropy_loss

    def get_config(self):
        config = super().get_config()
        config["ssim_filter_size"] = self.ssim_filter_size
        config["ssim_filter_sigma"] = self.ssim_filter_sigma
        return config


@keras.utils.register_keras_serializable()
class MaskDice(keras.metrics.Metric):
    """The overlap of the last batch, with no variables."""

    def __init__(self, scale=1.0, smooth=1e-6, name="mask_dice", **kwargs):
        super().__init__(name=name, **kwargs)
        self.scale = scale
        self.smooth = smooth

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.y_true = y_true
        self.y_pred = y_pred

    def result(self):
        y_true_f = K.flatten(self.y_true)
        y_pred_f = K.flatten(self.y_pred)
        intersection = K.sum(y_true_f * y_pred_f)
        total = K.sum(y_true_f) + K.sum(y_pred_f)
        return (2.0 * intersection + self.smooth) / (total + self.smooth) * self.scale

    def get_config(self):
        config = super().get_config()
        config["scale"] = self.scale
        config["smooth"] = self.smooth
        return config


class FreezableNorm(layers.BatchNormalization):
    """Batch normalization that can stay as it is; `freeze` has no default."""

    def __init__(self, freeze, *args, **kwargs):
        self.freeze = freeze
        super().__init__(*args, **kwargs)
        self.trainable = not self.freeze

    def call(self, *args, **kwargs):
        if self.freeze:
            kwargs["training"] = False
        return super().call(*args, **kwargs)

    def get_config(self):
        config = super().get_config()
        config.update({"freeze": self.freeze})
        return config
