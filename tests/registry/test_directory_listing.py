from __future__ import annotations

import os

import pytest

from modelaudit.facts import ProblemKind
from modelaudit.registry.directory_listing import list_directory


def test_kinds(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    os.link(tmp_path / "file", tmp_path / "hard")
    (tmp_path / "soft").symlink_to("file")
    (tmp_path / "down").symlink_to("inner")
    os.mkfifo(tmp_path / "pipe")
    listing = list_directory(tmp_path, tmp_path, 100)
    assert list(listing.files) == ["file", "hard", "soft"]
    assert len({file.identity for file in listing.files.values()}) == 1
    assert [file.link for file in listing.files.values()] == [False, False, True]
    assert listing.directories == ("inner",)
    assert listing.links == {"down": tmp_path / "inner"}
    assert listing.refused == {"pipe": (ProblemKind.UNREADABLE, "neither a file nor a directory")}
    assert not listing.cut
    assert listing.count == 6


def test_every_kind_of_link_out_of_the_root_is_rejected(tmp_path):
    outside = tmp_path / "outside"
    scope = tmp_path / "scope"
    (outside / "d").mkdir(parents=True)
    (outside / "f").write_bytes(b"x")
    scope.mkdir()
    (scope / "absolute").symlink_to(outside / "f")
    (scope / "relative").symlink_to("../outside/d")
    (scope / "chained").symlink_to("relative")
    (scope / "sibling").symlink_to("../scope2")
    (tmp_path / "scope2").mkdir()
    listing = list_directory(scope, scope, 100)
    assert {kind for kind, _ in listing.refused.values()} == {ProblemKind.UNSAFE_PATH}
    assert set(listing.refused) == {"absolute", "relative", "chained", "sibling"}
    assert str(outside / "f") in listing.refused["absolute"][1]
    assert not listing.files and not listing.links


def test_broken_and_circular_links_are_rejected(tmp_path):
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    refused = list_directory(tmp_path, tmp_path, 100).refused
    assert {name: kind for name, (kind, _) in refused.items()} == dict.fromkeys(
        ("a", "b", "broken"), ProblemKind.UNREADABLE
    )


def test_entries_are_sorted_by_bytes(tmp_path):
    names = [b"\xff", "é".encode(), b"Z", b"a", b"\n"]
    for name in names:
        (tmp_path / os.fsdecode(name)).touch()
    assert [os.fsencode(name) for name in list_directory(tmp_path, tmp_path, 9).files] == sorted(
        names
    )


@pytest.mark.parametrize(("most", "cut"), [(2, True), (3, False)])
def test_the_number_of_entries_is_bounded(tmp_path, most, cut):
    for name in "abc":
        (tmp_path / name).touch()
    listing = list_directory(tmp_path, tmp_path, most)
    assert (listing.count, listing.cut) == (most, cut)


def test_a_directory_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        list_directory(tmp_path / "gone", tmp_path, 9)
