"""MA7xx: what the file can do to the user who loads it."""

from __future__ import annotations

from modelaudit.rules.model import Rule
from modelaudit.rules.security import observed_actions, signatures
from modelaudit.rules.security.config import (
    custom_objects as custom,
)
from modelaudit.rules.security.config import (
    gadgets,
    paths,
    payloads,
)
from modelaudit.rules.security.config import (
    lambda_code as lambdas,
)
from modelaudit.rules.security.config import (
    resource_exhaustion as resources,
)
from modelaudit.rules.security.container import foreign_content
from modelaudit.rules.security.container import rules as container
from modelaudit.rules.security.graph import (
    access as graph_access,
)
from modelaudit.rules.security.graph import (
    limits as graph_limits,
)
from modelaudit.rules.security.graph import (
    runnable as graph_runnable,
)
from modelaudit.rules.security.graph import (
    structure as graph_structure,
)

RULES: tuple[Rule, ...] = (
    *lambdas.RULES,
    *gadgets.RULES,
    *payloads.RULES,
    *paths.RULES,
    *resources.RULES,
    *custom.RULES,
    *container.RULES,
    *foreign_content.RULES,
    *graph_access.RULES,
    *graph_structure.RULES,
    *graph_limits.RULES,
    *graph_runnable.RULES,
    *observed_actions.RULES,
    *signatures.RULES,
)
