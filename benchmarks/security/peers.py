"""Detections and false alarms of several scanners on the same models, in one run.

    python -m benchmarks.security.peers THREATS --cache DIR [--honest DIR]…

Each entry of THREATS is a model, or it has a `manifest.json` of `{"path": {"threat": "words"}}`;
there, the threat `benign` means a benign model, and `integrity: …` damage rather than an attack.
Further benign models are the entries of every `--honest` directory; without one they are built
(18 by `tests.made`, 42 by `benchmarks.honest_models`).

Each tool scans one directory in one process, from an environment of its own below DIR. A model
counts as detected if the tool reports it at high or above, on its own scale:

* modelaudit (this tool): findings of the integrity and security rules (MA1xx, MA7xx), by
  `audit --no-probe`. Other findings, such as "never trained", do not claim an attack.
* promptfoo modelaudit: `critical` is high, `warning` is medium. Without its `tensorflow` extra,
  with which it cannot load its own message definitions.
* modelscan, with its extras: CRITICAL and HIGH; MEDIUM.
* picklescan: "dangerous" is high, "suspicious" is medium. It reads pickles only.
* saved_model_cli scan: its reports have no level and count as high. It takes one SavedModel at
  a time; its scan function is called for each, in one process.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.usage import ROOT, measure

NOTHING, MEDIUM, HIGH = 0, 1, 2
QUIET = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "NO_ANALYTICS": "1",
    "NO_COLOR": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
SAVED_MODEL_CLI = """
import contextlib, io, json, pathlib, sys
from tensorflow.python.tools import saved_model_cli as cli, saved_model_utils
seen = {}
for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            for graph in saved_model_utils.read_saved_model(str(folder)).meta_graphs:
                cli.scan_meta_graph_def(graph, cli._OP_DENYLIST)
        except Exception as error:
            print(error)
    seen[folder.name] = said.getvalue()
print(json.dumps(seen))
"""

VERSION = "import importlib.metadata as m; print(m.version({!r}))"

Levels = dict[str, int]


@dataclass(frozen=True)
class Output:
    """Output of a tool on `folder`: its text, and the directory `out` with its files."""

    folder: Path
    out: Path
    text: str


@dataclass(frozen=True)
class Run:
    """Highest level reported for each entry of a directory, CPU seconds, and peak MiB."""

    levels: Levels
    cpu: float
    memory: float


@dataclass(frozen=True)
class Tool:
    """A scanner: its version, requirement, command for a directory, and parser of its output."""

    name: str
    version: str
    requirement: str
    command: Callable[[Path, Path, Path], list[str]]
    levels: Callable[[Output], Levels]


def raise_to(levels: Levels, entry: str, level: int) -> None:
    levels[entry] = max(levels.get(entry, NOTHING), level)


def ours(said: Output) -> Levels:
    levels: Levels = {}
    for file in said.out.glob("models/*/audit.json"):
        audit = json.loads(file.read_text())
        for finding in audit["findings"]:
            if finding["code"].startswith(("MA1", "MA7")):
                level = {"critical": HIGH, "high": HIGH, "medium": MEDIUM}
                entry = Path(audit["model"]["path"]).parts[0]
                raise_to(levels, entry, level.get(finding["severity"], NOTHING))
    return levels


def promptfoo(said: Output) -> Levels:
    levels: Levels = {}
    for issue in json.loads(said.text)["issues"]:
        where = str(issue.get("location") or "").removeprefix(f"{said.folder}/")
        entry = where.split("/")[0].split(":")[0].split(" ")[0]
        raise_to(levels, entry, {"critical": HIGH, "warning": MEDIUM}.get(issue["severity"], 0))
    return levels


def modelscan(said: Output) -> Levels:
    levels: Levels = {}
    level = {"CRITICAL": HIGH, "HIGH": HIGH, "MEDIUM": MEDIUM}
    for issue in json.loads((said.out / "found.json").read_text())["issues"]:
        entry = issue["source"].split("/")[0].split(":")[0]
        raise_to(levels, entry, level.get(issue["severity"], NOTHING))
    return levels


def picklescan(said: Output) -> Levels:
    levels: Levels = {}
    for line in said.text.splitlines():
        where, _, what = line.rpartition(": ")
        level = {"dangerous": HIGH, "suspicious": MEDIUM}.get(what.split(" ")[0], NOTHING)
        if where.startswith(f"{said.folder}/"):
            entry = where.removeprefix(f"{said.folder}/").split("/")[0].split(":")[0]
            raise_to(levels, entry, level)
    return levels


def saved_model_cli(said: Output) -> Levels:
    found = json.loads(said.text.splitlines()[-1])
    return {e: HIGH for e, text in found.items() if "contains the following denylisted" in text}


TOOLS = (
    Tool(
        "modelaudit (this tool)", "import modelaudit; print(modelaudit.__version__)", "",
        lambda _, folder, out: [
            sys.executable, "-m", "modelaudit", "audit", str(folder),
            "--no-probe", "--quiet", "--format", "json", "--out", str(out),
        ],
        ours,
    ),
    Tool(
        "promptfoo modelaudit", VERSION.format("modelaudit"), "modelaudit[h5]",
        lambda env, folder, _: [
            str(env / "bin" / "modelaudit"), "scan", "--format", "json", "--no-cache", str(folder),
        ],
        promptfoo,
    ),
    Tool(
        "modelscan", VERSION.format("modelscan"), "modelscan[tensorflow,h5py]",
        lambda env, folder, out: [
            str(env / "bin" / "modelscan"), "scan", "-p", str(folder),
            "-r", "json", "-o", str(out / "found.json"),
        ],
        modelscan,
    ),
    Tool(
        "picklescan", VERSION.format("picklescan"), "picklescan",
        lambda env, folder, _: [
            str(env / "bin" / "python"), "-c",
            # It exits with 1 where it finds something.
            "import sys; from picklescan.cli import main; main(); sys.exit(0)", "-p", str(folder),
        ],
        picklescan,
    ),
    Tool(
        "saved_model_cli scan", VERSION.format("tensorflow"), "",
        lambda _, folder, __: [sys.executable, "-c", SAVED_MODEL_CLI, str(folder)],
        saved_model_cli,
    ),
)  # fmt: skip


def environment(tool: Tool, cache: Path) -> Path:
    """The tool's virtual environment, created if missing; the current one without requirement."""
    if not tool.requirement:
        return Path(sys.prefix)
    place = cache / tool.name.replace(" ", "-")
    if not (place / "done").exists():
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", tool.requirement]
        subprocess.run(pip, check=True)
        (place / "done").touch()
    return place


