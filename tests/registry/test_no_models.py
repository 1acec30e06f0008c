"""What looks like a model and is none: remains of saves, incomplete copies, profiles."""

import pytest

from modelaudit.registry.discover import discover
from tests.made import files
from tests.registry.trees import checkpoint, reasons, rows


@pytest.mark.parametrize(
    ("folder", "name", "data", "skipped"),
    [
        ("m_temp_77665544332211009988776655443322", "part-00000-of-00001", False, True),
        ("m_temp_77665544332211009988776655443322", "part-00000-of-00001", True, False),
        ("m_temp_77665544332211009988776655443322", "model.ckpt", False, False),
        ("m_temp_files", "part-00000-of-00001", False, False),
    ],
)
def test_what_an_interrupted_save_left_is_no_model(tmp_path, folder, name, data, skipped):
    """TensorFlow moves the data out of this directory and then deletes it."""
    directory = checkpoint(tmp_path / folder, name)
    for part in () if data else (".data-00000-of-00001", ".meta"):
        (directory / f"{name}{part}").unlink()
    assert list(rows(tmp_path)) == [f"{folder}/{name}"] * data
    told = {path for path, reason in reasons(tmp_path).items() if "interrupted" in reason}
    assert told == {f"{folder}/{name}.index"} if skipped else not told


def test_an_empty_record_of_the_profiler_is_no_model(tmp_path):
    """TensorFlow writes one for the kernels of a machine without a GPU; others are as before."""
    for name in ("host.kernel_stats.pb", "host.xplane.pb", "kernel_stats.pb", "model.pb"):
        (tmp_path / name).touch()
    assert list(rows(tmp_path)) == ["kernel_stats.pb", "model.pb"]
    told = {path for path, reason in reasons(tmp_path).items() if "profiler" in reason}
    assert told == {"host.kernel_stats.pb", "host.xplane.pb"}


@pytest.mark.parametrize(
    ("endings", "lacks"),
    [
        ((".data-00000-of-00001",), "an index"),
        ((".data-00000-of-00001", ".index.tempstate38"), "an index"),
        ((".data-00000-of-00001.tempstate12",), "an index"),
        ((".data-00000-of-00001.tempstate12", ".index"), "data"),
    ],
)
def test_a_part_of_a_save_that_stopped_before_its_index_is_no_model(tmp_path, endings, lacks):
    """The data are written first, under names that are temporary on some file systems."""
    folder = tmp_path / "m_temp_77665544332211009988776655443322"
    folder.mkdir()
    for ending in endings:
        (folder / f"part-00000-of-00002{ending}").write_bytes(bytes(9))
    assert list(rows(tmp_path)) == []
    assert any(f"interrupted, without {lacks}:" in each for each in reasons(tmp_path).values())


@pytest.mark.parametrize("name", ["index", "faiss.index", "Player.cs.meta", "checkpoint"])
def test_files_only_named_like_a_checkpoint_are_listed(tmp_path, name):
    (tmp_path / name).write_bytes(b"not a checkpoint")
    found = discover(tmp_path)
    assert found.candidates == ()
    assert [named.path for named in found.named] == ([] if name == "index" else [name])


@pytest.mark.parametrize(
    "name",
    ["0f3a.incomplete", ".m.h5.Ab12Cd", "m.h5.1a2B3c4D", "m.h5.part", "m.h5_.gstmp", "m.h5.tmp"],
)
@pytest.mark.parametrize("make", [files.minimal_h5, files.minimal_keras])
def test_an_incomplete_copy_is_no_row_and_a_complete_model_is(tmp_path, name, make):
    """Nothing is skipped by its name alone, so renaming does not hide a model."""
    make(tmp_path / name)
    assert [model.relative for model in discover(tmp_path).candidates] == [name]
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    found = discover(tmp_path)
    assert found.candidates == ()
    assert [(each.path, "copy or download" in each.reason) for each in found.named] == [
        (name, True)
    ]
    (tmp_path / name).rename(tmp_path / "m")  # without a name of a temporary file
    assert [each.relative for each in discover(tmp_path).candidates] == ["m"] * (
        make is files.minimal_h5
    )


def test_a_profile_is_no_row_and_a_model_of_its_name_is(tmp_path):
    (tmp_path / "host.xplane.pb").write_bytes(b"\n\x0b\x08\x01\x12\x07/device")
    found = discover(tmp_path)
    assert (found.candidates, [each.path for each in found.named]) == ((), ["host.xplane.pb"])
    (tmp_path / "host.xplane.pb").rename(tmp_path / "host.pb")  # an unknown file named as a graph
    assert [each.relative for each in discover(tmp_path).candidates] == ["host.pb"]
    files.minimal_h5(tmp_path / "model.xplane.pb")
    assert len(discover(tmp_path).candidates) == 2
