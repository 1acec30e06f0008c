"""Dependencies of an audit other than the model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modelaudit.settings import Settings
from modelaudit.store import cache_keys
from tests.sources import SOURCES, imports, within


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package for `code_digest`, whose cache is restored afterwards."""
    copy = tmp_path / "modelaudit"
    shutil.copytree(cache_keys.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(cache_keys, "code_digest", cache_keys.code_digest.__wrapped__)
    monkeypatch.setattr(cache_keys, "PACKAGE", copy)
    return copy


@pytest.mark.parametrize(
    "name",
    [
        "rules/catalogue.py",
        "formats/graph/tensorflow_ops.txt",
        "runtimes/profiles.tsv.gz",
    ],
)
def test_every_file_of_the_package_counts(package, name):
    before = cache_keys.code_digest()
    (package / name).write_bytes((package / name).read_bytes() + b"\n")
    assert cache_keys.code_digest() != before


def test_only_the_given_packages_count(package):
    before = cache_keys.code_digest(cache_keys.FACT_PACKAGES)
    (package / "rules" / "catalogue.py").write_text("")
    assert cache_keys.code_digest(cache_keys.FACT_PACKAGES) == before
    (package / "formats" / "tensorflow_ops.txt").write_text("")
    assert cache_keys.code_digest(cache_keys.FACT_PACKAGES) != before


def test_the_fact_packages_are_exactly_those_the_probe_imports():
    reached = set()
    waiting = [name for name in SOURCES if within(name, ("modelaudit.probe",))]
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += [name for name in imports(module, SOURCES[module]) if name in SOURCES]
    rooms = {
        f"modelaudit.{room.removesuffix('.py').replace('/', '.')}"
        for room in cache_keys.FACT_PACKAGES
    }
    assert [module for module in reached if not within(module, tuple(rooms))] == []
    assert [room for room in rooms if not any(within(each, (room,)) for each in reached)] == []


def test_another_installation_of_the_same_files_gives_the_same(package, monkeypatch):
    here = cache_keys.code_digest()
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "facts.cpython-311.pyc").write_bytes(b"compiled")
    assert cache_keys.code_digest() == here
    monkeypatch.undo()
    assert cache_keys.code_digest() == here


def test_a_change_of_the_source_code_is_seen(tmp_path: Path) -> None:
    code = tmp_path / "layers.py"
    code.write_text("class A: pass\n")
    settings = Settings(source_code=(str(tmp_path),))
    before = cache_keys.user_input_digest(settings)
    assert (
        cache_keys.user_input_digest(settings) == before != cache_keys.user_input_digest(Settings())
    )
    code.write_text("class Other: pass\n")
    assert cache_keys.user_input_digest(settings) != before
