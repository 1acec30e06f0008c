"""MA7xx: what the file could do to whoever loads it."""

from __future__ import annotations

from modelaudit.rules.model import Rule
from modelaudit.rules.security import (
    container,
    custom,
    gadgets,
    graph_access,
    graph_limits,
    graph_structure,
    lambdas,
    paths,
    payloads,
    resources,
    strangers,
)

RULES: tuple[Rule, ...] = (
    *lambdas.RULES,
    *gadgets.RULES,
    *payloads.RULES,
    *paths.RULES,
    *resources.RULES,
    *custom.RULES,
    *container.RULES,
    *strangers.RULES,
    *graph_access.RULES,
    *graph_structure.RULES,
    *graph_limits.RULES,
)
