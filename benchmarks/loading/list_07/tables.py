"""Tables, series, sets and graphs as people write them now, for `models.py`."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, functions, integers, trained, words


def click_rate(k):
    """Interactions of embedded categories and scaled numbers by products of all pairs."""
    stack, matmul, transpose = functions(k, "stack", "matmul", "transpose")
    numbers = k.Input((3,), name="numbers")
    user = k.Input((1,), dtype="string", name="user")
    ad = k.Input((1,), dtype="int64", name="ad")
    scaled = k.layers.Normalization()
    scaled.adapt(floats(40, 3) * 4 + 1)
    users = k.layers.StringLookup(mask_token=None, oov_token="?")
    users.adapt(np.array(["ann", "bob", "bob", "eve"]))
    ads = k.layers.IntegerLookup(vocabulary=np.array([11, 12, 30]), mask_token=0)
    rows = [
        k.layers.Dense(4, activation="relu", name="bottom")(scaled(numbers)),
        k.layers.Flatten()(k.layers.Embedding(4, 4, embeddings_regularizer="l2")(users(user))),
        k.layers.Flatten()(k.layers.Embedding(5, 4)(ads(ad))),
    ]
    table = stack(rows, axis=1)
    pairs = matmul(table, transpose(table, [0, 2, 1]))
    value = k.layers.Concatenate()([rows[0], k.layers.Reshape((9,))(pairs)])
    value = k.layers.Dense(4, activation="relu", name="top")(value)
    model = k.Model([numbers, user, ad], k.layers.Dense(1, activation="sigmoid")(value))
    metrics = [k.metrics.AUC(curve="PR")]
    model.compile(k.optimizers.Adagrad(0.01), loss="binary_crossentropy", metrics=metrics)
    return model


def deep_cross(k):
    """Crossed categories, learned bins and registered cross layers."""
    import customs_07 as own

    crossing = getattr(k.layers, "HashedCrossing", None)
    crossing = crossing or k.layers.experimental.preprocessing.HashedCrossing
    city = k.Input((1,), dtype="string", name="city")
    device = k.Input((1,), dtype="string", name="device")
    price = k.Input((1,), name="price")
    bins = k.layers.Discretization(num_bins=4)
    bins.adapt(np.linspace(0.0, 9.0, 50, dtype="float32")[:, None])
    place = k.layers.CategoryEncoding(5, output_mode="one_hot")(bins(price))
    both = crossing(num_bins=6, output_mode="one_hot")((city, device))
    first = k.layers.Concatenate()([place, both, price])
    value = own.CrossLayer(3)([first, own.CrossLayer(2, name="cross_one")([first, first])])
    deep = k.layers.Dense(5, activation="relu")(first)
    value = k.layers.Dense(1)(k.layers.Concatenate()([value, deep]))
    return k.Model([city, device, price], value, name="dcn")


def patched_series(k):
    """A forecast from patches of each channel, of values scaled by their own statistics."""
    mean, std = functions(k, "mean", "std")
    start = k.Input((16, 2), name="history")
    middle, spread = mean(start, axis=1, keepdims=True), std(start, axis=1, keepdims=True)
    x = (start - middle) / (spread + 1e-3)
    x = k.layers.Dense(6)(k.layers.Reshape((2, 4, 4))(k.layers.Permute((2, 1))(x)))
    seen = k.layers.MultiHeadAttention(2, 3, attention_axes=(2,), dropout=0.1)(x, x)
    x = k.layers.LayerNormalization()(x + seen)
    x = k.layers.BatchNormalization()(x + k.layers.Dense(6, activation="gelu")(x))
    x = k.layers.Dense(3)(k.layers.Reshape((2, 24))(x))
    x = k.layers.Permute((2, 1))(x) * spread + middle
    model = k.Model(start, x, name="patched")
    model.compile(k.optimizers.Adam(1e-3), loss=k.losses.Huber(0.5), metrics=["mae"])
    return trained(model, INPUTS_OF["patched_series"], floats(2, 3, 2))


def graph_nodes(k):
    """Classes of nodes from their values and an adjacency."""
    import customs_07 as own

    nodes, edges = k.Input((5, 3), name="nodes"), k.Input((5, 5), name="adjacency")
    he = k.initializers.HeNormal(seed=1)
    value = own.GraphConvolution(4, activation="relu", kernel_initializer=he)([nodes, edges])
    value = own.GraphConvolution(4, activation="tanh")([k.layers.Dropout(0.3)(value), edges])
    model = k.Model([nodes, edges], k.layers.Dense(3, activation="softmax")(value))
    model.compile("adam", "categorical_crossentropy", weighted_metrics=["accuracy"])
    return model


def whole_table(k):
    """Inputs in a dictionary, prepared in a nested model, as guides on columns advise."""
    starts = {
        "age": k.Input((1,), name="age"),
        "city": k.Input((1,), dtype="string", name="city"),
        "plan": k.Input((1,), dtype="int64", name="plan"),
        "visits": k.Input((1,), name="visits"),
    }
    age = k.layers.Normalization(axis=None)
    age.adapt(np.arange(20, 70, dtype="float32"))
    city = k.layers.StringLookup(vocabulary=["oslo", "rome"], output_mode="one_hot")
    plan = k.layers.IntegerLookup(vocabulary=[1, 2, 3], output_mode="multi_hot")
    visits = k.layers.Discretization(bin_boundaries=[1.0, 5.0, 9.0], output_mode="one_hot")
    prepared = k.layers.Concatenate()(
        [
            age(starts["age"]),
            city(starts["city"]),
            plan(starts["plan"]),
            visits(starts["visits"]),
        ]
    )
    prepare = k.Model(starts, prepared, name="prepare")
    value = k.layers.Dense(6, activation="relu")(prepare(starts))
    return k.Model(starts, k.layers.Dense(1, name="churn")(value))


def experts(k):
    """A mixture of experts for two tasks in a dictionary, with losses of the user's own."""
    import customs_07 as own

    stack, einsum = functions(k, "stack", "einsum")
    start = k.Input((6,), name="features")
    table = stack([k.layers.Dense(4, activation="relu")(start) for _ in range(3)], axis=1)

    def tower(name, units, activation):
        gate = k.layers.Dense(3, activation="softmax", name=f"{name}_gate")(start)
        mixed = einsum("be,bed->bd", gate, table)
        return k.layers.Dense(units, activation=activation, name=name)(mixed)

    ends = {"click": tower("click", 1, "sigmoid"), "spend": tower("spend", 3, None)}
    model = k.Model(start, ends, name="mmoe")
    model.compile(
        k.optimizers.Adam(1e-3),
        loss={"click": own.focal_loss, "spend": own.QuantileLoss()},
        loss_weights={"click": 1.0, "spend": 0.2},
        metrics={"click": [own.FBeta()]},
    )
    goal = {"click": np.ones((3, 1), "float32"), "spend": np.ones((3, 3), "float32")}
    model.fit(INPUTS_OF["experts"][0], goal, verbose=0)
    return model


