"""The first actions of a report: in a safe order, and in complete sentences."""

from __future__ import annotations

import pytest
import report_samples as samples
from sample_audits import changed, finding, results

from modelaudit.findings import Confidence, Severity, Verdict
from modelaudit.report.pages.html import render_html
from modelaudit.report.sections import findings, verdict
from modelaudit.runs.write_reports import rule_infos as rules
from modelaudit.structs import replace

DANGEROUS = finding("MA702", "writes to /etc")


def actions(audit):
    page = verdict.build(audit, None, findings.build(audit, samples.RULES))
    return [("".join(span.text for span in each.text), each) for each in page.actions]


def of(*found, diagnosis=None, verdict=Verdict.FAIL):
    return changed(
        samples.failing(), results=results([*found]), verdict=verdict, diagnosis=diagnosis or {}
    )


def diagnosed(*steps, code="", cause="partial-restore"):
    evidence = [{"text": "seen", "code": code}]
    steps = [{"text": step, "code": ""} for step in steps]
    return {"causes": [{"cause": cause, "belief": 0.9, "evidence": evidence, "next_steps": steps}]}


def test_a_dangerous_file_is_replaced_and_not_made_to_load():
    audit = samples.failing()
    audit = replace(audit, results=results([*audit.findings, DANGEROUS]))
    said = actions(audit)
    assert [each.href for _, each in said] == ["MA702"] * 3
    page = verdict.build(audit, None, findings.build(audit, samples.RULES))
    assert page.meaning.startswith("Do not load this file")
    assert page.dangerous
    assert "clean copy from the author" in said[1][0]
    assert "modelaudit audit COPY" in said[2][0]


def test_a_waived_danger_does_not_hide_the_diagnosis():
    audit = samples.failing()
    waived = replace(DANGEROUS, waived_by="looked at by hand")
    audit = replace(audit, results=results([*audit.findings, waived]))
    assert "diagnosis" in [each.href for _, each in actions(audit)]


def test_the_option_to_run_dangerous_models_is_mentioned_once_if_relevant():
    quiet = {
        "observations": (),
        "behaviour": {"skipped_reason": "a critical finding prevents running it"},
    }
    page = render_html(changed(of(DANGEROUS), **quiet), samples.RULES)
    assert page.count("--probe-unsafe") == 1
    harmless = render_html(changed(of(finding("MA203", "old")), **quiet), samples.RULES)
    assert "--probe-unsafe" not in harmless


def test_findings_worse_than_the_diagnosis_come_before_it():
    low = finding("MA501", "favours one side", severity=Severity.LOW)
    found = of(low, finding("MA203", "old"), diagnosis=diagnosed("Train on.", code="MA501"))
    assert [each.href for _, each in actions(found)] == ["MA203", "diagnosis"]


def test_the_diagnosis_comes_before_findings_of_equal_severity():
    found = of(
        finding("MA402", "fresh"),
        finding("MA601", "one answer"),
        diagnosis=diagnosed("Restore it.", code="MA402"),
    )
    assert [each.href for _, each in actions(found)] == ["diagnosis", "MA601"]


def test_explained_symptoms_are_not_listed_separately():
    symptom, cause = finding("MA602", "flips matter"), finding("MA402", "fresh")
    found = of(symptom, cause, diagnosis=diagnosed("Restore it.", code="MA402"))
    assert [each.href for _, each in actions(found)] == ["diagnosis"]
    assert [each.href for _, each in actions(of(symptom))] == ["MA602"]


@pytest.mark.parametrize("collapsed", [True, False])
def test_a_pass_whose_output_was_constant_is_to_be_run_on_real_inputs(collapsed):
    audit = of(
        diagnosis=diagnosed("Provide 64 real texts.", cause="undecided-without-images"),
        verdict=Verdict.PASS,
    )
    first = audit.behaviour.outputs[0]
    state = replace(first.collapse, collapsed=collapsed)
    behaviour = replace(audit.behaviour, outputs=(replace(first, collapse=state),))
    said = actions(replace(audit, behaviour=behaviour))
    assert [text for text, _ in said] == ["Provide 64 real texts."] * collapsed


def test_no_step_ends_inside_a_sentence():
    first = "Send one picture through both pipelines " + "and compare the arrays " * 8 + "at last."
    assert len(first) > verdict.ACTION_ROOM
    (said, _), *_ = actions(of(diagnosis=diagnosed(first + " Then do more, e.g. look at it.")))
    assert said == first
    short = "Do this (v. 3.1 or newer). Then that."
    (said, _), *_ = actions(of(diagnosis=diagnosed(short)))
    assert said == short


def test_an_overlong_sentence_is_cut():
    (said, _), *_ = actions(of(diagnosis=diagnosed("very " * 2000)))
    assert len(said) <= verdict.LONGEST_SENTENCE
    assert said.endswith("…")


def test_a_certain_cause_states_its_basis():
    def certain(observed):
        found = finding("MA601", "differs", confidence=Confidence.CERTAIN)
        info = replace(samples.RULES["MA601"], observed=observed)
        (card,) = findings.build(of(found), {"MA601": info}).cards
        return card.confidence

    assert certain(observed=True) == "certain (observed)"
    assert "stored bytes" in certain(observed=False)
    known = rules()
    assert [known[code].observed for code in ("MA605", "MA211", "MA401", "MA702")] == [
        *(True, True, False, False)
    ]
