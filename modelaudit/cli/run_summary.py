"""The summary of a finished run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from modelaudit.cli.terminal import columns
from modelaudit.registry.cross_model import CrossModelFact, cross_model_facts
from modelaudit.result_row import ResultRow, tally
from modelaudit.runs.found_models import FoundModels
from modelaudit.runs.scan import empty_version_notes, unreadable_notes
from modelaudit.terminal_text import clean, first_of, shorten_path, wrapped

PATH = 160  # characters of a path in a sentence
ACROSS, ACROSS_MODELS = 8, 4  # cross-model findings shown, and paths for each


def summary_line(rows: list[ResultRow], found: FoundModels) -> str:
    """Totals, cross-model findings, and paths that were skipped or not audited."""
    others = sum(found.others.values()) + len(found.named)
    skipped = f"{others or 'no'} other file{'s' if others != 1 else ''} skipped"
    none = f"No models found in {clean(found.root)}"
    if found.elsewhere:
        none = "No models in this shard"
        skipped = f"{found.elsewhere:,} in other shards; {skipped}"
    lines = [f"{tally(rows) if rows else none}; {skipped}"]
    lines += cross_model_lines(cross_model_facts(rows))
    lines += _unused_inputs(rows)
    lines += _signatures(rows)
    lines += _skipped(found.named)
    lines += [
        wrapped(each, columns() - 1)
        for each in (*empty_version_notes(found), *unreadable_notes(found))
    ]
    return "\n".join(lines)


def _unused_inputs(rows: Sequence[ResultRow]) -> list[str]:
    """For how many models the probe data could not be used, and why for the first."""
    without = [row for row in rows if row.unused_inputs]
    if not without:
        return []
    first, count = without[0], len(without)
    start = f"{count:,} of {len(rows):,} models were" if len(rows) > 1 else "the model was"
    said = f"{start} run on built-in inputs, not on yours: {clean(first.path)}: "
    return [wrapped(said + clean(first.unused_inputs), columns() - 1)]


def _signatures(rows: Sequence[ResultRow]) -> list[str]:
    """How many models have signatures, by what these show."""
    count = Counter(row.signing for row in rows if row.signing)
    told = [f"{number:,} {state}" for state, number in count.most_common()]
    return [wrapped(f"signatures: {', '.join(told)}", columns() - 1)] if told else []


def _skipped(named: Sequence[tuple[str, str]]) -> list[str]:
    """Skipped paths, in one sentence per reason."""
    reasons: dict[str, list[str]] = {}
    for path, why in named:
        reasons.setdefault(why, []).append(path)
    lines: list[str] = []
    for why, paths in reasons.items():
        lines.append(wrapped(f"skipped: {_paths(paths)} ({why})", columns() - 1))
    return lines


def _paths(paths: Sequence[str]) -> str:
    return first_of([shorten_path(clean(path), PATH) for path in paths], ACROSS_MODELS)


def cross_model_lines(found: Sequence[CrossModelFact]) -> list[str]:
    """A sentence for each cross-model finding, with the first of its paths."""
    width = columns() - 1
    lines = [wrapped(f"{each.title}: {_paths(each.models)}", width) for each in found[:ACROSS]]
    if len(found) > ACROSS:
        lines.append(f"and {len(found) - ACROSS:,} more groups in index.json")
    return lines
