"""`modelaudit baseline`: what is known today, so that only what is new fails from now on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelaudit.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command(short_help="Write down today's findings, so that only new ones fail.")
@click.argument("audits", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@options.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; without it the baseline goes to stdout.",
)
def baseline(audits: tuple[Path, ...], out: Path | None) -> None:
    """Write down the open findings in AUDITS: directories of reports, or audit.json files.

    `--baseline FILE` lets these findings pass in later audits, also where a model is saved again
    or renamed; a finding that is new, or has become worse, fails as ever.
    """
    from modelaudit.baseline import dumps, of_audits
    from modelaudit.cli.recorded import now
    from modelaudit.registry.output import write_atomic
    from modelaudit.schema import load

    files = [file for path in audits for file in _files(path)]
    text = dumps(of_audits((load(file) for file in files), now()))
    if out:
        write_atomic(out, text.encode())
    else:
        click.echo(text, nl=False)


def _files(path: Path) -> Iterator[Path]:
    """The audit files of a directory's last run, or the file itself."""
    from modelaudit.errors import UsageError

    if path.is_file():
        yield path
        return
    try:
        rows = json.loads((path / "index.json").read_text(encoding="utf-8"))["models"]
        yield from (path / row["links"]["json"] for row in rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: holds no reports of a run ({error})") from error
