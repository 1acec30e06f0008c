"""The stored weights: whether they are restored, trained and symmetric."""

from __future__ import annotations

from collections import Counter

from modelaudit.report.blocks import Block, Cell, FactList, Section, Table, name, num, prose
from modelaudit.report.sections import tensors
from modelaudit.report.wording import number_format, text, vocabulary
from modelaudit.report.wording.json_access import (
    Map,
    as_count,
    as_list,
    as_map,
    as_maps,
    as_number,
    as_text,
    plain,
    shape,
)
from modelaudit.schema import Audit
from modelaudit.thresholds.weights import MISFIT

LISTED = 20

SYMMETRY_TERMS = (
    "A kernel is the small grid of weights that a convolution slides over the image. The symmetry "
    "score says how similar the kernels of a layer are to their own mirror image: 0 is expected of "
    "random weights, 1 is exactly symmetric, below 0 is less similar than random. "
    "z is the number of standard deviations from random; read it only together with the score. "
    "A mirror pair is two filters of the layer that are mirror images of each other."
)


def _restore(restore: Map) -> list[Block]:
    compared, identical = as_count(restore.get("compared")), as_count(restore.get("identical"))
    lists = [
        ("missing", "In the file, but not in the loaded model"),
        ("unexpected", "In the loaded model, but not in the file"),
        ("differing", "In both, but with different values"),
    ]
    blocks: list[Block] = []
    if compared is None:
        blocks.append(
            prose(
                "The loaded weights were not compared with the file: the model was not loaded.",
                tone="note",
            )
        )
    else:
        whole = identical == compared and not any(as_list(restore.get(key)) for key, _ in lists)
        said = (
            f"After loading, {identical or 0:,} of {text.plural(compared, 'weight array')} equal "
            "those in the file, byte for byte. This does not show that they are the right weights: "
            "what was lost before the file was written is missing in both."
        )
        blocks.append(prose(said, tone="note" if whole else "bad"))
    for key, title in lists:
        found = [f"`{plain(item, 100)}`" for item in as_list(restore.get(key))]
        if found:
            blocks.append(prose(f"{title} ({len(found):,}): {text.listing(found, LISTED)}."))
    golden = as_map(restore.get("golden"))
    if golden:
        rows = tuple(
            (text.shorten(str(key).replace("_", " "), 40), Cell(plain(value, 120)))
            for key, value in golden.items()
        )
        blocks.append(prose("A golden record, written when the model was saved, was replayed:"))
        blocks.append(FactList(rows))
    return blocks


def _initialization(symmetry: Map) -> list[Block]:
    order = {"fresh": 0, "undecidable": 1, "trained": 2}
    items = sorted(
        as_maps(symmetry.get("initialization")),
        key=lambda item: order.get(as_text(item.get("state")), 3),
    )
    if not items:
        return []
    rows = tuple(
        (
            name(text.shorten(as_text(item.get("route")), 60)),
            Cell(_initialiser(item)),
            num(text.number(as_count(item.get("weights")))),
            Cell(vocabulary.mark(as_text(item.get("state"))).word, mark=as_text(item.get("state"))),
            Cell(text.cut(as_text(item.get("reason")), 160) or "–"),
        )
        for item in items
    )
    states = [as_text(item.get("state")) for item in items]
    guessed = [item for item in items if item.get("guessed") is True]
    said = _told(Counter(states), len(items), by_file=not guessed)
    if guessed:
        whose = "them" if len(guessed) == len(items) else f"{len(guessed):,} of them"
        said += (
            f" The file names no initialiser for {whose}: each was compared with nine common ones, "
            "and the closest is shown."
        )
    table = Table(
        "Trained, or still at initial values?",
        ("Layer", "Initialiser", "Weights", "State", "Reason"),
        rows,
        print_rows=min(len(items) - states.count("trained"), 15),
        open=len(rows) <= 15,
    )
    return [prose(said, tone="bad" if "fresh" in states else "plain"), table]


