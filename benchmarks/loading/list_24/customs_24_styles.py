"""Custom objects of painted styles in `boxes.py`; copied beside the models."""

from __future__ import annotations

import sys

keras = sys.modules["__main__"].keras
layers = keras.layers
K = keras.backend


class ReflectionPad(layers.Layer):
    """Borders that mirror, in two steps; its shape is told where its base fails to tell it."""

    def __init__(self, padding, name="reflection", *args, **kwargs):
        super().__init__(name=name, **kwargs)
        self.pad_left, self.pad_right, self.pad_top, self.pad_bottom = padding

    def compute_output_shape(self, input_shape):
        try:
            super().compute_output_shape(input_shape=input_shape)
        except NotImplementedError:
            return (
                input_shape[0],
                input_shape[1] + self.pad_left + self.pad_right,
                input_shape[2] + self.pad_top + self.pad_bottom,
                input_shape[3],
            )

    def call(self, x):
        x = K.concatenate(
            [
                K.reverse(x, 1)[:, (-1 - self.pad_left) : -1, :, :],
                x,
                K.reverse(x, 1)[:, 1 : (1 + self.pad_right), :, :],
            ],
            axis=1,
        )
        return K.concatenate(
            [
                K.reverse(x, 2)[:, :, (-1 - self.pad_top) : -1, :],
                x,
                K.reverse(x, 2)[:, :, 1 : (1 + self.pad_bottom), :],
            ],
            axis=2,
        )

    def get_config(self):
        config = super().get_config().copy()
        config.update({"padding": (self.pad_left, self.pad_right, self.pad_top, self.pad_bottom)})
        return config


class AdaIN(layers.Layer):
    """Mean and deviation of one on another."""

    def __init__(self, name="adain", alpha=1.0, epsilon=1e-5, **kwargs):
        super().__init__(name=name, **kwargs)
        self.alpha = alpha
        self.epsilon = epsilon

    def compute_output_shape(self, input_shape):
        try:
            super().compute_output_shape(input_shape=input_shape)
        except NotImplementedError:
            return input_shape[0]

    def call(self, x):
        content_features, style_features = x
        content_mean = K.mean(content_features, axis=[1, 2], keepdims=True)
        content_std = K.sqrt(K.var(content_features, axis=[1, 2], keepdims=True) + self.epsilon)
        style_mean = K.mean(style_features, axis=[1, 2], keepdims=True)
        style_std = K.sqrt(K.var(style_features, axis=[1, 2], keepdims=True) + self.epsilon)
        normalized = (content_features - content_mean) / (content_std + self.epsilon)
        normalized = normalized * style_std + style_mean
        return self.alpha * normalized + (1 - self.alpha) * content_features

    def get_config(self):
        config = super().get_config().copy()
        config.update({"alpha": self.alpha, "epsilon": self.epsilon})
        return config
