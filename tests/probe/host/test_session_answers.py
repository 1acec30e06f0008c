"""What a session makes of refusals and of answers that do not fit."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest

from modelaudit.audit_types.loading import Port, Status
from modelaudit.probe.host.channel import Channel
from modelaudit.probe.host.feed import Feed
from modelaudit.probe.host.session import Session
from modelaudit.probe.protocol import Observation
from tests.probe.host.fake_child import Child, Play


def session_with(channel: Channel) -> Session:
    session = Session(Observation("r", "", Status.FAILED), {"path": "/m"}, channel)
    session.greet()
    return session


def test_a_refusal_without_a_sandbox(playing: Callable[[Play], Channel]) -> None:
    def play(child: Child) -> None:
        child.tell({"pid": os.getpid()})
        child.say({"ok": False, "refused": "landlock", "sandbox": {"landlock": "not available"}})

    session = session_with(playing(play))
    assert not session.alive
    assert session.observation.status is Status.REFUSED
    assert session.observation.sandbox == {"landlock": "not available"}
    assert session.load(["load_model"]).status is Status.REFUSED


def test_a_runtime_without_tensorflow(playing: Callable[[Play], Channel]) -> None:
    def play(child: Child) -> None:
        child.tell({"pid": os.getpid()})
        child.say({"ok": False, "error_type": "ModuleNotFoundError", "error": "no tensorflow"})

    session = session_with(playing(play))
    assert session.observation.status is Status.UNAVAILABLE
    assert session.observation.error == "no tensorflow"


DESCRIBED = {
    "inputs": [{"name": "x", "dtype": "float32", "shape": [None, 2]}],
    "outputs": [{"name": "y", "dtype": "float32", "shape": None}],
    "layers": [],
    "notes": [],
}


@pytest.mark.parametrize(
    "described",
    [
        {},
        DESCRIBED | {"inputs": [{"name": "x", "dtype": "float32", "shape": ["two"]}]},
        DESCRIBED | {"inputs": [{"name": "x", "dtype": "float32", "shape": [-3]}]},
        DESCRIBED | {"outputs": [{"name": 5, "dtype": "float32", "shape": None}]},
        DESCRIBED | {"layers": ["conv"]},
        DESCRIBED | {"notes": [{}]},
    ],
)
def test_malformed_descriptions_are_rejected(
    playing: Callable[[Play], Channel], described: dict[str, object]
) -> None:
    def play(child: Child) -> None:
        child.begin()
        child.hear()
        child.say({})
        child.hear()
        child.say(described)

    session = session_with(playing(play))
    seen = session.load(["load_model"])
    assert seen.status is Status.CRASHED
    assert seen.error_type == "ProtocolError"
    assert not session.alive


@pytest.mark.parametrize(
    "answer",
    [{"y": np.zeros((4, 2))}, {"y": np.zeros(())}],
)
def test_outputs_of_another_length_are_refused(
    playing: Callable[[Play], Channel], answer: dict[str, np.ndarray]
) -> None:
    def play(child: Child) -> None:
        child.begin()
        for reply in ({}, DESCRIBED, {}):
            child.hear()
            child.say(reply)
        child.hear()
        child.say({}, answer)

    session = session_with(playing(play))
    seen = session.load(["load_model"])
    assert seen.status is Status.LOADED
    assert seen.inputs == (Port("x", "float32", (None, 2)),)
    session.put({"x": np.zeros((3, 2))})
    outcome = session.predict([Feed("x")])
    assert isinstance(outcome, Observation)
    assert outcome.error_type == "ProtocolError"


def test_digests_must_look_like_digests(playing: Callable[[Play], Channel]) -> None:
    entry = {"path": "a", "shape": [2], "dtype": "float32", "sha256": "../../etc/passwd"}

    def play(child: Child) -> None:
        child.begin()
        child.hear()
        child.say({"digests": [entry]})

    answer = session_with(playing(play)).digests()
    assert isinstance(answer, Observation)
    assert answer.error_type == "ProtocolError"
