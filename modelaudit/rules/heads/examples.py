"""The smallest facts on which a rule about last layers fails or passes."""

from __future__ import annotations

from collections.abc import Callable

from modelaudit.facts import Json
from modelaudit.rules import examples
from modelaudit.rules.model import Facts
from modelaudit.structs import replace


def example_head(
    activation: str, loss: Json, units: int = 10, *behind: tuple[str, dict[str, Json]]
) -> Callable[[], Facts]:
    """A Dense layer, the layers behind it, and a loss."""
    config: dict[str, Json] = {"units": units, "activation": activation}
    layers = [examples.layer("head", config=config)]
    for index, (name, more) in enumerate(behind):
        before = layers[-1].route
        layers.append(examples.layer(f"behind_{index}", name, {}, more, inbound=((before,),)))
    training: dict[str, Json] = {"loss": loss}
    slot = replace(examples.tensor("optimizer/vars/2", (4, 2)), role="optimizer")

    def trained() -> Facts:
        made = examples.model(*layers)
        return Facts(replace(made, tensors=(*made.tensors, slot), training=training))

    return trained
