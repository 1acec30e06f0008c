"""Models of images from public repositories and guides, for `matrix.py`: an eleventh list.

Which programs stand here and in `series.py` was drawn by lot from listings of examples,
guides, tutorials, repositories and notebooks of competitions.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, trained
from benchmarks.loading.list_11 import series


def neighbour_encoder(k):
    """Fine-tuned after contrastive training: own layers that crop and brighten, nested models."""
    import customs_11 as own

    augmenter = k.Sequential(
        [
            k.Input(shape=(16, 16, 3)),
            k.layers.Rescaling(1 / 255),
            k.layers.RandomFlip("horizontal"),
            own.RandomResizedCrop(scale=(0.5, 1.0), ratio=(3 / 4, 4 / 3)),
            own.RandomBrightness(0.3),
        ],
        name="classification_augmenter",
    )
    encoder = k.Sequential(
        [
            k.Input(shape=(16, 16, 3)),
            k.layers.Conv2D(4, kernel_size=3, strides=2, activation="relu"),
            k.layers.Conv2D(4, kernel_size=3, strides=2, activation="relu"),
            k.layers.Flatten(),
            k.layers.Dense(8, activation="relu"),
        ],
        name="encoder",
    )
    model = k.Sequential(
        [k.layers.Input(shape=(16, 16, 3)), augmenter, encoder, k.layers.Dense(10)],
        name="finetuning_model",
    )
    model.compile(
        optimizer=k.optimizers.Adam(),
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[k.metrics.SparseCategoricalAccuracy(name="acc")],
    )
    return trained(model, INPUTS_OF["neighbour_encoder"], np.array([7, 2]))


def latent_bottleneck(k):
    """Chunks of patches, and an RNN around an own cell whose states attend to a chunk."""
    import customs_11 as own

    start = k.Input(shape=(8, 8, 3), name="image")
    x = own.ChunkedPatches(image_size=(8, 8), patch_size=(2, 2), embed_dim=6, chunk_size=4)(start)
    cell = own.LatentBottleneckCell(
        chunk_size=4, r=2, num_layers=2, embed_dim=6, num_heads=1, name="cell"
    )
    x = k.layers.RNN(cell, return_sequences=True, name="tlb")(x)
    x = k.layers.GlobalAveragePooling2D()(x)
    model = k.Model(start, k.layers.Dense(5, activation="softmax")(x))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["latent_bottleneck"], np.array([3, 1]))


def tubelets(k):
    """A transformer over pieces of a video, embedded by an own layer with places by another."""
    import customs_11 as own

    start = k.layers.Input(shape=(8, 8, 8, 1))
    patches = own.TubeletEmbedding(embed_dim=8, patch_size=(4, 4, 4))(start)
    encoded = own.PositionalEncoder(embed_dim=8)(patches)
    for _ in range(2):
        x1 = k.layers.LayerNormalization(epsilon=1e-6)(encoded)
        seen = k.layers.MultiHeadAttention(num_heads=2, key_dim=8 // 2, dropout=0.1)(x1, x1)
        x2 = k.layers.Add()([seen, encoded])
        x3 = k.layers.LayerNormalization(epsilon=1e-6)(x2)
        x3 = k.Sequential(
            [
                k.layers.Dense(units=8 * 4, activation=tf.nn.gelu),
                k.layers.Dense(units=8, activation=tf.nn.gelu),
            ]
        )(x3)
        encoded = k.layers.Add()([x3, x2])
    x = k.layers.LayerNormalization(epsilon=1e-6)(encoded)
    x = k.layers.GlobalAvgPool1D()(x)
    model = k.Model(inputs=start, outputs=k.layers.Dense(units=11, activation="softmax")(x))
    model.compile(
        optimizer=k.optimizers.Adam(learning_rate=1e-4),
        loss="sparse_categorical_crossentropy",
        metrics=[
            k.metrics.SparseCategoricalAccuracy(name="accuracy"),
            k.metrics.SparseTopKCategoricalAccuracy(5, name="top-5-accuracy"),
        ],
    )
    return trained(model, INPUTS_OF["tubelets"], np.array([4, 9]))


def icebergs(k):
    """A radar image and the angle of the view, which is normalized and joined late."""
    image = k.layers.Input(shape=(20, 20, 3), name="X_1")
    angle = k.layers.Input(shape=[1], name="angle")
    angle_layer = k.layers.Dense(1)(angle)
    x = k.layers.BatchNormalization(momentum=0)(image)
    for width in (4, 6, 8):
        x = k.layers.Conv2D(width, kernel_size=(3, 3), activation="elu", padding="same")(x)
        x = k.layers.MaxPooling2D((2, 2), strides=(2, 2))(x)
        x = k.layers.Dropout(0.2)(x)
    x = k.layers.concatenate([k.layers.GlobalMaxPooling2D()(x), angle_layer])
    x = k.layers.BatchNormalization(momentum=0)(x)
    x = k.layers.Dropout(0.2)(k.layers.Dense(12, activation="relu")(x))
    model = k.Model([image, angle], k.layers.Dense(1, activation="sigmoid")(x))
    optimizer = k.optimizers.Adam(
        learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-08, amsgrad=True
    )
    model.compile(loss="binary_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    return trained(model, INPUTS_OF["icebergs"], np.array([[1], [0]], "float32"))


def street_maps(k):
    """Image to image: Sequential blocks down and up with skips, TensorFlow's own initializer."""

    def resized(convolution, filters, size):
        initializer = tf.random_normal_initializer(0.0, 0.02)
        drawn = {"kernel_initializer": initializer, "use_bias": False}
        return convolution(filters, size, strides=2, padding="same", **drawn)

    def downsample(filters, size, apply_batchnorm=True):
        result = k.Sequential()
        result.add(resized(k.layers.Conv2D, filters, size))
        if apply_batchnorm:
            result.add(k.layers.BatchNormalization())
        result.add(k.layers.LeakyReLU())
        return result

    def upsample(filters, size, apply_dropout=False):
        result = k.Sequential()
        result.add(resized(k.layers.Conv2DTranspose, filters, size))
        result.add(k.layers.BatchNormalization())
        if apply_dropout:
            result.add(k.layers.Dropout(0.5))
        result.add(k.layers.ReLU())
        return result

    start = k.layers.Input(shape=[16, 16, 3])
    x, skips = start, []
    for down in (downsample(3, 4, apply_batchnorm=False), downsample(4, 4), downsample(6, 4)):
        x = down(x)
        skips.append(x)
    for up in (upsample(6, 4, apply_dropout=True), upsample(4, 4)):
        skips.pop()
        x = k.layers.Concatenate()([up(x), skips[-1]])
    last = k.layers.Conv2DTranspose(
        3,
        4,
        strides=2,
        padding="same",
        kernel_initializer=tf.random_normal_initializer(0.0, 0.02),
        activation="tanh",
    )
    return k.Model(inputs=start, outputs=last(x))


