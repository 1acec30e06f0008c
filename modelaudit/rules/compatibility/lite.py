"""MA126, MA228 and MA229: numbers, operators and runtimes of TensorFlow Lite models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from modelaudit.facts import Artifact, Format
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.graphs import (
    INTEGERS,
    LiteModel,
    LiteOperator,
    LiteSubgraph,
    LiteTensor,
    Quantization,
)
from modelaudit.rules.examples import ROOT
from modelaudit.rules.grammar import counted, quoted
from modelaudit.rules.grouped import LISTED
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.runtimes.profile import numbers
from modelaudit.thresholds.weights import QUANTIZED_RANGE

_EDGE_TPU = "edgetpu-custom-op"  # what edgetpu_compiler writes
# Custom operators of the interpreter, and of the delegate (XNNPACK) that it uses by default.
_SUPPLIED = frozenset(
    {
        *("AudioSpectrogram", "Mfcc", "NumericVerify", "TFLite_Detection_PostProcess"),
        *("Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D"),
    }
)
_UNKNOWN = "BUILTIN_"  # before the number of an operator that the schema does not have


def _lite(facts: Facts) -> LiteModel:
    if facts.artifact.lite is None:
        raise NotRelevant(
            "only TensorFlow Lite models have quantised operators and versions of them"
        )
    return facts.artifact.lite


def _quantization(rule: Rule, facts: Facts) -> Iterator[Finding]:
    found: dict[str, list[str]] = {}
    kept = facts.artifact.extra.get("erased")
    erased = kept if isinstance(kept, list) else []
    for tensor, given in _lite(facts).quantized():
        if wrong := _wrong(tensor, given, erased=tensor.constant in erased):
            found.setdefault(wrong, []).append(tensor.name)
    for wrong, names in found.items():
        absurd = wrong == _ABSURD
        less = {_ABSURD: Severity.MEDIUM, _OF_ZEROS: Severity.LOW}
        yield rule.finding(
            f"{counted(len(names), 'tensor has', 'tensors have')} {wrong}: {_listed(quoted(names))}.",
            route=names[0],
            evidence={"measured": len(names), "unit": "tensors", "tensors": [*names[:LISTED]]},
            key=wrong,
            severity=less.get(wrong, rule.severity),
            confidence=Confidence.HIGH if absurd else rule.confidence,
        )


_ABSURD = f"a scale with which one step of the output is beyond {QUANTIZED_RANGE.value:g}"
# Converters up to TensorFlow 2.2 write it for a channel whose weights all are 0.
_OF_ZEROS = "a scale of 0 for channels with nothing but zeros"
_ERASED = "a scale of 0, so that values that were stored are 0"


def _wrong(tensor: LiteTensor, given: Quantization, *, erased: bool) -> str:
    """What is wrong with a tensor's quantization, after "has"; "" if nothing is."""
    if not all(map(math.isfinite, given.scale)):
        return "a scale that is not a finite number"
    if min(given.scale) < 0:
        return "a negative scale"
    if tensor.dtype in INTEGERS:
        if not min(given.scale):
            part = max(given.scale) > 0 and bool(tensor.constant) and not erased
            return _OF_ZEROS if part else _ERASED
        low, high = INTEGERS[tensor.dtype]
        if any(not low <= zero <= high for zero in given.zero_point):
            return f"a zero point that its type, {tensor.dtype}, cannot store"
        if max(given.scale) > QUANTIZED_RANGE.value:
            return _ABSURD
    return ""


def lacked_operators(lite: LiteModel) -> tuple[list[str], list[str]]:
    """Operators that the interpreter lacks, and operations of TensorFlow, each once."""
    flex: dict[str, None] = {}
    custom: dict[str, None] = {}
    for _, operator in lite.operators():
        if operator.flex:
            flex[operator.flex] = None
        elif operator.name.startswith(_UNKNOWN) or (
            operator.custom and operator.name not in _SUPPLIED
        ):
            custom[operator.name] = None
    return [*custom], [*flex]


