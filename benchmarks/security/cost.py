"""Cost of the security checks: CPU time of a static scan with and without them.

"Without" omits the rules of the security family and the checks that run before a parser: of heaps
in HDF5, and of nesting in JSON. Scans with and without alternate in one process
on the same models; each result is the minimum of several rounds.

The second part reads one large file of plain weights twice: with modelaudit, and with h5py and
numpy only for the same facts (SHA-256, minimum, maximum, mean and deviation of every tensor).

    python -m benchmarks.security.cost
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import h5py
import numpy as np

from modelaudit import pipeline
from modelaudit.formats.hdf5 import contents
from modelaudit.formats.hdf5.heaps import Heaps
from modelaudit.formats.io import bounded
from modelaudit.formats.reader import read
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.model import Family
from modelaudit.settings import Settings

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
MODELS = [
    *sorted(SAMPLES.glob("*.h5")),
    *sorted(SAMPLES.glob("*.keras")),
    *(path.parent for path in sorted(SAMPLES.glob("*/saved_model.pb"))),
    SAMPLES / "digits_tf1_checkpoint" / "lenet.ckpt",
]
ROUNDS = 7
LARGE = 256 << 20  # bytes
SHARE = 0.15
SETTINGS = Settings()


def scan(models) -> float:
    """CPU seconds of a static audit of every model."""
    start = time.process_time()
    for path in models:
        facts = pipeline.static_facts(path, SETTINGS)
        target = pipeline.AuditTarget(path, path.parent, path.name, "x")
        pipeline.finish_audit(facts, target, "2026-01-01T00:00:00Z", {})
    return time.process_time() - start


def without_security() -> ExitStack:
    """Disable the rules of the family and the checks before parsers."""
    stack = ExitStack()
    rules = tuple(rule for rule in CATALOGUE if rule.family is not Family.SECURITY)
    for where, name, value in (
        (pipeline, "all_rules", lambda: rules),
        (contents, "damaged_heaps", lambda *_: Heaps(None, None)),
        (bounded, "_check_structure", lambda *_: None),
    ):
        stack.enter_context(mock.patch.object(where, name, value))
    return stack


def compare(models, rounds: int) -> tuple[float, float]:
    """Minimum CPU seconds of a scan with and without security."""
    found: dict[bool, list[float]] = {True: [], False: []}
    scan(models)  # fills caches
    for _ in range(rounds):
        found[True].append(scan(models))
        with without_security():
            found[False].append(scan(models))
    return min(found[True]), min(found[False])


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
    start = time.process_time()
    with path.open("rb") as handle:
        hashlib.file_digest(handle, "sha256").hexdigest()
    with h5py.File(path) as file:
        for dataset in file["dense/dense"].values():
            values = dataset[()]
            hashlib.sha256(values).hexdigest()
            values.min(), values.max(), values.mean(dtype=np.float64)
            values.std(dtype=np.float64), np.count_nonzero(values), np.isfinite(values).all()
    return time.process_time() - start


def ours(path: Path) -> float:
    start = time.process_time()
    assert len(read(path, SETTINGS.limits).tensors) == 8
    return time.process_time() - start


def main() -> None:
    on, off = compare(MODELS, ROUNDS)
    with tempfile.TemporaryDirectory() as name:
        path = large_file(Path(name) / "large.h5")
        large_on, large_off = compare([path], 3)
        mine = min(ours(path) for _ in range(3))
        theirs = min(plain(path) for _ in range(3))
    rows = [
        (f"{len(MODELS)} small models", on, off),
        (f"{LARGE >> 20} MiB of weights", large_on, large_off),
    ]
    print(f"{'static scan, CPU s':<24} {'with':>8} {'without':>8}   security adds")
    for title, with_it, without in rows:
        print(f"{title:<24} {with_it:8.3f} {without:8.3f} {with_it / without - 1:10.1%}")
    print(f"reading {LARGE >> 20} MiB: {mine:.2f} s, with h5py and numpy only {theirs:.2f} s")
    # For a file of weights only, a scan has the least other work, so the share of security is
    # largest and not limited; the limit there is the time of the libraries.
    sys.exit(on / off - 1 > SHARE or mine > theirs)


if __name__ == "__main__":
    main()
