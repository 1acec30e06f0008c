"""Other runtimes than the installed ones: starting them, and trying a model in all of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from modelaudit.audit_types.loading import Status
from modelaudit.errors import ProbeError
from modelaudit.facts import Artifact, Format
from modelaudit.probe.host.environments import interpreter
from modelaudit.probe.host.observe import observe
from modelaudit.probe.host.runtime import Flavour, Runtime, RuntimeHandle, start_runtime
from modelaudit.probe.host.session import Session
from modelaudit.probe.protocol import OWN_ERROR, TFSM_LAYER, Observation, all_calls
from modelaudit.probe.study.agreement import ReferenceRun, compare_with_reference
from modelaudit.settings import OtherRuntime, ProbeSettings
from modelaudit.structs import replace


@contextmanager
def start_other_runtime(
    wanted: OtherRuntime, jail: Collection[Path] | None = None
) -> Iterator[RuntimeHandle]:
    """Start a runtime from the settings; if that fails, the handle contains the reason."""
    flavour: Flavour = "tf_keras" if wanted.legacy_keras else "keras"
    try:
        python = interpreter(wanted)
    except ProbeError as error:
        yield RuntimeHandle(Runtime(wanted.name, wanted.python, flavour), "", "", str(error))
        return
    with start_runtime(Runtime(wanted.name, python, flavour), jail=jail) as handle:
        yield handle


def try_all_runtimes(
    handles: Sequence[RuntimeHandle],
    artifact: Artifact,
    settings: ProbeSettings,
    done: Sequence[Observation],
    first: ReferenceRun | None,
) -> tuple[Observation, ...]:
    """Load a model in every runtime, with every call that has not been tried yet.

    Args:
        settings: limits for each attempt.
        done: previous attempts.
        first: run that the outputs are compared with.

    Returns:
        One observation per attempt, with the agreement of outputs if the model was loaded and
        compared. A runtime that did not start gives a single one.
    """
    tried = {(seen.runtime, seen.call) for seen in done}
    versions = {seen.runtime: seen.versions for seen in done if seen.versions}
    missing = {seen.runtime for seen in done if seen.status is Status.UNAVAILABLE}
    found: list[Observation] = []
    for handle in handles:
        name = handle.runtime.name
        for call in all_calls(artifact.format):
            if (name, call) in tried or name in missing:
                continue
            if call == TFSM_LAYER and not versions.get(name, {}).get("keras", "").startswith("3."):
                continue
            seen = _attempt(handle, artifact, settings, call, first)
            found.append(seen)
            if seen.versions:
                versions[name] = seen.versions
            if seen.status is Status.UNAVAILABLE:
                missing.add(name)
    return tuple(found)


def _attempt(
    handle: RuntimeHandle,
    artifact: Artifact,
    settings: ProbeSettings,
    call: str,
    first: ReferenceRun | None,
) -> Observation:
    seen, session = observe(handle, artifact, settings, calls=(call,))
    if session is None:
        return seen
    with session:
        if first is None:
            return seen
        found = compare_with_reference(session, artifact, first)
        uncompiled = not_compiled(session, artifact)  # last, because it changes the model
        return replace(seen, agreement=found, uncallable=found.failure, uncompiled=uncompiled)


def not_compiled(session: Session, artifact: Artifact) -> str:
    """Why the model cannot be compiled as saved; "" if it can, or if that is not known."""
    if not artifact.training or artifact.format.is_saved_model:
        return ""
    if session.observation.call != "load_model" or not session.alive:
        return ""
    archive = artifact.format is Format.KERAS_ARCHIVE
    failed = session.compile(json.dumps(artifact.training), archive=archive)
    known = failed is not None and failed.status is Status.FAILED
    return failed.failure if failed and known and failed.error_type != OWN_ERROR else ""
