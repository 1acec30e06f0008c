"""The distribution and the lock files: complete, pinned, and without unrelated files."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CORE = tomllib.loads(
    (ROOT / "distributions" / "tf-modelaudit-core" / "pyproject.toml").read_text(encoding="utf-8")
)
NEEDED, LIGHT = ({*each["project"]["dependencies"]} for each in (PROJECT, CORE))
LOCKS = ("light", "runtime", "dev", "samples", "fuzz")
USES_WHEEL = """
import modelaudit, modelaudit.report.pages.assets as resources
print(modelaudit.__version__, modelaudit.__file__, resources.templates_root())
"""


def locked(level: str) -> dict[str, list[tuple[Requirement, int]]]:
    """Name -> its pins (one for each environment marker), with the number of hashes of each."""
    text = (ROOT / "requirements" / f"{level}.txt").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    pins: dict[str, list[tuple[Requirement, int]]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        requirement, *hashes = line.split("--hash=")
        pin = Requirement(requirement.strip())
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest.strip()) for digest in hashes)
        pins.setdefault(canonicalize_name(pin.name), []).append((pin, len(hashes)))
    return pins


def declared(level: str) -> list[Requirement]:
    groups = PROJECT["dependency-groups"]
    texts = LIGHT if level == "light" else {*NEEDED, *groups["build"], *groups.get(level, [])}
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("level", LOCKS)
def test_lock_pins_everything_that_is_declared(level):
    pins = locked(level)
    for requirement in declared(level):
        versions = [
            str(pin.specifier).removeprefix("==")
            for pin, _ in pins.get(canonicalize_name(requirement.name), [])
        ]
        assert versions, f"{requirement} is not in requirements/{level}.txt"
        assert all(version in requirement.specifier for version in versions), requirement


def test_the_oldest_versions_that_are_declared_run_the_code():
    """Protobuf refuses code of a later generator; before 8.4 click's ParamType takes no type."""
    generated = [
        ".".join(re.findall(r"^    (\d+),$", path.read_text(encoding="utf-8"), re.MULTILINE))
        for path in (ROOT / "modelaudit").rglob("*_pb2.py")
    ]
    for needed in (NEEDED, LIGHT):
        oldest = {
            each.name: min(each.specifier, key=str).version for each in map(Requirement, needed)
        }
        assert Version(oldest["protobuf"]) >= max(map(Version, generated))
        assert Version(oldest["click"]) >= Version("8.4")


@pytest.mark.parametrize("level", LOCKS)
def test_lock_is_exact_and_hashed(level):
    for name, pins in locked(level).items():
        for pin, hashes in pins:
            assert re.fullmatch(r"==[^,*]+", str(pin.specifier)), name
            assert hashes > 0, name
            assert pin.url is None, name


@pytest.mark.parametrize("level", ["dev", "samples", "fuzz"])
def test_tests_run_on_what_users_get(level):
    runtime, theirs = versions("runtime"), versions(level)
    assert {name: theirs.get(name) for name in runtime} == runtime


def test_the_light_lock_is_a_part_of_the_full_one():
    assert versions("light").items() <= versions("runtime").items()


def versions(level: str) -> dict[str, list[str]]:
    return {name: sorted(str(pin) for pin, _ in group) for name, group in locked(level).items()}


def test_the_core_is_the_full_distribution_with_fewer_dependencies():
    assert LIGHT < NEEDED
    own = ("name", "description", "dependencies", "requires-python", "classifiers")
    full, core = (
        {key: value for key, value in each["project"].items() if key not in own}
        for each in (PROJECT, CORE)
    )
    assert core == full
    for each, newest in ((PROJECT, 13), (CORE, 14)):  # TensorFlow has no release for 3.14
        stated = each["project"]
        assert stated["requires-python"] == f">=3.11,<3.{newest + 1}"
        told = [text for text in stated["classifiers"] if "Python :: " in text]
        assert told == [f"Programming Language :: Python :: 3.{n}" for n in range(11, newest + 1)]
    further = {*CORE["project"]["classifiers"]} ^ {*PROJECT["project"]["classifiers"]}
    assert further == {"Programming Language :: Python :: 3.14"}
    assert CORE["build-system"] == PROJECT["build-system"]
    builds = [copy.deepcopy(each["tool"]["hatch"]) for each in (PROJECT, CORE)]
    taken = [each["build"]["targets"]["wheel"].pop("force-include") for each in builds]
    assert builds[0] == builds[1]
    parts = {each.name for each in (ROOT / "templates").iterdir()} - {"fonts"}
    assert taken == [
        {"templates": "modelaudit/_templates"},
        {f"templates/{name}": f"modelaudit/_templates/{name}" for name in parts},
    ]


def test_the_light_lock_has_nothing_that_runs_models():
    heavy = {canonicalize_name(Requirement(text).name) for text in NEEDED - LIGHT}
    assert "tensorflow" in heavy
    assert heavy & set(locked("light")) == set()


