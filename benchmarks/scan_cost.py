"""Cost of the command line: CPU time of `--help` and of scans, peak memory of a large file.

Makes its own inputs and prints each value with its limit; exits with 1 if one is exceeded.

    python benchmarks/scan_cost.py
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
from usage import ROOT, measure

COPIES = 10
SAVED_MODEL = ROOT / "sample_models" / "digits_tf1_savedmodel"
H5 = ROOT / "sample_models" / "digits_noaug.h5"
ARCHIVE = ROOT / "sample_models" / "digits_robust.keras"
LARGE = 1 << 30  # bytes


def run(*arguments):
    """User seconds, user and system seconds, and peak resident MiB of one run."""
    used = measure([sys.executable, "-m", "modelaudit", *arguments])
    assert used.code in {0, 1}, f"modelaudit ended with {used.code}: {used.errors}"
    return used.user, used.cpu, used.peak


def best(*arguments, of=3):
    """The minimum of several runs, to exclude other load on the machine."""
    return tuple(min(values) for values in zip(*(run(*arguments) for _ in range(of)), strict=True))


def small_models(folder):
    for number in range(COPIES):
        (folder / f"{number}.h5").write_bytes(H5.read_bytes())
        (folder / f"{number}.keras").write_bytes(ARCHIVE.read_bytes())
        for file in SAVED_MODEL.rglob("*"):
            target = folder / f"{number}" / file.relative_to(SAVED_MODEL)
            if file.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
    return folder


def large_model(path):
    """Write weights of one dense layer, in blocks of rows; random, so not compressible."""
    columns = 1 << 14
    rows = LARGE // (4 * columns)
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.attrs.update(keras_version=b"2.15.0", backend=b"tensorflow", layer_names=[b"dense"])
        group = file.create_group("dense")
        group.attrs["weight_names"] = [b"dense/kernel:0"]
        data = group.create_dataset("dense/kernel:0", (rows, columns), "float32")
        for start in range(0, rows, 64):
            data[start : start + 64] = rng.standard_normal((64, columns), dtype=np.float32)
    return path


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "small").mkdir()
        small_models(folder / "small")
        _, help_cpu, _ = best("--help", of=5)
        scan_user, _, _ = best("scan", os.fspath(folder / "small"))
        _, large_cpu, large_peak = run("scan", os.fspath(large_model(folder / "large.h5")))
    rows = [
        ("--help, CPU", help_cpu, 0.3, "s"),
        (f"scan of {3 * COPIES} small models, user", scan_user, 2.0, "s"),
        (f"scan of {LARGE >> 30} GiB, peak memory", large_peak, 300.0, "MiB"),
    ]
    print(f"scanning {LARGE >> 30} GiB took {large_cpu:.1f} s of CPU")
    for title, value, limit, unit in rows:
        print(f"{title:<36} {value:8.2f} {unit:<4} limit {limit:6.1f}  {value / limit:5.0%}")
    sys.exit(any(value > limit for _, value, limit, _ in rows))


if __name__ == "__main__":
    main()
