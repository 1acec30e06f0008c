"""Largest `spectrum_excess` of independent weights, the basis of a limit in initialization.py.

Draws uniform and normal weights in shapes of small and usual layers and prints, for each, the
largest excess, the 99 % quantile and the share above 1 (by definition of the measure about 0.01).

    python benchmarks/spectrum_null.py
"""

import numpy as np

from modelaudit.measures.statistics import spectrum_excess

SHAPES = (
    (8, 8),
    (3, 3, 1, 16),
    (3, 3, 3, 32),
    (32, 10),
    (3, 3, 16, 32),
    (3, 3, 64, 64),
    (512, 256),
)
DRAWS = 1000


def main() -> None:
    rng = np.random.default_rng(0)
    laws = {"uniform": lambda size: rng.uniform(-1, 1, size), "normal": rng.standard_normal}
    print("shape              law      largest  q99    above 1")
    for shape in SHAPES:
        count = DRAWS if np.prod(shape) < 20_000 else DRAWS // 10
        for law, draw in laws.items():
            found = np.array([spectrum_excess(draw(shape), shape) for _ in range(count)])
            largest, quantile = found.max(), np.quantile(found, 0.99)
            above = (found > 1).mean()
            print(f"{shape!s:18} {law:8} {largest:.3f}    {quantile:.3f}  {above:.3f}")


if __name__ == "__main__":
    main()
