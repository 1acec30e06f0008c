"""What macOS writes beside files on other disks and in archives: attributes under their names."""

from __future__ import annotations

import shutil
import zipfile

import pytest

from modelaudit.facts import Format
from modelaudit.formats.other_formats import APPLE_DOUBLE
from modelaudit.registry.discover import discover
from tests.made import files
from tests.registry.trees import checkpoint, formats, saved_model

ATTRIBUTES = APPLE_DOUBLE.magic + b"Mac OS X        " + bytes(100)


@pytest.fixture
def copied(tmp_path):
    """Models with the attributes of each of their files beside it."""
    files.minimal_h5(tmp_path / "m.h5")
    files.minimal_keras(tmp_path / "m.keras")
    checkpoint(tmp_path / "saved")
    saved_model(tmp_path / "graph")
    for each in [each for each in tmp_path.rglob("*") if each.is_file()]:
        (each.parent / f"._{each.name}").write_bytes(ATTRIBUTES)
    return tmp_path


def test_attributes_are_no_models(copied):
    assert sorted(formats(copied)) == ["graph", "m.h5", "m.keras", "saved/model.ckpt"]
    others = discover(copied).others
    assert (others[".h5"], others[".keras"], others[".index"]) == (1, 1, 1)


def test_attributes_in_an_archive_are_no_models(copied, tmp_path_factory):
    place = tmp_path_factory.mktemp("zip")
    with zipfile.ZipFile(place / "models.zip", "w") as archive:
        for each in copied.rglob("*"):
            if each.is_file():
                name = each.relative_to(copied).as_posix()
                archive.write(each, f"__MACOSX/{name}" if each.name.startswith("._") else name)
    assert sorted(formats(place)) == [
        *("models.zip/graph", "models.zip/m.h5"),
        *("models.zip/m.keras", "models.zip/saved/model.ckpt"),
    ]


def test_a_model_with_such_a_name_is_found(tmp_path):
    shutil.copy(files.minimal_h5(tmp_path / "m.h5"), tmp_path / "._copy.h5")
    (tmp_path / "attributes.h5").write_bytes(ATTRIBUTES)
    assert formats(tmp_path) == {
        "._copy.h5": Format.LEGACY_H5_FULL,
        "attributes.h5": Format.UNKNOWN,
        "m.h5": Format.LEGACY_H5_FULL,
    }
