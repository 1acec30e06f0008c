"""Saving a model again in a runtime that loads it, in the sandbox."""

from __future__ import annotations

from pathlib import Path

from modelaudit.facts import Artifact
from modelaudit.probe.host.observe import observe
from modelaudit.probe.host.runtime import RuntimeHandle
from modelaudit.probe.protocol import Observation, runtime_name
from modelaudit.settings import Settings


def saved_again(handle: RuntimeHandle, artifact: Artifact, path: Path, settings: Settings) -> str:
    """Load a model in a runtime and save it there in the format of `path`'s suffix.

    Returns:
        "" if the file was written, else why not.
    """
    seen, session = observe(handle, artifact, settings.probe)
    if session is None:
        return f"{runtime_name(seen.runtime)} does not load it: {seen.failure}"
    with session:
        answer = session.save(path.suffix)
    if isinstance(answer, Observation):
        return f"{runtime_name(seen.runtime)} does not save it: {answer.failure}"
    path.write_bytes(answer)
    return ""
