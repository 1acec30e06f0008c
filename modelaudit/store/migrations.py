"""The database schema, as a sequence of migrations from an empty file.

A released migration is never changed; changes are added as new migrations. The number of applied
migrations is the file's `user_version`.
"""

from __future__ import annotations

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
