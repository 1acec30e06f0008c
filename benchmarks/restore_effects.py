"""Load what `restore_models.py` made, and state what each fault does and how well twins answer.

    python benchmarks/restore_effects.py DIRECTORY [--every N]

Every faulty model and its sound twin are loaded with TensorFlow, tf-keras or Keras as its format
wants, and their outputs compared on data of the task and on random inputs. faults.tsv gets a column
`effect`: the largest difference of an output, `equal`, or the error that loading ends with; a fault
whose outputs are equal up to rounding is asked for at medium instead of high. Every Nth honest twin
gets a `score`: the accuracy or R2 on data of its task. TensorFlow 1 checkpoints are compared by
their tensors.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import restore_builders as builders
import restore_builders_more as more
import tensorflow as tf
import tf_keras
from restore_formats import FORMATS
from restore_models import write_table
from restore_nets import Net, compiled, leaves, score
from restore_table import read

Values = list[np.ndarray]
NETS = {net.name: net for net in (*builders.FIRST, *builders.SECOND, *more.THIRD)}
ROUNDING = 1e-6  # relative to the largest output


def _called(model: Any, inputs: Values) -> Values:
    found = model(inputs[0] if len(inputs) == 1 else inputs, training=False)
    return [np.asarray(x) for x in tf.nest.flatten(found)]


def _beside(path: Path, legacy: bool) -> Any:
    of = tf_keras if legacy else keras
    return of.models.model_from_json(path.with_name("model.json").read_text())


def _weights(path: Path, _net: Net, inputs: Values) -> Values:
    legacy = path.name.endswith("model_weights.h5")
    model = _beside(path, legacy)
    model.load_weights(path)
    return _called(model, inputs)


def _model(path: Path, _net: Net, inputs: Values) -> Values:
    return _called(keras.models.load_model(path, compile=False), inputs)


def _legacy_model(path: Path, _net: Net, inputs: Values) -> Values:
    return _called(tf_keras.models.load_model(path, compile=False), inputs)


def _export(path: Path, _net: Net, inputs: Values) -> Values:
    loaded = tf.saved_model.load(os.fspath(path))
    tensors = [tf.constant(x) for x in inputs]
    found = loaded.serve(tensors[0] if len(tensors) == 1 else tensors)
    return [np.asarray(x) for x in tf.nest.flatten(found)]


def _saved(path: Path, net: Net, inputs: Values) -> Values:
    """The outputs of the signature, then those of the model that Keras restores."""
    sound = net.build(tf_keras)
    loaded = tf.saved_model.load(os.fspath(path))
    signature = loaded.signatures["serving_default"]
    names = list(signature.structured_input_signature[1])
    if len(names) > 1:
        names = [str(x.name).split(":", 1)[0] for x in sound.inputs]
    found = signature(**{n: tf.constant(x) for n, x in zip(names, inputs, strict=True)})
    return [np.asarray(x) for _, x in sorted(found.items())] + _legacy_model(path, net, inputs)


def _checkpoint(path: Path, net: Net, inputs: Values) -> Values:
    model = _beside(path, legacy=False)
    optimizer = compiled(keras, net).optimizer
    optimizer.build(model.trainable_variables)
    saved = tf.train.Checkpoint(model=model, optimizer=optimizer)
    saved.read(os.fspath(path)).expect_partial()
    return _called(model, inputs)


def _legacy_checkpoint(path: Path, _net: Net, inputs: Values) -> Values:
    model = _beside(path, legacy=True)
    model.load_weights(os.fspath(path)).expect_partial()
    return _called(model, inputs)


def _saver(path: Path, _net: Net, _inputs: Values) -> Values:
    """The tensors, since the graph is not needed to compare them."""
    tf.io.gfile.stat(f"{path}.meta")
    reader = tf.train.load_checkpoint(os.fspath(path))
    names = sorted(reader.get_variable_to_shape_map())
    return [reader.get_tensor(name) for name in names]


LOADERS: dict[str, Callable[[Path, Net, Values], Values]] = {
    "keras": _model,
    "h5": _model,
    "export": _export,
    "weights": _weights,
    "ckpt": _checkpoint,
    "keras_k2": _legacy_model,
    "h5_k2": _legacy_model,
    "saved_k2": _saved,
    "weights_k2": _weights,
    "ckpt_k2": _legacy_checkpoint,
    "tf1": _saver,
}


@cache
def probes(name: str) -> Values:
    """Half of the rows are data of the task; the others are random, any known token included."""
    net, rng = NETS[name], np.random.default_rng(5)
    known, _ = net.data(rng, 32)
    rows = [x.input_dim for x in leaves(net.build(keras)) if type(x).__name__ == "Embedding"]
    found = []
    for array in known:
        if array.dtype.kind == "i":
            wild = rng.integers(0, rows.pop(0), array.shape).astype(array.dtype)
        else:
            spread = rng.normal(array.mean(axis=0), array.std(axis=0) + 0.1, array.shape)
            wild = spread.astype(array.dtype)
        found.append(np.concatenate([array, wild]))
    return found


@cache
def sound(directory: Path, network: str, form: str) -> Values:
    path = directory / "twins" / f"sound_{network}_{form}" / FORMATS[form].file
    return LOADERS[form](path, NETS[network], probes(network))


def effect(directory: Path, row: dict[str, str]) -> str:
    """What the fault does: a number, `equal`, or an error."""
    network, form = row["network"], row["format"]
    wanted = sound(directory, network, form)
    path = directory / "faults" / row["path"] / FORMATS[form].file
    try:
        found = LOADERS[form](path, NETS[network], probes(network))
    except Exception as error:
        return f"does not load: {type(error).__name__}"
    if [x.shape for x in wanted] != [x.shape for x in found]:
        return "other shapes"
    if not all(np.isfinite(x).all() for x in found):
        return "not finite"
    pairs = list(zip(wanted, found, strict=True))
    worst = max(float(np.abs(a.astype(float) - b).max()) for a, b in pairs)
    largest = max(float(np.abs(a).max()) for a, _ in pairs)
    return "equal" if worst <= ROUNDING * (1 + largest) else f"{worst:.3g}"


def answered(directory: Path, row: dict[str, str]) -> str:
    """Accuracy or R2 of a twin on data of its task; empty where its graph is not run."""
    if row["format"] == "tf1" or row["twin"] == "state_points_to_newest":
        return ""
    net = NETS[row["network"]]
    inputs, truths = net.data(np.random.default_rng(77), 256)
    found = LOADERS[row["format"]](directory / "twins" / row["path"], net, inputs)
    found = found[-len(truths) :]
    return f"{score(net, truths, found):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--every", type=int, default=4, help="of the twins")
    options = parser.parse_args()
    faults, twins = (read(options.directory / f"{x}.tsv") for x in ("faults", "twins"))
    for place, row in enumerate(faults):
        row["effect"] = effect(options.directory, row)
        if row["effect"] == "equal" and row["severity"] == "high":
            row["severity"] = "medium"
        print(row["path"], row["effect"], flush=True)
        if place % 40 == 39:
            tf_keras.backend.clear_session()
            keras.utils.clear_session()
    write_table(options.directory / "faults.tsv", faults)
    for place, row in enumerate(twins):
        row["score"] = answered(options.directory, row) if place % options.every == 0 else ""
        print(row["path"], row["score"], flush=True)
    write_table(options.directory / "twins.tsv", twins)


if __name__ == "__main__":
    main()
