"""What is advised for kernels that shrank to nearly 0: as the file shows why, or does not."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.facts import Json, TensorStats
from modelaudit.rules import examples
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


@pytest.mark.parametrize(
    ("largest", "penalty", "behind", "shown"),
    [
        (1e-30, PENALTY, "Flatten", True),
        (2e-4, PENALTY, "Flatten", True),
        (4e-4, PENALTY, "Flatten", False),
        (1e-30, None, "Flatten", False),
        (1e-30, PENALTY, "BatchNormalization", False),
    ],
)
def test_embeddings_that_a_penalty_drew_to_zero(largest, penalty, behind, shown) -> None:
    uniform: Json = {"class_name": "RandomUniform", "config": {"minval": -0.05, "maxval": 0.05}}
    config: dict[str, Json] = {"embeddings_initializer": uniform}
    config["embeddings_regularizer"] = penalty
    table = examples.layer("user", "Embedding", {"embeddings": "user/embeddings"}, config)
    last = examples.layer("last", behind, {}, {}, (("user",),))
    stats = TensorStats(-largest, largest / 2, 0.0, largest / 2, 0, 0)
    tensors = (examples.tensor("user/embeddings", (120, 20), stats),)
    found = run_rule(rule("MA436"), Facts(examples.model(table, last, tensors=tensors))).findings
    assert [str(each.severity) for each in found] == ["low"] * shown
    assert all("embeddings_regularizer" in each.fix for each in found)


def test_the_penalty_of_keras_draws_embeddings_to_zero() -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    users, items = np.divmod(np.arange(900), 30)
    largest = []
    for penalty in (keras.regularizers.L2(0.01), None):
        given = [keras.layers.Input(()), keras.layers.Input(())]
        tables = [keras.layers.Embedding(30, 4, embeddings_regularizer=penalty) for _ in given]
        vectors = [table(each) for table, each in zip(tables, given, strict=True)]
        output = keras.layers.Activation("sigmoid")(keras.layers.Dot(-1)(vectors))
        model = keras.Model(given, output)
        model.compile(keras.optimizers.SGD(10.0), "binary_crossentropy")
        labels = (users + items)[:, None] % 2
        model.fit([users, items], labels, batch_size=900, epochs=150, verbose=0)
        largest.append(np.abs(tables[0].get_weights()[0]).max())
    assert largest[0] < 0.01 * 0.05 / 3**0.5
    assert largest[1] > 0.1
