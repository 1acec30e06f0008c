"""Custom objects of generators, agents and filled photos in `fakes.py` and `images.py`;
copied as `customs_18_fakes.py` beside the models.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


def pixelwise_feature_norm(x, epsilon=1e-8):
    """Of length one at every pixel."""
    return x / tf.sqrt(tf.reduce_mean(tf.square(x), axis=-1, keepdims=True) + epsilon)


class Bias(layers.Layer):
    """A bias after the scale; it keeps a config that nobody reads."""

    def __init__(self, shape, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.shape = shape
        self._config = {"shape": shape}
        self.b = self.add_weight(name="bias", shape=shape, initializer="zeros", trainable=True)

    def call(self, x):
        return x + self.b


class Lerp(layers.Layer):
    """From one image to another by a number that is given as a tensor."""

    def __init__(self, t, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.t = t

    def call(self, a, b, *args, **kwargs):
        return a + (b - a) * tf.clip_by_value(self.t, 0.0, 1.0)


class PasswordBlock(keras.Model):
    """A block whose kernels are as wide as its filters, five steps at a time."""

    def __init__(self, dim):
        super().__init__()
        self.res_block = keras.Sequential(
            [
                layers.ReLU(True),
                layers.Conv1D(dim, dim, 5, padding="same"),
                layers.ReLU(True),
                layers.Conv1D(dim, dim, 5, padding="same"),
            ]
        )

    def call(self, inputs, **kwargs):
        return inputs + (0.3 * self.res_block(inputs))


class BuildGenerator(keras.Model):
    """Two passwords from noise, whatever the batch."""

    def __init__(self, layer_dim, seq_len):
        super().__init__()
        dim = layer_dim
        self.dim = layer_dim
        self.seq_len = seq_len
        self.fc1 = layers.Dense(16, activation="linear", input_shape=(dim * seq_len,))
        self.block = keras.Sequential([PasswordBlock(dim), PasswordBlock(dim), PasswordBlock(dim)])
        self.conv1 = layers.Conv1D(16, 8, 1, padding="valid")
        self.softmax = layers.Softmax(axis=1)

    def call(self, noise, **kwargs):
        output = tf.reshape(self.fc1(noise), (-1, 2, 16))
        output = tf.reshape(self.block(output), [1, 8, 4])
        output = tf.transpose(self.conv1(output), [0, 2, 1])
        return tf.reshape(self.softmax(output), [2, 1, 8])


class PolicyNet(keras.Model):
    """Convolutions with an activation made in the call, and a softmax over actions."""

    def __init__(self, obs_shape, num_actions):
        super().__init__(name="Policy_Net")
        given = {"padding": "same", "activation": "linear"}
        given["kernel_initializer"] = keras.initializers.Orthogonal(np.sqrt(2))
        given["bias_initializer"] = keras.initializers.Zeros()
        self.conv1 = layers.Conv2D(
            filters=4, kernel_size=(8, 8), strides=(4, 4), input_shape=obs_shape, **given
        )
        self.conv2 = layers.Conv2D(filters=5, kernel_size=(4, 4), strides=(2, 2), **given)
        self.conv3 = layers.Conv2D(filters=6, kernel_size=(3, 3), strides=(1, 1), **given)
        self.flatten = layers.Flatten()
        self.dense1 = layers.Dense(
            8,
            kernel_initializer=keras.initializers.Orthogonal(np.sqrt(2)),
            bias_initializer=keras.initializers.Zeros(),
            activation="relu",
        )
        self.out = layers.Dense(num_actions, activation="softmax")

    @tf.function
    def call(self, inputs):
        x = layers.LeakyReLU()(self.conv1(inputs))
        x = layers.LeakyReLU()(self.conv2(x))
        x = layers.LeakyReLU()(self.conv3(x))
        return self.out(self.dense1(self.flatten(x)))


class RBMBernoulli(layers.Layer):
    """A restricted Boltzmann machine for images, with variables of TensorFlow."""

    def __init__(self, hidden_units, training=True, k=1, lr=0.01):
        super().__init__()
        self.hidden_units = hidden_units
        self.k = k
        self.lr = lr
        self.training = training

    def build(self, input_shape):
        self.flat_shape = input_shape[1] * input_shape[2] * input_shape[3]
        hidden = self.hidden_units
        self.b = tf.Variable(tf.zeros(shape=(hidden,)), name="b", trainable=False)
        self.a = tf.Variable(tf.zeros(shape=(self.flat_shape,)), name="a", trainable=False)
        drawn = tf.random.normal(shape=(self.flat_shape, hidden), stddev=0.3)
        self.W = tf.Variable(drawn, name="W", trainable=False)

    def call(self, inputs, training=True):
        inputs = tf.reshape(inputs, [-1, self.flat_shape])
        if self.training:
            return self.contrastive_divergence(inputs)
        return self.h_given_v(inputs)

    def h_given_v(self, v):
        return tf.nn.sigmoid(self.b + tf.matmul(v, self.W))

    def v_given_h(self, h):
        return tf.nn.sigmoid(self.a + tf.matmul(h, tf.transpose(self.W)))

    def contrastive_divergence(self, v):
        for _ in range(self.k):
            h = self.h_given_v(v)
            h = tf.nn.relu(tf.sign(h - tf.random.uniform(tf.shape(h))))
            v = self.v_given_h(h)
        return v


class CoordinateChannel2D(layers.Layer):
    """Where a pixel is, as two more channels; with a config."""

    def __init__(self, use_radius=False, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.use_radius = use_radius
        self.data_format = "channels_last" if data_format is None else data_format
        self.axis = -1
        self.input_spec = layers.InputSpec(min_ndim=2)

    def build(self, input_shape):
        self.input_spec = layers.InputSpec(min_ndim=4, axes={self.axis: input_shape[self.axis]})
        self.built = True

    def call(self, inputs, training=None, mask=None):
        shape = tf.shape(inputs)
        rows = tf.linspace(-1.0, 1.0, shape[1])[None, :, None, None]
        columns = tf.linspace(-1.0, 1.0, shape[2])[None, None, :, None]
        size = tf.stack([shape[0], shape[1], shape[2], 1])
        found = [inputs, tf.broadcast_to(rows, size), tf.broadcast_to(columns, size)]
        return tf.concat(found, axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 2)

    def get_config(self):
        config = {"use_radius": self.use_radius, "data_format": self.data_format}
        return {**super().get_config(), **config}


def get_norm(name):
    """A layer by name."""
    return layers.BatchNormalization() if name == "batch" else None


def get_activation(name):
    """Another layer by name."""
    if name == "leaky_relu":
        return layers.LeakyReLU(0.2)
    return layers.ReLU() if name == "relu" else layers.Activation("sigmoid")


class HoleUpBlock(keras.Model):
    """Twice as large, with coordinates before."""

    def __init__(self, mode="nearest", scale=2, coord_conv=True):
        super().__init__()
        self.mode = mode
        found = [CoordinateChannel2D(data_format="channels_last")] if coord_conv else []
        found.append(layers.UpSampling2D(size=scale, interpolation=mode))
        self.up = keras.Sequential(found)

    def call(self, x):
        return self.up(x)


class EncodeBlock(keras.Model):
    """A Sequential model from a list of what is wanted."""

    def __init__(self, c_in, c_out, size, stride, coord_conv=True, norm=None, active=None):
        super().__init__()
        self.c_in = c_in
        self.c_out = c_out
        found = [CoordinateChannel2D(data_format="channels_last")] if coord_conv else []
        given = {"kernel_size": size, "strides": stride, "padding": "same"}
        found.append(layers.Conv2D(filters=self.c_out, **given))
        if norm:
            found.append(get_norm(norm))
        if active:
            found.append(get_activation(active))
        self.encode = keras.Sequential(found)

    def call(self, x):
        return self.encode(x)


class DecodeBlock(keras.Model):
    """Up, joined with what went down, and through a Sequential model."""

    def __init__(self, c_from_up, c_from_down, c_out, mode, size, norm, active):
        super().__init__()
        self.c_from_down = c_from_down
        self.c_out = c_out
        self.up = HoleUpBlock(mode)
        found = [CoordinateChannel2D(data_format="channels_last")]
        found.append(layers.Conv2D(filters=c_out, kernel_size=size, strides=1, padding="same"))
        found += [get_norm(norm), get_activation(active)]
        self.decode = keras.Sequential(found)

    def call(self, x, concat=None):
        out = self.up(x)
        if self.c_from_down > 0:
            out = tf.concat([out, concat], axis=-1)
        return self.decode(out)


class FusionBlock(keras.Model):
    """The photo where it is known, what is drawn elsewhere."""

    def __init__(self, c_alpha=1):
        super().__init__()
        given = {"kernel_size": 1, "strides": 1, "padding": "same"}
        self.map2img = keras.Sequential(
            [layers.Conv2D(filters=3, **given), get_activation("sigmoid")]
        )
        found = [layers.Conv2D(filters=6, **given), get_norm("batch"), get_activation("leaky_relu")]
        found += [layers.Conv2D(filters=c_alpha, **given), get_activation("sigmoid")]
        self.blend = keras.Sequential(found)

    def call(self, missing, features):
        missing = tf.image.resize(missing, tf.shape(features)[1:3])
        raw = self.map2img(features)
        alpha = self.blend(tf.concat([missing, raw], axis=-1))
        return alpha * raw + (1 - alpha) * missing, alpha, raw


class DFNet(keras.Model):
    """Encoders under two names, decoders and fusions in lists; three lists of outputs."""

    def __init__(self, c_alpha=3, mode="nearest", en_ksize=(7,), de_ksize=(3,), fuse_index=(0,)):
        super().__init__()
        self.n_en = len(en_ksize)
        self.n_de = len(de_ksize)
        self.fuse_index = fuse_index
        self.en = [EncodeBlock(4, 4, en_ksize[0], 2, None, None)]
        for size in en_ksize[1:]:
            c_in = self.en[-1].c_out
            self.en.append(EncodeBlock(c_in, c_in + 2, size, 2, norm="batch", active="relu"))
        for i, en in enumerate(self.en):
            self.__setattr__(f"en_{i}", en)
        self.de = []
        self.fuse = []
        for i, size in enumerate(de_ksize):
            c_from_up = self.en[-1].c_out if i == 0 else self.de[-1].c_out
            c_out = self.en[-i - 1].c_in
            self.de.append(DecodeBlock(c_from_up, c_out, c_out, mode, size, "batch", "leaky_relu"))
            if self.n_de - i - 1 in fuse_index:
                self.fuse.append(FusionBlock(c_alpha))

    def call(self, inputs):
        masked, mask = inputs
        out = tf.concat([masked, mask], axis=-1)
        kept = [out]
        for encode in self.en:
            out = encode(out)
            kept.append(out)
        results, alphas, raws = [], [], []
        for i, decode in enumerate(self.de):
            out = decode(out, kept[-i - 2])
            place = self.n_de - 1 - i
            if place in self.fuse_index:
                result, alpha, raw = self.fuse[self.fuse_index.index(place)](masked, out)
                results.append(result)
                alphas.append(alpha)
                raws.append(raw)
        return results[::-1], alphas[::-1], raws[::-1]
