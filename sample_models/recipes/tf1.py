"""Samples in TensorFlow 1 style: a graph, a session and a saver, without Keras."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from recipes.data import SIDE, Images, Split
from recipes.keras3 import load_signature
from recipes.measure import Predict
from recipes.nets import BATCH
from recipes.sample import Sample, upright_only

v1 = tf.compat.v1
WRITER = f"tensorflow {tf.__version__}, compat.v1"
EPOCHS = 30


def build(split: Split, out: Path) -> Iterator[Sample]:
    """Train once, then write the same weights as a checkpoint and as a SavedModel."""
    folder = out / "digits_tf1_checkpoint"
    folder.mkdir()
    _write(_train(split), folder / "lenet.ckpt", out / "digits_tf1_savedmodel")
    condition = "intact, but orientation-sensitive: trained without augmentation"
    yield Sample(
        "digits_tf1_checkpoint",
        "TF1 checkpoint with graph",
        condition,
        WRITER,
        WRITER,
        lambda path: _load_checkpoint(path / "lenet.ckpt"),
        upright_only,
    )
    yield Sample(
        "digits_tf1_savedmodel",
        "SavedModel, TF1",
        f"{condition}; same weights as digits_tf1_checkpoint",
        WRITER,
        WRITER,
        load_signature,
        upright_only,
    )


def _logits(image: Any) -> Any:
    """A smaller LeNet: two convolutions with pooling, two dense layers."""
    x = image
    for name, shape in (("conv1", (5, 5, 1, 8)), ("conv2", (5, 5, 8, 16))):
        x = tf.nn.relu(tf.nn.conv2d(x, _kernel(name, shape), 1, "SAME") + _bias(name, shape[-1]))
        x = tf.nn.max_pool2d(x, 2, 2, "SAME")
    x = tf.reshape(x, (-1, 4 * 4 * 16))
    x = tf.nn.relu(tf.matmul(x, _kernel("fc1", (256, 32))) + _bias("fc1", 32))
    return tf.matmul(x, _kernel("logits", (32, 10))) + _bias("logits", 10)


def _kernel(layer: str, shape: tuple[int, ...]) -> Any:
    initial = v1.glorot_uniform_initializer(seed=len(layer) + shape[-1])
    return v1.get_variable(f"{layer}/weights", shape, initializer=initial)


def _bias(layer: str, width: int) -> Any:
    return v1.get_variable(f"{layer}/biases", (width,), initializer=v1.zeros_initializer())


def _train(split: Split) -> dict[str, np.ndarray]:
    """Return the trained value of every variable, by name."""
    rng = np.random.default_rng(7)
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, (None, SIDE, SIDE, 1))
        label = v1.placeholder(tf.int64, (None,))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(label, _logits(image))
        step = v1.train.AdamOptimizer(2e-3).minimize(tf.reduce_mean(losses))
        session.run(v1.global_variables_initializer())
        for _ in range(EPOCHS):
            order = rng.permutation(len(split.train_x))
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                session.run(step, {image: split.train_x[rows], label: split.train_y[rows]})
        return {v.op.name: session.run(v) for v in v1.trainable_variables()}


def _write(values: dict[str, np.ndarray], checkpoint: Path, saved_model: Path) -> None:
    """Write a graph for inference, without an optimizer."""
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, (None, SIDE, SIDE, 1), name="image")
        scores = tf.nn.softmax(_logits(image), name="scores")
        for variable in v1.trainable_variables():
            variable.load(values[variable.op.name], session)
        v1.train.Saver(save_relative_paths=True).save(session, os.fspath(checkpoint))
        v1.saved_model.simple_save(
            session, os.fspath(saved_model), {"image": image}, {"scores": scores}
        )


def _load_checkpoint(prefix: Path) -> Predict:
    session = v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        saver = v1.train.import_meta_graph(f"{prefix}.meta")
        saver.restore(session, os.fspath(prefix))

    def predict(x: Images) -> np.ndarray:
        return np.asarray(session.run("scores:0", {"image:0": x}))

    return predict
