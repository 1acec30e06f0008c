"""Loads files in one runtime with plain `load_model`, and compares their outputs.

Reads lines `file<TAB>probe.npz` from standard input and prints `file<TAB>outcome`: `equal`, or
`differs: …` or `fails: …`. Each file is loaded in a process of its own. It is run by the
interpreter of that runtime: Python 3.7 syntax, no other module of this repository.

The probe has the inputs as `x` (or `x0`, `x1` …, or `x_NAME`), and the outputs as `y…` in order.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

SECONDS = 60
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
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        try:
            said = outcome(path, probe)
        except BaseException as error:
            said = f"fails: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        os.write(write, said.encode("utf-8", "replace"))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said or "fails: it crashed or timed out"


def main() -> None:
    """Answer line by line."""
    for line in sys.stdin:
        path, probe = line.rstrip("\n").split("\t")[:2]
        sys.stdout.write(f"{path}\t{in_child(path, probe)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
