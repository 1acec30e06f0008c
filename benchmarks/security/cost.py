"""Cost of the security checks: CPU time of a static scan with and without them.

"Without" omits the rules of the security family and the checks that run before a parser: of heaps
in HDF5, and of nesting in JSON. Each model is scanned with and without in turn, in one process, and
which is first changes each time. Each pair of scans of all models gives a ratio, so that a machine
that is slower for a while slows both sides; the result is the median, with its 95 % interval.

The second part reads one large file of plain weights twice: with modelaudit, and with h5py and
numpy only for the same facts (SHA-256, minimum, maximum, mean and deviation of every tensor).

Exits with 1 if security adds more than the limit to small models, or reading the large file takes
longer than the libraries.

    python -m benchmarks.security.cost [PAIRS]

Instructions do not depend on other programs. Those of one scan of the small models are half the
difference between three scans and one, with security or without:

    valgrind --tool=cachegrind --cache-sim=no python -m benchmarks.security.cost with|without 3|1
"""

from __future__ import annotations

import gc
import hashlib
import resource
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import h5py
import numpy as np

from benchmarks.paired import interval
from modelaudit import pipeline
from modelaudit.formats.hdf5 import contents
from modelaudit.formats.hdf5.heaps import Heaps
from modelaudit.formats.io import bounded
from modelaudit.formats.reader import read
from modelaudit.rules import kept
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.model import Family
from modelaudit.settings import Settings
from modelaudit.workers.worker_pool import COLLECTED

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
MODELS = [
    *sorted(SAMPLES.glob("*.h5")),
    *sorted(SAMPLES.glob("*.keras")),
    *(path.parent for path in sorted(SAMPLES.glob("*/saved_model.pb"))),
    SAMPLES / "digits_tf1_checkpoint" / "lenet.ckpt",
]
PAIRS = 25
LARGE = 256 << 20  # bytes
SHARE = 0.15
SETTINGS = Settings()


def cpu() -> float:
    """CPU seconds of this process and of its children, in their own code and in the kernel."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def scan(path: Path) -> float:
    """CPU seconds of a static audit of a model."""
    start = cpu()
    target = pipeline.AuditTarget(path, path.parent, path.name, "x")
    pipeline.audit_model(target, SETTINGS, "2026-01-01T00:00:00Z")
    return cpu() - start


def without_security() -> ExitStack:
    """Disable the rules of the family and the checks before parsers."""
    stack = ExitStack()
    rules = tuple(rule for rule in CATALOGUE if rule.family is not Family.SECURITY)
    for where, name, value in (
        (pipeline, "all_rules", lambda: rules),
        (kept, "all_rules", lambda: rules),
        (contents, "damaged_heaps", lambda *_: Heaps(None, None)),
        (bounded, "_check_structure", lambda *_: None),
    ):
        stack.enter_context(mock.patch.object(where, name, value))
    return stack


def compare(title: str, models, pairs: int) -> float:
    """Print what security adds to a scan, and return the median share."""
    found: list[tuple[float, float]] = []
    for number in range(-1, pairs):  # the first fills caches and is not counted
        taken = [0.0, 0.0]
        for at, path in enumerate(models):
            for security in (0, 1) if (number + at) % 2 else (1, 0):
                with ExitStack() if security else without_security():
                    taken[security] += scan(path)
        if number >= 0:
            found.append((taken[1], taken[0]))
    share, low, high = interval([on / off - 1 for on, off in found])
    on, off = (interval(side)[0] for side in zip(*found, strict=True))
    print(f"{title:<22} {on:7.3f} {off:8.3f} {share:8.1%} ({low:.1%} to {high:.1%})")
    return share


def large_file(path: Path) -> Path:
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"dense"]
        group = file.create_group("dense")
        names = [f"dense/kernel_{number}:0" for number in range(8)]
        group.attrs["weight_names"] = [name.encode() for name in names]
        for name in names:
            rows = LARGE // 8 // 4 // 4096
            group[name] = rng.standard_normal((rows, 4096), dtype=np.float32)
    return path


def plain(path: Path) -> float:
    """CPU seconds for the same facts with h5py and numpy only."""
    start = cpu()
    with path.open("rb") as handle:
        hashlib.file_digest(handle, "sha256").hexdigest()
    with h5py.File(path) as file:
        for dataset in file["dense/dense"].values():
            values = dataset[()]
            hashlib.sha256(values).hexdigest()
            values.min(), values.max(), values.mean(dtype=np.float64)
            values.std(dtype=np.float64), np.count_nonzero(values), np.isfinite(values).all()
    return cpu() - start


def ours(path: Path) -> float:
    start = cpu()
    assert len(read(path, SETTINGS.limits).tensors) == 8
    return cpu() - start


def repeat(side: str, times: int) -> None:
    """Scan the small models, for a program that counts instructions."""
    for path in MODELS * times:
        with ExitStack() if side == "with" else without_security():
            scan(path)


def main() -> None:
    if len(sys.argv) > 2:
        repeat(sys.argv[1], int(sys.argv[2]))
        return
    gc.set_threshold(COLLECTED)  # as the workers of a scan do
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    print(f"{pairs} pairs of static scans, CPU s{'with':>12} {'without':>8}   security adds")
    share = compare(f"{len(MODELS)} small models", MODELS, pairs)
    with tempfile.TemporaryDirectory() as name:
        path = large_file(Path(name) / "large.h5")
        # Weights alone leave a scan the least other work, so that the share of security is largest
        # and not limited; the limit there is the time of the libraries.
        compare(f"{LARGE >> 20} MiB of weights", [path], pairs)
        turns = [(ours(path), plain(path)) for _ in range(5)]
    mine, theirs = map(min, zip(*turns, strict=True))
    print(f"reading {LARGE >> 20} MiB: {mine:.2f} s, with h5py and numpy only {theirs:.2f} s")
    sys.exit(share > SHARE or mine > theirs)


if __name__ == "__main__":
    main()
