"""Models of tables, sounds and flows drawn by lot from public code, for `images.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import adam, floats, integers, trained


def same_pad_along_axis(x, kernel_length=1, stride_length=1, axis=1):
    """Padding of one axis."""
    p = kernel_length - (x.shape[axis] % stride_length or stride_length)
    paddings = [(0, 0)] * len(x.shape)
    paddings[axis] = (p // 2, p - p // 2)
    return tf.pad(x, paddings)


def heard_places(k):
    """Where sounds are, by a list of dictionaries of layers; its outputs are a dictionary."""
    import customs_21_sounds as own

    layers = k.layers

    def padded_conv(filters, kernel_size, strides=(1, 1), **given):
        def layer(x):
            x = same_pad_along_axis(x, kernel_size[0], strides[0])
            return layers.Conv2D(filters, kernel_size, strides=strides, **given)(x)

        return layer

    def hanning_pooling(strides, pool_size, name):
        window = (1 - np.cos(2 * np.pi * np.arange(pool_size) / (pool_size - 1))) / 2
        window = np.outer(window, window)

        def layer_io_function(x):
            kernel = tf.constant(window[:, :, np.newaxis, np.newaxis], dtype=x.dtype)
            eye = tf.eye(num_rows=list(x.shape)[-1], batch_shape=[1, 1], dtype=x.dtype)
            return tf.nn.convolution(x, kernel * eye, strides=[strides] * 2, padding="SAME")

        return layers.Lambda(layer_io_function, name=name)

    def task_heads(n_classes_dict, name):
        def layer(x):
            return {
                key: layers.Dense(units=n_classes_dict[key], name=f"{name}_{key}")(x)
                for key in sorted(n_classes_dict)
            }

        return layer

    filters = {"cf_min": 0.5, "cf_max": 4.0, "linear_bw": 1.0}
    given = {"sr": 8, "n": 4, "cfs_range": [0.1, 4.0], "bws_range": [0.1, 4.0]}
    makes = {
        "roex": own.RoexFilterbank,
        "conv2d": padded_conv,
        "norm": layers.LayerNormalization,
        "relu": layers.ReLU,
        "noise": own.GaussianNoise,
        "expandlast": own.ExpandLastDimension,
        "flattenlast": own.FlattenLastDimension,
        "flatten": layers.Flatten,
        "hpool": hanning_pooling,
        "fc_top": task_heads,
    }
    tensor = inputs = k.Input((16, 2))
    roex = {"dc_ramp_cutoff": 0, "kwargs_initialize_filters": filters, "name": "roex"}
    for layer, args in (
        ("roex", {**given, **roex}),
        ("noise", {"regularization_layer": True, "stddev": 0.1, "name": "noise"}),
        ("conv2d", {"filters": 3, "kernel_size": (3, 3), "name": "block0_conv"}),
        ("relu", {"name": "block0_relu"}),
        ("hpool", {"strides": 2, "pool_size": 4, "name": "block0_hpool"}),
        ("norm", {"name": "block0_norm"}),
        ("flattenlast", {"keepdims": False}),
        ("expandlast", {"num_dims": 4}),
        ("flatten", {"name": "flatten"}),
        ("fc_top", {"n_classes_dict": {"azimuth": 3, "elevation": 2}, "name": "logits"}),
    ):
        tensor = makes[layer](**args)(tensor)
    return k.Model(inputs, tensor)


def union_flights(_):
    """Features of a table in a dictionary, and a recurrent cell."""
    import customs_21_sounds as own

    return own.UnionFeatureModel()


def darker_boxes(k):
    """Blocks of given arrays before blocks of weights."""
    import customs_21_sounds as own

    inputs = k.Input((8, 8, 3))

    def arrays(*shape):
        return [floats(*shape) * scale for scale in (0.5, -0.4)]

    def norms():
        mean, variance = arrays(3)
        return {"mean": mean, "variance": np.abs(variance) + 0.5}

    x = own.DarkConv(
        index=0,
        darknet=True,
        downsample=True,
        kernel_size=3,
        conv_weights=arrays(3, 3, 3, 3)[0],
        bn_weights=norms(),
    )(inputs)
    x = own.DarkResidual(1, arrays(3, 3, 3, 3), [norms(), norms()], 1)(x)
    shortcut, x = own.DarkInter(3, [(1, 4), (3, 5)], 1)(x)
    x = own.DarkConv(index=5, kernel_size=1, num_filters=6, do_lr=False)(x)
    return k.Model(inputs, [shortcut, x])


def lagged_heads(k):
    """A head for each series."""
    layers = k.layers
    input_layers, head_outputs = [], []
    for i in range(3):
        input_layer = layers.Input(shape=(4,), name=f"input_head_{i + 1}")
        input_layers.append(input_layer)
        head = layers.Dense(5, activation="relu", name=f"dense_head_{i + 1}")(input_layer)
        head_outputs.append(head)
    merged = layers.concatenate(head_outputs, name="merge_heads")
    x = layers.Dense(6, activation="relu", name="dense_combined")(merged)
    model = k.models.Model(inputs=input_layers, outputs=layers.Dense(1, name="output")(x))
    model.compile(optimizer="adam", loss="mse")
    return trained(model, INPUTS_OF["lagged_heads"], floats(2, 1))


def rated_movies(k):
    """Ratings by embeddings of users and movies."""
    layers = k.layers
    user_id_input = layers.Input(shape=[1], name="user")
    item_id_input = layers.Input(shape=[1], name="item")
    user = layers.Embedding(output_dim=4, input_dim=9 + 1, input_length=1, name="user_embedding")
    item = layers.Embedding(output_dim=4, input_dim=7 + 1, input_length=1, name="item_embedding")
    user_vecs = layers.Flatten()(user(user_id_input))
    item_vecs = layers.Flatten()(item(item_id_input))
    y = layers.dot([user_vecs, item_vecs], axes=1)
    x = layers.Dropout(0.5)(layers.concatenate([user_vecs, item_vecs]))
    x = layers.Dense(1)(layers.Dense(6, activation="relu")(x))
    model = k.models.Model(inputs=[user_id_input, item_id_input], outputs=[layers.add([x, y])])
    model.compile(optimizer="adam", loss="mae")
    return trained(model, INPUTS_OF["rated_movies"], floats(2, 1))


def added_flows(k):
    """An autoencoder of flows that adds two sizes."""
    layers = k.layers
    act = "tanh"
    inputs = layers.Input(shape=(20, 10, 1))
    e = layers.Conv2D(2, (5, 5), strides=2, activation=act, padding="same")(inputs)
    ed = layers.Conv2D(1, (1, 1), padding="same")(e)
    e = layers.Conv2D(3, (5, 5), strides=5, activation=act, padding="same")(e)
    code = layers.Dense(5, activation="linear")(layers.Flatten()(e))
    code1 = layers.Dense(5, activation="linear")(layers.Flatten()(ed))
    d = layers.Reshape((2, 1, 3))(layers.Dense(6, activation="linear")(code))
    d = layers.Conv2D(3, (1, 1), padding="same")(d)
    d = layers.Conv2DTranspose(2, (5, 5), strides=5, activation=act)(d)
    d1 = layers.Reshape((10, 5, 1))(layers.Dense(50, activation="linear")(code1))
    d = layers.Add()([layers.Conv2D(2, (1, 1), padding="same")(d1), d])
    d = layers.Conv2DTranspose(2, (5, 5), strides=2, activation=act, padding="same")(d)
    d = layers.Conv2DTranspose(1, (5, 5), activation="linear", padding="same")(d)
    model = k.models.Model(inputs, d)
    model.compile(optimizer="adam", loss="mse", metrics=["mse"])
    return trained(model, INPUTS_OF["added_flows"], floats(2, 20, 10, 1))


def coded_digits(k):
    """An autoencoder of models in a model, with Lambdas that hold a size and a loss of its own."""
    layers, backend = k.layers, k.backend

    def resize_images(inputs, dims_xy):
        x, y = dims_xy
        return layers.Lambda(lambda im: tf.image.resize(im, (y, x)))(inputs)

    def custom_loss(y_true, y_pred):
        return backend.mean(backend.square(y_true - y_pred))

    enc_in = layers.Input(shape=(12, 12, 1), name="enc_in")
    x = layers.LeakyReLU()(layers.Conv2D(4, (3, 3))(enc_in))
    x = layers.LeakyReLU()(layers.Conv2D(5, (3, 3))(layers.MaxPool2D()(x)))
    enc = k.models.Model(enc_in, layers.Dense(6, name="z")(layers.Flatten()(x)), name="encoder")
    dec_in = layers.Input(shape=(6,), name="dec_in")
    x = layers.Reshape((6, 6, 2))(layers.LeakyReLU()(layers.Dense(6 * 6 * 2)(dec_in)))
    x = layers.LeakyReLU()(layers.Conv2D(4, (3, 3))(x))
    x = layers.UpSampling2D()(resize_images(x, (6, 6)))
    x = layers.LeakyReLU()(layers.Conv2D(3, (3, 3))(x))
    x = layers.Conv2D(1, (3, 3), activation="linear")(x)
    dec = k.models.Model(dec_in, resize_images(x, (12, 12)), name="decoder")
    model = k.models.Model(enc_in, dec(enc(enc_in)), name="ae")
    model.compile(optimizer=adam(k, 1e-4), loss=custom_loss)
    return trained(model, INPUTS_OF["coded_digits"], floats(2, 12, 12, 1))


INPUTS_OF = {
    "heard_places": [floats(2, 16, 2)],
    "union_flights": [floats(2, 1), floats(2, 1) * 3, integers(4, 2, 1)],
    "darker_boxes": [floats(2, 8, 8, 3)],
    "lagged_heads": [floats(2, 4) * scale for scale in (1.0, 0.5, -0.7)],
    "rated_movies": [integers(9, 2, 1), integers(7, 3, 1)[:2]],
    "added_flows": [floats(2, 20, 10, 1)],
    "coded_digits": [floats(2, 12, 12, 1)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("heard_places", "union_flights", "darker_boxes")
LAMBDAS = ("heard_places", "coded_digits")
INPUTS = {
    "union_flights": ["delay", "weather", "carrier"],
    "lagged_heads": ["input_head_1", "input_head_2", "input_head_3"],
    "rated_movies": ["user", "item"],
}
DICTIONARIES = ("union_flights",)
