"""Filters next to their mirrored partners."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelaudit.facts import Artifact, Format, Kernel, Tensor
from modelaudit.measures.kernels.filter_gallery import SHOWN, galleries


class _Held:
    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def array(self) -> np.ndarray:
        return self.values

    def chunks(self, max_bytes: int = 4 << 20):
        yield self.values.ravel()


def _artifact(values: np.ndarray) -> Artifact:
    tensor = Tensor("k", values.shape, "float32", values.nbytes, "f", source=_Held(values))
    kernel = Kernel("conv", "k", "conv", "hwio", 2, values.shape)
    return Artifact(Path("/m"), Format.KERAS_ARCHIVE, tensors=(tensor,), kernels=(kernel,))


def test_mirrored_filters_find_each_other() -> None:
    half = np.random.default_rng(1).normal(size=(3, 3, 1, 4)).astype("float32")
    both = np.concatenate([half, half[:, ::-1]], axis=3)
    (found,) = galleries(_artifact(both))
    assert {(pair.index, pair.partner) for pair in found.filters} == {
        (i, (i + 4) % 8) for i in range(8)
    }
    assert all(pair.score == pytest.approx(1.0) for pair in found.filters)
    for pair in found.filters:
        np.testing.assert_allclose(np.array(pair.values)[:, ::-1], pair.partner_values)


def test_the_most_asymmetric_come_first() -> None:
    edge = np.array([[-1, 0, 1]] * 3, dtype="float32")
    blob = np.array([[0, 1, 0], [1, 2, 1], [0, 1, 0]], dtype="float32")
    kernels = np.stack([blob, edge], axis=-1)[:, :, None, :]
    (found,) = galleries(_artifact(kernels))
    assert [pair.index for pair in found.filters] == [1, 0]


def test_at_most_a_row_of_filters() -> None:
    values = np.random.default_rng(2).normal(size=(3, 3, 5, 40)).astype("float32")
    (found,) = galleries(_artifact(values))
    assert len(found.filters) == SHOWN
    assert np.shape(found.filters[0].values) == (3, 3)


@pytest.mark.parametrize("shape", [(1, 1, 3, 8), (3, 3, 1, 1), (31, 31, 1, 4)])
def test_kernels_without_a_gallery(shape) -> None:
    assert galleries(_artifact(np.ones(shape, dtype="float32"))) == ()


def test_constant_filters_are_drawn_without_warnings() -> None:
    (found,) = galleries(_artifact(np.zeros((3, 3, 1, 4), dtype="float32")))
    assert len(found.filters) == 4


def test_many_filters_are_compared_one_by_one_with_all() -> None:
    """Not all with all at once: for 60,000 filters, that would take 29 GB."""
    values = np.random.default_rng(3).normal(size=(3, 3, 1, 60_000)).astype("float32")
    values[..., 59_999] = -values[:, ::-1, :, 7]
    values[..., 7] -= values[:, ::-1, :, 7]  # nothing is less like its own mirror image
    values[..., 59_998] = values[:, ::-1, :, 7]
    (found,) = galleries(_artifact(values))
    assert (found.filters[0].index, found.filters[0].partner) in {(7, 59_998), (59_998, 7)}
