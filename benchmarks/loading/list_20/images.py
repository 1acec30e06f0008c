"""Networks and programs drawn by lot from public code, for `models.py`: a twentieth list."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import adam, floats, integers, trained
from benchmarks.loading.list_20 import boxes, photos, texts


def drawn_words(k):
    """Whether a picture is of the words: a model of words in a model of both."""
    layers = k.layers
    word = layers.Input(shape=(7,))
    x = layers.Embedding(15, 5)(word)
    x = layers.LSTM(6, activation="sigmoid", return_sequences=True)(x)
    x = layers.LSTM(16, activation="sigmoid")(x)
    shared_embedder = k.models.Model(word, layers.Reshape((4, 4, 1))(x))

    word = layers.Input(shape=(None,))
    emb = shared_embedder(word)
    img = layers.Input(shape=(16, 16, 3))
    given = {"kernel_size": 3, "strides": 2, "padding": "same"}
    x = layers.Conv2D(4, input_shape=(16, 16, 3), **given)(img)
    x = layers.Dropout(0.25)(layers.LeakyReLU(alpha=0.2)(x))
    x = layers.BatchNormalization(momentum=0.8)(layers.Conv2D(5, **given)(x))
    x = layers.Dropout(0.25)(layers.LeakyReLU(alpha=0.2)(x))
    x = layers.Concatenate()([x, emb])
    x = layers.BatchNormalization(momentum=0.8)(layers.Conv2D(6, **given)(x))
    x = layers.Dropout(0.25)(layers.LeakyReLU(alpha=0.2)(x))
    output = layers.Dense(1, activation="sigmoid")(layers.Flatten()(x))
    model = k.models.Model([word, img], output)
    optimizer = k.optimizers.Adam(0.0002, 0.5)
    model.compile(loss="binary_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    return trained(model, INPUTS_OF["drawn_words"], np.array([[1.0], [0.0]]))


def anime_heads(k):
    """Generator and frozen discriminator, each a Sequential model in a model, in one."""
    layers, models = k.layers, k.models
    model = models.Sequential()
    model.add(layers.Dense(8 * 3 * 3, activation="relu", input_dim=6))
    model.add(layers.Reshape((3, 3, 8)))
    model.add(layers.BatchNormalization(momentum=0.8))
    for filters in (6, 5):
        given = {"kernel_size": 5, "padding": "same", "strides": (2, 2)}
        model.add(layers.Conv2DTranspose(filters, **given))
        model.add(layers.Activation("relu"))
        model.add(layers.BatchNormalization(momentum=0.8))
    model.add(layers.Conv2DTranspose(3, kernel_size=5, padding="same"))
    model.add(layers.Activation("tanh"))
    noise = layers.Input(shape=(6,))
    generator = models.Model(noise, model(noise))

    model = models.Sequential()
    model.add(layers.Conv2D(4, (5, 5), padding="same", input_shape=(12, 12, 3)))
    model.add(layers.LeakyReLU(alpha=0.2))
    model.add(layers.MaxPooling2D())
    model.add(layers.Dropout(0.2))
    model.add(layers.Conv2D(5, (5, 5), padding="same", strides=(2, 2)))
    model.add(layers.BatchNormalization(momentum=0.8))
    model.add(layers.LeakyReLU(alpha=0.2))
    model.add(layers.Dropout(0.2))
    model.add(layers.Flatten())
    model.add(layers.Dense(8, activation="tanh"))
    model.add(layers.Dense(1, activation="sigmoid"))
    img = layers.Input(shape=(12, 12, 3))
    discriminator = models.Model(img, model(img))
    given = {"loss": "binary_crossentropy"}
    optimizer = k.optimizers.Adam(0.00002, 0.5)
    discriminator.compile(optimizer=optimizer, metrics=["accuracy"], **given)

    z = layers.Input(shape=(6,))
    img = generator(z)
    discriminator.trainable = False
    combined = models.Model(z, discriminator(img))
    combined.compile(optimizer=k.optimizers.Adam(0.00002, 0.5), **given)
    return trained(combined, INPUTS_OF["anime_heads"], np.array([[1.0], [1.0]]))


def sharper_faces(k):
    """The discriminator of SRGAN, with dense layers on images."""
    layers = k.layers

    def d_block(x, filters, strides=1, bn=True):
        x = layers.Conv2D(filters, kernel_size=3, strides=strides, padding="same")(x)
        x = layers.LeakyReLU(alpha=0.2)(x)
        return layers.BatchNormalization(momentum=0.8)(x) if bn else x

    d0 = layers.Input(shape=(16, 16, 3))
    x = d_block(d0, 4, bn=False)
    x = d_block(x, 4, strides=2)
    x = d_block(d_block(x, 5), 5, strides=2)
    x = layers.LeakyReLU(alpha=0.2)(layers.Dense(8)(x))
    model = k.models.Model(d0, layers.Dense(1, activation="sigmoid")(x))
    optimizer = k.optimizers.Adam(0.0002, 0.5)
    model.compile(loss="mse", optimizer=optimizer, metrics=["accuracy"])
    return trained(model, INPUTS_OF["sharper_faces"], np.ones((2, 4, 4, 1), "float32"))


def colored_photos(k):
    """A generator and a discriminator whose activations are layers, with a method as a loss."""
    import customs_20_losses as own

    layers = k.layers

    def conv(x, channels, prefix):
        x = layers.Conv2D(
            channels,
            kernel_size=(3, 3),
            strides=(1, 1),
            use_bias=False,
            kernel_initializer="he_normal",
            padding="same",
            name=prefix + "_conv2d",
        )(x)
        x = layers.BatchNormalization(momentum=0.99, name=prefix + "_bn")(x)
        return layers.Activation(layers.LeakyReLU(0.2), name=prefix + "_activation")(x)

    def deconv(x, channels, prefix):
        x = layers.Conv2DTranspose(
            channels,
            kernel_size=(2, 2),
            strides=(2, 2),
            use_bias=False,
            kernel_initializer="he_normal",
            name=prefix + "_upsampling",
            padding="same",
        )(x)
        x = layers.BatchNormalization(momentum=0.8, name=prefix + "_bn")(x)
        return layers.Activation(layers.LeakyReLU(0.2), name=prefix + "_activation")(x)

    start = layers.Input(shape=(16, 16, 1), name="image_input")
    one = conv(start, 4, "conv1_1")
    two = conv(layers.MaxPooling2D((2, 2))(one), 5, "conv2_1")
    x = conv(layers.MaxPooling2D((2, 2))(two), 6, "conv3_1")
    for kept, channels, side in ((two, 5, "os4"), (one, 4, "os2")):
        x = layers.Concatenate()([kept, deconv(x, channels, "deconv_" + side)])
        x = conv(layers.Dropout(0.4)(x), channels, "decoder_" + side)
    given = {"kernel_initializer": "he_normal", "padding": "same", "activation": "tanh"}
    x = layers.Conv2D(2, kernel_size=(3, 3), strides=(1, 1), use_bias=True, **given)(x)
    gen_model = k.models.Model(start, x)

    start = layers.Input(shape=(16, 16, 2), name="image_input")
    x = start
    for i, channels in enumerate((4, 5)):
        given = {"strides": (2, 2), "use_bias": False, "kernel_initializer": "he_normal"}
        x = layers.Conv2D(channels, kernel_size=(3, 3), padding="same", **given)(x)
        x = layers.BatchNormalization(momentum=0.8)(x) if i else x
        x = layers.Activation(layers.LeakyReLU(0.2))(x)
        x = layers.Dropout(0.4)(x) if i else x
    x = layers.Flatten()(layers.GlobalAveragePooling2D()(x))
    x = layers.Dense(1, kernel_initializer="he_normal", use_bias=True)(x)
    d_model = k.models.Model(start, layers.Activation("sigmoid")(x))
    d_model.compile(
        loss="mse",
        optimizer=adam(k, 0.0002, beta_1=0.5),
        metrics=["accuracy"],
        loss_weights=[0.5],
    )
    d_model.trainable = False
    source = layers.Input(shape=(16, 16, 1))
    gen_out = gen_model(source)
    model = k.models.Model(source, [d_model(gen_out), gen_out], name="gan_model")
    model.compile(
        loss=["mse", own.PixelGan().ab_loss],
        metrics=["accuracy", "mae"],
        optimizer=adam(k, 0.0002, beta_1=0.5),
        loss_weights=[1, 100],
    )
    return trained(
        model, INPUTS_OF["colored_photos"], np.ones((2, 1), "float32"), floats(2, 16, 16, 2)
    )


def styled_buckets(k):
    """The generator of StyleGAN: four styles, a noise that is cropped, and a one."""
    import customs_20 as own

    layers = k.layers

    def block(x, style, noise, filters, up=True):
        def styled(x):
            s = layers.Dense(filters, kernel_initializer="he_normal", bias_initializer="ones")
            b = layers.Dense(filters, kernel_initializer="he_normal", bias_initializer="zeros")
            s = layers.Reshape([1, 1, filters])(s(style))
            b = layers.Reshape([1, 1, filters])(b(style))
            given = {"kernel_initializer": "zeros", "bias_initializer": "zeros"}
            n = layers.Conv2D(filters=filters, kernel_size=1, padding="same", **given)(noise)
            given = {"kernel_initializer": "he_normal", "bias_initializer": "zeros"}
            x = layers.Conv2D(filters=filters, kernel_size=3, padding="same", **given)(x)
            x = own.AdaInstanceNormalization()([layers.add([x, n]), s, b])
            return layers.LeakyReLU(0.01)(x)

        x = layers.UpSampling2D(interpolation="bilinear")(x) if up else x
        return styled(styled(x))

    latents = [layers.Input(shape=[6]) for _ in range(4)]
    input_noise = layers.Input(shape=[32, 32, 1])
    noise = [layers.Activation("linear")(input_noise)]
    for size in (16, 8, 4):
        noise.append(layers.Cropping2D(int(size / 2))(noise[-1]))
    inp = layers.Input(shape=[1])
    x = layers.Dense(4 * 4 * 8, kernel_initializer="ones", bias_initializer="zeros")(inp)
    x = layers.Reshape([4, 4, 8])(x)
    x = block(x, latents[0], noise[-1], 8, up=False)
    for i, filters in ((3, 6), (2, 5), (1, 4)):
        x = block(x, latents[-i], noise[i - 1], filters)
    x = layers.Conv2D(filters=3, kernel_size=1, padding="same", activation="sigmoid")(x)
    return k.models.Model(inputs=[*latents, input_noise, inp], outputs=x)


INPUTS_OF = {
    "drawn_words": [integers(15, 2, 7), floats(2, 16, 16, 3)],
    "anime_heads": [floats(2, 6)],
    "sharper_faces": [floats(2, 16, 16, 3)],
    "colored_photos": [floats(2, 16, 16, 1)],
    "styled_buckets": [
        *(floats(2, 6) * scale for scale in (1.0, 0.7, -0.5, 0.3)),
        floats(2, 32, 32, 1),
        np.ones((2, 1), "float32"),
    ],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= {**boxes.MODELS, **photos.MODELS, **texts.MODELS}
CUSTOM = ("colored_photos", "styled_buckets", *boxes.CUSTOM, *photos.CUSTOM, *texts.CUSTOM)
LAMBDAS = (*boxes.LAMBDAS, *photos.LAMBDAS, *texts.LAMBDAS)
INPUTS = {
    "drawn_words": ["input_2", "input_3"],
    "styled_buckets": [f"input_{i}" for i in range(1, 7)],
    **boxes.INPUTS,
    **photos.INPUTS,
    **texts.INPUTS,
}
DICTIONARIES = texts.DICTIONARIES
