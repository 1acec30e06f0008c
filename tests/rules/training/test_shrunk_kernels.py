"""What is advised for kernels that shrank to nearly 0: as the file shows why, or does not."""

from __future__ import annotations

import pytest

from modelaudit.facts import Json
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.initial_weights.sized_kernels import example_kernel
from modelaudit.rules.model import Facts
from modelaudit.structs import replace
from tests.made.emptied_kernels import PENALTY, emptied

DECAY: Json = {"optimizer_config": {"class_name": "AdamW", "config": {"weight_decay": 0.1}}}
PLAIN: Json = {"optimizer_config": {"class_name": "Adam", "config": {"weight_decay": None}}}


def advice(config: dict[str, Json], training: Json) -> str:
    facts = example_kernel(1e-5)
    architecture = facts.artifact.architecture
    assert architecture is not None
    layers = tuple(replace(each, config=config) for each in architecture.layers)
    made = replace(facts.artifact, architecture=replace(architecture, layers=layers))
    made = replace(made, training=training)
    (found,) = run_rule(rule("MA436"), Facts(made)).findings
    return found.fix


@pytest.mark.parametrize(
    ("config", "training", "shown"),
    [
        ({"kernel_regularizer": None}, PLAIN, False),  # as the codes of a variational autoencoder
        ({"kernel_regularizer": PENALTY}, PLAIN, True),
        ({"kernel_regularizer": PENALTY}, DECAY, True),
        ({"activity_regularizer": PENALTY}, None, True),
    ],
)
def test_a_smaller_penalty_is_advised_where_there_is_one(config, training, shown) -> None:
    said = advice(config, training)
    assert ("smaller regularization factor" in said) is shown
    assert ("variational autoencoder" in said) is not shown


def test_a_smaller_decay_is_advised_where_no_layer_has_a_penalty() -> None:
    assert "weight_decay=0.1: compile with a smaller one" in advice({}, DECAY)


@pytest.mark.parametrize(
    ("penalty", "output", "shown"),
    [(PENALTY, False, ["medium"]), (None, False, []), (PENALTY, True, [])],
)
def test_a_penalty_that_drew_a_hidden_kernel_nearly_to_zero(penalty, output, shown) -> None:
    assert emptied(0.005, penalty, output=output) == shown
