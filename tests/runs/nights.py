"""Nightly runs over a small registry, for tests."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
from click.testing import CliRunner, Result

from modelaudit.cli import cli
from modelaudit.registry import snapshot
from modelaudit.runs import batch
from modelaudit.store.store import Store


def nightly(models: Path, *more: str, code: int | None = 0, config: Path | None = None) -> Result:
    """Run one nightly static audit, with reports next to the registry."""
    first = ["--config", str(config)] if config else []
    chosen = ["nightly", str(models), "--out", str(models.parent / "out"), "-f", "json", *more]
    probing = [] if "--probe" in more else ["--no-probe"]
    chosen = [word for word in chosen if word != "--probe"]
    done = CliRunner().invoke(cli, [*first, *chosen, *probing], catch_exceptions=False)
    assert code in (None, done.exit_code), done.output
    return done


def invoke(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def audits(out, name):
    return json.loads(invoke("history", out, name, "--json").stdout)


def audited(models: Path) -> int:
    """The number of models audited in the last run."""
    with Store.open_to_read(models.parent / "out") as store:
        return store.runs()[-1].audited


def scale(model: Path, factor: float = 2.0) -> None:
    with h5py.File(model, "r+") as file:
        kernel = file["model_weights/dense/dense/kernel:0"]
        kernel[...] = factor * kernel[()]


def later(monkeypatch) -> None:
    """Treat all files as old from now on, so that none is being written."""
    monkeypatch.setattr(snapshot, "FRESH_SECONDS", 0.0)


def written_to_once(models: Path):
    """`batch.audit_model`, with `a.h5` changed after the first audit of it."""
    real, once = batch.audit_model, models.parent / "once"

    def audit_model(target, *arguments):
        audit = real(target, *arguments)
        if target.relative == "a.h5" and not once.exists():
            once.touch()
            scale(target.path)
        return audit

    return audit_model
