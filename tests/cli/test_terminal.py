"""Columns in a terminal are aligned for characters of any width."""

from __future__ import annotations

import re
import sys

import pytest

from modelaudit.cli import terminal
from modelaudit.cli.terminal import ProgressBar, table
from modelaudit.terminal_text import cells, shorten_path
from tests.rows import row


@pytest.mark.parametrize(
    ("text", "columns"),
    [("model.h5", 8), ("数字_模型.h5", 12), ("🦊.h5", 5), ("e\u0301.h5", 4), ("نموذج", 5), ("", 0)],
)
def test_wide_letters_take_two_columns_and_accents_none(text, columns):
    assert cells(text) == columns


@pytest.mark.parametrize("width", [8, 9, 20, 40])
@pytest.mark.parametrize(
    "path", ["模型" * 30, "a/" + "模" * 4 + "b" * 30 + ".keras", "x" * 90, "a"]
)
def test_a_shortened_path_fits_its_columns_and_shows_both_ends(path, width):
    short = shorten_path(path, width)
    assert cells(short) <= width
    head, _, tail = short.partition("…")
    assert path.startswith(head)
    assert path.endswith(tail)
    assert ("…" in short) == (cells(path) > width)


def test_formats_are_aligned():
    rows = [row(path) for path in ("plain.keras", "数字识别_模型.keras", "🦊 détecteur.h5")]
    lines = table(rows).splitlines()
    assert len({cells(line.removesuffix("Keras")) for line in lines}) == 1


def test_a_warning_takes_the_place_of_the_bar_which_continues_below(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    bar = ProgressBar()
    bar.begin(2)
    bar.advance("a.h5")
    bar.warn("a worker ended")
    bar.end()
    before, after = capsys.readouterr().err.split("modelaudit: a worker ended\n")
    assert "a.h5" in before
    assert before.endswith("\r\033[K")
    assert "1/2" in after


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_bar_stays_on_its_line(monkeypatch, capsys, width):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(terminal, "columns", lambda: width)
    bar = ProgressBar()
    bar.begin(13)
    for _ in range(13):
        bar.advance("models/of/a/registry/with/long/names/and/a/file.weights.h5")
    bar.end()
    drawn = [re.sub(r"\x1b\[[\d;?]*\w", "", line) for line in capsys.readouterr().err.split("\r")]
    assert max(len(line.rstrip()) for line in drawn) < max(width, 64)
    assert any("weights.h5" in line for line in drawn) is (width > 64)
