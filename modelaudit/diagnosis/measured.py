"""How each statistic of `features` is read from a case; None where nothing measures it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

from modelaudit.audit_types.behaviour import BatchNormFit, OutputBehaviour
from modelaudit.diagnosis.case import FLIPS, Case, capacity, information, scores
from modelaudit.diagnosis.steps.form_evidence import distinguishes
from modelaudit.findings import Severity
from modelaudit.measures.input_corrections import parts
from modelaudit.measures.kernels.inference_norms import InitialStatistics, initial_statistics
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.measures.value_transforms import JOIN, SWAPS
from modelaudit.rules.initial_weights.initial_values import left_initial, never_trained
from modelaudit.thresholds.answers import MIN_CLASSES

SMALLEST = 1e-12  # of a p-value and of a spread
ROUNDED = 0.05  # standard deviations that are added before deviations are divided


# ---- of the file ------------------------------------------------------------------------------
LEAST_SCORE = -1.0  # how far an R2 is below a useless model says nothing


def reported(*codes: str, least: Severity = Severity.LOW) -> Callable[[Case], float]:
    """The rank of the most severe finding of these rules, 0 if none is of `least`."""

    def read(case: Case) -> float:
        ranks = [finding.severity.rank for finding in case.findings(*codes)]
        return float(max((rank for rank in ranks if rank >= least.rank), default=0))

    return read


def untouched(case: Case) -> float | None:
    """1 if every testable kernel is as drawn and nothing else was trained, else 0."""
    if not case.kernels:
        return None
    return float(
        len(case.fresh) == len(case.kernels)
        and never_trained(case.facts.artifact, case.measured, case.batchnorm)[0]
    )


def fresh(case: Case) -> float | None:
    """Share of the testable kernels that are as drawn."""
    return len(case.fresh) / len(case.kernels) if case.kernels else None


def left(case: Case) -> float | None:
    """1 + the rank of the surest layer at initial values among trained ones; 0 without one."""
    if not case.measured:
        return None
    found = left_initial(case.facts.artifact, case.measured, case.batchnorm)
    return float(max((1 + each.severity.rank for each in found), default=0))


def steps(case: Case) -> float | None:
    """log10 of 1 + the steps that the optimizer counts."""
    state = optimizer_state(case.facts.artifact)
    return None if state is None or state.steps is None else math.log10(1 + state.steps)


def lost(case: Case) -> float | None:
    """Share of the batch normalizations with initial statistics, but trained gamma or beta.

    None where training may have used these statistics: no network of the population did that.
    """
    why = initial_statistics(case.facts.artifact, case.batchnorm)
    if why not in (None, InitialStatistics.LOST):
        return None
    lost = [norm.statistics_initial and not norm.affine_initial for norm in case.batchnorm]
    return sum(lost) / len(lost) if lost else None


def new(case: Case) -> float | None:
    """Share of the batch normalizations with all initial values."""
    new = [norm.statistics_initial and norm.affine_initial for norm in case.batchnorm]
    return sum(new) / len(new) if new else None


# ---- of a run ---------------------------------------------------------------------------------


def largest(values: Iterable[float | None]) -> float | None:
    """The largest finite value; None without one."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return max(known, default=None)


def smallest(values: Iterable[float | None]) -> float | None:
    """The smallest finite value; None without one."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return min(known, default=None)


def fed(case: Case) -> Iterator[OutputBehaviour]:
    """The outputs, if enough of the user's inputs were used."""
    yield from case.outputs if case.images else ()


def dead(case: Case) -> float | None:
    """Share of the channels of one rectified layer that are never active, at most."""
    return largest(case.behaviour.dead.values()) if case.behaviour else None


def intervention(name: str) -> Callable[[Case], float | None]:
    """The information that an intervention restores, as a share of the most possible."""

    def read(case: Case) -> float | None:
        tried = case.behaviour.interventions.get(name) if case.behaviour else None
        output = next((o for o in case.outputs if tried and o.name == tried.output), None)
        if tried is None or output is None or not capacity(output):
            return None
        return (tried.after - tried.before) / capacity(output)

    return read


