"""MA436: embeddings that their penalty drew to 0."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator

from modelaudit.findings import Finding, Severity
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.kernels.initializers import candidates
from modelaudit.rules.model import Facts, Rule
from modelaudit.thresholds.training import SHRUNK


def shrunk_embeddings(
    rule: Rule, facts: Facts, graph: LayerGraph, rescaled: Container[str]
) -> Iterator[Finding]:
    """Embeddings with a penalty of which no value is left.

    The penalty of a table weighs on all its rows at each step, the loss on those of one batch.

    Args:
        rescaled: layers with a normalization behind them, which undoes their scale.
    """
    found = [each for each in _shares(facts, graph) if each[1] not in rescaled]
    if not found:
        return
    share, route = min(found)
    more = f" The same is true of {len(found) - 1} more." if len(found) > 1 else ""
    yield rule.finding(
        f"No value of the embeddings of `{route}` is larger than {share:.2g} of the spread that their "
        f"initializer gives.{more} Their embeddings_regularizer draws them to 0: unless what follows divides by "
        "their length, all inputs have the same vector.",
        route=route,
        title="A penalty drew embeddings to 0",
        evidence={
            "measured": share,
            "unit": SHRUNK.unit,
            "threshold": SHRUNK.value,
            "layers": [name for _, name in found[:20]],
        },
        key="table",
        severity=Severity.LOW,
        fix="Train again from new weights without embeddings_regularizer, or with a far smaller one, such as "
        "keras.regularizers.L2(1e-6).",
    )


def _shares(facts: Facts, graph: LayerGraph) -> Iterator[tuple[float, str]]:
    """Largest value by initial spread, and route, of each embedding that shrank to nothing."""
    stored = facts.artifact.by_name
    for layer in graph.layers:
        table = stored.get(layer.variables.get("embeddings", ""))
        drawn = layer.config.get("embeddings_initializer")
        penalty = layer.config.get("embeddings_regularizer")
        if table is None or table.stats is None or not isinstance(penalty, dict):
            continue
        if not isinstance(drawn, dict):
            continue
        spreads = [each.spread(table.shape) for each in candidates(drawn, table.shape)]
        started = min(spreads, default=0.0)
        largest = max(-table.stats.minimum, table.stats.maximum)
        if layer.trainable and started and 0 < largest < SHRUNK.value * started < math.inf:
            yield largest / started, layer.route
