"""Thresholds on sizes that no honest model has, for the security rules."""

from __future__ import annotations

from modelaudit.thresholds.threshold import Threshold

PATTERN_LENGTH = Threshold(
    256,
    "characters",
    "length above which a regular expression in a config is suspicious",
    "honest patterns name a layer or a prefix",
)
PATTERN_REPEATS = Threshold(
    5,
    "repetitions",
    "repetitions without an upper bound in one pattern above which matching takes too long",
    "the time grows with the length of the name to this power",
)
LARGEST_SIZE = Threshold(
    1 << 31,
    "elements",
    "size above which an axis in a config is suspicious",
    "more than any axis of a tensor within the memory budget",
)
LOOP_ROUNDS = Threshold(
    10**8,
    "rounds",
    "rounds of a loop, or elements of a dataset that is read, above which a graph never ends",
    "each takes at least 10 µs, and so these a quarter of an hour; honest loops have thousands",
)
CODE_TEXT = Threshold(
    1024,
    "characters",
    "length above which a text in a layer's code, or its source, is not on the allow list",
    "the longest docstring among 150 Lambda layers of public code has about 300",
)
CODE_WORD = Threshold(
    64,
    "characters",
    "length above which a run without spaces in a text of code counts as encoded data",
    "names, dtypes and einsum equations are shorter; encoded programs are longer",
)
CODE_NUMBERS = Threshold(
    1024,
    "numbers",
    "number of literals in a layer's code above which they count as data",
    "tables of means, shapes and axes have tens; more are weights, or an encoded program",
)
CODE_BYTES = Threshold(
    1 << 16,
    "bytes",
    "size of the instructions of a layer's code above which they are not judged",
    "the longest function among 167 of public code has less than 1,000; reading them takes time",
)
LEFT_BYTES = Threshold(
    64,
    "bytes",
    "number of bytes outside small tables that nothing refers to, up to which a converter may have "
    "left them",
    "TOCO writes an operator code for each operator: 14, 34 and 478 bytes in three public models, "
    "nearly all in tables; what was hidden in a model for a test has 83 and more",
)
