"""What was found of a model and its export on the same inputs."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from modelaudit.facts import Artifact, Json
from modelaudit.graphs import LiteModel


class PairVerdict(StrEnum):
    """Whether an export is the same model as its source."""

    EQUAL = "equal"
    QUANTISED = "equal within quantization"
    DIFFERENT = "different"
    UNKNOWN = "could not be told"


class PairCause(StrEnum):
    """Why an export differs from its source."""

    VALUES = "values of the inputs"
    TWICE = "normalised twice"
    CHANNELS = "order of the channels"
    ORIENTATION = "orientation"
    ACTIVATION = "activation of the output"
    CLASSES = "order of the classes"
    LABELS = "order of the class names"
    NORMALIZATION = "statistics of batch normalization"
    SATURATED = "calibration: a layer saturates"
    COARSE = "calibration: a layer has too few steps"
    HEAD = "dynamic range of the head"
    WEIGHTS = "other weights"
    FINITE = "NaN or infinite outputs"


class ExportNumbers(StrEnum):
    """The numbers that an export computes with, from the finest."""

    FLOAT = "float"
    FLOAT16 = "float16 weights"
    WEIGHTS16 = "16-bit weights"
    WEIGHTS = "8-bit weights"
    INTEGER16 = "16-bit activations"
    INTEGER = "8-bit activations"

    @property
    def calibrated(self) -> bool:
        """Whether activations have ranges that a representative data set gave."""
        return self in {ExportNumbers.INTEGER, ExportNumbers.INTEGER16}


class PairExplanation(Struct, frozen=True):
    """One cause.

    Attributes:
        kind: what it is.
        detail: the transform, the form of the output, the layer, or the output, by the kind.
        certain: whether it leaves no difference beyond quantization, or is seen in the weights.
        numbers: what was measured.
    """

    kind: PairCause
    detail: str = ""
    certain: bool = True
    numbers: Mapping[str, Json] = field(default_factory=dict)


class PairedOutput(Struct, frozen=True):
    """One output of both models for the same inputs.

    Attributes:
        name: of the source's output.
        n: number of inputs.
        rms, median, largest: difference in units of the spread of the source's output: root mean
            square, median and maximum over inputs of `measures.behaviour.output_forms`'
            `relative_errors`.
        step: of the export's quantised output; None for floats.
        median_steps, largest_steps: difference of single values in steps; None without.
        agreed: inputs with the same top class; None without classes.
        interval: 95 % interval of their share.
        accuracy: of source and export on labels, in [0, 1]; None without labels.
    """

    name: str
    n: int
    rms: float
    median: float
    largest: float
    step: float | None = None
    median_steps: float | None = None
    largest_steps: float | None = None
    agreed: int | None = None
    interval: tuple[float, float] | None = None
    accuracy: tuple[float, float] | None = None


class ExportPair(Struct, frozen=True):
    """The comparison of a model and its export.

    Attributes:
        verdict: whether they are the same model.
        numbers: what the export computes with.
        inputs: user or synthetic; empty if they were not run.
        given: the range of the inputs, as in `measures.value_transforms.value_range`.
        outputs: those that vary in the source; empty if they were not compared.
        causes: why they differ, the surest first.
        mended: the outputs with the inputs, and in the form, that the causes name.
        agrees_to: the last layer of the source whose output the export has; empty if unknown.
        parts_at: the first layer behind it; empty if unknown.
        reason: why it could not be told, or what differs besides `outputs`.
        notes: assumptions about the inputs.
        web: whether the export is a model of TensorFlow.js.
    """

    verdict: PairVerdict
    numbers: ExportNumbers
    inputs: str = ""
    given: str = ""
    outputs: tuple[PairedOutput, ...] = ()
    causes: tuple[PairExplanation, ...] = ()
    mended: tuple[PairedOutput, ...] = ()
    agrees_to: str = ""
    parts_at: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()
    web: bool = False

    @property
    def same(self) -> bool:
        """Whether the export is the same model, as far as its numbers allow."""
        return self.verdict in {PairVerdict.EQUAL, PairVerdict.QUANTISED}


def export_numbers(export: Artifact) -> ExportNumbers:
    """What an export computes with; of TensorFlow.js, how its weights are stored."""
    if export.lite is not None:
        return numbers_of(export.lite)
    held = {getattr(each.source, "held", each.dtype) for each in export.tensors}
    return [ExportNumbers.FLOAT, *(_HELD[each] for each in sorted(held & _HELD.keys()))][-1]


_HELD = {
    "float16": ExportNumbers.FLOAT16,
    "uint16": ExportNumbers.WEIGHTS16,
    "uint8": ExportNumbers.WEIGHTS,
}


def numbers_of(model: LiteModel) -> ExportNumbers:
    """What a TensorFlow Lite model computes with: the coarsest of its activations and weights."""
    found = {ExportNumbers.FLOAT}
    for graph in model.subgraphs:
        made = {index for operator in graph.operators for index in operator.outputs}
        for index, tensor in enumerate(graph.tensors):
            if tensor.dtype == "float16":
                found.add(ExportNumbers.FLOAT16)
            if tensor.quantization is None:
                continue
            if index not in made:
                found.add(ExportNumbers.WEIGHTS if tensor.constant else ExportNumbers.FLOAT)
            elif tensor.dtype in {"int8", "uint8"}:
                found.add(ExportNumbers.INTEGER)
            elif tensor.dtype == "int16":
                found.add(ExportNumbers.INTEGER16)
    return [each for each in ExportNumbers if each in found][-1]
