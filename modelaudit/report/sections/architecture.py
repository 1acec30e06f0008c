"""The saved architecture: a summary by stage, then the layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from modelaudit.audit_types.architecture import (
    ArchitectureProfile,
    ArchitectureSection,
    LayerRow,
    PortRow,
)
from modelaudit.measures.architecture.modality_words import words_for
from modelaudit.report.blocks import Block, Cell, FactList, Section, Table, name, num, prose
from modelaudit.report.wording import text, vocabulary
from modelaudit.schema import Audit

PRINTED_LAYERS = 24
PRINTED_BESIDE_STAGES = 12
CLASSES_NAMED = 4


class Stage(Struct, frozen=True):
    """Consecutive layers whose outputs have the same spatial size."""

    size: str
    classes: str
    layers: int
    params: int
    first: str
    last: str


def _spatial(layer: LayerRow) -> str | None:
    """The spatial size of a layer's output, `vector` if it has none, None if unknown."""
    if layer.output_shape is None:
        return None
    inner = layer.output_shape[1:-1]
    return text.shape(inner) if inner else "vector"


def _ends(route: str) -> list[int]:
    """Where the names of a layer's parents end in its route."""
    return [place for place, char in enumerate(route) if char == "/"]


def stages(layers: Sequence[LayerRow]) -> list[Stage]:
    """`layers` grouped by output size; a layer of unknown size joins the group before it.

    A nested model is not a stage of its own: its layers are.
    """
    routes = [layer.route for layer in layers]
    holders = {route[:end] for route in routes for end in _ends(route)}
    runs: list[tuple[str, list[LayerRow]]] = []
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
        counted = Counter(m.class_name or "?" for m in members).most_common()
        classes = text.listing(
            [f"{n} × {text.shorten(c, 30)}" if n > 1 else text.shorten(c, 30) for c, n in counted],
            CLASSES_NAMED,
        )
        params = sum(m.params for m in members)
        first, last = members[0].route, members[-1].route
        found.append(Stage(size, classes, len(members), params, first, last))
    return found


def ports(found: Sequence[PortRow]) -> list[str]:
    """Inputs or outputs, each as `name (shape) dtype`."""
    return [
        " ".join(
            filter(
                None,
                (
                    text.shorten(port.route, 50),
                    f"({text.shape(port.shape) or 'shape unknown'})",
                    (port.dtype or "")[:20],
                ),
            )
        )
        for port in found
    ]


def _facts(data: ArchitectureSection) -> FactList:
    profile = data.profile
    rows = [("Class", name(text.shorten(data.class_name or "unknown", 60)))]
    if data.dialect:
        rows.append(("Config style", Cell(data.dialect)))
    if data.file:
        rows.append(("Read from", name(text.shorten(data.file, 60))))
    for found, title in ((data.inputs, "Inputs"), (data.outputs, "Outputs")):
        if shown := ports(found):
            rows.append((title, name(text.listing(shown, 4))))
    rows.append(("Parameters", Cell(f"{data.params:,}")))
    if not profile.empty:
        rows += [
            ("Head", Cell(vocabulary.HEADS.get(profile.head, "not recognised"))),
            ("Augmentation layers", Cell(_named(profile.augmentation))),
            ("Rescaling of inputs", Cell(_named(profile.rescaling))),
        ]
    return FactList(tuple(rows))


def _named(routes: Sequence[str]) -> str:
    return text.listing([text.shorten(route, 40) for route in routes]) or "none in the model"


def _grids(profile: ArchitectureProfile) -> Table | None:
    broken = [grid for grid in profile.grids if not all(grid.symmetric)]
    if not broken:
        return None
    axes = ("up-down", "left-right")
    rows = tuple(
        (
            name(text.shorten(grid.route, 60)),
            Cell(text.shorten(grid.class_name, 30)),
            num(text.shape(grid.size)),
            num(text.shape(grid.kernel)),
            num(text.shape(grid.strides)),
            Cell(text.shorten(grid.padding, 12)),
            Cell(
                text.listing(
                    [
                        axes[i] if len(grid.symmetric) == 2 else f"axis {i + 1}"
                        for i, good in enumerate(grid.symmetric)
                        if not good
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
        note="Such a layer treats an input and its mirror image differently for any weights.",
        print_rows=12,
        open=len(rows) <= 12,
    )


def _layers(layers: Sequence[LayerRow], profile: ArchitectureProfile) -> Table:
    sees = {field.route: text.shape(field.maximum) for field in profile.fields}
    frozen = not all(layer.trainable for layer in layers)
    rows = tuple(
        (
            name(text.shorten(layer.route, 64)),
            Cell(text.shorten(layer.class_name, 32) + (" (custom)" if layer.custom else "")),
            num(text.shape(layer.output_shape[1:]) if layer.output_shape else "–"),
            num(text.number(layer.params)),
            *((num(sees.get(layer.route, "–")),) if sees else ()),
            *((Cell("" if layer.trainable else "frozen"),) if frozen else ()),
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
    data, words = audit.architecture, words_for(audit.model.modality)
    layers = data.layers
    if not layers:
        said = (
            "The file holds no architecture that can be read without running it (for example a "
            "weights-only file or a plain graph), so its layers are not described."
        )
        return Section("architecture", "Architecture", (prose(said, tone="note"),))
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
            "trained weights and batch-normalization statistics."
            + (
                f" The receptive field is how many {words.unit} of the input one output of the "
                "layer can depend on."
                if data.profile.fields
                else ""
            ),
            tone="terms",
        ),
        _facts(data),
        Table(
            "Stages: consecutive layers with the same output size",
            columns,
            rows,
            print_rows=24 if len(layers) > PRINTED_LAYERS else 0,  # otherwise all layers are listed
            open=len(rows) <= 24,
        ),
    ]
    if words.oriented and (grids := _grids(data.profile)):
        blocks.append(grids)
    blocks.append(_layers(layers, data.profile))
    return Section("architecture", "Architecture", tuple(blocks))
