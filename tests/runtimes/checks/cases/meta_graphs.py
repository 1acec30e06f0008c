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
    Case("several-meta-graphs", K3, FUNCTIONS, TAGS, LoadCall.TFSM_LAYER, by_layer, note="layer"),
    Case("several-meta-graphs", K2, twice(savedmodel_of_keras2), TAGS, load=in_keras2),
    Case("several-meta-graphs", K2, FUNCTIONS, TAGS, load=in_keras2, note="functions"),
)
