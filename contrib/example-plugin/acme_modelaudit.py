"""Acme's own rule, file format and report for modelaudit."""

from __future__ import annotations

import csv
import hashlib
import io
import math
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.facts import Artifact, Format, Tensor
from modelaudit.formats.io.bounded import read_bytes
from modelaudit.plugins import (
    Confidence,
    Facts,
    Family,
    Finding,
    Job,
    Need,
    PluginFormat,
    ReportFormat,
    Rule,
    Severity,
)
from modelaudit.settings import Limits

MOST_PARAMETERS = 5_000_000
MOST_BYTES = 1 << 30


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


MAGIC = b"ACMEWTS1"
_LENGTHS = struct.Struct("<HI")  # bytes of the name, number of values


def read_weights(path: Path, limits: Limits) -> Artifact:
    """A file of vectors: each its lengths, its name in UTF-8, and its values as float32.

    Lengths come from the file, so none is believed before the bytes are there.
    """
    content = read_bytes(path, MOST_BYTES)
    at, tensors = len(MAGIC), []
    while at < len(content):
        try:
            named, count = _LENGTHS.unpack_from(content, at)
            start = at + _LENGTHS.size + named
            name = content[at + _LENGTHS.size : start].decode("utf-8")
            values = np.frombuffer(content, "<f4", count, start)
        except (struct.error, ValueError) as error:
            raise ReadError("truncated", path.name, f"ends within a vector: {error}") from error
        at = start + values.nbytes
        digest = hashlib.sha256(values.tobytes()).hexdigest()
        tensors.append(Tensor(name, (count,), "float32", values.nbytes, path.name, sha256=digest))
        if len(tensors) > limits.tensors:
            raise LimitExceeded(path.name, "tensors", len(tensors), limits.tensors, "tensors")
    return Artifact(path, Format.PLUGIN, tensors=tuple(tensors))


WEIGHTS = PluginFormat(name="acme-weights", magic=(MAGIC,), read=read_weights)


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
