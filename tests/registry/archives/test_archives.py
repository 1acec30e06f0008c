"""Archives of every kind are searched like directories, within limits and without surprises."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import tarfile
import time
import zipfile

import pytest
import zstandard

from modelaudit.errors import ReadError, UsageError
from modelaudit.facts import Format, ProblemKind
from modelaudit.registry.archives import cache as caches
from modelaudit.registry.archives.cache import ArchiveCache
from modelaudit.registry.archives.contents import holds_models, is_archive, stem
from modelaudit.registry.discover import discover
from modelaudit.settings import CacheSettings, Limits
from tests.made import files
from tests.registry.trees import saved_model


@pytest.fixture
def look(tmp_path):
    """`discover` with a cache of the test's own."""

    def found(path, limits=None, size=1 << 30, **options):
        cache = CacheSettings(str(tmp_path / "cache"), size)
        return discover(path, limits or Limits(), cache, **options)

    return found


@pytest.fixture
def registry(tmp_path):
    folder = tmp_path / "registry"
    folder.mkdir()
    return folder


def entries(tmp_path):
    return sorted(each.name for each in (tmp_path / "cache").glob("*"))


def tar(path, *members, mode="w"):
    """A tar archive of (name, bytes or a TarInfo)."""
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            if isinstance(content, bytes):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                archive.add(content, name)
    return path


def special(path, kind, name="odd", target="elsewhere"):
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        archive.addfile(info)


def relatives(found):
    return [each.relative for each in found.candidates]


def test_a_zip_of_teachable_machine_is_one_model_with_its_labels(look, registry):
    with zipfile.ZipFile(registry / "converted_keras.zip", "w") as archive:
        archive.write(files.minimal_h5(registry / "m.h5"), "keras_model.h5")
        archive.writestr("labels.txt", "0 cat\n1 dog\n")
    (registry / "m.h5").unlink()
    found = look(registry)
    (model,) = found.candidates
    assert (model.relative, model.format) == (
        "converted_keras.zip/keras_model.h5",
        Format.LEGACY_H5_FULL,
    )
    assert (model.path.parent / "labels.txt").read_text() == "0 cat\n1 dog\n"
    assert found.root == registry
    assert found.others == {".txt": 1}


COMPRESS = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_saved_model_in_a_tar_archive(look, registry, tmp_path, suffix):
    made = tar(tmp_path / "a.tar", ("digits", saved_model(tmp_path / "m")))
    (registry / f"a.tar{suffix}").write_bytes(COMPRESS[suffix](made.read_bytes()))
    (model,) = look(registry).candidates
    assert model.relative == f"a.tar{suffix}/digits"
    assert (model.path / "assets" / "vocabulary.txt").read_bytes() == b"x"


@pytest.mark.parametrize("suffix", [each for each in COMPRESS if each])
def test_a_compressed_model(look, registry, tmp_path, suffix):
    plain = files.minimal_h5(tmp_path / "m.h5")
    (registry / f"m.h5{suffix}").write_bytes(COMPRESS[suffix](plain.read_bytes()))
    (model,) = look(registry).candidates
    assert model.relative == f"m.h5{suffix}/m.h5"
    assert model.path.read_bytes() == plain.read_bytes()


def test_a_model_at_the_top_of_an_archive_is_called_like_the_archive(look, registry, tmp_path):
    model = saved_model(tmp_path / "m")
    tar(registry / "digits.tgz", *((each.name, each) for each in model.iterdir()), mode="w:gz")
    (row,) = look(registry).candidates
    assert row.relative == "digits.tgz"
    assert row.path.name == "digits"


def test_versions_in_an_archive_are_versions(look, registry, tmp_path):
    model = saved_model(tmp_path / "m")
    tar(registry / "served.tar", ("digits/1", model), ("digits/2", model))
    assert [each.series for each in look(registry).candidates] == ["served.tar/digits"] * 2
    newest = look(registry, all_versions=False)
    assert relatives(newest) == ["served.tar/digits/2"]
    assert [each.path for each in newest.named] == ["served.tar/digits/1"]


