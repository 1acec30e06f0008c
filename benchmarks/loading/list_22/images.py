"""Networks and programs drawn by lot from public code, for `models.py`: a twenty-second list."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import adam, floats, trained
from benchmarks.loading.list_22 import photos, scenes, series, texts


def guided_noise(k):
    """Noise by labels and times, with attention that Lambdas compute."""
    layers = k.layers

    def attention(qkv):
        q, key, v = qkv
        s = tf.matmul(key, q, transpose_b=True)
        beta = tf.nn.softmax(s)
        return tf.matmul(beta, v)

    def sinusoidal_embedding(x):
        frequencies = tf.exp(tf.linspace(tf.math.log(1.0), tf.math.log(1000.0), 4))
        angular_speeds = 2.0 * math.pi * frequencies
        return tf.concat([tf.sin(angular_speeds * x), tf.cos(angular_speeds * x)], axis=3)

    def attend(img, text):
        filters = img.shape[3]
        orig_shape = (img.shape[1], img.shape[2], img.shape[3])
        img = layers.BatchNormalization()(img)
        text = layers.BatchNormalization()(text)
        q = layers.Conv2D(2, kernel_size=1, padding="same")(text)
        key = layers.Conv2D(2, kernel_size=1, padding="same")(img)
        v = layers.Conv2D(filters, kernel_size=1, padding="same")(text)
        rows = [layers.Reshape((t.shape[1] * t.shape[2], t.shape[3]))(t) for t in (q, key, v)]
        img = layers.Lambda(attention)(rows)
        img = layers.Reshape(orig_shape)(img)
        img = layers.Conv2D(filters, kernel_size=1, padding="same")(img)
        return layers.BatchNormalization()(img)

    def block(x, width):
        residual = x if x.shape[3] == width else layers.Conv2D(width, kernel_size=1)(x)
        x = layers.BatchNormalization(center=False, scale=False)(x)
        x = layers.Conv2D(width, kernel_size=3, padding="same", activation=k.activations.swish)(x)
        x = layers.Conv2D(width, kernel_size=3, padding="same")(x)
        return layers.Add()([x, residual])

    noisy_images = k.Input(shape=(8, 8, 3))
    noise_variances = k.Input(shape=(1, 1, 1))
    e = layers.Lambda(sinusoidal_embedding)(noise_variances)
    e = layers.UpSampling2D(size=8, interpolation="nearest")(e)
    input_label = layers.Input(shape=(6,))
    emb_label = layers.Reshape((1, 1, 3))(layers.Dense(3)(input_label))
    emb_label = layers.UpSampling2D(size=8, interpolation="nearest")(emb_label)
    x = layers.Conv2D(4, kernel_size=1)(noisy_images)
    x = layers.Concatenate()([x, e, emb_label])
    emb_and_noise = layers.BatchNormalization()(layers.Concatenate()([emb_label, e]))
    skips = [block(x, 4)]
    x = layers.AveragePooling2D(pool_size=2)(skips[0])
    emb_and_noise = layers.AveragePooling2D()(emb_and_noise)
    x = block(x, 6)
    x = layers.Add()([x, attend(x, emb_and_noise)])
    x = layers.UpSampling2D(size=2, interpolation="bilinear")(x)
    x = block(layers.Concatenate()([x, skips.pop()]), 4)
    x = layers.Conv2D(3, kernel_size=1, kernel_initializer="zeros", activation="linear")(x)
    given = [noisy_images, noise_variances, input_label]
    return k.models.Model(given, x, name="residual_unet")


def atrous_scenes(k):
    """Dilated convolutions of each channel, with functions of TensorFlow as activations."""
    layers = k.layers

    def sep(x, n_channels, prefix, suffix, strides=1, dilation_rate=1, last_activation=True):
        x = layers.DepthwiseConv2D(
            (3, 3),
            strides,
            dilation_rate=(dilation_rate, dilation_rate),
            padding="same",
            name=f"{prefix}_sc{suffix}",
        )(x)
        x = layers.BatchNormalization(name=f"{prefix}_sc-bn{suffix}")(x)
        x = layers.Activation(tf.nn.relu, name=f"{prefix}_sc-act{suffix}")(x)
        x = layers.Conv2D(n_channels, (1, 1), padding="same", name=f"{prefix}_cv{suffix}")(x)
        x = layers.BatchNormalization(name=f"{prefix}_cv-bn{suffix}")(x)
        if last_activation is True:
            x = layers.Activation(tf.nn.relu, name=f"{prefix}_cv-act{suffix}")(x)
        return x

    def conv(x, n_channels, size, prefix, suffix="1", strides=1):
        x = layers.Conv2D(n_channels, size, strides, padding="same", name=f"{prefix}_cv{suffix}")(x)
        x = layers.BatchNormalization(name=f"{prefix}_bn{suffix}")(x)
        return layers.Activation(tf.nn.relu, name=f"{prefix}_act{suffix}")(x)

    inputs = layers.Input(shape=(16, 16, 3), name="inputs")
    xm = xs = conv(inputs, 4, 3, "entry_b1", strides=2)
    xm = sep(xm, 6, "entry_b2", "1")
    xm = sep(xm, 6, "entry_b2", "2", strides=2)
    xs = conv(xs, 6, 1, "entry_b2_side", strides=2)
    x_dec = xm = layers.add([xs, xm], name="entry_b2_add")
    rates = np.ceil(np.linspace(0, 32 // 3, 4)).astype(int)[1:]
    aspp = [conv(xm, 4, 1, "aspp1")]
    aspp += [sep(xm, 4, f"aspp{i + 2}", "1", dilation_rate=rates[i]) for i in range(2)]
    last = k.backend.mean(xm, axis=[1, 2], keepdims=True)
    last = conv(last, 4, 1, "aspp5")
    aspp.append(layers.UpSampling2D((4, 4), name="aspp5_upsampling")(last))
    x = conv(layers.concatenate(aspp, name="ASPP"), 4, 1, "ASPP")
    x_dec = conv(x_dec, 3, 1, "dec1")
    x_dec = layers.concatenate([x_dec, x], name="dec_concat")
    x_dec = sep(x_dec, 2, "dec2", "1", last_activation=False)
    x_dec = layers.UpSampling2D(4, name="dec_upsample_1")(x_dec)
    outputs = layers.Activation(tf.nn.softmax, name="softmax")(x_dec)
    return k.Model(inputs=inputs, outputs=outputs, name="deeplab-v3plus")


def read_music(k):
    """Symbols of music along an image, with the loss as a layer."""
    layers, backend = k.layers, k.backend

    def ctc_lambda_func(args):
        y_pred, labels, input_length, label_length = args
        y_pred = y_pred[:, :, :]
        return backend.ctc_batch_cost(labels, y_pred, input_length, label_length)

    input_data = layers.Input(name="the_input", shape=(8, None, 1), dtype="float32")
    inner = layers.Conv2D(3, 3, padding="same", name="conv1")(input_data)
    inner = layers.LeakyReLU(alpha=0.2)(layers.BatchNormalization()(inner))
    inner = layers.MaxPooling2D(pool_size=(2, 2), name="max1")(inner)
    inner = layers.Conv2D(4, 3, padding="same", name="conv2")(inner)
    inner = layers.LeakyReLU(alpha=0.2)(layers.BatchNormalization()(inner))
    inner = layers.MaxPooling2D(pool_size=(2, 1), name="max2")(inner)
    inner = layers.Permute((2, 1, 3))(inner)
    inner = layers.Reshape(target_shape=(-1, 8), name="reshape")(inner)
    inner = layers.Bidirectional(layers.LSTM(4, return_sequences=True, dropout=0.25))(inner)
    inner = layers.Dense(6, name="dense2")(inner)
    y_pred = layers.Activation("softmax", name="softmax")(inner)
    labels = layers.Input(name="the_labels", shape=[None], dtype="float32")
    input_length = layers.Input(name="input_length", shape=[1], dtype="int64")
    label_length = layers.Input(name="label_length", shape=[1], dtype="int64")
    loss_out = layers.Lambda(ctc_lambda_func, output_shape=(1,), name="ctc")(
        [y_pred, labels, input_length, label_length]
    )
    given = [input_data, labels, input_length, label_length]
    model = k.models.Model(inputs=given, outputs=loss_out)
    model.compile(loss={"ctc": lambda _, y_pred: y_pred}, optimizer="adam")
    return trained(model, INPUTS_OF["read_music"], np.zeros((2, 1), "float32"))


def critic_of_letters(k):
    """A generator and a frozen critic, both Sequential."""
    layers = k.layers
    discriminator = k.models.Sequential()
    given = {"kernel_size": 5, "padding": "same"}
    discriminator.add(layers.Convolution2D(3, strides=5, input_shape=(8, 8, 1), **given))
    discriminator.add(layers.LeakyReLU(0.2))
    discriminator.add(layers.Dropout(0.3))
    discriminator.add(layers.Convolution2D(4, strides=5, **given))
    discriminator.add(layers.LeakyReLU(0.2))
    discriminator.add(layers.Flatten())
    discriminator.add(layers.Dense(1, activation="sigmoid"))
    generator = k.models.Sequential()
    generator.add(layers.Dense(4 * 2 * 2, input_dim=5))
    generator.add(layers.LeakyReLU(0.2))
    generator.add(layers.BatchNormalization())
    generator.add(layers.Reshape((2, 2, 4)))
    generator.add(layers.UpSampling2D())
    generator.add(layers.Convolution2D(3, **given))
    generator.add(layers.LeakyReLU(0.2))
    generator.add(layers.BatchNormalization())
    generator.add(layers.UpSampling2D())
    generator.add(layers.Convolution2D(1, activation="tanh", **given))
    loss = "binary_crossentropy"
    generator.compile(loss=loss, optimizer=adam(k, 2e-4, beta_1=0.5))
    discriminator.compile(loss=loss, optimizer=adam(k, 2e-4, beta_1=0.5))
    discriminator.trainable = False
    start = layers.Input(shape=(5,))
    gan = k.models.Model(start, discriminator(generator(start)))
    gan.compile(loss=loss, optimizer=adam(k, 2e-4, beta_1=0.5))
    return trained(gan, INPUTS_OF["critic_of_letters"], np.ones((2, 1), "float32"))


def residual_volumes(k):
    """Residual blocks of volumes, with a norm before each."""
    layers, l2 = k.layers, k.regularizers.l2
    given = {"kernel_initializer": "he_normal", "padding": "same", "kernel_regularizer": l2(1e-4)}

    def bn_relu(x):
        return layers.Activation("relu")(layers.BatchNormalization(axis=4)(x))

    def block(x, filters, first):
        strides = (1, 1, 1) if first else (2, 2, 2)
        y = x if first else bn_relu(x)
        y = layers.Conv3D(filters, kernel_size=(3, 3, 3), strides=strides, **given)(y)
        y = layers.Conv3D(filters, kernel_size=(3, 3, 3), strides=(1, 1, 1), **given)(bn_relu(y))
        if not first:
            x = layers.Conv3D(
                filters=filters,
                kernel_size=(1, 1, 1),
                strides=strides,
                kernel_initializer="he_normal",
                padding="valid",
                kernel_regularizer=l2(1e-4),
            )(x)
        return layers.add([x, y])

    start = layers.Input(shape=(16, 16, 16, 1))
    x = layers.Conv3D(4, kernel_size=(3, 3, 3), strides=(2, 2, 2), **given)(start)
    x = layers.MaxPooling3D(pool_size=(3, 3, 3), strides=(2, 2, 2), padding="same")(bn_relu(x))
    x = bn_relu(block(block(x, 4, True), 6, False))
    x = layers.AveragePooling3D(pool_size=(2, 2, 2), strides=(1, 1, 1))(x)
    x = layers.Dense(
        units=3, kernel_initializer="he_normal", activation="softmax", kernel_regularizer=l2(1e-4)
    )(layers.Flatten()(x))
    model = k.models.Model(inputs=start, outputs=x)
    model.compile(loss="categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
    return trained(model, INPUTS_OF["residual_volumes"], np.eye(3, dtype="float32")[:2])


def worn_digits(k):
    """Clothes in a Sequential of named layers."""
    layers = k.layers
    model = k.Sequential(name="train_model")
    given = {"padding": "same", "activation": "relu"}
    model.add(layers.Conv2D(4, (3, 3), name="conv1", input_shape=(12, 12, 1), **given))
    model.add(layers.MaxPool2D(2, name="maxpool1"))
    model.add(layers.Conv2D(6, (3, 3), name="conv2", **given))
    model.add(layers.MaxPool2D(2, name="maxpool2"))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(8, activation="relu", name="dense1"))
    model.add(layers.Dense(4, activation="linear", name="output"))
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, optimizer=adam(k, 3e-4), metrics=["accuracy"])
    return trained(model, INPUTS_OF["worn_digits"], np.array([1, 3]))


INPUTS_OF = {
    "guided_noise": [floats(2, 8, 8, 3), np.abs(floats(2, 1, 1, 1)), floats(2, 6)],
    "atrous_scenes": [floats(2, 16, 16, 3)],
    "read_music": [
        np.abs(floats(2, 8, 12, 1)),
        np.array([[1, 2], [3, 1]], "float32"),
        np.array([[6], [6]], "int64"),
        np.array([[2], [1]], "int64"),
    ],
    "critic_of_letters": [floats(2, 5)],
    "residual_volumes": [floats(2, 16, 16, 16, 1)],
    "worn_digits": [floats(2, 12, 12, 1)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= {**photos.MODELS, **scenes.MODELS, **series.MODELS, **texts.MODELS}
CUSTOM = (*photos.CUSTOM, *series.CUSTOM, *texts.CUSTOM)
LAMBDAS = (
    "guided_noise",
    "read_music",
    *photos.LAMBDAS,
    *scenes.LAMBDAS,
    *series.LAMBDAS,
    *texts.LAMBDAS,
)
INPUTS = {
    "guided_noise": ["input_1", "input_2", "input_3"],
    "read_music": ["the_input", "the_labels", "input_length", "label_length"],
    **photos.INPUTS,
    **scenes.INPUTS,
    **texts.INPUTS,
}
