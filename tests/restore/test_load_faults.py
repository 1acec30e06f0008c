"""Real loaders that restore wrongly: each weight is named, and none after a correct load."""

from __future__ import annotations

import sys

import pytest

from tests.sharing import told_with_tensorflow

ARCHITECTURES = ("plain", "residual", "nested", "recurrent", "shared")
FORMATS = ("model.h5", "model.keras", "model.weights.h5", "ckpt")
FAULTS = ("drop", "swap", "redraw", "epoch", "transpose", "skip_mismatch", "by_name")
# Only HDF5 models are loaded by name, and checkpoints cannot skip mismatches.
CANNOT = {("by_name", name) for name in FORMATS[1:]} | {("skip_mismatch", "ckpt")}

Row = tuple[dict[str, str], dict[str, str]]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], Row]:
    """(architecture, fault, format) -> expected changes of weights, and the result."""
    folder = tmp_path_factory.mktemp("load")
    found = told_with_tensorflow("-m", "tests.restore.load_faults", folder)
    return {(a, fault, name): (expected, said) for a, fault, name, expected, said in found}


def test_every_fault_was_tried_in_every_architecture_and_in_every_format(
    rows: dict[tuple[str, str, str], Row],
) -> None:
    """In every format of a plain network, and in at least one format of each other network."""
    faults = ("healthy", *FAULTS)
    possible = {(fault, name) for fault in faults for name in FORMATS} - CANNOT
    assert {(fault, name) for a, fault, name in rows if a == "plain"} == possible
    tried = {(architecture, fault) for architecture, fault, _ in rows}
    assert tried == {(architecture, fault) for architecture in ARCHITECTURES for fault in faults}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_loading_are_named_exactly(
    rows: dict[tuple[str, str, str], Row], fault: str
) -> None:
    """`pytest -rP` prints the table: faults named exactly, of all, for each format."""
    for name in FORMATS:
        tried = {a: row for (a, f, n), row in rows.items() if (f, n) == (fault, name)}
        named = [architecture for architecture, (done, said) in tried.items() if said == done]
        if tried:
            sys.stdout.write(f"{fault:<14} {name:<17} {len(named)} of {len(tried)}\n")
        for architecture, (done, said) in tried.items():
            assert done, "the fault did nothing"
            assert said == done, (architecture, name)


@pytest.mark.parametrize("name", FORMATS)
def test_a_correct_load_has_no_differences(
    rows: dict[tuple[str, str, str], Row], name: str
) -> None:
    for architecture in ARCHITECTURES:
        done, said = rows[architecture, "healthy", name]
        assert done == said == {}, architecture
