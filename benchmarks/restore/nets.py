"""Networks and procedural data of the restore benchmark, and how each network is trained.

Every builder takes the Keras module (`keras` or `tf_keras`), so that one network exists in both
versions of Keras. Half of the layers are named, the others keep automatic names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = tuple[list[np.ndarray], list[np.ndarray]]
CLASSES = 4


def images(rng: np.random.Generator, n: int) -> Arrays:
    """Stripes in four directions, 16x16x3, on a noisy background; the direction is the class."""
    kind = rng.integers(0, CLASSES, n)
    rows, columns = np.mgrid[:16, :16]
    axes = np.stack([rows, columns, (rows + columns) / 1.4, (rows - columns) / 1.4])
    phase, period = rng.uniform(0, 6.3, (n, 1, 1)), rng.uniform(3, 6, (n, 1, 1))
    waves = np.sin(axes[kind] * 2 * np.pi / period + phase)
    x = waves[..., None] * rng.uniform(0.4, 1, (n, 1, 1, 3)) + rng.normal(0, 0.5, (n, 16, 16, 3))
    return [x.astype(np.float32)], [kind]


def scenes(rng: np.random.Generator, n: int) -> Arrays:
    """A disc, a square, a ring or a cross at a random place, 16x16x3."""
    kind = rng.integers(0, CLASSES, n)
    rows, columns = np.mgrid[:16, :16]
    dy = rows - rng.uniform(5, 11, (n, 1, 1))
    dx = columns - rng.uniform(5, 11, (n, 1, 1))
    far = np.hypot(dy, dx)
    shapes = np.stack(
        [far < 4, (abs(dy) < 3.5) & (abs(dx) < 3.5), (far < 4.5) & (far > 2.5),
         ((abs(dy) < 1.2) | (abs(dx) < 1.2)) & (far < 5)]
    )  # fmt: skip
    x = shapes[kind, np.arange(n)][..., None] * rng.uniform(0.6, 1.4, (n, 1, 1, 3))
    return [(x + rng.normal(0, 0.25, (n, 16, 16, 3))).astype(np.float32)], [kind]


def masks(rng: np.random.Generator, n: int) -> Arrays:
    """The images of `scenes`; the target is the noise-free shape."""
    (x,), _ = scenes(rng, n)
    clean = (x.mean(axis=-1, keepdims=True) > 0.45).astype(np.float32)
    return [x], [clean]


def copies(rng: np.random.Generator, n: int) -> Arrays:
    """The images of `scenes`, which are also the targets."""
    (x,), _ = scenes(rng, n)
    return [x], [x]


def series(rng: np.random.Generator, n: int) -> Arrays:
    """Sine, square, saw or chirp, 40 steps of two channels."""
    kind = rng.integers(0, CLASSES, n)
    t = np.linspace(0, 1, 40) * rng.uniform(2, 4, (n, 1)) + rng.uniform(0, 1, (n, 1))
    forms = np.stack(
        [np.sin(2 * np.pi * t), np.sign(np.sin(2 * np.pi * t)), 2 * (t % 1) - 1,
         np.sin(2 * np.pi * t * t)]
    )  # fmt: skip
    wave = forms[kind, np.arange(n)]
    x = np.stack([wave, np.roll(wave, 3, axis=1)], axis=-1) + rng.normal(0, 0.15, (n, 40, 2))
    return [x.astype(np.float32)], [kind]


def steps(rng: np.random.Generator, n: int) -> Arrays:
    """The series; the target is the running mean of both channels at each step."""
    (x,), _ = series(rng, n)
    mean = np.cumsum(x.mean(axis=-1), axis=1) / np.arange(1, x.shape[1] + 1)
    return [x], [mean[..., None].astype(np.float32) * 3]


def forecast(rng: np.random.Generator, n: int) -> Arrays:
    """The first 36 steps of the series; the target is what follows."""
    (x,), _ = series(rng, n)
    return [np.pad(x[:, :36], ((0, 0), (4, 0), (0, 0)))], [x[:, 36:38].reshape(n, 4)]


def tokens(rng: np.random.Generator, n: int) -> Arrays:
    """24 tokens of 120; each class has 12 tokens of its own, which stand in a third of places."""
    kind = rng.integers(0, CLASSES, n)
    x = rng.integers(49, 120, (n, 24))
    own = 1 + kind[:, None] * 12 + rng.integers(0, 12, (n, 24))
    return [np.where(rng.uniform(size=(n, 24)) < 0.3, own, x).astype(np.int32)], [kind]


def table(rng: np.random.Generator, n: int) -> Arrays:
    """20 features; two products of features decide the class."""
    x = rng.normal(size=(n, 20))
    kind = 2 * (x[:, 0] * x[:, 1] + 0.5 * x[:, 4] > 0) + (x[:, 2] + x[:, 3] * x[:, 5] > 0)
    return [x.astype(np.float32)], [kind.astype(np.int64)]


def both(rng: np.random.Generator, n: int) -> Arrays:
    """An image and six numbers; class of the image, and a sum that depends on the class."""
    (x,), (kind,) = scenes(rng, n)
    numbers = rng.normal(size=(n, 6)).astype(np.float32)
    total = numbers[:, :3].sum(axis=1) * (1 + kind) / 2
    return [x, numbers], [kind, total[:, None].astype(np.float32)]


def pairs(rng: np.random.Generator, n: int) -> Arrays:
    """Two images of `images`; whether their classes are equal."""
    (x,), (kind,) = images(rng, 2 * n)
    same = rng.uniform(size=n) < 0.5
    order = np.argsort(kind[n:], kind="stable") + n
    starts = np.searchsorted(kind[order], kind[:n])
    equal = order[np.minimum(starts + rng.integers(0, n // 8, n), n - 1)]
    second = np.where(same, equal, np.arange(n, 2 * n))
    answer = (kind[:n] == kind[second]).astype(np.int64)
    return [x[:n], x[second]], [answer]


@dataclass(frozen=True)
class Net:
    """One network: its data, its builder, and what its outputs are."""

    name: str
    data: Callable[[np.random.Generator, int], Arrays]
    build: Callable[[Any], Any]
    losses: tuple[str, ...] = ("sparse_categorical_crossentropy",)
    epochs: int = 12  # of one round of training
    rate: float = 3e-3
    rounds: int = 3  # at most: training ends with the round that is good enough
    enough: float = 0.75
    optimizer: str = "Adam"
    options: tuple[tuple[str, Any], ...] = ()
    before: Callable[[Any, Net, Any, int], None] | None = None  # trains a base that is then frozen


def compiled(k: Any, net: Net, *, rate: float | None = None, **options: Any) -> Any:
    """A new network with initial values, compiled."""
    model = net.build(k)
    kind = getattr(k.optimizers, net.optimizer)
    optimizer = kind(rate or net.rate, **{**dict(net.options), **options})
    loss = list(net.losses) if len(net.losses) > 1 else net.losses[0]
    model.compile(optimizer, loss, jit_compile=False)
    return model


def fit(model: Any, data: Arrays, epochs: int) -> None:
    x, y = (a[0] if len(a) == 1 else a for a in data)
    model.fit(x, y, epochs=epochs, batch_size=64, verbose=0)


def works(model: Any, net: Net, data: Arrays) -> float:
    """Accuracy of the worst class output, or R2 of the worst other output."""
    x, y = data
    answers = model.predict(x[0] if len(x) == 1 else x, verbose=0)
    return score(net, y, answers if len(y) > 1 else [answers])


def score(net: Net, truths: list[np.ndarray], answers: list[np.ndarray]) -> float:
    """Accuracy of the worst class output, or R2 of the worst other output."""
    scores = []
    for loss, truth, answer in zip(net.losses, truths, answers, strict=True):
        if loss.startswith("sparse"):
            scores.append(float(np.mean(answer.argmax(axis=-1) == truth)))
        else:
            scores.append(1 - float(np.mean((answer - truth) ** 2) / np.var(truth)))
    return min(scores)


def train(k: Any, net: Net, seed: int, data: Arrays | None = None, **options: Any) -> Any:
    """Train until the network works.

    Raises:
        RuntimeError: accuracy or R2 stays under what is enough.
    """
    k.utils.set_random_seed(seed)
    data = data or net.data(np.random.default_rng(seed), 2048)
    held = net.data(np.random.default_rng(seed + 1), 512)
    model = compiled(k, net, **options)
    if net.before:
        net.before(k, net, model, seed)
    for _ in range(net.rounds):
        fit(model, data, net.epochs)
        if works(model, net, held) >= net.enough:
            return model
    raise RuntimeError(f"{net.name} was not learnt: {works(model, net, held):.2f}")


def leaves(model: Any) -> list[Any]:
    """All layers with weights, those of nested models included, each once."""
    found: list[Any] = []
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found += leaves(layer)
        elif layer.weights:
            found.append(layer)
    return list(dict.fromkeys(found))


def aliases(model: Any) -> dict[Any, list[str]]:
    """What files call each layer: its name, and its keys in v3 weights and in checkpoints."""
    counts: Counter[str] = Counter()
    found: dict[Any, list[str]] = {}
    trained = {id(w): i for i, w in enumerate(model.trainable_weights)}
    places = {id(w): i for i, w in enumerate(model.weights)}
    weighty = [layer for layer in model.layers if layer.weights]
    for place, layer in enumerate(getattr(model, "operations", model.layers)):
        kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(layer).__name__).lower()
        kind = re.sub(r"(\d)_?d\b", r"\1d", kind)
        key = f"{kind}_{counts[kind]}" if counts[kind] else kind
        counts[kind] += 1
        if hasattr(layer, "layers"):
            found |= aliases(layer)
        elif getattr(layer, "weights", None):
            numbers = [trained[id(w)] for w in layer.weights if id(w) in trained]
            found[layer] = [
                *(str(layer.name), key, f"_operations/{place}"),
                f"layer_with_weights-{weighty.index(layer)}",
                *(f"_trainable_variables/{i}" for i in numbers),
                *(f"variables/{places[id(w)]}" for w in layer.weights),
            ]
    return found


def as_legacy(tf_keras: Any, net: Net, model: Any, seed: int) -> Any:
    """The same network in tf-keras, trained for one epoch more, so that its optimizer has state."""
    tf_keras.utils.set_random_seed(seed)
    twin = compiled(tf_keras, net, rate=net.rate / 10)
    for old, new in zip(leaves(model), leaves(twin), strict=True):
        new.set_weights(old.get_weights())
    fit(twin, net.data(np.random.default_rng(seed), 512), 1)
    return twin
