"""Cases of the causes in `modelaudit/runtimes/checks/stored/checkpoints.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelaudit.runtimes.model import LoadCall
from tests.runtimes.checks.cases.case import K2, K3, Case
from tests.runtimes.checks.cases.shared import dense, into, tensorflow
from tests.runtimes.checks.making import Keras, new, old


def checkpoint(keras: Callable[[], Keras], by_save: bool = False) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "m"
        model = dense(keras())
        if by_save:
            model.save_weights(path)
        else:
            tensorflow().train.Checkpoint(model=model).write(str(path))
        return path

    return make


def by_variables(path: Path) -> Any:
    reader = tensorflow().train.load_checkpoint(str(path))
    values = [name for name in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
    assert values
    return [reader.get_tensor(name) for name in values]


def old_weights_h5(path: Path) -> Any:
    """Loaded with the Keras that saved it, and saved as .weights.h5; read by the other."""
    model = dense(old())
    model.load_weights(path).expect_partial()
    model.save_weights(path.with_name("again.weights.h5"))
    again = dense(new())
    again.load_weights(path.with_name("again.weights.h5"))
    return again


CASES = (
    Case(
        "checkpoint-in-keras-3",
        K3,
        checkpoint(old, by_save=True),
        {".weights.h5": old_weights_h5, "tf.train.load_checkpoint": by_variables},
        LoadCall.LOAD_WEIGHTS,
        into(new),
    ),
    Case(
        "checkpoint-of-other-generation",
        K2,
        checkpoint(new),
        {"tf.train.load_checkpoint": by_variables},
        LoadCall.LOAD_WEIGHTS,
        into(old),
    ),
)
