"""Matching variables of the restored model to stored tensors."""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.facts import Artifact, Tensor
from modelaudit.probe.protocol import Observation, VariableDigest


def variable_paths(artifact: Artifact, observation: Observation) -> Mapping[str, str]:
    """Tensor name -> variable path, matched by equal bytes; the layer's route breaks ties.

    Tensors without a matching variable, and tensors with several, are omitted.
    """
    by_digest: dict[str, list[VariableDigest]] = {}
    for variable in observation.variables:
        by_digest.setdefault(variable.sha256, []).append(variable)
    # Tensor name -> `route/role` in the layer that it belongs to
    layers = artifact.architecture.layers if artifact.architecture else ()
    owners = {
        name: f"{layer.route}/{role}" for layer in layers for role, name in layer.variables.items()
    }
    found: dict[str, str] = {}
    for tensor in artifact.tensors:
        candidates = by_digest.get(tensor.sha256 or "", [])
        chosen = _choose(tensor, candidates, owners.get(tensor.name, ""))
        if chosen:
            found[tensor.name] = chosen
    return found


def _choose(tensor: Tensor, candidates: list[VariableDigest], owner: str) -> str:
    fitting = [v.path for v in candidates if v.shape == tensor.shape]
    if len(fitting) == 1:
        return fitting[0]
    for path in fitting:
        if owner and (path == owner or path.startswith(owner)):
            return path
    named = [path for path in fitting if path.split(":")[0] == tensor.name]
    return named[0] if len(named) == 1 else ""
