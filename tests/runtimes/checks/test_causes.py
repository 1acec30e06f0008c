"""What is quoted and advised for each cause, compared with the runtime and followed there.

For every cause that the rules on runtimes know, a small file that has it is loaded by the installed
Keras: the quoted error has to be the runtime's, and what the advice names has to load the file, the
advised repair included. Causes that the installed runtimes do not have are listed with the reason.
"""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import modelaudit.runtimes
from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.audit_types.repair import RepairStatus
from modelaudit.pipeline import static_facts
from modelaudit.repairs.candidates import RepairRuntimes
from modelaudit.repairs.repair import repair_model
from modelaudit.rules.compatibility.refusals import advice, causes, told
from modelaudit.rules.model import Facts
from modelaudit.runs.repair import open_runtimes
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadRequest, Prediction
from modelaudit.runtimes.predict import predict, predict_calls
from modelaudit.settings import ProbeSettings, Settings
from modelaudit.structs import replace
from tests.runtimes.checks.cases import CASES
from tests.runtimes.checks.cases.case import K2, K3, Case
from tests.runtimes.checks.making import new, old
from tests.runtimes.checks.quotes import says
from tests.runtimes.checks.sentences import faults

SETTINGS = Settings(probe=ProbeSettings(samples=8))
COMMAND = "modelaudit repair"
TABLE = (-1,)  # inputs of a model that takes words

_OLDER = "only runtimes that are not installed have it"
_SILENT = "it raises no error: the tests of silent differences load and compare such files"
_CHECKPOINT = "the tests of programs load such checkpoints"
_GRAPH = "the tests of SavedModels load such graphs"
NOT_MADE = {
    **dict.fromkeys(
        (
            *("archive-in-old-keras", "attention-of-old-version", "flat-outputs"),
            *("input-layer-of-inner-model", "keras-objects-of-newer-version"),
            *("lambda-output-shape", "lookup-table-of-old-version", "metadata-in-other-file"),
            *("names-chosen-by-keras", "restored-later", "save-function-protocol"),
            *("table-in-older-layout", "top-level-weights", "training-config"),
        ),
        _OLDER,
    ),
    **dict.fromkeys(
        (
            *("add-misaligned", "bins-of-integers", "category-rank", "computes-otherwise"),
            *("hard-sigmoid", "hashing-salt", "recurrent-activation", "state-not-restored"),
            "training-overridden",
        ),
        _SILENT,
    ),
    **dict.fromkeys(
        (
            *("checkpoint-of-other-version", "layers-left-out", "legacy-optimizer-slots"),
            *("normalization-not-refreshed", "optimizer-of-other-generation"),
            *("prefix-without-name", "cells-left-out", "weights-of-optimizer-only"),
            *("casts-counted", "masks-counted", "optimizer-in-other-order"),
            "layers-in-inner-lists",
        ),
        _CHECKPOINT,
    ),
    **dict.fromkeys(
        (
            *("cast-to-text", "fusion-not-implemented", "mask-not-passed-on"),
            "gate-joined-wrongly",
            "mask-of-revived-layer",
            *("optimizer-slots", "random-in-export"),
            *(
                *("network-without-config", "shape-of-variable", "steps-of-batch"),
                "type-of-other-number",
                "unknown-attribute",
                "unknown-operation",
                "unknown-type",
            ),
        ),
        _GRAPH,
    ),
    "arguments-of-subclass": "whether it fails depends on code",
    **dict.fromkeys(("code-not-given", "code-not-understood"), "whether it fails depends on code"),
    "argument-not-saved": "the tests of lost arguments load such files",
    "integer-as-shape": "the tests of integers as shapes load such files",
    "built-twice": "the tests of models that are built twice load such files",
    "checkpoint-without-variables": "the tests of checkpoints load such files",
    "object-in-config": "the tests of objects in configs load such files",
    "own-weights-compared": "the tests of own weights load such files",
    "sorted-dictionary": "the tests of sorted dictionaries load such files",
    "class-of-the-same-name": "the tests of namesakes load such files",
    **dict.fromkeys(
        (
            *("code-of-other-keras", "constructor-refuses-config", "inner-layers-not-built"),
            "object-not-deserialized",
            "value-of-json",
        ),
        "the tests of given code load such files",
    ),
    **dict.fromkeys(
        (
            *("call-keeps-first-weights", "layers-in-plain-object"),
            "weights-of-subclass-not-saved",
        ),
        "the tests of weights of programs load such files",
    ),
    "built-for-floats": "the tests of models of words load such files",
    "constant-first-argument": "the file that has it loads in the installed tf-keras",
    "constructor-with-name-only": "the tests of constructors load such files",
    "constructor-without-keywords": "the tests of constructors load such files",
    "copied-without-custom-objects": "the tests of constructors load such files",
    "export-in-training-mode": "the tests of exports in training mode call such endpoints",
    "input-in-list": "the tests of exports call such layers",
    "shape-left-open": "the tests of graphs have such a node",
    "integers-exported-as-floats": "the tests of exports call such signatures",
    "layer-without-function": "the tests of uncalled layers load such files",
    "layers-added-twice": "whether it fails depends on code",
    "lambda-may-crash": "the process would crash",
    "lambda-of-other-python": "it needs code of another Python",
    "no-config": "it is no cause",
    "no-experiment": "it is no cause",
    "not-read": "it is no cause",
    "operation-named-as-layer": "the tests of constructors load such files",
    "subclass-built-by-its-call": "whether it fails depends on code",
    "variable-not-counted": "the tests of own variables load such a file",
    "variable-not-saved": "the tests of own variables load such a file",
    "table-read-in-turn": "it needs another Python",
    "subclassed-model-in-hdf5": "what fails then depends on code",
}


