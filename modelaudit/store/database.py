"""The SQLite file of a history: opening, migrating, and readable errors."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from modelaudit.errors import StoreError

# A released migration is never changed; changes are added as new migrations. The number of applied
# migrations is the file's `user_version`.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE run (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            registry TEXT NOT NULL,
            command TEXT NOT NULL,
            tool TEXT NOT NULL,
            rules TEXT NOT NULL,
            started TEXT NOT NULL,
            finished TEXT,
            state TEXT NOT NULL
                CHECK (state IN ('running', 'interrupted', 'complete', 'reported')),
            exit_code INTEGER,
            audited INTEGER NOT NULL DEFAULT 0,
            seconds REAL NOT NULL DEFAULT 0,
            notes TEXT NOT NULL DEFAULT '[]'
        )
        """,
        """
        CREATE TABLE model (
            id INTEGER PRIMARY KEY,
            root TEXT NOT NULL,
            path TEXT NOT NULL,
            UNIQUE (root, path)
        )
        """,
        """
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY,
            model INTEGER NOT NULL REFERENCES model (id) ON DELETE CASCADE,
            line TEXT NOT NULL,
            document BLOB NOT NULL
        )
        """,
        """
        CREATE TABLE result (
            run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
            model INTEGER NOT NULL REFERENCES model (id) ON DELETE CASCADE,
            audit INTEGER NOT NULL REFERENCES audit (id),
            PRIMARY KEY (run, model)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE cached (
            model INTEGER PRIMARY KEY REFERENCES model (id) ON DELETE CASCADE,
            audit INTEGER NOT NULL REFERENCES audit (id),
            key TEXT NOT NULL,
            content TEXT NOT NULL,
            files TEXT NOT NULL,
            settled INTEGER NOT NULL,
            seen_key TEXT NOT NULL,
            seen BLOB
        )
        """,
        "CREATE INDEX result_by_audit ON result (audit)",
        "CREATE INDEX result_by_model ON result (model)",
        "CREATE INDEX audit_by_model ON audit (model)",
        "CREATE INDEX cached_by_audit ON cached (audit)",
    ),
)


BUSY_SECONDS = 30.0


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite errors into a `StoreError` that names the file.

    Raises:
        StoreError: SQLite raised an error.
    """
    try:
        yield
    except sqlite3.Error as error:
        advice = ""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in {
            sqlite3.SQLITE_CORRUPT,
            sqlite3.SQLITE_NOTADB,
        }:
            advice = "; move it away to start a new history"
        raise StoreError(f"{path}: {error}{advice}") from error


def connect(path: Path) -> sqlite3.Connection:
    """Open a store for writing, create it if necessary, and migrate its tables.

    Every commit is on disk when it returns: write-ahead log, with a flush for each.

    Raises:
        StoreError: it cannot be opened, is damaged, or was written by a newer version.
    """
    with explained(path):
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a store read-only, even while a run writes to it.

    Raises:
        StoreError: it does not exist, is damaged, or has another version.
    """
    if not path.is_file():
        raise StoreError(f"{path}: no history found")
    options = "mode=ro"
    # SQLite writes files next to the database even for reading. If it may not, and no run has left
    # any, the database is immutable.
    if not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists():
        options = "immutable=1"
    with explained(path):
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(path.absolute()))}?{options}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
        )
        try:
            _require_ours(_version(connection), path)
        except BaseException:
            connection.close()
            raise
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block as one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may already have rolled it back.
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _require_ours(version: int, path: Path) -> None:
    if version != len(MIGRATIONS):
        whose = "a newer" if version > len(MIGRATIONS) else "an older"
        raise StoreError(
            f"{path}: the history was written by {whose} modelaudit (schema version {version}, "
            f"this one uses {len(MIGRATIONS)})"
        )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the outstanding migrations, each in a transaction."""
    with transaction(connection):
        version = _version(connection)
        if version > len(MIGRATIONS):
            _require_ours(version, path)
        for step in MIGRATIONS[version:]:
            for statement in step:
                connection.execute(statement)
        # PRAGMA takes no parameters; the number is ours.
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
