"""Models of texts, sound, series, tables and graphs as public examples write them, for
`models.py`."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, functions, integers, trained, words


def _named(model):
    """The inputs of a model in a dictionary."""
    return {name: INPUTS_OF[model][place] for place, name in enumerate(INPUTS[model])}


def notes(k):
    """Pitch, step and duration of the next note in a dictionary, two by a loss of one's own."""
    import customs_09 as own

    start = k.Input((6, 3))
    x = k.layers.LSTM(8)(start)
    outputs = {
        "pitch": k.layers.Dense(12, name="pitch")(x),
        "step": k.layers.Dense(1, name="step")(x),
        "duration": k.layers.Dense(1, name="duration")(x),
    }
    model = k.Model(start, outputs)
    loss = {
        "pitch": k.losses.SparseCategoricalCrossentropy(from_logits=True),
        "step": own.mse_with_positive_pressure,
        "duration": own.mse_with_positive_pressure,
    }
    weights = {"pitch": 0.05, "step": 1.0, "duration": 1.0}
    model.compile(loss=loss, loss_weights=weights, optimizer=k.optimizers.Adam(learning_rate=0.005))
    goal = {"pitch": np.array([3, 7]), "step": floats(2, 1), "duration": floats(2, 1)}
    model.fit(INPUTS_OF["notes"][0], goal, verbose=0)
    return model


def next_character(k):
    """One LSTM over letters as rows of zeros and a one."""
    model = k.Sequential(
        [
            k.Input(shape=(10, 9)),
            k.layers.LSTM(8),
            k.layers.Dense(9, activation="softmax"),
        ]
    )
    optimizer = k.optimizers.RMSprop(learning_rate=0.01)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer)
    return trained(model, INPUTS_OF["next_character"], np.eye(9, dtype="float32")[[1, 5]])


