"""Training of small networks, at a third of the cost of `fit`."""

from __future__ import annotations

from itertools import cycle, islice

import numpy as np


def train(model, x, y, *, epochs=1, batch=32, steps=None):
    """What `fit` does to the weights and the optimizer of a compiled model, without shuffling.

    A step costs a tenth in a traced function, and to trace it as much as five steps. In a traced
    loop it costs a hundredth, and to trace that as much as ten steps.

    Args:
        model: of Keras 3 or tf-keras, with an optimizer and a loss.
        x: inputs, or a list of them.
        y: targets, or a list of them.
        epochs: passes over all whole batches.
        batch: rows in a batch.
        steps: of these batches, taken round and round, in place of `epochs`.

    Returns:
        The model.
    """
    import tensorflow as tf

    def step(given, wanted):
        with tf.GradientTape() as tape:
            total = model.compute_loss(y=wanted, y_pred=model(given, training=True))
        weights = model.trainable_variables
        model.optimizer.apply_gradients(zip(tape.gradient(total, weights), weights, strict=True))

    rows = len(x[0] if isinstance(x, list) else x)
    size = min(batch, rows)
    starts = list(range(0, rows - size + 1, batch))
    steps = epochs * len(starts) if steps is None else steps
    starts = list(islice(cycle(starts), steps))
    model.optimizer.build(model.trainable_variables)

    def constant(each):
        return tf.constant(np.asarray(each, "float32" if each.dtype.kind in "fb" else each.dtype))

    given = tf.nest.map_structure(constant, (x, y))

    def from_row(start):
        def rows_of(each):
            rest = each.shape[1:]
            return tf.slice(each, [start, *(0 for _ in rest)], [size, *rest])

        return tf.nest.map_structure(rows_of, given)

    @tf.function(autograph=False)
    def loop(starts):
        def following(number):
            step(*from_row(starts[number]))
            return number + 1

        tf.while_loop(
            lambda number: number < starts.shape[0], following, [0], parallel_iterations=1
        )

    direct = steps
    if steps > 150:  # then a loop saves more than it costs to trace
        direct = 1  # makes what a loop cannot make
    elif steps > 5:
        step = tf.function(step, autograph=False)
    for start in starts[:direct]:
        step(*from_row(start))
    if steps > direct:
        loop(tf.constant(starts[direct:]))
    return model
