"""Running models with the installed Keras 3, then tf-keras, then in other runtimes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Artifact
from modelaudit.probe.host.observe import observe
from modelaudit.probe.host.runtime import (
    RuntimeHandle,
    installed_legacy_runtime,
    installed_runtime,
    require_runtime,
    start_runtime,
)
from modelaudit.probe.host.scratch_dirs import remove_stale
from modelaudit.probe.host.session import Session
from modelaudit.probe.other_runtimes import (
    not_compiled,
    start_other_runtime,
    try_all_runtimes,
)
from modelaudit.probe.pair.run import compare_saved
from modelaudit.probe.pair.source import ExportSource
from modelaudit.probe.protocol import Observation, calls_for
from modelaudit.probe.result import ProbeResult
from modelaudit.probe.study.agreement import run_reference
from modelaudit.probe.study.golden_replay import replay
from modelaudit.probe.study.inputs import Uncallable, Unprobeable
from modelaudit.probe.study.study import study
from modelaudit.restore.golden_check import GoldenCheck, read_golden
from modelaudit.restore.golden_record import read_record
from modelaudit.restore.input_shapes import changed_inputs
from modelaudit.restore.proof import prove
from modelaudit.settings import Limits, Settings
from modelaudit.structs import replace

ModelProbe = Callable[[Artifact, Settings, ExportSource | None], ProbeResult]
OF_KERAS = ("load_model", "load_weights")  # calls whose model another version of Keras may run


@contextlib.contextmanager
def local_probe(settings: Settings, roots: Collection[Path] = ()) -> Iterator[ModelProbe]:
    """Start the runtimes for the duration of the context; yields a function that runs a model.

    The function may be called from several forked processes at a time. `roots` are absolute
    directories of the models; bubblewrap, if requested, shows no other user files.
    """
    with start_runtimes(settings, roots) as handles:
        yield probe_with(handles)


@contextlib.contextmanager
def start_runtimes(
    settings: Settings, roots: Collection[Path] = ()
) -> Iterator[Sequence[RuntimeHandle]]:
    """Start the installed Keras 3 and tf-keras, and the runtimes of the settings.

    Yields no runtimes if running models is disabled. `roots` as in `local_probe`.

    Raises:
        MissingPackage: TensorFlow, or a package that measures its outputs, is not installed.
    """
    with contextlib.ExitStack() as stack:
        handles: list[RuntimeHandle] = []
        if settings.probe.enabled:
            require_runtime()
            remove_stale()
            # Two at a time, since importing TensorFlow takes seconds. The threads end before
            # anything is forked.
            jail = roots if settings.probe.sandbox == "bwrap" else None
            # Keras 2 is used if Keras 3 cannot load a model, or if all runtimes are tried.
            late = not settings.runtimes
            with ThreadPoolExecutor(2) as pool:
                runtimes = [start_runtime(installed_runtime(), jail=jail)]
                runtimes += [start_runtime(installed_legacy_runtime(), late=late, jail=jail)]
                runtimes += [start_other_runtime(each, jail) for each in settings.runtimes]
                handles = list(pool.map(stack.enter_context, runtimes))
        yield handles


def probe_with(handles: Sequence[RuntimeHandle]) -> ModelProbe:
    """A function that runs a model in started runtimes, and an export with its source."""
    return partial(_run, handles)


def _run(
    handles: Sequence[RuntimeHandle],
    artifact: Artifact,
    settings: Settings,
    source: ExportSource | None = None,
) -> ProbeResult:
    """Try the runtimes in order until one loads and calls the model, and measure it there.

    If the settings name other runtimes, also load it in all others and compare the outputs. An
    export that was run is then compared with its source, if that is given.

    Returns:
        One observation per runtime tried, and the behaviour if the model was loaded. If the child
        dies during the measurements, the observation has the reason.
    """
    probe, everywhere = settings.probe, bool(settings.runtimes)
    data = Path(probe.data) if probe.data else None
    observations: list[Observation] = []
    seen, first = ProbeResult(()), None
    for handle in handles:
        if artifact.lite is not None and observations:
            break  # every installed runtime has the same interpreter
        if not calls_for(artifact.format, legacy_keras=handle.runtime.legacy):
            continue
        observation, session = observe(handle, artifact, probe)
        if session is None:
            loaded = any(each.uncallable for each in observations)
            if not loaded or observation.status is Status.FAILED:
                observations.append(observation)
            continue
        with session:
            proof = prove(artifact, observation, partial(variable_values, session))
            golden = _replayed(session, artifact, settings.limits)
            if everywhere:
                first = run_reference(session, artifact, probe, data)
            changed = _changed(artifact, observation)
            outcome = changed or study(session, artifact, probe, data)
            # Compiling changes the model, and settings in a file can do anything, so it is last.
            observation = replace(observation, uncompiled=not_compiled(session, artifact))
        seen = ProbeResult((), restore=proof, golden=golden)
        if isinstance(outcome, Uncallable):
            # Keras 3 changes what some models of Keras 2 pass between layers.
            observations.append(replace(observation, uncallable=outcome.reason))
            seen = replace(seen, skipped=outcome.reason)
            if observation.call in OF_KERAS:
                continue
            break
        if isinstance(outcome, Observation):
            observation = outcome  # what ended the child
        elif isinstance(outcome, Unprobeable):
            seen = replace(seen, skipped=outcome.reason)
        else:
            seen = replace(seen, behaviour=outcome)
        observations.append(observation)
        break
    others = try_all_runtimes(handles, artifact, probe, observations, first) if everywhere else ()
    if source is not None and seen.behaviour is not None:
        found = compare_saved(source.artifact, artifact, source.weights, probe, handles)
        seen = replace(seen, pair=found)
    return replace(seen, observations=tuple(observations), elsewhere=others)


def _changed(artifact: Artifact, observation: Observation) -> Uncallable | None:
    """Why inputs of the saved shape cannot be passed to the restored model."""
    if artifact.architecture is None or observation.call not in OF_KERAS:
        return None
    reason = changed_inputs(artifact.architecture, observation)
    return Uncallable(reason) if reason else None


def _replayed(session: Session, artifact: Artifact, limits: Limits) -> GoldenCheck | None:
    """Check the golden record of the model; None without a record."""
    golden = read_golden(artifact, limits)
    if golden is None or golden.problem:
        return golden
    record = read_record(artifact.root, limits)
    return replay(session, record, golden) if record else golden


def variable_values(session: Session, path: str) -> NDArray[Any] | None:
    """Values of one variable of the restored model; None if they cannot be read."""
    answer = session.variables([path])
    return None if isinstance(answer, Observation) else answer[path]
