"""The smallest profiles on which rules about windows fail or pass."""

from __future__ import annotations

from modelaudit.audit_types.architecture import ArchitectureProfile, LayerField, WindowGrid
from modelaudit.measures.summary import Measurements


def one_grid(symmetric: bool, strides: tuple[int, int] = (2, 2)) -> Measurements:
    """Windows of 3x3 on a map that they fit symmetrically, or not."""
    size = (9, 9) if symmetric else (8, 8)
    grid = WindowGrid(
        "conv2d", "Conv2D", size, (3, 3), strides, (1, 1), "same", (symmetric, symmetric)
    )
    return Measurements(profile=ArchitectureProfile(grids=(grid,)))


def one_map(size: int) -> Measurements:
    """Windows of 3x3 on a map of this size."""
    grid = WindowGrid("late", "Conv2D", (size, size), (3, 3), (1, 1), (1, 1), "same", (True, True))
    return Measurements(profile=ArchitectureProfile(grids=(grid,)))


def one_field(reach: int, border: bool = False) -> Measurements:
    """A receptive field of this size, before a global pooling."""
    field = LayerField("conv2d", (3, 3), (reach, reach), (1, 1), (16, 16), border)
    return Measurements(
        profile=ArchitectureProfile(fields=(field,), input_size=(16, 16), head="gap")
    )
