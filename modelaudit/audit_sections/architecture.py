"""The saved layer graph and what it implies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from modelaudit.audit_sections.weights import parameters
from modelaudit.audit_types.architecture import (
    ArchitectureProfile,
    ArchitectureSection,
    LayerRow,
    PortRow,
)
from modelaudit.facts import Architecture, Json, Layer, Tensor
from modelaudit.rules.model import Facts
from modelaudit.structs import converted


def _settings(value: Json) -> Json:
    """A config without the IDs of shared objects, which differ between saves of one model."""
    if isinstance(value, dict):
        return {k: _settings(v) for k, v in value.items() if k != "shared_object_id"}
    return [_settings(item) for item in value] if isinstance(value, list) else value


def _layer(layer: Layer, tensors: Mapping[str, Tensor]) -> LayerRow:
    found = (tensors.get(name) for name in layer.variables.values())
    text = json.dumps(_settings(dict(layer.config)), sort_keys=True, default=str)
    return converted(
        LayerRow,
        layer,
        config_digest=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16],
        params=sum(tensor.size for tensor in found if tensor is not None),
        variables=tuple(sorted(layer.variables)),
    )


def _ports(architecture: Architecture, routes: tuple[str, ...]) -> tuple[PortRow, ...]:
    by_route = {layer.route: layer for layer in architecture.layers}
    ports = []
    for route in routes:
        layer = by_route.get(route)
        shape = layer.output_shape if layer else None
        dtype = _dtype(layer.config.get("dtype")) if layer else None
        ports.append(PortRow(route=route, shape=shape, dtype=dtype))
    return tuple(ports)


def _dtype(said: Json) -> str | None:
    """The name of a dtype, which Keras 3 wraps into a policy."""
    if isinstance(said, dict):
        policy = said.get("config")
        said = policy.get("name") if isinstance(policy, dict) else None
    return said if isinstance(said, str) else None


def architecture_section(facts: Facts) -> ArchitectureSection:
    """The saved layer graph and what it implies; empty if the file has none."""
    artifact = facts.artifact
    architecture = artifact.architecture
    if architecture is None:
        return ArchitectureSection()
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    profile = facts.measurements.profile if facts.measurements else None
    return ArchitectureSection(
        class_name=architecture.class_name,
        name=architecture.name,
        dialect=architecture.dialect,
        inputs=_ports(architecture, architecture.inputs),
        outputs=_ports(architecture, architecture.outputs),
        params=sum(tensor.size for tensor in parameters(artifact)),
        layers=tuple(_layer(layer, tensors) for layer in architecture.layers),
        profile=profile or ArchitectureProfile(),
    )
