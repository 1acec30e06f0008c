"""Effects of transforms of the input on a model's output."""

from __future__ import annotations

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from modelaudit.audit_types.behaviour import ClassAgreement, TransformEffect
from modelaudit.facts import Json
from modelaudit.measures.behaviour.output_actions import OutputAction, best_action
from modelaudit.measures.behaviour.outputs import comparable, decisions, predicted, probabilities
from modelaudit.measures.behaviour.variation import normalised_variation
from modelaudit.measures.statistics import (
    bootstrap_indices,
    bootstrap_mean_ci,
    cohen_kappa,
    fisher_exact,
    holm,
    percentile_interval,
    wilson,
)
from modelaudit.measures.transforms import Transform
from modelaudit.thresholds.flips import PER_CLASS

_DRAWS = 1000


class OutputPair(Struct, frozen=True):
    """Outputs of a model for the same n inputs, plain and transformed, (n, ...) each."""

    plain: NDArray[np.floating]
    moved: NDArray[np.floating]


def transform_effect(
    pair: OutputPair,
    kind: str,
    transform: Transform,
    rng: np.random.Generator,
    *,
    noise: float = 0.0,
    collapsed: bool = False,
    scrambled: NDArray[np.floating] | None = None,
) -> TransformEffect:
    """Effect of one transform of the input on one output.

    Args:
        pair: finite outputs as returned by the model (no inverse transform applied).
        kind: result of `outputs.output_kind`.
        noise: largest difference between repeated runs, in units of the output.
        collapsed: whether the output does not depend on the input; kappa and variation are then
            None, since they would compare noise with noise.
        scrambled: outputs for `phase_scrambled` inputs, (n, ...).

    Returns:
        The effect. Its `detail` has the result of `output_actions` and, for outputs with classes,
        `top_share` (share of the most frequent decision on transformed inputs) and `kappa_ci`.
        Agreement and kappa are over `outputs.decisions`.
    """
    action = (
        OutputAction("invariant", None)
        if collapsed
        else best_action(pair.plain, pair.moved, kind, transform, noise)
    )
    detail: dict[str, Json] = dict(action.detail)
    labels, labels_moved = decisions(pair.plain, kind), decisions(pair.moved, kind)
    n = len(pair.plain)
    agreement: float | None = None
    interval: tuple[float, float] | None = None
    kappa: float | None = None
    if labels is not None and labels_moved is not None and n:
        agreement = float(np.mean(labels == labels_moved))
        # Decisions on the same input are dependent, so the interval counts inputs.
        interval = wilson(round(agreement * n), n)
        detail["top_share"] = int(np.bincount(labels_moved).max()) / len(labels_moved)
        kappa = None if collapsed else cohen_kappa(labels, labels_moved)
        if kappa is not None:
            spread = kappa_interval(labels, labels_moved, rng)
            detail["kappa_ci"] = list(spread) if spread is not None else None
    p, q = probabilities(pair.plain, kind), probabilities(pair.moved, kind)
    js = js_divergence(p, q) if p is not None and q is not None else None
    tv = total_variation(p, q) if p is not None and q is not None else None
    ratio: float | None = None
    if js is not None and p is not None and scrambled is not None:
        r = probabilities(scrambled, kind)
        ratio = scrambled_ratio(js, js_divergence(p, r)) if r is not None else None
    return TransformEffect(
        name=transform.name,
        n=n,
        agreement=agreement,
        agreement_ci=interval,
        kappa=kappa,
        js=float(js.mean()) if js is not None else None,
        js_ci=bootstrap_mean_ci(js, rng, _DRAWS) if js is not None else None,
        tv=float(tv.mean()) if tv is not None else None,
        tv_ci=bootstrap_mean_ci(tv, rng, _DRAWS) if tv is not None else None,
        nfv=action.nfv,
        action=action.name,
        scrambled_ratio=ratio,
        max_abs_diff=_largest_difference(pair, action, transform),
        detail=detail,
    )


def js_divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Jensen-Shannon divergence in bits, (n,) in [0, 1] (Lin, 1991).

    Args:
        p, q: distributions (n, K), or (n, L, 2), for which the L values are averaged.
    """
    middle = (p + q) / 2
    each = entropy(middle) - (entropy(p) + entropy(q)) / 2
    result: NDArray[np.float64] = np.clip(each.reshape(len(p), -1).mean(axis=1), 0.0, 1.0)
    return result


def total_variation(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Total variation distance of distributions as in `js_divergence`, (n,) in [0, 1]."""
    each = np.abs(p - q).sum(axis=-1) / 2
    result: NDArray[np.float64] = each.reshape(len(p), -1).mean(axis=1)
    return result


def entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shannon entropy in bits over the last axis, with 0 log 0 = 0."""
    safe = np.where(p > 0, p, 1.0)
    result: NDArray[np.float64] = -(p * np.log2(safe)).sum(axis=-1)
    return result


def kappa_interval(
    a: NDArray[np.integer], b: NDArray[np.integer], rng: np.random.Generator, draws: int = _DRAWS
) -> tuple[float, float] | None:
    """95 % percentile bootstrap interval of Cohen's kappa over inputs; labels are (n,).

    None if one side is constant in more than half of the resamples.
    """
    labels, codes = np.unique(np.concatenate([a, b]), return_inverse=True)
    left, right = codes[: len(a)], codes[len(a) :]
    rows = bootstrap_indices(len(a), draws, rng)
    agreed = (left == right)[rows].mean(axis=1)
    shares = [_shares(side[rows], len(labels)) for side in (left, right)]
    chance = (shares[0] * shares[1]).sum(axis=1)
    varied = (shares[0].max(axis=1) < 1) & (shares[1].max(axis=1) < 1)
    if 2 * int(varied.sum()) <= draws:
        return None
    return percentile_interval((agreed[varied] - chance[varied]) / (1 - chance[varied]))


def _shares(codes: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """(draws, n) labels -> (draws, count) shares."""
    draws, n = codes.shape
    flat = (codes + count * np.arange(draws)[:, None]).reshape(-1)
    shares: NDArray[np.float64] = np.bincount(flat, minlength=draws * count) / n
    return shares.reshape(draws, count)


def phase_scrambled(
    x: NDArray[np.floating],
    gx: NDArray[np.floating],
    rng: np.random.Generator,
    axes: tuple[int, ...],
) -> NDArray[np.float64]:
    """X + d', where d' has the amplitude spectrum and the norm of d = gx - x, but random phases.

    A perturbation as large as the transform, but without its structure.

    Args:
        x, gx: inputs, plain and transformed, (n, ...).
        rng: random phases are those of white noise of the same shape, so that d' is real.
    """
    d = gx.astype(np.float64) - x
    phases = np.angle(np.fft.fftn(rng.standard_normal(d.shape), axes=axes))
    scrambled = np.fft.ifftn(
        np.abs(np.fft.fftn(d, axes=axes)) * np.exp(1j * phases), axes=axes
    ).real
    rest = tuple(range(1, d.ndim))
    norm = np.sqrt((d**2).sum(axis=rest, keepdims=True))
    size = np.sqrt((scrambled**2).sum(axis=rest, keepdims=True))
    factor = np.divide(norm, size, out=np.zeros_like(norm), where=size > 0)
    result: NDArray[np.float64] = x + scrambled * factor
    return result


def scrambled_ratio(js: NDArray[np.float64], js_scrambled: NDArray[np.float64]) -> float | None:
    """Mean divergence under the transform / under `phase_scrambled`; None if the latter is 0."""
    below = float(js_scrambled.mean())
    return float(js.mean()) / below if below > 0 else None


def per_class(
    pair: OutputPair, kind: str, transform: str, min_count: int = PER_CLASS.value
) -> tuple[ClassAgreement, ...]:
    """Agreement and variation for each class that is predicted for the plain input.

    Only classes with at least `min_count` inputs. `p` is Fisher's exact test of the class against
    all other inputs, `p_holm` the p-value adjusted for the number of classes.
    """
    labels, moved = predicted(pair.plain, kind), predicted(pair.moved, kind)
    if labels is None or moved is None:
        return ()
    same = labels == moved
    z, z_moved = comparable(pair.plain, kind), comparable(pair.moved, kind)
    rows: list[ClassAgreement] = []
    p_values: list[float] = []
    for label in np.unique(labels).tolist():
        here = labels == label
        n, kept = int(here.sum()), int(same[here].sum())
        if n < min_count:
            continue
        others, others_kept = len(labels) - n, int(same[~here].sum())
        p_values.append(fisher_exact(kept, n - kept, others_kept, others - others_kept))
        rows.append(
            ClassAgreement(
                transform=transform,
                class_index=int(label),
                n=n,
                agreement=kept / n,
                agreement_ci=wilson(kept, n),
                nfv=normalised_variation(z, z_moved, rows=here),
                p=p_values[-1],
            )
        )
    adjusted = zip(rows, holm(p_values), strict=True)
    return tuple(msgspec.structs.replace(row, p_holm=p) for row, p in adjusted)


def _largest_difference(
    pair: OutputPair, action: OutputAction, transform: Transform
) -> float | None:
    if not pair.plain.size:
        return None
    moved = transform.undo_on_output(pair.moved) if action.name == "spatial" else pair.moved
    if moved.shape != pair.plain.shape:
        return None
    return float(np.abs(pair.plain.astype(np.float64) - moved).max())
