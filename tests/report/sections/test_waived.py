"""A pass because of waivers must not look like one without."""

from __future__ import annotations

import json
import re

import report_samples as samples
from sample_audits import finding, results

from modelaudit.findings import Location, Outcome, Severity, Verdict
from modelaudit.report.export import cyclonedx, markdown, sarif
from modelaudit.report.pages.html import render_html
from modelaudit.report.pages.index import RunSummary, render_index
from modelaudit.result_row import result_row
from modelaudit.runs.run_index import index_entry
from modelaudit.structs import replace

REASON = "the head is trained later (vision, until 2027-01-01)"


def audited(*found, verdict=Verdict.PASS):
    return replace(samples.healthy(), results=results([*found]), verdict=verdict)


def known(**changed):
    return finding("MA402", "the head is fresh", location=Location(route="head"), **changed)


def words(page):
    bare = re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    return " ".join(bare.split())


def test_the_first_page_shows_that_a_pass_depends_on_waivers():
    waived = words(render_html(audited(known(waived_by=REASON)), samples.RULES))
    plain = words(render_html(audited(), samples.RULES))
    for said in ("or its findings are waived", "1 more with waived findings", "1 waived"):
        assert said in waived
        assert said not in plain


def test_newly_waived_findings_are_not_called_fixed():
    before, after = audited(known(), verdict=Verdict.FAIL), audited(known(waived_by=REASON))
    shown = words(render_html(after, samples.RULES, previous=before))
    assert "Findings: 1 waived since." in shown
    again = words(render_html(before, samples.RULES, previous=after))
    assert "Findings: 1 new (1 of them no longer waived)." in again


def test_formats_with_waivers_show_them_with_the_reason():
    audits = [audited(known(waived_by=REASON))]
    comment = markdown.render(audits, samples.RULES)
    (row,) = [line for line in comment.splitlines() if "MA402" in line]
    assert row.startswith("| □ Waived |")
    assert "trained later" in row
    bom = json.loads(cyclonedx.render(audits, samples.RULES))
    (component,) = bom["components"]
    (limit,) = component["modelCard"]["considerations"]["technicalLimitations"]
    assert limit.startswith("MA402 ")
    assert REASON in limit
    log = json.loads(sarif.render(audits, samples.RULES))
    (result,) = log["runs"][0]["results"]
    assert result["suppressions"][0]["justification"] == REASON


def test_the_index_counts_waived_findings_separately():
    waived, plain = (
        index_entry(result_row(audit), [])
        for audit in (audited(known(waived_by=REASON)), audited())
    )
    run = RunSummary("/srv/models", samples.CREATED, "tf-modelaudit 0.1.0")
    assert "1 waived" in words(render_index([waived], run, samples.RULES))
    assert "waived" not in words(render_index([plain], run, samples.RULES))


def test_security_actions_come_before_the_diagnosis():
    failing = samples.failing()
    critical = [f for f in failing.findings if f.severity is Severity.CRITICAL]
    assert [f.outcome for f in critical] == [Outcome.FAIL]
    page = render_html(failing, samples.RULES)
    actions = re.search(r'class="actions".*?</section>', page, re.DOTALL)[0]
    first, *others = re.findall(r'href="#([^"]+)"', actions)
    assert first == critical[0].code
    assert "diagnosis" in others


def test_links_to_a_finding_are_stable_across_audits():
    one = known()
    another = finding("MA101", "cut off", location=Location("a.h5"))
    pages = [
        render_html(audited(*found, verdict=Verdict.FAIL), samples.RULES)
        for found in ([one], [another, one])
    ]
    for page in pages:
        assert f'id="{one.code}"' in page
        assert f'id="{one.code}-{one.fingerprint[:8]}"' in page
        assert one.fingerprint in page  # the fingerprint for a waiver of this finding
