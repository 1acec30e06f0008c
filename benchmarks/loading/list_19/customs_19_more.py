"""More custom objects of models of images in `images.py`; copied as `customs_19_more.py` beside
the models.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers, K = keras.layers, keras.backend
activations, initializers, regularizers = keras.activations, keras.initializers, keras.regularizers
constraints = keras.constraints


@tf.custom_gradient
def adder2d_im2col(x_col, w_col):
    """Distances with a gradient of their own."""
    outputs = -tf.reduce_sum(tf.abs(tf.expand_dims(w_col, 0) - tf.expand_dims(x_col, 2)), 1)

    def adder2d_grad(upstream):
        apart = tf.expand_dims(x_col, 2) - tf.expand_dims(w_col, 0)
        up = tf.expand_dims(upstream, 1)
        grad_w = tf.reduce_sum(apart * up, 0)
        norm = tf.clip_by_value(tf.norm(grad_w, ord=2), 1e-12, tf.float32.max)
        grad_w = grad_w / norm * tf.sqrt(1.0 * w_col.shape[1] * w_col.shape[0]) / 5.0
        grad_x = tf.reduce_sum(-tf.clip_by_value(apart, -1, 1) * up, 2)
        return grad_x, grad_w

    return outputs, adder2d_grad


class Adder2D(layers.Layer):
    """A convolution by distances, written as Keras writes one; a whole config."""

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        groups=1,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        trainable=True,
        name=None,
        conv_op=None,
        automatic_differentiation=False,
        **kwargs,
    ):
        super().__init__(
            trainable=trainable,
            name=name,
            activity_regularizer=regularizers.get(activity_regularizer),
            **kwargs,
        )
        self.rank = 2
        self.filters = int(filters) if isinstance(filters, float) else filters
        self.groups = groups or 1
        self.kernel_size = (kernel_size,) * 2 if isinstance(kernel_size, int) else kernel_size
        self.kernel_size = tuple(self.kernel_size)
        self.strides = (strides,) * 2 if isinstance(strides, int) else tuple(strides)
        self.padding = padding.lower()
        self.data_format = data_format or K.image_data_format()
        rate = dilation_rate
        self.dilation_rate = (rate,) * 2 if isinstance(rate, int) else tuple(rate)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = layers.InputSpec(min_ndim=self.rank + 2)
        self._is_causal = self.padding == "causal"
        self.automatic_differentiation = automatic_differentiation

    def build(self, input_shape):
        input_shape = tf.TensorShape(input_shape)
        channels = int(input_shape[-1])
        self.kernel = self.add_weight(
            name="kernel",
            shape=self.kernel_size + (channels, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            trainable=True,
            dtype=self.dtype,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                trainable=True,
                dtype=self.dtype,
            )
        else:
            self.bias = None
        self.built = True

    def call(self, inputs):
        high, wide, _, n_filters = self.kernel.shape
        n_x = tf.shape(inputs)[0]
        patches = tf.image.extract_patches(
            inputs,
            sizes=[1, high, wide, 1],
            strides=[1, self.strides[0], self.strides[1], 1],
            rates=[1, 1, 1, 1],
            padding=self.padding.upper(),
        )
        _, h_out, w_out, _ = patches.shape
        x_col = tf.reshape(patches, [-1, patches.shape[-1]])
        w_col = tf.reshape(self.kernel, [-1, n_filters])
        outputs = tf.reshape(adder2d_im2col(x_col, w_col), [n_x, h_out, w_out, n_filters])
        if self.use_bias:
            outputs += self.bias[tf.newaxis, tf.newaxis, tf.newaxis, :]
        return self.activation(outputs) if self.activation is not None else outputs

    def get_config(self):
        config = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "groups": self.groups,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))


class PixelNormalization(layers.Layer):
    """Each pixel's features at unit length."""

    def __init__(self, epsilon: float = 1e-8, data_format: str = "channels_last", **kwargs):
        if not isinstance(epsilon, float):
            raise TypeError("epsilon must be a float")
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.data_format = data_format
        self.channel_axis = -1 if self.data_format in ("NHWC", "channels_last") else 1

    def call(self, inputs, **kwargs):
        square = tf.reduce_mean(tf.square(inputs), axis=self.channel_axis, keepdims=True)
        return inputs * tf.math.rsqrt(square + self.epsilon)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        base_config = super().get_config()
        base_config["epsilon"] = self.epsilon
        base_config["data_format"] = self.data_format
        return base_config


class WeightScalingWrapper(layers.Wrapper):
    """Scales a layer's kernel by a variable, and takes its bias and activation from it."""

    def __init__(self, layer, gain, **kwargs):
        if not isinstance(layer, layers.Layer):
            raise TypeError("wrapped layer must be a layer")
        name = kwargs.pop("name", f"{layer.name}/WeightScaled{layer.__class__.__name__}")
        super().__init__(layer=layer, name=name, **kwargs)
        self.gain = gain
        self.has_bias = hasattr(self.layer, "bias") or hasattr(self.layer, "use_bias")
        self.use_bias = self.has_bias and self.layer.use_bias
        self.has_activation = hasattr(self.layer, "activation")
        self.activation = None
        self.has_data_format = hasattr(self.layer, "data_format")
        name = f"{self.layer.name}/weight_scale"
        self.weight_scale = tf.Variable(0.0, False, dtype=tf.float32, name=name)

    def build(self, input_shape=None):
        if not self.layer.built:
            self.layer.build(input_shape=input_shape)
        shape = self.layer.kernel.shape
        fan_in = np.prod([int(size) for size in shape[:-1]])
        self.weight_scale.assign(float(np.sqrt(self.gain / fan_in)))
        if self.has_bias:
            self.layer.use_bias = False
        if self.has_activation:
            self.activation = self.layer.activation
            self.layer.activation = None
        self.built = True

    def call(self, inputs, **kwargs):
        outputs = self.weight_scale * self.layer.call(inputs)
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, self.layer.bias)
        if self.activation is not None:
            outputs = self.activation(outputs)
        return outputs

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape=input_shape)

    def get_config(self):
        base_config = super().get_config()
        base_config["gain"] = self.gain
        base_config["layer"]["config"]["activation"] = activations.serialize(self.activation)
        base_config["layer"]["config"]["use_bias"] = self.use_bias
        return base_config
