"""MA719 and MA759: what a model did while it was run."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelaudit.audit_types.loading import Status
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.probe.protocol import HELD, Observation
from modelaudit.rules.examples import healthy
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.structs import replace

_SHOWN = 300
# What the sandbox refused: its own note, and what a read-only file system says inside bubblewrap.
_DENIED = re.compile(re.escape(HELD) + "|Read-only file system")
_PATH = re.compile(
    r"(?:Permission denied|not permitted|Read-only file system): '([^'\n]{1,300})'"
    r"|((?:\w{1,10}:/)?/[^\s;:'\"]{1,300})"
)


def check_denied(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """What the model tried and the sandbox did not permit, once for each path."""
    found: dict[str, str] = {}
    for text in _errors(facts):
        if _DENIED.search(text):
            said = text.replace(HELD, "").strip()
            path = _PATH.search(said)
            found.setdefault(next(filter(None, path.groups()), "") if path else "", said)
    for target, said in found.items():
        what = f"access to {target}" if target else "an operation"
        yield rule.finding(
            f"While the model was run, the sandbox refused {what}: {said[:_SHOWN]}",
            evidence={"path": target or None, "error": said[:_SHOWN]},
            key=target,
        )


def _errors(facts: Facts) -> Iterator[str]:
    """Every error message of loading and running the model."""
    for seen in (*facts.observations, *facts.elsewhere):
        yield from (seen.error, seen.uncallable, seen.uncompiled, *seen.notes)
    yield facts.probe_skipped
    yield from facts.behaviour.skipped.values() if facts.behaviour else ()


def check_changed(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Files that changed between the moments before and after the model was run, twice."""
    if facts.changed_while_run:
        name = facts.artifact.root.name
        yield rule.finding(
            f"Files of `{name}` were modified while it was run, and again during a second attempt.",
            key="changed",
        )


def _refused() -> Observation:
    error = f"/srv/secret; Permission denied\n{HELD}"
    return Observation("here", "load_model", Status.FAILED, "PermissionDeniedError", error)


CHANGED = Rule(
    code="MA759",
    name="changed-while-run",
    family=Family.SECURITY,
    severity=Severity.HIGH,
    confidence=Confidence.MEDIUM,
    needs=(Need.ARTIFACT,),
    summary="The model's files were modified while the model was run",
    pass_title="The model's files were not modified while the model was run",
    why="Either another program writes to them, or the model itself does: then the sandbox did not "
    "contain it, and what was audited is not what is there now. Findings on security that were "
    "made before it ran are reported here all the same.",
    fix="Make sure that no program writes to the model, and audit it again. If it still changes, "
    "keep the file for an investigation and load it nowhere.",
    check=check_changed,
    bad=lambda: replace(healthy(), changed_while_run=True),
    good=healthy,
)

RULES = (
    Rule(
        code="MA719",
        name="denied-by-sandbox",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.OBSERVATION,),
        summary="The model tried something that the sandbox does not permit",
        pass_title="The model tried nothing that the sandbox does not permit",
        why="A model reads its own files and computes. This one tried to open another file, a "
        "connection or a program when it was loaded or called. Outside the sandbox it would have "
        "been permitted to, with your permissions.",
        fix="Do not load it outside a sandbox. If the path is one that the author's machine had, "
        "such as a vocabulary, ask for a model that contains the file as an asset.",
        check=check_denied,
        bad=lambda: replace(healthy(), observations=(_refused(),)),
        good=lambda: replace(healthy(), observations=(replace(_refused(), error="out of range"),)),
    ),
    CHANGED,
)
