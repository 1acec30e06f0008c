"""Queries on a history."""

from __future__ import annotations

import json
import sqlite3
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from modelaudit.errors import StoreError
from modelaudit.result_row import ResultRow, row_from_text
from modelaudit.store.database import explained
from modelaudit.store.records import CachedAudit, ModelKey, RunState, StoredRun

_COLUMNS = StoredRun.__struct_fields__
_RUN = f"SELECT {', '.join(_COLUMNS)} FROM run "


class HistoryReader:
    """An open history and its queries."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self._path = connection, path
        self._rows: dict[int, ResultRow] = {}

    def __enter__(self) -> Self:
        """The open history."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the file; committed data is kept."""
        with explained(self._path):
            self._connection.close()

    def runs(self, registry: str | None = None) -> list[StoredRun]:
        """All runs in order of their start, of one registry or of all."""
        where, values = ("WHERE registry = ? ", (registry,)) if registry else ("", ())
        return [_run(row) for row in self._all(f"{_RUN}{where}ORDER BY id", values)]

    def last(self, registry: str, *states: RunState) -> StoredRun | None:
        """The newest run of a registry in one of these states."""
        for run in reversed(self.runs(registry)):
            if run.state in states:
                return run
        return None

    def last_reported(
        self, registry: str, command: str = "", *, empty: bool = False
    ) -> StoredRun | None:
        """The newest reported run of a registry with models, by one command or any.

        With `empty`, it may be without models.
        """
        filled = self.with_models()
        for run in reversed(self.runs(registry)):
            told = run.state is RunState.REPORTED and command in ("", run.command)
            if told and (empty or run.id in filled):
                return run
        return None

    def with_models(self) -> set[int]:
        """Runs that have at least one model."""
        rows = self._all(
            "SELECT id FROM run WHERE EXISTS (SELECT 1 FROM result WHERE run = run.id)"
        )
        return {run for (run,) in rows}

    def rows(self, run: int, *, beside: int | None = None) -> dict[ModelKey, ResultRow]:
        """A run's results by model; with `beside`, only for models that are not in that run.

        Runs share the row of an audit, which for an unchanged registry are nearly all.
        """
        places = self._connection.execute(
            "SELECT model.root, model.path, audit.id, audit.line FROM result "
            "JOIN model ON model.id = result.model JOIN audit ON audit.id = result.audit "
            "WHERE result.run = ? AND result.model NOT IN (SELECT model FROM result WHERE run = ?) "
            "ORDER BY model.path",
            (run, beside),
        )
        with explained(self._path):
            return {
                ModelKey(sys.intern(root), path): self._rows.get(audit) or self._keep(audit, line)
                for root, path, audit, line in places
            }

    def _keep(self, audit: int, line: str) -> ResultRow:
        row = self._rows[audit] = self._row(line)
        return row

    def audits(self, run: int) -> Iterator[tuple[ModelKey, str, bytes]]:
        """A run's audits as they are stored: the model, the line and the packed audit file."""
        with explained(self._path):
            for root, path, line, document in self._connection.execute(
                "SELECT model.root, model.path, audit.line, audit.document FROM result "
                "JOIN model ON model.id = result.model JOIN audit ON audit.id = result.audit "
                "WHERE result.run = ?",
                (run,),
            ):
                yield ModelKey(root, path), line, document

    def _row(self, line: str) -> ResultRow:
        """A result row as the history has it.

        Raises:
            StoreError: it is damaged.
        """
        try:
            return row_from_text(line)
        except ValueError as error:
            raise StoreError(f"{self._path}: a result in it is damaged: {error}") from error

    def verdicts(self, runs: Iterable[int]) -> dict[int, dict[str, int]]:
        """The number of models by verdict, for each of these runs."""
        rows = self._all(
            "SELECT result.run, json_extract(audit.line, '$.verdict'), count(*) FROM result "
            "JOIN audit ON audit.id = result.audit "
            "WHERE result.run IN (SELECT value FROM json_each(?)) GROUP BY 1, 2",
            (json.dumps([*runs]),),
        )
        counts: dict[int, dict[str, int]] = {}
        for run, verdict, count in rows:
            counts.setdefault(run, {})[verdict] = count
        return counts

    def slugs(self) -> set[str]:
        """Slugs of the reports of all models of all runs."""
        rows = self._all(
            "SELECT DISTINCT json_extract(line, '$.slug') FROM audit WHERE id IN "
            "(SELECT audit FROM result)"
        )
        return {slug for (slug,) in rows}

    def last_filed(self) -> dict[str, int]:
        """The owner of each report slug: the newest audit with it, of any registry."""
        rows = self._all("SELECT json_extract(line, '$.slug'), max(id) FROM audit GROUP BY 1")
        return dict(rows)

    def newest_filed(self) -> frozenset[int]:
        """The audits of `last_filed`: no later one has written over their reports."""
        rows = self._connection.execute(
            "SELECT max(id) FROM audit GROUP BY json_extract(line, '$.slug')"
        )
        with explained(self._path):
            return frozenset(audit for (audit,) in rows)

    def timeline(self, path: str) -> list[tuple[StoredRun, ModelKey, int, ResultRow]]:
        """Every run's result for models with this path: run, model, audit and line, in order.

        The path is relative to the registry, or as shown in the reports.
        """
        runs = {run.id: run for run in self.runs()}
        rows = self._all(
            "SELECT result.run, model.root, model.path, audit.id, audit.line FROM result "
            "JOIN model ON model.id = result.model JOIN audit ON audit.id = result.audit "
            "WHERE model.path = ? OR json_extract(audit.line, '$.path') = ? "
            "ORDER BY model.root, model.path, result.run",
            (path, path),
        )
        return [
            (runs[run], ModelKey(root, name), audit, self._row(line))
            for run, root, name, audit, line in rows
        ]

    def names(self) -> set[str]:
        """The paths that `timeline` accepts."""
        rows = self._all(
            "SELECT path FROM model UNION SELECT json_extract(line, '$.path') FROM audit"
        )
        return {name for (name,) in rows}

    def results(self, run: int) -> dict[ModelKey, int]:
        """The IDs of a run's audits, by model."""
        rows = self._all(
            "SELECT model.root, model.path, result.audit FROM result "
            "JOIN model ON model.id = result.model WHERE result.run = ?",
            (run,),
        )
        return {ModelKey(root, path): audit for root, path, audit in rows}

    def cached(self, place: ModelKey) -> CachedAudit | None:
        """The cache entry of a model. One at a time: those of all may not fit into memory."""
        rows = self._all(
            "SELECT audit, key, content, files, settled, seen_key FROM cached "
            "JOIN model ON model.id = cached.model WHERE root = ? AND path = ?",
            (place.root, place.path),
        )
        for audit, key, content, files, settled, seen_key in rows:
            return CachedAudit(audit, key, content, files, bool(settled), seen_key)
        return None

    def known_files(self, registry: str, rules: str) -> Iterator[tuple[ModelKey, str, str]]:
        """Models of a registry's last run with these rules, their files and their formats.

        Those of which an audit can be reused, and no file was modified just before it.
        """
        with explained(self._path):
            for root, path, files, form in self._connection.execute(
                "SELECT model.root, model.path, cached.files, json_extract(audit.line, '$.format') "
                "FROM result JOIN cached ON cached.model = result.model "
                "AND cached.audit = result.audit JOIN model ON model.id = result.model "
                "JOIN audit ON audit.id = result.audit WHERE cached.settled AND result.run = "
                "(SELECT max(id) FROM run WHERE registry = ? AND rules = ?)",
                (registry, rules),
            ):
                yield ModelKey(root, path), files, sys.intern(form)

    def seen(self, place: ModelKey) -> str | None:
        """The encoded result of running a model, if it was stored."""
        rows = self._all(
            "SELECT seen FROM cached JOIN model ON model.id = cached.model "
            "WHERE root = ? AND path = ?",
            (place.root, place.path),
        )
        return self._text(rows[0][0]) if rows and rows[0][0] is not None else None

    def document(self, audit: int) -> str:
        """The text of the audit file.

        Raises:
            StoreError: there is no such audit, or it is damaged.
        """
        rows = self._all("SELECT document FROM audit WHERE id = ?", (audit,))
        if not rows:
            raise StoreError(f"{self._path}: audit {audit} does not exist")
        return self._text(rows[0][0])

    def check(self) -> str:
        """The result of SQLite's integrity check: "ok", or the errors."""
        return str(self._all("PRAGMA integrity_check")[0][0])

    def _text(self, packed: bytes) -> str:
        try:
            return zlib.decompress(packed).decode()
        except (zlib.error, UnicodeDecodeError) as error:
            raise StoreError(f"{self._path}: contains a damaged audit: {error}") from error

    def _all(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with explained(self._path):
            return self._connection.execute(statement, values).fetchall()


def _run(row: tuple[Any, ...]) -> StoredRun:
    values = dict(zip(_COLUMNS, row, strict=True))
    told = {"state": RunState(values["state"]), "notes": tuple(json.loads(values["notes"]))}
    return StoredRun(**values | told)
