"""Fuzz one target guided by coverage: `python -m fuzz.child TARGET FOLDER INPUTS SEED`.

Instrumented code is a few times slower, so `fuzz.run` continues with `fuzz.plain`, which mutates
what this one found. See `fuzz.measured` for the log.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import random
import sys
from pathlib import Path
from typing import NoReturn

import atheris

with atheris.instrument_imports(include=["modelaudit.formats", "modelaudit.signing"]):
    from modelaudit import formats

    for _module in pkgutil.walk_packages(formats.__path__, "modelaudit.formats."):
        importlib.import_module(_module.name)
    from fuzz.targets import TARGETS, Target

from fuzz.measured import MeasuredReader, in_forks
from fuzz.mutate import MOST_BYTES, Mutator

SLOWDOWN = 4.0  # of instrumented code


class GuidedFuzzer:
    """LibFuzzer's callbacks: mutate an input, read an input."""

    def __init__(self, target: Target, folder: Path, inputs: int) -> None:
        self.kind = target.kind
        self.left = inputs
        self.valid = [path.read_bytes() for path in sorted(folder.glob("corpus/seed-*"))]
        self.mutated = False
        self.reader = MeasuredReader(target, folder, "guided", SLOWDOWN)

    def mutate(self, data: bytes, _most: int, seed: int) -> bytes:
        """LibFuzzer's custom mutator."""
        self.mutated = True
        rng = random.Random(seed)
        if rng.random() < 0.3:  # libFuzzer prefers small inputs, which are mostly broken ones
            data = rng.choice(self.valid)
        learnt = rng.random() < 0.5
        plain = (lambda piece: atheris.Mutate(piece, len(piece) + 64)) if learnt else None
        return Mutator(rng, plain).mutate(self.kind, data)

    def run(self, data: bytes) -> None:
        """One input."""
        self.reader.read(data, self.mutated)
        self.left -= self.mutated
        self.mutated = False
        if not self.left:
            os._exit(0)


def main() -> None:
    """Write the seeds, then fork until enough inputs were read."""
    name, place, wanted, seed = sys.argv[1:]
    folder = Path(place)
    target = next(each for each in TARGETS if each.name == name)
    if not (folder / "corpus").exists():
        (folder / "corpus").mkdir(parents=True)
        for number, data in enumerate(target.contents(folder / "model")):
            (folder / "corpus" / f"seed-{number}").write_bytes(data)

    def feed(inputs: int, seed: int) -> NoReturn:
        fuzzer = GuidedFuzzer(target, folder, inputs)
        options = [f"-seed={seed}", f"-max_len={MOST_BYTES}", "-rss_limit_mb=0", "-reduce_inputs=0"]
        options += [f"-handle_{name}=0" for name in ("segv", "bus", "fpe", "abrt", "ill")]
        options += [f"-artifact_prefix={folder}/", str(folder / "corpus")]
        atheris.Setup(["fuzz", *options], fuzzer.run, custom_mutator=fuzzer.mutate)
        atheris.Fuzz()
        os._exit(0)

    in_forks(folder, "guided", int(wanted), int(seed), feed)


if __name__ == "__main__":
    main()
