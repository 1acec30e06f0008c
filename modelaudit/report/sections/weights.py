"""The stored weights: whether they are restored, trained and symmetric."""

from __future__ import annotations

from collections import Counter

import msgspec
from msgspec import UNSET

from modelaudit.audit_types.behaviour import BehaviourSection
from modelaudit.audit_types.kernels import (
    BatchNormState,
    KernelInitialization,
    SymmetrySection,
)
from modelaudit.audit_types.restore import GoldenSection, RestoreSection, SourceSection
from modelaudit.audit_types.values import finite
from modelaudit.measures.architecture.modality_words import words_for
from modelaudit.report.blocks import Block, Cell, FactList, Section, Table, name, num, prose
from modelaudit.report.sections import tensors
from modelaudit.report.wording import number_format, text, vocabulary
from modelaudit.report.wording.json_value import plain
from modelaudit.schema import Audit
from modelaudit.thresholds.weights import MISFIT

LISTED = 20

SYMMETRY_TERMS = (
    "A kernel is the small grid of weights that a convolution slides over its input. The symmetry "
    "score says how similar the kernels of a layer are to their own mirror image: 0 is expected of "
    "random weights, 1 is exactly symmetric, below 0 is less similar than random. "
    "z is the number of standard deviations from random; read it only together with the score. "
    "A mirror pair is two filters of the layer that are mirror images of each other."
)


def _restore(restore: RestoreSection) -> list[Block]:
    lists = [
        (restore.missing, "In the file, but not in the loaded model"),
        (restore.unexpected, "In the loaded model, but not in the file"),
        (restore.differing, "In both, but with different values"),
    ]
    blocks: list[Block] = []
    if restore.empty:
        blocks.append(
            prose(
                "The loaded weights were not compared with the file: the model was not loaded.",
                tone="note",
            )
        )
    else:
        whole = restore.identical == restore.compared and not any(found for found, _ in lists)
        said = (
            f"After loading, {restore.identical:,} of "
            f"{text.plural(restore.compared, 'weight array')} equal "
            "those in the file, byte for byte. This does not show that they are the right weights: "
            "what was lost before the file was written is missing in both."
        )
        blocks.append(prose(said, tone="note" if whole else "bad"))
    for found, title in lists:
        if found:
            names = [f"`{text.shorten(item, 100)}`" for item in found]
            blocks.append(prose(f"{title} ({len(names):,}): {text.listing(names, LISTED)}."))
    if restore.golden is not UNSET:
        said = "A golden record, written when the model was saved, was replayed:"
        blocks += [prose(said), _facts(restore.golden)]
    if restore.exported_from is not UNSET:
        said = "The model was compared with the one that it was exported from:"
        blocks += [prose(said), _facts(restore.exported_from)]
    return blocks


def _facts(section: GoldenSection | SourceSection) -> FactList:
    rows = tuple(
        (text.shorten(key.replace("_", " "), 40), Cell(plain(value, 120)))
        for key, value in msgspec.structs.asdict(section).items()
        if value is not UNSET
    )
    return FactList(rows)


def _initialization(symmetry: SymmetrySection) -> list[Block]:
    order = {"fresh": 0, "undecidable": 1, "trained": 2}
    items = sorted(symmetry.initialization, key=lambda item: order[item.state])
    if not items:
        return []
    rows = tuple(
        (
            name(text.shorten(item.route, 60)),
            Cell(_initializer(item)),
            num(text.number(item.weights)),
            Cell(vocabulary.mark(item.state).word, mark=item.state),
            Cell(text.cut(item.reason, 160) or "–"),
        )
        for item in items
    )
    states = [item.state for item in items]
    guessed = [item for item in items if item.guessed]
    said = _told(Counter[str](states), len(items), by_file=not guessed)
    if guessed:
        whose = "them" if len(guessed) == len(items) else f"{len(guessed):,} of them"
        said += (
            f" The file names no initializer for {whose}: each was compared with the common ones, "
            "and the closest is shown."
        )
    table = Table(
        "Trained, or still at initial values?",
        ("Layer", "Initializer", "Weights", "State", "Reason"),
        rows,
        print_rows=min(len(items) - states.count("trained"), 15),
        open=len(rows) <= 15,
    )
    return [prose(said, tone="bad" if "fresh" in states else "plain"), table]


