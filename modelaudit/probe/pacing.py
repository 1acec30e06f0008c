"""How many inputs a model can be asked about within its time.

A study is some dozens of passes over the inputs. A large network would be stopped half-way and
leave nothing, so it is asked about fewer inputs instead, and the report says so.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from modelaudit.probe.feeding import Fed
from modelaudit.probe.runner import Runner

TRIAL = 32  # inputs by which the pace is taken: a batch, so that the cost of a call is spread
SHARE = 0.4  # of the time that is planned for, since inner activations cost more than outputs
FEWEST = 16
PASSES, PASSES_A_MOVE, PASSES_OF_A_USER = 10, 3, 12


def within_time(runner: Runner, fed: Fed, seconds: float) -> Fed:
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
    passes = PASSES + PASSES_A_MOVE * moves
    if fed.info.kind == "user":
        passes += PASSES_OF_A_USER + moves
    affordable = int(SHARE * seconds / (passes * max(each, 1e-9)))
    if affordable >= fed.info.n:
        return fed
    kept = max(FEWEST, 1 << max(affordable, 1).bit_length() - 1)
    return fed if kept >= fed.info.n else _thinned(fed, kept)


def _thinned(fed: Fed, n: int) -> Fed:
    """Every so manieth input, so that sorted classes stay represented."""
    rows = np.linspace(0, fed.info.n - 1, n).round().astype(int)
    note = f"{n} of {fed.info.n} inputs, so as to end in time (--timeout)"
    arrays = tuple(array[rows] for array in fed.arrays)
    info = replace(fed.info, n=n, shape=(n, *fed.info.shape[1:]), notes=(*fed.info.notes, note))
    mix = None if fed.mix is None else tuple(array[:n] for array in fed.mix)
    y = None if fed.y is None else fed.y[rows]
    return replace(fed, arrays=arrays, mix=mix, y=y, info=info)
