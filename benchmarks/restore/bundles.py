"""Restore faults in SavedModels and checkpoints: each edits what a sound model was saved to."""

from __future__ import annotations

import os
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.restore import formats as forms
from benchmarks.restore.nets import leaves
from benchmarks.restore.values import Stock, Unsuited

SLOTS = (
    *(".OPTIMIZER_SLOT", "optimizer/_variables", "optimizer/_iterations", "_learning_rate"),
    *("save_counter", "keras_api"),
)


def shard_missing(path: Path, _model: Any, _stock: Stock) -> list[str]:
    forms.data_file(path).unlink()
    return []


def index_missing(path: Path, _model: Any, _stock: Stock) -> list[str]:
    forms.prefix(path).with_name(f"{forms.prefix(path).name}.index").unlink()
    return []


def data_truncated(path: Path, _model: Any, stock: Stock) -> list[str]:
    file = forms.data_file(path)
    os.truncate(file, int(file.stat().st_size * stock.rng.uniform(0.3, 0.9)))
    return []


def data_bit_flipped(path: Path, _model: Any, stock: Stock) -> list[str]:
    file = forms.data_file(path)
    content = bytearray(file.read_bytes())
    content[int(len(content) * stock.rng.uniform(0.3, 0.6))] ^= 64
    file.write_bytes(content)
    return []


def _weights(tensors: dict[str, Any], least: int = 1) -> dict[str, np.ndarray]:
    """The tensors that are weights of layers."""
    return {
        key: np.asarray(value)
        for key, value in tensors.items()
        if not any(slot in key for slot in SLOTS)
        and isinstance(value, np.ndarray)
        and value.dtype == np.float32
        and value.size >= least
    }


