"""Custom objects of models of images and control in `images.py`; copied as `customs_20.py` beside
the models.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf
from tensorflow import nn

keras = sys.modules["__main__"].keras
layers, K = keras.layers, keras.backend
ROOT = np.sqrt(2)


def stacked_dense(sizes, activation, output_activation=None, name=""):
    """Dense layers whose names hold a slash."""
    found = []
    for j in range(len(sizes) - 1):
        act = activation if j < len(sizes) - 2 else output_activation
        name_of = name + f"/l{j + 1}"
        found += [layers.Dense(sizes[j + 1], input_shape=(sizes[j],), activation=act, name=name_of)]
    return keras.Sequential(found)


class LyapunovCritic(keras.Model):
    """How far from stable a state and an action are: `call` takes two tensors."""

    def __init__(
        self,
        obs_dim,
        act_dim,
        hidden_sizes,
        activation=nn.relu,
        output_activation=nn.relu,
        name="lyapunov_critic",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        sizes = [obs_dim + act_dim, *hidden_sizes]
        self.lya = stacked_dense(sizes, activation, output_activation, name=name)

    @tf.function
    def call(self, obs, act):
        net_out = self.lya(tf.concat([obs, act], axis=-1))
        return tf.expand_dims(tf.reduce_sum(tf.math.square(net_out), axis=1), axis=1)


@tf.custom_gradient
def guided_relu(x):
    """A relu with a gradient of its own."""

    def grad(dy):
        return tf.cast(dy > 0, "float32") * tf.cast(x > 0, "float32") * dy

    return tf.nn.relu(x), grad


def max_pool_with_places(net, ksize, strides):
    """Pooled values and where they were."""
    with tf.name_scope("MaxPoolArgMax"):
        return tf.nn.max_pool_with_argmax(net, ksize=ksize, strides=strides, padding="SAME")


def unpool(pool, ind, ksize=(1, 2, 2, 1), scope="unpool"):
    """Values back at their places."""
    with tf.compat.v1.variable_scope(scope):
        shape = tf.shape(pool)
        output_shape = [shape[0], shape[1] * ksize[1], shape[2] * ksize[2], shape[3]]
        flat_size = tf.reduce_prod(shape)
        flat_output = [output_shape[0], output_shape[1] * output_shape[2] * output_shape[3]]
        pool_ = tf.reshape(pool, [flat_size])
        batch_range = tf.reshape(
            tf.range(tf.cast(output_shape[0], tf.int64), dtype=ind.dtype),
            shape=[shape[0], 1, 1, 1],
        )
        b1 = tf.reshape(tf.ones_like(ind) * batch_range, [flat_size, 1])
        ind_ = tf.concat([b1, tf.reshape(ind, [flat_size, 1])], 1)
        ret = tf.scatter_nd(ind_, pool_, shape=tf.cast(flat_output, tf.int64))
        ret = tf.reshape(ret, output_shape)
        given = pool.get_shape()
        ret.set_shape([given[0], given[1] * ksize[1], given[2] * ksize[2], given[3]])
        return ret


class MaxPoolingWithArgmax2D(layers.Layer):
    """Pooling with two outputs, the places as floats."""

    def __init__(self, pool_size=(2, 2), strides=(2, 2), padding="same", **kwargs):
        super().__init__(**kwargs)
        self.padding = padding
        self.pool_size = pool_size
        self.strides = strides

    def call(self, inputs, **kwargs):
        if K.backend() != "tensorflow":
            raise NotImplementedError(f"{K.backend()} backend is not supported")
        ksize = [1, self.pool_size[0], self.pool_size[1], 1]
        strides = [1, self.strides[0], self.strides[1], 1]
        output, argmax = max_pool_with_places(inputs, ksize, strides)
        argmax = K.cast(argmax, K.floatx())
        return [output, argmax]

    def compute_output_shape(self, input_shape):
        ratio = (1, 2, 2, 1)
        output_shape = tuple(
            dim // ratio[idx] if dim is not None else None for idx, dim in enumerate(input_shape)
        )
        return [output_shape, output_shape]

    def compute_mask(self, inputs, mask=None):
        return 2 * [None]

    def get_config(self):
        config = super().get_config().copy()
        config.update(
            {"padding": self.padding, "pool_size": self.pool_size, "strides": self.strides}
        )
        return config


class MaxUnpooling2D(layers.Layer):
    """The other way, whose `call` has an argument that nobody gives."""

    def __init__(self, up_size=(2, 2), **kwargs):
        super().__init__(**kwargs)
        self.up_size = up_size

    def call(self, inputs, output_shape=None):
        updates = inputs[0]
        mask = tf.cast(inputs[1], dtype=tf.int64)
        return unpool(updates, mask, [1, self.up_size[0], self.up_size[1], 1])

    def compute_output_shape(self, input_shape):
        mask_shape = input_shape[1]
        return (
            mask_shape[0],
            mask_shape[1] * self.up_size[0],
            mask_shape[2] * self.up_size[1],
            mask_shape[3],
        )

    def get_config(self):
        config = super().get_config().copy()
        config.update({"up_size": self.up_size})
        return config


class AdaInstanceNormalization(layers.Layer):
    """An instance normalization by a style, all in its config."""

    def __init__(self, axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis
        self.momentum = momentum
        self.epsilon = epsilon
        self.center = center
        self.scale = scale

    def build(self, input_shape):
        super().build(input_shape)

    def call(self, inputs, training=None):
        input_shape = K.int_shape(inputs[0])
        reduction_axes = list(range(len(input_shape)))
        beta = inputs[1]
        gamma = inputs[2]
        if self.axis is not None:
            del reduction_axes[self.axis]
        del reduction_axes[0]
        mean = K.mean(inputs[0], reduction_axes, keepdims=True)
        stddev = K.std(inputs[0], reduction_axes, keepdims=True) + self.epsilon
        normed = (inputs[0] - mean) / stddev
        return normed * gamma + beta

    def get_config(self):
        config = {
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
        }
        base_config = super().get_config()
        return dict(list(base_config.items()) + list(config.items()))

    def compute_output_shape(self, input_shape):
        return input_shape[0]


class Linear(layers.Dense):
    """A dense layer whose options are told before its parent is made."""

    def __init__(
        self,
        units,
        activation=None,
        use_bias=True,
        noise=None,
        use_weight_scaling=False,
        gain=ROOT,
        lr_multiplier=1.0,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        self.use_weight_scaling = use_weight_scaling
        self.gain = gain
        self.lr_multiplier = lr_multiplier
        if use_weight_scaling:
            kernel_initializer = tf.initializers.random_normal(0, 1.0 / lr_multiplier)
        self.noise = noise
        super().__init__(
            units=units,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            **kwargs,
        )

    def build(self, input_shape):
        super().build(input_shape)
        if self.use_weight_scaling:
            fan_in = np.prod(tf.TensorShape(input_shape)[1:])
            self.runtime_coef = self.gain / np.sqrt(fan_in)
            self.runtime_coef *= self.lr_multiplier

    def call(self, inputs):
        kernel = self.kernel * self.runtime_coef if self.use_weight_scaling else self.kernel
        if inputs.dtype.base_dtype != self._compute_dtype_object.base_dtype:
            inputs = tf.cast(inputs, dtype=self._compute_dtype_object)
        rank = inputs.shape.rank
        if rank in (2, None):
            outputs = tf.raw_ops.MatMul(a=inputs, b=kernel)
        else:
            outputs = tf.tensordot(inputs, kernel, [[rank - 1], [0]])
        if self.noise:
            outputs = self.noise(outputs)
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, self.bias)
        if self.activation:
            outputs = self.activation(outputs)
        return outputs

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "use_weight_scaling": self.use_weight_scaling,
                "gain": self.gain,
                "lr_multiplier": self.lr_multiplier,
                "noise": self.noise and self.noise.get_config(),
            }
        )
        return config


class LinearGenerator(keras.Model):
    """Digits by own dense layers in a Sequential model; `call` has an option."""

    def __init__(self, conf):
        super().__init__()
        self.model = None
        self.image_shape = (conf["channel"], conf["input_size"], conf["input_size"])
        self.build_model(input_dim=conf["latent_dim"], size=conf["input_size"])

    def build_model(self, input_dim, size):
        model = [
            Linear(6, activation=tf.nn.leaky_relu, input_dim=input_dim),
            Linear(8, activation=tf.nn.leaky_relu),
            Linear(8, activation=tf.nn.leaky_relu),
            Linear(size**2, activation=tf.nn.tanh),
        ]
        self.model = keras.Sequential(model, name="generator")

    def call(self, x, reshape=False):
        x = self.model(x)
        if reshape:
            return tf.reshape(x, (-1, *self.image_shape))
        return x
