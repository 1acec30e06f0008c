"""Generators, agents, and networks that find the odd one, drawn by lot from public code, for
`images.py`.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, integers, trained


def progressive_faces(k):
    """The generator of a growing GAN: own biases by shape, a scale in closures, a fading weight."""
    import customs_18_fakes as own

    layers, base, most = k.layers, 32, 8

    def number(stage):
        return int(min(most, base / 2.0**stage))

    def scaled(x, layer, shape, gain=1.4142135):
        stddev = gain / np.sqrt(np.prod(shape[:-1]))
        return layers.Lambda(lambda x: x * tf.constant(stddev, dtype="float32"))(layer(x))

    def conv(x, filters, kernel, name, gain=1.4142135):
        given = {"strides": (1, 1), "padding": "same", "use_bias": False, "activation": None}
        given["kernel_initializer"] = k.initializers.RandomNormal()
        layer = layers.Conv2D(filters, kernel, name=name, **given)
        x = scaled(x, layer, [kernel, kernel, x.shape[1], filters], gain)
        return own.Bias([1, 1, filters], name=f"{name}_bias")(x)

    def active(x):
        return layers.Lambda(own.pixelwise_feature_norm)(layers.LeakyReLU()(x))

    def colours(x, name):
        return layers.Activation("sigmoid")(conv(x, 3, 1, name, gain=1))

    level, most_levels = tf.Variable(0.0, dtype="float32", name="level_in"), 4
    start = layers.Input(shape=(8,), name="latents_in")
    units = number(1)
    given = {"kernel_initializer": k.initializers.RandomNormal(), "use_bias": False}
    dense = layers.Dense(units * 16, name="G_dense_head", **given)
    x = layers.Reshape((4, 4, units))(scaled(start, dense, [8, units * 16], np.sqrt(2) / 4))
    x = active(own.Bias([1, 1, units], name="G_dense_head_bias")(x))
    x = active(conv(x, units, 3, "4x4_conv"))
    image = colours(x, "4x4_to_rgb")
    for i in range(3, most_levels + 1):
        size = f"{1 << i}x{1 << i}"
        x = active(conv(layers.UpSampling2D()(x), number(i - 1), 3, f"{size}_conv0"))
        x = active(conv(x, number(i - 1), 3, f"{size}_conv1"))
        new = colours(x, f"{size}_to_rgb")
        image = own.Lerp(level - (most_levels - i))(new, layers.UpSampling2D()(image))
    return k.models.Model(start, image)


def classed_fakes(k):
    """ACGAN as it is trained: nested Sequential models, the frozen critic with two ends."""
    layers, optimizer = k.layers, k.optimizers.Adam(0.0002, 0.5)
    losses = ["binary_crossentropy", "sparse_categorical_crossentropy"]
    inner = k.Sequential()
    inner.add(layers.Conv2D(4, kernel_size=3, strides=2, input_shape=(8, 8, 1), padding="same"))
    inner.add(layers.LeakyReLU())
    inner.add(layers.Dropout(0.25))
    inner.add(layers.Conv2D(5, kernel_size=3, strides=2, padding="same"))
    inner.add(layers.ZeroPadding2D(padding=((0, 1), (0, 1))))
    inner.add(layers.LeakyReLU())
    inner.add(layers.BatchNormalization(momentum=0.8))
    inner.add(layers.Flatten())
    photo = layers.Input(shape=(8, 8, 1))
    features = inner(photo)
    validity = layers.Dense(1, activation="sigmoid")(features)
    label = layers.Dense(10, activation="softmax")(features)
    critic = k.Model(photo, [validity, label])
    model = k.Sequential()
    model.add(layers.Dense(6 * 2 * 2, activation="relu", input_dim=5))
    model.add(layers.Reshape((2, 2, 6)))
    for filters in (5, 4):
        model.add(layers.BatchNormalization(momentum=0.8))
        model.add(layers.UpSampling2D())
        model.add(layers.Conv2D(filters, kernel_size=3, padding="same"))
        model.add(layers.Activation("relu"))
    model.add(layers.Conv2D(1, kernel_size=3, padding="same"))
    model.add(layers.Activation("tanh"))
    noise = layers.Input(shape=(5,))
    kind = layers.Input(shape=(1,), dtype="int32")
    coded = layers.Flatten()(layers.Embedding(10, 5)(kind))
    generator = k.Model([noise, kind], model(layers.multiply([noise, coded])))
    noise, kind = layers.Input(shape=(5,), name="noise"), layers.Input(shape=(1,), name="kind")
    critic.trainable = False
    combined = k.Model([noise, kind], list(critic(generator([noise, kind]))))
    combined.compile(loss=losses, optimizer=optimizer)
    return trained(
        combined, INPUTS_OF["classed_fakes"], np.ones((3, 1), "float32"), np.array([[1], [4], [9]])
    )


def odd_scans(k):
    """GANomaly: an encoder, a decoder and an encoder, with one initializer of TensorFlow."""
    layers = k.layers
    narrow = {"kernel_initializer": tf.random_normal_initializer(mean=0.0, stddev=0.02)}

    def encoder(name):
        model = k.Sequential(name=name)
        model.add(layers.Input(shape=(16, 16, 1)))
        given = {"padding": "same", **narrow}
        model.add(layers.Conv2D(filters=4, kernel_size=3, strides=(1, 1), **given))
        model.add(layers.LeakyReLU(0.1))
        for filters in (5, 6):
            model.add(layers.Conv2D(filters=filters, kernel_size=4, strides=(2, 2), **given))
            model.add(layers.BatchNormalization())
            model.add(layers.LeakyReLU(0.1))
        model.add(layers.Flatten())
        model.add(layers.Dense(7, **narrow))
        return model

    decoder = k.Sequential(name="Gz")
    decoder.add(layers.Input(shape=(7,)))
    decoder.add(layers.Dense(units=4 * 4 * 6, **narrow))
    decoder.add(layers.BatchNormalization())
    decoder.add(layers.ReLU())
    decoder.add(layers.Reshape(target_shape=(4, 4, 6)))
    for filters in (6, 5):
        given = {"kernel_size": 4, "strides": (2, 2), "padding": "same", **narrow}
        decoder.add(layers.Conv2DTranspose(filters=filters, **given))
        decoder.add(layers.BatchNormalization())
        decoder.add(layers.ReLU())
    given = {"kernel_size": 3, "padding": "same", "activation": "tanh", **narrow}
    decoder.add(layers.Conv2DTranspose(filters=1, **given))
    start = layers.Input(shape=(16, 16, 1))
    code = encoder("Ex")(start)
    image = decoder(code)
    return k.Model(start, [image, code, encoder("Ex_hat")(image)])


def noise_to_faces(k):
    """The generator of many GANs: TensorFlow's functions on tensors in Keras 2, layers in 3."""
    layers, ops = k.layers, hasattr(k, "ops")
    start = x = k.Input(shape=(1, 1, 8))
    x = layers.Conv2DTranspose(8, 4, strides=1, padding="valid", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x) if ops else tf.nn.relu(x)
    for filters in (6, 4):
        given = {"strides": 2, "padding": "same", "use_bias": False}
        x = layers.BatchNormalization()(layers.Conv2DTranspose(filters, 4, **given)(x))
        x = layers.ReLU()(x) if ops else tf.nn.relu(x)
    x = layers.Conv2DTranspose(3, 4, strides=2, padding="same")(x)
    x = layers.Activation("tanh")(x) if ops else tf.tanh(x)
    return k.Model(inputs=start, outputs=x, name="ConvGenerator")


