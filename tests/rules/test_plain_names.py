"""No name of a file begins a line of a finding, behind which reports show code to paste."""

from __future__ import annotations

import pytest

from modelaudit.findings import Finding, Severity
from modelaudit.rules import examples
from modelaudit.rules.catalogue import CATALOGUE, rule
from modelaudit.rules.engine import run_rules
from modelaudit.rules.model import Facts
from modelaudit.rules.plain_names import with_plain_names
from modelaudit.structs import replace

HOSTILE = [
    "x\n__import__('os').system('id')\n#",
    "\nimport os",
    "a\r\nb",
    "a\u2028import os",
    "x`\n`y",
]


def _finding(**texts: str) -> Finding:
    return replace(rule("MA305").finding("said"), **texts)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_in_prose_or_in_a_comment_stays_in_its_line(name):
    artifact = examples.model(examples.layer(name), examples.layer("dense"))
    code = "keras.layers.Dense(2)"
    made = _finding(
        detail=f"`{name}` is wrong.", fix=f"Remove `{name}`:\n{code}  # in place of `{name}`"
    )
    told = with_plain_names(made, artifact)
    assert len(told.detail.splitlines()) == 1
    assert [line.split("  #")[0] for line in told.fix.splitlines()][1:] == [code]
    assert told.severity is made.severity is Severity.HIGH


def test_a_shortened_name_as_well():
    name = "x\nimport os  # " + "y" * 200
    artifact = examples.model(examples.layer(name))
    told = with_plain_names(_finding(fix=f"Remove `{name[:40]}…`."), artifact)
    assert len(told.fix.splitlines()) == 1


def test_texts_without_such_names_stay_as_they_are():
    artifact = examples.model(examples.layer("dense"))
    made = _finding(fix="Use this layer:\nkeras.layers.Dense(2)")
    assert with_plain_names(made, artifact) is made


@pytest.mark.parametrize("name", HOSTILE)
def test_every_rule_on_a_model_with_such_a_layer(name):
    """The code to paste of all findings has no line of the name."""
    layers = [
        examples.layer(name, config={"units": 1, "activation": "softmax"}),
        examples.layer("behind", "Softmax", {}, {}, inbound=((name,),)),
    ]
    facts = Facts(examples.model(*layers))
    findings = [x for result in run_rules(CATALOGUE, facts) for x in result.findings]
    for each in findings:
        for line in each.fix.splitlines()[1:]:
            assert not line.startswith(("__import__", "import os", "b", "`y"))
    assert findings
