"""Builders and data of the fourth set of the restore benchmark: further families of networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.restore import nets as data
from benchmarks.restore.nets import CLASSES, Arrays, Net

SOFTMAX = {"units": CLASSES, "activation": "softmax"}
WORDS, STATES, SHOPS = 160, 48, 40


def match(rng: np.random.Generator, n: int) -> Arrays:
    """A query of 6 words, a text of 16; whether the text is about the topic of the query."""
    topic, same = rng.integers(0, 4, n), rng.uniform(size=n) < 0.5
    other = np.where(same, topic, (topic + rng.integers(1, 4, n)) % 4)

    def about(topics: np.ndarray, length: int, share: float) -> np.ndarray:
        own = 1 + topics[:, None] * 16 + rng.integers(0, 16, (n, length))
        noise = rng.integers(65, WORDS, (n, length))
        return np.where(rng.uniform(size=(n, length)) < share, own, noise).astype(np.int32)

    return [about(topic, 6, 0.7), about(other, 16, 0.5)], [same.astype(np.int64)]


def sales(rng: np.random.Generator, n: int) -> Arrays:
    """A shop, a product and eight numbers; how much is sold."""
    fixed = np.random.default_rng(3)
    size, taste = fixed.normal(size=SHOPS), fixed.normal(size=(24, 8))
    shop, product = rng.integers(0, SHOPS, (n, 1)), rng.integers(0, 24, (n, 1))
    numbers = rng.normal(size=(n, 8)).astype(np.float32)
    total = size[shop[:, 0]] + (taste[product[:, 0]] * numbers).sum(axis=1) / 2
    return [shop, product, numbers], [total[:, None].astype(np.float32)]


def cloud(rng: np.random.Generator, n: int) -> Arrays:
    """64 points on a ball, a cube, a ring or a cross, turned about one axis."""
    kind = rng.integers(0, CLASSES, n)
    p = rng.normal(size=(n, 64, 3))
    ball = p / np.linalg.norm(p, axis=-1, keepdims=True)
    cube = p / np.abs(p).max(axis=-1, keepdims=True)
    ring = ball * [1, 1, 0.1]
    cross = np.where(np.eye(3)[rng.integers(0, 3, (n, 64))] > 0, cube, 0.1 * p)
    x = np.stack([ball, cube, ring, cross])[kind, np.arange(n)]
    turn = rng.uniform(0, 6.3, (n, 1))
    x[..., 0], x[..., 1] = (
        np.cos(turn) * x[..., 0] - np.sin(turn) * x[..., 1],
        np.sin(turn) * x[..., 0] + np.cos(turn) * x[..., 1],
    )
    return [(x + rng.normal(0, 0.05, x.shape)).astype(np.float32)], [kind]


def sentences(rng: np.random.Generator, n: int) -> Arrays:
    """16 states of a Markov chain with two likely successors each; the next state."""
    follow = np.random.default_rng(4).permutation(STATES)
    x = np.empty((n, 17), np.int64)
    x[:, 0] = rng.integers(0, STATES, n)
    for place in range(1, 17):
        jump = rng.uniform(size=n) < 0.1
        x[:, place] = np.where(jump, rng.integers(0, STATES, n), follow[x[:, place - 1]])
    places = np.tile(np.arange(16), (n, 1))
    return [x[:, :-1].astype(np.int32), places.astype(np.int32)], [x[:, 1:]]


def volumes(rng: np.random.Generator, n: int) -> Arrays:
    """A plate, 8x8x8x1, across one of three axes, or a ball, at a random place."""
    kind = rng.integers(0, CLASSES, n)
    axes = np.stack(np.mgrid[:8, :8, :8].astype(float))
    far = axes - rng.uniform(2, 6, (n, 3, 1, 1, 1))
    forms = [np.abs(far[:, axis]) < 1 for axis in range(3)]
    forms.append(np.linalg.norm(far, axis=1) < 2.5)
    x = np.stack(forms)[kind, np.arange(n)] + rng.normal(0, 0.4, (n, 8, 8, 8))
    return [x[..., None].astype(np.float32)], [kind]


def reversal(rng: np.random.Generator, n: int) -> Arrays:
    """Eight digits, and the same reversed and shifted by one; the digits reversed."""
    x = rng.integers(2, 12, (n, 8))
    y = x[:, ::-1]
    before = np.pad(y[:, :-1], ((0, 0), (1, 0)), constant_values=1)
    return [x.astype(np.int32), before.astype(np.int32)], [y]


def _drawn(name: str) -> dict[str, Any]:
    """An initializer as its config: one instance would draw the same values for each layer."""
    return {"class_name": name, "config": {"stddev": 0.02}}


def densenet(k: Any) -> Any:
    of, i = k.layers, k.Input((16, 16, 3))
    x = of.Conv2D(16, 3, padding="same", use_bias=False, name="stem")(i)
    for block in range(2):
        for _ in range(3):
            y = of.Activation("relu")(of.BatchNormalization(momentum=0.9)(x))
            y = of.Conv2D(8, 3, padding="same", kernel_initializer="he_normal")(y)
            x = of.Concatenate()([x, y])
        x = of.Activation("relu")(of.BatchNormalization(momentum=0.9, name=f"out{block}_norm")(x))
        x = of.Conv2D(20, 1, use_bias=False, name=f"transition{block}")(x)
        x = of.AveragePooling2D(2)(x)
    return k.Model(i, of.Dense(**SOFTMAX, name="classes")(of.GlobalAveragePooling2D()(x)))


def convnext(k: Any) -> Any:
    of, i = k.layers, k.Input((16, 16, 3))
    draw = {"kernel_initializer": _drawn("TruncatedNormal")}
    x = of.LayerNormalization(epsilon=1e-6)(of.Conv2D(24, 2, strides=2, name="patches", **draw)(i))
    for n in range(3):
        y = of.DepthwiseConv2D(
            5, padding="same", depthwise_initializer=draw["kernel_initializer"], name=f"mix{n}"
        )(x)
        y = of.LayerNormalization(epsilon=1e-6)(y)
        y = of.Dense(72, activation="gelu", name=f"wide{n}", **draw)(y)
        x = of.Add()([x, of.Dense(24, **draw)(y)])
    x = of.LayerNormalization(epsilon=1e-6)(of.GlobalAveragePooling2D()(x))
    return k.Model(i, of.Dense(**SOFTMAX, **draw)(x))


def conv_mixer(k: Any) -> Any:
    of, i = k.layers, k.Input((16, 16, 3))
    x = of.Activation("gelu")(of.Conv2D(24, 2, strides=2, name="patches")(i))
    x = of.BatchNormalization(momentum=0.9)(x)
    for n in range(3):
        y = of.Activation("gelu")(of.DepthwiseConv2D(5, padding="same")(x))
        x = of.Add()([x, of.BatchNormalization(momentum=0.9, name=f"space{n}_norm")(y)])
        y = of.Activation("gelu")(of.Conv2D(24, 1, name=f"point{n}")(x))
        x = of.BatchNormalization(momentum=0.9)(y)
    return k.Model(i, of.Dense(**SOFTMAX, name="classes")(of.GlobalAveragePooling2D()(x)))


def two_towers(k: Any) -> Any:
    of = k.layers
    query = k.Input((6,), dtype="int32", name="query")
    text = k.Input((16,), dtype="int32", name="text")
    ends = []
    for name, i in (("query", query), ("text", text)):
        x = of.Embedding(WORDS, 16, name=f"{name}_words")(i)
        x = of.Conv1D(24, 3, padding="same", activation="relu")(x)
        x = of.Concatenate()([of.GlobalAveragePooling1D()(x), of.GlobalMaxPooling1D()(x)])
        x = of.Dense(24, activation="tanh")(x)
        ends.append(of.Dense(16, name=f"{name}_end")(x))
    x = of.Concatenate()([*ends, of.Multiply()(ends)])
    x = of.Dense(32, activation="relu")(x)
    return k.Model([query, text], of.Dense(2, activation="softmax", name="same")(x))


def wide_deep(k: Any) -> Any:
    of = k.layers
    shop, product = (k.Input((1,), dtype="int32", name=x) for x in ("shop", "product"))
    numbers = k.Input((8,), name="numbers")
    wide = [
        of.Flatten()(of.Embedding(SHOPS, 1, name="shop_wide")(shop)),
        of.Dense(1, name="numbers_wide", use_bias=False)(numbers),
    ]
    table = of.Flatten()(of.Embedding(24, 16, name="product_deep")(product))
    x = of.Concatenate()([table, numbers])
    for units in (64, 32):
        x = of.Dense(units, activation="relu", kernel_initializer="he_uniform")(x)
    return k.Model([shop, product, numbers], of.Add()([*wide, of.Dense(1, name="deep")(x)]))


def gated(k: Any) -> Any:
    of, i = k.layers, k.Input((20,))
    x = of.Dense(48, activation="elu", name="enter")(i)
    for n in range(3):
        y = of.Dense(48, activation="elu")(x)
        y = of.Multiply()([of.Dense(48)(y), of.Dense(48, activation="sigmoid", name=f"gate{n}")(y)])
        x = of.LayerNormalization(name=f"norm{n}")(of.Add()([x, y]))
    return k.Model(i, of.Dense(**SOFTMAX)(x))


def pointnet(k: Any) -> Any:
    of, i = k.layers, k.Input((64, 3))
    x = i
    for n, width in enumerate((24, 32, 64)):
        x = of.Conv1D(width, 1, use_bias=False, kernel_initializer="he_uniform", name=f"mlp{n}")(x)
        x = of.ReLU()(of.BatchNormalization(momentum=0.95)(x))
    x = of.GlobalMaxPooling1D()(x)
    x = of.ReLU()(of.BatchNormalization(momentum=0.95, name="top_norm")(of.Dense(32)(x)))
    return k.Model(i, of.Dense(**SOFTMAX, name="shape")(x))


def language(k: Any) -> Any:
    of = k.layers
    i = k.Input((16,), dtype="int32", name="states")
    places = k.Input((16,), dtype="int32", name="places")
    small = _drawn("RandomNormal")
    x = of.Embedding(STATES, 32, embeddings_initializer=small, name="tokens")(i)
    x = of.Add()([x, of.Embedding(16, 32, embeddings_initializer=small, name="positions")(places)])
    for _ in range(2):
        y = of.LayerNormalization()(x)
        y = of.MultiHeadAttention(2, 16, kernel_initializer=small)(y, y, use_causal_mask=True)
        x = of.Add()([x, y])
        y = of.Dense(64, activation="gelu", kernel_initializer=small)(of.LayerNormalization()(x))
        x = of.Add()([x, of.Dense(32, kernel_initializer=small)(y)])
    x = of.LayerNormalization(name="final_norm")(x)
    return k.Model([i, places], of.Dense(STATES, activation="softmax", name="next")(x))


def conv3d(k: Any) -> Any:
    of, i = k.layers, k.Input((8, 8, 8, 1))
    x = i
    for n, width in enumerate((8, 16, 24)):
        x = of.Conv3D(width, 3, padding="same", name=f"conv{n}")(x)
        x = of.PReLU(shared_axes=[1, 2, 3])(of.GroupNormalization(4)(x))
        x = of.MaxPooling3D()(x) if n else x
    return k.Model(i, of.Dense(**SOFTMAX)(of.Flatten()(x)))


def seq2seq(k: Any) -> Any:
    of = k.layers
    source = k.Input((8,), dtype="int32", name="source")
    before = k.Input((8,), dtype="int32", name="before")
    x = of.Embedding(12, 12, name="read")(source)
    states, h, c = of.LSTM(40, return_sequences=True, return_state=True, name="encoder")(x)
    y = of.Embedding(12, 12, name="written")(before)
    y = of.LSTM(40, return_sequences=True, name="decoder")(y, initial_state=[h, c])
    seen = of.Attention()([y, states])
    y = of.Dense(40, activation="tanh", name="mix")(of.Concatenate()([y, seen]))
    return k.Model([source, before], of.Dense(12, activation="softmax")(y))


_MOMENTUM = (("momentum", 0.9), ("nesterov", True))
_ADAGRAD = (("initial_accumulator_value", 0.01),)
FOURTH = (
    Net("densenet", data.images, densenet, epochs=10, rate=2e-2, optimizer="SGD",
        options=_MOMENTUM),
    Net("convnext", data.images, convnext, optimizer="AdamW", options=(("weight_decay", 0.02),)),
    Net("conv_mixer", data.scenes, conv_mixer, epochs=8),
    Net("two_towers", match, two_towers, epochs=15, optimizer="Nadam"),
    Net("wide_deep", sales, wide_deep, ("mse",), epochs=40, rate=5e-2, optimizer="Adagrad",
        options=_ADAGRAD, enough=0.7),
    Net("gated", data.table, gated, epochs=30, optimizer="Adamax"),
    Net("pointnet", cloud, pointnet, epochs=10),
    Net("language", sentences, language, epochs=10, options=(("clipnorm", 1.0),)),
    Net("conv3d", volumes, conv3d, epochs=4, optimizer="RMSprop", rate=1e-3),
    Net("seq2seq", reversal, seq2seq, epochs=15, rate=5e-3, options=(("amsgrad", True),)),
)  # fmt: skip
