"""MA7xx: what the file could do to whoever loads it."""

from __future__ import annotations

from modelaudit.rules.model import Rule
from modelaudit.rules.security import container, lambdas

RULES: tuple[Rule, ...] = (
    *lambdas.RULES,
    *container.RULES,
)
