"""What a timeout says of the processor time that the child got."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.probe.host.processor_time import shares
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.structs import replace


@pytest.mark.parametrize(
    ("threads", "said"),
    [
        (
            [(2, 9)],
            ", of which it ran 2.0 s and waited 9.0 s for a processor: the machine was busy",
        ),
        ([(1, 4), (1, 5)], ", of which it ran 2.0 s and waited 9.0 s for a processor: the machine"),
        ([(9, 2)], ", of which it ran 9.0 s"),  # the model is slow
        ([(0.2, 0)], ", of which it ran 0.2 s"),  # it sleeps
        ([(0, 0)], ""),  # not counted
        ([], ""),
    ],
)
def test_only_waiting_for_a_processor_is_a_busy_machine(
    tmp_path: Path, threads: Sequence[tuple[float, float]], said: str
) -> None:
    for number, (ran, waited) in enumerate(threads):
        (tmp_path / f"task/{number}").mkdir(parents=True)
        text = f"{int(ran * 1e9)} {int(waited * 1e9)} 7\n"
        (tmp_path / f"task/{number}/schedstat").write_text(text)
    found = shares(tmp_path)
    assert found.startswith(said)
    assert ("busy" in found) is ("busy" in said or "the machine" in said)
    assert bool(found) is bool(said)


def test_the_time_that_a_real_process_ran() -> None:
    """The child counts its own processor time, as the kernel does."""
    if not int(Path("/proc/self/schedstat").read_text().split()[0]):
        pytest.skip("this kernel does not count it")
    code = "import sys, time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        ran = float(shares(Path(f"/proc/{child.pid}")).split("it ran ")[1].split(" s")[0])
        child.communicate(b"\n")
    assert 0.5 <= ran < 1.0
    assert shares(Path(f"/proc/{os.getpid()}/nothing")) == ""


def test_the_finding_says_why_it_did_not_finish() -> None:
    facts = examples.observed(Status.TIMEOUT, error="no answer in 9 s, of which it ran 1.0 s")()
    (finding,) = run_rule(rule("MA601"), facts).findings
    assert "did not finish in the time allowed: no answer in 9 s, of which it ran" in finding.detail
    crashed = replace(facts.observations[0], status=Status.CRASHED, signal=11)
    (finding,) = run_rule(rule("MA601"), replace(facts, observations=(crashed,))).findings
    assert finding.detail.endswith("crashed the process (signal 11).")
