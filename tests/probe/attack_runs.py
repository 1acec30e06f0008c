"""Run all attacks: without a sandbox against separate targets, then in the sandbox."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from modelaudit.probe.host import bubblewrap
from tests.probe import plain_user
from tests.probe.outside import Outside, open_to_all, outside
from tests.sharing import REPOSITORY, answer_of, module, told_with_tensorflow

CONTROL = "control"
ROOT, PLAIN_USER, BUBBLEWRAP = "root", "plain user", "bubblewrap"
RUNS = (ROOT, PLAIN_USER, BUBBLEWRAP)


def carry_out(results: Path, names: Mapping[str, list[str]]) -> None:
    """Build the models, run the attacks, and write one JSON file per run to `results`.

    `names` are the models of each run. Each file has `before` and `after` (see
    `Outside.files`), `reached`, and as `said` the output of the run: for `CONTROL` what the attacks
    have read, for `RUNS` an audit by name. Or it has `skipped`, the reason why the run is missing.
    A changed target counts for all of `RUNS`, which attack the same targets at the same time.
    """
    folder = Path(tempfile.mkdtemp(prefix="modelaudit-attacks-"))
    models = folder / "models"
    models.mkdir()
    try:
        with outside(folder / "real") as real, outside(folder / CONTROL) as control:
            places = [json.dumps(each.place) for each in (real, control)]
            build = ("-m", "tests.probe.attack_models", models, *places)
            save(results, CONTROL, watched(lambda: told_with_tensorflow(*build), control))
            open_to_all(folder)

            def said(run: str) -> dict[str, Any]:
                try:
                    return {"said": answer_of(audits(run, models, names[run]))}
                except LookupError as reason:
                    return {"skipped": str(reason)}

            # In parallel: most of the time is spent waiting for models that never answer.
            with ThreadPoolExecutor(len(RUNS)) as pool:
                seen = watched(lambda: dict(zip(RUNS, pool.map(said, RUNS), strict=True)), real)
            for run in RUNS:
                save(results, run, seen | seen["said"][run])
    finally:
        shutil.rmtree(folder)


def save(results: Path, run: str, outcome: dict[str, Any]) -> None:
    (results / f"{run}.json").write_text(json.dumps(outcome))


def audits(run: str, models: Path, names: list[str]) -> list[str]:
    """The command that audits the models.

    Raises:
        LookupError: this run is not possible here, with the reason.
    """
    command = module("tests.probe.contained", str(models), "builtin", *names)
    root = os.geteuid() == 0
    if run == BUBBLEWRAP:
        if reason := bubblewrap.unavailable_reason():
            raise LookupError(f"no bubblewrap: {reason}")
        return module("tests.probe.contained", str(models), "bwrap", *names)
    if run == PLAIN_USER:
        return plain_user.command(command, [REPOSITORY]) if root else command
    if not root:
        raise LookupError("only root can be root")
    return command


def watched(attack: Callable[[], Any], targets: Outside) -> dict[str, Any]:
    """State of the targets before and after an attack; `said` is the attack's result."""
    before = targets.files()
    said = attack()
    return {
        "before": before,
        "after": targets.files(),
        "reached": targets.reached(),
        "said": said,
    }
