"""Write the tables and values of the pages that come from the code, and the manual page, or check
that they are current.

The table called NAME is written between `<!-- table: NAME -->` and `<!-- /table -->`. The value of
a threshold is written between `<!-- value: flips.SENSITIVE -->` and `<!-- /value -->`, in percent
if ` %` follows the name.

python scripts/page_tables.py            write them
python scripts/page_tables.py --check    exit 1 and name the pages that are out of date
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parent))

import api_reference
import man_page

from modelaudit import diagnosis
from modelaudit.cli import cli
from modelaudit.cli.options.common import ConfigurableOption
from modelaudit.file_formats import Format
from modelaudit.formats.other_formats import OTHER_FORMATS
from modelaudit.report.export.registry import FORMATS
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.settings.file import OPTIONS
from modelaudit.thresholds.every import MODULES, THRESHOLDS

LIMITS = "modelaudit.thresholds."
ROOT = Path(__file__).resolve().parent.parent
TABLE = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- /table -->)", re.DOTALL)
VALUE = re.compile(r"(<!-- value: ([a-z]+\.[A-Z_]+)( %)? -->).*?(<!-- /value -->)")


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
    return table(("format", "use", "one per", "file below `--out`", "media type"), rows)


def file_formats() -> str:
    """A row for each format that a path can be of."""
    rows = [(each.label, each.info.told_by, each.info.what, f"`{each.value}`") for each in Format]
    return table(("format", "detected by", "what is read", "`model.format`"), rows)


def other_formats() -> str:
    """A row for each kind of file that is listed with its name and not read."""
    rows = [(f"{each.label}, {each.note}", each.told_by) for each in OTHER_FORMATS]
    return table(("listed as", "detected by"), rows)


def commands() -> str:
    """A heading and a table of options for each command."""
    return "\n".join(_command(command, name) for name, command in _leaves(cli, "modelaudit"))


def _leaves(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """The command, or the commands of a group, each with the words that call it."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for each in command.list_commands(context):
        inner = command.get_command(context, each)
        assert inner is not None
        yield from _leaves(inner, f"{name} {each}")


def _command(command: click.Command, name: str) -> str:
    rows = [
        (
            ", ".join(f"`{word}`" for word in each.opts),
            _default(each),
            "yes" if isinstance(each, ConfigurableOption) and each.name in OPTIONS else "",
            " ".join((each.help or "").split()),
        )
        for each in command.params
        if isinstance(each, click.Option)
    ]
    arguments = [
        param.make_metavar(click.Context(command))
        for param in command.params
        if isinstance(param, click.Argument)
    ]
    usage = " ".join([name, *(["[OPTIONS]"] if rows else []), *arguments])
    about = " ".join((command.help or "").partition("\b")[0].split())
    return f"## {name.partition(' ')[2]}\n\n`{usage}`\n\n{about}\n\n" + (
        table(("option", "default", "in `modelaudit.toml`", "meaning"), rows) if rows else ""
    )


def _default(option: click.Option) -> str:
    """The default as `--help` shows it; empty where it shows none."""
    if isinstance(option.show_default, str):
        return option.show_default
    return f"`{option.default}`" if option.show_default and not option.is_flag else ""


def thresholds() -> str:
    """A heading and a table for each module of thresholds."""
    parts = []
    for module in MODULES:
        title = (module.__doc__ or "").splitlines()[0].removeprefix("Thresholds on ").rstrip(".")
        own = module.__name__.rpartition(".")[2]
        rows = _thresholds([name for name in THRESHOLDS if name.startswith(f"{own}.")])
        parts.append(f"## {title[:1].upper()}{title[1:]}\n\n{rows}")
    return "\n".join(parts)


def diagnosis_thresholds() -> str:
    """A row for each threshold that a module of the diagnosis uses."""
    used: set[str] = set()
    for path in Path(diagnosis.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(LIMITS):
                module = (node.module or "").removeprefix(LIMITS)
                used |= {f"{module}.{each.name}" for each in node.names}
    return _thresholds([name for name in THRESHOLDS if name in used])


def _thresholds(names: Sequence[str]) -> str:
    each = [(name, THRESHOLDS[name]) for name in names]
    return table(
        ("threshold", "value", "what it decides", "how it was chosen"),
        [(f"`{n}`", f"{t.value:g} {t.unit}".strip(), t.meaning, t.source) for n, t in each],
    )


def settable_thresholds() -> str:
    """A row for each rule whose threshold the settings can change."""
    rows = [
        (
            f"[{rule.code}](rules/{rule.code}.md) {rule.name}",
            rule.limit.unit,
            "depends on the model" if rule.limit.value is None else f"{rule.limit.value:g}",
            f"{rule.limit.low:g} to {rule.limit.high:g}",
        )
        for rule in CATALOGUE
        if rule.limit
    ]
    return table(("rule", "a finding from", "by default", "allowed"), rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "api": api_reference.text,
    "commands": commands,
    "diagnosis-thresholds": diagnosis_thresholds,
    "file-formats": file_formats,
    "other-formats": other_formats,
    "report-formats": report_formats,
    "settable-thresholds": settable_thresholds,
    "thresholds": thresholds,
}


def fresh(text: str) -> str:
    """The page with current tables and values.

    Raises:
        KeyError: the page asks for a table or a threshold that does not exist.
    """
    text = TABLE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)
    return VALUE.sub(lambda found: found[1] + value(found[2], bool(found[3])) + found[4], text)


def value(name: str, percent: bool) -> str:
    """A threshold's value as text."""
    return f"{THRESHOLDS[name].value * (100 if percent else 1):g}"


def main() -> int:
    """Write or check; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = 0
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
    for page in (*pages, man_page.PAGE):
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        wanted = man_page.text() if page == man_page.PAGE else fresh(text)
        if wanted != text and check:
            sys.stderr.write(f"{page.relative_to(ROOT)} is out of date: run `make docs`\n")
            stale = 1
        elif wanted != text:
            page.write_text(wanted, encoding="utf-8")
    return stale


if __name__ == "__main__":
    raise SystemExit(main())
