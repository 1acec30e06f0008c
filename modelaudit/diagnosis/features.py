"""Measured statistics of one case as numbers, from which the odds of the causes are computed.

A feature is missing where nothing measures it: labels that were not given, a model without batch
normalization. Missing features have no weight. The numbers are those that the steps judge as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from msgspec import Struct

from modelaudit.diagnosis import measured as read
from modelaudit.diagnosis.case import Case, times_in_words
from modelaudit.diagnosis.model import StepResults
from modelaudit.diagnosis.steps.design import DESIGN
from modelaudit.diagnosis.steps.weight import DAMAGE
from modelaudit.findings import Severity
from modelaudit.thresholds.answers import BETTER_P, BIAS_EXCESS
from modelaudit.thresholds.weights import MISFIT


class Feature(Struct, frozen=True):
    """One statistic: how it is read from a case, and what it says in words (`{}` is the number).

    `shown` writes the number where it is a logarithm or can be absurdly large.
    """

    says: str
    read: Callable[[Case], float | None]
    shown: Callable[[float], str] | None = None


def _p(exponent: float) -> str:
    return f"{10**-exponent:.1g}"


def _power(exponent: float) -> str:
    return f"{10**exponent:,.0f}" if 2 < exponent < 7 else f"{10**exponent:.2g}"


def _bounded(number: float) -> str:
    return f"{number:,.1f}" if number < 1000 else "more than 1,000"


def _standing_out(number: float) -> str:
    if number < BIAS_EXCESS.value:
        return "does not stand out"
    return f"stands out by {_bounded(number)} standard deviations of the scores"


def _at_least(score: float) -> str:
    return f"{score:.2f}{' or less' if score <= read.LEAST_SCORE else ''}"


def _numbered(log_odds: float) -> str:
    if log_odds < math.log(2):  # also where no other order was found
        return "no other order of the classes makes the labels likelier"
    return (
        f"another order of the classes makes the labels {times_in_words(log_odds)} times as likely"
    )


def _preferring(what: str) -> Callable[[float], str]:
    clear = -math.log10(BETTER_P.value)
    return lambda exponent: (
        f"labels {'prefer' if exponent >= clear else 'do not clearly prefer'} {what}, "
        f"p = {_p(exponent)}"
    )


FITTING = f"sound models: below {MISFIT.value:g}"
# The causes of the population behind each cause of the diagnosis. Those without an entry are proven
# by what their step found, or the population has no such case.
BEHIND: dict[str, tuple[str, ...]] = {
    "damaged-restore": ("damaged",),
    "nonfinite-weights": ("damaged",),
    "never-loaded": ("untouched",),
    "not-trained": ("untouched", "small-steps", "short"),
    "partial-restore": ("partial",),
    "untrained-layers": ("partial",),
    "bn-statistics-lost": ("statistics",),
    "bn-statistics-unsettled": ("statistics",),
    "head-bias": ("head",),
    "dead-units": ("dead",),
    "exploded-weights": ("exploded",),
    "orientation-mismatch": ("orientation",),
    "input-domain": ("values",),
    "labels-renumbered": ("numbering",),
    "wrong-weights-upstream": ("misplaced",),
    "not-understood": ("misplaced", "mislabelled", "short", "small-steps", "one-class"),
    "collapse-open": ("misplaced", "short", "one-class"),
    "little-information": ("misplaced", "short", "one-class"),
    "loss-unsuited": ("short", "one-class"),
    "network-design": ("short", "small-steps", "mislabelled", "one-class"),
    "prior-only": ("one-class", "short"),
}
# The cause to name where the odds are for a cause of the population that no step found.
NAMED = {
    "damaged": "damaged-restore",
    "untouched": "never-loaded",
    "small-steps": "not-trained",
    "short": "not-trained",
    "mislabelled": "not-understood",
    "one-class": "prior-only",
    "partial": "partial-restore",
    "statistics": "bn-statistics-lost",
    "head": "head-bias",
    "dead": "dead-units",
    "exploded": "exploded-weights",
    "orientation": "orientation-mismatch",
    "values": "input-domain",
    "numbering": "labels-renumbered",
    "misplaced": "not-understood",
}
# Of these, only the user's inputs tell; built-in ones mean nothing to any model.
NEED_INPUTS = frozenset(
    {*("orientation", "values", "numbering", "misplaced"), *("short", "mislabelled", "one-class")}
)
# How a step for a cause can end, as a statistic.
FIRST, LATER, FOLLOWS, SUSPECTED, OPEN, OUT = 4, 3, 2, 1, 0, -1
ENDED = {
    FIRST: "the first cause that the checks found",
    LATER: "found by its check, after another cause",
    FOLLOWS: "taken by its check for a consequence of another cause",
    SUSPECTED: "suspected by its check, on too few labels",
    OPEN: "left open by its check",
    OUT: "ruled out by its check",
}
STEP = "step:"
# Statistics that say something else of built-in inputs, which mean nothing to the model.
OF_OUTPUTS = frozenset(
    {
        *("informed", "spread", "top_share", "head_gain", "head_excess"),
        *("recalibrated", "cleared", "dead"),
    }
)
BUILT_IN = ":built-in"


def features(case: Case, steps: StepResults) -> dict[str, float]:
    """Every statistic that was measured, by name."""
    suffix = "" if case.images else BUILT_IN
    known = {
        name + suffix * (name in OF_OUTPUTS): value
        for name, feature in FEATURES.items()
        if (value := feature.read(case)) is not None and math.isfinite(value)
    }
    return known | _ended(steps)


def _ended(steps: StepResults) -> dict[str, float]:
    """How the steps for each cause of the population ended: of several, the strongest result."""
    ends = [(name, LATER if place else FIRST) for place, (name, _) in enumerate(steps.found)]
    ends += [(each.cause, FOLLOWS) for each in steps.consequences]
    ends += [(each.cause, SUSPECTED if each.suspected else OPEN) for each in steps.open]
    ends += [(each.cause, OUT) for each in steps.ruled_out]
    strongest: dict[str, float] = {}
    for name, end in ends:
        for cause in BEHIND.get(name, ()):
            strongest[STEP + cause] = float(max(end, strongest.get(STEP + cause, OUT)))
    return strongest


def said(name: str, value: float) -> str:
    """A statistic in words."""
    if name.startswith(STEP):
        return ENDED[round(value)]
    feature = FEATURES[name.removesuffix(BUILT_IN)]
    words = feature.says.format(feature.shown(value) if feature.shown else value)
    return f"on built-in or few inputs, {words}" if name.endswith(BUILT_IN) else words


Kind = Callable[[str], bool]


def _of_form(
    key: str, what: str, is_kind: Kind, is_other: Kind, fit: Callable[[Case], float | None]
) -> dict[str, Feature]:
    """What speaks for another form of the inputs: labels, information, and batch statistics.

    Args:
        key: beginning of the names.
        what: the kind of form, in words.
        is_kind: whether a form is of this kind.
        is_other: whether it is of another kind as well.
        fit: how much better batch statistics match.
    """
    # Larger values alone make predictions confident.
    equal = is_kind is read.rescaled
    how = " at equal confidence" if equal else ""
    return {
        f"{key}_p": Feature("{}", read.by_labels(is_kind), _preferring(what)),
        f"{key}_score": Feature(
            f"with {what}, the accuracy (or R2) on your labels changes by {{:+.2f}}",
            read.score_gain(lambda name: is_kind(name) and not is_other(name)),
        ),
        f"{key}_best": Feature(
            f"with {what}, a score of {{:.2f}} on your labels (0: a constant answer, 1: a perfect "
            "one)",
            read.reached(is_kind),
        ),
        f"{key}_bits": Feature(
            f"with {what}, predictions say more by {{:.1f}} standard errors{how}",
            read.bits(is_kind, equal=equal),
        ),
        f"{key}_gain": Feature(
            f"with {what}, predictions carry {{:.0%}} more of the information possible{how}",
            read.gained(is_kind, equal=equal),
        ),
        f"{key}_fit": Feature(f"batch statistics match {what} {{}} times as closely", fit, _power),
    }


FEATURES: dict[str, Feature] = {
    "damage": Feature(
        "a severe finding about the file or its values",
        read.reported(*DAMAGE, "MA111", least=Severity.HIGH),
    ),
    "untouched": Feature(
        "every testable kernel as drawn, and nothing that training moved", read.untouched
    ),
    "fresh": Feature("{:.0%} of the testable kernels as drawn by their initializers", read.fresh),
    "left_initial": Feature("a layer at initial values among trained ones", read.left),
    "idle": Feature("an optimizer whose steps changed nothing", read.reported("MA430")),
    "few_steps": Feature("hardly any training steps", read.reported("MA432")),
    "steps": Feature("{} training steps counted by the optimizer", read.steps, _power),
    "norms_lost": Feature(
        "{:.0%} of the batch normalizations with initial statistics but trained gamma or beta",
        read.lost,
    ),
    "norms_new": Feature("{:.0%} of the batch normalizations with all initial values", read.new),
    "exploded": Feature(
        "kernels far larger than initializers draw them, or gradients that still grew",
        read.reported("MA435"),
    ),
    "dead_proven": Feature(
        "a layer that is constant by interval arithmetic",
        read.reported("MA437", least=Severity.HIGH),
    ),
    "design": Feature(
        "a finding about the loss or the design", read.reported("MA306", *DESIGN, "MA613")
    ),
    "shrunk": Feature(
        "a kernel or gradients that shrank to nothing", read.reported("MA433", "MA434", "MA436")
    ),
    "dead": Feature("{:.0%} of the channels of a rectified layer never active", read.dead),
    "cleared": Feature(
        "clearing an all-negative bias restores {:.0%} of the information",
        read.intervention("clear_negative_bias"),
    ),
    "head_gain": Feature(
        "centring the head's bias restores {:.0%} of the information",
        read.intervention("centre_head_bias"),
    ),
    "head_excess": Feature(
        "a bias of the last layer that {}",
        read.excess,
        _standing_out,
    ),
    "recalibrated": Feature(
        "recomputed batch statistics restore {:.0%} of the information",
        read.intervention("recalibrate_batchnorm"),
    ),
    "informed": Feature("predictions that carry {:.0%} of the information possible", read.informed),
    "spread": Feature("an output that varies by {} of its scale", read.spread, _power),
    "top_share": Feature("one prediction for {:.0%} of the inputs", read.top),
    "first_misfit": Feature(
        f"a misfit of {{:.2f}} at the first batch normalization ({FITTING})", read.first_misfit
    ),
    "later_misfit": Feature(
        f"a misfit of up to {{:.2f}} at later batch normalizations ({FITTING})", read.later_misfit
    ),
    "settling": Feature(
        "statistics that would fit better by {:.2f} on the way from their initial values",
        read.settling,
    ),
    **_of_form("turn", "another orientation", read.moved, read.rescaled, read.orientation_fit),
    **_of_form("values", "other values", read.rescaled, read.moved, read.domain_fit),
    "margin": Feature(
        "a likeliest class that is {} times as likely as the next", read.margin, times_in_words
    ),
    "numbering": Feature("{}", read.numbering, _numbered),
    "numbering_score": Feature(
        "in another order of the classes the accuracy changes by {:+.2f}", read.numbering_gain
    ),
    "right": Feature("labels are met better than by a constant, p = {}", read.right, _p),
    "score": Feature(
        "a score of {} on your labels as given (0: a constant answer, 1: a perfect one)",
        read.score,
        _at_least,
    ),
    "claimed": Feature(
        "predictions that claim {:.2f} more than your labels confirm (both from 0 to 1)",
        read.claimed,
    ),
    "unpredicted": Feature(
        "{:.0%} of the classes never predicted although labels have them", read.unpredicted
    ),
}
