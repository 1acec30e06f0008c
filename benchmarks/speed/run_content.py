"""What runs over the same models have in common, whatever made them: all but their times."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

_TIMED = ("runs", "latest", "history.sqlite3")


def timeless(text: str) -> str:
    """A report without its times and random numbers."""
    text = re.sub(r'"(wall|cpu|seconds|[a-z_]*seconds)": [0-9.e-]+', '"seconds": 0', text)
    text = re.sub(r"urn:uuid:[0-9a-f-]+", "urn:uuid:", text)
    return re.sub(r"20\d\d-\d\d-\d\d(T\d\d:\d\d:\d\dZ| \d\d:\d\d UTC)", "TIME", text)


def content(out: Path) -> dict[str, object]:
    """All files of a run that do not depend on its time, and the rows of its history."""
    found: dict[str, object] = {}
    for path in sorted(out.rglob("*.*")):
        name = path.relative_to(out)
        if path.is_file() and name.parts[0] not in _TIMED:
            text = path.read_text()
            if path.name == "audit.json":
                data = json.loads(text)
                del data["timings"]
                text = json.dumps(data)
            found[str(name)] = timeless(text)
    with sqlite3.connect(out / "history.sqlite3") as history:
        rows = history.execute("SELECT model.path, line FROM audit JOIN model ON model.id = model")
        found["history"] = sorted((path, timeless(line)) for path, line in rows)
        runs = history.execute("SELECT registry, command, state, exit_code FROM run")
        found["runs"] = runs.fetchall()
    return found
