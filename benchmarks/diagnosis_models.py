"""Small healthy models of many kinds, and what can go wrong with each, for `diagnosis_table.py`.

Everything is drawn and trained here. A healthy model is one net, one task, one way of training;
the faults are made from a copy of it, so that each stands beside its sound twin.

    python benchmarks/diagnosis_models.py DIRECTORY [--seeds 2]

writes models, their images (`<name>.npz`: x as the model takes it, y) and `cases.jsonl`, one case
a line. Models that are there already are kept, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from diagnosis_images import TASKS

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TRAINED, FED = 900, 96  # images trained on, and images given to the diagnosis
SENSITIVE = ("orientation-sensitive-data", "orientation-sensitive-architecture")


@dataclass(frozen=True)
class Net:
    """One healthy model: `ways` are plain (no augmentation), mirrored, or d4."""

    task: str
    body: str
    shape: tuple[int, int]
    classes: int
    scale: str  # unit, byte, signed, uint8
    form: str  # keras, h5, export, tf_keras
    ways: tuple[str, ...] = ("plain", "mirrored")


NETS = (
    Net("letters", "plain", (24, 40), 12, "unit", "keras"),
    Net("letters", "plain", (32, 32), 6, "byte", "h5", ("plain", "d4")),
    Net("letters", "residual", (32, 32), 8, "signed", "keras"),
    Net("letters", "depthwise", (24, 40), 5, "uint8", "keras"),
    Net("letters", "bias_free", (32, 32), 10, "unit", "export"),
    Net("letters", "no_norm", (24, 40), 6, "unit", "h5"),
    Net("letters", "max_logits", (32, 32), 12, "unit", "keras"),
    Net("letters", "flat_valid", (24, 40), 4, "byte", "tf_keras"),
    Net("objects", "plain", (32, 32), 6, "signed", "export", ("plain", "mirrored", "d4")),
    Net("objects", "trunk", (24, 40), 4, "unit", "keras"),
    Net("objects", "strided", (32, 32), 5, "unit", "tf_keras"),
    Net("objects", "no_norm", (32, 32), 3, "byte", "keras"),
    Net("objects", "even", (24, 40), 6, "unit", "keras", ("plain",)),
    Net("pointers", "plain", (24, 40), 2, "unit", "keras", ("plain",)),
    Net("pointers", "no_norm", (32, 32), 2, "byte", "h5", ("plain",)),
    Net("roads", "plain", (24, 40), 0, "signed", "keras", ("plain", "mirrored")),
    Net("roads", "no_norm", (24, 40), 0, "unit", "h5", ("plain", "mirrored")),
    Net("roads", "odd", (24, 40), 0, "unit", "keras", ("plain",)),
    Net("sizes", "plain", (32, 32), 0, "unit", "keras", ("mirrored",)),
    Net("blobs", "unet", (32, 32), 0, "unit", "keras"),
    Net("blobs", "unet", (24, 40), 0, "byte", "tf_keras"),
)


@dataclass
class Case:
    """One diagnosis to make. `accepted` are the causes that are right; `transform` of the first."""

    model: str
    images: str
    condition: str
    healthy: bool
    accepted: tuple[str, ...]
    transform: str = ""
    labels: bool = False
    net: dict[str, Any] = field(default_factory=dict)


# ---- nets ---------------------------------------------------------------------------------------


def build(k: Any, net: Net) -> Any:
    """The untrained net."""
    layers = k.layers
    dtype = "uint8" if net.scale == "uint8" else "float32"
    image = layers.Input((*net.shape, 3), dtype=dtype, name="image")
    x = image
    if net.scale in {"byte", "uint8"}:
        x = layers.Rescaling(1 / 255)(x)
    x = BODIES[net.body](k, x, net)
    return k.Model(image, x, name="net")


def _block(k: Any, x: Any, width: int, name: str, **options: Any) -> Any:
    norm = options.pop("norm", True)
    settings = {"padding": "same", "name": name} | options
    x = k.layers.Conv2D(width, 3, **settings)(x)
    if norm:
        x = k.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return k.layers.ReLU(name=f"{name}_relu")(x)


def _head(k: Any, x: Any, net: Net) -> Any:
    if net.classes:
        return k.layers.Dense(net.classes, activation="softmax", name="head")(x)
    return k.layers.Dense(1, name="head")(x)


def _plain(k: Any, x: Any, net: Net, **options: Any) -> Any:
    for i, width in enumerate((12, 20, 28)):
        x = _block(k, x, width, f"conv{i}", **options)
        x = k.layers.MaxPooling2D()(x) if i < 2 else x
    return _pooled(k, x, net)


def _pooled(k: Any, x: Any, net: Net) -> Any:
    """Classes and sizes by averages over places; directions need to know where."""
    if net.task == "roads":
        x = k.layers.Flatten()(k.layers.AveragePooling2D(2)(x))
    else:
        x = k.layers.GlobalAveragePooling2D()(x)
    return _head(k, x, net)


def _residual(k: Any, x: Any, net: Net) -> Any:
    x = _block(k, x, 16, "stem")
    for i in range(3):
        inner = _block(k, x, 16, f"unit{i}_a")
        inner = k.layers.Conv2D(16, 3, padding="same", use_bias=False, name=f"unit{i}_b")(inner)
        inner = k.layers.BatchNormalization(momentum=0.9, name=f"unit{i}_norm")(inner)
        x = k.layers.ReLU()(k.layers.Add()([x, inner]))
        x = k.layers.MaxPooling2D()(x) if i < 2 else x
    return _pooled(k, x, net)


def _depthwise(k: Any, x: Any, net: Net) -> Any:
    x = _block(k, x, 16, "stem")
    for i, width in enumerate((24, 32)):
        x = k.layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"deep{i}")(x)
        x = k.layers.ReLU()(k.layers.BatchNormalization(momentum=0.9, name=f"deep{i}_norm")(x))
        x = k.layers.Conv2D(width, 1, use_bias=False, name=f"point{i}")(x)
        x = k.layers.ReLU()(k.layers.BatchNormalization(momentum=0.9, name=f"point{i}_norm")(x))
        x = k.layers.MaxPooling2D()(x)
    return _pooled(k, x, net)


def _max_logits(k: Any, x: Any, net: Net) -> Any:
    for i, width in enumerate((12, 24, 32)):
        x = _block(k, x, width, f"conv{i}", norm=False)
        x = k.layers.MaxPooling2D()(x) if i < 2 else x
    return k.layers.Dense(net.classes, name="head")(k.layers.GlobalMaxPooling2D()(x))


def _flat_valid(k: Any, x: Any, net: Net) -> Any:
    for i, width in enumerate((12, 20)):
        x = _block(k, x, width, f"conv{i}", padding="valid")
        x = k.layers.MaxPooling2D()(x)
    x = k.layers.Dense(32, activation="relu", name="hidden")(k.layers.Flatten()(x))
    return _head(k, k.layers.Dropout(0.2)(x), net)


def _trunk(k: Any, x: Any, net: Net) -> Any:
    """One nested trunk that looks twice: at the image and at a coarser version of it."""
    inner = k.layers.Input((None, None, 3))
    y = _block(k, inner, 16, "trunk0")
    y = _block(k, k.layers.MaxPooling2D()(y), 24, "trunk1")
    trunk = k.Model(inner, k.layers.GlobalAveragePooling2D()(y), name="trunk")
    both = k.layers.Concatenate()([trunk(x), trunk(k.layers.AveragePooling2D(2)(x))])
    return _head(k, k.layers.Dense(24, activation="relu", name="hidden")(both), net)


def _strided(k: Any, x: Any, net: Net) -> Any:
    for i, width in enumerate((12, 20, 28)):
        x = _block(k, x, width, f"conv{i}", strides=2)
    return _pooled(k, x, net)


def _mirrored_pair(k: Any, x: Any, net: Net) -> tuple[Any, Any]:
    """Outputs of one trunk for the image and for its mirror image."""
    inner = k.layers.Input((*net.shape, 3))
    y = inner
    for i, width in enumerate((12, 20)):
        y = k.layers.MaxPooling2D()(_block(k, y, width, f"twin{i}"))
    y = k.layers.Flatten()(k.layers.AveragePooling2D(2)(y)) if net.body == "odd" else (
        k.layers.GlobalAveragePooling2D()(y)
    )  # fmt: skip
    trunk = k.Model(inner, k.layers.Dense(24, activation="relu", name="mix")(y), name="trunk")
    return trunk(x), trunk(k.ops.flip(x, axis=2))


def _even(k: Any, x: Any, net: Net) -> Any:
    return _head(k, k.layers.Average()(list(_mirrored_pair(k, x, net))), net)


def _odd(k: Any, x: Any, net: Net) -> Any:
    pair = k.layers.Subtract()(list(_mirrored_pair(k, x, net)))
    return k.layers.Dense(1, use_bias=False, name="head")(pair)


def _unet(k: Any, x: Any, _net: Net) -> Any:
    fine = _block(k, x, 12, "down0")
    coarse = _block(k, k.layers.MaxPooling2D()(fine), 20, "down1")
    up = k.layers.UpSampling2D()(coarse)
    x = _block(k, k.layers.Concatenate()([fine, up]), 12, "up0")
    return k.layers.Conv2D(1, 1, activation="sigmoid", name="head")(x)


BODIES: dict[str, Callable[[Any, Any, Net], Any]] = {
    "plain": _plain,
    "residual": _residual,
    "depthwise": _depthwise,
    "bias_free": lambda k, x, net: _plain(k, x, net, use_bias=False),
    "no_norm": lambda k, x, net: _plain(k, x, net, norm=False),
    "max_logits": _max_logits,
    "flat_valid": _flat_valid,
    "trunk": _trunk,
    "strided": _strided,
    "even": _even,
    "odd": _odd,
    "unet": _unet,
}


# ---- training -----------------------------------------------------------------------------------


def fed(x: np.ndarray, scale: str) -> np.ndarray:
    """Images in [0, 1] as the model takes them."""
    match scale:
        case "byte":
            return (x * 255).astype(np.float32)
        case "uint8":
            return (x * 255).round().astype(np.uint8)
        case "signed":
            return (2 * x - 1).astype(np.float32)
        case _:
            return x


def _augmented(x: np.ndarray, y: np.ndarray, net: Net, way: str, rng: np.random.Generator):
    """Each image in an orientation drawn from those of `way`, its target moved along."""
    x, y = x.copy(), y.copy()
    flips = rng.random((3, len(x))) < 0.5
    for axis, which in ((2, flips[0]), (1, flips[1] & (way == "d4"))):
        x[which] = np.flip(x[which], axis)
        if net.task == "blobs":
            y[which] = np.flip(y[which], axis)
        if net.task == "roads":
            y[which] = -y[which]
    if way == "d4":
        x[flips[2]] = x[flips[2]].swapaxes(1, 2)
    return x, y


def train(k: Any, net: Net, way: str, seed: int) -> Any:
    """A trained model; the number of epochs suits two slow cores."""
    k.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    x, y = TASKS[net.task](TRAINED, net.shape, net.classes, rng)
    model = build(k, net)
    loss = {"roads": "mse", "sizes": "mse", "blobs": "binary_crossentropy"}.get(net.task)
    if loss is None:
        logits = net.body == "max_logits"
        loss = k.losses.SparseCategoricalCrossentropy(from_logits=logits)
    model.compile(k.optimizers.Adam(4e-3), loss=loss)
    epochs = {"plain": 14, "mirrored": 18, "d4": 26}[way]
    for epoch in range(epochs):
        now = (x, y) if way == "plain" else _augmented(x, y, net, way, rng)
        if epoch == epochs - 4:
            model.optimizer.learning_rate.assign(1e-3)
        model.fit(fed(now[0], net.scale), now[1], batch_size=32, verbose=0)
    return model


# ---- faults -------------------------------------------------------------------------------------


def _layers(model: Any) -> Iterator[Any]:
    """All layers with weights, nested ones included, in the order in which they were built."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer)
        elif layer.weights:
            yield layer