def speaker_cnn(k):
    """Residual blocks over the spectrum of a second of speech."""

    def residual_block(x, filters, count, activation="relu"):
        short = k.layers.Conv1D(filters, 1, padding="same")(x)
        for _ in range(count - 1):
            x = k.layers.Conv1D(filters, 3, padding="same")(x)
            x = k.layers.Activation(activation)(x)
        x = k.layers.Conv1D(filters, 3, padding="same")(x)
        x = k.layers.Activation(activation)(k.layers.Add()([x, short]))
        return k.layers.MaxPool1D(pool_size=2, strides=2)(x)

    start = k.layers.Input(shape=(48, 1), name="input")
    x = residual_block(residual_block(residual_block(start, 3, 2), 4, 2), 5, 3)
    x = k.layers.AveragePooling1D(pool_size=3, strides=3)(x)
    x = k.layers.Dense(8, activation="relu")(k.layers.Flatten()(x))
    outputs = k.layers.Dense(4, activation="softmax", name="output")(x)
    model = k.models.Model(inputs=start, outputs=outputs)
    model.compile(optimizer="Adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return trained(model, INPUTS_OF["speaker_cnn"], np.array([2, 0]))


def accents(k):
    """Dense layers with names and rising dropout on embeddings of sound."""
    x = start = k.layers.Input(shape=(32,), name="embedding")
    for number, (width, rate) in enumerate(((12, 0.15), (16, 0.2), (8, 0.25), (16, 0.2)), 1):
        x = k.layers.Dense(width, activation="relu", name=f"dense_{number}")(x)
        x = k.layers.Dropout(rate, name=f"dropout_{number}")(x)
    outputs = k.layers.Dense(6, activation="softmax", name="output")(x)
    model = k.Model(inputs=start, outputs=outputs, name="accent_recognition")
    model.compile(
        optimizer=k.optimizers.Adam(learning_rate=1.9644e-5),
        loss=k.losses.CategoricalCrossentropy(),
        metrics=["accuracy", k.metrics.AUC(name="auc")],
    )
    return trained(model, INPUTS_OF["accents"], np.eye(6, dtype="float32")[[5, 1, 0]])


def walks(k):
    """Skip-grams of walks in a graph: one embedding, looked up by numbers without an axis."""
    inputs = {
        "target": k.layers.Input(name="target", shape=(), dtype="int32"),
        "context": k.layers.Input(name="context", shape=(), dtype="int32"),
    }
    embed_item = k.layers.Embedding(
        input_dim=12,
        output_dim=5,
        embeddings_initializer="he_normal",
        embeddings_regularizer=k.regularizers.l2(1e-6),
        name="item_embeddings",
    )
    target, context = embed_item(inputs["target"]), embed_item(inputs["context"])
    logits = k.layers.Dot(axes=1, normalize=False, name="dot_similarity")([target, context])
    model = k.Model(inputs=inputs, outputs=logits)
    loss = k.losses.BinaryCrossentropy(from_logits=True)
    model.compile(optimizer=k.optimizers.Adam(0.001), loss=loss)
    model.fit(_named("walks"), np.array([[1], [0], [1]], "float32"), verbose=0)
    return model


def cited_papers(k):
    """A subclass of Model with attention over the edges of a graph that it holds itself."""
    import customs_09 as own
    import tensorflow as tf

    edges = [[0, 1], [0, 3], [1, 2], [2, 0], [2, 4], [3, 1], [4, 5], [5, 0]]
    nodes = tf.constant(floats(6, 7))
    model = own.GraphAttentionNetwork(nodes, tf.constant(edges), 3, 2, 2, 4)
    model.compile(
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=k.optimizers.SGD(learning_rate=0.003, momentum=0.9),
        metrics=["accuracy"],
    )
    return trained(model, INPUTS_OF["cited_papers"], np.array([0, 3, 1]))


def tab_transformer(k):
    """Columns as tokens of a transformer: inputs without an axis in a dictionary, stacked."""
    expand_dims, stack = functions(k, "expand_dims", "stack")

    def mlp(units, activation, normalization, name):
        block = []
        for each in units:
            block += [normalization(), k.layers.Dense(each, activation=activation)]
            block.append(k.layers.Dropout(0.2))
        return k.Sequential(block, name=name)

    inputs = {
        name: k.layers.Input(name=name, shape=(), dtype="float32")
        for name in ("age", "hours", "job", "school", "sex")
    }
    encoded = [
        k.layers.Embedding(input_dim=size, output_dim=6)(inputs[name])
        for name, size in (("job", 5), ("school", 4), ("sex", 2))
    ]
    numbers = [expand_dims(inputs[name], -1) for name in ("age", "hours")]
    x = stack(encoded, axis=1)
    numbers = k.layers.concatenate(numbers)
    for number in range(2):
        seen = k.layers.MultiHeadAttention(
            num_heads=2, key_dim=6, dropout=0.2, name=f"multihead_attention_{number}"
        )(x, x)
        x = k.layers.Add(name=f"skip_connection1_{number}")([seen, x])
        x = k.layers.LayerNormalization(name=f"layer_norm1_{number}", epsilon=1e-6)(x)
        feed = mlp([6], k.activations.gelu, k.layers.LayerNormalization, f"feedforward_{number}")
        x = k.layers.Add(name=f"skip_connection2_{number}")([feed(x), x])
        x = k.layers.LayerNormalization(name=f"layer_norm2_{number}", epsilon=1e-6)(x)
    numbers = k.layers.LayerNormalization(epsilon=1e-6)(numbers)
    x = k.layers.concatenate([k.layers.Flatten()(x), numbers])
    x = mlp([12, 8], k.activations.selu, k.layers.BatchNormalization, "MLP")(x)
    outputs = k.layers.Dense(units=1, activation="sigmoid", name="sigmoid")(x)
    model = k.Model(inputs=inputs, outputs=outputs)
    optimizer = getattr(k.optimizers, "AdamW", k.optimizers.Adam)(learning_rate=0.001)
    metrics = [k.metrics.BinaryAccuracy(name="accuracy")]
    model.compile(optimizer=optimizer, loss=k.losses.BinaryCrossentropy(), metrics=metrics)
    model.fit(_named("tab_transformer"), np.array([[1], [0], [1]], "float32"), verbose=0)
    return model


def decision_forest(k):
    """A subclass of Model as a layer, whose trees draw the features that they look at."""
    import customs_09 as own

    np.random.seed(9)
    (expand_dims,) = functions(k, "expand_dims")
    inputs = {
        "age": k.layers.Input(name="age", shape=(), dtype="float32"),
        "gain": k.layers.Input(name="gain", shape=(), dtype="float32"),
        "job": k.layers.Input(name="job", shape=(), dtype="int32"),
    }
    numbers = [expand_dims(inputs[name], -1) for name in ("age", "gain")]
    job = k.layers.Embedding(input_dim=6, output_dim=8)(inputs["job"])
    features = k.layers.BatchNormalization()(k.layers.concatenate([*numbers, job]))
    forest = own.NeuralDecisionForest(3, 2, features.shape[1], 0.5, 2)
    model = k.Model(inputs=inputs, outputs=forest(features))
    model.compile(
        optimizer=k.optimizers.Adam(learning_rate=0.01),
        loss=k.losses.SparseCategoricalCrossentropy(),
        metrics=[k.metrics.SparseCategoricalAccuracy()],
    )
    model.fit(_named("decision_forest"), np.array([1, 0, 1]), verbose=0)
    return model


def mixture_density(k):
    """A Sequential model without an input, with a layer, an activation and a loss of its own."""
    import customs_09 as own

    model = k.Sequential(
        [
            k.layers.Dense(8, activation="relu"),
            k.layers.Dense(8, activation="relu"),
            own.MixtureDensityOutput(1, 4),
        ]
    )
    model.compile(loss=own.mixture_loss(4), optimizer="adam")
    return trained(model, INPUTS_OF["mixture_density"], floats(4, 1))


def similar_sentences(k):
    """A frozen nested encoder of three inputs with a mask for its attention, pooled two ways."""
    names = ("input_ids", "attention_masks", "token_type_ids")
    ids, mask, kinds = (k.layers.Input(shape=(7,), dtype="int32", name=name) for name in names)
    x = k.layers.Add()([k.layers.Embedding(20, 6)(ids), k.layers.Embedding(2, 6)(kinds)])
    x = k.layers.LayerNormalization(epsilon=1e-12)(x)
    heads = k.layers.MultiHeadAttention(2, 3, dropout=0.1)
    seen = heads(x, x, attention_mask=k.layers.Reshape((1, 7))(mask))
    x = k.layers.LayerNormalization(epsilon=1e-12)(k.layers.Add()([x, seen]))
    pooled = k.layers.Dense(6, activation="tanh")(k.layers.GlobalAveragePooling1D()(x))
    bert = k.Model([ids, mask, kinds], [x, pooled], name="bert")
    bert.trainable = False
    starts = [k.layers.Input(shape=(7,), dtype="int32", name=name) for name in names]
    sequence, _ = bert(starts)
    value = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True))(sequence)
    average = k.layers.GlobalAveragePooling1D()(value)
    value = k.layers.concatenate([average, k.layers.GlobalMaxPooling1D()(value)])
    output = k.layers.Dense(3, activation="softmax")(k.layers.Dropout(0.3)(value))
    model = k.models.Model(inputs=starts, outputs=output)
    model.compile(optimizer=k.optimizers.Adam(), loss="categorical_crossentropy", metrics=["acc"])
    targets = np.eye(3, dtype="float32")[[0, 2]]
    return trained(model, INPUTS_OF["similar_sentences"], targets)


