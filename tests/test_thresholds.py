"""Thresholds are stated once, in `modelaudit/thresholds/`, and every one of them is used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from modelaudit.thresholds.every import MODULES, THRESHOLDS
from tests.sources import PACKAGES, SOURCES, within

DECIDING = (
    "modelaudit.measures",
    "modelaudit.restore",
    "modelaudit.rules",
    "modelaudit.diagnosis",
)
# Obvious numbers: none, all, half.
PLAIN = {0.0, 0.5, 1.0}
# Numerical precision, published constants and formatting of numbers.
OTHERS = {
    "modelaudit.diagnosis.case": {0.001, 1e-6},  # the smallest change and p-value that are shown
    "modelaudit.diagnosis.beliefs": {1.2},  # the smallest factor that is shown
    "modelaudit.diagnosis.measured": {1e-12, 0.05},  # underflow, and what steadies a quotient
    "modelaudit.diagnosis.odds_text": {0.01, 0.99},  # how numbers are shown
    "modelaudit.measures.behaviour.equivariance": {1e-12},
    "modelaudit.measures.behaviour.information_gain": {0.1, 0.3, 1e-30},  # references, underflow
    "modelaudit.measures.behaviour.outputs": {1e-12},
    "modelaudit.measures.augmentation.image_changes": {4.0},  # where SciPy's Gaussian ends
    "modelaudit.measures.augmentation.other_changes": {0.1},  # by which columns are changed
    "modelaudit.measures.behaviour.paired": {1e-6},  # rounding of float32
    "modelaudit.measures.behaviour.probe_data": {1e-6},
    "modelaudit.measures.kernels.batchnorm": {1e-12},
    "modelaudit.measures.kernels.constant_layers": {1e-5},
    "modelaudit.measures.behaviour.numbering": {0.7, 0.9},  # entropies at which odds are compared
    "modelaudit.measures.kernels.generator_draws": {0.1},  # rounding of float32
    "modelaudit.measures.kernels.initializers": {2.0, 0.87962566103423978},
    "modelaudit.measures.kernels.mirror_pairs": {1e-6},
    "modelaudit.measures.kernels.symmetry": {1e-12},
    "modelaudit.measures.kernels.other_weights": {2.0},
    # ImageNet's statistics
    "modelaudit.measures.value_transforms": {
        *(0.485, 0.456, 0.406, 0.229, 0.224, 0.225, 103.939, 116.779, 123.68)
    },
    "modelaudit.measures.statistics": {0.2, 1.959963984540054, 2.0234},
    "modelaudit.changes.audits": {0.005},  # shown in tenths of a percent
    "modelaudit.rules.network.label_reach": {0.001},  # rounding of targets
    "modelaudit.rules.initial_weights.unsettled_norms": {0.001, 1e-6},  # rounding
    "modelaudit.rules.catalogue": {0.8},  # similarity of a misspelt rule name
    "modelaudit.measures.one_way": {0.9},  # rho, by default
    "modelaudit.rules.training.still_statistics": {
        *(1e-30, 1e-38, 0.9, 0.99),  # end of float32, and usual momenta
        0.01,
        1e-5,
    },  # rounding of float32 in powers
}


def is_table(value: ast.expr | None) -> bool:
    """Whether a value has more than numbers: a list of rules, their examples, a table."""
    calls = isinstance(value, ast.Tuple) and any(isinstance(e, ast.Call) for e in value.elts)
    return calls or isinstance(value, ast.Call | ast.Dict)


def numbers(source: str) -> Iterator[tuple[int, float]]:
    """(line, number) of the floats that are compared, and of those that are given a name."""
    tree = ast.parse(source)
    named = [
        node
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and not is_table(node.value)
    ]
    for outer in [*named, *(node for node in ast.walk(tree) if isinstance(node, ast.Compare))]:
        for node in ast.walk(outer):
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                yield node.lineno, node.value


def test_no_measure_rule_or_step_has_its_own_threshold():
    found = {}
    for module, source in SOURCES.items():
        if within(module, DECIDING):
            own = {value for _, value in numbers(source)} - PLAIN - OTHERS.get(module, set())
            if own:
                found[module] = own
    assert found == {}


def test_the_exceptions_are_needed():
    for module, expected in OTHERS.items():
        assert expected <= {value for _, value in numbers(SOURCES[module])}, module


@pytest.mark.parametrize(
    "source",
    [
        "LINE = 0.2",
        "A, B = 0.2, -0.2",
        "def f(x):\n    return x >= 0.2",
        "x = y if z < 3 * 0.2 else w",
    ],
)
def test_a_threshold_is_detected(source):
    assert {value for _, value in numbers(source)} == {0.2}


def test_every_module_of_thresholds_is_listed():
    there = {name for name in SOURCES if within(name, ("modelaudit.thresholds",))}
    others = {"modelaudit.thresholds.every", "modelaudit.thresholds.threshold", *PACKAGES}
    assert there - others == {module.__name__ for module in MODULES}


@pytest.mark.parametrize("name", THRESHOLDS)
def test_a_threshold_is_used_and_has_a_meaning(name):
    module, constant = name.split(".")
    threshold = THRESHOLDS[name]
    assert threshold.meaning
    assert threshold.source
    package = f"modelaudit.thresholds.{module}"
    users = [
        source
        for where, source in SOURCES.items()
        if not within(where, ("modelaudit.thresholds",))
        and re.search(rf"from {package} import [^\n(]*(\([^)]*)?\b{constant}\b", source)
        and f"{constant}.value" in source
    ]
    assert users, f"nothing decides by {name}"


def test_no_two_thresholds_mean_the_same():
    meanings = [each.meaning for each in THRESHOLDS.values()]
    assert len({*meanings}) == len(meanings)
