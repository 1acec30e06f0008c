"""The reader of tar archives, against Python's tarfile, and on headers that lie."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.formats.tar.members import DIRECTORY, FILE, TarReader, is_header

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=300)
FORMATS = st.sampled_from((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
KINDS = {
    tarfile.SYMTYPE: "symbolic link",
    tarfile.LNKTYPE: "hard link",
    tarfile.FIFOTYPE: "FIFO",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.DIRTYPE: DIRECTORY,
}


def archive(members, form=tarfile.PAX_FORMAT):
    """A tar archive of (name, data or type of member)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content in KINDS and name == "odd":
                info.type, info.linkname = content, "elsewhere"
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def read(data, most=1000):
    reader = TarReader(io.BytesIO(data), "a.tar", most)
    return [(each.name, each.kind, b"".join(reader.pieces())) for each in reader]


def changed(data, start, new):
    """The archive with other bytes in its first header, whose checksum is right."""
    block = bytearray(data[:512])
    block[start : start + len(new)] = new
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + data[512:]


@given(st.lists(st.tuples(NAMES, st.binary(max_size=2000)), max_size=4), FORMATS)
def test_names_and_data_are_those_of_tarfile(members, form):
    data = archive(members, form)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        expected = [(each.name, tar.extractfile(each)) for each in tar]
        expected = [(name, file.read() if file else b"") for name, file in expected]
    found = [(name.rstrip("/"), content) for name, _, content in read(data)]
    assert found == [(name.rstrip("/"), content) for name, content in expected]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_has_its_kind_and_no_data(kind):
    data = archive([("before", b"1"), ("odd", kind), ("after", b"2")])
    found = [("before", FILE, b"1"), ("odd", KINDS[kind], b""), ("after", FILE, b"2")]
    assert [(name.rstrip("/"), *rest) for name, *rest in read(data)] == found


def test_members_that_are_not_read_are_skipped():
    data = archive([("a", b"x" * 5000), ("b", b"y")])
    assert [each.name for each in TarReader(io.BytesIO(data), "a.tar", 9)] == ["a", "b"]


def test_a_sparse_file_is_called_one():
    info = tarfile.TarInfo("holes")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.realsize": "99999999999"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(info)
    assert [kind for _, kind, _ in read(buffer.getvalue())] == ["sparse file"]


def pax(records):
    info = tarfile.TarInfo("a")
    info.pax_headers = records
    return info.tobuf(tarfile.PAX_FORMAT)


ONE = archive([("a", b"data")])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (changed(ONE, 124, b"\xff" * 12), "negative number"),
        (changed(ONE, 124, b"9" * 11 + b"\0"), "not a number"),
        (changed(ONE, 124, b"\x80" + b"\x7f" * 11), "ends inside a member"),
        (ONE[:514], "ends inside a member"),
        (ONE[:100], "no header"),
        (b"x" + ONE[1:], "no header"),
        (pax({"size": "-5"}), "size that is no number"),
        (pax({"size": "9" * 400}), "size that is no number"),
        (ONE[:1024] + b"noise!!!" * 64, "not a number"),
    ],
)
def test_a_header_that_lies_is_an_error(data, words):
    with pytest.raises(ReadError, match=words):
        read(data)


def test_a_record_longer_than_its_header_is_an_error():
    data = pax({"path": "b" * 300})
    at = data.index(b" path=")
    with pytest.raises(ReadError, match="extended header"):
        read(data[: at - 3] + b"999" + data[at:])


def test_the_same_name_for_all_members_is_refused():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", pax_headers={"path": "b"}) as tar:
        tar.addfile(tarfile.TarInfo("a"))
    with pytest.raises(ReadError, match="same name"):
        read(buffer.getvalue())


def test_a_huge_extended_header_is_not_read():
    data = changed(archive([("n" * 200, b"")], tarfile.GNU_FORMAT), 124, b"%011o\0" % (1 << 33))
    with pytest.raises(LimitExceeded, match="extended header"):
        read(data)


def test_the_number_of_members_is_limited():
    with pytest.raises(LimitExceeded, match="archive members"):
        read(archive([("a", b"")] * 5), most=4)


@given(st.binary(max_size=1600))
def test_noise_is_an_error_or_empty(data):
    try:
        assert read(data) == []
    except ReadError:
        assert data.strip(b"\0")


def test_the_first_header_tells_an_archive():
    assert is_header(ONE[:512])
    assert not is_header(bytes(512))
    assert not is_header(ONE[:511])
    assert not is_header(b"x" + ONE[1:512])
