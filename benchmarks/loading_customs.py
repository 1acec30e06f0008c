"""Custom objects of the models in `loading_models.py`; copied as `customs.py` beside them.

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
