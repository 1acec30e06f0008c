"""The stored weights: restored or not, trained or not, symmetric or not."""

from __future__ import annotations

from modelaudit.measures.batchnorm import MISFIT
from modelaudit.report import shown, text, words
from modelaudit.report.blocks import Block, Cell, Facts, Section, Table, name, num, prose
from modelaudit.report.values import (
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

LISTED = 20

SYMMETRY_TERMS = (
    "A kernel is the small grid of weights that a convolution slides over the image. The symmetry "
    "score says how much the kernels of a layer equal their own mirror image: 0 is what random "
    "weights give, 1 is exactly symmetric, below 0 is more unlike its mirror image than random. "
    "The deviation z counts standard deviations from random; read it only beside the score. "
    "A mirrored twin is another filter of the layer that holds the mirror image."
)


def _restore(restore: Map) -> list[Block]:
    compared, identical = as_count(restore.get("compared")), as_count(restore.get("identical"))
    lists = [
        ("missing", "In the file, but not in the loaded model"),
        ("unexpected", "In the loaded model, but not in the file"),
        ("differing", "In both, with different values"),
    ]
    blocks: list[Block] = []
    if compared is None:
        blocks.append(
            prose(
                "Whether the loaded model holds what the file holds was not compared, because the "
                "model was not loaded here.",
                tone="note",
            )
        )
    else:
        whole = identical == compared and not any(as_list(restore.get(key)) for key, _ in lists)
        said = (
            f"Restore proof: {identical or 0:,} of {text.plural(compared, 'tensor')} in the file "
            "are held byte for byte by the loaded model. A tensor is one named array of weights."
        )
        blocks.append(prose(said, tone="good" if whole else "bad"))
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
        blocks.append(Facts(rows))
    return blocks


def _strange(tensor: Map) -> str:
    """Why a tensor deserves a look, or an empty string."""
    said = []
    if bad := as_count(tensor.get("nonfinite")):
        said.append(f"{bad:,} values are not finite")
    low, high, size = (as_number(tensor.get(key)) for key in ("min", "max", "size"))
    zeros = as_count(tensor.get("zeros")) or 0
    if size and size > 1 and low is not None and low == high:
        said.append(f"every value is {text.number(low)}")
    elif size and zeros > 0.5 * size:
        said.append(f"{text.percent(zeros / size)} zeros")
    initial = tensor.get("initialization")
    state = as_text(as_map(initial).get("state")) or as_text(initial)
    if state == "fresh":
        said.append("still at its initial values")
    return "; ".join(said)


def _tensor_row(tensor: Map) -> tuple[Cell, ...]:
    low, high = as_number(tensor.get("min")), as_number(tensor.get("max"))
    span = f"{text.number(low)} to {text.number(high)}" if low is not None else "–"
    return (
        name(text.shorten(as_text(tensor.get("name")), 70)),
        num(shape(tensor.get("shape"))),
        Cell(text.shorten(as_text(tensor.get("dtype")), 16)),
        num(span),
        num(text.number(as_number(tensor.get("mean")))),
        num(text.number(as_number(tensor.get("std")))),
    )


def _standing_out(strange: list[tuple[Map, str]]) -> Table:
    rows = tuple(
        (name(text.shorten(as_text(t.get("name")), 70)), num(shape(t.get("shape"))), Cell(why))
        for t, why in strange
    )
    caption = "Tensors that deserve a look (not all of this is wrong)"
    columns = ("Tensor", "Shape", "What stands out")
    return Table(caption, columns, rows, print_rows=LISTED, open=len(rows) <= LISTED)


def _tensors(weights: Map) -> list[Block]:
    tensors = as_maps(weights.get("tensors"))
    if not tensors:
        return [prose("No tensor could be read from the file.", tone="note")]
    total = as_count(weights.get("total"))
    fixed = as_count(weights.get("non_trainable"))
    said = [f"The file holds {text.plural(len(tensors), 'tensor')}"]
    if total is not None:
        said.append(f"with {text.plural(total, 'number')}")
    if fixed:
        said.append(f"({fixed:,} of them not trainable)")
    if nbytes := as_count(weights.get("bytes")):
        said.append(f"in {text.file_size(nbytes)}")
    blocks: list[Block] = [prose(" ".join(said) + ".")]
    strange = [(tensor, why) for tensor in tensors if (why := _strange(tensor))]
    if strange:
        blocks.append(_standing_out(strange))
    columns = ("Tensor", "Shape", "Type", "Values", "Mean", "Deviation")
    rows = tuple(map(_tensor_row, tensors))
    blocks.append(Table("All tensors", columns, rows, print_rows=0, open=False))
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
            Cell(text.shorten(as_text(item.get("initializer")), 30) or "not named"),
            num(text.number(as_count(item.get("weights")))),
            Cell(words.mark(as_text(item.get("state"))).word, mark=as_text(item.get("state"))),
            Cell(text.cut(as_text(item.get("reason")), 160) or "–"),
        )
        for item in items
    )
    states = [as_text(item.get("state")) for item in items]
    said = (
        f"Of {text.plural(len(items), 'kernel')} tested against the initialiser that the file "
        f"names, {states.count('trained')} hold trained values, {states.count('fresh')} are still "
        f"at their initial values, and for {states.count('undecidable')} it cannot be told."
    )
    table = Table(
        "Trained, or still at the initial values?",
        ("Layer", "Initialiser", "Weights", "State", "Why"),
        rows,
        print_rows=min(len(items) - states.count("trained"), 15),
        open=len(rows) <= 15,
    )
    return [prose(said, tone="bad" if "fresh" in states else "plain"), table]


