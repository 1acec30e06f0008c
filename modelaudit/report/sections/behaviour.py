"""How the running model responded to the probe inputs and to their flipped copies."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from modelaudit.audit_types.behaviour import (
    BehaviourSection,
    ClassAgreement,
    Collapse,
    OutputBehaviour,
    TransformEffect,
)
from modelaudit.audit_types.values import finite, finite_only, finite_pair
from modelaudit.measures.architecture.modality_words import ModalityWords, words_for
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
from modelaudit.report.sections import augmentation
from modelaudit.report.wording import number_format, text, vocabulary
from modelaudit.schema import Audit
from modelaudit.thresholds.answers import BIAS_GAIN, INFORMED, UNINFORMED

P_VALUE = (
    "p-value: probability of so large a difference to the other inputs by chance (Fisher's exact "
    "test with Holm's correction for the number of classes)."
)

PROBED = "A probe input is {a} {one} fed to the model to observe its behaviour."
COMPARED = (
    " Each one is fed unchanged and again {moved}, and the two outputs are compared. "
    "Agreement is the share of inputs whose most likely class stays the same, with its "
    "95\N{NO-BREAK SPACE}% interval in brackets; "
    "κ (kappa) is the agreement beyond chance, at most 1. JS is the Jensen–Shannon divergence "
    "between the two outputs, from 0 (identical) to 1 bit. NFV, the normalised flip variation, is "
    "the change caused by a {flip} relative to the change between two different inputs: 0 means "
    "that the {flip} has no effect, 1 that it changes the output as much as a different input "
    "does. A dash means that the number is undefined, for example because the output never changes."
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


def _terms(words: ModalityWords, *, moved: bool) -> str:
    """What the words of this chapter mean."""
    said = PROBED.format(a="an" if words.one[0] in "aeiou" else "a", one=words.one)
    if not moved:
        return said
    how, flip = (
        ("mirrored or rotated", "flip") if words.oriented else ("reversed in time", "reversal")
    )
    return said + COMPARED.format(moved=how, flip=flip)


def _inputs(data: BehaviourSection, words: ModalityWords) -> FactList:
    rows = [("Runtime", Cell(vocabulary.runtime(text.shorten(data.runtime, 60))))]
    if inputs := data.inputs:
        kind = f"your {words.many}" if inputs.kind == "user" else "synthetic inputs"
        rows += [
            ("Inputs", Cell(f"{text.plural(inputs.n, 'input')}, {kind}")),
            ("Input shape", Cell(text.shape(inputs.shape))),
        ]
        if span := finite_pair(inputs.value_range):
            rows.append(("Value range", Cell(f"{text.number(span[0])} to {text.number(span[1])}")))
        if inputs.seed is not None:
            rows.append(("Random seed", Cell(str(inputs.seed))))
        if inputs.source:
            rows.append(("Source", name(text.shorten(inputs.source, 100))))
    floor = None if data.noise_floor is UNSET else finite(data.noise_floor)
    if floor is not None:
        said = f"{text.number(floor)} (largest change between repeated runs on the same input)"
        rows.append(("Noise floor", Cell(said)))
    if data.deterministic is not UNSET:
        same = "the same output" if data.deterministic else "different outputs"
        said = f"{'yes' if data.deterministic else 'no'}: the same input gives {same}"
        rows.append(("Deterministic", Cell(said)))
    return FactList(tuple(rows))


def _interval(ends: tuple[float, float] | None) -> str:
    return f" ({100 * ends[0]:.0f}–{100 * ends[1]:.0f})" if ends else ""


def _collapse(collapse: Collapse) -> str:
    classes = collapse.classes
    said = ["The output depends on the input."]
    if collapse.collapsed:
        said = ["The output hardly depends on the input (it has collapsed)."]
    if (information := finite(collapse.information)) is not None:
        most = f" of at most {text.number(math.log2(classes))}" if classes and classes > 1 else ""
        said.append(
            f"It carries {number_format.number(information)}{most} bits of information about it."
        )
    share = finite(collapse.top_share)
    if share is not None:
        said.append(
            f"The most frequent class, index {text.number(collapse.top_class)}, "
            f"is predicted for {text.percent(share)} of the inputs."
        )
    return " ".join(said)


Column = tuple[str, dict[str, str]]  # its header, and its cells by transform


def _of_effects(effects: Sequence[TransformEffect]) -> list[Column]:
    """Columns that compare the outputs for transformed inputs with those for plain ones."""
    acts = {effect.name: effect.action for effect in effects}
    measured = (
        ("κ", {effect.name: effect.kappa for effect in effects}),
        ("JS", {effect.name: effect.js for effect in effects}),
        ("NFV", {effect.name: effect.nfv for effect in effects}),
    )
    return [
        (
            "Agreement",
            {
                effect.name: text.percent(effect.agreement) + _interval(effect.agreement_ci)
                for effect in effects
                if effect.agreement is not None
            },
        ),
        *(
            (
                head,
                {
                    key: number_format.number(found, 2)
                    for key, value in values.items()
                    if (found := finite(value)) is not None
                },
            )
            for head, values in measured
        ),
        (
            "Expected",
            {key: vocabulary.ACTIONS.get(act, text.shorten(act, 40)) for key, act in acts.items()}
            if set(acts.values()) - {"invariant"}
            else {},
        ),
    ]


def _by_input(output: OutputBehaviour, title: str) -> Table | None:
    """Everything measured for each transform of the input, in one table."""
    effects = output.transforms
    information = finite_only(output.orientation) | finite_only(output.domain)
    accuracy, floor = finite_only(output.accuracy), finite_only(output.floor)
    columns: list[Column] = [
        *_of_effects(effects),
        ("Bits", {key: number_format.number(bits) for key, bits in information.items()}),
        ("Accuracy", {key: text.percent(share, 1) for key, share in accuracy.items()}),
        (
            "R²",
            {key: number_format.number(fit, 2) for key, fit in finite_only(output.fit).items()},
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
    counts = {effect.n for effect in effects}
    notes = [note for head, note in NOTES.items() if head in heads]
    size = f", n = {next(iter(counts)):,}" if len(counts) == 1 else ""
    return Table(
        f"{title}: effect of transforming the input{size}",
        ("Input", *(head for head, _ in filled)),
        rows,
        note=" ".join(notes),
        print_rows=20,
        open=len(rows) <= 16,
    )


def _by_class(title: str, rows: Sequence[ClassAgreement]) -> Table | None:
    """Effect of a transform on the predictions, by the class predicted without it."""
    cells = tuple(
        (
            Cell(vocabulary.transform(text.shorten(row.transform, 60))),
            num(text.number(row.class_index)),
            num(text.number(row.n)),
            num(text.percent(row.agreement) + _interval(row.agreement_ci)),
            num(number_format.number(finite(row.nfv), 2)),
            num(number_format.number(finite(row.p_holm), 2)),
        )
        for row in rows
    )
    if not cells:
        return None
    columns = ("Input", "Class", "Inputs", "Agreement", "NFV", "p-value")
    return Table(
        f"{title} (class indices start at 0)", columns, cells, P_VALUE, 20, len(cells) <= 12
    )


def _task(output: OutputBehaviour) -> str:
    """What the output is for, as a sentence."""
    task = output.task
    if task is None or task.name not in vocabulary.TASKS:
        return ""
    because = text.shorten(task.because, 120)
    gives = "It may give" if task.confidence == "low" else "It gives"
    return f"{gives} {vocabulary.TASKS[task.name]} ({task.confidence} confidence: {because}). "


def _output(output: OutputBehaviour) -> list[Block]:
    kind = "guessed" if output.guessed else output.kind
    kind = "positions" if kind == "spatial" and len(output.shape) < 4 else kind
    title = f"Output {text.shorten(output.name or '(unnamed)', 40)}"
    described = vocabulary.OUTPUT_KINDS.get(kind, kind or "unknown kind")
    blocks: list[Block] = [
        prose(f"{title}: {described}. {_task(output)}{_collapse(output.collapse)}")
    ]
    by_class = f"{title}: agreement by class predicted as given"
    tables = [_by_input(output, title), _by_class(by_class, output.per_class)]
    blocks += [table for table in tables if table is not None]
    return blocks


def _repairs(data: BehaviourSection) -> Table | None:
    """What was changed in a copy of the model, and whether that explains the outputs."""
    classes = {output.name: output.collapse.classes for output in data.outputs}
    rows = []
    for key, tried in data.interventions.items():
        before, after = finite(tried.before), finite(tried.after)
        count = classes.get(tried.output) or 0
        cells = (
            Cell(vocabulary.INTERVENTIONS.get(key, text.shorten(key.replace("_", " "), 60))),
            name(text.shorten(tried.output or "–", 40)),
            name(text.shorten(tried.layer or "–", 60)),
            num(number_format.number(before)),
            num(number_format.number(after)),
            Cell(_explains(tried.responsible, before, after, count)),
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


def _explains(
    decided: bool | UnsetType, before: float | None, after: float | None, classes: int
) -> str:
    """Whether a repair fixes the output: by its own test, otherwise by the information gained."""
    if decided is True:
        return "yes"
    if before is None or after is None or classes < 2:
        return "no" if decided is False else "inconclusive"
    room = math.log2(classes)
    if decided is UNSET and before < UNINFORMED.value * room and after > INFORMED.value * room:
        return "yes"
    if decided is UNSET and after > before + BIAS_GAIN.value:
        return f"partly at most: {text.number(room)} bits are possible"
    return "no"


def build(audit: Audit) -> Section:
    """The chapter's content."""
    data = audit.behaviour
    outputs, words = data.outputs, words_for(audit.model.modality)
    moved = any(output.transforms for output in outputs)
    if not outputs:
        reason = data.skipped_reason or "the audit holds no probe results"
        said = f"The model was not run, so its behaviour is unknown. Reason: {reason}."
        return Section("behaviour", "Behaviour", (prose(said, tone="note"),))
    blocks: list[Block] = [prose(_terms(words, moved=moved), tone="terms"), _inputs(data, words)]
    if data.deterministic is False:
        blocks.append(prose(UNREPEATABLE, tone="bad"))
    for output in outputs:
        blocks += _output(output)
    if data.inputs and (notes := [text.shorten(note, 300) for note in data.inputs.notes]):
        blocks.append(bullets("About the inputs", notes))
    dead = finite_only(data.dead)
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
    if repairs := _repairs(data):
        blocks.append(repairs)
    blocks += augmentation.blocks(audit)
    return Section("behaviour", "Behaviour", tuple(blocks))
