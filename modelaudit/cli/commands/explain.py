"""`modelaudit explain`: the diagnosis of one model on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from modelaudit.cli.options import common as options
from modelaudit.cli.options.places import PlaceType
from modelaudit.cli.terminal import columns, print_lost_model, warn
from modelaudit.exit_codes import ExitCode
from modelaudit.terminal_text import clean, first_of, wrapped

if TYPE_CHECKING:
    from modelaudit.audit_types.diagnosis import Cause, Diagnosis, NextStep
    from modelaudit.registry.remote.address import Place

WIDTH = 100
NAMED = 3  # undecided causes shown
UNDECIDED = ("undecided-without-images", "not-run")
CAUSE = "Cause: "
STATES = {"explains it": ("red", "!"), "ruled out": ("green", "-"), "open": ("yellow", "?")}


def _wrap(text: str, indent: str, first: str | None = None) -> str:
    return wrapped(text, min(columns(), WIDTH), indent if first is None else first, indent)


def screen(path: str, diagnosis: Diagnosis, repair: str = "") -> str:
    """The diagnosis as text: answer, evidence, suspects, next steps, the command of a repair."""
    from modelaudit.diagnosis.answer import UNDONE
    from modelaudit.diagnosis.augmentation import augmentation_lines
    from modelaudit.diagnosis.odds_text import DESCRIPTIONS, belief_text, odds_items, sample_size

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
    odds = odds_items(diagnosis.odds, NAMED) if first.belief is not None else []
    if first.refute:
        lines.append(_wrap(f"Would be refuted by: {first.refute}", "    ", "    "))
    for cause in diagnosis.causes[1:]:
        known = belief_text(cause, first)
        lines.append(_wrap(cause.title + (f" ({known})" if known else ""), "    ", "  also: "))
        lines += [_wrap(each.text, "    ", "  + ") for each in cause.evidence[:1]]
    if odds:
        lines += ["", click.style("Odds", bold=True)]
        lines += [_wrap(f"{head}. {text}", "    ", "  ") for head, text in odds]
        lines.append(_wrap(sample_size(diagnosis.odds), "  ", "  "))
    lines += ["", click.style("The usual suspects", bold=True)]
    for suspect in diagnosis.suspects:
        colour, mark = STATES[suspect.state]
        head = click.style(f"  {mark} {suspect.name}: {suspect.state}.", fg=colour)
        lines += [head, _wrap(suspect.text, "    ")]
    if diagnosis.augmentation:
        lines += ["", click.style("Augmentation", bold=True)]
        lines += [_wrap(each, "    ", "  ") for each in augmentation_lines(diagnosis.augmentation)]
    told: list[NextStep] = []
    for cause in diagnosis.causes:
        if cause is not first and cause.cause in DESCRIPTIONS:
            continue
        steps = [step for step in cause.next_steps if step not in told] or [*cause.next_steps[:1]]
        # Steps for a further fault are for what the first steps have put right.
        undone = cause.cause in UNDONE and cause.transform == first.transform
        also = "Also, which the code above undoes" if undone else "Also, once that is done"
        title = "What to do" if cause is first else f"{also}: {cause.title}"
        lines += ["", click.style(_wrap(title, ""), bold=True)] if steps else []
        for number, step in enumerate(steps, start=1):
            lines.append(_wrap(step.text, "     ", f"  {number}. "))
            lines += [f"         {line}" for line in step.code.splitlines()]
        told += steps
    if diagnosis.undecidable:
        lines += ["", click.style("Not decided", bold=True)]
        lines += [_wrap(each, "    ", "  ? ") for each in _undecided(diagnosis)]
    if repair:
        lines += ["", click.style("A file that loads", bold=True), f"         {clean(repair)}"]
    return "\n".join(lines)


def _headline(first: Cause) -> str:
    if first.cause in UNDECIDED:
        return first.title
    from modelaudit.diagnosis.odds_text import belief_text

    known = belief_text(first, first)
    return f"{CAUSE}{first.title} ({first.cause}{', ' if known else ''}{known})"


def _undecided(diagnosis: Diagnosis) -> list[str]:
    """Open questions, grouped by what would decide them."""
    by_need: dict[str, list[str]] = {}
    for each in diagnosis.undecidable:
        what = f"whether {each.what[:1].lower()}{each.what[1:]}"
        by_need.setdefault(each.needs, []).append(what)
    return [f"{first_of(whats, NAMED, '; ')}: it needs {need}." for need, whats in by_need.items()]


@click.command(short_help="Explain the behaviour of a model.")
@click.argument("model", type=PlaceType())
@options.option("--json", "as_json", is_flag=True, help="Print the diagnosis as JSON.")
@options.ARCHITECTURE
@options.probing
def explain(model: Place, as_json: bool, **chosen: Any) -> None:
    """Explain the behaviour of MODEL: ranked causes, evidence, and what to try next."""
    import json

    from modelaudit.audit_types.json_form import jsonable
    from modelaudit.cli.printed_commands import from_here
    from modelaudit.runs.explain import explanations

    settings = options.settings_from(fail_on="high", jobs=1, **chosen)
    code = ExitCode.NO_MODEL
    for each in explanations(model, settings):
        if each.diagnosis is None:
            code = ExitCode.INCOMPLETE
            print_lost_model(each.path, each.failure)
            continue
        code = ExitCode.OK if code is ExitCode.NO_MODEL else code
        if as_json:
            click.echo(json.dumps(jsonable(each.diagnosis), indent=2))
        else:
            repair = from_here(each.repair, each.target) if each.target else each.repair
            click.echo(screen(each.path, each.diagnosis, repair))
    if code is ExitCode.NO_MODEL:
        warn(f"no model found at {model}")
    if code:
        raise click.exceptions.Exit(code)
