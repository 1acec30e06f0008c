"""The installed versions agree with `importlib.metadata`."""

from __future__ import annotations

from importlib import metadata

import pytest

from modelaudit.rules import examples
from modelaudit.runtimes import catalogue
from modelaudit.runtimes.predict import predict, read_profiles
from modelaudit.runtimes.profile import numbers


def test_the_versions_of_all_installed_distributions():
    catalogue._installed_versions.cache_clear()  # other tests add folders to sys.path
    found = catalogue._installed_versions()
    installed = [d.metadata["Name"] for d in metadata.distributions()]
    assert len(installed) > 20
    for name in installed:
        key = name.replace("_", "-").replace(".", "-").lower()
        assert numbers(found[key]) == numbers(metadata.version(name)), name


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        ([], None),
        (["tensorflow-2.21.0.dist-info"], "2.21.0"),
        (["tensorflow_cpu-2.20.0rc1.dist-info"], "2.20.0"),
        (["tensorflow_cpu-2.20.0.dist-info", "TensorFlow-2.21.0+cpu.egg-info"], "2.21.0"),
        (["tensorflow-2.21.0-py3.11.egg-info"], "2.21.0"),
        (["tensorflow_metadata-1.17.dist-info", "tensorflow-2.21.0"], None),
    ],
)
def test_names_of_metadata_directories(folders, expected, tmp_path, monkeypatch):
    for folder in folders:
        (tmp_path / folder).mkdir()
    monkeypatch.setattr("sys.path", [str(tmp_path), str(tmp_path / "missing"), __file__])
    catalogue._installed_versions.cache_clear()
    assert catalogue._installed("tensorflow") == expected
    if expected:  # an independent reader of the same directory
        names = {d.metadata["Name"] or d._path.name for d in metadata.distributions()}
        assert len(names) == len(folders)
    catalogue._installed_versions.cache_clear()


def test_profiles_that_were_read_before_a_fork_are_not_read_again():
    """Each worker would otherwise read a dozen, half of the work on a small model."""
    catalogue.shipped_profile.cache_clear()
    read_profiles(catalogue.default_targets())
    before = catalogue.shipped_profile.cache_info().misses
    assert predict(examples.healthy().artifact, catalogue.default_targets())
    assert catalogue.shipped_profile.cache_info().misses == before > 0