def raw_reviews(k):
    """A trained network of numbers behind a layer that cuts texts by a function of one's own."""
    import customs_09 as own

    cut = k.layers.TextVectorization(
        standardize=own.strip_markup,
        max_tokens=20,
        output_mode="int",
        output_sequence_length=12,
    )
    cut.adapt(np.array(["A <br />fine film!", "never again...", "fine, again and again"]))
    tokens = k.Input(shape=(None,), dtype="int64")
    x = k.layers.Dropout(0.5)(k.layers.Embedding(20, 5)(tokens))
    x = k.layers.Conv1D(6, 3, padding="valid", activation="relu", strides=2)(x)
    x = k.layers.Conv1D(6, 3, padding="valid", activation="relu", strides=2)(x)
    x = k.layers.Dense(6, activation="relu")(k.layers.GlobalMaxPooling1D()(x))
    x = k.layers.Dense(1, activation="sigmoid", name="predictions")(k.layers.Dropout(0.5)(x))
    inner = k.Model(tokens, x)
    inner.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    trained(inner, [integers(20, 2, 12).astype("int64")], np.array([[1], [0]], "float32"))
    start = k.Input(shape=(1,), dtype="string")
    model = k.Model(start, inner(cut(start)))
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def cart_pole(k):
    """Logits of actions and the value of a state, which a function on tensors flattens."""
    (squeeze,) = functions(k, "squeeze")

    def mlp(x, sizes, activation="tanh", output_activation=None):
        for size in sizes[:-1]:
            x = k.layers.Dense(units=size, activation=activation)(x)
        return k.layers.Dense(units=sizes[-1], activation=output_activation)(x)

    observation = k.Input(shape=(4,), dtype="float32")
    value = squeeze(mlp(observation, [8, 8, 1]), axis=1)
    return k.Model(inputs=observation, outputs=[mlp(observation, [8, 8, 2]), value])


