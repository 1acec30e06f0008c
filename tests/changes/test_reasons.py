"""Reasons for different verdicts on the same bytes."""

from __future__ import annotations

import msgspec
import pytest

from modelaudit.audit_types.loading import ObservationRow, Status
from modelaudit.changes.reasons import ReasonKind, rejudged_reasons
from modelaudit.findings import Verdict
from modelaudit.pipeline import finish_audit
from modelaudit.rules import examples
from modelaudit.rules.model import Facts
from modelaudit.schema import Audit
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.structs import replace

TARGET = AuditTarget(examples.ROOT, examples.ROOT.parent, "example.keras", "example.keras")


def audited(facts: Facts) -> Audit:
    audit = finish_audit(facts, TARGET, "2026-01-02T03:04:05Z", {})
    return replace(audit, model=msgspec.structs.replace(audit.model, sha256="a" * 64))


SEEN = ObservationRow(runtime="keras", call="x", status=Status.LOADED, versions={"keras": "3.0"})
OLD = replace(audited(examples.healthy()), observations=(SEEN,))


def kinds(new, *, same_tool=True, old=OLD):
    return [each.kind for each in rejudged_reasons(old, new, same_tool=same_tool)]


def observed(**change):
    return replace(OLD, observations=(msgspec.structs.replace(SEEN, **change),))


@pytest.mark.parametrize(
    ("new", "kind"),
    [
        (OLD, ReasonKind.OTHER),
        (replace(OLD, observations=()), ReasonKind.NOT_RUN),
        (observed(versions={"keras": "3.1"}), ReasonKind.RUNTIME),
        (observed(status=Status.TIMEOUT), ReasonKind.RUN_RESULT),
        (replace(OLD, verdict=Verdict.INCOMPLETE), ReasonKind.PARTIAL),
    ],
)
def test_what_differs_is_the_reason(new, kind):
    assert kinds(new) == [kind]


def test_the_way_back():
    assert kinds(OLD, old=replace(OLD, observations=())) == [ReasonKind.RUN]
    assert kinds(OLD, old=replace(OLD, verdict=Verdict.INCOMPLETE)) == [ReasonKind.FULL]


def test_the_rules_are_named_before_the_tool():
    rules = replace(OLD, tool=msgspec.structs.replace(OLD.tool, rules_digest="1" * 64))
    assert kinds(rules, same_tool=False) == [ReasonKind.RULES]
    assert kinds(OLD, same_tool=False) == [ReasonKind.TOOL]


def test_other_bytes_need_no_reason():
    model = msgspec.structs.replace(OLD.model, sha256="f" * 64)
    assert kinds(replace(OLD, model=model), same_tool=False) == []


SAID = "A waiver for this expired on 2026-03-01. "


@pytest.mark.parametrize(
    ("detail", "day"),
    [
        (SAID + "Layer x is lost.", "2026-03-01"),
        (f"{SAID}Layer '{SAID.replace('2026', '2031')}' is lost.", "2026-03-01"),
        (f"Layer '{SAID}' is lost.", ""),
        ("A waiver for this expired on <b>monday</b>. x", ""),
    ],
)
def test_only_the_tool_s_own_sentence_shows_that_a_waiver_expired(detail, day):
    """Later text may contain a name from the model, and names can contain any text."""
    layer = examples.layer(variables={"kernel": "dense/kernel"})
    failing = audited(Facts(examples.model(layer)))
    finding = next(each for each in failing.findings if not each.waived_by)

    def of(text):
        results = [
            replace(each, findings=(replace(finding, detail=text),))
            for each in failing.results
            if finding in each.findings
        ]
        return replace(failing, results=tuple(results))

    found = rejudged_reasons(of("Layer x is lost."), of(detail), same_tool=True)
    assert [each.day for each in found] == [day]
    assert (found[0].kind is ReasonKind.WAIVER_EXPIRED) is bool(day)
