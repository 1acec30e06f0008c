"""What to do next about a cause, with the model's own flip and loading code filled in."""

from __future__ import annotations

import re
from textwrap import dedent

from modelaudit.audit_types.diagnosis import NextStep
from modelaudit.diagnosis.advice import ADVICE
from modelaudit.diagnosis.loading_code import LoadingCode
from modelaudit.diagnosis.model import CauseFound
from modelaudit.diagnosis.snippets import AVERAGE, CONFUSION, EXCHANGE, EXPORT, NEW_HEAD
from modelaudit.findings import Finding
from modelaudit.measures.architecture.modality_words import ModalityWords, in_words
from modelaudit.measures.input_corrections import (
    AUGMENT,
    NUMPY,
    ORIGINS,
    OTHER_ORIGIN,
    PUT_IN,
    numpy_of,
    parts,
    words_of,
)
from modelaudit.measures.value_transforms import JOIN, SWAPS

UNKNOWN_DRAWING = "the layers that are called with training=True or that draw random numbers"
BLUE_FIRST = " (OpenCV reads blue first, Pillow and Keras red first)"
EXPORTED = NextStep(
    "A Keras 3 export keeps random augmentation layers (flips, rotations, shifts) active, and runs "
    "in training mode where `call` has training=True as its default. Export a call with "
    "training=False.",
    EXPORT,
)

COMPARE_COLUMNS = NextStep(
    "Compare the columns of one {image} with those that training used: their order, their units, "
    "and whether they are standardised."
)


def step_of(finding: Finding) -> NextStep:
    """What a finding says to do; lines after the first are code."""
    text, _, code = finding.fix.partition("\n")
    said = f"{text.rstrip(':')} ({finding.code}).".replace(". (", " (")
    return NextStep(said, dedent(code).strip("\n"))


def next_steps(
    cause: str,
    found: CauseFound,
    load: LoadingCode,
    words: ModalityWords,
    values: tuple[float, float] = (0.0, 1.0),
    *,
    classes: bool = True,
    single: bool = True,
) -> tuple[NextStep, ...]:
    """The steps with this model's flip and its loading code filled in.

    Args:
        cause, found: the cause, and what its step found.
        load: code that loads the model.
        words: how texts speak of its inputs.
        values: the smallest and the largest input value, which an inversion swaps.
        classes: whether an output has classes that labels can be compared with.
        single: whether the model has one output, so that `predict` returns an array.
    """
    flip, ends = found.transform or "H", f"{sum(values):.6g}"
    exchanged = list(dict.fromkeys(each.rpartition("/")[2] for each in found.layers))

    def named(code: str) -> str:
        return re.sub(r"\bimages\b", words.many.split()[-1], code)

    filled = {
        "origin": ORIGINS.get(parts(flip)[0], OTHER_ORIGIN),
        "numpy": named(NUMPY.get(flip, NUMPY["H"]).replace("{ends}", ends)),
        "undo": named(numpy_of(flip).replace("{ends}", ends)),
        "putin": named(PUT_IN.get(flip, "").replace("{ends}", ends)),
        "words": words_of(flip),
        "reader": BLUE_FIRST * any(each in SWAPS for each in flip.split(JOIN)),
        "many": words.many,
        "augment": AUGMENT.get(flip, AUGMENT["H"]),
        "drawing": f"the random parts {found.where}" if found.where else UNKNOWN_DRAWING,
        "layer": found.where.rpartition("/")[2] or "LAYER",
        "layers": str(list(dict.fromkeys(each.partition("/")[0] for each in found.layers))),
        "exchanged": str(exchanged),
        "order": str(list(found.order)),
        "head": found.head,
        "form": f"# {words.many} as they must reach the model: {words_of(flip)}\n"
        if found.transform
        else "",
        "loss": load.loss,
        "imports": load.imports,
        "model": load.model,
        "predict": load.predict,
        "own": load.own,
        "serving": load.serving,
        "data": "IMAGES" if words.one == "image" else "DATA",
    }

    def fill(code: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: filled.get(found[1], found[0]), code)

    lacking = {
        "{putin}": flip not in PUT_IN,
        "{order}": not found.order,
        "{head}": not found.head,
        NEW_HEAD: bool(found.head),
        CONFUSION: not classes,
        AVERAGE: not single,
        EXCHANGE: not found.proven or len(exchanged) != 2,  # layers of two parts share a name
    }
    steps = tuple(
        step
        for step in ADVICE[cause].steps
        if not any(name in step.code for name, lacks in lacking.items() if lacks)
    )
    if cause == "input-domain" and not found.transform:
        steps = (COMPARE_COLUMNS,)
    if cause == "nondeterministic" and load.exported:
        steps = (*steps, EXPORTED)
    return tuple(
        NextStep(fill(in_words(step.text, words)), fill(named(step.code))) for step in steps
    )
