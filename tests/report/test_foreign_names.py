"""Names that are hard to typeset, in the PDF: nothing is cut off or overlaps.

Positions of words come from Poppler, which is independent of the program that made the page.
"""

from __future__ import annotations

import io
import re
import subprocess
import unicodedata
from collections import Counter
from itertools import combinations
from typing import NamedTuple

import pypdf
import pytest
import report_samples as samples
import weasyprint
from lxml import etree
from sample_audits import changed
from sample_foreign import NAMES, layer

from modelaudit.report.pages.pdf import render_pdf

pytestmark = pytest.mark.slow

MILLIMETRE = 72 / 25.4
SIDE = 18 * MILLIMETRE  # the margin beside the text
EDGE = 72 / 6  # unprintable margin, top and bottom
SLACK = 0.75  # points: letters may lean out of their boxes
CELLS = "<table style='table-layout: fixed; width: 90mm'><tr><td>{}<td>next</table>"


class Word(NamedTuple):
    text: str
    left: float
    top: float
    right: float
    bottom: float

    def covers(self, other: Word) -> bool:
        """Whether letters overlap: boxes of tightly set lines may overlap without that."""
        middle, others = (self.top + self.bottom) / 2, (other.top + other.bottom) / 2
        apart = max(self.bottom - self.top, other.bottom - other.top) / 2
        return (
            min(self.right, other.right) - max(self.left, other.left) > SLACK
            and abs(middle - others) < apart
        )


def words(pdf: bytes, path) -> list[tuple[float, float, list[Word]]]:
    """(width, height, words) of every page in points, by `pdftotext -bbox`."""
    path.write_bytes(pdf)
    told = subprocess.run(["pdftotext", "-bbox", str(path), "-"], check=True, capture_output=True)
    tree = etree.fromstring(told.stdout, etree.XMLParser(recover=True))
    pages = []
    for sheet in tree.iter("{*}page"):
        found = [
            Word(w.text or "", *(float(w.get(key)) for key in ("xMin", "yMin", "xMax", "yMax")))
            for w in sheet.iter("{*}word")
        ]
        pages.append((float(sheet.get("width")), float(sheet.get("height")), found))
    return pages


def covered(found: list[Word]) -> list[tuple[str, str]]:
    """Pairs of overlapping words, except combining marks over their letters."""
    letters = [w for w in found if not all(unicodedata.combining(c) for c in w.text)]
    return [(a.text, b.text) for a, b in combinations(letters, 2) if a.covers(b)]


def outside(width: float, height: float, found: list[Word]) -> list[Word]:
    return [
        word
        for word in found
        if word.left < SIDE - SLACK or word.right > width - SIDE + SLACK
        or word.top < EDGE or word.bottom > height - EDGE
    ]  # fmt: skip


@pytest.fixture(scope="module")
def whole(pdf):
    return pdf("foreign", appendix=True)


@pytest.fixture(scope="module", params=["report", "whole"])
def made(request, whole, pdf):
    return whole if request.param == "whole" else pdf("foreign")


def test_no_word_leaves_the_page_or_overlaps_another(made, tmp_path):
    pages = words(made, tmp_path / "report.pdf")
    assert sum(len(found) for *_, found in pages) > 1000
    for number, (width, height, found) in enumerate(pages, 1):
        assert (number, outside(width, height, found)) == (number, [])
        assert (number, covered(found)) == (number, [])


@pytest.mark.parametrize(
    ("style", "spoilt"), [("", False), ("td { white-space: nowrap }", True)], ids=["fits", "spoilt"]
)
def test_the_check_detects_overflow(tmp_path, style, spoilt):
    page = (
        f"<style>@page {{ size: A4; margin: 18mm }} * {{ overflow-wrap: anywhere }} {style}</style>"
    )
    text = weasyprint.HTML(string=page + CELLS.format("long " * 20)).write_pdf()
    ((width, height, found),) = words(text, tmp_path / "page.pdf")
    assert bool(covered(found)) is spoilt
    text = weasyprint.HTML(string=page + CELLS.format("long " * 80)).write_pdf()
    ((width, height, found),) = words(text, tmp_path / "page.pdf")
    assert bool(outside(width, height, found)) is spoilt


def letters(text: str) -> str:
    """Text without white space, and with escapes converted back to characters."""
    plain = re.sub(r"\\u\{([0-9A-F]+)\}", lambda m: chr(int(m[1], 16)), "".join(text.split()))
    return "".join(c for c in plain if unicodedata.category(c) != "Cf" and not c.isspace())


def test_every_character_of_a_name_is_present_or_escaped(whole):
    reader = pypdf.PdfReader(io.BytesIO(whole))
    shown = letters("\n".join(sheet.extract_text() for sheet in reader.pages))
    details = re.findall(r"Thekernelof(.*?)lieswithin", shown)
    assert len(details) == 24
    for number, said in enumerate(details):
        # Visual order, which differs for Hebrew and Arabic; and a page may end within a name.
        assert Counter(letters(layer(number))) - Counter(said) == Counter()


def test_letters_that_need_shaping_are_escaped_in_charts(made, tmp_path):
    """Charts are typeset letter by letter: Hebrew would be reversed, Arabic disconnected."""
    pages = words(made, tmp_path / "report.pdf")
    shown = " ".join(word.text for *_, found in pages for word in found)
    labels = re.search(r"16 of 26 layers are shown\.(.*?)symmetry score", shown)[1]
    for name in ("Hebrew", "Arabic", "combining"):
        needing = [c for c in NAMES[name] if not unicodedata.name(c).startswith("LATIN")]
        assert not set(needing) - {" "} & set(labels)
    assert r"\u{0637}" in labels  # the first letter of the Arabic name


def test_an_escaped_audit_still_equals_the_previous_one():
    whole, blank = samples.foreign(), samples.empty()
    parts = ("architecture", "weights", "symmetry", "behaviour")  # whose pages are many
    audit = changed(whole, **{part: getattr(blank, part) for part in parts})
    made = render_pdf(audit, samples.RULES, previous=audit)
    shown = " ".join(pypdf.PdfReader(io.BytesIO(made)).pages[0].extract_text().split())
    assert "The verdict is still Fail. Findings: 29 unchanged." in shown
    first = render_pdf(blank, samples.RULES, first=True)
    shown = " ".join(pypdf.PdfReader(io.BytesIO(first)).pages[0].extract_text().split())
    assert "there is no earlier audit of this model" in shown
