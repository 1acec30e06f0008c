"""`modelaudit explain`: the diagnosis of one model in one screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelaudit.cli.options import common as options
from modelaudit.cli.terminal import columns, print_lost_model
from modelaudit.exit_codes import ExitCode
from modelaudit.terminal_text import clean, wrapped

if TYPE_CHECKING:
    from modelaudit.diagnosis.model import Cause, Diagnosis
    from modelaudit.facts import Json

WIDTH = 100
NAMED = 3  # undecided causes that are named
UNDECIDED = ("undecided-without-images", "not-run")
CAUSE = "Cause: "
STATES = {"explains it": ("red", "!"), "ruled out": ("green", "-"), "open": ("yellow", "?")}


def _wrap(text: str, indent: str, first: str | None = None) -> str:
    return wrapped(text, min(columns(), WIDTH), indent if first is None else first, indent)


def screen(path: str, diagnosis: Diagnosis) -> str:
    """The diagnosis as text: answer, evidence, suspects, next steps."""
    first = diagnosis.causes[0]
    lines = [
        click.style(clean(path), bold=True),
        "",
        _wrap(diagnosis.answer, ""),
        "",
        click.style(_wrap(_headline(first), " " * len(CAUSE), ""), bold=True),
    ]
    lines += [_wrap(each.text, "    ", "  + ") for each in first.evidence[:4]]
    lines += [_wrap(each.text, "    ", "  - ") for each in first.against[:2]]
    if first.refute:
        lines.append(_wrap(f"Would be refuted by: {first.refute}", "    ", "    "))
    for cause in diagnosis.causes[1:3]:
        lines.append(_wrap(f"{cause.title} (belief {cause.belief:.0%})", "    ", "  also: "))
    lines += ["", click.style("The usual suspects", bold=True)]
    for suspect in diagnosis.suspects:
        colour, mark = STATES[suspect.state]
        head = click.style(f"  {mark} {suspect.name}: {suspect.state}.", fg=colour)
        lines += [head, _wrap(suspect.text, "    ")]
    if first.next_steps:
        lines += ["", click.style("What to do", bold=True)]
    for number, step in enumerate(first.next_steps, start=1):
        lines.append(_wrap(step.text, "     ", f"  {number}. "))
        lines += [f"         {line}" for line in step.code.splitlines()]
    if diagnosis.undecidable:
        lines += ["", click.style("Not decided", bold=True)]
        lines += [_wrap(each, "    ", "  ? ") for each in _undecided(diagnosis)]
    return "\n".join(lines)


def _headline(first: Cause) -> str:
    if first.cause in UNDECIDED:
        return first.title
    return f"{CAUSE}{first.title} ({first.cause}, belief {first.belief:.0%})"


def _undecided(diagnosis: Diagnosis) -> list[str]:
    """What is open, by what would decide it."""
    by_need: dict[str, list[str]] = {}
    for each in diagnosis.undecidable:
        what = f"whether {each.what[:1].lower()}{each.what[1:]}"
        by_need.setdefault(each.needs, []).append(what)
    return [f"{_few(whats)}: it needs {need}." for need, whats in by_need.items()]


def _few(words: list[str]) -> str:
    more = len(words) - NAMED
    return "; ".join(words[:NAMED]) + (f"; and {more} more" if more > 0 else "")


@click.command(short_help="Say why a model answers as it does.")
@click.argument("model", type=click.Path(path_type=Path))
@options.option("--json", "as_json", is_flag=True, help="Print the diagnosis as JSON.")
@options.ARCHITECTURE
@options.probing
def explain(model: Path, as_json: bool, **chosen: Any) -> None:
    """Say why MODEL answers as it does: causes ranked, evidence, what to try next."""
    import json

    from modelaudit.diagnosis import diagnose
    from modelaudit.pipeline import AuditTarget, add_probe, static_facts
    from modelaudit.probe.run import local_probe
    from modelaudit.rules.catalogue import CATALOGUE
    from modelaudit.rules.engine import run_rules
    from modelaudit.runs.batch import find_models
    from modelaudit.runs.isolated_read import run_in_child
    from modelaudit.schema import jsonable

    settings = options.settings_from(fail_on="high", jobs=1, **chosen)
    found = find_models((model,), settings)
    if not found.targets:
        click.echo(f"modelaudit: no model found at {model}", err=True)
        raise click.exceptions.Exit(ExitCode.NO_MODEL)
    with local_probe(settings, {t.root for t in found.targets}) as probe:

        def work(target: AuditTarget) -> dict[str, Json]:
            own = settings.for_model(target.relative, target.path)
            facts = static_facts(target.path, own)
            facts = add_probe(facts, probe if settings.probe.enabled else None)
            diagnosis = diagnose(facts, run_rules(CATALOGUE, facts))
            if as_json:
                return {"text": json.dumps(jsonable(diagnosis), indent=2)}
            return {"text": screen(target.relative, diagnosis)}

        failed = False
        told = run_in_child(found.targets, work, settings)
        for target, answer in zip(found.targets, told, strict=True):
            if answer.lost:
                failed = True
                print_lost_model(target.relative, answer.lost)
            else:
                click.echo(answer.value["text"])
    if failed:
        raise click.exceptions.Exit(ExitCode.INCOMPLETE)
