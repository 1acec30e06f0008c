"""Rebuild every sample model, measure it as read back from its file, and write `manifest.json`.

    python sample_models/make.py            # all of them, next to this script
    python sample_models/make.py --out DIR  # in another directory

Needs TensorFlow, tf-keras and scikit-learn (for its digits data set). Seeds are fixed, but the last
digits of the weights depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from recipes import keras2, keras3, lite, tf1
from recipes.data import load_split, write_probe
from recipes.measure import measure

SEED = 20
STALE = ("digits_*", "teachable_digits", "manifest.json")


def main() -> int:
    """Build, measure and check; return 1 if a model does not show its stated condition."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    _clear(out)

    tf.get_logger().setLevel("ERROR")
    split = load_split()
    write_probe(split, out / "digits_probe.npz")
    rows, failed = [], []
    for family in (keras3, keras2, tf1, lite):
        keras.utils.set_random_seed(SEED)
        tf.random.set_seed(SEED)
        for sample in family.build(split, out):
            measured = measure(sample.load(out / sample.file), split)
            rows.append(
                {
                    "file": sample.file,
                    "format": sample.format,
                    "condition": sample.condition,
                    "written_by": sample.writer,
                    "measured_with": sample.reader,
                    "bytes": _size(out / sample.file),
                    "accuracy": {
                        "upright": measured.upright,
                        "mirrored": measured.mirrored,
                        "turned": measured.turned,
                    },
                    "top_class_share_upright": measured.top_share,
                    "largest_change_between_repeats": measured.repeat_gap,
                }
            )
            print(f"{sample.file:36} {asdict(measured)}", flush=True)
            if not sample.holds(measured):
                failed.append(sample.file)
    manifest = {"test_images": len(split.test_x), "models": rows}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    for file in failed:
        print(f"{file}: does not show its condition", file=sys.stderr)
    return 1 if failed else 0


def _clear(out: Path) -> None:
    for pattern in STALE:
        for old in out.glob(pattern):
            shutil.rmtree(old) if old.is_dir() else old.unlink()


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())


if __name__ == "__main__":
    sys.exit(main())
