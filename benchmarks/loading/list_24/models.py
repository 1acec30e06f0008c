"""Networks and programs drawn by lot from public code: a twenty-fourth list."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import adam, floats, trained
from benchmarks.loading.list_24 import boxes, items, signals


def hidden_messages(k):
    """Messages hidden in images, by blocks of four kinds."""
    layers = k.layers

    def conv_layer(input_tensor, num_filters, kernel_size, strides, padding="same"):
        return layers.Conv2D(
            num_filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            kernel_initializer=k.initializers.HeNormal(),
            bias_initializer=k.initializers.Constant(value=0.2),
            kernel_regularizer=k.regularizers.L2(l2=2e-4),
            use_bias=True,
        )(input_tensor)

    def normal(x):
        return layers.BatchNormalization(momentum=0.9)(x)

    def layer_t1(input_tensor, num_filters):
        x = conv_layer(input_tensor, num_filters=num_filters, kernel_size=(3, 3), strides=1)
        return layers.ReLU()(normal(x))

    def layer_t2(input_tensor, num_filters):
        x = layer_t1(input_tensor, num_filters)
        x = normal(conv_layer(x, num_filters=num_filters, kernel_size=(3, 3), strides=1))
        return layers.add([input_tensor, x])

    def layer_t3(input_tensor, num_filters):
        x = layer_t1(input_tensor, num_filters)
        x = normal(conv_layer(x, num_filters=num_filters, kernel_size=(3, 3), strides=1))
        x = layers.AveragePooling2D(pool_size=(3, 3), strides=2, padding="same")(x)
        y = conv_layer(input_tensor, num_filters=num_filters, kernel_size=(1, 1), strides=2)
        return layers.add([x, normal(y)])

    def layer_t4(input_tensor, num_filters):
        x = layer_t1(input_tensor, num_filters)
        x = normal(conv_layer(x, num_filters=num_filters, kernel_size=(3, 3), strides=1))
        return layers.GlobalAveragePooling2D()(x)

    def fully_connected(input_tensor):
        x = layers.Flatten()(input_tensor)
        x = layers.Dense(
            6,
            activation=None,
            use_bias=False,
            kernel_initializer=tf.random_normal_initializer(0, 0.01),
            bias_initializer=tf.constant_initializer(0.0),
        )(x)
        return layers.Dense(1, activation="sigmoid")(x)

    input_layer = layers.Input(shape=(16, 16, 1))
    x = layer_t1(input_layer, 8)
    x = layer_t1(x, 6)
    for _ in range(2):
        x = layer_t2(x, 6)
    for width in (6, 8):
        x = layer_t3(x, width)
    output = fully_connected(layer_t4(x, 12))
    model = k.Model(inputs=input_layer, outputs=output, name="SRNet")
    model.compile(
        optimizer=k.optimizers.Adamax(learning_rate=0.001),
        loss="binary_crossentropy",
        metrics=["accuracy"],
    )
    return trained(model, [_pixels()], np.array([[0.0], [1.0]], "float32"))


def _pixels():
    """Gray images."""
    return np.abs(floats(2, 16, 16, 1)) * np.float32(255.0)


def upscaled_faces(k):
    """Faces of twice the size, with slopes shared over places, a Lambda and no bias initializer."""
    layers = k.layers

    def subpixel_conv2d(name, scale=4):
        def subpixel_shape(input_shape):
            dims = [
                input_shape[0],
                input_shape[1] * scale,
                input_shape[2] * scale,
                int(input_shape[3] / (scale**2)),
            ]
            return tuple(dims)

        def subpixel(x):
            return tf.nn.depth_to_space(x, scale)

        return layers.Lambda(subpixel, output_shape=subpixel_shape, name=name)

    kernel_init = k.initializers.RandomNormal(mean=0.0, stddev=0.02, seed=None)
    gamma_init = k.initializers.RandomNormal(mean=1.0, stddev=0.02, seed=None)

    def conv(width, x, size=3):
        return layers.Conv2D(
            width,
            (size, size),
            (1, 1),
            padding="same",
            kernel_initializer=kernel_init,
            bias_initializer=None,
        )(x)

    def normal(x):
        return layers.BatchNormalization(axis=-1, gamma_initializer=gamma_init, momentum=0.5)(x)

    def identity_block(model, blocks_number):
        model_shortcut = model
        for _ in range(blocks_number):
            model = normal(conv(4, model))
            model = layers.PReLU(shared_axes=[1, 2])(model)
            model = normal(conv(4, model))
            model = layers.Add()([model_shortcut, model])
        return model

    model_input = layers.Input((6, 6, 3))
    model = layers.Conv2D(4, (9, 9), (1, 1), padding="same", kernel_initializer=kernel_init)(
        model_input
    )
    model = layers.PReLU(shared_axes=[1, 2])(model)
    model_shortcut = model
    model = identity_block(model, 2)
    model = normal(conv(4, model))
    model = layers.Add()([model_shortcut, model])
    model = conv(12, model)
    model = subpixel_conv2d("subpixel1", scale=2)(model)
    model = layers.PReLU(shared_axes=[1, 2])(model)
    model = conv(3, model, 9)
    model = layers.Activation("tanh")(model)
    return k.Model(inputs=model_input, outputs=model, name="generator")


def written_molecules(k):
    """Letters of molecules through a neck, from which the states of a decoder come."""
    layers = k.layers
    unroll = False
    encoder_inputs = layers.Input(shape=(7, 5), name="encoder_inputs")
    encoder = layers.LSTM(6, return_state=True, unroll=unroll)
    _, state_h, state_c = encoder(encoder_inputs)
    states = layers.Concatenate(axis=-1)([state_h, state_c])
    neck_outputs = layers.Dense(4, activation="relu")(states)
    state_h_decoded = layers.Dense(6, activation="relu")(neck_outputs)
    state_c_decoded = layers.Dense(6, activation="relu")(neck_outputs)
    encoder_states = [state_h_decoded, state_c_decoded]
    decoder_inputs = layers.Input(shape=(7, 5), name="decoder_inputs")
    decoder_lstm = layers.LSTM(6, return_sequences=True, unroll=unroll)
    decoder_outputs = decoder_lstm(decoder_inputs, initial_state=encoder_states)
    decoder_outputs = layers.Dense(5, activation="softmax")(decoder_outputs)
    model = k.Model([encoder_inputs, decoder_inputs], decoder_outputs)
    model.compile(optimizer=adam(k, 0.005), loss="categorical_crossentropy")
    return trained(model, [floats(2, 7, 5), floats(2, 7, 5)], np.abs(floats(2, 7, 5)))


def entailed_score(k):
    """Whether a sentence follows, from one number."""
    model = k.models.Sequential()
    model.add(k.layers.Dense(8, input_dim=1, activation="relu"))
    model.add(k.layers.Dense(3, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return trained(model, [floats(3, 1)], np.eye(3, dtype="float32"))


def active_elders(k):
    """What people do at each moment: masked series of four people at once."""
    layers = k.layers
    model = k.Sequential()
    model.add(layers.Masking(mask_value=0.0, batch_input_shape=(4, 9, 3)))
    model.add(layers.LSTM(5, return_sequences=True))
    model.add(layers.LSTM(5, return_sequences=True))
    model.add(layers.Dense(6, activation="sigmoid"))
    model.add(layers.Dense(5, activation="softmax"))
    model.compile(
        loss="categorical_crossentropy",
        optimizer=k.optimizers.Adam(learning_rate=0.0001),
        metrics=["categorical_accuracy"],
    )
    return trained(model, [_padded()], np.abs(floats(4, 9, 5)))


def _padded():
    """Series that end with zeros."""
    found = floats(4, 9, 3)
    found[1:, 6:] = 0.0
    return found


def rewarded_actions(k):
    """Chances of rewards, with a softmax for each action."""
    layers = k.layers
    inputs = layers.Input(shape=(6,))
    x = layers.Dense(8, activation="relu")(inputs)
    x = layers.Dense(7, activation="relu")(x)
    outputs = [layers.Dense(5, activation="softmax")(x) for _ in range(3)]
    q_net = k.Model(inputs, outputs)
    opt = k.optimizers.RMSprop(learning_rate=0.001)
    q_net.compile(optimizer=opt, loss="categorical_crossentropy")
    return trained(q_net, [floats(2, 6)], *[np.eye(5, dtype="float32")[:2]] * 3)


def forecast_blocks(k):
    """Series by attention, averaged over the channels, with metrics that are functions."""
    import customs_24 as own

    layers = k.layers

    def transformer_encoder(inputs):
        x = layers.LayerNormalization(epsilon=1e-6)(inputs)
        x = layers.MultiHeadAttention(key_dim=4, num_heads=2, dropout=0.25)(x, x)
        x = layers.Dropout(0.25)(x)
        res = x + inputs
        x = layers.LayerNormalization(epsilon=1e-6)(res)
        x = layers.Conv1D(filters=4, kernel_size=1, activation="relu")(x)
        x = layers.Dropout(0.25)(x)
        x = layers.Conv1D(filters=inputs.shape[-1], kernel_size=1)(x)
        return x + res

    inputs = k.Input(shape=(6, 3))
    x = inputs
    for _ in range(2):
        x = transformer_encoder(x)
    x = layers.GlobalAveragePooling1D(data_format="channels_first")(x)
    for dim in [8]:
        x = layers.Dense(dim, activation="relu")(x)
        x = layers.Dropout(0.4)(x)
    outputs = layers.Dense(3)(x)
    model = k.Model(inputs, outputs)
    model.compile(
        optimizer=k.optimizers.Adam(learning_rate=1e-4),
        loss=["mse"],
        metrics=[own.rmse, "mae", own.smape, own.coeff_determination],
    )
    return trained(model, [floats(2, 6, 3)], floats(2, 3))


MODELS = {
    "hidden_messages": (hidden_messages, [_pixels()]),
    "upscaled_faces": (upscaled_faces, [floats(2, 6, 6, 3)]),
    "written_molecules": (written_molecules, [floats(2, 7, 5), floats(2, 7, 5)]),
    "entailed_score": (entailed_score, [floats(3, 1)]),
    "active_elders": (active_elders, [_padded()]),
    "rewarded_actions": (rewarded_actions, [floats(2, 6)]),
    "forecast_blocks": (forecast_blocks, [floats(2, 6, 3)]),
    **boxes.MODELS,
    **items.MODELS,
    **signals.MODELS,
}
CUSTOM = frozenset({"forecast_blocks"}) | boxes.CUSTOM | items.CUSTOM | signals.CUSTOM
LAMBDAS = frozenset({"upscaled_faces"})
DICTIONARIES = frozenset({"next_items"})
INPUTS = {
    "written_molecules": ("encoder_inputs", "decoder_inputs"),
    **boxes.INPUTS,
    **items.INPUTS,
    **signals.INPUTS,
}
