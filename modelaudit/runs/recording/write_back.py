"""Writes the results of a run into the MLflow registry that its models are from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelaudit.errors import ReadError, UsageError
from modelaudit.registry.tracking.client import TrackingServer
from modelaudit.registry.tracking.registered import Registered, versions_of
from modelaudit.registry.tracking.write_back import tags_differ, write_files, write_tags
from modelaudit.result_row import ResultRow
from modelaudit.runs.run_result import RunResult
from modelaudit.settings import Settings
from modelaudit.terminal_text import clean

_ADDRESS = "models:"


def write_back(ran: RunResult, settings: Settings) -> Iterator[str]:
    """Tag each version with its verdict, and add its reports to its run; yields what failed.

    A version that has the tags already is left alone, so what failed is tried again by the next
    run. Of several models in a version, the tags are those of the worst.

    Args:
        ran: the run; its rows are in order, worst first.
        settings: the tracking server.

    Raises:
        UsageError: no tracking server is given.
    """
    paths = {each.slug: each.relative for each in ran.found.targets if each.address == _ADDRESS}
    rows: dict[str, list[ResultRow]] = {}
    for row in ran.rows:
        if row.slug in paths:
            rows.setdefault("/".join(paths[row.slug].split("/")[:2]), []).append(row)
    if not rows:
        return
    server = TrackingServer(settings.tracking_uri, f"{_ADDRESS}/", settings.local_artifacts)
    names = {path.partition("/")[0] for path in rows}
    try:
        versions = versions_of(server, names.pop() if len(names) == 1 else "")
    except ReadError as error:
        yield clean(error.reason)
        return
    for one in versions:
        if one.path in rows and tags_differ(one, tags := _tags(rows[one.path])):
            yield from _write(server, one, tags, rows[one.path], ran)


def _write(
    server: TrackingServer,
    one: Registered,
    tags: Mapping[str, str],
    rows: Sequence[ResultRow],
    ran: RunResult,
) -> Iterator[str]:
    """Files first: the tags say that everything is there."""
    files = {
        f"{row.slug}/{file.name}": file for row in rows for file in ran.reports_of(row).values()
    }
    try:
        if one.run:
            write_files(server, one, files)
        write_tags(server, one, tags)
    except (ReadError, UsageError, OSError) as error:
        reason = error.reason if isinstance(error, ReadError) else str(error)
        yield clean(f"{one.path}: {reason}")


def _tags(rows: Sequence[ResultRow]) -> dict[str, str]:
    worst = rows[0]
    finding = next(iter(worst.open_findings), None)
    found = f"{finding.code} {finding.name} ({finding.severity.value})" if finding else "none"
    return {
        "modelaudit.verdict": worst.verdict.value,
        "modelaudit.worst_finding": found,
        "modelaudit.sha256": worst.sha256 or "",
        "modelaudit.date": worst.created,
    }
