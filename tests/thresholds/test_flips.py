"""Decisions at the edges of `modelaudit.thresholds.flips`."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.diagnosis.steps.flip import (
    by_construction,
    learned,
    output_follows,
    sensitive_architecture,
    sensitive_data,
)
from modelaudit.diagnosis.suspects import suspects
from modelaudit.measures.behaviour.output_actions import best_action
from modelaudit.measures.behaviour.transform_effects import OutputPair, per_class
from modelaudit.measures.behaviour.variation import normalised_variation
from modelaudit.measures.transforms import transforms_for
from modelaudit.rules.examples_behaviour import HEALTHY, with_behaviour
from modelaudit.settings import Expectation, Settings
from modelaudit.structs import replace
from tests.diagnosis.cases import behaviour, diagnosed, mirror, output, turned
from tests.thresholds.edges import Edges, answer, case, check, found, outcome

EDGES = Edges()
at = EDGES.at


def flipped_by(nfv, kappa=0.97, *others, **changes):
    """Whether training made an output invariant that a flip changes this much."""
    effect = mirror(nfv, kappa)
    shown = output(transforms=(effect, *others), **changes)
    return learned(case(behaviour(shown)), shown, effect)


@at("flips.EXACT", {0.99e-6: True, 1e-6: False, 1.01e-6: False})
def symmetric_by_construction(nfv):
    return found(by_construction, behaviour(output(transforms=(mirror(nfv),))))


@at("flips.EXACT", {0.99e-6: 2, 1e-6: 1})
def exact_flips_named(nfv):
    effects = (mirror(1e-12), turned(nfv))
    return len(by_construction(case(behaviour(output(transforms=effects)))).evidence)


@at("flips.LEARNED", {0.0595: True, 0.06: None})
def learned_without_anything_to_compare(nfv):
    return flipped_by(nfv)


@at("flips.SENSITIVE", {0.199: None, 0.2: False})
def possibly_learned(nfv):
    return flipped_by(nfv)


@at("flips.SENSITIVE", {0.199: True, 0.2: None})
def learned_like_every_orientation(nfv):
    return flipped_by(0.1, 0.97, replace(turned(nfv), name="r90"))


@at("flips.SENSITIVE", {0.199: True, 0.2: False})
def follows_the_flip(nfv):
    effect = replace(mirror(nfv), action="odd")
    return found(output_follows, behaviour(output(transforms=(effect,))))


@at("flips.SENSITIVE", {0.199: "pass", 0.2: "fail"})
def sensitive_output(nfv):
    return outcome("MA604", with_behaviour(replace(HEALTHY, transforms=(mirror(nfv),))))


@at("flips.SENSITIVE", {0.199: "pass", 0.2: "fail"})
def declared_invariance(nfv):
    seen = with_behaviour(replace(HEALTHY, transforms=(mirror(nfv),)))
    settings = Settings(expectations=(Expectation("invariant"),))
    return outcome("MA608", replace(seen, settings=settings))


@at("flips.SENSITIVE", {0.199: "odd", 0.201: "invariant"})
def changed_sign(nfv):
    """The output changes its sign and loses a part that leaves this variation."""
    plain = np.array([[1.0], [-1.0]] * 500)
    # (1 - a)^2 / (2 * 1000 / 999) of the variation between inputs is left.
    kept = 1 - np.sqrt(2 * 1000 / 999 * nfv)
    return best_action(plain, -kept * plain, "regression", MIRROR).name


@at("flips.ACCURACY_LOSS", {0.0295: True, 0.0305: None})
def learned_by_accuracy(loss):
    return flipped_by(0.1, accuracy={"e": 0.9, "H": 0.9 - loss}, worse_p={"H": 0.5})


@at("answers.EQUAL_P", {0.0495: None, 0.0505: True})
def no_worse_by_accuracy(p):
    return flipped_by(0.1, accuracy={"e": 0.9, "H": 0.89}, worse_p={"H": p})


@at("answers.BETTER_P", {0.0099: False, 0.0101: None})
def worse_by_accuracy(p):
    return flipped_by(0.1, accuracy={"e": 0.9, "H": 0.7}, worse_p={"H": p})


@at("flips.MIRROR_RATIO", {0.248: True, 0.25: None, 0.252: None})
def learned_by_ratio(ratio):
    return flipped_by(0.5 * ratio, 0.97, turned(0.5))


@at("flips.KAPPA", {0.799: False, 0.8: False, 0.805: True})
def learned_with_agreement(kappa):
    return flipped_by(0.02, kappa)


@at("flips.KAPPA", {0.8: None, 0.805: True})
def every_orientation_with_agreement(kappa):
    return flipped_by(0.1, kappa, replace(turned(0.1), name="r90"))


@at("flips.KAPPA_MIRROR", {0.899: None, 0.9: None, 0.905: True})
def learned_by_ratio_with_agreement(kappa):
    return flipped_by(0.1, kappa, turned(0.5))


MIRROR = next(move for move in transforms_for((None, 1, 2, 1)) if move.name == "H")


@at("flips.ACTION_SHARE", {0.495: "odd", 0.505: "invariant"})
def some_changed_signs(share):
    """The first number is noisy and keeps its sign; the second changes it."""
    noise = 0.4
    second = noise * np.sqrt((1 / share - 1) / 4)
    plain = np.array([(a, b) for a in (1.0, -1.0) for b in (second, -second)])
    moved = np.stack([plain[:, 0] * (1 + noise), -plain[:, 1]], axis=1)
    return best_action(plain, moved, "regression", MIRROR).name


@at("flips.ACTION_SHARE", {0.495: "invariant", 0.505: "spatial"})
def a_map_that_stays(share):
    root = np.sqrt(share)
    plain = np.array([1.0, -1.0])[:, None] * np.array([1.0, -1.0])[None, :]
    plain = plain.reshape(2, 1, 2, 1)
    moved = plain * (1 + 2 * root / (1 - root))
    return best_action(plain, moved, "spatial", MIRROR).name


@at("flips.FOLLOWED", {0.845: "invariant", 0.85: "swap"})
def exchanged_classes(share):
    """All inputs that do not follow keep their class with a small score."""
    plain = np.array([[1.0, -1.0], [-1.0, 1.0]] * 100)
    follows = np.arange(200) < round(200 * share)
    moved = np.where(follows[:, None], -plain, 0.01 * plain)
    return best_action(plain, moved, "logits", MIRROR).name


def sensitive(floor):
    return behaviour(output(transforms=(mirror(0.4), turned()), floor={"H": floor}))


@at("flips.FLOOR_SHARE", {0.495: False, 0.5: False, 0.505: True})
def architecture_is_the_cause(share):
    return found(sensitive_architecture, sensitive(0.4 * share))


@at("flips.FLOOR_SHARE", {0.5: 2, 0.505: 1})
def data_is_shown_to_be_the_cause(share):
    return len(sensitive_data(case(sensitive(0.4 * share))).evidence)


@at("flips.FLOOR_SHARE", {0.5: "ruled out", 0.505: "open"})
def suspicion_of_the_architecture(share):
    """A one-class head bias is named first, so that only the floor decides about the filters."""
    seen = sensitive(0.4 * share)
    first = diagnosed(behaviour(output(transforms=(mirror(0.4),), floor={})))
    return suspects(case(seen), first)[1].state


@at("flips.NO_VARIATION", {0.99e-9: True, 1.01e-9: False})
def undefined_variation(between):
    """Two outputs near 1 with this variation between them."""
    z = 1 + np.sqrt(between) / 2 * np.array([[1.0], [-1.0]])
    return normalised_variation(z, z) is None


@at("flips.PER_CLASS", {19: 1, 20: 2, 21: 2})
def classes_with_effects(inputs):
    labels = np.repeat([0, 1], [inputs, 40])
    scores = np.eye(2)[labels] * 2.0
    return len(per_class(OutputPair(scores, scores), "logits", "H"))


@pytest.mark.parametrize(("edge", "number"), EDGES.cases())
def test_decision(edge, number):
    check(edge, number)


def test_a_flip_that_cannot_be_judged_is_unknown():
    assert answer(by_construction, behaviour(output(transforms=()))) == "unknown"
