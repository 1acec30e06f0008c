"""Cases of the causes in `modelaudit/runtimes/checks/graph.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from modelaudit.runtimes.model import LoadCall
from tests.runtimes.checks.cases.case import K2, K3, Case
from tests.runtimes.checks.cases.shared import by_layer, by_signature, tensorflow
from tests.runtimes.checks.making import new


def module(*inputs: Any, signature: bool = True, variable: bool = True) -> Callable[[Path], Path]:
    """A SavedModel of a tf.Module."""

    def make(folder: Path) -> Path:
        tf = tensorflow()
        holder = tf.Module()
        holder.weight = tf.Variable(np.ones((4, 2), "float32"))
        specs = [tf.TensorSpec(shape, dtype, name=name) for name, shape, dtype in inputs]

        def call(*values: Any) -> Any:
            total = sum(tf.cast(value, tf.float32) for value in values)
            return {"out": total @ holder.weight}

        holder.call = tf.function(call, input_signature=specs)
        path = folder / "m"
        tf.saved_model.save(
            holder, str(path), signatures={"serving_default" if signature else "other": holder.call}
        )
        return path

    return make


def keyword_input(folder: Path) -> Path:
    """A SavedModel of TensorFlow 1 with an input that is called as a keyword of Python."""
    tf = tensorflow()
    path = folder / "m"
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        value = tf.compat.v1.placeholder("float32", (None, 4), "x")
        tf.compat.v1.saved_model.simple_save(
            session, str(path), {"lambda": value}, {"out": value * 2}
        )
    return path


def by_session(path: Path) -> Any:
    tf = tensorflow()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        return tf.compat.v1.saved_model.load(session, ["serve"], str(path))


CASES = (
    Case(
        "parameter-name",
        K2,
        keyword_input,
        {"session": by_session},
        LoadCall.SAVED_MODEL,
        lambda p: tensorflow().saved_model.load(str(p)),
    ),
    Case(
        "no-signature",
        K3,
        module(("x", (None, 4), "float32"), signature=False),
        {},
        LoadCall.TFSM_LAYER,
        by_layer,
    ),
    Case(
        "several-inputs",
        K3,
        module(("x", (None, 4), "float32"), ("y", (None, 4), "float32")),
        {"keyword arguments": by_signature},
        LoadCall.TFSM_LAYER,
        lambda p: new().layers.TFSMLayer(str(p), call_endpoint="serving_default")(
            [np.ones((1, 4), "f")] * 2
        ),
    ),
    *(
        Case(
            "precision-of-input",
            K3,
            module(("x", (None, 4), dtype)),
            {
                f"dtype='{dtype}'": lambda p, dtype=dtype: new().layers.TFSMLayer(
                    str(p), call_endpoint="serving_default", dtype=dtype
                )(np.ones((1, 4), dtype))
            },
            LoadCall.TFSM_LAYER,
            by_layer,
            note=dtype,
        )
        for dtype in ("float16", "float64")
    ),
)
