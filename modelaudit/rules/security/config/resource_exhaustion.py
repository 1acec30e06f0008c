"""MA713, MA714 and MA716: settings in a config that consume excessive resources."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from modelaudit.facts import Json, Layer, Shape
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import LAYER_CLASSES
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.security.config.examples import dense, example, keras_layer
from modelaudit.rules.security.config_walk import ConfigObject, config_tree
from modelaudit.thresholds.security import LARGEST_SIZE, PATTERN_LENGTH, PATTERN_REPEATS

_ITEM_BYTES = 4
_SIZES = (
    *("units", "filters", "input_dim", "output_dim", "num_heads", "key_dim", "value_dim"),
    *("depth_multiplier", "kernel_size", "pool_size", "height", "width", "n", "num_tokens"),
    *("num_bins", "max_tokens", "size", "padding", "target_shape", "batch_shape"),
    *("batch_input_shape", "shape", "output_shape", "dim", "num_oov_indices", "lora_rank"),
)
_SHAPES = ("size", "target_shape", "batch_shape", "batch_input_shape", "shape", "output_shape")
_LENGTHS = ("num_tokens", "num_bins", "n")  # of an axis that the layer makes
_SIDES = ("height", "width")
_ELEMENTS = frozenset((*_SHAPES, *_LENGTHS, *_SIDES))
_GROUPS = re.compile(r"[()\[\]\\]")
_REPEATS = re.compile(r"\\.|\[(?:\\.|[^\]\\])*+\]|([*+]|\{\d*,\})")


def repeats_a_repeat(pattern: str) -> bool:
    """Whether a regular expression repeats a group that itself contains a repeat or a choice.

    Such patterns (`(a+)+`, `(a|aa)*`) can take time exponential in the length of the text in a
    backtracking engine such as Python's.
    """
    open_groups: list[bool] = []
    closed = False  # the group that just ended contains a repeat or a choice
    in_class = False
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            position += 2
            closed = False
            continue
        if in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
        elif character == "(":
            open_groups.append(False)
        elif character == ")":
            closed = open_groups.pop() if open_groups else False
            if closed and open_groups:
                open_groups[-1] = True
            position += 1
            continue
        elif character in "*+{":
            if closed:
                return True
            open_groups = [True] * len(open_groups)
        elif character == "?" and pattern[position - 1 : position] not in {"", "("}:
            open_groups = [True] * len(open_groups)  # (a?){30} can match in 2^30 ways
        elif character == "|" and open_groups:
            open_groups[-1] = True
        closed = False
        position += 1
    return False


def repeats_often(pattern: str) -> bool:
    """Whether more than a few parts repeat without a bound, as in `.*.*.*.*.*.*=`.

    Alternatives are tried one after another, so that each counts by itself.
    """
    each = pattern.split("|") if not _GROUPS.search(pattern) else [pattern]
    most = max(sum(bool(match) for match in _REPEATS.findall(part)) for part in each)
    return most > PATTERN_REPEATS.value


def check_patterns(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Regular expressions that select layers for a dtype."""
    for site in config_tree(facts.artifact).sites:
        config = site.value.get("config")
        if site.class_name != "DTypePolicyMap" or not isinstance(config, dict):
            continue
        patterns = config.get("policy_map")
        for pattern in patterns if isinstance(patterns, dict) else ():
            long = len(pattern) > PATTERN_LENGTH.value
            nested = repeats_a_repeat(pattern[: PATTERN_LENGTH.value])
            often = repeats_often(pattern[: PATTERN_LENGTH.value])
            if not nested and not long and not often:
                continue
            what = "repeats too many parts" if often else f"is {len(pattern):,} characters long"
            what = "contains nested repetition" if nested else what
            yield rule.finding(
                f"The pattern {pattern[:80]!r} for layer dtypes {what}.",
                file=site.file,
                route=f"{site.route}/config/policy_map",
                evidence={"pattern": pattern[:500], "length": len(pattern)},
                key=pattern[:80],
            )


