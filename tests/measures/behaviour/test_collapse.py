import numpy as np
import pytest

from modelaudit.measures.behaviour import collapse as c
from modelaudit.thresholds.answers import BIAS_GAIN, LARGE_BIAS_GAIN

SYNTHETIC = c.InputDiversity(synthetic=True)
RNG = np.random.default_rng(0)
SCORES = 4 * RNG.normal(size=(200, 10))


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_healthy_and_constant_classifiers() -> None:
    healthy = c.collapse(softmax(SCORES), "softmax", SYNTHETIC)
    assert not healthy.collapsed
    assert healthy.information > 1.5
    assert healthy.classes == 10
    constant = c.collapse(softmax(SCORES * 0 + np.arange(10)), "softmax", SYNTHETIC)
    assert constant.collapsed
    assert constant.top_class == 9
    assert constant.top_share == 1
    assert constant.spread < 1e-8


@pytest.mark.parametrize(
    ("diversity", "collapsed"),
    [
        (SYNTHETIC, True),
        (c.InputDiversity(largest_class=0.12), True),
        (c.InputDiversity(largest_class=1.0), False),
        (c.InputDiversity(), True),
        (c.InputDiversity(synthetic_information=1.4), False),
        (c.InputDiversity(synthetic_information=1.4, batchnorm_consistent=True), False),
        (c.InputDiversity(synthetic_information=1.4, batchnorm_consistent=False), True),
        (c.InputDiversity(synthetic_information=0.01, batchnorm_consistent=True), True),
    ],
)
def test_images_of_one_class_excuse_a_constant_output(
    diversity: c.InputDiversity, collapsed: bool
) -> None:
    values = softmax(0.01 * SCORES + 9 * np.eye(10)[3])
    assert c.collapse(values, "softmax", diversity).collapsed is collapsed


def test_regression_and_masks_collapse_by_spread() -> None:
    assert c.collapse(np.full((50, 1), 3.0), "regression", SYNTHETIC).collapsed
    assert not c.collapse(RNG.normal(size=(50, 1)), "regression", SYNTHETIC).collapsed
    assert c.collapse(np.zeros((50, 8, 8, 1)), "spatial", SYNTHETIC).collapsed
    faint = 5 + 1e-5 * RNG.normal(size=(50, 1))
    found = c.collapse(faint, "regression", SYNTHETIC)
    assert found.collapsed
    assert found.information is None
    assert 0 < found.spread < 1e-5
    assert not c.collapse(np.full((1, 1), 3.0), "regression", SYNTHETIC).collapsed


def test_limit_grows_with_classes() -> None:
    assert c.bits_limit(2) == c.bits_limit(10) == 0.1
    assert c.bits_limit(1000) == pytest.approx(0.03 * np.log2(1000))


def bias_case(bias: np.ndarray, scores: np.ndarray) -> c.BiasEffect:
    stored = softmax(scores + bias)
    centred = softmax(scores + c.centred_bias(bias))
    return c.bias_effect(stored, centred, "softmax", bias, scores + bias)


def test_a_huge_bias_is_found_and_a_healthy_one_is_not() -> None:
    found = bias_case(60.0 * np.eye(10)[4], SCORES)
    assert found.responsible
    assert found.before < 1e-6
    assert found.after > 1.5
    assert not bias_case(0.1 * RNG.normal(size=10), SCORES).responsible


def test_a_moderate_bias_is_found() -> None:
    found = bias_case(14.0 * np.eye(10)[4], SCORES)
    assert found.before > 0.1
    assert found.excess == pytest.approx(14 / SCORES.std(axis=0).mean())
    assert found.responsible


@pytest.mark.parametrize(("by", "responsible"), [(60.0, True), (1.5, False)])
def test_a_very_large_bias_is_found_even_if_it_hides_little(by: float, responsible: bool) -> None:
    """Two classes with scores s and -s: without the bias 1 - h(sigmoid(2 s)) bits."""
    s = 0.4
    scores = s * np.where(np.arange(200) % 2, 1, -1)[:, None] * np.array([1, -1])
    p = 1 / (1 + np.exp(-2 * s))
    found = bias_case(np.array([by, 0.0]), scores)
    assert found.after == pytest.approx(1 + p * np.log2(p) + (1 - p) * np.log2(1 - p))
    assert LARGE_BIAS_GAIN.value < found.after < BIAS_GAIN.value
    assert found.responsible is responsible


def test_a_collapsed_trunk_is_not_attributed_to_the_bias() -> None:
    assert not bias_case(5.0 * np.eye(10)[4], 1e-9 * SCORES).responsible


def test_a_saturated_single_unit() -> None:
    scores = 3 * RNG.normal(size=(100, 1))
    bias = np.array([-50.0])

    def sigmoid(z: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-z))

    found = c.bias_effect(sigmoid(scores + bias), sigmoid(scores), "sigmoid", bias, scores + bias)
    assert found.responsible
    assert c.centred_bias(bias) == [0]

    def relu(z: np.ndarray) -> np.ndarray:
        return np.maximum(z, 0)

    dead = c.bias_effect(relu(scores + bias), relu(scores), "regression", bias, scores + bias)
    assert dead.responsible


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(0, 3), (4, 0)])
def test_nothing_has_no_spread(shape) -> None:
    assert c.relative_spread(np.zeros(shape)) == 0.0
