"""Rules that look at pairs of layers take time that follows the number of layers."""

from __future__ import annotations

import pytest

from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.structs import replace
from tests.growth import LINEAR, growth


def tables(count: int) -> Facts:
    """Embeddings of as many sizes, which all look up the numbers of one input."""
    words = replace(examples.layer("words", "InputLayer", {}), output_shape=(None, 9))
    found = [
        examples.layer(
            f"table{number}",
            "Embedding",
            {},
            {"input_dim": 2 + number, "output_dim": 2},
            inbound=(("words",),),
        )
        for number in range(count)
    ]
    return Facts(examples.model(words, *found))


def attention(count: int) -> Facts:
    """A deep language model that attends to all of its words, in its last layer."""
    words = replace(examples.layer("words", "InputLayer", {}), output_shape=(None, 9))
    rows = examples.layer("rows", "Embedding", {}, {"input_dim": 50, "output_dim": 8})
    between = [examples.layer(f"norm{n}", "LayerNormalization", {}) for n in range(count)]
    looks = examples.layer("looks", "MultiHeadAttention", {})
    head = examples.layer("head", config={"units": 50, "activation": "softmax"})
    return examples.chain(words, rows, *between, looks, replace(head, output_shape=(None, 9, 50)))


@pytest.mark.parametrize(("code", "make"), [("MA341", tables), ("MA343", attention)])
def test_many_layers(code: str, make) -> None:
    assert run_rule(rule(code), make(20)).findings
    assert growth(make, lambda facts: run_rule(rule(code), facts), 300) < LINEAR
