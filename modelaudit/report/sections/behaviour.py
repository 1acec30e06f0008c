"""How the running model responded to the probe inputs and to their flipped copies."""

from __future__ import annotations

import math

from modelaudit.report.blocks import (
    Block,
    Cell,
    FactList,
    Section,
    Table,
    bullets,
    name,
    num,
    prose,
)
from modelaudit.report.wording import number_format, text, vocabulary
from modelaudit.report.wording.json_access import (
    Map,
    as_count,
    as_map,
    as_maps,
    as_number,
    as_text,
    numbers,
    pair,
    plain,
    shape,
)
from modelaudit.schema import Audit
from modelaudit.thresholds.answers import GAIN, INFORMED, UNINFORMED

P_VALUE = (
    "p-value: probability of so large a difference to the other inputs by chance (Fisher's exact "
    "test with Holm's correction for the number of classes)."
)

TERMS = (
    "A probe input is an image (or other array) fed to the model to observe its behaviour. Each "
    "one is fed unchanged and again mirrored or rotated, and the two outputs are compared. "
    "Agreement is the share of inputs whose most likely class stays the same, with its "
    "95\N{NO-BREAK SPACE}% interval in brackets; "
    "κ (kappa) is the agreement beyond chance, at most 1. JS is the Jensen–Shannon divergence "
    "between the two outputs, from 0 (identical) to 1 bit. NFV, the normalised flip variation, is "
    "the change caused by a flip relative to the change between two different inputs: 0 means that "
    "the flip has no effect, 1 that it changes the output as much as a different input does. "
    "A dash means that the number is undefined, for example because the output never changes."
)
UNREPEATABLE = (
    "The same input gives different outputs, so the numbers below hold for this run only: the "
    "effect of a flip cannot be separated from this noise."
)
NOTES = {
    "Bits": "Bits: information that the output carries about the input.",
    "R²": "R²: how well the output fits your targets, at most 1.",
    "NFV floor": "NFV floor: the NFV that remains if every kernel is made symmetric; near 0 means "
    "that the architecture allows invariance to the flip.",
}


def _inputs(data: Map) -> FactList:
    inputs = as_map(data.get("inputs"))
    kind = "your images" if inputs.get("kind") == "user" else "synthetic inputs"
    rows = [
        ("Runtime", Cell(vocabulary.runtime(plain(data.get("runtime"), 60)))),
        ("Inputs", Cell(f"{text.plural(as_count(inputs.get('n')) or 0, 'input')}, {kind}")),
        ("Input shape", Cell(shape(inputs.get("shape")) or "unknown")),
    ]
    if span := pair(inputs.get("value_range")):
        rows.append(("Value range", Cell(f"{text.number(span[0])} to {text.number(span[1])}")))
    if inputs.get("seed") is not None:
        rows.append(("Random seed", Cell(as_text(inputs.get("seed")))))
    if source := as_text(inputs.get("source")):
        rows.append(("Source", name(text.shorten(source, 100))))
    floor = as_number(data.get("noise_floor"))
    if floor is not None:
        said = f"{text.number(floor)} (largest change between repeated runs on the same input)"
        rows.append(("Noise floor", Cell(said)))
    if isinstance(data.get("deterministic"), bool):
        same = "the same output" if data["deterministic"] else "different outputs"
        said = f"{'yes' if data['deterministic'] else 'no'}: the same input gives {same}"
        rows.append(("Deterministic", Cell(said)))
    return FactList(tuple(rows))


def _interval(value: object) -> str:
    ends = pair(value)
    return f" ({100 * ends[0]:.0f}–{100 * ends[1]:.0f})" if ends else ""


