"""Models in the style of books, guides and public repositories, for `matrix.py`: a fourth
list, of ordinary and odd code."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, integers, trained, words
from benchmarks.loading.list_04 import subclassed


def multi_head(k):
    """A trunk with outputs in a dictionary, and losses and weights for each."""
    start = k.Input(shape=(8, 8, 1), name="face")
    x = k.layers.Conv2D(4, 3, activation="relu", padding="same", name="conv")(start)
    x = k.layers.MaxPool2D()(x)
    x = k.layers.Flatten(name="flat")(x)
    x = k.layers.Dense(6, activation="relu", name="trunk")(x)
    age = k.layers.Dense(1, name="age")(x)
    group = k.layers.Dense(3, activation="softmax", name="group")(x)
    model = k.Model(inputs=start, outputs={"age": age, "group": group})
    model.compile(
        optimizer=k.optimizers.Adam(learning_rate=0.002),
        loss={"age": "mse", "group": "sparse_categorical_crossentropy"},
        loss_weights={"age": 0.5, "group": 1.0},
    )
    truth = {"age": np.ones((2, 1), "float32"), "group": np.array([0, 2])}
    model.fit(INPUTS_OF["multi_head"][0], truth, verbose=0)
    return model


def dict_inputs(k):
    """Inputs in a dictionary."""
    inputs = {
        "height": k.Input((1,), name="height"),
        "color": k.Input((3,), name="color"),
        "place": k.Input((1,), dtype="int32", name="place"),
    }
    place = k.layers.Reshape((4,))(k.layers.Embedding(6, 4)(inputs["place"]))
    x = k.layers.concatenate([inputs["height"], inputs["color"], place])
    x = k.layers.Dense(8, activation="relu")(x)
    x = k.layers.Dropout(0.5)(x)
    return k.Model(inputs, k.layers.Dense(1, activation="sigmoid", name="prediction")(x))


def lambda_functions(k):
    """Lambdas with a closure over nothing, keyword arguments, and a Python function."""
    start = k.Input((6,), name="numbers")
    x = k.layers.Lambda(lambda t: t * 2.0 + 1.0, output_shape=(6,), name="affine")(start)
    x = k.layers.Dense(6, activation="tanh")(x)
    x = k.layers.Lambda(scaled_by, arguments={"factor": 0.25}, output_shape=(6,))(x)
    return k.Model(start, k.layers.Dense(2)(x))


def scaled_by(value, factor=1.0):
    """Used in a Lambda."""
    return value * factor


def tied_autoencoder(k):
    """Encoder and decoder as models of their own, joined in a third."""
    image = k.Input((8, 8, 1), name="image")
    x = k.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(image)
    encoder = k.Model(image, k.layers.Dense(5, name="code")(k.layers.Flatten()(x)), name="encoder")
    code = k.Input((5,), name="latent")
    x = k.layers.Dense(4 * 4 * 2, activation="relu")(code)
    x = k.layers.Reshape((4, 4, 2))(x)
    x = k.layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid")(x)
    decoder = k.Model(code, x, name="decoder")
    model = k.Model(image, decoder(encoder(image)), name="autoencoder")
    model.compile("adam", "binary_crossentropy")
    return trained(model, INPUTS_OF["tied_autoencoder"], np.ones((2, 8, 8, 1), "float32"))


def masked_attention(k):
    """Masked series through two recurrent layers into a pooling layer of the user's own."""
    import customs_04 as customs

    start = k.Input((None, 3), name="series")
    x = k.layers.Masking(mask_value=0.0)(start)
    x = k.layers.GRU(4, return_sequences=True)(x)
    x = k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True), name="both")(x)
    return k.Model(start, k.layers.Dense(2)(customs.AttentionPooling(5)(x)))


def positional_transformer(k):
    """Sines as positions, attention with a causal mask, and a feed-forward network."""
    import customs_04 as customs

    start = k.Input((6,), dtype="int64", name="ids")
    x = k.layers.Embedding(20, 8)(start)
    x = customs.SinePositions(6, 8, name="positions")(x)
    seen = k.layers.MultiHeadAttention(num_heads=2, key_dim=4, name="attention")(x, x)
    x = k.layers.LayerNormalization(epsilon=1e-5)(x + seen)
    inner = k.Sequential(
        [k.layers.Dense(16, activation="gelu"), k.layers.Dense(8)], name="feed_forward"
    )
    x = k.layers.LayerNormalization(epsilon=1e-5)(x + inner(x))
    return k.Model(start, k.layers.Dense(20, name="logits")(x))


def review_text(k):
    """Strings to a score in one Sequential model."""
    vectorize = k.layers.TextVectorization(max_tokens=20, output_sequence_length=5)
    vectorize.adapt(np.array(["a good film", "a bad film", "not good at all"]))
    model = k.Sequential(
        [
            k.Input(shape=(1,), dtype="string"),
            vectorize,
            k.layers.Embedding(20, 6, mask_zero=True),
            k.layers.Bidirectional(k.layers.LSTM(4)),
            k.layers.Dense(4, activation="relu"),
            k.layers.Dense(1),
        ]
    )
    model.compile(loss=k.losses.BinaryCrossentropy(from_logits=True), optimizer="adam")
    return model


