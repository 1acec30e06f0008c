"""`modelaudit record`: write the golden record of a saved model next to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelaudit.cli.options import common as options
from modelaudit.cli.terminal import print_lost_model, say
from modelaudit.exit_codes import ExitCode
from modelaudit.terminal_text import clean

if TYPE_CHECKING:
    from modelaudit.facts import Json


@click.command(short_help="Write a golden record next to a model.")
@click.argument("model", type=click.Path(path_type=Path))
@options.option("--force", is_flag=True, help="Replace an existing record.")
@options.ARCHITECTURE
@options.probing
def record(model: Path, force: bool, **chosen: Any) -> None:
    """Write the golden record of MODEL next to it: weight digests, and outputs for probe inputs.

    Every later audit compares the model with the record. Record a model only while you trust it:
    ideally right after saving, in the training program (`modelaudit.record(model, path)`).
    """
    from modelaudit.errors import UsageError
    from modelaudit.golden import record_saved
    from modelaudit.pipeline import static_facts, why_not_run
    from modelaudit.probe.run import start_runtimes
    from modelaudit.restore.golden_record import record_path
    from modelaudit.runs.found_models import find_models
    from modelaudit.runs.isolated_read import run_in_child
    from modelaudit.settings.audit_target import AuditTarget
    from modelaudit.settings.installation import RUNS_MODELS, require

    require(RUNS_MODELS, "recording a model needs")
    settings = options.settings_from(fail_on="high", jobs=1, **chosen)
    found = find_models((model,), settings)
    if not found.targets:
        click.echo(f"modelaudit: no model found at {model}", err=True)
        raise click.exceptions.Exit(ExitCode.NO_MODEL)
    kept = [t for t in found.targets if record_path(t.path).exists()]
    if kept and not force:
        raise UsageError(f"{record_path(kept[0].path)} already exists; use --force to replace it")

    failed = False
    with start_runtimes(settings, {t.root for t in found.targets}) as handles:

        def work(target: AuditTarget) -> dict[str, Json]:
            facts = static_facts(target.path, settings.for_model(target.relative, target.path))
            reason = why_not_run(facts)
            if reason:
                return {"reason": reason}
            try:
                return {"path": str(record_saved(facts.artifact, settings.probe, handles))}
            except UsageError as error:
                return {"reason": str(error)}

        told = run_in_child(found.targets, work, settings, lambda each: [each.path])
        for target, answer in zip(found.targets, told, strict=True):
            if "path" in answer.value:
                say(clean(str(answer.value["path"])))
            else:
                failed = True
                print_lost_model(target.relative, answer.lost or str(answer.value["reason"]))
    if failed:
        raise click.exceptions.Exit(ExitCode.INCOMPLETE)