def brain_waves(k):
    """Strided convolutions over a signal, then dense layers with the default L2."""
    x = start = k.Input(shape=(64, 1))
    for width, size in ((4, 3), (6, 3), (8, 5), (8, 7)):
        x = k.layers.Conv1D(
            filters=width, kernel_size=size, strides=2, activation="relu", padding="same"
        )(x)
        x = k.layers.BatchNormalization()(x)
    x = k.layers.Flatten()(k.layers.Dropout(0.2)(x))
    x = k.layers.Dropout(0.2)(k.layers.Dense(12, activation="relu")(x))
    x = k.layers.Dense(8, activation="relu", kernel_regularizer=k.regularizers.L2())(x)
    model = k.Model(inputs=start, outputs=k.layers.Dense(5, activation="softmax")(x))
    model.compile(
        optimizer=k.optimizers.Adam(amsgrad=True, learning_rate=0.001),
        loss=k.losses.CategoricalCrossentropy(),
        metrics=[
            k.metrics.TopKCategoricalAccuracy(k=3),
            k.metrics.AUC(),
            k.metrics.Precision(),
            k.metrics.Recall(),
        ],
    )
    return trained(model, INPUTS_OF["brain_waves"], np.eye(5, dtype="float32")[[4, 1]])


INPUTS_OF = {
    "notes": [floats(2, 6, 3)],
    "next_character": [np.eye(9, dtype="float32")[integers(9, 2, 10)]],
    "speaker_cnn": [floats(2, 48, 1)],
    "accents": [floats(3, 32)],
    "walks": [integers(12, 3), integers(12, 3) // 2],
    "cited_papers": [np.array([0, 5, 2], "int32")],
    "tab_transformer": [
        floats(3),
        floats(3) * 2,
        np.array([1, 4, 0], "float32"),
        np.array([3, 0, 2], "float32"),
        np.array([0, 1, 1], "float32"),
    ],
    "decision_forest": [floats(3), floats(3) * 3, np.array([5, 0, 2], "int32")],
    "mixture_density": [floats(4, 1)],
    "similar_sentences": [
        integers(20, 2, 7),
        np.array([[1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1, 0]], "int32"),
        np.array([[0, 0, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 0]], "int32"),
    ],
    "raw_reviews": [words("A fine<br />film?", "Never, never again")],
    "cart_pole": [floats(3, 4)],
    "brain_waves": [floats(2, 64, 1)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("notes", "cited_papers", "decision_forest", "mixture_density", "raw_reviews")
DICTIONARIES = ("walks", "tab_transformer", "decision_forest")
INPUTS = {
    "walks": ["target", "context"],
    "tab_transformer": ["age", "hours", "job", "school", "sex"],
    "decision_forest": ["age", "gain", "job"],
    "similar_sentences": ["input_ids", "attention_masks", "token_type_ids"],
}
