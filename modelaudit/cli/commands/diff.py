"""`modelaudit diff`: what changed between two models, audits or runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelaudit.cli.options import common as options
from modelaudit.cli.options.page_options import TEMPLATES
from modelaudit.cli.options.places import PlaceType
from modelaudit.cli.terminal import columns, path_differences, say, warn
from modelaudit.exit_codes import ExitCode
from modelaudit.terminal_text import clean, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelaudit.facts import Json
    from modelaudit.probe.pair.model import ExportPair
    from modelaudit.registry.remote.address import Place
    from modelaudit.restore.model import WeightComparison
    from modelaudit.runs.compare_models import ModelDiff
    from modelaudit.settings import Settings

WIDTH = 80
LISTED = 20  # changes shown per section; --json has them all


@click.command(short_help="Show what changed between two models, audits or runs.")
@click.argument("old", type=PlaceType())
@click.argument("new", type=PlaceType())
@options.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@options.ARCHITECTURE
@options.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write an HTML page that compares both.",
)
@TEMPLATES
@options.probing
def diff(
    old: Place, new: Place, as_json: bool, html: Path | None, templates: Path | None, **chosen: Any
) -> None:
    """Show what changed from OLD to NEW: versions, signatures, architecture, weights, outputs.

    Each is a model, which may be at a URL, or its audit.json. Alternatively both are runs, given as
    the output directory of `audit` or an index.json in it: this lists the models whose verdicts or
    findings changed, and those that are new or gone. If NEW is an export of OLD to TensorFlow Lite
    or TensorFlow.js, both are run on the same inputs, and the causes of a difference are named.
    Exit codes: 0 no changes, or an export that is the same model; 1 changes.
    """
    from modelaudit.cli.commands.diff_runs import diff_runs, opened

    runs = opened(old, new) if isinstance(old, Path) and isinstance(new, Path) else None
    if runs:
        changed = diff_runs(*runs, as_json=as_json, html=html, templates=templates)
    else:
        settings = options.settings_from(fail_on="high", jobs=1, **chosen)
        changed = _diff_models(old, new, settings, as_json, html, templates)
    if changed:
        raise click.exceptions.Exit(ExitCode.FINDINGS)


def _diff_models(
    old: Place,
    new: Place,
    settings: Settings,
    as_json: bool,
    html: Path | None,
    templates: Path | None,
) -> bool:
    """Print what changed between two models; whether anything did."""
    from modelaudit import api
    from modelaudit.errors import ReadError, SchemaError
    from modelaudit.probe.pair.wording import notes as export_notes
    from modelaudit.registry.output_directory import write_atomic
    from modelaudit.report.pages.model_diff import model_diff_page, render_diff_page

    try:
        found = api.compare(old, new, settings)
    except (ReadError, SchemaError) as error:
        warn(clean(str(error)))
        raise click.exceptions.Exit(ExitCode.INCOMPLETE) from error
    names = _names(found, old, new)
    notes = [_weights(found.weights)]
    notes += [] if found.pair else [_answered(found)]
    if html:
        pair = export_notes(found.pair) if found.pair else ()
        shown = model_diff_page(found.old, found.new, found.changes, [*pair, *notes], names)
        write_atomic(html, render_diff_page(shown, templates_dir=templates).encode())
    if as_json:
        say(json.dumps(_json(found, old, new), indent=2))
    else:
        say(_text(names, found, notes))
    return not found.same


def _names(found: ModelDiff, old: Place, new: Place) -> tuple[str, str]:
    """Labels of the two: the models' names, with directories if the names are equal."""
    from modelaudit.report.export.file_paths import path_of
    from modelaudit.runs.compare_models import is_audit_file

    first, second = (
        path_of(audit) if is_audit_file(path) else path.name
        for path, audit in ((old, found.old), (new, found.new))
    )
    if first != second or old == new:
        return first, second
    paths = isinstance(old, Path) and isinstance(new, Path)
    parts = path_differences(Path(old), Path(new)) if paths else (str(old), str(new))
    return f"{first} ({parts[0]})", f"{second} ({parts[1]})"


