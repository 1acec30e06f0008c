"""The sandbox and Landlock on real processes, as root and as a plain user."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from modelaudit.probe.child import landlock, sandbox, unprivileged
from modelaudit.probe.host import sandbox_report
from tests.probe.host.test_disk_limit import nested
from tests.probe.restricted import needs_linux, run_restricted

pytestmark = needs_linux
PLAIN_USER = 12345


def landlock_version() -> int:
    try:
        return landlock.abi()
    except OSError:
        return 0


needs_landlock = pytest.mark.skipif(landlock_version() < 1, reason="kernel without Landlock")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

PROBE = """
import os, resource, socket
from pathlib import Path
def attempt(action):
    try:
        return action() or 0
    except OSError as error:
        return error.errno
def make(path):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
"""


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """A model, a neighbour, and a scratch directory, reachable for every user."""
    folder = tmp_path
    while folder != Path("/tmp") and folder != folder.parent and folder.owner() == tmp_path.owner():
        folder.chmod(0o755)
        folder = folder.parent
    model, scratch = tmp_path / "model", tmp_path / "scratch"
    model.mkdir()
    (model / "weights").write_text("w")
    (tmp_path / "neighbour").write_text("secret")
    scratch.mkdir()
    return {"model": model, "neighbour": tmp_path / "neighbour", "scratch": scratch}


def running(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] not in "ZX"


def policy(places: dict[str, Path]) -> dict[str, object]:
    return {
        "readable": [str(places["model"])],
        "listable": [],
        "scratch": str(places["scratch"]),
        "address_space": 4 << 30,
        "cpu": 50,
        "file_size": 1000,
    }


def entered(places: dict[str, Path], before: str = "", after: str = "") -> dict[str, object]:
    """The report of a process that entered the sandbox, and what it could still do."""
    body = f"""
{PROBE}
from modelaudit.probe.child import sandbox
places = { ({k: str(v) for k, v in places.items()})!r}
{before}
outcome = {{"report": sandbox.enter({policy(places)!r})}}
outcome |= {{
    "uid": os.getuid(),
    "groups": os.getgroups(),
    "read": attempt(lambda: os.close(os.open(places["model"] + "/weights", os.O_RDONLY))),
    "exists": os.access(places["model"] + "/weights", os.F_OK),
    "alter": attempt(lambda: os.close(os.open(places["model"] + "/weights", os.O_WRONLY))),
    "add": attempt(lambda: make(places["model"] + "/new")),
    "neighbour": attempt(lambda: os.close(os.open(places["neighbour"], os.O_RDONLY))),
    "passwd": attempt(lambda: os.close(os.open("/etc/passwd", os.O_RDONLY))),
    "random": attempt(lambda: os.close(os.open("/dev/urandom", os.O_RDONLY))),
    "null": attempt(lambda: os.close(os.open("/dev/null", os.O_RDWR))),
    "scratch": attempt(lambda: make("inside")),
    "too_big": attempt(lambda: os.truncate("inside", 5000)),
    "socket": attempt(lambda: socket.socket() and 0),
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "cpu": resource.getrlimit(resource.RLIMIT_CPU),
    "cwd": os.getcwd(),
    "home": os.environ["HOME"],
    "pid": os.getpid(),
    "session": int(Path("/proc/self/stat").read_text().split()[5]) == os.getpid(),
}}
{after}
"""
    return run_restricted(body)


def assert_restricted(outcome: dict[str, object], places: dict[str, Path]) -> None:
    report = outcome["report"]
    assert set(report) == set(sandbox.LAYERS)
    assert report["seccomp"] is True
    assert report["limits"] is True
    assert outcome["read"] == 0
    assert outcome["exists"] is True
    for closed in ("alter", "add", "neighbour", "passwd", "socket", "too_big"):
        assert outcome[closed] in {errno.EACCES, errno.EPERM, errno.EFBIG}, closed
    assert outcome["too_big"] == errno.EFBIG
    for open_ in ("random", "null", "scratch"):
        assert outcome[open_] == 0, open_
    assert outcome["core"] == [0, 0]
    assert outcome["cpu"] == [49, 50]
    assert outcome["cwd"] == outcome["home"] == str(places["scratch"])
    assert outcome["session"] is True


@needs_landlock
@needs_root
def test_root_becomes_a_user_of_its_own(places: dict[str, Path]) -> None:
    outcome = entered(places)
    assert_restricted(outcome, places)
    assert outcome["uid"] in {unprivileged.OWN_USERS + outcome["pid"], unprivileged.NOBODY}
    assert outcome["groups"] == []
    assert outcome["report"]["unprivileged"] is True


@needs_landlock
@needs_root
def test_a_private_model_stays_readable_and_this_is_reported(places: dict[str, Path]) -> None:
    (places["model"] / "weights").chmod(0o600)
    outcome = entered(places)
    assert_restricted(outcome, places)
    assert outcome["uid"] in {unprivileged.OWN_USERS + outcome["pid"], unprivileged.NOBODY}
    assert "CAP_DAC_READ_SEARCH" in outcome["report"]["capabilities"]


# Root of a container that has dropped CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
IN_A_CONTAINER = """
from pathlib import Path
from modelaudit.probe.child import sandbox, unprivileged
def permitted():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("CapPrm"))
kept = permitted() & 0xFFFFFFFF & ~0b110
unprivileged.set_capabilities(kept, kept)
"""


@needs_root
def test_an_unreadable_model_is_reported_and_not_as_a_load_error(
    places: dict[str, Path],
) -> None:
    (places["model"] / "weights").chmod(0o600)
    outcome = run_restricted(f"""
{IN_A_CONTAINER}
try:
    outcome = {{"report": sandbox.enter({policy(places)!r})}}
