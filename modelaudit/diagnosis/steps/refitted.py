"""What labels say of recomputed batch statistics."""

from __future__ import annotations

import math
from statistics import NormalDist

from msgspec import UNSET

from modelaudit.diagnosis.case import Case, scores
from modelaudit.thresholds.answers import BETTER_P, SCORE_GAIN, UNINFORMED


def met_with_statistics(case: Case) -> float | None:
    """The score on labels with recomputed batch statistics, if nothing else restores it as well.

    None unless labels are met then, and better than in any other form of the inputs. Where values
    differ, the right ones restore as much; the gain beyond them has to be that of no chance.
    """
    tried = case.behaviour.interventions.get("recalibrate_batchnorm") if case.behaviour else None
    output = next((o for o in case.outputs if tried and o.name == tried.output), None)
    if tried is None or output is None or tried.score is UNSET or case.misfit is None:
        return None
    found = scores(output)[0]
    best = max((*found.values(), output.better.score if output.better else 0.0))
    least = UNINFORMED.value if output.accuracy else 0.0
    n, z = case.behaviour.inputs.n if case.behaviour else 1, NormalDist().inv_cdf
    # Of the difference of two shares of n inputs, at most.
    chance = z(1 - BETTER_P.value) * math.sqrt(0.5 / n) if output.accuracy else 0.0
    gain = max(SCORE_GAIN.value, chance)
    return tried.score if tried.score >= max(least, best + gain) else None
