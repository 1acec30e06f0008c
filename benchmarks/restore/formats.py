"""How the restore benchmark writes a model in each format, and edits what was written."""

from __future__ import annotations

import json
import multiprocessing
import os
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf

from benchmarks.restore.nets import leaves

GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"


@dataclass(frozen=True)
class Format:
    """A format: the file's name, whether tf-keras writes it, and how."""

    name: str
    file: str
    legacy: bool
    save: Callable[[Any, Path], None]


def _plain(model: Any, path: Path) -> None:
    model.save(path)


def _export(model: Any, path: Path) -> None:
    model.export(os.fspath(path), verbose=False)


def _architecture(model: Any, path: Path) -> None:
    path.with_name("model.json").write_text(model.to_json())


def _weights(model: Any, path: Path) -> None:
    model.save_weights(path)
    _architecture(model, path)


def _checkpoint(model: Any, path: Path) -> None:
    parts = {"model": model, "optimizer": model.optimizer}
    tf.train.Checkpoint(**parts).write(os.fspath(path))
    _architecture(model, path)


def _legacy_checkpoint(model: Any, path: Path) -> None:
    model.save_weights(os.fspath(path), save_format="tf")
    _architecture(model, path)


@cache
def _worker() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def _saver(model: Any, path: Path) -> None:
    """Build the model in a TensorFlow 1 graph, and save it with a `Saver`.

    In a process of its own, because tf-keras changes its classes for good when it builds a graph.
    """
    values = [layer.get_weights() for layer in leaves(model)]
    _worker().submit(_in_graph, model.to_json(), values, os.fspath(path)).result()


def _in_graph(text: str, values: list[list[np.ndarray]], path: str) -> None:
    import tf_keras
    from tf_keras.src.backend import set_session

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        set_session(session)
        model = tf_keras.models.model_from_json(text)
        variables = v1.global_variables()
        session.run(v1.variables_initializer(variables))
        for layer, kept in zip(leaves(model), values, strict=True):
            for variable, value in zip(layer.weights, kept, strict=True):
                variable.load(value, session)
        v1.train.Saver(variables, save_relative_paths=True).save(session, path)


FORMATS = {
    f.name: f
    for f in (
        Format("keras", "model.keras", False, _plain),
        Format("h5", "model.h5", False, _plain),
        Format("export", "model", False, _export),
        Format("weights", "model.weights.h5", False, _weights),
        Format("ckpt", "model.ckpt", False, _checkpoint),
        Format("keras_k2", "model.keras", True, _plain),
        Format("h5_k2", "model.h5", True, _plain),
        Format("saved_k2", "model", True, _plain),
        Format("weights_k2", "model_weights.h5", True, _weights),
        Format("ckpt_k2", "model.ckpt", True, _legacy_checkpoint),
        Format("tf1", "model.ckpt", True, _saver),
    )
}
LEGACY_H5 = ("h5", "h5_k2", "weights_k2")
V3 = ("keras", "keras_k2", "weights")
NAMED_V3 = ("keras", "weights")  # Keras 2 does not write names into v3 weights
SAVED = ("export", "saved_k2")
OBJECTS = ("ckpt", "ckpt_k2")
TRACKED = (*SAVED, *OBJECTS)
STATES = (*OBJECTS, "tf1")
BUNDLES = (*SAVED, *OBJECTS, "tf1")
HDF5 = (*LEGACY_H5, *V3)
WITH_CONFIG = ("h5", "h5_k2", "keras", "keras_k2")
BESIDE = ("weights", "weights_k2", *OBJECTS)
WITHOUT_OPTIMIZER = ("export", "weights_k2", "tf1")
ALL = tuple(FORMATS)


@contextmanager
def member(path: Path, name: str, *, drop: bool = False) -> Iterator[Path]:
    """A copy of one member of an archive, which is written back, or left out with `drop`."""
    with zipfile.ZipFile(path) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    copy = path.with_name("member")
    copy.write_bytes(parts[name])
    yield copy
    parts[name] = copy.read_bytes()
    copy.unlink()
    if drop:
        del parts[name]
    with zipfile.ZipFile(path, "w") as archive:
        for part, content in parts.items():
            archive.writestr(part, content)


@contextmanager
def hdf5(path: Path) -> Iterator[Any]:
    """The HDF5 file of the weights, open for edits: the file, or the archive's member."""
    if zipfile.is_zipfile(path):
        with member(path, "model.weights.h5") as copy, h5py.File(copy, "r+") as file:
            yield file
    else:
        with h5py.File(path, "r+") as file:
            yield file.get("model_weights", file)


def datasets(group: Any) -> dict[str, Any]:
    """Every weight's dataset by its path; those of an optimizer are left out."""
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and "optimizer" not in name.split("/", 1)[0]:
            found[name] = item

    group.visititems(visit)
    return found


def rewrite(group: Any, name: str, value: np.ndarray) -> None:
    """Replace a dataset by one of another type or shape, with its attributes."""
    kept = dict(group[name].attrs)
    del group[name]
    group.create_dataset(name, data=value).attrs.update(kept)


def exchange_values(group: Any, old: list[np.ndarray], new: list[np.ndarray]) -> None:
    """Write the new weights over the old ones, wherever those stand."""
    pairs = list(zip(old, new, strict=True))
    for item in datasets(group).values():
        value = item[()]
        match = [b for a, b in pairs if a.shape == value.shape and np.array_equal(a, value)]
        if match:
            item[...] = match[0]


@contextmanager
def config(path: Path) -> Iterator[dict[str, Any]]:
    """The architecture's JSON, open for edits: in the file, the archive, or beside the weights."""
    if zipfile.is_zipfile(path):
        with member(path, "config.json") as copy:
            value = json.loads(copy.read_text())
            yield value
            copy.write_text(json.dumps(value))
        return
    beside = path.with_name("model.json")
    if beside.exists():
        value = json.loads(beside.read_text())
        yield value
        beside.write_text(json.dumps(value))
        return
    with h5py.File(path, "r+") as file:
        value = json.loads(file.attrs["model_config"])
        yield value
        file.attrs["model_config"] = json.dumps(value)


def prefix(path: Path) -> Path:
    """The prefix of the variables of a SavedModel or checkpoint."""
    return path / "variables" / "variables" if path.is_dir() else path


@contextmanager
def bundle(path: Path) -> Iterator[dict[str, Any]]:
    """All tensors of a checkpoint by key, open for edits."""
    where = os.fspath(prefix(path))
    reader = tf.train.load_checkpoint(where)
    tensors = {key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()}
    yield tensors
    for file in prefix(path).parent.glob(f"{prefix(path).name}.data-*"):
        file.unlink()
    values = [tf.constant(value) for value in tensors.values()]
    tf.raw_ops.SaveV2(
        prefix=where, tensor_names=list(tensors), shape_and_slices=[""] * len(tensors),
        tensors=values,
    )  # fmt: skip
    for shard in prefix(path).parent.glob(f"{prefix(path).name}.data-*"):
        shard.rename(f"{where}.data-00000-of-00001")


@contextmanager
def object_graph(tensors: dict[str, Any]) -> Iterator[Any]:
    """The object graph among the tensors of a checkpoint, open for edits."""
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(tensors[GRAPH_KEY])
    yield graph
    tensors[GRAPH_KEY] = graph.SerializeToString()


def data_file(path: Path) -> Path:
    """The first data shard."""
    return next(prefix(path).parent.glob(f"{prefix(path).name}.data-*"))
