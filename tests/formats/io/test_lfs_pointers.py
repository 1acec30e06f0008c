"""Parts of models that Git LFS did not fetch are named once, and nothing else is said of them."""

from __future__ import annotations

import shutil

import pytest

from modelaudit import scan
from modelaudit.facts import ProblemKind
from modelaudit.formats.io.lfs_pointers import pointer_problem
from tests.command_line import SAMPLES

OID = "5" * 64
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 123456\n"


@pytest.mark.parametrize(
    ("sample", "part"),
    [
        ("digits_tf1_checkpoint", "lenet.ckpt.data-00000-of-00001"),
        ("digits_tf1_checkpoint", "lenet.ckpt.index"),
        ("digits_random_export", "variables/variables.data-00000-of-00001"),
        ("digits_random_export", "saved_model.pb"),
        ("digits_random_export", "fingerprint.pb"),
    ],
)
def test_a_part_that_was_not_fetched_is_the_only_finding(tmp_path, sample, part):
    """But for what its graph says of the model itself."""
    model = tmp_path / sample
    shutil.copytree(SAMPLES / sample, model)
    (whole,) = scan(model).rows
    (model / part).write_text(POINTER)
    (row,) = scan(model).rows
    codes = [finding.code for finding in row.findings]
    assert codes[0] == "MA104"
    assert set(codes[1:]) <= {each.code for each in whole.findings} & {"MA330", "MA331"}
    assert "is a Git LFS pointer to a file of 123,456 bytes" in row.reason


def test_a_whole_sample_has_no_such_finding(tmp_path):
    (row,) = scan(SAMPLES / "digits_tf1_checkpoint").rows
    assert "MA104" not in {finding.code for finding in row.findings}


def test_what_a_pointer_says(tmp_path):
    (tmp_path / "a").write_text(POINTER)
    problem = pointer_problem(tmp_path / "a", "a")
    assert (problem.kind, problem.file) == (ProblemKind.LFS_POINTER, "a")
    assert problem.evidence == {"oid": OID, "promised": 123456}
    (tmp_path / "b").write_text("version https://git-lfs.github.com/spec/v1\nsize many\n")
    assert pointer_problem(tmp_path / "b", "b").evidence == {"oid": None, "promised": None}


@pytest.mark.parametrize("text", ["", "size 5", POINTER + "x" * 1024])
def test_other_files_are_no_pointers(tmp_path, text):
    (tmp_path / "a").write_text(text)
    assert pointer_problem(tmp_path / "a", "a") is None
    assert pointer_problem(tmp_path / "absent", "absent") is None
