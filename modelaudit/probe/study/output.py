"""Behaviour of one output, from the outputs for all variants of the inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from modelaudit.audit_types.behaviour import (
    ClassAgreement,
    InformationGain,
    OutputBehaviour,
    TransformEffect,
)
from modelaudit.facts import Artifact
from modelaudit.measures.behaviour.accuracy import unpredicted
from modelaudit.measures.behaviour.collapse import InputDiversity, collapse
from modelaudit.measures.behaviour.information_gain import information_gains
from modelaudit.measures.behaviour.orientation import information, orientation_profile
from modelaudit.measures.behaviour.outputs import (
    comparable,
    median_margin,
    probabilities,
    saturated_share,
)
from modelaudit.measures.behaviour.probe_data import prior_distance
from modelaudit.measures.behaviour.transform_effects import OutputPair, per_class, transform_effect
from modelaudit.measures.behaviour.variation import normalised_variation
from modelaudit.measures.transforms import MIRROR_OF, Transform
from modelaudit.probe.study.labels import score_variants
from modelaudit.probe.study.output_tasks import KnownKind, kind_of, task_of
from modelaudit.probe.study.runner import Array
from modelaudit.settings import Tasks, declared_task
from modelaudit.structs import replace

Outputs = Mapping[str, Array]


class VariantOutputs(Struct, frozen=True):
    """Outputs by name for each variant of the inputs.

    Attributes:
        given: outputs for the original inputs.
        noise: largest difference between repeated runs.
        moved: outputs by spatial transform.
        rescaled: outputs by value transform.
        combined: outputs by several transforms, joined by `+`.
        mirrored: outputs for mirror images, by value transform.
        mix: outputs for synthetic inputs, if `given` are for the user's.
        floors: outputs (plain, transformed) with symmetrised kernels, by transform.
        scrambled: outputs for the phase-scrambled control, by transform.
        y: labels or targets of the inputs, or None.
    """

    given: Outputs
    noise: float
    moved: Mapping[str, Outputs] = field(default_factory=dict)
    rescaled: Mapping[str, Outputs] = field(default_factory=dict)
    combined: Mapping[str, Outputs] = field(default_factory=dict)
    mirrored: Mapping[str, Outputs] = field(default_factory=dict)
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
    tasks: Tasks = (),
) -> OutputBehaviour:
    """Measure the behaviour of output `name`; `oriented` as in `PreparedInputs`.

    `tasks` as in `ProbeSettings`.
    """
    raw = answers.given[name]
    values = finite_values(raw)
    task = declared_task(tasks, name)
    known = kind_of(
        values, artifact, answers.y, name=name, single=len(answers.given) == 1, task=task
    )
    if not task and known.name == "sigmoid" and raw.dtype.kind in "iub" and answers.y is None:
        known = KnownKind("regression")  # choices, not probabilities
    kind = known.name
    bits_on_mix = _information(answers.mix, name, kind)
    diversity = replace(diversity, synthetic_information=bits_on_mix)
    # Without knowing whether numbers are scores, only their spread is judged.
    state = collapse(values, "regression" if known.guessed else kind, diversity)
    profiled = oriented and not known.guessed
    profile = _profile(name, kind, answers, rng) if profiled else ({}, {})
    variants = {key: finite_values(outputs[name]) for key, outputs in _variants(answers)}
    labelled = score_variants(variants, kind, answers.y, moves)
    found = OutputBehaviour(
        name=name,
        kind=kind,
        guessed=known.guessed,
        task=task_of(known, values, artifact, answers.y, name, task),
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
            if (margin := median_margin(finite_values(outputs[name]), kind)) is not None
        },
        accuracy=labelled.accuracy,
        fit=labelled.fit,
        gains=_gains(name, variants, known, answers, rng),
        better=labelled.better,
        worse_p=labelled.worse_p,
        chance_p=labelled.chance_p,
        numbering=labelled.numbering,
        renumbered=labelled.numbering.accuracy if labelled.numbering else None,
        prior=None if answers.y is None else prior_distance(values, kind, answers.y),
        unpredicted=() if answers.y is None else unpredicted(values, kind, answers.y),
        per_class=_per_class(name, kind, answers) if not state.collapsed else (),
        floor=_floors(name, kind, answers, moves),
        synthetic_information=bits_on_mix,
        saturated=saturated_share(values, kind),
        nonfinite=float(np.mean(~np.isfinite(raw.reshape(len(raw), -1)).all(axis=1))),
    )
    return _without_classes(found) if known.guessed else found


def _without_classes(output: OutputBehaviour) -> OutputBehaviour:
    """The same without what is only true if the outputs are scores of classes."""
    effects = tuple(
        TransformEffect(
            each.name, each.n, nfv=each.nfv, action=each.action, max_abs_diff=each.max_abs_diff
        )
        for each in output.transforms
    )
    return replace(
        output, transforms=effects, domain={}, margin=None, domain_margin={}, per_class=()
    )


def finite_values(values: Array) -> Array:
    """The values as floats, with 0 in place of NaN and infinity."""
    numbers = values.astype(np.float64) if values.dtype.kind != "f" else values
    return np.asarray(np.nan_to_num(numbers, nan=0.0, posinf=0.0, neginf=0.0))


def _information(outputs: Outputs | None, name: str, kind: str) -> float | None:
    if outputs is None or name not in outputs:
        return None
    p = probabilities(finite_values(outputs[name]), kind)
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
    pair = OutputPair(
        finite_values(answers.given[name]), finite_values(answers.moved[move.name][name])
    )
    control = answers.scrambled.get(move.name, {}).get(name)
    return transform_effect(
        pair,
        kind,
        move,
        rng,
        noise=answers.noise if np.isfinite(answers.noise) else 0.0,
        collapsed=collapsed,
        scrambled=finite_values(control) if control is not None else None,
    )


def _profile(
    name: str, kind: str, answers: VariantOutputs, rng: np.random.Generator
) -> tuple[Mapping[str, float], Mapping[str, tuple[float, float]]]:
    """Bits and intervals by orientation; empty for outputs without classes."""
    if answers.mix is None or not answers.moved:  # synthetic inputs have no correct orientation
        return {}, {}
    given = probabilities(finite_values(answers.given[name]), kind)
    if given is None:
        return {}, {}
    variants = {"e": given}
    for move, outputs in answers.moved.items():
        p = probabilities(finite_values(outputs[name]), kind)
        if p is not None and p.shape == given.shape:
            variants[move] = p
    if len(variants) < 2:
        return {}, {}
    profile = orientation_profile(variants, rng)
    return profile.information, profile.interval


def _gains(
    output: str,
    variants: Outputs,
    known: KnownKind,
    answers: VariantOutputs,
    rng: np.random.Generator,
) -> Mapping[str, InformationGain]:
    """Information that other forms of the user's inputs gain; empty for a guessed kind."""
    if answers.mix is None or known.guessed or len(variants) < 2:
        return {}
    mirrored = {name: variants[mate] for name, mate in MIRROR_OF.items() if mate in variants}
    if "H" not in answers.moved:
        mirrored = {}
    mirrored |= {name: finite_values(each[output]) for name, each in answers.mirrored.items()}
    told, mates = _classes(variants, known), _classes(mirrored, known)
    return information_gains(told, rng, mates) if "e" in told else {}


