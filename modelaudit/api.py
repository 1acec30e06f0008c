"""The library's front door: what `import modelaudit` gives besides the command."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from modelaudit.findings import Verdict
from modelaudit.pipeline import (
    CHANGED_WHILE_READ,
    AuditTarget,
    Probe,
    audit_model,
    incomplete_audit,
)
from modelaudit.registry.change_detection import FileStability
from modelaudit.registry.discover import discover
from modelaudit.registry.output_directory import slug
from modelaudit.schema import Audit
from modelaudit.settings import Settings


def audit(
    path: str | PathLike[str], settings: Settings | None = None, *, all_versions: bool = False
) -> Iterator[Audit]:
    """Audit every model at or under `path`, in byte order of the paths.

    Models are read in this process, one after another, and run (unless `settings` says not to)
    in isolated children. One that is written to meanwhile is audited once more, and is incomplete
    if it is written to again. The command line adds reports and survives crashes of the readers.

    Args:
        path: a model, or a directory of models.
        settings: limits and probe settings; the defaults are the command line's.
        all_versions: whether of a directory of versions (as TF-Serving has them) not only the
            newest is audited.

    Yields:
        One audit per model.

    Raises:
        UsageError: there is nothing at the path.
    """
    from modelaudit.probe.run import local_probe

    settings = settings or Settings()
    found = discover(Path(path), settings.limits, all_versions=all_versions)
    created = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with local_probe(settings, [found.root]) as probe:
        for each in found.candidates:
            name = slug(each.relative)
            target = AuditTarget(
                *(each.path, found.root, each.relative, name, each.origin, each.previous),
                declared_signature=each.declared_signature,
            )
            yield _at_rest(target, settings, created, probe)


def _at_rest(target: AuditTarget, settings: Settings, created: str, probe: Probe) -> Audit:
    """The audit of one model, made once more where the model was written to meanwhile."""
    for _ in range(2):
        still = FileStability(target.path, settings.limits)
        audit = audit_model(target, settings, created, probe)
        if still.unchanged(patient=audit.verdict is Verdict.FAIL):
            return audit
    return incomplete_audit(target, settings, created, CHANGED_WHILE_READ)