def painted_maps(k):
    """A generator from noise and a map of classes, which own layers put into every scale."""
    import customs_11 as own

    latent = k.Input(shape=(5,), name="latent")
    mask = k.Input(shape=(8, 8, 4), name="map")
    x = k.layers.Dense(2 * 2 * 6)(latent)
    x = k.layers.Reshape((2, 2, 6))(x)
    for filters in (6, 4):
        x = own.ResBlock(filters=filters)(x, mask)
        x = k.layers.UpSampling2D((2, 2))(x)
    x = k.layers.LeakyReLU(0.2)(x)
    output = k.layers.Conv2D(3, 4, activation="tanh", padding="same")(x)
    return k.Model([latent, mask], output, name="generator")


def single_shot(k):
    """Classes and boxes from two maps of different scale, built under the policy mixed_float16."""
    classes, boxes = 4, 3
    k.mixed_precision.set_global_policy("mixed_float16")
    try:
        l2 = {"kernel_initializer": "he_normal", "kernel_regularizer": k.regularizers.l2(5e-4)}
        start = k.layers.Input(shape=(16, 16, 3))
        x = k.layers.Rescaling(1 / 127.5, offset=-1.0, name="input_mean_normalization")(start)
        x = k.layers.Conv2D(4, 3, activation="relu", padding="same", name="conv1_1", **l2)(x)
        x = k.layers.MaxPooling2D((2, 2), (2, 2), padding="same", name="pool1")(x)
        maps = []
        for number in (2, 3):
            x = k.layers.Conv2D(
                6, 3, activation="relu", padding="same", name=f"conv{number}", **l2
            )(x)
            maps.append(x)
            x = k.layers.ZeroPadding2D(((1, 1), (1, 1)), name=f"conv{number}_padding")(x)
            x = k.layers.Conv2D(
                6, 3, strides=(2, 2), activation="relu", name=f"conv{number}_down", **l2
            )(x)
        confidences, places = [], []
        for number, each in enumerate(maps):
            conf = k.layers.Conv2D(boxes * classes, 3, padding="same", name=f"conf{number}", **l2)
            loc = k.layers.Conv2D(boxes * 4, 3, padding="same", name=f"loc{number}", **l2)
            confidences.append(k.layers.Reshape((-1, classes))(conf(each)))
            places.append(k.layers.Reshape((-1, 4))(loc(each)))
        conf = k.layers.Concatenate(axis=1, name="mbox_conf")(confidences)
        loc = k.layers.Concatenate(axis=1, name="mbox_loc", dtype="float32")(places)
        conf = k.layers.Activation("softmax", name="mbox_conf_softmax", dtype="float32")(conf)
        predictions = k.layers.Concatenate(axis=2, name="predictions", dtype="float32")([conf, loc])
        return k.models.Model(inputs=start, outputs=predictions)
    finally:
        k.mixed_precision.set_global_policy("float32")


