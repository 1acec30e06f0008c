"""Models of clicks, users and molecules drawn by lot from public code, for `images.py`."""

from __future__ import annotations

import numpy as np

from benchmarks.loading.inputs import floats, integers


def gated_clicks(k):
    """POSO: experts with gates for new users in one own layer of a dictionary, with a variable."""
    import customs_18_tables as own

    layer = own.PosoForMMOELayer(
        categorical_features=["sdk_type", "device_type"],
        continuous_features=["clicks", "clicks_square"],
        gate_categorical_features=["gate_kind"],
        gate_continuous_features=["gate_age"],
        feature_dims=16,
        embedding_dims=3,
        expert_num=2,
        expert_units=[5, 4],
        gate_units=[4],
        output_units=[5, 3],
        gate_hidden_dim=4,
    )
    inputs = {}
    for feature in layer.categorical_features + layer.gate_categorical_features:
        inputs[feature] = k.Input(shape=(1,), name=feature, dtype="int64")
    for feature in layer.continuous_features + layer.gate_continuous_features:
        inputs[feature] = k.Input(shape=(1,), name=feature, dtype="float32")
    return k.Model(inputs, layer(inputs))


def matched_films(_):
    """Two towers with squeezed features: embeddings in a dictionary that the config lists."""
    import customs_18_tables as own

    user = [{"feat": "user_id", "feat_num": 7, "embed_dim": 4}]
    user.append({"feat": "age", "feat_num": 5, "embed_dim": 4})
    item = [{"feat": "item_id", "feat_num": 9, "embed_dim": 4}]
    model = own.SENet(user, item, (6, 4), (6, 4), filter_sq=3, gamma=2)
    names = INPUTS["matched_films"]
    model({name: INPUTS_OF["matched_films"][i] for i, name in enumerate(names)})
    return model


def attentive_atoms(k):
    """Attention of atoms to their neighbours by registered layers with whole configs."""
    import customs_18_tables as own

    node = k.layers.Input(shape=(5,), name="node_number", dtype="int32")
    edge = k.layers.Input(shape=(7, 3), name="edge_attributes")
    index = k.layers.Input(shape=(7, 2), name="edge_indices", dtype="int32")
    x = k.layers.Embedding(10, 6)(node)
    x = k.layers.Dense(6, activation=own.leaky_relu2)(x)
    given = {"units": 6, "activation": "luckgraphs>leaky_relu2"}
    y = own.AttentiveHead(use_edge_features=True, **given)([x, edge, index])
    x = own.NodeUpdate(6)([x, y])
    y = own.AttentiveHead(bias_initializer="ones", **given)([x, edge, index])
    x = own.NodeUpdate(6)([x, y])
    x = k.layers.GlobalAveragePooling1D()(k.layers.Dropout(0.1)(x))
    return k.models.Model(inputs=[node, edge, index], outputs=k.layers.Dense(1)(x), name="MoGAT")


INPUTS_OF = {
    "gated_clicks": [
        np.array([[1], [4], [7]], "int64"),
        np.array([[2], [9], [3]], "int64"),
        np.array([[0], [5], [6]], "int64"),
        floats(3, 1),
        floats(3, 1) ** 2,
        np.abs(floats(3, 1)) * 3,
    ],
    "matched_films": [integers(7, 3, 1), integers(5, 3, 1), integers(9, 3, 1)],
    "attentive_atoms": [integers(10, 2, 5), floats(2, 7, 3), integers(5, 2, 7, 2)],
}
MODELS = {name: (globals()[name], inputs) for name, inputs in INPUTS_OF.items()}
CUSTOM = tuple(INPUTS_OF)
DICTIONARIES = ("gated_clicks", "matched_films")
INPUTS = {
    "gated_clicks": [
        "sdk_type",
        "device_type",
        "gate_kind",
        "clicks",
        "clicks_square",
        "gate_age",
    ],
    "matched_films": ["user_id", "age", "item_id"],
    "attentive_atoms": ["node_number", "edge_attributes", "edge_indices"],
}