def brain_floats(k):
    """Layers each with the policy mixed_bfloat16, and a head in float32."""
    half = {"dtype": "mixed_bfloat16"}
    start = k.Input((6,), name="features")
    value = k.layers.Dense(8, activation="relu", **half)(start)
    value = k.layers.LayerNormalization(**half)(value)
    value = k.layers.Add(**half)([value, k.layers.Dense(8, **half)(value)])
    model = k.Model(start, k.layers.Dense(2, activation="softmax", dtype="float32")(value))
    model.compile(k.optimizers.SGD(0.1, momentum=0.9), "categorical_crossentropy")
    return trained(model, INPUTS_OF["brain_floats"], np.eye(2, dtype="float32")[[0, 1, 1]])


def own_lstm(k):
    """A subclass of the LSTM cell, backwards and in a stack."""
    import customs_07 as own

    start = k.Input((5, 3), name="series")
    value = k.layers.Masking(-9.0)(start)
    back = k.layers.RNN(own.PeepholeCell(3), return_sequences=True, go_backwards=True)
    value = back(value)
    cells = k.layers.StackedRNNCells([own.PeepholeCell(4), k.layers.GRUCell(3)])
    return k.Model(start, k.layers.Dense(2)(k.layers.RNN(cells)(value)))


def residual_stack(k):
    """Forecasts that add up while what is explained is subtracted; layers with two outputs."""
    import customs_07 as own

    rest = start = k.Input((8,), name="lookback")
    parts = []
    for number in range(2):
        back, fore = own.NBeatsBlock(6, 3, 8, name=f"block_{number}")(rest)
        rest = k.layers.Subtract()([rest, back])
        parts.append(fore)
    return k.Model(start, k.layers.Add(name="forecast")(parts), name="nbeats")


def weighed_set(k):
    """Elements of a set under a mask that is an input, pooled by functions on tensors."""
    sums, expand, most, where, top = functions(k, "sum", "expand_dims", "maximum", "where", "max")
    elements, valid = k.Input((6, 3), name="elements"), k.Input((6,), name="valid")
    phi = k.layers.Dense(5, activation="relu")(k.layers.Dense(5, activation="relu")(elements))
    share = expand(valid, axis=-1)
    pooled = sums(phi * share, axis=1) / most(sums(valid, axis=1, keepdims=True), 1.0)
    highest = top(where(share > 0.5, phi, phi * 0.0 - 5.0), axis=1)
    value = k.layers.Concatenate()([pooled, highest])
    return k.Model([elements, valid], k.layers.Dense(2)(value), name="deep_sets")


ADJACENCY = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 1, 1, 1, 0]], "float32")
ADJACENCY = np.concatenate([ADJACENCY, ADJACENCY[:2, ::-1]])
INPUTS_OF = {
    "click_rate": [
        floats(3, 3) * 3,
        words("ann", "eve", "zoe"),
        np.array([[12], [30], [99]], "int64"),
    ],
    "deep_cross": [
        words("oslo", "rome", "oslo"),
        words("phone", "phone", "desk"),
        np.array([[0.5], [4.0], [8.5]], "float32"),
    ],
    "patched_series": [floats(2, 16, 2)],
    "graph_nodes": [floats(2, 5, 3), np.stack([ADJACENCY, ADJACENCY.T])],
    "whole_table": [
        np.array([[25.0], [44.0], [68.0]], "float32"),
        words("oslo", "paris", "rome"),
        np.array([[1], [3], [7]], "int64"),
        np.array([[0.0], [6.0], [20.0]], "float32"),
    ],
    "experts": [floats(3, 6)],
    "brain_floats": [floats(3, 6)],
    "own_lstm": [floats(2, 5, 3)],
    "residual_stack": [floats(2, 8)],
    "weighed_set": [floats(2, 6, 3), (integers(3, 2, 6) - 1).astype("float32")],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = ("deep_cross", "graph_nodes", "experts", "own_lstm", "residual_stack")
LAMBDAS = ()
DICTIONARIES = ("whole_table",)
INPUTS = {
    "click_rate": ["numbers", "user", "ad"],
    "deep_cross": ["city", "device", "price"],
    "graph_nodes": ["nodes", "adjacency"],
    "whole_table": ["age", "city", "plan", "visits"],
    "weighed_set": ["elements", "valid"],
}
