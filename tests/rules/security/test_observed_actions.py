"""What the sandbox refused while a model ran."""

from __future__ import annotations

import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.findings import Finding, Severity
from modelaudit.probe.protocol import HELD, Observation
from modelaudit.rules.engine import run_rule
from modelaudit.rules.examples import healthy
from modelaudit.rules.model import Facts
from modelaudit.rules.security.observed_actions import RULES
from modelaudit.structs import replace

LOADED = Observation("here", "load_model", Status.LOADED)


def denied(facts: Facts) -> tuple[Finding, ...]:
    (rule,) = [each for each in RULES if each.code == "MA719"]
    return run_rule(rule, facts).findings


@pytest.mark.parametrize(
    ("error", "path"),
    [
        (f"/etc/passwd; Permission denied\n{HELD}", "/etc/passwd"),
        (f"[Errno 13] Permission denied: '/srv/a b/key'\n{HELD}", "/srv/a b/key"),
        (f"{{{{node r}}}} /srv/x.txt; Permission denied [[r]]\n{HELD}", "/srv/x.txt"),
        (f"[Errno 1] Operation not permitted\n{HELD}", None),
        ("/srv/out; Read-only file system", "/srv/out"),
    ],
)
def test_it_is_high_and_names_the_path(error: str, path: str | None) -> None:
    failed = replace(LOADED, status=Status.FAILED, error=error)
    places = [
        replace(healthy(), observations=(failed,)),
        replace(healthy(), observations=(LOADED,), elsewhere=(failed,)),
        replace(healthy(), observations=(LOADED,), probe_skipped=f"it failed: {error}"),
        replace(healthy(), observations=(replace(LOADED, uncallable=error),)),
    ]
    for facts in places:
        (found,) = denied(facts)
        assert (found.severity, found.evidence["path"]) == (Severity.HIGH, path)
        assert HELD not in found.detail


def test_one_finding_for_each_path() -> None:
    errors = (f"/a; Permission denied\n{HELD}", f"/b; Permission denied\n{HELD}")
    attempts = tuple(replace(LOADED, status=Status.FAILED, error=each) for each in errors * 2)
    found = denied(replace(healthy(), observations=attempts))
    assert [each.evidence["path"] for each in found] == ["/a", "/b"]


@pytest.mark.parametrize(
    "error", ["", "No such file: /a", "shape mismatch", "OOM at /device:CPU:0"]
)
def test_other_errors_are_not(error: str) -> None:
    failed = replace(LOADED, status=Status.FAILED, error=error)
    assert denied(replace(healthy(), observations=(failed,))) == ()
