"""The report's vocabulary: codes and technical terms in words for non-expert readers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from modelaudit import settings
from modelaudit.findings import Confidence, Severity, Verdict
from modelaudit.probe.protocol import runtime_name
from modelaudit.report.wording.text import shorten


class Mark(Struct, frozen=True):
    """A state as a word and a glyph; the colour (in the style sheet) only repeats them."""

    word: str
    glyph: str

    @property
    def said(self) -> str:
        """The word in lower case, for use within a sentence."""
        return self.word.lower()


VERDICTS: Mapping[Verdict, Mark] = {
    Verdict.PASS: Mark("Pass", "✓"),
    Verdict.WARN: Mark("Pass with warnings", "!"),
    Verdict.FAIL: Mark("Fail", "✗"),
    Verdict.INCOMPLETE: Mark("Incomplete", "?"),
}

NO_CLEARANCE = "A pass is not a guarantee: see what was not checked."

DANGER = "Do not load this file until this is resolved: loading it may be enough to cause harm."

VERDICT_MEANING: Mapping[Verdict, str] = {
    Verdict.PASS: f"Every rule that could be applied to this model passed. {NO_CLEARANCE}",
    Verdict.WARN: "No finding prevents using the model, but read the warnings first.",
    Verdict.FAIL: "At least one finding must be resolved before the model is used.",
    Verdict.INCOMPLETE: "The audit could not check everything; this is not a pass.",
}

MARKS: Mapping[str, Mark] = {
    "critical": Mark("Critical", "■"),
    "high": Mark("High", "▲"),
    "medium": Mark("Medium", "◆"),
    "low": Mark("Low", "●"),
    "info": Mark("Note", "○"),
    "waived": Mark("Waived", "□"),
    "pass": Mark("Pass", "✓"),
    "warn": Mark("Pass with warnings", "!"),
    "fail": Mark("Fail", "✗"),
    "incomplete": Mark("Incomplete", "?"),
    "error": Mark("Error", "✗"),
    "loads": Mark("Loads", "✓"),
    "loaded": Mark("Loaded", "✓"),
    "fails": Mark("Fails", "✗"),
    "failed": Mark("Failed", "✗"),
    "crashed": Mark("Crashed", "✗"),
    "timeout": Mark("Timed out", "✗"),
    "out-of-memory": Mark("Out of memory", "✗"),
    "out-of-disk": Mark("Disk limit exceeded", "✗"),
    "refused": Mark("Not run", "?"),
    "unavailable": Mark("Runtime missing", "?"),
    "differs": Mark("Loads, outputs differ", "!"),
    "conditional": Mark("Depends on code", "?"),
    "unknown": Mark("Unknown", "?"),
    "not-tried": Mark("Not tried", "?"),
    "trained": Mark("Trained", "✓"),
    "fresh": Mark("Untrained", "✗"),
    "undecidable": Mark("Inconclusive", "?"),
    "not-applicable": Mark("Not applicable", "○"),
    "explains-it": Mark("Explains it", "✗"),
    "ruled-out": Mark("Ruled out", "✓"),
    "open": Mark("Open", "?"),
}

SEVERITY_MEANING: Mapping[Severity, str] = {
    Severity.CRITICAL: "do not load or use the model until this is resolved",
    Severity.HIGH: "the model gives wrong results or cannot be used as it is",
    Severity.MEDIUM: "the model works, but may mislead or break",
    Severity.LOW: "worth cleaning up",
    Severity.INFO: "for your information",
}

CONFIDENCE: Mapping[Confidence, str] = {
    Confidence.CERTAIN: "certain (follows from the stored bytes)",
    Confidence.HIGH: "high",
    Confidence.MEDIUM: "medium",
    Confidence.LOW: "low (a hint)",
}
OBSERVED = "certain (observed)"  # replaces the first, for rules that examine a loaded model

TRANSFORMS: Mapping[str, str] = {
    "e": "as given",
    **settings.TRANSFORMS,
    "/255": "values divided by 255",
    "*255": "values multiplied by 255",
    "2x-1": "values rescaled (2x − 1)",
    "x/127.5-1": "values rescaled (x / 127.5 − 1)",
    "(x+1)/2": "values rescaled ((x + 1) / 2)",
    "127.5(x+1)": "values rescaled (127.5 (x + 1))",
    "1-x": "values inverted (1 − x)",
    "standardised": "values standardised",
    "standardised each": "each input standardised",
    **{
        f"{source}>{target}": f"values mapped {words}"
        for source in ("0-1", "0-255", "-1-1", "imagenet", "caffe")
        for target, words in (
            ("0-1", "back to 0…1"),
            ("0-255", "back to 0…255"),
            ("-1-1", "back to −1…1"),
            ("imagenet", "to ImageNet’s mean and deviation"),
            ("caffe", "to 0…255, BGR, less ImageNet’s mean"),
        )
    },
    "BGR": "red and blue swapped",
    **dict.fromkeys(("imagenet>BGR", "caffe>BGR"), "red and blue swapped before normalization"),
}

ACTIONS: Mapping[str, str] = {
    "invariant": "should stay the same",
    "odd": "should change sign",
    "swap": "should swap paired entries",
    "spatial": "should move with the image",
}

OUTPUT_KINDS: Mapping[str, str] = {
    "softmax": "class probabilities (softmax)",
    "logits": "class scores (logits)",
    "sigmoid": "values from 0 to 1 (sigmoid)",
    "regression": "numbers (regression)",
    "spatial": "a spatial map",
    "positions": "a number or a vector at each position",
    "guessed": "scores of classes or numbers (the file does not say which)",
    "embedding": "a feature vector (embedding)",
}

TASKS: Mapping[str, str] = {
    "classes": "one of several classes",
    "multilabel": "several labels at a time",
    "regression": "numbers",
    "ordinal": "whole numbers in an order",
    "map": "values at each position of an image",
    "sequence": "values at each step",
    "embedding": "features",
    "detection": "boxes",
    "reconstruction": "the input itself",
}

HEADS: Mapping[str, str] = {
    "gap": "global pooling: spatial positions are averaged before the last layer",
    "flatten": "flatten: the last layers see each position separately",
    "spatial": "spatial: the output is a map",
    "dense": "dense layers only",
}

CALLS: Mapping[str, str] = {
    "load_model": "load the whole model",
    "load_weights": "load the weights into a model",
    "model_from_json": "rebuild the layers and set their weights",
    "load_checkpoint": "restore the checkpoint into a model",
    "Checkpoint.restore": "restore the checkpoint into a model",
    "session": "load into a TensorFlow 1 session",
    "import_meta_graph": "import the graph and restore the checkpoint",
    "import_graph_def": "import the frozen graph",
    "from_preset": "build the preset with KerasHub",
    "saved_model.load": "load the SavedModel",
    "TFSMLayer": "wrap the SavedModel as a layer",
}

CAUSES: Mapping[str, str] = {
    "damaged-restore": "Damaged or mismatched restore",
    "nonfinite-weights": "Weights are NaN or infinite",
    "not-trained": "Not trained, or for too few steps",
    "exploded-weights": "Weights are enormous",
    "prior-only": "Only the average of the labels was learnt",
    "never-loaded": "Weights never loaded, or never trained",
    "partial-restore": "Part of the weights was never restored or never trained",
    "untrained-layers": "Training did not change some layers",
    "bn-statistics-lost": "Batch-normalization statistics lost",
    "bn-statistics-unsettled": "Batch-normalization statistics have not converged",
    "nondeterministic": "The same inputs get different outputs",
    "sampled-output": "Output is drawn at random, probably on purpose",
    "constant-by-construction": "Output is constant by construction",
    "loss-without-gradient": "The loss does not depend on the output",
    "labels-outside-output": "The output cannot give the labels",
    "loss-unsuited": "Loss does not suit the output",
    "network-design": "Design keeps the network from learning",
    "dead-units": "A layer is dead",
    "orientation-mismatch": "Images are oriented differently than in training",
    "head-bias": "The last layer's bias dominates the output",
    "input-domain": "Inputs are preprocessed differently than in training",
    "nonfinite-output": "The output is NaN or infinite",
    "labels-renumbered": "Class indices are in a different order than the labels",
    "not-understood": "The model does not recognise the inputs",
    "collapse-open": "Output ignores the input; cause unknown",
    "wrong-weights-upstream": "Some layers hold another model's weights",
    "invariant-by-construction": "Invariant to flips by construction",
    "little-information": "Nearly all inputs get the same prediction",
    "output-follows-flip": "The output follows the flip, as it should",
    "learned-invariance": "Learned invariance to flips",
    "orientation-sensitive-architecture": "Orientation-sensitive, partly by its architecture",
    "orientation-sensitive-data": "Orientation-sensitive because of its training data",
    "undecided-without-images": "Cannot be decided without real inputs",
    "not-run": "Cannot be decided without running the model",
    "healthy": "No fault found",
    "not-applicable": "The question does not apply to this model",
}


# Rule families, by code prefix.
FAMILIES: Mapping[str, str] = {
    "MA1": "integrity",
    "MA2": "compatibility",
    "MA3": "architecture",
    "MA4": "weight",
    "MA5": "symmetry",
    "MA6": "behaviour",
    "MA7": "security",
    "MA8": "registry",
}

# Names of skipped measurements, by their key in the audit.
MEASUREMENTS: Mapping[str, str] = {
    "batch normalization": "Fit of the batch-normalization statistics to the inputs",
    "built-in mix": "Outputs for the built-in probe inputs",
    "centred head bias": "Whether the last layer's bias dominates the output",
    "cleared biases": "Whether a negative bias silences a layer",
    "dead units": "Dead channels",
    "kernels": "Kernel symmetry",
    "layer residuals": "Equivariance of each layer to flips",
    "profile": "The architecture",
    "recalibrated batch normalization": "Effect of recomputed batch-normalization statistics",
    "receptive_field": "Receptive field of each layer",
    "sensitivity": "Sensitivity to gradual changes of the inputs",
}

INTERVENTIONS: Mapping[str, str] = {
    "centre_head_bias": "last layer's bias centred",
    "clear_negative_bias": "all-negative bias set to 0",
    "inputs_times_255": "inputs from 0 to 255 instead of 0 to 1",
    "recalibrate_batchnorm": "batch-normalization statistics recomputed on your inputs",
    "recalibrate_one_batchnorm": "the same of the first layer that does not match its input",
}


def transform(code: str) -> str:
    """A transform in words, several joined by ` + `; codes that are unknown as they are."""
    return ", ".join(TRANSFORMS.get(part, part) for part in code.split(" + "))


def runtime(code: str) -> str:
    """A runtime in words, or its name."""
    return runtime_name(code)


def keras(version: str) -> str:
    """`Keras 3.15.1` or `tf-keras 2.21.0`.

    Keras went from 2.15 to 3.0; 2.16 and later, numbered after TensorFlow, are tf-keras.
    """
    found = re.match(r"2\.(\d+)", version)
    return f"{'tf-keras' if found and int(found[1]) > 15 else 'Keras'} {version}"


def measurement(name: str) -> str:
    """A measurement in words, or its name."""
    return MEASUREMENTS.get(name, name.replace("_", " "))


def cause(code: str) -> str:
    """A cause in words."""
    return CAUSES.get(code, code.replace("-", " "))


def forbids_loading(state: str, code: str) -> bool:
    """Whether an open finding of this severity and rule means that a file must not be loaded."""
    return state == Severity.CRITICAL and FAMILIES.get(code[:3]) == "security"


def counted(count: int, state: str) -> str:
    """`1,234 high`, `1 note`, `2 notes`: the count for a severity or verdict."""
    word = mark(state).said
    return f"{count:,} {word}{'s' if state == 'info' and count != 1 else ''}"


def mark(state: str) -> Mark:
    """Word and glyph of a state; an unknown state is shown verbatim, cut to a badge's length."""
    return MARKS.get(state, Mark(shorten(state, 24), "○"))


def style_name(state: str) -> str:
    """The CSS style of a state; `unknown` for strings of an audit file that name no state."""
    return state if state in MARKS else "unknown"