def check_sizes(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Layers that need more memory than the budget for one tensor."""
    budget = facts.settings.limits.tensor_bytes
    seen: set[str] = set()
    architecture = facts.artifact.architecture
    for layer in architecture.layers if architecture else ():
        needed, what = _needed(layer)
        if needed > budget:
            seen.add(layer.name)
            yield rule.finding(
                f"`{layer.route}`: {what} would need {needed:,} bytes.",
                route=f"layers/{layer.route}",
                evidence={"measured": needed, "unit": "bytes", "threshold": budget, "what": what},
                key=layer.class_name,
            )
    for site in config_tree(facts.artifact).sites:
        config = site.value.get("config")
        if not site.class_name or not isinstance(config, dict) or (seen and site.layer in seen):
            continue
        for key in filter(config.__contains__, _SIZES):
            largest = _largest(config[key])
            if key == "num_bins" and config.get("output_mode", "int") == "int":
                continue  # the number of possible indices
            if largest > LARGEST_SIZE.value:
                yield rule.finding(
                    f"`{site.layer}` has a {key} of {largest:,}.",
                    file=site.file,
                    route=f"{site.route}/config/{key}",
                    evidence={
                        "measured": largest,
                        "unit": "as the largest size",
                        "threshold": LARGEST_SIZE.value,
                        "what": key,
                    },
                    key=key,
                    severity=_unless_own(site),
                )
        key, elements = _elements(config)
        if elements * _ITEM_BYTES >= (most := facts.settings.limits.result_bytes):
            yield rule.finding(
                f"`{site.layer}` has a {key} of {elements:,} elements.",
                file=site.file,
                route=f"{site.route}/config/{key}",
                evidence={
                    "measured": elements * _ITEM_BYTES,
                    "unit": "bytes",
                    "threshold": most,
                    "what": key,
                },
                key=key,
                severity=_unless_own(site),
            )


def _unless_own(site: ConfigObject) -> Severity | None:
    """Low for a class of the author's own, whose settings of these names need not be sizes."""
    return None if site.class_name.rpartition(">")[2] in LAYER_CLASSES else Severity.LOW


def _elements(config: Mapping[str, Json]) -> tuple[str, int]:
    """The setting that requests the most elements by itself, and how many."""
    if _ELEMENTS.isdisjoint(config):
        return "", 0
    shapes: dict[str, Json] = {key: config[key] for key in _SHAPES if key in config}
    # The number of bins is that of possible values unless these are counted or encoded.
    lengths = [key for key in _LENGTHS if key != "num_bins" or config.get("output_mode") != "int"]
    shapes |= {key: [config[key]] for key in lengths if key in config}
    if sides := [config[side] for side in _SIDES if side in config]:
        shapes["height"] = sides
    sizes = [
        (math.prod(n for n in value if isinstance(n, int) and n > 0), key)
        for key, value in shapes.items()
        if isinstance(value, list)
    ]
    largest, key = max(sizes, default=(0, ""))
    return key, largest


def _needed(layer: Layer) -> tuple[int, str]:
    """Bytes of the largest variable or output of a layer, and which one it is."""
    sizes = [(_bytes(shape), role) for role, shape in layer.expected.items()]
    if layer.output_shape is not None:
        sizes.append((_bytes(layer.output_shape), "its output for one sample"))
    return max(sizes, default=(0, ""))


def _bytes(shape: Shape) -> int:
    return math.prod(n for n in shape if n is not None) * _ITEM_BYTES


def _largest(value: Json) -> int:
    """The largest integer in a setting, which is a number or a (nested) list of numbers."""
    if isinstance(value, list):
        return max((_largest(item) for item in value), default=0)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def check_jit(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Compile settings that enable XLA."""
    for site in config_tree(facts.artifact).sites:
        if site.value.get("jit_compile") is True:
            yield rule.finding(
                "The compile settings enable XLA compilation.",
                file=site.file,
                route=f"{site.route}/jit_compile",
                evidence={"jit_compile": True},
                key="jit_compile",
            )


def _policy_map(pattern: str) -> dict[str, Json]:
    return {
        "module": "keras.dtype_policies",
        "class_name": "DTypePolicyMap",
        "config": {"default_policy": "float32", "policy_map": {pattern: "float32"}},
    }


RULES = (
    Rule(
        code="MA713",
        name="regular-expression-bomb",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.MEDIUM,
        needs=(Need.CONFIG,),
        summary="Matching a pattern in the config can take practically forever",
        pass_title="No pattern in the config takes excessive time to match",
        why="A DTypePolicyMap selects each layer's dtype with regular expressions from the file. A "
        "pattern with nested repetition keeps the loader busy for hours on a name of thirty "
        "letters.",
        fix="Do not load it. Legitimate maps name layers (`encoder/dense`) or prefixes "
        "(`encoder/.*`).",
        check=check_patterns,
        bad=example(keras_layer("Dense", dtype=_policy_map("(a+)+$"))),
        good=example(keras_layer("Dense", dtype=_policy_map("encoder/.*"))),
        references=("https://github.com/keras-team/keras/pull/23102",),
    ),
    Rule(
        code="MA714",
        name="oversized-layer",
        family=Family.SECURITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.CONFIG,),
        summary="A layer requests more memory than a legitimate model needs",
        pass_title="No layer requests an excessive amount of memory",
        why="When the layer is built, the loader allocates its weights before it checks what the "
        "file contains. The process is killed, possibly with others on the same machine.",
        fix="Do not load it. If the model is legitimate and this large, raise `tensor_bytes` in "
        "the settings.",
        check=check_sizes,
        bad=example(keras_layer("Dense", units=10**12)),
        good=dense,
    ),
    Rule(
        code="MA716",
        name="jit-compile-in-file",
        family=Family.SECURITY,
        severity=Severity.INFO,
        confidence=Confidence.CERTAIN,
        needs=(Need.CONFIG,),
        summary="The saved compile settings enable XLA compilation",
        pass_title="The saved compile settings do not enable XLA compilation",
        why="Loading with `compile=True` then uses other kernels than loading with "
        "`compile=False`. Outputs differ in the last digits, or by more if the model was crafted "
        "for this.",
        fix="Load with `compile=False`, or call `model.compile(..., jit_compile=False)` yourself, "
        "and audit what you deploy.",
        check=check_jit,
        bad=example(keras_layer("Dense", units=2), compiled={"jit_compile": True}),
        good=example(keras_layer("Dense", units=2), compiled={"jit_compile": False}),
    ),
)
