"""Three to five numbers for the first page, the most informative ones first."""

from __future__ import annotations

from dataclasses import dataclass

from modelaudit.findings import Outcome
from modelaudit.report.wording import text, vocabulary
from modelaudit.report.wording.json_access import (
    Map,
    accuracies,
    as_count,
    as_list,
    as_map,
    as_maps,
    as_number,
    as_text,
    pair,
)
from modelaudit.schema import Audit

LIMIT = 5


@dataclass(frozen=True, slots=True)
class KeyNumber:
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


def _right(behaviour: Map) -> KeyNumber | None:
    share = next(iter(accuracies(behaviour).values()), None)
    if share is None:
        return None
    count = as_count(as_map(behaviour.get("inputs")).get("n"))
    note = f"{text.plural(count, 'labelled input')} as given" if count else "inputs as given"
    return KeyNumber(text.percent(share), "accuracy on your labels", note)


def _restored(restore: Map) -> KeyNumber | None:
    compared, identical = as_count(restore.get("compared")), as_count(restore.get("identical"))
    if not compared or identical is None:
        return None
    return KeyNumber(
        f"{identical:,} of {compared:,}",
        "weight arrays loaded unchanged",
        "does not show that the weights are right",
    )


def _mirrored(output: Map, behaviour: Map) -> KeyNumber | None:
    # A collapsed model always agrees with itself, and in a nondeterministic one the effect of a
    # flip cannot be isolated.
    collapsed = as_map(output.get("collapse")).get("collapsed") is True
    if collapsed or behaviour.get("deterministic") is False:
        return None
    effects = {as_text(e.get("name")): e for e in as_maps(output.get("transforms"))}
    effect = effects.get("H") or effects.get("flip") or next(iter(effects.values()), {})
    agreement, nfv = as_number(effect.get("agreement")), as_number(effect.get("nfv"))
    how = vocabulary.transform(text.shorten(as_text(effect.get("name")), 40))
    if agreement is not None:
        ends = pair(effect.get("agreement_ci"))
        note = f"{how}; {text.percent(0.95)} interval {text.interval(*ends)}" if ends else how
        return KeyNumber(text.percent(agreement), "keep their prediction when flipped", note)
    if nfv is not None:
        return KeyNumber(
            text.number(nfv), "change when flipped", f"{how}; 1 = as much as another input"
        )
    return None


def _collapse(output: Map) -> KeyNumber | None:
    collapse = as_map(output.get("collapse"))
    share, classes = as_number(collapse.get("top_share")), as_count(collapse.get("classes"))
    if share is None:
        return None
    note = (
        f"of {classes:,} classes; uniform predictions would give {text.percent(1 / classes)}"
        if classes
        else ""
    )
    return KeyNumber(text.percent(share), "get the most frequent prediction", note)


def _loads(audit: Audit) -> KeyNumber | None:
    """How many of the tried runtimes load the model in some way."""
    seen: dict[str, set[str]] = {}
    foretold: dict[str, set[str]] = {}
    for row in as_maps(audit.compatibility):
        runtime, status = as_text(row.get("runtime")), _status(row)
        if status:
            seen.setdefault(runtime, set()).add(status)
        else:
            foretold.setdefault(runtime, set()).add(as_text(row.get("predicted")))
    if not seen:
        return None
    good = sum("loaded" in states for states in seen.values())
    open_ones = [states for runtime, states in foretold.items() if runtime not in seen]
    loading = sum(bool(states & {"loads", "differs"}) for states in open_ones)
    failing = sum(states == {"fails"} for states in open_ones)
    notes = [
        f"{count} more predicted to {word}"
        for count, word in ((failing, "fail"), (loading, "load it"))
        if count
    ]
    return KeyNumber(
        f"{good} of {len(seen)}",
        "tested runtime loads it" if len(seen) == 1 else "tested runtimes load it",
        "; ".join([*notes, "see Compatibility"]),
    )


def _status(row: Map) -> str:
    """The status of the loading attempt, "" if there was none."""
    status = as_text(as_map(row.get("observed")).get("status"))
    return "" if status == "unavailable" else status


def _parameters(audit: Audit) -> KeyNumber | None:
    """The number of parameters, including batch-normalisation statistics."""
    params = as_count(as_map(audit.architecture).get("params"))
    layers = len(as_list(as_map(audit.architecture).get("layers")))
    if params is not None:
        note = f"stored in {text.plural(layers, 'layer')}"
        return KeyNumber(f"{params:,}", "parameters", note)
    total = as_count(as_map(audit.weights).get("total"))
    # If the file could not be read, a total of 0 means unknown.
    if total or (total is not None and as_map(audit.model).get("complete") is not False):
        return KeyNumber(f"{total:,}", "parameters", "stored in the file")
    return None


def _bytes(audit: Audit) -> KeyNumber | None:
    model = as_map(audit.model)
    size = as_count(model.get("bytes"))
    if size is None:
        return None
    files = as_count(model.get("files"))
    return KeyNumber(text.file_size(size), "on disk", text.plural(files, "file") if files else "")


def build(audit: Audit) -> tuple[KeyNumber, ...]:
    """The first five of: checks, accuracy, restore, flips, spread, loading, parameters, size."""
    behaviour = as_map(audit.behaviour)
    output = next(iter(as_maps(behaviour.get("outputs"))), {})
    candidates = (
        _questions(audit),
        _right(behaviour),
        _restored(as_map(audit.restore)),
        _mirrored(output, behaviour),
        _collapse(output),
        _loads(audit),
        _parameters(audit),
        _bytes(audit),
    )
    return tuple(item for item in candidates if item is not None)[:LIMIT]
