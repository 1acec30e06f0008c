"""Write the tables of the pages that come from the code, or check that they are fresh.

A page has `<!-- table: NAME -->` and `<!-- /table -->` where the table called NAME belongs.

python scripts/page_tables.py            write them
python scripts/page_tables.py --check    exit 1 and name the pages that are not fresh
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from modelaudit.report.export.registry import FORMATS

ROOT = Path(__file__).resolve().parent.parent
TABLE = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- /table -->)", re.DOTALL)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in lines
    )


def report_formats() -> str:
    """A row for each report format."""
    rows = [
        (
            f"`{each.name}`",
            each.audience,
            "each model" if each.per_model else "the run",
            f"`{'models/…/' if each.per_model else ''}{each.file}`",
            f"`{each.media_type}`",
        )
        for each in FORMATS.values()
    ]
    return table(("format", "for whom", "made for", "file below `--out`", "media type"), rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "report-formats": report_formats,
}


def fresh(text: str) -> str:
    """The page with its tables as the code has them.

    Raises:
        KeyError: it asks for a table that there is none of.
    """
    return TABLE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


def main() -> int:
    """Write or check; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = 0
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))):
        text = page.read_text(encoding="utf-8")
        wanted = fresh(text)
        if wanted != text and check:
            sys.stderr.write(f"{page.relative_to(ROOT)} is not fresh: run `make docs`\n")
            stale = 1
        elif wanted != text:
            page.write_text(wanted, encoding="utf-8")
    return stale


if __name__ == "__main__":
    raise SystemExit(main())
