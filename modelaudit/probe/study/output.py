"""Behaviour of one output, from the outputs for all variants of the inputs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np
from msgspec import Struct, field

from modelaudit.audit_types.behaviour import ClassAgreement, OutputBehaviour, TransformEffect
from modelaudit.facts import Artifact
from modelaudit.measures.behaviour.accuracy import accuracy, explained_variance, renumbered_accuracy
from modelaudit.measures.behaviour.collapse import InputDiversity, collapse
from modelaudit.measures.behaviour.orientation import information, orientation_profile
from modelaudit.measures.behaviour.outputs import (
    comparable,
    median_margin,
    output_kind,
    probabilities,
    saturated_share,
)
from modelaudit.measures.behaviour.probe_data import prior_distance
from modelaudit.measures.behaviour.transform_effects import OutputPair, per_class, transform_effect
from modelaudit.measures.behaviour.variation import normalised_variation
from modelaudit.measures.transforms import Transform
from modelaudit.probe.study.runner import Array
from modelaudit.structs import replace

Outputs = Mapping[str, Array]


class VariantOutputs(Struct, frozen=True):
    """Outputs by name for each variant of the inputs.

    Attributes:
        given: outputs for the original inputs.
        noise: largest difference between repeated runs.
        moved: outputs by spatial transform.
        rescaled: outputs by value transform.
        mix: outputs for synthetic inputs, if `given` are for the user's.
        floors: outputs (plain, transformed) with symmetrised kernels, by transform.
        scrambled: outputs for the phase-scrambled control, by transform.
        y: labels or targets of the inputs, or None.
    """

    given: Outputs
    noise: float
    moved: Mapping[str, Outputs] = field(default_factory=dict)
    rescaled: Mapping[str, Outputs] = field(default_factory=dict)
    mix: Outputs | None = None
    floors: Mapping[str, tuple[Outputs, Outputs]] = field(default_factory=dict)
    scrambled: Mapping[str, Outputs] = field(default_factory=dict)
    y: Array | None = None


def describe_output(
    name: str,
    answers: VariantOutputs,
    artifact: Artifact,
    moves: Mapping[str, Transform],
    diversity: InputDiversity,
    rng: np.random.Generator,
    *,
    oriented: bool = True,
) -> OutputBehaviour:
    """Measure the behaviour of output `name`; `oriented` as in `PreparedInputs`."""
    raw = answers.given[name]
    values = _finite(raw)
    kind = _kind(values, artifact, single=len(answers.given) == 1)
    bits_on_mix = _information(answers.mix, name, kind)
    diversity = replace(diversity, synthetic_information=bits_on_mix)
    state = collapse(values, kind, diversity)
    profile = _profile(name, kind, answers, rng) if oriented else ({}, {})
    return OutputBehaviour(
        name=name,
        kind=kind,
        shape=(None, *values.shape[1:]),
        collapse=state,
        transforms=tuple(
            _effect(name, kind, answers, moves[move], rng, collapsed=state.collapsed)
            for move in answers.moved
            if move in moves
        ),
        orientation=profile[0],
        orientation_ci=profile[1],
        domain={
            key: bits
            for key in answers.rescaled
            if (bits := _information(answers.rescaled[key], name, kind)) is not None
        },
        margin=median_margin(values, kind),
        domain_margin={
            key: margin
            for key, outputs in answers.rescaled.items()
            if (margin := median_margin(_finite(outputs[name]), kind)) is not None
        },
        accuracy=_accuracies(name, kind, answers),
        renumbered=None
        if answers.y is None
        else renumbered_accuracy(_finite(raw), kind, answers.y),
        fit=_fit(name, kind, answers, moves),
        prior=None if answers.y is None else prior_distance(values, kind, answers.y),
        per_class=_per_class(name, kind, answers) if not state.collapsed else (),
        floor=_floors(name, kind, answers, moves),
        synthetic_information=bits_on_mix,
        saturated=saturated_share(values, kind),
        nonfinite=float(np.mean(~np.isfinite(raw.reshape(len(raw), -1)).all(axis=1))),
    )


def _finite(values: Array) -> Array:
    numbers = values.astype(np.float64) if values.dtype.kind != "f" else values
    return np.asarray(np.nan_to_num(numbers, nan=0.0, posinf=0.0, neginf=0.0))


def _kind(values: Array, artifact: Artifact, *, single: bool) -> str:
    """Kind of the output; head and loss in the file are used only for single-output models."""
    activation = loss = None
    if single and artifact.kernels:
        last = artifact.kernels[-1]
        if last.shape and last.shape[-1] == values.shape[-1]:
            activation = last.activation
        said = (artifact.training or {}).get("loss")
        loss = said if isinstance(said, str) else None
    return output_kind(
        values,
        activation=activation,
        loss=loss,
        has_head=bool(artifact.kernels) or artifact.architecture is None,
    )


def _information(outputs: Outputs | None, name: str, kind: str) -> float | None:
    if outputs is None or name not in outputs:
        return None
    p = probabilities(_finite(outputs[name]), kind)
    return information(p) if p is not None else None


def _effect(
    name: str,
    kind: str,
    answers: VariantOutputs,
    move: Transform,
    rng: np.random.Generator,
    *,
    collapsed: bool,
) -> TransformEffect:
    pair = OutputPair(_finite(answers.given[name]), _finite(answers.moved[move.name][name]))
    control = answers.scrambled.get(move.name, {}).get(name)
    return transform_effect(
        pair,
        kind,
        move,
        rng,
        noise=answers.noise if np.isfinite(answers.noise) else 0.0,
        collapsed=collapsed,
        scrambled=_finite(control) if control is not None else None,
    )


def _profile(
    name: str, kind: str, answers: VariantOutputs, rng: np.random.Generator
) -> tuple[Mapping[str, float], Mapping[str, tuple[float, float]]]:
    """Bits and intervals by orientation; empty for outputs without classes."""
    if answers.mix is None or not answers.moved:  # synthetic inputs have no correct orientation
        return {}, {}
    given = probabilities(_finite(answers.given[name]), kind)
    if given is None:
        return {}, {}
    variants = {"e": given}
    for move, outputs in answers.moved.items():
        p = probabilities(_finite(outputs[name]), kind)
        if p is not None and p.shape == given.shape:
            variants[move] = p
    if len(variants) < 2:
        return {}, {}
    profile = orientation_profile(variants, rng)
    return profile.information, profile.interval


def _accuracies(name: str, kind: str, answers: VariantOutputs) -> Mapping[str, float]:
    """Accuracy by orientation and value range; `e` is the original inputs."""
    if answers.y is None:
        return {}
    found = {
        variant: accuracy(_finite(outputs[name]), kind, answers.y)
        for variant, outputs in _variants(answers)
    }
    return {variant: share for variant, share in found.items() if share is not None}


def _fit(
    name: str, kind: str, answers: VariantOutputs, moves: Mapping[str, Transform]
) -> Mapping[str, float]:
    """R2 of an output without classes, by orientation and value range.

    A map for a transformed image may match the targets directly (if they were not transformed) or
    after undoing the transform (if they were); the better one counts.
    """
    if answers.y is None or kind not in {"regression", "spatial"}:
        return {}
    found = {}
    for variant, outputs in _variants(answers):
        values = _finite(outputs[name])
        tries = [values]
        if kind == "spatial" and variant in moves:
            with contextlib.suppress(ValueError):
                tries.append(moves[variant].undo_on_output(values))
        scores = [explained_variance(each, answers.y) for each in tries]
        known = [score for score in scores if score is not None]
        if known:
            found[variant] = max(known)
    return found


def _variants(answers: VariantOutputs) -> Iterator[tuple[str, Outputs]]:
    yield "e", answers.given
    yield from answers.moved.items()
    yield from answers.rescaled.items()


def _per_class(name: str, kind: str, answers: VariantOutputs) -> tuple[ClassAgreement, ...]:
    """Effects per class of the first transform, which is the mirror if there is one."""
    move = next(iter(answers.moved), None)
    if move is None:
        return ()
    pair = OutputPair(_finite(answers.given[name]), _finite(answers.moved[move][name]))
    return per_class(pair, kind, move)


def _floors(
    name: str, kind: str, answers: VariantOutputs, moves: Mapping[str, Transform]
) -> Mapping[str, float]:
    """Variation that remains with symmetrised kernels, by transform."""
    found = {}
    for move, (plain, moved) in answers.floors.items():
        z, z_moved = (comparable(_finite(side[name]), kind) for side in (plain, moved))
        if kind == "spatial":
            try:
                z_moved = moves[move].undo_on_output(z_moved)
            except ValueError:
                continue
        left = normalised_variation(z, z_moved)
        if left is not None:
            found[move] = left
    return found
