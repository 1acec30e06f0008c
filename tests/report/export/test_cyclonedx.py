"""CycloneDX: valid by the published schema, and correct."""

from __future__ import annotations

import json
from importlib import resources

import jsonschema
import pytest
import referencing
import report_samples as samples
from sample_audits import json_of

from modelaudit.report.export import cyclonedx

AUDITS = [make() for make in samples.SAMPLES.values()]


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
    bom = json.loads(cyclonedx.render(audits, samples.RULES))
    errors = cyclonedx_checker.iter_errors(bom)
    assert [f"{list(e.path)}: {e.message[:300]}" for e in errors] == []
    assert len(bom["components"]) == len(audits)
    bom["components"] = [{"type": "model"}]  # the schema rejects invalid documents
    assert not cyclonedx_checker.is_valid(bom)


def test_cyclonedx_has_only_what_was_measured():
    audit = samples.healthy()
    bom = json.loads(cyclonedx.render([audit], samples.RULES))
    (component,) = bom["components"]
    assert component["type"] == "machine-learning-model"
    assert component["name"] == json_of(audit)["model"]["path"]
    card = component["modelCard"]
    assert card["modelParameters"]["task"] == "classification"
    assert "datasets" not in card["modelParameters"]
    metrics = {m["type"]: m for m in card["quantitativeAnalysis"]["performanceMetrics"]}
    mirrored = metrics["agreement, input mirrored left-right"]
    effects = json_of(audit)["behaviour"]["outputs"][0]["transforms"]
    (effect,) = [effect for effect in effects if effect["name"] == "H"]
    assert float(mirrored["value"]) == pytest.approx(effect["agreement"], abs=5e-4)
    assert "inputs" in mirrored["slice"]
    told = {p["name"]: p["value"] for p in component["properties"]}
    assert told["modelaudit:verdict"] == audit.verdict.value


def test_cyclonedx_lists_security_findings_as_vulnerabilities():
    bom = json.loads(cyclonedx.render(AUDITS, samples.RULES))
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
    once, again = (cyclonedx.render([samples.failing()], samples.RULES) for _ in range(2))
    assert once == again
    other = cyclonedx.render([samples.healthy()], samples.RULES)
    assert json.loads(once)["serialNumber"] != json.loads(other)["serialNumber"]
