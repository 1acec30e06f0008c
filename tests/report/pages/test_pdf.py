from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import outloud
import page
import pypdf
import pytest
import report_samples as samples
from sample_audits import changed

from modelaudit import schema
from modelaudit.errors import UsageError
from modelaudit.report.pages.html import render_html
from modelaudit.report.pages.pdf import fetch_bundled, render_pdf

pytestmark = pytest.mark.slow

LARGEST = 350_000


@pytest.fixture(scope="module")
def made(pdf):
    return {name: pdf(name) for name in samples.SAMPLES}


@pytest.fixture(scope="module", params=list(samples.SAMPLES))
def named(request, made):
    return request.param, pypdf.PdfReader(io.BytesIO(made[request.param]))


def structure(reader):
    """All elements of the structure tree."""
    found, waiting = [], [reader.trailer["/Root"]["/StructTreeRoot"]]
    while waiting:
        node = waiting.pop().get_object()
        if isinstance(node, pypdf.generic.ArrayObject):
            waiting += node
        elif isinstance(node, pypdf.generic.DictionaryObject):
            found.append(node)
            waiting += [node["/K"]] if "/K" in node else []
    return found


def test_the_pdf_is_tagged_archivable_and_in_english(named):
    _, reader = named
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert root["/Lang"] == "en"
    xmp = root["/Metadata"].get_object().get_data().decode()
    assert 'pdfaid:part="3"' in xmp
    assert 'pdfaid:conformance="A"' in xmp
    assert root["/OutputIntents"]


@pytest.mark.parametrize("profile", ["3a", "ua1"])
def test_the_pdf_conforms_to_archiving_and_accessibility_standards(named, made, profile):
    name, _ = named
    report = page.validate_pdf_bytes(made[name], profile=profile)
    assert [(f.rule_id, f.message, f.object_id) for f in report.failures] == []
    assert report.is_compliant
    assert report.rules.total > 50


def test_an_accessibility_checker_finds_no_error(named, made, tmp_path):
    name, _ = named
    path = tmp_path / "report.pdf"
    path.write_bytes(made[name])
    result = outloud.check(str(path))
    assert result.error is None
    assert len(result.runs) > 50
    assert [(f.rule, f.message) for f in result.findings if f.severity == "error"] == []


def test_headers_of_tables_have_a_scope(named):
    _, reader = named
    cells = [element for element in structure(reader) if element.get("/S") == "/TH"]
    assert {cell["/A"]["/Scope"] for cell in cells} <= {"/Column", "/Row"}


def test_the_structure_has_no_empty_elements(named):
    _, reader = named
    spans = [element for element in structure(reader) if element.get("/S") == "/Span"]
    assert all("/K" in span and len(span["/K"]) for span in spans)


def test_running_headers_are_artifacts(made):
    reader = pypdf.PdfReader(io.BytesIO(made["failing"]))
    for sheet in reader.pages[1:]:
        drawn = sheet.get_contents().get_data()
        assert drawn.count(b"/Artifact\nBMC") >= 4  # two at the top, two at the bottom


def test_characters_without_glyphs_are_escaped():
    audit = samples.model(path="models/\U0001f996 \u16a0.keras")
    reader = pypdf.PdfReader(io.BytesIO(render_pdf(changed(samples.empty(), model=audit), {})))
    shown = reader.pages[0].extract_text()
    for character in "\U0001f996\u16a0":  # escaped, or drawn if a system font has it
        assert f"u{{{ord(character):04X}}}" in shown or character in shown


def test_the_audit_is_attached_unchanged(named):
    name, reader = named
    (content,) = reader.attachments["audit.json"]
    assert content.decode() == schema.dumps(samples.SAMPLES[name]())
    assert json.loads(content)["schema_version"] == schema.SCHEMA_VERSION
    associated = {item.idnum for item in reader.trailer["/Root"]["/AF"]}
    assert len(associated) == 1


def test_the_verdict_fits_the_first_page(named):
    _, reader = named
    starts = {mark.title: reader.get_destination_page_number(mark)
              for mark in reader.outline if not isinstance(mark, list)}  # fmt: skip
    assert starts["Verdict"] == 0
    assert starts["Diagnosis"] in (0, 1)


