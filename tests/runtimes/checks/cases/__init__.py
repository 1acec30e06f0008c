"""A case for each cause by which a runtime does not load a file: the file, the call, the advice."""

from __future__ import annotations

from tests.runtimes.checks.cases import (
    checkpoints,
    compile,
    config,
    graph,
    inbound_nodes,
    lambda_code,
    layer_counts,
    layer_parts,
    learnt_bins,
    meta_graphs,
    numbered_weights,
    predict,
    saved_config,
    saved_keras,
    sequential,
    silent_differences,
    sizes,
    values,
    weights,
)
from tests.runtimes.checks.cases.case import Case

CASES: tuple[Case, ...] = (
    *checkpoints.CASES,
    *compile.CASES,
    *config.CASES,
    *graph.CASES,
    *inbound_nodes.CASES,
    *lambda_code.CASES,
    *layer_counts.CASES,
    *layer_parts.CASES,
    *learnt_bins.CASES,
    *meta_graphs.CASES,
    *numbered_weights.CASES,
    *predict.CASES,
    *saved_config.CASES,
    *saved_keras.CASES,
    *sequential.CASES,
    *silent_differences.CASES,
    *sizes.CASES,
    *values.CASES,
    *weights.CASES,
)
