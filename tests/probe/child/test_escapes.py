"""Attempts to reach other programs of the user by system calls: they work outside, not inside.

As root, as a plain user, and inside bubblewrap. No model is loaded: this is what the sandbox
permits to any code that runs in it.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from modelaudit.probe.host import bubblewrap
from tests.probe import plain_user
from tests.probe.attack_runs import BUBBLEWRAP, PLAIN_USER, RUNS
from tests.probe.escapes import ATTEMPTS, CONTROL
from tests.probe.restricted import needs_linux
from tests.sharing import REPOSITORY, answer_of, made_once, module

pytestmark = needs_linux
# What this kernel, its file systems or its configuration may not have.
ABSENT = {errno.ENOSYS, errno.ENOTTY, errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.ENOPROTOOPT}


def command(run: str, private: Path) -> list[str]:
    """The command that carries out the attempts.

    Raises:
        LookupError: this run is not possible here, with the reason.
    """
    plain = module("tests.probe.escapes")
    if run == BUBBLEWRAP:
        if reason := bubblewrap.unavailable_reason():
            raise LookupError(f"no bubblewrap: {reason}")
        inside = ["/usr/bin/env", f"PYTHONPATH={REPOSITORY}", f"TMPDIR={private}", *plain]
        jail = bubblewrap.bubblewrap_command(plain, [REPOSITORY], private)
        return [*jail[: jail.index("--") + 1], *inside]
    root = os.geteuid() == 0
    if run == PLAIN_USER:
        plain.append(CONTROL)
        return plain_user.command(plain, [REPOSITORY]) if root else plain
    if not root:
        raise LookupError("only root can be root")
    return plain


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the results of each run, or of the reason why it is missing."""

    def carry_out(folder: Path) -> None:
        for run in RUNS:
            private = folder / f"{run} private"
            private.mkdir()
            try:
                said = answer_of(command(run, private))
            except LookupError as reason:
                said = {"skipped": str(reason)}
            (folder / run).write_text(json.dumps(said))

    return made_once(tmp_path_factory, "escapes", carry_out)


def outcome(results: Path, run: str) -> dict[str, Any]:
    found = json.loads((results / run).read_text())
    if "skipped" in found:
        pytest.skip(found["skipped"])
    return found


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_an_attempt_works_without_a_sandbox(results: Path, attempt: str) -> None:
    said = outcome(results, PLAIN_USER)["control"][attempt]
    if said.get("errno") in ABSENT:
        pytest.skip(f"this kernel does not have it: {said['error']}")
    assert said["done"], said["error"]


def test_attempts_change_their_targets(results: Path) -> None:
    """Seen from outside, not said by the attempt."""
    control = outcome(results, PLAIN_USER)["control"]
    changed = {key for said in control.values() for key in said["changed"]}
    assert changed == {"parent", "victim", "file", "beside", "shm", "sem", "msg", "posix", "mq"}


@pytest.mark.parametrize("run", RUNS)
def test_nothing_outside_is_changed(results: Path, run: str) -> None:
    assert outcome(results, run)["changed"] == []


@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize("run", RUNS)
def test_an_attempt_fails_in_the_sandbox(results: Path, run: str, attempt: str) -> None:
    assert not outcome(results, run)["held"][attempt]["done"]