def _kernels(model: Any) -> list[Any]:
    return [x for x in _layers(model) if len(x.weights[0].shape) in {2, 4}]


def _norms(model: Any) -> list[Any]:
    return [x for x in _layers(model) if type(x).__name__ == "BatchNormalization"]


def _set(layer: Any, **at: Any) -> None:
    """Overwrite weights by place in `get_weights`: w0, w1, …."""
    weights = layer.get_weights()
    for place, value in at.items():
        weights[int(place[1:])] = np.asarray(value, np.float32)
    layer.set_weights(weights)


def _redraw(layer: Any, rng: np.random.Generator) -> None:
    """Glorot uniform, as Keras draws it; the bias is 0."""
    kernel, *bias = layer.get_weights()
    area = int(np.prod(kernel.shape[:-2]))
    limit = np.sqrt(6 / (area * (kernel.shape[-2] + kernel.shape[-1])))
    layer.set_weights([rng.uniform(-limit, limit, kernel.shape), *(0 * b for b in bias)])


def fresh(model: Any, rng: np.random.Generator) -> None:
    for layer in _kernels(model):
        _redraw(layer, rng)
    for norm in _norms(model):
        ones, zeros = np.ones(norm.weights[0].shape), np.zeros(norm.weights[0].shape)
        norm.set_weights([ones, zeros, zeros, ones])


