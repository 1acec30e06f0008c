"""Custom templates work as described in docs/templates.md."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re
from pathlib import Path

import pypdf
import pytest
import report_samples as samples
from jinja2 import Environment, nodes
from sample_audits import json_of

from modelaudit.errors import UsageError
from modelaudit.report import report as view
from modelaudit.report.pages import assets
from modelaudit.report.pages.html import render_html
from modelaudit.report.pages.index import RunSummary, render_index
from modelaudit.report.pages.jinja_environment import known
from modelaudit.report.pages.model_diff import model_diff_page, render_diff_page
from modelaudit.report.pages.pdf import render_pdf

PAGE = (Path(__file__).parents[3] / "docs" / "templates.md").read_text(encoding="utf-8")
CODE = dict(re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def render(folder):
    return render_html(samples.healthy(), samples.RULES, templates_dir=folder)


def test_a_template_of_the_same_name_has_priority(tmp_path):
    write(tmp_path, "report.html.j2", "<h1>{{ report.heading }}</h1>{{ style_hash }}")
    assert render(tmp_path).startswith("<h1>vision/digits-v3.keras</h1>")


def test_the_example_of_the_page_changes_its_blocks_and_nothing_else(tmp_path, pages):
    write(tmp_path, "report.html.j2", CODE["jinja"])
    made = render(tmp_path)
    assert "Acme model review" in made
    assert "Ask the model review board about vision/digits-v3.keras" in made

    def rest(page):
        page = re.sub(r'<p class="kicker">.*?</p>', "", page)
        return re.sub(r"<footer>.*?</footer>", "", page, flags=re.DOTALL).split()

    assert rest(made) == rest(pages["healthy"])


def test_the_page_lists_the_existing_files_and_blocks():
    root = assets.templates_root()
    table = "".join(re.findall(r"^\| `.*\n", PAGE, re.MULTILINE))
    assert set(re.findall(r"`([\w/.]+\.(?:j2|css|js))`", table)) == set(known())
    source = (root / "report.html.j2").read_text()
    blocks = list(Environment().parse(source).find_all(nodes.Block))
    told = re.search(r"in the order of the page:(.*?)\. The", PAGE, re.DOTALL)[1]
    assert re.findall(r"`(\w+)`", told) == [block.name for block in blocks]


def test_a_custom_style_is_allowed_by_the_policy(tmp_path):
    write(tmp_path, "css/extra.css", CODE["css"])
    for made in (
        render(tmp_path),
        render_index([], RunSummary("r", "2026", "m"), {}, templates_dir=tmp_path),
    ):
        (style,) = re.findall(r"<style>(.*?)</style>", made, re.DOTALL)
        assert style.rstrip().endswith(CODE["css"].strip())
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}'" in html.unescape(made)


def test_a_style_sheet_cannot_end_its_element(tmp_path):
    write(tmp_path, "css/screen.css", "</style><script>alert(1)</script>")
    with pytest.raises(UsageError):
        render(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<p>\n\n{{ modle.x }}", r"report\.html\.j2:3: UndefinedError: 'modle' is undefined"),
        ("<p>\n{% if %}", r"report\.html\.j2:2: Expected an expression"),
        ("{% extends 'modelaudit/report.html.j2' %}{% block kicker %}\n{{ 1 / 0 }}{% endblock %}",
         r"report\.html\.j2:2: ZeroDivisionError"),
        ("{% include 'absent.j2' %}", "template file missing: absent.j2"),
        ("{% include '../../etc/passwd' %}", "template file missing"),
        ("{{ report.__class__.__mro__ }}", r"j2:1: SecurityError"),
        ("{{ ''.__class__.__base__.__subclasses__() }}", r"j2:1: SecurityError"),
        ("{{ report.contents.append(1) }}", r"j2:1: (SecurityError|UndefinedError)"),
        ("{{ '{0.__class__}'.format(report) }}", r"j2:1: SecurityError"),
    ],
)  # fmt: skip
def test_template_errors_are_reported_with_file_and_line(tmp_path, text, said):
    write(tmp_path, "report.html.j2", text)
    with pytest.raises(UsageError, match=said):
        render(tmp_path)


def test_values_stay_escaped_in_templates_of_the_user(tmp_path):
    write(tmp_path, "report.html.j2", "<h1>{{ report.heading }}</h1>")
    made = render_html(samples.hostile(), samples.RULES, templates_dir=tmp_path)
    assert made.count("<") == 2
    assert "\u202e" not in made


def test_a_missing_directory_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="not a template directory"):
        render(tmp_path / "absent")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("reprot.html.j2", "report.html.j2"),
        ("report.html", "report.html.j2"),
        ("indx.html.j2", "index.html.j2"),
        ("extra.css", "css/extra.css"),
        ("css/screeen.css", "css/screen.css"),
        ("js/index.ts", "js/index.js"),
        ("fonts/extra.css", "css/extra.css"),
    ],
)
def test_a_file_that_replaces_nothing_is_reported_with_the_nearest_name(tmp_path, name, near):
    write(tmp_path, "css/extra.css", "")
    path = write(tmp_path, name, "")
    with pytest.raises(UsageError, match=f"{path} replaces no template; did you mean {near}\\? "):
        render(tmp_path)


def test_custom_files_are_included_from_a_folder_or_by_an_underscore(tmp_path):
    write(tmp_path, "report.html.j2", "{% include '_head.j2' %}{% include 'parts/foot.j2' %}")
    write(tmp_path, "_head.j2", "<h1>{{ report.heading }}</h1>")
    write(tmp_path, "parts/foot.j2", "<footer>")
    write(tmp_path, ".gitignore", "*~")
    assert render(tmp_path) == "<h1>vision/digits-v3.keras</h1><footer>"


def test_a_directory_that_replaces_nothing_is_a_usage_error(tmp_path):
    write(tmp_path, "ccs/extra.css", "")
    with pytest.raises(UsageError, match=r"replaces no template; choose from .*css/extra.css"):
        render(tmp_path)


@pytest.mark.parametrize("name", ["index.html.j2", "css/extra.css"])
def test_a_file_that_is_not_text_is_reported_before_rendering(tmp_path, name):
    (tmp_path / "css").mkdir()
    (tmp_path / name).write_bytes(b"caf\xe9")
    with pytest.raises(UsageError, match=f"cannot read .*{name} as UTF-8"):
        render_html(samples.healthy(), samples.RULES, templates_dir=tmp_path)


def test_an_included_file_that_is_not_text_is_a_usage_error(tmp_path):
    (tmp_path / "_own.j2").write_bytes(b"caf\xe9")
    (tmp_path / "report.html.j2").write_text("{% include '_own.j2' %}")
    with pytest.raises(UsageError, match=r"report.html.j2: .* not UTF-8"):
        render_html(samples.healthy(), samples.RULES, templates_dir=tmp_path)


def test_a_comparison_uses_custom_templates(tmp_path):
    write(tmp_path, "comparison.html.j2", '{% extends "modelaudit/comparison.html.j2" %}'
          "{% block kicker %}<p>Acme compares</p>{% endblock %}")  # fmt: skip
    shown = model_diff_page(samples.healthy(), samples.failing(), [], [])
    assert "<p>Acme compares</p>" in render_diff_page(shown, templates_dir=tmp_path)
    assert "Acme" not in render_diff_page(shown)


def test_an_appendix_is_complete():
    audit = samples.large()
    report = view.build(audit, samples.RULES)
    whole = view.unabridged(report)
    for section, more in zip(report.sections, whole.sections, strict=True):
        for block, printed in zip(section.blocks, more.blocks, strict=True):
            rows = getattr(block, "rows", getattr(block, "items", ()))
            count = getattr(printed, "print_rows", getattr(printed, "print_items", len(rows)))
            assert count == len(rows)
    assert all(card.printed == len(card.occurrences) for card in whole.findings.cards)


@pytest.mark.slow
def test_a_pdf_with_an_appendix_has_every_layer():
    audit = samples.large(40)  # of which a report without an appendix shows 12
    made = render_pdf(audit, samples.RULES, appendix=True, paper="letter")
    reader = pypdf.PdfReader(io.BytesIO(made))
    assert [round(float(x)) for x in reader.pages[0].mediabox[2:]] == [612, 792]
    shown = "".join("".join(sheet.extract_text() for sheet in reader.pages).split())
    assert all(layer["route"] in shown for layer in json_of(audit)["architecture"]["layers"])
