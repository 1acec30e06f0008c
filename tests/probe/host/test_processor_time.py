"""What a timeout says of the processor time that the child got."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.audit_types.loading import Status
from modelaudit.probe.host.processor_time import shares
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.structs import replace


@pytest.mark.parametrize(
    ("threads", "said", "busy"),
    [
        ([(2, 9)], "; its threads ran 2.0 s in all and waited 9.0 s for a processor: the", True),
        ([(1, 4), (1, 5)], "; its threads ran 2.0 s in all and waited 9.0 s for a processor", True),
        ([(9, 2)], "; its threads ran 9.0 s in all", False),  # the model is slow
        ([(0.2, 0)], "; its threads ran 0.2 s in all", False),  # it sleeps
        ([(2, 6)] * 8, "; its threads ran 16.0 s in all", False),  # eight that share two processors
        ([(2, 9)] * 8, "; its threads ran 16.0 s in all and waited 72.0 s", True),
        ([(2, 9), *[(0, 0.001)] * 8], "; its threads ran 2.0 s in all and waited 9.0 s", True),
        ([(0, 0)], "", False),  # not counted
        ([], "", False),
    ],
)
def test_only_waiting_for_other_programs_is_a_busy_machine(
    tmp_path: Path, threads: Sequence[tuple[float, float]], said: str, busy: bool
) -> None:
    for number, (ran, waited) in enumerate(threads):
        (tmp_path / f"task/{number}").mkdir(parents=True)
        text = f"{int(ran * 1e9)} {int(waited * 1e9)} 7\n"
        (tmp_path / f"task/{number}/schedstat").write_text(text)
    found = shares(tmp_path, 2)
    assert found.startswith(said)
    assert ("busy" in found) is busy
    assert bool(found) is bool(said)


@given(st.lists(st.sets(st.integers(0, 5), min_size=1), min_size=1, max_size=30))
def test_threads_of_its_own_are_no_busy_machine(moments: list[set[int]]) -> None:
    """At each moment some threads want to run, and two do in turn."""
    ran, waited = [0.0] * 6, [0.0] * 6
    for wanting in moments:
        for thread in wanting:
            share = min(1.0, 2 / len(wanting))
            ran[thread] += share
            waited[thread] += 1 - share
    with tempfile.TemporaryDirectory() as folder:
        for number in range(6):
            place = Path(folder, f"task/{number}")
            place.mkdir(parents=True)
            text = f"{int(ran[number] * 1e9)} {int(waited[number] * 1e9)} 7\n"
            (place / "schedstat").write_text(text)
        assert "busy" not in shares(Path(folder), 2)


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
        ran = float(shares(Path(f"/proc/{child.pid}")).split("threads ran ")[1].split(" s")[0])
        child.communicate(b"\n")
    assert 0.5 <= ran < 1.0
    assert shares(Path(f"/proc/{os.getpid()}/nothing")) == ""


def test_the_finding_says_why_it_did_not_finish() -> None:
    facts = examples.observed(
        Status.TIMEOUT, error="no answer in 9 s; its threads ran 1.0 s in all"
    )()
    (finding,) = run_rule(rule("MA601"), facts).findings
    assert "did not finish in the time allowed: no answer in 9 s; its threads ran" in finding.detail
    crashed = replace(facts.observations[0], status=Status.CRASHED, signal=11)
    (finding,) = run_rule(rule("MA601"), replace(facts, observations=(crashed,))).findings
    assert finding.detail.endswith("crashed the process (signal 11).")
