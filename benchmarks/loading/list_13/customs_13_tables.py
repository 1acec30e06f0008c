"""Custom objects of the models of tags, rules and agents in `series.py`; copied as
`customs_13_tables.py` beside the models.

None is registered. The conditional random field has a config of its own; the others have none.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class ConditionalRandomField(layers.Layer):
    """Scores of neighbouring tags, which learn faster; its losses are methods."""

    def __init__(self, lr_multiplier=1, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.lr_multiplier = lr_multiplier

    def build(self, input_shape):
        super().build(input_shape)
        wide = input_shape[-1]
        self._trans = self.add_weight(
            name="trans", shape=(wide, wide), initializer="glorot_uniform", trainable=True
        )
        if self.lr_multiplier != 1:
            self._trans.assign(self._trans / self.lr_multiplier)

    @property
    def trans(self):
        if self.lr_multiplier != 1:
            return self.lr_multiplier * self._trans
        return self._trans

    def compute_mask(self, inputs, mask=None):
        return None

    def call(self, inputs, mask=None):
        if mask is None:
            return inputs
        shown = tf.cast(mask, inputs.dtype)[..., tf.newaxis]
        return inputs * shown - 1e12 * (1.0 - shown)

    def dense_loss(self, y_true, y_pred):
        points = tf.einsum("bni,bni->b", y_true, y_pred)
        pairs = tf.einsum("bni,ij,bnj->b", y_true[:, :-1], self.trans, y_true[:, 1:])
        state = y_pred[:, 0]
        for place in range(1, 5):
            step = state[:, :, tf.newaxis] + self.trans[tf.newaxis]
            state = tf.reduce_logsumexp(step, 1) + y_pred[:, place]
        return tf.reduce_logsumexp(state, 1) - points - pairs

    def sparse_loss(self, y_true, y_pred):
        y_true = tf.reshape(y_true, tf.shape(y_pred)[:-1])
        return self.dense_loss(tf.one_hot(tf.cast(y_true, "int32"), y_pred.shape[-1]), y_pred)

    def sparse_accuracy(self, y_true, y_pred):
        y_true = tf.cast(tf.reshape(y_true, tf.shape(y_pred)[:-1]), "int32")
        same = tf.equal(y_true, tf.cast(tf.argmax(y_pred, 2), "int32"))
        return tf.reduce_mean(tf.cast(same, "float32"))

    def get_config(self):
        return {**super().get_config(), "lr_multiplier": self.lr_multiplier}


class MadeSeries(keras.Model):
    """One cell several times in a stack, by the arguments of a command line."""

    def __init__(self, args):
        super().__init__()
        self.module_name = args.module_name
        self.hidden_dim = args.hidden_dim
        self.num_layers = args.num_layers
        self.rnn_cell = layers.GRUCell(units=self.hidden_dim, activation="tanh")
        self.rnn_cells = layers.StackedRNNCells([self.rnn_cell for _ in range(self.num_layers)])
        self.rnn = layers.RNN(self.rnn_cells, return_sequences=True, return_state=True)
        self.linear = layers.Dense(self.hidden_dim, activation=tf.nn.sigmoid)

    def call(self, noise):
        output = self.rnn(noise)[0]
        return self.linear(output)


class ValueNetwork(keras.Model):
    """A Sequential model, filled layer by layer, inside a subclass."""

    def __init__(self, input_dim):
        super().__init__()
        self.net = keras.Sequential()
        self.net.add(layers.InputLayer(input_shape=input_dim))
        self.net.add(layers.Dense(8))
        self.net.add(layers.ReLU())
        self.net.add(layers.Dense(8))
        self.net.add(layers.ReLU())
        self.net.add(layers.Dense(1))

    def call(self, state):
        return self.net(state)


def equally_spaced(shape, minval=-1.5, maxval=1.5, dtype=tf.float32):
    """An initializer: the same steps for each column."""
    steps = tf.reshape(tf.linspace(minval, maxval, shape[0]), (-1, 1))
    return tf.cast(tf.tile(steps, (1, shape[1])), dtype)


class FuzzyLayer(layers.Layer):
    """How far every number belongs to every set."""

    def __init__(self, n_input, n_memb, memb_func="gaussian", **kwargs):
        super().__init__(**kwargs)
        self.n = n_input
        self.m = n_memb
        self.memb_func = memb_func

    def build(self, batch_input_shape):
        self.batch_size = batch_input_shape[0]
        shape = (self.m, self.n)
        self.mu = self.add_weight(
            name="mu", shape=shape, initializer=equally_spaced, trainable=True
        )
        self.sigma = self.add_weight(
            name="sigma",
            shape=shape,
            initializer=keras.initializers.RandomUniform(minval=0.7, maxval=1.3, seed=1),
            trainable=True,
        )
        super().build(batch_input_shape)

    def call(self, x_inputs):
        rows = tf.reshape(tf.tile(x_inputs, (1, self.m)), (-1, self.m, self.n))
        return tf.exp(-1 * tf.square(tf.subtract(rows, self.mu)) / tf.square(self.sigma))


class RuleLayer(layers.Layer):
    """Products of all sets of two numbers; it knows the size of its batches."""

    def __init__(self, n_input, n_memb, **kwargs):
        super().__init__(**kwargs)
        self.n = n_input
        self.m = n_memb
        self.batch_size = None

    def build(self, batch_input_shape):
        self.batch_size = batch_input_shape[0]
        super().build(batch_input_shape)

    def call(self, input_):
        first = tf.reshape(input_[:, :, 0], [self.batch_size, -1, 1])
        second = tf.reshape(input_[:, :, 1], [self.batch_size, 1, -1])
        return tf.reshape(first * second, [self.batch_size, -1])


class NormLayer(layers.Layer):
    """Shares of the whole."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def call(self, w):
        return w / tf.reshape(tf.reduce_sum(w, axis=1), (-1, 1))


class DefuzzLayer(layers.Layer):
    """A line for each rule; its weights are made before it is built."""

    def __init__(self, n_input, n_memb, **kwargs):
        super().__init__(**kwargs)
        self.n = n_input
        self.m = n_memb
        self.CP_bias = self.add_weight(
            name="Consequence_bias",
            shape=(1, self.m**self.n),
            initializer=keras.initializers.RandomUniform(minval=-2, maxval=2),
            trainable=True,
        )
        self.CP_weight = self.add_weight(
            name="Consequence_weight",
            shape=(self.n, self.m**self.n),
            initializer=keras.initializers.RandomUniform(minval=-2, maxval=2),
            trainable=True,
        )

    def call(self, w_norm, input_):
        return tf.multiply(w_norm, tf.matmul(input_, self.CP_weight) + self.CP_bias)


class SummationLayer(layers.Layer):
    """The sum of all rules."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def build(self, batch_input_shape):
        self.batch_size = batch_input_shape[0]
        super().build(batch_input_shape)

    def call(self, input_):
        return tf.reshape(tf.reduce_sum(input_, axis=1), (-1, 1))
