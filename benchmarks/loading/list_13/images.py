"""Models of images and films from public examples and repositories, for `matrix.py`: a thirteenth
list, with `bodies.py` and `series.py`.

Which programs stand here was drawn by lot from listings of examples, tutorials and repositories.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, functions, trained
from benchmarks.loading.list_13 import bodies, series


def _decayed(k, rate, decay):
    """Adam with a decay of the weights, where Keras has it; else Adam."""
    if hasattr(k.optimizers, "AdamW"):
        return k.optimizers.AdamW(learning_rate=rate, weight_decay=decay)
    return k.optimizers.Adam(learning_rate=rate)


def distilled_flowers(k):
    """A student of a larger network: residual units after normalization, compiled for a metric."""

    def unit(x, filters, name):
        preact = k.layers.BatchNormalization(epsilon=1.001e-5, name=name + "_preact_bn")(x)
        preact = k.layers.Activation("relu", name=name + "_preact_relu")(preact)
        short = k.layers.Conv2D(4 * filters, 1, name=name + "_0_conv")(preact)
        x = k.layers.Conv2D(filters, 1, use_bias=False, name=name + "_1_conv")(preact)
        x = k.layers.BatchNormalization(epsilon=1.001e-5, name=name + "_1_bn")(x)
        x = k.layers.Activation("relu", name=name + "_1_relu")(x)
        x = k.layers.ZeroPadding2D(padding=((1, 1), (1, 1)), name=name + "_2_pad")(x)
        x = k.layers.Conv2D(filters, 3, use_bias=False, name=name + "_2_conv")(x)
        x = k.layers.Conv2D(4 * filters, 1, name=name + "_3_conv")(x)
        return k.layers.Add(name=name + "_out")([short, x])

    start = k.layers.Input(shape=(16, 16, 3))
    x = k.layers.ZeroPadding2D(padding=((3, 3), (3, 3)), name="conv1_pad")(start)
    x = k.layers.Conv2D(4, 7, strides=2, use_bias=True, name="conv1_conv")(x)
    x = unit(unit(x, 2, "conv2_block1"), 3, "conv3_block1")
    x = k.layers.BatchNormalization(epsilon=1.001e-5, name="post_bn")(x)
    x = k.layers.Activation("relu", name="post_relu")(x)
    x = k.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = k.layers.Dense(6, activation="linear", name="predictions")(x)
    model = k.Model(start, x, name="resnet50v2")
    model.compile(metrics=["accuracy"])
    return model


def frames_of_sport(k):
    """Features of frames with their places, by own layers that make a mask and use it."""
    import customs_13 as own

    inputs = k.Input(shape=(None, None))
    x = own.FramePositions(6, 8, name="frame_position_embedding")(inputs)
    x = own.FrameEncoder(8, 4, 1, name="transformer_layer")(x)
    x = k.layers.Dropout(0.5)(k.layers.GlobalMaxPooling1D()(x))
    model = k.Model(inputs, k.layers.Dense(5, activation="softmax")(x))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["frames_of_sport"], np.array([4, 1]))


def composed_pixels(k):
    """Three scales of a frozen body, and a frozen Sequential model over one, in mixed_float16."""
    k.mixed_precision.set_global_policy("mixed_float16")
    try:
        seen = x = k.layers.Input(shape=(32, 32, 3))
        for block, filters in enumerate((3, 4, 5, 6, 6)):
            name = f"block{block + 1}"
            x = k.layers.Conv2D(
                filters, 3, activation="relu", padding="same", name=f"{name}_conv1"
            )(x)
            x = k.layers.MaxPooling2D(2, strides=2, name=f"{name}_pool")(x)
        x = k.layers.Dense(8, activation="relu", name="fc1")(k.layers.Flatten(name="flatten")(x))
        vgg = k.Model(seen, k.layers.Dense(5, name="predictions")(x), name="vgg19")
        names = [f"block{block}_pool" for block in (3, 4, 5)]
        body = k.Model(
            inputs=vgg.layers[1].input, outputs=[vgg.get_layer(name).output for name in names]
        )
        body.trainable = False
        start = k.Input(shape=(32, 32, 3))
        x = list(body(start))
        dense = []
        for place, filters in enumerate((8, 8)):
            dense += [
                k.layers.Conv2D(
                    filters=filters,
                    kernel_size=(7, 7) if place == 0 else (1, 1),
                    strides=(1, 1),
                    activation="relu",
                    padding="same",
                    use_bias=False,
                    kernel_initializer=tf.constant_initializer(1.0),
                ),
                k.layers.Dropout(0.5),
            ]
        dense = k.Sequential(dense)
        dense.trainable = False
        x[-1] = dense(x[-1])

        def conv(activation, **given):
            return k.layers.Conv2D(4, (1, 1), padding="same", activation=activation, **given)

        def larger(size):
            return k.layers.UpSampling2D(
                size=(size, size), data_format="channels_last", interpolation="bilinear"
            )

        zeros = k.initializers.Zeros()
        low = k.layers.Add()(
            [conv("linear", kernel_initializer=zeros)(x[1]), larger(2)(conv("relu")(x[2]))]
        )
        low = k.layers.Add()([conv("linear", kernel_initializer=zeros)(x[0]), larger(2)(low)])
        model = k.Model(inputs=start, outputs=larger(8)(conv("softmax")(low)))
        model.compile(
            optimizer=_decayed(k, 1e-3, 1e-4),
            loss=k.losses.SparseCategoricalCrossentropy(),
            metrics=[k.metrics.SparseCategoricalAccuracy()],
        )
        return trained(model, INPUTS_OF["composed_pixels"], np.zeros((2, 32, 32, 1), "int32"))
    finally:
        k.mixed_precision.set_global_policy("float32")


def bags_of_digits(k):
    """Pieces of a bag through shared layers, weighed by an own layer with lists in and out."""
    import customs_13 as own

    inputs, embeddings = [], []
    first = k.layers.Dense(8, activation="relu")
    second = k.layers.Dense(6, activation="relu")
    for _ in range(3):
        start = k.layers.Input((6, 6))
        inputs.append(start)
        embeddings.append(second(first(k.layers.Flatten()(start))))
    alpha = own.BagAttention(
        weight_params_dim=10,
        kernel_regularizer=k.regularizers.L2(0.01),
        use_gated=True,
        name="alpha",
    )(embeddings)
    weighed = [k.layers.multiply([alpha[n], embeddings[n]]) for n in range(len(alpha))]
    output = k.layers.Dense(2, activation="softmax")(k.layers.concatenate(weighed, axis=1))
    model = k.Model(inputs, output)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["bags_of_digits"], np.array([[1], [0]]))


def drawn_birds(k):
    """A generator whose copy keeps the average of its weights: transposed convolutions."""
    model = k.Sequential(
        [
            k.layers.InputLayer(input_shape=(8,)),
            k.layers.Dense(4 * 4 * 6, use_bias=False),
            k.layers.BatchNormalization(scale=False),
            k.layers.ReLU(),
            k.layers.Reshape(target_shape=(4, 4, 6)),
            k.layers.Conv2DTranspose(6, kernel_size=4, strides=2, padding="same", use_bias=False),
            k.layers.BatchNormalization(scale=False),
            k.layers.ReLU(),
            k.layers.Conv2DTranspose(
                3, kernel_size=4, strides=2, padding="same", activation="sigmoid"
            ),
        ],
        name="generator",
    )
    return k.models.clone_model(model)


def residual_pixels(k):
    """Super resolution as a Functional model of a subclass, by TensorFlow's function (Keras 2)."""
    import customs_13 as own

    def block(x):
        y = k.layers.Conv2D(8, 3, padding="same", activation="relu")(x)
        return k.layers.Add()([x, k.layers.Conv2D(8, 3, padding="same")(y)])

    start = k.layers.Input(shape=(None, None, 3))
    x = y = k.layers.Conv2D(8, 3, padding="same")(k.layers.Rescaling(scale=1.0 / 255)(start))
    for _ in range(2):
        y = block(y)
    x = k.layers.Add()([x, k.layers.Conv2D(8, 3, padding="same")(y)])
    for _ in range(2):
        x = k.layers.Conv2D(32, 3, padding="same")(x)
        x = tf.nn.depth_to_space(x, block_size=2)
    x = k.layers.Rescaling(scale=255)(k.layers.Conv2D(3, 3, padding="same")(x))
    model = own.SharpModel(start, x)
    rate = k.optimizers.schedules.PiecewiseConstantDecay(boundaries=[5000], values=[1e-4, 5e-5])
    model.compile(
        optimizer=k.optimizers.Adam(learning_rate=rate), loss="mae", metrics=[own.peak_to_noise]
    )
    return trained(model, INPUTS_OF["residual_pixels"], floats(2, 32, 32, 3) * 255)


