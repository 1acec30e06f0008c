"""Builders and data of the third set of the restore benchmark.

Other networks than those of `first.py`, with other initializers and optimizers; some are
trained for long, others stop as soon as they have learnt their task.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.restore import nets as data
from benchmarks.restore.nets import CLASSES, Arrays, Net, compiled, fit

SOFTMAX = {"units": CLASSES, "activation": "softmax"}
TOKENS, SEEN = 300, 150  # rows of the tagger's embedding, and how many of them the data uses
CITIES, VISITED = 60, 35


def regions(rng: np.random.Generator, n: int) -> Arrays:
    """The images of `scenes`; targets are a map of round and a map of angular shapes."""
    (x,), (kind,) = data.scenes(rng, n)
    clean = (x.mean(axis=-1) > 0.45).astype(np.float32)
    around = np.isin(kind, (0, 2))[:, None, None]
    return [x], [np.stack([clean * around, clean * ~around], axis=-1)]


def filled(rng: np.random.Generator, n: int) -> Arrays:
    """The images of `scenes`; whether the shape is filled."""
    (x,), (kind,) = data.scenes(rng, n)
    return [x], [(kind < 2).astype(np.int64)]


def parts(rng: np.random.Generator, n: int) -> Arrays:
    """The series of `series`; their class, and the means of their four quarters."""
    (x,), (kind,) = data.series(rng, n)
    quarters = x[:, :, 0].reshape(n, 4, 10).mean(axis=-1)
    return [x], [kind, quarters[..., None].astype(np.float32) * 2]


def tags(rng: np.random.Generator, n: int) -> Arrays:
    """20 tokens; a tag for each that depends on the token before it too."""
    x = rng.integers(1, SEEN, (n, 20))
    tag = np.where(x > 100, 0, 1 + x % 2)
    before = np.pad(x, ((0, 0), (1, 0)))[:, :-1]
    return [x.astype(np.int32)], [np.where((before % 3 == 0) & (tag > 0), 3, tag)]


def motion(rng: np.random.Generator, n: int) -> Arrays:
    """Five frames of a spot, 10x10x1, that moves in one of four directions."""
    kind = rng.integers(0, CLASSES, n)
    step = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])[kind] * rng.uniform(0.8, 1.3, (n, 1))
    start = rng.uniform(3.5, 5.5, (n, 2)) - 2 * step
    places = start[:, None] + step[:, None] * np.arange(5)[:, None]
    rows, columns = np.mgrid[:10, :10]
    far = np.hypot(rows - places[..., :1, None], columns - places[..., 1:, None])
    x = np.exp(-(far**2) / 2) * 2 + rng.normal(0, 0.2, (n, 5, 10, 10))
    return [x[..., None].astype(np.float32)], [kind]


def customers(rng: np.random.Generator, n: int) -> Arrays:
    """Eight numbers of unequal scale and two categories; four classes."""
    x = rng.normal(size=(n, 8))
    city, branch = rng.integers(0, VISITED, (n, 1)), rng.integers(0, 12, (n, 1))
    high = x[:, 0] + 0.8 * x[:, 1] * x[:, 2] + (city[:, 0] % 5 - 2) * 0.8 > 0
    kind = 2 * high + (x[:, 3] + (branch[:, 0] % 3 - 1) * 1.2 > 0)
    numbers = (x * SCALES + SCALES).astype(np.float32)
    return [numbers, city.astype(np.int32), branch.astype(np.int32)], [kind.astype(np.int64)]


SCALES = np.array([1, 10, 100, 0.1, 5, 1, 2, 50])


def unet_bn(k: Any) -> Any:
    of, i = k.layers, k.Input((16, 16, 3))

    def unit(x: Any, width: int) -> Any:
        x = of.Conv2D(width, 3, padding="same", kernel_initializer="he_normal")(x)
        return of.LeakyReLU()(of.BatchNormalization(momentum=0.9)(x))

    high = unit(unit(i, 12), 12)
    low = unit(of.MaxPooling2D()(high), 24)
    bottom = unit(of.MaxPooling2D()(low), 32)
    up = {"strides": 2, "padding": "same", "kernel_initializer": "he_normal"}
    x = of.Concatenate()([of.Conv2DTranspose(24, 2, name="up_low", **up)(bottom), low])
    x = of.Concatenate()([of.Conv2DTranspose(12, 2, name="up_high", **up)(unit(x, 24)), high])
    return k.Model(i, of.Conv2D(2, 1, activation="sigmoid", name="maps")(unit(x, 12)))


def mobile(k: Any) -> Any:
    of, i = k.layers, k.Input((16, 16, 3))
    plain = {"use_bias": False, "padding": "same"}

    def norm(x: Any, name: str) -> Any:
        return of.BatchNormalization(momentum=0.9, epsilon=1e-4, name=name)(x)

    x = of.Conv2D(16, 3, strides=2, kernel_initializer="he_normal", name="stem", **plain)(i)
    x = of.ReLU(6.0)(norm(x, "stem_bn"))
    for n, (width, stride) in enumerate(((16, 1), (24, 2), (24, 1))):
        y = of.Conv2D(48, 1, kernel_initializer="he_normal", name=f"block{n}_expand", **plain)(x)
        y = of.ReLU(6.0)(norm(y, f"block{n}_expand_bn"))
        y = of.DepthwiseConv2D(3, strides=stride, name=f"block{n}_depthwise", **plain)(y)
        y = of.ReLU(6.0)(norm(y, f"block{n}_depthwise_bn"))
        y = of.Conv2D(width, 1, kernel_initializer="he_normal", name=f"block{n}_project", **plain)(
            y
        )
        y = norm(y, f"block{n}_project_bn")
        x = of.Add()([x, y]) if x.shape[-1] == width and stride == 1 else y
    x = of.Dropout(0.1)(of.GlobalAveragePooling2D()(x))
    return k.Model(i, of.Dense(**SOFTMAX, name="predictions")(x))


def vit(k: Any) -> Any:
    of, i = k.layers, k.Input((16, 16, 3))
    draw = k.initializers.TruncatedNormal(stddev=0.08)
    x = of.Reshape((16, 24))(of.Conv2D(24, 4, strides=4, name="patches")(i))
    x = of.EinsumDense("bpc,cd->bpd", (16, 24), bias_axes="pd", name="places")(x)
    for _ in range(2):
        y = of.LayerNormalization(epsilon=1e-6)(x)
        x = of.Add()([x, of.MultiHeadAttention(2, 12, kernel_initializer=draw)(y, y)])
        y = of.LayerNormalization(epsilon=1e-6)(x)
        y = of.Dense(48, activation="gelu", kernel_initializer=draw)(y)
        x = of.Add()([x, of.Dense(24, kernel_initializer=draw)(y)])
    x = of.GlobalAveragePooling1D()(of.LayerNormalization(name="last_norm")(x))
    return k.Model(i, of.Dense(**SOFTMAX, kernel_initializer=draw, name="head")(x))


def encoder(k: Any) -> Any:
    of, i = k.layers, k.Input((40, 2))
    x = of.Conv1D(16, 4, strides=2, activation="relu", kernel_initializer="glorot_normal")(i)
    x = of.GRU(24, return_sequences=True, kernel_initializer="lecun_normal", name="gru_low")(x)
    code = of.Dense(20, activation="tanh", name="code")(of.GRU(24, name="gru_high")(x))
    again = of.GRU(16, return_sequences=True, name="decoder")(of.RepeatVector(4)(code))
    means = of.TimeDistributed(of.Dense(1), name="means")(again)
    return k.Model(i, [of.Dense(**SOFTMAX, name="kind")(code), means])


def tags_bilstm(k: Any) -> Any:
    of = k.layers
    table = of.Embedding(TOKENS, 16, embeddings_initializer="random_normal")
    reader = of.Bidirectional(of.LSTM(16, return_sequences=True))
    stack = [table, of.Dropout(0.1), reader, of.Dense(20, activation="relu")]
    return k.Sequential([k.Input((20,), dtype="int32"), *stack, of.Dense(**SOFTMAX)])


def tcn(k: Any) -> Any:
    of, i = k.layers, k.Input((40, 2))
    x = of.Conv1D(16, 1, kernel_initializer="glorot_normal", name="widen")(i)
    for dilation in (1, 2, 4):
        y = x
        for part in "ab":
            y = of.Conv1D(
                16, 3, padding="causal", dilation_rate=dilation,
                kernel_initializer="glorot_normal", name=f"dilated{dilation}{part}",
            )(y)  # fmt: skip
            y = of.ReLU()(of.LayerNormalization(name=f"norm{dilation}{part}")(y))
        x = of.Add()([x, of.SpatialDropout1D(0.05)(y)])
    last = of.Flatten()(of.Cropping1D((36, 0))(x))
    return k.Model(i, of.Dense(4, name="next")(last))


def clips(k: Any) -> Any:
    of, i = k.layers, k.Input((5, 10, 10, 1))
    gates = {"padding": "same", "recurrent_activation": "sigmoid"}
    x = of.ConvLSTM2D(6, 3, return_sequences=True, name="first", **gates)(i)
    x = of.ConvLSTM2D(8, 3, name="second", kernel_initializer="he_uniform", **gates)(x)
    x = of.Conv2D(12, 3, activation="relu", kernel_initializer="he_uniform")(x)
    x = of.Flatten()(of.AveragePooling2D(2)(x))
    return k.Model(i, of.Dense(**SOFTMAX)(x))


def denoiser(k: Any) -> Any:
    of = k.layers
    draw = {"kernel_initializer": "lecun_uniform"}
    stack = [of.Conv2D(12, 4, strides=2, padding="same", **draw), of.BatchNormalization()]
    stack += [of.ELU(), of.Conv2D(16, 4, strides=2, padding="same", **draw)]
    stack += [of.BatchNormalization(), of.ELU(), of.Flatten(), of.Dense(32, **draw)]
    stack += [of.Dense(256, activation="elu", **draw), of.Reshape((4, 4, 16)), of.UpSampling2D()]
    stack += [of.Conv2D(16, 3, padding="same", **draw), of.ELU(), of.UpSampling2D()]
    return k.Sequential([k.Input((16, 16, 3)), *stack, of.Conv2D(1, 3, padding="same", **draw)])


def tabular(k: Any) -> Any:
    of = k.layers
    numbers = k.Input((8,), name="numbers")
    city = k.Input((1,), dtype="int32", name="city")
    branch = k.Input((1,), dtype="int32", name="branch")
    scaled = of.Normalization(mean=list(SCALES), variance=list(SCALES**2))(numbers)
    first = of.Flatten()(of.Embedding(CITIES, 8, "random_normal", name="cities")(city))
    second = of.Flatten()(of.Embedding(12, 4, name="branches")(branch))
    draw = {"kernel_initializer": "lecun_normal"}
    x = of.Dense(32, activation="selu", **draw)(of.Concatenate()([scaled, first, second]))
    for n in range(2):
        y = of.Dense(32, name=f"block{n}_in", **draw)(of.GroupNormalization(4)(x))
        y = of.Dense(32, name=f"block{n}_out", **draw)(of.Activation("selu")(y))
        x = of.Add()([x, y])
    return k.Model([numbers, city, branch], of.Dense(**SOFTMAX)(x))


def transferred(k: Any) -> Any:
    of = k.layers
    draw = {"kernel_initializer": "he_uniform", "use_bias": False, "padding": "same"}
    stack = []
    for width in (12, 16, 24):
        stack += [of.Conv2D(width, 3, **draw), of.BatchNormalization(momentum=0.9), of.ReLU()]
        stack += [of.MaxPooling2D()]
    base = k.Sequential([k.Input((16, 16, 3)), *stack], name="base")
    base.trainable = False
    x = of.GlobalAveragePooling2D()(base.outputs[0])
    x = of.Dense(32, activation="relu", name="neck")(x)
    return k.Model(base.inputs[0], of.Dense(2, activation="softmax", name="head")(x))


def learn_base(k: Any, net: Net, model: Any, seed: int) -> None:
    """Train the convolutions on another task, then freeze them again."""
    frozen = [layer for layer in model.layers if not layer.trainable]
    for layer in frozen:
        layer.trainable = True
    last = next(x for x in model.layers if "global" in x.name).output
    whole = k.Model(model.input, k.layers.Dense(**SOFTMAX)(last))
    whole.compile(k.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", jit_compile=False)
    fit(whole, data.scenes(np.random.default_rng(seed + 11), 2048), 15)
    for layer in frozen:
        layer.trainable = False
    model.compile(compiled(k, net).optimizer, net.losses[0], jit_compile=False)


_MSE, _BINARY = ("mse",), ("binary_crossentropy",)
_BOTH = ("sparse_categorical_crossentropy", "mse")
_MOMENTUM = (("momentum", 0.9),)
THIRD = (
    Net("unet_bn", regions, unet_bn, _BINARY, epochs=20, optimizer="RMSprop", enough=0.6),
    Net("mobile", data.images, mobile, epochs=20, rate=5e-2, optimizer="SGD", options=_MOMENTUM),
    Net("vit", data.images, vit, epochs=25, optimizer="AdamW", options=(("weight_decay", 0.01),)),
    Net("encoder", parts, encoder, _BOTH, epochs=6, rounds=8, enough=0.6, optimizer="Nadam"),
    Net("tags_bilstm", tags, tags_bilstm, epochs=2, rounds=20, rate=5e-3, optimizer="Nadam"),
    Net("tcn", data.forecast, tcn, _MSE, epochs=1, rounds=30, optimizer="RMSprop", enough=0.7),
    Net("clips", motion, clips, epochs=1, rounds=30, rate=5e-3),
    Net("denoiser", data.masks, denoiser, _MSE, epochs=40, options=(("clipnorm", 1.0),)),
    Net("tabular", customers, tabular, epochs=40, rate=1e-2, optimizer="SGD",
        options=(*_MOMENTUM, ("nesterov", True))),
    Net("transferred", filled, transferred, epochs=8, before=learn_base),
)  # fmt: skip
