"""The package's structure, held by reading the syntax tree of every module."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.sources import (
    MODULES,
    PACKAGE,
    PACKAGES,
    ROOT,
    SOURCES,
    called,
    imports,
    nodes,
    within,
)

# A module may import its own package and those of a lower rank, but not others of its rank.
RANKS = {
    "modelaudit.clock": 0,
    "modelaudit.errors": -2,
    "modelaudit.work_budget": -1,
    "modelaudit.exit_codes": 0,
    "modelaudit.graphs": 0,
    "modelaudit.file_formats": 0,
    "modelaudit.layer_classes": 0,
    "modelaudit.thresholds": 0,
    "modelaudit.model_versions": 0,
    "modelaudit.structs": 0,
    "modelaudit.terminal_text": 0,
    "modelaudit.facts": 1,
    "modelaudit.findings": 2,
    "modelaudit.audit_types": 3,
    "modelaudit.settings": 3,
    "modelaudit.workers": 4,
    "modelaudit.settings.file": 5,
    "modelaudit.settings.file_schema": 6,
    "modelaudit.formats": 5,
    "modelaudit.measures": 5,
    "modelaudit.odds": 5,
    "modelaudit.runtimes": 6,
    "modelaudit.probe.protocol": 5,
    "modelaudit.schema": 6,
    "modelaudit.restore": 7,
    "modelaudit.signing": 7,
    "modelaudit.probe": 8,
    "modelaudit.golden": 9,
    "modelaudit.restore_api": 9,
    "modelaudit.rules": 10,
    "modelaudit.diagnosis": 11,
    "modelaudit.audit_sections": 12,
    "modelaudit.baseline": 13,
    "modelaudit.pipeline": 13,
    "modelaudit.result_row": 13,
    "modelaudit.changes.interface": 7,
    "modelaudit.changes": 14,
    "modelaudit.repairs": 14,
    "modelaudit.repairs.translate": 7,
    "modelaudit.report": 15,
    "modelaudit.registry": 15,
    "modelaudit.store": 15,
    "modelaudit.runs": 16,
    "modelaudit.api": 17,
    "modelaudit.notebook": 17,
    "modelaudit.plugins": 17,
    "modelaudit.cli": 18,
    "modelaudit.__main__": 19,
    "modelaudit": 19,
}
RULES = "modelaudit.rules"
# A module of one of these packages may import those before it, and what all rules share.
RULE_PACKAGES = (
    *("plain_graphs", "network", "security", "integrity", "initial_weights", "compatibility"),
    *("architecture", "wiring", "heads", "behaviour", "training", "weights"),
)
# Files that run in another interpreter, where they find that interpreter's TensorFlow.
PROBE_RUNNERS = (
    "modelaudit.probe.child.zygote",
    "modelaudit.probe.child.worker",
    "modelaudit.runtimes.collecting",
)
ONLY_IN = {
    "tensorflow": PROBE_RUNNERS,
    "keras": PROBE_RUNNERS,
    "tf_keras": PROBE_RUNNERS,
    "matplotlib": (),  # the light installation has none
    "weasyprint": ("modelaudit.report",),
    "click": ("modelaudit.cli",),
    "dataclasses": ("modelaudit.structs",),  # a msgspec.Struct is defined in a fraction of the time
    "sqlite3": ("modelaudit.store",),
    "yaml": ("modelaudit.registry.bounded_yaml",),  # builds only strings, lists and dicts
}
# Modules that can execute code from data.
UNSAFE_MODULES = {"pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
UNSAFE_CALLS = {"eval", "exec", "compile"}
IO_MODULES = {
    *("os", "pathlib", "io", "subprocess", "socket", "tempfile", "shutil", "sqlite3", "h5py"),
    *("zipfile", "urllib", "http", "mmap", "logging", "time", "random"),
}
IO_FREE = ("modelaudit.rules", "modelaudit.diagnosis", "modelaudit.changes")
# Examples of rules are Artifacts, which have a Path as root.
PATHS_IN = ("modelaudit.rules.examples",)
# A forked child exits with os._exit, to skip its parent's clean-up, and prints its exception,
# which nobody catches.
FORKS_IN = (
    "modelaudit.probe",
    "modelaudit.workers.worker_pool",
    "modelaudit.runs.cluster.node_worker",
)
EXITS = {"print", "exit", "quit", "SystemExit", "sys.exit"}
OF_FORKS = {"os._exit", "traceback.print_exc"}
VARIABLES = "MODELAUDIT_"
MOST_LINES = 350
MOST_MODULES = 20  # in one folder


def room_of(module: str) -> str:
    """The table entry for the module; the top-level package has an entry of its own."""
    rooms = [room for room in RANKS if room != "modelaudit" and within(module, (room,))]
    if module == "modelaudit":
        return module
    assert rooms, f"{module} has no place in the table of layers"
    return max(rooms, key=len)


def layer_violations(module: str, source: str) -> list[str]:
    room = room_of(module)
    found = []
    for name in imports(module, source):
        if not within(name, ("modelaudit",)):
            continue
        other = room_of(name)
        if other != room and RANKS[other] >= RANKS[room]:
            found.append(f"{module} imports {name}")
    return found


def foreign_violations(module: str, source: str) -> list[str]:
    return [
        f"{module} imports {name}"
        for name in imports(module, source)
        if not within(module, ONLY_IN.get(name.partition(".")[0], (module,)))
    ]


def unsafe_violations(module: str, source: str) -> list[str]:
    found = [
        f"{module} imports {name}"
        for name in imports(module, source)
        if name.partition(".")[0] in UNSAFE_MODULES
    ]
    for node in nodes(source):
        if isinstance(node, ast.Call):
            pickles = any(
                keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False"
                for keyword in node.keywords
            )
            if called(node) in UNSAFE_CALLS or pickles:
                found.append(f"{module}:{node.lineno} calls {called(node)}")
    return found


def io_violations(module: str, source: str) -> list[str]:
    if not within(module, IO_FREE):
        return []
    found = [
        f"{module} imports {name}"
        for name in imports(module, source)
        if name.partition(".")[0] in IO_MODULES
        and not (name == "pathlib" and within(module, PATHS_IN))
    ]
    return found + [
        f"{module}:{node.lineno} opens a file"
        for node in nodes(source)
        if isinstance(node, ast.Call) and called(node) == "open"
    ]


def exit_violations(module: str, source: str) -> list[str]:
    if within(module, ("modelaudit.cli", "modelaudit.__main__")):
        return []
    found = []
    for node in nodes(source):
        if isinstance(node, ast.Call):
            name = called(node)
            forked = name in OF_FORKS and within(module, FORKS_IN)
            if name in EXITS | OF_FORKS and not forked:
                found.append(f"{module}:{node.lineno} calls {name}")
    return found


def variable_violations(module: str, source: str) -> list[str]:
    known = VARIABLES in source and not within(module, ("modelaudit.cli",))
    return [f"{module} knows of {VARIABLES}*"] if known else []


CHECKS = (
    layer_violations,
    foreign_violations,
    unsafe_violations,
    io_violations,
    exit_violations,
    variable_violations,
)


@pytest.mark.parametrize("check", CHECKS)
def test_no_module_violates_the_structure(check):
    assert [fault for module, source in SOURCES.items() for fault in check(module, source)] == []


@pytest.mark.parametrize(
    ("check", "module", "source"),
    [
        (layer_violations, "modelaudit.facts", "from modelaudit.findings import Severity"),
        (layer_violations, "modelaudit.formats.x", "def f():\n    import modelaudit.rules.model"),
        (layer_violations, "modelaudit.formats.x", "from modelaudit import measures"),
        (layer_violations, "modelaudit.report.x", "from modelaudit.registry import discover"),
        (layer_violations, "modelaudit.registry.x", "from ..report import html"),
        (layer_violations, "modelaudit.rules.x", "from modelaudit import audit"),
        (layer_violations, "modelaudit.measures.x", "import_module('modelaudit.cli')"),
        (foreign_violations, "modelaudit.formats.x", "import tensorflow as tf"),
        (foreign_violations, "modelaudit.probe.x", "def f():\n    from keras.saving import load"),
        (
            foreign_violations,
            "modelaudit.registry.x",
            "import importlib\nimportlib.import_module('weasyprint')",
        ),
        (foreign_violations, "modelaudit.measures.x", "import matplotlib.pyplot"),
        (foreign_violations, "modelaudit.pipeline", "import click"),
        (foreign_violations, "modelaudit.facts", "from dataclasses import dataclass"),
        (foreign_violations, "modelaudit.registry.x", "import sqlite3"),
        (foreign_violations, "modelaudit.runs.x", "import click"),
        (layer_violations, "modelaudit.runs.x", "from modelaudit.cli import terminal"),
        (
            layer_violations,
            "modelaudit.store.x",
            "from modelaudit.registry import output_directory as output",
        ),
        (unsafe_violations, "modelaudit.formats.x", "import pickle"),
        (unsafe_violations, "modelaudit.formats.x", "from marshal import loads"),
        (unsafe_violations, "modelaudit.cli", "eval('1')"),
        (unsafe_violations, "modelaudit.cli", "import numpy\nnumpy.load('x', allow_pickle=True)"),
        (io_violations, "modelaudit.rules.x", "from pathlib import Path"),
        (io_violations, "modelaudit.diagnosis", "open('x')"),
        (exit_violations, "modelaudit.pipeline", "print('x')"),
        (exit_violations, "modelaudit.runs.x", "traceback.print_exc()"),
        (exit_violations, "modelaudit.pipeline", "import sys\nsys.exit(1)"),
        (exit_violations, "modelaudit.pipeline", "raise SystemExit(1)"),
        (exit_violations, "modelaudit.formats.x", "import os\nos._exit(1)"),
        (variable_violations, "modelaudit.probe.x", "os.environ['MODELAUDIT_JOBS']"),
    ],
)
def test_a_violation_is_detected(check, module, source):
    assert len(check(module, source)) == 1


def test_every_module_has_a_place():
    for module in SOURCES:
        room_of(module)
    with pytest.raises(AssertionError, match="no place"):
        room_of("modelaudit.utils")


@pytest.mark.parametrize(
    ("page", "written"),
    [("docs/architecture.md", "| `{}/` |"), ("CONTRIBUTING.md", "`modelaudit/{}/`")],
)
def test_the_pages_name_every_package(page, written):
    text = (ROOT / page).read_text(encoding="utf-8")
    rooms = {name.split(".")[1] for name in PACKAGES if "." in name}
    assert [room for room in sorted(rooms) if written.format(room) not in text] == []


def test_no_cycles():
    graph = {
        module: {name for name in imports(module, source) if name in MODULES and name != module}
        for module, source in SOURCES.items()
    }
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_files_are_small():
    lines = {module: source.count("\n") for module, source in SOURCES.items()}
    assert {module: n for module, n in lines.items() if n > MOST_LINES} == {}


def test_a_class_name_means_one_thing():
    homes: dict[str, list[str]] = {}
    for module, source in SOURCES.items():
        for node in nodes(source):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name.lstrip("_"), []).append(module)
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_packages_of_rules_import_those_before_them():
    places = {f"modelaudit.rules.{name}": place for place, name in enumerate(RULE_PACKAGES)}
    found = {name for name in PACKAGES if name.count(".") == 2 and within(name, (RULES,))}
    assert found == places.keys()
    wrong = [
        (module, name)
        for module, source in SOURCES.items()
        for name in imports(module, source)
        if (own := package_of(module, places)) and (other := package_of(name, places))
        if places[other] > places[own]
    ]
    assert wrong == []


def package_of(module: str, packages: Iterable[str]) -> str:
    return next((each for each in packages if within(module, (each,))), "")


def test_packages_are_small():
    folders = Counter(path.parent for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    assert {str(folder): n for folder, n in folders.items() if n > MOST_MODULES} == {}
