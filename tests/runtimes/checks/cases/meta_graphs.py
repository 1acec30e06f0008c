"""Cases of the causes in `modelaudit/runtimes/checks/meta_graphs.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from modelaudit.runtimes.model import LoadCall
from tests.runtimes.checks.cases.case import K2, K3, Case
from tests.runtimes.checks.cases.graph import module
from tests.runtimes.checks.cases.saved_keras import savedmodel_of_keras2
from tests.runtimes.checks.cases.shared import by_layer, in_keras2, tensorflow


def with_training_graph(path: Path) -> Path:
    """The path of a SavedModel, before whose graph there is now one with the tag train."""
    from tensorflow.core.protobuf import saved_model_pb2

    file = path / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    (served,) = message.meta_graphs
    both = saved_model_pb2.SavedModel(saved_model_schema_version=1, meta_graphs=[served, served])
    both.meta_graphs[0].meta_info_def.tags[:] = ["train"]
    file.write_bytes(both.SerializeToString())
    return path


def twice(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
    return lambda folder: with_training_graph(make(folder))


def by_tags(path: Path) -> Any:
    signature = tensorflow().saved_model.load(str(path), tags=["serve"]).signatures
    return signature["serving_default"](tensorflow().constant(np.ones((1, 4), "float32")))


def with_a_switch(kind: str, *, controls: bool = False) -> Callable[[Path], Path]:
    """A SavedModel of TensorFlow 1 whose output depends on a switch that is no input."""

    def make(folder: Path) -> Path:
        tf = tensorflow()
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            value = tf.compat.v1.placeholder("float32", (None, 4), "x")
            if kind == "Placeholder":
                switch = tf.compat.v1.placeholder("float32", (), "switch")
            else:
                switch = tf.compat.v1.placeholder_with_default(1.0, (), "switch")
            with tf.control_dependencies([switch] if controls else []):
                result = value * (1.0 if controls else switch)
            tf.compat.v1.saved_model.simple_save(
                session, str(folder / "m"), {"x": value}, {"y": result}
            )
        return folder / "m"

    return make


def by_session(path: Path) -> Any:
    tf = tensorflow()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, ["serve"], str(path))
        return session.run("mul:0", {"x:0": np.ones((1, 4), "float32"), "switch:0": 1.0})


UNFED = with_a_switch("Placeholder")
SESSION = {"tf.compat.v1.saved_model.load": by_session}
FUNCTIONS = twice(module(("x", (None, 4), "float32")))
TAGS = {"tf.saved_model.load(path, tags=['serve'])": by_tags}
CASES = (
    Case(
        "several-meta-graphs",
        K3,
        FUNCTIONS,
        TAGS,
        LoadCall.SAVED_MODEL,
        lambda p: tensorflow().saved_model.load(str(p)),
    ),
    Case(
        "unfed-placeholder",
        K3,
        UNFED,
        SESSION,
        LoadCall.SAVED_MODEL,
        lambda p: tensorflow().saved_model.load(str(p)),
    ),
    Case("unfed-placeholder", K3, UNFED, SESSION, LoadCall.TFSM_LAYER, by_layer, note="layer"),
    Case("several-meta-graphs", K3, FUNCTIONS, TAGS, LoadCall.TFSM_LAYER, by_layer, note="layer"),
    Case("several-meta-graphs", K2, twice(savedmodel_of_keras2), TAGS, load=in_keras2),
    Case("several-meta-graphs", K2, FUNCTIONS, TAGS, load=in_keras2, note="functions"),
)
