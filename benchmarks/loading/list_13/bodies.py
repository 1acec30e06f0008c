"""Models of faces, streets, flowers and letters from public code, for `images.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, trained


def few_shots(k):
    """Strided convolutions for few examples of a letter; compiled with no arguments."""

    def conv_bn(x):
        x = k.layers.Conv2D(filters=6, kernel_size=3, strides=2, padding="same")(x)
        return k.layers.ReLU()(k.layers.BatchNormalization()(x))

    start = k.layers.Input(shape=(14, 14, 1))
    x = start
    for _ in range(4):
        x = conv_bn(x)
    model = k.Model(
        inputs=start, outputs=k.layers.Dense(5, activation="softmax")(k.layers.Flatten()(x))
    )
    model.compile()
    return model


def small_photos(k):
    """The first tutorial on convolutions: layers that are added, and logits."""
    model = k.models.Sequential()
    model.add(k.layers.Conv2D(6, (3, 3), activation="relu", input_shape=(16, 16, 3)))
    model.add(k.layers.MaxPooling2D((2, 2)))
    model.add(k.layers.Conv2D(8, (3, 3), activation="relu"))
    model.add(k.layers.MaxPooling2D((2, 2)))
    model.add(k.layers.Flatten())
    model.add(k.layers.Dense(12, activation="relu"))
    model.add(k.layers.Dense(10))
    model.compile(
        optimizer="adam",
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["small_photos"], np.array([[3], [9]]))


def face_vectors(k):
    """A body called on its own input, and the vectors that it gives."""
    start = k.layers.Input(shape=(20, 20, 3))
    x = start
    for number, wide in enumerate((4, 6)):
        x = k.layers.Conv2D(wide, 3, strides=2, use_bias=False, name=f"Conv2d_{number}a_3x3")(x)
        x = k.layers.BatchNormalization(
            axis=3, scale=False, name=f"Conv2d_{number}a_3x3_BatchNorm"
        )(x)
        x = k.layers.Activation("relu", name=f"Conv2d_{number}a_3x3_Activation")(x)
    base = k.Model(start, x, name="inception_v3")
    base.trainable = True
    inputs = base.input
    x = k.layers.GlobalAveragePooling2D()(base(inputs))
    return k.Model(inputs=inputs, outputs=k.layers.Dense(5, name="embedding")(x))


def soft_labels(k):
    """Segmentation by a subclass of Model, whose own layers make their layers when built."""
    import customs_13 as own

    model = own.SoftLabels(depth=2, filters_base=3, output_filters=1)
    model(tf.constant(INPUTS_OF["soft_labels"][0]), training=False)
    model.compile(optimizer=k.optimizers.Adam(learning_rate=1e-3), loss="mse")
    return model


def two_resolutions(k):
    """Two branches that exchange what they found, pooled by large windows and resized."""

    def resized(x, size):
        if hasattr(k, "ops"):
            return k.ops.image.resize(x, size)
        return tf.image.resize(x, size)

    def conv(x, wide, stride=1, size=3, relu=True):
        x = k.layers.Conv2D(
            kernel_size=(size, size), filters=wide, strides=stride, padding="same", use_bias=False
        )(x)
        x = k.layers.BatchNormalization()(x)
        return k.layers.Activation("relu")(x) if relu else x

    def layer(x, wide, stride=1):
        short = x
        if stride != 1 or x.shape[-1] != wide:
            short = conv(x, wide, stride, size=1)
        y = conv(conv(x, wide, stride), wide, relu=False)
        return k.layers.Add()([y, short])

    def first(x, wide, size):
        x = k.layers.Activation("relu")(k.layers.BatchNormalization()(x))
        return k.layers.Conv2D(wide, (size, size), use_bias=False, padding="same")(x)

    relu = k.layers.Activation
    start = k.layers.Input([64, 64, 3])
    x = conv(conv(start, 4, 2), 4, 2)
    x = layer(relu("relu")(layer(x, 4)), 6, 2)
    high = layer(relu("relu")(x), 6)
    low = layer(relu("relu")(x), 8, 2)
    joined = k.layers.Add()([low, conv(relu("relu")(high), 8, 2, relu=False)])
    back = conv(relu("relu")(low), 6, size=1, relu=False)
    high = relu("relu")(k.layers.Add()([high, resized(back, (8, 8))]))
    low = layer(relu("relu")(joined), 8, 2)
    found = [first(low, 4, 1)]
    for size, stride in ((5, 2), (2, 2)):
        y = k.layers.AveragePooling2D(
            pool_size=(size, size), strides=(stride, stride), padding="same"
        )(low)
        y = resized(first(y, 4, 1), (2, 2))
        found.append(first(k.layers.Add()([y, found[-1]]), 4, 3))
    pooled = first(k.layers.concatenate(found, axis=-1), 6, 1)
    pooled = k.layers.Add()([pooled, first(low, 6, 1)])
    high = k.layers.Add()([resized(pooled, (8, 8)), high])
    high = first(first(high, 5, 3), 3, 1)
    output = k.layers.UpSampling2D(
        size=(8, 8), interpolation="bilinear", name="segmentation_output"
    )(high)
    sure = k.layers.Conv2D(
        1, (3, 3), use_bias=False, padding="same", activation="sigmoid", name="confidence_output"
    )(output)
    model = k.Model(start, k.layers.Concatenate(name="output")([output, sure]))
    model.compile(
        loss=k.losses.CategoricalCrossentropy(from_logits=False),
        optimizer=k.optimizers.SGD(momentum=0.9, learning_rate=0.045),
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["two_resolutions"], np.abs(floats(2, 64, 64, 4)))


def flower_kinds(k):
    """Residual units with squeeze and excitation, by a slice with new axes."""

    def excited(x):
        wide = x.shape[-1]
        y = k.layers.GlobalAvgPool2D()(x)
        y = y[:, None, None, :]
        y = k.layers.Conv2D(filters=wide // 4, kernel_size=1, strides=1)(y)
        y = k.layers.Activation("relu")(y)
        y = k.layers.Conv2D(filters=wide, kernel_size=1, strides=1)(y)
        return k.layers.Multiply()([x, k.layers.Activation("sigmoid")(y)])

    def conv(x, filters, size, strides=1, padding="valid"):
        x = k.layers.Conv2D(filters=filters, kernel_size=size, strides=strides, padding=padding)(x)
        return k.layers.BatchNormalization(epsilon=1.001e-5)(x)

    def block(x, filters, strides=1, shortcut=True):
        short = conv(x, filters * 4, 1, strides) if shortcut else x
        x = k.layers.Activation("relu")(conv(x, filters, 1, strides))
        x = k.layers.Activation("relu")(conv(x, filters, 3, padding="same"))
        x = k.layers.Add()([excited(conv(x, filters * 4, 1)), short])
        return k.layers.Activation("relu")(x)

    start = k.layers.Input(shape=(24, 24, 3))
    x = conv(k.layers.ZeroPadding2D((3, 3))(start), 4, 7, 2)
    x = k.layers.ZeroPadding2D((1, 1))(k.layers.Activation("relu")(x))
    x = k.layers.MaxPool2D(pool_size=3, strides=2, padding="valid")(x)
    x = block(block(x, 2), 2, shortcut=False)
    x = block(block(x, 3, strides=2), 3, shortcut=False)
    x = k.layers.Dense(7, activation="softmax")(k.layers.GlobalAvgPool2D()(x))
    model = k.Model(inputs=start, outputs=x)
    model.compile(
        optimizer=k.optimizers.Adam(learning_rate=1e-4),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["flower_kinds"], np.eye(7, dtype="float32")[[6, 2]])


INPUTS_OF = {
    "few_shots": [floats(2, 14, 14, 1)],
    "small_photos": [np.abs(floats(2, 16, 16, 3))],
    "face_vectors": [floats(2, 20, 20, 3)],
    "soft_labels": [floats(2, 8, 8, 3)],
    "two_resolutions": [floats(2, 64, 64, 3)],
    "flower_kinds": [floats(2, 24, 24, 3)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("soft_labels",)
