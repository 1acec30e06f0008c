"""Models of eyes, skin, digits and photos from public code, for `images.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, functions, trained


def wave_vessels(_):
    """Vessels of eyes by subclasses of Model, for a loop of its own."""
    import customs_14_more as own

    model = own.WaveVessels()
    model(tf.constant(INPUTS_OF["wave_vessels"][0]), training=False)
    return model


def noisy_digits(k):
    """An autoencoder of convolutions; the loss is a function of Keras."""
    given = {"strides": 2, "padding": "same", "activation": "relu"}
    start = x = k.Input(shape=(16, 16, 1))
    for size in (5, 5, 3, 3):
        x = k.layers.Conv2D(4, size, **given)(x)
    x = k.layers.Flatten()(x)
    for units in (8, 6):
        x = k.layers.Dense(units, activation="relu")(x)
    x = k.layers.Dense(2, activation="tanh", name="encoder_output")(x)
    x = k.layers.Dense(6, activation="relu", name="decoder_input")(x)
    x = k.layers.Dense(16, activation="relu")(x)
    x = k.layers.Reshape((2, 2, 4))(x)
    for size in (3, 3, 5):
        x = k.layers.Conv2DTranspose(4, size, **given)(x)
    model = k.Model(inputs=start, outputs=k.layers.Conv2D(1, 1)(x))
    mse = k.losses.MSE if hasattr(k.losses, "MSE") else k.losses.mean_squared_error
    model.compile(k.optimizers.Adam(0.0001), mse)
    model.train_on_batch(INPUTS_OF["noisy_digits"][0], INPUTS_OF["noisy_digits"][0] * 0.5)
    return model


def lesions(k):
    """Residual blocks with operators on tensors; own functions for the loss and metrics."""
    import customs_14_more as own

    def active(x):
        return k.layers.Activation("relu")(k.layers.BatchNormalization()(x))

    def block(start, filters, strides=1):
        x = k.layers.Conv2D(filters, 3, padding="same", strides=strides)(active(start))
        x = k.layers.Conv2D(filters, 3, padding="same", strides=1)(active(x))
        return x + k.layers.Conv2D(filters, 1, padding="same", strides=strides)(start)

    def larger(x, skipped, filters):
        x = k.layers.Concatenate()([k.layers.UpSampling2D((2, 2))(x), skipped])
        return block(x, filters)

    start = k.layers.Input((16, 16, 3))
    x = active(k.layers.Conv2D(4, 3, padding="same", strides=1)(start))
    x = k.layers.Conv2D(4, 3, padding="same", strides=1)(x)
    first = x + k.layers.Conv2D(4, 1, padding="same", strides=1)(start)
    second = block(first, 6, 2)
    x = larger(larger(block(second, 8, 2), second, 6), first, 4)
    x = k.layers.Conv2D(1, 1, padding="same", activation="sigmoid")(x)
    model = k.Model(start, x)
    metrics = [own.lesion_dice, own.lesion_overlap, k.metrics.Recall(), k.metrics.Precision()]
    model.compile(loss=own.lesion_dice_loss, optimizer=k.optimizers.Adam(1e-4), metrics=metrics)
    return trained(model, INPUTS_OF["lesions"], np.round(np.abs(floats(2, 16, 16, 1))))


def tiny_stages(k):
    """Stages before whose convolutions values are normalized; photos of any size."""
    norm = {"axis": -1, "epsilon": 2e-5, "momentum": 0.9}

    def conv(filters, size, **given):
        return k.layers.Conv2D(
            filters, size, use_bias=False, kernel_regularizer=k.regularizers.l2(0.0005), **given
        )

    def active(x):
        return k.layers.Activation("relu")(k.layers.BatchNormalization(**norm)(x))

    def block(data, filters, stride, red=False):
        first = active(data)
        x = conv(int(filters * 0.25), (1, 1), kernel_initializer="he_uniform")(first)
        given = {"strides": stride, "padding": "same", "kernel_initializer": "he_uniform"}
        x = conv(int(filters * 0.25), (3, 3), **given)(active(x))
        x = conv(filters, (1, 1))(active(x))
        if red:
            data = conv(filters, (1, 1), strides=stride, kernel_initializer="he_uniform")(first)
        return k.layers.add([x, data])

    start = k.Input(shape=(None, None, 3))
    x = k.layers.BatchNormalization(**norm)(start)
    x = active(conv(4, (5, 5), padding="same", kernel_initializer="he_uniform")(x))
    x = k.layers.MaxPooling2D((3, 3), strides=(2, 2))(k.layers.ZeroPadding2D((1, 1))(x))
    x = block(block(x, 8, (1, 1), red=True), 8, (1, 1))
    x = block(x, 12, (2, 2), red=True)
    x = k.layers.AveragePooling2D((4, 4))(active(x))
    x = k.layers.Conv2D(
        6, (1, 1), kernel_regularizer=k.regularizers.l2(0.0005), kernel_initializer="he_uniform"
    )(x)
    x = k.layers.Activation("softmax")(k.layers.Flatten()(x))
    model = k.Model(start, x, name="resnet")
    model.compile(
        loss="categorical_crossentropy",
        optimizer=k.optimizers.Adam(
            learning_rate=0.1, beta_1=0.9, beta_2=0.999, epsilon=0.1, amsgrad=False
        ),
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["tiny_stages"], np.eye(6, dtype="float32")[[5, 1]])


def _halves(k, x, first):
    """What comes before a place and what from it on, along the second axis."""
    if hasattr(k, "ops"):
        return k.ops.split(x, [first], axis=1)
    return tf.split(x, [first, x.shape[1] - first], axis=1)


def carrier_tokens(k):
    """Windows that attend with tokens of their surroundings, by registered layers of places."""
    import customs_14_more as own

    reshape, transpose, split, joined = functions(k, "reshape", "transpose", "split", "concatenate")

    def norm(x, name):
        return k.layers.LayerNormalization(axis=-1, epsilon=1e-6, name=name + "ln")(x)

    def batch(x, activation, name, epsilon=1e-5):
        x = k.layers.BatchNormalization(momentum=0.9, epsilon=epsilon, name=name + "bn")(x)
        return k.layers.Activation(activation, name=name + activation)(x) if activation else x

    def conv(x, filters, strides, name, use_bias=False):
        x = k.layers.ZeroPadding2D(padding=(1, 1), name=name + "pad")(x)
        return k.layers.Conv2D(
            filters, 3, strides=strides, use_bias=use_bias, padding="valid", name=name + "conv"
        )(x)

    def attended(x, carried, height, name):
        depth, rows = x.shape[-1], x.shape[1]
        before = 0 if carried is None else carried.shape[1]
        x = x if carried is None else joined([carried, x], axis=1)
        qkv = k.layers.Dense(3 * depth, use_bias=True, name=name + "attn_qkv")(
            norm(x, name + "attn_")
        )
        parts, turns = list(split(qkv, 3, axis=-1)), ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3))
        for place, each in enumerate(parts):
            heads = reshape(each, [-1, each.shape[1], 2, depth // 2])
            parts[place] = transpose(heads, turns[place])
        scores = (parts[0] @ parts[1]) * (1.0 / (depth // 2) ** 0.5)
        scores = own.PairwisePlaces(
            hidden_dim=16, attn_height=height, attn_width=rows // height, name=name + "attn_pos"
        )(scores)
        scores = k.layers.Softmax(axis=-1, name=name + "attn_attention_scores")(scores)
        y = transpose(scores @ parts[2], [0, 2, 1, 3])
        made = k.layers.Dense(depth, use_bias=True, name=name + "attn_out")
        y = made(reshape(y, [-1, x.shape[1], depth]))
        x = k.layers.Add(name=name + "attn_out_output")([x, y])
        y = k.layers.Dense(2 * depth, name=name + "mlp_Dense_0")(norm(x, name + "mlp_"))
        y = k.layers.Activation("gelu", name=name + "mlp_gelu")(y)
        y = k.layers.Dense(depth, name=name + "mlp_Dense_1")(y)
        x = k.layers.Add(name=name + "mlp_output")([x, y])
        return _halves(k, x, before) if before else (None, x)

    def windows(x, depth):
        x = transpose(reshape(x, [-1, 2, 2, 2 * depth]), [0, 2, 1, 3])
        return reshape(x, [-1, 4, depth])

    start = k.layers.Input((32, 32, 3))
    x = batch(conv(start, 4, 2, "stem_1_"), "relu", "stem_1_", 1e-4)
    x = batch(conv(x, 4, 2, "stem_2_"), "relu", "stem_2_", 1e-4)
    name = "stack1_block1_"
    y = batch(conv(x, 4, 1, name + "1_", use_bias=True), "gelu", name + "1_")
    y = batch(conv(y, 4, 1, name + "2_", use_bias=True), None, name + "2_")
    x = k.layers.Add(name=name + "output")([x, y])
    x = conv(norm(x, "stack2_downsample_"), 8, 2, "stack2_downsample_")
    tokens = k.layers.DepthwiseConv2D(3, padding="same", name="stack2_token_dw_conv")(x)
    tokens = k.layers.AvgPool2D(pool_size=[1, 1], strides=[1, 1])(tokens)
    x, name = windows(x, 8), "stack2_block1_"
    given = {"hidden_dim": 16, "use_absolute_pos": True}
    tokens = own.PairwisePlaces(name=name + "hat_pos", **given)(tokens)
    _, tokens = attended(reshape(tokens, [-1, 16, 8]), None, 4, name + "hat_")
    tokens = windows(tokens, 8)
    x = own.PairwisePlaces(attn_height=2, name=name + "pre_attn_pos", **given)(x)
    _, x = attended(x, tokens, 2, name)
    x = transpose(reshape(x, [-1, 2, 2, 16]), [0, 2, 1, 3])
    x = batch(reshape(x, [-1, 4, 4, 8]), None, "pre_out_", 1e-4)
    made = k.layers.Dense(6, dtype="float32", activation="softmax", name="predictions")
    x = made(k.layers.GlobalAveragePooling2D(name="avg_pool")(x))
    return k.Model(start, x, name="fastervit")


def contrast_queries(_):
    """The encoder of pairs of photos as subclasses of Model, built by its shape."""
    import customs_14_more as own

    given = {"input_shape": [16, 16, 3], "dim": 5, "mlp": True, "w_decay": 0.0001}
    model = own.ContrastNet(given, name="encoder_q")
    model.build((None, *given["input_shape"]))
    return model


INPUTS_OF = {
    "wave_vessels": [np.abs(floats(2, 8, 8, 3))],
    "noisy_digits": [floats(2, 16, 16, 1)],
    "lesions": [np.abs(floats(2, 16, 16, 3))],
    "tiny_stages": [floats(2, 16, 16, 3)],
    "carrier_tokens": [floats(2, 32, 32, 3)],
    "contrast_queries": [np.abs(floats(2, 16, 16, 3))],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("wave_vessels", "lesions", "carrier_tokens", "contrast_queries")
