"""Networks and programs drawn by lot from public code, for `models.py`: a twenty-first list."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import adam, floats, trained
from benchmarks.loading.list_21 import pairs, photos, tables, texts


def capsule_digits(k):
    """Capsules with the label as a second input, and a decoder of what they hold."""
    import customs_21 as own

    layers = k.layers
    x = layers.Input(shape=(12, 12, 1), dtype="float32")
    conv1 = layers.Conv2D(
        filters=4, kernel_size=5, strides=1, padding="valid", activation="relu", name="conv1"
    )(x)
    primary_caps = own.PrimaryCaps(
        n_caps=2,
        dims_caps=4,
        kernel_size=5,
        strides=2,
        padding="valid",
        activation="relu",
        name="primary_caps",
    )(conv1)
    digit_caps = own.ClassCaps(n_caps=3, dims_caps=5, name="digit_caps")(primary_caps)
    vec_len = layers.Lambda(own.vectors_length, name="vec_len")(digit_caps)
    y = layers.Input(shape=(3,))
    masked_by_y = layers.Lambda(own.masked_capsules, name="masked_by_y")([digit_caps, y])
    decoder = k.models.Sequential(name="decoder")
    decoder.add(layers.Dense(8, activation="relu", input_dim=5 * 3, name="dense_1"))
    decoder.add(layers.Dense(10, activation="relu", name="dense_2"))
    pixels = int(tf.math.reduce_prod((12, 12, 1)))
    decoder.add(layers.Dense(pixels, activation="sigmoid", name="dense_3"))
    decoder.add(layers.Reshape(target_shape=(12, 12, 1), name="img_reconstructed"))
    return k.models.Model([x, y], [vec_len, decoder(masked_by_y)])


def _smaller(grid, kernel_size, stride):
    """The grid of places after a convolution."""
    half = kernel_size // 2
    return tuple(
        each[half : -((kernel_size - 1) // 2) : stride, half:-half:stride] for each in grid
    )


def matrix_capsules(k):
    """Capsules of matrices; the last of them is given a grid of places."""
    import customs_21 as own

    grid = np.meshgrid(np.linspace(-1, 1, 11), np.linspace(-1, 1, 11))
    inputs = k.Input((11, 11, 2))
    x = own.ReLUConv(width=6)(inputs)
    grid = _smaller(grid, 5, 2)
    x = own.PoseCaps(count=2)(x)
    x = own.VoteCaps(grid, capsules_out=3)(x)
    poses, acts = own.EMRouting(2)(x)
    return k.Model(inputs=inputs, outputs=[poses, acts], name="small_EM_CapsNet")


def depth_pyramid(k):
    """Depths of several sizes by functions of TensorFlow among the layers."""
    layers, l2 = k.layers, k.regularizers.l2

    def residual(x, filters, strided, number):
        given = {"padding": "same", "kernel_regularizer": l2(1e-4)}
        stride = 2 if strided else 1
        y = layers.Conv2D(filters, 3, strides=stride, name=f"layer{number}_conv1", **given)(x)
        y = layers.ReLU()(layers.BatchNormalization(name=f"layer{number}_bn1")(y))
        y = layers.Conv2D(filters, 3, name=f"layer{number}_conv2", **given)(y)
        y = layers.BatchNormalization(name=f"layer{number}_bn2")(y)
        if strided:
            x = layers.Conv2D(filters, 1, strides=stride, **given)(x)
        return layers.ReLU()(layers.Add()([x, y]))

    input_tensor = layers.Input(shape=(16, 16, 3))
    x = layers.Conv2D(
        4,
        7,
        strides=2,
        padding="same",
        name="conv1",
        kernel_regularizer=l2(1e-4),
        bias_regularizer=l2(1e-4),
    )(input_tensor)
    x = layers.ReLU(name="layer1_relu")(layers.BatchNormalization(name="layer1_bn")(x))
    outputs = [x]
    x = layers.MaxPool2D(name="layer2_pool")(x)
    for number, (filters, strided) in enumerate(((4, False), (6, True)), 2):
        x = residual(x, filters, strided, number)
        outputs.append(x)
    encoder = k.Model(inputs=input_tensor, outputs=outputs, name="ResNet18")

    def upsampling_block(x, num_outputs, previous_features):
        x = layers.Conv2D(num_outputs, 3, padding="same", activation="elu")(x)
        x = layers.UpSampling2D()(x)
        if previous_features is not None:
            x = tf.concat([x, previous_features], axis=-1)
        return layers.Conv2D(num_outputs, 3, padding="same", activation="elu")(x)

    x = encoder.outputs[-1]
    disparities = []
    for filters, place in ((6, -2), (4, -3), (3, None)):
        x = upsampling_block(x, filters, encoder.output[place] if place else None)
        disparities.append(layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))
    depth = 1.0 / (0.01 + 9.99 * disparities[-1])
    pose = tf.reduce_mean(encoder.outputs[-1], axis=[1, 2]) * 0.01
    return k.Model(inputs=encoder.input, outputs=[*disparities, depth, pose], name="depth_net")


def puppet_digits(k):
    """The generator of a cycle, with paddings that reflect and a bottleneck."""
    layers = k.layers

    def norm_layer(norm):
        if norm == "none":
            return lambda: lambda x: x
        return layers.BatchNormalization if norm == "batch_norm" else layers.LayerNormalization

    norm = norm_layer("layer_norm")

    def padded(h, size):
        return tf.pad(h, [[0, 0], [size, size], [size, size], [0, 0]], mode="REFLECT")

    h = inputs = k.Input(shape=(12, 12, 3))
    h = layers.Conv2D(4, 7, padding="valid", use_bias=False)(padded(h, 3))
    h = tf.nn.relu(norm()(h))
    h = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(h)
    h = tf.nn.relu(norm()(h))
    for _ in range(2):
        x = h
        h = layers.Conv2D(6, 3, padding="valid", use_bias=False)(padded(h, 1))
        h = tf.nn.relu(norm()(h))
        h = layers.Conv2D(6, 3, padding="valid", use_bias=False)(padded(h, 1))
        h = layers.add([x, norm()(h)])
    h = layers.Conv2DTranspose(4, 3, strides=2, padding="same", use_bias=False)(h)
    h = tf.nn.relu(norm()(h))
    h = tf.tanh(layers.Conv2D(3, 7, padding="valid")(padded(h, 3)))
    return k.Model(inputs=inputs, outputs=layers.Dense(8)(layers.Flatten()(h)))


def nested_levels(k):
    """Levels of a U by recursion."""
    layers = k.layers

    def level_block(m, dim, depth, acti):
        if depth > 0:
            n = layers.Conv2D(dim, (3, 3), activation=acti, padding="same")(m)
            n = layers.Conv2D(dim, (3, 3), activation=acti, padding="same")(n)
            m = layers.MaxPooling2D((2, 2))(n)
            m = level_block(m, 2 * dim, depth - 1, acti)
            m = layers.UpSampling2D((2, 2))(m)
            m = layers.Conv2D(dim, (2, 2), activation=acti, padding="same")(m)
            m = layers.Concatenate(axis=3)([n, m])
            m = layers.Conv2D(dim, (3, 3), activation=acti, padding="same")(m)
        return layers.Conv2D(dim, (3, 3), activation=acti, padding="same")(m)

    i = layers.Input(shape=(8, 8, 3))
    o = layers.Conv2D(2, (1, 1))(level_block(i, 3, 2, "relu"))
    o = layers.Permute((2, 1))(layers.Reshape((2, 8 * 8))(o))
    model = k.models.Model(inputs=i, outputs=layers.Activation("softmax")(o))
    model.compile(optimizer=adam(k, 1e-3), loss="binary_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["nested_levels"], np.ones((2, 64, 2), "float32") / 2)


def zoo_pyramid(k):
    """Dilated and pooled paths of one size, side by side."""
    layers = k.layers

    def pyramid(x, filters, d_a, d_b, activation=False, pad=0):
        f = int(filters / 4)
        x = layers.LeakyReLU(alpha=0.1)(layers.BatchNormalization()(x))
        found = [layers.Conv2D(f, (3, 3), padding="same")(x)]
        found += [
            layers.Conv2D(f, (3, 3), dilation_rate=(d, d), padding="same")(x) for d in (d_a, d_b)
        ]
        down = layers.MaxPooling2D(pool_size=(4, 4))(x)
        up = layers.Conv2DTranspose(f, (3, 3), strides=(4, 4))(down)
        if pad != 0:
            up = layers.ZeroPadding2D(padding=((pad, 0), (pad, 0)))(up)
        found.append(up)
        cc = layers.Concatenate()([layers.BatchNormalization()(each) for each in found])
        cc = layers.Conv2D(filters, (3, 3), padding="same")(layers.LeakyReLU(alpha=0.1)(cc))
        if activation:
            cc = layers.LeakyReLU(alpha=0.1)(layers.BatchNormalization()(cc))
        return cc

    def conv_block(x, filters):
        x = layers.LeakyReLU(alpha=0.1)(layers.BatchNormalization()(x))
        return layers.Conv2D(filters, (3, 3), strides=(1, 1), padding="same")(x)

    input_ = layers.Input((13, 13, 3))
    layer1 = pyramid(input_, 8, 2, 3, activation=True, pad=1)
    x = layers.Concatenate()([layer1, conv_block(input_, 4)])
    x = layers.Dropout(0.2)(x)
    x_1 = conv_block(conv_block(x, 4), 4)
    x = layers.Add()([x_1, conv_block(x, 4)])
    x = layers.LeakyReLU(alpha=0.1)(layers.BatchNormalization()(x))
    output_ = layers.Conv2D(1, (1, 1), padding="same", activation="sigmoid")(layers.Dropout(0.3)(x))
    return k.models.Model(input_, output_)


INPUTS_OF = {
    "capsule_digits": [floats(2, 12, 12, 1), np.array([[1, 0, 0], [0, 0, 1]], "float32")],
    "matrix_capsules": [floats(2, 11, 11, 2)],
    "depth_pyramid": [floats(2, 16, 16, 3)],
    "puppet_digits": [floats(2, 12, 12, 3)],
    "nested_levels": [floats(2, 8, 8, 3)],
    "zoo_pyramid": [floats(2, 13, 13, 3)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= {**pairs.MODELS, **photos.MODELS, **tables.MODELS, **texts.MODELS}
CUSTOM = (
    "capsule_digits",
    "matrix_capsules",
    *pairs.CUSTOM,
    *photos.CUSTOM,
    *tables.CUSTOM,
    *texts.CUSTOM,
)
LAMBDAS = (
    "capsule_digits",
    *pairs.LAMBDAS,
    *photos.LAMBDAS,
    *tables.LAMBDAS,
    *texts.LAMBDAS,
)
INPUTS = {
    "capsule_digits": ["input_1", "input_2"],
    **pairs.INPUTS,
    **photos.INPUTS,
    **tables.INPUTS,
    **texts.INPUTS,
}
DICTIONARIES = tables.DICTIONARIES
