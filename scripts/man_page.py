"""The manual page, from the commands: `page_tables.py` writes it to docs/man/modelaudit.1."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from modelaudit.cli import cli
from modelaudit.exit_codes import ExitCode

PAGE = Path(__file__).resolve().parent.parent / "docs" / "man" / "modelaudit.1"
CODES = {
    ExitCode.OK: "Complete, no finding at or above --fail-on.",
    ExitCode.FINDINGS: "At least one finding at or above it; of diff, changes.",
    ExitCode.USAGE: "Invalid usage or settings, or a package is missing.",
    ExitCode.INCOMPLETE: "Some model was only partially audited, and none failed.",
    ExitCode.NO_MODEL: "No model was found.",
    ExitCode.INTERNAL: "Internal error: a bug in modelaudit.",
    ExitCode.LOCKED: "Another run is writing to the same directory.",
    ExitCode.INTERRUPTED: "Interrupted.",
}
FILES = (
    ("modelaudit.toml", "Settings of the current directory; see modelaudit settings --schema."),
    ("NAME.golden.json", "The golden record of the model NAME; see modelaudit record."),
    ("labels.txt", "Class names in the order of the outputs, beside a model."),
)


def escaped(text: str) -> str:
    """Text that roff takes for nothing else: a dot at the start of a line is a request."""
    text = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-")
    return r"\&" + text if text.startswith((".", "'")) else text


def leaves(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """The commands of a group, each with the words that call it."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    for each in command.list_commands(click.Context(command)):
        inner = command.get_command(click.Context(command), each)
        assert inner is not None
        yield from leaves(inner, f"{name} {each}".strip())


def options(command: click.Command) -> Iterator[str]:
    """An entry for each option."""
    context = click.Context(command)
    for each in command.params:
        if isinstance(each, click.Option):
            words = ", ".join(each.opts)
            value = "" if each.is_flag else f" \\fI{escaped(each.make_metavar(context))}\\fR"
            yield f".TP\n\\fB{escaped(words)}\\fR{value}\n{escaped(each.help or '')}"


def entries(rows: Iterable[tuple[object, str]]) -> Iterator[str]:
    """An entry for each row: its name in bold, and what it is."""
    return (f".TP\n\\fB{escaped(str(name))}\\fR\n{escaped(text)}" for name, text in rows)


def about(command: click.Command) -> Iterator[str]:
    """The paragraphs of a command's help, without what is set as it is, such as lists."""
    for paragraph in re.split(r"\n\s*\n", (command.help or "").strip()):
        if not paragraph.lstrip().startswith("\b"):
            yield f".PP\n{escaped(paragraph)}"


def text() -> str:
    """The whole page."""
    parts = [
        '.TH MODELAUDIT 1 "" "tf\\-modelaudit" "User Commands"',
        ".SH NAME\nmodelaudit \\- audit saved TensorFlow and Keras models without trusting them",
        ".SH SYNOPSIS\n.B modelaudit\n[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGS\\fR]...",
        ".SH DESCRIPTION",
        *about(cli),
        ".SH OPTIONS",
        *options(cli),
        ".SH COMMANDS",
    ]
    for name, command in leaves(cli):
        arguments = (
            param.make_metavar(click.Context(command))
            for param in command.params
            if isinstance(param, click.Argument)
        )
        usage = escaped(" ".join(["[OPTIONS]", *arguments]))
        parts += [f".SS {escaped(name)}\n\\fBmodelaudit {escaped(name)}\\fR {usage}"]
        parts += [*about(command), *options(command)]
    codes = [(code.value, CODES[code]) for code in sorted(ExitCode)]
    parts += [".SH EXIT STATUS", *entries(codes), ".SH FILES", *entries(FILES)]
    return "\n".join(parts) + "\n"
