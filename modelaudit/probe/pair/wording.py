"""The comparison of a model and its export as sentences, and as code that mends the export."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from modelaudit.measures.behaviour.output_forms import NAMES
from modelaudit.measures.input_corrections import numpy_of, words_of
from modelaudit.probe.pair.model import (
    ExportPair,
    PairCause,
    PairedOutput,
    PairExplanation,
    PairVerdict,
)

RANGES = {
    "0-1": "0…1",
    "0-255": "0…255",
    "-1-1": "-1…1",
    "imagenet": "inputs normalised with ImageNet's mean and standard deviation",
    "imagenet-grey": "inputs normalised with the averages of ImageNet's statistics",
    "caffe": "0…255 in the order blue, green, red, less ImageNet's mean",
    "each": "inputs that are standardised one by one",
}
_ENDS = {"0-1": "1.0", "0-255": "255.0", "-1-1": "0.0"}
_EXP = "np.exp(scores - scores.max(-1, keepdims=True))"
_ACTIVATIONS = {
    "softmax twice": (
        "scores = np.log(scores)",
        "scores += (1 - scores.sum(-1, keepdims=True)) / scores.shape[-1]",
    ),
    "softmax added": ("scores = np.log(scores)  # up to a constant",),
    "softmax missing": (f"scores = {_EXP}", "scores /= scores.sum(-1, keepdims=True)"),
    "sigmoid twice": ("scores = np.log(scores / (1 - scores))",),
    "sigmoid added": ("scores = np.log(scores / (1 - scores))",),
    "sigmoid missing": ("scores = 1 / (1 + np.exp(-scores))",),
}
_AGAIN = (
    "converter = tf.lite.TFLiteConverter.from_keras_model(keras.models.load_model(SOURCE))",
    "open(EXPORT, 'wb').write(converter.convert())",
)
_AGAIN_WEB = (
    "model = keras.models.load_model(SOURCE)",
    "tensorflowjs.converters.save_keras_model(model, FOLDER_OF_EXPORT)",
)
_CALIBRATE = (
    "# images: a few hundred, as the source takes them",
    "converter.representative_dataset = lambda: ([image[None]] for image in images)",
)
_FINER = (
    "converter.target_spec.supported_ops = [",
    "    tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",
    "]",
)


def verdict_text(pair: ExportPair) -> str:
    """The verdict in a sentence: `the export is another model`."""
    match pair.verdict:
        case PairVerdict.EQUAL | PairVerdict.QUANTISED if not pair.inputs:
            return "the weights of the export are those of the source; it was not run"
        case PairVerdict.EQUAL:
            return "the export is the same model: its outputs are equal up to rounding"
        case PairVerdict.QUANTISED:
            return f"the export is the same model, as far as {pair.numbers} allow"
        case PairVerdict.DIFFERENT:
            return "the export is a different model"
        case PairVerdict.UNKNOWN:
            return f"whether the export is the same model could not be told: {pair.reason}"


def sentences(pair: ExportPair) -> Iterator[str]:
    """The causes, and how the outputs differ."""
    for cause in pair.causes:
        yield f"{'cause' if cause.certain else 'perhaps'}: {cause_text(cause, pair.given)}"
    if pair.verdict is PairVerdict.DIFFERENT and (pair.reason or not pair.causes):
        yield pair.reason or "the cause could not be told"
    for output in pair.outputs:
        yield _output(output, pair.inputs)
    for output in pair.mended:
        yield f"with the cause undone, {_output(output, pair.inputs)}"
    if pair.agrees_to and pair.parts_at:
        yield f"both agree up to {pair.agrees_to}, and part at {pair.parts_at}"
    elif pair.parts_at:
        yield f"both part at {pair.parts_at}, the first layer"
    if pair.outputs and pair.inputs != "user":
        yield "the inputs are made ones, which show less than images: use --probe-data IMAGES"


def notes(pair: ExportPair) -> list[str]:
    """Everything in sentences, the code too."""
    mend = code(pair).replace("\n", "; ")
    return [verdict_text(pair), *sentences(pair), *([f"to mend it: {mend}"] if mend else [])]


def _output(output: PairedOutput, inputs: str) -> str:
    kind = "inputs" if inputs == "user" else "made inputs"
    said = (
        f"output {output.name} differs by {output.median:.2g} of its spread in the median of "
        f"{output.n} {kind}, by {output.largest:.2g} at most"
    )
    if output.median_steps is not None and output.largest_steps is not None:
        said += f" ({output.median_steps:.2g} and {output.largest_steps:.2g} quantization steps)"
    if output.agreed is not None and output.interval is not None:
        low, high = map(_share, output.interval)
        said += f"; the top class is the same for {output.agreed} ({low} to {high})"
    if output.accuracy is not None:
        before, after = map(_share, output.accuracy)
        said += f"; accuracy {before} in the source, {after} in the export"
    return said


def cause_text(cause: PairExplanation, given: str) -> str:
    """The cause in a sentence."""
    return _TEXTS[cause.kind](cause, given)


def _values(cause: PairExplanation, given: str) -> str:
    target = str(cause.numbers.get("target", ""))
    if target in RANGES:
        return f"the export expects {RANGES[target]}, the source {RANGES.get(given, given)}"
    return f"the export expects inputs {words_of(cause.detail)}"


def _twice(cause: PairExplanation, _: str) -> str:
    return (
        "the export normalises its inputs twice: it agrees if they are "
        f"{words_of(cause.detail)} before"
    )


def _channels(_: PairExplanation, __: str) -> str:
    return "the export expects the channels in reverse order (BGR in place of RGB)"


def _orientation(cause: PairExplanation, _: str) -> str:
    return f"the export expects images {words_of(cause.detail)}"


def _activation(cause: PairExplanation, _: str) -> str:
    return NAMES[cause.detail]


def _classes(cause: PairExplanation, _: str) -> str:
    if cause.detail == "complement":
        return NAMES[cause.detail]
    return f"{cause.detail} classes are at another place in the export's output"


def _labels(cause: PairExplanation, _: str) -> str:
    return f"{cause.detail} class names are at another place than the outputs that they name"


def _normalization(cause: PairExplanation, _: str) -> str:
    layers = cause.numbers.get("layers")
    others = len(layers) - 1 if isinstance(layers, list) else 0
    more = f" and {others} other layer{'s' if others != 1 else ''}" if others else ""
    return (
        f"batch normalization is folded into {cause.detail}{more} with other statistics than the "
        "source has, such as those of a training batch"
    )


def _saturated(cause: PairExplanation, _: str) -> str:
    share = _number(cause, "share")
    return (
        f"quantised with unrepresentative data: {cause.detail} saturates ({_share(share)} of its "
        f"values are at {_number(cause, 'end'):.3g}, the end of its range)"
    )


def _coarse(cause: PairExplanation, _: str) -> str:
    return (
        f"quantised with unrepresentative data: the values of {cause.detail} span "
        f"{_number(cause, 'levels'):.2g} steps of its range"
    )


def _head(cause: PairExplanation, _: str) -> str:
    return (
        f"the dynamic range of the head is lost: the outputs of {cause.detail} span "
        f"{_number(cause, 'levels'):.2g} steps of {_number(cause, 'step'):.3g} each"
    )


def _weights(cause: PairExplanation, _: str) -> str:
    return f"other weights, first in {cause.detail}"


def _finite(cause: PairExplanation, _: str) -> str:
    export, source, n = (f"{_number(cause, each):.0f}" for each in ("export", "source", "n"))
    return (
        f"output {cause.detail} of the export is NaN or infinite for {export} of {n} inputs, "
        f"that of the source for {source}"
    )


def _share(value: float) -> str:
    """As a percentage that is 0 or 100 only if the share is 0 or 1."""
    if 0.995 <= value < 1:
        return ">99%"
    return "<1%" if 0 < value <= 0.005 else f"{value:.0%}"


def _number(cause: PairExplanation, name: str) -> float:
    value = cause.numbers.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


_TEXTS: Mapping[PairCause, Callable[[PairExplanation, str], str]] = {
    PairCause.VALUES: _values,
    PairCause.TWICE: _twice,
    PairCause.CHANNELS: _channels,
    PairCause.ORIENTATION: _orientation,
    PairCause.ACTIVATION: _activation,
    PairCause.CLASSES: _classes,
    PairCause.LABELS: _labels,
    PairCause.NORMALIZATION: _normalization,
    PairCause.SATURATED: _saturated,
    PairCause.COARSE: _coarse,
    PairCause.HEAD: _head,
    PairCause.WEIGHTS: _weights,
    PairCause.FINITE: _finite,
}


def code(pair: ExportPair) -> str:
    """Lines of code that mend it: around the export, or for another conversion; "" if unknown."""
    lines: list[str] = []
    for cause in pair.causes:
        if cause.kind in {PairCause.SATURATED, PairCause.COARSE, PairCause.HEAD} and lines:
            continue
        lines += _code(cause, pair)
    return "\n".join(dict.fromkeys(lines))


def _code(cause: PairExplanation, pair: ExportPair) -> tuple[str, ...]:
    match cause.kind:
        case PairCause.VALUES | PairCause.TWICE | PairCause.CHANNELS | PairCause.ORIENTATION:
            return (numpy_of(cause.detail).replace("{ends}", _ENDS.get(pair.given, "1.0")),)
        case PairCause.ACTIVATION:
            return _ACTIVATIONS[cause.detail]
        case PairCause.CLASSES:
            if cause.detail == "complement":
                return ("scores = 1 - scores",)
            order = cause.numbers.get("order")
            return (f"scores = scores[..., {order}]",) if order else ()
        case PairCause.NORMALIZATION | PairCause.WEIGHTS:
            return _AGAIN_WEB if pair.web else _AGAIN
        case PairCause.SATURATED | PairCause.COARSE:
            return _CALIBRATE
        case PairCause.HEAD:
            return _FINER
        case _:
            return ()
