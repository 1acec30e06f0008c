"""Small builds of the models in Keras' guides and examples (keras.io), for `table.py`.

Layers, activations, losses, metrics and optimizers are those of the examples; sizes are smaller.
Each function takes the module of Keras.
"""

from __future__ import annotations

import numpy as np

EXAMPLES = {}


def _example(name, shape, loss, optimizer="adam", metrics=("accuracy",), dtype=None, base=""):
    """Register a function from layers and input to output as the model `name`.

    With `base`, the function gets the features of a frozen application.
    """

    def register(function):
        def make(keras):
            given = keras.Input(shape, dtype=dtype)
            x, kl = given, keras.layers
            if base:
                inner = getattr(keras.applications, base)(
                    include_top=False, weights=None, input_shape=shape
                )
                inner.trainable = False
                x = inner(kl.Rescaling(1 / 127.5, offset=-1)(x), training=False)
            out = function(kl, x)
            model = keras.Model(given, out)
            rng = np.random.default_rng(3)
            for weight in model.weights:
                value = np.asarray(weight)
                if value.dtype == np.float32:
                    noise = rng.normal(0, 0.3 * value.std() + 0.02, value.shape)
                    weight.assign(np.abs(value + noise) if value.min() >= 0.99 else value + noise)
            made = loss(keras.losses) if callable(loss) else loss
            model.compile(optimizer=optimizer, loss=made, metrics=[*metrics])
            return model

        EXAMPLES[name] = make
        return function

    return register


def _sparse(losses):
    return losses.SparseCategoricalCrossentropy(from_logits=True)


def _block(kl, x, units, heads=2, dense="relu", drop=0.1):
    """A block of a transformer: attention and two dense layers, each with a shortcut."""
    x = kl.LayerNormalization(epsilon=1e-6)(x + kl.MultiHeadAttention(heads, 8, dropout=drop)(x, x))
    y = kl.Dropout(drop)(kl.Dense(x.shape[-1])(kl.Dense(units, activation=dense)(x)))
    return kl.LayerNormalization(epsilon=1e-6)(x + y)


@_example("mnist_digits", (28, 28, 1), "categorical_crossentropy")
def _digits(kl, x):
    x = kl.MaxPooling2D(2)(kl.Conv2D(8, 3, activation="relu")(x))
    x = kl.MaxPooling2D(2)(kl.Conv2D(16, 3, activation="relu")(x))
    return kl.Dense(10, activation="softmax")(kl.Dropout(0.5)(kl.Flatten()(x)))


@_example("mlp_guide", (784,), _sparse, "rmsprop")
def _mlp(kl, x):
    return kl.Dense(10)(kl.Dense(64, activation="relu")(kl.Dense(64, activation="relu")(x)))


@_example("toy_resnet", (32, 32, 3), _sparse, "rmsprop", ("acc",))
def _resnet(kl, x):
    x = kl.MaxPooling2D(3)(kl.Conv2D(16, 3, activation="relu")(x))
    for _ in range(2):
        y = kl.Conv2D(16, 3, activation="relu", padding="same")(x)
        x = kl.add([kl.Conv2D(16, 3, activation="relu", padding="same")(y), x])
    x = kl.GlobalAveragePooling2D()(kl.Conv2D(16, 3, activation="relu")(x))
    return kl.Dense(10)(kl.Dropout(0.5)(kl.Dense(32, activation="relu")(x)))


@_example("imdb_bilstm", (None,), "binary_crossentropy", dtype="int32")
def _bilstm(kl, x):
    x = kl.Bidirectional(kl.LSTM(8, return_sequences=True))(kl.Embedding(200, 16)(x))
    return kl.Dense(1, activation="sigmoid")(kl.Bidirectional(kl.LSTM(8))(x))


@_example("text_from_scratch", (None,), "binary_crossentropy", dtype="int64")
def _text(kl, x):
    x = kl.Dropout(0.5)(kl.Embedding(200, 16)(x))
    x = kl.Conv1D(16, 7, padding="valid", activation="relu", strides=3)(x)
    x = kl.Conv1D(16, 7, padding="valid", activation="relu", strides=3)(x)
    x = kl.Dropout(0.5)(kl.Dense(16, activation="relu")(kl.GlobalMaxPooling1D()(x)))
    return kl.Dense(1, activation="sigmoid")(x)


@_example("text_transformer", (20,), "sparse_categorical_crossentropy", dtype="int32")
def _transformer(kl, x):
    x = _block(kl, kl.Embedding(200, 16)(x), 32)
    x = kl.Dropout(0.1)(kl.GlobalAveragePooling1D()(x))
    return kl.Dense(2, activation="softmax")(kl.Dropout(0.1)(kl.Dense(20, activation="relu")(x)))


