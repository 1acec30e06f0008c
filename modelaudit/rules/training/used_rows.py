"""Embeddings of which training used a single row."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.findings import Finding, Severity
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.measures.optimizer_state import WeightMoments
from modelaudit.rules.initial_weights.training_reach import forgets_gradients, forgets_squares
from modelaudit.rules.model import Facts, NotApplicable, Rule
from modelaudit.rules.training.steps import compiled_state
from modelaudit.thresholds.training import FEW_STEPS


def one_row_used(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Embeddings that take all inputs, if each got gradients in one and the same row only.

    The gradient of a row that was not looked up is exactly 0, and so is the average of its squares.
    One embedding among others may be of a column that is constant, such as the segments of BERT.
    """
    try:
        state = compiled_state(facts)
    except NotApplicable:
        return
    architecture = facts.artifact.architecture
    if architecture is None or not state.steps or state.steps < FEW_STEPS.value:
        return
    graph = layer_graph(architecture)
    tables = {each.route: each for each in state.moments if each.role == "embeddings"}
    inputs = {layer.route for layer in graph.layers if not any(graph.calls[layer.route])}
    if not tables or not all(_one_row(each) for each in tables.values()):
        return
    if graph.above(graph.outputs, around=tables.keys()) & inputs:
        return  # what comes round the tables may have differed
    route, table = next(iter(tables.items()))
    # Averages that forget tell of the last steps only, as of rows that are sorted by their token.
    lately = forgets_gradients(state) if table.second is None else forgets_squares(state)
    averages = "gradients" if table.second is None else "squared gradients"
    yield rule.finding(
        f"{'At the end of training' if lately else 'In training'}, a single one of the "
        f"{table.shape[0]:,} rows of `{route}` was used: the average of the {averages} of all others is "
        f"exactly 0 after {state.steps:,} steps. "
        + (
            "Every token was the same then; earlier ones do not show any more."
            if lately
            else "Every token of every input was the same."
        ),
        route=route,
        evidence={"measured": 1, "unit": "rows used", "n": table.shape[0]},
        severity=Severity.LOW if lately else Severity.HIGH,
        fix=f"Look at the numbers that `{route}` was given, then train again. A vocabulary that was "
        "not adapted, tokens cast from fractions such as 0.3, and padding that is longer than the "
        "text give the same number everywhere:\n\n"
        "    print(tokens.dtype, tokens.min(), tokens.max(), len(np.unique(tokens)))",
    )


def _one_row(table: WeightMoments) -> bool:
    """Whether all but one row never got a gradient; two rows may be all that there are."""
    if len(table.shape) != 2 or table.shape[0] < 3:
        return False
    if not (table.first if table.second is None else table.second):
        return False
    rows, width = table.shape
    zeros = table.still if table.second is None else table.zeros
    return 0 <= zeros - (rows - 1) * width < width
