"""Facts to the JSON sections of an audit.

Which keys stand in which section is part of the audit file's contract; wording and units are
the report's business.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from modelaudit.diagnosis import Diagnosis
from modelaudit.facts import Architecture, Artifact, Json, Layer, Tensor
from modelaudit.measures.summary import Measurements
from modelaudit.probe.protocol import Agreement, Observation
from modelaudit.restore.golden_check import GoldenCheck
from modelaudit.rules.model import Facts
from modelaudit.runtimes.model import Prediction, predicted_call
from modelaudit.schema import json_object, jsonable

WEIGHT_ROLES = frozenset({"weight"})


def model_section(
    artifact: Artifact, root: str, path: str, slug: str, origin: str = ""
) -> dict[str, Json]:
    """Identity: where it is, what it is, who made it, and where its registry has it from."""
    come: dict[str, Json] = {"origin": origin} if origin else {}
    return {
        "root": root,
        "path": path,
        "slug": slug,
        "format": artifact.format.value,
        "format_label": artifact.format.label,
        "sha256": artifact.sha256,
        "bytes": artifact.nbytes,
        "files": len(artifact.files),
        "saved_with": jsonable(artifact.provenance),
        "complete": artifact.complete,
        **come,
    }


def _params(layer: Layer, tensors: Mapping[str, Tensor]) -> int:
    found = (tensors.get(name) for name in layer.variables.values())
    return sum(tensor.size for tensor in found if tensor is not None)


def _settings(value: Json) -> Json:
    """A config without what differs between two saves of one model: addresses of shared objects."""
    if isinstance(value, dict):
        return {k: _settings(v) for k, v in value.items() if k != "shared_object_id"}
    return [_settings(item) for item in value] if isinstance(value, list) else value


def _digest(config: Mapping[str, Json]) -> str:
    text = json.dumps(_settings(dict(config)), sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _layer(layer: Layer, tensors: Mapping[str, Tensor]) -> dict[str, Json]:
    return {
        "route": layer.route,
        "name": layer.name,
        "class": layer.class_name,
        "module": layer.module,
        "config_digest": _digest(layer.config),
        "params": _params(layer, tensors),
        "input_shapes": jsonable(layer.input_shapes),
        "output_shape": jsonable(layer.output_shape),
        "inbound": jsonable(layer.inbound),
        "trainable": layer.trainable,
        "variables": jsonable(sorted(layer.variables)),
        "custom": layer.custom,
        "is_model": layer.is_model,
    }


def _ports(architecture: Architecture, routes: tuple[str, ...]) -> list[Json]:
    by_route = {layer.route: layer for layer in architecture.layers}
    ports: list[Json] = []
    for route in routes:
        layer = by_route.get(route)
        shape = jsonable(layer.output_shape) if layer else None
        dtype = _dtype(layer.config.get("dtype")) if layer else None
        ports.append({"route": route, "shape": shape, "dtype": dtype})
    return ports


def _dtype(said: Json) -> str | None:
    """The name of a dtype, which Keras 3 wraps into a policy."""
    if isinstance(said, dict):
        policy = said.get("config")
        said = policy.get("name") if isinstance(policy, dict) else None
    return said if isinstance(said, str) else None


def architecture_section(facts: Facts) -> dict[str, Json]:
    """The saved layer graph and what it implies; {} where the file holds none."""
    artifact = facts.artifact
    architecture = artifact.architecture
    if architecture is None:
        return {}
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    layers: list[Json] = [_layer(layer, tensors) for layer in architecture.layers]
    profile = facts.measurements.profile if facts.measurements else None
    return {
        "class": architecture.class_name,
        "name": architecture.name,
        "dialect": architecture.dialect,
        "inputs": _ports(architecture, architecture.inputs),
        "outputs": _ports(architecture, architecture.outputs),
        "params": sum(tensor.size for tensor in _counted(artifact)),
        "layers": layers,
        "profile": jsonable(profile) if profile else {},
    }


def weights_digest(section: Mapping[str, Json]) -> str:
    """One digest over the digests of all weights: the same after saving in another format.

    The state of random generators is left out: of all formats only exported SavedModels hold it.
    "" where the section lists no weight, or one without a digest.
    """
    rows = section.get("tensors")
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    weights = [
        row
        for row in found
        if row.get("role") in WEIGHT_ROLES and not is_seed(row.get("shape"), row.get("dtype"))
    ]
    digests = [str(row.get("sha256") or "") for row in weights]
    if not digests or not all(digests):
        return ""
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()[:32]


def is_seed(shape: Json, dtype: Json) -> bool:
    """Whether it is what Keras' SeedGenerator counts in: two integers."""
    return shape == [2] and dtype in {"int64", "uint32"}


