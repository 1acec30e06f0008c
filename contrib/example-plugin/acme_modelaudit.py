"""Acme's own rule and report for modelaudit."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path

from modelaudit.facts import Artifact, Format, Tensor
from modelaudit.plugins import (
    Confidence,
    Facts,
    Family,
    Finding,
    Job,
    Need,
    ReportFormat,
    Rule,
    Severity,
)

MOST_PARAMETERS = 5_000_000


def parameters(artifact: Artifact) -> int:
    """The number of values in all weights."""
    return sum(math.prod(each.shape) for each in artifact.tensors if each.role == "weight")


def too_large(rule: Rule, facts: Facts) -> Iterable[Finding]:
    """One finding if the weights have more values than a device can hold."""
    count = parameters(facts.artifact)
    if count > MOST_PARAMETERS:
        yield rule.finding(
            f"The model has {count:,} parameters; a device holds {MOST_PARAMETERS:,}.",
            evidence={"measured": count, "threshold": MOST_PARAMETERS},
        )


def example(side: int) -> Facts:
    """A model with one square weight."""
    weight = Tensor("dense/kernel", (side, side), "float32", 4 * side * side, "model.h5")
    return Facts(Artifact(Path("/model.h5"), Format.LEGACY_H5_FULL, tensors=(weight,)))


RULES = (
    Rule(
        code="ACME101",
        name="too-large-for-the-device",
        family=Family.ARCHITECTURE,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.TENSORS,),
        summary="The model has more parameters than the devices can hold",
        pass_title="The model is small enough for the devices",
        why="Acme's devices have 20 MB for a model. A larger one is refused when it is deployed.",
        fix="Use a smaller network, or deploy it on the server.",
        check=too_large,
        bad=lambda: example(3_000),
        good=lambda: example(30),
    ),
)


def as_csv(job: Job) -> bytes:
    """One line for each model: path, verdict, number of open findings."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(("model", "verdict", "findings"))
    for audit in job.audits:
        count = sum(not each.waived_by for each in audit.findings)
        table.writerow((audit.model.path, audit.verdict.value, count))
    return out.getvalue().encode()


CSV = ReportFormat(
    name="acme-csv",
    file="acme.csv",
    media_type="text/csv",
    audience="Acme's spreadsheets",
    load=lambda: as_csv,
)
