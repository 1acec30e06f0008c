"""A reader whose work is spent stops, says so, and keeps what it has read.

The clock is injected: each look at it takes as long as is said, so nothing here depends on time.
"""

from __future__ import annotations

import itertools
import random
import re
import shutil
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from modelaudit.errors import ReadError, WorkSpent
from modelaudit.facts import Artifact, Format, Problem, ProblemKind
from modelaudit.formats import reader
from modelaudit.formats.io import bounded
from modelaudit.formats.io.work_allowance import budget_of, with_work_spent
from modelaudit.formats.reader import read
from modelaudit.settings import Limits
from modelaudit.work_budget import (
    UNIT_SECONDS,
    Phase,
    WorkBudget,
    current_budget,
    is_spent,
    spend,
    unit_seconds,
)
from tests.formats import dense_files, dense_graphs
from tests.formats.bundle_writer import write_bundle
from tests.made import lite_files

TFJS = Path(__file__).parent.parent / "made" / "tfjs"


def never() -> float:
    raise AssertionError("a unit is measured although little was done")


def jumping(after: int) -> WorkBudget:
    """A budget that is spent when its clock was read so many times."""
    reads = itertools.count()
    return WorkBudget(1.0, lambda: 1e9 if next(reads) > after else 0.0, lambda: UNIT_SECONDS)


def npz(path: Path, count: int) -> None:
    weights = {f"layer_{n}/kernel:0": np.ones((3, 3, 3, 16), "float32") for n in range(count)}
    np.savez(path, **weights)


def checkpoint(path: Path, count: int) -> None:
    write_bundle(path, {f"w{n}": np.ones(3, "float32") for n in range(count)})


def tfjs(path: Path, _count: int) -> None:
    shutil.copytree(TFJS / "fused", path.parent, dirs_exist_ok=True)


def lite(path: Path, _count: int) -> None:
    path.write_bytes(lite_files.packed(lite_files.conv_model()))


MADE: dict[str, Callable[[Path, int], None]] = {
    "kernels.h5": dense_files.kernels,
    "attributes.h5": dense_files.attributes,
    "attacks.keras": dense_files.attacks,
    "translatable.keras": dense_files.translatable,
    "variables": dense_files.variables,
    "served": dense_graphs.served_layers,
    "calls": dense_graphs.calls,
    "meta_graphs": dense_graphs.meta_graphs,
    "metadata": dense_graphs.metadata,
    "convolutions.pb": dense_graphs.convolutions,
    "weights.npz": npz,
    "checkpoint": checkpoint,
    "model.json": tfjs,
    "model.tflite": lite,
}


