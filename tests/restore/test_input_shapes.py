"""Ranks of a model's inputs, as saved and as restored."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.loading import Port, Status
from modelaudit.facts import Architecture, Layer
from modelaudit.measures.architecture.layer_shapes import input_shape
from modelaudit.probe.protocol import Observation
from modelaudit.restore.input_shapes import changed_inputs


def _restored(*shapes: tuple[int | None, ...] | None) -> Observation:
    ports = tuple(Port(str(index), "float32", shape) for index, shape in enumerate(shapes))
    return Observation("here", "load_model", Status.LOADED, inputs=ports)


def _saved(*layers: Layer) -> Architecture:
    routes = tuple(each.route for each in layers)
    return Architecture("Sequential", "m", "keras2", layers, routes, routes)


EARLY = Layer("d", "d", "Dense", config={"batch_input_shape": [None, 3]}, output_shape=(None, 4))
IMAGE = Layer("i", "i", "InputLayer", output_shape=(None, 8, 8, 1))
SILENT = Layer("d", "d", "Dense", output_shape=(None, 4))


def test_a_shape_is_that_of_the_input_not_of_the_output() -> None:
    assert input_shape(EARLY) == (None, 3)
    assert input_shape(IMAGE) == (None, 8, 8, 1)
    assert input_shape(SILENT) is None


def test_another_rank_is_told_with_both_shapes() -> None:
    said = changed_inputs(_saved(EARLY), _restored((None, None, 3)))
    assert said == "the restored model takes [None, None, 3], but [None, 3] was saved"


@pytest.mark.parametrize(
    ("saved", "restored"),
    [
        (_saved(EARLY), _restored((None, 3))),
        (_saved(EARLY), _restored((None, None))),  # an open axis
        (_saved(EARLY), _restored(None)),  # rank unknown
        (_saved(SILENT), _restored((None, None, 4))),
        (_saved(EARLY, IMAGE), _restored((None, 8, 8, 1), (None, 3))),  # in another order
        (_saved(EARLY, IMAGE), _restored((None, 3))),  # one is optional
    ],
)
def test_nothing_is_said_of_equal_or_unknown_ranks(
    saved: Architecture, restored: Observation
) -> None:
    assert not changed_inputs(saved, restored)