def learned_tokens(k):
    """A vision transformer that learns fewer tokens, by functions and a nested Sequential model."""
    import customs_13 as own

    expand, mean = functions(k, "expand_dims", "mean")
    gelu = k.ops.gelu if hasattr(k, "ops") else tf.nn.gelu

    def block(x):
        y = k.layers.LayerNormalization(epsilon=1e-6)(x)
        y = k.layers.MultiHeadAttention(num_heads=2, key_dim=6, dropout=0.1)(y, y)
        x = k.layers.Add()([y, x])
        y = k.layers.LayerNormalization(epsilon=1e-6)(x)
        for units in (12, 6):
            y = k.layers.Dropout(0.1)(k.layers.Dense(units, activation=gelu)(y))
        return k.layers.Add()([y, x])

    augmentation = k.Sequential(
        [
            k.layers.Rescaling(1 / 255.0),
            k.layers.Resizing(19, 19),
            k.layers.RandomCrop(16, 16),
            k.layers.RandomFlip("horizontal"),
        ],
        name="data_augmentation",
    )
    start = k.layers.Input(shape=(12, 12, 3))
    x = k.layers.Conv2D(6, kernel_size=(4, 4), strides=(4, 4), padding="VALID")(augmentation(start))
    x = k.layers.Reshape((16, 6))(x)
    x = own.PlacedPatches(num_patches=16, projection_dim=6)(x)
    x = block(k.layers.Dropout(0.1)(x))
    x = k.layers.Reshape((4, 4, 6))(x)
    given = {"filters": 3, "kernel_size": (3, 3), "padding": "same", "use_bias": False}
    maps = k.Sequential(
        [
            k.layers.Conv2D(activation=gelu, **given),
            k.layers.Conv2D(activation="sigmoid", **given),
            k.layers.Reshape((-1, 3)),
            k.layers.Permute((2, 1)),
        ]
    )(k.layers.LayerNormalization(epsilon=1e-6)(x))
    x = mean(expand(maps, axis=-1) * k.layers.Reshape((1, -1, 6))(x), axis=2)
    x = k.layers.LayerNormalization(epsilon=1e-6)(block(x))
    x = k.layers.Dense(10, activation="softmax")(k.layers.GlobalAvgPool1D()(x))
    model = k.Model(inputs=start, outputs=x)
    model.compile(
        optimizer=_decayed(k, 1e-3, 1e-4),
        loss="sparse_categorical_crossentropy",
        metrics=[
            k.metrics.SparseCategoricalAccuracy(name="accuracy"),
            k.metrics.SparseTopKCategoricalAccuracy(5, name="top-5-accuracy"),
        ],
    )
    return trained(model, INPUTS_OF["learned_tokens"], np.array([7, 1]))


INPUTS_OF = {
    "distilled_flowers": [floats(2, 16, 16, 3)],
    "frames_of_sport": [floats(2, 6, 8)],
    "composed_pixels": [floats(2, 32, 32, 3)],
    "bags_of_digits": [floats(2, 6, 6), floats(2, 6, 6) * 0.5, floats(2, 6, 6) * 0.2],
    "drawn_birds": [floats(2, 8)],
    "residual_pixels": [np.abs(floats(2, 8, 8, 3)) * 255],
    "learned_tokens": [np.abs(floats(2, 12, 12, 3)) * 255],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= {**bodies.MODELS, **series.MODELS}
CUSTOM = ("frames_of_sport", "bags_of_digits", "residual_pixels", "learned_tokens")
CUSTOM += bodies.CUSTOM + series.CUSTOM
LAMBDAS = series.LAMBDAS
INPUTS = {"bags_of_digits": ["input_1", "input_2", "input_3"], **series.INPUTS}
