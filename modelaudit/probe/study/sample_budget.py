"""How many inputs a model can process within its limits, and how many per call.

A study has dozens of passes over the inputs. A large network would hit the time limit without any
result, so it is given fewer inputs instead, which the report mentions; so is one with large
outputs, because the outputs for all variants of the inputs are kept. For a small network, the
overhead of a call dominates, so it is given more inputs per call.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from modelaudit.audit_types.loading import Port
from modelaudit.facts import Artifact
from modelaudit.probe.study.feeding import PreparedInputs
from modelaudit.probe.study.runner import MeasurementUnavailable, Runner
from modelaudit.structs import replace
from modelaudit.thresholds.answers import MIN_INPUTS

TRIAL = 32  # inputs for measuring the speed: one batch, to spread the overhead of a call
SHARE = 0.8  # of the time limit that is planned for
FEW, FEW_BYTES = 64, 48 << 20  # inputs for what needs fewer than measurements on outputs
BATCH, LARGEST_BATCH, BATCH_BYTES = 32, 128, 1 << 20  # inputs per call, and their size
# Maximum size of the inputs of a call: called layer by layer, Keras keeps the outputs of all layers
# until the end, which take about 200 times the size of the input (EfficientNetB0).
MOST_BYTES = 20 << 20
# Maximum size of these outputs of a call, where the file has their shapes: a generator of sound
# makes them from a small input.
LAYER_BYTES, COPIES = 3 << 30, 4
# Maximum size of the outputs of one pass: a study keeps those of dozens of variants of the inputs.
PASS_BYTES = 64 << 20
# Passes of a study over all inputs, and over few; a pass that captures activations counts twice.
ALL, ALL_A_MOVE, ALL_OF_A_USER = 6, 1, 6
OF_FEW, OF_FEW_A_MOVE, OF_FEW_OF_A_USER, OF_FEW_OF_A_USER_A_MOVE = 11, 2, 10, 2


def within_time(runner: Runner, fed: PreparedInputs, seconds: float) -> PreparedInputs:
    """`fed`, or an even selection of its inputs if all would take too long or too much memory.

    The number is a power of two, so that repeated runs on one machine use the same inputs.

    Args:
        seconds: wall-clock time limit of the study.

    Raises:
        StudyEnded: the child has ended.
        MeasurementUnavailable: the model cannot be run, or not in time where its inputs had to be
            enlarged or passed one at a time.
    """
    tried = min(TRIAL, fed.info.n, _fitting(fed.output_bytes), 2 * max_batch_size(fed))
    runner.put("trial", [array[:tried] for array in fed.arrays])
    given = runner.predict("trial")  # the first call builds the graph, so it is not timed
    start = time.monotonic()
    runner.predict("trial")
    each = (time.monotonic() - start) / tried
    runner.drop("trial")
    measured = sum(array.nbytes for array in given.values()) // tried
    if measured != fed.output_bytes:
        fed = replace(fed, output_bytes=measured)
    fitting = _fitting(fed.output_bytes)
    if fitting < fed.info.n:
        fed = _thinned(fed, fitting, "because its outputs are large")
    moves = max(len(moves) for moves in fed.moves)
    whole, of_few = ALL + ALL_A_MOVE * moves, OF_FEW + OF_FEW_A_MOVE * moves
    if fed.info.kind == "user":
        whole += ALL_OF_A_USER
        of_few += OF_FEW_OF_A_USER + OF_FEW_OF_A_USER_A_MOVE * moves
    answers = SHARE * seconds / max(each, 1e-9)  # number of inputs that can be processed in total
    few = statistics_sample_size(fed)
    if answers >= (whole + of_few) * few:
        affordable = int((answers - of_few * few) / whole)
    else:
        affordable = int(answers / (whole + of_few))
    if affordable >= fed.info.n:
        return fed
    if fed.at_once and affordable < MIN_INPUTS.value:
        raise MeasurementUnavailable(f"one input takes {each:.2g} s, too long for --timeout")
    kept = max(MIN_INPUTS.value, 1 << max(affordable, 1).bit_length() - 1)
    return (
        fed
        if kept >= fed.info.n
        else _thinned(fed, kept, "to stay within the time limit (--timeout)")
    )


def declared_output_bytes(outputs: Sequence[Port]) -> int:
    """Size of the outputs for one input as far as their shapes are known, 4 bytes a value."""
    shapes = [port.shape[1:] for port in outputs if port.shape]
    return sum(4 * math.prod(size for size in shape if size) for shape in shapes)


def with_declared_sizes(
    fed: PreparedInputs, outputs: Sequence[Port], artifact: Artifact
) -> PreparedInputs:
    """`fed` with the sizes of what one input gives, as far as the shapes are known.

    While a layer is computed, its result exists several times: before the bias, before the
    activation, as windows of its input.
    """
    layers = artifact.architecture.layers if artifact.architecture else ()
    shapes = [layer.output_shape[1:] for layer in layers if layer.output_shape]
    sizes = [4 * math.prod(size for size in shape if size) for shape in shapes]
    inside = sum(sizes) + COPIES * max(sizes, default=0)
    return replace(fed, output_bytes=declared_output_bytes(outputs), layer_bytes=inside)


def _fitting(each: int) -> int:
    """How many outputs of `each` bytes may be kept per pass, a power of two."""
    return 1 << (max(1, PASS_BYTES // max(each, 1))).bit_length() - 1


def statistics_sample_size(fed: PreparedInputs) -> int:
    """Number of inputs that are sufficient for statistics over images and positions.

    As many as fit into one batch of `FEW_BYTES`, but at least `FEW` if there are so many.
    """
    return min(fed.info.n, max(FEW, FEW_BYTES // _weight(fed)))


def batch_size(fed: PreparedInputs) -> int:
    """Number of inputs per call, a power of two.

    Small images use larger batches. Tokens do not, because the memory for attention grows with the
    square of the sequence length.
    """
    usual = BATCH
    if all(fed.rescaled):
        usual = min(LARGEST_BATCH, max(BATCH, BATCH_BYTES // _weight(fed)))
    return 1 << min(usual, max_batch_size(fed)).bit_length() - 1


def max_batch_size(fed: PreparedInputs) -> int:
    """Maximum number of inputs per call."""
    most = min(
        MOST_BYTES // max(_weight(fed), fed.output_bytes), LAYER_BYTES // max(fed.layer_bytes, 1)
    )
    return fed.at_once or max(1, most)


def _weight(fed: PreparedInputs) -> int:
    """Size of one input in bytes."""
    return max(1, sum(array.nbytes for array in fed.arrays) // max(fed.info.n, 1))


def _thinned(fed: PreparedInputs, n: int, why: str) -> PreparedInputs:
    """An even selection of `n` inputs, which keeps all classes if they are sorted."""
    rows = np.linspace(0, fed.info.n - 1, n).round().astype(int)
    note = f"{n} of {fed.info.n} inputs, {why}"
    arrays = tuple(array[rows] for array in fed.arrays)
    info = replace(fed.info, n=n, shape=(n, *fed.info.shape[1:]), notes=(*fed.info.notes, note))
    mix = None if fed.mix is None else tuple(array[:n] for array in fed.mix)
    y = None if fed.y is None else fed.y[rows]
    return replace(fed, arrays=arrays, mix=mix, y=y, info=info)
