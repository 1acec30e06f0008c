"""Cost of the sandbox: the same models loaded with and without it, in turn.

Loads the sample models in three runtimes at once: the default one, one inside bubblewrap (if
available), and one made for this benchmark whose children restrict nothing. In each round, each of
them loads each model, in changing order. A round gives what the sandbox adds: CPU time per model,
in the child and in the runtime that forks it. Prints the median of all rounds with its 95 %
interval, so that rounds on a busy machine weigh no more than others. Exits with 1 if the median is
above the limit.

    python -m benchmarks.security.sandbox_cost [ROUNDS]
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.paired import interval
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
    """CPU time of a runtime and its children."""

    def __init__(self, handle: runtime.RuntimeHandle, *, held: bool = True) -> None:
        self.handle, self.held = handle, held
        self._process = process_of(handle)

    def load(self, artifact: Artifact) -> float:
        """Start a child, let it load and describe a model, and end it; its CPU time in ms."""
        before = self._cpu()
        seen, session = observe.observe(self.handle, artifact, ProbeSettings())
        assert seen.status is Status.LOADED, seen.error
        assert session is not None
        assert (seen.sandbox["seccomp"] is True) == self.held, "wrong child files"
        session.close()
        return 1000 * (self._cpu() - before)

    def _cpu(self) -> float:
        """CPU seconds of the runtime and of every child that has ended, in steps of a tick."""
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
        found: dict[str, list[float]] = {kind: [] for kind in meters}
        for number in range(-1, rounds):  # the first fills caches and is not counted
            taken = dict.fromkeys(meters, 0.0)
            for at, artifact in enumerate(artifacts):
                first = (number + at) % len(meters)
                kinds = [*meters]
                for kind in (*kinds[first:], *kinds[:first]):
                    taken[kind] += meters[kind].load(artifact) / len(artifacts)
            for kind, each in taken.items() if number >= 0 else ():
                found[kind].append(each)
    over = False
    print(f"{rounds} rounds of {len(MODELS)} models; milliseconds of CPU per model (medians)")
    for kind, values in found.items():
        line = f"{kind:<8} {interval(values)[0]:6.1f}"
        if kind != BARE:
            adds = [on - off for on, off in zip(values, found[BARE], strict=True)]
            middle, low, high = interval(adds)
            over |= middle > LIMIT
            line += f"   adds {middle:5.1f} ({low:.1f} to {high:.1f}; limit {LIMIT:g})"
        print(line)
    sys.exit(over)


if __name__ == "__main__":
    main()