def _unusual(item: Map, misfit: float | None) -> bool:
    """Statistics that look lost: at their initial values, or far from those of the probes."""
    return item.get("statistics_initial") is True or (misfit is not None and misfit > MISFIT)


def _batchnorm(symmetry: Map, behaviour: Map) -> list[Block]:
    fits = as_maps(behaviour.get("batchnorm"))
    misfits = {as_text(fit.get("route")): as_number(fit.get("misfit")) for fit in fits}
    # How much made-up inputs strain statistics says nothing of the weights.
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
            num(shown.number(misfit, 2)),
        )
        for item, misfit in items
    )
    said = (
        f"Batch normalisation rescales by means and variances that are stored in the file; "
        f"{text.plural(unusual, 'layer')} of {len(items)} "
        f"{'looks' if unusual == 1 else 'look'} as if they were lost or belong to other weights."
    )
    table = Table(
        "Batch normalisation by layer",
        ("Layer", "Channels", "Statistics", "Scale and shift", "Misfit on images"),
        rows,
        note="Misfit: how far the stored statistics are from those of your images; 0 is a "
        "perfect fit, a dash means that it was not measured (it takes --probe-data).",
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
                num(shown.number(as_number(as_map(item.get("score")).get(g)), 2))
                for g in ("H", "V", "r180")
            ),
            num(shown.number(as_number(as_map(item.get("z")).get("H")), 2)),
            num(
                shown.number(as_number(as_map(as_map(item.get("twins")).get("H")).get("score")), 2)
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
        "Top–bottom",
        "Turned 180°",
        "z left–right",
        "Twins",
    )
    table = Table("Kernel symmetry by layer", columns, rows, print_rows=0, open=len(rows) <= 20)
    return [prose(SYMMETRY_TERMS, tone="terms"), table]


def build(audit: Audit) -> Section:
    """The chapter's content."""
    symmetry = as_map(audit.symmetry)
    blocks = _restore(as_map(audit.restore)) + _tensors(as_map(audit.weights))
    blocks += _initialization(symmetry) + _batchnorm(symmetry, as_map(audit.behaviour))
    blocks += _kernels(symmetry)
    return Section("weights", "Weights", tuple(blocks))
