"""Notes that a worker takes during an audit, so that a later run can reuse the results."""

from __future__ import annotations

import json
import signal
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from modelaudit.audit_types.loading import Status
from modelaudit.errors import ProbeError
from modelaudit.facts import Artifact, Format, Json, ProblemKind
from modelaudit.probe.pair.source import ExportSource
from modelaudit.probe.result import ProbeResult
from modelaudit.registry.snapshot import FileStability, SnapshotReader
from modelaudit.rules.integrity.files import DAMAGES, HALF_WRITTEN
from modelaudit.schema import Audit
from modelaudit.settings import Limits, Settings
from modelaudit.store.typed_json import decode, encode, layout

if TYPE_CHECKING:
    from modelaudit.pipeline import Probe

# Results that may differ next time: the machine was busy, or the runtime did not start. The same
# applies to a kill, which the kernel sends if other processes have used up the memory.
TRANSIENT_STATUSES = frozenset({Status.TIMEOUT, Status.MEMORY, Status.UNAVAILABLE})
_OF_WORK = "(setting work)"
_LIMITS = frozenset(each.code for each in DAMAGES if each.kind is ProblemKind.LIMIT_EXCEEDED)


@cache
def probe_result_layout() -> str:
    """The layout of what running a model showed; see `layout`."""
    return layout(ProbeResult)


class CachedProbe(NamedTuple):
    """The result of running a model (as text), with the state and content of its files then."""

    seen: str
    files: str
    content: str


class AuditMonitor:
    """Watches one model during its audit.

    Args:
        probe: runs models, if any are run.
        recalled: earlier results of running this model.
        asked: the model is to be run, whether or not that is possible.
        reused: a later run may reuse the audit, which needs the content of the files.

    Attributes:
        probe: runs the model and remembers the result, or returns the earlier one, or fails
            because there is neither; None if nothing is to be run.
        changed_while_run: whether the files were modified between the start and the end of running.
    """

    def __init__(
        self,
        model: Path,
        limits: Limits,
        probe: Probe | None,
        recalled: CachedProbe | None,
        *,
        asked: bool = False,
        reused: bool = False,
    ) -> None:
        self._model, self._limits, self._live = model, limits, probe
        self._seen: ProbeResult | None = None
        self._still = FileStability(model, limits)
        self._before = self._still.before
        # The times of a just-modified file are not conclusive; its bytes are.
        read = (reused or recalled) and not self._before.settled
        self._content = SnapshotReader(limits).content(model) if read else ""
        self.changed_while_run = False
        self._recalled = recalled.seen if recalled and self._same(recalled) else None
        self.probe = self._probe if probe or recalled or asked else None

    def files_unchanged(self, *, patient: bool = False) -> bool:
        """Whether the files did not change since the audit began; see `FileStability.unchanged`."""
        return self._still.unchanged(patient=patient)

    def half_written(self, audit: Audit, known: Collection[str]) -> str:
        """The digest of a model that may be an unfinished copy, otherwise "".

        That is the case if a file is incomplete and was modified minutes ago. A model already known
        with the same bytes is not being copied, and security findings do not depend on the end of
        the file.

        Args:
            known: digests of models from an earlier run.
        """
        codes = {finding.code for finding in audit.findings if not finding.waived_by}
        if not self._before.fresh or codes.isdisjoint(HALF_WRITTEN):
            return ""
        # The audit has no digest for a model with a missing file.
        digest = audit.model.sha256 or SnapshotReader(self._limits).content(self._model)
        return "" if digest in known or any(c.startswith("MA7") for c in codes) else digest

    def notes(self, audit: Audit) -> dict[str, Json]:
        """The data needed to reuse the audit; {} if it must not be reused.

        Keys: `files`, `settled` and `content` of the model's files, `seen` as text or "".
        """
        content = SnapshotReader(self._limits).content(self._model)
        if not repeatable(audit) or not self.files_unchanged():
            return {}
        if self._content not in ("", content):
            return {}
        return {
            "files": self._before.text,
            "settled": self._before.settled,
            "content": content,
            "seen": json.dumps(encode(self._seen)) if self._seen else "",
        }

    def _same(self, recalled: CachedProbe) -> bool:
        same = self._before.text == recalled.files
        return same and self._content in ("", recalled.content)

    def _probe(
        self, artifact: Artifact, settings: Settings, source: ExportSource | None
    ) -> ProbeResult:
        if self._recalled is not None:
            self._seen = decode(ProbeResult, json.loads(self._recalled))
        elif self._live is not None:
            before = self._still.unchanged()
            try:
                self._seen = self._live(artifact, settings, source)
            finally:
                self.changed_while_run = before and not self._still.unchanged()
        else:
            raise ProbeError("the model was modified during the run")
        return self._seen


def repeatable(audit: Audit) -> bool:
    """Whether the same audit would have the same result at another time."""
    if audit.model.format == Format.UNREADABLE.value:
        return False
    if _cut_short(audit):  # how far it came depends on the minute
        return False
    if any(row.valid_until for row in audit.signing.found):  # a certificate expires meanwhile
        return False
    return not any(
        each.status in TRANSIENT_STATUSES or each.signal == signal.SIGKILL
        for each in audit.observations
    )


def _cut_short(audit: Audit) -> bool:
    """Whether the work was spent; other findings may quote such words from a file."""
    limits = (each.detail for each in audit.findings if each.code in _LIMITS)
    reasons = (each.reason for each in audit.results)
    return any(_OF_WORK in each for each in (audit.reason, *limits, *reasons))
