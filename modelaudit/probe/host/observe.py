"""Opening sessions in runtimes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from modelaudit.audit_types.loading import Status
from modelaudit.errors import UsageError
from modelaudit.facts import Artifact, Format, Json
from modelaudit.formats.checkpoint.index import index_path, is_nameless, part_path
from modelaudit.formats.io.symlinks import hub_blobs
from modelaudit.probe.child import sandbox
from modelaudit.probe.host import bubblewrap, scratch_dirs
from modelaudit.probe.host.channel import Channel, ChildEnded, ChildLimits
from modelaudit.probe.host.runtime import RuntimeHandle, wake
from modelaudit.probe.host.session import Array, Session
from modelaudit.probe.host.tfjs_models import TRANSLATED, NotTranslated, translate
from modelaudit.probe.protocol import Observation, calls_for
from modelaudit.settings import ProbeSettings
from modelaudit.structs import replace
from modelaudit.terminal_text import plain

CHECKPOINTS = (Format.TF1_CHECKPOINT, Format.TF2_CHECKPOINT)
SCRATCH_BYTES = 64 << 20  # limit of files that a child writes, in addition to the model's size


def open_session(
    handle: RuntimeHandle,
    root: Path,
    format: Format,
    settings: ProbeSettings,
    *,
    architecture: str | None = None,
    options: Mapping[str, Json] | None = None,
) -> Session:
    """Start a child for the model at `root`; it is restricted, and nothing is loaded yet.

    If no child can be started, the session is not `alive` and its `observation` has the reason.

    Args:
        root: absolute path of the file or directory, or a checkpoint prefix.
        architecture: Keras JSON, for formats that contain only weights.
        options: options for loaders: `signature` (name), `tags` (of a TF1 SavedModel's MetaGraph),
            `inputs` and `outputs` (tensor names, for graphs without signatures).
    """
    blank = Observation(
        runtime=handle.runtime.name,
        call="",
        status=Status.UNAVAILABLE,
        sandbox={bubblewrap.LAYER: True} if handle.jailed else {},
    )
    # Bubblewrap shows only the audited files, which is the purpose of requiring Landlock.
    spared = {"landlock"} if handle.jailed else set()
    required = [*sandbox.REQUIRED] if settings.require_sandbox else []
    failure = handle.failure or (wake(handle) if handle.late else "")
    if failure:
        return Session(replace(blank, error=plain(failure)), {}, None)
    try:
        readable = _files(root, format)
        size = sum(path.stat().st_size for path in readable if path.is_file())
        private = Path(tempfile.mkdtemp(dir=handle.scratch))
    except OSError as error:  # the model or the runtime no longer exists
        return Session(replace(blank, error_type=type(error).__name__, error=str(error)), {}, None)
    policy: dict[str, Json] = {
        "readable": [str(path) for path in readable],
        "listable": [str(index_path(root).parent)] if format in CHECKPOINTS else [],
        "scratch": str(private),
        "required": [layer for layer in required if layer not in spared],
        "seed": settings.seed,
    }
    model: dict[str, Json] = {
        **(options or {}),
        "path": f"{root}/" if format in CHECKPOINTS and is_nameless(root) else str(root),
        "architecture": architecture,
        "threads": handle.threads,
    }
    limits = ChildLimits(
        settings.timeout, settings.memory, SCRATCH_BYTES + size, handle.threads, private
    )
    try:
        channel = Channel(handle.connect_path, policy, limits)
    except ChildEnded as end:
        scratch_dirs.remove(private)
        ended = replace(blank, status=end.status, error_type=end.error_type, error=plain(end.error))
        return Session(ended, {}, None)
    session = Session(replace(blank, status=Status.FAILED), model, channel, private)
    session.greet()
    return session


def _files(root: Path, format: Format) -> list[Path]:
    """Files of the model, which the child may read."""
    if format not in CHECKPOINTS:
        blobs = hub_blobs(root) if root.is_dir() else None
        return [root, blobs] if blobs else [root]
    names = tuple(part_path(root, part).name for part in (".index", ".meta", ".data-"))
    beside = index_path(root).parent.iterdir()
    return sorted(path for path in beside if path.name.startswith(names))


def observe(
    handle: RuntimeHandle,
    artifact: Artifact,
    settings: ProbeSettings,
    *,
    calls: Sequence[str] | None = None,
) -> tuple[Observation, Session | None]:
    """Load a model, describe it, and compute the digests of all variables.

    Returns:
        The observation, and the open session if the model was loaded. The caller must close it.
    """
    runnable = calls_for(artifact.format, legacy_keras=handle.runtime.legacy)
    tried = runnable if calls is None else tuple(calls)
    refusal = Observation(runtime=handle.runtime.name, call="", status=Status.REFUSED)
    if not tried:
        return replace(refusal, error=f"{artifact.format.label}: this format cannot be run"), None
    refusal = replace(refusal, call=tried[0])
    architecture: str | None = None
    options: dict[str, Json] = {}
    values: Mapping[str, Array] = {}
    if artifact.format in TRANSLATED:
        try:
            translated = translate(artifact)
        except NotTranslated as error:
            return replace(refusal, error=str(error)), None
        architecture, values = translated.architecture, translated.values
        options |= translated.options
    if tried[0] in {"load_weights", "load_checkpoint"}:
        if artifact.architecture is None:
            reason = "only weights, without an architecture to load them into"
            return replace(refusal, error=reason), None
        architecture = json.dumps(dict(artifact.architecture.config))
    graph = part_path(artifact.root, ".meta")
    if tried[0] == "import_meta_graph" and not graph.exists():
        reason = f"only weights: there is no {graph.name} with a graph to restore them into"
        return replace(refusal, error=reason), None
    tags = next((list(graph.tags) for graph in artifact.graphs if graph.tags), None)
    if any("serve" in graph.tags for graph in artifact.graphs):
        tags = ["serve"]
    if tags is not None:
        options["tags"] = [str(tag) for tag in tags]
    session = open_session(
        handle,
        artifact.root,
        artifact.format,
        settings,
        architecture=architecture,
        options=options,
    )
    seen = session.load(tried, values)
    before = next((each for each in session.attempts if each.call == "saved_model.load"), None)
    if artifact.format is Format.SAVEDMODEL_TF2 and before is not None and seen.call == "session":
        loaded = seen.status is Status.LOADED  # as the last resort, without the model's objects
        seen = replace(seen, refused=before.error) if loaded else before
    digests = session.digests() if seen.status is Status.LOADED else ()
    if isinstance(digests, Observation):  # loaded, but died or failed afterwards
        seen = replace(digests, inputs=seen.inputs, outputs=seen.outputs, layers=seen.layers)
    else:
        seen = replace(seen, variables=digests)
    if seen.status is not Status.LOADED:
        session.close()
        return _in_its_runtime(seen, artifact), None
    session.observation = seen
    return seen, session


def _in_its_runtime(seen: Observation, artifact: Artifact) -> Observation:
    """The same; a failure of what stands in for the model's own runtime is none of the model."""
    if seen.status is not Status.FAILED or artifact.format not in TRANSLATED:
        return seen
    error = (
        "TensorFlow.js was not tried, and TensorFlow and Keras 2, by which its models are run, do "
        f"not take it: {seen.error_type}: {seen.error}"
    )
    return replace(seen, status=Status.REFUSED, error_type="", error=error)


@contextmanager
def restored(
    artifact: Artifact, settings: ProbeSettings, handles: Sequence[RuntimeHandle]
) -> Iterator[Session]:
    """A session with the model, in the first runtime that loads it.

    Raises:
        UsageError: no runtime loads it.
    """
    failures = []
    for handle in handles:
        seen, session = observe(handle, artifact, settings)
        if session is not None:
            with session:
                yield session
            return
        failures.append(f"{handle.runtime.name}: {seen.error_type} {seen.error}".strip())
    raise UsageError("no runtime loads the model: " + "; ".join(failures))
