"""Models of images and sounds from public examples, for `matrix.py`: a fourteenth list, with
`bodies.py` and `series.py`.

Which programs stand here was drawn by lot from listings of examples, tutorials and repositories.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, trained
from benchmarks.loading.list_14 import bodies, series


def focal_levels(k):
    """Focal modulation as a subclass of own layers, which pass sizes; an own rate of learning."""
    import customs_14 as own

    rate = own.CosineAfterWarmUp(
        learning_rate_base=1e-4, total_steps=40, warmup_learning_rate=0.0, warmup_steps=6
    )
    model = own.FocalNetwork()
    if hasattr(k.optimizers, "AdamW"):
        optimizer = k.optimizers.AdamW(learning_rate=rate, weight_decay=1e-4)
    else:
        optimizer = k.optimizers.Adam(learning_rate=rate)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["focal_levels"], np.array([3, 8]))


def clustered_heads(k):
    """The body of a clustering: outputs in two lists within a list."""
    start = x = k.layers.Input(shape=(16, 16, 3))
    for block, filters in enumerate((4, 6)):
        name = f"conv{block + 1}"
        short = k.layers.Conv2D(filters, 1, strides=2, name=name + "_0_conv")(x)
        x = k.layers.Conv2D(filters, 3, strides=2, padding="same", name=name + "_1_conv")(x)
        x = k.layers.BatchNormalization(epsilon=1.001e-5, name=name + "_1_bn")(x)
        x = k.layers.Add(name=name + "_add")([short, x])
        x = k.layers.Activation("relu", name=name + "_out")(x)
    body = k.Model(start, x, name="resnet50")
    pooled = k.layers.GlobalAveragePooling2D()(body.output)
    outputs = [k.layers.Dense(4, activation="softmax")(pooled) for _ in range(3)]
    others = [k.layers.Dense(5, activation="softmax")(pooled) for _ in range(3)]
    return k.models.Model(body.input, [outputs, others], name="IIC_aux_node")


def patches_by_depth(k):
    """Patches mixed by convolutions of groups."""

    def active(x):
        return k.layers.BatchNormalization()(k.layers.Activation("gelu")(x))

    start = k.Input((16, 16, 3))
    x = k.layers.Rescaling(scale=1.0 / 255)(start)
    x = active(k.layers.Conv2D(6, kernel_size=2, strides=2)(x))
    for _ in range(2):
        mixed = k.layers.Conv2D(6, kernel_size=5, groups=6, padding="same")(x)
        x = k.layers.Add()([active(mixed), x])
        x = active(k.layers.Conv2D(6, kernel_size=1)(x))
    x = k.layers.GlobalAvgPool2D()(x)
    model = k.Model(start, k.layers.Dense(10, activation="softmax")(x))
    if hasattr(k.optimizers, "AdamW"):
        optimizer = k.optimizers.AdamW(learning_rate=0.001, weight_decay=0.0001)
    else:
        optimizer = k.optimizers.Adam(learning_rate=0.001)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["patches_by_depth"], np.array([1, 7]))


def trained_spectra(k):
    """A spectrogram as a layer of the network, which Keras 3 has; convolutions of its frames."""
    layers = k.layers
    model = k.Sequential(
        [
            layers.InputLayer((None, 1)),
            layers.STFTSpectrogram(mode="log", frame_length=32, frame_step=12, trainable=False),
            layers.Conv1D(6, 8, activation="relu"),
            layers.Conv1D(8, 4, activation="relu"),
            layers.LayerNormalization(),
            layers.MaxPooling1D(4),
            layers.Conv1D(8, 4, activation="relu"),
            layers.Conv1D(8, 3, activation="relu"),
            layers.Conv1D(8, 2, activation="relu"),
            layers.LayerNormalization(),
            layers.Dropout(0.5),
            layers.GlobalMaxPooling1D(),
            layers.Dense(8, activation="relu"),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ],
        name="model_1d_non_trainble_stft",
    )
    model.compile(
        optimizer=k.optimizers.Adam(1e-5),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["trained_spectra"], np.array([2, 9]))


def noisy_student(k):
    """A Sequential model with a residual network inside, trained on labels."""
    start = x = k.layers.Input((16, 16, 3))
    x = k.layers.ZeroPadding2D(((3, 3), (3, 3)), name="conv1_pad")(x)
    x = k.layers.Conv2D(4, 7, strides=2, use_bias=True, name="conv1_conv")(x)
    preact = k.layers.BatchNormalization(epsilon=1.001e-5, name="preact_bn")(x)
    preact = k.layers.Activation("relu", name="preact_relu")(preact)
    y = k.layers.Conv2D(4, 3, padding="same", use_bias=False, name="block_conv")(preact)
    x = k.layers.Add(name="block_out")([x, y])
    x = k.layers.BatchNormalization(epsilon=1.001e-5, name="post_bn")(x)
    body = k.Model(start, k.layers.Activation("relu", name="post_relu")(x), name="resnet50v2")
    model = k.Sequential(
        [
            k.layers.Input((16, 16, 3)),
            k.layers.Rescaling(scale=1.0 / 127.5, offset=-1),
            body,
            k.layers.GlobalAveragePooling2D(),
            k.layers.Dense(10),
        ]
    )
    model.compile(
        optimizer=k.optimizers.Adam(),
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["noisy_student"], np.array([[4], [0]]))


def spread_digits(k):
    """A Sequential model without an input, for a loop of its own; penalties on its weights."""
    given = {"kernel_regularizer": k.regularizers.L2(1e-5)}
    model = k.Sequential(
        [
            k.layers.Conv2D(4, 3, activation="relu", **given),
            k.layers.MaxPooling2D(),
            k.layers.Conv2D(6, 3, activation="relu", **given),
            k.layers.MaxPooling2D(),
            k.layers.Flatten(),
            k.layers.Dense(8, activation="relu", **given),
            k.layers.Dense(10, **given),
        ]
    )
    model(tf.constant(INPUTS_OF["spread_digits"][0]), training=True)
    return model


def photo_folders(k):
    """A Sequential model that begins by scaling, without an input; trained."""
    layers = [k.layers.Rescaling(1.0 / 255)]
    for _ in range(3):
        layers += [k.layers.Conv2D(4, 3, activation="relu"), k.layers.MaxPooling2D()]
    layers += [k.layers.Flatten(), k.layers.Dense(8, activation="relu"), k.layers.Dense(5)]
    model = k.Sequential(layers)
    model.compile(
        optimizer="adam",
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["photo_folders"], np.array([4, 2]))


def replicated_digits(k):
    """One convolution and two dense layers; logits."""
    model = k.Sequential(
        [
            k.layers.Conv2D(4, 3, activation="relu", input_shape=(12, 12, 1)),
            k.layers.MaxPooling2D(),
            k.layers.Flatten(),
            k.layers.Dense(8, activation="relu"),
            k.layers.Dense(10),
        ]
    )
    model.compile(
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=k.optimizers.Adam(learning_rate=0.001),
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["replicated_digits"], np.array([5, 6]))


INPUTS_OF = {
    "focal_levels": [np.abs(floats(2, 24, 24, 3))],
    "clustered_heads": [floats(2, 16, 16, 3)],
    "patches_by_depth": [np.abs(floats(2, 16, 16, 3)) * 255],
    "trained_spectra": [floats(2, 800, 1)],
    "noisy_student": [np.abs(floats(2, 16, 16, 3)) * 255],
    "spread_digits": [floats(2, 14, 14, 1)],
    "photo_folders": [np.abs(floats(2, 24, 24, 3)) * 255],
    "replicated_digits": [floats(2, 12, 12, 1)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= {**bodies.MODELS, **series.MODELS}
CUSTOM = ("focal_levels", *bodies.CUSTOM, *series.CUSTOM)
LAMBDAS = ("contrast_queries", *series.LAMBDAS)
INPUTS = series.INPUTS
DICTIONARIES = series.DICTIONARIES