def _counted(artifact: Artifact) -> list[Tensor]:
    """The tensors that Keras counts as parameters: all weights, but no state of a generator."""
    weights = (tensor for tensor in artifact.tensors if tensor.role in WEIGHT_ROLES)
    return [each for each in weights if not is_seed(list(each.shape), each.dtype)]


def weights_section(facts: Facts) -> dict[str, Json]:
    """Every stored tensor with its digest and statistics."""
    artifact = facts.artifact
    measured = facts.measurements.initialization if facts.measurements else ()
    states = {kernel.tensor: kernel.state for kernel in measured}
    rows: list[Json] = []
    for tensor in artifact.tensors:
        stats = tensor.stats
        rows.append(
            {
                "name": tensor.name,
                "shape": list(tensor.shape),
                "dtype": tensor.dtype,
                "role": tensor.role,
                "size": tensor.size,
                "sha256": tensor.sha256,
                "min": jsonable(stats.minimum) if stats else None,
                "max": jsonable(stats.maximum) if stats else None,
                "mean": jsonable(stats.mean) if stats else None,
                "std": jsonable(stats.std) if stats else None,
                "zeros": stats.zeros if stats else None,
                "nonfinite": stats.nonfinite if stats else None,
                "initialization": states.get(tensor.name),
            }
        )
    weights = _counted(artifact)
    return {
        "tensors": rows,
        "total": sum(tensor.size for tensor in weights),
        "bytes": sum(tensor.nbytes for tensor in weights),
        "optimizer": sum(t.size for t in artifact.tensors if t.role == "optimizer"),
    }


def symmetry_section(measurements: Measurements | None) -> dict[str, Json]:
    """Static measures of the kernels; {} where nothing was measured."""
    if measurements is None:
        return {}
    return {
        "layers": jsonable(measurements.symmetry),
        "initialization": jsonable(measurements.initialization),
        "batchnorm": jsonable(measurements.batchnorm),
        "gallery": jsonable(measurements.gallery),
        "skipped": jsonable(measurements.skipped),
    }


def behaviour_section(facts: Facts) -> dict[str, Json]:
    """What running the model showed, or why it was not run."""
    if facts.behaviour is None:
        return {"skipped_reason": facts.probe_skipped or "the model gave no output to judge"}
    return json_object(facts.behaviour)


def observation_sections(observations: tuple[Observation, ...]) -> tuple[dict[str, Json], ...]:
    """Each attempt to load; without what a run costs, so that two compare equal."""
    rows = []
    for observation in observations:
        row = json_object(observation)
        for measured in ("seconds", "peak_memory"):  # of this run, not of the model
            del row[measured]
        row["variables"] = len(observation.variables)
        rows.append(row)
    return tuple(rows)


