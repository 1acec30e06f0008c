"""Models written by TensorFlow itself: SavedModels, checkpoints, a frozen graph.

All take images of shape (8, 8, 3) and give 5 scores. Every builder writes into `folder` and
returns the scores for `x`, computed before saving.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

KERNEL, BIAS = "head/kernel", "head/bias"


def module_saved_model(folder: Path, x: np.ndarray) -> dict[str, np.ndarray]:
    """Save a `tf.Module` with two signatures, and the same module as an object checkpoint."""
    import tensorflow as tf

    images = tf.TensorSpec((None, 8, 8, 3), tf.float32, name="image")

    class Scorer(tf.Module):
        def __init__(self) -> None:
            super().__init__(name="scorer")
            kernel, bias = _weights()
            self.kernel = tf.Variable(kernel, name="kernel")
            self.bias = tf.Variable(bias, name="bias")

        @tf.function(input_signature=[images])
        def score(self, image):
            flat = tf.reshape(image, (-1, 8 * 8 * 3))
            return {"scores": tf.linalg.matmul(flat, self.kernel) + self.bias}

        @tf.function(input_signature=[images])
        def best(self, image):
            return {"class": tf.argmax(self.score(image)["scores"], axis=1)}

    module = Scorer()
    signatures = {"serving_default": module.score, "best": module.best}
    tf.saved_model.save(module, os.fspath(folder / "module_savedmodel"), signatures)
    checkpoint = folder / "tf2_checkpoint"
    tf.train.Checkpoint(model=module).save(os.fspath(checkpoint / "ckpt"))
    y = module.score(tf.constant(x))["scores"].numpy()
    return {"module_savedmodel": y, "tf2_checkpoint": y}


def tf1(folder: Path, x: np.ndarray) -> dict[str, np.ndarray]:
    """Write one TensorFlow 1 graph as SavedModel, as checkpoint with leftovers, and frozen."""
    import tensorflow as tf

    v1 = tf.compat.v1
    checkpoint = folder / "tf1_checkpoint"
    checkpoint.mkdir()
    with tf.Graph().as_default() as graph, v1.Session() as session:
        image = v1.placeholder(tf.float32, (None, 8, 8, 3), name="image")
        kernel, bias = (
            v1.get_variable(name, initializer=value)
            for name, value in zip((KERNEL, BIAS), _weights(), strict=True)
        )
        flat = tf.reshape(image, (-1, 8 * 8 * 3))
        scores = tf.add(tf.matmul(flat, kernel), bias, name="scores")
        session.run(v1.global_variables_initializer())

        v1.train.Saver(save_relative_paths=True).save(session, os.fspath(checkpoint / "model.ckpt"))
        builder = v1.saved_model.Builder(os.fspath(folder / "tf1_savedmodel"))
        signature = v1.saved_model.predict_signature_def({"image": image}, {"scores": scores})
        builder.add_meta_graph_and_variables(
            session, [v1.saved_model.tag_constants.SERVING], {"serving_default": signature}
        )
        builder.save()
        frozen = v1.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), [scores.op.name]
        )
        (folder / "frozen_graph.pb").write_bytes(frozen.SerializeToString())
        y = session.run(scores, {image: x})
    _leave_over(checkpoint)
    return {"tf1_savedmodel": y, "tf1_checkpoint": y, "frozen_graph.pb": y}


def _leave_over(checkpoint: Path) -> None:
    """Add files that interrupted saves and users leave next to a checkpoint."""
    shard = checkpoint / "model.ckpt.data-00000-of-00001"
    stale = bytes(len(shard.read_bytes()))
    (checkpoint / f"{shard.name}.tempstate4036577590216504352").write_bytes(stale)
    (checkpoint / "model.ckpt").touch()  # so that os.path.exists("model.ckpt") holds
    (checkpoint / "model.png").write_bytes(b"\x89PNG\r\n\x1a\n")


def _weights() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    kernel = rng.normal(size=(8 * 8 * 3, 5)).astype("float32")
    return kernel, rng.normal(size=5).astype("float32")
