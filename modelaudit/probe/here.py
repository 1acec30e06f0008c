"""Running models in this interpreter's TensorFlow: Keras 3 first, then tf-keras."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from modelaudit.facts import Artifact
from modelaudit.measures.summary import Behaviour
from modelaudit.probe.behaviour import study
from modelaudit.probe.inputs import Unprobeable
from modelaudit.probe.protocol import Observation
from modelaudit.probe.session import Session
from modelaudit.probe.supervisor import (
    RuntimeHandle,
    here,
    here_legacy,
    observe,
    start_runtime,
)
from modelaudit.restore.proof import RestoreProof, prove
from modelaudit.settings import ProbeSettings, Settings


@dataclass(frozen=True, slots=True)
class Seen:
    """What running a model showed; `skipped` says why there is no behaviour, if there is none.

    `restore` compares the first model that was loaded with its file.
    """

    observations: tuple[Observation, ...]
    behaviour: Behaviour | None = None
    skipped: str = ""
    restore: RestoreProof | None = None


@contextlib.contextmanager
def here_probe(settings: Settings) -> Iterator[Callable[[Artifact, Settings], Seen]]:
    """Start both runtimes for as long as the context lasts and give what runs a model in them.

    The probe may be called from any number of forked processes at a time.
    """
    with contextlib.ExitStack() as stack:
        handles: list[RuntimeHandle] = []
        if settings.probe.enabled:
            # Both at once: an import of TensorFlow takes seconds. The threads are gone again
            # before anything is forked.
            with ThreadPoolExecutor(2) as pool:
                runtimes = [start_runtime(here()), start_runtime(here_legacy())]
                handles = list(pool.map(stack.enter_context, runtimes))

        def probe(artifact: Artifact, settings: Settings) -> Seen:
            return run_in(handles, artifact, settings.probe)

        yield probe


def run_in(handles: Sequence[RuntimeHandle], artifact: Artifact, settings: ProbeSettings) -> Seen:
    """Try the runtimes in order until one loads the model, and study it there.

    Returns:
        One observation per runtime tried, and the behaviour where one loaded it. A child that
        dies while it is studied turns its own observation into what ended it.
    """
    data = Path(settings.data) if settings.data else None
    observations: list[Observation] = []
    for handle in handles:
        seen, session = observe(handle, artifact, settings)
        if session is None:
            observations.append(seen)
            continue
        with session:
            proof = prove(artifact, seen, partial(_values, session))
            outcome = study(session, artifact, settings, data)
        if isinstance(outcome, Observation):
            return Seen((*observations, outcome), restore=proof)
        if isinstance(outcome, Unprobeable):
            return Seen((*observations, seen), skipped=outcome.reason, restore=proof)
        return Seen((*observations, seen), outcome, restore=proof)
    return Seen(tuple(observations))


def _values(session: Session, path: str) -> NDArray[Any] | None:
    """Values of one variable of the restored model."""
    answer = session.variables([path])
    return None if isinstance(answer, Observation) else answer[path]
