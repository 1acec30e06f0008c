"""Custom objects of recommenders in `tables.py`; copied as `customs_12_tables.py` beside the
models. All have a config of their own, none is registered.
"""

from __future__ import annotations

import itertools
import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers


class Configured(layers.Layer):
    """A layer whose config is what `KEPT` names; its subclasses keep their arguments by it."""

    KEPT = ()

    def get_config(self):
        return {**super().get_config(), **{name: getattr(self, name) for name in self.KEPT}}


class DNN(Configured):
    """Dense layers by weights of its own."""

    KEPT = ("hidden_units", "activation", "l2_reg", "dropout_rate", "use_bn", "seed")

    def __init__(
        self,
        hidden_units,
        activation="relu",
        l2_reg=0,
        dropout_rate=0,
        use_bn=False,
        seed=1024,
        **kwargs,
    ):
        self.hidden_units = hidden_units
        self.activation = activation
        self.l2_reg, self.dropout_rate = l2_reg, dropout_rate
        self.use_bn, self.seed = use_bn, seed
        super().__init__(**kwargs)

    def build(self, input_shape):
        sizes = [int(input_shape[-1]), *self.hidden_units]
        self.kernels = [
            self.add_weight(
                name=f"kernel{number}",
                shape=(sizes[number], sizes[number + 1]),
                initializer=keras.initializers.GlorotNormal(seed=self.seed),
                regularizer=keras.regularizers.l2(self.l2_reg),
                trainable=True,
            )
            for number in range(len(self.hidden_units))
        ]
        self.bias = [
            self.add_weight(name=f"bias{number}", shape=(width,), initializer="zeros")
            for number, width in enumerate(self.hidden_units)
        ]
        self.dropout_layers = [layers.Dropout(self.dropout_rate) for _ in self.hidden_units]
        self.activation_layers = [layers.Activation(self.activation) for _ in self.hidden_units]
        super().build(input_shape)

    def call(self, inputs, training=None, **kwargs):
        value = inputs
        for number in range(len(self.hidden_units)):
            value = tf.tensordot(value, self.kernels[number], axes=(-1, 0)) + self.bias[number]
            value = self.activation_layers[number](value)
            value = self.dropout_layers[number](value, training=training)
        return value

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.hidden_units[-1])


class PredictionHead(Configured):
    """A bias for all, and a probability."""

    KEPT = ("task", "use_bias")

    def __init__(self, task="binary", use_bias=True, **kwargs):
        self.task, self.use_bias = task, use_bias
        super().__init__(**kwargs)

    def build(self, input_shape):
        if self.use_bias:
            self.global_bias = self.add_weight(shape=(1,), initializer="zeros", name="global_bias")
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        x = inputs + self.global_bias if self.use_bias else inputs
        return tf.reshape(tf.sigmoid(x) if self.task == "binary" else x, (-1, 1))

    def compute_output_shape(self, input_shape):
        return (None, 1)


class DynamicGRU(Configured):
    """A GRU that stops where each row ends, whose length is an input."""

    KEPT = ("num_units", "gru_type", "return_sequence")

    def __init__(self, num_units=None, gru_type="GRU", return_sequence=True, **kwargs):
        self.num_units, self.gru_type = num_units, gru_type
        self.return_sequence = return_sequence
        super().__init__(**kwargs)

    def build(self, input_shape):
        wide = int(input_shape[0][-1])
        self.num_units = self.num_units or wide
        self.gru_cell = layers.GRUCell(self.num_units, reset_after=False)
        self.gru_cell.build((None, wide))
        super().build(input_shape)

    def call(self, input_list):
        sequence, length = input_list
        state = tf.zeros_like(sequence[:, 0, :1]) + tf.zeros((self.num_units,))
        found = []
        for step in range(sequence.shape[1]):
            output, states = self.gru_cell(sequence[:, step], [state])
            new = states[0] if isinstance(states, (list, tuple)) else states
            alive = tf.cast(tf.less(step, length), sequence.dtype)
            state = alive * new + (1.0 - alive) * state
            found.append(alive * output)
        return tf.stack(found, axis=1) if self.return_sequence else state[:, tf.newaxis]

    def compute_output_shape(self, input_shape):
        steps = input_shape[0][1] if self.return_sequence else 1
        return (input_shape[0][0], steps, input_shape[0][-1])


class InterestPooling(Configured):
    """A sum of what was seen, weighed by a network that it makes when it is built."""

    KEPT = ("att_hidden_units", "att_activation", "weight_normalization")

    def __init__(
        self,
        att_hidden_units=(80, 40),
        att_activation="sigmoid",
        weight_normalization=False,
        **kwargs,
    ):
        self.att_hidden_units = att_hidden_units
        self.att_activation = att_activation
        self.weight_normalization = weight_normalization
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.dnn = DNN(self.att_hidden_units, self.att_activation)
        self.kernel = self.add_weight(
            shape=(self.att_hidden_units[-1], 1), initializer="glorot_normal", name="kernel"
        )
        super().build(input_shape)

    def call(self, inputs, training=None):
        query, keys, length = inputs
        query = tf.repeat(query, keys.shape[1], axis=1)
        seen = self.dnn(
            tf.concat([query, keys, query - keys, query * keys], axis=-1), training=training
        )
        scores = tf.transpose(tf.tensordot(seen, self.kernel, axes=(-1, 0)), (0, 2, 1))
        alive = tf.sequence_mask(length, keys.shape[1])
        if self.weight_normalization:
            scores = tf.nn.softmax(tf.where(alive, scores, -(2.0**32) + 1))
        else:
            scores = tf.where(alive, scores, tf.zeros_like(scores))
        return tf.matmul(scores, keys)

    def compute_output_shape(self, input_shape):
        return (None, 1, input_shape[0][-1])


