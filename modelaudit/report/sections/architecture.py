"""The saved architecture: a summary by stage, then the layers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from modelaudit.report.blocks import Block, Cell, FactList, Section, Table, name, num, prose
from modelaudit.report.wording import text, vocabulary
from modelaudit.report.wording.json_access import (
    Map,
    as_count,
    as_list,
    as_map,
    as_maps,
    as_text,
    shape,
)
from modelaudit.schema import Audit

PRINTED_LAYERS = 24
PRINTED_BESIDE_STAGES = 12
CLASSES_NAMED = 4


@dataclass(frozen=True, slots=True)
class Stage:
    """Consecutive layers whose outputs have the same spatial size."""

    size: str
    classes: str
    layers: int
    params: int
    first: str
    last: str


def _spatial(layer: Map) -> str | None:
    """The spatial size of a layer's output, `vector` if it has none, None if unknown."""
    found = layer.get("output_shape")
    if not isinstance(found, list | tuple):
        return None
    inner = as_list(found)[1:-1]
    return shape(inner) if inner else "vector"


def _ends(route: str) -> list[int]:
    """Where the names of a layer's parents end in its route."""
    return [place for place, char in enumerate(route) if char == "/"]


def stages(layers: list[Map]) -> list[Stage]:
    """`layers` grouped by output size; a layer of unknown size joins the group before it.

    A nested model is not a stage of its own: its layers are.
    """
    routes = [as_text(layer.get("route")) for layer in layers]
    holders = {route[:end] for route in routes for end in _ends(route)}
    runs: list[tuple[str, list[Map]]] = []
    for route, layer in zip(routes, layers, strict=True):
        if route in holders:
            continue
        size = _spatial(layer)
        if runs and size in (None, runs[-1][0]):
            runs[-1][1].append(layer)
        else:
            runs.append((size or "unknown", [layer]))
    found = []
    for size, members in runs:
        counted = Counter(as_text(m.get("class")) or "?" for m in members).most_common()
        classes = text.listing(
            [f"{n} × {text.shorten(c, 30)}" if n > 1 else text.shorten(c, 30) for c, n in counted],
            CLASSES_NAMED,
        )
        params = sum(as_count(m.get("params")) or 0 for m in members)
        first, last = (as_text(members[i].get("route")) for i in (0, -1))
        found.append(Stage(size, classes, len(members), params, first, last))
    return found


def ports(data: Map, side: str) -> list[str]:
    """`inputs` or `outputs` of an architecture, each as `name (shape) dtype`."""
    return [
        " ".join(
            filter(
                None,
                (
                    text.shorten(as_text(port.get("route")), 50),
                    f"({shape(port.get('shape')) or 'shape unknown'})",
                    as_text(port.get("dtype"))[:20],
                ),
            )
        )
        for port in as_maps(data.get(side))
    ]


def _facts(data: Map, profile: Map) -> FactList:
    params = as_count(data.get("params"))
    rows = [("Class", name(text.shorten(as_text(data.get("class")) or "unknown", 60)))]
    if dialect := as_text(data.get("dialect")):
        rows.append(("Config style", Cell(text.shorten(dialect, 30))))
    for key, title in (("inputs", "Inputs"), ("outputs", "Outputs")):
        if shown := ports(data, key):
            rows.append((title, name(text.listing(shown, 4))))
    if params is not None:
        rows.append(("Parameters", Cell(f"{params:,}")))
    if head := as_text(profile.get("head")):
        rows.append(("Head", Cell(vocabulary.HEADS.get(head, "not recognised"))))
    augmentation = [text.shorten(as_text(r), 40) for r in as_list(profile.get("augmentation"))]
    said = text.listing(augmentation) if augmentation else "none in the model"
    if profile:
        rows.append(("Augmentation layers", Cell(said)))
        rescaling = [text.shorten(as_text(r), 40) for r in as_list(profile.get("rescaling"))]
        said = text.listing(rescaling) if rescaling else "none in the model"
        rows.append(("Rescaling of inputs", Cell(said)))
    return FactList(tuple(rows))