def redrawn_layer(model: Any, rng: np.random.Generator) -> None:
    _redraw(_kernels(model)[1], rng)


def redrawn_head(model: Any, rng: np.random.Generator) -> None:
    _redraw(_kernels(model)[-1], rng)


def statistics_lost(model: Any, _rng: np.random.Generator) -> None:
    for norm in _norms(model):
        _set(norm, w2=np.zeros(norm.weights[2].shape), w3=np.ones(norm.weights[3].shape))


def one_statistic_lost(model: Any, _rng: np.random.Generator) -> None:
    norm = _norms(model)[1]
    _set(norm, w2=np.zeros(norm.weights[2].shape), w3=np.ones(norm.weights[3].shape))


def unconverged(model: Any, _rng: np.random.Generator) -> None:
    """Statistics a few steps away from where they start, as after a short fine-tuning."""
    for norm in _norms(model):
        mean, variance = norm.get_weights()[2:]
        _set(norm, w2=0.1 * mean, w3=0.9 + 0.1 * variance)


def head_bias(model: Any, rng: np.random.Generator) -> None:
    head = _kernels(model)[-1]
    bias = head.get_weights()[1]
    bias[int(rng.integers(bias.size))] += 60
    _set(head, w1=bias)


def dead(model: Any, _rng: np.random.Generator) -> None:
    """The bias before a rectifier far below zero: of a convolution, or of its normalisation."""
    layer = _norms(model)[-1] if _norms(model) else _kernels(model)[-2]
    _set(layer, w1=layer.get_weights()[1] * 0 - 60)


