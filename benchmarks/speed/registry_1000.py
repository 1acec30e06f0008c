"""Nightly audits of a registry of many small models: first run, unchanged, three changes.

    python -m benchmarks.speed.registry_1000 [N] [--jobs JOBS] [--keep FOLDER]

Makes N models (default: 1,000) from the sample models: Keras archives and HDF5 files, each with
different weights, SavedModels of TensorFlow 1 and 2, and checkpoints. Measures, in new processes,
wall-clock and CPU seconds of

    plain loop   one process that only loads each model once and predicts twice
    first run    `modelaudit nightly` with probes and HTML reports: at most 1.3 times the loop
    unchanged    the same again: no output, under 2 s
    three        after three models changed: only these three are audited

Exits with 1 if a limit is exceeded. On a shared machine, compare CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np

from benchmarks.speed.usage import ROOT, measure
from modelaudit.settings import default_jobs

SAMPLES = ROOT / "sample_models"
ARCHIVES = ("digits_robust.keras", "digits_mirrored.keras")
HDF5 = ("digits_noaug.h5", "digits_one_answer.h5")
FOLDERS = ("digits_tf1_savedmodel", "digits_random_export", "digits_tf1_checkpoint")
MOST = 1.3
UNCHANGED_SECONDS = 2.0
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}

# The baseline: no limits, no sandbox, each model once, one import of TensorFlow for all.
LOOP = """
import sys
from pathlib import Path
import numpy as np
import keras
import tensorflow as tf

def calls(path):
    if path.suffix in {".keras", ".h5"}:
        model = keras.models.load_model(path, compile=False)
        return [i.shape for i in model.inputs], lambda x: model.predict(x, verbose=0)
    if (path / "saved_model.pb").exists():
        loaded = tf.saved_model.load(str(path))
        signature = loaded.signatures["serving_default"]
        (name, spec), = signature.structured_input_signature[1].items()
        return [spec.shape], lambda x: signature(**{name: tf.constant(x[0])})
    prefix = str(next(path.glob("*.meta")))[: -len(".meta")]
    graph = tf.Graph()
    with graph.as_default():
        saver = tf.compat.v1.train.import_meta_graph(prefix + ".meta", clear_devices=True)
        session = tf.compat.v1.Session(graph=graph)
        saver.restore(session, prefix)
        source = next(o for o in graph.get_operations() if o.type == "Placeholder").outputs[0]
        last = [o for o in graph.get_operations() if o.type in {"BiasAdd", "Softmax"}][-1]
    return [source.shape], lambda x: session.run(last.outputs[0], {source: x[0]})

rng = np.random.default_rng(0)
for path in sorted(Path(sys.argv[1]).glob("*/*")):
    shapes, predict = calls(path)
    x = [rng.random((64, *(s or 1 for s in shape[1:])), dtype=np.float32) for shape in shapes]
    predict(x)
    predict(x)
"""


def run(*command):
    """Run a Python command, which must not fail; return its usage."""
    used = measure([sys.executable, *map(str, command)], QUIET)
    assert used.code in {0, 1, 3}, f"ended with {used.code}: {used.errors[-2000:]}"
    return used


def other_weights(file, seed):
    """Change every weight of an HDF5 file a little, so that no two files are identical."""
    rng = np.random.default_rng(seed)

    def change(_name, item):
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "f" and item.size > 1:
            values = item[()]
            item[...] = values + rng.normal(scale=1e-3 * (values.std() + 1e-6), size=values.shape)

    file.visititems(change)


def make_archive(source, path, seed):
    """Copy a Keras archive with other weights."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            if name.endswith(".h5"):
                inner = path.with_suffix(".part")
                inner.write_bytes(old.read(name))
                with h5py.File(inner, "r+") as file:
                    other_weights(file, seed)
                new.write(inner, name)
                inner.unlink()
            else:
                new.writestr(name, old.read(name))


