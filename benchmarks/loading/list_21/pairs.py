"""Models of several inputs drawn by lot from public code, for `images.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import adam, floats, integers, trained


def attended_letters(k):
    """A decoder of as many steps as the result has, with functions of its own among its layers."""
    layers = k.layers
    steps, latent = 3, 4

    def softmax_over_time(x):
        assert len(x.shape) > 2
        e = tf.exp(x - tf.reduce_max(x, axis=1, keepdims=True))
        return e / tf.reduce_sum(e, axis=1, keepdims=True)

    def stack_and_transpose(x):
        return tf.transpose(tf.stack(x), perm=(1, 0, 2))

    inputs = layers.Input(shape=(5,))
    x = layers.Embedding(9, 4)(inputs)
    encoder_outputs = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    decoder_inputs = layers.Input(shape=(steps,))
    decoder_inputs_x = layers.Embedding(8, 4)(decoder_inputs)
    attn_repeat_layer = layers.RepeatVector(5)
    attn_concat_layer = layers.Concatenate(axis=-1)
    attn_dense1 = layers.Dense(5, activation="tanh")
    attn_dense2 = layers.Dense(1, activation=softmax_over_time)
    attn_dot = layers.Dot(axes=1)
    decoder_lstm = layers.LSTM(latent, return_state=True)
    decoder_dense = layers.Dense(8, activation="softmax")
    s = initial_s = layers.Input(shape=(latent,), name="s0")
    c = initial_c = layers.Input(shape=(latent,), name="c0")
    context_last_word_concat_layer = layers.Concatenate(axis=2)
    outputs = []
    for t in range(steps):
        x = attn_concat_layer([encoder_outputs, attn_repeat_layer(s)])
        alphas = attn_dense2(attn_dense1(x))
        context = attn_dot([alphas, encoder_outputs])
        selector = layers.Lambda(lambda x, t=t: x[:, t : t + 1])
        step = context_last_word_concat_layer([context, selector(decoder_inputs_x)])
        o, s, c = decoder_lstm(step, initial_state=[s, c])
        outputs.append(decoder_dense(o))
    outputs = layers.Lambda(stack_and_transpose)(outputs)
    model = k.models.Model([inputs, decoder_inputs, initial_s, initial_c], outputs)
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    target = np.eye(8, dtype="float32")[integers(8, 2, steps)]
    return trained(model, INPUTS_OF["attended_letters"], target)


class _Muse:
    """What a program of music keeps: its loss is a method."""

    def wasserstein(self, y_true, y_pred):
        return -tf.reduce_mean(y_true * y_pred)


def musical_bars(k):
    """Bars of tracks by models in a list, before a critic that is frozen."""
    layers = k.layers
    z, tracks, bars = 4, 2, 2
    weight_init = k.initializers.RandomNormal(mean=0.0, stddev=0.02)

    def conv_t(x, f, size, stride, a, padding, bn):
        x = layers.Conv2DTranspose(
            filters=f,
            kernel_size=size,
            padding=padding,
            strides=stride,
            kernel_initializer=weight_init,
        )(x)
        x = layers.BatchNormalization(momentum=0.9)(x) if bn else x
        return layers.Activation(a)(x) if a == "relu" else layers.LeakyReLU()(x)

    def temporal_network():
        input_layer = layers.Input(shape=(z,), name="temporal_input")
        x = layers.Reshape([1, 1, z])(input_layer)
        x = conv_t(x, 6, (2, 1), (1, 1), "relu", "valid", True)
        x = conv_t(x, z, (bars - 1, 1), (1, 1), "relu", "valid", True)
        return k.models.Model(input_layer, layers.Reshape([bars, z])(x))

    def bar_generator():
        input_layer = layers.Input(shape=(z * 4,), name="bar_generator_input")
        x = layers.BatchNormalization(momentum=0.9)(layers.Dense(8)(input_layer))
        x = layers.Reshape([2, 1, 4])(layers.Activation("relu")(x))
        x = conv_t(x, 4, (2, 1), (2, 1), "relu", "same", True)
        x = conv_t(x, 1, (1, 3), (1, 3), "lrelu", "same", False)
        return k.models.Model(input_layer, layers.Reshape([1, 4, 3, 1])(x))

    def inputs():
        return [
            layers.Input(shape=(z,), name="chords_input"),
            layers.Input(shape=(z,), name="style_input"),
            layers.Input(shape=(tracks, z), name="melody_input"),
            layers.Input(shape=(tracks, z), name="groove_input"),
        ]

    chords_input, style_input, melody_input, groove_input = inputs()
    chords_over_time = temporal_network()(chords_input)
    melody_over_time = [None] * tracks
    for track in range(tracks):
        melody_track = layers.Lambda(lambda x, track=track: x[:, track, :])(melody_input)
        melody_over_time[track] = temporal_network()(melody_track)
    generators = [bar_generator() for _ in range(tracks)]
    bars_output = [None] * bars
    for bar in range(bars):
        track_output = [None] * tracks
        c = layers.Lambda(lambda x, bar=bar: x[:, bar, :], name=f"chords_input_bar_{bar}")
        c = c(chords_over_time)
        for track in range(tracks):
            m = layers.Lambda(lambda x, bar=bar: x[:, bar, :])(melody_over_time[track])
            g = layers.Lambda(lambda x, track=track: x[:, track, :])(groove_input)
            joined = layers.Concatenate(axis=1, name=f"total_input_bar_{bar}_track_{track}")
            track_output[track] = generators[track](joined([c, style_input, m, g]))
        bars_output[bar] = layers.Concatenate(axis=-1)(track_output)
    generator_output = layers.Concatenate(axis=1, name="concat_bars")(bars_output)
    given = [chords_input, style_input, melody_input, groove_input]
    generator = k.models.Model(given, generator_output)

    critic_input = layers.Input(shape=(bars, 4, 3, tracks), name="critic_input")
    x = critic_input
    for f, size, stride in ((4, (2, 1, 1), (1, 1, 1)), (5, (1, 1, 3), (1, 1, 3))):
        x = layers.Conv3D(
            filters=f, kernel_size=size, strides=stride, kernel_initializer=weight_init
        )(x)
        x = layers.LeakyReLU()(x)
    x = layers.LeakyReLU()(layers.Dense(6, kernel_initializer=weight_init)(layers.Flatten()(x)))
    x = layers.Dense(1, activation=None, kernel_initializer=weight_init)(x)
    critic = k.models.Model(critic_input, x)
    critic.trainable = False
    for layer in critic.layers:
        layer.trainable = False
    given = inputs()
    model = k.models.Model(given, critic(generator(given)))
    model.compile(optimizer=adam(k, 0.001, beta_1=0.5, beta_2=0.9), loss=_Muse().wasserstein)
    return trained(model, INPUTS_OF["musical_bars"], np.ones((2, 1), "float32"))


def exp_dice_loss(k, exp=1.0):
    """A loss that a function makes."""
    backend = k.backend

    def inner(y_true, y_pred):
        y_true = backend.cast(backend.not_equal(y_true, 0), backend.floatx())
        shared = backend.sum(y_true * y_pred, axis=1)
        dice = (2.0 * shared + 1.0) / (backend.sum(y_true + y_pred, axis=1) + 1.0)
        dice = backend.clip(dice, backend.epsilon(), 1 - backend.epsilon())
        dice = backend.pow(-backend.log(dice), exp)
        return backend.mean(dice, axis=-1) if backend.ndim(dice) == 2 else dice

    return inner


def paired_scans(k):
    """Two scans in two encoders and one decoder."""
    layers = k.layers

    def conv(x, filters, name=None):
        given = {"activation": "relu", "padding": "same", "kernel_initializer": "he_normal"}
        return layers.BatchNormalization(name=name)(layers.Conv2D(filters, 3, **given)(x))

    def encoder(kind):
        start = layers.Input((8, 8, 1))
        scaled = layers.BatchNormalization()(start)
        one = conv(conv(scaled, 4), 4, f"conv_{kind}_4")
        one = layers.Add()([one, scaled])
        inside = conv(layers.MaxPool2D(pool_size=(2, 2))(one), 6)
        two = layers.Add()([conv(inside, 6, f"conv_{kind}_6"), inside])
        return start, one, layers.Dropout(0.5)(two)

    input_seg, one_seg, two_seg = encoder("spect")
    input_ct, one_ct, two_ct = encoder("ct")
    x = layers.concatenate([two_seg, two_ct], axis=3)
    x = conv(layers.UpSampling2D(size=(2, 2))(x), 4)
    x = layers.BatchNormalization()(layers.concatenate([one_ct, one_seg, x], axis=3))
    inside = conv(x, 4)
    x = layers.Add()([conv(inside, 4, "decoder_conv_4"), inside])
    x = layers.Conv2D(filters=3, kernel_size=1, activation="softmax", name="segmentation")(x)
    x = layers.Reshape((np.prod((8, 8)), 3))(x)
    model = k.models.Model(inputs=[input_ct, input_seg], outputs=x)
    model.compile(optimizer=adam(k, 1e-3), loss=exp_dice_loss(k, exp=1.0))
    target = np.eye(3, dtype="float32")[integers(3, 2, 64)]
    return trained(model, INPUTS_OF["paired_scans"], target)


def image_preprocess(image, largest):
    """Images of 0 to 255, scaled."""
    scale = tf.constant([0.458, 0.448, 0.450])[None, None, None, :]
    shift = tf.constant([-0.030, -0.088, -0.188])[None, None, None, :]
    return (image / (largest / 2.0) - 1.0 - shift) / scale


def perceived_distance(k):
    """How different two images look: models of lists, and Lambdas of each of their outputs."""
    layers = k.layers
    x = start = layers.Input((8, 8, 3))
    found = []
    for filters in (4, 5):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        found.append(x)
        x = layers.MaxPooling2D(2)(x)
    net = k.models.Model(start, found, name="perceptual_model")
    inputs, outputs = [], []
    for ii, channel in enumerate((4, 5)):
        image_size = 8 // (2**ii)
        model_input = layers.Input((image_size, image_size, channel), dtype="float32")
        x = layers.Dropout(rate=0.5, dtype="float32")(model_input)
        x = layers.Conv2D(1, 1, use_bias=False, dtype="float32", name=f"lin{ii}")(x)
        inputs.append(model_input)
        outputs.append(x)
    lin = k.Model(inputs=inputs, outputs=outputs, name="linear_model")
    given = [layers.Input((8, 8, 3), dtype="float32", name=f"input{i}") for i in (1, 2)]
    seen = [net(layers.Lambda(lambda x: image_preprocess(x, 255.0))(each)) for each in given]
    seen = [
        [
            layers.Lambda(
                lambda x: x * tf.math.rsqrt(tf.reduce_sum(tf.square(x), axis=-1, keepdims=True))
            )(t)
            for t in each
        ]
        for each in seen
    ]
    diffs = [
        layers.Lambda(lambda x: tf.square(x[0] - x[1]))([a, seen[1][i]])
        for i, a in enumerate(seen[0])
    ]
    lin_out = [
        layers.Lambda(lambda x: tf.reduce_mean(x, axis=[1, 2], keepdims=True))(t)
        for t in lin(diffs)
    ]
    lin_out = layers.Lambda(lambda x: tf.reduce_sum(x, axis=[0], keepdims=False))(lin_out)
    lin_out = layers.Lambda(lambda x: tf.squeeze(x, axis=None))(lin_out)
    return k.models.Model(inputs=given, outputs=lin_out)


INPUTS_OF = {
    "attended_letters": [integers(9, 2, 5), integers(8, 2, 3), floats(2, 4), floats(2, 4) * 0.5],
    "musical_bars": [floats(2, 4), floats(2, 4) * 0.5, floats(2, 2, 4), floats(2, 2, 4) * 0.7],
    "paired_scans": [floats(2, 8, 8, 1), floats(2, 8, 8, 1) * 0.5],
    "perceived_distance": [floats(2, 8, 8, 3) * 127 + 127, floats(2, 8, 8, 3) * 60 + 100],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ()
LAMBDAS = ("attended_letters", "musical_bars", "perceived_distance")
INPUTS = {
    "attended_letters": ["input_1", "input_2", "s0", "c0"],
    "musical_bars": ["chords_input", "style_input", "melody_input", "groove_input"],
    "paired_scans": ["input_2", "input_1"],
    "perceived_distance": ["input1", "input2"],
}
