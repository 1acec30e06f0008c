import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.measures.behaviour import transform_effects
from modelaudit.measures.behaviour.variation import normalised_variation, pairwise_variation
from modelaudit.measures.transforms import transforms_for

H = transforms_for((None, 9, 9, 1))[0]


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def effect(plain: np.ndarray, moved: np.ndarray, kind: str, **more: object):
    return transform_effects.transform_effect(
        transform_effects.OutputPair(plain, moved), kind, H, np.random.default_rng(0), **more
    )


def images(n: int = 60) -> np.ndarray:
    return np.random.default_rng(3).random((n, 9, 9, 1))


@given(st.integers(2, 30), st.integers(1, 6), st.integers(0, 10**6))
def test_pairwise_variation_is_the_mean_over_pairs(n: int, d: int, seed: int) -> None:
    z = np.random.default_rng(seed).normal(size=(n, d))
    pairs = [((z[i] - z[j]) ** 2).sum() for i in range(n) for j in range(n) if i != j]
    assert pairwise_variation(z) == pytest.approx(np.mean(pairs))


def test_variation_of_an_exactly_invariant_map_is_zero() -> None:
    x = images()
    weights = np.random.default_rng(0).normal(size=(9, 9, 1, 4))
    weights += weights[:, ::-1]

    def f(a: np.ndarray) -> np.ndarray:
        return np.einsum("nhwc,hwck->nk", a, weights)

    found = effect(f(x), f(H.apply(x)), "logits")
    assert found.nfv < 1e-25
    assert found.agreement == 1
    assert found.kappa == pytest.approx(1)
    assert found.action == "invariant"
    assert found.js < 1e-12


def test_variation_of_independent_outputs_is_one() -> None:
    rng = np.random.default_rng(0)
    found = normalised_variation(rng.normal(size=(4000, 3)), rng.normal(size=(4000, 3)))
    assert found == pytest.approx(1, abs=0.05)


def test_variation_is_scale_and_shift_free() -> None:
    rng = np.random.default_rng(0)
    z, moved = rng.normal(size=(2, 50, 4))
    base = normalised_variation(z, moved)
    assert normalised_variation(7 * z, 7 * moved) == pytest.approx(base)
    assert normalised_variation(z + 5, moved + 5) == pytest.approx(base)


@pytest.mark.parametrize(
    ("z", "noise"),
    [
        (np.full((20, 3), 4.0), 0.0),
        (np.zeros((20, 3)), 0.0),
        (4 + 1e-6 * np.random.default_rng(0).normal(size=(20, 3)), 0.0),
        (1e-3 * np.random.default_rng(0).normal(size=(20, 3)), 1e-3),
        (np.full((20, 3), np.nan), 0.0),
        (np.ones((1, 3)), 0.0),
    ],
)
def test_variation_is_not_defined_under_collapse(z: np.ndarray, noise: float) -> None:
    assert normalised_variation(z, z + 1e-7, noise=noise) is None


def test_no_comparisons_of_noise_under_collapse() -> None:
    p = softmax(np.random.default_rng(0).normal(size=(30, 4)))
    found = effect(p, p[::-1], "softmax", collapsed=True)
    assert found.kappa is None
    assert found.nfv is None
    assert found.agreement is not None


def test_a_steering_angle_is_odd() -> None:
    x = images()

    def f(a: np.ndarray) -> np.ndarray:
        return (a * np.linspace(-1, 1, 9)[:, None]).sum(axis=(1, 2))

    found = effect(f(x), f(H.apply(x)), "regression")
    assert found.action == "odd"
    assert found.detail["signs"] == [-1]
    assert found.nfv < 1e-25
    assert 1.5 < found.detail["nfv_invariant"] < 2.5
    assert found.agreement is None


def test_left_and_right_swap() -> None:
    x = images(200)
    tilt = (x * np.linspace(-1, 1, 9)[:, None]).sum(axis=(1, 2, 3))
    mirrored = (H.apply(x) * np.linspace(-1, 1, 9)[:, None]).sum(axis=(1, 2, 3))

    def f(t: np.ndarray) -> np.ndarray:
        return softmax(np.stack([t, -t, 0.1 + 0 * t], axis=1))

    found = effect(f(tilt), f(mirrored), "softmax")
    assert found.action == "swap"
    assert found.detail["classes"] == [1, 0, 2]
    assert found.nfv < 1e-20
    assert found.kappa < -0.5


def test_a_sensitive_classifier_is_not_explained_by_a_swap() -> None:
    rng = np.random.default_rng(0)
    plain, moved = softmax(3 * rng.normal(size=(2, 80, 6)))
    found = effect(plain, moved, "softmax")
    assert found.action == "invariant"
    assert found.nfv == found.detail["nfv_invariant"]


@pytest.mark.parametrize(("hesitant", "action"), [(0.1, "swap"), (0.3, "invariant")])
def test_a_swap_must_be_followed_by_predictions_and_not_only_scores(
    hesitant: float, action: str
) -> None:
    """Unsure predictions stay, all others swap; the former hardly change the scores."""
    n = 200
    side = np.where(np.arange(n) % 2, 1.0, -1.0)
    doubtful = np.arange(n) < hesitant * n
    score = side * np.where(doubtful, 0.01, 3.0)
    moved = np.where(doubtful, score, -score)
    plain, other = (softmax(np.stack([s, -s, 0 * s - 9], axis=1)) for s in (score, moved))
    found = effect(plain, other, "softmax")
    assert found.action == action
    assert found.agreement == pytest.approx(hesitant)