except PermissionError as error:
    outcome = {{"said": str(error), "left": permitted()}}
""")
    assert "for all users" in outcome["said"]
    assert "run modelaudit as a user other than root" in outcome["said"]
    assert outcome["left"] == 0


@needs_root
def test_root_without_that_capability_drops_all_others(places: dict[str, Path]) -> None:
    """Keeping a missing capability must not keep all; the files are readable by all here."""
    outcome = run_restricted(f"""
{IN_A_CONTAINER}
report = {{}}
unprivileged.drop_user({str(places["scratch"])!r}, [], report)
outcome = {{"report": report, "left": permitted()}}
""")
    assert outcome["report"].pop("ipc-namespace")
    assert outcome["report"] == {"unprivileged": True, "capabilities": True}
    assert outcome["left"] == 0


@needs_landlock
def test_a_plain_user_is_restricted_alike(places: dict[str, Path]) -> None:
    before = ""
    if os.geteuid() == 0:
        for path in (places["scratch"], places["neighbour"], places["model"] / "weights"):
            os.chown(path, PLAIN_USER, PLAIN_USER)
        before = f"os.setgroups([]); os.setgid({PLAIN_USER}); os.setuid({PLAIN_USER})"
    outcome = entered(places, before)
    assert_restricted(outcome, places)
    report = outcome["report"]
    assert all(report[layer] is True for layer in ("unprivileged", "capabilities", "landlock"))


def test_a_deep_model_is_checked_without_recursion(places: dict[str, Path]) -> None:
    with nested(places["model"], "d", 1500):
        seen = list(unprivileged.below([str(places["model"])]))
    assert len(seen) == 1000
    assert str(places["model"] / "weights") in seen


def test_missing_layers_are_reported_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = dict.fromkeys(sandbox.LAYERS, True)
    assert "are contained" in sandbox_report.containment(whole)
    assert "are contained" in sandbox_report.containment(whole | {"capabilities": "keeps one"})
    monkeypatch.setattr(sandbox_report.bubblewrap, "unavailable_reason", lambda: "not installed")
    assert "--require-sandbox" in sandbox_report.containment(whole | {"landlock": "no"})
    monkeypatch.setattr(sandbox_report.bubblewrap, "unavailable_reason", lambda: "")
    assert "--sandbox bwrap" in sandbox_report.containment(whole | {"landlock": "no"})
    both = sandbox_report.containment(whole | {"landlock": "no", "seccomp": "no"})
    assert "landlock and seccomp" in both
    assert "--require-sandbox" in both


def test_a_kernel_without_landlock_is_reported(places: dict[str, Path]) -> None:
    before = """
from modelaudit.probe.child import landlock
landlock.CREATE_RULESET = 9999
"""
    report = entered(places, before)["report"]
    assert "not available" in report["landlock"]
    assert report["seccomp"] is True


@needs_landlock
@pytest.mark.parametrize("version", range(1, min(landlock_version(), 6) + 1))
def test_older_abi_versions_get_only_the_rights_they_know(version: int) -> None:
    body = f"""
{PROBE}
from modelaudit.probe.child import landlock
landlock.abi = lambda: {version}
outcome = {{"version": landlock.restrict(
    readable=["/usr"], listable=["/etc"], devices=["/dev/null"], writable=[])}}
outcome["list"] = attempt(lambda: os.listdir("/etc") and 0)
outcome["passwd"] = attempt(lambda: os.close(os.open("/etc/passwd", os.O_RDONLY)))
outcome["usr"] = attempt(lambda: os.listdir("/usr") and 0)
"""
    outcome = run_restricted(body)
    assert outcome == {"version": version, "list": 0, "passwd": errno.EACCES, "usr": 0}


def test_rights_grow_with_the_abi_version() -> None:
    grown = [landlock.rights(version) for version in range(1, 8)]
    assert grown[0] == 0x1FFF
    assert all(later & earlier == earlier for earlier, later in pairwise(grown))
    assert grown[-1] == 0xFFFF


def test_limits_never_exceed_those_in_force(places: dict[str, Path]) -> None:
    low = 7
    before = f"resource.setrlimit(resource.RLIMIT_CPU, ({low}, {low}))"
    body = f"""
{PROBE}
from modelaudit.probe.child import sandbox
{before}
report = sandbox.enter({policy(places)!r})
outcome = {{"cpu": resource.getrlimit(resource.RLIMIT_CPU), "limits": report["limits"]}}
"""
    assert run_restricted(body) == {"cpu": [low - 1, low], "limits": True}
    assert resource.getrlimit(resource.RLIMIT_CPU)[0] != low


def test_the_cpu_limit_kills_with_sigxcpu(places: dict[str, Path]) -> None:
    body = f"""
import os
from modelaudit.probe.child import sandbox
pid = os.fork()
if pid == 0:
    sandbox.enter({dict(policy(places), cpu=2)!r})
    while True:
        pass
outcome = os.WTERMSIG(os.waitpid(pid, 0)[1])
"""
    assert run_restricted(body) == signal.SIGXCPU


def test_the_child_dies_with_its_parent(places: dict[str, Path]) -> None:
    script = f"""
import os, time
from modelaudit.probe.child import sandbox
pid = os.fork()
if pid == 0:
    sandbox.enter({policy(places)!r})
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(60)
time.sleep(60)
"""
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
        deadline = time.monotonic() + 10
        while running(child) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not running(child)