def test_archives_in_archives_are_opened_twice(look, registry, tmp_path):
    inner = tar(tmp_path / "c.tar", ("m.h5", files.minimal_h5(tmp_path / "m.h5")))
    middle = tar(tmp_path / "b.tar", ("c.tar", inner), ("n.h5", tmp_path / "m.h5"))
    tar(registry / "a.tar", ("b.tar", middle))
    found = look(registry)
    assert relatives(found) == ["a.tar/b.tar/n.h5"]
    (named,) = found.named
    assert (named.path, named.reason) == (
        "a.tar/b.tar/c.tar",
        "archive in an archive in an archive, not unpacked",
    )


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
    assert all(caches._state(tmp_path / "cache" / each) for each in entries(tmp_path))


def test_an_archive_of_other_things_is_another_file(look, registry, tmp_path):
    tar(registry / "photos.tar.gz", *((f"{n}.png", b"x") for n in range(50)), mode="w:gz")
    (registry / "table.csv.gz").write_bytes(gzip.compress(b"1,2"))
    found = look(registry, Limits(archive_members=20))
    assert not found.candidates
    assert not found.problems
    assert found.others == {".gz": 2}
    kept = [each for each in (tmp_path / "cache").rglob("*") if each.is_file()]
    assert {each.name for each in kept} == {"unpacked.json"}


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
    os.utime(places["a"], (old - 5, old - 5))
    os.utime(places["b"], (old, old))
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
    assert look(registry).candidates == (model,)


def test_a_cache_at_the_path_of_a_file_is_a_problem(look, registry, tmp_path):
    (tmp_path / "cache").write_bytes(b"")
    tar(registry / "a.tar", ("m.h5", files.minimal_h5(tmp_path / "m.h5")))
    assert "cannot be unpacked" in look(registry).problems[0].detail


def test_an_archive_that_is_given_is_searched(look, registry, tmp_path):
    model = files.minimal_h5(tmp_path / "m.h5")
    path = tar(registry / "a.tar", ("x/m.h5", model), ("y/n.h5", model))
    found = look(path)
    assert (relatives(found), found.root) == (["a.tar/x/m.h5", "a.tar/y/n.h5"], registry)


def test_a_path_inside_an_archive_is_one_model(look, registry, tmp_path):
    model = files.minimal_h5(tmp_path / "m.h5")
    path = tar(registry / "a.tar", ("x/m.h5", model), ("x/m.h5.h5", model))
    assert relatives(look(path / "x" / "m.h5")) == ["a.tar/x/m.h5"]
    with pytest.raises(UsageError, match="no such file"):
        look(path / "x" / "other.h5")


def test_an_archive_without_a_model_that_is_given_is_a_row(look, registry):
    path = tar(registry / "a.tar", ("photo.png", b"x"))
    (row,) = look(path).candidates
    assert row.format is Format.UNKNOWN


def test_the_limits_are_part_of_what_is_kept(registry, tmp_path):
    path = tar(registry / "a.tar", ("m.h5", files.minimal_h5(tmp_path / "m.h5")), ("n", b""))
    settings = CacheSettings(str(tmp_path / "cache"))
    assert ArchiveCache(settings, Limits()).unpacked(path).tree
    with pytest.raises(ReadError, match="archive members"):
        ArchiveCache(settings, Limits(archive_members=1)).unpacked(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("m.tar.gz", "m"), ("m.h5.gz", "m.h5"), ("m.zip", "m"), (".zip", ".zip"), ("m", "m")],
)
def test_the_stem_is_without_suffixes_of_archives(name, expected):
    assert stem(name) == expected


def test_what_is_no_archive_is_not_opened():
    assert not is_archive("photo.png", gzip.compress(b"x"))
    assert not is_archive("a.tar", b"x" * 600)
    assert is_archive("a.gz", gzip.compress(b"x"))
    assert is_archive("a", b"PK\x03\x04")


@pytest.mark.parametrize(
    ("member", "expected"),
    [("m/saved_model.pb", True), ("inner.zip", True), ("m/readme.md", False)],
)
def test_names_tell_whether_there_may_be_a_model(tmp_path, member, expected):
    assert holds_models(tar(tmp_path / "a.tar", (member, b"x")), Limits()) is expected


def test_a_zip_archive_without_models_is_not_kept(look, registry, tmp_path):
    with zipfile.ZipFile(registry / "a.docx", "w") as archive:
        archive.writestr("word/document.xml", "x")
    assert look(registry).others == {".docx": 1}
    assert not (tmp_path / "cache").exists()
