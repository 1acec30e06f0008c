"""Results of the security rules for a config document."""

from __future__ import annotations

from modelaudit.facts import Document, Json
from modelaudit.findings import Finding, Outcome
from modelaudit.rules.engine import run_rules
from modelaudit.rules.examples import layer, model
from modelaudit.rules.model import Facts
from modelaudit.rules.security import RULES
from modelaudit.structs import replace


def judged(*values: Json) -> list[Finding]:
    documents = tuple(Document("config.json", "", value) for value in values)
    facts = Facts(replace(model(layer()), documents=documents))
    results = run_rules(RULES, facts)
    assert not [each for each in results if each.outcome is Outcome.ERROR]
    return [finding for result in results for finding in result.findings]


def wrapped(layer: Json, compiled: Json = None) -> Json:
    inner: Json = {"name": "m", "layers": [layer]}
    return {"class_name": "Sequential", "config": inner, "compile_config": compiled}


def dense(**config: Json) -> dict[str, Json]:
    return {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", **config}}
