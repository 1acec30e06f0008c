import numpy as np
import pytest

from modelaudit.measures.behaviour import outputs

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(20, 5)) * 3
SOFTMAX = np.exp(SCORES) / np.exp(SCORES).sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("values", "facts", "kind"),
    [
        (SOFTMAX, {}, "softmax"),
        (SOFTMAX, {"activation": "softmax"}, "softmax"),
        (SCORES, {"activation": "linear"}, "logits"),
        (SCORES, {"activation": "linear", "loss": "mean_squared_error"}, "regression"),
        (SCORES, {"loss": "SparseCategoricalCrossentropy"}, "logits"),
        (SOFTMAX[:, :1], {}, "sigmoid"),
        (SOFTMAX[:, :1], {"activation": "linear"}, "regression"),
        (SCORES[:, :1], {}, "regression"),
        (SOFTMAX, {"activation": "sigmoid"}, "softmax"),
        (1 - SOFTMAX, {"activation": "sigmoid"}, "sigmoid"),
        (np.abs(SCORES), {"activation": "relu"}, "embedding"),
        (SCORES / np.linalg.norm(SCORES, axis=1, keepdims=True), {}, "embedding"),
        (SCORES, {"has_head": False}, "embedding"),
        (np.zeros((20, 8, 8, 1)), {"activation": "sigmoid"}, "spatial"),
        (SCORES, {"activation": "tanh"}, "regression"),
    ],
)
def test_kinds(values: np.ndarray, facts: dict, kind: str) -> None:
    assert outputs.output_kind(values, **facts) == kind


def test_probabilities_sum_to_one() -> None:
    assert np.allclose(outputs.probabilities(SCORES, "logits"), SOFTMAX)
    huge = outputs.probabilities(SCORES * 1e4, "logits")
    assert np.isfinite(huge).all()
    bernoulli = outputs.probabilities(SOFTMAX, "sigmoid")
    assert bernoulli.shape == (20, 5, 2)
    assert np.allclose(bernoulli.sum(axis=-1), 1)
    assert outputs.probabilities(SCORES, "regression") is None


def test_comparable_is_the_same_for_logits_and_their_softmax() -> None:
    assert np.allclose(outputs.comparable(SCORES, "logits"), outputs.comparable(SOFTMAX, "softmax"))
    odds = outputs.comparable(np.array([[0.5], [0.9], [0.0]]), "sigmoid")
    assert odds[:2, 0] == pytest.approx([0, np.log(9)])
    assert np.isfinite(odds).all()


def test_comparable_leaves_its_input_alone() -> None:
    values = SCORES.copy()
    outputs.comparable(values, "logits")
    assert np.array_equal(values, SCORES)


def test_predicted() -> None:
    assert np.array_equal(outputs.predicted(SCORES, "logits"), SCORES.argmax(axis=1))
    assert np.array_equal(outputs.predicted(np.array([[0.2], [0.7]]), "sigmoid"), [0, 1])
    assert outputs.predicted(SCORES, "regression") is None
    assert outputs.class_count(SCORES, "logits") == 5
    assert outputs.class_count(SCORES[:, :1], "sigmoid") == 2
    assert outputs.class_count(SCORES, "embedding") is None


def test_the_margin_is_the_lead_of_the_best_class_for_every_output_kind() -> None:
    first, second = np.sort(SCORES, axis=1)[:, :-3:-1].T
    lead = np.median(first - second)
    assert outputs.median_margin(SCORES, "logits") == pytest.approx(lead)
    assert outputs.median_margin(SOFTMAX, "softmax") == pytest.approx(lead)
    assert outputs.median_margin(255 * SCORES, "logits") == pytest.approx(255 * lead)


def test_the_margin_of_a_softmax_is_limited_by_float32() -> None:
    certain = np.eye(3, dtype="float32")
    assert outputs.median_margin(certain, "softmax") == pytest.approx(outputs.LARGEST_MARGIN)
    assert np.exp(-outputs.LARGEST_MARGIN) == pytest.approx(np.finfo("float32").tiny)


@pytest.mark.parametrize(
    ("values", "kind"),
    [(SCORES, "regression"), (SOFTMAX[:, :1], "sigmoid"), (SOFTMAX[:0], "softmax")],
)
def test_outputs_without_classes_have_no_margin(values: np.ndarray, kind: str) -> None:
    assert outputs.median_margin(values, kind) is None
