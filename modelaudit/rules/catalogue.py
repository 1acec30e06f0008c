"""The catalogue: all rules in the order of their codes. To add a rule, add it to its family's
`RULES`. To add a family, add it here."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from modelaudit.rules import security
from modelaudit.rules.architecture import (
    axis_order,
    batch_statistics,
    bottlenecks,
    constant_layers,
    dead_ends,
    erasing_dropout,
    first_rows,
    layer_settings,
    network_design,
    one_position,
    sequences,
    signal_flow,
    starting_values,
    training_mode,
    unadapted_norms,
    windows,
)
from modelaudit.rules.behaviour import causes, nondeterminism, outputs, probe_labels, probes
from modelaudit.rules.compatibility import (
    browsers,
    lite,
    loading,
    mlflow,
    presets,
    registry,
    repaired,
    runtimes,
    serving,
    targets,
    uncompiled,
    versions,
)
from modelaudit.rules.heads import behind_heads, class_counts, last_layers, one_sided_heads
from modelaudit.rules.integrity import (
    completeness,
    consistency,
    files,
    golden,
    missing_parts,
    non_finite,
    restored,
    weight_owners,
)
from modelaudit.rules.model import Rule
from modelaudit.rules.training import (
    alike_inputs,
    extent,
    gradients,
    half_averages,
    metric_mismatches,
    results,
    settings,
    shrunk_kernels,
    steps,
    trainability,
)
from modelaudit.rules.weights import huge_statistics, norm_values, stored_values, symmetry, trained
from modelaudit.rules.wiring import (
    categories,
    cut_values,
    directions,
    discriminators,
    exchanged_states,
    extra_axes,
    indices,
    inference_calls,
    lookahead,
    lost_masks,
    merges,
    order,
    preprocessing,
    signed_differences,
    steps_of_units,
    towers,
)

LIKE = 0.8  # share of the characters that two names have in common

CATALOGUE: tuple[Rule, ...] = tuple(
    sorted(
        (
            *files.RULES,
            *categories.RULES,
            *towers.RULES,
            *order.RULES,
            *merges.RULES,
            *cut_values.RULES,
            *exchanged_states.RULES,
            *signed_differences.RULES,
            *extra_axes.RULES,
            *directions.RULES,
            *indices.RULES,
            *steps_of_units.RULES,
            *lookahead.RULES,
            *discriminators.RULES,
            *preprocessing.RULES,
            *inference_calls.RULES,
            *completeness.RULES,
            *non_finite.RULES,
            *weight_owners.RULES,
            *loading.RULES,
            *uncompiled.RULES,
            *lite.RULES,
            *presets.RULES,
            *browsers.RULES,
            *versions.RULES,
            *targets.RULES,
            *serving.RULES,
            *repaired.RULES,
            *runtimes.RULES,
            *windows.RULES,
            *one_position.RULES,
            *last_layers.RULES,
            *behind_heads.RULES,
            *one_sided_heads.RULES,
            *constant_layers.RULES,
            *dead_ends.RULES,
            *first_rows.RULES,
            *axis_order.RULES,
            *batch_statistics.RULES,
            *training_mode.RULES,
            *network_design.RULES,
            *erasing_dropout.RULES,
            *bottlenecks.RULES,
            *class_counts.RULES,
            *layer_settings.RULES,
            *unadapted_norms.RULES,
            *signal_flow.RULES,
            *starting_values.RULES,
            *sequences.RULES,
            *lost_masks.RULES,
            *trainability.RULES,
            *settings.RULES,
            *metric_mismatches.RULES,
            *trained.RULES,
            *stored_values.RULES,
            *norm_values.RULES,
            *huge_statistics.RULES,
            *restored.RULES,
            *consistency.RULES,
            *missing_parts.RULES,
            *steps.RULES,
            *extent.RULES,
            *gradients.RULES,
            *half_averages.RULES,
            *alike_inputs.RULES,
            *results.RULES,
            *shrunk_kernels.RULES,
            *golden.RULES,
            *symmetry.RULES,
            *probes.RULES,
            *nondeterminism.RULES,
            *causes.RULES,
            *outputs.RULES,
            *probe_labels.RULES,
            *security.RULES,
            *registry.RULES,
            *mlflow.RULES,
        ),
        key=lambda rule: rule.code,
    )
)


_added: list[Rule] = []  # by plug-ins
_sources: list[str] = []


def add(rules: Iterable[Rule], source: str) -> None:
    """Add the rules of a plug-in; `source` identifies its code."""
    _added.extend(rules)
    _sources.append(source)


def all_rules() -> tuple[Rule, ...]:
    """The catalogue, then the rules of the plug-ins that were loaded."""
    return (*CATALOGUE, *_added)


def plugin_sources() -> tuple[str, ...]:
    """What identifies the code of the added rules."""
    return tuple(_sources)


def rule(code: str) -> Rule:
    """The rule with this code or name.

    Raises:
        KeyError: there is no such rule.
    """
    for each in all_rules():
        if code in (each.code, each.name):
            return each
    raise KeyError(code)


def unknown(word: str) -> str:
    """The error message for a word that is neither code nor name of a rule, with a suggestion.

    A rule is suggested if its code differs only in case or if its name is similar. Codes are all
    similar to each other, so similar codes are not suggested.
    """
    for each in all_rules():
        if each.code == word.upper():
            return f"unknown rule {word!r}; did you mean {each.code} ({each.name})?"
    names = get_close_matches(word.lower(), [each.name for each in all_rules()], n=1, cutoff=LIKE)
    if names:
        return f"unknown rule {word!r}; did you mean {names[0]} ({rule(names[0]).code})?"
    return f"unknown rule {word!r}; `modelaudit rules` lists all rules"
