"""What a run tells of its settings: waivers, expectations and policies that did nothing or soon
will not any more, and runtimes that are not known.

That a waiver covers nothing is told only where a model that it is about was asked what it waives.
A run over single files (as of pre-commit) knows nothing of the models that an entry may be for, so
it tells neither this nor that a pattern fits no model.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from modelaudit.facts import Json
from modelaudit.rules.catalogue import rule
from modelaudit.runs.batch import FoundModels, ResultRowDict
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.settings import Expectation, Policy, Settings, Waiver
from modelaudit.terminal_text import clean

WARN_DAYS = 14  # before a waiver expires
# How no path begins that patterns are held against.
NOWHERE = ("/", "./", "../", "~/")
PATTERNS = (
    "patterns are relative to REGISTRY or to the settings file's directory, such as vision/*.keras"
)

SettingsEntry = Waiver | Expectation | Policy


class _RunModel(NamedTuple):
    """A model of the run: what patterns know it by, and its row."""

    names: tuple[str, ...]
    row: ResultRowDict


def settings_notes(
    settings: Settings, found: FoundModels, rows: Sequence[ResultRowDict], created: str
) -> list[str]:
    """A sentence for every entry of the settings that somebody should look at.

    Args:
        settings: of the run.
        found: its models.
        rows: what became of them.
        created: ISO 8601 time of the run.
    """
    targets = {target.slug: target for target in found.targets}
    models = [
        _RunModel(settings.names(target.relative, target.path), row)
        for row in rows
        if (target := targets.get(str(row["slug"])))
    ]
    today = datetime.date.fromisoformat(created[:10])
    notes: list[str] = []
    entries: list[SettingsEntry] = [*settings.waivers, *settings.expectations, *settings.policies]
    for entry in entries:
        mine = [model for model in models if entry.about(model.names)]
        if entry.path.startswith(NOWHERE):
            notes.append(f"{_told(entry)} can fit no model: {PATTERNS}")
        elif mine:
            notes += _of_entry(entry, mine, today)
            if found.whole and _idle(entry, mine, probed=settings.probe.enabled):
                notes.append(f"{_told(entry)} {_over(entry, today)}covers no finding of this run")
        elif models and found.whole:
            notes.append(f"{_told(entry)} {_over(entry, today)}fits no model of this run")
    return [clean(note) for note in (*notes, *_nearest(settings))]


def _nearest(settings: Settings) -> Iterator[str]:
    """Runtimes that were asked for and that others had to answer for."""
    asked = [*settings.targets, *(each for policy in settings.policies for each in policy.targets)]
    for target in dict.fromkeys(asked):
        profile = find_profile(target, tuple(map(Path, settings.profiles)))
        if not profile.exact:
            yield f"{target} is not known: what is predicted for it is that of {profile.collected}"


def _of_entry(
    entry: SettingsEntry, models: Sequence[_RunModel], today: datetime.date
) -> Iterator[str]:
    """What is to be said of an entry that is about these models, whatever others there are."""
    if isinstance(entry, Expectation):
        measured = [pair for model in models for pair in _measured(model.row)]
        if measured and not any(entry.covers(*pair) for pair in measured):
            outputs = ", ".join(dict.fromkeys(output for output, _ in measured))
            moves = ", ".join(dict.fromkeys(transform for _, transform in measured))
            yield f"{_told(entry)} fits no output: there are {outputs}, measured under {moves}"
    elif isinstance(entry, Waiver) and entry.expires:
        soon = 0 <= (entry.expires - today).days <= WARN_DAYS
        if soon and _covering(entry, models):
            yield f"{_told(entry)} expires on {entry.expires}"


def _idle(entry: SettingsEntry, models: Sequence[_RunModel], *, probed: bool) -> bool:
    """Whether it is a waiver of nothing, though what it waives was asked of some of its models."""
    if not isinstance(entry, Waiver) or _covering(entry, models):
        return False
    if not entry.rule:  # the finding may be of any rule, and some ask only of models that are run
        return probed
    return any(_asked(entry.rule, model.row) for model in models)


def _over(entry: SettingsEntry, today: datetime.date) -> str:
    """Of a waiver that holds no longer since when, in front of what else it does not."""
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


def _findings(row: ResultRowDict) -> Iterator[tuple[tuple[str, str], str]]:
    """The rule's code and name, and the fingerprint, of every finding."""
    found = row["findings"]
    for each in found if isinstance(found, list) else ():
        if isinstance(each, Mapping):
            yield (str(each["code"]), str(each["name"])), str(each["fingerprint"])


def _measured(row: ResultRowDict) -> Iterator[tuple[str, str]]:
    """Every output with every transform that it was measured under."""
    outputs: Json = row.get("outputs")
    for name, transforms in outputs.items() if isinstance(outputs, dict) else ():
        for transform in transforms if isinstance(transforms, list) else ():
            yield name, str(transform)


def _asked(name: str, row: ResultRowDict) -> bool:
    """Whether the rule of this code or name had an answer for the model."""
    unanswered = row.get("unanswered")
    return not isinstance(unanswered, list) or rule(name).code not in unanswered
