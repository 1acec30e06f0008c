"""Checkpoints whose prefix ends in a slash, so that their files have no name before the dot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelaudit.api import audit
from modelaudit.facts import Format
from modelaudit.findings import Verdict
from modelaudit.formats.reader import read
from modelaudit.registry.discover import discover
from modelaudit.settings import Limits
from tests.formats.bundle_writer import write_bundle

W = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


@pytest.mark.parametrize("prefix", ["folder/", "folder/named", "named"])
def test_its_tensors_are_read(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "folder").mkdir()
    write_bundle(tmp_path / "folder" / "x", {"w": W})
    for part in (tmp_path / "folder").iterdir():
        part.rename(Path(f"{tmp_path}/{prefix}{part.name.removeprefix('x')}"))
    (found,) = discover(tmp_path).candidates
    assert found.path == Path(f"{tmp_path}/{prefix}")
    assert found.format is Format.TF1_CHECKPOINT
    artifact = read(found.path, Limits())
    assert (artifact.complete, artifact.problems) == (True, ())
    assert [entry.path.rpartition("/")[2] for entry in artifact.files] == [
        f"{prefix.rpartition('/')[2]}{part}" for part in (".index", ".data-00000-of-00001")
    ]
    (tensor,) = artifact.tensors
    assert tensor.source is not None
    np.testing.assert_array_equal(tensor.source.array(), W)


@pytest.mark.parametrize("exists", [True, False])
def test_the_state_file_names_checkpoints_beside_it(tmp_path: Path, exists: bool) -> None:
    """`Saver.save(session, "folder/")` keeps the state file beside `.index`, as any other."""
    folder = tmp_path / "folder"
    folder.mkdir()
    write_bundle(folder / "x", {"w": W})
    for part in [*folder.iterdir()]:
        if exists:
            (folder / part.name.replace("x", "named", 1)).write_bytes(part.read_bytes())
        part.rename(folder / part.name.removeprefix("x"))
    (folder / "checkpoint").write_text('model_checkpoint_path: "named"\n')
    problems = {each.detail for each in read(Path(f"{folder}/"), Limits()).problems}
    assert problems == (set() if exists else {"refers to 'named', which does not exist"})


def test_other_hidden_files_are_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / ".index").write_bytes(b"an index of something else" * 8)
    (tmp_path / ".meta").write_text("notes")
    assert all(each.format is Format.UNKNOWN for each in discover(tmp_path).candidates)


@pytest.mark.slow
def test_it_is_run_as_tensorflow_restores_it(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    v1 = tf.compat.v1
    (tmp_path / "m").mkdir()
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        w = v1.get_variable("w", initializer=tf.constant(W))
        tf.nn.softmax(x @ w, name="y")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, f"{tmp_path}/m/")
    assert (tmp_path / "m" / ".index").is_file()
    (found,) = audit(tmp_path)
    assert (found.model.path, found.verdict) == ("m", Verdict.PASS)
    assert found.behaviour.inputs is not None
    assert found.behaviour.inputs.shape[1:] == (4,)
    assert found.restore.identical == 1
