"""Builders of set 9 of the restore benchmark: families that no earlier set has."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.restore import nets as data
from benchmarks.restore.builders import fourth
from benchmarks.restore.nets import CLASSES, Arrays, Net

SOFTMAX = {"units": CLASSES, "activation": "softmax"}
SAME = {"padding": "same"}


def graphs(rng: np.random.Generator, n: int) -> Arrays:
    """Ten nodes and their edges, the rows of which add to 1; the class of each node."""
    x = rng.normal(size=(n, 10, 6))
    edges = (rng.uniform(size=(n, 10, 10)) < 0.3) + np.eye(10)
    edges = edges / edges.sum(axis=2, keepdims=True)
    near = edges @ x
    kind = 2 * (near[..., 0] + x[..., 1] > 0) + (near[..., 2] * 2 - x[..., 3] > 0)
    return [x.astype(np.float32), edges.astype(np.float32)], [kind.astype(np.int64)]


def described(rng: np.random.Generator, n: int) -> Arrays:
    """A scene and the words before each; the words: two for the shape, two for the colour."""
    (x,), (kind,) = data.scenes(rng, n)
    tint = rng.integers(0, 3, n)
    x[np.arange(n), :, :, tint] *= 2.5
    words = np.stack([1 + 2 * kind, 2 + 2 * kind, 9 + 2 * tint, 10 + 2 * tint], axis=1)
    before = np.pad(words[:, :-1], ((0, 0), (1, 0)))
    return [x, before.astype(np.int32)], [words.astype(np.int64)]


def two_texts(rng: np.random.Generator, n: int) -> Arrays:
    """Two texts of 12 tokens, one after the other; which of their halves have a common topic."""
    topics = rng.integers(0, 3, (n, 2))
    x = rng.integers(40, 120, (n, 2, 12))
    own = 1 + topics[..., None] * 12 + rng.integers(0, 12, (n, 2, 12))
    x = np.where(rng.uniform(size=x.shape) < 0.5, own, x)
    kind = np.where(topics[:, 0] == topics[:, 1], topics[:, 0], 3)
    return [x.reshape(n, 24).astype(np.int32)], [kind]


def visits(rng: np.random.Generator, n: int) -> Arrays:
    """12 features; how often something happened, which two of them multiply."""
    x = rng.normal(size=(n, 12)) * np.linspace(0.5, 3, 12) + 1
    rate = np.exp(3 + 0.6 * np.tanh(x[:, 0]) * np.sign(x[:, 3]) + 0.4 * np.tanh(x[:, 6]))
    return [x.astype(np.float32)], [rng.poisson(rate)[:, None].astype(np.float32)]


def noisy_code(k: Any) -> Any:
    """A variational autoencoder of fixed variance: noise on the code, which is kept small."""
    of, i = k.layers, k.Input((16, 16, 3))
    draw = {"kernel_initializer": "he_uniform", **SAME}
    x = of.Conv2D(16, 3, strides=2, activation="elu", name="down", **draw)(i)
    x = of.Conv2D(24, 3, strides=2, activation="elu", **draw)(x)
    x = of.Dense(24, name="mean")(of.Flatten()(x))
    x = of.GaussianNoise(0.1)(of.ActivityRegularization(l2=1e-5)(x))
    x = of.Reshape((4, 4, 16))(of.Dense(256, activation="elu", name="spread")(x))
    x = of.Conv2DTranspose(16, 3, strides=2, activation="elu", **draw)(x)
    x = of.Conv2DTranspose(3, 3, strides=2, name="picture", **SAME)(x)
    return k.Model(i, x)


def messages(k: Any) -> Any:
    """Each node gets the mean of its neighbours (graph convolution), in half precision."""
    of = k.layers
    nodes, edges = k.Input((10, 6), name="nodes"), k.Input((10, 10), name="edges")
    x, half = nodes, {"dtype": "mixed_bfloat16"}
    for n in range(2):
        y = of.Concatenate()([x, of.Dot(axes=(2, 1))([edges, x])])
        x = of.Dense(24, activation="relu", name=f"message{n}", **half)(y)
    x = of.Dense(16, activation="relu", **half)(x)
    return k.Model([nodes, edges], of.Dense(name="kinds", **SOFTMAX)(x))


def soft_trees(k: Any) -> Any:
    """Sixteen trees of depth 3: the leaf is a product of soft decisions."""
    of, i = k.layers, k.Input((20,))
    x = of.Dense(40, activation="tanh", kernel_initializer="lecun_normal", name="mixed")(i)
    leaves = [None]
    for n in range(3):
        yes = of.Dense(16, activation="sigmoid", name=f"split{n}")(x)
        no = of.Rescaling(-1.0, 1.0)(yes)
        sides = (yes, no)
        leaves = [s if a is None else of.Multiply()([a, s]) for a in leaves for s in sides]
    return k.Model(i, of.Dense(**SOFTMAX)(of.Concatenate()(leaves)))


def captions(k: Any) -> Any:
    """What an image shows, word for word: the image is the first state of an LSTM."""
    of = k.layers
    image, before = k.Input((16, 16, 3), name="image"), k.Input((4,), dtype="int32", name="before")
    x = of.Conv2D(12, 3, strides=2, activation="relu", name="edges", **SAME)(image)
    x = of.Conv2D(16, 3, strides=2, activation="relu", **SAME)(x)
    x = of.Flatten()(x)
    states = [of.Dense(24, activation="tanh", name=name)(x) for name in ("hidden", "cell")]
    y = of.Embedding(16, 16, name="words")(before)
    y = of.LSTM(24, return_sequences=True, name="says")(y, initial_state=states)
    y = of.Dense(20, activation="relu")(y)
    return k.Model([image, before], of.Dense(16, activation="softmax", name="next")(y))


def iterated(k: Any) -> Any:
    """One block that is applied three times with the same weights."""
    of, i = k.layers, k.Input((16, 16, 3))
    draw = {"kernel_initializer": k.initializers.VarianceScaling(0.5, "fan_out", "normal", seed=3)}
    x = of.Conv2D(16, 4, strides=4, kernel_initializer="orthogonal", name="patches")(i)
    norm, add = of.LayerNormalization(name="steady"), of.Add()
    wide = of.Conv2D(32, 3, activation="gelu", name="wide", **draw, **SAME)
    narrow = of.Conv2D(16, 1, **draw)
    for _ in range(3):
        x = add([x, narrow(wide(norm(x)))])
    return k.Model(i, of.Dense(**SOFTMAX)(of.Flatten()(x)))


def apart_in_time(k: Any) -> Any:
    """3D convolutions that are split into space and time (R(2+1)D)."""
    of, i = k.layers, k.Input((8, 8, 8, 1))
    x = i
    for n, width in enumerate((8, 16)):
        x = of.Conv3D(width, (1, 3, 3), strides=(1, 2, 2), use_bias=False, name=f"space{n}",
                      **SAME)(x)  # fmt: skip
        x = of.ReLU()(of.BatchNormalization(momentum=0.9)(x))
        x = of.Conv3D(width, (3, 1, 1), strides=(2, 1, 1), use_bias=False, **SAME)(x)
        x = of.ReLU()(of.BatchNormalization(momentum=0.9, name=f"norm{n}")(x))
    return k.Model(i, of.Dense(**SOFTMAX)(of.Flatten()(x)))


def decomposed(k: Any) -> Any:
    """Each word is compared with the words of the other text that it attends to."""
    of, i = k.layers, k.Input((24,), dtype="int32")
    x = of.Embedding(120, 16, name="words", embeddings_initializer="glorot_uniform")(i)
    sides = of.Cropping1D((0, 12))(x), of.Cropping1D((12, 0))(x)
    attend = of.AdditiveAttention(name="attend")
    compare = of.Dense(32, activation="relu", name="compare")
    pool = of.GlobalAveragePooling1D()
    both = []
    for own, other in (sides, sides[::-1]):
        both.append(pool(compare(of.Concatenate()([own, attend([own, other])]))))
    x = of.Dense(32, activation="relu")(of.Concatenate()(both))
    return k.Model(i, of.Dense(**SOFTMAX)(x))


def cosine(k: Any) -> Any:
    """Inverted blocks with ReLU6 and squeeze-excite; the class is the nearest direction."""
    of, i = k.layers, k.Input((16, 16, 3))
    x = of.Conv2D(12, 3, strides=2, use_bias=False, name="stem", **SAME)(i)
    x = of.ReLU(6.0)(of.BatchNormalization(momentum=0.9)(x))
    for n, width in enumerate((12, 20)):
        y = of.Conv2D(32, 1, use_bias=False, name=f"expand{n}")(x)
        y = of.ReLU(6.0)(of.BatchNormalization(momentum=0.9)(y))
        y = of.DepthwiseConv2D(3, strides=1 + n, use_bias=False, **SAME)(y)
        y = of.ReLU(6.0)(of.BatchNormalization(momentum=0.9)(y))
        z = of.Dense(8, activation="relu", name=f"squeeze{n}")(of.GlobalAveragePooling2D()(y))
        z = of.Reshape((1, 1, 32))(of.Dense(32, activation="sigmoid")(z))
        y = of.Conv2D(width, 1, use_bias=False, name=f"project{n}")(of.Multiply()([y, z]))
        y = of.BatchNormalization(momentum=0.9)(y)
        x = of.Add()([x, y]) if n == 0 else y
    x = of.UnitNormalization()(of.Dense(24, name="code")(of.GlobalAveragePooling2D()(x)))
    near = of.Dense(
        CLASSES, use_bias=False, kernel_constraint=k.constraints.UnitNorm(), name="axes"
    )
    return k.Model(i, of.Softmax()(of.Rescaling(10.0)(near(x))))


def counts(k: Any) -> Any:
    """A Poisson regression: the output is an exponential, the inputs are normalized first."""
    of, i = k.layers, k.Input((12,))
    x = of.BatchNormalization(scale=False, center=False, momentum=0.95, name="scaled")(i)
    for n in range(2):
        x = of.Dense(32, activation="softplus", name=f"hidden{n}", kernel_initializer="he_normal")(
            x
        )
    x = of.Dense(16, activation="tanh")(x)
    return k.Model(i, of.Dense(1, activation="exponential", name="rate")(x))


NINTH = (
    Net("noisy_code", data.copies, noisy_code, ("mse",), epochs=12, enough=0.6,
        options=(("beta_1", 0.5),)),
    Net("messages", graphs, messages, epochs=12, optimizer="AdamW", rate=5e-3,
        options=(("weight_decay", 0.005),)),
    Net("soft_trees", data.table, soft_trees, epochs=25, optimizer="Lion", rate=1e-3, enough=0.7),
    Net("captions", described, captions, epochs=10, optimizer="Nadam"),
    Net("iterated", data.images, iterated, epochs=12, options=(("amsgrad", True),)),
    Net("apart_in_time", fourth.volumes, apart_in_time, epochs=5, optimizer="SGD", rate=2e-2,
        options=(("momentum", 0.9),)),
    Net("decomposed", two_texts, decomposed, epochs=10, rate=5e-3, optimizer="Adamax", enough=0.7),
    Net("cosine", data.images, cosine, epochs=10, optimizer="Adagrad", rate=3e-2),
    Net("counts", visits, counts, ("poisson",), epochs=20, optimizer="RMSprop", rate=1e-3,
        enough=0.6, options=(("centered", True),)),
)  # fmt: skip
