"""The order of a layer's variables after `enable_lora`."""

from __future__ import annotations

import pytest

from tests.formats.bindings import layer, sequential
from tests.formats.keras.variables.test_matching import faults, legacy

LORA = sequential(
    layer("InputLayer", "input", batch_input_shape=[None, 4]),
    layer("Dense", "dense", units=3, lora_rank=2, lora_alpha=2),
)


@pytest.mark.parametrize(
    ("order", "misordered"),
    [
        # `enable_lora` freezes the kernel, and a group has trainable weights first.
        ("bias lora_kernel_a lora_kernel_b kernel", 0),
        ("bias lora_kernel_b lora_kernel_a kernel", 2),
        ("kernel bias lora_kernel_a lora_kernel_b", 4),
    ],
)
def test_the_order_of_a_layer_with_lora(order: str, misordered: int) -> None:
    shapes = {
        "dense/kernel": (4, 3),
        "dense/bias": (3,),
        "dense/lora_kernel_a": (4, 2),
        "dense/lora_kernel_b": (2, 3),
    }
    binding = legacy(LORA, {"dense": [f"dense/{name}" for name in order.split()]}, shapes)
    assert len(binding.misordered) == misordered
    if not misordered:
        assert faults(binding) == ((), (), ())
