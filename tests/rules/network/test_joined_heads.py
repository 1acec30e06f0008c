"""Heads behind layers that resize, add, average or join them, and metrics that are always right."""

from __future__ import annotations

import pytest

from modelaudit.facts import Kernel
from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.model import Facts
from modelaudit.rules.network.network_heads import HeadStep, NetworkHead
from modelaudit.rules.training.steps import adam
from modelaudit.structs import replace
from tests.rules.test_made_designs import HEAD, dense, found, layer, names

BINARY = {"loss": "binary_crossentropy"}


def judged(code, facts):
    """Severities of a rule."""
    return [str(each.severity) for each in run_rule(rule(code), facts).findings]


def joined(code, kind, *activations, units=1, behind=(), loss="binary_crossentropy", body="relu"):
    """Severities of a rule on heads of one input that a layer joins."""
    made = examples.layer("body", config={"units": 8, "activation": body})
    # Without a body, the heads get the inputs.
    body = made if body else examples.layer("body", "InputLayer", {})
    heads = [
        replace(dense(units, each, name=f"head_{n}"), inbound=(("body",),))
        for n, each in enumerate(activations)
    ]
    width = units * len(heads) if kind == "Concatenate" else units
    both = examples.layer(kind.lower(), kind, {}, {}, inbound=(tuple(h.route for h in heads),))
    layers = [body, *heads, replace(both, output_shape=(None, width))]
    for each in behind:
        layers.append(replace(each, inbound=((layers[-1].route,),)))
    made = examples.model(*layers)
    architecture = made.architecture
    assert architecture is not None
    slot = replace(examples.tensor("optimizer/vars/2", (4, 2)), role="optimizer")
    artifact = replace(
        made,
        architecture=replace(architecture, outputs=(layers[-1].route,)),
        tensors=(*made.tensors, slot),
        training={"loss": loss},
    )
    return judged(code, Facts(artifact))


def test_scores_that_are_added():
    sigmoid = layer("Activation", activation="sigmoid", name="out")
    assert joined("MA306", "Add", "linear", "linear") == ["medium"]
    assert joined("MA306", "Add", "linear", "linear", behind=(sigmoid,)) == []
    assert joined("MA306", "Add", "sigmoid", "sigmoid") == []  # whatever that is


def test_probabilities_that_are_averaged_or_joined():
    exclusive = {"units": 5, "loss": "categorical_crossentropy"}
    assert joined("MA306", "Average", "softmax", "softmax", **exclusive) == []
    assert joined("MA306", "Average", "softmax", "softmax", units=5) == ["low"]
    assert joined("MA306", "Concatenate", "sigmoid", "sigmoid") == []
    assert joined("MA306", "Concatenate", "sigmoid", "sigmoid", **exclusive) == ["medium"]
    assert joined("MA306", "Concatenate", "sigmoid", "linear") == []
    # Two groups of exclusive classes, but one softmax for three classes.
    assert joined("MA306", "Concatenate", "softmax", "softmax", units=3) == []
    assert joined("MA306", "Average", "softmax", "softmax", units=3) == ["low"]


@pytest.mark.parametrize("kind", ["Concatenate", "Add", "Average"])
def test_no_head_beside_another_is_a_hidden_layer(kind):
    heads = {"loss": "mse", "units": 3}
    assert joined("MA309", kind, "linear", "linear", body=None, **heads) == []
    assert joined("MA309", kind, "linear", "linear", body="linear", **heads) == ["medium"]
    assert joined("MA309", kind, "linear", "linear", body="relu", **heads) == []


def test_the_advice_for_joined_heads():
    one, two = (NetworkHead(n, dense(3, name=n), 3, (HeadStep(dense(3, name=n)),)) for n in "ab")
    assert "Dense(3" in one.code("softmax")
    both = replace(one, joined=(two,))
    assert "Dense" not in both.code(
        "softmax"
    ) and "behind the layer that joins `a`, `b`" in both.code("softmax")
    assert both.code("linear") == "# no activation in `a`, `b`"


