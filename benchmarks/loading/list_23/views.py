"""Models of views, styles and maps, for `models.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, trained


def printed_parts(k):
    """A larger image by residual blocks that Lambdas scale, shuffle and clip."""
    import customs_23_views as own

    layers = k.layers

    def conv(filters, x):
        return layers.Conv2D(filters, (3, 3), padding="same", kernel_initializer="he_normal")(x)

    def residual_block(x, num_filters, res_scaling):
        shortcut = x
        x = layers.Activation("relu")(conv(num_filters, x))
        x = conv(num_filters, x)
        if res_scaling != 1.0:
            x = layers.Lambda(lambda t: t * res_scaling)(x)
        return layers.Add()([x, shortcut])

    inputs = layers.Input(shape=(None, None, 3), name="input")
    x = head_output = conv(4, inputs)
    for _ in range(2):
        x = residual_block(x, 4, 0.1)
    x = layers.Add()([conv(4, x), head_output])
    x = layers.Lambda(lambda x: tf.nn.depth_to_space(x, 2))(conv(16, x))
    x = conv(3, x)
    outputs = layers.Lambda(lambda t: tf.clip_by_value(t, 0.0, 1.0), name="clip_0_1")(x)
    model = k.models.Model(inputs, outputs, name="EDSR")
    optimizer = k.optimizers.Adam(
        learning_rate=1e-4, beta_1=0.9, beta_2=0.999, epsilon=1e-8, clipnorm=1.0
    )
    metrics = [own.psnr, own.ssim]
    model.compile(optimizer=optimizer, loss="mean_squared_error", metrics=metrics)
    return trained(model, [floats(2, 8, 8, 3)], np.abs(floats(2, 16, 16, 3)))


def viewed_items(_):
    """A model of a class: blocks of residual units, and two outputs."""
    import customs_23_views as own

    model = own.Architecture_fullModel(
        20, num_initial_filters=2, dense=4, mlp_dense1=5, mlp_dense2=3
    )
    model(tf.constant(floats(1, 8, 8, 3)))
    return model


def styled_features(k):
    """Features of two images in a dictionary, by what the first images told."""
    import customs_23_views as own

    style_input = k.Input((8, 8, 3), name="style")
    content_input = k.Input((8, 8, 3), name="content")
    pools = [k.layers.AveragePooling2D(pool_size=2) for _ in range(2)]

    def outputs(x):
        found = []
        for layer in pools:
            x = layer(x)
            found.append(x)
        return found

    style_model = k.Model(style_input, outputs(style_input))
    content_model = k.Model(content_input, outputs(content_input))
    new_style = [own.Standardize(True, True)(output) for output in style_model.outputs]
    new_content = [own.Standardize(True, True)(output) for output in content_model.outputs]
    return k.Model(
        [style_model.input, content_model.input], {"style": new_style, "content": new_content}
    )


def viewed_twice(k):
    """Two views of an image by one backbone, with layers that measure what passes."""
    import customs_23_views as own

    layers = k.layers
    regularizer = k.regularizers.L2(1e-4)
    given = k.Input((8, 8, 3), name="image")
    given2 = k.Input((8, 8, 3), name="image2")
    backbone = k.Sequential([layers.GlobalAveragePooling2D(), layers.Dense(4)])
    stand_img = own.StandardizeImage()
    feats, feats2 = backbone(stand_img(given)), backbone(stand_img(given2))
    l2_norm = own.L2Normalize()
    feats, feats2 = l2_norm(feats), l2_norm(feats2)
    feats = own.Identity(name="feats")(feats)
    feats2 = own.Identity(name="feats2")(feats2)
    feats = own.MeasureNorm(name="feat_norm")(feats)
    projection = k.Sequential(
        [
            layers.Dense(6, kernel_regularizer=regularizer, bias_regularizer=regularizer),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dense(5, kernel_regularizer=regularizer, use_bias=False),
        ],
        name="projection",
    )
    proj_feats, proj_feats2 = projection(feats), projection(feats2)
    batchnorm = layers.BatchNormalization(scale=False, center=False)
    proj_feats, proj_feats2 = batchnorm(proj_feats), batchnorm(proj_feats2)
    scale = own.Scale(1 / (proj_feats.shape[-1] ** 0.5))
    proj_feats, proj_feats2 = scale(proj_feats), scale(proj_feats2)
    proj_feats = own.Identity(name="proj_feats")(proj_feats)
    proj_feats2 = own.Identity(name="proj_feats2")(proj_feats2)
    proj_feats = own.MeasureNorm(name="proj_norm")(proj_feats)
    proj_views = own.FeatViews(name="contrast", dtype=tf.float32)((proj_feats, proj_feats2))
    feats = tf.stop_gradient(feats)
    prediction = layers.Dense(
        3,
        name="label",
        kernel_regularizer=regularizer,
        bias_regularizer=regularizer,
        dtype=tf.float32,
    )(feats)
    return k.Model([given, given2], [prediction, proj_views])


def drawn_streams(k):
    """Lines on maps, by layers that weigh places and channels on the way up."""
    import customs_23_maps as own

    layers = k.layers

    def block(x, size):
        for _ in range(2):
            x = layers.Conv2D(size, (3, 3), padding="same")(x)
            x = layers.BatchNormalization()(x)
            x = layers.Activation("relu")(x)
        return x

    def up(g, x, attention_type):
        attention = own.SpatialAttention() if attention_type else own.ChannelAttention()
        x = attention(x)
        inter_channel = x.shape[3]
        g = layers.Conv2DTranspose(inter_channel, (3, 3), strides=(2, 2), padding="same")(g)
        return layers.add([g, x])

    inputs = layers.Input((8, 8, 3))
    conv_8 = block(inputs, 8)
    conv_4 = block(layers.MaxPooling2D(pool_size=(2, 2))(conv_8), 8)
    conv_2 = block(layers.MaxPooling2D(pool_size=(2, 2))(conv_4), 8)
    x = block(up(conv_2, conv_4, True), 8)
    x = block(up(x, conv_8, False), 8)
    conv_final = layers.Conv2D(1, (1, 1), activation="sigmoid")(x)
    return k.models.Model(inputs, conv_final, name="AttentionUnet")


def counted_cells(k):
    """Cells of blood, by convolutions one after another."""
    layers = k.layers
    inp = layers.Input(shape=(12, 16, 3))
    x = inp
    for width, size, rate in ((3, 7, 0.2), (4, 5, 0.5), (4, 3, 0.5)):
        x = layers.Conv2D(width, (size, size), padding="same", activation="relu")(x)
        x = layers.MaxPool2D(pool_size=(2, 2))(x)
        x = layers.Dropout(rate)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(6, activation="relu")(x)
    y = layers.Dense(5, activation="softmax")(x)
    model = k.models.Model(inp, y)
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return trained(model, [floats(2, 12, 16, 3)], np.eye(5, dtype="float32")[:2])


def mapped_crops(k):
    """Crops on maps, with a metric of two functions."""
    import customs_23_maps as own

    layers = k.layers

    def conv(filters, size, x):
        return layers.Conv2D(
            filters, size, activation="relu", padding="same", kernel_initializer="he_normal"
        )(x)

    inputs = layers.Input(shape=(8, 8, 4))
    conv1 = conv(3, 3, conv(3, 3, inputs))
    pool1 = layers.MaxPooling2D(pool_size=(2, 2))(conv1)
    conv2 = conv(4, 3, conv(4, 3, pool1))
    drop2 = layers.Dropout(0.5)(conv2)
    pool2 = layers.MaxPooling2D(pool_size=(2, 2))(drop2)
    x = layers.Dropout(0.5)(conv(5, 3, conv(5, 3, pool2)))
    x = conv(4, 2, layers.UpSampling2D(size=(2, 2))(x))
    x = conv(4, 3, layers.concatenate([drop2, x], axis=3))
    x = conv(3, 2, layers.UpSampling2D(size=(2, 2))(x))
    x = conv(3, 3, layers.concatenate([conv1, x], axis=3))
    classifier = layers.Conv2D(3, 1, activation="softmax", name="cl_output")(x)
    model = k.models.Model(inputs=inputs, outputs=[classifier])
    optimizer = k.optimizers.Adam(0.001)
    model.compile(optimizer, loss="categorical_crossentropy", metrics=[own.f1_mean])
    return trained(model, [floats(2, 8, 8, 4)], np.abs(floats(2, 8, 8, 3)))


def fused_sensors(k):
    """Bands of sensors, of which some are missing, by an encoder with outputs by name."""
    layers, backend = k.layers, k.backend

    def block(x, filters, name):
        preact = layers.BatchNormalization(epsilon=1.001e-5, name=name + "_preact_bn")(x)
        preact = layers.Activation("relu", name=name + "_preact_relu")(preact)
        shortcut = layers.Conv2D(filters, 1, name=name + "_0_conv")(preact)
        x = layers.Conv2D(filters, 3, padding="same", name=name + "_2_conv")(preact)
        return layers.Add(name=name + "_out")([shortcut, x])

    image = layers.Input((None, None, 4))
    x = layers.Conv2D(4, 7, strides=2, padding="same", name="conv1_conv")(image)
    out_tensors = {}
    for number in (2, 3):
        x = block(x, 4 * number, f"conv{number}_block2")
        out_tensors[f"conv{number}_block2_out"] = x
    encoder = k.Model(inputs=image, outputs=out_tensors, name="encoder")
    bands = ["red", "blue", "near"]
    model_inputs = layers.Input(batch_shape=(2, 8, 8, 3))
    to_concat = []
    for default_band in ("red", "green", "blue", "near"):
        for band_i, band in enumerate(bands):
            if band == default_band:
                to_concat.append(backend.expand_dims(model_inputs[..., band_i], axis=-1))
                break
        else:
            to_concat.append(backend.zeros(shape=(2, 8, 8, 1)))
    all_inputs = layers.Concatenate(axis=-1)(to_concat)
    scaled_inputs = layers.Lambda(lambda x: x * 2.0)(all_inputs)
    return k.Model(model_inputs, encoder(scaled_inputs))


def encoded_art(k):
    """An encoder of images whose borders mirror."""
    import customs_23_views as own

    layers = k.layers
    img_input = layers.Input(shape=[None, None, 3], name="input")
    x = own.VggPreprocess()(img_input)
    for number, width, count in ((1, 3, 2), (2, 4, 2)):
        for place in range(1, count + 1):
            x = own.SpatialReflectionPadding()(x)
            x = layers.Conv2D(
                width,
                (3, 3),
                activation="relu",
                padding="valid",
                name=f"block{number}_conv{place}",
            )(x)
        x = layers.MaxPooling2D((2, 2), strides=(2, 2), name=f"block{number}_pool")(x)
    x = own.SpatialReflectionPadding()(x)
    x = layers.Conv2D(5, (3, 3), activation="relu", padding="valid", name="output")(x)
    return k.models.Model(img_input, x, name="vgg19")


MODELS = {
    "printed_parts": (printed_parts, [floats(2, 8, 8, 3)]),
    "viewed_items": (viewed_items, [floats(2, 8, 8, 3)]),
    "styled_features": (styled_features, [floats(2, 8, 8, 3), floats(2, 8, 8, 3)]),
    "viewed_twice": (viewed_twice, [floats(2, 8, 8, 3), floats(2, 8, 8, 3)]),
    "drawn_streams": (drawn_streams, [floats(2, 8, 8, 3)]),
    "counted_cells": (counted_cells, [floats(2, 12, 16, 3)]),
    "mapped_crops": (mapped_crops, [floats(2, 8, 8, 4)]),
    "fused_sensors": (fused_sensors, [floats(2, 8, 8, 3)]),
    "encoded_art": (encoded_art, [floats(2, 12, 12, 3)]),
}
CUSTOM = frozenset(
    {
        "printed_parts",
        "viewed_items",
        "styled_features",
        "viewed_twice",
        "drawn_streams",
        "mapped_crops",
        "encoded_art",
    }
)
LAMBDAS = frozenset({"printed_parts", "fused_sensors"})
