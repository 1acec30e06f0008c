"""Advice that names what is to change in the model at hand."""

from __future__ import annotations

import pytest

from modelaudit.facts import Layer
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.examples import measured
from modelaudit.rules.examples_architecture import one_grid
from modelaudit.rules.heads.examples import example_head
from modelaudit.rules.heads.head_advice import fix_of
from modelaudit.rules.heads.last_layers import paired_heads
from modelaudit.rules.training.trainability import _access


@pytest.mark.parametrize(("stride", "single"), [(40, True), (9, True), (8, False), (4, False)])
def test_a_stride_over_the_whole_map_is_to_be_smaller(stride: int, single: bool) -> None:
    facts = measured(one_grid(True, strides=(stride, stride)))()  # on a map of 9 by 9
    (finding,) = run_rule(rule("MA304"), facts).findings
    assert ("on a map of [9, 9], so that a single window" in finding.detail) is single
    assert ("strides=[2, 2]" in finding.fix) is single
    assert ("at least as large as the stride" in finding.fix) is not single


@pytest.mark.parametrize(
    ("route", "name", "place", "code"),
    [
        ("a", "a", "config/layers/1", ".get_layer('a')"),
        ("a/b", "a/b", "config/layers/1", ".get_layer('a/b')"),
        (
            "net/a",
            "a",
            "config/layers/1/config/layers/0",
            ".get_layer('net').get_layer('a')",
        ),
        ("net/a", "a", "config/head/config/layers/0", ".get_layer('net').get_layer('a')"),
        ("net/a/b", "a/b", "config/layers/1/config/layers/0", ".get_layer('a/b')"),
    ],
)
def test_code_that_takes_a_layer_out_of_its_models(route, name, place, code) -> None:
    assert _access(Layer(route, name, "Dense", config_route=place)) == code


@pytest.mark.slow
def test_the_code_reaches_a_layer_of_an_inner_model():
    import keras

    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="a")], name="net")
    model = keras.Sequential([keras.Input((3,)), inner])
    layer = Layer("net/a", "a", "Dense", config_route="config/layers/1/config/layers/0")
    assert eval(f"model{_access(layer)}", {"model": model}) is inner.layers[-1]


def test_an_activation_that_is_a_layer_is_removed_once() -> None:
    facts = example_head("linear", "binary_crossentropy", 1, ("Activation", {"activation": "tanh"}))
    ((head, _),) = paired_heads(facts())
    said = "Remove the activation, or compile with from_logits=False."
    assert fix_of(head, said) == "Remove the layer `behind_0`, or compile with from_logits=False."
    assert fix_of(head, "Use a sigmoid.") == "Remove the layer `behind_0`. Use a sigmoid."
