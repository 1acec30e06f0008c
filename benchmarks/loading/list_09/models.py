"""Models of images as public examples and tutorials write them, for `matrix.py`: a ninth list.

Which examples stand here and in `series.py` was drawn by lot.
"""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, integers, trained
from benchmarks.loading.list_09 import series


def linear_probe(k):
    """The frozen body of a self-supervised residual network, cut from its projection head."""
    decay = 5e-4
    start = k.layers.Input((8, 8, 3))
    x = k.layers.Rescaling(scale=1.0 / 127.5, offset=-1)(start)
    x = k.layers.Conv2D(4, (3, 3), padding="same", use_bias=False, kernel_initializer="he_normal")(
        x
    )
    x = k.layers.ReLU()(k.layers.BatchNormalization()(x))
    for width, stride in ((8, 1), (12, 2)):
        short = k.layers.Conv2D(width, (1, 1), strides=stride, use_bias=False)(x)
        short = k.layers.BatchNormalization()(short)
        for size, step in (((1, 1), 1), ((3, 3), stride), ((1, 1), 1)):
            x = k.layers.ReLU()(k.layers.BatchNormalization()(x))
            x = k.layers.Conv2D(width, size, strides=step, padding="same", use_bias=False)(x)
        x = k.layers.Add()([short, x])
    x = k.layers.GlobalAveragePooling2D(name="backbone_pool")(x)
    for last in (False, True):
        l2 = k.regularizers.l2(decay)
        x = k.layers.Dense(10, use_bias=False, kernel_regularizer=l2)(x)
        x = k.layers.BatchNormalization()(x)
        x = x if last else k.layers.ReLU()(x)
    encoder = k.Model(start, x, name="encoder")
    backbone = k.Model(encoder.input, encoder.get_layer("backbone_pool").output)
    backbone.trainable = False
    inputs = k.layers.Input((8, 8, 3))
    x = backbone(inputs, training=False)
    model = k.Model(inputs, k.layers.Dense(10, activation="softmax")(x), name="linear_model")
    rate = k.optimizers.schedules.CosineDecay(initial_learning_rate=0.03, decay_steps=100)
    optimizer = k.optimizers.SGD(rate, momentum=0.9)
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"], optimizer=optimizer)
    return trained(model, INPUTS_OF["linear_probe"], np.array([1, 7]))


def keypoints(k):
    """Joints by separable convolutions on a frozen body, built under the policy mixed_float16."""
    k.mixed_precision.set_global_policy("mixed_float16")
    try:
        body = k.layers.Input((16, 16, 3))
        x = k.layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False, name="Conv1")(body)
        x = k.layers.BatchNormalization(epsilon=1e-3, momentum=0.999, name="bn_Conv1")(x)
        x = k.layers.ReLU(6.0, name="Conv1_relu")(x)
        x = k.layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
        x = k.layers.ReLU(6.0)(k.layers.BatchNormalization(name="depthwise_BN")(x))
        x = k.layers.Conv2D(6, 1, use_bias=False, name="project")(x)
        backbone = k.Model(body, x, name="mobilenetv2_small")
        backbone.trainable = False
        start = k.layers.Input((16, 16, 3))
        x = k.applications.mobilenet_v2.preprocess_input(start)
        x = k.layers.Dropout(0.3)(backbone(x))
        x = k.layers.SeparableConv2D(8, kernel_size=5, strides=1, activation="relu")(x)
        ends = k.layers.SeparableConv2D(
            8, kernel_size=3, strides=1, activation="sigmoid", dtype="float32"
        )(x)
        model = k.Model(start, ends, name="keypoint_detector")
        model.compile(loss="mse", optimizer=k.optimizers.Adam(1e-4))
        return trained(model, INPUTS_OF["keypoints"], np.abs(floats(2, 2, 2, 8)))
    finally:
        k.mixed_precision.set_global_policy("float32")


def radiance_field(k):
    """Colour and density from encoded points of rays, with the input given in again."""
    x = start = k.Input(shape=(12, 2 * 3 * 4 + 3))
    for number in range(8):
        x = k.layers.Dense(units=16, activation="relu")(x)
        if number % 4 == 0 and number > 0:
            x = k.layers.concatenate([x, start], axis=-1)
    return k.Model(inputs=start, outputs=k.layers.Dense(units=4)(x))


