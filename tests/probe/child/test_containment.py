"""Models that attack their environment: nothing is changed, and every audit reports the attack.

All are run on purpose (`--probe-unsafe`): as root, as a plain user, and inside bubblewrap. That
each attack works without a sandbox is shown on separate targets.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelaudit.findings import Severity
from modelaudit.probe.child.landlock import LandlockError, abi
from tests.probe.attack_runs import BUBBLEWRAP, CONTROL, PLAIN_USER, ROOT, RUNS, carry_out
from tests.probe.outside import OLD, SECRET
from tests.probe.restricted import needs_linux
from tests.sharing import made_once

try:
    LANDLOCK = abi()
except LandlockError:
    LANDLOCK = 0
pytestmark = [
    pytest.mark.slow,
    needs_linux,
    pytest.mark.skipif(LANDLOCK < 1, reason="kernel without Landlock: models are not run"),
]

# Result of each attack: status of the attempt, text in the audit, and the static rule that reports
# it without running anything. LOADED: it attacks only when it is called.
LOADED, FAILED, CRASHED = "loaded", "failed", "crashed"
TIMEOUT, MEMORY, DISK = "timeout", "out-of-memory", "out-of-disk"
DENIED, FORBIDDEN, SILENT = "Permission denied", "Operation not permitted", "no answer in 2 s"
ENDS = {
    # TensorFlow's own operations
    "graph_write": (LOADED, DENIED, "MA740"),
    "graph_write_on_load": (FAILED, DENIED, "MA740"),
    "graph_read": (LOADED, DENIED, "MA741"),
    "graph_list": (LOADED, "", "MA742"),  # it gets an empty list
    "graph_print_to_file": (LOADED, DENIED, "MA743"),
    "graph_debug_file": (LOADED, "Failed to create directory", "MA749"),
    "graph_debug_grpc": (TIMEOUT, SILENT, "MA749"),
    "graph_summary": (LOADED, DENIED, "MA749"),
    "graph_dataset_reads": (LOADED, DENIED, "MA745"),
    "graph_dataset_writes": (LOADED, DENIED, "MA745"),
    "graph_dataset_network": (TIMEOUT, SILENT, "MA750"),
    "graph_nested_graph": (LOADED, DENIED, "MA751"),
    "graph_save_variables": (LOADED, DENIED, "MA746"),
    "graph_delete_checkpoint": (LOADED, DENIED, "MA746"),
    "graph_fill_disk": (DISK, "wrote more than", "MA740"),
    "graph_hang_on_load": (TIMEOUT, SILENT, "MA753"),
    # Python code of a Lambda layer
    "python_write.h5": (FAILED, DENIED, "MA702"),
    "python_read.h5": (FAILED, DENIED, "MA702"),
    "python_listing.h5": (FAILED, DENIED, "MA702"),
    "python_delete.h5": (FAILED, DENIED, "MA702"),
    "python_change_mode.h5": (FAILED, FORBIDDEN, "MA702"),
    "python_tcp.h5": (FAILED, FORBIDDEN, "MA702"),
    "python_udp.h5": (FAILED, FORBIDDEN, "MA702"),
    "python_unix.h5": (FAILED, FORBIDDEN, "MA702"),
    "python_execute.h5": (FAILED, FORBIDDEN, "MA702"),
    "python_shell.h5": (FAILED, FORBIDDEN, "MA702"),
    "python_fork_bomb.h5": (FAILED, FORBIDDEN, "MA702"),
    "python_kill_parent.h5": (FAILED, FORBIDDEN, "MA702"),
    "python_raise_limits.h5": (FAILED, "not allowed to raise maximum limit", "MA717"),
    "python_memory.h5": (MEMORY, "used more than", "MA717"),
    "python_disk.h5": (DISK, "wrote more than", "MA702"),
    "python_many_files.h5": (DISK, "made more than", "MA702"),
    "python_nest.h5": (DISK, "nested more than", "MA702"),
    "python_spin.h5": (TIMEOUT, SILENT, "MA717"),
    "python_sleep.h5": (TIMEOUT, SILENT, "MA717"),
    "python_leave.h5": (CRASHED, "exited with code 0", "MA702"),
    "python_segfault.h5": (CRASHED, "SIGSEGV", "MA702"),
    "python_fake_answer.h5": (CRASHED, "without the session's token", "MA702"),
    "python_stolen_token.h5": (CRASHED, "the child answered", "MA702"),
    "python_flood.h5": (TIMEOUT, SILENT, "MA702"),
}
# Other results inside bubblewrap: files outside do not exist there, all others are read-only.
GONE, FIXED = "No such file", "Read-only file system"
ENDS_IN_BUBBLEWRAP = {
    "graph_write": (LOADED, FIXED, "MA740"),
    "graph_read": (LOADED, GONE, "MA741"),
    "graph_dataset_reads": (LOADED, GONE, "MA745"),
    "graph_fill_disk": ENDS["graph_fill_disk"],
    "graph_dataset_network": ENDS["graph_dataset_network"],
    "python_write.h5": (FAILED, GONE, "MA702"),
    "python_unix.h5": ENDS["python_unix.h5"],
    "python_kill_parent.h5": ENDS["python_kill_parent.h5"],
    "python_memory.h5": ENDS["python_memory.h5"],
    "python_segfault.h5": ENDS["python_segfault.h5"],
}
HONEST = "honest"
ENDS_BY_RUN = {ROOT: ENDS, PLAIN_USER: ENDS, BUBBLEWRAP: ENDS_IN_BUBBLEWRAP}
CASES = [(run, attack) for run, ends in ENDS_BY_RUN.items() for attack in ends]


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of `carry_out`, made once for all workers of pytest-xdist."""
    names = {run: [HONEST, *ends] for run, ends in ENDS_BY_RUN.items()}
    return made_once(tmp_path_factory, "attacks", lambda folder: carry_out(folder, names))


