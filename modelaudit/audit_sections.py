"""Facts to the sections of an audit, as `audit_types` declares them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from msgspec import UNSET

from modelaudit.audit_types.architecture import (
    ArchitectureProfile,
    ArchitectureSection,
    LayerRow,
    PortRow,
)
from modelaudit.audit_types.behaviour import BehaviourSection
from modelaudit.audit_types.kernels import InitialState, SymmetrySection
from modelaudit.audit_types.loading import (
    CompatibilityRow,
    LoadOutcome,
    ObservationRow,
    ObservedLoading,
    PredictionReason,
)
from modelaudit.audit_types.model import ExitSection, LabelsFile, ModelSection
from modelaudit.audit_types.restore import GoldenSection, RestoreSection, SourceSection
from modelaudit.audit_types.weights import TensorRow, WeightsSection
from modelaudit.exit_codes import ExitCode
from modelaudit.facts import Architecture, Artifact, Json, Layer, Tensor
from modelaudit.findings import Severity, Verdict
from modelaudit.measures.summary import Measurements
from modelaudit.probe.pair.source import ExportSource
from modelaudit.probe.pair.wording import sentences
from modelaudit.probe.protocol import Observation
from modelaudit.restore.golden_check import GoldenCheck
from modelaudit.rules.conditions import prediction_of
from modelaudit.rules.model import Facts
from modelaudit.runtimes.model import Prediction, predicted_call
from modelaudit.schema import is_seed
from modelaudit.structs import converted, replace


def model_section(facts: Facts, root: str, path: str, slug: str, origin: str = "") -> ModelSection:
    """The identity of the model: path, format, versions, origin and kind of inputs."""
    artifact = facts.artifact
    return ModelSection(
        root=root,
        path=path,
        slug=slug,
        format=artifact.format.value,
        format_label=artifact.format.label,
        sha256=artifact.sha256,
        bytes=artifact.nbytes,
        files=len(artifact.files),
        saved_with=artifact.provenance,
        complete=artifact.complete,
        origin=origin or UNSET,
        labels=labels_file(artifact) or UNSET,
        modality=facts.modality,
    )


def labels_file(artifact: Artifact) -> LabelsFile | None:
    """The file with the names of the classes, in the model's directory or beside it."""
    labels = artifact.extra.get("labels")
    if not isinstance(labels, dict) or "sha256" not in labels:  # those of an archive's member
        return None
    return LabelsFile(file=str(labels["file"]), sha256=str(labels["sha256"]))


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
    source = artifact.extra.get("architecture_from")
    return ArchitectureSection(
        class_name=architecture.class_name,
        name=architecture.name,
        dialect=architecture.dialect,
        file=source if isinstance(source, str) else UNSET,
        inputs=_ports(architecture, architecture.inputs),
        outputs=_ports(architecture, architecture.outputs),
        params=sum(tensor.size for tensor in parameters(artifact)),
        layers=tuple(_layer(layer, tensors) for layer in architecture.layers),
        profile=profile or ArchitectureProfile(),
    )


def parameters(artifact: Artifact) -> list[Tensor]:
    """The tensors that Keras counts as parameters: all weights except generator state."""
    weights = (tensor for tensor in artifact.tensors if tensor.role == "weight")
    return [each for each in weights if not is_seed(each.shape, each.dtype)]


def weights_section(facts: Facts) -> WeightsSection:
    """Every stored tensor with its digest and statistics."""
    artifact = facts.artifact
    measured = facts.measurements.initialization if facts.measurements else ()
    states = {kernel.tensor: kernel.state for kernel in measured}
    weights = parameters(artifact)
    return WeightsSection(
        tensors=tuple(_tensor(tensor, states.get(tensor.name)) for tensor in artifact.tensors),
        total=sum(tensor.size for tensor in weights),
        bytes=sum(tensor.nbytes for tensor in weights),
        optimizer=sum(t.size for t in artifact.tensors if t.role == "optimizer"),
    )


def _tensor(tensor: Tensor, state: InitialState | None) -> TensorRow:
    stats = tensor.stats
    return TensorRow(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        role=tensor.role,
        size=tensor.size,
        sha256=tensor.sha256,
        min=stats.minimum if stats else None,
        max=stats.maximum if stats else None,
        mean=stats.mean if stats else None,
        std=stats.std if stats else None,
        zeros=stats.zeros if stats else None,
        nonfinite=stats.nonfinite if stats else None,
        initialization=state,
    )


def symmetry_section(measurements: Measurements | None) -> SymmetrySection:
    """Static measures of the kernels; empty if nothing was measured."""
    if measurements is None:
        return SymmetrySection()
    return converted(SymmetrySection, measurements, layers=measurements.symmetry)


def behaviour_section(facts: Facts) -> BehaviourSection:
    """Results of running the model, or why it was not run."""
    seen = facts.behaviour
    if seen is None:
        reason = facts.probe_skipped or "the model returned no output to measure"
        return BehaviourSection(skipped_reason=reason)
    return converted(BehaviourSection, seen, skipped_reason=UNSET)