def involutions(k):
    """Layers of the user's own with two outputs, of which one is not used."""
    import customs_09 as own

    start = k.Input(shape=(8, 8, 4))
    x, _ = own.Involution(4, 2, kernel_size=3, stride=1, reduction_ratio=2, name="inv_1")(start)
    x = k.layers.MaxPooling2D((2, 2))(k.layers.ReLU()(x))
    x, _ = own.Involution(4, 1, kernel_size=3, stride=2, reduction_ratio=2, name="inv_2")(x)
    x = k.layers.Flatten()(k.layers.ReLU()(x))
    x = k.layers.Dense(8, activation="relu")(x)
    model = k.Model(inputs=[start], outputs=[k.layers.Dense(5)(x)], name="inv_model")
    model.compile(
        optimizer="adam",
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["involutions"], np.array([0, 3]))


def depth(k):
    """A subclass of Model with blocks of the user's own and a step of its own."""
    import customs_09 as own

    model = own.DepthEstimationModel()
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
    model.compile(k.optimizers.Adam(learning_rate=2e-4, amsgrad=False), loss=loss)
    return trained(model, INPUTS_OF["depth"], floats(2, 16, 16, 1))


def googlenet(k):
    """Four ways side by side, joined along the channels, twice."""

    def inception(x, one, three, five, pool):
        same = {"padding": "same", "activation": "relu", "strides": 1}
        ways = [k.layers.Conv2D(one, (1, 1), **same)(x)]
        for (narrow, wide), size in ((three, (3, 3)), (five, (5, 5))):
            ways.append(k.layers.Conv2D(wide, size, **same)(k.layers.Conv2D(narrow, 1, **same)(x)))
        pooled = k.layers.MaxPooling2D((3, 3), strides=1, padding="same")(x)
        ways.append(k.layers.Conv2D(pool, (1, 1), **same)(pooled))
        return k.layers.Concatenate(axis=-1)(ways)

    start = k.layers.Input(shape=(16, 16, 3))
    x = k.layers.Conv2D(4, kernel_size=(7, 7), strides=2, padding="same", activation="relu")(start)
    x = k.layers.BatchNormalization()(k.layers.MaxPooling2D((3, 3), strides=2, padding="same")(x))
    x = inception(x, 2, (2, 3), (1, 2), 2)
    x = inception(x, 3, (2, 4), (2, 3), 2)
    x = k.layers.AveragePooling2D(pool_size=(4, 4), strides=1, padding="valid")(x)
    x = k.layers.Dropout(0.4)(k.layers.Flatten()(x))
    x = k.layers.Dense(units=8, activation="linear")(x)
    model = k.models.Model(start, k.layers.Dense(units=6, activation="softmax")(x))
    optimizer = k.optimizers.RMSprop(learning_rate=1e-4)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer, metrics=["acc"])
    return trained(model, INPUTS_OF["googlenet"], np.eye(6, dtype="float32")[[0, 4]])


def style_transfer(k):
    """Statistics of one image on the features of another: a nested encoder, called twice."""
    import tensorflow as tf

    moments = k.ops.moments if hasattr(k, "ops") else tf.nn.moments
    root = k.ops.sqrt if hasattr(k, "ops") else tf.sqrt
    x = image = k.layers.Input((16, 16, 3))
    for block, width in ((1, 3), (2, 4)):
        for number in (1, 2):
            name = f"block{block}_conv{number}"
            x = k.layers.Conv2D(width, 3, activation="relu", padding="same", name=name)(x)
        x = k.layers.MaxPooling2D((2, 2), strides=(2, 2), name=f"block{block}_pool")(x)
    body = k.Model(image, x)
    body.trainable = False
    encoder_start = k.layers.Input([16, 16, 3])
    encoder = k.Model(encoder_start, body(encoder_start), name="mini_vgg19")
    config = {"kernel_size": 3, "strides": 1, "padding": "same", "activation": "relu"}
    decoder = k.Sequential(
        [
            k.layers.InputLayer((None, None, 4)),
            k.layers.Conv2D(filters=4, **config),
            k.layers.UpSampling2D(),
            k.layers.Conv2D(filters=3, **config),
            k.layers.UpSampling2D(),
            k.layers.Conv2D(3, kernel_size=3, strides=1, padding="same", activation="sigmoid"),
        ]
    )

    def mean_and_deviation(x, epsilon=1e-5):
        mean, variance = moments(x, axes=[1, 2], keepdims=True)
        return mean, root(variance + epsilon)

    style, content = (k.layers.Input((16, 16, 3), name=name) for name in ("style", "content"))
    style_mean, style_std = mean_and_deviation(encoder(style))
    encoded = encoder(content)
    mean, deviation = mean_and_deviation(encoded)
    target = style_std * (encoded - mean) / deviation + style_mean
    return k.Model([style, content], [decoder(target), target], name="style_transfer")


