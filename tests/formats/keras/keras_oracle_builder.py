"""Build varied models with Keras 3 and tf_keras, and describe the live models.

`python keras_oracle_builder.py DIR` writes, for each model, its files and `truth.json`: every
layer's path, class, shapes, and its variables with a digest of their bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from keras_oracle_models import BOTH, ONLY

RANDOM = np.random.default_rng(11)


def own_variables(variables):
    """Name, shape and digest of each variable."""
    return [
        {
            "name": variable.name.split(":")[0].split("/")[-1],
            "shape": list(variable.shape),
            "digest": digest(np.asarray(variable)),
        }
        for variable in variables
    ]


def digest(array):
    """Digest of an array's bytes, also of one read back from a file."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def shape_list(shapes):
    """One shape or a list of shapes (Keras 3: tensors) as a list of lists."""
    if hasattr(shapes, "shape"):
        shapes = [shapes.shape]
    elif isinstance(shapes, tuple) and not (shapes and isinstance(shapes[0], tuple)):
        shapes = [shapes]
    return [list(getattr(s, "shape", s)) for s in shapes]


def shapes_of(layer):
    """(input shapes, first output shape) of the layer's first call."""
    if isinstance(layer, keras.layers.Layer):
        node = layer._inbound_nodes[0] if layer._inbound_nodes else None
        if node is None:
            return None, None
        inputs = [list(t.shape) for t in node.input_tensors]
        return inputs, list(node.outputs[0].shape)
    inputs = shape_list(layer.get_input_shape_at(0))
    return inputs, shape_list(layer.get_output_shape_at(0))[0]


def facts(model, prefix=""):
    """Every layer below `model`, inner ones after their own."""
    found = []
    for layer in model.layers:
        path = f"{prefix}{layer.name}"
        inner = getattr(layer, "layers", None)
        wrapped = [
            getattr(layer, name)
            for name in ("forward_layer", "backward_layer")
            if hasattr(layer, name)
        ]
        if not wrapped and isinstance(layer, (keras.layers.Wrapper, tf_keras.layers.Wrapper)):
            wrapped = [layer.layer]
        if type(layer) in (keras.layers.RNN, tf_keras.layers.RNN):
            wrapped = [layer.cell]
        inputs, output = shapes_of(layer)
        entry = {"path": path, "class": type(layer).__name__, "inputs": inputs, "output": output}
        if hasattr(layer, "vector_u"):
            entry["variables"] = own_variables([layer.vector_u])
        elif inner is None and not wrapped:
            entry["variables"] = own_variables(layer.weights)
        found.append(entry)
        if inner is not None:
            found += facts(layer, f"{path}/")
        for each in wrapped:
            found += wrapped_facts(each, f"{path}/")
    return found


def wrapped_facts(layer, prefix):
    """A wrapped layer: only its variables are comparable (it has no nodes of its own)."""
    path = f"{prefix}{layer.name}"
    cells_below = getattr(layer, "cells", None)
    entry = {"path": path, "class": type(layer).__name__}
    if cells_below is None:
        return [entry | {"variables": own_variables(layer.weights)}]
    return [entry] + [f for cell in cells_below for f in wrapped_facts(cell, f"{path}/")]


def randomise(model):
    """Give every float variable unique values, so that a digest identifies it."""
    values = [
        RANDOM.normal(size=w.shape).astype(w.dtype) if w.dtype.kind == "f" else w
        for w in model.get_weights()
    ]
    model.set_weights(values)


def checkpoint_tensors(prefix):
    """Digest, shape and name in the program of each variable of a TensorFlow checkpoint."""
    from tensorflow.core.protobuf import trackable_object_graph_pb2 as graphs

    reader = tf.train.load_checkpoint(prefix)
    graph = graphs.TrackableObjectGraph.FromString(
        reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
    )
    names = {a.checkpoint_key: a.full_name for node in graph.nodes for a in node.attributes}
    return [
        {
            "name": key,
            "full_name": names[key],
            "shape": shape,
            "digest": digest(reader.get_tensor(key)),
        }
        for key, shape in reader.get_variable_to_shape_map().items()
        if key in names and "save_counter" not in key
    ]


def main(folder):
    for label, k in (("keras3", keras), ("keras2", tf_keras)):
        for function in (*BOTH, *ONLY[label]):
            k.backend.clear_session()
            model = function(k)
            randomise(model)
            target = folder / label / function.__name__
            target.mkdir(parents=True)
            model.save(target / "m.keras")
            model.save(str(target / "m.h5"))
            (target / "m.json").write_text(model.to_json())
            prefix = tf.train.Checkpoint(model=model).write(str(target / "c"))
            (target / "checkpoint.json").write_text(json.dumps(checkpoint_tensors(prefix)))
            truth = {
                "layers": facts(model),
                "outputs": [list(t.shape) for t in model.outputs],
            }
            (target / "truth.json").write_text(json.dumps(truth))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