def _collapse(output: Map) -> str:
    collapse = as_map(output.get("collapse"))
    if not collapse:
        return ""
    information, classes = as_number(collapse.get("information")), as_count(collapse.get("classes"))
    said = []
    if collapse.get("collapsed") is True:
        said.append("The output hardly depends on the input (it has collapsed).")
    elif collapse.get("collapsed") is False:
        said.append("The output depends on the input.")
    if information is not None:
        most = f" of at most {text.number(math.log2(classes))}" if classes and classes > 1 else ""
        said.append(
            f"It carries {number_format.number(information)}{most} bits of information about it."
        )
    share = as_number(collapse.get("top_share"))
    if share is not None:
        said.append(
            f"The most frequent class, index {plain(collapse.get('top_class'))}, "
            f"is predicted for {text.percent(share)} of the inputs."
        )
    return " ".join(said)


Column = tuple[str, dict[str, str]]  # its header, and its cells by transform


def _of_effects(effects: list[Map]) -> list[Column]:
    """Columns that compare the outputs for transformed inputs with those for plain ones."""
    named = [(as_text(effect.get("name")), effect) for effect in effects]
    acts = {key: as_text(effect.get("action")) for key, effect in named}
    return [
        (
            "Agreement",
            {
                key: text.percent(share) + _interval(effect.get("agreement_ci"))
                for key, effect in named
                if (share := as_number(effect.get("agreement"))) is not None
            },
        ),
        *(
            (
                head,
                {
                    key: number_format.number(found, 2)
                    for key, effect in named
                    if (found := as_number(effect.get(field))) is not None
                },
            )
            for head, field in (("κ", "kappa"), ("JS", "js"), ("NFV", "nfv"))
        ),
        (
            "Expected",
            {key: vocabulary.ACTIONS.get(act, text.shorten(act, 40)) for key, act in acts.items()}
            if set(acts.values()) - {"invariant"}
            else {},
        ),
    ]


def _by_input(output: Map, title: str) -> Table | None:
    """Everything measured for each transform of the input, in one table."""
    effects = as_maps(output.get("transforms"))
    information = numbers(output.get("orientation")) | numbers(output.get("domain"))
    accuracy, floor = numbers(output.get("accuracy")), numbers(output.get("floor"))
    columns: list[Column] = [
        *_of_effects(effects),
        ("Bits", {key: number_format.number(bits) for key, bits in information.items()}),
        ("Accuracy", {key: text.percent(share, 1) for key, share in accuracy.items()}),
        (
            "R²",
            {key: number_format.number(fit, 2) for key, fit in numbers(output.get("fit")).items()},
        ),
        ("NFV floor", {key: number_format.number(nfv, 2) for key, nfv in floor.items()}),
    ]
    filled = [(head, values) for head, values in columns if values]
    keys = dict.fromkeys(key for _, values in filled for key in values)
    if not keys:
        return None
    ordered = sorted(keys, key=lambda key: key != "e")  # the untransformed input comes first
    rows = tuple(
        (
            Cell(vocabulary.transform(text.shorten(key, 60))),
            *(num(values.get(key, "–")) for _, values in filled),
        )
        for key in ordered
    )
    heads = {head for head, _ in filled}
    counts = {as_count(effect.get("n")) for effect in effects}
    notes = [note for head, note in NOTES.items() if head in heads]
    size = f", n = {next(iter(counts)):,}" if len(counts) == 1 and None not in counts else ""
    return Table(
        f"{title}: effect of transforming the input{size}",
        ("Input", *(head for head, _ in filled)),
        rows,
        note=" ".join(notes),
        print_rows=20,
        open=len(rows) <= 16,
    )


def _by_class(title: str, rows: list[Map]) -> Table | None:
    """Effect of a flip on the predictions, by the class predicted before the flip."""
    cells = tuple(
        (
            Cell(vocabulary.transform(text.shorten(as_text(row.get("transform")), 60))),
            num(plain(row.get("class"), 20)),
            num(text.number(as_number(row.get("n")))),
            num(text.percent(as_number(row.get("agreement"))) + _interval(row.get("agreement_ci"))),
            num(number_format.number(as_number(row.get("nfv")), 2)),
            num(number_format.number(as_number(row.get("p_holm")), 2)),
        )
        for row in rows
    )
    if not cells:
        return None
    columns = ("Input", "Class", "Inputs", "Agreement", "NFV", "p-value")
    return Table(
        f"{title} (class indices start at 0)", columns, cells, P_VALUE, 20, len(cells) <= 12
    )


