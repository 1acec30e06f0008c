"""Estimates what each statistic of the population says about each cause, by maximum likelihood.

Every statistic is cut into bins at quantiles of the population. What each bin says about a cause (a
log-likelihood ratio against a sound model) is found by maximum likelihood of the present causes,
all statistics and causes together, so that correlated statistics do not count twice. Where more of
a statistic can only mean more (or less) of a cause, the bins are monotone. A ridge penalty smooths;
nothing says more than a factor of 1,000. Cases are weighted so that every cause has its prior
probability.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from modelaudit.diagnosis.features import BUILT_IN, OF_OUTPUTS, STEP
from modelaudit.odds.posterior import SOUND as NONE
from modelaudit.odds.table import Bins, CauseOdds, OddsTable, PairOdds

TABLE = Path(__file__).with_name("population.csv.gz")
SOUND, FAULT, PAIR = 0.5, 0.45, 0.05  # prior probabilities of none, one and two faults
CAP = math.log(1000.0)
STEP_EDGES = (-0.5, 0.5, 1.5, 2.5, 3.5)  # between the ways in which a step can end
HINGE = 30.0
RIDGE = 1.0
FEWEST = 8  # cases by which a cause's weight is divided at least
QUANTILES = (0.15, 0.35, 0.5, 0.65, 0.8, 0.9, 0.96)
# What speaks for (+) or against (-) each cause, the more of it there is.
UNLEARNED = "+design +shrunk +idle +few_steps -steps -right -score +unpredicted -later_misfit "
SPEAKS = {
    "damaged": "+damage",
    "untouched": "+untouched +fresh +idle -steps +few_steps +norms_new -score -informed",
    "small-steps": "+untouched +fresh +idle +few_steps -score -informed -right -spread",
    "partial": "+left_initial -score +norms_new -informed +later_misfit",
    "statistics": "+norms_lost +norms_new +first_misfit +later_misfit +settling +recalibrated "
    "-score -informed",
    "head": "+head_gain +head_excess +top_share -score",
    "dead": "+dead_proven +dead +cleared -informed -spread -score",
    "exploded": "+exploded +margin -score",
    "orientation": "+turn_p +turn_score +turn_best +turn_bits +turn_gain +turn_fit -score +claimed",
    "values": "+values_p +values_score +values_best +values_bits +values_gain +values_fit +margin "
    "+first_misfit -score +claimed",
    "numbering": "+numbering +numbering_score -score +claimed",
    "misplaced": "+first_misfit +later_misfit -right -score -informed -turn_p -values_p -numbering "
    "+claimed",
    "short": UNLEARNED + "-spread -informed",
    "mislabelled": UNLEARNED + "+spread +informed +margin +claimed",
    "one-class": UNLEARNED + "-spread -informed +top_share",
}
# What speaks for (+) or against (-) a sound model, whatever else is wrong.
OF_SOUND = (
    "-damage -untouched -fresh -left_initial -idle -few_steps -norms_lost -norms_new -exploded "
    "-dead_proven -design -shrunk -dead -cleared -head_gain -head_excess -recalibrated +informed "
    "+spread -top_share -first_misfit -later_misfit -turn_p -turn_score -turn_bits -turn_gain "
    "-turn_fit -values_p -values_score -values_bits -values_gain -values_fit -margin -numbering "
    "-numbering_score +right +score -unpredicted -claimed"
)
SPEAKS = {
    name: " ".join([
        f"+{STEP}{name}",
        *others.split(),
        *(each + BUILT_IN for each in others.split() if each[1:] in OF_OUTPUTS),
    ])
    for name, others in SPEAKS.items()
}  # fmt: skip
ALL = SPEAKS | {
    NONE: f"{OF_SOUND} " + " ".join(e + BUILT_IN for e in OF_SOUND.split() if e[1:] in OF_OUTPUTS)
}
# Causes that are kinds of one; they share its prior.
KINDS = (("untouched", "small-steps"), ("short", "mislabelled", "one-class"))
# What the population says of a training that failed, by its condition.
FAILED = {
    "training: tiny rate": "small-steps",
    "training: too short": "short",
    "training: shuffled labels": "mislabelled",
    "training: one class": "one-class",
}
FORMS = ("orientation", "values", "numbering")
PAIRS = (
    ("orientation", "values"),
    ("numbering", "orientation"),
    ("numbering", "values"),
    *(
        tuple(sorted((form, other)))
        for form in FORMS
        for other in ("partial", "statistics", "head")
    ),
)


@dataclass(frozen=True)
class Row:
    """One case of the table: its families, the causes present, and its statistics.

    `n` inputs were given; `scores` are accuracy (or R2) without the fault and with it.
    """

    net: int
    apart: bool
    families: dict[str, str]
    condition: str
    causes: tuple[str, ...]  # () if harmless
    mode: str
    features: dict[str, float]
    n: int = 0
    scores: tuple[float, float] = (1.0, 0.0)


def read(file: Path) -> list[Row]:
    """All cases of a table, harmless ones too."""
    rows = []
    with gzip.open(file, "rt", encoding="utf-8") as text:
        for line in csv.DictReader(text):
            names = list(line)
            known = {k: float(line[k]) for k in names[names.index("now") + 1 :] if line[k] != ""}
            rows.append(
                Row(
                    int(line["net"]),
                    line["apart"] == "1",
                    {key: line[key] for key in ("body", "data", "task", "saver")},
                    line["condition"],
                    tuple(filter(None, FAILED.get(line["condition"], line["causes"]).split(" + "))),
                    line["mode"],
                    known,
                    int(line["n"]),
                    (float(line["sound"]), float(line["now"])),
                )
            )
    return rows


def usable(rows: Sequence[Row], *, apart: bool = False) -> list[Row]:
    """Cases with a known truth, without those that are kept for the first look."""
    return [row for row in rows if row.causes and row.apart == apart and _stated(row.causes)]


def _stated(causes: tuple[str, ...]) -> bool:
    return len(causes) == 1 or tuple(sorted(causes)) in PAIRS


def edges(values: np.ndarray) -> tuple[float, ...]:
    """Borders between at most eight bins: between few values, or else at quantiles."""
    distinct = np.unique(values)
    if len(distinct) <= 6:
        found = (distinct[1:] + distinct[:-1]) / 2
    else:
        found = np.quantile(values, QUANTILES)
    # Hundredths of shares, powers of ten and standard deviations are rounding, not evidence.
    return tuple(sorted({round(float(each), 2) + 0.0 for each in found}))


class Design:
    """For each cause, the columns of its parameters, by statistic and bin."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.names = list(ALL)
        self.edges: dict[str, tuple[float, ...]] = {}
        for spoken in ALL.values():
            for feature in spoken.split():
                values = [row.features[feature[1:]] for row in rows if feature[1:] in row.features]
                step = feature[1:].startswith(STEP)
                self.edges[feature[1:]] = (
                    STEP_EDGES if step else edges(np.array(values)) if values else ()
                )
        self.columns = {
            name: [(f[1:], f[0] == "+", len(self.edges[f[1:]])) for f in ALL[name].split()]
            for name in self.names
        }
        sizes = [sum(1 + count for _, _, count in self.columns[name]) for name in self.names]
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        # Which parameters add up to what the bin that speaks most for a cause says.
        counts = [1 + count for name in self.names for _, _, count in self.columns[name]]
        self.block = np.repeat(np.arange(len(counts)), counts)
        # A statistic that speaks about several causes in the same direction says in part the same
        # about all of them, and so does the result of the step for a cause.
        places: dict[tuple[str, bool, int], int] = {}
        self.common = np.array([
            places.setdefault((feature.partition(":")[0], up, k), len(places))
            for name in self.names
            for feature, up, count in self.columns[name]
            for k in range(1 + count)
        ])  # fmt: skip

    def matrix(self, rows: Sequence[Row], name: str) -> np.ndarray:
        """(cases, parameters): 1 for the offset and for each step up to the bin of the value."""
        blocks = []
        for feature, up, count in self.columns[name]:
            block = np.zeros((len(rows), 1 + count))
            for i, row in enumerate(rows):
                value = row.features.get(feature)
                if value is None:
                    continue
                place = int(np.searchsorted(self.edges[feature], value, side="right"))
                block[i, : 1 + (place if up else count - place)] = 1
            blocks.append(block)
        return np.concatenate(blocks, axis=1)