def _operators(rule: Rule, facts: Facts) -> Iterator[Finding]:
    custom, flex = lacked_operators(_lite(facts))
    if _EDGE_TPU in custom:
        custom.remove(_EDGE_TPU)
        yield rule.finding(
            f"The model was compiled for an Edge TPU: {_EDGE_TPU} runs there only.",
            evidence={"measured": 1, "unit": "operators", "operators": [_EDGE_TPU]},
            key="edge-tpu",
            severity=Severity.INFO,
            fix="Load it with the delegate, "
            'tf.lite.experimental.load_delegate("libedgetpu.so.1"), or use the model that it was '
            "compiled from.",
        )
    if custom:
        yield rule.finding(
            f"The interpreter has no operator {_listed(custom)}: an application must supply "
            "the code.",
            evidence={"measured": len(custom), "unit": "operators", "operators": [*custom]},
            key="custom",
        )
    if flex:
        yield rule.finding(
            f"The model needs TensorFlow itself for {_listed(flex)}: the interpreter must be "
            "built with the Flex delegate, which LiteRT's packages are not.",
            evidence={"measured": len(flex), "unit": "operators", "operators": [*flex]},
            key="flex",
            severity=Severity.LOW,
            fix="Convert the model without `SELECT_TF_OPS`, or link the Flex delegate.",
        )


def _runtime(rule: Rule, facts: Facts) -> Iterator[Finding]:
    lite = _lite(facts)
    if not lite.declared_runtime or not lite.needed_runtime:
        raise NotRelevant("the file does not say which runtime it needs")
    if numbers(lite.declared_runtime) < numbers(lite.needed_runtime):
        yield rule.finding(
            f"The file states runtime {lite.declared_runtime} or later, but its operators need "
            f"{lite.needed_runtime}.",
            evidence={"measured": lite.declared_runtime, "expected": lite.needed_runtime},
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:LISTED]) + (" …" if len(names) > LISTED else "")


def _example(
    quantization: Quantization | None = None,
    operator: LiteOperator | None = None,
    runtime: str = "2.3.0",
) -> Facts:
    """A model of one operator on one tensor."""
    tensor = LiteTensor("scores", "int8", (1, 4), quantization=quantization)
    graph = LiteSubgraph("main", (tensor,), (operator or LiteOperator("RELU"),), (0,), (0,))
    lite = LiteModel(subgraphs=(graph,), declared_runtime=runtime, needed_runtime="2.3.0")
    return Facts(Artifact(ROOT.with_suffix(".tflite"), Format.TFLITE, lite=lite))


def _good() -> Facts:
    return _example(Quantization((0.5,), (-128,)))


RULES = (
    Rule(
        code="MA126",
        name="invalid-quantization",
        family=Family.INTEGRITY,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The scale or zero point of quantised values makes no sense",
        pass_title="All scales are positive, and all zero points are within their type",
        why="A quantised value stands for scale × (stored number − zero point). With these "
        "parameters the values that were saved cannot be told, and the model computes something "
        "else than its source, or divides by zero.",
        fix="Convert the model again from its source, with representative data.",
        check=_quantization,
        bad=lambda: _example(Quantization((0.5,), (200,))),
        good=_good,
        references=("https://ai.google.dev/edge/litert/models/quantization_spec",),
    ),
    Rule(
        code="MA228",
        name="operators-not-in-runtime",
        family=Family.COMPATIBILITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="The model needs operators that the interpreter does not have",
        pass_title="The interpreter has every operator of the model",
        why="A model with custom operators loads only in applications that bring their code, and "
        "what they compute is not in the file, so it was not audited.",
        fix="Convert the model with builtin operators only, or distribute the operators' code "
        "with it and audit that too.",
        check=_operators,
        bad=lambda: _example(operator=LiteOperator("MyOperator", custom=True)),
        good=_good,
        references=("https://ai.google.dev/edge/litert/models/ops_custom",),
    ),
    Rule(
        code="MA229",
        name="understated-runtime",
        family=Family.COMPATIBILITY,
        severity=Severity.INFO,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The file states a lower runtime than its operators need",
        pass_title="The stated runtime has all operators in their versions",
        why="Applications that check `min_runtime_version` accept a model that their runtime "
        "cannot load. Converters state it before they quantise the model.",
        fix="Rely on the version that this report names.",
        check=_runtime,
        bad=lambda: _example(runtime="1.14.0"),
        good=_good,
    ),
)
