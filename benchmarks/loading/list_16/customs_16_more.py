"""Custom objects of a generator of images and of models of tables, clicks and sentences in
`bodies.py` and `series.py`; copied as `customs_16_more.py` beside the models. Only the
attention has no config and arguments of its own; none is registered.
"""

from __future__ import annotations

import sys

import tensorflow as tf
from customs_16 import GAIN, InterpolativeUpsampler, MSRInitializer

keras = sys.modules["__main__"].keras
layers = keras.layers
K = keras.backend
l2 = keras.regularizers.l2


class BiasedActivation(layers.Layer):
    """Its bias is made with the layer; it keeps a function without a name."""

    def __init__(self, input_units, activation="lrelu", gain=None):
        super().__init__()
        self.input_units = input_units
        given = {"initializer": "zeros", "trainable": True, "name": "bias"}
        self.bias = self.add_weight(shape=(input_units,), **given)
        self.activation = activation.lower()
        self.act_fn = lambda x: tf.nn.leaky_relu(x, alpha=0.2)
        self.gain = gain if gain is not None else GAIN

    def call(self, x):
        return self.act_fn(tf.nn.bias_add(x, self.bias)) * self.gain


class Convolution(layers.Layer):
    """With an initializer of its own."""

    def __init__(self, input_channels, output_channels, kernel_size, groups=1, activation_gain=1.0):
        super().__init__()
        self.groups = groups
        self.kernel_size = kernel_size
        self.input_channels = input_channels
        self.output_channels = output_channels
        self.activation_gain = activation_gain
        self.conv = layers.Conv2D(
            filters=output_channels,
            kernel_size=kernel_size,
            strides=1,
            padding="same",
            groups=groups,
            use_bias=False,
            kernel_initializer=MSRInitializer(gain=activation_gain),
        )

    def call(self, x):
        return self.conv(x)


class PlainBlock(layers.Layer):
    """Three convolutions beside a shortcut, that in the middle of groups."""

    def __init__(self, input_channels, cardinality, expansion_factor, kernel_size, variance):
        super().__init__()
        wide = input_channels * expansion_factor
        gain = GAIN * variance ** (-1 / 4)
        self.conv1 = Convolution(input_channels, wide, kernel_size=1, activation_gain=gain)
        given = {"kernel_size": kernel_size, "groups": cardinality, "activation_gain": gain}
        self.conv2 = Convolution(wide, wide, **given)
        self.conv3 = Convolution(wide, input_channels, kernel_size=1, activation_gain=0)
        self.biasact1 = BiasedActivation(wide)
        self.biasact2 = BiasedActivation(wide)

    def call(self, x):
        y = self.conv2(self.biasact1(self.conv1(x)))
        return x + self.conv3(self.biasact2(y))


class UpsampleLayer(layers.Layer):
    """Other channels, then twice the size."""

    def __init__(self, input_channels, output_channels, resampling_filter):
        super().__init__()
        self.resampler = InterpolativeUpsampler(resampling_filter)
        self.use_projection = input_channels != output_channels
        if self.use_projection:
            self.linear_layer = Convolution(input_channels, output_channels, kernel_size=1)

    def call(self, x):
        if self.use_projection:
            x = self.linear_layer(x)
        return self.resampler(x)


class GenerativeBasis(layers.Layer):
    """A learned picture, weighed by noise."""

    def __init__(self, output_channels):
        super().__init__()
        self.basis = self.add_weight(
            shape=(4, 4, output_channels),
            initializer=tf.random_normal_initializer(mean=0.0, stddev=1.0),
            trainable=True,
            name="basis",
            dtype=tf.float32,
        )
        given = {"dtype": tf.float32, "kernel_initializer": MSRInitializer()}
        self.linear = layers.Dense(output_channels, use_bias=False, **given)

    def call(self, x):
        weights = tf.reshape(self.linear(x), (tf.shape(x)[0], 1, 1, -1))
        return tf.expand_dims(self.basis, axis=0) * weights