def swapped(model: Any, rng: np.random.Generator) -> None:
    """Filters of one layer in another order, as when two files of weights are mixed up."""
    layer = _kernels(model)[1]
    weights = layer.get_weights()
    order = rng.permutation(weights[0].shape[2])
    _set(layer, w0=weights[0][:, :, order])


@dataclass(frozen=True)
class Fault:
    """A fault of weights, or of the images (`feed`), and the causes that name it."""

    name: str
    accepted: tuple[str, ...]
    harm: Callable[[Any, np.random.Generator], None] | None = None
    feed: Callable[[np.ndarray], np.ndarray] | None = None
    transform: str = ""
    needs: str = ""  # norm, classes, many, square, unit


WRONG = ("wrong-weights-upstream",)
FAULTS = (
    Fault("never loaded", ("never-loaded",), fresh),
    Fault("layer redrawn", ("partial-restore", *WRONG), redrawn_layer),
    Fault("head redrawn", ("partial-restore", *WRONG), redrawn_head, needs="classes"),
    Fault("BN statistics lost", ("bn-statistics-lost",), statistics_lost, needs="norm"),
    Fault("one BN lost", ("bn-statistics-lost",), one_statistic_lost, needs="norm"),
    Fault("BN unconverged", ("bn-statistics-lost", *WRONG), unconverged, needs="norm"),
    Fault("head bias +60", ("head-bias",), head_bias, needs="classes"),
    Fault("dead layer", ("dead-units",), dead, needs="layers"),
    Fault("filters permuted", (*WRONG, "little-information"), swapped, needs="layers"),
    Fault("images mirrored", ("orientation-mismatch",), None, lambda x: x[:, :, ::-1], "H", "many"),
    Fault("images turned", ("orientation-mismatch",), None, lambda x: x[:, ::-1, ::-1], "r180",
          "many"),
    Fault("images x255", ("input-domain",), None, lambda x: x * 255, "/255", "unit"),
    Fault("images /255", ("input-domain",), None, lambda x: x / 255, "*255", "byte"),
    Fault("images inverted", ("input-domain",), None, lambda x: 1 - x, "1-x", "unit"),
)  # fmt: skip


def suits(fault: Fault, net: Net, way: str) -> bool:
    """A fault that this net can have, and that its training does not make harmless."""
    normed = net.body not in {"no_norm", "max_logits"}
    asymmetric = way == "plain" and net.task in {"letters", "objects"} and net.body != "even"
    return {
        "": True,
        "norm": normed,
        "classes": net.classes > 2 and net.body != "odd",
        "layers": net.classes > 2 and net.body not in {"trunk", "even", "depthwise"},
        "many": asymmetric and net.classes > 2,
        "unit": net.classes > 2 and net.scale == "unit" and normed,
        "byte": net.classes > 2 and net.scale == "byte",
    }[fault.needs]


