"""Three to five numbers for the first page, the most informative ones first."""

from __future__ import annotations

from msgspec import UNSET, Struct

from modelaudit.audit_types.behaviour import BehaviourSection, Collapse, OutputBehaviour
from modelaudit.audit_types.loading import LoadOutcome, Status
from modelaudit.audit_types.restore import RestoreSection
from modelaudit.audit_types.values import finite
from modelaudit.findings import Outcome
from modelaudit.report.wording import text, vocabulary
from modelaudit.schema import Audit

LIMIT = 5


class KeyNumber(Struct, frozen=True):
    """A number, its label, and a note for comparison."""

    value: str
    label: str
    note: str = ""


def _questions(audit: Audit) -> KeyNumber | None:
    asked = [r for r in audit.results if r.outcome is not Outcome.WAIVED and not r.moot]
    if not asked:
        return None
    passed = sum(r.outcome is Outcome.PASS for r in asked)
    answered = passed + sum(r.outcome is Outcome.FAIL for r in asked)
    if not answered:
        return KeyNumber(f"0 of {len(asked)}", "questions answered", "see what was not checked")
    open_ones = len(asked) - answered
    waived = sum(result.outcome is Outcome.WAIVED for result in audit.results)
    notes = [f"{waived} more with waived findings"] if waived else []
    if open_ones:
        notes.append(f"{open_ones} more not answered")
    note = "; ".join(notes) or "every question was answered"
    return KeyNumber(f"{passed} of {answered}", "checks passed", note)


def _right(behaviour: BehaviourSection) -> KeyNumber | None:
    share = next(iter(behaviour.accuracies.values()), None)
    if share is None:
        return None
    count = behaviour.inputs.n if behaviour.inputs else 0
    note = f"{text.plural(count, 'labelled input')} as given" if count else "inputs as given"
    return KeyNumber(text.percent(share), "accuracy on your labels", note)


def _restored(restore: RestoreSection) -> KeyNumber | None:
    if not restore.compared:
        return None
    return KeyNumber(
        f"{restore.identical:,} of {restore.compared:,}",
        "weight arrays loaded unchanged",
        "does not show that the weights are right",
    )


def _mirrored(output: OutputBehaviour, behaviour: BehaviourSection) -> KeyNumber | None:
    # A collapsed model always agrees with itself, and in a nondeterministic one the effect of a
    # flip cannot be isolated.
    if output.collapse.collapsed or behaviour.deterministic is False:
        return None
    effects = {effect.name: effect for effect in output.transforms}
    effect = effects.get("H") or effects.get("flip") or next(iter(effects.values()), None)
    if effect is None:
        return None
    agreement, nfv = effect.agreement, effect.nfv
    done = "reversed" if effect.name == "flip" else "flipped"
    how = vocabulary.transform(text.shorten(effect.name, 40))
    if agreement is not None:
        ends = effect.agreement_ci
        note = f"{how}; {text.percent(0.95)} interval {text.interval(*ends)}" if ends else how
        return KeyNumber(text.percent(agreement), f"keep their prediction when {done}", note)
    if nfv is not None:
        return KeyNumber(
            text.number(nfv), f"change when {done}", f"{how}; 1 = as much as another input"
        )
    return None


def _collapse(collapse: Collapse) -> KeyNumber | None:
    share, classes = finite(collapse.top_share), collapse.classes
    if share is None:
        return None
    note = (
        f"of {classes:,} classes; uniform predictions would give {text.percent(1 / classes)}"
        if classes
        else ""
    )
    return KeyNumber(text.percent(share), "get the most frequent prediction", note)


# The others say nothing of the model: nothing was tried, or a limit ended it.
_ANSWERS = frozenset((Status.LOADED, Status.FAILED, Status.CRASHED))


def _loads(audit: Audit) -> KeyNumber | None:
    """How many of the runtimes with an answer load the model in some way."""
    seen: dict[str, set[Status]] = {}
    foretold: dict[str, set[LoadOutcome]] = {}
    for row in audit.compatibility:
        if row.observed and row.observed.status in _ANSWERS:
            seen.setdefault(row.runtime, set()).add(row.observed.status)
        else:
            foretold.setdefault(row.runtime, set()).add(row.predicted)
    if not seen:
        return None
    good = sum(Status.LOADED in states for states in seen.values())
    open_ones = [states for runtime, states in foretold.items() if runtime not in seen]
    loading = sum(bool(states & {LoadOutcome.LOADS, LoadOutcome.DIFFERS}) for states in open_ones)
    failing = sum(states == {LoadOutcome.FAILS} for states in open_ones)
    depending = sum(
        max(states, key=lambda each: each.rank) is LoadOutcome.CONDITIONAL for states in open_ones
    )
    notes = [
        f"{count} more predicted to {word}"
        for count, word in (
            (failing, "fail"),
            (loading, "load it"),
            (depending, "load it if the program's code fits"),
        )
        if count
    ]
    return KeyNumber(
        f"{good} of {len(seen)}",
        "tested runtime loads it" if len(seen) == 1 else "tested runtimes load it",
        "; ".join([*notes, "see Compatibility"]),
    )


def _parameters(audit: Audit) -> KeyNumber | None:
    """The number of parameters, including batch-normalization statistics."""
    if not audit.architecture.empty:
        note = f"stored in {text.plural(len(audit.architecture.layers), 'layer')}"
        return KeyNumber(f"{audit.architecture.params:,}", "parameters", note)
    total = audit.weights.total
    # If the file could not be read, a total of 0 means unknown.
    if total or (total is not UNSET and audit.model.complete):
        return KeyNumber(f"{total:,}", "parameters", "stored in the file")
    return None


def build(audit: Audit) -> tuple[KeyNumber, ...]:
    """The first five of: checks, accuracy, restore, flips, spread, loading, parameters, size."""
    behaviour = audit.behaviour
    output = next(iter(behaviour.outputs), None)
    size, files = audit.model.bytes, audit.model.files
    candidates = (
        _questions(audit),
        _right(behaviour),
        _restored(audit.restore),
        _mirrored(output, behaviour) if output else None,
        _collapse(output.collapse) if output else None,
        _loads(audit),
        _parameters(audit),
        KeyNumber(text.file_size(size), "on disk", text.plural(files, "file") if files else ""),
    )
    return tuple(item for item in candidates if item is not None)[:LIMIT]
