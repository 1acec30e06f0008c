"""Which forms of the inputs are tried together, once labels prefer a single one."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.audit_types.behaviour import ProbeInputs
from modelaudit.measures.behaviour.accuracy import fit_scores
from modelaudit.measures.behaviour.paired import p_better
from modelaudit.measures.value_transforms import domain_transforms
from modelaudit.probe.study.combinations import combinations, variant_name
from modelaudit.probe.study.feeding import PreparedInputs
from modelaudit.rules import examples
from modelaudit.structs import replace

RNG = np.random.default_rng(0)
IMAGES = RNG.random((64, 4, 4, 3)).astype("float32")
DOMAINS = domain_transforms(IMAGES, 3)
ARTIFACT = replace(examples.model(), training=None)


def tried(y: np.ndarray, outputs: dict[str, np.ndarray]) -> set[str]:
    fed = PreparedInputs(
        (IMAGES,), None, y, ProbeInputs("user", 64, IMAGES.shape, (0, 1)), ({},), (True,)
    )
    singles = {name: {"head": values} for name, values in outputs.items()}
    return {*map(variant_name, combinations(singles, fed, ARTIFACT, ("H", "V"), DOMAINS))}


def numbers(errors: dict[str, float]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Targets, and outputs with errors of these sizes by form of the inputs."""
    y = RNG.normal(size=(64, 1))
    return y, {name: y + size * RNG.normal(size=(64, 1)) for name, size in errors.items()}


SIZES = {"e": 3.0, "H": 3.0, "V": 1.0, "BGR": 1.5} | {
    domain.name: 3.0 for domain in DOMAINS if domain.name != "BGR"
}


def test_numbers_are_searched_like_classes() -> None:
    y, outputs = numbers(SIZES)
    assert "V + BGR" in tried(y, outputs)
    y, outputs = numbers(dict.fromkeys(SIZES, 1.0) | {"e": 0.2})
    assert tried(y, outputs) == set()  # nothing is better than the inputs as given


def test_every_scale_is_tried_with_red_and_blue_exchanged() -> None:
    names = tried(*numbers(SIZES))
    scales = {domain.name for domain in DOMAINS} - {"BGR"}
    assert {f"{scale} + BGR" for scale in scales} <= names


@pytest.mark.parametrize("lucky", [0, 3])
def test_few_errors_near_zero_decide_no_more_than_others(lucky) -> None:
    y = RNG.normal(size=(64, 1))
    given, other = y + 0.8 * RNG.normal(size=(64, 1)), y + 0.8 * RNG.normal(size=(64, 1))
    other[:lucky] = y[:lucky] + 1e-9
    gain = fit_scores(other, y) - fit_scores(given, y)
    assert np.abs(gain).max() < 5
    assert p_better(fit_scores(given, y), fit_scores(other, y)) > 0.001