def standardized(k):
    """Subclasses of a convolution, without a constructor of their own."""
    import customs_09 as own

    model = k.Sequential(
        [
            k.layers.InputLayer(input_shape=(12, 12, 1)),
            own.StandardizedConv2DWithCall(4, kernel_size=(3, 3), activation="relu"),
            k.layers.MaxPooling2D(pool_size=(2, 2)),
            own.StandardizedConv2DWithOverride(6, kernel_size=(3, 3), activation="relu"),
            k.layers.Flatten(),
            k.layers.Dropout(0.5),
            k.layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return trained(model, INPUTS_OF["standardized"], np.eye(5, dtype="float32")[[2, 4]])


def pets(k):
    """Segmentation: a frozen body with several ends, and Sequential blocks that scale up."""
    x = start = k.layers.Input((16, 16, 3))
    ends = []
    for number, width in enumerate((4, 6, 8)):
        x = k.layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(x)
        x = k.layers.BatchNormalization(momentum=0.999)(x)
        x = k.layers.ReLU(6.0, name=f"block_{number}_expand_relu")(x)
        ends.append(x)
    down_stack = k.Model(inputs=start, outputs=ends)
    down_stack.trainable = False

    def upsample(filters, size, dropout=False):
        block = k.Sequential()
        block.add(
            k.layers.Conv2DTranspose(
                filters,
                size,
                strides=2,
                padding="same",
                kernel_initializer=k.initializers.RandomNormal(0.0, 0.02),
                use_bias=False,
            )
        )
        block.add(k.layers.BatchNormalization())
        if dropout:
            block.add(k.layers.Dropout(0.5))
        block.add(k.layers.ReLU())
        return block

    inputs = k.layers.Input(shape=[16, 16, 3])
    skips = down_stack(inputs)
    x = skips[-1]
    for number, up in enumerate((upsample(6, 3, dropout=True), upsample(4, 3))):
        x = k.layers.Concatenate()([up(x), skips[1 - number]])
    last = k.layers.Conv2DTranspose(filters=3, kernel_size=3, strides=2, padding="same")
    model = k.Model(inputs=inputs, outputs=last(x))
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return trained(model, INPUTS_OF["pets"], integers(3, 2, 16, 16, 1))


INPUTS_OF = {
    "linear_probe": [np.abs(floats(2, 8, 8, 3)) * 255],
    "keypoints": [np.abs(floats(2, 16, 16, 3)) * 255],
    "radiance_field": [floats(2, 12, 27)],
    "involutions": [floats(2, 8, 8, 4)],
    "depth": [floats(2, 16, 16, 3)],
    "googlenet": [floats(2, 16, 16, 3)],
    "style_transfer": [floats(2, 16, 16, 3), floats(2, 16, 16, 3) * 0.5],
    "standardized": [floats(2, 12, 12, 1)],
    "pets": [floats(2, 16, 16, 3)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= series.MODELS
CUSTOM = ("involutions", "depth", "standardized", *series.CUSTOM)
LAMBDAS = ()
DICTIONARIES = series.DICTIONARIES
INPUTS = {"style_transfer": ["style", "content"], **series.INPUTS}
