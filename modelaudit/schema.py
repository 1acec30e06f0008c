"""`Audit`, the result for one model, and its JSON form.

The JSON form is a contract (`schemas/audit-1.0.json`): keys are added freely, none is renamed.
A renderer needs nothing but an `Audit`, so a report can be made where the model is not.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelaudit.errors import ReadError, SchemaError
from modelaudit.facts import Json
from modelaudit.findings import (
    Confidence,
    Finding,
    Location,
    Outcome,
    RuleResult,
    Severity,
    Verdict,
)
from modelaudit.formats.io.bounded import read_bytes

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SCHEMA_VERSION = "1.0"
SIGNIFICANT_DIGITS = 9
MOST_BYTES = 1 << 28  # of an audit file; those of the sample models have up to 100 kB


@dataclass(frozen=True, slots=True)
class Audit:
    """One model's audit.

    The sections are JSON values as the schema describes them; an empty mapping means "nothing to
    say", and then `results` or the section's own `skipped` says why.

    Attributes:
        created: ISO 8601, UTC; the only time in an audit besides `timings`.
        reason: one sentence that says why the verdict is what it is.
        results: how every rule ended, in the catalogue's order, findings included.
        exit: {code, reasons, fail_on} of the run that made this audit, as far as this model goes.
        timings: seconds by phase; stays out of every comparison between runs.
    """

    tool: Mapping[str, Json]
    created: str
    model: Mapping[str, Json]
    verdict: Verdict
    reason: str
    results: tuple[RuleResult, ...] = ()
    compatibility: tuple[Mapping[str, Json], ...] = ()
    architecture: Mapping[str, Json] = field(default_factory=dict)
    weights: Mapping[str, Json] = field(default_factory=dict)
    symmetry: Mapping[str, Json] = field(default_factory=dict)
    behaviour: Mapping[str, Json] = field(default_factory=dict)
    restore: Mapping[str, Json] = field(default_factory=dict)
    diagnosis: Mapping[str, Json] = field(default_factory=dict)
    signatures: tuple[Mapping[str, Json], ...] = ()
    files: tuple[Mapping[str, Json], ...] = ()
    observations: tuple[Mapping[str, Json], ...] = ()
    exit: Mapping[str, Json] = field(default_factory=dict)
    timings: Mapping[str, Json] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Short: an audit as a whole fills pages."""
        count = len(self.findings)
        findings = f"{count} finding{'s' * (count != 1)}"
        return f"<Audit {self.model.get('path')!r}: {self.verdict.value}, {findings}>"

    @property
    def fail_on(self) -> Severity | None:
        """Severity from which a finding fails this model; None in files that do not say."""
        try:
            return Severity(str(self.exit.get("fail_on")))
        except ValueError:
            return None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, waived ones included, worst first, equal ones in the catalogue's order."""
        found = [finding for result in self.results for finding in result.findings]
        return tuple(sorted(found, key=lambda finding: -finding.severity.rank))

    @property
    def skipped(self) -> tuple[RuleResult, ...]:
        """Rules that could not look, with why."""
        return tuple(
            r for r in self.results if r.outcome in (Outcome.NOT_APPLICABLE, Outcome.ERROR)
        )


