from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.registry.file_groups import (
    checkpoint_prefix,
    checkpoints,
    is_saved_model,
    state_files,
)
from tests.registry.trees import SAVED_MODEL, formats

V2 = ("model.ckpt.index", "model.ckpt.data-00000-of-00002", "model.ckpt.data-00001-of-00002")


def groups(*names: str) -> dict[str, tuple[str, ...]]:
    return {group.prefix: group.files for group in checkpoints(names)}


def test_parts_of_one_prefix_are_one_checkpoint():
    assert groups(*V2, "model.ckpt.meta") == {"model.ckpt": tuple(sorted((*V2, "model.ckpt.meta")))}


def test_several_prefixes_are_several():
    assert set(groups("a.index", "a.data-00000-of-00001", "b.index", "b.meta")) == {"a", "b"}


def test_the_shards_of_one_prefix_do_not_take_those_of_a_longer_one():
    found = groups("m.index", "m.data-00000-of-00001", "m-1.index", "m-1.data-00000-of-00001")
    assert found == {
        "m": ("m.data-00000-of-00001", "m.index"),
        "m-1": ("m-1.data-00000-of-00001", "m-1.index"),
    }


def test_files_of_an_interrupted_save_belong_to_its_prefix():
    left = "lenet.data-00000-of-00001.tempstate4036577590216504352"
    assert groups("lenet.index", left, "lenet.png") == {"lenet": (left, "lenet.index")}


def test_an_empty_file_named_like_the_prefix_belongs_to_it():
    assert groups("model.ckpt", "model.ckpt.index") == {
        "model.ckpt": ("model.ckpt.index", "model.ckpt")
    }


@pytest.mark.parametrize("data", ["export", "export-00000-of-00001"])
def test_v1_data_belongs_to_its_meta_graph(data):
    assert groups("export.meta", data) == {"export": ("export.meta", data)}


def test_v1_shards_without_a_meta_graph_are_no_checkpoint():
    assert groups("nodes-00000-of-00002", "nodes-00001-of-00002") == {}


@pytest.mark.parametrize(
    ("names", "lone"),
    [
        (["x.index"], True),
        (["x.meta"], True),
        (["x.index", "x.meta"], False),
        (["x.data-00000-of-00001"], False),
        (["x", "x.meta"], False),
    ],
)
def test_a_single_index_or_meta_is_only_perhaps_a_checkpoint(names, lone):
    (group,) = checkpoints(names)
    assert group.lone is lone


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("a.b.index", "a.b"),
        ("model.h5.data-00003-of-00010", "model.h5"),
        (".index", ""),  # of a prefix that ends in a slash
        ("x.data-0-of-1", None),
        ("x.data-00000-of-00001.bak", None),
        ("index", None),
        ("x.data-٠٠٠٠٠-of-٠٠٠٠١", None),
    ],
)
def test_prefix(name, prefix):
    assert checkpoint_prefix(name) == prefix


PARTS = st.sampled_from(
    ["", ".index", ".meta", ".data-00000-of-00001", "-00000-of-00001", ".txt", ".index.index"]
)
NAMES = st.sets(st.builds("".join, st.tuples(st.sampled_from(["a", "a-1", "b\n"]), PARTS)))


@given(NAMES)
def test_every_part_is_in_exactly_one_checkpoint(names):
    found = checkpoints(names)
    grouped = [name for group in found for name in group.files]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) <= names
    assert {name for name in names if checkpoint_prefix(name)} <= set(grouped)
    assert all(name.startswith(group.prefix) for group in found for name in group.files)


@given(st.lists(st.text(min_size=1), unique=True), st.randoms())
def test_order_does_not_matter(names, random):
    shuffled = random.sample(names, len(names))
    assert checkpoints(shuffled) == checkpoints(names)


def test_state_files():
    names = ("checkpoint", "checkpoint.tmp0123abcd", "checkpoints", "checkpoint.txt")
    assert state_files(names) == {"checkpoint", "checkpoint.tmp0123abcd"}


@pytest.mark.parametrize(
    ("files", "variables", "expected"),
    [
        (["saved_model.pb"], [], True),
        (["saved_model.pbtxt"], [], True),
        (["fingerprint.pb"], [], True),
        ([], ["variables.index"], True),
        ([], ["variables.data-00000-of-00001"], True),
        ([], ["weights.index"], False),
        (["model.pb"], [], False),
        ([], [], False),
    ],
)
def test_saved_model_is_recognised_by_its_own_files(files, variables, expected):
    assert is_saved_model(files, variables) is expected


def test_variables_beside_their_graph_are_no_checkpoint_of_their_own(tmp_path):
    """Copied without the directory `variables/`; beside another file, they are a checkpoint."""
    names = ("variables.index", "variables.data-00000-of-00001")
    for place, graph in (("flat", "saved_model.pb"), ("other", "notes.txt")):
        (tmp_path / place).mkdir()
        (tmp_path / place / graph).write_bytes(SAVED_MODEL)
        for name in names:
            (tmp_path / place / name).write_bytes(b"x")
    assert sorted(formats(tmp_path)) == ["flat", "other/variables"]
