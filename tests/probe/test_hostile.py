"""Models that hang, exhaust memory or crash: the session survives and reports it."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Artifact, Format
from modelaudit.probe.host.feed import Feed
from modelaudit.probe.host.observe import observe
from modelaudit.probe.host.runtime import RuntimeHandle
from modelaudit.probe.host.session import Session
from modelaudit.probe.protocol import Observation
from modelaudit.settings import ProbeSettings

pytestmark = pytest.mark.slow
X = np.ones((3, 2), "float32")


def load(
    handle: RuntimeHandle, path: Path, timeout: float = 30.0, memory: int = 1 << 30
) -> tuple[Observation, Session | None]:
    settings = ProbeSettings(timeout=timeout, memory=memory)
    return observe(handle, Artifact(root=path, format=Format.SAVEDMODEL_TF2), settings)


def run(handle: RuntimeHandle, path: Path, **bounds: float) -> dict[str, np.ndarray] | Observation:
    seen, session = load(handle, path, **bounds)
    assert seen.status is Status.LOADED, seen.error
    assert session is not None
    with session:
        assert session.put({"x": X}) is None
        answer = session.predict([Feed("x")])
        if not session.alive:  # a dead child fails every request alike
            assert session.predict([Feed("x")]) == answer
            assert session.digests() == answer
        return answer


def test_a_model_that_aborts_is_an_observation(keras3: RuntimeHandle, hostile: Path) -> None:
    end = run(keras3, hostile / "abort")
    assert isinstance(end, Observation)
    assert end.status is Status.CRASHED
    assert end.signal == signal.SIGABRT
    assert "boom" in end.log


def test_a_model_that_aborts_while_loading(keras3: RuntimeHandle, hostile: Path) -> None:
    seen, session = load(keras3, hostile / "abort_on_load")
    assert session is None
    assert seen.status is Status.CRASHED
    assert seen.signal == signal.SIGABRT
    assert seen.call == "saved_model.load"


def test_a_model_that_exits_without_error(keras3: RuntimeHandle, hostile: Path) -> None:
    end = run(keras3, hostile / "leave")
    assert isinstance(end, Observation)
    assert end.status is Status.CRASHED
    assert end.signal is None


@pytest.mark.parametrize("name", ["loop", "counts"])
def test_a_model_that_never_ends(keras3: RuntimeHandle, hostile: Path, name: str) -> None:
    end = run(keras3, hostile / name, timeout=2.0)
    assert isinstance(end, Observation)
    assert end.status is Status.TIMEOUT
    assert end.seconds < 10


@pytest.mark.parametrize("name", ["grow", "huge"])
def test_a_model_that_exhausts_memory(keras3: RuntimeHandle, hostile: Path, name: str) -> None:
    end = run(keras3, hostile / name, memory=256 << 20)
    assert isinstance(end, Observation)
    assert end.status is Status.MEMORY
    assert end.peak_memory < 2 << 30


def test_printed_output_of_a_model_is_not_an_answer(keras3: RuntimeHandle, hostile: Path) -> None:
    answer = run(keras3, hostile / "print")
    assert isinstance(answer, dict)
    np.testing.assert_array_equal(answer["y"], X)


def test_the_runtime_survives_dead_children(keras3: RuntimeHandle, hostile: Path) -> None:
    run(keras3, hostile / "abort")
    answer = run(keras3, hostile / "honest")
    assert isinstance(answer, dict)
    np.testing.assert_array_equal(answer["y"], 2 * X)
    children = Path("/proc").glob("[0-9]*/cwd")
    here = [link for link in children if str(link.resolve()).startswith(keras3.scratch + "/tmp")]
    assert not here


def test_sessions_run_in_parallel(keras3: RuntimeHandle, hostile: Path) -> None:
    _, one = load(keras3, hostile / "honest")
    _, other = load(keras3, hostile / "honest")
    assert one is not None
    assert other is not None
    with one, other:
        for session in (one, other):
            session.put({"x": X * (1 if session is one else 5)})
        assert np.all(one.predict([Feed("x")])["y"] == 2)
        assert np.all(other.predict([Feed("x")])["y"] == 10)
