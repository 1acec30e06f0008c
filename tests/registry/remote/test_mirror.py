"""Copies of remote models: what is fetched, what is kept, and what becomes a problem."""

from __future__ import annotations

import os

import pytest

from modelaudit.errors import ReadError, UsageError
from modelaudit.facts import ProblemKind
from modelaudit.registry.remote import files as remote_files
from modelaudit.registry.remote.address import Url
from modelaudit.registry.remote.mirror import mirror
from modelaudit.settings import CacheSettings, Limits
from modelaudit.settings.selection import Selection
from tests.registry.remote import stores
from tests.registry.remote.stores import FILES, READ

URL = "counted://models"
HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(5000)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    stores.forget()
    monkeypatch.setattr(remote_files, "_FIRST_PAUSE_SECONDS", 0.0)


@pytest.fixture
def copy(tmp_path):
    def take(url=URL, size=1 << 20, **chosen):
        settings = CacheSettings(os.fspath(tmp_path / "cache"), size)
        limits = Limits(files=chosen.pop("files", 1000))
        return mirror(Url(url), settings, limits, Selection(**chosen))

    return take


def tree(place):
    return {
        p.relative_to(place).as_posix(): p.stat().st_size for p in place.rglob("*") if p.is_file()
    }


def test_models_are_fetched_whole_and_data_is_not(copy):
    FILES.pipe("/models/a.h5", HDF5)
    FILES.pipe("/models/photos/cat.jpg", bytes(9000))
    FILES.pipe("/models/noise.bin", bytes(9000))
    found = copy()
    assert tree(found.place) == {"a.h5": len(HDF5), "photos/cat.jpg": 0, "noise.bin": 4096}
    assert {"a.h5": len(HDF5), "noise.bin": 4096} == READ
    assert found.fetched == len(HDF5) + 4096


def test_a_file_that_begins_as_a_model_is_fetched_whatever_its_name(copy):
    FILES.pipe("/models/weights", HDF5)
    assert tree(copy().place) == {"weights": len(HDF5)}


def test_a_file_that_turns_out_to_be_a_model_has_to_fit_into_the_cache(copy):
    FILES.pipe("/models/small.h5", HDF5)
    FILES.pipe("/models/x.bin", HDF5 + bytes(5000))
    found = copy(size=len(HDF5) + 5000)
    assert "--cache-size" in found.problems[0].detail
    assert found.unread == ("x.bin",)
    assert tree(found.place) == {"small.h5": len(HDF5)}
    assert READ["x.bin"] == 4096


def test_what_was_kept_of_such_a_file_counts(copy):
    FILES.pipe("/models/x.bin", HDF5)
    copy(size=len(HDF5))
    FILES.pipe("/models/y.bin", HDF5)
    found = copy(size=len(HDF5))
    assert found.unread == ("y.bin",)


def test_nothing_is_fetched_again_if_nothing_changed(copy):
    FILES.pipe("/models/a.h5", HDF5)
    FILES.pipe("/models/noise.bin", bytes(9000))
    before = (copy().place / "a.h5").stat()
    READ.clear()
    again = copy()
    assert (again.fetched, READ) == (0, {})
    assert (again.place / "a.h5").stat().st_ino == before.st_ino


def test_only_what_changed_is_fetched(copy):
    FILES.pipe("/models/a.h5", HDF5)
    FILES.pipe("/models/b.h5", HDF5)
    copy()
    READ.clear()
    FILES.pipe("/models/b.h5", HDF5[::-1])  # of the same size
    found = copy()
    assert {"b.h5": len(HDF5)} == READ
    assert (found.place / "b.h5").read_bytes() == HDF5[::-1]


def test_what_is_gone_is_removed(copy):
    FILES.pipe("/models/old/a.h5", HDF5)
    FILES.pipe("/models/b.h5", HDF5)
    copy()
    FILES.rm("/models/old/a.h5")
    assert tree(copy().place) == {"b.h5": len(HDF5)}
    assert not (copy().place / "old").exists()


def test_a_passing_failure_is_tried_again(copy):
    FILES.pipe("/models/a.h5", HDF5)
    stores.FAILING["a.h5"] = [OSError("reset"), TimeoutError("slow")]
    assert copy().problems == ()


def test_a_model_of_which_a_file_cannot_be_fetched_is_left_out_as_a_whole(copy):
    FILES.pipe("/models/a/saved_model.pb", bytes(10))
    FILES.pipe("/models/a/variables/variables.index", bytes(10))
    FILES.pipe("/models/b.h5", HDF5)
    stores.FAILING["variables.index"] = [OSError("connection reset by peer")] * 9
    found = copy()
    (problem,) = found.problems
    assert (problem.file, found.unread) == ("a", ("a",))
    assert "variables.index" in problem.detail
    assert "connection reset by peer" in problem.detail
    assert tree(found.place) == {"b.h5": len(HDF5)}


