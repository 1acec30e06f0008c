"""Fixtures for all tests."""

from __future__ import annotations

import gc
import itertools
import os
import random
import re
import site
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings as profile

from modelaudit.probe import run
from modelaudit.runs import repair
from modelaudit.settings import installation
from tests.command_line import ROOT, run_command
from tests.imports import cheap_tensorflow
from tests.made import files
from tests.page_commands import pages_run
from tests.sharing import made_once, with_tensorflow
from tests.short_training import short_training

# A deadline times the machine, not the code. On CI the examples are the same in every run, so that
# a failed run can be repeated; elsewhere each run tries new ones.
# Examples are few, since there are many runs, and the fuzzer (fuzz/README.md) looks for rare ones.
profile.register_profile(
    "modelaudit", deadline=None, derandomize="CI" in os.environ, max_examples=25
)
profile.load_profile("modelaudit")

# Thousands of tests and TensorFlow's modules live on: looking for garbage among them less often
# saves a tenth of the time.
gc.set_threshold(50_000, 20, 20)
short_training()
cheap_tensorflow()

# One worker for the few small models of a run: workers of pytest fill the processors, and to fork
# another costs as much as a model. Runs in processes of their own use the default.
os.environ["MODELAUDIT_JOBS"] = "1"

# These fork for every run, which costs twice as much once the process has imported TensorFlow.
FORKING = ("tests/cli/", "tests/runs/", "tests/store/", "tests/registry/")
# Files that take longest follow, so that no worker is left alone with one at the end; then the
# other files with slow tests.
LONGEST = (
    "tests/test_readme.py",
    "tests/formats/test_dense_files.py",
    "tests/report/pages/test_pdf.py",
    "tests/report/pages/test_browser.py",
    "tests/rules/training/test_training_rules.py",
    "tests/diagnosis/test_broken_samples.py",
    "tests/runtimes/test_foreign.py",
    "tests/diagnosis/test_snippets.py",
    "tests/probe/child/test_containment.py",
    "tests/repairs/test_repair.py",
    "tests/rules/initial_weights/test_redrawn_layers.py",
    "tests/rules/heads/test_last_layers.py",
    "tests/formats/graph/test_recurrent_activations.py",
    "tests/odds/test_population.py",
    "tests/restore/test_faults.py",
    "tests/restore/test_load_faults.py",
    "tests/rules/training/test_extent.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files for pytest-xdist, which hands them out one by one (--dist loadfile)."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def place(item: pytest.Item) -> tuple[int, int]:
        path = item.path.relative_to(ROOT).as_posix()
        if path.startswith(FORKING):
            return 0, next(n for n, each in enumerate(FORKING) if path.startswith(each))
        if path in LONGEST:
            return 1, LONGEST.index(path)
        return 2, item.path not in slow

    items.sort(key=place)


NUMBERS = itertools.count()
KNOWN: set[object] = set()  # the file of the last test, and what was imported of TensorFlow


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """On CI each test, with its fixtures, draws the same weights in every run and on every worker.

    Elsewhere each run draws others, and so finds what holds only for most draws.

    No search for garbage looks through what packages hold and earlier files left; Keras searches in
    `clear_session`.
    """
    imported = {"tensorflow", "keras", "tf_keras"} & sys.modules.keys()
    if imported and (known := {item.path, *imported}) != KNOWN:
        KNOWN.clear()
        KNOWN.update(known)
        gc.collect()
        gc.freeze()
    if "CI" in os.environ:
        random.seed(item.nodeid)  # Keras draws the seeds of its initializers here
        if tensorflow := sys.modules.get("tensorflow"):
            tensorflow.random.set_seed(random.randrange(2**31))


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for one test, as pytest makes it.

    To find a free number, pytest lists the directories of all tests before: milliseconds for each
    of thousands.
    """
    name = re.sub(r"\W", "_", request.node.name)[:30]
    path = tmp_path_factory.getbasetemp() / "tests" / f"{name}-{next(NUMBERS)}"
    path.mkdir(mode=0o700, parents=True)
    return path


@pytest.fixture(scope="session")
def keras() -> ModuleType:
    """Keras 3, imported by the tests that need it and not where tests are collected."""
    return pytest.importorskip("keras")


@pytest.fixture(scope="session")
def tensorflow() -> ModuleType:
    """The same for TensorFlow."""
    return pytest.importorskip("tensorflow")


@pytest.fixture(scope="session", autouse=True)
def shared_runtimes() -> Iterator[None]:
    """Audits and repairs in this process share the installed runtimes, which take seconds to start.

    Tests of a runtime's life start their own, and so does a sandbox that depends on the models.
    """
    real, started = run.start_runtime, {}

    @contextmanager
    def start(runtime, *, late=False, jail=None):
        if jail is not None:
            with real(runtime, late=late, jail=jail) as handle:
                yield handle
        else:
            if runtime not in started:
                started[runtime] = stack.enter_context(real(runtime, late=True))
            yield started[runtime]

    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        for module in (run, repair):
            patch.setattr(module, "start_runtime", start)
        yield


@pytest.fixture(scope="session", autouse=True)
def known_plugins() -> Iterator[None]:
    """Commands need not look through all installed packages for plug-ins each time, if these are
    the packages of the environment.
    """
    real, packages = installation.plugin_declarations, site.getsitepackages
    known = real()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            installation,
            "plugin_declarations",
            lambda: known if site.getsitepackages is packages else real(),
        )
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_flushed() -> Iterator[None]:
    """No test loses power, so that no run waits milliseconds for each file to be on the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of `tests.made.build`, built once per session in a process of its own."""
    return made_once(
        tmp_path_factory, "made", lambda folder: with_tensorflow("-m", "tests.made.build", folder)
    )


@pytest.fixture(scope="session")
def lite_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the exports of `tests.made.lite_models`."""
    return made_once(
        tmp_path_factory,
        "lite",
        lambda folder: with_tensorflow("-m", "tests.made.lite_models", folder),
    )


@pytest.fixture(scope="session")
def readme_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the commands of the README were run: `reports` has the samples' audits.

    `differences` holds what they print that the README does not show; it should be empty.
    """
    return made_once(tmp_path_factory, "readme", pages_run)


@pytest.fixture
def modelaudit(tmp_path):
    """Run the command in a directory of its own; `env` adds variables."""
    return partial(run_command, cwd=tmp_path)


@pytest.fixture
def models(tmp_path):
    """Two intact models (`a.h5`, `b.keras`) and a truncated one (`truncated.h5`)."""
    folder = tmp_path / "models"
    folder.mkdir()
    files.minimal_h5(folder / "a.h5")
    files.minimal_keras(folder / "b.keras")
    files.truncated_h5(folder)
    return folder


@pytest.fixture
def sound(models):
    """The two intact models only."""
    (models / "truncated.h5").unlink()
    return models
