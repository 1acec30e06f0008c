"""Where the work of an audit ends among the configs of a SavedModel's objects."""

from __future__ import annotations

import itertools
import json

from modelaudit.facts import ObjectNode, ProblemKind
from modelaudit.formats.keras.saved_model_metadata import read_keras_metadata
from modelaudit.settings import Limits
from modelaudit.work_budget import Phase, WorkBudget, within

LAYERS = 300


def test_work_that_is_spent_is_told_once() -> None:
    """NASNet has hundreds of layers, of which each was told as another limit."""
    config = json.dumps({"class_name": "Dense", "config": {"note": "[" * 400}})
    detail = {"identifier": "_tf_keras_layer", "metadata": config}
    nodes = tuple(ObjectNode(n, "user_object", {}, detail) for n in range(LAYERS))
    whole, none = read_keras_metadata(None, nodes, Limits())
    assert (len(whole.objects), none) == (LAYERS, [])
    reads = itertools.count()
    budget = WorkBudget(1.0, lambda: 1e9 if next(reads) > 3 else 0.0, unit=lambda: 1.0)
    with within(budget, Phase.READING):
        part, problems = read_keras_metadata(None, nodes, Limits())
    assert len(part.objects) < LAYERS
    assert [each.kind for each in problems] == [ProblemKind.LIMIT_EXCEEDED]
