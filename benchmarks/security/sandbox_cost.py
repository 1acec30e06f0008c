"""Cost of the sandbox: the same models loaded with and without it, in turn.

Loads the sample models in three runtimes at once: the default one, one inside bubblewrap (if
available), and one made for this benchmark whose children restrict nothing. Prints CPU time per
model, in the child and in the runtime that forks it, and wall-clock time (the minimum over all
rounds, to exclude other load on the machine). Exits with 1 if the sandbox adds more CPU time than
the limit.

    python -m benchmarks.security.sandbox_cost [ROUNDS]
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Artifact
from modelaudit.formats.reader import read_artifact
from modelaudit.probe.host import bubblewrap, observe, runtime
from modelaudit.settings import ProbeSettings, Settings

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
MODELS = ("digits_noaug.h5", "digits_robust.keras", "digits_one_answer.h5", "digits_mirrored.keras")
LIMIT = 20.0  # ms
BARE, HELD, JAILED = "without", "builtin", "bwrap"
UNHELD = '\n\ndef enter(policy):\n    return dict.fromkeys(LAYERS, "left out")\n'


@contextlib.contextmanager
def unheld_runtime() -> Iterator[runtime.RuntimeHandle]:
    """A runtime from a copy of the child's files in which the sandbox does nothing."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "probe")
        shutil.copytree(runtime.ZYGOTE.parent, copy)
        with (copy / "sandbox.py").open("a") as file:
            file.write(UNHELD)
        with contextlib.ExitStack() as stack:
            original, runtime.ZYGOTE = runtime.ZYGOTE, copy / "zygote.py"
            try:
                handle = stack.enter_context(runtime.start_runtime(runtime.installed_runtime()))
            finally:
                runtime.ZYGOTE = original
            yield handle


class Meter:
    """CPU and wall-clock time of a runtime and its children."""

    def __init__(self, handle: runtime.RuntimeHandle, *, held: bool = True) -> None:
        self.handle, self.held = handle, held
        self.walls: dict[Path, list[float]] = {}
        self._process = process_of(handle)
        self._ticks = 0.0

    def load(self, artifact: Artifact, *, count: bool) -> None:
        """Start a child, let it load and describe a model, and end it."""
        start = time.perf_counter()
        seen, session = observe.observe(self.handle, artifact, ProbeSettings())
        assert seen.status is Status.LOADED, seen.error
        assert session is not None
        assert (seen.sandbox["seccomp"] is True) == self.held, "wrong child files"
        session.close()
        if count:
            took = 1000 * (time.perf_counter() - start)
            self.walls.setdefault(artifact.root, []).append(took)

    def start(self) -> None:
        """Start counting CPU time."""
        self._ticks = self._cpu()

    def cpu(self) -> float:
        """CPU time per model since `start`, ms."""
        return 1000 * (self._cpu() - self._ticks) / sum(map(len, self.walls.values()))

    def wall(self) -> float:
        """Wall-clock time per model, ms: the mean over models of each minimum."""
        return statistics.mean(min(walls) for walls in self.walls.values())

    def _cpu(self) -> float:
        """CPU seconds of the runtime and of every child that has ended."""
        fields = Path(f"/proc/{self._process}/stat").read_text().rpartition(")")[2].split()
        return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def process_of(handle: runtime.RuntimeHandle) -> int:
    """The PID of the runtime, found by its command line while it has no child."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = file.read_bytes().split(b"\0")
            if (
                words[0] == os.fsencode(sys.executable)
                and os.fsencode(handle.connect_path) in words
            ):
                return int(file.parent.name)
    raise LookupError("the runtime is not running")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    artifacts = [read_artifact(SAMPLES / name, Settings().limits) for name in MODELS]
    with contextlib.ExitStack() as stack:
        meters = {BARE: Meter(stack.enter_context(unheld_runtime()), held=False)}
        meters[HELD] = Meter(
            stack.enter_context(runtime.start_runtime(runtime.installed_runtime()))
        )
        if not bubblewrap.unavailable_reason():
            jail = runtime.start_runtime(runtime.installed_runtime(), jail=[SAMPLES])
            meters[JAILED] = Meter(stack.enter_context(jail))
        for number in range(rounds + 1):  # the first fills caches and is not counted
            for artifact in artifacts:
                for meter in meters.values():
                    meter.load(artifact, count=number > 0)
            if not number:
                for meter in meters.values():
                    meter.start()
        taken = {kind: (meter.cpu(), meter.wall()) for kind, meter in meters.items()}
    bare_cpu, bare_wall = taken[BARE]
    over = False
    print(f"{rounds} rounds of {len(MODELS)} models; milliseconds per model")
    for kind, (cpu, wall) in taken.items():
        line = f"{kind:<8} CPU {cpu:6.1f}   wall {wall:6.1f}"
        if kind != BARE:
            over |= cpu - bare_cpu > LIMIT
            line += f"   adds {cpu - bare_cpu:5.1f} (limit {LIMIT:g}) and {wall - bare_wall:5.1f}"
        print(line)
    sys.exit(over)


if __name__ == "__main__":
    main()
