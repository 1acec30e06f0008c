"""Run the commands in README.md and in the guides, and compare their real output with that shown.

python scripts/readme_output.py            write the real output where it differs; exit 1 if a
                                           command ended with another exit code than stated
python scripts/readme_output.py --check    exit 1 and show the differences

`--folder DIRECTORY` runs the commands there and keeps what they write.

A block is run if the line before it is `<!-- run -->`. Its commands start with `$ `; the lines
that follow are their output, stdout and stderr together. Options may follow `run:`

    exit N       the exit code of the block's last command (0 by default)
    measured     numbers with a decimal point and percentages vary between machines, so any number
                 is accepted, and so is different line wrapping

All blocks run in the order of `PAGES`, in one directory that holds a copy of the sample models.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = tuple(
    ROOT / name
    for name in (
        "README.md",
        "docs/one-answer.md",
        "docs/review.md",
        "docs/ci.md",
        "docs/serving.md",
    )
)
BLOCK = re.compile(
    r"^<!-- run(?P<options>[^\n]*?) -->\n```console\n(?P<text>.*?)^```$", re.M | re.S
)
MEASURED = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?|\d+%")
SECONDS = 300.0
READING = ("modelaudit explain ", "modelaudit diff ")  # these write nothing


@dataclass(frozen=True, slots=True)
class Block:
    """A block of commands with the output that the page shows."""

    commands: tuple[str, ...]
    shown: str
    exit: int
    measured: bool
    start: int
    end: int

    def same(self, real: str) -> bool:
        """Whether `real` matches the output on the page."""
        return self._comparable(real) == self._comparable(self.shown)

    def _comparable(self, text: str) -> str:
        return " ".join(MEASURED.sub("#", text).split()) if self.measured else text


def blocks(page: str) -> Iterator[Block]:
    """Every block of `page` that is to be run.

    Raises:
        ValueError: a block has no command, or an unknown option.
    """
    for match in BLOCK.finditer(page):
        text = match["text"]
        code, measured = options(match["options"])
        commands = tuple(line[2:] for line in text.splitlines() if line.startswith("$ "))
        if not commands:
            raise ValueError(f"a block without a command: {text[:60]!r}")
        yield Block(commands, text, code, measured, match.start("text"), match.end("text"))


def options(text: str) -> tuple[int, bool]:
    """Exit code, and whether numbers are measured, from text such as `: exit 1, measured`."""
    code, measured = 0, False
    for word in text.removeprefix(": ").split(", ") if text else ():
        if word == "measured":
            measured = True
        elif re.fullmatch(r"exit \d+", word):
            code = int(word.split()[1])
        else:
            raise ValueError(f"unknown option of a block: {text!r}")
    return code, measured


def run(block: Block, folder: Path) -> tuple[str, int]:
    """Run the commands of `block` in `folder`; return their output as shown, and the exit code."""
    shown, code = "", 0
    for command in block.commands:
        if command.startswith(READING):
            said, code = output(command.partition(" | ")[0], folder)
            if filtered := command.partition(" | ")[2]:
                said, failed = said_by(filtered, folder, said)
                code = failed or code
        else:
            said, code = said_by(command, folder)
        said = said.replace(f"{folder}/", "")
        shown += f"$ {command}\n" + "".join(f"{line.rstrip()}\n" for line in said.splitlines())
    return shown, code


@cache
def output(command: str, folder: Path) -> tuple[str, int]:
    """The same as `said_by` of a command that only prints: run once, however many pages show it."""
    return said_by(command, folder)


def said_by(command: str, folder: Path, given: str = "") -> tuple[str, int]:
    """What a command prints when it is given this text, and its exit code."""
    done = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=environment(folder),
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.stdout, done.returncode


def environment(folder: Path) -> dict[str, str]:
    """The commands' environment: this modelaudit on the path, and no settings of the user."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MODELAUDIT_")}
    path = f"{folder / '.bin'}{os.pathsep}{os.environ['PATH']}"
    return kept | {"PATH": path, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def prepare(folder: Path) -> None:
    """Put the sample models and the command `modelaudit` into `folder`.

    Audits there write no PDF unless they are told to: `make demo` writes those of the samples,
    which take as long as all else on the pages.
    """
    shutil.copytree(ROOT / "sample_models", folder / "sample_models")
    command = folder / ".bin" / "modelaudit"
    command.parent.mkdir()
    formats = '[ "$1" != audit ] || export MODELAUDIT_FORMAT=html'
    command.write_text(f'#!/bin/sh\n{formats}\nexec "{sys.executable}" -m modelaudit "$@"\n')
    command.chmod(0o755)


def differences(block: Block, real: str, code: int, page: str = "the page") -> list[str]:
    """The differences from what the page shows; empty if there are none."""
    found = [] if code == block.exit else [f"exit code {code}, the page says {block.exit}"]
    if not block.same(real):
        lines = (block.shown.splitlines(), real.splitlines())
        found += difflib.unified_diff(*lines, page, "real output", lineterm="")
    return found


def fresh(page: Path, folder: Path) -> tuple[str, list[str], bool]:
    """The page's text with real output, the differences, and whether an exit code is another."""
    text = page.read_text(encoding="utf-8")
    new, done, found, failed = "", 0, [], False
    for block in blocks(text):
        real, code = run(block, folder)
        found += differences(block, real, code, page.name)
        failed = failed or code != block.exit
        new += text[done : block.start] + (block.shown if block.same(real) else real)
        done = block.end
    return new + text[done:], found, failed


def main() -> int:
    """Write or check; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    stale, wrong = False, False
    with tempfile.TemporaryDirectory() as name:
        folder = (options.folder or Path(name)).resolve()
        prepare(folder)
        for page in PAGES:
            text, found, failed = fresh(page, folder)
            stale, wrong = stale or bool(found), wrong or failed
            for line in found:
                sys.stderr.write(f"{line}\n")
            if not options.check:
                page.write_text(text, encoding="utf-8")
    if not options.check:
        return int(wrong)  # an exit code is stated by the page's author, not written
    if stale:
        sys.stderr.write("pages are out of date: run `make docs`\n")
    return int(stale)


if __name__ == "__main__":
    raise SystemExit(main())
