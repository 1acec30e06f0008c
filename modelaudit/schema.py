"""`Audit`, the result for one model, and its JSON form.

The JSON form is a contract (`schemas/audit-1.0.json`): keys are added freely, none is renamed.
A renderer needs only an `Audit`, so reports can be made without the model.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, field

from modelaudit.audit_types.architecture import ArchitectureSection
from modelaudit.audit_types.audit_file import AuditFile
from modelaudit.audit_types.behaviour import BehaviourSection
from modelaudit.audit_types.diagnosis import Diagnosis
from modelaudit.audit_types.json_form import MOST_DIGITS, section_json
from modelaudit.audit_types.kernels import SymmetrySection
from modelaudit.audit_types.loading import CompatibilityRow, ObservationRow
from modelaudit.audit_types.model import ExitSection, ModelSection, ToolSection
from modelaudit.audit_types.restore import RestoreSection
from modelaudit.audit_types.rules import FindingRow, LocationRow, SkippedRule
from modelaudit.audit_types.signing import SigningSection
from modelaudit.audit_types.values import custom_type
from modelaudit.audit_types.weights import WeightsSection
from modelaudit.errors import ReadError, SchemaError
from modelaudit.facts import FileEntry, Json, Shape, Signature
from modelaudit.findings import Finding, Location, Outcome, RuleResult, Severity, Verdict
from modelaudit.formats.io.bounded import read_bytes
from modelaudit.structs import NotebookResult, converted

T = TypeVar("T")

SCHEMA_VERSION: Final = "1.0"
MOST_BYTES = 1 << 28  # bytes of an audit file; those of the sample models have up to 100 kB


class Audit(NotebookResult, frozen=True):
    """One model's audit. The sections are described where their types are.

    Attributes:
        created: ISO 8601, UTC; the only time in an audit besides `timings`.
        reason: one sentence that says why the verdict is what it is.
        results: how every rule ended, in the catalogue's order, findings included.
        exit: of the run that made this audit, as far as this model goes.
        timings: seconds by phase; stays out of every comparison between runs.
    """

    tool: ToolSection
    created: str
    model: ModelSection
    verdict: Verdict
    reason: str
    exit: ExitSection
    results: tuple[RuleResult, ...] = ()
    compatibility: tuple[CompatibilityRow, ...] = ()
    architecture: ArchitectureSection = field(default_factory=ArchitectureSection)
    weights: WeightsSection = field(default_factory=WeightsSection)
    symmetry: SymmetrySection = field(default_factory=SymmetrySection)
    behaviour: BehaviourSection = field(default_factory=BehaviourSection)
    restore: RestoreSection = field(default_factory=RestoreSection)
    signing: SigningSection = field(default_factory=SigningSection)
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    signatures: tuple[Signature, ...] = ()
    files: tuple[FileEntry, ...] = ()
    observations: tuple[ObservationRow, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Short: an audit as a whole fills pages."""
        count = len(self.findings)
        findings = f"{count} finding{'s' if count != 1 else ''}"
        return f"<Audit {self.model.path!r}: {self.verdict.value}, {findings}>"

    @property
    def fail_on(self) -> Severity | None:
        """Severity from which a finding fails this model; None if the file does not contain it."""
        return None if self.exit.fail_on is UNSET else self.exit.fail_on

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, including waived ones, worst first, then in the order of the catalogue."""
        found = [finding for result in self.results for finding in result.findings]
        return tuple(sorted(found, key=lambda finding: -finding.severity.rank))

    @property
    def skipped(self) -> tuple[RuleResult, ...]:
        """Rules without an answer, with the reason."""
        return tuple(
            r for r in self.results if r.outcome in (Outcome.NOT_APPLICABLE, Outcome.ERROR)
        )


def weights_digest(section: WeightsSection) -> str:
    """One digest over the digests of all weights, independent of the file format.

    The state of random generators is excluded, because only exported SavedModels contain it.
    "" if the section lists no weights, or one without a digest.
    """
    digests = [
        tensor.sha256 or ""
        for tensor in section.tensors
        if tensor.role == "weight" and not is_seed(tensor.shape, tensor.dtype)
    ]
    if not digests or not all(digests):
        return ""
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()[:32]


def is_seed(shape: Shape, dtype: str) -> bool:
    """Whether it is the state of a Keras SeedGenerator: two integers."""
    return shape == (2,) and dtype in {"int64", "uint32"}


def to_json(audit: Audit) -> dict[str, Json]:
    """The audit as the JSON object that the schema describes."""
    return section_json(
        converted(
            AuditFile,
            audit,
            schema_version=SCHEMA_VERSION,
            findings=tuple(map(_finding_row, audit.findings)),
            passed=tuple(r.code for r in audit.results if r.outcome is Outcome.PASS),
            skipped=tuple(map(_skipped_rule, audit.skipped)),
        )
    )


def _finding_row(finding: Finding) -> FindingRow:
    return converted(
        FindingRow,
        finding,
        location=converted(LocationRow, finding.location),
        outcome="waived" if finding.waived_by else "fail",
    )


def _skipped_rule(result: RuleResult) -> SkippedRule:
    return SkippedRule(
        code=result.code,
        name=result.name,
        outcome="error" if result.outcome is Outcome.ERROR else "not-applicable",
        reason=result.reason,
        moot=result.moot,
    )


def dumps(audit: Audit) -> str:
    """The audit file's text: UTF-8 safe, two-space indent, keys in the schema's order."""
    data = to_json(audit)
    text = json.dumps(data, ensure_ascii=True, allow_nan=False)
    try:
        return msgspec.json.format(text, indent=2) + "\n"  # in a third of the time
    except msgspec.DecodeError:  # of a lone surrogate, which Python's parser accepts
        return json.dumps(data, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _finding(row: FindingRow) -> Finding:
    """The finding of a file; what is derived from the rest is not taken from there."""
    return converted(Finding, row, location=converted(Location, row.location))


def _results(file: AuditFile) -> tuple[RuleResult, ...]:
    found: dict[str, list[Finding]] = {}
    for row in file.findings:
        found.setdefault(row.code, []).append(_finding(row))
    results = []
    for code, findings in found.items():
        waived = all(f.waived_by for f in findings)
        outcome = Outcome.WAIVED if waived else Outcome.FAIL
        results.append(RuleResult(code, findings[0].name, outcome, findings=tuple(findings)))
    results += [RuleResult(code, "", Outcome.PASS) for code in file.passed]
    results += [
        RuleResult(each.code, each.name, Outcome(each.outcome), each.reason, moot=each.moot)
        for each in file.skipped
    ]
    return tuple(sorted(results, key=lambda result: result.code))


def from_json(data: object) -> Audit:
    """An audit from its JSON object. Keys that no type knows are left out.

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
    file = section(AuditFile, data | {"schema_version": SCHEMA_VERSION})
    return converted(Audit, file, results=_results(file))


def section(kind: type[T], data: object, what: str = "not a valid modelaudit audit file") -> T:
    """A value of a type from its JSON form.

    Args:
        kind: the type: a section, or one of another file that is checked in the same way.
        data: its JSON form.
        what: how messages begin.

    Raises:
        SchemaError: it is no such thing; the message names the place.
    """
    try:
        return msgspec.convert(data, kind, dec_hook=custom_type)
    except msgspec.ValidationError as error:
        raise SchemaError(f"{what}: {error}") from error
    except (UnicodeError, RecursionError) as error:
        raise SchemaError(f"{what}: {error}") from error


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is out of range")
    return value


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"the number {text[:40]}… is out of range")
    return int(text)


def loads(text: str) -> Audit:
    """An audit from an audit file's text.

    Raises:
        SchemaError: not JSON, or see `from_json`.
    """
    try:
        data = json.loads(text, parse_float=_finite, parse_int=_integer, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"not a modelaudit audit file: {error}") from error
    return from_json(data)


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
    text = (Path(__file__).parent / "schemas" / "audit-1.0.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
