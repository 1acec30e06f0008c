"""How texts grow that operations rewrite, told by what becomes of a short sample."""

from __future__ import annotations

import re

from modelaudit.rules.security.graph.extents import MOST, SAMPLE, Attributes, Extent, Inputs

_LONGEST_PATTERN = 64
_LONGEST_REWRITE = 256
_REPEATS = re.compile(r"[*+?{]")


def formatted(inputs: Inputs, attributes: Attributes) -> Extent:
    """`StringFormat`."""
    sample = _sample(inputs)
    template, mark = attributes.get("template"), attributes.get("placeholder")
    if isinstance(template, str) and isinstance(mark, str) and mark:
        return _grown(inputs, sample, template.replace(mark, sample))
    return _grown(inputs, sample, sample)


def regex_replaced(inputs: Inputs, attributes: Attributes) -> Extent:
    """`StaticRegexReplace`, if its pattern takes no time that grows fast."""
    sample = _sample(inputs)
    pattern, new = attributes.get("pattern"), attributes.get("rewrite")
    if not isinstance(pattern, str) or not isinstance(new, str):
        return _grown(inputs, sample, sample)
    quick = _is_quick(pattern) and len(new) <= _LONGEST_REWRITE
    return _grown(inputs, sample, _replaced(sample, pattern, new) if quick else sample)


def _is_quick(pattern: str) -> bool:
    """Whether Python's engine, which tries all ways, needs at most quadratic time.

    The pattern comes from the file: what it repeats must be no group and no choice (`(a|a)*b`).
    """
    repeats = len(_REPEATS.findall(pattern))
    simple = not repeats or (repeats == 1 and not any(each in pattern for each in "(|"))
    return simple and len(pattern) <= _LONGEST_PATTERN


def _sample(inputs: Inputs) -> str:
    own = inputs[0]
    texts = (each for each in own.values or () if isinstance(each, str))
    return (own.sample or next(texts, ""))[:SAMPLE]


def _replaced(sample: str, pattern: str, new: str) -> str:
    try:
        return re.sub(pattern, re.sub(r"\\(\d)", r"\\g<\1>", new), sample)
    except (re.error, IndexError):
        return sample


def _grown(inputs: Inputs, sample: str, text: str) -> Extent:
    own = inputs[0]
    if not sample:
        return Extent(own.shape, text=own.text)
    return Extent(
        own.shape, text=min(own.text * len(text) // len(sample), MOST), sample=text[:SAMPLE]
    )
