"""Small intact models of many kinds, and faulty copies of them, for `table.py`.

All images are generated and all models trained here, in two sets. `fixed` are selected networks,
each with each kind of training; they may be inspected to choose thresholds. `drawn` are random
networks, which differ in task, structure, size, training and file format; they are the hold-out
set, and no threshold was chosen by them.

    python -m benchmarks.diagnosis.make DIRECTORY [--fixed SEEDS] [--drawn FIRST LAST]

writes models, their images (`<name>.npz`: x as the model's input, y) and for each intact model
`<name>.jsonl`, one case per line. Existing files are kept, so an interrupted run can be continued.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.diagnosis.drawn import DRAWN, drawn
from benchmarks.diagnosis.faults import FAULTS, ONE_CLASS, Bench, Fault, Unsuited, suits
from benchmarks.diagnosis.images import TASKS as IMAGES
from benchmarks.diagnosis.nets import BODIES, NETS, Net
from benchmarks.diagnosis.series import tables, tokens, waves
from modelaudit.structs import replace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TRAINED, FED = 900, 96  # numbers of inputs for training and for the diagnosis
SENSITIVE = ("orientation-sensitive-data", "orientation-sensitive-architecture")
TASKS = IMAGES | {"waves": waves, "tables": tables, "tokens": tokens}
NAMED = {"letters", "objects", "textures", "presence"}  # mirroring keeps the class
EXPORTED = "augmentation exported"
HARMLESS = 0.03  # accuracy that an invariant model may lose on mirrored images


@dataclass
class Case:
    """A diagnosis to make.

    `accepted` are the correct causes; `transform` is the correct one of the first cause. `labels`:
    identifiable only with labels. `net`: the network, its score on the images and on mirrored
    images (accuracy or R2).
    """

    model: str
    images: str
    condition: str
    healthy: bool
    accepted: tuple[str, ...]
    transform: str = ""
    labels: bool = False
    net: dict[str, Any] = field(default_factory=dict)


# ---- training -----------------------------------------------------------------------------------


def build(k: Any, net: Net) -> Any:
    """The untrained network."""
    layers = k.layers
    image = net.task in IMAGES
    shape = (*net.shape, net.channels) if image else net.shape + (1,) * (net.task == "waves")
    dtype = "uint8" if net.scale == "uint8" else "int32" if net.task == "tokens" else "float32"
    given = x = layers.Input(shape, dtype=dtype, name="image")
    if net.scale in {"byte", "uint8"}:
        x = layers.Rescaling(1 / 255)(x)
    if net.flips_inside:
        x = layers.RandomFlip("horizontal")(x)
    return k.Model(given, (BODIES | DRAWN)[net.body](k, x, net), name="net")


def fed(x: np.ndarray, scale: str) -> np.ndarray:
    """Images in [0, 1] converted to the model's input range."""
    match scale:
        case "byte":
            return (x * 255).astype(np.float32)
        case "uint8":
            return (x * 255).round().astype(np.uint8)
        case "signed":
            return (2 * x - 1).astype(np.float32)
        case "standard":
            return ((x - 0.5) / 0.25).astype(np.float32)
        case _:
            return x


