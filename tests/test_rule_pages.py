"""The pages of the rules match the declarations, and an outdated page is detected."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from modelaudit.rules.catalogue import CATALOGUE

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "rule_pages.py"


@pytest.fixture
def rule_pages(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("rule_pages", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PAGES", tmp_path / "rules")
    return module


def run(rule_pages, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["rule_pages.py", *arguments])
    return rule_pages.main()


def test_written_pages_are_current(rule_pages, monkeypatch):
    assert run(rule_pages, monkeypatch, "--check") == 1
    assert run(rule_pages, monkeypatch) == 0
    assert run(rule_pages, monkeypatch, "--check") == 0


@pytest.mark.parametrize("harm", ["change", "remove", "add"])
def test_an_outdated_page_is_named_and_updated(rule_pages, monkeypatch, capsys, harm):
    run(rule_pages, monkeypatch)
    page = rule_pages.PAGES / ("MA999.md" if harm == "add" else f"{CATALOGUE[0].code}.md")
    if harm == "remove":
        page.unlink()
    else:
        page.write_text("x", encoding="utf-8")
    assert run(rule_pages, monkeypatch, "--check") == 1
    assert page.name in capsys.readouterr().err
    run(rule_pages, monkeypatch)
    assert run(rule_pages, monkeypatch, "--check") == 0
    assert page.exists() == (harm != "add")


def test_every_rule_has_a_page_with_its_texts_and_its_own_example(rule_pages):
    pages = rule_pages.pages()
    for rule in CATALOGUE:
        page = pages[f"{rule.code}.md"]
        assert f"({rule.code}.md)" in pages["README.md"]
        assert all(text in page for text in (rule.name, rule.summary, rule.why, rule.fix.strip()))
        finding = next(iter(rule.check(rule, rule.bad())))
        assert finding.detail in page
    assert len(pages) == len(CATALOGUE) + 1
