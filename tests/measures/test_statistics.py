import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.measures import statistics


@pytest.mark.parametrize(
    ("r", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_newcombe_s_table(r: int, n: int, low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17, table I, method 3."""
    found = statistics.wilson(r, n)
    assert [round(v, 4) for v in found] == [low, high]


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_an_interval_around_the_proportion(counts: tuple[int, int]) -> None:
    r, n = counts
    low, high = statistics.wilson(r, n)
    assert 0 <= low <= r / n <= high <= 1
    mirrored = statistics.wilson(n - r, n)
    assert mirrored == pytest.approx((1 - high, 1 - low))


def test_wilson_without_inputs_is_undefined() -> None:
    assert statistics.wilson(0, 0) == (0.0, 1.0)


def test_kappa_of_a_worked_table() -> None:
    """20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: agreement .7, chance .5, kappa .4."""
    a = np.repeat([1, 1, 0, 0], [20, 5, 10, 15])
    b = np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    assert statistics.cohen_kappa(a, b) == pytest.approx(0.4)
    assert statistics.cohen_kappa(a, 1 - a) == pytest.approx(-1, abs=0.1)
    assert statistics.cohen_kappa(a, a) == pytest.approx(1)


def test_kappa_is_undefined_where_a_side_is_constant() -> None:
    a = np.array([0, 1, 2])
    assert statistics.cohen_kappa(a, np.ones(3, int)) is None
    assert statistics.cohen_kappa(np.ones(3, int), np.ones(3, int)) is None
    assert statistics.cohen_kappa(a[:0], a[:0]) is None


def test_bootstrap_covers_the_mean() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        low, high = statistics.bootstrap_mean_ci(rng.exponential(size=80), rng, draws=400)
        covered += low <= 1 <= high
    assert 0.88 < covered / 200 < 0.98


def test_bootstrap_is_repeatable() -> None:
    values = np.arange(10.0)
    runs = [statistics.bootstrap_mean_ci(values, np.random.default_rng(5)) for _ in range(2)]
    assert runs[0] == runs[1]


def test_holm_by_hand() -> None:
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert statistics.holm([]) == ()


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_falls_below_and_keeps_the_order(p: list[float]) -> None:
    adjusted = statistics.holm(p)
    assert all(a >= b for a, b in zip(adjusted, p, strict=True))
    for i in range(len(p)):
        for j in range(len(p)):
            if p[i] < p[j]:
                assert adjusted[i] <= adjusted[j]


@given(*[st.integers(0, 30)] * 4)
def test_fisher_against_scipy(a: int, b: int, c: int, d: int) -> None:
    from scipy.stats import fisher_exact

    expected = fisher_exact([[a, b], [c, d]]).pvalue
    assert statistics.fisher_exact(a, b, c, d) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [50, 500, 5000])
@pytest.mark.parametrize("power", [1.0, 1.05, 1.4])
def test_kolmogorov_smirnov_against_scipy(n: int, power: float) -> None:
    from scipy.stats import kstest

    sample = np.sort(np.random.default_rng(n).random(n) ** power)
    expected = kstest(sample, "uniform")
    distance, p = statistics.kolmogorov_smirnov(sample)
    assert distance == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue, rel=0.05, abs=1e-4)


@given(st.integers(40, 3000), st.integers(2, 12), st.floats(0.5, 2.0))
def test_kolmogorov_smirnov_of_some_values_is_a_bound(n: int, step: int, power: float) -> None:
    sample = np.sort(np.random.default_rng(n).random(n) ** power)
    distance, p = statistics.kolmogorov_smirnov(sample)
    bound, most = statistics.kolmogorov_smirnov(sample[::step], step, n)
    assert distance - (step + 1) / n < bound <= distance
    assert most >= p


def test_kolmogorov_smirnov_rejects_at_its_level() -> None:
    rng = np.random.default_rng(1)
    p = [statistics.kolmogorov_smirnov(np.sort(rng.random(300)))[1] for _ in range(2000)]
    assert 0.03 < np.mean(np.array(p) < 0.05) < 0.07


@pytest.mark.parametrize("n", [30, 500, 50_000])
@pytest.mark.parametrize("scale", [0.97, 1.0, 1.1])
def test_chi_squared_against_scipy(n: int, scale: float) -> None:
    from scipy.stats import chi2

    numbers = scale * np.random.default_rng(n).normal(size=n)
    total = np.square(numbers).sum()
    expected = 2 * min(chi2.cdf(total, n), chi2.sf(total, n))
    assert statistics.chi_squared(numbers) == pytest.approx(expected, rel=0.1, abs=1e-3)
