"""Files with as many parts as fit take little memory, or a limit says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.formats.dense_files import DENSE
from tests.sharing import forked

MEMORY_MIB = 300
ROUNDS = 4
READERS = (  # each file is read in a process of its own, which need not import these again
    *("modelaudit.pipeline", "modelaudit.schema"),
    *("modelaudit.formats.keras.archive", "modelaudit.formats.saved_model.reader"),
)
UNITS = 26  # of plain work, for 10 MB or less: 2 s where a unit takes 0.077 s
AUDIT = """
import json, sys, time
from pathlib import Path
from modelaudit import pipeline, schema
from modelaudit.settings import Settings
def unit():  # seconds of CPU of plain work, which tell how fast this processor is just now
    start, found = time.process_time(), {}
    for number in range(100_000):  # a quarter of a unit
        found[number % 5000] = number, str(number & 255)
    return 4 * (time.process_time() - start)
path = Path(sys.argv[1])
before = unit()
start = time.process_time()
facts = pipeline.static_facts(path, Settings())
target = pipeline.AuditTarget(path, path.parent, path.name, "x")
audit = pipeline.finish_audit(facts, target, "2026-01-01T00:00:00Z", {})
size = len(schema.dumps(audit))
taken = time.process_time() - start
units = 2 * taken / (before + unit())
# Of this program: ru_maxrss would include the process that started it.
status = Path("/proc/self/status").read_text()
peak = int(status.partition("VmHWM:")[2].split()[0]) // 1024
said = [each.detail for each in facts.artifact.problems if each.kind == "limit-exceeded"]
print(json.dumps([peak, said[:3], len(audit.findings), size, units]))
"""


def audited(path: Path) -> tuple[int, list[str], int, int, float]:
    """What an audit takes.

    Returns:
        Peak of the resident memory in MiB, limits that were reached, the numbers of findings and of
        bytes of `audit.json`, and the CPU in units of plain work, which other programs slow down
        as much.
    """
    peak, said, findings, size, units = json.loads(forked("-c", AUDIT, path, imported=READERS))
    return peak, said, findings, size, units


@pytest.mark.slow
@pytest.mark.parametrize("name", DENSE)
def test_a_dense_file_takes_little_memory_and_cpu_or_is_not_read_whole(
    name: str, tmp_path: Path
) -> None:
    make, many, few = DENSE[name]
    make(tmp_path / name, many)
    peak, said, findings, size, units = audited(tmp_path / name)
    assert peak < MEMORY_MIB
    assert size < 20_000_000
    assert findings < 5_000
    if few is None:  # it is read whole, although other programs may slow one audit down
        assert not said or any(not audited(tmp_path / name)[1] for _ in range(ROUNDS - 1))
    else:
        assert said
    told = ("(setting", "MetaGraphs", "followed", "per row of chunks")
    assert all(any(word in each for word in told) for each in said)
    assert units < UNITS or any(audited(tmp_path / name)[-1] < UNITS for _ in range(ROUNDS - 1))
    if few is not None:
        (tmp_path / "few").mkdir()
        make(tmp_path / "few" / name, few)
        assert not audited(tmp_path / "few" / name)[1]
