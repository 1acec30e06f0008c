"""Models of frames and of larger images, for `models.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import adam, floats, trained


def dense_upscaling(k):
    """Dense blocks whose end a Lambda shuffles to a larger image; it knows its object."""
    layers = k.layers
    initializer = k.initializers.RandomUniform(minval=-0.05, maxval=0.05, seed=None)

    class Network:
        """What the layers are made from."""

        scale = 2

        def conv(self, filters, size, name, x):
            return layers.Conv2D(
                filters,
                kernel_size=size,
                padding="same",
                name=name,
                kernel_initializer=initializer,
            )(x)

        def shuffle(self, x):
            x = self.conv(3 * self.scale**2, 3, "UPN3", x)
            return layers.Lambda(
                lambda x: tf.nn.depth_to_space(x, block_size=self.scale, data_format="NHWC"),
                name="PixelShuffle",
            )(x)

        def blocks(self, rdb_in):
            rdb_concat = []
            for d in range(1, 3):
                x = rdb_in
                for c in range(1, 3):
                    f_dc = self.conv(3, 3, f"F_{d}_{c}", x)
                    f_dc = layers.Activation("relu", name=f"F_{d}_{c}_Relu")(f_dc)
                    x = layers.concatenate([x, f_dc], axis=3, name=f"RDB_Concat_{d}_{c}")
                x = self.conv(4, 1, f"LFF_{d}", x)
                rdb_in = layers.Add(name=f"LRL_{d}")([x, rdb_in])
                rdb_concat.append(rdb_in)
            return layers.concatenate(rdb_concat, axis=3, name="LRLs_Concat")

        def build(self):
            lr_input = layers.Input(shape=(None, None, 3), name="LR")
            f_m1 = self.conv(4, 3, "F_m1", lr_input)
            fd = self.blocks(self.conv(4, 3, "F_0", f_m1))
            gff = self.conv(4, 3, "GFF_2", self.conv(4, 1, "GFF_1", fd))
            fdf = layers.Add(name="FDF")([gff, f_m1])
            x = layers.Activation("relu", name="UPN1_Relu")(self.conv(5, 5, "UPN1", fdf))
            x = layers.Activation("relu", name="UPN2_Relu")(self.conv(4, 3, "UPN2", x))
            return k.models.Model(inputs=lr_input, outputs=self.conv(3, 3, "SR", self.shuffle(x)))

    model = Network().build()
    model._name = "generator"
    return model


def moving_frames(k):
    """The next frames, with a loss that holds a network."""
    import customs_23 as own

    layers = k.layers
    inputs = k.Input(shape=(3, 8, 8, 1))
    x = inputs
    for size in (5, 3, 1):
        x = layers.ConvLSTM2D(
            filters=3, kernel_size=size, padding="same", return_sequences=True, activation="relu"
        )(x)
        x = layers.BatchNormalization()(x)
    outputs = layers.Conv3D(filters=1, kernel_size=(3, 3, 3), activation="sigmoid", padding="same")(
        x
    )
    model = k.Model(inputs=inputs, outputs=outputs)
    optimizer = k.optimizers.Adam(learning_rate=1e-3, clipnorm=1.0)
    loss = own.TotalLoss(bce_weight=1.0, perceptual_weight=0.1, gdl_weight=1.0, gdl_alpha=1.0)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy", "mse"])
    return trained(model, [floats(2, 3, 8, 8, 1)], np.abs(floats(2, 3, 8, 8, 1)))


def sung_styles(k):
    """Sounds as images of any size, halved and doubled twice."""
    layers = k.layers

    def conv(filters, shape, strides=1):
        return layers.Conv2D(filters, shape, strides=strides, activation="relu", padding="same")

    noisy = layers.Input(shape=(None, None, 3), name="noisy")
    x = layers.BatchNormalization()(noisy)
    skip_a = x
    x = conv(4, 3)(conv(4, 3)(x))
    x = layers.BatchNormalization()(conv(4, 4, strides=2)(x))
    skip_b = x
    x = conv(4, 3)(conv(4, 3)(x))
    x = layers.BatchNormalization()(conv(4, 4, strides=2)(x))
    x = conv(4, 3)(conv(4, 3)(x))
    x = layers.BatchNormalization()(conv(4, 3)(x))
    x = layers.UpSampling2D((2, 2))(x)
    x = layers.Concatenate()([x, skip_b])
    x = conv(4, 3)(conv(4, 3)(x))
    x = layers.BatchNormalization()(conv(4, 3)(x))
    x = layers.UpSampling2D((2, 2))(x)
    x = layers.Concatenate()([x, skip_a])
    output = conv(1, 3)(conv(3, 3)(conv(3, 3)(x)))
    model = k.models.Model(inputs=noisy, outputs=output)
    try:
        optimizer = adam(k, 0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08, decay=0.0001)
    except (TypeError, ValueError):
        optimizer = adam(k, 0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08)
    model.compile(loss="mean_absolute_error", optimizer=optimizer)
    return trained(model, [floats(1, 8, 8, 3)], floats(1, 8, 8, 1))


def branched_search(k):
    """Three branches that a search found; one does nothing, by a Lambda."""
    layers = k.layers
    given = {"activation": "relu", "padding": "same"}
    inputs = layers.Input(shape=(None, None, 3))
    inp = layers.Conv2D(4, 3, **given)(inputs)
    b1 = layers.Conv2D(4, 3, dilation_rate=2, **given)(inp)
    b1 = layers.Lambda(lambda x: x)(b1)
    b2 = layers.Conv2D(8, 1, **given)(inp)
    b2 = layers.DepthwiseConv2D(3, **given)(b2)
    b2 = layers.Conv2D(4, 1, **given)(b2)
    b3 = layers.Conv2DTranspose(4, 3, **given)(inp)
    x = layers.Add()([b1, b2, b3])
    x = layers.Conv2D(12, 3, **given)(x)
    x = tf.nn.depth_to_space(x, 2)
    outputs = layers.Conv2D(3, 3, activation="sigmoid", padding="same")(x)
    return k.models.Model(inputs, outputs)


def recurrent_unet(k):
    """Frames halved and doubled, with layers that feed themselves in between."""
    import customs_23 as own

    layers = k.layers
    inputs = layers.Input(shape=(3, 8, 8, 1))
    x0 = layers.BatchNormalization()(inputs)
    skips = []
    for width in (2, 3):
        x = layers.ConvLSTM2D(width, kernel_size=(3, 3), padding="same", return_sequences=True)(x0)
        context = layers.Cropping3D(((1, 0), (0, 0), (0, 0)), data_format="channels_last")(x)
        skips.append(own.ConvLSTMRecurrentLayer(width, 2)(context))
        x0 = layers.BatchNormalization()(layers.MaxPool3D([1, 2, 2], padding="same")(x))
        x0 = layers.Dropout(0.2)(x0)
    x = layers.ConvLSTM2D(filters=4, kernel_size=(3, 3), padding="same")(x0)
    x = tf.expand_dims(x, axis=1)
    x = tf.squeeze(own.ConvLSTMRecurrentLayer(4, 2)(x), axis=2)
    for width, skip in zip((3, 2), skips[::-1]):
        x = layers.Conv3DTranspose(
            filters=width,
            kernel_size=(1, 2, 2),
            strides=(1, 2, 2),
            padding="same",
            activation="relu",
        )(x)
        x = layers.Dropout(0.2)(layers.BatchNormalization()(x))
        x = layers.concatenate([x, tf.squeeze(skip, axis=2)])
        x = layers.Conv3D(filters=width, kernel_size=(1, 3, 3), padding="same", activation="relu")(
            x
        )
    residual_output = layers.Conv3D(1, kernel_size=(1, 1, 1), padding="same")(x)
    output = layers.Activation("linear", dtype="float32")(residual_output)
    return k.Model(inputs, output)


def rained_cells(k):
    """Rain by a cell of its own over frames, whose layer makes its first state."""
    import customs_23 as own

    layers = k.layers
    x_in = layers.Input(shape=(3, 6, 6, 1))
    x = own.ConvRNN2D(3, 3, return_sequences=True)(x_in)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(0.1)(x)
    x = own.ConvRNN2D(4, 3)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(1, 3, padding="same")(x)
    x = layers.ReLU(max_value=1.0)(x)
    x = layers.Lambda(lambda t: tf.expand_dims(t, 1))(x)
    model = k.models.Model(x_in, x)
    metrics = [
        k.metrics.MeanAbsoluteError(name="mae"),
        k.metrics.RootMeanSquaredError(name="rmse"),
        own.r2_metric,
    ]
    optimizer = k.optimizers.Adam(learning_rate=1e-3, clipnorm=1.0)
    model.compile(optimizer=optimizer, loss=k.losses.Huber(delta=0.05), metrics=metrics)
    return trained(model, [floats(2, 3, 6, 6, 1)], floats(2, 1, 6, 6, 1))


def hybrid_frames(k):
    """Each frame by convolutions, in the middle all together."""
    layers = k.layers

    def conv_block(x, filters):
        for _ in range(2):
            x = layers.TimeDistributed(
                layers.Conv2D(filters, (3, 3), activation="relu", padding="same")
            )(x)
            x = layers.TimeDistributed(layers.BatchNormalization())(x)
        return x

    inputs = layers.Input((2, 8, 8, 1))
    x, skips = inputs, []
    for filters in (2, 3):
        x = conv_block(x, filters)
        skips.append(x)
        x = layers.Dropout(0.3)(layers.TimeDistributed(layers.MaxPooling2D((2, 2)))(x))
    for _ in range(2):
        x = layers.ConvLSTM2D(4, (3, 3), activation="relu", padding="same", return_sequences=True)(
            x
        )
        x = layers.BatchNormalization()(x)
    for filters in (3, 2):
        up = layers.TimeDistributed(layers.UpSampling2D((2, 2)))(x)
        x = conv_block(layers.Concatenate()([up, skips.pop()]), filters)
    outputs = layers.TimeDistributed(layers.Conv2D(1, (1, 1), activation="sigmoid"))(x)
    return k.models.Model(inputs, outputs, name="U-Net")


MODELS = {
    "dense_upscaling": (dense_upscaling, [floats(1, 6, 6, 3)]),
    "moving_frames": (moving_frames, [floats(2, 3, 8, 8, 1)]),
    "sung_styles": (sung_styles, [floats(1, 8, 8, 3)]),
    "branched_search": (branched_search, [floats(1, 6, 6, 3)]),
    "recurrent_unet": (recurrent_unet, [floats(2, 3, 8, 8, 1)]),
    "rained_cells": (rained_cells, [floats(2, 3, 6, 6, 1)]),
    "hybrid_frames": (hybrid_frames, [floats(2, 2, 8, 8, 1)]),
}
CUSTOM = frozenset({"moving_frames", "recurrent_unet", "rained_cells"})
LAMBDAS = frozenset({"dense_upscaling", "branched_search", "rained_cells"})
