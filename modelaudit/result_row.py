"""The row of one audit in the index, the history and the log."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

import msgspec
from msgspec import Struct, field

from modelaudit.audit_types.json_form import jsonable
from modelaudit.facts import Json, Provenance
from modelaudit.findings import WORST_FIRST, Severity, Verdict
from modelaudit.schema import Audit, weights_digest
from modelaudit.structs import converted, replace

T = TypeVar("T")


class RowFinding(Struct, frozen=True):
    """One finding. `waived_by` is why it is waived, None if it is open."""

    code: str
    name: str
    severity: Severity
    fingerprint: str
    detail: str
    waived_by: str | None = None


class ResultRow(Struct, frozen=True, kw_only=True):
    """A summary of one audit. Rows written by earlier versions may lack fields with a default.

    Attributes:
        path: the path of the model, as shown.
        slug: name of the directory of its reports.
        format: its file format, as a code.
        format_label: its file format, for people.
        origin: its origin according to the registry, "" if unknown.
        verdict: the verdict of the audit.
        reason: one sentence that explains the verdict.
        saved_with: versions that the file states.
        sha256: digest of its files, None if they could not be read.
        bytes: size of its files.
        exit: exit code for this model alone.
        created: when it was audited, ISO 8601 in UTC.
        findings: all of them, worst first.
        weights: digest of its weights, "" if there is none.
        outputs: tested transforms by output; {} for a model that was not run.
        unanswered: codes of the rules that lacked data, or crashed.
        unused_inputs: why the user's probe data were not used, "" if they were.
        exported_from: of an export, the name of its source; "" if none was found.
        same_as_source: whether it is the same model as its source; see `SourceSection.verdict`.
        ran_as_source: whether that was seen when both ran on the same inputs, not by the weights.
        repair: the command that a finding offers to repair the file, "" if none does.
        signing: what the signatures beside the model show, in a word or two; "" without any.
    """

    path: str
    slug: str
    format: str
    format_label: str
    origin: str = ""
    verdict: Verdict
    reason: str
    saved_with: Provenance = field(default_factory=Provenance)
    sha256: str | None
    bytes: int
    exit: int
    created: str
    findings: tuple[RowFinding, ...] = ()
    weights: str = ""
    outputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unanswered: tuple[str, ...] = ()
    unused_inputs: str = ""
    exported_from: str = ""
    same_as_source: str = ""
    ran_as_source: bool = False
    repair: str = ""
    signing: str = ""

    @property
    def open_findings(self) -> tuple[RowFinding, ...]:
        """Findings that are not waived."""
        return tuple(each for each in self.findings if not each.waived_by)

    @property
    def severities(self) -> dict[str, int]:
        """Number of open findings by severity."""
        found = [each.severity for each in self.open_findings]
        return {level.value: found.count(level) for level in Severity}

    @property
    def rules(self) -> tuple[str, ...]:
        """Codes of the rules that have an open finding."""
        return tuple(sorted({each.code for each in self.open_findings}))

    @property
    def digests(self) -> tuple[str | None, str]:
        """Digests that identify the model under a different path, the most specific first."""
        return self.sha256, self.weights


def verdict_counts(rows: Sequence[ResultRow], word: Callable[[str], str] = str) -> str:
    """The number of models by verdict: `2 fail, 1 pass`; `word` formats a verdict."""
    count = Counter(row.verdict for row in rows)
    return ", ".join(f"{count[v]:,} {word(v)}" for v in WORST_FIRST if count[v])


def tally(rows: Sequence[ResultRow]) -> str:
    """The number of models, and by verdict: `3 models: 2 fail, 1 pass`."""
    count = f"{len(rows)} model{'s' if len(rows) != 1 else ''}"
    return f"{count}: {verdict_counts(rows)}" if rows else count


def result_row(audit: Audit) -> ResultRow:
    """The row of an audit."""
    inputs, source = audit.behaviour.inputs, audit.restore.exported_from
    return converted(
        ResultRow,
        audit.model,
        origin=audit.model.origin or "",
        verdict=audit.verdict,
        reason=audit.reason,
        exit=audit.exit.code,
        created=audit.created,
        findings=tuple(converted(RowFinding, each) for each in audit.findings),
        weights=weights_digest(audit.weights),
        outputs={
            output.name: tuple(effect.name for effect in output.transforms)
            for output in audit.behaviour.outputs
        },
        unanswered=tuple(each.code for each in audit.results if each.unanswered),
        unused_inputs=inputs.unused if inputs else "",
        exported_from=source.file if source else "",
        same_as_source=source.verdict if source else "",
        ran_as_source=source.ran if source else False,
        repair=offered_repair(audit),
        signing=audit.signing.state,
    )


def offered_repair(audit: Audit) -> str:
    """The command that a finding offers to repair the file, "" if none does."""
    return next((each.repair for each in audit.findings if each.repair), "")


def row_to_json(row: ResultRow) -> dict[str, Json]:
    """The row for the log, the history and `scan --json`."""
    written = {name: jsonable(getattr(row, name)) for name in row.__struct_fields__}
    return {**written, "severities": {**row.severities}, "rules": [*row.rules]}


def row_from_text(line: str) -> ResultRow:
    """The row in a line of JSON, of this or an earlier version.

    What most rows of a registry have in common is one object in all of them.

    Raises:
        ValueError: it is not a row.
    """
    try:
        row = msgspec.json.decode(line, type=ResultRow)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a result row: {error}") from error
    except msgspec.DecodeError:  # also of a lone surrogate, which names of files can have
        row = row_from_json(json.loads(line))
    return replace(
        row,
        format=_one(row.format),
        format_label=_one(row.format_label),
        reason=_one(row.reason),
        created=_one(row.created),
        saved_with=_one(row.saved_with),
        findings=_one(row.findings),
        outputs=row.outputs or _NONE,
        unanswered=_one(row.unanswered),
    )


_NONE: Mapping[str, tuple[str, ...]] = {}
_KEPT = 1024
_kept: dict[object, object] = {}


def _one(value: T) -> T:
    """The same object for equal values, of those that occurred lately."""
    if len(_kept) >= _KEPT:
        _kept.clear()
    return cast(T, _kept.setdefault(value, value))


def row_from_json(data: object) -> ResultRow:
    """The row written by `row_to_json` of this or an earlier version.

    Raises:
        ValueError: it is not a row.
    """
    try:
        return msgspec.convert(data, ResultRow)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a result row: {error}") from error
