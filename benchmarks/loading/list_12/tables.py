"""Models of tables, clicks, words and short exercises from public code, for `images.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.loading.inputs import floats, functions, integers, trained


def cover_types(k):
    """Crossed and deep columns: numbers and words without an axis in a dictionary."""
    (expand,) = functions(k, "expand_dims")
    words = {"Soil_Type": ["soil_type_1", "soil_type_2", "soil_type_7", "soil_type_9"]}
    words["Wilderness_Area"] = ["area_type_1", "area_type_3", "area_type_4", "area_type_2"]
    inputs, encoded = {}, []
    for name in INPUTS["cover_types"]:
        kind = "string" if name in words else "float32"
        inputs[name] = k.layers.Input(name=name, shape=(), dtype=kind)
    for name, start in inputs.items():
        if name in words:
            lookup = k.layers.StringLookup(
                vocabulary=words[name], mask_token=None, num_oov_indices=0, output_mode="int"
            )
            encoded.append(k.layers.Embedding(input_dim=4, output_dim=2)(lookup(start)))
        else:
            encoded.append(expand(start, -1))
    x0 = cross = deep = k.layers.concatenate(encoded)
    for _ in range(2):
        cross = x0 * k.layers.Dense(cross.shape[-1])(cross) + cross
    cross = k.layers.BatchNormalization()(cross)
    for units in (8, 6):
        deep = k.layers.BatchNormalization()(k.layers.Dense(units)(deep))
        deep = k.layers.Dropout(0.1)(k.layers.ReLU()(deep))
    merged = k.layers.concatenate([cross, deep])
    model = k.Model(inputs=inputs, outputs=k.layers.Dense(7, activation="softmax")(merged))
    model.compile(
        optimizer=k.optimizers.Adam(learning_rate=0.001),
        loss=k.losses.SparseCategoricalCrossentropy(),
        metrics=[k.metrics.SparseCategoricalAccuracy()],
    )
    values = INPUTS_OF["cover_types"]
    rows = {name: tf.constant(values[place].tolist()) for place, name in enumerate(inputs)}
    model.fit(tf.data.Dataset.from_tensors((rows, np.array([0, 6, 3]))), verbose=0)
    return model


def penguins(k):
    """Three dense layers with an input shape; trained by a loop, so never compiled."""
    return k.Sequential(
        [
            k.layers.Dense(10, activation=tf.nn.relu, input_shape=(4,)),
            k.layers.Dense(10, activation=tf.nn.relu),
            k.layers.Dense(3),
        ]
    )


def numpy_digits(k):
    """Flattened images, two dense layers, metrics and losses as objects in a Sequential model."""
    model = k.Sequential(
        [
            k.layers.Flatten(input_shape=(8, 8)),
            k.layers.Dense(16, activation="relu"),
            k.layers.Dense(10),
        ]
    )
    model.compile(
        optimizer=k.optimizers.RMSprop(),
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["sparse_categorical_accuracy"],
    )
    return trained(model, INPUTS_OF["numpy_digits"], np.array([4, 0, 9]))


def attended_words(_):
    """A decoder as a subclass of Model, of a word, a state and what an encoder said."""
    import customs_12_more as own

    return own.Decoder(12, 6, 8, 2)


def heroes(k):
    """The mean of three embedded words; the key of the input is not the name of its tensor."""
    (mean,) = functions(k, "mean")
    start = k.layers.Input(shape=(3,), dtype=tf.int64, name="model_input")
    embedded = k.layers.Embedding(input_dim=8, output_dim=16)(start)
    output = k.layers.Dense(units=1, activation="sigmoid")(mean(embedded, axis=1))
    return k.Model({"features": start}, output)


def fashion_classes(k):
    """A trained Sequential model and a softmax in another, which is not compiled."""
    model = k.Sequential(
        [
            k.layers.Flatten(input_shape=(8, 8)),
            k.layers.Dense(16, activation="relu"),
            k.layers.Dense(10),
        ]
    )
    model.compile(
        optimizer="adam",
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    trained(model, INPUTS_OF["fashion_classes"], np.array([4, 0, 9]))
    found = k.Sequential([model, k.layers.Softmax()])
    found(tf.constant(INPUTS_OF["fashion_classes"][0]))
    return found


def two_moons(k):
    """A subclass of Model with a frozen first layer and dense layers in a list."""
    import customs_12_more as own

    model = own.DeepResNet(num_classes=2, num_layers=3, num_hidden=8)
    model.compile(
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[k.metrics.SparseCategoricalAccuracy()],
        optimizer=k.optimizers.Adam(learning_rate=1e-4),
    )
    return trained(model, INPUTS_OF["two_moons"], np.array([0, 1, 1]))


def _table(k, size, wide, name):
    """An embedding as the recommenders draw it."""
    return k.layers.Embedding(
        size,
        wide,
        embeddings_initializer=k.initializers.RandomNormal(mean=0.0, stddev=0.0001, seed=2020),
        embeddings_regularizer=k.regularizers.l2(1e-6),
        name=name,
    )


def interest_evolution(k):
    """Own recurrent layers over clicks, which end where an input says, and a weighed sum."""
    import customs_12_tables as own

    user = k.layers.Input(shape=(1,), name="user", dtype="int32")
    item = k.layers.Input(shape=(1,), name="item", dtype="int32")
    history = k.layers.Input(shape=(4,), name="hist_item", dtype="int32")
    length = k.layers.Input(shape=(1,), name="seq_length", dtype="int32")
    table = _table(k, 12, 4, "sparse_seq_emb_hist_item")
    query, keys = table(item), table(history)
    x = own.DynamicGRU(None, return_sequence=True, name="gru1")([keys, length])
    x = own.DynamicGRU(None, return_sequence=True, name="gru2")([x, length])
    x = own.InterestPooling((6, 4), "sigmoid", weight_normalization=True)([query, x, length])
    x = k.layers.Concatenate()([_table(k, 6, 4, "sparse_emb_user")(user), query, x])
    x = own.DNN((8, 6), "relu", 0, 0.1, False)(k.layers.Flatten()(x))
    last = k.layers.Dense(1, use_bias=False, kernel_initializer=k.initializers.GlorotNormal(1024))
    output = own.PredictionHead("binary")(last(x))
    model = k.Model(inputs=[user, item, history, length], outputs=output)
    model.compile("adam", "binary_crossentropy", metrics=["binary_crossentropy"])
    return trained(model, INPUTS_OF["interest_evolution"], np.array([[1], [0], [1]], "float32"))


def multi_interest(k):
    """Clicks through two own transformers, whose heads each look for what is shown."""
    import customs_12_tables as own

    reshape, split, squeeze, total = functions(k, "reshape", "split", "squeeze", "sum")
    item = k.layers.Input(shape=(1,), name="item", dtype="int32")
    history = k.layers.Input(shape=(4,), name="hist_item", dtype="int32")
    length = k.layers.Input(shape=(1,), name="seq_length", dtype="int32")
    places = k.layers.Input(shape=(4,), name="position_hist")
    table = _table(k, 12, 4, "sparse_seq_emb_hist_item")
    query, seen = table(item), table(history)
    where = _table(k, 4, 2, None)(places)
    x = own.InterestTransformer(2, 2)([seen, seen, length, length])
    y = k.layers.Dense(4)(k.layers.Dense(16, activation="relu")(x))
    x = k.layers.Dense(8)(y + x)
    x = own.InterestTransformer(4, 2)([x, x, length, length])
    deep = squeeze(query, axis=1)
    for head in split(x, 2, axis=-1):
        y = k.layers.Dense(4, activation="relu")(k.layers.Dense(16, activation="relu")(head))
        part = y + head
        asked = k.layers.Concatenate()([k.layers.UpSampling1D(4)(query), where])
        asked = k.layers.Dense(4)(asked)
        scores = k.layers.Concatenate()([asked, part, asked - part, asked * part])
        scores = k.layers.Dense(1)(k.layers.Dense(6, activation="sigmoid")(scores))
        scores = k.layers.Softmax()(reshape(scores, [-1, 1, 4]))
        deep = k.layers.Concatenate(axis=1)([deep, total(scores @ part, axis=1)])
    x = own.DNN((8, 6), "relu")(k.layers.Flatten()(deep))
    output = own.PredictionHead("binary")(k.layers.Dense(1, use_bias=False)(x))
    model = k.Model(inputs=[item, history, length, places], outputs=output)
    model.compile("adam", "binary_crossentropy", metrics=["binary_crossentropy"])
    return trained(model, INPUTS_OF["multi_interest"], np.array([[1], [0], [1]], "float32"))


def _columns(k, names):
    """Inputs of categories and their embeddings, each a row."""
    starts = [k.layers.Input(shape=(1,), name=name, dtype="int32") for name in names]
    rows = [_table(k, 9, 4, f"sparse_emb_{names[n]}")(each) for n, each in enumerate(starts)]
    return starts, rows


def weighted_fields(k):
    """Pairs of fields with a strength each, beside linear and deep parts, which are added."""
    import customs_12_tables as own

    names = ("C1", "C2", "C3")
    starts, rows = _columns(k, names)
    number = k.layers.Input(shape=(1,), name="I1", dtype="float32")
    linear = [_table(k, 9, 1, f"linear0sparse_emb_{names[n]}")(s) for n, s in enumerate(starts)]
    linear = k.layers.Add()([k.layers.Flatten()(each) for each in linear])
    linear = k.layers.add([linear, k.layers.Dense(1, use_bias=False)(number)])
    pairs = own.FwFMLayer(num_fields=3, regularizer=1e-5)(k.layers.Concatenate(axis=1)(rows))
    deep = k.layers.Concatenate()([k.layers.Flatten()(k.layers.Concatenate()(rows)), number])
    deep = own.DNN((8, 6), "relu", 0, 0, False, seed=1024)(deep)
    deep = k.layers.Dense(1, use_bias=False)(deep)
    output = own.PredictionHead("binary")(k.layers.Add()([linear, pairs, deep]))
    model = k.Model(inputs=[*starts, number], outputs=output)
    model.compile("adam", "binary_crossentropy", metrics=["binary_crossentropy"])
    return trained(model, INPUTS_OF["weighted_fields"], np.array([[1], [0], [1]], "float32"))


def shared_bottom(k):
    """One own deep layer for two tasks, with an own deep layer for each."""
    import customs_12_tables as own

    starts, rows = _columns(k, ("C1", "C2"))
    x = k.layers.Flatten()(k.layers.Concatenate()(rows))
    x = own.DNN((8, 6), "relu", 0, 0.1, False, seed=1024)(x)
    outputs = []
    for task in ("ctr", "ctcvr"):
        y = own.DNN((4,), "relu", 0, 0.1, False, seed=1024, name=f"tower_{task}")(x)
        logit = k.layers.Dense(1, use_bias=False)(y)
        outputs.append(own.PredictionHead("binary", name=task)(logit))
    model = k.Model(inputs=starts, outputs=outputs)
    model.compile(
        "adagrad",
        loss=["binary_crossentropy", "binary_crossentropy"],
        metrics=[["AUC"], ["AUC"]],
    )
    target = np.array([[1], [0], [1]], "float32")
    return trained(model, INPUTS_OF["shared_bottom"], target, target)


def generated_features(k):
    """New features by own convolutions over the fields, and products of all pairs in a list."""
    import customs_12_tables as own

    (split,) = functions(k, "split")
    starts, rows = _columns(k, ("C1", "C2", "C3", "C4"))
    joined = k.layers.Concatenate(axis=1)(rows)
    fresh = [_table(k, 9, 4, f"fgsparse_emb_{n}")(s) for n, s in enumerate(starts)]
    new = own.FGCNNLayer((3, 4), (3, 3), (2, 2), (2, 2))(k.layers.Concatenate(axis=1)(fresh))
    joined = k.layers.Concatenate(axis=1)([joined, new])
    product = own.InnerProductLayer()(split(joined, joined.shape[1], axis=1))
    x = k.layers.Concatenate()([k.layers.Flatten()(joined), k.layers.Flatten()(product)])
    x = own.DNN((8, 6), l2_reg=0, dropout_rate=0.1)(k.layers.Flatten()(x))
    output = own.PredictionHead("binary")(k.layers.Dense(1, use_bias=False)(x))
    model = k.Model(inputs=starts, outputs=output)
    model.compile("adam", "binary_crossentropy", metrics=["binary_crossentropy"])
    return trained(model, INPUTS_OF["generated_features"], np.array([[1], [0], [1]], "float32"))


def ranked_lists(k):
    """A tower for every feature of every item in a list, weighed by towers of the query."""
    import customs_12_more as own

    def tower(x, units):
        x = k.layers.BatchNormalization(momentum=0.999)(x)
        x = k.layers.Dense(units=6)(x)
        x = k.layers.BatchNormalization(momentum=0.999)(x)
        x = k.layers.Activation(activation="relu")(x)
        return k.layers.Dense(units=units)(k.layers.Dropout(rate=0.5)(x))

    query = k.Input(shape=(1,), name="query_length")
    items = [k.Input(shape=(4, 1), name=name) for name in ("document_length", "score")]
    mask = k.Input(shape=(4,), dtype="bool", name="mask")
    flatten = own.FlattenList()
    scores = [tower(flatten(each, mask), 1) for each in items]
    whole = k.layers.Flatten()(k.layers.RepeatVector(4)(query))
    weights = k.layers.Softmax()(tower(flatten(k.layers.Reshape((4, 1))(whole), mask), 2))
    scores = k.layers.Multiply()([k.layers.Concatenate(axis=-1)(scores), weights])
    logits = k.layers.Dot(axes=1)([scores, k.layers.Activation("softsign")(weights)])
    model = k.Model([query, *items, mask], own.RestoreList()(logits, mask))
    model.compile(optimizer=k.optimizers.Adagrad(learning_rate=0.05), loss=own.ListSoftmaxLoss())
    relevant = np.array([[1, 0, 0, 0], [0, 1, 0, 0]], "float32")
    return trained(model, INPUTS_OF["ranked_lists"], relevant)


def joined_tables(k):
    """Two tables through dense layers with names, joined and regressed; inputs without names."""

    def branch(x, widths):
        for name, width in widths.items():
            x = k.layers.Dense(width, activation="relu", name=name)(x)
        return x

    one, two = k.layers.Input(shape=(3,)), k.layers.Input(shape=(3,))
    x1 = branch(one, {"dense1": 10, "dense2": 7, "dense3": 5})
    x2 = branch(two, {"dense11": 10, "dense12": 10, "dense13": 10})
    first, second = k.layers.Dense(11, name="output1"), k.layers.Dense(12, name="output2")
    x = k.layers.concatenate([first(x1), second(x2)])
    x = k.layers.Dense(5, activation="relu")(k.layers.Dense(10)(x))
    model = k.Model(inputs=[one, two], outputs=k.layers.Dense(1)(x))
    model.compile(loss="mse", optimizer="adam", metrics=["mae"])
    return trained(model, INPUTS_OF["joined_tables"], floats(3, 1))


_LENGTHS = np.array([[2], [4], [1]], "int32")
_PLACES = np.tile(np.arange(4.0, dtype="float32"), (3, 1))
_MASK = np.array([[True, True, True, False], [True, True, False, False]])
INPUTS_OF = {
    "cover_types": [
        floats(3),
        floats(3) * 0.5,
        np.array(["soil_type_9", "soil_type_1", "soil_type_7"], dtype=object),
        np.array(["area_type_2", "area_type_1", "area_type_1"], dtype=object),
    ],
    "penguins": [floats(3, 4)],
    "numpy_digits": [np.abs(floats(3, 8, 8))],
    "attended_words": [integers(12, 2, 1), floats(2, 8), floats(2, 5, 8)],
    "heroes": [integers(8, 4, 3).astype("int64")],
    "fashion_classes": [np.abs(floats(3, 8, 8))],
    "two_moons": [floats(3, 2)],
    "interest_evolution": [
        integers(6, 3, 1), integers(12, 3, 1), integers(12, 3, 4), _LENGTHS,
    ],
    "multi_interest": [
        integers(12, 3, 1), integers(12, 3, 4), _LENGTHS, _PLACES,
    ],
    "weighted_fields": [*(integers(9, 3, 1) for _ in range(3)), floats(3, 1)],
    "shared_bottom": [integers(9, 3, 1), integers(8, 3, 1)],
    "generated_features": [integers(high, 3, 1) for high in (9, 8, 7, 6)],
    "ranked_lists": [floats(2, 1), floats(2, 4, 1), floats(2, 4, 1) * 2, _MASK],
    "joined_tables": [floats(3, 3), floats(3, 3) * 0.5],
}  # fmt: skip
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("attended_words", "two_moons", "interest_evolution", "multi_interest")
CUSTOM += ("weighted_fields", "shared_bottom", "generated_features", "ranked_lists")
DICTIONARIES = ("cover_types", "heroes")
INPUTS = {
    "cover_types": ["Aspect", "Elevation", "Soil_Type", "Wilderness_Area"],
    "attended_words": ["x", "hidden", "enc_output"],
    "heroes": ["features"],
    "interest_evolution": ["user", "item", "hist_item", "seq_length"],
    "multi_interest": ["item", "hist_item", "seq_length", "position_hist"],
    "weighted_fields": ["C1", "C2", "C3", "I1"],
    "shared_bottom": ["C1", "C2"],
    "generated_features": ["C1", "C2", "C3", "C4"],
    "ranked_lists": ["query_length", "document_length", "score", "mask"],
    "joined_tables": ["input_1", "input_2"],
}