@pytest.mark.parametrize(
    ("units", "last", "severities"),
    [
        ((8, 2), "softmax", []),  # the names of both
        ((8, 10), "softmax", []),
        ((8, 10), "sigmoid", []),  # those of the tags
        ((8, 3), "unknown", []),
        ((8, 3), "softmax", ["low"]),
        ((8,), "softmax", ["medium"]),
    ],
)
def test_class_names_beside_several_outputs(units, last, severities):
    body = examples.layer("body", config={"units": 8, "activation": "relu"})
    heads = [
        replace(
            dense(size, "softmax" if n == 0 else last, name=f"head_{n}"),
            inbound=(("body",),),
            custom=n > 0 and last == "unknown",
        )
        for n, size in enumerate(units)
    ]
    labels = {"file": "labels.txt", "names": [f"name {n}" for n in range(10)]}
    made = examples.model(body, *heads, extra={"labels": labels})
    architecture = replace(made.architecture, outputs=tuple(head.route for head in heads))
    assert judged("MA317", Facts(replace(made, architecture=architecture))) == severities


@pytest.mark.parametrize(
    ("units", "last", "count", "severities"),
    [
        ((5, 1), "sigmoid", 2, []),  # one unit tells two classes apart
        ((5, 1), "sigmoid", 3, ["medium"]),
        ((5, 3), "sigmoid", 2, ["medium"]),
    ],
)
def test_two_names_belong_to_the_output_of_one_unit(units, last, count, severities):
    heads = [dense(units[0], "softmax", name="age"), dense(units[1], last, name="sex")]
    body = examples.layer("body", config={"units": 8, "activation": "relu"})
    heads = [replace(head, inbound=(("body",),)) for head in heads]
    labels = {"file": "labels.txt", "names": [*"abcde"[:count]]}
    made = examples.model(body, *heads, extra={"labels": labels})
    architecture = replace(made.architecture, outputs=("age", "sex"))
    assert judged("MA317", Facts(replace(made, architecture=architecture))) == severities


@pytest.mark.parametrize(("count", "severities"), [(2, []), (5, ["low"])])
def test_two_names_beside_the_outputs_of_a_graph(monkeypatch, count, severities):
    heads = [
        NetworkHead(name, head, units, (HeadStep(head, last),))
        for name, units, last in (("age", 3, "softmax"), ("sex", 1, "sigmoid"))
        for head in [dense(units, last, name=name)]
    ]
    monkeypatch.setattr("modelaudit.rules.heads.class_counts.graph_heads", lambda artifact: heads)
    labels = {"file": "labels.txt", "names": [*"abcde"[:count]]}
    assert judged("MA317", Facts(examples.model(extra={"labels": labels}))) == severities


@pytest.mark.parametrize("resize", ["UpSampling2D", "Resizing", "Cropping2D"])
def test_maps_that_are_resized(resize):
    scores = layer("Conv2D", filters=1, kernel_size=[1, 1], activation="linear", name="scores")
    after = layer(resize, name="resized")
    sigmoid = layer("Activation", activation="sigmoid", name="out")
    assert names(found("MA306", scores, after, training=BINARY), "sigmoid") == "medium"
    assert found("MA306", scores, after, sigmoid, training=BINARY) == []


@pytest.mark.parametrize("function", ["cast", "squeeze", "math.reduce_mean", "math.truediv"])
def test_operations_between_scores_and_the_loss(function):
    scores = dense(5, "relu", name="scores")
    after = layer("TFOpLambda", function=function, name="op")
    # Behind the others it is not known how many classes there are: two are learnt all the same.
    severity = "high" if function == "math.truediv" else "medium"
    assert names(found("MA306", scores, after), 'activation="softmax"') == severity
    softmax = layer("Softmax", name="out")
    assert found("MA306", dense(5, "linear", name="scores"), after, softmax) == []
    unknown = layer("TFOpLambda", function="math.cumsum", name="op")
    assert found("MA306", scores, unknown) == []


