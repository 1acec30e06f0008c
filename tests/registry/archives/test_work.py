"""What is in an archive takes together what the archive may take for its size."""

from __future__ import annotations

from modelaudit.facts import ProblemKind
from modelaudit.settings import Limits
from tests.made import files
from tests.registry.archives.packed import tar


def test_models_know_their_outermost_archive_and_what_is_left_for_them(look, registry, tmp_path):
    model = files.minimal_h5(tmp_path / "m.h5")
    inner = tar(tmp_path / "inner.tar", ("m.h5", model))
    outer = tar(registry / "outer.tar", ("inner.tar", inner), ("n.h5", model))
    tar(registry / "other.tar", ("m.h5", model))
    files.minimal_h5(registry / "plain.h5")
    found = {each.relative: each.archive for each in look(registry).candidates}
    assert found.pop("plain.h5") is None
    one, nested, other = (
        found[n] for n in ("outer.tar/n.h5", "outer.tar/inner.tar/m.h5", "other.tar/m.h5")
    )
    assert one is not None
    assert other is not None
    assert nested == one
    assert (one.path, other.path) == (outer, registry / "other.tar")
    assert 0.0 < one.units < Limits().work  # less what it took to unpack


def test_a_large_archive_has_more_work(look, registry, tmp_path):
    model = files.minimal_h5(tmp_path / "m.h5")
    tar(registry / "a.tar", ("m.h5", model), ("x.bin", bytes(30_000_000)))
    (found,) = look(registry).candidates
    assert found.archive is not None
    assert Limits().work < found.archive.units < 3.1 * Limits().work


def test_an_archive_without_enough_work_to_unpack_it_is_a_problem(look, registry, tmp_path):
    tar(registry / "a.tar", ("m.h5", files.minimal_h5(tmp_path / "m.h5")))
    found = look(registry, limits=Limits(work=0.5))
    assert found.candidates == ()
    (problem,) = found.problems
    assert (problem.kind, problem.file) == (ProblemKind.LIMIT_EXCEEDED, "a.tar")
    assert "(setting work)" in problem.detail
