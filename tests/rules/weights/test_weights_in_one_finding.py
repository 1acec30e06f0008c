"""Weights of one cause are one finding, and the advice is for the format that holds them."""

from __future__ import annotations

import pytest

from modelaudit.facts import Format
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.structs import replace


@pytest.mark.parametrize(("wrong", "more"), [(1, ""), (2, "1 other weight does"), (3, "2 other")])
def test_weights_of_other_shapes_are_one_finding(wrong: int, more: str) -> None:
    names = [f"dense_{number}" for number in range(3)]
    layers = [examples.layer(name, variables={"kernel": f"{name}/kernel"}) for name in names]
    tensors = tuple(
        examples.tensor(f"{name}/kernel", (5 if number < wrong else 4, 2))
        for number, name in enumerate(names)
    )
    facts = Facts(examples.model(*layers, tensors=tensors))
    (found,) = run_rule(rule("MA114"), facts).findings
    assert found.evidence["n"] == wrong
    assert more in found.detail
    assert ("not fit either" in found.detail) is (wrong > 1)


@pytest.mark.parametrize(
    ("form", "word"), [(Format.TFJS_LAYERS, "weightsManifest"), (None, "save(")]
)
def test_missing_weights_are_advised_on_in_their_format(form: Format | None, word: str) -> None:
    facts = rule("MA112").bad()
    form = form or facts.artifact.format
    facts = replace(facts, artifact=replace(facts.artifact, format=form))
    (found,) = run_rule(rule("MA112"), facts).findings
    assert word in found.fix