class InterestTransformer(Configured):
    """Attention of a row over itself with weights of its own, without what is past its end."""

    KEPT = ("att_embedding_size", "head_num", "use_res", "seed")

    def __init__(self, att_embedding_size=1, head_num=8, use_res=True, seed=1024, **kwargs):
        self.att_embedding_size, self.head_num = att_embedding_size, head_num
        self.use_res, self.seed = use_res, seed
        super().__init__(**kwargs)

    def build(self, input_shape):
        wide = int(input_shape[0][-1])
        width = self.att_embedding_size * self.head_num
        self.projections = [
            self.add_weight(
                name=name,
                shape=[wide, width],
                initializer=keras.initializers.TruncatedNormal(seed=self.seed + number),
            )
            for number, name in enumerate(("query", "key", "value"))
        ]
        self.fw1 = self.add_weight(name="fw1", shape=[width, 4 * width])
        self.fw2 = self.add_weight(name="fw2", shape=[4 * width, width])
        self.ln = layers.LayerNormalization()
        super().build(input_shape)

    def call(self, inputs, training=None):
        queries, keys, _, length = inputs
        sources = (queries, keys, keys)
        parts = [
            tf.concat(
                tf.split(
                    tf.tensordot(each, self.projections[number], axes=(-1, 0)), self.head_num, 2
                ),
                0,
            )
            for number, each in enumerate(sources)
        ]
        scores = tf.matmul(parts[0], parts[1], transpose_b=True)
        scores = scores / float(self.att_embedding_size) ** 0.5
        alive = tf.tile(tf.sequence_mask(length, keys.shape[1]), [self.head_num, 1, 1])
        scores = tf.nn.softmax(tf.where(alive, scores, -(2.0**32) + 1))
        found = tf.concat(tf.split(tf.matmul(scores, parts[2]), self.head_num, axis=0), axis=2)
        found = self.ln(found + queries if self.use_res else found)
        hidden = tf.nn.relu(tf.tensordot(found, self.fw1, axes=[-1, 0]))
        return found + tf.tensordot(hidden, self.fw2, axes=[-1, 0])

    def compute_output_shape(self, input_shape):
        return (None, input_shape[0][1], self.att_embedding_size * self.head_num)


class FwFMLayer(Configured):
    """Products of all pairs of fields, each with a strength."""

    KEPT = ("num_fields", "regularizer")

    def __init__(self, num_fields=4, regularizer=0.000001, **kwargs):
        self.num_fields = num_fields
        self.regularizer = regularizer
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.field_strengths = self.add_weight(
            name="field_pair_strengths",
            shape=(self.num_fields, self.num_fields),
            initializer=keras.initializers.TruncatedNormal(),
            regularizer=keras.regularizers.l2(self.regularizer),
            trainable=True,
        )
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        total = 0.0
        for one, two in itertools.combinations(range(self.num_fields), 2):
            product = tf.reduce_sum(inputs[:, one] * inputs[:, two], axis=1, keepdims=True)
            total = total + product * self.field_strengths[one, two]
        return total

    def compute_output_shape(self, input_shape):
        return (None, 1)


class FGCNNLayer(Configured):
    """New features from convolutions over the fields; layers in lists, made when it is built."""

    KEPT = ("filters", "kernel_width", "new_maps", "pooling_width")

    def __init__(
        self, filters=(14, 16), kernel_width=(7, 7), new_maps=(3, 3), pooling_width=(2, 2), **kwargs
    ):
        self.filters, self.kernel_width = filters, kernel_width
        self.new_maps, self.pooling_width = new_maps, pooling_width
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.conv_layers, self.pooling_layers, self.dense_layers = [], [], []
        fields, wide = int(input_shape[1]), int(input_shape[-1])
        for number, filters in enumerate(self.filters):
            pool = self.pooling_width[number]
            fields //= pool
            kernel = (self.kernel_width[number], 1)
            self.conv_layers.append(
                layers.Conv2D(filters, kernel, padding="same", activation="tanh")
            )
            self.pooling_layers.append(layers.MaxPooling2D(pool_size=(pool, 1)))
            self.dense_layers.append(
                layers.Dense(fields * wide * self.new_maps[number], activation="tanh")
            )
        self.flatten = layers.Flatten()
        super().build(input_shape)

    def call(self, inputs, **kwargs):
        pooled, found = tf.expand_dims(inputs, axis=3), []
        for number, maps in enumerate(self.new_maps):
            pooled = self.pooling_layers[number](self.conv_layers[number](pooled))
            new = self.dense_layers[number](self.flatten(pooled))
            found.append(tf.reshape(new, (-1, int(pooled.shape[1]) * maps, inputs.shape[-1])))
        return tf.concat(found, axis=1)

    def compute_output_shape(self, input_shape):
        fields, new = input_shape[1], 0
        for number, maps in enumerate(self.new_maps):
            fields //= self.pooling_width[number]
            new += maps * fields
        return (None, new, input_shape[-1])


class InnerProductLayer(Configured):
    """Sums of products of all pairs in a list."""

    KEPT = ("reduce_sum",)

    def __init__(self, reduce_sum=True, **kwargs):
        self.reduce_sum = reduce_sum
        super().__init__(**kwargs)

    def call(self, inputs, **kwargs):
        pairs = list(itertools.combinations(inputs, 2))
        product = tf.concat([one for one, _ in pairs], 1) * tf.concat([two for _, two in pairs], 1)
        return tf.reduce_sum(product, axis=2, keepdims=True) if self.reduce_sum else product

    def compute_output_shape(self, input_shape):
        pairs = len(input_shape) * (len(input_shape) - 1) // 2
        return (input_shape[0][0], pairs, 1 if self.reduce_sum else input_shape[0][-1])
