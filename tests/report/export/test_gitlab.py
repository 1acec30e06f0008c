"""GitLab code quality reports: Code Climate's format, and GitLab's own requirements."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import report_samples as samples
from sample_audits import json_of

from modelaudit.findings import Outcome, Verdict
from modelaudit.report.export import gitlab

SCHEMAS = Path(__file__).parents[1] / "schemas"
AUDITS = [make() for make in samples.SAMPLES.values()]
# GitLab's requirements beyond Code Climate's format: the fields and types checked by its validator
# (app/validators/json_schemas/codeclimate.json in its source), and those of its documentation. They
# are stricter than that file, so that what is valid here is valid there. GitLab silently omits an
# invalid entry from the merge request.
GITLAB = {
    "type": "object",
    "required": ["description", "check_name", "fingerprint", "severity", "location"],
    "properties": {
        "description": {"type": "string", "pattern": r"^[^\n]*\S[^\n]*$"},
        "check_name": {"type": "string", "minLength": 1},
        "fingerprint": {"type": "string", "minLength": 1},
        "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
        "location": {
            "type": "object",
            "required": ["path", "lines"],
            "properties": {
                "path": {"type": "string", "minLength": 1, "not": {"pattern": r"^\./"}},
                "lines": {
                    "type": "object",
                    "required": ["begin"],
                    "properties": {"begin": {"type": "integer", "minimum": 1}},
                },
            },
        },
    },
}


def test_gitlab_entries_have_the_fields_that_gitlab_reads():
    entries = json.loads(gitlab.render(AUDITS, samples.RULES))
    still_open = [f for a in AUDITS for f in a.findings if f.outcome is Outcome.FAIL]
    incomplete = [audit for audit in AUDITS if audit.verdict is Verdict.INCOMPLETE]
    assert len(entries) == len(still_open) + len(incomplete)
    checker = jsonschema.Draft202012Validator(GITLAB)
    for entry in entries:
        assert [f"{list(e.path)}: {e.message}" for e in checker.iter_errors(entry)] == []
        for field in GITLAB["required"]:  # the schema rejects invalid entries
            assert not checker.is_valid({k: v for k, v in entry.items() if k != field})
    prints = [entry["fingerprint"] for entry in entries]
    assert len(set(prints)) == len(prints)
    assert any(entry["description"].startswith("MA402 ") for entry in entries)
    assert sum(entry["check_name"] == "incomplete" for entry in entries) == len(incomplete)


def test_entries_are_issues_of_code_climates_format():
    schema = json.loads((SCHEMAS / "codeclimate-issue.json").read_text())
    checker = jsonschema.Draft7Validator(schema)
    entries = json.loads(gitlab.render(AUDITS, samples.RULES))
    for entry in entries:
        assert [f"{list(e.path)}: {e.message}" for e in checker.iter_errors(entry)] == []
        for field in ("type", "check_name", "description", "categories", "location"):
            assert not checker.is_valid({k: v for k, v in entry.items() if k != field})
        assert not checker.is_valid({**entry, "of_our_own": 1})
    said = {entry["check_name"]: entry["categories"] for entry in entries}
    families = {rule.name: rule.family for rule in samples.RULES.values()}
    assert {families.get(name) for name in said} >= {"security", "compatibility", "weights", None}
    for name, categories in said.items():
        word = {"security": "Security", "compatibility": "Compatibility"}
        assert categories == [word.get(families.get(name, ""), "Bug Risk")]


def test_gitlab_paths_are_relative_to_the_repository():
    audit = samples.failing()
    root, path = json_of(audit)["model"]["root"], json_of(audit)["model"]["path"]

    def shown(base):
        text = gitlab.render([audit], samples.RULES, base=base)
        return {entry["location"]["path"] for entry in json.loads(text)}

    above, _, last = root.rpartition("/")
    inside = {f.location.file for f in audit.findings if f.outcome is Outcome.FAIL}
    files = {f"{path}/{file}" if file else path for file in inside}
    assert path in files and len(files) > 1
    assert shown(root) == files
    assert shown(above) == {f"{last}/{file}" for file in files}
    assert shown("/somewhere/else") == files
