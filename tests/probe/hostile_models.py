"""Models that attack whoever runs them: `python -m tests.probe.hostile_models DIR`.

All take one float32 vector `x` of shape (2,) per sample. The attacks go for files of `DIR` only.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import tensorflow as tf

VECTORS = tf.TensorSpec((None, 2), tf.float32, name="x")

# What the lambda layer tries; each entry is reported as 1.0 where it went through.
ATTEMPTS = (
    "write",
    "read",
    "chmod",
    "socket",
    "system",
    "fork",
    "signal",
    "list",
    "limits",
    "scratch",  # the one that must go through: its own directory
)


def save(folder: Path, name: str, body) -> None:
    """Save a module whose serving signature is `body`."""

    class Attack(tf.Module):
        @tf.function(input_signature=[VECTORS])
        def serve(self, x):
            return {"y": body(x)}

    module = Attack()
    tf.saved_model.save(module, os.fspath(folder / name), {"serving_default": module.serve})


def graphs(folder: Path) -> None:
    """Attacks by graph operations."""
    canary, secret = folder / "canary", folder / "secret.txt"

    def after(operation, x):
        with tf.control_dependencies([operation]):
            return tf.identity(x)

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
    save(  # a shape that constant folding does not see, since it would try and wait too
        folder,
        "huge",
        lambda x: x + tf.random.stateless_uniform(tf.cast(x[0] * 1e6, tf.int32), (1, 2))[0, 0],
    )
    save(folder, "write", lambda x: after(tf.io.write_file(f"{canary}/written", "x"), x))
    save(
        folder,
        "read",
        lambda x: x + tf.cast(tf.strings.length(tf.io.read_file(str(secret))), tf.float32),
    )
    save(
        folder,
        "print_file",
        lambda x: after(tf.print(x, output_stream=f"file://{canary}/printed"), x),
    )
    save(folder, "print", lambda x: after(tf.print("ok", 7, output_stream=sys.stdout), x))
    crash_on_load(folder)


def crash_on_load(folder: Path) -> None:
    """Abort while the SavedModel is loaded: resources are initialised then."""

    class Resource(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self):
            return tf.raw_ops.MutableHashTableV2(key_dtype=tf.int64, value_dtype=tf.int64)

        def _initialize(self):
            with tf.control_dependencies([tf.raw_ops.Abort(error_msg="boom at load")]):
                tf.print("not reached")  # alone, an op without side effects would be pruned

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
    path = os.fspath(folder / "abort_on_load")
    tf.saved_model.save(module, path, {"serving_default": module.serve})


def python_code(folder: Path) -> None:
    """A Keras 2 Lambda: Python code out of the file, which its `.h5` loader runs."""
    import tf_keras

    canary, secret = os.fspath(folder / "canary"), os.fspath(folder / "secret.txt")
    attempts = ATTEMPTS

    def attack(x, attempts=attempts, canary=canary, secret=secret):
        import os
        import resource
        import signal
        import socket
        from pathlib import Path

        import tensorflow as tf

        def fork():
            if os.fork() == 0:
                os._exit(0)

        def system():
            if os.system("true") != 0:
                raise OSError("not run")

        actions = {
            "write": lambda: os.open(canary + "/owned", os.O_CREAT | os.O_WRONLY),
            "read": lambda: os.open(secret, os.O_RDONLY),
            "chmod": lambda: Path(canary).chmod(0o700),
            "socket": socket.socket,
            "system": system,
            "fork": fork,
            "signal": lambda: os.kill(os.getppid(), signal.SIGTERM),
            "list": lambda: os.listdir(canary),
            "limits": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1)),
            "scratch": lambda: os.open("mine.txt", os.O_CREAT | os.O_WRONLY),
        }
        done = []
        for attempt in attempts:
            try:
                actions[attempt]()
            except (OSError, ValueError):
                done.append(0.0)
            else:
                done.append(1.0)
        return tf.tile([done], [tf.shape(x)[0], 1])

    # Building a model calls its layers, so the attack takes a harmless function's place later.
    harmless = lambda x, attempts=attempts, canary=canary, secret=secret: x  # noqa: E731
    model = tf_keras.Sequential(
        [tf_keras.layers.InputLayer((2,)), tf_keras.layers.Lambda(harmless)]
    )
    harmless.__code__ = attack.__code__
    model.save(folder / "lambda.h5")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    python_code(target)
    graphs(target)
