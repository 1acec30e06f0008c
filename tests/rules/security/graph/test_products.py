"""Matrix products and decompositions of large constants take too long; lists of true elements."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.rules.security.graph.bounds import bounds_of
from modelaudit.rules.security.graph.extents import shaped
from modelaudit.structs import replace
from modelaudit.thresholds.security import LOOP_ROUNDS
from tests.made.graphs import Graph, Maker

PER_ROUND = 10**5  # multiplications of 0.1 ns in the 10 µs that a round of a loop takes


def filled(make: Maker, *shape: int, dtype: int = pb.DT_FLOAT) -> str:
    """A tensor of one value, which is small in the file."""
    reference = make.add("Fill", make.numbers(*shape), make.numbers(1, scalar=True))
    make.nodes[-1].attr["T"].type = dtype
    return reference


def found(folder: Path, build: Callable[[Maker], object]) -> set[str]:
    graph = Graph()
    build(Maker(graph))
    return {each.name for each in graph.findings(folder)}


def matrix(op: str, rows: int, columns: int = 0, batch: int = 1) -> Callable[[Maker], object]:
    return lambda make: make.add(op, filled(make, batch, rows, columns or rows))


def product(rows: int, inner: int, columns: int, op: str = "MatMul") -> Callable[[Maker], object]:
    def build(make: Maker) -> None:
        make.add(op, filled(make, rows, inner), filled(make, inner, columns))
        if op == "Einsum":
            make.nodes[-1].attr["equation"].s = b"ij,jk->ik"

    return build


def convolution(size: int, window: int) -> Callable[[Maker], object]:
    def build(make: Maker) -> None:
        maps, filters = filled(make, 1, size, size, 64), filled(make, window, window, 64, 64)
        make.add("Conv2D", maps, filters)
        make.nodes[-1].attr["padding"].s = b"SAME"
        make.nodes[-1].attr["strides"].list.i.extend([1, 1, 1, 1])

    return build


@pytest.mark.parametrize(
    ("costly", "honest"),
    [
        (matrix("Svd", 12_000), matrix("Svd", 1000)),
        (matrix("Svd", 2_500, batch=120), matrix("Svd", 250, batch=120)),
        (matrix("Svd", 7_000, 80_000), matrix("Svd", 300, 80_000)),
        (matrix("SelfAdjointEigV2", 12_000), matrix("SelfAdjointEigV2", 1000)),
        (matrix("Eig", 5_000), matrix("Eig", 500)),
        (matrix("Qr", 14_000), matrix("Qr", 1000)),
        (matrix("MatrixInverse", 16_000), matrix("MatrixInverse", 1000)),
        (matrix("Cholesky", 22_000), matrix("Cholesky", 2000)),
        (matrix("MatrixSquareRoot", 5_000), matrix("MatrixSquareRoot", 500)),
        (matrix("MatrixLogarithm", 3_000), matrix("MatrixLogarithm", 300)),
        (product(22_000, 22_000, 22_000), product(2_000, 2_000, 2_000)),
        (product(22_000, 22_000, 22_000, "Einsum"), product(2_000, 2_000, 2_000, "Einsum")),
        (convolution(2_000, 31), convolution(200, 3)),
    ],
)
def test_what_takes_as_long_as_an_endless_loop(tmp_path: Path, costly, honest) -> None:
    assert found(tmp_path, costly) == {"graph-never-ends"}
    assert found(tmp_path, honest) == set()


def test_the_edge_is_that_of_loops(tmp_path: Path) -> None:
    """Rows that take exactly as long as the rounds that a loop may have, and one more."""
    rows = int(LOOP_ROUNDS.value) * PER_ROUND // 10**9
    assert found(tmp_path, product(rows, 100_000, 10_000)) == set()
    assert found(tmp_path, product(rows + 1, 100_000, 10_000)) == {"graph-never-ends"}


def all_true(make: Maker) -> str:
    return make.add("Identity", filled(make, 1 << 15, 1 << 14))


def counted(test: str, limit: int) -> Callable[[Maker], str]:
    def build(make: Maker) -> str:
        ends = [make.numbers(n, scalar=True) for n in (0, 1 << 29, 1)]
        return make.add(test, make.add("Range", *ends), make.numbers(limit, scalar=True))

    return build


def negated(make: Maker) -> str:
    return make.add("LogicalNot", counted("Less", 0)(make))


def none_true(make: Maker) -> str:
    return make.add("ZerosLike", all_true(make))


@pytest.mark.parametrize(
    ("condition", "large"),
    [
        (all_true, True),
        (negated, True),
        (counted("GreaterEqual", 0), True),
        (counted("Less", 1 << 30), True),
        (lambda make: make.add("OnesLike", filled(make, 1 << 29)), True),
        (none_true, False),
        (counted("Less", 0), False),
        (counted("GreaterEqual", 1 << 28), False),
        (lambda make: make.add("RandomUniform", make.numbers(1 << 29)), False),
    ],
)
def test_the_places_of_true_elements(tmp_path: Path, condition, large: bool) -> None:
    """Each takes eight bytes for each axis; the condition itself is below the limit."""
    names = found(tmp_path, lambda make: make.add("Where", condition(make), output="index"))
    assert names == ({"oversized-tensor"} if large else set())


def test_operations_with_more_inputs_than_they_take_cost_no_more(tmp_path: Path) -> None:
    """Each further input would double the ends to try."""

    def build(make: Maker) -> None:
        values = filled(make, 1 << 20)
        make.add("Where", make.add("AddV2", *[values] * 60), output="index")

    assert "oversized-tensor" not in found(tmp_path, build)


@pytest.mark.parametrize(
    ("given", "cast"), [((0.5, 0.9), (0, 0.9)), ((-0.5, -0.2), (-0.5, 0)), ((1, 1), (1, 1))]
)
def test_a_cast_may_cut_off_fractions(given, cast) -> None:
    """0.5 is true, and the integer that it becomes is not."""
    assert bounds_of("Cast", (replace(shaped([4]), bounds=given),), {}) == cast
