"""Models as tutorials and course work write them, for `matrix.py`: a fifth list."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, integers, trained, words


def lenet(k):
    """Tanh and average pooling, momentum after Nesterov, class numbers."""
    model = k.Sequential(name="lenet_5")
    model.add(k.layers.Conv2D(6, (5, 5), activation="tanh", input_shape=(16, 16, 1)))
    model.add(k.layers.AveragePooling2D())
    model.add(k.layers.Conv2D(8, (3, 3), activation="tanh"))
    model.add(k.layers.AveragePooling2D(pool_size=(2, 2), strides=(2, 2)))
    model.add(k.layers.Flatten())
    model.add(k.layers.Dense(10, activation=k.activations.tanh))
    model.add(k.layers.Dense(4, activation="softmax"))
    model.compile(
        k.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["lenet"], integers(4, 2, 1))


def small_vgg(k):
    """Blocks of convolutions with names, batch normalization and rising dropout."""
    model = k.Sequential([k.layers.Input(shape=(16, 16, 3))])
    for block, width in enumerate((4, 8)):
        for place in range(2):
            name = f"block{block + 1}_conv{place + 1}"
            model.add(k.layers.Conv2D(width, 3, padding="same", name=name))
            model.add(k.layers.BatchNormalization(axis=-1))
            model.add(k.layers.Activation("relu"))
        model.add(k.layers.MaxPooling2D((2, 2)))
        model.add(k.layers.SpatialDropout2D(0.1 * (block + 1)))
    model.add(k.layers.Flatten())
    model.add(k.layers.Dense(5, kernel_initializer="he_uniform", use_bias=False))
    model.add(k.layers.BatchNormalization(center=False))
    model.add(k.layers.Dense(3, activation="softmax", name="predictions"))
    model.compile(
        k.optimizers.RMSprop(1e-3), loss="categorical_crossentropy", metrics=["AUC", "Precision"]
    )
    return model


def frozen_mobilenet(k):
    """A frozen MobileNet inside a Functional model, called with training=False."""
    base = k.applications.MobileNet(
        input_shape=(32, 32, 3), alpha=0.25, include_top=False, weights=None
    )
    base.trainable = False
    start = k.layers.Input((32, 32, 3), name="photo")
    value = k.layers.Rescaling(1 / 127.5, offset=-1.0)(start)
    value = k.layers.GlobalAveragePooling2D()(base(value, training=False))
    value = k.layers.Dropout(0.2)(value)
    model = k.Model(start, k.layers.Dense(1)(value))
    model.compile(
        k.optimizers.Adam(1e-4),
        loss=k.losses.BinaryCrossentropy(from_logits=True),
        metrics=[k.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")],
    )
    return trained(model, INPUTS_OF["frozen_mobilenet"], np.ones((2, 1), "float32"))


def squeezed(k):
    """Squeeze and excitation in an inverted bottleneck, with random depth left out."""
    start = k.layers.Input((8, 8, 4))
    value = k.layers.Conv2D(8, 1, use_bias=False)(start)
    value = k.layers.BatchNormalization(epsilon=0.001, momentum=0.99)(value)
    value = k.layers.Activation("swish")(value)
    value = k.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(value)
    share = k.layers.GlobalAveragePooling2D(keepdims=True)(value)
    share = k.layers.Conv2D(2, 1, activation="swish")(share)
    share = k.layers.Conv2D(8, 1, activation="hard_sigmoid")(share)
    value = k.layers.Conv2D(4, 1)(k.layers.Multiply()([value, share]))
    value = k.layers.Dropout(0.2, noise_shape=(None, 1, 1, 1))(value)
    value = k.layers.GlobalMaxPooling2D()(k.layers.Add()([value, start]))
    return k.Model(start, k.layers.Dense(2, activation="log_softmax")(value))


def characters(k):
    """A stateful character model that always gets two rows, with sequences of any length."""
    model = k.Sequential()
    kwargs = {"batch_input_shape": (2, None)} if not _keras3(k) else {}
    if _keras3(k):
        model.add(k.layers.Input(batch_shape=(2, None), dtype="int32"))
    model.add(k.layers.Embedding(20, 6, **kwargs))
    model.add(
        k.layers.GRU(
            8, return_sequences=True, stateful=True, recurrent_initializer="glorot_uniform"
        )
    )
    model.add(k.layers.Dense(20))
    return model


def counting(k):
    """Addition of numbers as text: an encoder, a repeated vector, a decoder over time."""
    model = k.Sequential()
    model.add(k.layers.LSTM(6, input_shape=(5, 4)))
    model.add(k.layers.RepeatVector(3))
    model.add(k.layers.LSTM(6, return_sequences=True, unit_forget_bias=False, implementation=1))
    model.add(k.layers.TimeDistributed(k.layers.Dense(4, activation="softmax")))
    model.compile("adam", loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def denoising(k):
    """An autoencoder with bilinear upsampling, cropping and one-sided padding."""
    start = k.layers.Input((9, 9, 1), name="noisy")
    value = k.layers.GaussianNoise(0.1)(start)
    value = k.layers.ZeroPadding2D(padding=((0, 1), (0, 1)))(value)
    value = k.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(value)
    value = k.layers.UpSampling2D(2, interpolation="bilinear")(value)
    value = k.layers.Conv2DTranspose(2, 3, padding="same", activation="elu")(value)
    value = k.layers.Cropping2D(cropping=((0, 1), (1, 0)))(value)
    model = k.Model(start, k.layers.Conv2D(1, 1, activation="sigmoid", name="clean")(value))
    model.compile("adadelta", loss="binary_crossentropy")
    return trained(model, INPUTS_OF["denoising"], np.ones((2, 9, 9, 1), "float32"))


def gated_unet(k):
    """A gate of attention on the way across a U-Net."""
    start = k.layers.Input((8, 8, 3))
    high = k.layers.Conv2D(4, 3, padding="same", activation="relu")(start)
    low = k.layers.Conv2D(8, 3, padding="same", activation="relu")(k.layers.MaxPooling2D()(high))
    gate = k.layers.Conv2D(4, 1, strides=2)(high)
    gate = k.layers.Activation("relu")(k.layers.Add()([gate, k.layers.Conv2D(4, 1)(low)]))
    gate = k.layers.UpSampling2D()(k.layers.Conv2D(1, 1, activation="sigmoid")(gate))
    up = k.layers.Conv2DTranspose(4, 2, strides=2, padding="same")(low)
    value = k.layers.concatenate([up, k.layers.multiply([high, gate])], axis=3)
    return k.Model(start, k.layers.Conv2D(2, 1, activation="softmax")(value))


def rectifiers(k):
    """Activations as layers, with their arguments by position where that is possible."""
    start = k.layers.Input((6, 6, 2))
    value = k.layers.Conv2D(4, 3)(start)
    value = k.layers.PReLU(shared_axes=[1, 2])(value)
    value = k.layers.LeakyReLU(0.3)(k.layers.Conv2D(4, 1)(value))
    value = k.layers.ELU(0.7)(k.layers.Conv2D(4, 1)(value))
    value = k.layers.ReLU(6.0)(k.layers.Flatten()(value))
    value = k.layers.Dense(4, activation=k.layers.LeakyReLU(0.1))(value)
    return k.Model(start, k.layers.Dense(2, activation=k.activations.softplus)(value))


def self_normalizing(k):
    """SELU with alpha dropout, and an L2 penalty by name."""
    model = k.Sequential([k.layers.Dense(6, input_dim=5, activation="selu")])
    model.add(k.layers.AlphaDropout(0.1))
    model.add(
        k.layers.Dense(
            4,
            activation="selu",
            kernel_initializer="lecun_normal",
            kernel_regularizer="l2",
        )
    )
    model.add(k.layers.Dense(1, activation="linear"))
    model.compile("nadam", loss="mae", metrics=["mse"])
    return trained(model, INPUTS_OF["self_normalizing"], floats(3, 1))


def hashed_columns(k):
    """Hashed words, binned numbers and encoded categories side by side."""
    word = k.layers.Input((1,), dtype="string", name="word")
    age = k.layers.Input((1,), name="age")
    place = k.layers.Input((1,), dtype="int32", name="place")
    hashed = k.layers.Embedding(8, 3)(k.layers.Hashing(num_bins=8)(word))
    bins = k.layers.Discretization(bin_boundaries=[0.0, 0.4])(age)
    bins = k.layers.CategoryEncoding(num_tokens=3, output_mode="one_hot")(bins)
    places = k.layers.CategoryEncoding(num_tokens=6, output_mode="multi_hot")(place)
    value = k.layers.Concatenate()([k.layers.Flatten()(hashed), bins, places, age])
    return k.Model([word, age, place], k.layers.Dense(2, activation="softmax")(value))


def pairs_of_words(k):
    """Counts of words and pairs of words, then a linear model."""
    texts = np.array(["red green blue", "green red", "blue blue red"], dtype=object)
    vectorize = k.layers.TextVectorization(max_tokens=12, ngrams=2, output_mode="multi_hot")
    vectorize.adapt(texts)
    start = k.layers.Input((1,), dtype="string", name="text")
    return k.Model(start, k.layers.Dense(1, activation="sigmoid")(vectorize(start)))


def named_tasks(k):
    """A shared body, three heads in a dictionary, weighted losses and metrics by name."""
    start = k.layers.Input((10,), name="features")
    body = k.layers.Dense(6, activation="relu", name="body")(start)
    heads = {
        "age": k.layers.Dense(1, activation="relu", name="age")(body),
        "sex": k.layers.Dense(1, activation="sigmoid", name="sex")(body),
        "mood": k.layers.Dense(3, activation="softmax", name="mood")(body),
    }
    model = k.Model(start, heads)
    model.compile(
        "adam",
        loss={"age": "mse", "sex": "binary_crossentropy", "mood": "categorical_crossentropy"},
        loss_weights={"age": 0.1, "sex": 1.0, "mood": 2.0},
        metrics={"age": ["mae"], "sex": ["accuracy"]},
    )
    return model


def weighted_time(k):
    """Attention written by hand: scores, a softmax over time, a weighted sum by a product."""
    start = k.layers.Input((6, 3), name="series")
    states = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True), name="both")(start)
    scores = k.layers.Flatten()(k.layers.Dense(1, activation="tanh")(states))
    scores = k.layers.Activation("softmax", name="attention")(scores)
    scores = k.layers.Permute([2, 1])(k.layers.RepeatVector(8)(scores))
    value = k.layers.Multiply()([states, scores])
    value = k.layers.GlobalAveragePooling1D()(value)
    return k.Model(start, k.layers.Dense(2, activation="softmax")(value))


def old_gates(k):
    """Gates of the first Keras: hard sigmoids, a GRU that resets before, dropout between steps."""
    start = k.layers.Input((5, 3))
    value = k.layers.GRU(4, reset_after=False, return_sequences=True)(start)
    value = k.layers.LSTM(
        4, recurrent_activation="hard_sigmoid", recurrent_dropout=0.2, return_sequences=True
    )(value)
    value = k.layers.SimpleRNN(3, go_backwards=True, activation="relu")(value)
    return k.Model(start, k.layers.Dense(1)(value))


def patches(k):
    """A small vision transformer: patches by a convolution, two blocks, an average."""
    start = k.layers.Input((8, 8, 3), name="image")
    value = k.layers.Conv2D(6, 4, strides=4, padding="valid", name="patch_embedding")(start)
    value = k.layers.Reshape((-1, 6))(value)
    for _ in range(2):
        inner = k.layers.LayerNormalization(epsilon=1e-6)(value)
        inner = k.layers.MultiHeadAttention(2, key_dim=3, dropout=0.1)(inner, inner)
        value = k.layers.Add()([value, inner])
        inner = k.layers.LayerNormalization(epsilon=1e-6)(value)
        inner = k.layers.Dense(12, activation="gelu")(inner)
        value = k.layers.Add()([value, k.layers.Dense(6)(inner)])
    value = k.layers.GlobalAveragePooling1D()(k.layers.LayerNormalization()(value))
    return k.Model(start, k.layers.Dense(4, activation="softmax")(value))


def prepared_photos(k):
    """Resizing, cropping and random changes in front of a small network."""
    front = k.Sequential(
        [
            k.layers.Resizing(10, 10, interpolation="nearest"),
            k.layers.CenterCrop(8, 8),
            k.layers.RandomFlip("horizontal_and_vertical"),
            k.layers.RandomContrast(0.2),
            k.layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
        ],
        name="prepare",
    )
    start = k.layers.Input((12, 12, 3))
    value = k.layers.Conv2D(3, 3, activation="relu")(k.layers.Rescaling(1 / 255)(front(start)))
    return k.Model(start, k.layers.Dense(2)(k.layers.GlobalMaxPooling2D()(value)))


def deep_and_wide(k):
    """Depth multipliers, dilation and asymmetric kernels."""
    start = k.layers.Input((10, 12, 2))
    value = k.layers.DepthwiseConv2D((3, 1), depth_multiplier=2, padding="same")(start)
    value = k.layers.SeparableConv2D(4, 3, depth_multiplier=2, activation="relu6")(value)
    value = k.layers.Conv2D(3, (1, 5), dilation_rate=(1, 2), use_bias=False)(value)
    value = k.layers.MaxPooling2D((2, 1), strides=1, padding="same")(value)
    return k.Model(start, k.layers.GlobalAveragePooling2D()(value))


def given_statistics(k):
    """Normalization with statistics in the config, and the same layers used twice."""
    start = k.layers.Input((4,), name="numbers")
    value = k.layers.Normalization(axis=None, mean=0.2, variance=2.0)(start)
    shared = k.layers.Dense(4, activation="relu", name="shared")
    value = k.layers.Average()([shared(value), shared(shared(value))])
    value = k.layers.Subtract()([value, k.layers.Maximum()([value, start])])
    return k.Model(start, k.layers.Dense(2, bias_initializer="ones")(value))


def double_precision(k):
    """All of a model in float64."""
    start = k.layers.Input((4,), dtype="float64", name="numbers")
    value = k.layers.Dense(5, dtype="float64", activation="sigmoid")(start)
    model = k.Model(start, k.layers.Dense(1, dtype="float64")(value))
    model.compile(k.optimizers.Adagrad(0.05), loss="mean_squared_logarithmic_error")
    return model


def _keras3(k):
    return str(getattr(k, "__version__", "2")).startswith("3")


INPUTS_OF = {
    "lenet": [floats(2, 16, 16, 1)],
    "small_vgg": [floats(2, 16, 16, 3)],
    "frozen_mobilenet": [floats(2, 32, 32, 3) * 127 + 127],
    "squeezed": [floats(2, 8, 8, 4)],
    "characters": [integers(20, 2, 6)],
    "counting": [floats(2, 5, 4)],
    "denoising": [floats(2, 9, 9, 1)],
    "gated_unet": [floats(2, 8, 8, 3)],
    "rectifiers": [floats(2, 6, 6, 2)],
    "self_normalizing": [floats(3, 5)],
    "hashed_columns": [words("red", "gray", "blue"), floats(3, 1), integers(6, 3, 1)],
    "pairs_of_words": [words("red green", "blue", "gray red")],
    "named_tasks": [floats(3, 10)],
    "weighted_time": [floats(2, 6, 3)],
    "old_gates": [floats(2, 5, 3)],
    "patches": [floats(2, 8, 8, 3)],
    "prepared_photos": [floats(2, 12, 12, 3) * 127 + 127],
    "deep_and_wide": [floats(2, 10, 12, 2)],
    "given_statistics": [floats(3, 4)],
    "double_precision": [floats(3, 4).astype("float64")],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
INPUTS = {"hashed_columns": ["word", "age", "place"]}