def _classes(values: Outputs, known: KnownKind) -> dict[str, NDArray[np.float64]]:
    """Probabilities of the classes by form; empty for outputs without classes."""
    found = {name: probabilities(each, known.name) for name, each in values.items()}
    return {name: p for name, p in found.items() if p is not None}


def _variants(answers: VariantOutputs) -> Iterator[tuple[str, Outputs]]:
    yield "e", answers.given
    yield from answers.moved.items()
    yield from answers.rescaled.items()
    yield from answers.combined.items()


def _per_class(name: str, kind: str, answers: VariantOutputs) -> tuple[ClassAgreement, ...]:
    """Effects per class of the first transform, which is the mirror if there is one."""
    move = next(iter(answers.moved), None)
    if move is None:
        return ()
    pair = OutputPair(finite_values(answers.given[name]), finite_values(answers.moved[move][name]))
    return per_class(pair, kind, move)


def _floors(
    name: str, kind: str, answers: VariantOutputs, moves: Mapping[str, Transform]
) -> Mapping[str, float]:
    """Variation that remains with symmetrised kernels, by transform."""
    found = {}
    for move, (plain, moved) in answers.floors.items():
        z, z_moved = (comparable(finite_values(side[name]), kind) for side in (plain, moved))
        if kind == "spatial":
            try:
                z_moved = moves[move].undo_on_output(z_moved)
            except ValueError:
                continue
        left = normalised_variation(z, z_moved)
        if left is not None:
            found[move] = left
    return found
