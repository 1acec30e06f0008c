"""Quantiles of the mean-kernel symmetry of independent weights: the table in kernel_symmetry.py.

The mean over many slices is Gaussian whatever the weights' distribution, so Gaussian kernels are
drawn. Prints side, mean, deviation, 95 % and 99 % quantile of 200,000 draws (seed 0), with the
standard error of the last from ten blocks.

    python benchmarks/mean_kernel_null.py
"""

import numpy as np

from modelaudit.measures.dihedral import elements, index_map

DRAWS = 200_000
BLOCKS = 10


def symmetries(side: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """The measure of `mean_kernel_symmetry`, over many kernels at once."""
    kernels = rng.standard_normal((draws, side * side), dtype=np.float32)
    kernels /= np.linalg.norm(kernels, axis=1, keepdims=True)
    group = elements((side, side))
    moved = sum(
        np.linalg.norm(kernels[:, index_map(g, (side, side))] - kernels, axis=1) for g in group
    )
    return 1 - moved / (2 * len(group))


def main() -> None:
    rng = np.random.default_rng(0)
    print("side  mean   sd     q95    q99    s.e.(q99)")
    for side in (2, 3, 4, 5, 6, 7, 8, 9, 11, 13):
        blocks = [symmetries(side, DRAWS // BLOCKS, rng) for _ in range(BLOCKS)]
        values = np.concatenate(blocks)
        q95, q99 = np.quantile(values, (0.95, 0.99))
        error = np.std([np.quantile(block, 0.99) for block in blocks], ddof=1) / BLOCKS**0.5
        print(f"{side:4d}  {values.mean():.4f} {values.std():.4f} {q95:.4f} {q99:.4f} {error:.5f}")


if __name__ == "__main__":
    main()