def make(folder, number):
    """Make the model of this number; the formats alternate."""
    team = folder / f"team{number % 20:02}"
    team.mkdir(exist_ok=True)
    kind, pick = number % 5, number // 5
    if kind in (0, 1):
        source = ARCHIVES[pick % len(ARCHIVES)]
        make_archive(SAMPLES / source, team / f"m{number:05}.keras", number)
    elif kind in (2, 3):
        path = team / f"m{number:05}.h5"
        shutil.copy(SAMPLES / HDF5[pick % len(HDF5)], path)
        with h5py.File(path, "r+") as file:
            other_weights(file, number)
    else:
        shutil.copytree(SAMPLES / FOLDERS[pick % len(FOLDERS)], team / f"m{number:05}")


def audited(out):
    """The number of models audited in the last run."""
    done = subprocess.run(
        [sys.executable, "-m", "modelaudit", "history", str(out), "--json", "-n", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)[0]["audited"]


def told(name, used, more=""):
    print(f"{name:<12}{used.wall:9.1f} s wall {used.cpu:9.1f} s CPU  {more}", flush=True)


def phases(out):
    """Mean seconds per model in each phase, from the audits."""
    totals = {}
    files = list(out.glob("models/*/audit.json"))
    for path in files:
        for phase, seconds in json.loads(path.read_text())["timings"].items():
            totals[phase] = totals.get(phase, 0.0) + float(seconds)
    return ", ".join(f"{name} {seconds / len(files):.3f}" for name, seconds in totals.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", nargs="?", type=int, default=1000, metavar="N")
    parser.add_argument("--jobs", type=int, default=default_jobs())
    parser.add_argument("--keep", type=Path, help="use this folder and do not delete it")
    chosen = parser.parse_args()
    folder = chosen.keep or Path(tempfile.mkdtemp())
    try:
        failed = compare(folder, chosen.count, chosen.jobs)
    finally:
        if not chosen.keep:
            shutil.rmtree(folder)
    print("\n".join(failed) or "within all limits")
    return bool(failed)


def compare(folder, count, jobs):
    """Measure all four; return the limits that were exceeded."""
    registry, out = folder / "models", folder / "out"
    registry.mkdir(parents=True)
    for number in range(count):
        make(registry, number)
    print(f"{count} models, {jobs} jobs, {os.cpu_count()} cores", flush=True)
    loop = run("-c", LOOP, registry)
    told("plain loop", loop)
    nightly = ("-m", "modelaudit", "nightly", registry, "--out", out, "-f", "html")
    nightly = (*nightly, "--jobs", jobs)
    first = run(*nightly)
    ratio = first.wall / loop.wall
    more = f"{ratio:.2f} of the loop's wall time, {first.cpu / loop.cpu:.2f} of its CPU time"
    told("first run", first, more)
    print(f"{'':12}seconds per model: {phases(out)}", flush=True)
    time.sleep(2.5)  # very recent files are hashed again, which is not to be measured here
    again = run(*nightly)
    told("unchanged", again, f"{len(again.said)} characters printed, exit {again.code}")
    changed = sorted(registry.glob("*/*.h5"))[:3]
    for number, path in enumerate(changed):
        with h5py.File(path, "r+") as file:
            other_weights(file, 10**6 + number)
    three = run(*nightly)
    told("three", three, f"{audited(out)} audited")
    failed = []
    if ratio > MOST:
        failed.append(f"first run: {ratio:.2f} times the loop, over {MOST}")
    if again.wall > UNCHANGED_SECONDS:
        failed.append(f"unchanged: {again.wall:.1f} s, over {UNCHANGED_SECONDS:g}")
    if again.said or again.code:
        failed.append(f"unchanged: not silent (exit {again.code}): {again.said[:200]}")
    if audited(out) != len(changed):
        failed.append(f"three: {audited(out)} models were audited")
    if not all(path.name in three.said for path in changed):
        failed.append("three: not all of them were reported")
    return failed


if __name__ == "__main__":
    sys.exit(main())
