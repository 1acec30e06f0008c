"""Diagnoses without an audit: why models answer as they do."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from modelaudit import clock
from modelaudit.audit_types.diagnosis import Diagnosis
from modelaudit.facts import Json
from modelaudit.pipeline import audit_model
from modelaudit.probe.run import local_probe
from modelaudit.registry.remote.address import Place
from modelaudit.result_row import offered_repair
from modelaudit.runs.found_models import find_models
from modelaudit.runs.isolated_read import run_in_child
from modelaudit.settings import Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.store.typed_json import decode, encode


class Explanation(Struct, frozen=True):
    """What is known of one model: its diagnosis, or in `failure` why there is none."""

    path: str
    diagnosis: Diagnosis | None
    failure: str = ""
    repair: str = ""
    target: AuditTarget | None = None


def explanations(path: Place, settings: Settings) -> Iterator[Explanation]:
    """The diagnosis of every model at or under `path`, each made in a child process.

    Raises:
        UsageError: there is nothing at the path.
    """
    found = find_models((path,), settings)
    if not found.targets:
        return
    created = clock.utc_now()
    with local_probe(settings, {target.root for target in found.targets}) as probe:

        def work(target: AuditTarget) -> dict[str, Json]:
            audit = audit_model(target, settings, created, probe)
            return {"diagnosis": encode(audit.diagnosis), "repair": offered_repair(audit)}

        answers = run_in_child(found.targets, work, settings, lambda target: [target.path])
        for target, answer in zip(found.targets, answers, strict=True):
            if answer.lost:
                yield Explanation(target.relative, None, answer.lost)
            else:
                told = decode(Diagnosis, answer.value["diagnosis"])
                repair = str(answer.value["repair"])
                yield Explanation(target.relative, told, repair=repair, target=target)
