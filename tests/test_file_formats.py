"""Every format has an entry, is recognised by its first bytes if possible, and read or named."""

from __future__ import annotations

import itertools

import pytest

from modelaudit.file_formats import BY_MAGIC, DAMAGED, FORMATS, Content, Format, formats
from modelaudit.formats import reader
from modelaudit.formats.other_formats import OTHER_FORMATS, unsupported_reason
from modelaudit.formats.sniff import sniff
from modelaudit.settings import Limits


def test_every_format_has_one_entry():
    assert [*FORMATS] == [*Format]
    for what in ("label", "told_by"):
        values = [getattr(form.info, what) for form in Format]
        assert all(values)
        assert len({*values}) == len(values)


def test_every_format_has_a_reader_or_a_report():
    named = {form for form in Format if form.info.problem}
    assert named.isdisjoint(reader._READERS)
    assert named | reader._READERS.keys() == {*Format}


@pytest.mark.parametrize(("magic", "form"), BY_MAGIC)
def test_first_bytes_determine_the_format_whatever_the_name(tmp_path, magic, form):
    for name in ("model", "model.keras", "model.h5", "model.txt"):
        (tmp_path / name).write_bytes(magic + b"\0" * 100)
        assert sniff(tmp_path / name) is form
        artifact = reader.read(tmp_path / name, Limits())
        assert (artifact.format, artifact.complete) == (form, False)
        assert artifact.problems


def test_no_format_starts_like_another():
    for (one, _), (other, _) in itertools.permutations(BY_MAGIC, 2):
        assert not one.startswith(other)


@pytest.mark.parametrize("form", [form for form in Format if form.info.problem])
def test_reports_on_files_that_are_only_named(tmp_path, form):
    kind, detail = form.info.problem
    (problem,) = reader._no_model(form, kind, detail)(tmp_path, Limits()).problems
    assert (problem.kind, problem.detail) == (kind, detail)


def test_damaged_models_have_a_damaged_format():
    assert {*DAMAGED.values()} == formats(Content.DAMAGED)


@pytest.mark.parametrize("other", OTHER_FORMATS, ids=lambda other: other.label)
def test_files_of_other_frameworks_are_listed_as_what_they_are(other):
    assert other.suffixes or other.magic or other.json or other.members
    reason = f"{other.label}, {other.note}"
    for suffix in other.suffixes:
        assert unsupported_reason(f"a{suffix}", b"") == reason
        assert unsupported_reason(f"A{suffix.upper()}", b"") == reason
        assert f"`{suffix}`" in other.told_by
    if other.magic:
        assert unsupported_reason("a", b"\0" * other.offset + other.magic) == reason
    for texts in other.json:
        assert unsupported_reason("a", b" {" + b" ".join(texts)) == reason
