"""The study of an audit on a Keras model or SavedModel in this process, for `make.py`.

An audit runs each model in a child of its own, which costs more than the measurements of a small
network. Here the child's `Worker` answers in this process. What is measured is the same;
sensitivity curves and residuals of layers are left out, because no cause rests on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Artifact
from modelaudit.formats.reader import read_artifact
from modelaudit.measures.kernels.directions import with_filters
from modelaudit.measures.measure import measure
from modelaudit.measures.summary import Behaviour
from modelaudit.pipeline import add_architecture
from modelaudit.probe.child.adapters import KerasModel
from modelaudit.probe.child.arrays import transformed
from modelaudit.probe.child.worker import Worker
from modelaudit.probe.host.session import Session
from modelaudit.probe.protocol import Observation, calls_for
from modelaudit.probe.study import study as studies
from modelaudit.probe.study.runner import MeasurementUnavailable
from modelaudit.rules.model import Facts
from modelaudit.settings import ProbeSettings, Settings
from modelaudit.structs import replace

SETTINGS = Settings(probe=ProbeSettings(timeout=600))


def _nothing(*_: object) -> tuple[()]:
    return ()


studies.study_sensitivity = _nothing
studies._Study._residuals = _nothing


class QuickWorker(Worker):
    """A worker that reads the inputs of normalizations of a live model from one traced function.

    The child calls the model layer by layer, which takes longer and gives the same up to rounding.
    """

    def activations(self, request: dict[str, Any], arrays: dict[str, Any]) -> Any:
        watches, traced = request["watches"], getattr(self.model, "traced", None)
        if traced is None or len(watches) != 1 or not watches[0]["into"]:
            return super().activations(request, arrays)
        routes = tuple(watches[0]["routes"])
        if routes not in traced:
            traced[routes] = self._trace(routes)
        (feed,) = request["feeds"]
        x = transformed(self.kept[feed["put"]], feed.get("transform"))
        found = traced[routes](self.tf.constant(x, self.tf.float32))
        return {"missing": []}, {
            f"0/{route}:{name}": np.asarray(value, np.float64)
            for route, values in zip(routes, found, strict=True)
            for name, value in zip(("mean", "var", "min", "max"), values, strict=True)
        }

    def _trace(self, routes: tuple[str, ...]) -> Any:
        tf, model = self.tf, self.loaded().model
        inner = self.keras.Model(model.inputs, [model.get_layer(each).input for each in routes])

        def statistics(x: Any) -> list[Any]:
            seen = inner(x, training=False)
            found = []
            for value in seen if len(routes) > 1 else [seen[0] if isinstance(seen, list) else seen]:
                axes = list(range(value.shape.rank - 1))
                low, high = tf.reduce_min(value, axes), tf.reduce_max(value, axes)
                found.append((*tf.nn.moments(value, axes), low, high))
            return found

        return tf.function(statistics, autograph=False, reduce_retracing=True)


class HereSession(Session):
    """A session whose worker is in this process."""

    def __init__(self, worker: Worker, model: Mapping[str, Any]) -> None:
        super().__init__(Observation("here", "", Status.FAILED), model, None)
        self.worker, self._dead = worker, None

    def _exchange(
        self, verb: str, request: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        try:
            header, results = self.worker.answer({**request, "verb": verb}, dict(arrays))
        except Exception as error:  # as the child does
            return {"ok": False, "error_type": type(error).__name__, "error": str(error)}, {}
        return {**header, "ok": True}, results


def opened(artifact: Artifact, live: Any = None) -> HereSession:
    """A session with the model of a file; `live` is a Keras model with its weights, if any.

    A live model is traced only once, whatever its weights are.
    """
    import keras
    import tensorflow as tf

    session = HereSession(QuickWorker(tf, keras), {"path": str(artifact.root), "threads": 2})
    if live is not None:
        session.worker.model = live
        seen = session._describe()
    else:
        seen = session.load(calls_for(artifact.format, legacy_keras=False))
    if seen.status is not Status.LOADED:
        raise RuntimeError(f"{artifact.root.name}: {seen.error}")
    digests = session.digests()
    assert not isinstance(digests, Observation), digests.error
    session.observation = replace(seen, variables=digests)
    return session


def adapter(model: Any) -> KerasModel:
    """A Keras model as sessions use it."""
    import keras
    import tensorflow as tf

    found = KerasModel(tf, keras, model)
    found.traced = {}
    return found


def static(path: Path) -> Facts:
    """What an audit knows of a file before the model is run, without predictions of loading."""
    artifact = add_architecture(read_artifact(path, SETTINGS.limits), SETTINGS)
    measured = with_filters(measure(artifact, limits=SETTINGS.limits), artifact)
    return Facts(artifact=artifact, settings=SETTINGS, measurements=measured)


def studied(facts: Facts, session: HereSession, data: Path | None) -> Facts:
    """The facts with the behaviour on the inputs of `data` (.npz), or on built-in ones."""
    probe = replace(SETTINGS.probe, data=str(data) if data else None)
    seen = studies.study(session, facts.artifact, probe, data)
    settings = replace(SETTINGS, probe=probe)
    if not isinstance(seen, Behaviour):
        why = seen.error if isinstance(seen, Observation) else seen.reason
        raise MeasurementUnavailable(f"{facts.artifact.root.name}: {why}")
    return replace(facts, settings=settings, observations=(session.observation,), behaviour=seen)