def excess(case: Case) -> float | None:
    """Size of the head's bias in standard deviations of what it is added to."""
    tried = case.behaviour.interventions.get("centre_head_bias") if case.behaviour else None
    return tried.excess if tried and isinstance(tried.excess, float) else None


def informed(case: Case) -> float | None:
    """Information in the predictions as a share of the most possible, at least."""
    return smallest(information(o) / capacity(o) for o in case.outputs if capacity(o))


def spread(case: Case) -> float | None:
    """log10 of the least relative spread of an output."""
    return smallest(math.log10(max(o.collapse.spread, SMALLEST)) for o in case.outputs)


def top(case: Case) -> float | None:
    """Share of the inputs with the commonest prediction."""
    return largest(o.collapse.top_share for o in case.outputs)


# ---- of a run on the user's inputs --------------------------------------------------------------


def norm_fits(case: Case) -> tuple[BatchNormFit, ...]:
    """How well statistics fit the user's inputs, in execution order."""
    return case.behaviour.batchnorm if case.behaviour and case.images else ()


def first_misfit(case: Case) -> float | None:
    """Misfit of the first batch normalization."""
    return next((fit.misfit for fit in norm_fits(case)), None)


def later_misfit(case: Case) -> float | None:
    """The largest misfit of the others."""
    return largest(fit.misfit for fit in norm_fits(case)[1:])


def settling(case: Case) -> float | None:
    """How much better statistics on the way from their initial values would fit."""
    if not norm_fits(case):
        return None
    bad = case.misfit
    return 0.0 if bad is None or bad.settled_misfit is None else bad.misfit - bad.settled_misfit


def better_fit(case: Case, forms: Callable[[BatchNormFit], Mapping[str, float]]) -> float | None:
    """log10 of how much closer all statistics are to inputs in the best other form."""
    fits = norm_fits(case)
    sums = [
        sum(forms(fit).get(name, fit.mean_deviation) for fit in fits)
        for name in (forms(fits[0]) if fits else ())
    ]
    best, given = smallest(sums), sum(fit.mean_deviation for fit in fits)
    if best is None or not math.isfinite(given):
        return None
    return math.log10((ROUNDED * len(fits) + given) / (ROUNDED * len(fits) + best))


def orientation_fit(case: Case) -> float | None:
    """The same for other orientations."""
    return better_fit(case, lambda fit: fit.orientation)


def domain_fit(case: Case) -> float | None:
    """The same for other values."""
    return better_fit(case, lambda fit: fit.domain)


def moved(name: str) -> bool:
    """Whether a form of the inputs is another orientation."""
    return bool(parts(name)[0])


def rescaled(name: str) -> bool:
    """Whether a form of the inputs has other values."""
    return bool(parts(name)[1])


def by_labels(kind: Callable[[str], bool]) -> Callable[[Case], float | None]:
    """-log10 p of the form that labels prefer, if it is of a kind.

    It counts only if labels are met better there than by a constant answer.
    """

    def read(case: Case) -> float | None:
        found = None
        for output in fed(case):
            if "e" in scores(output)[0]:
                better = output.better
                right = better and kind(better.name) and _skill(case, output, better.score) > 0
                value = -math.log10(max(better.p, SMALLEST)) if better and right else 0.0
                found = max(found or 0.0, value)
        return found

    return read


def _given_and_best(
    output: OutputBehaviour, kind: Callable[[str], bool]
) -> tuple[float, float] | None:
    """The score of the inputs as given, and that of the best form of a kind."""
    known = scores(output)[0]
    forms = [known[name] for name in known if name != "e" and kind(name)]
    return (known["e"], max(forms)) if "e" in known and forms else None


def score_gain(kind: Callable[[str], bool]) -> Callable[[Case], float | None]:
    """How much better the best form of a kind scores on labels."""

    def read(case: Case) -> float | None:
        found = (_given_and_best(output, kind) for output in fed(case))
        return largest(min(1.0, best - max(given, -1.0)) for given, best in filter(None, found))

    return read


