"""Tables on the documentation pages match the code, and an outdated page is detected."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from modelaudit.thresholds.flips import SENSITIVE

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "page_tables.py"


@pytest.fixture
def page_tables():
    spec = importlib.util.spec_from_file_location("page_tables", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(page_tables, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["page_tables.py", *arguments])
    return page_tables.main()


def test_the_pages_are_current(page_tables, monkeypatch):
    assert run(page_tables, monkeypatch, "--check") == 0


def test_every_table_is_on_a_page(page_tables):
    pages = "".join(page.read_text(encoding="utf-8") for page in ROOT.glob("docs/*.md"))
    assert {*re.findall(r"<!-- table: (.*?) -->", pages)} == {*page_tables.TABLES}


def test_an_outdated_page_is_detected_and_updated(page_tables, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(page_tables, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    pages = [tmp_path / name for name in ("README.md", "CONTRIBUTING.md", "docs/x.md")]
    for page in pages:
        page.write_text("a\n<!-- table: report-formats -->\nold\n<!-- /table -->\nb\n")
    assert run(page_tables, monkeypatch, "--check") == 1
    assert all(page.name in capsys.readouterr().err for page in pages[-1:])
    assert run(page_tables, monkeypatch) == 0
    assert run(page_tables, monkeypatch, "--check") == 0
    text = pages[-1].read_text(encoding="utf-8")
    assert "old" not in text
    assert text.startswith("a\n")
    assert text.endswith("-->\nb\n")
    assert "| `html` |" in text


def test_an_unknown_table_is_an_error(page_tables):
    for text in ("<!-- table: nothing -->\n<!-- /table -->", "<!-- value: a.B -->1<!-- /value -->"):
        with pytest.raises(KeyError, match=r"nothing|a\.B"):
            page_tables.fresh(text)


def test_values_are_those_of_the_thresholds(page_tables):
    text = "up to <!-- value: flips.SENSITIVE -->0.1<!-- /value --> of it"
    assert page_tables.fresh(text) == text.replace("0.1", f"{SENSITIVE.value:g}")
    share = text.replace("SENSITIVE", "SENSITIVE %")
    assert page_tables.fresh(share) == share.replace("0.1", f"{100 * SENSITIVE.value:g}")
