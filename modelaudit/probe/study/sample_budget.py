"""How many inputs a model can be asked about within its time, and how many at once.

A study is some dozens of passes over the inputs. A large network would be stopped half-way and
leave nothing, so it is asked about fewer inputs instead, and the report says so. Of a small one
nearly all that a call costs is the call itself, so it gets more inputs a call.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from modelaudit.probe.study.feeding import PreparedInputs
from modelaudit.probe.study.runner import Runner
from modelaudit.thresholds.answers import MIN_INPUTS

TRIAL = 32  # inputs by which the pace is taken: a batch, so that the cost of a call is spread
SHARE = 0.8  # of the time that is planned for
FEW, FEW_BYTES = 64, 48 << 20  # inputs for what needs less than statements on outputs do
BATCH, LARGEST_BATCH, BATCH_BYTES = 32, 128, 1 << 20  # inputs a call, and what they may weigh
# What the inputs of one call may weigh in any case: called layer by layer, Keras keeps what every
# layer gave until the end, which is some 200 times the input (EfficientNetB0).
MOST_BYTES = 20 << 20
# Passes of a study over all inputs, and over few; a pass that watches inner values counts double.
ALL, ALL_A_MOVE, ALL_OF_A_USER = 6, 1, 6
OF_FEW, OF_FEW_A_MOVE, OF_FEW_OF_A_USER, OF_FEW_OF_A_USER_A_MOVE = 11, 2, 10, 2


def within_time(runner: Runner, fed: PreparedInputs, seconds: float) -> PreparedInputs:
    """`fed`, or fewer of its inputs, evenly taken, where all of them would take too long.

    The number is a power of two, so that two runs on one machine agree.

    Args:
        runner: of the loaded model.
        fed: the inputs that are there.
        seconds: of wall clock that the whole study may take.

    Raises:
        Ended, Unavailable: the model gives no answer at all.
    """
    runner.put("trial", [array[:TRIAL] for array in fed.arrays])
    runner.predict("trial")  # the first call builds the graph and says nothing of the pace
    start = time.monotonic()
    runner.predict("trial")
    each = (time.monotonic() - start) / min(TRIAL, fed.info.n)
    runner.drop("trial")
    moves = max(len(moves) for moves in fed.moves)
    whole, of_few = ALL + ALL_A_MOVE * moves, OF_FEW + OF_FEW_A_MOVE * moves
    if fed.info.kind == "user":
        whole += ALL_OF_A_USER
        of_few += OF_FEW_OF_A_USER + OF_FEW_OF_A_USER_A_MOVE * moves
    answers = SHARE * seconds / max(each, 1e-9)  # single inputs that can be asked about
    few = statistics_sample_size(fed)
    if answers >= (whole + of_few) * few:
        affordable = int((answers - of_few * few) / whole)
    else:
        affordable = int(answers / (whole + of_few))
    if affordable >= fed.info.n:
        return fed
    kept = max(MIN_INPUTS.value, 1 << max(affordable, 1).bit_length() - 1)
    return fed if kept >= fed.info.n else _thinned(fed, kept)


def statistics_sample_size(fed: PreparedInputs) -> int:
    """How many of the inputs are enough for statistics over images and places.

    As many as make one batch of `FEW_BYTES`, and not under `FEW` if there are so many.
    """
    return min(fed.info.n, max(FEW, FEW_BYTES // _weight(fed)))


def batch_size(fed: PreparedInputs) -> int:
    """How many inputs go into one call, a power of two.

    Small images go in larger batches. Tokens do not: attention over a sequence takes memory with
    the square of its length, whatever the tokens weigh.
    """
    if not all(fed.rescaled):
        return BATCH
    usual = min(LARGEST_BATCH, max(BATCH, BATCH_BYTES // _weight(fed)))
    return 1 << min(usual, max_batch_size(fed)).bit_length() - 1


def max_batch_size(fed: PreparedInputs) -> int:
    """How many inputs may go into one call at all."""
    return max(1, MOST_BYTES // _weight(fed))


def _weight(fed: PreparedInputs) -> int:
    """Bytes of one input."""
    return max(1, sum(array.nbytes for array in fed.arrays) // max(fed.info.n, 1))


def _thinned(fed: PreparedInputs, n: int) -> PreparedInputs:
    """Every so manieth input, so that sorted classes stay represented."""
    rows = np.linspace(0, fed.info.n - 1, n).round().astype(int)
    note = f"{n} of {fed.info.n} inputs, so as to end in time (--timeout)"
    arrays = tuple(array[rows] for array in fed.arrays)
    info = replace(fed.info, n=n, shape=(n, *fed.info.shape[1:]), notes=(*fed.info.notes, note))
    mix = None if fed.mix is None else tuple(array[:n] for array in fed.mix)
    y = None if fed.y is None else fed.y[rows]
    return replace(fed, arrays=arrays, mix=mix, y=y, info=info)
