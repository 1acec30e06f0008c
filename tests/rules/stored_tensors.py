"""Tensors with values of their own, and what the rules on stored values say of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modelaudit.facts import Tensor, TensorStats
from modelaudit.findings import Outcome, Severity
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.io.tensor_stats import FileArray, summarise
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits
from modelaudit.structs import replace

CODES = ("MA406", "MA419", "MA420", "MA421")


SHAPE = (3, 3, 8, 16)


def trained(shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(4, shape).astype("float32") * np.float32(0.05)


def stored(folder: Path, name: str, values: np.ndarray, role: str = "weight") -> Tensor:
    path = folder / f"{name.replace('/', '.')}.bin"
    path.write_bytes(values.tobytes())
    source = FileArray(FileWindow.of_file(path), 0, values.shape, values.dtype.name)
    return summarise(name, values.shape, values.dtype.name, "f", role, source, Limits())


def facts_of(*tensors: Tensor, **given: object) -> Facts:
    return Facts(replace(examples.model(tensors=tensors), **given))


def scaled_column(mean: float, variance: float) -> list[Severity]:
    """What is said of a `Normalization` with one column of these statistics among others."""
    stats = {
        "mean": TensorStats(0.0, mean, mean / 4, mean / 2, 3, 0),
        "variance": TensorStats(0.5, variance, variance / 4, variance / 2, 0, 0),
    }
    tensors = [examples.tensor(f"scale/{role}", (4,), each) for role, each in stats.items()]
    layer = examples.layer("scale", "Normalization", {role: f"scale/{role}" for role in stats})
    facts = Facts(examples.model(layer, tensors=tuple(tensors)))
    return reported(facts).get("MA420", [])


def reported(facts: Facts) -> dict[str, list[Severity]]:
    found = {}
    for code in CODES:
        result = run_rule(rule(code), facts)
        if result.outcome is Outcome.FAIL:
            found[code] = [finding.severity for finding in result.findings]
    return found
