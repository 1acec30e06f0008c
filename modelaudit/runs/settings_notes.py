"""Notes on the settings of a run: waivers, expectations and policies without effect or about to
expire, and unknown runtimes.

An unused waiver is reported only if its rule was checked on a matching model. A run over single
files (such as pre-commit) or over one of several shards does not see the models that an entry may
be for, so it reports neither unused waivers nor patterns without a match.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.result_row import ResultRow
from modelaudit.runs.found_models import FoundModels
from modelaudit.settings import Expectation, Policy, Settings, Waiver
from modelaudit.terminal_text import clean, first_of

WARN_DAYS = 14  # before a waiver expires
# No path that patterns are matched against starts like this.
NOWHERE = ("/", "./", "../", "~/")
PATTERNS = (
    "patterns are relative to REGISTRY or to the settings file's directory, such as vision/*.keras"
)

SettingsEntry = Waiver | Expectation | Policy


class _RunModel(NamedTuple):
    """A model of the run: its names for patterns, and its row."""

    names: tuple[str, ...]
    row: ResultRow


def settings_notes(
    settings: Settings, found: FoundModels, rows: Sequence[ResultRow], created: str
) -> list[str]:
    """A sentence for every entry of the settings that needs attention.

    Args:
        created: ISO 8601 time of the run.
    """
    targets = {target.slug: target for target in found.targets}
    models = [
        _RunModel(settings.names(target.relative, target.path), row)
        for row in rows
        if (target := targets.get(row.slug))
    ]
    today = datetime.date.fromisoformat(created[:10])
    whole = found.whole and not found.elsewhere
    notes: list[str] = []
    entries: list[SettingsEntry] = [*settings.waivers, *settings.expectations, *settings.policies]
    for entry in entries:
        mine = [model for model in models if entry.about(model.names)]
        if entry.path.startswith(NOWHERE):
            notes.append(f"{_told(entry)} can never match: {PATTERNS}")
        elif mine:
            notes += _of_entry(entry, mine, today)
            if whole and _idle(entry, mine, probed=settings.probe.enabled):
                notes.append(f"{_told(entry)} {_over(entry, today)}matches no finding of this run")
        elif models and whole:
            notes.append(f"{_told(entry)} {_over(entry, today)}matches no model of this run")
    return [clean(note) for note in (*notes, *_nearest(settings), *_unread(settings))]


def _unread(settings: Settings) -> Iterator[str]:
    """Files with code that could not be read."""
    problems = read_source_code(settings.source_code).problems
    if problems:
        yield f"source_code: {first_of(list(problems), 3)}"


def _nearest(settings: Settings) -> Iterator[str]:
    """Unknown target runtimes, for which another profile was used."""
    asked = [settings.serving] if settings.serving else []
    asked += [*settings.targets, *(each for policy in settings.policies for each in policy.targets)]
    if not asked:
        return
    from modelaudit.runtimes.catalogue import find_profile  # only few runs name runtimes

    for target in dict.fromkeys(asked):
        profile = find_profile(target, tuple(map(Path, settings.profiles)))
        if not profile.exact:
            yield f"{target} is unknown: its predictions are those for {profile.collected}"


def _of_entry(
    entry: SettingsEntry, models: Sequence[_RunModel], today: datetime.date
) -> Iterator[str]:
    """Notes on an entry that matches these models."""
    if isinstance(entry, Expectation):
        measured = [pair for model in models for pair in _measured(model.row)]
        if measured and not any(entry.covers(*pair) for pair in measured):
            outputs = ", ".join(dict.fromkeys(output for output, _ in measured))
            moves = ", ".join(dict.fromkeys(transform for _, transform in measured))
            measured_by = f"outputs: {outputs}; measured transforms: {moves}"
            yield f"{_told(entry)} matches no output; {measured_by}"
    elif isinstance(entry, Waiver) and entry.expires:
        soon = 0 <= (entry.expires - today).days <= WARN_DAYS
        if soon and _covering(entry, models):
            yield f"{_told(entry)} expires on {entry.expires}"


def _idle(entry: SettingsEntry, models: Sequence[_RunModel], *, probed: bool) -> bool:
    """Whether it is an unused waiver, although its rule was checked on a matching model."""
    if not isinstance(entry, Waiver) or _covering(entry, models):
        return False
    if not entry.rule:  # the finding may be of any rule, and some rules require running the model
        return probed
    from modelaudit.rules.catalogue import rule  # which imports every rule

    return any(rule(entry.rule).code not in model.row.unanswered for model in models)


def _over(entry: SettingsEntry, today: datetime.date) -> str:
    """For an expired waiver, since when, as the start of a note."""
    if isinstance(entry, Waiver) and entry.expired(today):
        return f"expired on {entry.expires} and "
    return ""


def _covering(waiver: Waiver, models: Sequence[_RunModel]) -> bool:
    return any(waiver.covers(*finding) for model in models for finding in _findings(model.row))


def _told(entry: SettingsEntry) -> str:
    if isinstance(entry, Policy):
        return f"the policy for {entry.path}"
    if isinstance(entry, Expectation):
        under = f"{entry.action} under {entry.transform}"
        return f"the expectation of output {entry.output} for {entry.path} ({under})"
    what = entry.rule or entry.fingerprint or "all findings"
    return f"the waiver of {what} for {entry.path} ({entry.reason})"


def _findings(row: ResultRow) -> Iterator[tuple[tuple[str, str], str]]:
    """The rule's code and name, and the fingerprint, of every finding."""
    for each in row.findings:
        yield (each.code, each.name), each.fingerprint


def _measured(row: ResultRow) -> Iterator[tuple[str, str]]:
    """Every output with every transform that was measured for it."""
    for name, transforms in row.outputs.items():
        for transform in transforms:
            yield name, transform
