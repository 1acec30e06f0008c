"""Markdown for a comment: short, worst first, without active content."""

from __future__ import annotations

import re

import pytest
import report_samples as samples
from sample_audits import changed, finding, results

from modelaudit.findings import Severity
from modelaudit.report.export import markdown
from modelaudit.structs import replace

AUDITS = [make() for make in samples.SAMPLES.values()]


def test_markdown_fits_a_comment_however_many_models():
    made = markdown.render([samples.failing()] * 200, samples.RULES)
    assert len(made) < 65_536
    assert "more in the full report" in made
    assert made.startswith("## Model audit: 200 fail")


def test_markdown_shows_groups_of_models():
    across = [("2 models are `the` same", ["a|b.h5", "c.h5"])] + [("title", ["x"] * 9)] * 12
    made = markdown.render(AUDITS, samples.RULES, across=across)
    lines = made.splitlines()
    assert lines[2] == "- 2 models are \\`the\\` same: `a|b.h5`, `c.h5`"
    assert lines[3] == "- title: `x`, `x`, `x`, `x`, `x` and 4 more"
    assert lines[12] == "- and 3 more such groups"
    full = markdown.render([samples.failing()] * 200, samples.RULES, across=across)
    assert len(full) <= 65_000


def test_markdown_is_worst_first():
    made = markdown.render([samples.large(), samples.failing()], samples.RULES)
    assert made.index("digits-v4") < made.index("large.keras")
    assert made.index("<details open>") < made.index("digits-v4")


def test_markdown_of_a_dangerous_file_says_not_to_load_it():
    bad = finding("MA702", "writes to /etc")
    said = "Do not load this file"
    for found, dangerous in ((bad, True), (replace(bad, severity=Severity.HIGH), False)):
        audit = replace(samples.failing(), results=results([found]))
        assert (said in markdown.render([audit], samples.RULES)) is dangerous
    waived = replace(bad, waived_by="known")
    audit = replace(samples.failing(), results=results([waived]))
    assert said not in markdown.render([audit], samples.RULES)


def test_markdown_does_not_show_an_undecided_diagnosis_as_a_cause():
    cause = {"cause": "not-run", "title": "Cannot be decided without running the model"}
    causes = [{**cause, "belief": 0.5, "evidence": [], "next_steps": []}]
    audit = changed(samples.failing(), diagnosis={"causes": causes})
    made = markdown.render([audit], samples.RULES)
    assert "\nCannot be decided without running the model\n" in made
    assert "Most likely cause" not in made


def test_markdown_says_what_to_do_about_open_findings():
    bad = finding("MA702", "writes to /etc")
    audit = replace(samples.failing(), results=results([bad]))
    said = markdown.escape(samples.RULES["MA702"].fix, 240)
    assert f"<br>**Fix:** {said}" in markdown.render([audit], samples.RULES)
    own = replace(audit, results=results([replace(bad, fix="Ask | the author:\nmail()")]))
    assert "<br>**Fix:** Ask \\| the author |" in markdown.render([own], samples.RULES)
    waived = replace(audit, results=results([replace(bad, waived_by="known")]))
    assert "**Fix:**" not in markdown.render([waived], samples.RULES)


def test_markdown_of_hostile_names_is_inert():
    made = markdown.render([samples.hostile()], samples.RULES)
    outside_code = re.sub(r"`[^`\n]*`", "", made)
    assert set(re.findall(r"<(\w+)", outside_code)) == {"details", "summary", "b", "br", "code"}
    assert "\u202e" not in made
    table = [line for line in made.splitlines() if line.startswith("| ■")]
    assert all(line.replace("\\|", "").count("|") == 6 for line in table)


@pytest.mark.parametrize(
    "text",
    ["[a](b)", "@everyone", "![x](y)", "https://x.y", "<b>", "a|b", "#1", "www.evil.example"],
)
def test_markdown_escapes(text):
    shown = markdown.escape(text)
    assert shown != text
    for active in ("](", "@", "https://", "<b", "www."):
        assert active not in shown
