"""Fuzz one target: `python -m fuzz.child TARGET FOLDER INPUTS SEED`, see `fuzz.run`.

Writes one line to FOLDER/log for every input: whether it was mutated, how it ended, seconds of CPU,
and the process's peak resident memory while it read the input, in KiB.

The inputs are read in a forked process. If one kills that process (SIGPROF after two seconds of
CPU, SIGSEGV in a C library), this is logged as the result and the next fork continues.
"""

from __future__ import annotations

import hashlib
import importlib
import itertools
import os
import pkgutil
import random
import resource
import signal
import sys
import time
import traceback
import zlib
from pathlib import Path
from typing import NoReturn

import atheris

with atheris.instrument_imports(include=["modelaudit.formats"]):
    from modelaudit import formats

    for _module in pkgutil.walk_packages(formats.__path__, "modelaudit.formats."):
        importlib.import_module(_module.name)
    from fuzz.targets import TARGETS, Target

from fuzz.mutate import MOST_BYTES, Mutator

CPU_SECONDS = 2.0
SILENT_SECONDS = 120.0  # of wall clock without a finished input: blocked rather than busy
AUDITED = 16  # one input in sixteen, chosen by its hash, goes through the whole static audit
ADDRESS_SPACE = 4 << 30  # bytes; an input that needs more ends with a MemoryError


class Fuzzer:
    """Writes each input into the model's folder, reads it and logs the result."""

    def __init__(self, target: Target, folder: Path, inputs: int) -> None:
        self.target = target
        self.folder = folder
        self.left = inputs
        self.valid = [path.read_bytes() for path in sorted(folder.glob("corpus/seed-*"))]
        self.mutated = False
        self.log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.status = Path("/proc/self/status")
        self.peak = os.open("/proc/self/clear_refs", os.O_WRONLY)

    def mutate(self, data: bytes, _most: int, seed: int) -> bytes:
        """LibFuzzer's custom mutator."""
        self.mutated = True
        rng = random.Random(seed)
        if rng.random() < 0.3:  # libFuzzer prefers small inputs, which are mostly broken ones
            data = rng.choice(self.valid)
        learnt = rng.random() < 0.5
        plain = (lambda piece: atheris.Mutate(piece, len(piece) + 64)) if learnt else None
        return Mutator(rng, plain).mutate(self.target.kind, data)

    def run(self, data: bytes) -> None:
        """One input."""
        (self.folder / "current").write_bytes(data)
        audited = zlib.crc32(data) % AUDITED == 0
        work = self.target.audit if audited else self.target.decide
        self.target.put(self.folder / "model", data)
        os.write(self.peak, b"5")  # reset the peak, see proc_pid_clear_refs(5)
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        start = time.process_time()
        try:
            ending = work(self.folder / "model")
        except Exception as error:
            ending = f"FAULT {type(error).__name__}"
            self.keep(data, error)
        seconds = time.process_time() - start
        signal.setitimer(signal.ITIMER_PROF, 0)
        line = f"{int(self.mutated)}\t{ending}\t{seconds:.4f}\t{self.resident_peak()}\n"
        os.write(self.log, line.encode())
        self.left -= self.mutated
        self.mutated = False
        if not self.left:
            os._exit(0)

    def resident_peak(self) -> int:
        """KiB."""
        for line in self.status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
        return 0

    def keep(self, data: bytes, error: Exception) -> None:
        """Keep an input that raised an untyped exception, once for each place in the code."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__} {Path(place.filename).name}:{place.lineno}"
        where = self.folder / "found" / hashlib.sha256(text.encode()).hexdigest()[:8]
        if not where.exists():
            where.parent.mkdir(exist_ok=True)
            where.write_bytes(data)
            where.with_suffix(".txt").write_text("".join(traceback.format_exception(error)))


def feed(target: Target, folder: Path, inputs: int, seed: int) -> NoReturn:
    """Feed inputs until the number is reached or one of them ends this process."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    fuzzer = Fuzzer(target, folder, inputs)
    options = [f"-seed={seed}", f"-max_len={MOST_BYTES}", "-rss_limit_mb=0", "-reduce_inputs=0"]
    options += [f"-handle_{name}=0" for name in ("segv", "bus", "fpe", "abrt", "ill")]
    options += [f"-artifact_prefix={folder}/", str(folder / "corpus")]
    atheris.Setup(["fuzz", *options], fuzzer.run, custom_mutator=fuzzer.mutate)
    atheris.Fuzz()
    os._exit(0)


def wait(child: int, log: Path) -> int:
    """The wait status of the fork; a fork that logs nothing for too long is killed."""
    size, since = -1, time.monotonic()
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.05)
        if (now := log.stat().st_size) != size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since > SILENT_SECONDS:
            os.kill(child, signal.SIGKILL)


def died(folder: Path, status: int) -> str:
    """The log's line for an input that killed its process; the input is kept."""
    word = signal.Signals(os.WTERMSIG(status)).name
    word = {"SIGPROF": "over 2 s", "SIGKILL": "blocked"}.get(word, word)
    data = (folder / "current").read_bytes()
    name = f"{word.replace(' ', '-')}-{hashlib.sha256(data).hexdigest()[:8]}"
    (folder / "found").mkdir(exist_ok=True)
    (folder / "found" / name).write_bytes(data)
    return f"1\tFAULT {word}\t{CPU_SECONDS if word == 'over 2 s' else 0.0}\t0\n"


def main() -> None:
    """Write the seeds, then fork until enough inputs were read."""
    name, place, wanted, seed = sys.argv[1:]
    folder = Path(place)
    target = next(each for each in TARGETS if each.name == name)
    (folder / "corpus").mkdir(parents=True)
    for number, data in enumerate(target.contents(folder / "model")):
        (folder / "corpus" / f"seed-{number}").write_bytes(data)
    log = folder / "log"
    log.touch()
    for attempt in itertools.count():
        done = sum(line.startswith("1") for line in log.read_text().splitlines())
        if done >= int(wanted):
            break
        child = os.fork()
        if child == 0:
            feed(target, folder, int(wanted) - done, int(seed) + attempt)
        status = wait(child, log)
        if os.WIFSIGNALED(status):
            with log.open("a") as handle:
                handle.write(died(folder, status))
        elif status:
            sys.exit(f"{name}: the fuzzer itself ended with {os.WEXITSTATUS(status)}")


if __name__ == "__main__":
    main()