def test_a_mask_follows_the_transform() -> None:
    x = images()
    found = effect(x**2, H.apply(x) ** 2, "spatial")
    assert found.action == "spatial"
    assert found.nfv == 0
    assert found.max_abs_diff == 0
    still = effect(x, x, "spatial")
    assert still.action == "invariant"


def test_divergences_have_their_closed_forms() -> None:
    p, q = np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[0.0, 1.0], [0.5, 0.5]])
    assert transform_effects.js_divergence(p, q) == pytest.approx([1, 0])
    assert transform_effects.total_variation(p, q) == pytest.approx([1, 0])
    # One confident, one uniform: H(3/4) - 1/2.
    sure, even = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    expected = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25)) - 0.5
    assert transform_effects.js_divergence(sure, even) == pytest.approx([expected])
    assert transform_effects.total_variation(sure, even) == pytest.approx([0.5])
    several = np.stack([p, q], axis=1)
    assert transform_effects.js_divergence(several, several[:, ::-1]) == pytest.approx([1, 0])


@given(st.integers(0, 10**6), st.integers(2, 8))
def test_divergence_is_symmetric_and_bounded_by_variation(seed: int, k: int) -> None:
    """JS <= TV in bits (Lin 1991)."""
    p, q = softmax(np.random.default_rng(seed).normal(size=(2, 20, k)) * 4)
    js, tv = transform_effects.js_divergence(p, q), transform_effects.total_variation(p, q)
    assert js == pytest.approx(transform_effects.js_divergence(q, p))
    assert (js <= tv + 1e-12).all()


def test_kappa_interval_against_one_resample_at_a_time() -> None:
    from modelaudit.measures.statistics import bootstrap_indices, cohen_kappa

    rng = np.random.default_rng(0)
    a = rng.integers(0, 4, 90)
    b = np.where(rng.random(90) < 0.7, a, rng.integers(0, 4, 90))
    rows = bootstrap_indices(90, 500, np.random.default_rng(9))
    one_by_one = [cohen_kappa(a[r], b[r]) for r in rows]
    found = transform_effects.kappa_interval(a, b, np.random.default_rng(9), draws=500)
    assert found == pytest.approx(tuple(np.quantile(one_by_one, [0.025, 0.975])))
    assert transform_effects.kappa_interval(a, np.zeros(90, int), np.random.default_rng(0)) is None


def test_scrambling_keeps_the_norm_and_the_spectrum() -> None:
    x = images(5)
    gx = H.apply(x)
    scrambled = transform_effects.phase_scrambled(x, gx, np.random.default_rng(0), (1, 2))
    d, e = gx - x, scrambled - x
    assert np.linalg.norm(e.reshape(5, -1), axis=1) == pytest.approx(
        np.linalg.norm(d.reshape(5, -1), axis=1)
    )
    assert np.abs(np.fft.fft2(e, axes=(1, 2))) == pytest.approx(
        np.abs(np.fft.fft2(d, axes=(1, 2))), abs=1e-9
    )
    assert abs(np.corrcoef(d.ravel(), e.ravel())[0, 1]) < 0.4
    assert np.array_equal(
        transform_effects.phase_scrambled(x, x, np.random.default_rng(0), (1, 2)), x
    )


def test_scrambled_ratio() -> None:
    assert transform_effects.scrambled_ratio(
        np.array([0.2, 0.4]), np.array([0.1, 0.1])
    ) == pytest.approx(3)
    assert transform_effects.scrambled_ratio(np.zeros(2), np.zeros(2)) is None
    p = softmax(np.random.default_rng(0).normal(size=(30, 4)))
    assert effect(p, p[::-1], "softmax", scrambled=p[::-1]).scrambled_ratio == pytest.approx(1)


def test_one_bad_class_is_found() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 30)
    plain = softmax(8 * np.eye(4)[labels] + rng.normal(size=(120, 4)))
    moved = plain.copy()
    moved[:28] = plain[30:58]
    rows = {
        row.class_index: row
        for row in transform_effects.per_class(
            transform_effects.OutputPair(plain, moved), "softmax", "H"
        )
    }
    assert rows[0].agreement == pytest.approx(2 / 30)
    assert rows[0].p_holm < 1e-10
    assert all(rows[c].agreement == 1 for c in (1, 2, 3))
    assert all(rows[c].p_holm >= rows[c].p for c in rows)
    few = transform_effects.OutputPair(plain[:10], moved[:10])
    assert transform_effects.per_class(few, "softmax", "H") == ()
    assert transform_effects.per_class(few, "regression", "H") == ()


def test_top_share_is_that_of_the_transformed_inputs() -> None:
    scores = np.eye(4)
    assert effect(scores, scores[[1, 1, 1, 0]], "softmax").detail["top_share"] == 0.75