def two_paths(k):
    """Segmentation from a path that keeps places and one that sees context, joined by attention."""

    def conv_block(x, filters, kernel=3, strides=1):
        x = k.layers.Conv2D(filters, kernel, strides=strides, padding="same", use_bias=False)(x)
        x = k.layers.BatchNormalization(epsilon=1e-5)(x)
        return k.layers.Activation("relu")(x)

    def refinement(x, filters):
        x = conv_block(x, filters)
        y = k.layers.GlobalAveragePooling2D()(x)
        y = k.layers.Reshape((1, 1, filters))(y)
        y = k.layers.Conv2D(filters, 1, use_bias=False)(y)
        y = k.layers.Activation("sigmoid")(k.layers.BatchNormalization()(y))
        return k.layers.Multiply()([x, y])

    def fusion(one, two, filters):
        x = conv_block(k.layers.Concatenate()([one, two]), filters, 1)
        y = k.layers.GlobalAveragePooling2D()(x)
        y = k.layers.Reshape((1, 1, filters))(y)
        y = k.layers.Conv2D(filters, 1, activation="relu")(y)
        y = k.layers.Conv2D(filters, 1, activation="sigmoid")(y)
        return k.layers.Add()([x, k.layers.Multiply()([x, y])])

    start = k.layers.Input(shape=(32, 32, 3), name="image")
    spatial = start
    for filters in (4, 6, 8):
        spatial = conv_block(spatial, filters, strides=2)
    x, levels = start, []
    for filters in (4, 6, 8, 8, 10):
        x = conv_block(x, filters, strides=2)
        x = k.layers.SeparableConv2D(filters, 3, padding="same", activation="relu")(x)
        levels.append(x)
    eight, sixteen, whole = levels[2:]
    tail = k.layers.Reshape((1, 1, 10))(k.layers.GlobalAveragePooling2D()(whole))
    tail = conv_block(tail, 6, 1)
    deep = k.layers.Add()([refinement(whole, 6), k.layers.UpSampling2D(1)(tail)])
    deep = k.layers.UpSampling2D(2, interpolation="bilinear")(deep)
    deep = k.layers.Add()([deep, refinement(sixteen, 6)])
    deep = k.layers.UpSampling2D(2, interpolation="bilinear")(conv_block(deep, 6))
    ends = []
    for number, (each, scale) in enumerate(((fusion(spatial, deep, 8), 8), (deep, 8), (eight, 8))):
        y = k.layers.Conv2D(3, 1, name=f"logits_{number}")(conv_block(each, 6))
        ends.append(k.layers.UpSampling2D(scale, interpolation="bilinear", name=f"seg_{number}")(y))
    model = k.Model(start, ends, name="bisenet")
    model.compile(
        optimizer=k.optimizers.SGD(learning_rate=0.01, momentum=0.9),
        loss=[k.losses.SparseCategoricalCrossentropy(from_logits=True) for _ in range(3)],
        loss_weights=[1.0, 0.5, 0.5],
    )
    labels = [np.full((2, 32, 32), each, "int32") for each in (0, 1, 2)]
    return trained(model, INPUTS_OF["two_paths"], *labels)


