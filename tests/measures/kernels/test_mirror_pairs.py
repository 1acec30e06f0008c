import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.measures.dihedral import elements
from modelaudit.measures.kernels import mirror_pairs

H, V = elements((3, 3))[:2]


def closed_kernel(rng: np.random.Generator, pi_in: np.ndarray, pi: np.ndarray) -> np.ndarray:
    """W with W[:, pi_in(c), pi(i)] = H W[:, c, i], by averaging over the group of two."""
    kernel = rng.normal(size=(3, 3, len(pi_in), len(pi)))
    mirrored = np.empty_like(kernel)
    for c, i in itertools.product(range(len(pi_in)), range(len(pi))):
        mirrored[:, :, pi_in[c], pi[i]] = kernel[:, ::-1, c, i]
    return (kernel + mirrored).reshape(9, len(pi_in), len(pi))


def involution(rng: np.random.Generator, n: int) -> np.ndarray:
    pi = np.arange(n)
    pairs = rng.permutation(n)[: n // 2 * 2].reshape(-1, 2)
    pi[pairs[:, 0]], pi[pairs[:, 1]] = pairs[:, 1], pairs[:, 0]
    return pi


@pytest.mark.parametrize("seed", range(5))
def test_constructed_twins_are_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pi_in, pi = involution(rng, 6), involution(rng, 16)
    found = mirror_pairs.match_mirror_pairs(closed_kernel(rng, pi_in, pi), H, (3, 3), pi_in)
    assert np.array_equal(found.permutation, pi)
    assert found.matched == pytest.approx(1, abs=1e-5)
    assert found.score == pytest.approx(1, abs=1e-5)
    assert found.z is not None
    assert found.z > 3
    other = mirror_pairs.match_mirror_pairs(closed_kernel(rng, pi_in, pi), V, (3, 3), pi_in)
    assert other.score is not None
    assert other.score < 0.5


def test_random_filters_score_nothing() -> None:
    rng = np.random.default_rng(0)
    scores, z = [], []
    for _ in range(60):
        kernel = rng.normal(size=(9, 8, 16))
        found = mirror_pairs.match_mirror_pairs(kernel, H, (3, 3), np.arange(8))
        scores.append(found.score)
        z.append(found.z)
    assert abs(np.mean(scores)) < 0.02
    assert 0.7 < np.std(z) < 1.5


def test_filters_with_a_single_twin_each_are_not_searched(monkeypatch) -> None:
    """Those of a depthwise convolution: their twins are those of their channels."""
    rng = np.random.default_rng(3)
    pi = involution(rng, 300)
    kernel = rng.normal(size=(3, 3, 300))
    kernel[..., :40] = (kernel + kernel[:, ::-1, pi])[..., :40]
    allowed = pi[:, None] == np.arange(300)

    def cosine(i: int) -> float:
        one, other = kernel[:, ::-1, i].ravel(), kernel[:, :, pi[i]].ravel()
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    flat, alone = kernel.reshape(9, 1, 300), np.zeros(1, dtype=np.intp)
    monkeypatch.setattr(mirror_pairs, "greedy_matching", None)
    found = mirror_pairs.match_mirror_pairs(flat, H, (3, 3), alone, allowed)
    assert np.array_equal(found.permutation, pi)
    assert found.matched == pytest.approx(np.mean([cosine(i) for i in range(300)]), abs=1e-5)
    monkeypatch.undo()
    allowed[0, pi[0] - 1] = True  # one more to choose from: searched
    searched = mirror_pairs.match_mirror_pairs(flat, H, (3, 3), alone, allowed)
    assert searched.expected == pytest.approx(found.expected, abs=0.01)


def test_matching_is_limited_in_size() -> None:
    with pytest.raises(mirror_pairs.MirrorPairsUndefined, match="too many"):
        mirror_pairs.match_mirror_pairs(np.zeros((9, 1, 513)), H, (3, 3), np.arange(1))
    with pytest.raises(mirror_pairs.MirrorPairsUndefined, match="the input has"):
        mirror_pairs.match_mirror_pairs(np.zeros((9, 4, 8)), H, (3, 3), np.arange(3))


@given(st.integers(1, 7), st.integers(0, 10**6), st.booleans())
def test_matching_equals_greedy_selection_of_the_largest(n: int, seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    weights = (
        rng.integers(0, 3, size=(2, n, n)).astype(float) if ties else rng.normal(size=(2, n, n))
    )
    pairs = mirror_pairs.greedy_matching(weights)
    for table, columns in zip(weights, pairs, strict=True):
        assert sorted(columns) == list(range(n))
        left = {(i, j): table[i, j] for i in range(n) for j in range(n)}
        total = 0.0
        while left:
            i, j = max(left, key=left.__getitem__)
            total += left[i, j]
            left = {k: v for k, v in left.items() if k[0] != i and k[1] != j}
        if not ties:
            assert table[np.arange(n), columns].sum() == pytest.approx(total)


def test_matching_leaves_its_input_alone() -> None:
    weights = np.random.default_rng(0).normal(size=(1, 4, 4))
    copy = weights.copy()
    mirror_pairs.greedy_matching(weights)
    assert np.array_equal(weights, copy)


def test_a_window_of_very_many_positions_is_not_matched() -> None:
    side = int(mirror_pairs.MAX_POSITIONS**0.5)
    one, mirror = np.zeros(1, dtype=np.intp), elements((side, side))[0]
    kernel = np.ones((side * side, 1, 1))
    assert mirror_pairs.match_mirror_pairs(kernel, mirror, (side, side), one).matched > 0.99
    larger = np.ones((side * (side + 1), 1, 1))
    with pytest.raises(mirror_pairs.MirrorPairsUndefined, match="65,792 positions"):
        mirror_pairs.match_mirror_pairs(larger, mirror, (side, side + 1), one)


def test_weights_whose_squares_are_no_float32_give_no_warning(recwarn) -> None:
    kernel = np.random.default_rng(0).normal(size=(9, 4, 6)).astype("float32")
    kernel[0, 0, 0] = 1e38
    found = mirror_pairs.match_mirror_pairs(kernel, H, (3, 3), np.arange(4))
    assert not recwarn.list
    assert np.isfinite(found.score)
