"""`modelaudit diff`: what changed from one model to the next."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelaudit.cli.options import common as options
from modelaudit.cli.options.page_options import TEMPLATES
from modelaudit.cli.terminal import columns, path_differences, print_lost_model, say
from modelaudit.exit_codes import ExitCode
from modelaudit.terminal_text import wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelaudit.facts import Artifact, Json
    from modelaudit.pipeline import Probe
    from modelaudit.probe.host.runtime import RuntimeHandle
    from modelaudit.restore.audit_diff import AuditChange
    from modelaudit.restore.golden_check import GoldenCheck
    from modelaudit.schema import Audit
    from modelaudit.settings import Settings

WIDTH = 80
LISTED = 20  # changes of one section in the text; --json has them all
CREATED = "1970-01-01T00:00:00Z"  # the audits made here are not kept


@dataclass(frozen=True, slots=True)
class DiffInput:
    """One of the two: its audit, and the model itself where it is one."""

    path: Path
    audit: Audit
    artifact: Artifact | None = None


@click.command(short_help="What changed between two models, audit files or runs.")
@click.argument("old", type=click.Path(path_type=Path, exists=True))
@click.argument("new", type=click.Path(path_type=Path, exists=True))
@options.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@options.ARCHITECTURE
@options.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page that shows both side by side.",
)
@TEMPLATES
@options.probing
def diff(
    old: Path, new: Path, as_json: bool, html: Path | None, templates: Path | None, **chosen: Any
) -> None:
    """What changed from OLD to NEW: versions, signatures, architecture, weights, answers.

    Each is a model or its audit.json. Or both are runs, each the directory that `audit` wrote or
    an index.json in it: which models have other verdicts and findings, which came, which are gone.
    Exit: 0 nothing changed, 1 something did.
    """
    from modelaudit.cli.commands.diff_runs import diff_runs, opened

    runs = opened(old, new)
    if runs:
        changed = diff_runs(*runs, as_json=as_json, html=html, templates=templates)
    else:
        settings = options.settings_from(fail_on="high", jobs=1, **chosen)
        changed = _diff_models(old, new, settings, as_json, html, templates)
    if changed:
        raise click.exceptions.Exit(ExitCode.FINDINGS)


def _diff_models(
    old: Path,
    new: Path,
    settings: Settings,
    as_json: bool,
    html: Path | None,
    templates: Path | None,
) -> bool:
    """Tell what changed from one model to the other, and whether anything did."""
    from modelaudit.probe.run import probe_with, start_runtimes
    from modelaudit.registry.output_directory import write_atomic
    from modelaudit.runs.isolated_read import run_in_child

    with ExitStack() as stack:
        wanted = settings.probe.enabled and not (_is_audit(old) and _is_audit(new))
        roots = [path.resolve().parent for path in (old, new)]
        handles = stack.enter_context(start_runtimes(settings, roots)) if wanted else ()
        probe = probe_with(handles) if wanted else None

        def work(_: None) -> dict[str, Json]:
            before, after = (_side(path, settings, probe) for path in (old, new))
            answers = _answers(before, after, settings, handles)
            return _compared(before, after, answers, html is not None, templates)

        (told,) = run_in_child([None], work, settings)
    if told.lost:
        print_lost_model(f"{old} and {new}", told.lost)
        raise click.exceptions.Exit(ExitCode.INCOMPLETE)
    if html:
        write_atomic(html, str(told.value["page"]).encode())
    say(json.dumps(told.value["json"], indent=2) if as_json else str(told.value["text"]))
    return bool(told.value["changed"])


def _compared(
    before: DiffInput,
    after: DiffInput,
    answers: GoldenCheck | None,
    with_page: bool,
    templates: Path | None,
) -> dict[str, Json]:
    """Whether the two differ, and how, as JSON, as text and (where wanted) as a page."""
    from modelaudit.report.pages.model_diff import model_diff_page, render_diff_page
    from modelaudit.report.wording.vocabulary import transform
    from modelaudit.restore.audit_diff import audit_changes, compare_audited, weight_changes
    from modelaudit.restore.compare import compare
    from modelaudit.restore.weight_sources import stored_weights

    if before.artifact and after.artifact:
        weights = compare(stored_weights(before.artifact), stored_weights(after.artifact))
    else:
        weights = compare_audited(before.audit, after.audit)
    found = audit_changes(before.audit, after.audit, transform)
    found += [*weight_changes(weights), *_told(answers)]
    compared = f"{weights.identical} of {weights.compared} weights are identical"
    notes = [compared, _answered(before, after, answers)]
    names = _names(before, after)
    page = ""
    if with_page:
        shown = model_diff_page(before.audit, after.audit, found, notes, names)
        page = render_diff_page(shown, templates_dir=templates)
    return {
        "page": page,
        "changed": bool(found),
        "json": _json(before, after, found, answers, notes[-1]),
        "text": _text(names, found, notes),
    }


def _names(before: DiffInput, after: DiffInput) -> tuple[str, str]:
    """What to call the two: their models, and where those have one name, where they were."""
    from modelaudit.report.pages.model_diff import model_name

    old, new = (
        side.path.name if side.artifact else model_name(side.audit) for side in (before, after)
    )
    if old != new or before.path == after.path:
        return old, new
    parts = path_differences(before.path, after.path)
    return f"{old} ({parts[0]})", f"{new} ({parts[1]})"


def _is_audit(path: Path) -> bool:
    return path.is_file() and path.suffix == ".json"


def _side(path: Path, settings: Settings, probe: Probe | None) -> DiffInput:
    from modelaudit import schema
    from modelaudit.errors import UsageError
    from modelaudit.pipeline import add_probe, finish_audit, static_facts
    from modelaudit.runs.batch import find_models

    if _is_audit(path):
        return DiffInput(path, schema.load(path))
    targets = find_models((path,), settings).targets
    if len(targets) != 1:
        raise UsageError(f"{path} holds {len(targets)} models; diff compares one with one")
    (target,) = targets
    own = settings.for_model(target.relative, target.path)
    facts = add_probe(static_facts(target.path, own), probe)
    return DiffInput(path, finish_audit(facts, target, CREATED, {}), facts.artifact)


def _answers(
    before: DiffInput, after: DiffInput, settings: Settings, handles: Sequence[RuntimeHandle]
) -> GoldenCheck | None:
    """Both models on the same inputs; None where that was not asked for or is not possible."""
    from modelaudit.golden import replay_saved

    if not (settings.probe.enabled and before.artifact and after.artifact):
        return None
    return replay_saved(before.artifact, after.artifact, settings.probe, handles)


def _told(answers: GoldenCheck | None) -> list[AuditChange]:
    from modelaudit.restore.audit_diff import AuditChange

    return [
        AuditChange(
            "behaviour",
            f"{output.name}: answers differ by up to {output.difference:.3g} "
            f"({output.relative:.2%} of the largest) on the same inputs",
        )
        for output in (answers.outputs if answers else ())
        if not output.reproduced
    ]


def _answered(before: DiffInput, after: DiffInput, answers: GoldenCheck | None) -> str:
    from modelaudit.report.pages.model_diff import same_probe_inputs

    if answers is None:
        if before.artifact and after.artifact:
            return "the models were not run, so their answers are not compared"
        return same_probe_inputs(before.audit, after.audit)
    if answers.not_replayed:
        return f"answers not compared: {answers.not_replayed}"
    same = all(output.reproduced for output in answers.outputs)
    return f"answers to the same inputs are {'equal' if same else 'different'}"


def _text(names: tuple[str, str], found: Sequence[AuditChange], notes: Sequence[str]) -> str:
    from modelaudit.report.wording.text import plural

    width = min(columns(), WIDTH)
    head = f"{names[0]} -> {names[1]}: "
    head += plural(len(found), "change") if found else "no difference"
    breaking = sum(each.breaking for each in found)
    head += f", {breaking} breaking" if breaking else ""
    lines = [wrapped(head, width, "", "  ")]
    for section in dict.fromkeys(each.section for each in found):
        mine = [each for each in found if each.section == section]
        lines.append(section)
        for each in mine[:LISTED]:
            mark = "! " if each.breaking else "  "
            lines.append(wrapped(each.what, width, f"  {mark}"))
        if len(mine) > LISTED:
            lines.append(f"    and {len(mine) - LISTED} more (--json lists them all)")
    lines += [wrapped(note, width, "", "  ") for note in notes]
    return "\n".join(lines)


def _json(
    before: DiffInput,
    after: DiffInput,
    found: Sequence[AuditChange],
    answers: GoldenCheck | None,
    answered: str,
) -> dict[str, Json]:
    from modelaudit.schema import jsonable

    sides = {
        which: {
            "path": str(side.path),
            "model": side.audit.model.get("path"),
            "sha256": side.audit.model.get("sha256"),
        }
        for which, side in (("old", before), ("new", after))
    }
    return {
        **sides,
        "equal": not found,
        "breaking": any(each.breaking for each in found),
        "changes": jsonable(tuple(found)),
        "outputs": jsonable(answers.outputs) if answers else [],
        "not_compared": answers.not_replayed if answers else answered,
    }
