"""Models that die, hang or eat memory: `python -m tests.probe.hostile_models DIR`.

All take one float32 vector `x` of shape (2,) per sample. Models that attack their environment
are made by `attack_models`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import tensorflow as tf

VECTORS = tf.TensorSpec((None, 2), tf.float32, name="x")


def save(folder: Path, name: str, body) -> None:
    """Save a module whose serving signature is `body`."""

    class Attack(tf.Module):
        @tf.function(input_signature=[VECTORS])
        def serve(self, x):
            return {"y": body(x)}

    module = Attack()
    tf.saved_model.save(module, os.fspath(folder / name), {"serving_default": module.serve})


def after(operation, x):
    """`x`, after `operation` has run."""
    with tf.control_dependencies([operation]):
        return tf.identity(x)


def graphs(folder: Path) -> None:
    """Write every model."""
    save(folder, "honest", lambda x: 2.0 * x)
    save(folder, "abort", lambda x: after(tf.raw_ops.Abort(error_msg="boom"), x))
    save(folder, "leave", lambda x: after(tf.raw_ops.Abort(exit_without_error=True), x))
    save(folder, "loop", lambda x: tf.while_loop(lambda v: True, lambda v: (v + 0.0,), (x,))[0])
    save(
        folder,
        "grow",
        lambda x: tf.while_loop(
            lambda v: True,
            lambda v: (tf.concat([v, v + 1.0], 0),),
            (x,),
            shape_invariants=(tf.TensorShape((None, 2)),),
        )[0],
    )
    save(  # a shape hidden from constant folding, which would hang too
        folder,
        "huge",
        lambda x: x + tf.random.stateless_uniform(tf.cast(x[0] * 1e6, tf.int32), (1, 2))[0, 0],
    )
    save(  # as often as its input says
        folder,
        "counts",
        lambda x: tf.while_loop(
            lambda i, v: i < tf.cast(x[0, 0] * 1e12, tf.int64),
            lambda i, v: (i + 1, v + 0.0),
            (tf.constant(0, tf.int64), x),
        )[1],
    )
    save(folder, "print", lambda x: after(tf.print("ok", 7, output_stream=sys.stdout), x))
    save_on_load(folder, "abort_on_load", lambda: tf.raw_ops.Abort(error_msg="boom at load"))


def save_on_load(folder: Path, name: str, operation) -> None:
    """Save a module that runs `operation` when it is loaded, to initialise a resource."""

    class Resource(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self):
            return tf.raw_ops.MutableHashTableV2(key_dtype=tf.int64, value_dtype=tf.int64)

        def _initialize(self):
            with tf.control_dependencies([operation()]):
                tf.print("not reached")  # an op without side effects would be pruned

        def _destroy_resource(self):
            pass

    class Attack(tf.Module):
        def __init__(self):
            super().__init__()
            self.resource = Resource()

        @tf.function(input_signature=[VECTORS])
        def serve(self, x):
            size = tf.raw_ops.LookupTableSizeV2(table_handle=self.resource.resource_handle)
            return {"y": x + tf.cast(size, tf.float32)}

    module = Attack()
    tf.saved_model.save(module, os.fspath(folder / name), {"serving_default": module.serve})


if __name__ == "__main__":
    graphs(Path(sys.argv[1]))
