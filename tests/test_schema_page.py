"""docs/audit-json.md says what the schema says, and a page that does not is noticed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from modelaudit.schema import json_schema

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "schema_page.py"


@pytest.fixture
def schema_page():
    spec = importlib.util.spec_from_file_location("schema_page", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(schema_page, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["schema_page.py", *arguments])
    return schema_page.main()


def test_the_page_is_current(schema_page, monkeypatch):
    assert run(schema_page, monkeypatch, "--check") == 0


def test_an_outdated_page_is_detected_and_updated(schema_page, monkeypatch, tmp_path, capsys):
    for folder in ("docs", "modelaudit/schemas"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(schema_page, "ROOT", tmp_path)
    assert run(schema_page, monkeypatch, "--check") == 1
    assert "audit-json.md" in capsys.readouterr().err
    assert run(schema_page, monkeypatch) == 0
    assert run(schema_page, monkeypatch, "--check") == 0


def test_every_row_of_a_table_is_one_line(schema_page):
    page = schema_page.page("audit", schema_page.schema_of("audit"))
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) > 300
    assert [row for row in rows if not row.endswith("|")] == []


def test_every_description_of_the_schema_is_on_the_page(schema_page):
    page = schema_page.page("audit", json_schema())

    def descriptions(node):
        if isinstance(node, dict):
            if isinstance(node.get("description"), str):
                yield node["description"]
            for value in node.values():
                yield from descriptions(value)
        elif isinstance(node, list):
            for value in node:
                yield from descriptions(value)

    texts = list(descriptions(json_schema()))
    assert len(texts) > 50
    lowered = page.lower()
    shown = [text.replace("|", "\\|").lower() for text in texts]
    assert [text for text in shown if text not in lowered] == []


def test_every_key_of_every_object_has_its_line(schema_page):
    page = schema_page.page(
        "audit",
        {
            "title": "t",
            "description": "d",
            "required": ["a"],
            "properties": {
                "a": {"type": "array", "items": {"$ref": "#/$defs/x"}},
                "b": {"enum": ["p", "q"]},
            },
            "$defs": {
                "x": {
                    "type": "object",
                    "required": ["k"],
                    "properties": {
                        "k": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                        "l": {"type": "object", "properties": {"m": {"type": "string"}}},
                    },
                }
            },
        },
    )
    assert "| `b` | `p`, `q` |" in page
    assert "| **`k`** | integer or null |" in page
    assert "| `l.m` | string |" in page
