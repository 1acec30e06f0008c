"""Properties of every report format."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import report_samples as samples

from modelaudit import schema
from modelaudit.errors import UsageError
from modelaudit.report.export import registry
from modelaudit.report.export.job import Job
from modelaudit.report.export.registry import DEFAULT, FORMATS, PER_MODEL, PER_RUN, format_called

AUDITS = [make() for make in samples.SAMPLES.values()]
# Parser by the suffix of the media type; raises if the bytes are not of that type.
PARSERS = {
    "json": json.loads,
    "xml": ET.fromstring,
    "csv": lambda data: [*csv.DictReader(io.StringIO(data.decode()), strict=True)],
    "html": lambda data: data.decode().index("<!doctype html>"),
    "markdown": bytes.decode,
    "pdf": lambda data: data.index(b"%PDF-"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n == "pdf" else []) for n in FORMATS]
)
def test_a_report_matches_its_media_type(name):
    each = FORMATS[name]
    parse = PARSERS[each.media_type.replace("+", "/").rpartition("/")[2]]
    for audits in [[audit] for audit in AUDITS[:2]] if each.per_model else [AUDITS, AUDITS[:1], []]:
        data = each.render(Job(audits, samples.RULES))
        assert data.strip()
        parse(data)


@pytest.mark.parametrize("name", PER_MODEL)
def test_a_report_on_one_model_is_refused_for_several(name):
    with pytest.raises(UsageError, match=f"^{name} shows one audit, not 2$"):
        FORMATS[name].render(Job(AUDITS[:2], samples.RULES))


def test_names_and_files_are_those_of_one_format():
    assert (*PER_MODEL, *PER_RUN) == (*FORMATS,)
    assert {*DEFAULT} <= {*PER_MODEL}
    for each in FORMATS.values():
        assert format_called(each.name) is each
        assert each.name.isalnum()
        assert each.name.islower()
    files = [each.file for each in FORMATS.values()]
    assert len({*files, "index.html", "index.json"}) == len(files) + 2


def test_an_unknown_format_is_rejected_with_a_list_of_formats():
    with pytest.raises(
        UsageError, match="unknown format 'docx'; choose from html, pdf, json, sarif"
    ):
        format_called("docx")


def test_json_is_the_audit_file():
    audit = samples.failing()
    assert FORMATS["json"].render(Job([audit], samples.RULES)).decode() == schema.dumps(audit)


def test_every_module_with_a_renderer_is_a_format():
    folder = Path(registry.__file__).parent
    rendering = [
        path.stem
        for path in folder.glob("*.py")
        if re.search(r"^def render\b", path.read_text(), re.M)
    ]
    assert len(rendering) >= 5
    listed = Path(registry.__file__).read_text()
    assert [name for name in rendering if f"{name}.render(" not in listed] == []
