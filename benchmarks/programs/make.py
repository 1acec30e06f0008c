"""Train the faulty programs and their fixed twins, and save them with a file of the truth.

    python -m benchmarks.programs.make DIRECTORY [--set N] [--only REGEX]

DIRECTORY/NAME holds one model as `model.h5`, `model.keras` and, for every third, a SavedModel in
`export`, with `probe.npz`: 200 inputs as the program makes them (`x`) and their true labels or
targets (`y`). A twin is NAME-fixed. DIRECTORY/truth.json lists all: source, fault, fix, what the
saved file can show, and how well the model answers. Models that exist are kept. CPU only; about
ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
from keras import layers as kl

from benchmarks.programs.data import Rows, probe_rows, rows
from benchmarks.programs.drawn import Array
from benchmarks.programs.fifth_changes import FIFTH_CHANGES
from benchmarks.programs.fifth_issues import FIFTH_ISSUES
from benchmarks.programs.fifth_threads import FIFTH_THREADS
from benchmarks.programs.fourth_issues import FOURTH_ISSUES
from benchmarks.programs.fourth_papers import FOURTH_PAPERS
from benchmarks.programs.fourth_threads import FOURTH_THREADS
from benchmarks.programs.issues import ISSUES
from benchmarks.programs.more_threads import MORE_THREADS
from benchmarks.programs.others import OTHERS
from benchmarks.programs.posts import POSTS
from benchmarks.programs.program import Program, Setup
from benchmarks.programs.sixth_issues import SIXTH_ISSUES
from benchmarks.programs.sixth_patches import SIXTH_PATCHES
from benchmarks.programs.sixth_posts import SIXTH_POSTS
from benchmarks.programs.third_set import THIRD_SET
from benchmarks.programs.threads import THREADS

SETS: tuple[tuple[Program, ...], ...] = (
    (*POSTS, *OTHERS, *THREADS),
    (*ISSUES, *MORE_THREADS),
    THIRD_SET,
    (*FOURTH_PAPERS, *FOURTH_THREADS, *FOURTH_ISSUES),
    (*FIFTH_THREADS, *FIFTH_ISSUES, *FIFTH_CHANGES),
    (*SIXTH_ISSUES, *SIXTH_PATCHES, *SIXTH_POSTS),
)
INITIALIZERS = {
    "normal": "random_normal",
    "uniform": "random_uniform",
    "wide": keras.initializers.RandomNormal(stddev=1.0),
    "tiny": keras.initializers.RandomNormal(stddev=1e-5),
}
LOGITS = {
    "sparse_logits": keras.losses.SparseCategoricalCrossentropy,
    "categorical_logits": keras.losses.CategoricalCrossentropy,
    "binary_logits": keras.losses.BinaryCrossentropy,
}
METRICS: dict[str, Callable[[str], object]] = {
    "logits_accuracy": lambda name: keras.metrics.BinaryAccuracy(name, threshold=0),
    "binary_iou": lambda name: keras.metrics.BinaryIoU(name=name),
    "mean_iou": lambda name: keras.metrics.MeanIoU(2, name=name),
    "equal": keras.metrics.Accuracy,
}
PROBES = 200


def build(setup: Setup, shape: tuple[int, ...]) -> keras.Model:
    """The model, compiled: one layer for each part of `setup.layers`."""
    parts = [part.split() for part in setup.layers.split(";")]
    model = keras.Sequential([keras.Input(shape)])
    if any(kind in {"gated", "wide"} for kind, *_ in parts):
        model = _branched(parts, shape)
    else:
        for part in parts:
            model.add(_layer(*part))
    loss: object = setup.loss
    if setup.loss in LOGITS:
        loss = LOGITS[setup.loss](from_logits=True)
    metrics = [METRICS.get(setup.metric, str)(setup.metric)] if setup.metric else []
    model.compile(optimizer=_optimizer(*setup.optimizer.split()), loss=loss, metrics=metrics)
    return model


def _branched(parts: list[list[str]], shape: tuple[int, ...]) -> keras.Model:
    """A model with branches.

    A gated convolution is multiplied by the sigmoid of another; a wide layer adds the inputs.
    """
    x = inputs = keras.Input(shape)
    for kind, *words in parts:
        if kind == "gated":
            filters, window = (int(word) for word in words)
            one, other = (
                kl.Conv1D(filters, window, strides=window, padding="same")(x) for _ in range(2)
            )
            x = kl.multiply([one, kl.Activation("sigmoid")(other)])
        elif kind == "wide":
            x = kl.concatenate([inputs, x])
        else:
            x = _layer(kind, *words)(x)
    return keras.Model(inputs, x)


def _layer(kind: str, *words: str) -> keras.layers.Layer:
    """The layer of `dense 10 relu init=normal` and the like."""
    numbers = [float(word) for word in words if re.fullmatch(r"[\d.]+", word)]
    named = dict(word.split("=") for word in words if "=" in word)
    names = [word for word in words if word.isalpha()]
    options: dict[str, object] = {}
    if "init" in named:
        options["kernel_initializer"] = INITIALIZERS.get(named["init"], named["init"])
    if "bias" in named:
        options["bias_initializer"] = INITIALIZERS[named["bias"]]
    if "l2" in named:
        options["kernel_regularizer"] = keras.regularizers.L2(float(named["l2"]))
    if "strides" in named:
        options["strides"] = int(named["strides"])
    for key in ("dropout", "recurrent_dropout", "momentum"):
        if key in named:
            options[key] = float(named[key])
    if "same" in names:
        options["padding"] = "same"
    if "seq" in names:
        options["return_sequences"] = True
    if "frozen" in names:
        options["trainable"] = False
    activation = next((name for name in names if name not in {"same", "seq", "frozen"}), None)
    if kind in UNITS:
        sizes = [int(number) for number in numbers]
        used = activation or ("tanh" if kind in {"lstm", "gru", "rnn", "bilstm"} else None)
        return UNITS[kind](*sizes, activation=used, **options)
    if kind == "act":
        return kl.Activation(activation)
    if kind == "rescale":
        return kl.Rescaling(1 / numbers[0], offset=-numbers[1])
    values = [int(number) if number >= 1 else number for number in numbers]
    return PLAIN[kind](*values, **options)


UNITS = {
    "dense": kl.Dense, "conv": kl.Conv2D, "conv1d": kl.Conv1D, "lstm": kl.LSTM, "gru": kl.GRU,
    "rnn": kl.SimpleRNN, "timed": lambda *sizes, **options: kl.TimeDistributed(
        kl.Dense(*sizes, **options)
    ), "bilstm": lambda *sizes, **options: kl.Bidirectional(kl.LSTM(*sizes, **options)),
}  # fmt: skip
PLAIN = {
    "avgpool": kl.AveragePooling2D, "bn": kl.BatchNormalization, "drop": kl.Dropout,
    "embed": kl.Embedding, "flatten": kl.Flatten, "gap": kl.GlobalAveragePooling2D,
    "gmax1d": kl.GlobalMaxPooling1D, "leaky": kl.LeakyReLU, "mask": kl.Masking,
    "prelu": kl.PReLU, "repeat": kl.RepeatVector,
    "pool": kl.MaxPooling2D, "pool1d": kl.MaxPooling1D, "up": kl.UpSampling2D,
}  # fmt: skip
OPTIMIZERS = {
    "sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop,
    "adagrad": keras.optimizers.Adagrad, "adadelta": keras.optimizers.Adadelta,
    "nadam": keras.optimizers.Nadam,
}  # fmt: skip


def _optimizer(name: str, *words: str) -> keras.optimizers.Optimizer:
    options: dict[str, object] = {}
    for word in words:
        key, _, value = word.partition("=")
        if value:
            options[key] = float(value)
        elif key == "nesterov":
            options["nesterov"] = True
        else:
            options["learning_rate"] = float(key)
    return OPTIMIZERS[name](**options)


def train(setup: Setup, data: Rows) -> keras.Model:
    """The model as the program leaves it."""
    model = build(setup, data.x.shape[1:])
    epochs, batch, _ = (int(word) for word in setup.train.split())
    callbacks = []
    if setup.then == "constant":
        first = next(layer for layer in model.layers if layer.weights)
        first.set_weights([np.full(w.shape, 0.75 / (i + 1)) for i, w in enumerate(first.weights)])
    if setup.then == "scheduled":
        callbacks.append(keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 * 1e-6**epoch))
    y = data.y.astype(np.int32) if setup.loss.startswith("sparse") else data.y
    model.fit(data.x, y, epochs=epochs, batch_size=batch, verbose=0, callbacks=callbacks)
    return model


def quality(model: keras.Model, probe: Rows) -> dict[str, float]:
    """Accuracy or R2 on the probe inputs, and the share of the most frequent answer.

    For regression an answer counts as the most frequent if it is within 1 % of the targets' range
    of the median. Not finite outputs count as one answer.
    """
    out: Array = np.nan_to_num(model.predict(probe.x, verbose=0), nan=0, posinf=0, neginf=0)
    if probe.classes:
        answers = out.argmax(axis=-1) if out.shape[-1] > 1 else (out[..., 0] > 0.5).astype(int)
        share = float(np.bincount(answers.ravel()).max() / answers.size)
        return {"score": float(np.mean(answers == probe.labels)), "share": share}
    targets = probe.y
    rest = float(((out - targets) ** 2).mean() / targets.var())
    near = np.abs(out - np.median(out, axis=0)) < 0.01 * float(np.ptp(targets))
    return {"score": 1 - rest, "share": float(near.mean())}


def models(only: str, which: int) -> Iterator[tuple[Program, bool]]:
    """Each program of a set as it is, and fixed where a twin is described."""
    for program in SETS[which - 1]:
        if re.search(only, program.name):
            yield program, False
            if program.fixed:
                name, setup = f"{program.name}-fixed", replace(program.setup, **program.fixed)
                yield replace(program, name=name, setup=setup), True


def make(program: Program, root: Path, *, export: bool) -> dict[str, float]:
    """Train and save one model with its probe data, and measure it."""
    folder = root / program.name
    seed = zlib.crc32(program.name.removesuffix("-fixed").encode())
    probe = probe_rows(program.setup.data, np.random.default_rng(seed + 1), PROBES)
    if not (folder / "probe.npz").exists():
        folder.mkdir(parents=True, exist_ok=True)
        keras.utils.set_random_seed(seed)
        count = int(program.setup.train.split()[-1])
        model = train(program.setup, rows(program.setup.data, np.random.default_rng(seed), count))
        model.save(folder / "model.keras")  # first: saving as HDF5 takes the optimizer away
        model.save(folder / "model.h5")
        if export:
            model.export(folder / "export", verbose=False)
        served = probe
        if program.setup.served:
            served = probe_rows(program.setup.served, np.random.default_rng(seed + 1), PROBES)
        np.savez(folder / "probe.npz", x=served.x, y=served.labels)
    model = keras.models.load_model(folder / "model.keras")
    return quality(model, probe)


def main() -> None:
    """Make all models, and write the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--only", default="", metavar="REGEX")
    parser.add_argument("--set", type=int, choices=range(1, len(SETS) + 1), default=1)
    args = parser.parse_args()
    truth = []
    for number, (program, twin) in enumerate(models(args.only, args.set)):
        measured = make(program, args.directory, export=args.set == 1 and number % 3 == 0)
        truth.append({**asdict(program), "address": program.address, "twin": twin, **measured})
        print(f"{program.name:24} score {measured['score']:8.3f}  same {measured['share']:.2f}")
        keras.backend.clear_session()
    name = "truth.json" if not args.only else "truth-part.json"
    (args.directory / name).write_text(json.dumps(truth, indent=1))


if __name__ == "__main__":
    main()