def _initialiser(item: Map) -> str:
    named = text.shorten(as_text(item.get("initializer")), 30)
    if item.get("guessed") is True and named:
        return f"closest: {named}"
    return named or "not named"


def _told(states: Counter[str], count: int, *, by_file: bool) -> str:
    """How many kernels are in which state, in one sentence without empty states."""
    against = " against the initialiser named in the file" if by_file else ""
    each = [
        (states["trained"], "holds trained values", "hold trained values"),
        (states["fresh"], "is still at its initial values", "are still at their initial values"),
    ]
    parts = [f"{n:,} {one if n == 1 else many}" for n, one, many in each if n]
    if unclear := states["undecidable"]:
        parts.append(f"{unclear:,} {'is' if unclear == 1 else 'are'} inconclusive")
    return f"Of {text.plural(count, 'kernel')} tested{against}, {text.listing(parts)}."


def _unusual(item: Map, misfit: float | None) -> bool:
    """Whether statistics look lost: at their initial values, or far from those of the probes."""
    return item.get("statistics_initial") is True or (misfit is not None and misfit > MISFIT.value)


def _batchnorm(symmetry: Map, behaviour: Map) -> list[Block]:
    fits = as_maps(behaviour.get("batchnorm"))
    misfits = {as_text(fit.get("route")): as_number(fit.get("misfit")) for fit in fits}
    # The misfit on synthetic inputs says nothing about the weights.
    user = as_map(behaviour.get("inputs")).get("kind") == "user"
    found = [
        (item, misfits.get(as_text(item.get("route"))) if user else None)
        for item in as_maps(symmetry.get("batchnorm"))
    ]
    items = sorted(found, key=lambda each: not _unusual(*each))
    if not items:
        return []
    unusual = sum(_unusual(*each) for each in items)
    rows = tuple(
        (
            name(text.shorten(as_text(item.get("route")), 60)),
            num(text.number(as_count(item.get("channels")))),
            Cell("still 0 and 1" if item.get("statistics_initial") is True else "learned"),
            Cell("still 1 and 0" if item.get("affine_initial") is True else "learned"),
            num(number_format.number(misfit, 2)),
        )
        for item, misfit in items
    )
    said = "Batch normalisation uses means and variances stored in the file. "
    said += (
        f"In {unusual:,} of {text.plural(len(items), 'layer')} they seem to be lost or to belong "
        "to other weights."
        if unusual
        else "There is no sign that they are lost or belong to other weights."
    )
    table = Table(
        "Batch normalisation by layer",
        ("Layer", "Channels", "Statistics", "Scale and shift", "Misfit on images"),
        rows,
        note="Misfit: distance between the stored statistics and those of your images; 0 is a "
        "perfect fit, a dash means not measured (requires --probe-data).",
        print_rows=min(unusual, 12),
        open=len(rows) <= 12,
    )
    return [prose(said, tone="bad" if unusual else "plain"), table]


def _kernels(symmetry: Map) -> list[Block]:
    rows = tuple(
        (
            name(text.shorten(as_text(item.get("route")), 60)),
            num(shape(item.get("shape"))),
            *(
                num(number_format.number(as_number(as_map(item.get("score")).get(g)), 2))
                for g in ("H", "V", "r180")
            ),
            num(number_format.number(as_number(as_map(item.get("z")).get("H")), 2)),
            num(
                number_format.number(
                    as_number(as_map(as_map(item.get("twins")).get("H")).get("score")), 2
                )
            ),
        )
        for item in as_maps(symmetry.get("layers"))
        if not as_text(item.get("undefined"))
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
    symmetry = as_map(audit.symmetry)
    blocks = _restore(as_map(audit.restore)) + tensors.build(as_map(audit.weights))
    blocks += _initialization(symmetry) + _batchnorm(symmetry, as_map(audit.behaviour))
    blocks += _kernels(symmetry)
    return Section("weights", "Weights", tuple(blocks))