def toy_resnet(k):
    """The small residual network of the guide on the functional API."""
    inputs = k.Input(shape=(16, 16, 3), name="img")
    x = k.layers.Conv2D(4, 3, activation="relu")(inputs)
    x = k.layers.Conv2D(6, 3, activation="relu")(x)
    block_1_output = k.layers.MaxPooling2D(2)(x)
    x = k.layers.Conv2D(6, 3, activation="relu", padding="same")(block_1_output)
    x = k.layers.Conv2D(6, 3, activation="relu", padding="same")(x)
    block_2_output = k.layers.add([x, block_1_output])
    x = k.layers.Conv2D(6, 3, activation="relu", padding="same")(block_2_output)
    x = k.layers.Conv2D(6, 3, activation="relu", padding="same")(x)
    block_3_output = k.layers.add([x, block_2_output])
    x = k.layers.Conv2D(6, 3, activation="relu")(block_3_output)
    x = k.layers.GlobalAveragePooling2D()(x)
    x = k.layers.Dense(16, activation="relu")(x)
    x = k.layers.Dropout(0.5)(x)
    model = k.Model(inputs, k.layers.Dense(10)(x), name="toy_resnet")
    model.compile(
        optimizer=k.optimizers.RMSprop(1e-3),
        loss=k.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["acc"],
    )
    return trained(model, INPUTS_OF["toy_resnet"], np.eye(10, dtype="float32")[[1, 6]])


INPUTS_OF = {
    "neighbour_encoder": [np.abs(floats(2, 16, 16, 3)) * 255],
    "latent_bottleneck": [floats(2, 8, 8, 3)],
    "tubelets": [floats(2, 8, 8, 8, 1)],
    "icebergs": [floats(2, 20, 20, 3), np.array([[38.2], [43.9]], "float32")],
    "street_maps": [floats(2, 16, 16, 3)],
    "painted_maps": [floats(2, 5), np.abs(floats(2, 8, 8, 4)).round()],
    "single_shot": [np.abs(floats(2, 16, 16, 3)) * 255],
    "two_paths": [floats(2, 32, 32, 3)],
    "toy_resnet": [np.abs(floats(2, 16, 16, 3))],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= series.MODELS
CUSTOM = ("neighbour_encoder", "latent_bottleneck", "tubelets", "painted_maps")
CUSTOM += series.CUSTOM
LAMBDAS = series.LAMBDAS
DICTIONARIES = series.DICTIONARIES
INPUTS = {
    "icebergs": ["X_1", "angle"],
    "painted_maps": ["latent", "map"],
    **series.INPUTS,
}
