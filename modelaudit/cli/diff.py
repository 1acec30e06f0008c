"""`modelaudit diff`: what changed from one model to the next."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelaudit.cli import exits, options
from modelaudit.cli.terminal import clean, columns, say, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelaudit.facts import Artifact, Json
    from modelaudit.pipeline import Probe
    from modelaudit.probe.supervisor import RuntimeHandle
    from modelaudit.restore.audits import Changed
    from modelaudit.restore.golden import Golden
    from modelaudit.schema import Audit
    from modelaudit.settings import Settings

WIDTH = 80
LISTED = 20  # changes of one section in the text; --json has them all
CREATED = "1970-01-01T00:00:00Z"  # the audits made here are not kept


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its audit, and the model itself where it is one."""

    path: Path
    audit: Audit
    artifact: Artifact | None = None


@click.command(short_help="What changed between two models or audit files.")
@click.argument("old", type=click.Path(path_type=Path, exists=True))
@click.argument("new", type=click.Path(path_type=Path, exists=True))
@options.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@options.ARCHITECTURE
@options.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page that shows both side by side.",
)
@options.probing
def diff(old: Path, new: Path, as_json: bool, html: Path | None, **chosen: Any) -> None:
    """What changed from OLD to NEW: versions, signatures, architecture, weights, answers.

    Each is a model or an audit.json. With --html both can also be the index.json of a run.
    Exit: 0 nothing changed, 1 something did.
    """
    from modelaudit.cli.contained import contained, end_lost, show_lost
    from modelaudit.probe.here import probe_in, start_all
    from modelaudit.registry.output import write_atomic

    if html and (runs := _runs(old, new)):
        page, changed = _compared_runs(*runs)
        write_atomic(html, page.encode())
        say(f"page: {clean(str(html))}")
        raise click.exceptions.Exit(exits.FINDINGS if changed else exits.OK)
    settings = options.settings_from(fail_on="high", jobs=1, **chosen)
    with ExitStack() as stack:
        wanted = settings.probe.enabled and not (_is_audit(old) and _is_audit(new))
        roots = [path.resolve().parent for path in (old, new)]
        handles = stack.enter_context(start_all(settings, roots)) if wanted else ()
        probe = probe_in(handles) if wanted else None

        def work(_: None) -> dict[str, Json]:
            before, after = (_side(path, settings, probe) for path in (old, new))
            answers = _answers(before, after, settings, handles)
            return _compared(before, after, answers, with_page=html is not None)

        (told,) = contained([None], work, settings)
    if told.lost:
        show_lost(f"{old} and {new}", told.lost)
        raise end_lost()
    if html:
        write_atomic(html, str(told.value["page"]).encode())
    say(json.dumps(told.value["json"], indent=2) if as_json else str(told.value["text"]))
    if told.value["changed"]:
        raise click.exceptions.Exit(exits.FINDINGS)


def _runs(old: Path, new: Path) -> tuple[dict[str, Json], dict[str, Json]] | None:
    """What the two files hold, if each is the `index.json` of a run."""
    found = []
    for path in (old, new):
        if not _is_audit(path):
            return None
        try:
            run = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return None
        if not isinstance(run, dict) or not isinstance(run.get("models"), list):
            return None
        found.append(run)
    return found[0], found[1]


def _compared_runs(old: dict[str, Json], new: dict[str, Json]) -> tuple[str, bool]:
    """The page on two runs, and whether any model changed between them."""
    from modelaudit.report.comparison import between_runs, render_comparison

    shown = between_runs(old, new)
    return render_comparison(shown), shown.changed


def _page(before: Side, after: Side, found: Sequence[Changed], notes: Sequence[str]) -> str:
    from modelaudit.report.comparison import between_models, render_comparison

    return render_comparison(between_models(before.audit, after.audit, found, notes))


