"""Fuzz one target without instrumentation: `python -m fuzz.plain TARGET FOLDER INPUTS SEED`.

Mutates the seeds and the corpus that `fuzz.child` left in FOLDER. See `fuzz.measured` for the log.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import NoReturn

from fuzz.measured import MeasuredReader, in_forks
from fuzz.mutate import Mutator
from fuzz.targets import TARGETS

_LARGEST = 1 << 16  # bytes of an input of the corpus: larger ones say little more about a reader
_FROM_SEEDS = 0.4
_CHANGES = (1, 1, 1, 2, 3)


def main() -> None:
    """Fork until enough inputs were read."""
    name, place, wanted, seed = sys.argv[1:]
    folder = Path(place)
    target = next(each for each in TARGETS if each.name == name)
    found = [path.read_bytes() for path in sorted(folder.glob("corpus/*"))]
    valid = [path.read_bytes() for path in sorted(folder.glob("corpus/seed-*"))]
    corpus = [data for data in found if len(data) <= _LARGEST] or valid

    def feed(inputs: int, seed: int) -> NoReturn:
        reader = MeasuredReader(target, folder, "plain", 1.0)
        rng = random.Random(seed)
        mutator = Mutator(rng)
        for _ in range(inputs):
            data = rng.choice(valid if rng.random() < _FROM_SEEDS else corpus)
            for _ in range(rng.choice(_CHANGES)):
                data = mutator.mutate(target.kind, data)
            reader.read(data, mutated=True)
        os._exit(0)

    in_forks(folder, "plain", int(wanted), int(seed), feed)


if __name__ == "__main__":
    main()
