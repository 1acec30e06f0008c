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
from modelaudit.probe.replay import replay
from modelaudit.probe.session import Session
from modelaudit.probe.supervisor import (
    RuntimeHandle,
    here,
    here_legacy,
    observe,
    start_runtime,
)
from modelaudit.restore.golden import Golden, read_golden
from modelaudit.restore.proof import RestoreProof, prove
from modelaudit.restore.record import read_record
from modelaudit.settings import Limits, ProbeSettings, Settings


@dataclass(frozen=True, slots=True)
class Seen:
    """What running a model showed; `skipped` says why there is no behaviour, if there is none.

    `restore` compares the first model that was loaded with its file, `golden` with what was
    recorded when it was saved.
    """

    observations: tuple[Observation, ...]
    behaviour: Behaviour | None = None
    skipped: str = ""
    restore: RestoreProof | None = None
    golden: Golden | None = None


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
            golden = _replayed(session, artifact)
            outcome = study(session, artifact, settings, data)
        behaviour, skipped = None, ""
        if isinstance(outcome, Observation):
            seen = outcome
        elif isinstance(outcome, Unprobeable):
            skipped = outcome.reason
        else:
            behaviour = outcome
        return Seen((*observations, seen), behaviour, skipped, proof, golden)
    return Seen(tuple(observations))


def _replayed(session: Session, artifact: Artifact) -> Golden | None:
    """The golden record beside the model, put to the restored model; None without a usable one."""
    golden = read_golden(artifact, Limits())
    if golden is None or golden.problem:
        return golden
    record = read_record(artifact.root, Limits())
    return replay(session, record, golden) if record else golden


def _values(session: Session, path: str) -> NDArray[Any] | None:
    """Values of one variable of the restored model."""
    answer = session.variables([path])
    return None if isinstance(answer, Observation) else answer[path]
