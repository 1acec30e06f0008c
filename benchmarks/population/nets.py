"""The networks of the population: every property is drawn by the number of the network.

Networks of the families in `APART` stay out of everything until a first look at the end: they are
neither fitted nor used in cross-validation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.feeds.forms import CONVENTIONS
from benchmarks.population.data import FAMILIES, drawn

APART = {
    "body": ("attention", "dense connections"),
    "data": ("photograph", "presence"),
    "task": ("multi-label",),
    "saver": ("weights",),
}
BODIES = {
    "image": ("plain", "plain", "residual", "residual", "depthwise", "layer norm", "dense"),
    "series": ("series", "recurrent"),
    "table": ("dense",),
}
DATA = ("letters", "objects", "textures", "digits", "signs", "signs", "roads", "sizes", "waves",
        "tables", "letters", "digits", "objects")  # fmt: skip
SHAPES = ((16, 16), (20, 20), (20, 28), (24, 24))
TRAINED, TESTED = 640, 640


@dataclass(frozen=True)
class Net:
    """One network and its training.

    `steps` batches of 32; `noise`: the share of training labels that are wrong; `fault`: what is
    wrong with the training, if anything.
    """

    number: int
    body: str
    data: str
    task: str
    saver: str
    shape: tuple[int, ...]
    classes: int
    channels: int
    convention: str
    width: int
    activation: str
    initializer: str
    head: str
    momentum: float
    steps: int
    rate: float
    noise: float
    mirrored: bool
    fault: str

    @property
    def image(self) -> bool:
        return FAMILIES[self.data].kind == "image"

    @property
    def apart(self) -> bool:
        """Whether it is kept for the first look."""
        return any(getattr(self, key) in names for key, names in APART.items())

    @property
    def described(self) -> dict[str, Any]:
        return asdict(self)


def net(number: int) -> Net:
    """Network `number`.

    Three in a row have one architecture and one family of data; every sixth three have a property
    of `APART`.
    """
    group = number // 3
    rng = np.random.default_rng(880_000 + group)
    own = np.random.default_rng(990_000 + number)

    def one(of: Any, by: np.random.Generator = rng) -> Any:
        return of[int(by.integers(len(of)))]

    data = one(DATA)
    saver = one(("keras", "keras", "keras", "h5", "h5", "export"), own)
    kind = group // 6 % 4 if group % 6 == 5 else -1
    if kind == 2:
        data = APART["data"][group // 24 % 2]
    if kind == 3:
        saver = "weights"
    family = FAMILIES[data]
    body = one(BODIES[family.kind])
    if kind in {0, 1}:
        data = one(("letters", "objects", "digits", "signs"))
        family, body = FAMILIES[data], APART["body"][kind]
    grey = family.kind != "image" or (not family.colours and rng.random() < 0.35)
    conventions = [name for name in CONVENTIONS if not (grey and name == "caffe")]
    shape = (
        one(SHAPES) if family.kind == "image" else {"series": (64,), "table": (12,)}[family.kind]
    )
    if body == "attention":
        shape = one(((16, 16), (20, 20), (24, 24)))
    fault = one(
        ("", "", "", "", "", "", "", "untouched", "shuffled labels", "one class", "tiny rate"), own
    )
    head = {"regression": "linear", "multi-label": "sigmoids"}.get(
        family.task, one(("softmax", "softmax", "logits"))
    )
    return Net(
        number, body, data, family.task, saver, shape, one(family.classes),
        1 if grey else 3,
        one(conventions, own) if family.kind == "image" else "as it is",
        one((12, 16, 24)),
        one(("relu", "relu", "relu", "elu", "swish")),
        one(("glorot_uniform", "glorot_uniform", "he_normal", "he_uniform")),
        head,
        one((0.9, 0.9, 0.95)),
        int(np.exp(own.uniform(np.log(25), np.log(420)))),
        float(np.exp(own.uniform(np.log(1.5e-3), np.log(6e-3)))),
        one((0.0, 0.0, 0.0, 0.2, 0.45), own),
        # `Model.export` of Keras 3 makes a graph that draws flips when it is run.
        bool(
            family.kind == "image" and family.task == "classes" and rng.random() < 0.2
            and saver != "export"
        ),
        fault if family.task == "classes" or fault in {"untouched", "tiny rate"} else "",
    )  # fmt: skip


# ---- architectures ------------------------------------------------------------------------------


def _act(k: Any, x: Any, n: Net) -> Any:
    return k.layers.Activation(n.activation)(x)


def _conv(k: Any, x: Any, n: Net, width: int, size: int = 3, stride: int = 1, **more: Any) -> Any:
    options = {"padding": "same", "kernel_initializer": n.initializer} | more
    return k.layers.Conv2D(width, size, stride, **options)(x)


def _batch(k: Any, x: Any, n: Net) -> Any:
    return k.layers.BatchNormalization(momentum=n.momentum)(x)


def plain(k: Any, x: Any, n: Net) -> Any:
    for level in range(3):
        x = _act(k, _conv(k, x, n, n.width * (level + 2) // 2), n)
        x = k.layers.MaxPooling2D()(x)
    return k.layers.Dense(32, n.activation, kernel_initializer=n.initializer)(k.layers.Flatten()(x))


def residual(k: Any, x: Any, n: Net) -> Any:
    x = _act(k, _batch(k, _conv(k, x, n, n.width, use_bias=False), n), n)
    for stride in (2, 2):
        width = x.shape[-1] * 3 // 2
        short = _conv(k, x, n, width, 1, stride, use_bias=False)
        y = _act(k, _batch(k, _conv(k, x, n, width, 3, stride, use_bias=False), n), n)
        y = _batch(k, _conv(k, y, n, width, use_bias=False), n)
        x = _act(k, k.layers.Add()([short, y]), n)
    return k.layers.GlobalAveragePooling2D()(x)


def depthwise(k: Any, x: Any, n: Net) -> Any:
    x = _act(k, _batch(k, _conv(k, x, n, n.width, 3, 1, use_bias=False), n), n)
    for width in (2 * n.width, 3 * n.width):
        x = k.layers.DepthwiseConv2D(3, 2, "same", use_bias=False)(x)
        x = _act(k, _batch(k, x, n), n)
        x = _act(k, _batch(k, _conv(k, x, n, width, 1, use_bias=False), n), n)
    return k.layers.GlobalAveragePooling2D()(x)


def layer_norm(k: Any, x: Any, n: Net) -> Any:
    """Blocks of a depthwise convolution, layer normalization and two dense layers."""
    x = k.layers.LayerNormalization()(_conv(k, x, n, 2 * n.width, 2, 2))
    for _ in range(2):
        y = k.layers.DepthwiseConv2D(5, padding="same")(x)
        y = k.layers.Dense(3 * n.width, "gelu")(k.layers.LayerNormalization()(y))
        x = k.layers.Add()([x, k.layers.Dense(2 * n.width)(y)])
        x = x if x.shape[1] < 8 else k.layers.AveragePooling2D(2)(x)
    return k.layers.LayerNormalization()(k.layers.GlobalAveragePooling2D()(x))


def dense(k: Any, x: Any, n: Net) -> Any:
    x = k.layers.Flatten()(x) if len(x.shape) > 2 else x
    for width in (4 * n.width, 2 * n.width):
        x = k.layers.Dense(width, kernel_initializer=n.initializer)(x)
        x = _act(k, _batch(k, x, n) if n.width > 12 else x, n)
    return x


def series(k: Any, x: Any, n: Net) -> Any:
    for width in (n.width, 2 * n.width):
        x = k.layers.Conv1D(width, 5, 2, "same", kernel_initializer=n.initializer)(x)
        x = _act(k, _batch(k, x, n) if n.width > 12 else x, n)
    return k.layers.GlobalAveragePooling1D()(x)


def recurrent(k: Any, x: Any, n: Net) -> Any:
    return k.layers.GRU(24)(k.layers.Conv1D(n.width, 5, 4, "same", activation="relu")(x))


def attention(k: Any, x: Any, n: Net) -> Any:
    """Patches and two blocks of self-attention; the head has a weight for every position."""
    width = 2 * n.width
    x = k.layers.Conv2D(width, 4, 4)(x)
    count = x.shape[1] * x.shape[2]
    x = k.layers.Reshape((count, width))(x)
    for _ in range(2):
        y = k.layers.LayerNormalization()(x)
        x = k.layers.Add()([x, k.layers.MultiHeadAttention(2, n.width)(y, y)])
        y = k.layers.Dense(2 * width, "gelu")(k.layers.LayerNormalization()(x))
        x = k.layers.Add()([x, k.layers.Dense(width)(y)])
    return k.layers.Flatten()(k.layers.LayerNormalization()(x))


def connected(k: Any, x: Any, n: Net) -> Any:
    """Each convolution receives the outputs of all before it in its block."""
    x = _act(k, _batch(k, _conv(k, x, n, n.width, use_bias=False), n), n)
    for block in range(2):
        for _ in range(2):
            y = _act(k, _batch(k, x, n), n)
            x = k.layers.Concatenate()([x, _conv(k, y, n, 12, use_bias=False)])
        x = k.layers.AveragePooling2D(2)(x) if not block else x
    return k.layers.GlobalAveragePooling2D()(_act(k, _batch(k, x, n), n))


MAKERS: dict[str, Callable[[Any, Any, Net], Any]] = {
    "plain": plain, "residual": residual, "depthwise": depthwise, "layer norm": layer_norm,
    "dense": dense, "series": series, "recurrent": recurrent, "attention": attention,
    "dense connections": connected,
}  # fmt: skip


def input_shape(n: Net) -> tuple[int, ...]:
    if n.image:
        return (*n.shape, n.channels)
    return n.shape + (1,) * (FAMILIES[n.data].kind == "series")


def build(k: Any, n: Net) -> Any:
    """The untrained network."""
    given = x = k.layers.Input(input_shape(n))
    if n.mirrored:
        x = k.layers.RandomFlip("horizontal")(x)
    x = MAKERS[n.body](k, x, n)
    size = n.classes or 1
    activation = {"softmax": "softmax", "sigmoids": "sigmoid"}.get(n.head)
    return k.Model(given, k.layers.Dense(size, activation, name="head")(x), name="net")


def fed(x: np.ndarray, n: Net) -> np.ndarray:
    """Inputs as the network was trained on them."""
    return CONVENTIONS[n.convention](x) if n.image else x


def compiled(k: Any, n: Net) -> Any:
    model = build(k, n)
    if n.task == "classes":
        loss = k.losses.SparseCategoricalCrossentropy(from_logits=n.head == "logits")
    else:
        loss = "mse" if n.task == "regression" else "binary_crossentropy"
    model.compile(k.optimizers.Adam(_rate(n)), loss)
    return model


def _rate(n: Net) -> float:
    return 1e-7 if n.fault == "tiny rate" else n.rate


def renew(k: Any, model: Any, n: Net) -> None:
    """Give a compiled model initial weights and a new optimizer state: compiling takes longest."""
    model.set_weights(build(k, n).get_weights())
    for variable in model.optimizer.variables:
        variable.assign(np.zeros(variable.shape))
    model.optimizer.learning_rate.assign(_rate(n))


def train(model: Any, n: Net, seed: int, share: float = 1.0) -> None:
    """Train in place for `share` of the network's steps; the last quarter at 0.1 of the rate."""
    rng = np.random.default_rng(seed)
    x, y = drawn(n.data, TRAINED, n.shape, n.classes, n.channels, seed)
    if n.task == "classes":
        wrong = rng.random(len(y)) < n.noise
        y = np.where(wrong, rng.integers(0, n.classes, len(y)), y)
        if n.fault == "shuffled labels":
            y = rng.permutation(y)
        if n.fault == "one class":
            y = np.where(rng.random(len(y)) < 0.96, 0, y)
    steps = max(1, int(share * n.steps))
    order = np.concatenate([rng.permutation(len(x)) for _ in range(steps * 32 // len(x) + 1)])
    last = steps // 4
    for chosen, slower in (
        (order[: 32 * (steps - last)], 1.0),
        (order[32 * (steps - last) : 32 * steps], 0.1),
    ):
        if len(chosen):
            model.optimizer.learning_rate.assign(_rate(n) * slower)
            model.fit(fed(x[chosen], n), y[chosen], 32, 1, verbose=0, shuffle=False)
