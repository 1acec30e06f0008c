"""What to do about a training that was missing or short, with code."""

from __future__ import annotations

_SAVE = "\n    model.save(path)"
FREEZE = (
    "Restore the trained checkpoint in the session in which the graph is frozen, after the initializers "
    "have run, and freeze it again."
)
UPDATE_AND_FREEZE = (
    "Freeze the graph again from a checkpoint that holds the moving statistics. If training did not keep them, "
    "run the operations of `tf.compat.v1.GraphKeys.UPDATE_OPS` with each of its steps."
)
TRAIN = f"Train the model, then save it:\n\n    model.fit(x, y){_SAVE}"
WITH_A_RATE = (
    f"Train the model at a learning rate above 0, then save it:\n\n    model.fit(x, y){_SAVE}"
)
LONGER = f"Train for more epochs, then save the model:\n\n    model.fit(x, y, epochs=50){_SAVE}"
