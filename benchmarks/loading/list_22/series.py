"""Models of series drawn by lot from public code, for `images.py`."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import adam, floats, trained


def skipped_series(k):
    """Recurrent layers over every few steps, and the last steps of each series."""
    import customs_22 as own

    layers = k.layers
    window, m, kernel, skip, highway = 8, 3, 3, 4, 4
    X = layers.Input(shape=(window, m))
    C = layers.Reshape((window, m, 1))(X)
    C = layers.Conv2D(filters=4, kernel_size=(kernel, m), kernel_initializer="VarianceScaling")(C)
    C = layers.Dropout(0.2)(C)
    c_shape = k.backend.int_shape(C)
    C = layers.Reshape((c_shape[1], c_shape[3]))(C)
    given = {"activation": "relu", "return_sequences": False, "return_state": True}
    _, R = layers.GRU(4, **given)(C)
    R = layers.Dropout(0.2)(R)
    pt = int(window / skip)
    S = own.PreSkipTrans(pt, int((window - kernel + 1) / pt))(C)
    _, S = layers.GRU(3, **given)(S)
    S = own.PostSkipTrans(int((window - kernel + 1) / pt))([S, X])
    R = layers.Concatenate(axis=1)([R, S])
    Y = layers.Dense(m)(layers.Flatten()(R))
    Z = layers.Flatten()(own.PreARTrans(highway)(X))
    Z = own.PostARTrans(m)([layers.Dense(1)(Z), X])
    model = k.models.Model(inputs=X, outputs=layers.Add()([Y, Z]))
    model.compile(loss="mae", optimizer=adam(k, 1e-3), metrics=["mae"])
    return trained(model, INPUTS_OF["skipped_series"], floats(2, 3))


class _Highway:
    """A builder whose Lambdas read its attributes."""

    def __init__(self, k):
        self.k = k.backend
        self.P, self.m = 6, 3
        self.hw = 4
        self.task_layer = k.layers.Dense(1, activation="linear")

    def make_model(self, k, own):
        layers = k.layers
        x = layers.Input(shape=(self.P, self.m))
        c = layers.Conv1D(4, 3, activation="relu", padding="same")(x)
        c = layers.Dropout(0.2)(c)
        r = layers.GRU(5, return_sequences=True)(c)
        r = own.TimedAttention(step_dim=self.P, attention_dropout_rate=0.5)(r)
        res = layers.Dense(self.m)(r)
        z = layers.Lambda(lambda t: t[:, -self.hw :, :])(x)
        z = layers.Lambda(lambda t: self.k.permute_dimensions(t, (0, 2, 1)))(z)
        z = layers.Lambda(lambda t: self.k.reshape(t, (-1, self.hw)))(z)
        z = layers.Dense(1)(z)
        z = layers.Lambda(lambda t: self.k.reshape(t, (-1, self.m)))(z)
        res = layers.add([res, z])
        res = layers.Activation("tanh")(res)
        return k.models.Model(inputs=x, outputs=self.task_layer(res))


def highway_series(k):
    """Attention over steps, and a highway of Lambdas that read a builder."""
    import customs_22 as own

    return _Highway(k).make_model(k, own)


def dilated_series(k):
    """Blocks of dilated convolutions, with a metric that is a function in a function."""
    import customs_22_tcn as own

    layers, backend = k.layers, k.backend

    def accuracy(y_true, y_pred):
        if backend.ndim(y_true) == backend.ndim(y_pred):
            y_true = backend.squeeze(y_true, -1)
        y_pred_labels = backend.argmax(y_pred, axis=-1)
        y_pred_labels = backend.cast(y_pred_labels, backend.floatx())
        y_true = backend.cast(y_true, backend.floatx())
        return backend.cast(backend.equal(y_true, y_pred_labels), backend.floatx())

    input_layer = layers.Input(shape=(8, 2))
    x = own.TCN(
        4, 2, 1, [1, 2], "causal", True, 0.05, False, "relu", "he_normal", True, False, name="tcn"
    )(input_layer)
    x = layers.Dense(3)(x)
    model = k.models.Model(input_layer, layers.Activation("softmax")(x))
    model.compile(
        adam(k, 0.002, clipnorm=1.0), loss="sparse_categorical_crossentropy", metrics=[accuracy]
    )
    return trained(model, INPUTS_OF["dilated_series"], np.array([[1], [2]]))


def radial_flowers(k):
    """Radial functions first, in a Sequential."""
    import customs_22_tcn as own

    layers = k.layers
    model = k.models.Sequential(
        [
            own.RadialLayer(units=6, gamma=0.3, input_shape=(4,)),
            layers.Dense(5, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["radial_flowers"], np.eye(3, dtype="float32")[:2])


INPUTS_OF = {
    "skipped_series": [floats(2, 8, 3)],
    "highway_series": [floats(2, 6, 3)],
    "dilated_series": [floats(2, 8, 2)],
    "radial_flowers": [floats(2, 4)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = tuple(INPUTS_OF)
LAMBDAS = ("highway_series",)