def _initializer(item: KernelInitialization) -> str:
    named = text.shorten(item.initializer, 30)
    if item.guessed and named:
        return f"closest: {named}"
    return named or "not named"


def _told(states: Counter[str], count: int, *, by_file: bool) -> str:
    """How many kernels are in which state, in one sentence without empty states."""
    against = " against the initializer named in the file" if by_file else ""
    each = [
        (states["trained"], "holds trained values", "hold trained values"),
        (states["fresh"], "is still at its initial values", "are still at their initial values"),
    ]
    parts = [f"{n:,} {one if n == 1 else many}" for n, one, many in each if n]
    if unclear := states["undecidable"]:
        parts.append(f"{unclear:,} {'is' if unclear == 1 else 'are'} inconclusive")
    return f"Of {text.plural(count, 'kernel')} tested{against}, {text.listing(parts)}."


def _unusual(item: BatchNormState, misfit: float | None) -> bool:
    """Whether statistics look lost: at their initial values, or far from those of the probes."""
    return item.statistics_initial or (misfit is not None and misfit > MISFIT.value)


def _batchnorm(symmetry: SymmetrySection, behaviour: BehaviourSection, many: str) -> list[Block]:
    misfits = {fit.route: finite(fit.misfit) for fit in behaviour.batchnorm}
    # The misfit on synthetic inputs says nothing about the weights.
    user = behaviour.inputs is not UNSET and behaviour.inputs.kind == "user"
    found = [(item, misfits.get(item.route) if user else None) for item in symmetry.batchnorm]
    items = sorted(found, key=lambda each: not _unusual(*each))
    if not items:
        return []
    unusual = sum(_unusual(*each) for each in items)
    rows = tuple(
        (
            name(text.shorten(item.route, 60)),
            num(text.number(item.channels)),
            Cell("still 0 and 1" if item.statistics_initial else "learned"),
            Cell("still 1 and 0" if item.affine_initial else "learned"),
            num(number_format.number(misfit, 2)),
        )
        for item, misfit in items
    )
    said = "Batch normalization uses means and variances stored in the file. "
    said += (
        f"In {unusual:,} of {text.plural(len(items), 'layer')} they seem to be lost or to belong "
        "to other weights."
        if unusual
        else "There is no sign that they are lost or belong to other weights."
    )
    table = Table(
        "Batch normalization by layer",
        ("Layer", "Channels", "Statistics", "Scale and shift", f"Misfit on {many}"),
        rows,
        note=f"Misfit: distance between the stored statistics and those of your {many}; 0 is a "
        "perfect fit, a dash means not measured (requires --probe-data).",
        print_rows=min(unusual, 12),
        open=len(rows) <= 12,
    )
    return [prose(said, tone="bad" if unusual else "plain"), table]


def _kernels(symmetry: SymmetrySection) -> list[Block]:
    rows = tuple(
        (
            name(text.shorten(item.route, 60)),
            num(text.shape(item.shape)),
            *(num(number_format.number(finite(item.score.get(g)), 2)) for g in ("H", "V", "r180")),
            num(number_format.number(finite(item.z.get("H")), 2)),
            num(number_format.number(finite(item.twins.get("H", {}).get("score")), 2)),
        )
        for item in symmetry.layers
        if not item.undefined
    )
    if not rows:
        return []
    columns = (
        "Layer",
        "Kernel",
        "Left–right",
        "Up–down",
        "Rotated 180°",
        "z left–right",
        "Mirror pairs",
    )
    table = Table("Kernel symmetry by layer", columns, rows, print_rows=0, open=len(rows) <= 20)
    return [prose(SYMMETRY_TERMS, tone="terms"), table]


def build(audit: Audit) -> Section:
    """The chapter's content."""
    symmetry, words = audit.symmetry, words_for(audit.model.modality)
    blocks = _restore(audit.restore) + tensors.build(audit.weights)
    blocks += _initialization(symmetry) + _batchnorm(symmetry, audit.behaviour, words.many)
    blocks += _kernels(symmetry) if words.oriented else []
    return Section("weights", "Weights", tuple(blocks))
