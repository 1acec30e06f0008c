"""Two outputs with each other's loss, a sigmoid behind a softmax, and scores for CTC: the fixes."""

from __future__ import annotations

import pytest

from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.heads.examples import example_head
from modelaudit.structs import replace
from tests.rules.test_made_designs import HEAD, dense, found, names


def fixes(code, facts):
    return [each.fix or "" for each in run_rule(rule(code), facts).findings]


def two_outputs(kind, amount, losses):
    """A trunk with two heads, each with the activation and the loss that are given."""
    trunk = dense(name="trunk")
    heads = [
        replace(dense(5, kind, name="kind"), inbound=(("trunk",),)),
        replace(dense(1, amount, name="amount"), inbound=(("trunk",),)),
    ]
    made = examples.model(trunk, *heads)
    architecture = replace(made.architecture, outputs=("kind", "amount"))
    slot = replace(examples.tensor("optimizer/vars/2", (4, 2)), role="optimizer")
    artifact = replace(made, architecture=architecture, tensors=(*made.tensors, slot))
    facts = examples.healthy()
    return replace(facts, artifact=replace(artifact, training={"loss": losses}))


def test_losses_that_are_exchanged():
    crossed = {"kind": "mse", "amount": "sparse_categorical_crossentropy"}
    said = fixes("MA306", two_outputs("softmax", "linear", crossed))
    right = '{"kind": "sparse_categorical_crossentropy", "amount": "mean_squared_error"}'
    assert said and all(right in each for each in said[:1])
    crossed["amount"] = "binary_crossentropy"
    (first, second) = fixes("MA306", two_outputs("softmax", "linear", crossed))
    assert first == second and '"kind": "categorical_crossentropy"' in first
    (first, second) = fixes("MA306", two_outputs("sigmoid", "linear", crossed)) * 2
    assert '"kind": "binary_crossentropy"' in first


def test_a_third_output_has_its_own_advice():
    crossed = {"kind": "mse", "amount": "sparse_categorical_crossentropy"}
    facts = two_outputs("softmax", "linear", crossed)
    third = replace(dense(1, "relu", name="third"), inbound=(("trunk",),))
    architecture = facts.artifact.architecture
    architecture = replace(
        architecture,
        layers=(*architecture.layers, third),
        outputs=(*architecture.outputs, "third"),
    )
    losses = {**crossed, "third": "binary_crossentropy"}
    artifact = replace(facts.artifact, architecture=architecture, training={"loss": losses})
    said = fixes("MA306", replace(facts, artifact=artifact))
    assert sum("Exchange" in each for each in said) == 2
    assert not any("loss={" in each for each in said)  # which would lose the third loss
    assert any('"sigmoid"' in each for each in said)


def test_one_wrong_loss_is_no_exchange():
    losses = {"kind": "mse", "amount": "mse"}
    assert all(
        "Exchange" not in x for x in fixes("MA306", two_outputs("softmax", "linear", losses))
    )
    losses = {"kind": "sparse_categorical_crossentropy", "amount": "mse"}
    assert fixes("MA306", two_outputs("softmax", "linear", losses)) == []


def test_the_code_for_ctc_has_no_softmax():
    said = found("MA306", HEAD, training={"loss": {"class_name": "CTC"}})
    assert names(said, 'activation="linear"', "keras.losses.CTC()") == "low"


def test_the_code_keeps_a_focal_loss():
    said = found("MA306", dense(1, "relu"), training={"loss": "binary_focal_crossentropy"})
    assert names(said, 'activation="sigmoid"', 'loss="binary_focal_crossentropy"') == "medium"


@pytest.mark.parametrize(
    ("loss", "removed"),
    [
        (None, "Activation"),
        ("sparse_categorical_crossentropy", "Activation"),
        ("binary_crossentropy", "softmax"),
    ],
)
def test_of_a_sigmoid_behind_a_softmax_the_one_that_suits_the_loss_stays(loss, removed):
    behind = ("Activation", {"activation": "sigmoid"})
    (said,) = fixes("MA307", example_head("softmax", loss, 5, behind)())
    assert said.startswith(
        "Remove the layer `behind_0`" if removed == "Activation" else "Remove the"
    )
    assert (removed == "softmax") == ("softmax of `head`" in said)