def _gains(
    case: Case, kind: Callable[[str], bool], *, equal: bool
) -> Iterator[tuple[OutputBehaviour, float, float]]:
    """The output, bits gained and standard errors of each single form of a kind.

    With two classes, wrong predictions carry as much information as right ones. Where images of one
    kind get one prediction, several wrong ones in another form are no gain.
    """
    for output in fed(case):
        enough = (output.collapse.classes or 0) >= MIN_CLASSES.value
        for name, gain in output.gains.items() if enough else ():
            if kind(name) and JOIN not in name:
                same = name in FLIPS or name in SWAPS or not equal
                bits, z = (gain.bits, gain.z) if same else (gain.equal_bits, gain.equal_z)
                if bits is not None and z is not None:
                    apart = distinguishes(output, name)
                    yield output, bits if apart else min(0.0, bits), z if apart else min(0.0, z)


def bits(kind: Callable[[str], bool], *, equal: bool) -> Callable[[Case], float | None]:
    """Standard errors of the largest gain of information of a single form of a kind."""
    return lambda case: largest(z for _, _, z in _gains(case, kind, equal=equal))


def gained(kind: Callable[[str], bool], *, equal: bool) -> Callable[[Case], float | None]:
    """The same as a share of the most possible information."""
    return lambda case: largest(
        bits / capacity(output) for output, bits, _ in _gains(case, kind, equal=equal)
    )


def margin(case: Case) -> float | None:
    """Median lead of the likeliest class in nats."""
    return largest(o.margin for o in fed(case))


def numbering(case: Case) -> float | None:
    """Log-odds of another order of the classes."""
    judged = [o for o in fed(case) if "e" in o.accuracy]
    return max((o.numbering.log_odds if o.numbering else 0.0 for o in judged), default=None)


def numbering_gain(case: Case) -> float | None:
    """How much better it scores."""
    judged = [o for o in fed(case) if "e" in o.accuracy]
    gains = [o.numbering.accuracy - o.accuracy["e"] if o.numbering else 0.0 for o in judged]
    return max(gains, default=None)


def right(case: Case) -> float | None:
    """-log10 p that labels are met no better than by a constant."""
    known = (o.chance_p for o in fed(case))
    return smallest(-math.log10(max(p, SMALLEST)) for p in known if p is not None)


def score(case: Case) -> float | None:
    """Accuracy beyond that of the commonest label, as a share of the most possible; or R2."""
    known = [(output, scores(output)[0].get("e")) for output in fed(case)]
    return smallest(_skill(case, output, given) for output, given in known if given is not None)


def _skill(case: Case, output: OutputBehaviour, reached: float) -> float:
    """A score as a share of the most possible, where a constant answer has 0.

    R2 is at least `LEAST_SCORE`. If all labels are equal, no answer can show more than a constant
    one: the score itself.
    """
    share = case.behaviour.inputs.largest_class if case.behaviour else None
    if output.accuracy and share is not None and share < 1:
        return (reached - share) / (1 - share)
    return max(reached, LEAST_SCORE)


def reached(kind: Callable[[str], bool]) -> Callable[[Case], float | None]:
    """The same in the best form of a kind."""

    def read(case: Case) -> float | None:
        found = ((output, _given_and_best(output, kind)) for output in fed(case))
        return smallest(_skill(case, output, pair[1]) for output, pair in found if pair)

    return read


def unpredicted(case: Case) -> float | None:
    """Share of the classes that labels have and that are never predicted."""
    judged = [o for o in fed(case) if "e" in o.accuracy and capacity(o)]
    return largest(len(o.unpredicted) / 2 ** capacity(o) for o in judged)


def claimed(case: Case) -> float | None:
    """How much more of the information possible predictions carry than labels bear out."""
    said, met = informed(case), score(case)
    return None if said is None or met is None else said - met
