"""Whether a model can be compiled is also told of the runtimes that were asked for."""

from __future__ import annotations

from modelaudit.audit_types.loading import Status
from modelaudit.findings import Outcome
from modelaudit.probe.protocol import Observation
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.structs import replace


def test_another_runtime_that_cannot_compile_the_model() -> None:
    facts = examples.observed(Status.LOADED)()
    compiled = replace(facts, artifact=replace(facts.artifact, training={"loss": "mse"}))
    assert run_rule(rule("MA213"), compiled).outcome is Outcome.PASS
    there = Observation("tf216", "load_model", Status.LOADED, uncompiled="no function mse")
    result = run_rule(rule("MA213"), replace(compiled, elsewhere=(there,)))
    (finding,) = result.findings
    assert "no function mse" in finding.detail
    assert finding.detail.startswith("In tf216, ")