@pytest.mark.parametrize("name", MADE)
def test_wherever_it_ends_a_reader_says_so(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    MADE[name](path, 6)
    whole = read(path, Limits())
    cuts = 0
    for after in itertools.accumulate(itertools.count(1), lambda last, _: last + 1 + last // 3):
        budget = jumping(after)
        with budget.during(Phase.READING):
            found = read(path, Limits())
        if not budget.cut:
            break
        cuts += 1
        found = with_work_spent(found, budget)
        assert not found.complete
        assert found.format is whole.format
        assert found.sha256 in {whole.sha256, None}
        kinds = {each.kind for each in found.problems if "(setting work)" in each.detail}
        assert kinds == {ProblemKind.LIMIT_EXCEEDED}, after
        assert len(found.problems) < len(whole.problems) + 12
        assert {each.name for each in found.tensors} <= {each.name for each in whole.tensors}
    assert cuts
    assert found == whole


@pytest.mark.parametrize("name", ["metadata", "convolutions.pb", "attacks.keras", "model.json"])
def test_what_is_read_on_its_own_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    MADE[name](path, 6)
    cuts = 0
    for after in itertools.accumulate(itertools.count(1), lambda last, _: last + 1 + last // 3):
        budget = jumping(after)
        monkeypatch.setattr(reader, "budget_of", lambda *_, budget=budget: budget)
        found = read(path, Limits())
        if not budget.cut:
            break
        cuts += 1
        assert not found.complete
        assert any(each.detail.endswith("(setting work)") for each in found.problems), after
    assert cuts
    assert not any("(setting work)" in each.detail for each in found.problems)


def test_a_name_in_the_file_does_not_say_that_reading_ended() -> None:
    name = "w (setting work)"
    other = Problem(ProblemKind.TENSOR_UNREADABLE, "m", f"{name} ends behind the bytes of {name}")
    whole = Artifact(root=Path("m"), format=Format.NPZ_WEIGHTS, problems=(other,))
    budget = jumping(0)
    assert with_work_spent(whole, budget) == whole
    with budget.during(Phase.READING):
        assert is_spent()
    cut = with_work_spent(whole, budget)
    assert not cut.complete
    kinds = [each.kind for each in cut.problems]
    assert kinds == [ProblemKind.TENSOR_UNREADABLE, ProblemKind.LIMIT_EXCEEDED]
    assert len(with_work_spent(cut, budget).problems) == 2


@pytest.mark.parametrize("name", ["kernels.h5", "variables", "weights.npz", "checkpoint"])
def test_what_was_read_stays(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    MADE[name](path, 6)
    kept = set()
    for after in range(0, 60, 2):
        with jumping(after).during(Phase.READING):
            kept.add(len(read(path, Limits()).tensors))
    assert len(kept) > 3


def test_a_model_is_read_within_its_own_work(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    npz(path, 3)
    assert current_budget() is None
    assert read(path, Limits()).complete
    cut = read(path, Limits(work=1e-9))
    assert [each.kind for each in cut.problems] == [ProblemKind.LIMIT_EXCEEDED]
    assert current_budget() is None


def test_work_is_allowed_by_the_bytes_of_the_model(tmp_path: Path) -> None:
    small, large = tmp_path / "a.npz", tmp_path / "b.npz"
    small.write_bytes(bytes(100))
    large.write_bytes(bytes(30_000_000))
    assert budget_of(small, Limits()).units == Limits().work
    assert budget_of(large, Limits()).units == pytest.approx(3 * Limits().work)
    assert budget_of(tmp_path, Limits()).units == pytest.approx(3 * Limits().work, rel=1e-4)
    with (tmp_path / "c.npz").open("wb") as sparse:
        sparse.truncate(1 << 40)
    assert budget_of(tmp_path / "c.npz", Limits()).units == Limits().work
    for name in ("ckpt.index", "ckpt.data-00000-of-00001", "other.data-00000-of-00001"):
        (tmp_path / name).write_bytes(bytes(20_000_000))
    assert budget_of(tmp_path / "ckpt", Limits()).units == pytest.approx(4 * Limits().work)
    assert budget_of(tmp_path / "ckpt.index", Limits()).units == pytest.approx(4 * Limits().work)


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_unit_is_measured_only_when_half_is_done() -> None:
    clock = Clock()
    budget = WorkBudget(10.0, clock, never)
    with budget.during(Phase.JUDGING):
        clock.now = 0.99 * Phase.JUDGING.value * 10 * UNIT_SECONDS / 2
        assert not is_spent()
    measured = []
    budget = WorkBudget(10.0, clock, lambda: measured.append(1) or 2 * UNIT_SECONDS)
    with budget.during(Phase.JUDGING):
        for slow in (1.01, 1.98):  # of the nominal work: the processor is half as fast
            clock.now += slow * Phase.JUDGING.value * 10 * UNIT_SECONDS / 2
            assert not is_spent()
        clock.now += 1.2 * Phase.JUDGING.value * 10 * UNIT_SECONDS / 2
        assert is_spent()
    assert measured == [1]
    assert budget.cut == [Phase.JUDGING]


def test_a_unit_is_measured_as_processor_time() -> None:
    start = time.thread_time()
    measured = unit_seconds()
    assert 0 < measured <= time.thread_time() - start


def test_time_between_phases_does_not_count() -> None:
    clock = Clock()
    budget = WorkBudget(10.0, clock, lambda: UNIT_SECONDS)
    for phase in Phase:
        with budget.during(phase):
            spend()
        clock.now += 1000  # the model runs
    with budget.during(Phase.JUDGING):
        clock.now += 0.65 * 10 * UNIT_SECONDS
        spend()
        with budget.during(Phase.READING), pytest.raises(WorkSpent, match=r"\(setting work\)"):
            spend()
        spend()
    assert budget.cut == [Phase.READING]


def test_small_parts_are_counted_together() -> None:
    reads = []
    budget = WorkBudget(10.0, lambda: float(reads.append(1) or 0), never)
    with budget.during(Phase.READING):
        before = len(reads)
        for _ in range(1000):
            spend(1)
        assert len(reads) - before == 5


STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


def json_texts() -> Iterator[bytes]:
    draw = random.Random(0)
    pieces = [b"{", b"}", b"[", b"]", b",", b":", b"1", b" ", b'"a,{"', b'"\\\\"', b'"\\",["']
    pieces += [b'"' + b"\\\\" * 9 + b'"', b'"\\u00e4\\n{"', b'""', b'"' + b"x" * 40 + b'"']
    for _ in range(400):
        text = b"".join(draw.choices(pieces, k=draw.randrange(60)))
        yield text
        yield text + b'"not closed, {[' + draw.choice((b"", b"\\", b"\\\\", b'\\"'))


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64, 1 << 20])
def test_structure_is_that_outside_of_strings(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "_BLOCK", block)
    for text in json_texts():
        found = b"".join(each.tobytes() for each in bounded._outside_strings(text))
        assert found.replace(b'"', b"") == STRING.sub(b"", text).replace(b"\\", b""), text


def test_a_refused_json_takes_little_more_memory_than_its_text() -> None:
    text = b'["a"' + b',"b"' * 3_000_000 + b"]"
    tracemalloc.start()
    with pytest.raises(ReadError, match="JSON elements"):
        bounded.json_loads(text, Limits(), "x.json")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(text) + (8 << 20)
