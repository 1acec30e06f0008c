"""Results of measuring a model, as frozen values.

Static measures need only the file; `Behaviour` requires running the model. Transforms are named
after the elements of the dihedral group D4 on (height, width): e, H (left-right), V (up-down), r90,
r180, r270, T (transpose), AT (anti-transpose); `flip` for sequences; `x0`, `x1`, `x2` for the axis
flips of volumes.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from modelaudit.audit_types.architecture import ArchitectureProfile
from modelaudit.audit_types.behaviour import (
    BatchNormFit,
    Intervention,
    LayerResidual,
    OutputBehaviour,
)
from modelaudit.audit_types.kernels import (
    BatchNormState,
    ColumnSigns,
    ConstantLayer,
    DeadUnits,
    FilterGallery,
    KernelDirections,
    KernelInitialization,
    KernelSymmetry,
    LastErrors,
    OneWay,
    SidedColumns,
)
from modelaudit.audit_types.probe_data import ProbeInputs
from modelaudit.audit_types.sensitivity import SensitivityCurve


class Measurements(Struct, frozen=True):
    """All static measures of one model."""

    symmetry: tuple[KernelSymmetry, ...] = ()
    initialization: tuple[KernelInitialization, ...] = ()
    batchnorm: tuple[BatchNormState, ...] = ()
    constant: tuple[ConstantLayer, ...] = ()
    profile: ArchitectureProfile | None = None
    gallery: tuple[FilterGallery, ...] = ()
    directions: tuple[KernelDirections, ...] = ()
    input_scales: Mapping[str, float] = field(default_factory=dict)  # by route, in training
    skipped: Mapping[str, str] = field(default_factory=dict)  # measure -> why it was skipped
    one_vector: str = ""  # route of a layer that got the same from every training input
    dead_units: Mapping[str, DeadUnits] = field(default_factory=dict)  # by route
    one_way: Mapping[str, OneWay] = field(default_factory=dict)  # by route
    negative_units: Mapping[str, DeadUnits] = field(default_factory=dict)  # by route
    last_errors: Mapping[str, LastErrors] = field(default_factory=dict)  # by route
    column_signs: Mapping[str, ColumnSigns] = field(default_factory=dict)  # by route
    sided_columns: Mapping[str, SidedColumns] = field(default_factory=dict)  # by route
    fill_rows: Mapping[str, float] = field(default_factory=dict)  # by route of an embedding


class Behaviour(Struct, frozen=True):
    """Results of running a model on probe inputs."""

    runtime: str
    inputs: ProbeInputs
    noise_floor: float
    deterministic: bool
    outputs: tuple[OutputBehaviour, ...]
    dead: Mapping[str, float] = field(default_factory=dict)  # layer -> share of dead channels
    residuals: tuple[LayerResidual, ...] = ()
    interventions: Mapping[str, Intervention] = field(default_factory=dict)
    batchnorm: tuple[BatchNormFit, ...] = ()  # in execution order
    repeat_differs: bool | None = None  # the same batches, run again, give other outputs
    training_flag_matters: bool | None = None  # model(x) differs from model(x, training=False)
    sensitivity: tuple[SensitivityCurve, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