@pytest.mark.parametrize(
    ("name", "shown_name"),
    [("failing", "vision/broken/digits-v4"), ("foreign", "Conv10BatchNormReluC")],
)
def test_pages_have_a_number_and_model_and_verdict(made, name, shown_name):
    reader = pypdf.PdfReader(io.BytesIO(made[name]))
    count = len(reader.pages)
    for number, sheet in enumerate(reader.pages, 1):
        shown = sheet.extract_text()
        assert f"page {number} of {count}" in shown
        if number > 1:
            assert shown_name in shown
            assert "Audit verdict: Fail" in shown


@pytest.mark.parametrize("name", ["failing", "foreign"])
def test_contents_name_the_pages_that_chapters_start_on(made, name):
    reader = pypdf.PdfReader(io.BytesIO(made[name]))
    contents = "\n".join(sheet.extract_text() for sheet in reader.pages[:2])
    marks = {mark.title: reader.get_destination_page_number(mark) + 1
             for mark in reader.outline if not isinstance(mark, list)}  # fmt: skip
    for title in ("Diagnosis", "Findings", "Figures", "Compatibility", "Behaviour",
                  "Architecture", "Weights", "Method and limits", "Appendix"):  # fmt: skip
        (shown,) = re.findall(rf"{title}[ .]+(\d+)\b", contents)
        assert int(shown) == marks[title]


def test_the_pdf_is_small_and_short(named, made):
    name, reader = named
    assert len(reader.pages) <= (8 if name == "healthy" else 12)
    assert len(made[name]) <= LARGEST


def test_layer_tables_are_truncated_with_a_note(made):
    reader = pypdf.PdfReader(io.BytesIO(made["large"]))
    shown = "\n".join(sheet.extract_text() for sheet in reader.pages)
    assert "first 12 of 401 rows" in shown.replace("\n", " ")


def test_every_figure_has_an_alternative_text(made):
    reader = pypdf.PdfReader(io.BytesIO(made["healthy"]))
    figures = [element for element in structure(reader) if element.get("/S") == "/Figure"]
    described = [figure for figure in figures if "/Alt" in figure]
    assert len(described) == 7
    assert all(len(figure["/Alt"]) > 30 for figure in described)


def test_only_bundled_fonts_are_used_for_latin_text(made):
    reader = pypdf.PdfReader(io.BytesIO(made["healthy"]))
    names = set()
    for sheet in reader.pages:
        for font in sheet["/Resources"]["/Font"].values():
            names.add(font.get_object()["/BaseFont"].partition("+")[2])
    assert names == {"Inter", "Inter-Semi-Bold", "JetBrains-Mono-NL"}


@pytest.mark.parametrize(
    "address",
    ["https://example.com/x.png", "file:///etc/passwd", "font:../report.html.j2", "font:",
     "data:text/html,x", "ftp://example.com", "Inter-Regular.otf"],
)  # fmt: skip
def test_nothing_but_bundled_fonts_and_inline_images_is_fetched(address):
    assert fetch_bundled(address).read() == b""


def test_a_bundled_font_is_fetched():
    assert fetch_bundled("font:Inter-Regular.otf").read()[:4] == b"OTTO"


def test_the_paper_size_is_chosen_and_checked():
    reader = pypdf.PdfReader(io.BytesIO(render_pdf(samples.empty(), {}, paper="letter")))
    assert [round(float(x)) for x in reader.pages[0].mediabox[2:]] == [612, 792]
    with pytest.raises(UsageError):
        render_pdf(samples.empty(), {}, paper="A4; } body { color: red")


SCRIPT = """
import hashlib, sys
sys.path[:0] = [{tests!r}]
import report_samples as samples
from modelaudit.report.pages.html import render_html
from modelaudit.report.pages.pdf import render_pdf
audit = samples.foreign()  # with every section, rendered twice because of its letters
for made in (render_html(audit, samples.RULES).encode(), render_pdf(audit, samples.RULES)):
    print(hashlib.sha256(made).hexdigest())
"""


def test_two_processes_render_the_same_bytes(made):
    here = Path(__file__).parents[1]
    theirs = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(tests=str(here))],
        cwd=here.parents[1], env=dict(os.environ, PYTHONHASHSEED="4711"), check=True,
        capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    html = render_html(samples.foreign(), samples.RULES).encode()
    assert theirs == [hashlib.sha256(each).hexdigest() for each in (html, made["foreign"])]
