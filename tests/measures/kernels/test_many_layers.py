"""Looking up what belongs to a layer takes no longer in a model of many layers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from modelaudit.facts import Artifact
from modelaudit.measures.kernels.other_weights import biases_start
from modelaudit.rules.examples import layer, model
from modelaudit.structs import replace
from tests.growth import LINEAR, growth


def made(layers: bool) -> Callable[[int], Artifact]:
    def make(count: int) -> Artifact:
        artifact = model(*(layer(f"dense_{number}") for number in range(count)))
        return artifact if layers else replace(artifact, architecture=None)

    return make


def biases(artifact: Artifact) -> None:
    for tensor in artifact.tensors:
        biases_start(artifact, tensor.name.rpartition("/")[0])


@pytest.mark.parametrize("layers", [True, False])
def test_biases_of_all_layers_are_found_in_linear_time(layers: bool) -> None:
    assert growth(made(layers), biases, 300) < LINEAR
