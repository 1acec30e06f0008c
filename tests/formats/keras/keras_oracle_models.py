"""Varied models as functions of a Keras: `keras` or `tf_keras`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def cnn(k):
    return k.Sequential(
        [
            k.Input((12, 10, 3)),
            k.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            k.layers.BatchNormalization(),
            k.layers.Conv2D(6, (3, 2), use_bias=False),
            k.layers.BatchNormalization(scale=False),
            k.layers.MaxPooling2D(2, padding="same"),
            k.layers.Dropout(0.2),
            k.layers.Flatten(),
            k.layers.Dropout(0.1),
            k.layers.Dense(5, activation="softmax"),
        ]
    )


def branches(k):
    x = k.Input((16, 16, 2), name="picture")
    a = k.layers.Conv2D(4, 3, padding="same", name="left")(x)
    b = k.layers.Conv2D(3, 1, name="right")(x)
    c = k.layers.Concatenate()([a, b])
    d = k.layers.Conv2D(7, 3, padding="same", dilation_rate=2)(c)
    e = k.layers.Add()([c, d])
    f = k.layers.GlobalAveragePooling2D(keepdims=True)(e)
    g = k.layers.Multiply()([e, f])
    h = k.layers.GlobalMaxPooling2D()(g)
    return k.Model(x, [k.layers.Dense(2, name="one")(h), k.layers.Dense(3, name="two")(h)])


def nested(k):
    x = k.Input((8, 8, 3))
    inner = k.Sequential(
        [k.Input((8, 8, 3)), k.layers.Conv2D(4, 3), k.layers.BatchNormalization()], name="body"
    )
    y = k.Input((8, 8, 3))
    middle = k.Model(y, k.layers.Flatten(name="flat")(inner(y)), name="middle")
    head = k.Sequential([k.Input((144,)), k.layers.Dense(6), k.layers.Dense(2)], name="head")
    return k.Model(x, head(middle(x)))


def siamese(k):
    a, b = k.Input((6, 6, 1), name="a"), k.Input((6, 6, 1), name="b")
    body = k.Sequential([k.Input((6, 6, 1)), k.layers.Conv2D(3, 3), k.layers.Flatten()])
    difference = k.layers.Subtract()([body(a), body(b)])
    return k.Model([a, b], k.layers.Dense(1)(difference))


def shared_chain(k):
    x = k.Input((5,))
    shared = k.layers.Dense(5, name="shared")
    y = k.layers.Activation("relu")(shared(x))
    return k.Model(x, k.layers.Dense(2)(shared(y)))


def separable(k):
    return k.Sequential(
        [
            k.Input((14, 14, 4)),
            k.layers.SeparableConv2D(6, 3, depth_multiplier=2, padding="same"),
            k.layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2),
            k.layers.ReLU(6.0),
            k.layers.Conv2D(8, 1, groups=2),
            k.layers.AveragePooling2D((2, 3), strides=(1, 2)),
            k.layers.GlobalAveragePooling2D(),
        ]
    )


def transposed(k):
    return k.Sequential(
        [
            k.Input((5, 4, 3)),
            k.layers.Conv2DTranspose(4, 3, strides=2, padding="same"),
            k.layers.Conv2DTranspose(2, 4, strides=3),
            k.layers.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=1),
            k.layers.Conv2DTranspose(2, 3, strides=2, padding="valid", output_padding=1),
        ]
    )


def one_dimension(k):
    return k.Sequential(
        [
            k.Input((20, 3)),
            k.layers.Conv1D(4, 3, padding="causal", dilation_rate=2),
            k.layers.SeparableConv1D(5, 4),
            k.layers.MaxPooling1D(3, strides=2),
            k.layers.Conv1DTranspose(3, 3, strides=2),
            k.layers.ZeroPadding1D((1, 2)),
            k.layers.Cropping1D(1),
            k.layers.UpSampling1D(2),
            k.layers.GlobalMaxPooling1D(),
        ]
    )


def three_dimensions(k):
    return k.Sequential(
        [
            k.Input((6, 7, 8, 2)),
            k.layers.Conv3D(3, (2, 3, 2)),
            k.layers.ZeroPadding3D(((1, 0), (0, 1), (1, 1))),
            k.layers.MaxPooling3D(2),
            k.layers.UpSampling3D((1, 2, 1)),
            k.layers.Conv3DTranspose(2, 2, strides=2),
            k.layers.GlobalAveragePooling3D(),
        ]
    )


def rearranged(k):
    return k.Sequential(
        [
            k.Input((8, 6, 2)),
            k.layers.ZeroPadding2D(((1, 2), (0, 3))),
            k.layers.Cropping2D(((0, 1), (2, 1))),
            k.layers.UpSampling2D((2, 3)),
            k.layers.Permute((3, 1, 2)),
            k.layers.Reshape((-1, 6)),
            k.layers.Flatten(),
            k.layers.RepeatVector(3),
            k.layers.Reshape((4, -1)),
        ]
    )


def channels_first(k):
    return k.Sequential(
        [
            k.Input((3, 9, 8)),
            k.layers.ZeroPadding2D((1, 2), data_format="channels_first"),
            k.layers.BatchNormalization(axis=1),
            k.layers.GlobalAveragePooling2D(data_format="channels_first"),
            k.layers.Dense(2),
        ]
    )


def recurrent(k):
    return k.Sequential(
        [
            k.Input((7, 3)),
            k.layers.LSTM(4, return_sequences=True),
            k.layers.GRU(5, return_sequences=True, reset_after=False),
            k.layers.GRU(6, return_sequences=True),
            k.layers.SimpleRNN(2, use_bias=False),
        ]
    )


def both_ways(k):
    return k.Sequential(
        [
            k.Input((7, 3)),
            k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True)),
            k.layers.Bidirectional(k.layers.GRU(3), merge_mode="sum"),
        ]
    )


def states(k):
    x = k.Input((7, 3))
    y, h, c = k.layers.LSTM(4, return_state=True)(x)
    return k.Model(x, k.layers.Concatenate()([h, y, c]))


def cells(k):
    layers = k.layers
    stack = [layers.LSTMCell(4), layers.GRUCell(3)]
    return k.Sequential([k.Input((5, 2)), layers.RNN(stack, return_sequences=True)])


def distributed(k):
    return k.Sequential(
        [
            k.Input((5, 8, 8, 1)),
            k.layers.TimeDistributed(k.layers.Conv2D(3, 3)),
            k.layers.TimeDistributed(k.layers.Flatten()),
            k.layers.LSTM(4),
        ]
    )


def convolutional_lstm(k):
    return k.Sequential(
        [k.Input((4, 8, 8, 2)), k.layers.ConvLSTM2D(3, 3, return_sequences=True, padding="same")]
    )


def attention(k):
    x = k.Input((6, 8))
    y = k.layers.Conv1D(8, 3, padding="same")(x)
    a = k.layers.Attention(use_scale=True)([x, y])
    b = k.layers.AdditiveAttention()([x, y])
    c = k.layers.MultiHeadAttention(2, 3, value_dim=5)(x, y)
    return k.Model(x, k.layers.LayerNormalization()(k.layers.Add()([a, b, c])))


def embedded(k):
    x = k.Input((9,), dtype="int32")
    y = k.layers.Embedding(30, 6)(x)
    z = k.layers.EinsumDense("abc,cd->abd", output_shape=(9, 4), bias_axes="d")(y)
    return k.Model(x, k.layers.GlobalAveragePooling1D()(z))


def normalised(k):
    return k.Sequential(
        [
            k.Input((6, 6, 4)),
            k.layers.GroupNormalization(2),
            k.layers.LayerNormalization(axis=[1, 2]),
            k.layers.PReLU(shared_axes=[1, 2]),
            k.layers.UnitNormalization(),
            k.layers.LeakyReLU(),
        ]
    )


def spectral(k):
    wrapped = k.layers.SpectralNormalization(k.layers.Conv2D(3, 3))
    return k.Sequential([k.Input((6, 6, 4)), wrapped, k.layers.RMSNormalization()])


def operations(k):
    x = k.Input((6, 4))
    y = k.ops.relu(k.layers.Dense(3)(x)) * 2.0
    y = k.ops.concatenate([y, k.ops.mean(y, axis=-1, keepdims=True)], axis=-1)
    return k.Model(x, k.ops.sum(k.layers.Dense(5)(y[:, 1:]), axis=1))


def functions(k):
    x = k.Input((6, 4))
    y = tf.nn.relu(k.layers.Dense(3)(x)) * 2.0
    y = tf.concat([y, tf.reduce_mean(y, axis=-1, keepdims=True)], axis=-1)
    return k.Model(x, tf.reduce_sum(k.layers.Dense(5)(y[:, 1:]), axis=1))


def adapted(k):
    norm = k.layers.Normalization()
    norm.adapt(np.random.default_rng(3).random((8, 4)).astype("float32"))
    return k.Sequential([k.Input((4,)), norm, k.layers.Dense(2)])


def augmented(k):
    return k.Sequential(
        [
            k.Input((20, 18, 3)),
            k.layers.Rescaling(1 / 255.0),
            k.layers.RandomFlip("horizontal"),
            k.layers.RandomRotation(0.1),
            k.layers.CenterCrop(16, 12),
            k.layers.Resizing(8, 9),
            k.layers.Conv2D(2, 3),
        ]
    )


def frozen(k):
    inner = k.Sequential(
        [
            k.Input((8, 8, 3)),
            k.layers.Conv2D(4, 3),
            k.layers.BatchNormalization(),
            k.layers.Conv2D(4, 3),
        ],
        name="frozen",
    )
    inner.trainable = False
    x = k.Input((8, 8, 3))
    y = k.layers.BatchNormalization()(inner(x))
    return k.Model(x, k.layers.Dense(2)(k.layers.Flatten()(y)))


def dots(k):
    a, b = k.Input((4, 3)), k.Input((5, 3))
    return k.Model([a, b], k.layers.Dot(axes=(2, 2))([a, b]))


def any_size(k):
    x = k.Input((None, None, 3))
    inner = k.Input((None, None, 3))
    body = k.Model(inner, k.layers.Conv2D(4, 3, strides=2)(inner), name="body")
    y = k.layers.Resizing(17, 17)(x)
    return k.Model(x, k.layers.Flatten()(body(y)))


def locally_connected(k):
    return k.Sequential(
        [
            k.Input((8, 8, 2)),
            k.layers.LocallyConnected2D(3, 3),
            k.layers.LocallyConnected2D(2, 3, implementation=2),
            k.layers.Reshape((8, 4)),
            k.layers.LocallyConnected1D(3, 2, implementation=2),
            k.layers.LocallyConnected1D(2, 2, implementation=3),
            k.layers.Flatten(),
            k.layers.Dense(2),
        ]
    )


BOTH = (
    cnn, branches, nested, siamese, shared_chain, separable, transposed, one_dimension,
    three_dimensions, rearranged, channels_first, recurrent, both_ways, states, cells,
    distributed, convolutional_lstm, attention, embedded, normalised, adapted, augmented, frozen,
    dots, any_size,
)  # fmt: skip

ONLY = {"keras3": (spectral, operations), "keras2": (locally_connected, functions)}
