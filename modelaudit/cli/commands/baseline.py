"""`modelaudit baseline`: record known findings, so that only new ones fail."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelaudit.cli.options import common as options
from modelaudit.terminal_text import clean

if TYPE_CHECKING:
    from modelaudit.schema import Audit

MOST_BYTES = 1 << 28  # of an index or an audit file


@click.command(short_help="Record known findings, so that only new ones fail.")
@click.argument("audits", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@options.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write. Default: stdout.",
)
def baseline(audits: tuple[Path, ...], out: Path | None) -> None:
    """Record the open findings in AUDITS: report directories or audit.json files.

    Later audits with `--baseline FILE` accept these findings, even if a model is saved again or
    renamed. Findings that are new or more severe still fail.
    """
    from modelaudit import clock
    from modelaudit.baseline import dumps, from_audits
    from modelaudit.registry.output_directory import write_atomic

    files = [file for path in audits for file in _files(path)]
    text = dumps(from_audits(map(_audit, files), clock.utc_now()))
    if out:
        write_atomic(out, text.encode())
    else:
        click.echo(text, nl=False)


def _files(path: Path) -> list[Path]:
    """The audit files of a directory's last run, or the file itself.

    Raises:
        UsageError: the directory holds no run, or its index links to files outside.
    """
    from modelaudit.errors import ReadError, UsageError
    from modelaudit.formats.io.bounded import read_bytes

    if path.is_file():
        return [path]
    folder = path.resolve()
    # The index of an earlier run is two levels below the directory of the reports.
    top = folder.parent.parent if folder.parent.name == "runs" else folder
    try:
        index = json.loads(read_bytes(folder / "index.json", MOST_BYTES))
        files = [Path(os.path.realpath(folder / row["links"]["json"])) for row in index["models"]]
        missing = int(index.get("missing", 0))
    except (ReadError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path}: contains no reports of a run ({error})") from error
    outside = [file for file in files if not file.is_relative_to(top)]
    if outside:
        raise UsageError(f"{path}: index.json links to a file outside: {clean(str(outside[0]))}")
    if missing:
        lacking = (
            f"{missing} model{'s' if missing > 1 else ''}, which are missing from the baseline"
        )
        click.echo(f"modelaudit: {path}: the run was interrupted before {lacking}", err=True)
    return files


def _audit(file: Path) -> Audit:
    """The audit in an audit file.

    Raises:
        SchemaError: it is not an audit file.
        ReadError: it is not a regular file, or cannot be read.
    """
    from modelaudit.errors import SchemaError
    from modelaudit.formats.io.bounded import read_bytes
    from modelaudit.schema import loads

    try:
        return loads(read_bytes(file, MOST_BYTES, str(file)).decode())
    except (SchemaError, UnicodeDecodeError) as error:
        raise SchemaError(f"{file}: {error}") from error
