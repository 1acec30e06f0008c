"""Models of images as public programs write them, for `matrix.py`: a tenth list.

Which programs stand here and in `texts.py` was drawn by lot: examples and guides of
Keras, old and new, tutorials of TensorFlow, and public repositories.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, functions, trained
from benchmarks.loading.list_10 import texts


def first_digits(k):
    """The first network of many: two convolutions, pooling, dropout, ten classes."""
    model = k.Sequential(
        [
            k.Input(shape=(14, 14, 1)),
            k.layers.Conv2D(4, kernel_size=(3, 3), activation="relu"),
            k.layers.MaxPooling2D(pool_size=(2, 2)),
            k.layers.Conv2D(6, kernel_size=(3, 3), activation="relu"),
            k.layers.MaxPooling2D(pool_size=(2, 2)),
            k.layers.Flatten(),
            k.layers.Dropout(0.5),
            k.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return trained(model, INPUTS_OF["first_digits"], np.eye(10, dtype="float32")[[3, 8]])


def low_light(k):
    """Brighter photographs by three scales that talk to each other, in mixed_float16."""
    mean, largest, concatenate = functions(k, "mean", "max", "concatenate")
    conv = k.layers.Conv2D

    def fused_kernels(*features):
        channels = int(features[0].shape[-1])
        x = k.layers.Add()(list(features))
        x = k.layers.GlobalAveragePooling2D()(x)
        x = k.layers.Reshape((1, 1, channels))(x)
        x = conv(channels // 2, kernel_size=(1, 1), activation="relu")(x)
        found = []
        for each in features:
            weights = conv(channels, kernel_size=(1, 1))(x)
            found.append(each * k.layers.Softmax(axis=-1)(weights))
        return k.layers.Add()(found)

    def dual_attention(start):
        channels = int(start.shape[-1])
        x = conv(channels, (3, 3), padding="same", activation="relu")(start)
        x = conv(channels, (3, 3), padding="same")(x)
        average, peak = mean(x, axis=-1, keepdims=True), largest(x, axis=-1, keepdims=True)
        places = conv(1, kernel_size=(1, 1), activation="sigmoid")(concatenate([average, peak], -1))
        pooled = k.layers.GlobalAveragePooling2D()(x)
        pooled = k.layers.Reshape((1, 1, channels))(pooled)
        pooled = conv(channels // 2, kernel_size=(1, 1), activation="relu")(pooled)
        pooled = conv(channels, kernel_size=(1, 1), activation="sigmoid")(pooled)
        x = k.layers.Concatenate(axis=-1)([x * places, x * pooled])
        return k.layers.Add()([start, conv(channels, kernel_size=(1, 1))(x)])

    def down(x):
        channels = int(x.shape[-1])
        main = conv(channels, (3, 3), padding="same", activation="relu")(x)
        main = conv(channels * 2, (1, 1))(k.layers.MaxPooling2D()(main))
        skip = conv(channels * 2, (1, 1))(k.layers.MaxPooling2D()(x))
        return k.layers.Add()([skip, main])

    def up(x):
        channels = int(x.shape[-1])
        main = conv(channels, (3, 3), padding="same", activation="relu")(x)
        main = conv(channels // 2, (1, 1))(k.layers.UpSampling2D()(main))
        skip = conv(channels // 2, (1, 1))(k.layers.UpSampling2D()(x))
        return k.layers.Add()([skip, main])

    k.mixed_precision.set_global_policy("mixed_float16")
    try:
        start = k.Input(shape=[None, None, 3])
        x = first = conv(4, kernel_size=(3, 3), padding="same")(start)
        one, two = dual_attention(x), dual_attention(down(x))
        four = dual_attention(down(down(x)))
        fused = fused_kernels(one, up(two), up(up(four)))
        x = conv(4, kernel_size=(3, 3), padding="same")(dual_attention(fused))
        x = k.layers.Add()([first, x])
        x = conv(3, kernel_size=(3, 3), padding="same")(x)
        model = k.Model(start, k.layers.Add()([start, x]), name="mirnet")
        model.compile(optimizer=k.optimizers.Adam(learning_rate=1e-4), loss="mae")
        return trained(model, INPUTS_OF["low_light"], floats(2, 8, 8, 3))
    finally:
        k.mixed_precision.set_global_policy("float32")


def shifted_windows(k):
    """Own layers that make patches, attend in windows, shift and merge them."""
    import customs_10 as own

    start = k.layers.Input((8, 8, 3))
    x = k.layers.RandomCrop(8, 8)(start)
    x = k.layers.RandomFlip("horizontal")(x)
    x = own.PatchExtract((2, 2))(x)
    x = own.PatchEmbedding(16, 8)(x)
    for shift in (0, 1):
        x = own.SwinTransformer(
            dim=8, num_patch=(4, 4), num_heads=2, window_size=2, shift_size=shift, num_mlp=12
        )(x)
    x = own.PatchMerging((4, 4), embed_dim=8)(x)
    x = k.layers.GlobalAveragePooling1D()(x)
    model = k.Model(inputs=start, outputs=k.layers.Dense(5, activation="softmax")(x))
    model.compile(
        loss=k.losses.CategoricalCrossentropy(label_smoothing=0.1),
        optimizer=k.optimizers.Adam(learning_rate=1e-3),
        metrics=[
            k.metrics.CategoricalAccuracy(name="accuracy"),
            k.metrics.TopKCategoricalAccuracy(3, name="top-3-accuracy"),
        ],
    )
    return trained(model, INPUTS_OF["shifted_windows"], np.eye(5, dtype="float32")[[1, 4]])


def latent_looks(_):
    """A subclass of Model that makes Functional models when it is built."""
    import customs_10 as own

    model = own.Perceiver(16, 4, 6, 2, 2, 5)
    model.compile(
        optimizer=own.keras.optimizers.Adam(learning_rate=1e-3),
        loss=own.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[own.keras.metrics.SparseCategoricalAccuracy(name="acc")],
    )
    return trained(model, INPUTS_OF["latent_looks"], np.array([4, 0]))


def styled_faces(k):
    """A generator of one size: a mapping to styles, a constant, noise and own layers."""
    import customs_10 as own

    mean, root = functions(k, "mean", "sqrt")
    z = k.layers.Input(shape=(6,), name="z")
    w = z / root(mean(z**2, axis=-1, keepdims=True) + 1e-8)
    for _ in range(3):
        w = k.layers.LeakyReLU(0.2)(k.layers.Dense(6)(w))
    mapping = k.Model(z, k.layers.RepeatVector(2)(w), name="mapping")
    latent = k.layers.Input(shape=(6,), name="latent")
    const = k.layers.Input(shape=(4, 4, 6), name="const")
    noises = [k.layers.Input(shape=(size, size, 1), name=f"noise_{size}") for size in (4, 8)]
    styles = mapping(latent)
    x = const
    for stage, noise in enumerate(noises):
        if stage:
            x = k.layers.UpSampling2D((2, 2))(x)
            x = own.EqualizedConv(6, 3)(x)
        x = k.layers.LeakyReLU(0.2)(own.AddNoise()([x, noise]))
        x = own.AdaIN()([x, styles[:, stage]])
    x = own.EqualizedConv(3, 1, gain=1, name="to_rgb")(x)
    return k.Model([latent, const, *noises], x, name="generator_8x8")


def dreams(k):
    """Activations of a frozen inception body in a dictionary, by the names of its layers."""

    def conv_bn(x, filters, rows, columns, padding="same", strides=(1, 1)):
        x = k.layers.Conv2D(
            filters, (rows, columns), strides=strides, padding=padding, use_bias=False
        )(x)
        x = k.layers.BatchNormalization(axis=3, scale=False)(x)
        return k.layers.Activation("relu")(x)

    start = k.layers.Input(shape=(None, None, 3))
    x = conv_bn(start, 4, 3, 3, strides=(2, 2), padding="valid")
    for number in (0, 1):
        narrow = conv_bn(x, 2, 1, 1)
        five = conv_bn(conv_bn(x, 2, 1, 1), 3, 5, 5)
        twice = conv_bn(conv_bn(conv_bn(x, 2, 1, 1), 3, 3, 3), 3, 3, 3)
        pool = k.layers.AveragePooling2D((3, 3), strides=(1, 1), padding="same")(x)
        ways = [narrow, five, twice, conv_bn(pool, 2, 1, 1)]
        x = k.layers.concatenate(ways, axis=3, name=f"mixed{number}")
    seven = conv_bn(conv_bn(conv_bn(x, 2, 1, 1), 3, 1, 7), 3, 7, 1)
    x = k.layers.concatenate([conv_bn(x, 3, 1, 1), seven], axis=3, name="mixed2")
    base = k.Model(start, x, name="inception_v3_small")
    wanted = ("mixed0", "mixed1", "mixed2")
    outputs = {name: base.get_layer(name).output for name in wanted}
    return k.Model(inputs=base.inputs, outputs=outputs)


def breakout(k):
    """Values of actions from four frames that a Lambda turns to channels last."""
    return k.Sequential(
        [
            k.layers.Lambda(
                lambda tensor: tf.transpose(tensor, [0, 2, 3, 1]),
                output_shape=(36, 36, 4),
                input_shape=(4, 36, 36),
            ),
            k.layers.Conv2D(6, 8, strides=4, activation="relu"),
            k.layers.Conv2D(8, 4, strides=2, activation="relu"),
            k.layers.Conv2D(8, 3, strides=1, activation="relu"),
            k.layers.Flatten(),
            k.layers.Dense(16, activation="relu"),
            k.layers.Dense(4, activation="linear"),
        ]
    )


def tiny_detector(k):
    """Two grids of boxes from a body of pooled convolutions for images of any size."""

    def dark_conv(x, filters, size):
        x = k.layers.Conv2D(
            filters,
            size,
            padding="same",
            use_bias=False,
            kernel_regularizer=k.regularizers.l2(5e-4),
        )(x)
        return k.layers.LeakyReLU(0.1)(k.layers.BatchNormalization()(x))

    pool = {"pool_size": (2, 2), "padding": "same"}
    x = start = k.layers.Input(shape=(None, None, 3))
    for width in (2, 4):
        x = k.layers.MaxPooling2D(strides=(2, 2), **pool)(dark_conv(x, width, (3, 3)))
    x1 = dark_conv(x, 6, (3, 3))
    x2 = k.layers.MaxPooling2D(strides=(2, 2), **pool)(x1)
    x2 = k.layers.MaxPooling2D(strides=(1, 1), **pool)(dark_conv(x2, 8, (3, 3)))
    x2 = dark_conv(dark_conv(x2, 12, (3, 3)), 6, (1, 1))
    last = {"kernel_size": (1, 1), "padding": "same", "kernel_regularizer": k.regularizers.l2(5e-4)}
    y1 = k.layers.Conv2D(3 * 7, **last)(dark_conv(x2, 8, (3, 3)))
    x2 = k.layers.UpSampling2D(2)(dark_conv(x2, 4, (1, 1)))
    y2 = k.layers.Conv2D(3 * 7, **last)(dark_conv(k.layers.Concatenate()([x2, x1]), 6, (3, 3)))
    return k.models.Model(start, [y1, y2])


def read_lines(k):
    """Text in pictures: convolutions, then GRUs in both directions, added and joined."""
    first = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
    start = k.layers.Input(name="the_input", shape=(24, 8, 1), dtype="float32")
    x = k.layers.Conv2D(3, (3, 3), name="conv1", **first)(start)
    x = k.layers.MaxPooling2D(pool_size=(2, 2), name="max1")(x)
    x = k.layers.Conv2D(3, (3, 3), name="conv2", **first)(x)
    x = k.layers.MaxPooling2D(pool_size=(2, 2), name="max2")(x)
    x = k.layers.Reshape(target_shape=(6, 6), name="reshape")(x)
    x = k.layers.Dense(6, activation="relu", name="dense1")(x)
    same = {"return_sequences": True, "kernel_initializer": "he_normal"}
    ahead = k.layers.GRU(5, name="gru1", **same)(x)
    back = k.layers.GRU(5, go_backwards=True, name="gru1_b", **same)(x)
    x = k.layers.add([ahead, back])
    ahead = k.layers.GRU(5, name="gru2", **same)(x)
    back = k.layers.GRU(5, go_backwards=True, name="gru2_b", **same)(x)
    x = k.layers.concatenate([ahead, back])
    x = k.layers.Dense(9, kernel_initializer="he_normal", name="dense2")(x)
    return k.Model(inputs=start, outputs=k.layers.Activation("softmax", name="softmax")(x))


INPUTS_OF = {
    "first_digits": [floats(2, 14, 14, 1)],
    "low_light": [floats(2, 8, 8, 3)],
    "shifted_windows": [floats(2, 8, 8, 3)],
    "latent_looks": [floats(2, 16, 16, 3)],
    "styled_faces": [
        floats(2, 6),
        floats(2, 4, 4, 6),
        floats(2, 4, 4, 1),
        floats(2, 8, 8, 1),
    ],
    "dreams": [floats(2, 13, 13, 3)],
    "breakout": [np.abs(floats(2, 4, 36, 36))],
    "tiny_detector": [floats(2, 16, 16, 3)],
    "read_lines": [floats(2, 24, 8, 1)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= texts.MODELS
CUSTOM = ("shifted_windows", "latent_looks", "styled_faces", *texts.CUSTOM)
LAMBDAS = ("breakout",)
DICTIONARIES = texts.DICTIONARIES
INPUTS = {"styled_faces": ["latent", "const", "noise_4", "noise_8"], **texts.INPUTS}
