"""Models of photos, digits, letters and noise drawn by lot from public code, for `models.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, integers, trained
from benchmarks.loading.list_15 import boxes, series


def twin_photos(k):
    """A frozen encoder of pairs of photos, as the first layer of a Sequential model."""

    def block(x, filters, smaller):
        given = {"padding": "same", "strides": (2, 2) if smaller else (1, 1)}
        y = k.layers.Conv2D(filters, (3, 3), **given)(x)
        y = k.layers.Activation("relu")(k.layers.BatchNormalization(axis=3)(y))
        y = k.layers.Conv2D(filters, (3, 3), padding="same")(y)
        y = k.layers.BatchNormalization(axis=3)(y)
        if smaller:
            x = k.layers.Conv2D(filters, (1, 1), strides=(2, 2))(x)
        return k.layers.Activation("relu")(k.layers.Add()([y, x]))

    start = k.layers.Input((16, 16, 3))
    x = k.layers.ZeroPadding2D((3, 3))(start)
    x = k.layers.Conv2D(4, kernel_size=7, strides=2, padding="same")(x)
    x = k.layers.Activation("relu")(k.layers.BatchNormalization()(x))
    x = k.layers.MaxPool2D(pool_size=3, strides=2, padding="same")(x)
    x = block(block(x, 4, False), 8, True)
    x = k.layers.Flatten()(k.layers.AveragePooling2D((2, 2), padding="same")(x))
    body = k.models.Model(inputs=start, outputs=x, name="ResNet34")
    x = body.layers[-1].output
    for each in range(2):
        x = k.layers.Dense(10, name=f"projector_dense_{each}")(x)
        x = k.layers.BatchNormalization(name=f"projector_bn_{each}")(x)
        x = k.layers.ReLU(name=f"projector_relu_{each}")(x)
    x = k.layers.Dense(10, name="projector_dense_2")(x)
    twin = k.Model(body.input, x)
    decay = k.regularizers.l2(0.02)
    last = k.layers.Dense(10, activation="softmax", kernel_regularizer=decay)
    model = k.models.Sequential([twin, last])
    model.layers[0].trainable = False
    optimizer = k.optimizers.Lamb() if hasattr(k.optimizers, "Lamb") else "adam"  # was an addon's
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    return trained(model, INPUTS_OF["twin_photos"], np.array([7, 2]))


def cropped_fakes(k):
    """The generator of a network that its program trains with a penalty; never compiled."""

    def larger(x, filters, activation):
        x = k.layers.UpSampling2D((2, 2))(x)
        given = {"strides": (1, 1), "padding": "same", "use_bias": False}
        x = k.layers.Conv2D(filters, (3, 3), **given)(x)
        return activation(k.layers.BatchNormalization()(x))

    start = k.layers.Input(shape=(8,))
    x = k.layers.Dense(4 * 4 * 6, use_bias=False)(start)
    x = k.layers.LeakyReLU(0.2)(k.layers.BatchNormalization()(x))
    x = k.layers.Reshape((4, 4, 6))(x)
    x = larger(x, 5, k.layers.LeakyReLU(0.2))
    x = larger(x, 4, k.layers.LeakyReLU(0.2))
    x = larger(x, 1, k.layers.Activation("tanh"))
    return k.models.Model(start, k.layers.Cropping2D((2, 2))(x), name="generator")


def folded_patches(k):
    """Inverted residuals, and attention of unfolded patches; swish as a function."""
    swish = k.activations.swish if hasattr(k, "ops") else tf.nn.swish

    def conv(x, filters=4, size=3, strides=2):
        return k.layers.Conv2D(filters, size, strides=strides, activation=swish, padding="same")(x)

    def inverted(x, wide, filters, strides=1):
        m = k.layers.Conv2D(wide, 1, padding="same", use_bias=False)(x)
        m = swish(k.layers.BatchNormalization()(m))
        if strides == 2:
            m = k.layers.ZeroPadding2D(padding=((0, 1), (0, 1)))(m)
        padding = "same" if strides == 1 else "valid"
        m = k.layers.DepthwiseConv2D(3, strides=strides, padding=padding, use_bias=False)(m)
        m = swish(k.layers.BatchNormalization()(m))
        m = k.layers.Conv2D(filters, 1, padding="same", use_bias=False)(m)
        m = k.layers.BatchNormalization()(m)
        return k.layers.Add()([m, x]) if x.shape[-1] == filters and strides == 1 else m

    def attended(x, wide):
        y = k.layers.LayerNormalization(epsilon=1e-6)(x)
        y = k.layers.MultiHeadAttention(num_heads=2, key_dim=wide, dropout=0.1)(y, y)
        x = k.layers.Add()([y, x])
        y = k.layers.LayerNormalization(epsilon=1e-6)(x)
        for units in (wide * 2, wide):
            y = k.layers.Dropout(0.1)(k.layers.Dense(units, activation=swish)(y))
        return k.layers.Add()([y, x])

    def patches(x, blocks, wide):
        local = conv(conv(x, wide, strides=1), wide, 1, strides=1)
        height, width = local.shape[1], local.shape[2]
        y = k.layers.Reshape((4, height * width // 4, wide))(local)
        for _ in range(blocks):
            y = attended(y, wide)
        y = k.layers.Reshape((height, width, wide))(y)
        y = conv(y, x.shape[-1], 1, strides=1)
        return conv(k.layers.Concatenate(axis=-1)([x, y]), wide, strides=1)

    start = k.Input((32, 32, 3))
    x = conv(k.layers.Rescaling(scale=1.0 / 255)(start))
    x = inverted(x, 8, 4)
    x = inverted(inverted(x, 8, 6, 2), 12, 6)
    x = patches(inverted(x, 12, 6, 2), 2, 8)
    x = conv(x, 10, 1, strides=1)
    x = k.layers.GlobalAvgPool2D()(x)
    model = k.Model(start, k.layers.Dense(5, activation="softmax")(x))
    model.compile(
        optimizer=k.optimizers.Adam(learning_rate=0.002),
        loss=k.losses.CategoricalCrossentropy(label_smoothing=0.1),
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["folded_patches"], np.eye(5, dtype="float32")[[1, 3]])


def likely_digits(k):
    """A trained model of logits and a softmax in another Sequential model."""
    inner = k.models.Sequential(
        [
            k.layers.Flatten(input_shape=(8, 8)),
            k.layers.Dense(12, activation="relu"),
            k.layers.Dropout(0.2),
            k.layers.Dense(10),
        ]
    )
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    inner.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    trained(inner, INPUTS_OF["likely_digits"], np.array([7, 1]))
    model = k.Sequential([inner, k.layers.Softmax()])
    model(INPUTS_OF["likely_digits"][0])
    return model


def framed_motion(k):
    """A frozen EfficientNet for each frame, built by its first batch."""
    net = k.applications.EfficientNetB0(include_top=False, weights=None)
    net.trainable = False
    model = k.Sequential(
        [
            k.layers.Rescaling(scale=255),
            k.layers.TimeDistributed(net),
            k.layers.Dense(10),
            k.layers.GlobalAveragePooling3D(),
        ]
    )
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return trained(model, INPUTS_OF["framed_motion"], np.array([3]))


def noise_steps(k):
    """Noise of an image at a step by own layers, functions of Keras 3 in between; not compiled."""
    import customs_15_more as own

    noisy = k.layers.Input(shape=(8, 8, 1), name="noisy_image")
    step = k.layers.Input(shape=(), dtype="int32", name="timestep")
    turns = k.ops.log(k.ops.cast(10000.0, "float32")) / 15
    turns = k.ops.exp(k.ops.cast(k.ops.arange(16), "float32") * -turns)
    turned = k.ops.cast(step, "float32")[:, None] * turns[None, :]
    turned = k.ops.concatenate([k.ops.sin(turned), k.ops.cos(turned)], axis=-1)
    time = k.layers.Dense(32)(k.layers.Dense(32, activation="silu")(turned))
    h = k.layers.Conv2D(8, 3, padding="same")(noisy)
    first = own.NoiseBlock(8)(own.NoiseBlock(8)(h, time), time)
    h = own.NoiseSmaller()(first)
    h = own.NoiseBlock(16)(own.NoiseBlock(16)(h, time), time)
    second = own.NoiseAttention()(h)
    h = own.NoiseAttention()(own.NoiseBlock(16)(second, time))
    h = own.NoiseBlock(16)(h, time)
    h = k.layers.Concatenate()([h, second])
    h = own.NoiseAttention()(own.NoiseBlock(16)(own.NoiseBlock(16)(h, time), time))
    h = k.layers.Concatenate()([own.NoiseLarger(8)(h), first])
    h = own.NoiseBlock(8)(own.NoiseBlock(8)(h, time), time)
    h = k.ops.silu(k.layers.GroupNormalization(8)(h))
    h = k.layers.Conv2D(1, 3, padding="same")(h)
    return k.Model(inputs=[noisy, step], outputs=h, name="ddpm_unet")


def nested_u(k):
    """Networks of the shape of a U in a network of that shape, all layers named; ends joined."""

    def stack(x, filters, name, rate=1):
        given = {"padding": "same", "use_bias": True, "dilation_rate": rate}
        x = k.layers.Conv2D(filters, 3, name=name + "_0", **given)(x)
        return k.layers.ReLU(name=name + "_0_activation")(x)

    def smaller(x, name):
        return k.layers.MaxPooling2D(pool_size=(2, 2), name=name)(x)

    def larger(x, name, size=2):
        given = {"interpolation": "bilinear"}
        return k.layers.UpSampling2D((size, size), name=name, **given)(x)

    def joined(pair, name):
        return k.layers.concatenate(pair, axis=-1, name=name)

    def inner(x, middle, filters, depth, name):
        kept = [stack(x, filters, name + "_in")]
        x = stack(kept[0], middle, name + "_down_0")
        kept.append(x)
        for i in range(depth):
            x = stack(smaller(x, f"{name}_maxpool_{i}"), middle, f"{name}_down_{i + 1}")
            kept.append(x)
        x, kept = stack(x, middle, name + "_up_0", 2), kept[::-1]
        for i in range(depth):
            x = stack(joined([x, kept[i]], f"{name}_concat_{i}"), middle, f"{name}_up_{i + 1}")
            x = larger(x, f"{name}_unpool_{i}")
        x = stack(joined([x, kept[depth]], name + "_concat_out"), filters, name + "_out")
        return k.layers.add([x, kept[-1]], name=name + "_out_add")

    def dilated(x, middle, filters, name):
        kept = [stack(x, filters, name + "_in")]
        x = kept[0]
        for i, rate in enumerate((1, 2, 4, 8)):
            x = stack(x, middle, f"{name}_down_{i}", rate)
            kept.append(x)
        kept = kept[:-1][::-1]
        for i, rate in enumerate((4, 2)):
            x = joined([x, kept[i]], f"{name}_concat_{i}")
            x = stack(x, middle, f"{name}_up_{i}", rate)
        x = stack(joined([x, kept[2]], name + "_concat_out"), filters, name + "_out")
        return k.layers.add([x, kept[-1]], name=name + "_out_add")

    start = k.layers.Input(shape=(16, 16, 3))
    first = inner(start, 2, 4, 2, "u2net_in")
    second = dilated(smaller(first, "u2net_maxpool_4f_0"), 2, 4, "u2net_down_4f_0")
    third = dilated(smaller(second, "u2net_maxpool_4f_1"), 2, 4, "u2net_down_4f_1")
    x = joined([larger(third, "u2net_unpool_4f_0"), second], "u2net_concat_4f_0")
    fourth = dilated(x, 2, 4, "u2net_up_4f_0")
    x = joined([larger(fourth, "u2net_unpool_0"), first], "u2net_concat_0")
    ends = [inner(x, 2, 4, 2, "u2net_up_0"), fourth, third]
    outputs = []
    for i, end in enumerate(ends):
        name = f"u2net_output_sup{i}"
        if i == 0:
            x = k.layers.Conv2D(2, 3, padding="same", use_bias=True, name=name)(end)
        else:
            x = k.layers.Conv2D(2, 3, padding="same", name=f"u2net_output_conv_{i - 1}")(end)
            x = larger(x, name, 2**i)
        outputs.append(k.layers.Activation("sigmoid", name=name + "_activation")(x))
    x = joined(outputs, "u2net_output_concat")
    x = k.layers.Conv2D(2, 1, padding="same", use_bias=True, name="u2net_output_final")(x)
    x = k.layers.Activation("sigmoid", name="u2net_output_final_activation")(x)
    return k.models.Model([start], [x])


def ada_digits(k):
    """Dense layers with activations and dropout between, trained by Adadelta."""
    model = k.models.Sequential()
    for wide in (64, 20, 20):
        start = k.initializers.TruncatedNormal(stddev=0.01)
        model.add(k.layers.Dense(input_dim=wide, units=20, kernel_initializer=start))
        model.add(k.layers.Activation("relu"))
        model.add(k.layers.Dropout(0.5))
    start = k.initializers.TruncatedNormal(stddev=0.01)
    model.add(k.layers.Dense(units=10, kernel_initializer=start))
    model.add(k.layers.Activation("softmax"))
    optimizer = k.optimizers.Adadelta(rho=0.95)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    return trained(model, INPUTS_OF["ada_digits"], np.eye(10, dtype="float32")[[4, 1]])


def plate_letters(k):
    """Pairs of convolutions, each before an activation and a normalization; not compiled."""
    model = k.models.Sequential()
    first = {"input_shape": (16, 16, 1)}
    for filters in (4, 6):
        for _ in range(2):
            model.add(k.layers.Conv2D(filters, (3, 3), padding="same", **first))
            model.add(k.layers.Activation("relu"))
            model.add(k.layers.BatchNormalization(axis=-1))
            first = {}
        model.add(k.layers.MaxPooling2D(pool_size=(2, 2)))
        model.add(k.layers.Dropout(0.25))
    model.add(k.layers.Flatten())
    model.add(k.layers.Dense(12))
    model.add(k.layers.Activation("relu"))
    model.add(k.layers.BatchNormalization())
    model.add(k.layers.Dropout(0.5))
    model.add(k.layers.Dense(7))
    model.add(k.layers.Activation("softmax"))
    return model


def dressed_clothes(k):
    """Two dense layers; logits."""
    layers = [k.layers.Flatten(input_shape=(9, 9)), k.layers.Dense(12, activation="relu")]
    model = k.Sequential([*layers, k.layers.Dense(10)])
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return trained(model, INPUTS_OF["dressed_clothes"], np.array([9, 0]))


INPUTS_OF = {
    "twin_photos": [np.abs(floats(2, 16, 16, 3))],
    "cropped_fakes": [floats(2, 8)],
    "folded_patches": [np.abs(floats(2, 32, 32, 3)) * 255],
    "likely_digits": [np.abs(floats(2, 8, 8))],
    "framed_motion": [np.abs(floats(1, 2, 32, 32, 3))],
    "noise_steps": [floats(2, 8, 8, 1), integers(90, 2)],
    "nested_u": [np.abs(floats(2, 16, 16, 3))],
    "ada_digits": [np.abs(floats(2, 64))],
    "plate_letters": [np.abs(floats(2, 16, 16, 1))],
    "dressed_clothes": [np.abs(floats(2, 9, 9))],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= {**boxes.MODELS, **series.MODELS}
CUSTOM = ("noise_steps", *series.CUSTOM)
LAMBDAS = (*boxes.LAMBDAS, *series.LAMBDAS)
INPUTS = {"noise_steps": ["noisy_image", "timestep"], **series.INPUTS}
DICTIONARIES = series.DICTIONARIES
