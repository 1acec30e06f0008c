"""The history of one output directory: runs, their results, and the cache of audits.

A result is on disk when `add` returns. One process writes (ensured by the output directory's
lock), any number may read.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from modelaudit.errors import StoreError
from modelaudit.result_row import row_to_json
from modelaudit.store.database import connect, connect_to_read, explained, transaction
from modelaudit.store.queries import HistoryReader
from modelaudit.store.records import AuditRecord, ModelKey, RunState

NAME = "history.sqlite3"


class Store(HistoryReader):
    """An open history. Close it, or use it as a context manager."""

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open the history in an output directory, or create it.

        Raises:
            StoreError: it cannot be used.
        """
        path = folder / NAME
        return cls(connect(path), path)

    @classmethod
    def open_to_read(cls, folder: Path) -> Store:
        """Open the history in an output directory for reading, even during a run.

        Raises:
            StoreError: it does not exist, or cannot be used.
        """
        path = folder / NAME
        return cls(connect_to_read(path), path)

    def begin(self, registry: str, command: str, tool: str, rules: str, started: str) -> int:
        """Record the start of a run; returns its number.

        There is only one writer: earlier runs in state running were killed, and stay so.
        """
        with explained(self._path), transaction(self._connection):
            cursor = self._connection.execute(
                "INSERT INTO run (registry, command, tool, rules, started, state) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (registry, command, tool, rules, started, RunState.RUNNING),
            )
        if cursor.lastrowid is None:  # a successful INSERT has one
            raise StoreError(f"{self._path}: the run was not assigned a number")
        return cursor.lastrowid

    def resume(self, run: int, command: str) -> None:
        """Record that an unfinished run is resumed, by this command."""
        with explained(self._path), transaction(self._connection):
            self._connection.execute(
                "UPDATE run SET state = ?, command = ? WHERE id = ?",
                (RunState.RUNNING, command, run),
            )

    def add(self, run: int, place: ModelKey, audited: AuditRecord) -> None:
        """Store one finished audit as the run's result for a model."""
        line = json.dumps(row_to_json(audited.row), separators=(",", ":"))
        document = zlib.compress(audited.document)
        seen = zlib.compress(audited.seen.encode()) if audited.seen else None
        with explained(self._path), transaction(self._connection):
            model = self._model(place)
            audit = self._insert(run, model, line, document)
            self._connection.execute("DELETE FROM cached WHERE model = ?", (model,))
            if audited.reusable:
                self._connection.execute(
                    "INSERT INTO cached (model, audit, key, content, files, settled, seen_key, "
                    "seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(model, audit, audited.key, audited.content, audited.files),
                        *(audited.settled, audited.seen_key, seen),
                    ),
                )

    def take(self, run: int, audits: Iterable[tuple[ModelKey, str, bytes]]) -> None:
        """Store audits of another history as the run's results.

        An audit that was taken before is not stored again; its line has the time of the audit.

        Args:
            run: number of the run here.
            audits: as `audits` of the other history yields them.
        """
        with explained(self._path), transaction(self._connection):
            for place, line, document in audits:
                model = self._model(place)
                known = self._connection.execute(
                    "SELECT id FROM audit WHERE model = ? AND line = ?", (model, line)
                ).fetchone()
                if known is None:
                    self._insert(run, model, line, document)
                else:
                    self._result(run, model, known[0])

    def _model(self, place: ModelKey) -> int:
        """The number of a model, which it gets if it has none."""
        key = (place.root, place.path)
        self._connection.execute("INSERT OR IGNORE INTO model (root, path) VALUES (?, ?)", key)
        row = self._connection.execute(
            "SELECT id FROM model WHERE root = ? AND path = ?", key
        ).fetchone()
        return int(row[0])

    def _insert(self, run: int, model: int, line: str, document: bytes) -> int:
        """Add an audit as the run's result for a model; returns its number."""
        audit = self._connection.execute(
            "INSERT INTO audit (model, line, document) VALUES (?, ?, ?)", (model, line, document)
        ).lastrowid
        if audit is None:  # a successful INSERT has one
            raise StoreError(f"{self._path}: the audit was not assigned a number")
        self._result(run, model, audit)
        self._connection.execute("UPDATE run SET audited = audited + 1 WHERE id = ?", (run,))
        return audit

    def _result(self, run: int, model: int, audit: int) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO result (run, model, audit) VALUES (?, ?, ?)",
            (run, model, audit),
        )

    def reuse(self, run: int, audits: Mapping[ModelKey, int]) -> None:
        """Store earlier audits as the run's results for unchanged models."""
        with explained(self._path), transaction(self._connection):
            self._connection.executemany(
                "INSERT OR REPLACE INTO result (run, model, audit) SELECT ?, id, ? FROM model "
                "WHERE root = ? AND path = ?",
                [(run, audit, place.root, place.path) for place, audit in audits.items()],
            )

    def drop(self, run: int, places: Iterable[ModelKey]) -> None:
        """Remove a run's results for some models."""
        with explained(self._path), transaction(self._connection):
            self._connection.executemany(
                "DELETE FROM result WHERE run = ? AND model = "
                "(SELECT id FROM model WHERE root = ? AND path = ?)",
                [(run, place.root, place.path) for place in places],
            )

    def touch(self, states: Iterable[tuple[ModelKey, str, bool]]) -> None:
        """Record new sizes, times or inodes of files whose bytes are unchanged."""
        with explained(self._path), transaction(self._connection):
            self._connection.executemany(
                "UPDATE cached SET files = ?, settled = ? WHERE model = "
                "(SELECT id FROM model WHERE root = ? AND path = ?)",
                [(files, settled, place.root, place.path) for place, files, settled in states],
            )

    def finish(
        self,
        run: int,
        state: RunState,
        *,
        finished: str,
        seconds: float,
        exit_code: int | None,
        notes: Iterable[str] = (),
    ) -> None:
        """Record how a run ended. `seconds` are added to those of its earlier parts."""
        with explained(self._path), transaction(self._connection):
            self._connection.execute(
                "UPDATE run SET state = ?, finished = ?, seconds = seconds + ?, exit_code = ?, "
                "notes = ? WHERE id = ?",
                (state, finished, seconds, exit_code, json.dumps([*notes]), run),
            )

    def mark_reported(self, run: int) -> None:
        """Record that the changes of a complete run were reported."""
        with explained(self._path), transaction(self._connection):
            self._connection.execute(
                "UPDATE run SET state = ? WHERE id = ?", (RunState.REPORTED, run)
            )

    def move(self, registries: tuple[str, str], *roots: tuple[str, str]) -> None:
        """Rename a registry and the root directories of its models.

        Each pair is the old and the new name. Existing data under a new name is kept.
        """
        with explained(self._path), transaction(self._connection):
            was, name = registries
            self._connection.execute("UPDATE run SET registry = ? WHERE registry = ?", (name, was))
            for was, name in roots:
                self._connection.execute(
                    "UPDATE OR IGNORE model SET root = ? WHERE root = ?", (name, was)
                )

    def forget(self, keep: int) -> None:
        """Delete all but the last `keep` runs, and audits that only deleted runs refer to.

        Runs are counted instead of dated: a clock that jumps must not delete the history.
        """
        with explained(self._path), transaction(self._connection):
            self._connection.execute(
                "DELETE FROM run WHERE id NOT IN (SELECT id FROM run ORDER BY id DESC LIMIT ?)",
                (keep,),
            )
            self._connection.execute(
                "DELETE FROM cached WHERE model NOT IN (SELECT model FROM result)"
            )
            self._connection.execute(
                "DELETE FROM audit WHERE id NOT IN (SELECT audit FROM result) "
                "AND id NOT IN (SELECT audit FROM cached)"
            )
            self._connection.execute("DELETE FROM model WHERE id NOT IN (SELECT model FROM audit)")