# ---- cases --------------------------------------------------------------------------------------


def healthy_causes(net: Net, way: str) -> tuple[str, ...]:
    """What is right to say of a sound model."""
    if net.body in {"even", "odd"}:
        return ("invariant-by-construction", "output-follows-flip")
    if net.task in {"roads", "pointers"}:
        return ("output-follows-flip", *(SENSITIVE if way == "plain" else ()))
    if net.task in {"blobs", "sizes"}:
        return ("learned-invariance", *SENSITIVE)
    return SENSITIVE if way == "plain" else ("learned-invariance",)


def _save(model: Any, form: str, path: Path) -> Path:
    path = path.with_name(
        path.name + {"keras": ".keras", "export": "", "h5": ".h5"}.get(form, ".h5")
    )
    if form == "export":
        model.export(path, verbose=False)
    else:
        model.save(path)
    return path


def make(out: Path, seeds: int) -> list[Case]:
    """Train what is not there yet; returns all cases."""
    import keras
    import tf_keras

    cases = []
    nets = [(number, net, way) for number, net in enumerate(NETS) for way in net.ways]
    for seed, (number, net, way) in product(range(seeds), nets):
        k = tf_keras if net.form == "tf_keras" else keras
        stem = f"{number:02d}_{net.task}_{net.body}_{way}_s{seed}"
        done = out / f"{stem}.jsonl"
        if not done.exists():
            k.backend.clear_session()
            found = list(_cases_of(k, net, way, seed, out, stem, number))
            done.write_text("".join(json.dumps(asdict(c)) + "\n" for c in found))
            print(stem, len(found), flush=True)
        cases += [Case(**json.loads(line)) for line in done.read_text().splitlines()]
    return cases


def _cases_of(
    k: Any, net: Net, way: str, seed: int, out: Path, stem: str, number: int
) -> Iterator[Case]:
    model = train(k, net, way, 1000 * seed + number)
    rng = np.random.default_rng(10_000 + seed)
    drawn, y = TASKS[net.task](FED, net.shape, net.classes, rng)
    x = fed(drawn, net.scale)
    np.savez(out / f"{stem}.npz", x=x, y=y)
    sound = healthy_causes(net, way)
    path = _save(model, net.form, out / stem).name
    told = asdict(net) | {"way": way, "seed": seed, "score": _score(model, net, x, y)}
    yield Case(path, f"{stem}.npz", "sound", True, sound, net=told)
    if seed:  # faults of the first seed only: they are the same kinds again
        return
    kept = model.get_weights()
    suitable = [fault for fault in FAULTS if suits(fault, net, way)]
    # Each net takes its share of the faults, in turn, so that all meet many kinds of net.
    for fault in suitable[number % 2 :: 2] if way == "plain" else suitable[:2]:
        name = f"{stem}__{fault.name.replace(' ', '_').replace('/', 'by')}"
        shown, images = path, f"{stem}.npz"
        if fault.harm is not None:
            fault.harm(model, rng)
            shown = _save(model, net.form, out / name).name
            model.set_weights(kept)
        if fault.feed is not None:
            images = f"{name}.npz"
            changed = fault.feed(x)
            np.savez(out / images, x=np.ascontiguousarray(changed.astype(x.dtype)), y=y)
        yield Case(shown, images, fault.name, False, fault.accepted, fault.transform, net=told)


def _score(model: Any, net: Net, x: np.ndarray, y: np.ndarray) -> float:
    """Accuracy, or R2 where there are no classes, on the images given to the diagnosis."""
    outputs = model.predict(x, verbose=0)
    if net.classes:
        return float(np.mean(outputs.argmax(axis=1) == y))
    return float(1 - ((outputs - y) ** 2).sum() / ((y - y.mean(axis=0)) ** 2).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args()
    asked.directory.mkdir(parents=True, exist_ok=True)
    cases = make(asked.directory, asked.seeds)
    (asked.directory / "cases.jsonl").write_text(
        "".join(json.dumps(asdict(case)) + "\n" for case in cases)
    )
    sound = sum(case.healthy for case in cases)
    print(f"{len(cases)} cases, {sound} sound")


if __name__ == "__main__":
    main()