class GeneratorStage(layers.Layer):
    """Layers in a list that is called `layers`."""

    def __init__(self, before, after, cardinality, blocks, factor, size, variance, filters=None):
        super().__init__()
        basis = filters is None
        first = GenerativeBasis(after) if basis else UpsampleLayer(before, after, filters)
        self.layers = [first]
        for _ in range(blocks):
            self.layers.append(PlainBlock(after, cardinality, factor, size, variance))

    def call(self, x):
        x = tf.cast(x, tf.float32)
        for layer in self.layers:
            x = layer(x)
        return x


class PlainGenerator(keras.Model):
    """Noise, joined with an embedded condition, to an image."""

    def __init__(
        self,
        noise_dim,
        width_per_stage,
        cardinality_per_stage,
        block_per_stage,
        expansion_factor,
        cond_dim=None,
        cond_emb_dim=0,
        kernel_size=3,
        resampling_filter=(1, 2, 1),
    ):
        super().__init__()
        self.cond_emb_dim = cond_emb_dim
        self.cond_dim = cond_dim
        widths = [noise_dim + cond_emb_dim, *width_per_stage]
        stages = []
        for i, blocks in enumerate(block_per_stage):
            given = (cardinality_per_stage[i], blocks, expansion_factor, kernel_size)
            filters = resampling_filter if i else None
            stages.append(
                GeneratorStage(widths[i], widths[i + 1], *given, sum(block_per_stage), filters)
            )
        self.main_layers = stages
        self.aggregation_layer = Convolution(width_per_stage[-1], 3, kernel_size=1)
        self.embedding_layer = None
        if cond_dim is not None and cond_emb_dim > 0:
            given = {"dtype": tf.float32, "kernel_initializer": MSRInitializer()}
            self.embedding_layer = layers.Dense(cond_emb_dim, use_bias=False, **given)

    def call(self, x, y=None):
        if self.embedding_layer is not None and y is not None:
            x = tf.concat([x, self.embedding_layer(y)], axis=-1)
        for layer in self.main_layers:
            x = layer(x)
        return self.aggregation_layer(x)


def mapped(inputs, starts):
    """Numbers of values among those of all fields."""
    return {
        key: tf.reshape(value + tf.convert_to_tensor(starts[key]), [-1, 1])
        for key, value in inputs.items()
    }


class FactorLayer(layers.Layer):
    """Lines and products of pairs, of values in a dictionary."""

    def __init__(self, feature_columns, k, w_reg=0.0, v_reg=0.0):
        super().__init__()
        self.feature_columns = feature_columns
        self.field_num = len(feature_columns)
        self.map_dict = {}
        self.feature_length = 0
        for feature in self.feature_columns:
            self.map_dict[feature["feat_name"]] = self.feature_length
            self.feature_length += feature["feat_num"]
        self.k = k
        self.w_reg = w_reg
        self.v_reg = v_reg

    def build(self, input_shape):
        zeros, normal = tf.zeros_initializer(), tf.random_normal_initializer()
        self.w0 = self.add_weight(name="w0", shape=(1,), initializer=zeros, trainable=True)
        given = {"initializer": normal, "trainable": True}
        shape = (self.feature_length, 1)
        self.w = self.add_weight(name="w", shape=shape, regularizer=l2(self.w_reg), **given)
        shape = (self.feature_length, self.k)
        self.V = self.add_weight(name="V", shape=shape, regularizer=l2(self.v_reg), **given)

    def call(self, inputs):
        inputs = mapped(inputs, self.map_dict)
        inputs = tf.concat([value for _, value in inputs.items()], axis=-1)
        first = self.w0 + tf.reduce_sum(tf.nn.embedding_lookup(self.w, inputs), axis=1)
        second = tf.nn.embedding_lookup(self.V, inputs)
        of_sum = tf.square(tf.reduce_sum(second, axis=1, keepdims=True))
        of_squares = tf.reduce_sum(tf.square(second), axis=1, keepdims=True)
        return first + 0.5 * tf.reduce_sum(of_sum - of_squares, axis=2)


