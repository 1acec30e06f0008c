"""Models of images as projects and competitions build them, for `matrix.py`: a sixth list."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, trained
from benchmarks.loading.list_06 import series


def _ops(k):
    """Functions on tensors: `keras.ops` in Keras 3, TensorFlow's in Keras 2."""
    import tensorflow as tf

    return (k.ops.mean, k.ops.max) if hasattr(k, "ops") else (tf.reduce_mean, tf.reduce_max)


def fine_tuned(k):
    """MobileNetV2 with its preprocessing inside and all but the last layers frozen."""
    base = k.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None)
    base.trainable = True
    for layer in base.layers[:100]:
        layer.trainable = False
    start = k.Input(shape=(32, 32, 3))
    value = k.applications.mobilenet_v2.preprocess_input(start)
    value = k.layers.GlobalAveragePooling2D()(base(value, training=False))
    value = k.layers.Dropout(0.2)(value)
    model = k.Model(start, k.layers.Dense(3)(value))
    model.compile(
        optimizer=k.optimizers.RMSprop(learning_rate=1e-5),
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["fine_tuned"], np.array([0, 2]))


def flowers(k):
    """EfficientNetB0, continued from its output."""
    base = k.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(32, 32, 3))
    value = k.layers.GlobalAveragePooling2D(name="avg_pool")(base.output)
    value = k.layers.Dropout(0.2, name="top_dropout")(k.layers.BatchNormalization()(value))
    out = k.layers.Dense(3, activation="softmax", name="pred")(value)
    model = k.Model(base.input, out, name="EfficientNet")
    model.compile("adam", loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def small_phone(k):
    """MobileNetV3Small as the first layer of a Sequential model."""
    base = k.applications.MobileNetV3Small(
        input_shape=(32, 32, 3), include_top=False, weights=None, pooling="avg"
    )
    base.trainable = False
    model = k.Sequential()
    model.add(base)
    model.add(k.layers.Dense(8, activation="relu"))
    model.add(k.layers.Dropout(0.5))
    model.add(k.layers.Dense(2, activation="softmax"))
    model.compile(k.optimizers.Adam(1e-3), "categorical_crossentropy", metrics=["acc"])
    return model


def x_rays(k):
    """DenseNet121, continued from its output, with several labels for each image."""
    base = k.applications.DenseNet121(include_top=False, weights=None, input_shape=(32, 32, 3))
    value = k.layers.GlobalAveragePooling2D()(base.output)
    model = k.Model(inputs=base.input, outputs=k.layers.Dense(4, activation="sigmoid")(value))
    model.compile("adam", loss=k.losses.BinaryCrossentropy(), metrics=[k.metrics.AUC(name="auc")])
    return model


def pet_poses(k):
    """ResNet50V2 called inside, with a regression of boxes and a class."""
    base = k.applications.ResNet50V2(include_top=False, weights=None, input_shape=(32, 32, 3))
    base.trainable = False
    start = k.layers.Input((32, 32, 3), name="image")
    value = k.layers.Flatten()(base(k.applications.resnet_v2.preprocess_input(start)))
    box = k.layers.Dense(4, activation="sigmoid", name="bounding_box")(value)
    kind = k.layers.Dense(3, activation="softmax", name="class_label")(value)
    model = k.Model(inputs=start, outputs=[box, kind])
    model.compile(
        k.optimizers.Adam(1e-4),
        loss={"bounding_box": "mse", "class_label": "categorical_crossentropy"},
        loss_weights={"bounding_box": 1.0, "class_label": 0.5},
    )
    return model


def cats_and_dogs(k):
    """The small Xception of the guides: separable convolutions and augmentation."""
    changes = [k.layers.RandomFlip("horizontal"), k.layers.RandomRotation(0.1)]
    start = k.Input(shape=(32, 32, 3))
    value = k.layers.Rescaling(1.0 / 255)(k.Sequential(changes)(start))
    value = k.layers.Conv2D(4, 3, strides=2, padding="same")(value)
    value = k.layers.Activation("relu")(k.layers.BatchNormalization()(value))
    previous = value
    for size in (6, 8):
        value = k.layers.Activation("relu")(value)
        value = k.layers.SeparableConv2D(size, 3, padding="same")(value)
        value = k.layers.BatchNormalization()(value)
        value = k.layers.MaxPooling2D(3, strides=2, padding="same")(value)
        residual = k.layers.Conv2D(size, 1, strides=2, padding="same")(previous)
        previous = value = k.layers.add([value, residual])
    value = k.layers.Dropout(0.25)(k.layers.GlobalAveragePooling2D()(value))
    return k.Model(start, k.layers.Dense(1, activation=None)(value))


def nuclei(k):
    """A U-Net with functions of its own as loss and metric."""
    import customs_06 as own

    start = k.Input((16, 16, 1))
    value, skips = start, []
    for width in (4, 6):
        value = k.layers.Conv2D(width, (3, 3), activation="elu", padding="same",
                                kernel_initializer="he_normal")(value)  # fmt: skip
        value = k.layers.Dropout(0.1)(value)
        skips.append(value)
        value = k.layers.MaxPooling2D((2, 2))(value)
    value = k.layers.Conv2D(8, (3, 3), activation="elu", padding="same")(value)
    for width, skip in ((6, skips[1]), (4, skips[0])):
        value = k.layers.Conv2DTranspose(width, (2, 2), strides=(2, 2), padding="same")(value)
        value = k.layers.concatenate([value, skip])
        value = k.layers.Conv2D(width, (3, 3), padding="same", activation="elu")(value)
    model = k.Model(
        inputs=[start], outputs=[k.layers.Conv2D(1, (1, 1), activation="sigmoid")(value)]
    )
    model.compile(optimizer="adam", loss=own.dice_loss, metrics=[own.dice_coefficient, "accuracy"])
    return trained(model, INPUTS_OF["nuclei"], np.ones((2, 16, 16, 1), "float32"))


def heat_maps(k):
    """The last features and the predictions of a network, for class activation maps."""
    start = k.Input((12, 12, 3), name="image")
    value = k.layers.Conv2D(4, 3, activation="relu", name="first")(start)
    last = k.layers.Conv2D(5, 3, activation="relu", name="last_conv")(value)
    value = k.layers.Dense(3, activation="softmax")(k.layers.Flatten()(last))
    whole = k.Model(start, value)
    return k.Model(whole.inputs, [whole.get_layer("last_conv").output, whole.output])


def sharper(k):
    """Super resolution: TensorFlow's function in a Lambda."""
    import customs_06 as own

    start = k.Input(shape=(None, None, 1))
    value = k.layers.Conv2D(8, 5, padding="same", activation="tanh",
                            kernel_initializer="orthogonal")(start)  # fmt: skip
    value = k.layers.Conv2D(4, 3, padding="same")(value)
    return k.Model(start, k.layers.Lambda(own.LAMBDAS["shuffle"])(value))


def faces(k):
    """Three images through one network with normalized embeddings."""
    import customs_06 as own

    network = k.Sequential(
        [
            k.layers.Conv2D(4, 3, activation="relu", input_shape=(10, 10, 1)),
            k.layers.MaxPooling2D(2),
            k.layers.Flatten(),
            k.layers.Dense(4, activation=None),
            k.layers.Lambda(own.LAMBDAS["normalize"]),
        ],
        name="embedding",
    )
    names = ("anchor", "positive", "negative")
    starts = [k.layers.Input((10, 10, 1), name=name) for name in names]
    return k.Model(starts, k.layers.Concatenate(axis=-1)([network(each) for each in starts]))


def detector(k):
    """Two scales of a detector in the style of YOLO."""

    def unit(value, width, size, stride=1):
        if stride > 1:
            value = k.layers.ZeroPadding2D(((1, 0), (1, 0)))(value)
        value = k.layers.Conv2D(
            width, size, strides=stride, padding="valid" if stride > 1 else "same",
            use_bias=False, kernel_regularizer=k.regularizers.l2(0.0005),
        )(value)  # fmt: skip
        return k.layers.LeakyReLU(0.1)(k.layers.BatchNormalization()(value))

    start = k.layers.Input((16, 16, 3), name="input")
    value = unit(unit(start, 4, 3), 6, 3, 2)
    value = skip = k.layers.Add()([value, unit(unit(value, 3, 1), 6, 3)])
    value = unit(value, 8, 3, 2)
    large = k.layers.Conv2D(9, 1, name="large")(value)
    value = k.layers.Concatenate()([k.layers.UpSampling2D(2)(unit(value, 4, 1)), skip])
    small = k.layers.Conv2D(9, 1, name="small")(value)
    outs = [k.layers.Reshape((4, 4, 3, 3))(large), k.layers.Reshape((8, 8, 3, 3))(small)]
    return k.Model(start, outs, name="yolo")


def horses(k):
    """A generator with reflections as padding and normalization of instances."""
    import customs_06 as own

    gamma = k.initializers.RandomNormal(mean=0.0, stddev=0.02)
    start = k.layers.Input((8, 8, 3), name="horse")
    value = k.layers.Conv2D(4, (3, 3), use_bias=False)(own.ReflectionPadding2D()(start))
    value = k.layers.GroupNormalization(groups=-1, gamma_initializer=gamma)(value)
    inner = own.ReflectionPadding2D((1, 1))(k.layers.Activation("relu")(value))
    inner = k.layers.Conv2D(4, 3, kernel_initializer=gamma, padding="valid")(inner)
    value = k.layers.add([value, k.layers.GroupNormalization(groups=-1)(inner)])
    return k.Model(start, k.layers.Conv2D(3, 1, activation="tanh")(value))


def where_to_look(k):
    """Attention over channels and places (CBAM), by functions on tensors."""
    mean, largest = _ops(k)
    start = k.layers.Input((8, 8, 4))
    value = k.layers.Conv2D(6, 3, padding="same", activation="relu")(start)
    one = k.layers.Dense(2, activation="relu", kernel_initializer="he_normal")
    two = k.layers.Dense(6, kernel_initializer="he_normal")
    average = two(one(k.layers.Reshape((1, 1, 6))(k.layers.GlobalAveragePooling2D()(value))))
    highest = two(one(k.layers.Reshape((1, 1, 6))(k.layers.GlobalMaxPooling2D()(value))))
    gate = k.layers.Activation("sigmoid")(k.layers.Add()([average, highest]))
    value = k.layers.multiply([value, gate])
    places = [mean(value, axis=-1, keepdims=True), largest(value, axis=-1, keepdims=True)]
    gate = k.layers.Conv2D(1, 7, padding="same", activation="sigmoid", use_bias=False)(
        k.layers.Concatenate(axis=-1)(places)
    )
    value = k.layers.GlobalAveragePooling2D()(k.layers.multiply([value, gate]))
    return k.Model(start, k.layers.Dense(2)(value))


def video(k):
    """MobileNetV2 for each frame, then a GRU."""
    base = k.applications.MobileNetV2(
        (32, 32, 3), alpha=0.35, include_top=False, weights=None, pooling="avg"
    )
    base.trainable = False
    model = k.Sequential([k.layers.Input((2, 32, 32, 3))])
    model.add(k.layers.TimeDistributed(k.layers.Rescaling(1.0 / 127.5, offset=-1)))
    model.add(k.layers.TimeDistributed(base))
    model.add(k.layers.GRU(4, dropout=0.3))
    model.add(k.layers.Dense(3, activation="softmax"))
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def patch_transformer(k):
    """A vision transformer with patches and their encoding as layers of its own."""
    import customs_06 as own

    start = k.layers.Input(shape=(8, 8, 3))
    value = own.PatchEncoder(4, 6)(own.Patches(4)(start))
    inner = k.layers.LayerNormalization(epsilon=1e-6)(value)
    inner = k.layers.MultiHeadAttention(num_heads=2, key_dim=6, dropout=0.1)(inner, inner)
    value = k.layers.Add()([inner, value])
    inner = k.layers.Dense(8, activation=k.activations.gelu)(value)
    value = k.layers.Add()([k.layers.Dense(6)(k.layers.Dropout(0.1)(inner)), value])
    value = k.layers.Flatten()(k.layers.LayerNormalization(epsilon=1e-6)(value))
    return k.Model(inputs=start, outputs=k.layers.Dense(3)(k.layers.Dropout(0.5)(value)))


def point_cloud(k):
    """PointNet: a learned turn that begins as identity, and a regularizer of its own."""
    import customs_06 as own

    start = k.Input(shape=(10, 3))
    value = k.layers.Conv1D(4, kernel_size=1, padding="valid")(start)
    value = k.layers.Activation("relu")(k.layers.BatchNormalization(momentum=0.0)(value))
    value = k.layers.Dense(6, activation="relu")(k.layers.GlobalMaxPooling1D()(value))
    turn = k.layers.Dense(
        9,
        kernel_initializer="zeros",
        bias_initializer=k.initializers.Constant(np.eye(3).flatten()),
        activity_regularizer=own.OrthogonalRegularizer(3),
    )(value)
    value = k.layers.Dot(axes=(2, 1))([start, k.layers.Reshape((3, 3))(turn)])
    value = k.layers.GlobalMaxPooling1D()(k.layers.Conv1D(5, 1, activation="relu")(value))
    return k.Model(start, k.layers.Dense(4, activation="softmax")(value), name="pointnet")


def clipped_critic(k):
    """The critic of a Wasserstein GAN with a constraint of its own."""
    import customs_06 as own

    start = k.layers.Input((8, 8, 1))
    options = {"strides": 2, "padding": "same", "kernel_constraint": own.ClipConstraint(0.5)}
    value = k.layers.Conv2D(4, 4, kernel_initializer=k.initializers.RandomNormal(stddev=0.02),
                            **options)(start)  # fmt: skip
    value = k.layers.LeakyReLU(0.2)(k.layers.BatchNormalization()(value))
    model = k.Model(start, k.layers.Dense(1, activation="linear")(k.layers.Flatten()(value)))
    model.compile(k.optimizers.RMSprop(0.00005), loss=own.wasserstein_loss)
    return trained(model, INPUTS_OF["clipped_critic"], np.array([[1.0], [-1.0]]))


INPUTS_OF = {
    "fine_tuned": [floats(2, 32, 32, 3) * 127 + 127],
    "flowers": [floats(2, 32, 32, 3) * 127 + 127],
    "small_phone": [floats(2, 32, 32, 3) * 127 + 127],
    "x_rays": [floats(2, 32, 32, 3)],
    "pet_poses": [floats(2, 32, 32, 3) * 127 + 127],
    "cats_and_dogs": [floats(2, 32, 32, 3) * 127 + 127],
    "nuclei": [floats(2, 16, 16, 1)],
    "heat_maps": [floats(2, 12, 12, 3)],
    "sharper": [floats(2, 6, 6, 1)],
    "faces": [floats(2, 10, 10, 1), floats(2, 10, 10, 1) * 0.5, floats(2, 10, 10, 1)[::-1]],
    "detector": [floats(2, 16, 16, 3)],
    "horses": [floats(2, 8, 8, 3)],
    "where_to_look": [floats(2, 8, 8, 4)],
    "video": [floats(2, 2, 32, 32, 3) * 127 + 127],
    "patch_transformer": [floats(2, 8, 8, 3)],
    "point_cloud": [floats(2, 10, 3)],
    "clipped_critic": [floats(2, 8, 8, 1)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= series.MODELS
CUSTOM = (
    "nuclei", "horses", "patch_transformer", "point_cloud", "clipped_critic",
    *series.CUSTOM,
)  # fmt: skip
LAMBDAS = ("sharper", "faces", *series.LAMBDAS)
INPUTS = {"faces": ["anchor", "positive", "negative"], **series.INPUTS}
# Networks of many layers, between whose kernels rounding adds up.
DEEP = ("fine_tuned", "flowers", "small_phone", "x_rays", "pet_poses", "video")
