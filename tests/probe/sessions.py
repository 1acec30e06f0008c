"""Sessions for tests, and access to answers as arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Artifact, Format
from modelaudit.probe.host.feed import Feed
from modelaudit.probe.host.observe import observe
from modelaudit.probe.host.runtime import RuntimeHandle
from modelaudit.probe.host.session import Session
from modelaudit.probe.protocol import Observation
from modelaudit.settings import ProbeSettings

SETTINGS = ProbeSettings(timeout=60)


def opened(handle: RuntimeHandle, path: Path, format: Format, call: str | None = None) -> Session:
    artifact = Artifact(root=path, format=format)
    seen, session = observe(handle, artifact, SETTINGS, calls=[call] if call else None)
    assert seen.status is Status.LOADED, f"{seen.error_type}: {seen.error}\n{seen.log}"
    assert session is not None
    return session


def answered(answer: dict[str, np.ndarray] | Observation) -> dict[str, np.ndarray]:
    assert not isinstance(answer, Observation), f"{answer.error_type}: {answer.error}"
    return answer


def one(answer: tuple[dict[str, np.ndarray], ...] | Observation) -> dict[str, np.ndarray]:
    """The result of the only watch of a pass."""
    assert not isinstance(answer, Observation), f"{answer.error_type}: {answer.error}"
    (seen,) = answer
    return seen


def only(outputs: dict[str, np.ndarray] | Observation) -> np.ndarray:
    (value,) = answered(outputs).values()
    return value


def reproduces(handle: RuntimeHandle, made: Path, golden: dict, name: str, *how: object) -> None:
    key = name.partition("/")[0]
    with opened(handle, made / name, *how) as session:
        assert session.put({"x": golden["x"]}) is None
        y = only(session.predict([Feed("x")]))
        np.testing.assert_allclose(y, golden[key], rtol=1e-4, atol=1e-5)
        (port,) = session.observation.inputs
        assert port.shape in {(None, 8, 8, 3), (-1, 8, 8, 3)}
        assert port.dtype == "float32"