def version(tool: Tool, env: Path) -> str:
    python = str(env / "bin" / "python") if tool.requirement else sys.executable
    done = subprocess.run(
        [python, "-c", tool.version], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def run(tool: Tool, env: Path, folder: Path) -> Run:
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        used = measure(tool.command(env, folder, out), QUIET)
        return Run(tool.levels(Output(folder, out, used.said)), used.cpu, used.peak)


def copied(models: list[Path], folder: Path) -> Path:
    """Copy all models into one new directory, each under a unique name."""
    folder.mkdir()
    for number, model in enumerate(models):
        name = model.name if not (folder / model.name).exists() else f"{number}-{model.name}"
        if model.is_dir():
            shutil.copytree(model, folder / name, symlinks=True)
        else:
            shutil.copy(model, folder / name, follow_symlinks=False)
    return folder


def sorted_out(threats: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Attacks, damaged models and benign models of the threats directory."""
    manifest = threats / "manifest.json"
    if not manifest.exists():
        return sorted(threats.iterdir()), [], []
    kinds: tuple[list[Path], list[Path], list[Path]] = ([], [], [])
    for path, entry in sorted(json.loads(manifest.read_text()).items()):
        word = entry["threat"].split(":")[0]
        kinds[{"benign": 2, "integrity": 1}.get(word, 0)].append(threats / path)
    return kinds


def built(folder: Path) -> list[Path]:
    """Build benign models."""
    found = []
    for module in ("tests.made.build", "benchmarks.security.honest_models"):
        place = folder / module
        place.mkdir()
        subprocess.run(
            [sys.executable, "-m", module, str(place)],
            cwd=ROOT, env=os.environ | QUIET, capture_output=True, check=True,
        )  # fmt: skip
        found += [entry for entry in sorted(place.iterdir()) if entry.suffix != ".npz"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("threats", type=Path)
    parser.add_argument("--honest", type=Path, action="append", default=[])
    parser.add_argument("--cache", type=Path, required=True, help="for the tools' environments")
    parser.add_argument("--missed", action="store_true", help="list the models not detected")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name).resolve()
        attacks, damage, honest = sorted_out(chosen.threats.resolve())
        honest += [entry for folder in chosen.honest for entry in sorted(folder.iterdir())]
        honest += [] if chosen.honest else built(work)
        places = {
            "attacks": copied(attacks, work / "attacks"),
            "damage": copied(damage, work / "damage"),
            "honest": copied(honest, work / "honest"),
        }
        names = {kind: sorted(p.name for p in place.iterdir()) for kind, place in places.items()}
        print("| tool | version | " + " | ".join(f"{len(names[k])} {k}" for k in names), end="")
        print(" | CPU s | peak MiB |\n|---|---|---:|---:|---:|---:|---:|")
        missed = {}
        for tool in TOOLS:
            env = environment(tool, chosen.cache.resolve())
            runs = {kind: run(tool, env, place) for kind, place in places.items() if names[kind]}
            cells = []
            for kind, each in runs.items():
                high = sum(each.levels.get(entry, NOTHING) >= HIGH for entry in names[kind])
                lower = sum(each.levels.get(entry, NOTHING) == MEDIUM for entry in names[kind])
                cells.append(f"{high} (+{lower})" if lower else f"{high}")
                level = each.levels.get
                missed[tool.name, kind] = [e for e in names[kind] if level(e, NOTHING) < HIGH]
            cpu, memory = sum(r.cpu for r in runs.values()), max(r.memory for r in runs.values())
            line = [tool.name, version(tool, env), *cells, f"{cpu:.1f}", f"{memory:.0f}"]
            print(f"| {' | '.join(line)} |", flush=True)
        if chosen.missed:
            for (tool_name, kind), entries in missed.items():
                words = "reported" if kind == "honest" else "not reported at high"
                shown = sorted({*names[kind]} - {*entries}) if kind == "honest" else entries
                print(f"\n{tool_name}, {kind}, {words}: {', '.join(shown) or 'none'}")


if __name__ == "__main__":
    main()
