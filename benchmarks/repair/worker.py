"""Loads files in one runtime with plain `load_model`, and compares their outputs.

Reads lines `file<TAB>probe.npz` from standard input and prints `file<TAB>outcome`: `equal`, or
`differs: …` or `fails: …`. Each file is loaded in a process of its own, `JOBS` at a time (the
argument, 1 by default). It is run by the interpreter of that runtime: Python 3.7 syntax, no other
module of this repository.

The probe has the inputs as `x` (or `x0`, `x1` …, or `x_NAME`), and the outputs as `y…` in order.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

SECONDS = 60  # of processor time; ten times as many of wall clock
FORKING = threading.Lock()  # no child has the pipe of another, which would stay open with it
LOOSE = 2e-5  # of 1 + max |output|
LOOSER = (
    ("bf16", 2e-2),
    ("bfloat16", 2e-2),
    ("16", 5e-3),
)  # for files, or folders of one, with these words


def outputs_of(model: Any, probe: Arrays) -> list[NDArray[Any]]:
    """The model's outputs for the inputs of the probe, flat."""
    names = [key for key in probe if key.startswith("x")]
    values = [tf.constant(probe[key]) for key in names]
    given: Any = values[0] if len(values) == 1 else values
    if any(key.startswith("x_") for key in names):
        given = {names[i][2:]: values[i] for i in range(len(names))}
    flat = tf.nest.flatten(model(given, training=False))
    return [np.asarray(each, dtype="float64") for each in flat]


def outcome(path: str, probe_path: str) -> str:
    """What one file does."""
    name = "/".join(path.split("/")[-2:])
    loose = next((limit for word, limit in LOOSER if word in name), LOOSE)
    model = tf.keras.models.load_model(path)
    probe = dict(np.load(probe_path, allow_pickle=False))
    wanted = [np.asarray(probe[key], dtype="float64") for key in probe if key.startswith("y")]
    found = outputs_of(model, probe)
    if [each.shape for each in found] != [each.shape for each in wanted]:
        return "differs: other shapes"
    for i, there in enumerate(wanted):
        apart = float(np.abs(there - found[i]).max()) if there.size else 0.0
        if not apart <= loose * (1 + float(np.abs(there).max())):
            return f"differs: by {apart:.3g}"
    return "equal"


def in_child(path: str, probe: str) -> str:
    """The outcome in a process of its own, so that a crash or an endless loop loses one file."""
    with FORKING:
        read, write = os.pipe()
        child = os.fork()
        if child:
            os.close(write)
    if child == 0:
        signal.alarm(10 * SECONDS)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        try:
            said = outcome(path, probe)
        except BaseException as error:
            said = f"fails: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        os.write(write, said.encode("utf-8", "replace"))
        os._exit(0)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said or "fails: it crashed or timed out"


def answer(line: str) -> str:
    """The answer to one line."""
    path, probe = line.rstrip("\n").split("\t")[:2]
    return f"{path}\t{in_child(path, probe)}\n"


def main() -> None:
    """Answer line by line."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with ThreadPoolExecutor(jobs) as pool:
        for told in pool.map(answer, sys.stdin.readlines()):
            sys.stdout.write(told)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
