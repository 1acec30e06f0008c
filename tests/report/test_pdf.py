from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pypdf
import pytest
import report_samples as samples

from modelaudit import schema
from modelaudit.errors import UsageError
from modelaudit.report.pdf import fetch_bundled, render_pdf

pytestmark = pytest.mark.slow

LARGEST = 350_000


@pytest.fixture(scope="module")
def made():
    return {name: render_pdf(make(), samples.RULES) for name, make in samples.SAMPLES.items()}


@pytest.fixture(scope="module", params=list(samples.SAMPLES))
def named(request, made):
    return request.param, pypdf.PdfReader(io.BytesIO(made[request.param]))


def test_it_is_tagged_archivable_and_in_english(named):
    _, reader = named
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert root["/Lang"] == "en"
    xmp = root["/Metadata"].get_object().get_data().decode()
    assert 'pdfaid:part="3"' in xmp
    assert 'pdfaid:conformance="A"' in xmp
    assert root["/OutputIntents"]


def test_the_audit_is_attached_as_it_is(named):
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
    assert starts["Diagnosis"] == 1  # behind the contents, which start a page


def test_pages_are_numbered_and_carry_model_and_verdict(made):
    reader = pypdf.PdfReader(io.BytesIO(made["failing"]))
    count = len(reader.pages)
    for number, page in enumerate(reader.pages, 1):
        shown = page.extract_text()
        assert f"page {number} of {count}" in shown
        if number > 1:
            assert "vision/broken/digits-v4" in shown
            assert "Audit verdict: Fail" in shown


def test_contents_name_the_pages_that_chapters_start_on(made):
    reader = pypdf.PdfReader(io.BytesIO(made["failing"]))
    contents = reader.pages[1].extract_text()
    marks = {mark.title: reader.get_destination_page_number(mark) + 1
             for mark in reader.outline if not isinstance(mark, list)}  # fmt: skip
    for title in ("Diagnosis", "Findings", "Figures", "Compatibility", "Behaviour",
                  "Architecture", "Weights", "Method and limits", "Appendix"):  # fmt: skip
        line = next(row for row in contents.splitlines() if row.startswith(title))
        assert int(line.rpartition(" ")[2].strip(". ")) == marks[title]


def test_it_stays_small_and_short(named, made):
    name, reader = named
    assert len(reader.pages) <= 16
    assert len(made[name]) <= LARGEST


def test_layer_tables_are_cut_and_say_so(made):
    reader = pypdf.PdfReader(io.BytesIO(made["large"]))
    shown = "\n".join(page.extract_text() for page in reader.pages)
    assert "first 40 of 401 rows" in shown.replace("\n", " ")


def test_every_figure_has_a_text_in_its_place(made):
    reader = pypdf.PdfReader(io.BytesIO(made["healthy"]))
    figures = []

    def walk(node):
        node = node.get_object()
        if isinstance(node, pypdf.generic.ArrayObject):
            for item in node:
                walk(item)
        elif isinstance(node, pypdf.generic.DictionaryObject):
            if node.get("/S") == "/Figure":
                figures.append(node)
            if "/K" in node:
                walk(node["/K"])

    walk(reader.trailer["/Root"]["/StructTreeRoot"])
    described = [figure for figure in figures if "/Alt" in figure]
    assert len(described) == 6
    assert all(len(figure["/Alt"]) > 30 for figure in described)


def test_only_bundled_fonts_are_used_for_latin_text(made):
    reader = pypdf.PdfReader(io.BytesIO(made["healthy"]))
    names = set()
    for page in reader.pages:
        for font in page["/Resources"]["/Font"].values():
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


def test_paper_is_chosen_and_checked():
    reader = pypdf.PdfReader(io.BytesIO(render_pdf(samples.empty(), {}, paper="letter")))
    assert [round(float(x)) for x in reader.pages[0].mediabox[2:]] == [612, 792]
    with pytest.raises(UsageError):
        render_pdf(samples.empty(), {}, paper="A4; } body { color: red")


SCRIPT = """
import hashlib, sys
sys.path[:0] = [{tests!r}]
import report_samples as samples
from modelaudit.report.html import render_html
from modelaudit.report.pdf import render_pdf
audit = samples.healthy()
for made in (render_html(audit, samples.RULES).encode(), render_pdf(audit, samples.RULES)):
    print(hashlib.sha256(made).hexdigest())
"""


def test_two_processes_render_the_same_bytes(made):
    here = Path(__file__).parent
    outputs = []
    for seed in ("0", "4711"):
        environment = dict(os.environ, PYTHONHASHSEED=seed)
        outputs.append(
            subprocess.run(
                [sys.executable, "-c", SCRIPT.format(tests=str(here))],
                cwd=here.parents[1], env=environment, check=True, capture_output=True, text=True,
            ).stdout.split()
        )  # fmt: skip
    assert len(outputs[0]) == 2
    assert outputs[0] == outputs[1]
    assert outputs[0][1] == hashlib.sha256(made["healthy"]).hexdigest()
