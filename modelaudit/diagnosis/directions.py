"""Which directions the filters of the model prefer, in a sentence."""

from __future__ import annotations

from collections import Counter

from modelaudit.diagnosis.case import Case

DIRECTIONS = {
    "left-right": "changes from left to right (upright edges)",
    "up-down": "changes from top to bottom (level edges)",
    "bars": "bars along the axes",
    "diagonal": "diagonal bars",
    "none": "spots without a direction",
}


def direction_text(case: Case) -> str:
    """How many layers respond mostly to one direction, and the first of them; empty if unknown."""
    measured = case.facts.measurements
    layers = measured.directions if measured else ()
    if not layers:
        return ""
    leading = [layer for layer in layers if layer.leading not in {"", "none"}]
    if not leading:
        if len(layers) == 1:
            return "In the one spatial kernel, no direction leads."
        return f"In none of {len(layers)} spatial kernels does one direction lead."
    parts = Counter(layer.leading for layer in leading)
    first, share = leading[0], leading[0].shares[leading[0].leading]
    profile = measured.profile if measured else None
    fields = {field.route: field for field in profile.fields} if profile else {}
    sees = ""
    if first.route in fields:
        sees = f", sees {_times(fields[first.route].maximum)} pixels"
    counts = ", ".join(f"{DIRECTIONS[part]} in {count}" for part, count in parts.most_common())
    return (
        f"In {len(leading)} of {len(layers)} spatial kernels, one direction has more energy than "
        f"in random weights: {counts}. The first is {first.route!r} "
        f"({_times(first.shape[:2])}{sees}): "
        f"{share.share:.0%}, of random weights {share.expected:.0%}."
    )


def _times(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))