def jsonable(value: object) -> Json:
    """`value` as plain JSON: dataclasses and mappings become objects, enums their values.

    Floats are rounded to nine significant digits, which is past what any measure here means and
    keeps two runs byte-equal; NaN and infinities, which JSON does not have, become strings.
    """
    if isinstance(value, Enum):
        return jsonable(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return json_object(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [jsonable(item) for item in items]
    if isinstance(value, np.generic):
        return jsonable(value.item())
    return str(value)


def json_object(value: DataclassInstance) -> dict[str, Json]:
    """A dataclass as `jsonable` gives it: an object of the fields by which two are compared."""
    names = [each.name for each in dataclasses.fields(value) if each.compare]
    return {name: jsonable(getattr(value, name)) for name in names}


def finding_to_json(finding: Finding) -> dict[str, Json]:
    """A finding with its derived `outcome` and `fingerprint`."""
    derived = {"outcome": finding.outcome.value, "fingerprint": finding.fingerprint}
    return json_object(finding) | derived


def to_json(audit: Audit) -> dict[str, Json]:
    """The audit as the JSON object that the schema describes."""
    skipped: list[Json] = [
        {
            "code": r.code,
            "name": r.name,
            "outcome": r.outcome.value,
            "reason": r.reason,
            "moot": r.moot,
        }
        for r in audit.skipped
    ]
    passed: list[Json] = [r.code for r in audit.results if r.outcome is Outcome.PASS]
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": jsonable(audit.tool),
        "created": audit.created,
        "exit": jsonable(audit.exit),
        "model": jsonable(audit.model),
        "verdict": audit.verdict.value,
        "reason": audit.reason,
        "findings": [finding_to_json(f) for f in audit.findings],
        "passed": passed,
        "skipped": skipped,
        "compatibility": jsonable(audit.compatibility),
        "architecture": jsonable(audit.architecture),
        "weights": jsonable(audit.weights),
        "symmetry": jsonable(audit.symmetry),
        "behaviour": jsonable(audit.behaviour),
        "restore": jsonable(audit.restore),
        "diagnosis": jsonable(audit.diagnosis),
        "signatures": jsonable(audit.signatures),
        "files": jsonable(audit.files),
        "observations": jsonable(audit.observations),
        "timings": jsonable(audit.timings),
    }


def dumps(audit: Audit) -> str:
    """The audit file's text: UTF-8 safe, two-space indent, keys in the schema's order."""
    return json.dumps(to_json(audit), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def finding_from_json(data: Mapping[str, Any]) -> Finding:
    """The inverse of `finding_to_json`."""
    location = data.get("location") or {}
    return Finding(
        code=data["code"],
        name=data["name"],
        severity=Severity(data["severity"]),
        confidence=Confidence(data["confidence"]),
        title=data["title"],
        detail=data["detail"],
        location=Location(location.get("file", ""), location.get("route", "")),
        evidence=data.get("evidence") or {},
        fix=data.get("fix", ""),
        key=data.get("key", ""),
        waived_by=data.get("waived_by"),
    )


def _results(data: Mapping[str, Any]) -> tuple[RuleResult, ...]:
    found: dict[str, list[Finding]] = {}
    for item in data["findings"]:
        found.setdefault(item["code"], []).append(finding_from_json(item))
    results = []
    for code, findings in found.items():
        waived = all(f.waived_by for f in findings)
        outcome = Outcome.WAIVED if waived else Outcome.FAIL
        results.append(RuleResult(code, findings[0].name, outcome, findings=tuple(findings)))
    results += [RuleResult(code, "", Outcome.PASS) for code in data.get("passed", ())]
    results += [
        RuleResult(
            s["code"],
            s.get("name", ""),
            Outcome(s["outcome"]),
            s["reason"],
            moot=bool(s.get("moot")),
        )
        for s in data["skipped"]
    ]
    return tuple(sorted(results, key=lambda result: result.code))


def from_json(data: object) -> Audit:
    """An audit from its JSON object.

    Raises:
        SchemaError: not an audit, or of a schema version that this modelaudit does not know.
    """
    if not isinstance(data, dict) or "schema_version" not in data:
        raise SchemaError("not a modelaudit audit file: no schema_version")
    if "models" in data:
        raise SchemaError(
            "this is the index of a run; the audit of each of its models is an audit.json in the "
            "directory `models` beside it"
        )
    major = str(data["schema_version"]).partition(".")[0]
    if major != SCHEMA_VERSION.partition(".")[0]:
        raise SchemaError(
            f"audit file has schema {data['schema_version']}, this version reads {SCHEMA_VERSION}"
        )
    try:
        return Audit(
            tool=data["tool"],
            created=data["created"],
            model=data["model"],
            verdict=Verdict(data["verdict"]),
            reason=data.get("reason", ""),
            results=_results(data),
            compatibility=tuple(data.get("compatibility", ())),
            architecture=data.get("architecture", {}),
            weights=data.get("weights", {}),
            symmetry=data.get("symmetry", {}),
            behaviour=data.get("behaviour", {}),
            restore=data.get("restore", {}),
            diagnosis=data.get("diagnosis", {}),
            signatures=tuple(data.get("signatures", ())),
            files=tuple(data.get("files", ())),
            observations=tuple(data.get("observations", ())),
            exit=data.get("exit", {}),
            timings=data.get("timings", {}),
        )
    except KeyError as error:
        raise SchemaError(f"not a valid modelaudit audit file: it has no {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise SchemaError(f"not a valid modelaudit audit file: {error}") from error


def loads(text: str) -> Audit:
    """An audit from an audit file's text.

    Raises:
        SchemaError: not JSON, or see `from_json`.
    """
    try:
        return from_json(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"not a modelaudit audit file: {error}") from error


def load(path: Path) -> Audit:
    """An audit from an audit file.

    Raises:
        SchemaError: the file cannot be read, is no regular file or larger than any audit, or see
            `loads`.
    """
    try:
        return loads(read_bytes(path, MOST_BYTES, str(path)).decode("utf-8"))
    except ReadError as error:
        raise SchemaError(str(error)) from error
    except UnicodeDecodeError as error:
        raise SchemaError(f"{path}: not a modelaudit audit file: it is no text") from error
    except SchemaError as error:
        raise SchemaError(f"{path}: {error}") from error


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of audit files, as shipped."""
    text = resources.files("modelaudit").joinpath("schemas/audit-1.0.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
