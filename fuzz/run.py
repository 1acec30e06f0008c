"""Coverage-guided fuzzing of every reader of model files, with a table of the results.

    python -m fuzz.run --inputs 500000 --seed 1 --log fuzz/LOG.md --keep /tmp/fuzz

The first inputs of each target are chosen by coverage (`fuzz.child`), the others are mutations of
what those found, read by code without instrumentation (`fuzz.plain`). With --keep, a run that was
stopped goes on. Inputs are read in child processes, so that an input that kills its process is
counted like any other. Exits with 1 if an input crashed, hung, took too much memory or raised an
exception that is not a `ReadError`; those inputs are kept.
"""

from __future__ import annotations

import argparse
import itertools
import math
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.measured import MUTATED
from fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parent.parent
LARGE_KIB = 300 * 1024
GUIDED = 0.05  # share of the inputs that are chosen by coverage
FEWEST_GUIDED = 500
_COVERED = re.compile(rb"cov: (\d+)")


@dataclass
class Tally:
    """Results for one target."""

    name: str
    inputs: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    largest: int = 0
    edges: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, line: str) -> None:
        """Add a line of a child's log; unchanged seeds are measured but not counted."""
        way, ending, seconds, peak = line.split("\t")
        if way == "plain":  # instrumented code is slower
            self.slowest = max(self.slowest, float(seconds))
        self.largest = max(self.largest, int(peak))
        if ending.startswith("FAULT"):
            self.faults[ending.removeprefix("FAULT ")] += 1
        if int(peak) > LARGE_KIB:
            self.faults["over 300 MiB"] += 1
        if way in MUTATED:
            self.inputs += 1
            self.endings[ending] += 1

    def row(self) -> str:
        """One line of the table."""
        endings = ", ".join(f"{word} {count:,}" for word, count in self.endings.most_common())
        faults = ", ".join(f"{word} {count:,}" for word, count in self.faults.items()) or "none"
        return (
            f"| {self.name} | {self.inputs:,} | {self.edges:,} | {self.slowest:.2f} | "
            f"{self.largest / 1024:.0f} | {faults} | {endings} |"
        )


def fuzz(name: str, folder: Path, inputs: int, seed: int) -> Tally:
    """Fuzz one target in processes of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    guided = min(inputs, max(FEWEST_GUIDED, round(inputs * GUIDED)))
    for module, wanted in (("fuzz.child", guided), ("fuzz.plain", inputs)):
        command = [sys.executable, "-m", module, name, str(folder), str(wanted), str(seed)]
        with (folder / "said").open("ab") as said:
            done = subprocess.run(command, cwd=ROOT, stdout=said, stderr=said, check=False)
        if done.returncode:
            text = (folder / "said").read_text(errors="replace")
            raise RuntimeError(f"{name} ended with {done.returncode}:\n{text[-2000:]}")
    text = (folder / "said").read_bytes()
    tally = Tally(name, edges=max(int(each) for each in _COVERED.findall(text)))
    for line in (folder / "log").read_text().splitlines():
        tally.add(line)
    print(tally.row(), flush=True)
    return tally


def report(tallies: list[Tally], seed: int, seconds: float) -> str:
    """The table, with the command that made it."""
    import h5py
    import numpy
    from google import protobuf

    command = shlex.join(["python", "-m", "fuzz.run", *sys.argv[1:]])
    versions = f"Python {platform.python_version()}, h5py {h5py.version.version}, "
    versions += f"HDF5 {h5py.version.hdf5_version}, protobuf {protobuf.__version__}, "
    versions += f"numpy {numpy.__version__}"
    total = sum(tally.inputs for tally in tallies)
    faults: Counter[str] = sum((tally.faults for tally in tallies), Counter())
    told = ", ".join(f"{word} {count:,}" for word, count in faults.items()) or "none"
    lines = [
        "# Fuzzing log",
        "",
        f"`{command}` took {seconds / 60:.0f} minutes, seed {seed}.",
        f"{versions}, {platform.machine()}.",
        "",
        f"**{total:,} mutated inputs; faults: {told}.**",
        "",
        "A fault is a crash (the signal), more than 2 s of CPU, more than 300 MiB resident, or an",
        "untyped exception. One input in sixteen goes through the whole static audit, the others",
        "through the reader of their file. Edges are the branches of `modelaudit.formats` that",
        "were taken. Endings are `read` for a file without a problem, else the kind of the error",
        "or of the first problem.",
        "",
        "| file | inputs | edges | slowest, s | peak, MiB | faults | endings |",
        "|---|---:|---:|---:|---:|---|---|",
        *(tally.row() for tally in tallies),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the fuzzer and print the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=20_000, help="total, over all targets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="targets fuzzed at the same time")
    parser.add_argument("--log", type=Path, help="also write the table to this file")
    parser.add_argument(
        "--keep", type=Path, help="folder for corpora and for faulty inputs; a run goes on"
    )
    names = [target.name for target in TARGETS]
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"any of {', '.join(names)}")
    chosen = parser.parse_args()
    if unknown := sorted(set(chosen.targets) - set(names)):
        parser.error(f"unknown target: {', '.join(unknown)}; choose from {', '.join(names)}")
    wanted = [each for each in TARGETS if each.name in (chosen.targets or names)]
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() else None
    folder = chosen.keep or Path(tempfile.mkdtemp(prefix="fuzz-", dir=place))
    start = time.monotonic()
    unit = chosen.inputs / sum(target.share for target in wanted)
    with ThreadPoolExecutor(chosen.jobs) as pool:
        counts = [math.ceil(unit * target.share) for target in wanted]
        names = [target.name for target in wanted]
        folders = [folder / name for name in names]
        tallies = list(pool.map(fuzz, names, folders, counts, itertools.repeat(chosen.seed)))
    text = report(tallies, chosen.seed, time.monotonic() - start)
    if chosen.log:
        chosen.log.write_text(text)
    print(text)
    if any(tally.faults for tally in tallies):
        print(f"inputs with faults: {folder}/*/found", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
