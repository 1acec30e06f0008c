"""Load what `make.py` made, and state what each fault does and how well twins answer.

    python -m benchmarks.restore.effects DIRECTORY [--every N]

Faults in values were compared in memory when they were made. Of the faults in files, those that
may leave the outputs as they are and every Nth other one are loaded with TensorFlow, tf-keras or
Keras as their format wants, as are their sound twins, and the outputs compared on data of the task
and on random inputs. The column `effect` of faults.tsv gets the largest difference of an output,
`equal`, or the error that loading ends with; a fault whose outputs are equal up to rounding is
asked for at medium instead of high. Every Nth honest twin gets a `score`: accuracy or R2 on data of
its task. TensorFlow 1 checkpoints are compared by their tensors.
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
import tensorflow as tf
import tf_keras

from benchmarks.restore.answers import Values, asked, called, difference, probes
from benchmarks.restore.formats import FORMATS
from benchmarks.restore.make import SETS, write_table
from benchmarks.restore.nets import Net, compiled, score
from benchmarks.restore.table import read

NETS = {net.name: net for nets in SETS.values() for net in nets}
MAYBE_EQUAL = frozenset(  # faults in files that depend on the values or on the path through a graph
    (
        *("exponent_bit_flipped", "activation_edited", "epsilon_edited", "padding_edited"),
        *("layer_groups_exchanged", "v3_groups_exchanged", "v3_of_another_net", "keys_exchanged"),
        *("operation_edited", "metadata_activation", "metadata_strides", "metadata_epsilon"),
        *("weight_names_reordered", "layer_names_reordered", "layer_untracked"),
    )
)


def _beside(path: Path, legacy: bool) -> Any:
    of = tf_keras if legacy else keras
    return of.models.model_from_json(path.with_name("model.json").read_text())


def _weights(path: Path, _net: Net, inputs: Values) -> Values:
    legacy = path.name.endswith("model_weights.h5")
    model = _beside(path, legacy)
    model.load_weights(path)
    return called(model, inputs)


def _model(path: Path, _net: Net, inputs: Values) -> Values:
    return called(keras.models.load_model(path, compile=False), inputs)


def _legacy_model(path: Path, _net: Net, inputs: Values) -> Values:
    return called(tf_keras.models.load_model(path, compile=False), inputs)


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
    return called(model, inputs)


def _legacy_checkpoint(path: Path, _net: Net, inputs: Values) -> Values:
    model = _beside(path, legacy=True)
    model.load_weights(os.fspath(path)).expect_partial()
    return called(model, inputs)


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
def inputs_of(network: str) -> Values:
    return probes(keras, NETS[network])


@cache
def sound(directory: Path, network: str, form: str) -> Values:
    path = directory / "twins" / f"sound_{network}_{form}" / FORMATS[form].file
    return LOADERS[form](path, NETS[network], inputs_of(network))


def effect(directory: Path, row: dict[str, str]) -> str:
    """What the fault does: a number, `equal`, or an error."""
    network, form = row["network"], row["format"]
    wanted = sound(directory, network, form)
    path = directory / "faults" / row["path"] / FORMATS[form].file
    try:
        found = LOADERS[form](path, NETS[network], inputs_of(network))
    except Exception as error:
        return f"does not load: {type(error).__name__}"
    return difference(wanted, found)


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
    parser.add_argument("--every", type=int, default=4, help="4: a quarter")
    options = parser.parse_args()
    faults, twins = (read(options.directory / f"{x}.tsv") for x in ("faults", "twins"))
    for place, row in enumerate(faults):
        if row["effect"] or (row["fault"] not in MAYBE_EQUAL and place % options.every):
            continue
        row["effect"] = effect(options.directory, row)
        row["severity"] = asked(row["severity"], row["effect"])
        print(row["path"], row["effect"], flush=True)
    write_table(options.directory / "faults.tsv", faults)
    for place, row in enumerate(twins):
        row["score"] = answered(options.directory, row) if place % options.every == 0 else ""
        print(row["path"], row["score"], flush=True)
    write_table(options.directory / "twins.tsv", twins)


if __name__ == "__main__":
    main()