def _compared(
    before: Side, after: Side, answers: Golden | None, *, with_page: bool
) -> dict[str, Json]:
    """Whether the two differ, and how, as JSON, as text and (where wanted) as a page."""
    from modelaudit.restore.audits import changes, compare_audited, weight_changes
    from modelaudit.restore.compare import compare
    from modelaudit.restore.sides import stored_weights

    if before.artifact and after.artifact:
        weights = compare(stored_weights(before.artifact), stored_weights(after.artifact))
    else:
        weights = compare_audited(before.audit, after.audit)
    found = [*changes(before.audit, after.audit), *weight_changes(weights), *_told(answers)]
    compared = f"{weights.identical} of {weights.compared} weights are identical"
    notes = [compared, _answered(answers)]
    return {
        "page": _page(before, after, found, notes) if with_page else "",
        "changed": bool(found),
        "json": _json(before, after, found, answers),
        "text": _text(before, after, found, notes),
    }


def _is_audit(path: Path) -> bool:
    return path.is_file() and path.suffix == ".json"


def _side(path: Path, settings: Settings, probe: Probe | None) -> Side:
    from modelaudit import schema
    from modelaudit.cli.batch import find
    from modelaudit.errors import UsageError
    from modelaudit.pipeline import add_probe, conclude, static_facts

    if _is_audit(path):
        return Side(path, schema.load(path))
    targets = find((path,), settings).targets
    if len(targets) != 1:
        raise UsageError(f"{path} holds {len(targets)} models; diff compares one with one")
    facts = add_probe(static_facts(targets[0].path, settings), probe)
    return Side(path, conclude(facts, targets[0], CREATED, {}), facts.artifact)


def _answers(
    before: Side, after: Side, settings: Settings, handles: Sequence[RuntimeHandle]
) -> Golden | None:
    """Both models on the same inputs; None where that was not asked for or is not possible."""
    from modelaudit.golden import replayed_saved

    if not (settings.probe.enabled and before.artifact and after.artifact):
        return None
    return replayed_saved(before.artifact, after.artifact, settings.probe, handles)


def _told(answers: Golden | None) -> list[Changed]:
    from modelaudit.restore.audits import Changed

    return [
        Changed(
            "behaviour",
            f"{output.name}: answers differ by up to {output.difference:.3g} "
            f"({output.relative:.2%} of the largest) on the same inputs",
        )
        for output in (answers.outputs if answers else ())
        if not output.reproduced
    ]


def _answered(answers: Golden | None) -> str:
    if answers is None:
        return "the models were not run on the same inputs"
    if answers.not_replayed:
        return f"answers not compared: {answers.not_replayed}"
    same = all(output.reproduced for output in answers.outputs)
    return f"answers to the same inputs are {'equal' if same else 'different'}"


def _text(before: Side, after: Side, found: Sequence[Changed], notes: Sequence[str]) -> str:
    width = min(columns(), WIDTH)
    head = f"{before.path.name} -> {after.path.name}: "
    head += f"{len(found)} changes" if found else "no difference"
    breaking = sum(each.breaking for each in found)
    lines = [shorten(clean(head + (f", {breaking} breaking" if breaking else "")), width)]
    for section in dict.fromkeys(each.section for each in found):
        mine = [each for each in found if each.section == section]
        lines.append(section)
        for each in mine[:LISTED]:
            mark = "! " if each.breaking else "  "
            lines.append(click.wrap_text(clean(each.what), width, f"  {mark}", "      "))
        if len(mine) > LISTED:
            lines.append(f"    and {len(mine) - LISTED} more (--json lists them all)")
    lines += [click.wrap_text(clean(note), width, "", "  ") for note in notes]
    return "\n".join(lines)


def _json(
    before: Side, after: Side, found: Sequence[Changed], answers: Golden | None
) -> dict[str, Json]:
    from modelaudit.schema import jsonable

    return {
        "old": {"path": str(before.path), "sha256": before.audit.model.get("sha256")},
        "new": {"path": str(after.path), "sha256": after.audit.model.get("sha256")},
        "equal": not found,
        "breaking": any(each.breaking for each in found),
        "changes": jsonable(tuple(found)),
        "outputs": jsonable(answers.outputs) if answers else [],
        "not_compared": answers.not_replayed if answers else "the models were not run",
    }
