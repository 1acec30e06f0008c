"""The cache between a run and its history: what can be reused, and storing results."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from modelaudit.audit_types.json_form import jsonable
from modelaudit.registry.snapshot import SnapshotReader
from modelaudit.report.export.registry import FORMATS
from modelaudit.report.pages.assets import templates_root
from modelaudit.runs.batch import FinishedModel
from modelaudit.runs.cache_notes import CachedProbe, probe_result_layout
from modelaudit.runs.write_reports import SelectedFormats
from modelaudit.settings import Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.store import cache_keys
from modelaudit.store.records import AuditRecord, ModelKey
from modelaudit.store.store import Store


class CachePlan(Struct, frozen=True):
    """What to do with every model.

    Attributes:
        todo: models to audit, largest first, so that the slowest ones do not start last.
        recalled: earlier results, by path, for those of `todo` that need not be run again.
    """

    todo: tuple[AuditTarget, ...]
    recalled: Mapping[Path, CachedProbe]


def model_key(target: AuditTarget) -> ModelKey:
    """The name of a model in the history."""
    return ModelKey(target.address or str(target.root), target.relative)


class AuditCache:
    """One run's use of the history.

    Args:
        store: the open history.
        run: number of the run in it.
        out: directory of its reports.
        formats: formats of its reports.
    """

    def __init__(
        self,
        store: Store,
        run: int,
        settings: Settings,
        created: str,
        out: Path,
        formats: SelectedFormats,
    ) -> None:
        self._store, self._run, self._settings, self._out = store, run, settings, out
        self._formats = formats.per_model
        self._shown = cache_keys.digest(
            [*self._formats], jsonable(formats.options), _templates(formats)
        )
        self._today = datetime.date.fromisoformat(created[:10])
        self._baseline = cache_keys.digest(jsonable(settings.baseline))
        self._data = cache_keys.user_input_digest(settings)
        self._keys: dict[ModelKey, str] = {}
        self._seen_keys: dict[ModelKey, str] = {}
        self._seen_key = cache_keys.digest(
            probe_result_layout(), cache_keys.probe_key(settings.probe, self._data)
        )
        self._alone = cache_keys.digest(self._seen_key, [])  # of a model without sources
        self._files = {FORMATS[name].file for name in ("json", *self._formats)}
        self._judged: dict[tuple[Settings, str], str] = {}

    def plan(
        self,
        targets: Iterable[AuditTarget],
        *,
        verify: bool,
        only: Mapping[ModelKey, int] | None = None,
    ) -> CachePlan:
        """Decide which models must be audited, and keep the results of the others.

        Args:
            targets: every model that was found.
            verify: compare the bytes of files even if their sizes, times and inodes are equal.
            only: audits that may be reused; None allows all.
        """
        looker, filed = SnapshotReader(self._settings.limits), self._store.newest_filed()
        reused: dict[ModelKey, int] = {}
        todo: list[tuple[int, AuditTarget]] = []
        recalled: dict[Path, CachedProbe] = {}
        moved: list[tuple[ModelKey, str, bool]] = []
        for target in targets:
            place, now = model_key(target), looker.snapshot(target.path)
            copied = bool(target.address)
            sources = [
                _state(each, looker, copied=copied, verify=verify) for each in target.sources
            ]
            seen_key = cache_keys.digest(self._seen_key, [*sources]) if sources else self._alone
            key = self._key(target, sources, looker, verify=verify)
            known = self._store.cached(place)
            if known and only is not None and only.get(place) != known.audit:
                known = None
            if known and not (known.settled and known.files == now.text and not verify):
                if looker.content(target.path) == known.content:
                    moved.append((place, now.text, now.settled))
                else:
                    known = None
            # The key has the slug, so the audit is the newest with it.
            if known and known.key == key and known.audit in filed and self._written(target):
                reused[place] = known.audit
                continue
            todo.append((-now.nbytes, target))
            self._keys[place], self._seen_keys[place] = key, seen_key
            if known and known.seen_key == seen_key:
                seen = self._store.seen(place)
                if seen:
                    recalled[target.path] = CachedProbe(seen, now.text, known.content)
        self._store.touch(moved)
        self._store.reuse(self._run, reused)
        todo.sort(key=lambda pair: (pair[0], pair[1].relative))
        return CachePlan(tuple(target for _, target in todo), recalled)

    def add(self, finished: FinishedModel) -> None:
        """Store one finished audit; it is on disk when this returns."""
        target, row, notes = finished
        document = (self._out / "models" / target.slug / "audit.json").read_bytes()
        audited = AuditRecord(row, document)
        if notes:
            seen = str(notes["seen"])
            audited = AuditRecord(
                row=row,
                document=document,
                key=self._keys[model_key(target)],
                content=str(notes["content"]),
                files=str(notes["files"]),
                settled=bool(notes["settled"]),
                seen_key=self._seen_keys[model_key(target)] if seen else "",
                seen=seen,
            )
        self._store.add(self._run, model_key(target), audited)

    def _key(
        self,
        target: AuditTarget,
        sources: Sequence[str],
        looker: SnapshotReader,
        *,
        verify: bool,
    ) -> str:
        """Everything that an audit and its reports depend on, except the model's files."""
        own = self._settings.for_model(target.relative, target.path)
        alone = not (target.previous or target.declared_signature or sources)
        judged = self._judged.get((own, target.origin)) if alone else None
        if judged is None:
            judged = cache_keys.audit_key(own, self._today, self._data)
            before = ""
            if target.previous:
                before = _state(target.previous, looker, copied=bool(target.address), verify=verify)
            said = jsonable(target.declared_signature)
            judged = cache_keys.digest(
                judged, self._baseline, target.origin, before, said, [*sources]
            )
            if alone:
                self._judged[own, target.origin] = judged
        return cache_keys.digest(judged, target.slug, self._shown)

    def _written(self, target: AuditTarget) -> bool:
        """Whether all reports of an earlier audit still exist."""
        folder = f"{self._out}/models/{target.slug}"
        return all(Path(f"{folder}/{name}").is_file() for name in self._files)


def _templates(formats: SelectedFormats) -> str:
    """A digest of the report templates: ours, and any of the user's."""
    own = formats.options.templates
    return cache_keys.digest(
        cache_keys.bytes_digest([templates_root()]), cache_keys.files_digest(own) if own else ""
    )


def _state(other: Path, looker: SnapshotReader, *, copied: bool, verify: bool) -> str:
    """Another model that one is compared with, such as its previous version.

    By its directory entries or, if these are not conclusive, its bytes.

    A model compared with one that may still be written is judged again by the next run. A copy of
    what is at a URL is complete, and has the times of the original.
    """
    now = looker.snapshot(other)
    if copied and not verify:
        return str([(file.name, file.size, file.modified) for file in now.files])
    return now.text if now.settled and not verify else looker.content(other)