# Repairs take the most time, so one file of each cause and runtime is repaired.
_REPAIRED = tuple({(case.code, case.target): case for case in reversed(CASES)}.values())


@cache
def _known() -> frozenset[str]:
    """Codes of all reasons in the source."""
    found: set[str] = set()
    for path in Path(modelaudit.runtimes.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text())
        constants = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if not named or node.func.id not in ("Reason", "_reason", "compile_reason", "_differs"):
                continue
            for code in _codes(node.args[0]):
                found.add(constants.get(code, code))
    return frozenset(found - {"code"})


def _codes(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.IfExp):
        yield from (*_codes(node.body), *_codes(node.orelse))
    elif isinstance(node, ast.JoinedStr):  # f"{word}-argument"
        last = str(node.values[-1].value) if isinstance(node.values[-1], ast.Constant) else ""
        yield from (f"{word}{last}" for word in ("loss", "metrics"))


def test_every_cause_is_tried_or_its_absence_has_a_reason() -> None:
    tried = {case.code for case in CASES}
    names = {"NOT_READ": "not-read", "UNKNOWN_OBJECT": "unknown-object"}
    known = {names.get(code, code) for code in _known()}
    assert known - tried - NOT_MADE.keys() == set()
    assert (tried | NOT_MADE.keys()) - known == set()
    assert tried.isdisjoint(NOT_MADE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("causes")


@pytest.fixture(scope="module")
def runtimes(folder: Path) -> Iterator[RepairRuntimes]:
    pytest.importorskip("tf_keras")
    with open_runtimes(SETTINGS, "", {folder}) as found:
        assert found is not None
        yield found


def _facts(case: Case, path: Path) -> tuple[Facts, Prediction]:
    facts = static_facts(path, Settings(targets=(case.target,)))
    unsafe = case.load is not None and "lambda" in case.code
    request = LoadRequest(
        case.call,
        compile=case.compile,
        safe_mode=not unsafe,
        trained=True if case.code == "metrics-not-in-file" else None,
    )
    profile = as_installed(find_profile(case.target))
    (found,) = predict_calls(facts.artifact, [(profile, request)])
    return replace(facts, predictions=predict(facts.artifact, (case.target, K3, K2))), found


def _loaded(case: Case, path: Path) -> str:
    """The error of the runtime as `Type: text`; "" if it loads the file."""
    keras = new() if case.target == K3 else old()
    try:
        if case.load is not None:
            case.load(path)
            return ""
        model = keras.models.load_model(path, compile=case.compile)
        if case.later == TABLE:
            import tensorflow as tf

            model(tf.constant([["a"]]))
        elif case.later:
            model(np.ones(case.later, "float32"))
    except Exception as error:  # any error is what a user sees
        return f"{type(error).__name__}: {error}"
    return ""


def _copied(path: Path, to: Path) -> Path:
    return shutil.copytree(path.parent, to) / path.name


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_quoted_and_advised_is_so(
    case: Case, folder: Path, tmp_path: Path, runtimes: RepairRuntimes
) -> None:
    place = Path(re.sub(r"[^a-z0-9]+", "-", case.name))
    (folder / place).mkdir()
    path = case.make(folder / place)
    facts, found = _facts(case, path)
    assert found.predicted is LoadOutcome.FAILS
    first, *_ = causes(found)
    assert case.code in {each.code for each in causes(found)}
    real = _loaded(case, _copied(path, tmp_path / "loaded"))
    assert real
    assert says(first.error, real), (first.error, real[-600:])
    fix = advice(facts, found).text
    assert not faults(told(facts, found), fix)
    for number, (words, way) in enumerate(case.ways.items()):
        assert words.lower() in fix.lower()
        way(_copied(path, tmp_path / str(number)))
    offered = COMMAND in fix
    assert not offered or all(each.repairs for each in causes(found))
    if offered and case in _REPAIRED:
        _repaired(case, path, tmp_path, runtimes)


def _repaired(case: Case, path: Path, folder: Path, runtimes: RepairRuntimes) -> None:
    out = folder / f"repaired{'.keras' if path.suffix == '.keras' else '.h5'}"
    own = replace(runtimes, target=runtimes.of(case.target == K3))
    done = repair_model(path, case.target, out, SETTINGS, own)
    assert done.status is RepairStatus.REPAIRED, done.reason
    keras = new() if case.target == K3 else old()
    keras.models.load_model(out, compile=False, safe_mode=False)