def test_dropout_as_the_last_layer():
    drop = layer("Dropout", rate=0.3, name="drop")
    number = dense(1, "linear", name="number")
    assert (
        names(found("MA308", number, drop, training={"loss": "mse"}), "before `number`") == "medium"
    )
    assert found("MA308", drop, number, training={"loss": "mse"}) == []
    assert found("MA308", number, layer("Dropout", rate=0), training={"loss": "mse"}) == []

    def said(kind):
        facts = examples.chain(number, layer(kind, rate=0.3), training={"loss": "mse"})
        (seen,) = run_rule(rule("MA308"), facts).findings
        return seen.detail

    for kind in ("Dropout", "GaussianDropout", "AlphaDropout"):  # zeros, noise, saturation
        assert "changes at random what" in said(kind)


@pytest.mark.parametrize(
    "head, loss, metric, right",
    [
        (dense(1, "linear"), "mse", "AUC", "mean_absolute_error"),
        (dense(1, "sigmoid"), "binary_crossentropy", "categorical_accuracy", "binary_accuracy"),
        (HEAD, "sparse_categorical_crossentropy", "SparseTopKCategoricalAccuracy", "accuracy"),
    ],
)
def test_metrics_that_tell_nothing(head, loss, metric, right):
    config = {"loss": loss, "metrics": [{"class_name": metric, "config": {}}]}
    assert names(found("MA320", head, training=config), right) == "low"
    sound = {"loss": loss, "metrics": [right]}
    assert found("MA320", head, training=sound) == []


def test_momentum_that_a_row_of_sigmoids_shrinks():
    def said(activation, first):
        config = {"units": 2, "activation": activation}
        names = ["first", *(f"row_{n}" for n in range(6)), "last"]
        facts = adam(*((name, first if name == "first" else 0.1, 0.0) for name in names))
        architecture = facts.artifact.architecture
        assert architecture is not None
        layers = tuple(
            replace(each, config=config, inbound=((before,),) if before else ())
            for before, each in zip(["", *names], architecture.layers, strict=False)
        )
        artifact = replace(facts.artifact, architecture=replace(architecture, layers=layers))
        return [
            str(x.severity)
            for x in run_rule(rule("MA434"), replace(facts, artifact=artifact)).findings
        ]

    assert said("sigmoid", 1e-5) == ["medium"]
    assert said("sigmoid", 0.05) == said("relu", 1e-5) == []


def test_a_deep_stack_that_starts_near_zero():
    def said(deviation):
        drawn = {"class_name": "RandomNormal", "config": {"stddev": deviation}}
        config = {"units": 16, "activation": "tanh", "kernel_initializer": drawn}
        rows = [examples.layer(f"row_{n}", config=config) for n in range(6)]
        facts = examples.chain(*rows, HEAD)
        kernels = tuple(
            Kernel(x.route, f"{x.route}/kernel", "dense", "io", 0, (16, 16), initializer=drawn)
            for x in rows
        )
        artifact = replace(facts.artifact, kernels=kernels)
        return [
            str(x.severity)
            for x in run_rule(rule("MA328"), replace(facts, artifact=artifact)).findings
        ]

    assert said(0.01) == ["low"]
    assert said(0.25) == []


def test_a_single_value_of_unit_length():
    for name in ("RMSNormalization", "UnitNormalization"):
        one = replace(layer(name, axis=-1), output_shape=(None, 1))
        assert names(found("MA322", dense(1, "linear"), one), "Remove") == "high"
        assert found("MA322", dense(4, "linear"), replace(one, output_shape=(None, 4))) == []


@pytest.mark.parametrize(
    ("last", "loss", "code"),
    [
        # Divergences have no from_logits, and exclusive classes keep their softmax.
        ("linear", "kl_divergence", ('activation="softmax"', 'loss="kl_divergence"')),
        (
            "softmax",
            "binary_crossentropy",
            ('activation="softmax"', '"categorical_crossentropy"'),
        ),
        ("linear", "categorical_crossentropy", ("from_logits=True", 'activation="softmax"')),
    ],
)
def test_the_advice_suits_the_loss(last, loss, code):
    head = examples.layer("head", config={"units": 4, "activation": last})
    artifact = replace(examples.model(head), training={"loss": loss})
    (finding,) = run_rule(rule("MA306"), Facts(artifact)).findings
    assert all(each in finding.fix for each in code)
    assert ("from_logits" in finding.fix) is ("from_logits=True" in code)
