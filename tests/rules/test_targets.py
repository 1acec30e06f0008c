"""MA220: requirements for named target runtimes, and for default ones."""

from __future__ import annotations

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.findings import Outcome
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.runtimes.model import Prediction, Reason
from modelaudit.settings import Settings
from modelaudit.structs import replace

RULE = rule("MA220")


def refused(runtime, *reasons):
    because = tuple(
        Reason(code, LoadOutcome.FAILS, f"{code} is not there", "TypeError", f"mend {code}")
        for code in reasons
    )
    return Prediction(runtime, "load_model", LoadOutcome.FAILS, because)


NEW = Prediction("tf==2.21.0", "load_model", LoadOutcome.LOADS)
OLD = refused("tf-keras==2.21.0", "class", "argument")


def asked(*predictions, targets=()):
    settings = Settings(targets=targets)
    return run_rule(RULE, replace(examples.healthy(), predictions=predictions, settings=settings))


def test_one_default_runtime_is_enough():
    assert asked(OLD, NEW).outcome is Outcome.PASS


def test_each_named_target_has_to_load_it():
    found = asked(OLD, NEW, targets=("tf-keras==2.21.0", "tf==2.21.0"))
    (finding,) = found.findings
    assert finding.title == "A target runtime cannot load the model"
    assert finding.fix == "mend class"
    assert len(asked(OLD, refused("tf==2.3.4", "it"), targets=("a", "b")).findings) == 2


def test_if_no_runtime_loads_it_one_finding_has_the_fix_for_the_nearest():
    (finding,) = asked(OLD, refused("tf==2.21.0", "code")).findings
    assert finding.fix == "mend code"
    assert finding.title == RULE.summary
    assert all(name in finding.detail for name in ("tf-keras==2.21.0", "tf==2.21.0"))
    assert finding.evidence["others"] == {"tf-keras==2.21.0": "class is not there"}


def test_a_pass_claims_only_what_was_checked():
    assert "if no target is set, in at least one of the checked" in asked(OLD, NEW).reason