def hypotheses() -> list[tuple[str, ...]]:
    """No cause, one, or two."""
    return [(), *((name,) for name in SPEAKS), *PAIRS]


def prior(name: str) -> float:
    """Of one fault; kinds of one fault share its prior."""
    faults = len(SPEAKS) - sum(len(kinds) - 1 for kinds in KINDS)
    return FAULT / faults / next((len(kinds) for kinds in KINDS if name in kinds), 1)


def priors() -> np.ndarray:
    """Of all hypotheses, in their order."""
    return np.array([SOUND, *map(prior, SPEAKS), *[PAIR / len(PAIRS)] * len(PAIRS)])


def truth(rows: Sequence[Row]) -> np.ndarray:
    """The number of the hypothesis that is true of each case."""
    order = {tuple(sorted(each)): place for place, each in enumerate(hypotheses())}
    return np.array(
        [order[() if row.causes == (NONE,) else tuple(sorted(row.causes))] for row in rows]
    )


def weights(true: np.ndarray) -> np.ndarray:
    """Of cases, so that hypotheses weigh what their priors are; the mean is about 1."""
    counts = np.bincount(true, minlength=len(hypotheses()))
    return priors()[true] / np.maximum(counts[true], FEWEST) * len(true)


def fit(rows: Sequence[Row], ridge: float = RIDGE) -> OddsTable:
    """The table for these cases."""
    design, true = Design(rows), truth(rows)
    matrices = [design.matrix(rows, name) for name in design.names]
    member = np.array(
        [[name in (each or (NONE,)) for each in hypotheses()] for name in design.names], float
    )
    base, weight = np.log(priors()), weights(true)
    starts = design.starts
    limits = []
    for name in design.names:
        for _, _, count in design.columns[name]:
            limits += [(-CAP, CAP)] + [(0.0, 2 * CAP)] * count
    own, common = len(limits), design.common
    first = [int(np.argmax(common == each)) for each in range(common.max() + 1)]
    limits += [limits[place] for place in first]

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        both = theta[:own] + theta[own:][common]
        parts = [m @ both[starts[c] : starts[c + 1]] for c, m in enumerate(matrices)]
        logits = base + np.stack(parts, 1) @ member
        logits -= logits.max(1, keepdims=True)
        shares = np.exp(logits)
        shares /= shares.sum(1, keepdims=True)
        value = -(weight * np.log(np.maximum(shares[np.arange(len(true)), true], 1e-300))).sum()
        off = shares * weight[:, None]
        off[np.arange(len(true)), true] -= weight
        by_cause = off @ member.T
        alone = np.concatenate([m.T @ by_cause[:, c] for c, m in enumerate(matrices)])
        # The bin that speaks most for a cause must not speak against it.
        short = np.minimum(0.0, np.bincount(design.block, both))
        value += 0.5 * HINGE * float(short @ short)
        alone += HINGE * short[design.block]
        slope = np.concatenate([alone, np.bincount(common, alone)])
        return value + 0.5 * ridge * theta @ theta, slope + ridge * theta

    found = minimize(
        loss, np.zeros(len(limits)), jac=True, method="L-BFGS-B", bounds=limits,
        options={"maxiter": 3000, "maxfun": 6000, "ftol": 1e-14, "gtol": 1e-5, "maxcor": 30},
    )  # fmt: skip
    return _table(rows, design, found.x[:own] + found.x[own:][common])


