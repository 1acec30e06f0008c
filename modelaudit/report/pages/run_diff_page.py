"""The comparison page of two runs: what changed, with links to the reports."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from modelaudit.findings import WORST_FIRST, Verdict
from modelaudit.report.pages.model_diff import (
    DiffPage,
    DiffSide,
    RunDiffCard,
    RunDiffGroup,
    VerdictInRun,
)
from modelaudit.report.pages.run_diff import ComparedRun, RunDiff, RunDiffEntry
from modelaudit.report.wording import text, vocabulary
from modelaudit.structs import replace


def build_page(found: RunDiff, folder: Path) -> DiffPage:
    """The page on two runs; links to reports are relative to `folder`."""
    same = f"Unchanged: {text.plural(found.same, 'model')}."
    roots = {run.index.root for run in (found.old, found.new)}
    if len(roots) > 1:
        same += " The runs have different root directories; models are matched by relative path."
    return DiffPage(
        title="Two runs compared",
        sides=(_side(found.old), _side(found.new)),
        lead=f"{found.summary[:1].upper()}{found.summary[1:]}. {same}",
        changed=bool(found.changes),
        sections=(),
        groups=tuple(
            RunDiffGroup(f"{heading} ({len(mine):,})", tuple(_cards(mine, folder)))
            for heading, mine in found.groups()
        ),
    )


def _side(run: ComparedRun) -> DiffSide:
    states = {row.verdict for row in run.index.models}
    worst = next((v for v in WORST_FIRST if v in states), Verdict.PASS)
    counted = [
        f"{count:,} {vocabulary.mark(v.value).said}"
        for v in WORST_FIRST
        if (count := sum(row.verdict is v for row in run.index.models))
    ]
    made = f"Root: {text.shorten(run.index.root, 160)}"
    if run.index.tool:
        made += f"; by {text.shorten(run.index.tool, 60)}"
    return DiffSide(str(run), worst.value, text.listing(counted), made)


def _cards(changes: Iterable[RunDiffEntry], folder: Path) -> Iterator[RunDiffCard]:
    def linked(standing: VerdictInRun | None) -> VerdictInRun | None:
        if standing is None or not standing.report:
            return standing
        return replace(standing, report=quote(os.path.relpath(standing.report, folder)))

    for each in changes:
        yield RunDiffCard(
            text.shorten(each.path, 120),
            linked(each.old),
            linked(each.new),
            tuple(text.plain_text(said, 600) for said in each.said),
            text.plain_text(each.why, 200),
        )
