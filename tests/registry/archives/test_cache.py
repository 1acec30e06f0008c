"""What is unpacked stays for the next run, within a limit."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from modelaudit.errors import ReadError
from modelaudit.facts import ProblemKind
from modelaudit.registry.archives import cache as caches
from modelaudit.registry.archives.cache import ArchiveCache
from modelaudit.settings import CacheSettings, Limits
from modelaudit.workers.shared_work import SharedWork
from tests.made import files
from tests.registry.archives.packed import relatives, tar


def test_an_unchanged_archive_is_not_unpacked_again(look, registry, tmp_path, monkeypatch):
    path = tar(registry / "a.tar", ("m.h5", files.minimal_h5(tmp_path / "m.h5")))
    (first,) = look(registry).candidates
    time_before = first.path.stat().st_mtime_ns
    monkeypatch.setattr(caches, "unpack", None)
    (again,) = look(registry).candidates
    assert (again.path, again.path.stat().st_mtime_ns) == (first.path, time_before)
    monkeypatch.undo()
    tar(path, ("n.h5", tmp_path / "m.h5"))
    assert relatives(look(registry)) == ["a.tar/n.h5"]


def test_an_archive_that_changes_meanwhile_is_a_problem(look, registry, tmp_path, monkeypatch):
    path = tar(registry / "a.tar", ("m.h5", files.minimal_h5(tmp_path / "m.h5")))
    real = caches.unpack

    def touched(*arguments):
        os.utime(path, (1, 1))
        return real(*arguments)

    monkeypatch.setattr(caches, "unpack", touched)
    (problem,) = look(registry).problems
    assert "was modified" in problem.detail


def test_what_was_used_least_recently_is_removed(look, registry, tmp_path):
    size = files.minimal_h5(tmp_path / "m.h5").stat().st_size
    for name in ("a", "b", "c"):
        tar(registry / f"{name}.tar", (f"{name}.h5", tmp_path / "m.h5"))
    for name in ("a", "b"):
        look(registry / f"{name}.tar")
    old = time.time() - 100_000
    places = {
        name: look(registry / f"{name}.tar").candidates[0].path.parents[1] for name in ("a", "b")
    }
    os.utime(places["a"] / "bytes", (old - 5, old - 5))
    os.utime(places["b"] / "bytes", (old, old))
    assert relatives(look(registry / "c.tar", size=2 * size)) == ["c.tar/c.h5"]
    assert not places["a"].exists()
    assert places["b"].exists()


def test_what_a_run_may_still_use_is_not_removed(look, registry, tmp_path):
    size = files.minimal_h5(tmp_path / "m.h5").stat().st_size
    for name in ("a", "b"):
        tar(registry / f"{name}.tar", (f"{name}.h5", tmp_path / "m.h5"))
    found = look(registry, size=size)
    assert relatives(found) == ["a.tar/a.h5"]
    (problem,) = found.problems
    assert problem.kind is ProblemKind.LIMIT_EXCEEDED
    assert "--cache-size" in problem.detail


def test_leftovers_of_killed_runs_are_removed(look, registry, tmp_path):
    left = tmp_path / "cache" / ".partial-x"
    (left / "m").mkdir(parents=True)
    os.utime(left, (1, 1))
    tar(registry / "a.tar", ("m.h5", files.minimal_h5(tmp_path / "m.h5")))
    look(registry)
    assert not left.exists()


def test_an_entry_that_is_incomplete_is_made_again(look, registry, tmp_path):
    tar(registry / "a.tar", ("m.h5", files.minimal_h5(tmp_path / "m.h5")))
    (model,) = look(registry).candidates
    shutil.rmtree(model.path.parents[1])
    assert [each.path for each in look(registry).candidates] == [model.path]


def test_a_cache_at_the_path_of_a_file_is_a_problem(look, registry, tmp_path):
    (tmp_path / "cache").write_bytes(b"")
    tar(registry / "a.tar", ("m.h5", files.minimal_h5(tmp_path / "m.h5")))
    assert "cannot be unpacked" in look(registry).problems[0].detail


def test_the_limits_are_part_of_what_is_kept(registry, tmp_path):
    path = tar(registry / "a.tar", ("m.h5", files.minimal_h5(tmp_path / "m.h5")), ("n", b""))
    settings = CacheSettings(str(tmp_path / "cache"))
    assert ArchiveCache(settings, Limits()).unpacked(path, SharedWork(26.0, 26.0)).tree
    with pytest.raises(ReadError, match="archive members"):
        ArchiveCache(settings, Limits(archive_members=1)).unpacked(path, SharedWork(26.0, 26.0))