def _output(output: Map) -> list[Block]:
    kind = as_text(output.get("kind"))
    title = f"Output {text.shorten(as_text(output.get('name')) or '(unnamed)', 40)}"
    described = vocabulary.OUTPUT_KINDS.get(kind, kind or "unknown kind")
    blocks: list[Block] = [prose(f"{title}: {described}. {_collapse(output)}")]
    by_class = f"{title}: agreement by class predicted before the flip"
    tables = [_by_input(output, title), _by_class(by_class, as_maps(output.get("per_class")))]
    blocks += [table for table in tables if table is not None]
    return blocks


def _repairs(data: Map, outputs: list[Map]) -> Table | None:
    """What was changed in a copy of the model, and whether that explains the outputs."""
    classes = {
        as_text(output.get("name")): as_count(as_map(output.get("collapse")).get("classes"))
        for output in outputs
    }
    rows = []
    for key, value in as_map(data.get("interventions")).items():
        tried = as_map(value)
        before, after = as_number(tried.get("before")), as_number(tried.get("after"))
        count = classes.get(as_text(tried.get("output"))) or 0
        cells = (
            Cell(vocabulary.INTERVENTIONS.get(key, text.shorten(key.replace("_", " "), 60))),
            name(text.shorten(as_text(tried.get("output")) or "–", 40)),
            name(text.shorten(as_text(tried.get("layer")) or "–", 60)),
            num(number_format.number(before)),
            num(number_format.number(after)),
            Cell(_explains(tried.get("responsible"), before, after, count)),
        )
        rows.append(cells)
    if not rows:
        return None
    columns = ("Repair", "Output", "Layer", "Bits before", "Bits after", "Explains the outputs?")
    return Table(
        "Repairs tried on a copy of the model, and their effect",
        columns,
        tuple(rows),
        note="Bits: information that the output carries about the input; for outputs without "
        "classes, the spread of their values over the inputs.",
        print_rows=20,
    )


def _explains(decided: object, before: float | None, after: float | None, classes: int) -> str:
    """Whether a repair fixes the output: by its own test, otherwise by the information gained."""
    if decided is True:
        return "yes"
    if before is None or after is None or classes < 2:
        return "no" if decided is False else "inconclusive"
    room = math.log2(classes)
    if decided is None and before < UNINFORMED.value * room and after > INFORMED.value * room:
        return "yes"
    if decided is None and after > before + GAIN.value:
        return f"partly at most: {text.number(room)} bits are possible"
    return "no"


def build(audit: Audit) -> Section:
    """The chapter's content."""
    data = as_map(audit.behaviour)
    outputs = as_maps(data.get("outputs"))
    if not outputs:
        reason = as_text(data.get("skipped_reason")) or "the audit holds no probe results"
        said = f"The model was not run, so its behaviour is unknown. Reason: {reason}."
        return Section("behaviour", "Behaviour", (prose(said, tone="note"),))
    blocks: list[Block] = [prose(TERMS, tone="terms"), _inputs(data)]
    if data.get("deterministic") is False:
        blocks.append(prose(UNREPEATABLE, tone="bad"))
    for output in outputs:
        blocks += _output(output)
    if notes := [plain(n, 300) for n in as_map(data.get("inputs")).get("notes") or ()]:
        blocks.append(bullets("About the inputs", notes))
    dead = numbers(data.get("dead"))
    if any(dead.values()):
        rows = tuple(
            (name(text.shorten(route, 60)), num(text.percent(share)))
            for route, share in sorted(dead.items(), key=lambda item: -item[1])
            if share > 0
        )
        caption = "Channels that were zero for every probe input (a few are normal)"
        blocks.append(
            Table(caption, ("Layer", "Dead channels"), rows, print_rows=12, open=len(rows) <= 12)
        )
    if repairs := _repairs(data, outputs):
        blocks.append(repairs)
    return Section("behaviour", "Behaviour", tuple(blocks))
