"""Slow models are run on fewer inputs, fast ones on all."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import pytest

from modelaudit.audit_types.loading import Port
from modelaudit.audit_types.probe_data import ProbeInputs
from modelaudit.probe.study.feeding import PreparedInputs
from modelaudit.probe.study.sample_budget import (
    batch_size,
    declared_output_bytes,
    with_declared_sizes,
    within_time,
)
from modelaudit.rules import examples
from modelaudit.structs import replace
from modelaudit.thresholds.answers import MIN_INPUTS


@dataclass
class _Slow:
    """A runner whose model takes `seconds` for each input."""

    seconds: float
    rows: dict[str, int] = field(default_factory=dict)

    def put(self, name, arrays):
        self.rows[name] = len(arrays[0])

    def drop(self, name):
        del self.rows[name]

    def predict(self, name):
        time.sleep(self.seconds * self.rows[name])
        return {}


class _Wide(_Slow):
    """A runner whose outputs take `each` bytes for one input."""

    each = 8 << 20

    def predict(self, name):
        return {"y": np.zeros((self.rows[name], self.each // 4), "float32")}


def _fed(n: int = 256, kind: str = "user") -> PreparedInputs:
    x = np.arange(n, dtype="float32").reshape(n, 1)
    info = ProbeInputs(kind, n, x.shape, (0.0, 1.0))
    return PreparedInputs((x,), (x[:64],), np.arange(n) // 64, info, ({},), (True,))


def test_a_fast_model_gets_every_input() -> None:
    fed = _fed()
    runner = _Slow(0.0)
    assert within_time(runner, fed, 120.0) is fed
    assert runner.rows == {}


def test_a_slow_model_gets_a_power_of_two_of_every_class() -> None:
    thinned = within_time(_Slow(0.01), _fed(), 60.0)
    n = thinned.info.n
    assert MIN_INPUTS.value <= n < 256
    assert n & (n - 1) == 0
    assert len(thinned.arrays[0]) == len(thinned.y) == n
    assert set(thinned.y.tolist()) == {0, 1, 2, 3}
    assert thinned.arrays[0][-1, 0] == 255
    assert thinned.info.notes[-1] == f"{n} of 256 inputs, to stay within the time limit (--timeout)"


def test_never_fewer_than_the_minimum() -> None:
    assert within_time(_Slow(0.01), _fed(), 0.1).info.n == MIN_INPUTS.value
    few = _fed(n=8)
    assert within_time(_Slow(0.01), few, 0.1) is few


def test_large_outputs_get_fewer_inputs_and_smaller_batches() -> None:
    declared = declared_output_bytes([Port("y", "float32", (None, 128, 128, 128))])
    fed = replace(_fed(), output_bytes=declared)
    thinned = within_time(_Wide(0.0), fed, 120.0)
    assert (declared, thinned.info.n, batch_size(fed)) == (8 << 20, 8, 2)
    assert thinned.info.notes[-1] == "8 of 256 inputs, because its outputs are large"
    unknown = within_time(_Wide(0.0), _fed(n=8), 120.0)  # open axes: measured in the trial
    assert (unknown.output_bytes, unknown.info.n, batch_size(unknown)) == (8 << 20, 8, 2)
    small = _Wide(0.0)
    small.each = 40
    assert within_time(small, _fed(), 120.0).info.n == 256


@pytest.mark.parametrize("kind", ["user", "synthetic"])
def test_other_properties_are_unchanged(kind: str) -> None:
    fed = _fed(kind=kind)
    thinned = within_time(_Slow(0.01), fed, 30.0)
    assert thinned.moves == fed.moves
    assert thinned.info.kind == kind
    assert len(thinned.mix[0]) == min(64, thinned.info.n)


@pytest.mark.parametrize(
    ("shape", "pixels", "batch"),
    [
        ((16, 16, 1), True, 128),
        ((32, 32, 3), True, 64),
        ((64, 64, 3), True, 32),
        ((224, 224, 3), True, 32),
        ((600, 600, 3), True, 4),  # outputs of the layers would take gigabytes
        ((3000, 3000, 3), True, 1),
        ((12,), False, 32),  # tokens: outputs of layers may be much larger
    ],
)
def test_small_images_go_in_large_batches(shape, pixels, batch) -> None:
    x = np.zeros((2, *shape), "float32")
    fed = replace(_fed(n=2), arrays=(x,), rescaled=(pixels,))
    assert batch_size(fed) == batch


@pytest.mark.parametrize(("steps", "batch"), [(110_250, 8), (1_000, 128)])
def test_layers_that_enlarge_their_input_go_in_small_batches(steps, batch) -> None:
    """A generator of sound: three layers of 128 channels from 100 numbers."""
    fed = replace(_fed(), arrays=(np.zeros((256, 100), "float32"),), rescaled=(True,))
    shape = (None, steps, 128)
    layers = [replace(examples.layer(name), output_shape=shape) for name in "abc"]
    ports = [Port("y", "float32", (None, 4))]
    sized = with_declared_sizes(fed, ports, examples.model(*layers))
    assert (sized.output_bytes, sized.layer_bytes) == (16, (3 + 4) * 4 * steps * 128)
    assert batch_size(sized) == batch
    assert batch_size(with_declared_sizes(fed, ports, examples.model())) == 128


@pytest.mark.parametrize(("layer_bytes", "tried"), [(0, 32), (3 << 29, 4)])
def test_large_layers_are_tried_on_few_inputs(layer_bytes, tried) -> None:
    runner, seen = _Slow(0.0), []
    runner.predict = lambda name: seen.append(runner.rows[name]) or {}
    within_time(runner, replace(_fed(), layer_bytes=layer_bytes), 120.0)
    assert seen == [tried, tried]