def _table(rows: Sequence[Row], design: Design, theta: np.ndarray) -> OddsTable:
    causes = []
    for c, name in enumerate(design.names):
        place, bins = int(design.starts[c]), []
        for feature, up, count in design.columns[name]:
            rising = np.cumsum(theta[place : place + 1 + count])
            llr = np.clip(rising if up else rising[::-1], -CAP, CAP)
            place += 1 + count
            values = [row.features[feature] for row in rows if feature in row.features]
            where = np.searchsorted(design.edges[feature], values, side="right")
            counts = np.bincount(where, minlength=count + 1)
            bins.append(
                Bins(
                    feature,
                    design.edges[feature],
                    tuple(round(float(x), 2) + 0.0 for x in llr),
                    tuple(map(int, counts)),
                )
            )
        having = [row for row in rows if name in row.causes]
        given = SOUND if name == NONE else prior(name)
        causes.append(
            CauseOdds(name, given, tuple(bins), len(having), len({r.net for r in having}))
        )
    return OddsTable(
        "benchmarks/population/fit.py on benchmarks/population/population.csv.gz",
        len(rows), len({row.net for row in rows}), causes.pop(), tuple(causes),
        tuple(PairOdds((a, b), PAIR / len(PAIRS)) for a, b in PAIRS), (), (), ("image",
        "series", "table"),
    )  # fmt: skip
