"""All static measures of a model, in one pass over its kernels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np

from modelaudit.audit_types.architecture import ArchitectureProfile
from modelaudit.audit_types.kernels import (
    BatchNormState,
    ConstantLayer,
    DeadUnits,
    KernelInitialization,
    KernelSymmetry,
)
from modelaudit.errors import ModelAuditError, ReadError
from modelaudit.facts import Artifact, Format, Kernel, Layer
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph, layer_graph
from modelaudit.measures.architecture.layer_shapes import input_shape
from modelaudit.measures.architecture.profile import architecture_profile, unfollowed
from modelaudit.measures.kernels.batchnorm import (
    batchnorm_state,
    batchnorm_tensors,
)
from modelaudit.measures.kernels.constant_layers import constant_layers
from modelaudit.measures.kernels.dead_units import dead_units, negative_units
from modelaudit.measures.kernels.fill_rows import fill_rows
from modelaudit.measures.kernels.initialization import (
    LayerContext,
    kernel_initialization,
    like_their_kind,
    small_together,
)
from modelaudit.measures.kernels.initializers import candidates
from modelaudit.measures.kernels.input_scale import column_signs, input_scales
from modelaudit.measures.kernels.one_vector import one_vector
from modelaudit.measures.kernels.one_way_heads import last_errors, one_way_heads, sided_columns
from modelaudit.measures.kernels.other_weights import (
    biases_start,
    frozen_variables,
    moving_averages,
    other_matrices,
    trained_layers,
)
from modelaudit.measures.kernels.permutation_flow import PermutationFlow
from modelaudit.measures.kernels.plain_norms import untouched_norms
from modelaudit.measures.kernels.symmetry import is_lowpass, kernel_symmetry
from modelaudit.measures.kernels.values import KernelValues, load_kernel
from modelaudit.measures.summary import Measurements
from modelaudit.settings import Limits
from modelaudit.structs import replace
from modelaudit.thresholds.weights import BATCHNORM_STEPS
from modelaudit.work_budget import spend

# Exceptions that hostile values and shapes can cause in computations.
_FAILURES = (
    ModelAuditError,
    ArithmeticError,
    LookupError,
    MemoryError,
    OSError,
    TypeError,
    ValueError,
)
_MAX_BIAS = 1 << 24
_Read = TypeVar("_Read")


def measure(artifact: Artifact, *, limits: Limits | None = None) -> Measurements:
    """Measure kernels, initial values, batch statistics and architecture of a model.

    Kernels are read one at a time. What cannot be measured is in `skipped`, as
    `<measure>:<route>` -> reason; no content of a file raises an exception.

    Args:
        limits: kernels over `tensor_bytes` are skipped.
    """
    return _Measuring(artifact, limits or Limits()).run()


class _Measuring:
    """Collects the measurements of one model."""

    def __init__(self, artifact: Artifact, limits: Limits) -> None:
        self.artifact = artifact
        self.limits = limits
        self.tensors = {tensor.name: tensor for tensor in artifact.tensors}
        self.symmetry: list[KernelSymmetry] = []
        self.initialization: list[KernelInitialization] = []
        self.skipped: dict[str, str] = {}
        self.blurs = False
        self.batchnorm = self._batchnorm()
        self.graph = self._graph()
        self.consumers = self.graph.consumers() if self.graph is not None else {}
        self.folded = artifact.format is Format.TFLITE
        self.biases = {k.route: k.bias for k in artifact.kernels if k.bias is not None}

    def run(self) -> Measurements:
        """Measure all kernels, in execution order if it is known, else in stored order."""
        kernels: dict[str, list[Kernel]] = defaultdict(list)
        for kernel in self.artifact.kernels:
            kernels[kernel.route].append(kernel)
        if self.graph is not None:
            self._along(self.graph, kernels)
        for kernel in [k for left in kernels.values() for k in left]:
            values = self._kernel(kernel)
            if values is not None and _spatial(kernel) and values.matrix.shape[0] > 1:
                self.skipped[f"twins:{kernel.tensor}"] = "the layer's inputs are unknown"
        if self.folded:
            self.skipped["initial values"] = (
                "exports fold batch normalization into kernels, which hides how they were drawn"
            )
        else:
            self._other_layers()
        if not self.artifact.kernels:
            self.skipped["kernels"] = "the file has no convolution or dense kernel"
        shapes = {name: tensor.shape for name, tensor in self.tensors.items()}
        return Measurements(
            symmetry=tuple(self.symmetry),
            initialization=tuple(small_together(like_their_kind(self.initialization, shapes))),
            batchnorm=tuple(self.batchnorm.values()),
            constant=self._constant(),
            profile=self._profile(),
            input_scales=self._by_route("input scales", input_scales),
            skipped=self.skipped,
            one_vector=self._one_vector(),
            dead_units=self._dead_units(),
            negative_units=self._by_route("units below 0", negative_units),
            one_way=self._by_route("one-way gradients", one_way_heads),
            last_errors=self._by_route("errors of the last layer", last_errors),
            column_signs=self._by_route("signs of the inputs", column_signs),
            sided_columns=self._by_route("sides of the weights", sided_columns),
            fill_rows=self._by_route("rows of embeddings", fill_rows),
        )

    def _other_layers(self) -> None:
        """Measure layers that have no testable kernel."""
        try:
            tested = {kernel.route for kernel in self.artifact.kernels}
            matrices = tuple(other_matrices(self.artifact, tested))
            seen = frozenset(each.tensor for each in matrices)
            self.initialization += (*matrices, *trained_layers(self.artifact, tested, seen))
            self.initialization += untouched_norms(self.artifact)
            self.initialization += moving_averages(self.artifact)
        except _FAILURES as failure:
            self.skipped["other layers"] = _said(failure)

    def _along(self, graph: LayerGraph, kernels: dict[str, list[Kernel]]) -> None:
        """Visit the layers in order and track twins; removes visited kernels from `kernels`."""
        flow = self._flow(graph, frozenset(kernels))
        spatial = [x.route for x in graph.layers if any(_spatial(k) for k in kernels[x.route])]
        last = spatial[-1] if spatial else ""
        wanted = bool(spatial)
        for layer in graph.layers:
            flow.enter(layer)
            for kernel in kernels.pop(layer.route, ()):
                values = self._kernel(kernel)
                if values is None:
                    flow.lose(f"the kernel of {layer.route} could not be measured")
                elif wanted:
                    self._twins(flow, kernel, values)
            flow.leave(layer)
            wanted = wanted and layer.route != last

    def _kernel(self, kernel: Kernel) -> KernelValues | None:
        """Measure symmetry and initial values of a kernel; None if it cannot be read."""
        try:
            spend()
            tensor = self.tensors[kernel.tensor]
            if tensor.nbytes > self.limits.tensor_bytes:
                raise ReadError("limit-exceeded", tensor.file, f"{tensor.nbytes:,} bytes")
            values = load_kernel(kernel, tensor)
            if _spatial(kernel):
                self.symmetry.append(kernel_symmetry(values, kernel.route, kernel.kind))
                self.blurs = self.blurs or (kernel.axes == "hwcm" and is_lowpass(values))
            if self.folded:
                return values
            layer = self._layer(kernel.route)
            companions = LayerContext(
                bias_initial=self._bias_initial(kernel),
                batchnorm_initial=self._batchnorm_initial(kernel.route),
                trainable=layer.trainable
                if layer is not None
                else kernel.tensor not in frozen_variables(self.artifact),
            )
            found = kernel_initialization(
                kernel, values, tensor.dtype, companions, len(self.artifact.kernels)
            )
            if kernel.axes.endswith("io") and (alike := values.unit_similarity):
                found = replace(found, tests=dict(found.tests) | {"unit_similarity": alike})
            self.initialization.append(found)
        except _FAILURES as failure:
            self.skipped[f"kernel:{kernel.tensor}"] = _said(failure)
            return None
        if values.sampled:
            self.skipped[f"sampled:{kernel.tensor}"] = (
                f"measured on a sample of {values.matrix.shape[1]:,} of {values.slices:,} slices"
            )
        return values

    def _twins(self, flow: PermutationFlow, kernel: Kernel, values: KernelValues) -> None:
        try:
            found, lost = flow.match(kernel, values)
        except _FAILURES as failure:
            flow.lose(f"{kernel.route}: {_said(failure)}")
            found, lost = {}, {"all": _said(failure)}
        if values.matrix.shape[0] == 1:
            return
        if found:
            self.symmetry[-1] = replace(self.symmetry[-1], twins=found)
        if lost:
            reasons = dict.fromkeys(lost.values())
            one = len(reasons) == 1 and not found
            said = next(iter(reasons)) if one else "; ".join(f"{g}: {r}" for g, r in lost.items())
            self.skipped[f"twins:{kernel.tensor}"] = said

    def _bias_initial(self, kernel: Kernel) -> bool | None:
        """Whether the bias equals its constant initial value bitwise; None if undecidable."""
        name = kernel.bias or self.biases.get(kernel.route)
        if name is None and self.artifact.architecture is None:
            return biases_start(self.artifact, kernel.route.removesuffix("/recurrent_kernel"))
        layer = self._layer(kernel.route)
        if layer is not None and layer.config.get("unit_forget_bias"):  # of ConvLSTM: 0 and 1
            return biases_start(self.artifact, kernel.route)
        tensor = self.tensors.get(name) if name is not None else None
        if tensor is None or tensor.source is None or not 0 < tensor.nbytes <= _MAX_BIAS:
            return None
        bias = tensor.source.array()
        start = 0.0
        if kernel.bias_initializer is not None:
            options = candidates(kernel.bias_initializer, tensor.shape)
            if not options or options[0].kind != "constant":
                return None
            start = options[0].mean
        elif self.artifact.architecture is None and bias.size > 1:
            # The file does not name a constant such as -1 for closed gates.
            start = float(bias.flat[0])
        return bool((bias == np.asarray(start).astype(bias.dtype)).all())

    def _batchnorm_initial(self, route: str) -> bool | None:
        """State of the batch normalization after a layer, with only pointwise layers between."""
        for _ in range(BATCHNORM_STEPS.value):
            takers = self.consumers.get(route, ())
            if len(takers) != 1:
                return None
            route = takers[0]
            state = self.batchnorm.get(route)
            if state is not None:
                return state.statistics_initial and state.affine_initial
            layer = self._layer(route)
            if layer is None or not has(layer.class_name, Trait.POINTWISE):
                return None
        return None

    def _batchnorm(self) -> dict[str, BatchNormState]:
        states = {}
        for tensors in batchnorm_tensors(self.artifact):
            try:
                spend()
                states[tensors.route] = batchnorm_state(tensors)
            except _FAILURES as failure:
                self.skipped[f"batchnorm:{tensors.route}"] = _said(failure)
        return states

    def _graph(self) -> LayerGraph | None:
        architecture = self.artifact.architecture
        if architecture is None:
            self.skipped["profile"] = "the file contains no architecture"
            return None
        return layer_graph(architecture)

    def _constant(self) -> tuple[ConstantLayer, ...]:
        if self.graph is None:
            return ()
        try:
            return constant_layers(self.artifact, self.graph, self.limits.tensor_bytes)
        except _FAILURES as failure:
            self.skipped["constant layers"] = _said(failure)
            return ()

    def _one_vector(self) -> str:
        try:
            return one_vector(self.artifact, self.limits.tensor_bytes)
        except _FAILURES as failure:
            self.skipped["vectors of the inputs"] = _said(failure)
            return ""

    def _by_route(
        self, what: str, read: Callable[[Artifact, int], Iterable[tuple[str, _Read]]]
    ) -> dict[str, _Read]:
        try:
            return dict(read(self.artifact, self.limits.tensor_bytes))
        except _FAILURES as failure:
            self.skipped[what] = _said(failure)
            return {}

    def _dead_units(self) -> dict[str, DeadUnits]:
        try:
            most = self.limits.tensor_bytes
            return dict(dead_units(self.artifact, self.graph, most)) if self.graph else {}
        except _FAILURES as failure:
            self.skipped["dead units"] = _said(failure)
            return {}

    def _layer(self, route: str) -> Layer | None:
        return self.graph.get(route) if self.graph is not None else None

    def _flow(self, graph: LayerGraph, with_kernels: frozenset[str]) -> PermutationFlow:
        shapes = [input_shape(x) or () for x in graph.layers if not graph.calls[x.route]]
        ranks = [len(shape) - 2 for shape in shapes if 3 <= len(shape) <= 5]
        first = any(k.data_format == "channels_first" for k in self.artifact.kernels)
        return PermutationFlow(graph, max(ranks, default=2), first, with_kernels)

    def _profile(self) -> ArchitectureProfile | None:
        architecture = self.artifact.architecture
        if self.graph is None or architecture is None:
            return None
        try:
            profile = architecture_profile(architecture, self.graph, self.blurs)
            why = unfollowed(self.graph)
        except _FAILURES as failure:
            self.skipped["profile"] = _said(failure)
            return None
        if why:
            self.skipped["receptive_field"] = why
        return profile


def _spatial(kernel: Kernel) -> bool:
    return kernel.spatial > 0 or kernel.grid is not None


def _said(failure: BaseException) -> str:
    return str(failure) or type(failure).__name__
