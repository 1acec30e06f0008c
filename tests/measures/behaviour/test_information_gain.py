"""Gains of information: on drawn predictions whose order is known."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from modelaudit.measures.behaviour.information_gain import (
    BOUND,
    ENTROPY_SHARE,
    at_equal_confidence,
    information_gains,
    resampled_agreement,
)
from modelaudit.measures.behaviour.orientation import information
from modelaudit.measures.behaviour.transform_effects import entropy


def answers(signal: float, seed: int, n: int = 256, k: int = 10, scale: float = 1.0):
    """Predictions of a network with scores of this strength for one class of each input."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, k))
    scores[np.arange(n), np.arange(n) % k] += signal
    powers = np.exp(scale * scores)
    return powers / powers.sum(axis=1, keepdims=True)


def gains(**outputs):
    return information_gains(outputs, np.random.default_rng(0))


def test_inputs_that_are_told_apart_gain_information():
    found = gains(e=answers(1.0, 1), V=answers(3.0, 2), H=answers(1.0, 3))
    assert found["V"].bits > 0.5
    assert found["V"].z > 8
    assert abs(found["H"].z) < 4


def test_the_gain_is_the_difference_of_the_information():
    e, other = answers(1.0, 1, n=2000), answers(2.0, 2, n=2000)
    found = gains(e=e, V=other)["V"]
    assert found.bits == pytest.approx(information(other) - information(e), abs=0.02)


@pytest.mark.parametrize("one_class", [True, False])
def test_images_of_one_class_are_told_from_images_in_a_wrong_form(one_class):
    """Both get one prediction and gain information in another form: only one gets surer."""
    right, wrong = answers(4.0, 1), answers(0.3, 2)
    wrong[:, 0] += 0.4  # in the wrong form, most inputs look like the first class
    wrong /= wrong.sum(axis=1, keepdims=True)
    kind = np.arange(256) % 10 == 0
    found = gains(e=right[kind], V=wrong[kind]) if one_class else gains(e=wrong, V=right)
    assert (found["V"].surer_z >= 0) != one_class
    e, v = (right[kind], wrong[kind]) if one_class else (wrong, right)
    falls = [one - other for one, other in zip(entropy(e), entropy(v), strict=True)]
    error = statistics.pstdev(falls) / math.sqrt(len(falls))
    assert found["V"].surer_z == pytest.approx(statistics.fmean(falls) / error)


def test_larger_scores_alone_gain_nothing_at_equal_confidence():
    found = gains(e=answers(1.5, 1), **{"*255": answers(1.5, 1, scale=40.0)})["*255"]
    assert found.bits > 0.5
    assert abs(found.equal_bits) < 0.1


def test_the_right_scale_gains_at_equal_confidence():
    given, right = answers(0.2, 1, scale=40.0), answers(3.0, 1)
    given[:, :3] += 4.0  # saturated features favour some classes, whatever the input
    given /= given.sum(axis=1, keepdims=True)
    assert gains(e=given, **{"/255": right})["/255"].equal_z > 8


def test_equal_confidence_is_a_given_mean_entropy():
    for scale in (1e-3, 1.0, 30.0):
        found = at_equal_confidence(answers(1.0, 5, scale=scale))
        assert entropy(found).mean() == pytest.approx(ENTROPY_SHARE * np.log2(10), abs=1e-3)
        assert (found.argmax(axis=1) == answers(1.0, 5, scale=scale).argmax(axis=1)).all()


def test_constant_predictions_have_no_information_at_any_confidence():
    constant = np.tile(answers(1.0, 1)[:1], (64, 1))
    assert information(at_equal_confidence(constant)) == pytest.approx(0, abs=1e-9)


def test_forms_that_say_as_much_are_named():
    found = gains(e=answers(0.5, 1), H=answers(3.0, 2), r180=answers(3.0, 3), T=answers(1.5, 4))
    assert found["H"].also == ("r180",)


def test_several_sigmoids_have_no_common_confidence():
    p = answers(2.0, 1, k=2).reshape(128, 2, 2)
    found = gains(e=np.full_like(p, 0.5), H=p)["H"]
    assert found.z > 4
    assert found.equal_z is None


def test_agreement_with_mirror_images_by_its_definition():
    rng = np.random.default_rng(5)
    p, q = rng.dirichlet(np.ones(4), (2, 30))
    each = np.full((1, 30), 1 / 30)
    mean = (p + q).mean(axis=0) / 2
    lifts = [sum(p[i, k] * q[i, k] / mean[k] for k in range(4)) for i in range(30)]
    expected = np.mean([np.log2((1 - BOUND) * lift + BOUND) for lift in lifts])
    assert resampled_agreement(p, q, each)[0] == pytest.approx(expected)
    sure = np.eye(4)[np.arange(32) % 4]
    whole = np.full((1, 32), 1 / 32)
    assert resampled_agreement(sure, sure, whole)[0] == pytest.approx(np.log2(0.9 * 4 + 0.1))


def test_the_form_in_which_images_and_their_mirror_images_agree():
    """A weak network, right for about half of its images: in the wrong form, it guesses."""
    right, wrong = (answers(1.5, 1), answers(1.5, 2)), (answers(0.3, 3), answers(0.3, 4))
    for given, other, agrees in ((wrong, right, True), (right, wrong, False)):
        forms = {"e": given[0], "2x-1": other[0]}
        mirrored = {"e": given[1], "2x-1": other[1]}
        gain = information_gains(forms, np.random.default_rng(0), mirrored)["2x-1"]
        assert (gain.mirror_z > 5, gain.mirror_z < -5) == (agrees, not agrees)
        assert information_gains(forms, np.random.default_rng(0))["2x-1"].mirror_z is None
