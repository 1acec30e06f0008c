"""Models of images and points from public examples, for `matrix.py`: a twelfth list.

Which programs stand here, in `blocks.py` and in `tables.py` was drawn by lot from listings
of examples, tutorials and repositories.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, functions, trained
from benchmarks.loading.list_12 import blocks, tables


def horses_or_humans(k):
    """Convolutions and pooling with dropout between, in a Sequential model with an input shape."""
    model = k.Sequential(
        [
            k.layers.Conv2D(4, (3, 3), activation="relu", input_shape=(48, 48, 3)),
            k.layers.MaxPooling2D(2, 2),
            k.layers.Conv2D(6, (3, 3), activation="relu"),
            k.layers.Dropout(0.5),
            k.layers.MaxPooling2D(2, 2),
            k.layers.Conv2D(8, (3, 3), activation="relu"),
            k.layers.Dropout(0.5),
            k.layers.MaxPooling2D(2, 2),
            k.layers.Flatten(),
            k.layers.Dropout(0.5),
            k.layers.Dense(16, activation="relu"),
            k.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        loss="binary_crossentropy",
        optimizer=k.optimizers.RMSprop(learning_rate=1e-4),
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["horses_or_humans"], np.array([[1], [0]], "float32"))


def clothing_masks(k):
    """A transformer over own patches, shaped to a map that is convolved and scaled up."""
    import customs_12 as own

    (reshape,) = functions(k, "reshape")
    inputs = k.layers.Input(shape=(32, 32, 3))
    x = own.PatchExtractor(8)(inputs)
    x = own.PatchEmbedder(16, 8)(x)
    for _ in range(2):
        residual = x
        x = k.layers.LayerNormalization(epsilon=1e-5)(x)
        x = k.layers.MultiHeadAttention(num_heads=2, key_dim=8, dropout=0.2)(x, x)
        residual = x = k.layers.add([x, residual])
        x = k.layers.LayerNormalization(epsilon=1e-5)(x)
        x = k.layers.Dense(16, activation=tf.nn.gelu)(x)
        x = k.layers.Dropout(0)(x)
        x = k.layers.add([k.layers.Dense(8)(x), residual])
    x = reshape(x, (-1, 4, 4, 8))
    for _ in range(3):
        x = k.layers.Conv2D(8, kernel_size=3, strides=1, padding="same", activation="relu")(x)
        x = k.layers.UpSampling2D(size=(2, 2), interpolation="bilinear")(x)
    outputs = k.layers.Conv2D(5, kernel_size=1, strides=1, padding="same")(x)
    model = k.Model(inputs=inputs, outputs=outputs)
    adam = getattr(k.optimizers, "AdamW", None)
    model.compile(
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=adam(learning_rate=1e-3, weight_decay=1e-4) if adam else k.optimizers.Adam(1e-3),
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["clothing_masks"], np.full((2, 32, 32, 1), 3, "int32"))


def set_of_boxes(_):
    """A subclass of Model of subclasses: own attention, frozen statistics, a dictionary out."""
    import customs_12_images as own

    return own.DETR(num_classes=5, num_queries=4)


def feature_pyramid(k):
    """A subclass of Model around a Functional body, with a falling rate and a loss of its own."""
    import customs_12_images as own

    start = k.Input(shape=[None, None, 3])
    x, maps = start, []
    for width in (4, 4, 6, 6, 8):
        x = k.layers.Conv2D(width, 3, strides=2, padding="same")(x)
        x = k.layers.Activation("relu")(k.layers.BatchNormalization()(x))
        maps.append(x)
    backbone = k.Model(inputs=[start], outputs=maps[2:])
    model = own.RetinaNet(3, backbone)
    rate = k.optimizers.schedules.PiecewiseConstantDecay(
        boundaries=[125, 250], values=[2.5e-06, 0.000625, 0.00125]
    )
    model.compile(
        loss=own.RetinaNetLoss(3), optimizer=k.optimizers.SGD(learning_rate=rate, momentum=0.9)
    )
    target = np.concatenate([floats(2, 69, 4), np.ones((2, 69, 1), "float32")], axis=-1)
    return trained(model, INPUTS_OF["feature_pyramid"], target)


def airplane_parts(k):
    """A part for every point: learned turns whose penalty has a config that fails."""
    import customs_12 as own

    (tile,) = functions(k, "tile")
    points = 16

    def block(layer, x, name, kind):
        x = layer(x)
        x = k.layers.BatchNormalization(momentum=0.0, name=f"{name}_batch_norm")(x)
        return k.layers.Activation("relu", name=f"{name}_{kind}")(x)

    def conv_block(x, filters, name):
        made = k.layers.Conv1D(filters, kernel_size=1, padding="valid", name=f"{name}_conv")
        return block(made, x, name, "relu")

    def turned(inputs, size, name):
        x = conv_block(inputs, 4, f"{name}_1")
        x = k.layers.GlobalMaxPooling1D()(conv_block(x, 6, f"{name}_2"))
        x = block(k.layers.Dense(5, name=f"{name}_1_1_dense"), x, f"{name}_1_1", "relu")
        x = k.layers.Dense(
            size * size,
            kernel_initializer="zeros",
            bias_initializer=k.initializers.Constant(np.eye(size).flatten()),
            activity_regularizer=own.OrthogonalPenalty(size),
            name=f"{name}_final",
        )(x)
        x = k.layers.Reshape((size, size))(x)
        return k.layers.Dot(axes=(2, 1), name=f"{name}_mm")([inputs, x])

    start = k.Input(shape=(None, 3))
    x = turned(start, 3, "input_transformation_block")
    seen = [conv_block(x, 4, "features_64")]
    seen.append(conv_block(seen[-1], 6, "features_128_1"))
    seen.append(turned(seen[-1], 6, "transformed_features"))
    seen.append(conv_block(seen[-1], 8, "features_512"))
    x = conv_block(seen[-1], 10, "pre_maxpool_block")
    x = k.layers.MaxPool1D(pool_size=points, name="global_features")(x)
    x = k.layers.Concatenate(name="segmentation_input")([*seen, tile(x, [1, points, 1])])
    x = conv_block(x, 6, "segmentation_features")
    last = k.layers.Conv1D(4, kernel_size=1, activation="softmax", name="segmentation_head")
    model = k.Model(start, last(x))
    model.compile(
        optimizer=k.optimizers.Adam(learning_rate=1e-3),
        loss=k.losses.CategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    target = np.tile(np.eye(4, dtype="float32"), (2, 4, 1))
    return trained(model, INPUTS_OF["airplane_parts"], target)


def drawn_digits(k):
    """The generator of a pair that was trained by a step of its own: never compiled itself."""
    return k.Sequential(
        [
            k.Input(shape=(8,)),
            k.layers.Dense(3 * 3 * 4),
            k.layers.LeakyReLU(alpha=0.2),
            k.layers.Reshape((3, 3, 4)),
            k.layers.Conv2DTranspose(4, (4, 4), strides=(2, 2), padding="same"),
            k.layers.LeakyReLU(alpha=0.2),
            k.layers.Conv2DTranspose(4, (4, 4), strides=(2, 2), padding="same"),
            k.layers.LeakyReLU(alpha=0.2),
            k.layers.Conv2D(1, (7, 7), padding="same", activation="sigmoid"),
        ],
        name="generator",
    )


def masked_patches(k):
    """A frozen encoder behind own layers, one of whose flags was set later; a rate of its own."""
    import customs_12 as own

    inputs = k.layers.Input((None, 8))
    x = inputs
    for _ in range(2):
        x1 = k.layers.LayerNormalization(epsilon=1e-6)(x)
        seen = k.layers.MultiHeadAttention(num_heads=2, key_dim=8, dropout=0.1)(x1, x1)
        x2 = k.layers.Add()([seen, x])
        x3 = k.layers.LayerNormalization(epsilon=1e-6)(x2)
        for units in (16, 8):
            x3 = k.layers.Dropout(0.1)(k.layers.Dense(units, activation=tf.nn.gelu)(x3))
        x = k.layers.Add()([x3, x2])
    outputs = k.layers.LayerNormalization(epsilon=1e-6)(x)
    encoder = k.Model(inputs, outputs, name="mae_encoder")
    patch_layer, patch_encoder = own.ImagePatches(), own.MaskedPatchEncoder()
    patch_encoder(patch_layer(tf.constant(INPUTS_OF["masked_patches"][0])))
    patch_encoder.downstream = True
    model = k.Sequential(
        [
            k.layers.Input((12, 12, 3)),
            patch_layer,
            patch_encoder,
            encoder,
            k.layers.BatchNormalization(),
            k.layers.GlobalAveragePooling1D(),
            k.layers.Dense(10, activation="softmax"),
        ],
        name="linear_probe_model",
    )
    for layer in model.layers[:-1]:
        layer.trainable = False
    rate = own.WarmUpCosine(0.1, 100, 0.0, 10)
    model.compile(
        optimizer=k.optimizers.SGD(learning_rate=rate, momentum=0.9),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["masked_patches"], np.array([3, 8]))


def eight_layers(k):
    """AlexNet with normalization after every convolution, classes by number, plain descent."""

    def convolved(filters, size, strides=(1, 1), **options):
        yield k.layers.Conv2D(
            filters=filters, kernel_size=size, strides=strides, activation="relu", **options
        )
        yield k.layers.BatchNormalization()

    pooled = {"pool_size": (3, 3), "strides": (2, 2)}
    model = k.Sequential(
        [
            *convolved(4, (11, 11), (4, 4), input_shape=(67, 67, 3)),
            k.layers.MaxPool2D(**pooled),
            *convolved(6, (5, 5), padding="same"),
            k.layers.MaxPool2D(**pooled),
            *convolved(8, (3, 3), padding="same"),
            *convolved(8, (3, 3), padding="same"),
            *convolved(6, (3, 3), padding="same"),
            k.layers.MaxPool2D(**pooled),
            k.layers.Flatten(),
            k.layers.Dense(16, activation="relu"),
            k.layers.Dropout(0.5),
            k.layers.Dense(16, activation="relu"),
            k.layers.Dropout(0.5),
            k.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        loss=k.losses.SparseCategoricalCrossentropy(),
        optimizer=k.optimizers.SGD(learning_rate=0.001),
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["eight_layers"], np.array([9, 2]))


def shifted_channels(k):
    """A subclass of Model with own layers in lists in layers, whose config names layers."""
    import customs_12 as own

    augmentation = k.Sequential(
        [
            k.layers.Resizing(20, 20),
            k.layers.RandomCrop(16, 16),
            k.layers.RandomFlip("horizontal"),
            k.layers.Rescaling(1 / 255.0),
        ]
    )
    model = own.ShiftViTModel(augmentation, 8, 4, [1, 2])
    model(tf.constant(INPUTS_OF["shifted_channels"][0]), training=False)
    rate = own.CosineWarmUp(lr_start=1e-5, lr_max=1e-3, warmup_steps=10, total_steps=100)
    adam = getattr(k.optimizers, "AdamW", None)
    model.compile(
        optimizer=adam(learning_rate=rate, weight_decay=1e-4) if adam else k.optimizers.Adam(rate),
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[
            k.metrics.SparseCategoricalAccuracy(name="accuracy"),
            k.metrics.SparseTopKCategoricalAccuracy(5, name="top-5-accuracy"),
        ],
    )
    return trained(model, INPUTS_OF["shifted_channels"], np.array([4, 1]))


INPUTS_OF = {
    "horses_or_humans": [np.abs(floats(2, 48, 48, 3))],
    "clothing_masks": [np.abs(floats(2, 32, 32, 3))],
    "set_of_boxes": [floats(2, 16, 16, 3)],
    "feature_pyramid": [floats(2, 32, 32, 3)],
    "airplane_parts": [floats(2, 16, 3)],
    "drawn_digits": [floats(2, 8)],
    "masked_patches": [np.abs(floats(2, 12, 12, 3))],
    "eight_layers": [np.abs(floats(2, 67, 67, 3))],
    "shifted_channels": [np.abs(floats(2, 12, 12, 3)) * 255],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= {**blocks.MODELS, **tables.MODELS}
CUSTOM = ("clothing_masks", "set_of_boxes", "feature_pyramid", "airplane_parts")
CUSTOM += ("masked_patches", "shifted_channels", *blocks.CUSTOM, *tables.CUSTOM)
DICTIONARIES = tables.DICTIONARIES
INPUTS = {**blocks.INPUTS, **tables.INPUTS}
