"""Models of texts, sound, series and tables as public programs write them, for `models.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, functions, integers, trained, words


def _named(model):
    """The inputs of a model in a dictionary."""
    values = (
        tf.constant(each.tolist() if each.dtype == object else each) for each in INPUTS_OF[model]
    )
    return {name: next(values) for name in INPUTS[model]}


def products(k):
    """Rectifiers with slopes of their own, normalization after them, a softmax by itself."""
    model = k.Sequential()
    model.add(k.layers.Dense(12, input_shape=(9,)))
    for width in (12, 12, None):
        model.add(k.layers.PReLU())
        model.add(k.layers.BatchNormalization())
        model.add(k.layers.Dropout(0.5))
        if width:
            model.add(k.layers.Dense(width))
    model.add(k.layers.Dense(5))
    model.add(k.layers.Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="adam")
    return trained(model, INPUTS_OF["products"], np.eye(5, dtype="float32")[[0, 4, 2]])


def convolved_reviews(k):
    """A convolution before an LSTM over words, without an input layer."""
    model = k.Sequential()
    model.add(k.layers.Embedding(20, 6))
    model.add(k.layers.Dropout(0.25))
    model.add(k.layers.Conv1D(5, 5, padding="valid", activation="relu", strides=1))
    model.add(k.layers.MaxPooling1D(pool_size=4))
    model.add(k.layers.LSTM(7))
    model.add(k.layers.Dense(1))
    model.add(k.layers.Activation("sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return trained(model, INPUTS_OF["convolved_reviews"], np.array([[1], [0]], "float32"))


def news_topics(k):
    """A bag of words, one dense layer, activations as layers."""
    model = k.models.Sequential()
    model.add(k.layers.Dense(16, input_shape=(30,)))
    model.add(k.layers.Activation("relu"))
    model.add(k.layers.Dropout(0.5))
    model.add(k.layers.Dense(6))
    model.add(k.layers.Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return trained(model, INPUTS_OF["news_topics"], np.eye(6, dtype="float32")[[5, 1, 0]])


def entailment(k):
    """Two pictures by one nested encoder and texts by another, which look at each other."""
    (stack,) = functions(k, "stack")

    def projected(x, wide=6):
        x = k.layers.Dense(units=wide)(x)
        y = k.layers.Dropout(0.1)(k.layers.Dense(wide)(k.layers.Activation("gelu")(x)))
        return k.layers.LayerNormalization()(k.layers.Add()([x, y]))

    start = k.layers.Input(shape=(16, 16, 3), name="image_input")
    x = k.applications.resnet_v2.preprocess_input(start)
    x = k.layers.Conv2D(4, 7, strides=2, padding="same", name="conv1_conv")(x)
    y = k.layers.ReLU()(k.layers.BatchNormalization(epsilon=1.001e-5, name="conv2_preact_bn")(x))
    y = k.layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv2_1_conv")(y)
    x = k.layers.Add(name="conv2_out")([x, y])
    x = k.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    vision_encoder = k.Model(start, projected(x), name="vision_encoder")
    names = ("input_mask", "input_type_ids", "input_word_ids")
    starts = {name: k.layers.Input(shape=(7,), dtype="int32", name=name) for name in names}
    x = k.layers.Embedding(20, 6)(starts["input_word_ids"])
    x = k.layers.Add()([x, k.layers.Embedding(2, 6)(starts["input_type_ids"])])
    mask = k.layers.Reshape((1, 7))(starts["input_mask"])
    seen = k.layers.MultiHeadAttention(2, 3)(x, x, attention_mask=mask)
    x = k.layers.LayerNormalization()(k.layers.Add()([x, seen]))
    text = projected(k.layers.GlobalAveragePooling1D()(x))
    text_encoder = k.Model(starts, text, name="text_encoder")
    text_encoder.trainable = False
    inputs = {name: k.layers.Input(shape=(7,), dtype="int32", name=name) for name in names}
    pictures = {
        name: k.layers.Input(shape=(16, 16, 3), name=name) for name in ("image_1", "image_2")
    }
    one, two = (vision_encoder(pictures[name]) for name in ("image_1", "image_2"))
    both = stack([one, two], axis=1)
    found = text_encoder(inputs)
    query = k.layers.Reshape((1, 6))(found)
    seen = k.layers.Attention()([query, both])
    x = k.layers.concatenate([k.layers.Flatten()(both), found, k.layers.Flatten()(seen)])
    outputs = k.layers.Dense(3, activation="softmax")(projected(x))
    model = k.Model({**inputs, **pictures}, outputs)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(_named("entailment"), np.array([2, 0]), verbose=0)
    return model


def fourier_reviews(k):
    """Own layers that mix tokens by a Fourier transform, for texts of any length."""
    import customs_10_texts as own

    start = k.Input(shape=(None,), dtype="int32", name="input_ids")
    x = own.PositionalEmbedding(8, 20, 6)(start)
    for _ in range(2):
        x = own.FNetEncoder(embed_dim=6, dense_dim=10)(x)
    x = k.layers.Dropout(0.1)(k.layers.GlobalAveragePooling1D()(x))
    model = k.Model(start, k.layers.Dense(1, activation="sigmoid")(x), name="fnet_classifier")
    model.compile(
        optimizer=k.optimizers.Adam(learning_rate=0.001),
        loss="binary_crossentropy",
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["fourier_reviews"], np.array([[1], [0]], "float32"))


def sound_events(k):
    """A body of separable convolutions for spectrograms, with slashes in the names of layers."""
    if hasattr(k, "ops"):
        raise ValueError("Keras 3 refuses slashes in names")
    normal = {"center": True, "scale": False, "epsilon": 1e-4}

    def conv(x, name, size, stride, filters):
        same = {"padding": "same", "use_bias": False, "activation": None}
        x = k.layers.Conv2D(filters, size, strides=stride, name=f"{name}/conv", **same)(x)
        x = k.layers.BatchNormalization(name=f"{name}/conv/bn", **normal)(x)
        return k.layers.ReLU(name=f"{name}/relu")(x)

    def separable(x, name, stride, filters):
        x = k.layers.DepthwiseConv2D(
            3,
            strides=stride,
            depth_multiplier=1,
            padding="same",
            use_bias=False,
            activation=None,
            name=f"{name}/depthwise_conv",
        )(x)
        x = k.layers.BatchNormalization(name=f"{name}/depthwise_conv/bn", **normal)(x)
        x = k.layers.ReLU(name=f"{name}/depthwise_conv/relu")(x)
        return conv(x, f"{name}/pointwise_conv", 1, 1, filters)

    start = k.layers.Input(shape=(24, 16), name="patches")
    x = k.layers.Reshape((24, 16, 1))(start)
    x = conv(x, "layer1", [3, 3], 2, 4)
    for number, (stride, filters) in enumerate(((1, 6), (2, 8), (1, 8)), 2):
        x = separable(x, f"layer{number}", stride, filters)
    embeddings = k.layers.GlobalAveragePooling2D()(x)
    logits = k.layers.Dense(units=7, use_bias=True)(embeddings)
    predictions = k.layers.Activation(activation="sigmoid")(logits)
    return k.Model(name="yamnet_small", inputs=start, outputs=[predictions, embeddings])


def wave_judges(k):
    """Grouped convolutions over a wave in three resolutions; lists of outputs in a list."""

    def block(x):
        maps = []
        x = k.layers.Conv1D(4, 7, 1, padding="same")(x)
        maps.append(k.layers.LeakyReLU(0.2)(x))
        for filters, groups in ((8, 4), (8, 8)):
            x = k.layers.Conv1D(filters, 9, 4, padding="same", groups=groups)(maps[-1])
            maps.append(k.layers.LeakyReLU(0.2)(x))
        maps.append(k.layers.Conv1D(1, 3, 1, padding="same")(maps[-1]))
        return maps

    start = k.Input((None, 1))
    half = k.layers.AveragePooling1D(2)(start)
    quarter = k.layers.AveragePooling1D(2)(half)
    return k.Model(start, [block(x) for x in (start, half, quarter)])


def engine_waves(k):
    """A transformer over numbers whose last pooling takes the channels for the first axis."""
    x = start = k.Input(shape=(18, 1))
    for _ in range(2):
        y = k.layers.LayerNormalization(epsilon=1e-6)(x)
        y = k.layers.MultiHeadAttention(key_dim=4, num_heads=2, dropout=0.25)(y, y)
        x = res = k.layers.Dropout(0.25)(y) + x
        y = k.layers.LayerNormalization(epsilon=1e-6)(x)
        y = k.layers.Conv1D(filters=4, kernel_size=1, activation="relu")(y)
        y = k.layers.Conv1D(filters=1, kernel_size=1)(k.layers.Dropout(0.25)(y))
        x = y + res
    x = k.layers.GlobalAveragePooling1D(data_format="channels_first")(x)
    x = k.layers.Dropout(0.4)(k.layers.Dense(8, activation="relu")(x))
    model = k.Model(start, k.layers.Dense(2, activation="softmax")(x))
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=k.optimizers.Adam(learning_rate=1e-4),
        metrics=["sparse_categorical_accuracy"],
    )
    return trained(model, INPUTS_OF["engine_waves"], np.array([1, 0]))


def lstm_and_convolutions(k):
    """A series as one step of an LSTM with a mask beside convolutions over the same numbers."""
    ip = k.layers.Input(shape=(1, 20))
    x = k.layers.Masking()(ip)
    x = k.layers.Dropout(0.8)(k.layers.LSTM(8)(x))
    y = k.layers.Permute((2, 1))(ip)
    for width, size in ((6, 8), (8, 5), (6, 3)):
        y = k.layers.Conv1D(width, size, padding="same", kernel_initializer="he_uniform")(y)
        y = k.layers.Activation("relu")(k.layers.BatchNormalization()(y))
    y = k.layers.GlobalAveragePooling1D()(y)
    out = k.layers.Dense(4, activation="softmax")(k.layers.concatenate([x, y]))
    model = k.Model(ip, out)
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["lstm_and_convolutions"], np.eye(4, dtype="float32")[[1, 3]])


def _fields(k, wide=4):
    """Inputs and embeddings of categories by name, and one number."""
    sizes = {"C1": 7, "C2": 5, "C3": 9}
    starts = {name: k.layers.Input(shape=(1,), name=name, dtype="int32") for name in sizes}
    starts["I1"] = k.layers.Input(shape=(1,), name="I1", dtype="float32")
    found = {}
    for each in dict.fromkeys((1, wide)):
        found[each] = [
            k.layers.Embedding(
                size,
                each,
                embeddings_initializer=k.initializers.RandomNormal(0.0, 1e-4, seed=2020),
                embeddings_regularizer=k.regularizers.l2(1e-5),
                name=f"sparse_emb_{name}" if each > 1 else f"linear0sparse_emb_{name}",
            )(starts[name])
            for name, size in sizes.items()
        ]
    return starts, found[1], found[wide]


def bi_interaction(k):
    """Pairs of fields as half a square of a sum less a sum of squares; a list of inputs."""
    total, square = functions(k, "sum", "square")
    starts, linear, fields = _fields(k)
    one = total(k.layers.Concatenate(axis=1)(linear), axis=1)
    one = one + k.layers.Dense(1, use_bias=False)(starts["I1"])
    x = k.layers.Concatenate(axis=1)(fields)
    x = 0.5 * (square(total(x, axis=1)) - total(square(x), axis=1))
    x = k.layers.Concatenate()([x, starts["I1"]])
    for width in (8, 8):
        x = k.layers.Dense(width, activation="relu", kernel_regularizer=k.regularizers.l2(1e-5))(x)
    x = k.layers.Dense(1, use_bias=False)(k.layers.Dropout(0.1)(x))
    output = k.layers.Activation("sigmoid")(k.layers.Add()([x, one]))
    model = k.Model(inputs=list(starts.values()), outputs=output)
    model.compile("adagrad", "binary_crossentropy", metrics=["binary_crossentropy"])
    return trained(model, INPUTS_OF["bi_interaction"], np.array([[1], [0], [1]], "float32"))


def field_attention(k):
    """Own layers with configs between fields of a table, and a bias for all predictions."""
    import customs_10_texts as own

    starts, _, fields = _fields(k)
    x = k.layers.Concatenate(axis=1)(fields)
    for _ in range(2):
        x = own.InteractingLayer(4, 2, True)(x)
    deep = k.layers.Concatenate()([k.layers.Flatten()(fields[0]), starts["I1"]])
    deep = k.layers.Dense(6, activation="relu")(deep)
    x = k.layers.Concatenate()([k.layers.Flatten()(x), deep])
    logit = k.layers.Dense(1, use_bias=False)(x)
    model = k.Model(inputs=list(starts.values()), outputs=own.PredictionLayer("binary")(logit))
    model.compile("adam", "binary_crossentropy", metrics=["AUC"])
    return trained(model, INPUTS_OF["field_attention"], np.array([[1], [0], [1]], "float32"))


def passengers(k):
    """A nested model that prepares a dictionary of texts and numbers, then a nested body."""
    kinds = {"age": "float32", "deck": "string", "fare": "float32", "sex": "string"}
    inputs = {name: k.Input(shape=(1,), name=name, dtype=kind) for name, kind in kinds.items()}
    numbers = k.layers.Concatenate()([inputs["age"], inputs["fare"]])
    norm = k.layers.Normalization()
    norm.adapt(np.abs(floats(30, 2)) * 40)
    prepared = [norm(numbers)]
    for name, values in (("sex", ["female", "male"]), ("deck", ["A", "B", "C", "unknown"])):
        lookup = k.layers.StringLookup(vocabulary=values)
        encode = k.layers.CategoryEncoding(num_tokens=lookup.vocabulary_size())
        prepared.append(encode(lookup(inputs[name])))
    preprocessing = k.Model(inputs, k.layers.Concatenate()(prepared), name="preprocessing")
    body = k.Sequential([k.layers.Dense(8), k.layers.Dense(1)])
    model = k.Model(inputs, body(preprocessing(inputs)))
    model.compile(loss=k.losses.BinaryCrossentropy(from_logits=True), optimizer=k.optimizers.Adam())
    model.fit(_named("passengers"), tf.constant([[1.0], [0.0], [1.0]]), verbose=0)
    return model


def low_rank(k):
    """An attention block whose query and value are wrapped by own layers of low rank."""
    import customs_10_texts as own

    heads = {"equation": "abc,cde->abde", "output_shape": (None, 2, 4), "bias_axes": "de"}
    start = k.Input(shape=(6,), dtype="int32", name="token_ids")
    x = k.layers.Embedding(20, 8, name="token_embedding")(start)
    dense = getattr(k.layers, "EinsumDense", None) or k.layers.experimental.EinsumDense
    query, key, value = (dense(name=name, **heads) for name in ("q", "k", "v"))
    wrapped = {"rank": 2, "alpha": 4, "trainable": True}
    query, value = own.LoraLayer(query, **wrapped)(x), own.LoraLayer(value, **wrapped)(x)
    rows = [k.layers.Reshape((6, 8))(each) for each in (query, value, key(x))]
    seen = k.layers.Attention()(rows)
    x = k.layers.LayerNormalization()(k.layers.Add()([x, k.layers.Dense(8)(seen)]))
    model = k.Model(start, k.layers.Dense(20)(x), name="lora_model")
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=k.optimizers.Adam(5e-5), loss=loss, metrics=["accuracy"])
    return trained(model, INPUTS_OF["low_rank"], integers(20, 2, 6))


_CATEGORIES = [np.array(each, "int32").reshape(3, 1) for each in ((0, 3, 6), (4, 1, 0), (8, 2, 5))]
INPUTS_OF = {
    "products": [floats(3, 9)],
    "convolved_reviews": [integers(20, 2, 16)],
    "news_topics": [np.abs(floats(3, 30)).round()],
    "entailment": [
        floats(2, 16, 16, 3) * 100,
        floats(2, 16, 16, 3) * 50,
        np.array([[1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1, 0]], "int32"),
        np.array([[0, 0, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 0]], "int32"),
        integers(20, 2, 7),
    ],
    "fourier_reviews": [integers(20, 2, 8)],
    "sound_events": [floats(2, 24, 16)],
    "wave_judges": [floats(2, 64, 1)],
    "engine_waves": [floats(2, 18, 1)],
    "lstm_and_convolutions": [floats(2, 1, 20)],
    "bi_interaction": [*_CATEGORIES, floats(3, 1)],
    "field_attention": [*_CATEGORIES, floats(3, 1)],
    "passengers": [
        np.array([[22.0], [38.0], [4.0]], "float32"),
        words("A", "C", "unknown"),
        np.array([[7.25], [71.3], [16.7]], "float32"),
        words("male", "female", "female"),
    ],
    "low_rank": [integers(20, 2, 6)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("fourier_reviews", "field_attention", "low_rank")
DICTIONARIES = ("entailment", "passengers")
_FIELDS = ["C1", "C2", "C3", "I1"]
INPUTS = {
    "entailment": ["image_1", "image_2", "input_mask", "input_type_ids", "input_word_ids"],
    "bi_interaction": _FIELDS,
    "field_attention": _FIELDS,
    "passengers": ["age", "deck", "fare", "sex"],
}
