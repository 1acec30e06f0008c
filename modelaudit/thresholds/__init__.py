"""Every threshold that a measure, a rule or the diagnosis decides by, each stated once.

Most were chosen on small networks of known condition (trained with and without mirrored images,
with single faults injected) and then checked on networks trained afterwards; `source` says what
healthy and faulty models measured there. They are decisions about effect sizes, not significance
levels: each is reported next to the measured value. docs/thresholds.md is generated from them.
"""