def mixed_columns(k):
    """Columns as in the guide on structured data."""
    number = k.Input((1,), name="age")
    kind = k.Input((1,), dtype="string", name="kind")
    level = k.Input((1,), dtype="int64", name="level")
    scaled = k.layers.Normalization(axis=None)
    scaled.adapt(np.arange(20, dtype="float32").reshape(20, 1))
    kinds = k.layers.StringLookup(output_mode="multi_hot")
    kinds.adapt(np.array([["dog"], ["cat"], ["dog"]]))
    levels = k.layers.IntegerLookup(max_tokens=5)
    levels.adapt(np.array([[1], [2], [2], [7]]))
    encode = k.layers.CategoryEncoding(num_tokens=5, output_mode="multi_hot")
    hashed = k.layers.Hashing(num_bins=3, salt=7)(kind)
    bins = k.layers.Discretization(bin_boundaries=[5.0, 10.0])(number)
    x = k.layers.concatenate(
        [
            scaled(number),
            kinds(kind),
            encode(levels(level)),
            k.layers.Flatten()(k.layers.Embedding(3, 2)(hashed)),
            k.layers.Flatten()(k.layers.Embedding(3, 2)(bins)),
        ]
    )
    x = k.layers.Dense(8, activation="relu")(x)
    return k.Model([number, kind, level], k.layers.Dense(1, activation="sigmoid")(x))


def deep_state(k):
    """Stateful stacked cells with dropout, in a Sequential model."""
    cells = [k.layers.LSTMCell(4, dropout=0.1, recurrent_dropout=0.1), k.layers.GRUCell(3)]
    model = k.Sequential()
    model.add(k.Input(batch_shape=(3, 4, 2)))
    model.add(k.layers.RNN(cells, stateful=True, return_sequences=True))
    model.add(k.layers.SimpleRNN(3, stateful=True))
    model.add(k.layers.Dense(1))
    return model


def mixed_block(k):
    """A block of the user's own under mixed precision, with the softmax in float32."""
    import customs_04 as customs

    k.mixed_precision.set_global_policy("mixed_float16")
    try:
        start = k.Input((8, 8, 3), name="image")
        x = k.layers.Rescaling(1.0 / 255)(start)
        x = customs.ConvBlock(4)(x)
        x = customs.ConvBlock(6, pool=False)(x)
        x = k.layers.GlobalAveragePooling2D()(x)
        return k.Model(start, k.layers.Dense(3, activation="softmax", dtype="float32")(x))
    finally:
        k.mixed_precision.set_global_policy("float32")


def tensor_functions(k):
    """Functions on symbolic tensors: TensorFlow's in Keras 2, `keras.ops` in Keras 3."""
    three = hasattr(k, "ops")
    start = k.Input((4, 3), name="series")
    other = k.Input((3,), name="query")
    x = k.layers.Dense(3)(start)
    if three:
        scores = k.ops.sum(x * k.ops.expand_dims(other, 1), axis=-1)
        weights = k.ops.softmax(scores / 3.0**0.5)
        value = k.ops.squeeze(k.ops.matmul(k.ops.expand_dims(weights, 1), start), axis=1)
        value = k.ops.concatenate([value, k.ops.mean(start, axis=1)], axis=-1)
        value = k.ops.where(value > 0.0, value, 0.1 * value)
    else:
        scores = tf.reduce_sum(x * tf.expand_dims(other, 1), axis=-1)
        weights = tf.nn.softmax(scores / 3.0**0.5)
        value = tf.squeeze(tf.matmul(tf.expand_dims(weights, 1), start), axis=1)
        value = tf.concat([value, tf.reduce_mean(start, axis=1)], axis=-1)
        value = tf.where(value > 0.0, value, 0.1 * value)
    return k.Model([start, other], k.layers.Dense(2)(value))


def dense_blocks(k):
    """A small DenseNet with squeeze and excitation."""
    start = x = k.Input((16, 16, 3), name="input_image")
    x = k.layers.Conv2D(4, (3, 3), padding="same", use_bias=False, name="stem")(x)
    for block in range(2):
        for unit in range(2):
            name = f"b{block}u{unit}"
            y = k.layers.BatchNormalization(axis=3, epsilon=1.001e-5, name=name + "_bn")(x)
            y = k.layers.Activation("relu", name=name + "_relu")(y)
            y = k.layers.Conv2D(3, 3, padding="same", use_bias=False, name=name + "_conv")(y)
            x = k.layers.Concatenate(axis=3, name=name + "_concat")([x, y])
        gate = k.layers.GlobalAveragePooling2D(name=f"b{block}_pool")(x)
        gate = k.layers.Dense(2, activation="relu", name=f"b{block}_squeeze")(gate)
        gate = k.layers.Dense(x.shape[-1], activation="sigmoid", name=f"b{block}_excite")(gate)
        gate = k.layers.Reshape((1, 1, x.shape[-1]), name=f"b{block}_gate")(gate)
        x = k.layers.multiply([x, gate])
        x = k.layers.AveragePooling2D(2, strides=2, name=f"b{block}_down")(x)
    x = k.layers.GlobalAveragePooling2D()(x)
    model = k.Model(start, k.layers.Dense(10, activation="softmax", name="probs")(x))
    rate = k.optimizers.schedules.PiecewiseConstantDecay([10, 20], [0.1, 0.01, 0.001])
    model.compile(k.optimizers.SGD(rate, momentum=0.9), "categorical_crossentropy", ["accuracy"])
    return model