def test_a_model_that_cannot_be_fetched_any_more_is_not_judged_by_its_old_copy(copy):
    FILES.pipe("/models/a.h5", HDF5)
    copy()
    FILES.pipe("/models/a.h5", HDF5[::-1])
    stores.FAILING["a.h5"] = [OSError("gone away")] * 9
    assert tree(copy().place) == {}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (stores.SHORT, "of which 2,504 arrived"),
        (stores.REPLACED, "was replaced while it was fetched"),
    ],
)
def test_a_body_that_is_not_the_listed_one_is_a_problem(copy, fault, words):
    FILES.pipe("/models/a.h5", HDF5)
    fault.add("a.h5")
    (problem,) = copy().problems
    assert words in problem.detail


def test_a_time_that_is_rounded_where_one_file_is_asked_for_is_no_other_state(copy, monkeypatch):
    """MinIO lists milliseconds, and tells seconds of a file that is asked for (minio-go 1632)."""
    FILES.pipe("/models/a.h5", HDF5)
    real = type(FILES).info

    def info(self, path, **options):
        told = real(self, path, **options)
        rounded = told["created"].replace(microsecond=0) if "created" in told else None
        return told | {"ETag": "one", "created": rounded}

    def find(self, path, **options):
        return {"/models/a.h5": real(self, "/models/a.h5") | {"ETag": "one"}}

    monkeypatch.setattr(type(FILES), "info", info)
    monkeypatch.setattr(type(FILES), "find", find)
    assert copy().problems == ()
    (listed,) = (remote := remote_files.RemoteFiles(Url(URL))).files(9).files
    assert remote.state("a.h5").modified != listed.modified
    assert remote.state("a.h5").state == listed.state


def test_names_that_lead_out_of_the_copy_are_not_used(copy, tmp_path):
    FILES.pipe("/models/a.h5", HDF5)
    FILES.store["/models/../../../../escaped.h5"] = FILES.store["/models/a.h5"]
    found = copy()
    assert [problem.kind for problem in found.problems] == [ProblemKind.UNSAFE_PATH]
    assert not [*tmp_path.parent.rglob("escaped.h5")]


def test_a_name_that_is_a_file_and_a_directory_costs_no_other_model(copy):
    FILES.pipe("/models/a.h5", HDF5)
    FILES.store["/models/a.h5/b.h5"] = FILES.store["/models/a.h5"]  # as object stores allow
    FILES.pipe("/models/c.h5", HDF5)
    found = copy()
    assert "a.h5/b.h5" in {problem.file for problem in found.problems}
    assert "c.h5" in tree(found.place)


def test_what_is_excluded_is_not_fetched(copy):
    FILES.pipe("/models/a.h5", HDF5)
    FILES.pipe("/models/old/b.h5", HDF5)
    copy(exclude=("old",))
    assert {"a.h5": len(HDF5)} == READ


def test_only_what_is_included_is_fetched(copy):
    FILES.pipe("/models/a.h5", HDF5)
    FILES.pipe("/models/b.h5", HDF5)
    FILES.pipe("/models/labels.txt", b"cat")
    copy(include=("b*",))
    assert {"b.h5": len(HDF5), "labels.txt": 3} == READ


def test_a_url_may_be_that_of_a_file(copy):
    FILES.pipe("/models/a.h5", HDF5)
    FILES.pipe("/models/b.h5", HDF5)
    found = copy("counted://models/a.h5")
    assert found.place.read_bytes() == HDF5
    assert {"a.h5": len(HDF5)} == READ


def test_a_url_may_be_the_prefix_of_a_checkpoint(copy):
    FILES.pipe("/models/m-1.index", bytes(10))
    FILES.pipe("/models/m-1.data-00000-of-00001", bytes(10))
    FILES.pipe("/models/m-2.index", bytes(10))
    found = copy("counted://models/m-1")
    assert found.place.name == "m-1"
    assert set(tree(found.place.parent)) == {"m-1.index", "m-1.data-00000-of-00001"}


def test_nothing_at_the_url_is_an_error(copy):
    with pytest.raises(UsageError, match="no such file"):
        copy("counted://nothing")


def test_more_than_fits_into_the_cache_is_an_error(copy):
    FILES.pipe("/models/a.h5", HDF5)
    with pytest.raises(ReadError, match="--cache-size") as caught:
        copy(size=1000)
    assert caught.value.kind == ProblemKind.LIMIT_EXCEEDED
    assert READ == {}


def test_too_many_files_are_a_problem(copy):
    for number in range(5):
        FILES.pipe(f"/models/{number}.h5", HDF5)
    (problem,) = copy(files=3).problems
    assert "stopped after 3 files" in problem.detail


def test_copies_are_as_old_as_what_they_are_copies_of(copy):
    FILES.pipe("/models/a.h5", HDF5)
    created = FILES.created("/models/a.h5").timestamp()
    assert (copy().place / "a.h5").stat().st_mtime == pytest.approx(created, abs=1e-3)


def test_a_scheme_without_its_package_names_the_extra(copy):
    with pytest.raises(UsageError, match=r"pip install 'tf-modelaudit\[gcs\]'"):
        copy("gs://bucket/models")


def test_an_unknown_scheme_is_an_error(copy):
    with pytest.raises(UsageError, match="nope"):
        copy("nope://bucket/models")
