"""MA406, MA419 and MA420: stored values that training does not produce."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from modelaudit.audit_types.values import number
from modelaudit.facts import Format, Tensor, TensorStats
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.kernels.batchnorm import variable_names
from modelaudit.measures.kernels.initializers import CONSTANT_INITIALIZERS, fans, one_value
from modelaudit.measures.kernels.other_weights import frozen_variables
from modelaudit.measures.statistics import distance_from_others
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.rules.network.sequence_steps import one_step
from modelaudit.rules.network.sole_paths import biases_of, carries_alone
from modelaudit.rules.training.advice import FREEZE
from modelaudit.rules.training.results import exploded_beside
from modelaudit.rules.weights.chosen_values import for_masks, wide_variances
from modelaudit.rules.weights.weight_settings import (
    initializer_of,
    is_penalized,
    is_sparse,
    setting_of,
)
from modelaudit.thresholds.training import SHRUNK
from modelaudit.thresholds.weights import (
    BEYOND_USE,
    LONE,
    MIN_VALUES,
    OTHER_ZEROS,
    OUTLIER,
    WILD_OUTLIER,
    ZERO_BLOCK,
    ZERO_ROWS,
)

KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel", "recurrent_kernel", "embeddings")
_UNNAMED = " The file does not name its initializer; one that gives zeros looks the same."
_BY_HAND = " A filter set by hand, such as an average or a sum, looks the same."
_AS_SET = (
    " An initializer of one value leaves that, but the layer's bias was trained, and this was not."
)
SILENCED = (
    " The rest of the layer is 0 as well, as where a block was pruned or is not used on purpose."
)
_PARTS = " Rows that were pruned, padded or added later look the same."


def _kernels(facts: Facts) -> Iterator[tuple[str, str, Tensor]]:
    """Route, role and tensor of the weights that layers apply; in a graph, the name is the role."""
    artifact = facts.artifact
    tensors = artifact.by_name
    seen: set[str] = set()
    for layer in artifact.architecture.layers if artifact.architecture else ():
        for path, name in layer.variables.items():  # of attention and both directions, in parts
            part, _, role = path.rpartition("/")
            if role in KERNELS and name in tensors and not (part and layer.custom):
                seen.add(name)
                yield f"{layer.route}/{part}".rstrip("/"), role, tensors[name]
    for kernel in artifact.kernels:
        if kernel.tensor in tensors and kernel.tensor not in seen:
            seen.add(kernel.tensor)
            said = kernel.route.rpartition("/")[2]
            role = said if said in KERNELS else kernel.tensor.rpartition("/")[2]
            yield kernel.route, role, tensors[kernel.tensor]
    for name, said in variable_names(artifact).items() if not artifact.architecture else ():
        route, _, role = said.removesuffix(":0").rpartition("/")
        tensor = None if name in seen else tensors.get(name)
        if role in KERNELS and tensor is not None and tensor.role == "weight":
            yield route, role, tensor


def _constant(rule: Rule, facts: Facts) -> Iterator[Finding]:
    kernels = [*_kernels(facts)]
    architecture, biases = facts.artifact.architecture, biases_of(facts.artifact)
    if not (kernels or architecture):
        raise NotApplicable("no architecture, graph or name says which tensors are kernels")
    frozen = frozen_variables(facts.artifact)
    measured = facts.measurements.constant if facts.measurements else ()
    decisive = {each.route for each in measured if each.outputs}  # the output is constant as well
    for route, role, tensor in kernels:
        stats = tensor.stats
        # Models of one segment keep a table with one row for the segments: it may be 0.
        single = role == "embeddings" and tensor.shape[:1] == (1,)
        if not (stats and stats.constant and tensor.size > 1) or single:
            continue
        earlier = role == "recurrent_kernel"  # the inputs go through another kernel
        if not (earlier and one_step(facts.artifact, tensor.name)):
            named = route if route.rpartition("/")[2] == role else f"{route}/{role}"
            drawn = initializer_of(facts, route, role) in CONSTANT_INITIALIZERS
            penalized = not stats.minimum and is_penalized(facts, route)
            bias = biases.get(route.removesuffix("/recurrent_kernel"), biases.get(route))
            learnt = earlier and bias is not None and not bias.constant
            by_hand = bool(stats.minimum) and not (drawn or (learnt and tensor.name not in frozen))
            silent = not stats.minimum and bias is not None and bias.constant and not bias.minimum
            alone = silent and not earlier and (route in decisive or carries_alone(facts, route))
            severity = Severity.MEDIUM if penalized or (silent and not alone) else rule.severity
            effect = (
                f"its result does not depend on {'earlier steps' if earlier else 'its input'}"
                if not stats.minimum
                else "all tokens have the same vector"
                if role == "embeddings"
                else "its results are all the same multiple of a sum of its inputs"
            )
            yield rule.finding(
                f"Every value of `{named}` is {stats.minimum:g}: {effect}."
                + (_of_initializer(facts, route, role, stats.minimum) if drawn else "")
                + (
                    " The layer has a regularizer or constraint, which can do this."
                    if penalized
                    else ""
                )
                + (_UNNAMED if architecture is None and not stats.minimum else "")
                + (_BY_HAND if by_hand else (_AS_SET if stats.minimum and not drawn else ""))
                + (SILENCED if silent and not (drawn or alone) else "")
                + (" No output gets the inputs but through it." if alone else ""),
                file=tensor.file,
                route=named,
                evidence={"measured": stats.minimum, "unit": "as every value", "n": tensor.size},
                severity=Severity.LOW if drawn or by_hand else severity,
                fix=_constant_fix(facts, route, role, stats, drawn=drawn, alone=alone),
            )


def _of_initializer(facts: Facts, route: str, role: str, value: float) -> str:
    """Whether a kernel of one value, whose initializer gives one too, has still that of it."""
    name = initializer_of(facts, route, role)
    given = setting_of(facts, route, role)
    config = given.get("config") if isinstance(given, Mapping) else None
    said = config.get("value") if isinstance(config, Mapping) else None
    alike = one_value(given) if isinstance(given, Mapping) else None
    first = {"z": 0.0, "o": 1.0}.get(name[0], number(said) if alike is None else alike)
    if first is not None and not math.isclose(first, value, rel_tol=1e-6, abs_tol=1e-30):
        return (
            f" Its initializer gave {first:g} to all of them, and training has moved them all alike, since "
            "units that begin with the same weights get the same gradients."
        )
    return " Its initializer also gives one value: it was not trained."


def _constant_fix(
    facts: Facts, route: str, role: str, stats: TensorStats, *, drawn: bool, alone: bool
) -> str:
    """What to do about a kernel of one value; empty where the rule says it.

    Args:
        drawn: whether its initializer gives that value.
        alone: whether no output gets the inputs around the layer, whose bias is 0 as well.
    """
    if drawn:
        return f"Use a random {role}_initializer, such as the default, and train again."
    bias = biases_of(facts.artifact).get(route)
    if stats.minimum:
        return ""
    if alone and facts.artifact.architecture is None:
        frozen = facts.artifact.format is Format.FROZEN_GRAPH
        before = FREEZE if frozen else "Train the model, or load its weights, before it is saved."
        return f"{before} If that was done, compare the file with an intact copy."
    if facts.artifact.architecture is None:
        return (
            "If training started there, build the model with random initializers, such as the "
            "defaults, and train again. Otherwise, compare the file with an intact copy."
        )
    if bias is None or bias.constant:
        return ""
    return (
        "The bias was trained, so training may have learned only how frequent each answer is. Then "
        "scale the inputs, use a lower learning rate or less regularization, and train again. "
        "Otherwise, compare the file with an intact copy."
    )


def _matrices(facts: Facts) -> Iterator[tuple[Tensor, TensorStats]]:
    """Matrices and kernels of numbers with a fraction that are used for prediction."""
    for tensor in facts.artifact.tensors:
        stats = tensor.stats
        floats = "float" in tensor.dtype and tensor.role == "weight"
        if floats and stats and len(tensor.shape) > 1 and tensor.size >= MIN_VALUES.value:
            yield tensor, stats


def _zero_block(rule: Rule, facts: Facts) -> Iterator[Finding]:
    kernels = {tensor.name: (route, role) for route, role, tensor in _kernels(facts)}
    for tensor, stats in _matrices(facts):
        run, start = stats.zero_run, stats.zero_run_at
        others = stats.zeros - run
        many = others > OTHER_ZEROS.value * (tensor.size - run)
        if stats.constant or run < ZERO_BLOCK.value or many:
            continue
        row = tensor.shape[-1]
        rows = start % row == 0 and run % row == 0
        route, role = kernels.get(tensor.name, ("", tensor.name.rpartition("/")[2]))
        table = role == "embeddings" or "embedding" in tensor.name.lower()
        zeros = initializer_of(facts, route, role) in CONSTANT_INITIALIZERS
        sure = role in KERNELS and not (zeros or is_penalized(facts, route))
        if rows and (table or run < max(2 * row, ZERO_ROWS.value * tensor.size)):
            continue
        whole = f", which are {run // row} whole rows" if rows else ""
        whole += (
            ": of inputs that are always 0, or not used, if they started at 0"
            if rows and not sure
            else ""
        )
        yield rule.finding(
            f"`{tensor.name}`: {run:,} consecutive values are 0, from value {start:,} of "
            f"{tensor.size:,} on{whole}; {others or 'none'} of the others "
            f"{'is' if others < 2 else 'are'} 0." + (_PARTS if rows and sure else ""),
            file=tensor.file,
            route=tensor.name,
            evidence={
                "measured": run,
                "unit": "consecutive zeros",
                "threshold": ZERO_BLOCK.value,
                "n": tensor.size,
                "start": start,
                "rows": rows,
            },
            severity=rule.severity if not rows else Severity.MEDIUM if sure else Severity.LOW,
        )


def _outlier(rule: Rule, facts: Facts) -> Iterator[Finding]:
    matrices = {tensor.name for tensor, _ in _matrices(facts)}
    # An L1 penalty leaves a few large weights among values near 0.
    kernels = {tensor.name: route for route, _, tensor in _kernels(facts)}
    sparse = {name for name, route in kernels.items() if is_sparse(facts, route)}
    squares = {*wide_variances(facts)}
    for tensor in facts.artifact.tensors:
        stats = tensor.stats
        if tensor.role != "weight" or stats is None or "float" not in tensor.dtype:
            continue
        value = max(stats.minimum, stats.maximum, key=abs)
        if stats.constant or not math.isfinite(value) or for_masks(tensor, value, kernels):
            continue
        least = SHRUNK.value * math.sqrt(2 / max(1.0, sum(fans(tensor.shape))))
        if abs(value) < least:
            continue  # nothing beside what initializers draw: training left it (MA436)
        matrix = tensor.name in matrices and 2 * stats.zeros < tensor.size
        distance = distance_from_others(stats, tensor.size, value) if matrix else 0.0
        beyond = abs(value) >= BEYOND_USE.value and tensor.name not in squares
        alone = tensor.name not in sparse and abs(value) >= LONE.value * stats.second
        if not (beyond or distance >= (OUTLIER if alone else WILD_OUTLIER).value):
            continue
        if exploded_beside(facts, tensor.name):
            continue  # training drove it there, with the others (MA435)
        far = f", {distance:.3g} standard deviations from the others" if distance else ""
        # Each weight of a single unit belongs to an input of its own, which can be of any scale. And
        # decay shrinks all but the weights on the one path that is alive (MA436).
        decayed = 0 < stats.second < least
        trained = not beyond and (not alone or tensor.shape[-1] == 1 or decayed)
        yield rule.finding(
            f"`{tensor.name}` contains the value {value:.4g}{far}"
            + ("." if not trained else f", the next is {stats.second:.4g}: training can do this."),
            file=tensor.file,
            route=tensor.name,
            evidence={
                "measured": distance if math.isfinite(distance) else None,
                "unit": OUTLIER.unit,
                "threshold": OUTLIER.value,
                "n": tensor.size,
                "value": value,
            },
            severity=Severity.LOW
            if trained
            else rule.severity
            if beyond or distance >= WILD_OUTLIER.value
            else Severity.MEDIUM,
        )


def _dense(stats: TensorStats, shape: tuple[int, ...] = (64, 8)) -> Facts:
    tensors = (examples.tensor("dense/kernel", shape, stats), examples.tensor("dense/bias", (2,)))
    return Facts(examples.model(examples.layer(), tensors=tensors))


RULES = (
    Rule(
        code="MA406",
        name="constant-kernel",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.TENSORS,),
        summary="All values of a kernel are equal",
        pass_title="No kernel is constant",
        why="A failed write or an edit makes a kernel constant. Training does so only where a strong "
        "regularizer or constraint drives all weights to 0. Some initializers start so.",
        fix="Compare the file with an intact copy, and restore it if they differ.",
        check=_constant,
        bad=lambda: _dense(TensorStats(0.0, 0.0, 0.0, 0.0, 8, 0), (4, 2)),
        good=examples.healthy,
    ),
    Rule(
        code="MA419",
        name="block-of-zeros",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.TENSORS,),
        summary="A weight has one block of zeros",
        pass_title="No weight has a block of zeros among other values",
        why="A copy that failed in the middle leaves zeros where it wrote nothing. HDF5 stores no "
        "checksum by default, so the file loads without an error. Pruning leaves zeros everywhere, "
        "or in single rows and channels.",
        fix="Copy the file again from its source and compare the digests. If these rows are zero on "
        "purpose, waive this finding.",
        check=_zero_block,
        bad=lambda: _dense(TensorStats(-1.0, 1.0, 0.0, 0.5, 101, 0, 101, 77)),
        good=lambda: _dense(TensorStats(-1.0, 1.0, 0.0, 0.5, 202, 0, 101, 77)),
    ),
    Rule(
        code="MA420",
        name="outlier-weight",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.TENSORS,),
        summary="One value of a weight is far outside the range of the others",
        pass_title="No value of a weight is far outside the range of the others",
        why="One flipped bit in the exponent of a number does this; training hardly does. The file loads "
        "without an error, and outputs can look plausible: a ReLU or a pooling may hide the value.",
        fix="Compare the file with an intact copy.",
        check=_outlier,
        bad=lambda: _dense(TensorStats(-1.0, 1e38, 1e38 / 512, 1e38 / 512**0.5, 0, 0)),
        good=lambda: _dense(TensorStats(-3.0, 3.5, 0.0, 0.5, 0, 0)),
    ),
)