def _weights(found: WeightComparison) -> str:
    """How many weights both have, and of an export in which form."""
    if not found.forms:
        return f"{found.identical} of {found.compared} weights are identical"
    forms = ", ".join(f"{count} {form}" for form, count in found.forms.items())
    return f"{found.identical} of {found.compared} weights are in the export: {forms}"


def _answered(found: ModelDiff) -> str:
    """Whether both models answer the same inputs alike, or why that is not known."""
    if found.answers is None:
        return _not_answered(found)
    if found.answers.not_replayed:
        return f"outputs not compared: {found.answers.not_replayed}"
    same = all(output.reproduced for output in found.answers.outputs)
    return f"outputs for the same inputs are {'equal' if same else 'different'}"


def _not_answered(found: ModelDiff) -> str:
    from modelaudit.report.pages.model_diff import same_probe_inputs

    if found.pair:
        return found.pair.reason
    if found.of_models:
        return "the models were not run, so their outputs are not compared"
    return same_probe_inputs(found.old, found.new)


def _text(names: tuple[str, str], diff: ModelDiff, notes: Sequence[str]) -> str:
    from modelaudit.report.wording.audit_changes import describe
    from modelaudit.report.wording.text import plural

    width, found = min(columns(), WIDTH), diff.changes
    head = plural(len(found), "change") if found else "no difference"
    breaking = sum(each.breaking for each in found)
    head += f", {breaking} breaking" if breaking else ""
    if diff.pair:
        lines = _export(names, diff.pair, width)
    else:
        lines = [wrapped(f"{names[0]} -> {names[1]}: {head}", width, "", "  ")]
    for section in dict.fromkeys(each.section for each in found):
        mine = [each for each in found if each.section == section]
        lines.append(section)
        for each in mine[:LISTED]:
            mark = "! " if each.breaking else "  "
            lines.append(wrapped(describe(each), width, f"  {mark}"))
        if len(mine) > LISTED:
            lines.append(f"    and {len(mine) - LISTED} more (--json lists them all)")
    lines += [wrapped(note, width, "", "  ") for note in notes]
    return "\n".join(lines)


def _export(names: tuple[str, str], pair: ExportPair, width: int) -> list[str]:
    """The comparison of a model with its export."""
    from modelaudit.probe.pair.wording import code, sentences, verdict_text

    head = f"{names[0]} -> {names[1]}: {verdict_text(pair)}"
    lines = [wrapped(head, width, "", "  ")]
    lines += [wrapped(each, width, "  ", "    ") for each in sentences(pair)]
    if mend := code(pair):
        lines += ["  to mend it:", *(f"      {clean(line)}" for line in mend.splitlines())]
    return lines


def _json(found: ModelDiff, old: Place, new: Place) -> dict[str, Json]:
    from modelaudit.audit_types.json_form import jsonable
    from modelaudit.probe.pair.wording import code
    from modelaudit.report.wording.audit_changes import describe

    sides: dict[str, Json] = {
        which: {
            "path": str(path),
            "model": audit.model.path,
            "sha256": audit.model.sha256,
        }
        for which, path, audit in (("old", old, found.old), ("new", new, found.new))
    }
    answers = found.answers
    return {
        **sides,
        "same": found.same,
        "equal": found.equal,
        "breaking": found.breaking,
        "changes": [
            {
                "section": each.section.value,
                "what": describe(each),
                "breaking": each.breaking,
                "measured": each.measured,
            }
            for each in found.changes
        ],
        **({"export": jsonable(found.pair), "code": code(found.pair)} if found.pair else {}),
        "outputs": jsonable(answers.outputs) if answers else [],
        "not_compared": answers.not_replayed if answers else _not_answered(found),
    }
