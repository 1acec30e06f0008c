"""Telling formats takes as long for each file of a large directory as of a small one."""

from __future__ import annotations

import os
from pathlib import Path

from modelaudit.facts import Format
from modelaudit.formats.sniff import sniff
from tests.formats import bundle_writer

LONG_AGO = (1_000_000_000, 1_000_000_000)


def test_a_directory_of_many_files_of_no_known_format_is_listed_once(tmp_path, monkeypatch):
    real, listed = Path.iterdir, []
    monkeypatch.setattr(Path, "iterdir", lambda place: listed.append(place) or real(place))
    for number in range(50):
        (tmp_path / f"{number}.h5").touch()
    os.utime(tmp_path, LONG_AGO)
    found = {sniff(tmp_path / f"{number}.h5") for number in range(50)}
    assert found == {Format.EMPTY_FILE}
    assert listed.count(tmp_path) == 1


def test_a_shard_that_was_just_added_or_removed_is_noticed(tmp_path):
    prefix, shard = tmp_path / "model.ckpt", tmp_path / "model.ckpt-00000-of-00001"
    os.utime(tmp_path, LONG_AGO)
    assert sniff(prefix) is Format.UNKNOWN
    for _ in range(20):  # changes of a directory within a few ms have the same time
        shard.write_bytes(bundle_writer.table([(b"", b"\n")]))
        assert sniff(prefix) is Format.TF1_CHECKPOINT_V1
        shard.unlink()
        assert sniff(prefix) is Format.UNKNOWN
