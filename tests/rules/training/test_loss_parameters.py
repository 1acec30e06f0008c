"""Parameters of losses and layers that leave nothing to learn, and what Keras computes."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.rules import examples
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.training.steps import adam
from modelaudit.structs import replace
from tests.rules.test_made_designs import HEAD, dense, found, layer, names


def said(name, training=None, **config):
    loss = {"class_name": name, "config": config}
    return found("MA319", HEAD, training=training or {"loss": loss})


def test_a_focal_loss_of_which_one_class_weighs_nothing():
    balanced = {"apply_class_balancing": True}
    assert names(said("BinaryFocalCrossentropy", alpha=1.0, **balanced), "alpha=0.25") == "high"
    assert names(said("Custom>BinaryFocalCrossentropy", alpha=0.0, **balanced), "alpha") == "high"
    assert said("BinaryFocalCrossentropy", alpha=0.25, **balanced) == []
    assert said("BinaryFocalCrossentropy", alpha=1.0, apply_class_balancing=False) == []
    assert names(said("CategoricalFocalCrossentropy", alpha=0.0), "alpha=0.25") == "high"
    assert said("CategoricalFocalCrossentropy", alpha=1.0) == []
    several = "CategoricalFocalCrossentropy"
    assert names(said(several, alpha=[0.3, 0.0, 0.3]), "alpha above 0") == "low"
    assert names(said(several, alpha=[0.3, 0.0]), "alpha above 0") == "high"
    assert names(said(several, alpha=[0, 0.0, 0]), "alpha above 0") == "high"
    assert said(several, alpha=[0.3, 0.2, 0.3]) == []


def test_a_huber_loss_of_no_width():
    assert names(said("Huber", delta=0.0), "delta=1.0") == "high"
    assert said("Huber", delta=1.0) == said("Huber") == []
    losses = [{"class_name": "Huber", "config": {"delta": d}} for d in (1.0, 0.0)]
    assert len(said("", training={"loss": losses})) == 1
    assert len(said("", training={"loss": dict(enumerate(losses))})) == 1


def test_a_tversky_loss_that_forgives_one_kind_of_error():
    both = said("Tversky", alpha=0.0, beta=0.0)
    assert names(both, "alpha=0.5, beta=0.5") == "high"
    assert names(said("Tversky", alpha=0.3, beta=0.0), "beta=0.5") == "high"
    assert said("Tversky", alpha=0.3, beta=0.7) == said("Tversky") == []


@pytest.mark.parametrize(("alpha", "beta", "answer"), [(0, 0, 0.2), (0.3, 0, 1)])
def test_what_keras_computes_with_tversky(alpha, beta, answer):
    keras = pytest.importorskip("keras")
    loss = keras.losses.Tversky(alpha=alpha, beta=beta)
    labels = np.array([[[0.0], [1.0], [1.0], [0.0]]])
    assert float(loss(labels, np.full_like(labels, answer))) == pytest.approx(0, abs=1e-6)
    assert float(keras.losses.Tversky()(labels, np.full_like(labels, 0.2))) > 0.1


@pytest.mark.parametrize("name", ["dice_coef", "iou_score", "jaccard_coefficient", "psnr"])
def test_a_score_in_the_place_of_a_loss(name):
    for saved in (name, {"class_name": "function", "config": name}):
        assert names(found("MA319", HEAD, training={"loss": saved}), f"1 - {name}") == "low"
    for sound in (f"{name}_loss", f"neg_{name}", f"one_minus_{name}", "dice", "dice_and_focal"):
        assert found("MA319", HEAD, training={"loss": sound}) == []


def test_a_net_trained_with_a_score_in_the_place_of_a_loss_is_worse_than_chance():
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)

    def dice_coef(y_true, y_pred):
        sums = keras.ops.sum(y_true) + keras.ops.sum(y_pred)
        return (2 * keras.ops.sum(y_true * y_pred) + 1) / (sums + 1)

    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = (x[:, :1] > 0).astype("float32")
    right = []
    for loss in (dice_coef, lambda a, b: 1 - dice_coef(a, b)):
        model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1, "sigmoid")])
        model.compile(keras.optimizers.Adam(0.05), loss)
        model.fit(x, y, epochs=15, verbose=0)
        right.append(((model.predict(x, verbose=0) > 0.5) == (y > 0.5)).mean())
    assert right[0] < 0.5 and right[1] > 0.9


def test_what_keras_computes_with_them():
    keras = pytest.importorskip("keras")
    alone = {"apply_class_balancing": True, "alpha": 1.0}
    focal = keras.losses.BinaryFocalCrossentropy(**alone, reduction=None)
    wrong, right = np.array([[0.9], [0.1]]), np.array([[0.1], [0.9]])
    labels = np.array([[0.0], [0.0]])
    assert not np.any(focal(labels, wrong)) and not np.any(focal(labels, right))
    assert np.all(focal(labels + 1, wrong) > 0)
    huber = keras.losses.Huber(delta=0.0)
    assert float(huber(labels, wrong)) == 0


@pytest.mark.parametrize(("needed", "expected"), [(1000, "high"), (4, None), (None, None)])
def test_gradients_that_are_added_up_over_more_steps_than_were_made(needed, expected):
    facts = adam(("kernel", 0.1, 0.1), steps=96)
    training = dict(facts.artifact.training or {})
    saved = dict(training["optimizer"])
    saved["config"] = {**saved["config"], "gradient_accumulation_steps": needed}
    training["optimizer"] = saved
    artifact = replace(facts.artifact, training=training)
    findings = run_rule(rule("MA319"), replace(facts, artifact=artifact)).findings
    about = [str(x.severity) for x in findings if "gradient_accumulation_steps" in x.detail]
    assert about == ([expected] if expected else [])


def test_a_relu_that_nothing_reaches():
    relu = layer("ReLU", name="relu", threshold=1000.0)
    assert names(found("MA322", dense(), relu, HEAD), "ReLU(name='relu')") == "medium"
    for limit in (0.0, 1.0, None):
        assert found("MA322", dense(), layer("ReLU", name="relu", threshold=limit), HEAD) == []


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("twice", [True, False])
def test_the_cosine_of_a_value_and_itself(normalize, twice):
    given = [layer("InputLayer", name=name, shape=(None, 8)) for name in "ab"]
    body = [replace(dense(name=f"body_{x.name}"), inbound=((x.name,),)) for x in given]
    sources = ("body_a", "body_a" if twice else "body_b")
    dot = replace(
        layer("Dot", name="dot", shape=(None, 1), axes=-1, normalize=normalize), inbound=(sources,)
    )
    facts = examples.chain(*given, *body, dot)
    architecture = facts.artifact.architecture
    assert architecture is not None
    chained = replace(architecture, layers=(*given, *body, dot), outputs=("dot",))
    artifact = replace(facts.artifact, architecture=chained)
    made = replace(facts, artifact=artifact)
    findings = [x for code in ("MA305", "MA314") for x in run_rule(rule(code), made).findings]
    assert bool(findings) == (normalize and twice)


@pytest.mark.parametrize(
    "name", ["r_square", "r2", "coeff_determination", "pearson_correlation", "mean_iou", "f1"]
)
def test_scores_by_which_more_is_better(name):
    def loss(own):
        function = {"class_name": "function", "config": own, "module": "builtins"}
        return found("MA319", dense(1, "linear"), training={"loss": function})

    assert names(loss(name), f"1 - {name}") == "low"
    assert loss(f"{name}_loss") == loss(f"negative_{name}") == []
