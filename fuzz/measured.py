"""Reads inputs of one target in forked processes, and logs how each ended and what it took.

A line of FOLDER/log for every input: `seed`, `guided` or `plain`; how it ended; seconds of CPU; and
the process's peak resident memory while it read the input, in KiB. If an input kills its process
(SIGPROF after some seconds of CPU, SIGSEGV in a C library), this is logged as the result and the
next fork continues. FOLDER/seeds has the random seed of every fork, and the number of inputs before
it.
"""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import time
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:  # the guided fuzzer instruments this module's imports first
    from fuzz.targets import Target

CPU_SECONDS = 2.0
SILENT_SECONDS = 120.0  # of wall clock without a finished input: blocked rather than busy
AUDITED = 16  # one input in sixteen, chosen by its hash, goes through the whole static audit
ADDRESS_SPACE = 4 << 30  # bytes; an input that needs more ends with a MemoryError
MUTATED = ("guided", "plain")


class MeasuredReader:
    """Writes each input into the model's folder, reads it and logs the result.

    Args:
        target: what is read.
        folder: of the target: its model, corpus and log.
        way: one of `MUTATED`.
        slowdown: how many times slower instrumented code may be.
    """

    def __init__(self, target: Target, folder: Path, way: str, slowdown: float) -> None:
        self.target = target
        self.folder = folder
        self.way = way
        self.limit = CPU_SECONDS * slowdown
        self.log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.status = os.open("/proc/self/status", os.O_RDONLY)
        self.peak = os.open("/proc/self/clear_refs", os.O_WRONLY)

    def read(self, data: bytes, mutated: bool) -> None:
        """One input."""
        (self.folder / "current").write_bytes(data)
        audited = zlib.crc32(data) % AUDITED == 0
        work = self.target.audit if audited else self.target.decide
        self.target.put(self.folder / "model", data)
        os.write(self.peak, b"5")  # reset the peak, see proc_pid_clear_refs(5)
        signal.setitimer(signal.ITIMER_PROF, self.limit)
        start = time.process_time()
        try:
            ending = work(self.folder / "model")
        except Exception as error:
            ending = f"FAULT {type(error).__name__}"
            self.keep(data, error)
        seconds = time.process_time() - start
        signal.setitimer(signal.ITIMER_PROF, 0)
        way = self.way if mutated else "seed"
        os.write(self.log, f"{way}\t{ending}\t{seconds:.4f}\t{self.resident_peak()}\n".encode())

    def resident_peak(self) -> int:
        """KiB."""
        text = os.pread(self.status, 4096, 0)
        return int(text.partition(b"VmHWM:")[2].split()[0])

    def keep(self, data: bytes, error: Exception) -> None:
        """Keep an input that raised an untyped exception, once for each place in the code."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        # Of a rule that failed, its code tells more than the place.
        text = f"{type(error).__name__} {Path(place.filename).name}:{place.lineno} {str(error)[:5]}"
        where = self.folder / "found" / hashlib.sha256(text.encode()).hexdigest()[:8]
        if not where.exists():
            where.parent.mkdir(exist_ok=True)
            where.write_bytes(data)
            where.with_suffix(".txt").write_text("".join(traceback.format_exception(error)))


def inputs_done(log: Path) -> int:
    """How many mutated inputs a log has."""
    return sum(line.startswith(MUTATED) for line in log.read_text().splitlines())


def bound_process() -> None:
    """Bound this process before it reads inputs."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def in_forks(
    folder: Path, way: str, wanted: int, seed: int, feed: Callable[[int, int], NoReturn]
) -> None:
    """Fork until the log has `wanted` mutated inputs; `feed` gets the number left and a seed.

    Raises:
        RuntimeError: the fuzzer itself ended with an error.
    """
    log = folder / "log"
    log.touch()
    while (done := inputs_done(log)) < wanted:
        with (folder / "seeds").open("a") as handle:
            handle.write(f"{way}\t{seed + done}\t{done}\n")
        child = os.fork()
        if child == 0:
            bound_process()
            feed(wanted - done, seed + done)
        status = _wait(child, log)
        if os.WIFSIGNALED(status):
            with log.open("a") as handle:
                handle.write(_died(folder, way, status))
        elif status:
            raise RuntimeError(f"the fuzzer itself ended with {os.WEXITSTATUS(status)}")


def _wait(child: int, log: Path) -> int:
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


def _died(folder: Path, way: str, status: int) -> str:
    """The log's line for an input that killed its process; the input is kept."""
    word = signal.Signals(os.WTERMSIG(status)).name
    word = {"SIGPROF": "over 2 s", "SIGKILL": "blocked"}.get(word, word)
    data = (folder / "current").read_bytes()
    name = f"{word.replace(' ', '-')}-{hashlib.sha256(data).hexdigest()[:8]}"
    (folder / "found").mkdir(exist_ok=True)
    (folder / "found" / name).write_bytes(data)
    return f"{way}\tFAULT {word}\t{CPU_SECONDS if word == 'over 2 s' else 0.0}\t0\n"
