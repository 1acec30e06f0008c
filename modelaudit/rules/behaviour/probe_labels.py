"""MA609 to MA612: do the user's inputs and labels suit the model, and each other?"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from itertools import takewhile

from modelaudit.audit_types.behaviour import OutputBehaviour
from modelaudit.audit_types.probe_data import InputColumns, ProbeInputs, TargetForm, TargetSummary
from modelaudit.facts import Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import (
    BINARY,
    CROSS_ENTROPIES,
    compiled_losses,
    named_outputs,
)
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.modality_words import Modality
from modelaudit.rules import examples_behaviour
from modelaudit.rules.grammar import of_all
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network.label_reach import (
    impossible_labels,
    labels_and_output,
    only_head,
    own_inputs,
)
from modelaudit.structs import replace
from modelaudit.thresholds.answers import MIN_INPUTS
from modelaudit.thresholds.training import UNSCALED

_SCALES = Trait.RESCALING | Trait.BATCH_NORMALISATION | Trait.CHANNEL_NORMALISATION
_KEEPS = re.compile(r"InputLayer|Flatten|Reshape|Permute|ZeroPadding|Dropout|\w*Pooling")
_BROADCAST = BINARY | {"mean_squared_error", "mean_absolute_error", "huber", "log_cosh"}


def _outside(rule: Rule, facts: Facts) -> Iterator[Finding]:
    found = impossible_labels(facts)
    if found is None:
        return
    targets, output = labels_and_output(facts)
    text, mostly = found
    head = only_head(facts)
    yield rule.finding(
        f"{text}: it cannot give these answers.",
        route=output.name,
        evidence={
            "measured": [targets.minimum, targets.maximum],
            "form": targets.form,
            "units": output.shape[-1],
            "n": own_inputs(facts).n,
        },
        severity=rule.severity if mostly else Severity.MEDIUM,
        fix=f"Scale the targets to what `{output.name}` gives, or train with another last layer and "
        f'loss:\n{head.code("linear")}\nmodel.compile("adam", "mean_squared_error")'
        if targets.form == "numbers" and head is not None
        else "",
    )


def _loss(rule: Rule, facts: Facts) -> Iterator[Finding]:
    targets, output = labels_and_output(facts)
    architecture = facts.artifact.architecture
    names = named_outputs(architecture) if architecture else ("",)
    loss = compiled_losses(facts.artifact.training, names)[0]
    if loss is None or len(output.shape) < 2 or None in output.shape[1:]:
        raise NotRelevant("the model was saved without a loss of Keras")
    if len(output.shape) > 2:
        yield from _one_for_all(rule, targets, output, loss.name)
        return
    if impossible_labels(facts):
        return  # said by MA609
    units = output.shape[-1] or 0
    if targets.form != "numbers":
        return  # numbers of classes and one-hot rows say the same; training may have had either
    why = ""
    if targets.width == 1 and units > 1 and loss.name in _BROADCAST:
        why = f"would compare each of the {units} outputs with the same number"
    elif loss.name in CROSS_ENTROPIES and targets.maximum > 1:
        why = "needs classes, but the labels are other numbers"
    if why:
        yield rule.finding(
            f"`{output.name}`: with labels such as these, {loss.name} {why}.",
            route=output.name,
            evidence={
                "loss": loss.name,
                "form": targets.form,
                "width": targets.width,
                "units": units,
            },
        )


def _one_for_all(
    rule: Rule, targets: TargetSummary, output: OutputBehaviour, loss: str
) -> Iterator[Finding]:
    """One label for each input, and an output with one value for each of its positions."""
    values = math.prod(n or 0 for n in output.shape[1:])
    if targets.width == 1 < values and output.shape[-1] == 1 and loss in _BROADCAST:
        yield rule.finding(
            f"`{output.name}` gives {values} values for each input, but each label is one number: "
            f"{loss} would compare all of them with it.",
            route=output.name,
            evidence={"loss": loss, "form": targets.form, "width": 1, "units": values},
            fix="For one answer to each input, set return_sequences=False in the last recurrent "
            "layer, or pool or flatten the positions before the last layer, and train again.",
        )


def _uninformative(rule: Rule, facts: Facts) -> Iterator[Finding]:
    inputs = own_inputs(facts)
    columns, targets = inputs.columns, inputs.targets
    if columns is None:
        return
    if columns.alike and inputs.n > 1:
        yield rule.finding(
            f"All {inputs.n} inputs are equal, so the outputs must be equal too.",
            evidence={"measured": inputs.n, "unit": "equal inputs", "n": inputs.n},
            key="inputs",
        )
        return
    # Texts are padded, and each position has the weights of all others.
    if columns.constant and facts.modality.kind != Modality.TEXT:
        yield rule.finding(
            of_all(
                *(columns.constant, columns.columns, "column"),
                *("of the inputs has", "of the inputs have"),
            )
            + " one value in all rows: if it was so in training, the model learnt nothing there.",
            evidence={"measured": columns.constant, "unit": "constant columns", "n": inputs.n},
            severity=Severity.LOW,
            key="columns",
        )
    if targets is not None and targets.distinct == 1:
        yield rule.finding(
            f"Every label is {targets.minimum:g}: they do not show whether the model tells classes "
            "apart.",
            evidence={"measured": 1, "unit": "labels", "n": inputs.n},
            severity=Severity.LOW,
            key="labels",
        )


def _telling(rule: Rule, facts: Facts) -> Iterator[Finding]:
    inputs = own_inputs(facts)
    if inputs.targets is None or inputs.columns is None or not inputs.columns.columns:
        raise NotRelevant("the inputs are no table with labels")
    if inputs.n < MIN_INPUTS.value:
        raise NotApplicable(f"there are fewer than {MIN_INPUTS.value} inputs")
    found = inputs.columns.telling
    if found:
        yield rule.finding(
            f"Column {found[0]} of the inputs (counted from 0) determines the label by itself.",
            evidence={"measured": [*found], "unit": "columns", "n": inputs.n},
        )


def _unscaled(rule: Rule, facts: Facts) -> Iterator[Finding]:
    inputs = own_inputs(facts)
    columns, targets = inputs.columns, inputs.targets
    if facts.words.one == "text":  # an embedding looks tokens up, whatever their numbers are
        columns = None
    layers = facts.artifact.architecture.layers if facts.artifact.architecture else ()
    scaled = any(has(layer.class_name, _SCALES) for layer in layers[:4])
    low, high = inputs.value_range
    numbers = len(inputs.shape) > 2 and facts.words.one != "text"
    if numbers and low >= 0 and high > UNSCALED.value and not scaled:
        before = [*takewhile(lambda layer: not layer.variables, layers)]
        # Any other layer in front of the first weights may divide.
        if len(before) < len(layers) and all(_KEEPS.match(each.class_name) for each in before):
            yield rule.finding(
                f"The values of the inputs go from {low:.4g} to {high:.4g}, and the model does not "
                "scale them.",
                evidence=_size(high, inputs),
                key="inputs",
            )
    size = max(columns.largest_spread, columns.largest_mean) if columns else 0.0
    if size > UNSCALED.value and not scaled:
        yield rule.finding(
            f"A column of the inputs has a mean or standard deviation of {size:,.3g}, and the "
            "model does not scale it.",
            evidence=_size(size, inputs),
            key="inputs",
        )
    assert facts.behaviour is not None
    if targets is None or targets.form != "numbers":
        return
    if len(facts.behaviour.outputs) == 1 and impossible_labels(facts):
        return  # said by MA609
    size = max(abs(targets.mean), targets.std)
    if size > UNSCALED.value:
        yield rule.finding(
            f"The targets have a mean of {targets.mean:,.4g} and a standard deviation of "
            f"{targets.std:,.3g}: the first steps only move the bias to their mean.",
            evidence=_size(size, inputs),
            key="targets",
        )


def _size(measured: float, inputs: ProbeInputs) -> dict[str, Json]:
    """The evidence for values that are too large."""
    unit = "in the data's own unit"
    return {"measured": measured, "unit": unit, "threshold": UNSCALED.value, "n": inputs.n}


def _labelled(form: TargetForm, low: float, high: float, width: int = 1) -> Facts:
    facts = examples_behaviour.sound_behaviour()
    assert facts.behaviour is not None
    low, high = float(low), float(high)
    targets = TargetSummary(form, width, 5, low, high, low, high, (low + high) / 2, high - low)
    given = replace(
        facts.behaviour.inputs, labelled=True, targets=targets, columns=InputColumns(False, 4)
    )
    training = {"loss": "sparse_categorical_crossentropy"}
    artifact = replace(facts.artifact, training=training)
    return replace(facts, artifact=artifact, behaviour=replace(facts.behaviour, inputs=given))


def _columns(columns: InputColumns, high: float = 9) -> Callable[[], Facts]:
    def made() -> Facts:
        facts = _labelled("classes", 0, high)
        assert facts.behaviour is not None
        given = replace(facts.behaviour.inputs, columns=columns)
        return replace(facts, behaviour=replace(facts.behaviour, inputs=given))

    return made


_NEEDS = (Need.BEHAVIOUR,)
_SOUND = InputColumns(False, 4)

RULES = (
    Rule(
        code="MA609",
        name="labels-outside-output",
        family=Family.BEHAVIOUR,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=_NEEDS,
        summary="The output cannot give the values of the labels",
        pass_title="The output can give every label",
        why="A model that is trained on labels out of its reach ends at the nearest value that it "
        "can give, for every input: a sigmoid cannot give 30, ten units have no class 10.",
        fix="Number K classes from 0 to K-1 and give the model K units; for 0 and 1, one unit with "
        "a sigmoid. For other numbers, use a last layer without activation and a loss such as mse, "
        "or scale the targets. Then train again.",
        check=_outside,
        bad=lambda: _labelled("classes", 0, 10),
        good=lambda: _labelled("classes", 0, 9),
    ),
    Rule(
        code="MA610",
        name="labels-unsuited-to-loss",
        family=Family.BEHAVIOUR,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=_NEEDS,
        summary="The labels are no classes, but the compiled loss or output is for classes",
        pass_title="The labels suit the compiled loss, as classes or as numbers",
        why="If training had such labels, too, the model learnt something else: some losses repeat "
        "labels of the wrong shape without an error. Whether classes are given by their numbers or "
        "as one-hot rows does not matter here.",
        fix="For classes, give their numbers from 0. For other numbers, use a loss such as mse and "
        "as many units as each label has values.",
        check=_loss,
        bad=lambda: _labelled("numbers", 0, 13.5),
        good=lambda: _labelled("classes", 0, 9),
    ),
    Rule(
        code="MA611",
        name="uninformative-probe-data",
        family=Family.BEHAVIOUR,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=_NEEDS,
        summary="The given inputs or labels do not differ",
        pass_title="Inputs and labels differ",
        why="Equal inputs get equal outputs from every model. A step that prepares the data may "
        "have set them to a constant, in training too.",
        fix="Check how the data are read and scaled: dividing bytes as integers gives 0.",
        check=_uninformative,
        bad=_columns(InputColumns(True, 4, 4)),
        good=_columns(_SOUND),
    ),
    Rule(
        code="MA612",
        name="input-reveals-label",
        family=Family.BEHAVIOUR,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=_NEEDS,
        summary="One column of the inputs determines the label",
        pass_title="No column of the inputs determines the label",
        why="A model that is trained with such a column learns nothing else. Where the column is "
        "missing or constant in production, the output is constant too.",
        fix="Remove the column if it is not known before the label, and train again.",
        check=_telling,
        bad=_columns(InputColumns(False, 4, 0, (2,))),
        good=_columns(_SOUND),
    ),
    Rule(
        code="MA613",
        name="unscaled-probe-data",
        family=Family.BEHAVIOUR,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=_NEEDS,
        summary="Inputs or targets have large values that nothing scales",
        pass_title="Inputs and targets are scaled, or the model scales them",
        why="Large inputs saturate or kill the first layer in the first steps. With large targets "
        "the bias of the last layer takes most of the training.",
        fix="Scale inputs and targets to mean 0 and standard deviation 1, for example with a "
        "Normalization layer that was adapted to the training data.",
        check=_unscaled,
        bad=_columns(InputColumns(False, 4, 0, (), 5000.0, 5000.0)),
        good=_columns(_SOUND),
    ),
)
