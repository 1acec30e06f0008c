"""Makes models in several runtimes and loads each of them in all: what `compat_matrix.py` compares.

    python -m benchmarks.loading.matrix MATRIX tf26=/opt/tf26/bin/python tf221=.venv/bin/python \
        tfk221=.venv/bin/python:legacy [--models NAME,NAME] [--savers tf26,tf221]

Each runtime is a label and an interpreter with TensorFlow 2.6 or newer; `:legacy` means its
tf-keras. Everything is written below MATRIX: the models, `loader_LABEL.json`, `saved_LABEL.jsonl`
and `results.jsonl` (a line a cell: file, loader, call, and whether it loads and computes the same).
A run that was stopped continues where it was. Then:

    python -m benchmarks.loading.compat_matrix MATRIX
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.loading.models import CUSTOM, LAMBDAS, MODELS, VARYING

HERE = Path(__file__).parent
LIMIT = 60  # seconds of CPU without a finished cell, after which a loader is taken to hang


def worker(matrix: Path, label: str, python: str, task: str) -> list[str]:
    """The command that runs the worker."""
    program, _, legacy = python.partition(":")
    command = [program, str(HERE / "worker.py"), str(matrix), label, task]
    return command + ["--legacy-keras"] * bool(legacy)


def save(matrix: Path, label: str, python: str, names: list[str]) -> None:
    """Save the models in one runtime."""
    told = subprocess.run(
        worker(matrix, label, python, "save"),
        input="\n".join(names),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in told.stdout.splitlines() if line[:1] == "{"]
    (matrix / f"saved_{label}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    if told.returncode:
        sys.stderr.write(f"{label}: {told.stderr[-2000:]}\n")


def calls(kind: str, arch: str, compiled: bool, keras3: bool) -> list[str]:
    """The calls to try on a file in a format."""
    if kind in ("h5", "keras"):
        found = ["load_model"]
        found += ["load_model,custom_objects"] * (arch in CUSTOM)
        found += ["load_model,compile"] * compiled
        if arch in LAMBDAS and (kind == "keras" or keras3):
            extra = "custom_objects," if arch in CUSTOM else ""
            found += [f"load_model,{extra}safe_mode=False"]
        return found
    if kind == "savedmodel":
        return ["load_model", "saved_model.load"] + ["TFSMLayer"] * keras3
    if arch in VARYING:
        return []
    return ["Checkpoint.restore" if kind == "checkpoint" else "load_weights"]


def cells(matrix: Path, loader: str, sample: int) -> list[dict[str, str]]:
    """The cells of one loader: those with custom objects last, since they register the classes.

    With `sample` this many of them are drawn at random, the same in every run.
    """
    told = json.loads((matrix / f"loader_{loader}.json").read_text())
    keras3 = told["keras"].startswith("3.")
    old = tuple(map(int, told["keras"].split(".")[:2])) < (2, 13)
    found = []
    told_by_savers = (path.read_text() for path in sorted(matrix.glob("saved_*.jsonl")))
    for saved in map(json.loads, "".join(told_by_savers).splitlines()):
        for kind in ("h5", "keras", "savedmodel", "weights_h5", "weights.h5", "checkpoint"):
            for api in calls(kind, saved["arch"], saved.get("compiled", False), keras3):
                if kind in saved and not (old and "safe_mode" in api):
                    path = f"{saved['label']}/{saved['arch']}/{saved[kind]}"
                    found.append(
                        {
                            "saver_version": saved["label"],
                            "arch": saved["arch"],
                            "format": kind,
                            "path": path,
                            "loader_version": loader,
                            "api": api,
                        }
                    )
    if sample:
        random.Random(loader).shuffle(found)
        found = found[:sample]
    rank = {"h5": 0, "savedmodel": 1, "keras": 2}
    return sorted(
        found, key=lambda c: ("custom_objects" in c["api"], rank.get(c["format"], 3), c["path"])
    )


def next_line(child: subprocess.Popen[str], pool: concurrent.futures.Executor) -> str:
    """The next line of the child; "" once it has ended, or has computed for too long."""
    assert child.stdout
    waiting, begun = pool.submit(child.stdout.readline), cpu_seconds(child.pid)
    while True:
        try:
            line = waiting.result(5)
        except concurrent.futures.TimeoutError:
            if cpu_seconds(child.pid) - begun > LIMIT:
                return ""
        else:
            if not line:
                child.wait()
            return line


def cpu_seconds(process: int) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(matrix: Path, label: str, python: str, sample: int) -> None:
    """Try the cells of one loader; one that ends the process is a crash, the rest go on."""
    results = matrix / f"results_{label}.jsonl"
    if not (matrix / f"loader_{label}.json").exists():
        save(matrix, label, python, [])  # which also notes the versions
    key = ("path", "api")
    while True:
        done = {
            tuple(json.loads(line)[k] for k in key)
            for line in (results.read_text().splitlines() if results.exists() else ())
        }
        wanted = cells(matrix, label, sample)
        left = [cell for cell in wanted if (cell["path"], cell["api"]) not in done]
        if not left:
            return
        left = left[:400]
        with results.open("a") as file:
            child = subprocess.Popen(
                worker(matrix, label, python, "load"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert child.stdin and child.stdout
            child.stdin.write("".join(json.dumps(cell) + "\n" for cell in left))
            child.stdin.close()
            told = 0
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                while told < len(left):
                    line = next_line(child, pool)
                    if line and line[0] != "{":
                        continue
                    if not line:
                        ended = "crash" if child.poll() is not None else "timeout"
                        child.kill()
                        child.wait()
                        line = json.dumps({**left[told], "status": ended, "message": ""}) + "\n"
                    file.write(line)
                    file.flush()
                    told += 1
                    if child.poll() is not None:
                        break
                child.kill()
            child.wait()


def main() -> int:
    """Save, load, and gather the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("matrix", type=Path)
    parser.add_argument("runtimes", nargs="+", metavar="LABEL=PYTHON")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--savers", default="", help="labels; all by default")
    parser.add_argument("--sample", type=int, default=0, help="cells of each loader; 0: all")
    options = parser.parse_args()
    matrix = options.matrix.resolve()
    matrix.mkdir(parents=True, exist_ok=True)
    for path in HERE.glob("list_*/customs*.py"):
        shutil.copy(path, matrix / path.name)
    runtimes = dict(each.split("=", 1) for each in options.runtimes)
    savers = options.savers.split(",") if options.savers else list(runtimes)
    names = options.models.split(",")
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        wanted = [each for each in savers if not (matrix / f"saved_{each}.jsonl").exists()]
        list(pool.map(lambda label: save(matrix, label, runtimes[label], names), wanted))
        list(pool.map(lambda pair: load(matrix, *pair, options.sample), runtimes.items()))
    parts = sorted(matrix.glob("results_*.jsonl"))
    (matrix / "results.jsonl").write_text("".join(path.read_text() for path in parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
