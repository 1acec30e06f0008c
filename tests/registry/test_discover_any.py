"""Every file of a directory is accounted for."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from modelaudit.file_formats import Format
from modelaudit.formats.reader import read
from modelaudit.registry.discover import discover
from modelaudit.settings import CacheSettings, Limits
from tests.registry.trees import SAVED_MODEL

NAMES = st.sampled_from(
    [
        *("saved_model.pb", "variables", "assets", "config.json", "metadata.json", "model.h5"),
        *("m.index", "m.meta", "m.data-00000-of-00001", "m", "checkpoint", "export.meta", "1"),
        *("a.txt", "a.zip", "model.weights.h5", "link"),
    ]
)
CONTENT = st.sampled_from(
    [b"", b"x", SAVED_MODEL, b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"{"]
)
TREES = st.recursive(CONTENT, lambda inner: st.dictionaries(NAMES, inner, max_size=6))


def grow(directory, tree):
    directory.mkdir()
    for name, content in tree.items():
        if isinstance(content, dict):
            grow(directory / name, content)
        elif name == "link":
            (directory / name).symlink_to("..")
        else:
            (directory / name).write_bytes(content)


@pytest.mark.slow
@given(st.dictionaries(NAMES, TREES, max_size=6))
@example({"m": b"PK\x03\x04", "m.index": b"", "m.meta": b""})
@example({"saved_model.pb": b"", "export.meta": b""})
@example({"m.index": b"", "checkpoint": b""})
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_file_is_a_row_or_counted_or_named(tmp_path_factory, tree):
    """For any tree: no exception, one row per path, and no file without an entry."""
    root = tmp_path_factory.mktemp("tree") / "root"
    grow(root, tree)
    cache = CacheSettings(str(root.parent / "cache"))
    found = discover(root, cache=cache)
    assert found == discover(root, cache=cache)
    assert len({row.relative for row in found.candidates}) == len(found.candidates)
    places = [row.path for row in found.candidates]
    files_there = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    named = {found.root / entry.path for entry in found.named}
    named |= {found.root / problem.file for problem in found.problems}
    accounted = sum(found.others.values()) + sum(path in named for path in files_there)
    belonging = sum(
        any(
            path == place
            or path.is_relative_to(place)
            or (path.parent == place.parent and path.name.startswith(f"{place.name}."))
            or (path.parent == place.parent and path.name == "checkpoint")
            for place in places
        )
        for path in files_there
    )
    assert accounted + belonging >= len(files_there)


@pytest.mark.slow
def test_a_cache_of_data_is_no_checkpoint(tmp_path):
    tf = pytest.importorskip("tensorflow")
    for _ in tf.data.Dataset.range(9).batch(2).cache(str(tmp_path / "train.cache")):
        pass
    tf.train.Checkpoint(x=tf.Variable(1.0)).write(str(tmp_path / "ckpt"))
    found = discover(tmp_path)
    assert [each.relative for each in found.candidates] == ["ckpt"]
    assert "Cache of tf.data" in " ".join(each.reason for each in found.named)
    named = read(tmp_path / "train.cache", Limits())
    assert (named.format, named.complete) == (Format.DATA_CACHE, False)
