"""A trained layer of which most weights belong to units that gave 0 from the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.findings import Severity
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.initial_weights.initial_explained import DEAD_BEFORE
from modelaudit.rules.initial_weights.initial_values import left_initial
from modelaudit.rules.training.steps import adam
from modelaudit.settings import Settings
from modelaudit.structs import replace
from tests.made.training import train
from tests.rules.initial_kernels import drawn, moved


@pytest.mark.parametrize(("zeros", "bias"), [(0, False), (3000, False), (3000, True)])
def test_weights_that_never_received_a_gradient(zeros: int, bias: bool) -> None:
    facts = adam(("a", 0.1, 0.01), ("b", 0.1, 0.01), ("c", 0.1, 0.01))
    tensors = []
    for tensor in facts.artifact.tensors:
        stats = tensor.stats
        if tensor.name == "optimizer/vars/2" and stats:
            stats = replace(stats, zeros=zeros)
        tensors.append(replace(tensor, shape=(48, 96) if tensor.shape else (), stats=stats))
    architecture = facts.artifact.architecture
    assert architecture
    layers = tuple(replace(x, expected={"kernel": (48, 96)}) for x in architecture.layers)
    artifact = replace(
        facts.artifact, architecture=replace(architecture, layers=layers), tensors=(*tensors,)
    )
    others = [moved(name, outside=0.5) for name in "bcdefgh"]
    kernels = (drawn("a", bias=bias, law="uniform", outside=0.0), *others)
    found = {each.kernel.route: each for each in left_initial(artifact, kernels)}
    assert list(found) == ["a"]
    explained = zeros > 0 and not bias
    assert (found["a"].against == DEAD_BEFORE) is explained
    assert (found["a"].severity is Severity.LOW) is explained


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_head_behind_dead_units_was_not_skipped(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    keras.utils.set_random_seed(2)
    hidden = layers.Dense(256, activation="relu")
    model = keras.Sequential([layers.Input((32,)), layers.Dense(32), hidden, layers.Dense(8)])
    random = np.random.default_rng(0)
    x = random.normal(size=(128, 32)).astype("float32")
    y = random.normal(size=(128, 8)).astype("float32")
    hidden.bias.assign(
        np.where(np.arange(256) < 250, -1e3, 0.0)
    )  # as a first step too far leaves it
    model.compile(keras.optimizers.Adam(0.003), "mse")
    train(model, x, y, steps=300, batch=128)
    path = tmp_path / "m.keras"
    model.save(path)
    found = run_rule(rule("MA405"), static_facts(path, Settings())).findings
    assert all(each.severity is Severity.LOW for each in found if "dense_2" in each.detail)