class FactorMachine(keras.Model):
    """A sigmoid of the layer above."""

    def __init__(self, feature_columns, k=8, w_reg=0.0, v_reg=0.0):
        super().__init__()
        self.feature_columns = feature_columns
        self.fm = FactorLayer(feature_columns, k, w_reg, v_reg)

    def call(self, inputs):
        return tf.nn.sigmoid(self.fm(inputs))

    def summary(self):
        inputs = {
            feature["feat_name"]: layers.Input(shape=(), dtype=tf.int32, name=feature["feat_name"])
            for feature in self.feature_columns
        }
        keras.Model(inputs=inputs, outputs=self.call(inputs)).summary()


def pair_loss(positive, negative):
    """That what was clicked scores higher."""
    positive = tf.tile(positive, [1, negative.shape[1]])
    return tf.reduce_mean(-tf.math.log(tf.nn.sigmoid(positive - negative)))


def _embedding(feature, wide, rate):
    given = {"embeddings_initializer": "random_normal", "embeddings_regularizer": l2(rate)}
    sizes = {"input_dim": feature["feat_num"], "output_dim": wide}
    try:
        return layers.Embedding(input_length=1, **sizes, **given)
    except (TypeError, ValueError):  # later versions have no such argument
        return layers.Embedding(**sizes, **given)


class ClickConvolutions(keras.Model):
    """Convolutions over and along embedded clicks; the call adds the loss."""

    def __init__(
        self,
        feature_columns,
        seq_len=40,
        hor_n=8,
        hor_h=2,
        ver_n=4,
        activation="relu",
        dnn_dropout=0.5,
        embed_reg=1e-8,
        seed=None,
    ):
        super().__init__()
        user, item = feature_columns["user"], feature_columns["item"]
        self.user_embedding = _embedding(user, user["embed_dim"] // 2, embed_reg)
        self.item_embedding = _embedding(item, item["embed_dim"] // 2, embed_reg)
        self.item2_embedding = _embedding(item, item["embed_dim"], embed_reg)
        self.seq_len = seq_len
        self.hor_n = hor_n
        self.hor_h = min(hor_h, self.seq_len)
        self.ver_n = ver_n
        self.ver_w = 1
        self.hor_conv = layers.Conv1D(filters=self.hor_n, kernel_size=self.hor_h)
        self.ver_conv = layers.Conv1D(filters=self.ver_n, kernel_size=self.ver_w)
        self.pooling = layers.GlobalMaxPooling1D()
        self.dense = layers.Dense(item["embed_dim"] // 2, activation=activation)
        self.dropout = layers.Dropout(dnn_dropout)
        tf.random.set_seed(seed)

    def call(self, inputs):
        user = self.user_embedding(inputs["user"])
        clicked = tf.not_equal(inputs["click_seq"], 0)
        mask = tf.expand_dims(tf.cast(clicked, dtype=tf.float32), axis=-1)
        series = self.item_embedding(inputs["click_seq"])
        series *= mask
        over = self.pooling(self.hor_conv(series))
        along = self.ver_conv(tf.transpose(series, perm=(0, 2, 1)))
        along = tf.reshape(along, shape=(-1, along.shape[1] * along.shape[2]))
        found = self.dropout(self.dense(tf.concat([over, along], axis=-1)))
        user = tf.concat([found, user], axis=-1)
        yes = self.item2_embedding(inputs["pos_item"])
        no = self.item2_embedding(inputs["neg_item"])
        yes = tf.reduce_sum(tf.multiply(user, yes), axis=-1, keepdims=True)
        no = tf.reduce_sum(tf.multiply(tf.expand_dims(user, axis=1), no), axis=-1)
        self.add_loss(pair_loss(yes, no))
        return tf.concat([yes, no], axis=-1)


class AttentionSelf(layers.Layer):
    """Attention by one weight for queries, keys and values; without a config."""

    def __init__(self, output_dim, **kwargs):
        self.output_dim = output_dim
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="WKV",
            shape=(3, input_shape[2], self.output_dim),
            initializer="uniform",
            regularizer=keras.regularizers.L1L2(0.0000032),
            trainable=True,
        )
        super().build(input_shape)

    def call(self, x):
        q, k, v = (K.dot(x, self.kernel[i]) for i in range(3))
        scores = K.batch_dot(q, K.permute_dimensions(k, [0, 2, 1])) / (64**0.5)
        return K.batch_dot(K.softmax(scores), v)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[1], self.output_dim)