@_example("cats_vs_dogs_xception", (48, 48, 3), lambda ls: ls.BinaryCrossentropy(from_logits=True))
def _xception(kl, x):
    x = kl.Conv2D(16, 3, strides=2, padding="same")(kl.Rescaling(1 / 255)(x))
    x = before = kl.Activation("relu")(kl.BatchNormalization()(x))
    for size in (16, 24):
        for _ in range(2):
            x = kl.SeparableConv2D(size, 3, padding="same")(kl.Activation("relu")(x))
            x = kl.BatchNormalization()(x)
        x = kl.MaxPooling2D(3, strides=2, padding="same")(x)
        x = before = kl.add([x, kl.Conv2D(size, 1, strides=2, padding="same")(before)])
    x = kl.SeparableConv2D(32, 3, padding="same")(x)
    x = kl.Activation("relu")(kl.BatchNormalization()(x))
    return kl.Dense(1)(kl.Dropout(0.25)(kl.GlobalAveragePooling2D()(x)))


@_example("vision_transformer", (16, 16, 3), _sparse)
def _vit(kl, x):
    x = kl.Reshape((16, 24))(kl.Conv2D(24, 4, strides=4)(x))
    x = kl.LayerNormalization(epsilon=1e-6)(_block(kl, x, 48, dense="gelu"))
    x = kl.Dropout(0.5)(kl.Flatten()(x))
    x = kl.Dropout(0.5)(kl.Dense(32, activation="gelu")(x))
    return kl.Dense(10)(x)


@_example("mlp_mixer", (16, 24), _sparse)
def _mixer(kl, x):
    y = kl.Permute((2, 1))(kl.LayerNormalization(epsilon=1e-6)(x))
    x = x + kl.Permute((2, 1))(kl.Dense(16)(kl.Dense(16, activation="gelu")(y)))
    y = kl.Dense(24)(kl.Dense(24, activation="gelu")(kl.LayerNormalization(epsilon=1e-6)(x)))
    return kl.Dense(10)(kl.Dropout(0.2)(kl.GlobalAveragePooling1D()(x + y)))


@_example("unet_pets", (32, 32, 3), "sparse_categorical_crossentropy", metrics=())
def _unet(kl, x):
    x = kl.Conv2D(8, 3, strides=2, padding="same")(x)
    x = before = kl.Activation("relu")(kl.BatchNormalization()(x))
    x = kl.SeparableConv2D(16, 3, padding="same")(kl.Activation("relu")(x))
    x = kl.MaxPooling2D(3, strides=2, padding="same")(kl.BatchNormalization()(x))
    x = before = kl.add([x, kl.Conv2D(16, 1, strides=2, padding="same")(before)])
    for size in (16, 8):
        x = kl.BatchNormalization()(
            kl.Conv2DTranspose(size, 3, padding="same")(kl.Activation("relu")(x))
        )
        x = kl.UpSampling2D(2)(x)
        before = kl.Conv2D(size, 1, padding="same")(kl.UpSampling2D(2)(before))
        x = before = kl.add([x, before])
    return kl.Conv2D(3, 3, activation="softmax", padding="same")(x)


@_example("conv_autoencoder", (28, 28, 1), "binary_crossentropy", metrics=())
def _autoencoder(kl, x):
    for _ in range(2):
        x = kl.MaxPooling2D(2, padding="same")(
            kl.Conv2D(8, 3, activation="relu", padding="same")(x)
        )
    for _ in range(2):
        x = kl.Conv2DTranspose(8, 3, strides=2, activation="relu", padding="same")(x)
    return kl.Conv2D(1, 3, activation="sigmoid", padding="same")(x)


@_example("dense_autoencoder", (784,), "binary_crossentropy", metrics=())
def _dense_autoencoder(kl, x):
    return kl.Dense(784, activation="sigmoid")(kl.Dense(32, activation="relu")(x))


@_example("super_resolution", (None, None, 1), "mse", metrics=())
def _superres(kl, x):
    for size in (16, 16, 8):
        x = kl.Conv2D(size, 3, activation="relu", kernel_initializer="orthogonal", padding="same")(
            x
        )
    return kl.Conv2D(9, 3, activation="relu", kernel_initializer="orthogonal", padding="same")(x)


@_example("timeseries_anomaly", (288, 1), "mse", metrics=())
def _anomaly(kl, x):
    x = kl.Conv1D(16, 7, padding="same", strides=2, activation="relu")(x)
    x = kl.Conv1D(8, 7, padding="same", strides=2, activation="relu")(kl.Dropout(0.2)(x))
    x = kl.Conv1DTranspose(8, 7, padding="same", strides=2, activation="relu")(x)
    x = kl.Conv1DTranspose(16, 7, padding="same", strides=2, activation="relu")(kl.Dropout(0.2)(x))
    return kl.Conv1DTranspose(1, 7, padding="same")(x)


