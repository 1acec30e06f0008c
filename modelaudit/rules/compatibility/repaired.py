"""MA227: files that `modelaudit repair` wrote."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.repair import (
    Repair,
    RepairChange,
    RepairedFile,
    RepairProof,
    RepairStatus,
)
from modelaudit.facts import Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.restore.repair_record import RepairRecord
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.structs import replace

SHOWN = 20  # changes in the evidence; the record has all of them


def _repaired(rule: Rule, facts: Facts) -> Iterator[Finding]:
    record = facts.repaired
    if record is None:
        return
    if record.repair is None:
        yield rule.finding(
            f"`{record.file}` is next to the model, but cannot be read as the record of a repair: "
            f"{record.problem}",
            evidence={"file": record.file},
            title="The record of a repair cannot be read",
            severity=Severity.LOW,
        )
        return
    if not record.same_file:
        yield rule.finding(
            f"`{record.file}` is the record of another file: the digest of this one differs.",
            evidence={"file": record.file},
            title="The record of a repair is that of another file",
            severity=Severity.LOW,
            fix="Repair the original again, or delete the record.",
        )
        return
    yield _told(rule, record.repair, record.file)


def _told(rule: Rule, repair: Repair, file: str) -> Finding:
    proof = repair.proof
    said = ""
    if proof is not None:
        said = f" {proof.tensors_equal} of {proof.tensors} weights are equal byte for byte"
        outputs = proof.outputs
        said += (
            f"; the outputs for {outputs.samples} inputs differ by at most {outputs.difference:.2g}."
            if outputs is not None and not outputs.not_compared
            else "; the outputs were not compared."
        )
    original = repair.original.path if repair.original else "another file"
    count = len(repair.changes)
    changes: list[Json] = [
        f"`{each.layer}`: {each.what}" if each.layer else each.what
        for each in repair.changes[:SHOWN]
    ]
    return rule.finding(
        f"It was repaired from {original} for {repair.target}, with {count} "
        f"change{'s' if count != 1 else ''}.{said}",
        evidence={
            "file": file,
            "measured": count,
            "unit": "changes",
            "original": repair.original.sha256 if repair.original else None,
            "changes": changes,
        },
    )


def _example(same: bool) -> Facts:
    facts = examples.healthy()
    made = RepairedFile("example.keras", "keras-archive", "0" * 64, "3.15.1")
    repair = Repair(
        "old.h5",
        "tf==2.21.0",
        RepairStatus.REPAIRED,
        replace(made, path="old.h5"),
        made,
        changes=(RepairChange("wrote its axis as a number", "norm"),),
        proof=RepairProof(4, 4, 2, 2),
    )
    record = RepairRecord("example.keras.repair.json", repair, same_file=same)
    return replace(facts, repaired=record)


RULES = (
    Rule(
        code="MA227",
        name="repaired-file",
        family=Family.COMPATIBILITY,
        severity=Severity.INFO,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The file was made from another one by `modelaudit repair`",
        pass_title="No record of a repair is next to the model",
        why="A repaired file computes what its original does, but is another file: a review should "
        "know both, and what was written differently.",
        fix="Keep the original and the record. `modelaudit diff` compares both files.",
        check=_repaired,
        bad=lambda: _example(same=True),
        good=examples.healthy,
    ),
)
