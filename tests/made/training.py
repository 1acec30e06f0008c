"""Training of small networks, at a third of the cost of `fit`."""

from __future__ import annotations

from itertools import cycle, islice

import numpy as np

from tests.made.traces import DIRECT, shared


def train(model, x, y, *, epochs=1, batch=32, steps=None):
    """What `fit` does to the weights and the optimizer of a compiled model, without shuffling.

    A step costs a tenth in a traced function, and to trace it as much as five steps. In a traced
    loop it costs a hundredth, and to trace that as much as ten steps. What was traced for a model
    of the same structure is not traced again (`tests.made.traces`).

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

    def from_row(start, given):
        def rows_of(each):
            rest = each.shape[1:]
            return tf.slice(each, [start, *(0 for _ in rest)], [size, *rest])

        return tf.nest.map_structure(rows_of, given)

    def loop(starts, *flat):
        held = tf.nest.pack_sequence_as(given, flat)

        def following(number):
            step(*from_row(starts[number], held))
            return number + 1

        tf.while_loop(
            lambda number: number < tf.shape(starts)[0], following, [0], parallel_iterations=1
        )

    def alone(*flat):
        step(*tf.nest.pack_sequence_as(given, flat))

    def take(starts, calls):
        """The steps of these batches, of which one is traced for so many calls, or for none."""
        traced = shared(alone, model, [spec(each, size) for each in flat], size, calls)
        for start in starts:
            (traced or alone)(*tf.nest.flatten(from_row(start, given)))

    def spec(each, rows):
        return tf.TensorSpec([rows, *each.shape[1:]], each.dtype)

    flat = tf.nest.flatten(given)
    direct = steps
    if steps > 150:  # then a loop saves more than it costs to trace
        direct = 1  # makes what a loop cannot make
    elif steps > DIRECT:
        direct = 1 if type(model).__module__.startswith("tf_keras") else 0  # makes its mean loss
    if direct:
        take(starts[:direct], direct)
    if steps > 150:
        rest = tf.constant(starts[direct:])
        rows = [spec(each, None) for each in (rest, *flat)]
        shared(loop, model, rows, size, steps)(rest, *flat)
    elif steps > direct:
        take(starts[direct:], steps)
    return model
