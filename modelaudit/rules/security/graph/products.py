"""How many numbers an operation multiplies: the time of matrix products and decompositions."""

from __future__ import annotations

import math
from collections.abc import Mapping

from modelaudit.formats.keras.builtin_layers import words
from modelaudit.rules.security.graph.extents import MOST, Attributes, Extent, Inputs, nth
from modelaudit.rules.security.graph.op_tables import MATRIX
from modelaudit.rules.security.graph.shape_ops import turned

PER_ROUND = 100_000  # multiplications that take as long as a round of a loop: 10 µs

# What takes n³ of them for a matrix of n rows, as often as measured with TensorFlow 2.21 for
# matrices of 400 and 800 rows, in units of the time that their product takes.
_DECOMPOSITIONS: Mapping[str, int] = {
    **dict.fromkeys(words("Cholesky Lu MatrixDeterminant LogMatrixDeterminant"), 1),
    **dict.fromkeys(words("MatrixTriangularSolve MatrixSolve CholeskyGrad"), 1),
    **dict.fromkeys(words("MatrixInverse BatchMatrixInverse"), 3),
    **dict.fromkeys(words("Qr MatrixSolveLs MatrixExponential"), 4),
    **dict.fromkeys(words("Svd SelfAdjointEig SelfAdjointEigV2"), 8),
    **dict.fromkeys(words("Eig MatrixSquareRoot"), 100),
    "MatrixLogarithm": 500,
}
_CONVOLUTIONS = words("Conv2D Conv3D")
MULTIPLY = frozenset(("Einsum", *_DECOMPOSITIONS, *MATRIX, *_CONVOLUTIONS))


def products(op: str, inputs: Inputs, attributes: Attributes, result: Extent) -> int:
    """At least how many multiplications an operation needs; 0 for one that is none of these.

    Args:
        inputs: what is known of its inputs.
        result: what is known of its first output.
    """
    if op not in MULTIPLY:
        return 0
    shape = nth(inputs, 0).shape or ()
    if op in _DECOMPOSITIONS and len(shape) > 1:
        short, long = sorted(shape[-2:])
        count = _DECOMPOSITIONS[op] * math.prod(shape[:-2]) * short * short * long
    elif op in MATRIX and len(shape) > 1:
        count = result.elements * shape[-2 if turned(attributes)[0] else -1]
    elif op in _CONVOLUTIONS and result.shape is not None:
        count = result.elements * math.prod((nth(inputs, 1).shape or (1,))[:-1])
    else:
        count = math.prod(_labels(inputs, attributes).values()) if op == "Einsum" else 0
    return min(count, MOST)


def _labels(inputs: Inputs, attributes: Attributes) -> dict[str, int]:
    """The length of each axis of an equation such as `ij,jk->ik`."""
    equation = attributes.get("equation")
    taken = equation.partition("->")[0] if isinstance(equation, str) else ""
    found: dict[str, int] = {}
    for labels, each in zip(taken.split(","), inputs, strict=False):
        found |= dict(zip(labels.strip(), each.shape or (), strict=False))
    return found
