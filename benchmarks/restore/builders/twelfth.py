"""Builders of set 12 of the restore benchmark: families that no earlier set has."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.restore.nets import CLASSES, Arrays, Net

SOFTMAX = {"units": CLASSES, "activation": "softmax"}
SAME = {"padding": "same"}


def _drawn(name: str, **config: Any) -> dict[str, Any]:
    """An initializer as its config: one instance would draw the same values for each layer."""
    return {"class_name": name, "config": config}


def noised(rng: np.random.Generator, n: int) -> Arrays:
    """Waves of 20 steps, ever more of which is noise, and how far that has come; the noise."""
    t = np.arange(20) / rng.uniform(6, 12, (n, 1)) * 2 * np.pi
    wave = rng.uniform(0.7, 1.3, (n, 1)) * np.sin(t + rng.uniform(0, 6.3, (n, 1)))
    step, noise = rng.integers(0, 10, (n, 1)), rng.normal(size=(n, 20))
    kept = np.cos((step + 2) / 12 * np.pi / 2) ** 2
    x = np.sqrt(kept) * wave + np.sqrt(1 - kept) * noise
    return [x.astype(np.float32), step.astype(np.int32)], [noise.astype(np.float32)]


def situations(rng: np.random.Generator, n: int) -> Arrays:
    """Eight numbers of a state; the best of four actions, and what it is worth."""
    mix = np.random.default_rng(21).normal(size=(8, CLASSES)) / 2
    x = rng.normal(size=(n, 8))
    worth = x @ mix + 0.5 * np.sin(2 * x[:, :CLASSES])
    return [x.astype(np.float32)], [worth.argmax(axis=1), worth.max(axis=1, keepdims=True) * 1.0]


def drawings(rng: np.random.Generator, n: int) -> Arrays:
    """What to draw, where and how large; the picture, 16x16x1."""
    kind, place = rng.integers(0, CLASSES, n), rng.uniform(-1, 1, (n, 3))
    rows, columns = np.mgrid[:16, :16]
    dy, dx = (rows - 7.5 - 3 * place[:, :1, None], columns - 7.5 - 3 * place[:, 1:2, None])
    size, far = 3.5 + place[:, 2:, None], np.hypot(dy, dx)
    gaps = np.stack([size - far, size - np.maximum(abs(dy), abs(dx)), 1.3 - abs(far - size),
                     np.minimum(size - far, 1.3 - np.minimum(abs(dy), abs(dx)))])  # fmt: skip
    y = 1 / (1 + np.exp(-3 * gaps[kind, np.arange(n)]))
    x = [kind[:, None].astype(np.int32), place.astype(np.float32)]
    return x, [y[..., None].astype(np.float32)]


def friends(rng: np.random.Generator, n: int) -> Arrays:
    """Ten nodes, and 0 for each edge but -9 where none is; what the loudest neighbours say."""
    x = rng.normal(size=(n, 10, 5))
    edges = (rng.uniform(size=(n, 10, 10)) < 0.35) | np.eye(10, dtype=bool)
    loud = np.exp(2 * x[:, None, :, 0]) * edges
    heard = (loud / loud.sum(axis=2, keepdims=True)) @ x[..., 1:3]
    y = heard + 0.3 * x[..., 3:]
    return [x.astype(np.float32), np.where(edges, 0, -9).astype(np.float32)], [y.astype(np.float32)]


def switched(rng: np.random.Generator, n: int) -> Arrays:
    """16 columns; the first one says which of the others decide."""
    x = rng.normal(size=(n, 16))
    one, other = x[:, 1] + x[:, 2], x[:, 3] - x[:, 4]
    kind = 2 * (np.where(x[:, 0] > 0, one, other) > 0) + (x[:, 5] + 0.5 * x[:, 6] > 0)
    return [x.astype(np.float32)], [kind.astype(np.int64)]


def listed(rng: np.random.Generator, n: int) -> Arrays:
    """Four keys with a value each among other tokens, and four questions; the values."""
    x, value = rng.integers(24, 40, (n, 12)), rng.integers(0, 6, (n, 4))
    places = np.argsort(rng.uniform(size=(n, 12)), axis=1)[:, :4]
    np.put_along_axis(x, places, np.arange(4) * 6 + value, axis=1)
    asked = np.broadcast_to(np.arange(4), (n, 4))
    return [x.astype(np.int32), asked.astype(np.int32)], [value]


def voices(rng: np.random.Generator, n: int) -> Arrays:
    """256 samples of two tones one after the other: low or high, then low or high."""
    kind = rng.integers(0, CLASSES, n)
    t = np.arange(256)
    low, high = rng.uniform(0.10, 0.16, (n, 1)), rng.uniform(0.22, 0.32, (n, 1))
    change = rng.integers(90, 160, (n, 1))
    pitch = np.where(t < change, np.where(kind[:, None] < 2, low, high),
                     np.where(kind[:, None] % 2 == 0, low, high))  # fmt: skip
    wave = np.sin(np.cumsum(2 * np.pi * pitch, axis=1)) * rng.uniform(0.5, 1.2, (n, 1))
    return [(wave + rng.normal(0, 0.3, (n, 256)))[..., None].astype(np.float32)], [kind]


def seasonal(rng: np.random.Generator, n: int) -> Arrays:
    """Four series of 36 steps with a common season of six steps; the next step of each."""
    t = np.arange(37)
    shape = rng.normal(size=(n, 6, 2)) @ np.random.default_rng(3).normal(size=(2, 4))
    level = rng.normal(size=(n, 1, 4)) + rng.uniform(-0.04, 0.04, (n, 1, 4)) * t[:, None]
    x = shape[:, t % 6] + level + rng.normal(0, 0.15, (n, 37, 4))
    return [x[:, :36].astype(np.float32)], [x[:, 36].astype(np.float32)]


def diffusion(k: Any) -> Any:
    """Says what of its input is noise; layers that start with zeros scale and gate the blocks."""
    of = k.layers
    i, step = k.Input((20,), name="noisy"), k.Input((1,), dtype="int32", name="step")
    zeros = {"kernel_initializer": "zeros"}
    said = of.Flatten()(of.Embedding(10, 24, name="steps")(step))
    said = of.Dense(32, activation="swish", name="said")(said)
    x = of.Dense(64, name="widen")(i)
    for n in range(2):
        y = of.LayerNormalization(center=False, scale=False)(x)
        scaled = of.Multiply()([y, of.Dense(64, name=f"scale{n}", **zeros)(said)])
        y = of.Add()([y, scaled, of.Dense(64, name=f"shift{n}", **zeros)(said)])
        y = of.Dense(96, activation="gelu")(y)
        y = of.Multiply()([of.Dense(64)(y), of.Dense(64, name=f"gate{n}", **zeros)(said)])
        x = of.Add()([x, y])
    return k.Model([i, step], of.Dense(20, name="noise", **zeros)(x))


def actor_critic(k: Any) -> Any:
    """What to do and what the state is worth: two towers of tanh with orthogonal kernels."""
    of, i = k.layers, k.Input((8,))

    def dense(units: int, gain: float, activation: str | None, name: str | None = None) -> Any:
        draw = _drawn("Orthogonal", gain=gain)
        return of.Dense(units, activation=activation, kernel_initializer=draw, name=name)

    x = dense(48, 1.4, "tanh", "act1")(i)
    x = dense(48, 1.4, "tanh")(x)
    y = dense(48, 1.4, "tanh", "worth1")(i)
    y = dense(48, 1.4, "tanh")(y)
    ends = dense(CLASSES, 0.01, "softmax", "action")(x), dense(1, 1.0, None, "worth")(y)
    return k.Model(i, list(ends))


def renderer(k: Any) -> Any:
    """Draws what it is told with transposed convolutions (a generator)."""
    of = k.layers
    kind, place = k.Input((1,), dtype="int32", name="kind"), k.Input((3,), name="where")
    draw = {"kernel_initializer": _drawn("RandomNormal", stddev=0.02), "use_bias": False}
    said = of.Flatten()(of.Embedding(CLASSES, 12, name="kinds")(kind))
    x = of.Dense(48, activation="relu", name="read")(of.Concatenate()([said, place]))
    x = of.Dense(4 * 4 * 24, **draw)(x)
    x = of.Reshape((4, 4, 24))(of.ReLU()(of.BatchNormalization(momentum=0.8)(x)))
    for n, width in enumerate((24, 16)):
        x = of.Conv2DTranspose(width, 4, strides=2, name=f"rise{n}", **draw, **SAME)(x)
        x = of.ReLU()(of.BatchNormalization(momentum=0.8)(x))
    return k.Model([kind, place], of.Conv2D(1, 3, activation="sigmoid", name="drawn", **SAME)(x))


def neighbours(k: Any) -> Any:
    """Each node attends to its neighbours (graph attention)."""
    of = k.layers
    nodes, edges = k.Input((10, 5), name="nodes"), k.Input((10, 10), name="edges")
    x = nodes
    for n in range(2):
        heads = []
        for head in range(2):
            y = of.Dense(20, use_bias=False, name=f"say{n}{head}")(x)
            one, other = of.Dense(1)(y), of.Permute((2, 1))(of.Dense(1, use_bias=False)(y))
            score = of.Add()([of.LeakyReLU()(of.Add()([one, other])), edges])
            heads.append(of.Dot(axes=(2, 1))([of.Softmax()(score), y]))
        y = of.Concatenate()([*heads, of.Dense(16, name=f"self{n}")(x)])
        x = of.Activation("elu")(y)
    return k.Model([nodes, edges], of.Dense(2, name="heard")(x))


def chosen_columns(k: Any) -> Any:
    """In each of three steps a mask chooses columns for gated layers, the first of them shared."""
    of, i = k.layers, k.Input((16,))
    columns = of.BatchNormalization(momentum=0.9, name="scaled")(i)
    shared, gate = of.Dense(40, name="shared"), of.Dense(40, activation="sigmoid", name="gate")
    told, ends = columns, []
    for n in range(3):
        mask = of.BatchNormalization(momentum=0.9)(of.Dense(16, use_bias=False)(told))
        x = of.Multiply()([columns, of.Softmax(name=f"mask{n}")(mask)])
        x = of.Multiply()([shared(x), gate(x)])
        y = of.BatchNormalization(momentum=0.9)(of.Dense(40, name=f"step{n}", use_bias=False)(x))
        y = of.Multiply()([y, of.Dense(40, activation="sigmoid")(x)])
        told = of.Add()([x, y])
        ends.append(of.Dense(24, activation="relu", name=f"decide{n}")(told))
    return k.Model(i, of.Dense(**SOFTMAX)(of.Add()(ends)))


def queries(k: Any) -> Any:
    """Learnt queries look at all tokens (a decoder of objects), and each gives an answer."""
    of = k.layers
    tokens = k.Input((12,), dtype="int32", name="tokens")
    asked = k.Input((4,), dtype="int32", name="asked")
    x = of.Embedding(40, 24, name="tokens_kept")(tokens)
    x = of.LayerNormalization()(of.Dense(24, name="mix")(x))
    q = of.Embedding(4, 24, name="queries", embeddings_initializer="truncated_normal")(asked)
    for n in range(2):
        y = of.MultiHeadAttention(2, 12, name=f"look{n}")(q, x)
        q = of.LayerNormalization()(of.Add()([q, y]))
        y = of.Dense(24)(of.Dense(48, activation="relu", name=f"think{n}")(q))
        q = of.LayerNormalization()(of.Add()([q, y]))
    return k.Model([tokens, asked], of.Dense(6, activation="softmax", name="value")(q))


def spoken(k: Any) -> Any:
    """A raw sound: one wide convolution, then residual blocks of separable ones."""
    of, i = k.layers, k.Input((256, 1))
    x = of.Conv1D(20, 16, strides=4, use_bias=False, name="ear", **SAME)(i)
    x = of.ReLU()(of.BatchNormalization(momentum=0.9)(x))
    for n in range(2):
        y = of.SeparableConv1D(20, 7, use_bias=False, name=f"block{n}", **SAME)(x)
        y = of.SpatialDropout1D(0.05)(of.ReLU()(of.BatchNormalization(momentum=0.9)(y)))
        y = of.SeparableConv1D(20, 7, use_bias=False, **SAME)(y)
        x = of.ReLU()(of.Add()([x, of.BatchNormalization(momentum=0.9)(y)]))
        x = of.MaxPooling1D(2)(x)
    x = of.Dense(24, activation="relu", name="heard")(of.Flatten()(of.AveragePooling1D(4)(x)))
    return k.Model(i, of.Dense(**SOFTMAX)(x))


def seasons(k: Any) -> Any:
    """Convolutions, a recurrence over steps, one over seasons, a linear part beside (LSTNet)."""
    of, i = k.layers, k.Input((36, 4))
    x = of.Conv1D(16, 3, padding="causal", activation="relu", name="see")(i)
    last = of.LSTM(16, unit_forget_bias=False, name="steps")(x)
    same = of.Permute((2, 1, 3))(of.Reshape((5, 6, 4))(of.Cropping1D((6, 0))(i)))
    same = of.Flatten()(of.TimeDistributed(of.SimpleRNN(6), name="same_time")(same))
    y = of.Dense(4, name="bent")(of.Concatenate()([last, same]))
    line = of.Permute((2, 1))(of.Cropping1D((24, 0))(i))
    return k.Model(i, of.Add()([y, of.Flatten()(of.Dense(1, name="line")(line))]))


TWELFTH = (
    Net("diffusion", noised, diffusion, ("mse",), epochs=15, rate=3e-3, enough=0.7,
        optimizer="AdamW", options=(("beta_2", 0.99),)),
    Net("actor_critic", situations, actor_critic, ("sparse_categorical_crossentropy", "mse"),
        epochs=20, rate=3e-3, options=(("epsilon", 1e-5), ("global_clipnorm", 0.5))),
    Net("renderer", drawings, renderer, ("mse",), epochs=10, optimizer="RMSprop", rate=2e-3,
        options=(("momentum", 0.3),)),
    Net("neighbours", friends, neighbours, ("mse",), epochs=10, optimizer="Adamax", rate=5e-3),
    Net("spoken", voices, spoken, epochs=5, optimizer="AdamW",
        options=(("weight_decay", 0.01), ("amsgrad", True))),
    Net("seasons", seasonal, seasons, ("mse",), epochs=10, optimizer="RMSprop", rate=3e-3,
        options=(("centered", True),)),
    Net("queries", listed, queries, epochs=8, rate=4e-3, options=(("beta_2", 0.98),)),
    Net("chosen_columns", switched, chosen_columns, epochs=15, optimizer="Nadam", rate=4e-3),
)  # fmt: skip