def made(net: Net, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`n` inputs (images in [0, 1]) and their targets."""
    x, y = TASKS[net.task](n, net.shape, net.classes, rng)
    if net.task in IMAGES and net.channels == 1:
        x = x.mean(axis=-1, keepdims=True)
    return x, y


def _augmented(x: np.ndarray, y: np.ndarray, net: Net, way: str, rng: np.random.Generator):
    """Each image in a random orientation of those in `way`, with its target transformed."""
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


def _loss(k: Any, net: Net) -> Any:
    if not net.classes:
        return "binary_crossentropy" if net.task == "blobs" else "mse"
    if net.head in {"several", "sigmoid"}:
        return "binary_crossentropy"
    logits = net.body == "max_logits" or net.head == "logits"
    return k.losses.SparseCategoricalCrossentropy(from_logits=logits)


def train(k: Any, net: Net, way: str, seed: int, share: float = 1.0) -> Any:
    """A trained model; `share` is the fraction of the epochs, whose number suits two slow cores."""
    k.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    x, y = made(net, TRAINED, rng)
    model = build(k, net)
    start = 4e-3 if net.optimizer == "adam" else 3e-2
    start /= 1 if net.norm == "batch" else 2
    kind = k.optimizers.Adam(start) if net.optimizer == "adam" else k.optimizers.SGD(start, 0.9)
    model.compile(kind, loss=_loss(k, net))
    epochs = int(share * {"plain": 14, "mirrored": 18, "d4": 26}[way])
    for epoch in range(epochs):
        outside = way != "plain" and not net.flips_inside
        now = _augmented(x, y, net, way, rng) if outside else (x, y)
        if epoch == epochs - 4:
            model.optimizer.learning_rate.assign(start / 4)
        model.fit(fed(now[0], net.scale), now[1], batch_size=32, verbose=0)
    return model


def score(model: Any, net: Net, x: np.ndarray, y: np.ndarray) -> float:
    """Accuracy, or R2 for regression."""
    outputs = model.predict(x, verbose=0)
    if net.head in {"several", "sigmoid"}:
        return float(np.mean((outputs > 0.5) == y.reshape(outputs.shape)))
    if net.classes:
        return float(np.mean(outputs.argmax(axis=1) == y))
    return float(1 - ((outputs - y) ** 2).sum() / ((y - y.mean(axis=0)) ** 2).sum())


# ---- cases --------------------------------------------------------------------------------------


def sound_causes(net: Net, way: str, lost: float) -> tuple[str, ...]:
    """The correct causes for an intact model that loses this much accuracy on mirrored images."""
    if net.body in {"even", "odd"}:
        return ("invariant-by-construction", "output-follows-flip")
    if net.task in {"tables", "tokens"}:
        return ("healthy",)  # nothing to flip
    if net.task in {"roads", "pointers"}:
        return ("output-follows-flip", *(SENSITIVE if way == "plain" else ()))
    if net.task in {"blobs", "sizes"}:
        return ("learned-invariance", *SENSITIVE)
    if net.task == "waves":
        return ("learned-invariance", "output-follows-flip", *SENSITIVE)
    invariant = lost < HARMLESS
    return ("learned-invariance",) * (invariant or way != "plain") + SENSITIVE * (
        way == "plain" or not invariant
    )


def _save(model: Any, form: str, path: Path) -> Path:
    ending = {"keras": ".keras", "h5": ".h5", "tf_keras": ".h5"}.get(form, "")
    path = path.with_name(path.name + ending)
    if form == "export":
        model.export(path, verbose=False)
    else:
        model.save(path)
    return path


def fixed(out: Path, seeds: int) -> None:
    """Make the selected networks; faults for the first seed only."""
    every = [(number, net, way) for number, net in enumerate(NETS) for way in net.ways]
    for seed, (number, net, way) in product(range(seeds), every):
        stem = f"{number:02d}_{net.task}_{net.body}_{way}_s{seed}"
        faults = [fault for fault in FAULTS if suits(fault, net, way)] if not seed else []
        # Each network gets a part of the faults in turn, so that all faults meet many kinds.
        chosen = faults[number % 2 :: 2] if way == "plain" else faults[:2]
        _make(out, stem, net, way, 1000 * seed + number, chosen)


def random(out: Path, first: int, last: int) -> None:
    """Make the random networks, each with the fault that was least frequent so far."""
    taken = dict.fromkeys((fault.name for fault in FAULTS), 0)
    for number in range(last):
        net, way = drawn(number)
        faults = [fault for fault in FAULTS if suits(fault, net, way)]
        rarest = sorted(faults, key=lambda fault: taken[fault.name])[:1]
        for fault in rarest:
            taken[fault.name] += 1
        stem = f"d{number:03d}_{net.task}_{net.body}_{way}_s0"
        if number >= first:
            _make(out, stem, net, way, 50_000 + number, rarest)


def _make(out: Path, stem: str, net: Net, way: str, seed: int, faults: list[Fault]) -> None:
    """Train one network and make faulty copies of it, unless its file exists already."""
    import keras
    import tf_keras

    done = out / f"{stem}.jsonl"
    if done.exists():
        return
    k = tf_keras if net.form.startswith("tf_keras") else keras
    k.backend.clear_session()
    found = list(_cases_of(k, net, way, seed, out, stem, faults))
    done.write_text("".join(json.dumps(asdict(c)) + "\n" for c in found))
    print(stem, len(found), f"{found[0].net['score']:.2f}", flush=True)


def _cases_of(
    k: Any, net: Net, way: str, seed: int, out: Path, stem: str, faults: list[Fault]
) -> Iterator[Case]:
    model = train(k, net, way, seed)
    rng = np.random.default_rng(10_000 + seed)
    drawn_x, y = made(net, FED, rng)
    x = fed(drawn_x, net.scale)
    np.savez(out / f"{stem}.npz", x=x, y=y)
    right = score(model, net, x, y)
    told = asdict(net) | {"way": way, "seed": seed, "score": right}
    lost = 0.0
    if net.task in NAMED:
        told["mirrored"] = score(model, net, np.ascontiguousarray(x[:, :, ::-1]), y)
        lost = right - told["mirrored"]
    path = _save(model, net.form, out / stem).name
    sound = Case(path, f"{stem}.npz", "sound", True, sound_causes(net, way, lost), net=told)
    if net.flips_inside and net.form == "export":  # Keras exports augmentation as in training
        yield replace(sound, condition=EXPORTED, healthy=False, accepted=("nondeterministic",))
        return
    yield sound
    kept = model.get_weights()
    bench = Bench(rng, x, lambda: build(k, net), lambda: train(k, net, way, seed + 500, 0.5))
    for fault in faults:
        name = f"{stem}__{fault.name.replace(' ', '_').replace('/', 'by').replace(',', '')}"
        case = replace(
            sound, condition=fault.name, healthy=False, accepted=fault.accepted,
            transform=fault.transform, labels=fault.labels,
        )  # fmt: skip
        if fault.harm is not None:
            try:
                fault.harm(model, bench)
                case = replace(case, model=_save(model, net.form, out / name).name)
            except Unsuited:
                continue
            finally:
                model.set_weights(kept)
        elif fault.name == ONE_CLASS:
            more, labels = made(net, 64 * net.classes, rng)
            changed = fed(more[labels == labels[0]], net.scale)
            np.savez(out / f"{name}.npz", x=changed, y=labels[labels == labels[0]])
            case = replace(
                case, images=f"{name}.npz", accepted=(*fault.accepted, "healthy", *sound.accepted)
            )
        else:
            changed = fault.feed(x)
            np.savez(out / f"{name}.npz", x=np.ascontiguousarray(changed.astype(x.dtype)), y=y)
            case = replace(case, images=f"{name}.npz")
        yield case


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--fixed", type=int, metavar="SEEDS", default=0)
    parser.add_argument("--drawn", type=int, nargs=2, metavar=("FIRST", "LAST"), default=(0, 0))
    asked = parser.parse_args()
    asked.directory.mkdir(parents=True, exist_ok=True)
    fixed(asked.directory, asked.fixed)
    random(asked.directory, *asked.drawn)


if __name__ == "__main__":
    main()
