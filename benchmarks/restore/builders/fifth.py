"""Builders and data of the fifth set of the restore benchmark: further families of networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.restore import nets as data
from benchmarks.restore.nets import CLASSES, Arrays, Net

SOFTMAX = {"units": CLASSES, "activation": "softmax"}
_SEGMENTS = ("1110111", "0010010", "1011101", "1011011", "0111010", "1101011", "1101111",
             "1010010", "1111111", "1111011")  # fmt: skip


def digits(rng: np.random.Generator, n: int) -> Arrays:
    """The ten digits of a seven-segment display, 12x12x1, at random places and sizes."""
    kind = rng.integers(0, 10, n)
    x = np.zeros((n, 12, 12))
    for image, digit in zip(x, kind, strict=True):
        height, width = int(rng.integers(7, 10)) // 2 * 2 + 1, int(rng.integers(4, 7))
        top, left = int(rng.integers(0, 12 - height)), int(rng.integers(0, 12 - width))
        part, half = image[top : top + height, left : left + width], height // 2
        places = (part[0], part[: half + 1, 0], part[: half + 1, -1], part[half],
                  part[half:, 0], part[half:, -1], part[-1])  # fmt: skip
        for place, lit in zip(places, _SEGMENTS[digit], strict=True):
            if lit == "1":
                place[...] = 1
    x = x * rng.uniform(0.7, 1.3, (n, 1, 1)) + rng.normal(0, 0.15, x.shape)
    return [x[..., None].astype(np.float32)], [kind]


def spectrograms(rng: np.random.Generator, n: int) -> Arrays:
    """A tone that rises, falls, stays or trembles: 24 steps of 16 bands."""
    kind = rng.integers(0, CLASSES, n)
    t = np.linspace(0, 1, 24)
    start = rng.uniform(5, 10, (n, 1))
    slope = rng.uniform(3, 5, (n, 1)) * t
    tremble = 2 * np.sin(2 * np.pi * t * rng.uniform(2, 4, (n, 1)))
    forms = np.stack([start + slope, start - slope, start + 0 * slope, start + tremble])
    band = forms[kind, np.arange(n)]
    x = np.exp(-0.5 * (np.arange(16) - band[..., None]) ** 2)
    x = x + np.abs(rng.normal(0, 0.25, x.shape))
    return [x[..., None].astype(np.float32)], [kind]


def repeated(rng: np.random.Generator, n: int) -> Arrays:
    """Waves of random phase, period and size, 16 steps; the input is the target."""
    t = np.arange(16) * rng.uniform(0.25, 0.5, (n, 1)) + rng.uniform(0, 6.3, (n, 1))
    x = (np.sin(t) * rng.uniform(0.5, 1.5, (n, 1)))[..., None].astype(np.float32)
    return [x], [x]


def asked(rng: np.random.Generator, n: int) -> Arrays:
    """An image of `scenes` and one of six questions; the answer depends on both."""
    (x,), (kind,) = data.scenes(rng, n)
    question = rng.integers(0, 6, (n, 1))
    return [x, question], [(kind + question[:, 0]) % CLASSES]


def labels(rng: np.random.Generator, n: int) -> Arrays:
    """Up to 20 words, padded with 0; for each of five subjects, whether two words are about it."""
    x = rng.integers(1, 200, (n, 20))
    x = np.where(np.arange(20) < rng.integers(8, 21, (n, 1)), x, 0)
    about = np.stack([((x > 40 * s) & (x <= 40 * s + 24)).sum(axis=1) > 1 for s in range(5)])
    return [x.astype(np.int32)], [about.T.astype(np.float32)]


def enlarged(rng: np.random.Generator, n: int) -> Arrays:
    """The images of `images` at half the size; the targets are the images, 16x16x3."""
    (x,), _ = data.images(rng, n)
    smooth = (x + np.roll(x, 1, 1) + np.roll(x, 1, 2) + np.roll(x, (1, 1), (1, 2))) / 4
    return [smooth[:, ::2, ::2]], [smooth]


def highway(k: Any) -> Any:
    of, i = k.layers, k.Input((12, 12, 1))
    x = of.Dense(48, activation="selu", kernel_initializer="lecun_normal")(of.Flatten()(i))
    for n in range(3):
        closed = k.initializers.Constant(-1.0)
        gate = of.Dense(48, activation="sigmoid", bias_initializer=closed, name=f"carry{n}")(x)
        new = of.Dense(48, activation="selu", kernel_initializer="lecun_normal")(x)
        x = of.Add()([x, of.Multiply()([gate, of.Subtract()([new, x])])])
    x = of.AlphaDropout(0.05)(x)
    return k.Model(i, of.Dense(10, activation="softmax", name="digit")(x))


def crnn(k: Any) -> Any:
    of, i = k.layers, k.Input((24, 16, 1))
    x = i
    for n, width in enumerate((8, 16)):
        x = of.Conv2D(width, 3, padding="same", use_bias=False, name=f"filters{n}")(x)
        x = of.ELU()(of.BatchNormalization(momentum=0.9, name=f"filters{n}_norm")(x))
        x = of.MaxPooling2D((1, 4))(x)
    x = of.Reshape((24, 16))(x)
    x = of.Bidirectional(of.GRU(20, return_sequences=True, reset_after=False), name="both")(x)
    x = of.GRU(20)(x)
    return k.Model(i, of.Dense(**SOFTMAX)(x))


def rnn_auto(k: Any) -> Any:
    of, i = k.layers, k.Input((16, 1))
    x = of.SimpleRNN(32, return_sequences=True)(i)
    x = of.LSTM(32, name="code")(x)
    x = of.Dense(8, activation="tanh", kernel_initializer="glorot_normal", name="narrow")(x)
    x = of.LSTM(32, return_sequences=True)(of.RepeatVector(16)(x))
    return k.Model(i, of.TimeDistributed(of.Dense(1), name="out")(x))


def modulated(k: Any) -> Any:
    of = k.layers
    i, question = k.Input((16, 16, 3)), k.Input((1,), dtype="int32")
    q = of.Flatten()(
        of.Embedding(6, 12, embeddings_initializer="he_normal", name="asked")(question)
    )
    x = of.Conv2D(16, 5, strides=2, padding="same", activation="relu", name="stem")(i)
    for _ in range(2):
        x = of.LayerNormalization()(of.Conv2D(24, 3, padding="same")(x))
        scale, shift = (of.Reshape((1, 1, 24))(of.Dense(24)(q)) for _ in range(2))
        x = of.ReLU()(of.Add()([of.Multiply()([x, scale]), shift]))
    x = of.Concatenate()([of.GlobalMaxPooling2D()(x), q])
    x = of.Dense(48, activation="relu", kernel_initializer="he_normal", name="mix")(x)
    return k.Model([i, question], of.Dense(**SOFTMAX, name="answer")(x))


def preact(k: Any) -> Any:
    of, i = k.layers, k.Input((16, 16, 3))
    kind = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    kind["kernel_regularizer"] = "l2"
    x = of.Conv2D(16, 3, **kind, name="stem")(i)
    for n, width in enumerate((16, 24, 32)):
        y = of.ReLU()(of.BatchNormalization(momentum=0.95, name=f"unit{n}_norm")(x))
        short = of.Conv2D(width, 1, strides=2, **kind, name=f"unit{n}_short")(y)
        y = of.Conv2D(width, 3, strides=2, **kind)(y)
        y = of.ReLU()(of.BatchNormalization(momentum=0.95)(y))
        x = of.Add()([short, of.Conv2D(width, 3, **kind)(y)])
    x = of.GlobalAveragePooling2D()(of.ReLU()(of.BatchNormalization(momentum=0.95)(x)))
    return k.Model(i, of.Dense(**SOFTMAX, name="classes")(x))


def bag(k: Any) -> Any:
    of, i = k.layers, k.Input((20,), dtype="int32")
    x = of.Embedding(200, 24, mask_zero=True, name="words")(i)
    x = of.GlobalAveragePooling1D()(x)
    x = of.Dense(64, activation="relu")(of.Dropout(0.1)(x))
    x = of.Dense(32, activation="relu", kernel_initializer="glorot_normal", name="topics")(x)
    return k.Model(i, of.Dense(5, activation="sigmoid", name="subjects")(x))


def super_resolution(k: Any) -> Any:
    of, i = k.layers, k.Input((8, 8, 3))
    x = of.Conv2D(24, 5, padding="same", activation="relu", name="features")(i)
    y = of.SeparableConv2D(24, 3, padding="same", activation="relu")(x)
    x = of.Add()([x, of.Conv2D(24, 3, padding="same", name="residual")(y)])
    x = of.Conv2DTranspose(16, 4, strides=2, padding="same", activation="relu", name="grow")(x)
    plain = of.UpSampling2D(interpolation="bilinear")(i)
    return k.Model(i, of.Add()([plain, of.Conv2D(3, 3, padding="same")(x)]))


_MOMENTUM = (("momentum", 0.9),)
FIFTH = (
    Net("highway", digits, highway, epochs=20, optimizer="Adamax", rate=4e-3),
    Net("crnn", spectrograms, crnn, epochs=8, optimizer="RMSprop", rate=2e-3),
    Net("rnn_auto", repeated, rnn_auto, ("mse",), epochs=15, rate=4e-3),
    Net("modulated", asked, modulated, epochs=15, optimizer="AdamW",
        options=(("weight_decay", 0.004),)),
    Net("preact", data.images, preact, epochs=8, optimizer="SGD", rate=2e-2, options=_MOMENTUM),
    Net("bag", labels, bag, ("binary_crossentropy",), epochs=25, rate=1e-2, optimizer="Nadam",
        enough=0.6),
    Net("super_resolution", enlarged, super_resolution, ("mse",), epochs=10, enough=0.6),
)  # fmt: skip
