"""Output in a real terminal of 80 columns."""

from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import termios
from fcntl import ioctl

from tests.command_line import ROOT, command
from tests.made import files


def on_a_terminal(*arguments):
    """The lines of the command's output in a real terminal."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    plain = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES"}}
    process = subprocess.Popen(
        command(*arguments),
        cwd=ROOT,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=plain | {"NO_COLOR": "1", "TERM": "xterm"},
    )
    os.close(theirs)
    text = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        text += piece
    process.communicate()
    assert b"\x1b" not in text
    return text.decode().replace("\r", "").splitlines()


def test_a_scan_fits_the_terminal(models):
    long = models / ("deeply/" * 12)
    long.mkdir(parents=True)
    files.minimal_h5(long / "model.h5")
    lines = on_a_terminal("scan", models)
    assert any("truncated.h5" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_the_rules_on_a_terminal(modelaudit):
    lines = on_a_terminal("rules")
    assert max(map(len, lines)) <= 80
    searched = modelaudit("rules").stdout.splitlines()  # one line per rule
    assert " ".join(lines).split() == " ".join(searched).split()
    for line in lines:  # a summary is below the name of its rule
        assert re.fullmatch(r"MA[0-9]{3}  \w+ +[\w-]+| {7}\S.*", line)
    summaries = {line.index(line.split()[3], 20) for line in searched}
    assert len(summaries) == 1  # they are aligned
