"""Outputs of the child: a row for each sample, also where a graph slices the row of the first."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.probe.child.adapters import AdapterError
from modelaudit.probe.child.worker import Worker


class Sliced:
    """A model whose output is that of the first sample of a batch, without the batch axis."""

    def __init__(self, function):
        self.function, self.inputs = function, [{"name": "x", "shape": [None, 4]}]

    def infer(self, batch):
        return {"y": self.function(batch[0])}


def predicted(function, size):
    worker = Worker(None, None)
    worker.model = Sliced(function)
    x = np.arange(20, dtype="float32").reshape(5, 4)
    worker.kept["x"] = x
    request = {"feeds": [{"put": "x"}], "batch_size": size, "training": False}
    return x, worker.predict(request, {})[1]["y"]


def test_the_row_of_one_sample():
    x, found = predicted(lambda batch: batch[0] * 2, 1)
    np.testing.assert_array_equal(found, 2 * x)


@pytest.mark.parametrize("width", [0, 3])
def test_an_output_without_values_is_no_output_of_numbers(width):
    """As of a decoder that is told to skip as many steps as the sequence has."""
    worker = Worker(None, None)
    worker.model = Sliced(lambda batch: batch[:, :width])
    worker.model.infer = lambda batch: {"y": batch[0][:, :width], "z": batch[0]}
    worker.kept["x"] = np.ones((5, 4), "float32")
    request = {"feeds": [{"put": "x"}], "batch_size": 2, "training": False}
    header, found = worker.predict(request, {})
    assert header == {"text_outputs": [] if width else ["y"]}
    assert sorted(found) == ["y", "z"][not width :]


@pytest.mark.parametrize(
    ("function", "size"),
    [
        (lambda batch: batch[0] * 2, 2),  # the first of two samples is not the row of the second
        (lambda _: np.ones(3), 1),  # a constant is no output of a sample
        (lambda batch: np.ones((2 + int(batch[0, 0] > 3), 3)), 1),  # as many rows as were found
        (lambda batch: batch.sum(), 1),  # nor is a number, such as a loss
    ],
)
def test_what_has_no_row_for_each_sample(function, size):
    with pytest.raises(AdapterError, match="no row per sample"):
        predicted(function, size)