def outcome(results: Path, run: str) -> dict[str, Any]:
    found = json.loads((results / f"{run}.json").read_text())
    if "skipped" in found:
        pytest.skip(found["skipped"])
    return found


def test_the_attacks_work_without_a_sandbox(results: Path) -> None:
    control = outcome(results, CONTROL)
    added = control["after"].keys() - control["before"].keys()
    for made in ("written", "printed", "debug", "cache.index", "nested", "saved.index", "executed"):
        assert f"canary/{made}" in added
    assert any(path.startswith("canary/events.out") for path in added)
    gone = control["before"].keys() - control["after"].keys()
    assert {f"canary/{OLD}", "secret.txt"} <= gone
    assert control["before"]["canary"] != control["after"]["canary"]  # its mode
    assert control["reached"] == ["tcp", "udp", "unix"]
    for reader in ("graph_read", "graph_dataset_reads", "python_read.h5"):
        assert SECRET in control["said"][reader]
    assert OLD in control["said"]["graph_list"]
    assert "written" in control["said"]["python_listing.h5"]


@pytest.mark.parametrize("run", RUNS)
def test_nothing_outside_is_changed(results: Path, run: str) -> None:
    found = outcome(results, run)
    assert found["after"] == found["before"]
    assert found["reached"] == []
    assert SECRET not in json.dumps(found["said"])
    assert set(found["said"]) == {HONEST, *ENDS_BY_RUN[run]}


@pytest.mark.parametrize(("run", "attack"), CASES)
def test_an_attack_is_blocked_and_reported(results: Path, run: str, attack: str) -> None:
    status, words, rule = ENDS_BY_RUN[run][attack]
    audit = outcome(results, run)["said"][attack]
    (seen,) = audit["observations"]
    assert seen["status"] == status, seen["error"]
    said = seen["error"] + (audit["behaviour"] or {}).get("skipped_reason", "")
    assert words in said
    assert rule in {finding["code"] for finding in audit["findings"]}
    assert audit["verdict"] in {"fail", "incomplete"}
    assert audit["left_behind"] == []
    if status == FAILED and words in {DENIED, FORBIDDEN}:
        assert "In the sandbox" in said
    if words in {DENIED, FORBIDDEN, FIXED}:
        assert "MA719" in {finding["code"] for finding in audit["findings"]}


@pytest.mark.parametrize("run", RUNS)
def test_a_benign_model_runs_as_usual(results: Path, run: str) -> None:
    audit = outcome(results, run)["said"][HONEST]
    (seen,) = audit["observations"]
    assert seen["status"] == LOADED, seen["error"]
    assert audit["behaviour"]["outputs"]
    assert audit["why_not_run"] == ""
    layers = {layer: state for layer, state in seen["sandbox"].items() if state is not True}
    # Root keeps a capability for private files; otherwise complete. Old kernels lack two layers,
    # and root inside bubblewrap cannot make namespaces.
    missing = {"capabilities", "landlock-network", "landlock-signals"}
    assert layers.keys() <= missing | ({"ipc-namespace"} if run == BUBBLEWRAP else set())
    assert (run == BUBBLEWRAP) == ("bubblewrap" in seen["sandbox"])
    if run == PLAIN_USER:
        assert "capabilities" not in layers


@pytest.mark.parametrize("run", RUNS)
def test_a_critical_finding_prevents_running_a_model(results: Path, run: str) -> None:
    kept = set()
    for attack, audit in outcome(results, run)["said"].items():
        security = [f for f in audit["findings"] if f["code"].startswith("MA7")]
        critical = any(f["severity"] == Severity.CRITICAL.value for f in security)
        assert critical == ("critical finding" in audit["why_not_run"]), attack
        if critical:
            kept.add(attack)
    assert {"graph_write", "python_write.h5"} <= kept
    assert HONEST not in kept
