"""Running models in this interpreter's TensorFlow: Keras 3 first, then tf-keras; then elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from modelaudit.facts import Artifact
from modelaudit.measures.summary import Behaviour
from modelaudit.probe.host.observe import observe
from modelaudit.probe.host.runtime import (
    RuntimeHandle,
    installed_legacy_runtime,
    installed_runtime,
    start_runtime,
)
from modelaudit.probe.host.scratch_dirs import remove_stale
from modelaudit.probe.host.session import Session
from modelaudit.probe.other_runtimes import start_other_runtime, try_all_runtimes
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study.agreement import run_reference
from modelaudit.probe.study.golden_replay import replay
from modelaudit.probe.study.inputs import Unprobeable
from modelaudit.probe.study.study import study
from modelaudit.restore.golden_check import GoldenCheck, read_golden
from modelaudit.restore.golden_record import read_record
from modelaudit.restore.proof import RestoreProof, prove
from modelaudit.settings import Limits, Settings


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What running a model showed; `skipped` says why there is no behaviour, if there is none.

    `restore` compares the first model that was loaded with its file, `golden` with what was
    recorded when it was saved. `elsewhere` are attempts after the first that loaded it.
    """

    observations: tuple[Observation, ...]
    behaviour: Behaviour | None = None
    skipped: str = ""
    restore: RestoreProof | None = None
    golden: GoldenCheck | None = None
    elsewhere: tuple[Observation, ...] = ()


@contextlib.contextmanager
def local_probe(
    settings: Settings, roots: Collection[Path] = ()
) -> Iterator[Callable[[Artifact, Settings], ProbeResult]]:
    """Start the runtimes for as long as the context lasts and give what runs a model in them.

    The probe may be called from any number of forked processes at a time. The models are those
    below the absolute paths `roots`: bubblewrap, where it is asked for, shows nothing else.
    """
    with start_runtimes(settings, roots) as handles:
        yield probe_with(handles)


@contextlib.contextmanager
def start_runtimes(
    settings: Settings, roots: Collection[Path] = ()
) -> Iterator[Sequence[RuntimeHandle]]:
    """Keras 3 and tf-keras of this interpreter, and the runtimes of the settings.

    None where running models is switched off. `roots` as in `local_probe`.
    """
    with contextlib.ExitStack() as stack:
        handles: list[RuntimeHandle] = []
        if settings.probe.enabled:
            remove_stale()
            # Two at a time: an import of TensorFlow takes seconds. The threads are gone again
            # before anything is forked.
            jail = roots if settings.probe.sandbox == "bwrap" else None
            # Keras 2 is tried where Keras 3 did not load a model, or where all are.
            late = not settings.runtimes
            with ThreadPoolExecutor(2) as pool:
                runtimes = [start_runtime(installed_runtime(), jail=jail)]
                runtimes += [start_runtime(installed_legacy_runtime(), late=late, jail=jail)]
                runtimes += [start_other_runtime(each, jail) for each in settings.runtimes]
                handles = list(pool.map(stack.enter_context, runtimes))
        yield handles


def probe_with(handles: Sequence[RuntimeHandle]) -> Callable[[Artifact, Settings], ProbeResult]:
    """What runs a model in runtimes that were started."""
    return partial(_run, handles)


def _run(handles: Sequence[RuntimeHandle], artifact: Artifact, settings: Settings) -> ProbeResult:
    """Try the runtimes in order until one loads the model, and study it there.

    Where the settings name further runtimes, load it then in all others, too, and compare what
    they compute.

    Returns:
        One observation per runtime tried, and the behaviour where one loaded it. A child that
        dies while it is studied turns its own observation into what ended it.
    """
    probe, everywhere = settings.probe, bool(settings.runtimes)
    data = Path(probe.data) if probe.data else None
    observations: list[Observation] = []
    seen, first = ProbeResult(()), None
    for handle in handles:
        observation, session = observe(handle, artifact, probe)
        if session is None:
            observations.append(observation)
            continue
        with session:
            proof = prove(artifact, observation, partial(_values, session))
            golden = _replayed(session, artifact, settings.limits)
            if everywhere:
                first = run_reference(session, artifact, probe, data)
            outcome = study(session, artifact, probe, data)
        seen = ProbeResult((), restore=proof, golden=golden)
        if isinstance(outcome, Observation):
            observation = outcome
        elif isinstance(outcome, Unprobeable):
            seen = replace(seen, skipped=outcome.reason)
        else:
            seen = replace(seen, behaviour=outcome)
        observations.append(observation)
        break
    others = try_all_runtimes(handles, artifact, probe, observations, first) if everywhere else ()
    return replace(seen, observations=tuple(observations), elsewhere=others)


def _replayed(session: Session, artifact: Artifact, limits: Limits) -> GoldenCheck | None:
    """The golden record beside the model, put to the restored model; None without a usable one."""
    golden = read_golden(artifact, limits)
    if golden is None or golden.problem:
        return golden
    record = read_record(artifact.root, limits)
    return replay(session, record, golden) if record else golden


def _values(session: Session, path: str) -> NDArray[Any] | None:
    """Values of one variable of the restored model."""
    answer = session.variables([path])
    return None if isinstance(answer, Observation) else answer[path]
