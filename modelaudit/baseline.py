"""Baseline files: the findings of one day, by fingerprint, as JSON for version control."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from modelaudit.errors import SchemaError
from modelaudit.facts import Json
from modelaudit.findings import Severity
from modelaudit.schema import Audit, weights_digest
from modelaudit.settings.known_models import Baseline, KnownModel

KIND = "modelaudit-baseline"
VERSION = 1


def from_audits(audits: Iterable[Audit], created: str) -> Baseline:
    """A baseline of all open findings in these audits."""
    models = [_known(audit) for audit in audits]
    return Baseline(created, tuple(sorted(models, key=lambda model: (model.path, model.sha256))))


def _known(audit: Audit) -> KnownModel:
    still_open = [finding for finding in audit.findings if not finding.waived_by]
    findings = frozenset((finding.fingerprint, finding.severity) for finding in still_open)
    weights = weights_digest(audit.weights)
    return KnownModel(audit.model.path, audit.model.sha256 or "", weights, findings)


def dumps(baseline: Baseline) -> str:
    """The file's text, with one line per finding so that diffs are readable."""
    models: list[Json] = [
        {
            "path": model.path,
            "sha256": model.sha256,
            "weights": model.weights,
            "findings": [
                {"fingerprint": fingerprint, "severity": severity.value}
                for fingerprint, severity in sorted(model.findings)
            ],
        }
        for model in baseline.models
    ]
    data = {"kind": KIND, "version": VERSION, "created": baseline.created, "models": models}
    return json.dumps(data, indent=1) + "\n"


def load(path: Path) -> Baseline:
    """A baseline from its file.

    Raises:
        SchemaError: it is not a baseline, has an unsupported version, or is incomplete.
        OSError: it cannot be read.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"{path}: not a baseline: not valid JSON") from error
    if not isinstance(data, dict) or data.get("kind") != KIND:
        made = "`modelaudit baseline REPORTS --out FILE` writes one"
        raise SchemaError(f"{path}: JSON, but not a baseline; {made}")
    if data.get("version") != VERSION:
        version = data.get("version")
        raise SchemaError(f"{path}: baseline version {version!r} is not supported, only {VERSION}")
    try:
        return Baseline(str(data["created"]), tuple(_model(each) for each in data["models"]))
    except KeyError as error:
        raise SchemaError(f"{path}: incomplete baseline: {error} is missing") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise SchemaError(f"{path}: invalid baseline: {error}") from error


def _model(data: dict[str, Any]) -> KnownModel:
    return KnownModel(
        path=str(data["path"]),
        sha256=str(data["sha256"]),
        weights=str(data["weights"]),
        findings=frozenset(
            (str(each["fingerprint"]), Severity(each["severity"])) for each in data["findings"]
        ),
    )