def observation_sections(observations: tuple[Observation, ...]) -> tuple[ObservationRow, ...]:
    """Each attempt to load, without timings, so that repeated audits are equal."""
    return tuple(
        converted(ObservationRow, seen, variables=len(seen.variables)) for seen in observations
    )


def compatibility_section(facts: Facts) -> tuple[CompatibilityRow, ...]:
    """Predicted and observed loading, one row per runtime and call, observed ones first."""
    left = {(each.runtime, each.call): each for each in facts.predictions}
    rows = []
    for seen in (*facts.observations, *facts.elsewhere):
        left.pop((seen.target, predicted_call(seen.call)), None)
        row = _predicted(seen.runtime, seen.call, prediction_of(facts, seen))
        rows.append(replace(row, versions=seen.versions, observed=_observed(seen)))
    rows += [_predicted(each.runtime, each.call, each) for each in left.values()]
    return tuple(rows)


def _observed(seen: Observation) -> ObservedLoading:
    """The result of loading, and the comparison of outputs with another runtime."""
    ended = ObservedLoading(status=seen.status, error=seen.failure or seen.uncallable)
    found = seen.agreement
    if found is None:
        return ended
    if found.not_compared:
        return replace(ended, reference=found.reference, same=None, not_compared=found.not_compared)
    return replace(
        ended,
        reference=found.reference,
        same=found.same,
        max_abs_diff=found.difference,
        max_rel_diff=found.relative,
        noise=found.noise,
        tolerance=found.tolerance,
        output=found.output,
        samples=found.samples,
    )


def _predicted(runtime: str, call: str, prediction: Prediction | None) -> CompatibilityRow:
    if prediction is None:
        return CompatibilityRow(
            runtime=runtime, call=call, predicted=LoadOutcome.UNKNOWN, because=(), observed=None
        )
    return CompatibilityRow(
        runtime=runtime,
        call=call,
        predicted=prediction.predicted,
        because=tuple(converted(PredictionReason, each) for each in prediction.because),
        confidence=prediction.confidence,
        collected_from=prediction.collected,
        observed=None,
        untried=prediction.untried or UNSET,
    )


def restore_section(facts: Facts) -> RestoreSection:
    """The comparison of stored and restored weights, and of both with the records beside them."""
    golden = UNSET if facts.golden is None else _golden(facts.golden)
    source = UNSET if facts.source is None else _source(facts.source)
    made = facts.repaired
    repair = made.repair if made is not None and made.same_file and made.repair else UNSET
    proof = facts.restore
    if proof is None:
        return RestoreSection(golden=golden, repair=repair, exported_from=source)
    return converted(
        RestoreSection,
        proof,
        differing=tuple(map(str, proof.differing)),
        cast=tuple(map(str, proof.cast)),
        changes=(*proof.differing, *proof.cast),
        layers_differing=tuple(map(str, proof.layers)),
        golden=golden,
        repair=repair,
        exported_from=source,
    )


def _source(source: ExportSource) -> SourceSection:
    return SourceSection(
        file=source.artifact.root.name,
        verdict=source.pair.verdict.value,
        numbers=source.pair.numbers.value,
        weights_compared=source.weights.compared,
        weights_found=source.weights.identical,
        ran=source.ran,
        not_run=source.not_run or UNSET,
        said=tuple(sentences(source.pair)),
    )


def _golden(golden: GoldenCheck) -> GoldenSection:
    """The comparison with the golden record, flat enough for a table."""
    if golden.problem:
        return GoldenSection(file=golden.file, problem=golden.problem)
    section = GoldenSection(
        file=golden.file,
        digest=golden.digest,
        made_by=", ".join(f"{key} {value}" for key, value in (golden.made or {}).items()),
        same_files=golden.same_files,
    )
    found, outputs = golden.weights, golden.outputs
    if found is not None:
        changes = [*map(str, found.differing)]
        changes += [f"{name}: not in the file" for name in found.missing]
        changes += [f"{name}: not in the record" for name in found.unexpected]
        section = replace(
            section,
            weights_recorded=found.compared,
            weights_identical=found.identical,
            weights_changed=tuple(changes),
        )
    if golden.not_replayed:
        return replace(section, not_replayed=golden.not_replayed)
    return replace(
        section,
        outputs_reproduced=all(each.reproduced for each in outputs),
        max_abs_difference=max(each.difference for each in outputs),
        tolerance=min(each.tolerance for each in outputs),
    )


def exit_section(verdict: Verdict, reason: str, fail_on: Severity) -> ExitSection:
    """The exit code for this model alone, with its reasons and the `--fail-on` severity."""
    codes = {Verdict.FAIL: ExitCode.FINDINGS, Verdict.INCOMPLETE: ExitCode.INCOMPLETE}
    code = codes.get(verdict, ExitCode.OK)
    return ExitSection(code=code.value, reasons=(reason,) if code else (), fail_on=fail_on)
