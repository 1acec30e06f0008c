"""TensorFlow 1 training graphs, as the probe sees them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from modelaudit.probe.child.graph_adapters import SessionModel
from modelaudit.probe.child.loading import _endpoints

NONE_ASKED = SimpleNamespace(tensors_in=[], tensors_out=[])


def weights(v1, *shape):
    return v1.get_variable("w", shape, initializer=v1.random_normal_initializer(seed=1))


def trained(v1, loss):
    v1.train.AdamOptimizer(0.1).minimize(loss)
    v1.train.Saver()


def loaded(tf, v1) -> SessionModel:
    """The graph as the probe sees it, in a session with initialised variables."""
    session = v1.Session()
    session.run(v1.global_variables_initializer())
    inputs, outputs = _endpoints(NONE_ASKED, session.graph)
    return SessionModel(tf, session, inputs, outputs)


def names(model: SessionModel) -> tuple[list[str], list[str]]:
    return [e["name"] for e in model.inputs], [e["name"] for e in model.outputs]


def kernel_of(model: SessionModel) -> np.ndarray:
    return model.value(model.variables()["w"])


def only(model: SessionModel, *feeds) -> np.ndarray:
    (value,) = model.run([*feeds], False).values()
    return value
