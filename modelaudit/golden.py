"""Golden records: written when a model is saved, replayed by every later audit.

In the program that saves the model (Keras 2 or 3, any backend, or a `tf.Module`):

    model.save("model.keras")
    modelaudit.record(model, "model.keras")

or, for a record after each epoch's save, `modelaudit.golden.callback("model.keras")`. Neither
imports TensorFlow or Keras; both use the ones that the model was built with.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelaudit import __version__
from modelaudit.errors import UsageError
from modelaudit.facts import Artifact
from modelaudit.formats.reader import read
from modelaudit.probe.host.observe import restored
from modelaudit.probe.host.runtime import RuntimeHandle
from modelaudit.probe.host.session import Session
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study.golden_replay import recipes, replay, run_outputs
from modelaudit.probe.study.inputs import Unprobeable
from modelaudit.probe.study.live_model import Outputs, described, wrap_live_model
from modelaudit.restore.golden_check import GoldenCheck, precision_of
from modelaudit.restore.golden_record import (
    GoldenRecord,
    RecordedInput,
    recorded_output,
    write_record,
)
from modelaudit.restore.model import Weight
from modelaudit.restore.record_inputs import make
from modelaudit.restore.weight_sources import restored_weights
from modelaudit.settings import Limits, ProbeSettings

if TYPE_CHECKING:
    from modelaudit.probe.child.frames import Untyped

SAMPLES = 16
SEED = 20240229


def record(
    model: Untyped,
    path: str | PathLike[str],
    *,
    inputs: Sequence[NDArray[Any]] | NDArray[Any] | None = None,
    samples: int = SAMPLES,
    seed: int = SEED,
) -> Path:
    """Write the golden record of a live model next to its saved files.

    Args:
        model: a Keras model, or any other object that is called with arrays and has `variables`.
        path: where the model was just saved: a file, a directory, or a checkpoint's prefix.
        inputs: one array per input, batch axis first, to record instead of generated inputs;
            required if the model is not a Keras model. They are stored in the record.
        samples: number of generated inputs.
        seed: of the generated inputs.

    Returns:
        The record's path: `path` with `.golden.json` appended.

    Raises:
        UsageError: nothing is saved there, or no inputs can be generated for the model.
        ReadError: the saved model cannot be read.
    """
    place = Path(fspath(path)).absolute()
    artifact = read(place, Limits())
    face = wrap_live_model(model)
    given = _given(inputs)
    if given is None:
        made = recipes(face.ports(), artifact, samples, seed)
        if isinstance(made, Unprobeable):
            raise UsageError(f"{made.reason}; pass the inputs to record")
        given = tuple(RecordedInput(recipe.name, recipe) for recipe in made)
    arrays = [each.values if each.recipe is None else make(each.recipe) for each in given]
    feeds = [array for array in arrays if array is not None]
    outputs, noise = face.answers(feeds)
    if not outputs:
        raise UsageError("the model returns no numeric output")
    kept = _record(artifact, given, (outputs, noise), face.weights(artifact), _versions())
    return write_record(kept, place)


def record_saved(
    artifact: Artifact, settings: ProbeSettings, handles: Sequence[RuntimeHandle]
) -> Path:
    """Write the golden record of a saved model, run in isolation.

    The first runtime that loads the model is used. Samples and seed come from the settings.

    Raises:
        UsageError: no runtime loads the model, no inputs can be generated, or it returns nothing.
        OSError: the record cannot be written.
    """
    with restored(artifact, settings, handles) as session:
        return write_record(_session_record(session, artifact, settings), artifact.root)


def replay_saved(
    old: Artifact, new: Artifact, settings: ProbeSettings, handles: Sequence[RuntimeHandle]
) -> GoldenCheck:
    """Replay one saved model's inputs on another and compare the outputs, without a record file.

    If either model cannot be run, `not_replayed` says why.
    """
    try:
        with restored(old, settings, handles) as session:
            recorded = _session_record(session, old, settings)
        with restored(new, settings, handles) as session:
            return replay(session, recorded, GoldenCheck(file=""))
    except UsageError as error:
        return GoldenCheck(file="", not_replayed=str(error))


def _session_record(session: Session, artifact: Artifact, settings: ProbeSettings) -> GoldenRecord:
    ports = session.observation.inputs
    made = recipes(ports, artifact, settings.samples, settings.seed)
    if isinstance(made, Unprobeable):
        raise UsageError(made.reason)
    answered = run_outputs(session, [make(recipe) for recipe in made])
    if isinstance(answered, Observation):
        raise UsageError(f"the model returned no output: {answered.failure}")
    weights = [
        _described(session, weight)
        for weight in restored_weights(artifact, session.observation.variables, None)
    ]
    given = tuple(RecordedInput(recipe.name, recipe) for recipe in made)
    return _record(artifact, given, answered, weights, session.observation.versions)


def _described(session: Session, weight: Weight) -> Weight:
    values = session.variables([weight.name])
    return weight if isinstance(values, Observation) else described(weight, values[weight.name])


def _given(
    inputs: Sequence[NDArray[Any]] | NDArray[Any] | None,
) -> tuple[RecordedInput, ...] | None:
    if inputs is None:
        return None
    arrays = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
    return tuple(
        RecordedInput(f"input_{i}", values=np.asarray(array)) for i, array in enumerate(arrays)
    )


def _record(
    artifact: Artifact,
    given: tuple[RecordedInput, ...],
    answered: tuple[Outputs, float],
    weights: Sequence[Weight],
    versions: Mapping[str, str],
) -> GoldenRecord:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = {"modelaudit": __version__, **versions, "created": now}
    precision = precision_of(artifact)
    made |= {"precision": precision} if precision else {}
    outputs, noise = answered
    return GoldenRecord(
        made=made,
        model_sha256=artifact.sha256 or "",
        inputs=given,
        outputs=tuple(recorded_output(name, value) for name, value in outputs.items()),
        tensors=tuple(weights),
        noise=noise,
    )


def _versions() -> dict[str, str]:
    """Versions of the packages that the program has imported."""
    names = ("tensorflow", "keras", "tf_keras", "numpy", "jax", "torch")
    loaded = {name: sys.modules[name] for name in names if name in sys.modules}
    found = {name: getattr(module, "__version__", None) for name, module in loaded.items()}
    return {name: str(version) for name, version in found.items() if version}


def callback(path: str | PathLike[str], base: type | None = None, **options: Untyped) -> Untyped:
    """A Keras callback that records the model after each epoch in which `path` was saved.

    Put it after the `ModelCheckpoint` that saves there:

        model.fit(x, y, callbacks=[ModelCheckpoint(path), golden.callback(path)])

    Args:
        path: where the model is saved, without placeholders.
        base: the `keras.callbacks.Callback` to derive from; by default that of the Keras that
            the program has imported.
        options: passed to `record`.

    Raises:
        UsageError: Keras is not imported.
    """
    if base is None:
        keras = sys.modules.get("keras") or sys.modules.get("tf_keras")
        if keras is None:
            raise UsageError("Keras is not imported: pass its callbacks.Callback as `base`")
        base = keras.callbacks.Callback
    recorder = _Recorder(Path(fspath(path)), options)
    return type("GoldenRecord", (base,), recorder.hooks())()


class _Recorder:
    """Records a model when its saved file has changed."""

    def __init__(self, path: Path, options: Mapping[str, Any]) -> None:
        self.path, self.options = path, options
        self.seen = self.stamp()

    def stamp(self) -> tuple[int, int] | None:
        """Changes whenever the model is saved again; None if nothing is saved yet."""
        for file in (
            self.path / "saved_model.pb",
            self.path,
            self.path.with_name(f"{self.path.name}.index"),
        ):
            if file.is_file():
                found = file.stat()
                return found.st_mtime_ns, found.st_size
        return None

    def hooks(self) -> dict[str, Any]:
        """The methods that Keras calls."""

        def on_train_begin(*_: object, **__: object) -> None:
            self.seen = self.stamp()

        def on_epoch_end(hooked: Untyped, *_: object, **__: object) -> None:
            now = self.stamp()
            if now is not None and now != self.seen:
                record(hooked.model, self.path, **self.options)
                self.seen = now

        return {"on_train_begin": on_train_begin, "on_epoch_end": on_epoch_end}
