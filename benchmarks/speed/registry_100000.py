"""A registry of 100,000 models: an unchanged night, the index, the merge of two shards.

    python -m benchmarks.speed.registry_100000 [N] [--keep FOLDER]

Makes N models (default: 100,000) in folders of 1,000, half of them HDF5, and passes a finished
audit of each through the run, the history and the index; only the audit itself is simulated, by
copies of one that is real. Measures, each in a new process, wall-clock and CPU seconds and the
largest memory of

    unchanged   `modelaudit nightly` when nothing changed: under 30 s and 500 MB
    merge       `modelaudit merge` of two shards, the first time
    again       the same when nothing changed

and with Chromium, how long the thread of the index page works until it shows the result of a search
over all models: under 1 s. Exits with 1 if a limit is exceeded.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

from benchmarks.speed.usage import ROOT, Usage, measure
from modelaudit.cli import cli
from modelaudit.pipeline import audit_model
from modelaudit.registry.snapshot import SETTLED_SECONDS, SnapshotReader
from modelaudit.result_row import result_row
from modelaudit.runs import recorded_run
from modelaudit.runs.batch import FinishedModel
from modelaudit.schema import dumps
from modelaudit.settings import Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.store import store
from modelaudit.store.database import connect
from modelaudit.structs import replace
from tests.made.files import minimal_h5, minimal_keras

SECONDS, MEGABYTES, INTERACTIVE_SECONDS = 30.0, 500.0, 1.0
FIND = """() => {
  document.getElementById("find").value = "model-00077";
  document.getElementById("filters").dispatchEvent(new Event("input"));
  return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""


def make(registry: Path, count: int) -> None:
    """`count` small models, half HDF5 and half Keras archives."""
    registry.mkdir(parents=True)
    kinds = []
    for write, suffix in ((minimal_h5, ".h5"), (minimal_keras, ".keras")):
        first = write(registry / f"first{suffix}")
        kinds.append((first.read_bytes(), suffix))
        first.unlink()
    for number in range(count):
        content, suffix = kinds[number % 2]
        path = registry / f"team-{number // 1000:03d}" / f"model-{number:06d}{suffix}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


class Simulated:
    """Stands for the audits of a run: the first is real, the others are copies of it."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def __call__(
        self, targets: Sequence[AuditTarget], settings: Settings, created: str, **_rest: object
    ) -> Iterator[FinishedModel]:
        if not targets:
            return
        looker = SnapshotReader(settings.limits)
        first = targets[0]
        audit = audit_model(first, settings, created, None)
        row = result_row(audit)
        document = dumps(replace(audit, results=()))  # a tenth of the size
        content = looker.content(first.path)
        for number, target in enumerate(targets):
            folder = self._out / "models" / target.slug
            folder.mkdir(parents=True, exist_ok=True)
            text = document.replace(first.slug, target.slug).replace(first.shown, target.shown)
            (folder / "audit.json").write_text(text)
            yield FinishedModel(
                target,
                replace(row, path=target.shown, slug=target.slug, sha256=f"{number:064x}"),
                {
                    "files": looker.snapshot(target.path).text,
                    "settled": True,
                    "content": content,
                    "seen": "",
                },
            )


def words(registry: Path, out: Path, *more: str) -> list[str]:
    """The arguments of a night without probes."""
    config = registry.parent / "modelaudit.toml"
    config.write_text("[limits]\nfiles = 1_000_000\n")
    night = ["nightly", str(registry), "--no-probe", "-f", "json", "-o", str(out), *more]
    return ["--config", str(config), *night]


def unflushed(path: Path) -> sqlite3.Connection:
    """The history without a flush for each audit, which is no part of what is measured."""
    connection = connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def feed(registry: Path, out: Path, *more: str) -> float:
    """A night with simulated audits; returns its wall-clock seconds."""
    started = time.monotonic()
    with (
        patch.object(recorded_run, "audit_with_progress", Simulated(out)),
        patch.object(store, "connect", unflushed),
    ):
        code = cli.main([*words(registry, out, *more), "--quiet"], standalone_mode=False)
        if code:
            raise SystemExit(f"the simulated night ended with exit code {code}")
    return time.monotonic() - started


def page_seconds(index: Path) -> float | None:
    """Seconds that the page's thread works until a search is shown; None without Chromium."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(index.as_uri())
        page.evaluate(FIND)
        told = session.send("Performance.getMetrics")["metrics"]
        browser.close()
    return float({metric["name"]: metric["value"] for metric in told}["TaskDuration"])


def told(name: str, used: Usage) -> None:
    """Print a line on a measured command."""
    if used.code > 3:
        raise SystemExit(f"{name}: exit code {used.code}\n{used.errors}")
    print(
        f"{name:12} {used.wall:7.1f} s wall {used.cpu:7.1f} s CPU {used.peak:7.0f} MiB", flush=True
    )


def run(folder: Path, count: int) -> bool:
    """Measure everything below `folder`; returns whether the limits are kept."""
    registry, out = folder / "models", folder / "out"
    make(registry, count)
    time.sleep(SETTLED_SECONDS)
    program = [sys.executable, "-m", "modelaudit"]
    print(f"first night with simulated audits: {feed(registry, out):.1f} s wall", flush=True)
    quiet = measure([*program, *words(registry, out)])
    told("unchanged", quiet)
    size = (out / "index.html").stat().st_size / 1e6
    seconds = page_seconds(out / "index.html")
    print(f"index: {size:.1f} MB, thread works {seconds} s until a search is shown", flush=True)
    shards = [folder / "shard-1", folder / "shard-2"]
    for number, shard in enumerate(shards, 1):
        feed(registry, shard, "--shard", f"{number}/2")
    for name in ("merge", "again"):
        told(name, measure([*program, "merge", *map(str, shards), "-o", str(folder / "all"), "-q"]))
    if quiet.said or quiet.code:
        print(f"the unchanged night was not silent: {quiet.code} {quiet.said[:300]}")
        return False
    fluid = seconds is None or seconds < INTERACTIVE_SECONDS
    return quiet.wall < SECONDS and quiet.peak < MEGABYTES and fluid


def main() -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", nargs="?", type=int, default=100_000)
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    if chosen.keep:
        return 0 if run(chosen.keep, chosen.count) else 1
    with tempfile.TemporaryDirectory(dir=ROOT.parent) as folder:
        return 0 if run(Path(folder), chosen.count) else 1


if __name__ == "__main__":
    sys.exit(main())
