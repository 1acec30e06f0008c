"""Custom objects of the models in `models.py`; copied as `customs.py` beside them.

The Keras is chosen by the worker that imports this module, which runs in Keras 2.6 to 3.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras


def absolute_difference(pair):
    """Of two tensors."""
    return abs(pair[0] - pair[1])


def soft_clip(value):
    """An activation."""
    return value / (1.0 + abs(value))


class Shift(keras.layers.Layer):
    """Adds one learned vector."""

    def build(self, shape):
        self.shift = self.add_weight(name="shift", shape=(int(shape[-1]),), initializer="zeros")
        super().build(shape)

    def call(self, value):
        return value + self.shift


class Penalized(keras.layers.Layer):
    """A layer that adds a loss while it is called."""

    def __init__(self, rate=0.1, **others):
        super().__init__(**others)
        self.rate = rate

    def call(self, value):
        self.add_loss(self.rate * tf.reduce_mean(value * value))
        return value

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


class Blocks(keras.Model):
    """A subclass with layers in an attribute and in a list."""

    def __init__(self, units=3, **others):
        super().__init__(**others)
        self.units = units
        self.blocks = [keras.layers.Dense(units, activation="tanh") for _ in range(2)]
        self.head = keras.layers.Dense(2)

    def call(self, value, training=False):
        for block in self.blocks:
            value = block(value)
        return self.head(value)

    def get_config(self):
        return {"units": self.units, "name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class GatedCell(keras.layers.Layer):
    """One step of a recurrent layer."""

    def __init__(self, units=3, **others):
        super().__init__(**others)
        self.units = self.state_size = self.output_size = units

    def build(self, shape):
        self.kernel = self.add_weight(name="kernel", shape=(int(shape[-1]), self.units))
        self.gate = self.add_weight(name="gate", shape=(self.units,), initializer="ones")
        super().build(shape)

    def call(self, value, states):
        found = tf.tanh(tf.matmul(value, self.kernel) + states[0] * self.gate)
        return found, [found]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


registered = keras.utils.register_keras_serializable(package="shop")


@registered
def gentle(value):
    """A registered activation."""
    return value / (2.0 + abs(value))


@registered
def cubed_error(truth, found):
    """A registered loss."""
    return tf.reduce_mean(abs(tf.cast(truth, found.dtype) - found) ** 3, axis=-1)


@registered
class Gain(keras.layers.Layer):
    """Multiplies by a learned number; registered."""

    def __init__(self, start=1.0, **others):
        super().__init__(**others)
        self.start = start

    def build(self, shape):
        initial = keras.initializers.Constant(self.start)
        self.gain = self.add_weight(name="gain", shape=(1,), initializer=initial)
        super().build(shape)

    def call(self, value):
        return value * self.gain

    def get_config(self):
        return {**super().get_config(), "start": self.start}


@registered
class ResidualUnit(keras.layers.Layer):
    """Two convolutions and batch normalization around a skip; registered."""

    def __init__(self, width, **others):
        super().__init__(**others)
        self.width = width
        self.one = keras.layers.Conv2D(width, 3, padding="same")
        self.norm = keras.layers.BatchNormalization()
        self.two = keras.layers.Conv2D(width, 3, padding="same")

    def call(self, value, training=False):
        inner = tf.nn.relu(self.norm(self.one(value), training=training))
        return tf.nn.relu(value + self.two(inner))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


@registered
class ResidualNet(keras.Model):
    """A registered subclass with layers that have layers."""

    def __init__(self, width=4, depth=2, **others):
        super().__init__(**others)
        self.width, self.depth = width, depth
        self.stem = keras.layers.Conv2D(width, 3, strides=2)
        self.units = [ResidualUnit(width) for _ in range(depth)]
        self.pool = keras.layers.GlobalAveragePooling2D()
        self.head = keras.Sequential(
            [keras.layers.Dense(5, activation="relu"), keras.layers.Dense(2)]
        )

    def call(self, value, training=False):
        value = self.stem(value)
        for unit in self.units:
            value = unit(value, training=training)
        return self.head(self.pool(value))

    def get_config(self):
        return {"width": self.width, "depth": self.depth, "name": self.name}


class TokenAndPosition(keras.layers.Layer):
    """Embeddings of tokens and of their places."""

    def __init__(self, length, vocabulary, width, **others):
        super().__init__(**others)
        self.length, self.vocabulary, self.width = length, vocabulary, width
        self.tokens = keras.layers.Embedding(vocabulary, width)
        self.places = keras.layers.Embedding(length, width)

    def call(self, value):
        return self.tokens(value) + self.places(tf.range(self.length))

    def get_config(self):
        own = {"length": self.length, "vocabulary": self.vocabulary, "width": self.width}
        return {**super().get_config(), **own}


class EncoderBlock(keras.layers.Layer):
    """Self-attention and a small network, each with a skip and normalization."""

    def __init__(self, width, heads, inner, rate=0.1, **others):
        super().__init__(**others)
        self.width, self.heads, self.inner, self.rate = width, heads, inner, rate
        self.attention = keras.layers.MultiHeadAttention(heads, width)
        layers = [keras.layers.Dense(inner, activation="relu"), keras.layers.Dense(width)]
        self.network = keras.Sequential(layers)
        self.first = keras.layers.LayerNormalization(epsilon=1e-6)
        self.second = keras.layers.LayerNormalization(epsilon=1e-6)
        self.dropout = keras.layers.Dropout(rate)

    def call(self, value, training=False):
        seen = self.attention(value, value)
        value = self.first(value + self.dropout(seen, training=training))
        return self.second(value + self.dropout(self.network(value), training=training))

    def get_config(self):
        own = {"width": self.width, "heads": self.heads, "inner": self.inner, "rate": self.rate}
        return {**super().get_config(), **own}