def compatibility_section(
    observations: tuple[Observation, ...], predictions: tuple[Prediction, ...] = ()
) -> tuple[dict[str, Json], ...]:
    """Predicted and observed loading, a row a runtime and call; what was observed comes first."""
    known = {(each.runtime, each.call): each for each in predictions}
    left = dict(known)
    rows: list[dict[str, Json]] = []
    for seen in observations:
        asked = (seen.target, predicted_call(seen.call))
        prediction = known.get(asked)
        left.pop(asked, None)
        observed: dict[str, Json] = {
            "status": seen.status.value,
            "error": seen.failure,
            **_agreement(seen.agreement),
        }
        rows.append(
            {
                "runtime": seen.runtime,
                "call": seen.call,
                "versions": jsonable(seen.versions),
                **_predicted(prediction),
                "observed": observed,
            }
        )
    rows += [
        {"runtime": each.runtime, "call": each.call, **_predicted(each), "observed": None}
        for each in left.values()
    ]
    return tuple(rows)


def _agreement(found: Agreement | None) -> dict[str, Json]:
    """What the runtime computed against another one; nulls where that was not compared."""
    if found is None:
        return {"max_abs_diff": None}
    section: dict[str, Json] = {"reference": found.reference, "max_abs_diff": None}
    if found.not_compared:
        return section | {"same": None, "not_compared": found.not_compared}
    return section | {
        "same": found.same,
        "max_abs_diff": jsonable(found.difference),
        "max_rel_diff": jsonable(found.relative),
        "noise": jsonable(found.noise),
        "tolerance": jsonable(found.tolerance),
        "output": found.output,
        "samples": found.samples,
    }


def _predicted(prediction: Prediction | None) -> dict[str, Json]:
    if prediction is None:
        return {"predicted": "unknown", "because": []}
    return {
        "predicted": prediction.predicted.value,
        "because": [reason.facts() for reason in prediction.because],
        "confidence": prediction.confidence.value,
        "collected_from": prediction.collected,
    }


def restore_section(facts: Facts) -> dict[str, Json]:
    """Stored weights against the restored model's, and the golden record against both."""
    section: dict[str, Json] = {}
    proof = facts.restore
    if proof is not None:
        section |= {
            "runtime": proof.runtime,
            "call": proof.call,
            "compared": proof.compared,
            "identical": proof.identical,
            "missing": list(proof.missing),
            "unexpected": list(proof.unexpected),
            "differing": [str(each) for each in proof.differing],
            "cast": [str(each) for each in proof.cast],
            "changes": jsonable((*proof.differing, *proof.cast)),
            "layers_compared": proof.layers_compared,
            "layers_differing": [str(each) for each in proof.layers],
        }
    if facts.golden is not None:
        section["golden"] = _golden(facts.golden)
    return section


def _golden(golden: GoldenCheck) -> dict[str, Json]:
    """The record's word on the model, flat enough to be read as a table."""
    if golden.problem:
        return {"file": golden.file, "problem": golden.problem}
    found, outputs = golden.weights, golden.outputs
    section: dict[str, Json] = {
        "file": golden.file,
        "digest": golden.digest,
        "made_by": ", ".join(f"{key} {value}" for key, value in (golden.made or {}).items()),
        "same_files": golden.same_files,
    }
    if found is not None:
        section |= {"weights_recorded": found.compared, "weights_identical": found.identical}
        changes = [*map(str, found.differing)]
        changes += [f"{name}: not in the file" for name in found.missing]
        changes += [f"{name}: not in the record" for name in found.unexpected]
        section["weights_changed"] = [*changes]
    if golden.not_replayed:
        return section | {"not_replayed": golden.not_replayed}
    return section | {
        "outputs_reproduced": all(each.reproduced for each in outputs),
        "max_abs_difference": jsonable(max(each.difference for each in outputs)),
        "tolerance": jsonable(min(each.tolerance for each in outputs)),
    }


def signature_section(artifact: Artifact) -> tuple[dict[str, Json], ...]:
    """The SavedModel's signatures."""
    return tuple(map(json_object, artifact.signatures))


def files_section(artifact: Artifact) -> tuple[dict[str, Json], ...]:
    """The model's files with sizes and digests."""
    return tuple(map(json_object, artifact.files))


def diagnosis_section(diagnosis: Diagnosis) -> dict[str, Json]:
    """Causes ranked, what was ruled out, and what cannot be told."""
    return json_object(diagnosis)
