"""No key of an audit is without a type and a description."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from modelaudit import schema
from modelaudit.pipeline import audit_model, finish_audit
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.examples import ROOT, healthy
from modelaudit.settings import Settings
from modelaudit.settings.audit_target import AuditTarget

EARLIER = sorted((Path(__file__).parent / "earlier").glob("*.json"))
SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
TARGET = AuditTarget(ROOT, ROOT.parent, "a.keras", "a.keras")
SOUND = next(rule for rule in CATALOGUE if rule.good is healthy)
CREATED = "2026-01-02T03:04:05Z"


def closed(node: Any) -> Any:
    """A schema by which an object may have no key but those that are documented."""
    if isinstance(node, list):
        return [closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {key: closed(value) for key, value in node.items()}
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        found["additionalProperties"] = False
    return found


SCHEMA = closed(copy.deepcopy(schema.json_schema()))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
TOP = VALIDATOR.evolve(schema=SCHEMA | {"properties": dict.fromkeys(SCHEMA["properties"], True)})


def undocumented(data: dict[str, object]) -> list[str]:
    found = [f"{error.json_path}: {error.message}" for error in TOP.iter_errors(data)]
    for key in data.keys() & SCHEMA["properties"].keys():
        found += undocumented_in(key, json.dumps(data[key]))
    return found


@cache
def undocumented_in(key: str, section: str) -> list[str]:
    """The same for one section: most audits of examples share most of them."""
    errors = VALIDATOR.evolve(schema=SCHEMA["properties"][key]).iter_errors(json.loads(section))
    return [f"$.{key}{error.json_path[1:]}: {error.message}" for error in errors]


def test_a_key_that_no_type_knows_is_noticed() -> None:
    data = schema.to_json(schema.loads(EARLIER[1].read_text(encoding="utf-8")))
    data["behaviour"]["outputs"][0]["collapse"]["new"] = 1
    (said,) = undocumented(data)
    assert said.startswith("$.behaviour.outputs[0].collapse")
    assert "new" in said


@pytest.mark.parametrize("path", EARLIER, ids=lambda path: path.stem)
def test_audits_of_models_that_were_run(path) -> None:
    audit = schema.loads(path.read_text(encoding="utf-8"))
    assert undocumented(schema.to_json(audit)) == []


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.code)
def test_audits_of_the_rules_examples_are_documented_and_round_trip(rule) -> None:
    shared = rule.good is healthy and rule is not SOUND  # the good example of every fourth rule
    for facts in (rule.bad(), *([] if shared else [rule.good()])):
        audit = finish_audit(facts, TARGET, CREATED, {})
        data = json.loads(schema.dumps(audit))
        assert undocumented(data) == []
        back = schema.from_json(data)
        assert schema.dumps(back) == schema.dumps(audit)
        assert [f.fingerprint for f in back.findings] == [f.fingerprint for f in audit.findings]


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("digits_*")))
def test_audits_of_the_sample_models(name) -> None:
    path = SAMPLES / name
    audit = audit_model(AuditTarget(path, SAMPLES, name, name), Settings(), CREATED)
    assert undocumented(schema.to_json(audit)) == []


def test_every_key_has_a_description() -> None:
    def keys(node: Any) -> Any:
        if isinstance(node, dict):
            properties = node.get("properties")
            if isinstance(properties, dict) and node.get("type") == "object":
                yield from properties.items()
            for value in node.values():
                yield from keys(value)
        elif isinstance(node, list):
            for value in node:
                yield from keys(value)

    found = list(keys(schema.json_schema()))
    assert len(found) > 200
    assert [key for key, node in found if not node.get("description")] == []