def _known_as(tensors: dict[str, Any], key: str) -> list[str]:
    """The key of a tensor, and the name of its layer where an object graph gives it."""
    found = [key.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE")]
    if forms.GRAPH_KEY in tensors:
        with forms.object_graph(tensors) as graph:
            attributes = [a for node in graph.nodes for a in node.attributes]
            names = [a.full_name for a in attributes if a.checkpoint_key == key and a.full_name]
            found += [name.rpartition("/")[0] or name for name in names]
    return found


def _unfingerprinted(path: Path) -> None:
    """Remove the fingerprint, so that only the edit itself can be seen."""
    (path / "fingerprint.pb").unlink(missing_ok=True)


def variable_missing(path: Path, _model: Any, stock: Stock) -> list[str]:
    with forms.bundle(path) as tensors:
        key = str(stock.one(list(_weights(tensors, 16))))
        known = _known_as(tensors, key)
        del tensors[key]
    _unfingerprinted(path)
    return known


def variable_of_other_shape(path: Path, _model: Any, stock: Stock) -> list[str]:
    with forms.bundle(path) as tensors:
        key = str(stock.one(list(_weights(tensors, 16))))
        value = tensors[key]
        tensors[key] = np.concatenate([value, value[..., :1]], axis=-1)
        known = _known_as(tensors, key)
    _unfingerprinted(path)
    return known


def layer_untracked(path: Path, _model: Any, stock: Stock) -> list[str]:
    """A layer of which neither the tensors nor the object graph know anything."""
    with forms.bundle(path) as tensors:
        kept = [k for k in _weights(tensors, 16) if not k.startswith("optimizer/")]
        key = str(stock.one(kept))
        known = _known_as(tensors, key)
        owner = key.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE").rpartition("/")[0]
        lost = [k for k in tensors if k.startswith(owner + "/")]
        with forms.object_graph(tensors) as graph:
            for node in graph.nodes:
                if any(a.checkpoint_key in lost for a in node.attributes):
                    del node.attributes[:]
        for k in lost:
            del tensors[k]
    return known


def keys_exchanged(path: Path, _model: Any, stock: Stock) -> list[str]:
    """Two variables of equal shape exchange their keys in the object graph."""
    with forms.bundle(path) as tensors:
        kept = _weights(tensors, 16)
        pairs = [(a, b) for a, b in combinations(kept, 2) if kept[a].shape == kept[b].shape]
        one, other = stock.one(pairs)
        turned = {one: other, other: one}
        known = _known_as(tensors, one) + _known_as(tensors, other)
        with forms.object_graph(tensors) as graph:
            for node in graph.nodes:
                for a in node.attributes:
                    if a.checkpoint_key in turned and not a.full_name:
                        raise Unsuited
                    a.checkpoint_key = turned.get(a.checkpoint_key, a.checkpoint_key)
    _unfingerprinted(path)
    return known


def _drop_slots(path: Path, share: float) -> list[str]:
    with forms.bundle(path) as tensors:
        states = sorted(k for k in tensors if ".OPTIMIZER_SLOT" in k or "optimizer/_variables" in k)
        if len(states) < 2:
            raise Unsuited
        lost = set(states[: max(1, int(len(states) * share))])
        with forms.object_graph(tensors) as graph:
            for node in graph.nodes:
                if any(a.checkpoint_key in lost for a in node.attributes):
                    del node.attributes[:]
            for node in graph.nodes:
                kept = [
                    s
                    for s in node.slot_variables
                    if graph.nodes[s.slot_variable_node_id].attributes
                ]
                del node.slot_variables[:]
                node.slot_variables.extend(kept)
        for key in lost:
            del tensors[key]
    return []


def slots_partial(path: Path, _model: Any, _stock: Stock) -> list[str]:
    return _drop_slots(path, 0.5)


def slots_missing(path: Path, _model: Any, _stock: Stock) -> list[str]:
    return _drop_slots(path, 1)


def _state(path: Path, target: str) -> list[str]:
    text = f'model_checkpoint_path: "{target}"\nall_model_checkpoint_paths: "{target}"\n'
    path.with_name("checkpoint").write_text(text)
    return []


def state_points_nowhere(path: Path, _model: Any, _stock: Stock) -> list[str]:
    return _state(path, "epoch_40.ckpt")


def state_points_to_older(path: Path, _model: Any, _stock: Stock) -> list[str]:
    """An older checkpoint lies beside the newest, and the state file names the older one."""
    for file in list(path.parent.glob(f"{path.name}.*")):
        shutil.copy2(file, file.with_name(file.name.replace("model.ckpt", "model-100.ckpt")))
        file.rename(file.with_name(file.name.replace("model.ckpt", "model-900.ckpt")))
    return _state(path, "model-100.ckpt")


# --- SavedModel


def fingerprint_foreign(path: Path, _model: Any, _stock: Stock) -> list[str]:
    """The fingerprint of another SavedModel; the outputs stay the same."""
    from tensorflow.core.protobuf import fingerprint_pb2

    file = path / "fingerprint.pb"
    message = fingerprint_pb2.FingerprintDef.FromString(file.read_bytes())
    message.saved_model_checksum ^= 0x5DEECE66D5DEECE6
    message.checkpoint_hash ^= 0x2545F4914F6CDD1D
    message.graph_def_program_hash ^= 0x1234567812345
    file.write_bytes(message.SerializeToString())
    return []


def variables_of_other_epoch(path: Path, model: Any, stock: Stock) -> list[str]:
    """Tensors of another epoch under the same keys, with correct checksums."""
    later = zip(model.get_weights(), stock.other, strict=True)
    values = [(a, b) for a, b in later if a.size > 1]
    with forms.bundle(path) as tensors:
        changed = 0
        for key, old in _weights(tensors).items():
            match = [b for a, b in values if a.shape == old.shape and np.array_equal(a, old)]
            if match:
                tensors[key] = match[0]
                changed += 1
        if not changed:
            raise Unsuited
    return []


OUTPUTS = {"Softmax": "softmax", "Sigmoid": "y", "Tanh": "y"}  # others: "activations"


def operation_edited(path: Path, _model: Any, stock: Stock) -> list[str]:
    """Another activation in the functions of the graph."""
    from tensorflow.core.protobuf import saved_model_pb2

    turned = {"Relu": "Elu", "Tanh": "Softsign", "Softmax": "Sigmoid", "Elu": "Relu"}
    old = str(stock.one(list(turned)))
    file = path / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    functions = message.meta_graphs[0].graph_def.library.function
    if not any(node.op == old for f in functions for node in f.node_def):
        raise Unsuited
    before, after = (OUTPUTS.get(op, "activations") for op in (old, turned[old]))
    for function in functions:
        edited = {node.name for node in function.node_def if node.op == old}
        ends = {f"{name}:{before}:": f"{name}:{after}:" for name in edited}

        def renamed(text: str, ends: dict[str, str] = ends) -> str:
            start = text.rstrip("0123456789")
            return ends.get(start, start) + text[len(start) :]

        for node in function.node_def:
            node.op = turned[old] if node.name in edited else node.op
            node.input[:] = [renamed(text) for text in node.input]
        for key, text in list(function.ret.items()):
            function.ret[key] = renamed(text)
    file.write_bytes(message.SerializeToString())
    return []


def metadata_missing(path: Path, _model: Any, _stock: Stock) -> list[str]:
    (path / "keras_metadata.pb").unlink()
    return []


def _metadata(path: Path, old: str, new: str) -> list[str]:
    from tf_keras.protobuf import saved_metadata_pb2

    file = path / "keras_metadata.pb"
    message = saved_metadata_pb2.SavedMetadata.FromString(file.read_bytes())
    found = False
    for node in message.nodes:
        found |= old in node.metadata
        node.metadata = node.metadata.replace(old, new)
    if not found:
        raise Unsuited
    file.write_bytes(message.SerializeToString())
    return []


def metadata_activation(path: Path, _model: Any, stock: Stock) -> list[str]:
    one = str(stock.one(["relu", "tanh", "softmax"]))
    new = {"relu": "tanh", "tanh": "relu", "softmax": "sigmoid"}[one]
    return _metadata(path, f'"activation": "{one}"', f'"activation": "{new}"')


def metadata_strides(path: Path, _model: Any, _stock: Stock) -> list[str]:
    old = '"strides": {"class_name": "__tuple__", "items": [2, 2]}'
    return _metadata(path, old, old.replace("2, 2", "1, 1"))


def metadata_epsilon(path: Path, _model: Any, _stock: Stock) -> list[str]:
    return _metadata(path, '"epsilon": 0.001', '"epsilon": 0.3')


# --- TensorFlow 1


def meta_missing(path: Path, _model: Any, _stock: Stock) -> list[str]:
    path.with_name(f"{path.name}.meta").unlink()
    return []


def variable_unknown_to_graph(path: Path, _model: Any, stock: Stock) -> list[str]:
    with forms.bundle(path) as tensors:
        tensors["auxiliary/kernel"] = stock.rng.normal(size=(24, 7)).astype(np.float32)
    return ["auxiliary"]


def average_stale(path: Path, model: Any, stock: Stock) -> list[str]:
    """Moving averages of the weights that still have their initial values."""
    fresh = zip(leaves(model), leaves(stock.untrained), strict=True)
    pairs = [
        pair for old, new in fresh for pair in zip(old.weights, new.get_weights(), strict=True)
    ]
    averages = {
        weight.name.removesuffix(":0"): value for weight, value in pairs if value.size >= 64
    }
    write_averages(path, averages)
    return ["ExponentialMovingAverage"]


def write_averages(path: Path, averages: dict[str, np.ndarray]) -> None:
    """Add moving averages to a checkpoint and to its graph, as `ExponentialMovingAverage` does."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        saver = v1.train.import_meta_graph(os.fspath(path) + ".meta")
        saver.restore(session, os.fspath(path))
        variables = [v for v in v1.global_variables() if v.name.removesuffix(":0") in averages]
        average = v1.train.ExponentialMovingAverage(0.99)
        average.apply(variables)
        for variable in variables:
            shadow = average.average(variable)
            session.run(shadow.initializer)
            shadow.load(averages[variable.name.removesuffix(":0")], session)
        saver = v1.train.Saver(v1.global_variables(), save_relative_paths=True)
        saver.save(session, os.fspath(path))