def guessed_passwords(_):
    """The generator of passwords: subclasses with arguments in other places than meant."""
    import customs_18_fakes as own

    model = own.BuildGenerator(16, 8)
    model(floats(2, 128))
    return model


def mario_policy(_):
    """A policy as a subclass of Model whose call is a function of TensorFlow and makes layers."""
    import customs_18_fakes as own

    model = own.PolicyNet((32, 32, 4), 5)
    model(np.abs(floats(2, 32, 32, 4)))
    return model


def pong_paddle(k):
    """Pong from pixels: a loss that uses an input of the model, which leads nowhere else."""
    layers = k.layers
    observation = layers.Input((20,), name="observation")
    x = layers.Dense(8, activation="relu", name="dense")(observation)
    action = layers.Dense(1, activation="sigmoid", name="action")(x)
    reward = layers.Input((1,), name="reward")

    def policy_gradient_loss(y_true, y_pred):
        y_pred = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
        bce = y_true * tf.math.log(y_pred) + (1 - y_true) * tf.math.log(1 - y_pred)
        return -tf.reduce_mean(bce * reward)

    model = k.Model([observation, reward], action)
    model.compile(loss=policy_gradient_loss, optimizer="adam")
    return model


INPUTS_OF = {
    "progressive_faces": [floats(2, 8)],
    "classed_fakes": [floats(3, 5), integers(10, 3, 1)],
    "odd_scans": [floats(2, 16, 16, 1)],
    "noise_to_faces": [floats(2, 1, 1, 8)],
    "guessed_passwords": [floats(2, 128)],
    "mario_policy": [np.abs(floats(2, 32, 32, 4))],
    "pong_paddle": [floats(3, 20), floats(3, 1)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("progressive_faces", "guessed_passwords", "mario_policy")
LAMBDAS = ("progressive_faces",)
INPUTS = {
    "classed_fakes": ["noise", "kind"],
    "pong_paddle": ["observation", "reward"],
}