def wavenet(k):
    """Dilated causal convolutions with gates and skips."""
    start = k.Input((16, 1), name="wave")
    x, skips = k.layers.Conv1D(4, 1)(start), []
    for rate in (1, 2, 4):
        gate = k.layers.Conv1D(4, 2, dilation_rate=rate, padding="causal", activation="sigmoid")(x)
        wave = k.layers.Conv1D(4, 2, dilation_rate=rate, padding="causal", activation="tanh")(x)
        z = k.layers.Conv1D(4, 1)(k.layers.Multiply()([wave, gate]))
        x = k.layers.Add()([x, z])
        skips.append(z)
    x = k.layers.Activation("relu")(k.layers.Add()(skips))
    return k.Model(start, k.layers.Conv1D(8, 1, activation="softmax")(x))


def text_cnn(k):
    """Three widths of convolutions over words."""
    tokens = k.Input(shape=(10,), dtype="int32", name="tokens")
    x = k.layers.SpatialDropout1D(0.2)(k.layers.Embedding(30, 6, name="words")(tokens))
    pools = []
    for width in (2, 3, 4):
        y = k.layers.Conv1D(3, width, activation="relu", kernel_initializer="he_uniform")(x)
        pools.append(k.layers.GlobalMaxPooling1D()(y))
    x = k.layers.Dropout(0.5)(k.layers.Concatenate()(pools))
    model = k.Model(tokens, k.layers.Dense(4, activation="softmax", kernel_regularizer="l2")(x))
    model.compile("adamax", loss="kl_divergence", metrics=[k.metrics.KLDivergence()])
    return trained(model, INPUTS_OF["text_cnn"], np.full((2, 4), 0.25, "float32"))


def frame_models(k):
    """A Sequential model for each frame, then recurrent layers."""
    frame = k.Sequential(name="frame")
    frame.add(k.layers.Conv2D(2, 3, activation="relu", input_shape=(6, 6, 1)))
    frame.add(k.layers.MaxPooling2D())
    frame.add(k.layers.Flatten())
    model = k.Sequential()
    model.add(k.layers.TimeDistributed(frame, input_shape=(4, 6, 6, 1)))
    model.add(k.layers.GRU(5, return_sequences=True))
    model.add(k.layers.LSTM(3))
    model.add(k.layers.Dense(2, activation="softmax"))
    return model


def ensemble(k):
    """The mean of three models that were built without inputs."""
    start = k.Input((5,), name="features")
    members = [
        k.Sequential([k.layers.Dense(4 + n, activation="relu"), k.layers.Dense(2)], name=f"m{n}")
        for n in range(3)
    ]
    x = k.layers.average([member(start) for member in members])
    return k.Model(start, k.layers.Softmax()(x))


INPUTS_OF = {
    "multi_head": [floats(2, 8, 8, 1)],
    "dict_inputs": [floats(3, 3), floats(3, 1), integers(6, 3, 1)],
    "lambda_functions": [floats(3, 6)],
    "tied_autoencoder": [floats(2, 8, 8, 1)],
    "masked_attention": [floats(2, 5, 3) * np.array([[1], [1], [1], [0], [0]], "float32")],
    "positional_transformer": [integers(20, 2, 6).astype("int64")],
    "review_text": [words("a good film", "bad", "the unknown word")],
    "mixed_columns": [
        floats(3, 1) * 10 + 8,
        words("cat", "cow", "dog"),
        np.array([[7], [2], [3]], dtype="int64"),
    ],
    "deep_state": [floats(3, 4, 2)],
    "mixed_block": [floats(2, 8, 8, 3) * 100 + 100],
    "tensor_functions": [floats(2, 4, 3), floats(2, 3)],
    "dense_blocks": [floats(2, 16, 16, 3)],
    "wavenet": [floats(2, 16, 1)],
    "text_cnn": [integers(30, 2, 10)],
    "frame_models": [floats(2, 4, 6, 6, 1)],
    "ensemble": [floats(3, 5)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
MODELS |= subclassed.MODELS
CUSTOM = (
    *("masked_attention", "positional_transformer", "mixed_block"),
    *subclassed.CUSTOM,
)
LAMBDAS = ("lambda_functions",)
# Models that take their inputs in a dictionary, not in a list.
DICTIONARIES = ("dict_inputs",)
INPUTS = {
    "dict_inputs": ["color", "height", "place"],
    "mixed_columns": ["age", "kind", "level"],
    "tensor_functions": ["series", "query"],
    **subclassed.INPUTS,
}
