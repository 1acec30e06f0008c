"""The state file `checkpoint`, which names the latest of a directory's checkpoints."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.formats.checkpoint.reader import read_checkpoint
from modelaudit.formats.checkpoint.state_fields import HISTORY, LATEST
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits
from tests.formats.bundle_writer import write_bundle

LIMITS = Limits()


@pytest.mark.parametrize(
    ("latest", "history", "expected"),
    [
        ("ckpt-2", ["ckpt-1", "ckpt-2"], None),
        ("ckpt-2", [], None),
        ("ckpt-1", ["ckpt-1"], "does not list 'ckpt-2'"),
        ("ckpt-1", ["ckpt-1", "ckpt-2"], "history ends with 'ckpt-2'"),
        ("ckpt-9", ["ckpt-9"], "does not exist"),
        ("ckpt-9", ["ckpt-2", "ckpt-9"], "does not exist"),
        ("", [], "does not exist"),
    ],
)
def test_state_file_that_names_another_checkpoint(tmp_path, latest, history, expected):
    for name in ("ckpt-1", "ckpt-2"):
        write_bundle(tmp_path / name, {"w": np.ones(2, "float32")})
    lines = [f'model_checkpoint_path: "{latest}"']
    lines += [f'all_model_checkpoint_paths: "{name}"' for name in history]
    (tmp_path / "checkpoint").write_text("\n".join([*lines, "last_preserved_timestamp: 1.5"]))
    artifact = read_checkpoint(tmp_path / "ckpt-2", LIMITS)
    details = [p.detail for p in artifact.problems if p.kind == "state-file-mismatch"]
    assert len(details) == (expected is not None)
    assert all(expected in detail for detail in details)
    assert artifact.extra["checkpoint_state"] == {"latest": latest, "all": history}


@pytest.mark.parametrize(
    ("name", "other", "told"),
    [
        ("actor", "critic", False),
        ("actor", "actor-9", True),
        ("actor", "actor_best", False),
        ("m-9.ckpt", "m-1.ckpt", True),
        ("star", "star2", False),
    ],
)
def test_models_that_share_a_directory_have_one_state_file(tmp_path, name, other, told):
    """`save_weights` names the last one that was saved, whatever else is there."""
    for each in (name, other):
        write_bundle(tmp_path / each, {"w": np.ones(2, "float32")})
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{other}"')
    problems = read_checkpoint(tmp_path / name, LIMITS).problems
    assert [each.kind for each in problems] == ["state-file-mismatch"] * told


@pytest.mark.parametrize(
    ("name", "latest", "severity"),
    [
        ("weights.12-0.31", "weights.07-0.28", "medium"),
        ("weights.07-0.28", "weights.12-0.31", "low"),
        ("weights.07-0.40", "weights.12-0.31", "low"),
        ("w_2020-11-02", "w_2020-10-30", "medium"),
        ("m-v2.5-ckpt-3", "m-v2.5-ckpt-10", "low"),
        ("ckpt-10", "ckpt-9", "medium"),
        ("loss-0.5", "loss-0.4", "low"),
    ],
)
def test_a_save_is_later_by_the_first_number_that_differs(tmp_path, name, latest, severity):
    """The step may stand in the middle of a name, before a loss, which is no number of a save."""
    for each in (name, latest):
        write_bundle(tmp_path / each, {"w": np.ones(2, "float32")})
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{latest}"')
    artifact = read_checkpoint(tmp_path / name, LIMITS)
    found = run_rule(rule("MA116"), Facts(artifact)).findings
    assert [each.severity.value for each in found] == [severity]


@pytest.mark.parametrize("field", [LATEST, HISTORY])
@pytest.mark.parametrize(
    ("name", "where"),
    [
        (r"E:\\train\\ckpt-1", "outside its directory on Windows: "),
        (r"..\\ckpt-1", "outside its directory on Windows: "),
        (r"\\\\host\\share\\ckpt-1", "outside its directory on Windows: "),
        ("/home/me/ckpt-1", "outside its directory: "),
        ("../ckpt-1", "outside its directory: "),
        ("gs://bucket/ckpt-1", "outside its directory: "),
    ],
)
def test_a_path_of_windows_leads_out_there_only(tmp_path, name, where, field):
    write_bundle(tmp_path / "ckpt-1", {"w": np.ones(2, "float32")})
    latest = name if field == LATEST else "ckpt-1"
    text = f'model_checkpoint_path: "{latest}"\nall_model_checkpoint_paths: "{name}"'
    (tmp_path / "checkpoint").write_text(text)
    problems = read_checkpoint(tmp_path / "ckpt-1", LIMITS).problems
    (found,) = (each.detail for each in problems if each.kind == "unsafe-path")
    assert where in found
    finds_none = "`tf.train.latest_checkpoint` finds none" in found
    assert finds_none is (where.endswith("Windows: ") and field == LATEST)


@pytest.mark.slow
@pytest.mark.parametrize(("path", "found"), [(r"E:\\train\\ckpt-1", False), ("{}/ckpt-1", True)])
def test_tensorflow_follows_absolute_paths_of_its_own_system(tmp_path, path, found):
    import tensorflow as tf

    write_bundle(tmp_path / "ckpt-1", {"w": np.ones(2, "float32")})
    (tmp_path / "here").mkdir()
    text = f'model_checkpoint_path: "{path.format(tmp_path)}"'
    (tmp_path / "here" / "checkpoint").write_text(text)
    assert (tf.train.latest_checkpoint(tmp_path / "here") is not None) is found


def test_an_older_checkpoint_of_the_history_is_no_problem(tmp_path):
    for name in ("ckpt-1", "ckpt-2"):
        write_bundle(tmp_path / name, {"w": np.ones(2, "float32")})
    (tmp_path / "checkpoint").write_text(
        'model_checkpoint_path: "ckpt-2"\n'
        'all_model_checkpoint_paths: "ckpt-1" all_model_checkpoint_paths: "ckpt-2"'
    )
    assert read_checkpoint(tmp_path / "ckpt-1", LIMITS).problems == ()
