"""Whether a recurrent kernel reads single steps, for many kernels: each layer is looked at once."""

from __future__ import annotations

from unittest import mock

import pytest

from modelaudit.facts import Artifact, Layer, Tensor
from modelaudit.rules import examples
from modelaudit.rules.network import sequence_steps
from modelaudit.rules.network.sequence_steps import one_step
from modelaudit.structs import replace
from tests.rules.initial_kernels import model

COUNT = 300


def cell(number: int, every: int = 3) -> Layer:
    layer = examples.layer(f"lstm{number}", "LSTM")
    steps = 1 if number % every == 0 else 7
    shapes = ((None, steps, 4),) if number % 5 else ()
    return replace(layer, input_shapes=shapes, variables={"recurrent_kernel": f"w{number}"})


def artifact(layers: list[Layer], first: int | None) -> Artifact:
    given = replace(examples.layer("x", "InputLayer"), output_shape=(None, first, 4))
    tensors = [Tensor(f"w{n}", (4, 16), "float32", 256, "m.h5") for n in range(COUNT)]
    return replace(
        model(), architecture=examples.model(given, *layers).architecture, tensors=tensors
    )


@pytest.mark.parametrize("first", [1, 7])
@pytest.mark.parametrize("every", [3, COUNT + 1])
def test_the_own_layer_tells_before_others_do(first: int, every: int) -> None:
    made = artifact([cell(number, every) for number in range(1, 30)], first)
    others = first == 1 or every == 3  # what is not known is what any input is
    for number in range(1, 30):
        expected = number % every == 0 if number % 5 else others
        assert one_step(made, f"w{number}") is expected


def test_each_layer_is_looked_at_once_for_all_kernels() -> None:
    made = artifact([cell(number) for number in range(COUNT)], 7)
    with mock.patch.object(
        sequence_steps, "input_shape", wraps=sequence_steps.input_shape
    ) as looked:
        for number in range(COUNT):
            one_step(made, f"w{number}")
    assert looked.call_count == COUNT + 1