def test_the_dependency_page_states_the_purpose_of_each():
    page = (ROOT / "docs" / "adr" / "0001-core-dependencies.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| ([a-z0-9-]+) \|", page, re.MULTILINE)
    needed = {Requirement(text).name for text in NEEDED}
    assert sorted(told) == sorted(needed | {"package"})


def build(source: Path, target: str, directory: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(directory)],
        cwd=source,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (built,) = directory.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


def members(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def files(directory: Path) -> set[str]:
    return {
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.slow
def test_wheel_holds_the_package_and_its_templates_and_nothing_else(wheel):
    names = {name for name in members(wheel) if ".dist-info/" not in name}
    (page,) = {name for name in names if ".data/" in name}
    assert page.endswith(".data/data/share/man/man1/modelaudit.1")
    names.remove(page)
    package = {f"modelaudit/{name}" for name in files(ROOT / "modelaudit")}
    stubs = {name for name in package if name.endswith(".pyi")}  # which only checks of types read
    templates = {f"modelaudit/_templates/{name}" for name in files(ROOT / "templates")}
    assert templates
    assert names == (package - stubs) | templates


@pytest.mark.slow
def test_wheel_has_its_metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (info,) = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = archive.read(f"{info}/METADATA").decode()
        entry_points = archive.read(f"{info}/entry_points.txt").decode()
        licence = archive.read(f"{info}/licenses/LICENSE").decode()
    assert "\nName: tf-modelaudit\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "modelaudit = modelaudit.cli:main" in entry_points
    assert licence == (ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.slow
def test_sdist_builds_the_same_wheel_and_holds_its_tests(wheel, tmp_path):
    sdist = build(ROOT, "sdist", tmp_path)
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / sdist.name.removesuffix(".tar.gz")
    assert members(build(unpacked, "wheel", tmp_path / "again")) == members(wheel)
    for name in ("Makefile", "requirements/dev.txt", "scripts/setup.sh", "tests/test_packaging.py"):
        assert (unpacked / name).read_bytes() == (ROOT / name).read_bytes()


@pytest.mark.slow
def test_wheel_works_without_the_source_tree(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", USES_WHEEL],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    version, module, templates = done.stdout.split()
    assert f"-{version}-" in wheel.name
    assert Path(module).is_relative_to(tmp_path)
    assert Path(templates) == tmp_path / "modelaudit" / "_templates"


def script(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/bash", *lines, ""]))
    path.chmod(0o755)
    return path


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="dist.sh copies what git lists")
def test_dist_replaces_its_own_files_and_no_others(tmp_path):
    builds = ('[ "$2" != hatchling ] || { mkdir -p "$5"; touch "$5/tf_modelaudit-2-any.whl"; }',)
    python = script(tmp_path / "python", *builds)
    out = tmp_path / "out"
    out.mkdir()
    for name in ("notes.txt", "tf_modelaudit-1-any.whl", "tf_modelaudit_core-1.tar.gz"):
        (out / name).touch()
    env = {**os.environ, "PYTHON": str(python)}
    subprocess.run([ROOT / "scripts/dist.sh", out], env=env, check=True, timeout=60)
    assert files(out) == {"notes.txt", "tf_modelaudit-2-any.whl"}


def test_two_first_commits_make_one_environment(tmp_path):
    hook = tmp_path / "contrib/pre-commit/scan.sh"
    hook.parent.mkdir(parents=True)
    shutil.copy(ROOT / hook.relative_to(tmp_path), hook)
    alone = ('mkdir "$0.busy" || exit 1', "sleep 0.3", 'rmdir "$0.busy"')
    script(tmp_path / "scripts/setup.sh", *alone)
    script(tmp_path / ".venv/bin/modelaudit", 'echo "$@"')
    started = [subprocess.Popen([hook, "a.h5"], stdout=subprocess.PIPE) for _ in range(2)]
    assert [each.communicate(timeout=60)[0] for each in started] == [b"scan a.h5\n"] * 2


def test_the_light_environment_installs_no_system_package(tmp_path):
    """Its setup runs inside commits. Here as root, with a Python that cannot make environments."""
    for name in ("scripts/setup.sh", "requirements/light.txt", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    tools = tmp_path / "bin"
    script(tools / "id", "echo 0")
    script(tools / "uv", "exit 1")
    script(tools / "apt-get", f'touch "{tmp_path}/installed"')
    limited = ('case "$*" in *venv*) exit 1 ;; esac', f'exec {sys.executable} "$@"')
    env = {"PATH": f"{tools}:/usr/bin:/bin", "PYTHON": str(script(tools / "python3", *limited))}
    setup = [tmp_path / "scripts/setup.sh", "light"]
    done = subprocess.run(setup, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "missing from the system: python3-venv" in done.stderr
    assert not (tmp_path / "installed").exists()


def test_setup_refuses_an_interpreter_that_cannot_work():
    done = subprocess.run(
        [ROOT / "scripts" / "setup.sh"],
        env={**os.environ, "PYTHON": "/bin/false"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "PYTHON=/bin/false is not Python 3.11, 3.12 or 3.13" in done.stderr


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_ci_runs_what_the_readme_tells_people_to_run(command):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert command in readme
    assert f"step {command}" in steps
