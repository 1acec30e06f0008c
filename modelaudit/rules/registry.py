"""MA8xx: does the model keep the contract of the registry that it is stored in?"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.changes.interface import signature_changes
from modelaudit.facts import Artifact, Endpoint, Signature
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules.examples import healthy
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.structs import replace


def _check_breaking(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if facts.previous is None:
        raise NotRelevant("the model does not follow another version in a versioned directory")
    before, after = facts.previous.signatures, facts.artifact.signatures
    if not before or not after:
        which = "the previous version" if not before else "this version"
        raise NotApplicable(f"{which} has no signatures to compare")
    version = facts.previous.root.name
    for change in signature_changes(before, after):
        if change.breaking:
            what = str(change)
            yield rule.finding(
                f"Compared with version {version}: {what}.",
                key=what,
                evidence={"previous": version, "change": what},
            )


def _version(shape: tuple[int | None, ...]) -> Artifact:
    port = Endpoint("x", "x:0", "float32", shape)
    signature = Signature("serving_default", "predict", (port,), ())
    return replace(healthy().artifact, signatures=(signature,))


def _followed(shape: tuple[int | None, ...]) -> Facts:
    return Facts(_version(shape), previous=_version((None, 28, 28, 1)))


RULES = (
    Rule(
        code="MA801",
        name="breaking-version",
        family=Family.REGISTRY,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="Clients of the previous version fail on this version",
        pass_title="Clients of the previous version can call this version",
        why="A server that watches a directory of numbered versions loads the highest number as "
        "soon as it appears. If that version takes other inputs or returns other outputs, every "
        "client fails at that moment although nobody deployed anything.",
        fix="Export the new model with the old signature (same names, types and shapes), or "
        "under another model name until all clients are updated:\n\n"
        "    saved_model_cli show --dir MODEL --all",
        check=_check_breaking,
        bad=lambda: _followed((None, 32, 32, 3)),
        good=lambda: _followed((None, None, None, 1)),
        references=("https://www.tensorflow.org/tfx/serving/serving_config",),
    ),
)