def _grids(profile: Map) -> Table | None:
    broken = [
        grid for grid in as_maps(profile.get("grids")) if False in as_list(grid.get("symmetric"))
    ]
    if not broken:
        return None
    axes = ("up-down", "left-right")
    rows = tuple(
        (
            name(text.shorten(as_text(grid.get("route")), 60)),
            Cell(text.shorten(as_text(grid.get("class_name")), 30)),
            num(shape(grid.get("size"))),
            num(shape(grid.get("kernel"))),
            num(shape(grid.get("strides"))),
            Cell(text.shorten(as_text(grid.get("padding")), 12)),
            Cell(
                text.listing(
                    [
                        axes[i] if len(as_list(grid["symmetric"])) == 2 else f"axis {i + 1}"
                        for i, good in enumerate(as_list(grid["symmetric"]))
                        if good is False
                    ]
                )
            ),
        )
        for grid in broken
    )
    columns = ("Layer", "Class", "Input", "Kernel", "Strides", "Padding", "Asymmetric")
    return Table(
        "Layers whose sampling grid is not symmetric",
        columns,
        rows,
        note="Such a layer treats an image and its mirror image differently for any weights.",
        print_rows=12,
        open=len(rows) <= 12,
    )


def _layers(layers: list[Map], profile: Map) -> Table:
    fields = {
        as_text(f.get("route")): shape(f.get("maximum")) for f in as_maps(profile.get("fields"))
    }
    sees = {route: size for route, size in fields.items() if size}
    frozen = any(layer.get("trainable") is False for layer in layers)
    rows = tuple(
        (
            name(text.shorten(as_text(layer.get("route")), 64)),
            Cell(
                text.shorten(as_text(layer.get("class")), 32)
                + (" (custom)" if layer.get("custom") is True else "")
            ),
            num(
                shape(as_list(layer.get("output_shape"))[1:]) if layer.get("output_shape") else "–"
            ),
            num(text.number(as_count(layer.get("params")))),
            *((num(sees.get(as_text(layer.get("route")), "–")),) if sees else ()),
            *((Cell("frozen" if layer.get("trainable") is False else ""),) if frozen else ()),
        )
        for layer in layers
    )
    more = (*(("Receptive field",) if sees else ()), *(("Training",) if frozen else ()))
    columns = ("Layer", "Class", "Output", "Parameters", *more)
    return Table(
        "All layers in order of execution",
        columns,
        rows,
        print_rows=PRINTED_LAYERS if len(layers) <= PRINTED_LAYERS else PRINTED_BESIDE_STAGES,
        open=False,
    )


def build(audit: Audit) -> Section:
    """The chapter's content."""
    data = as_map(audit.architecture)
    layers = as_maps(data.get("layers"))
    if not layers:
        said = as_text(data.get("skipped_reason")) or (
            "The file holds no architecture that can be read without running it (for example a "
            "weights-only file or a plain graph), so its layers are not described."
        )
        return Section("architecture", "Architecture", (prose(said, tone="note"),))
    profile = as_map(data.get("profile"))
    rows = tuple(
        (
            Cell(stage.size),
            Cell(stage.classes),
            num(f"{stage.layers:,}"),
            num(f"{stage.params:,}"),
            name(
                text.shorten(stage.first, 36)
                if stage.first == stage.last
                else f"{text.shorten(stage.first, 30)} … {text.shorten(stage.last, 30)}"
            ),
        )
        for stage in stages(layers)
    )
    columns = ("Output size", "Layers by class", "Layers", "Parameters", "First … last")
    blocks: list[Block] = [
        prose(
            "A layer is one step of the network; its parameters are the numbers stored for it: "
            "trained weights and batch-normalisation statistics. The receptive field is how many "
            "input pixels one output of the layer can depend on.",
            tone="terms",
        ),
        _facts(data, profile),
        Table(
            "Stages: consecutive layers with the same output size",
            columns,
            rows,
            print_rows=24 if len(layers) > PRINTED_LAYERS else 0,  # otherwise all layers are listed
            open=len(rows) <= 24,
        ),
    ]
    if grids := _grids(profile):
        blocks.append(grids)
    blocks.append(_layers(layers, profile))
    return Section("architecture", "Architecture", tuple(blocks))