@_example("timeseries_fcn", (50, 1), "sparse_categorical_crossentropy")
def _fcn(kl, x):
    for _ in range(3):
        x = kl.ReLU()(kl.BatchNormalization()(kl.Conv1D(16, 3, padding="same")(x)))
    return kl.Dense(2, activation="softmax")(kl.GlobalAveragePooling1D()(x))


@_example("weather_forecast", (12, 7), "mse", metrics=())
def _weather(kl, x):
    return kl.Dense(1)(kl.LSTM(32)(x))


@_example("addition_rnn", (7, 12), "categorical_crossentropy")
def _addition(kl, x):
    x = kl.LSTM(16, return_sequences=True)(kl.RepeatVector(4)(kl.LSTM(16)(x)))
    return kl.Dense(12, activation="softmax")(x)


@_example("lstm_characters", (40, 30), "categorical_crossentropy", "rmsprop", ())
def _characters(kl, x):
    return kl.Dense(30, activation="softmax")(kl.LSTM(16)(x))


@_example("next_frame", (None, 16, 16, 1), "binary_crossentropy", metrics=())
def _frames(kl, x):
    for size in (5, 3, 1):
        x = kl.ConvLSTM2D(8, size, padding="same", return_sequences=True, activation="relu")(x)
        x = kl.BatchNormalization()(x) if size > 1 else x
    return kl.Conv3D(1, 3, activation="sigmoid", padding="same")(x)


@_example("ct_scans", (32, 32, 16, 1), "binary_crossentropy", metrics=("acc",))
def _scans(kl, x):
    for size in (8, 16):
        x = kl.MaxPooling3D(2)(kl.Conv3D(size, 3, activation="relu")(x))
        x = kl.BatchNormalization()(x)
    x = kl.Dense(32, activation="relu")(kl.GlobalAveragePooling3D()(x))
    return kl.Dense(1, activation="sigmoid")(kl.Dropout(0.3)(x))


@_example("gan_discriminator", (28, 28, 1), "binary_crossentropy", metrics=())
def _discriminator(kl, x):
    for size in (16, 32):
        x = kl.LeakyReLU()(kl.Conv2D(size, 4, strides=2, padding="same")(x))
    return kl.Dense(1, activation="sigmoid")(kl.Dropout(0.2)(kl.Flatten()(x)))


@_example("gan_generator", (32,), "mse", metrics=())
def _generator(kl, x):
    x = kl.Reshape((7, 7, 8))(kl.Dense(7 * 7 * 8)(x))
    for size in (16, 32):
        x = kl.LeakyReLU()(kl.Conv2DTranspose(size, 4, strides=2, padding="same")(x))
    return kl.Conv2D(1, 5, padding="same", activation="sigmoid")(x)


@_example("bayesian_wine", (11,), "mse", "rmsprop", ())
def _wine(kl, x):
    for _ in range(2):
        x = kl.Dense(8, activation="sigmoid")(x)
    return kl.Dense(1)(x)


@_example("imbalanced_fraud", (29,), "binary_crossentropy")
def _fraud(kl, x):
    x = kl.Dense(32, activation="relu")(kl.Dense(32, activation="relu")(x))
    x = kl.Dropout(0.3)(kl.Dense(32, activation="relu")(kl.Dropout(0.3)(x)))
    return kl.Dense(1, activation="sigmoid")(x)


@_example("multi_label_papers", (100,), "binary_crossentropy", metrics=("binary_accuracy",))
def _papers(kl, x):
    x = kl.Dense(32, activation="relu")(kl.Dense(64, activation="relu")(x))
    return kl.Dense(12, activation="sigmoid")(x)


@_example("siamese_embedding", (32, 32, 1), "mse", "rmsprop", ())
def _siamese(kl, x):
    x = kl.AveragePooling2D(2)(kl.Conv2D(4, 5, activation="tanh")(kl.BatchNormalization()(x)))
    x = kl.AveragePooling2D(2)(kl.Conv2D(16, 5, activation="tanh")(x))
    return kl.Dense(10, activation="tanh")(kl.BatchNormalization()(kl.Flatten()(x)))


@_example(
    "transfer_mobilenet", (32, 32, 3), lambda ls: ls.BinaryCrossentropy(from_logits=True),
    metrics=("binary_accuracy",), base="MobileNetV2",
)  # fmt: skip
def _tuned(kl, x):
    return kl.Dense(1)(kl.Dropout(0.2)(kl.GlobalAveragePooling2D()(x)))
