"""Metadata and the archive behind a model count as work: they can be many and refer to the same.

The clock is injected: each look at it takes as long as is said, so nothing here depends on time.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest

from modelaudit.errors import WorkSpent
from modelaudit.facts import Artifact, ProblemKind
from modelaudit.formats.tflite.reader import read_tflite
from modelaudit.settings import Limits
from modelaudit.work_budget import UNIT_SECONDS, Phase, WorkBudget, within
from tests.made import lite_files as made

LABELS = {f"labels{number}.txt": b"cat\ndog\n" for number in range(500)}


def written(path: Path, entries: int, archive: Mapping[str, bytes]) -> Path:
    """A model with entries of metadata that share a buffer, and an archive behind it."""
    model = made.with_metadata(made.conv_model(), {"TFLITE_METADATA": made.described(0.0, 1.0)})
    model.metadata = model.metadata * entries
    path.write_bytes(made.with_archive(made.packed(model), archive))
    return path


def read(path: Path, most: float = 1e9) -> tuple[Artifact, int]:
    """The model, and how often the clock was read; the work is spent after `most` such looks."""
    reads = itertools.count()
    budget = WorkBudget(1.0, lambda: 1e9 if next(reads) > most else 0.0, unit=lambda: UNIT_SECONDS)
    with within(budget, Phase.READING):
        return read_tflite(path, Limits()), next(reads)


def test_each_entry_of_metadata_is_work(tmp_path: Path) -> None:
    few, some = read(written(tmp_path / "few.tflite", 10, {}))
    many, more = read(written(tmp_path / "many.tflite", 2_000, {}))
    assert few.complete and many.complete
    assert more - some > 1_990 * 10 / 200  # each is worth ten parts at least, a look is 200
    with pytest.raises(WorkSpent):
        read(tmp_path / "many.tflite", some + 20)


def test_each_file_of_the_archive_is_work(tmp_path: Path) -> None:
    path = written(tmp_path / "m.tflite", 1, LABELS)
    whole, looks = read(path)
    assert not any(each.kind is ProblemKind.LIMIT_EXCEEDED for each in whole.problems)
    assert looks > len(LABELS)
    cut, _ = read(path, looks - 300)
    (told,) = [each for each in cut.problems if each.kind is ProblemKind.LIMIT_EXCEEDED]
    assert told.detail.endswith("files in the archive (setting work)")
    left = [each for each in cut.problems if each.kind is ProblemKind.LEFTOVER]
    assert 0 < len(left) < len(LABELS) - 200
    assert cut.tensors == whole.tensors
