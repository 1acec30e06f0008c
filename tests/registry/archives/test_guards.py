"""Archives that may be an attack, or cannot be read."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile

import pytest

from modelaudit.facts import ProblemKind
from modelaudit.registry.archives import cache as caches
from modelaudit.registry.candidates import ArchiveRoom
from modelaudit.settings import Limits
from tests.made import files
from tests.registry.archives.packed import relatives, special, tar


@pytest.mark.parametrize(
    ("kind", "words"),
    [(tarfile.SYMTYPE, "symbolic link"), (tarfile.LNKTYPE, "hard link")],
)
def test_links_are_named_and_not_made(look, registry, tmp_path, kind, words):
    path = tar(registry / "a.tar", ("m.h5", files.minimal_h5(tmp_path / "m.h5")))
    special(path, kind, "latest.h5", "/etc/passwd")
    found = look(registry)
    assert relatives(found) == ["a.tar/m.h5"]
    assert [(x.path, x.reason) for x in found.named] == [
        ("a.tar/latest.h5", f"not unpacked: {words}")
    ]
    assert not found.problems


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("../evil.h5", None, "leads out of the archive"),
        ("a/../../evil.h5", None, "leads out of the archive"),
        ("/tmp/evil.h5", None, "absolute path"),
        ("C:\\evil.h5", None, "backslash"),
        ("n" * 256, None, "no file system takes"),
        ("/".join("d" * 70), None, "no file system takes"),
        ("pipe", tarfile.FIFOTYPE, "FIFO"),
        ("null", tarfile.CHRTYPE, "character device"),
        ("disk", tarfile.BLKTYPE, "block device"),
        ("m.h5/inside.h5", None, "both a file and a directory"),
    ],
)
def test_what_may_be_an_attack_is_a_problem_and_the_rest_is_read(
    look, registry, tmp_path, name, kind, words
):
    path = tar(registry / "a.tar", ("m.h5", files.minimal_h5(tmp_path / "m.h5")))
    if kind:
        special(path, kind, name)
    else:
        with tarfile.open(path, "a", format=tarfile.PAX_FORMAT) as archive:
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))
    before = sorted(tmp_path.iterdir())
    found = look(registry)
    assert relatives(found) == ["a.tar/m.h5"]
    (problem,) = found.problems
    assert problem.kind is ProblemKind.UNSAFE_PATH
    assert words in problem.detail
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "cache"])


def test_files_are_private_and_never_executable(look, registry, tmp_path):
    model = files.minimal_h5(tmp_path / "m.h5")
    model.chmod(0o4777)
    tar(registry / "a.tar", ("d/m.h5", model))
    (row,) = look(registry).candidates
    modes = [each.stat().st_mode & 0o7777 for each in (row.path, row.path.parent)]
    assert modes == [0o600, 0o700]


def test_of_two_members_with_one_name_the_last_counts(look, registry, tmp_path):
    first, last = files.minimal_h5(tmp_path / "m.h5"), files.minimal_keras(tmp_path / "m.keras")
    tar(registry / "a.tar", ("m.h5", first), ("m.h5", last))
    found = look(registry)
    (model,) = found.candidates
    assert model.path.read_bytes() == last.read_bytes()
    assert [each.reason for each in found.named] == [
        "not unpacked: another member has the same name"
    ]


def bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.h5", bytes(60_000_000))


def many(path):
    tar(path, *((f"{number}.h5", b"x") for number in range(30)))


def half(path):
    tar(path, ("m.h5", bytes(5000)))
    os.truncate(path, 3000)


def wrong_sum(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m.h5", b"12345")
    path.write_bytes(path.read_bytes().replace(b"12345", b"54321", 1))


def overlapping(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.h5", b"x" * 100)
        archive.filelist.append(archive.filelist[0])


@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (bomb, "a.zip", "compression ratio"),
        (many, "a.tar", "archive members"),
        (half, "a.tar", "ends inside a member"),
        (wrong_sum, "a.zip", "CRC-32"),
        (overlapping, "a.zip", "share their bytes"),
    ],
)
def test_an_archive_that_cannot_be_read_is_a_problem(look, registry, tmp_path, make, name, words):
    make(registry / name)
    files.minimal_h5(registry / "other.h5")
    found = look(registry, Limits(archive_members=20))
    assert relatives(found) == ["other.h5"]
    (problem,) = found.problems
    assert problem.file.startswith(name)
    assert words in problem.detail
    assert all(map(caches._state, (tmp_path / "cache").glob("*")))


def _tar_of(path, count, model):
    return tar(path, *((f"{number:03}.h5", model) for number in range(count)))


@pytest.mark.parametrize("count", [3, 4, 9])
def test_an_archive_of_more_models_than_its_size_allows_is_looked_at_in_part(
    look, registry, tmp_path, count
):
    model = files.minimal_h5(tmp_path / "m.h5").read_bytes()
    _tar_of(registry / "a.tar", count, model)
    files.minimal_h5(registry / "z.h5")
    found = look(registry, limits=Limits(density=3 / 75))
    assert relatives(found) == [*(f"a.tar/{number:03}.h5" for number in range(3)), "z.h5"]
    if count == 3:
        assert not found.problems
        return
    (problem,) = found.problems
    assert (problem.kind, problem.file) == (ProblemKind.LIMIT_EXCEEDED, "a.tar")
    assert problem.detail.startswith(f"{count - 3} of the models and archives in it are not")
    assert "(setting density)" in problem.detail


def test_a_model_that_is_asked_for_is_looked_at_however_many_others_there_are(
    look, registry, tmp_path
):
    model = files.minimal_h5(tmp_path / "m.h5").read_bytes()
    path = _tar_of(registry / "a.tar", 9, model)
    found = look(path / "008.h5", limits=Limits(density=3 / 75))
    assert relatives(found) == ["a.tar/008.h5"]
    assert not found.problems


def test_archives_inside_of_an_archive_share_what_its_size_allows(look, registry, tmp_path):
    model = files.minimal_h5(tmp_path / "m.h5").read_bytes()
    inner = [_tar_of(tmp_path / f"{name}.tar", 2, model).read_bytes() for name in "bcd"]
    members = [(f"{name}.tar", content) for name, content in zip("bcd", inner, strict=True)]
    tar(registry / "a.tar", ("a.h5", model), *members)
    whole = look(registry)
    assert len(relatives(whole)) == 7
    assert not whole.problems
    # One model, an archive, its two models, another archive: one place is left for its models.
    cut = look(registry, limits=Limits(density=6 / 75))
    assert relatives(cut) == [
        "a.tar/a.h5",
        "a.tar/b.tar/000.h5",
        "a.tar/b.tar/001.h5",
        "a.tar/c.tar/000.h5",
    ]
    (problem,) = cut.problems
    assert problem.detail.startswith("2 of the models and archives in it are not looked at")


def test_a_large_archive_may_have_more_models():
    limits = Limits()
    sizes = (1_000, 10_000_000, 25_000_000)
    assert [ArchiveRoom(size, limits).take(1_000) for size in sizes] == [75, 75, 187]
    room = ArchiveRoom(1_000, limits)
    assert [room.take(each) for each in (74, 0, 2, 1)] == [74, 0, 1, 0]


def test_files_named_like_models_that_are_too_many_are_not_unpacked(look, registry):
    """None of them: a checkpoint of which one part was left out looks damaged."""
    members = [(f"{number:03}.index", b"") for number in range(20)]
    tar(registry / "a.tar", ("notes.txt", b"x"), *members)
    found = look(registry, limits=Limits(density=12 / 600))
    assert found.candidates == ()
    (problem,) = found.problems
    assert (problem.kind, problem.file) == (ProblemKind.LIMIT_EXCEEDED, "a.tar")
    assert "members named like models" in problem.detail


def test_data_that_is_compressed_does_not_count_as_named_like_models(look, registry, tmp_path):
    members = [(f"{number:03}.csv.gz", b"") for number in range(20)]
    tar(registry / "a.tar", ("m.h5", files.minimal_h5(tmp_path / "m.h5")), *members)
    found = look(registry, limits=Limits(density=12 / 600))
    assert relatives(found) == ["a.tar/m.h5"]
    assert not found.problems
