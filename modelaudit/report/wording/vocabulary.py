"""The report's vocabulary: codes and field terms in words for a reader who is no expert."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from modelaudit.findings import Confidence, Severity, Verdict
from modelaudit.probe.protocol import runtime_name
from modelaudit.report.wording.text import shorten


@dataclass(frozen=True, slots=True)
class Mark:
    """A state as word and shape; the colour (in the style sheet) only repeats them."""

    word: str
    glyph: str

    @property
    def said(self) -> str:
        """The word as it stands within a sentence."""
        return self.word.lower()


VERDICTS: Mapping[Verdict, Mark] = {
    Verdict.PASS: Mark("Pass", "✓"),
    Verdict.WARN: Mark("Pass with warnings", "!"),
    Verdict.FAIL: Mark("Fail", "✗"),
    Verdict.INCOMPLETE: Mark("Incomplete", "?"),
}

NO_CLEARANCE = "That is no clearance: read what was not checked."

DANGER = "Do not load this file before that is settled: to load it may be enough to do harm."

VERDICT_MEANING: Mapping[Verdict, str] = {
    Verdict.PASS: f"Every rule that could look at this model passed it. {NO_CLEARANCE}",
    Verdict.WARN: "Nothing here blocks the use of the model, but read the warnings first.",
    Verdict.FAIL: "At least one finding has to be settled before the model is used.",
    Verdict.INCOMPLETE: "The audit could not look at everything; this is not a pass.",
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
    "out-of-disk": Mark("Wrote too much", "✗"),
    "refused": Mark("Not run", "?"),
    "unavailable": Mark("Runtime missing", "?"),
    "differs": Mark("Loads, computes differently", "!"),
    "unknown": Mark("Unknown", "?"),
    "not-tried": Mark("Not tried", "?"),
    "trained": Mark("Trained", "✓"),
    "fresh": Mark("Untrained", "✗"),
    "undecidable": Mark("Cannot tell", "?"),
    "not-applicable": Mark("Does not apply", "○"),
    "explains-it": Mark("Explains it", "✗"),
    "ruled-out": Mark("Ruled out", "✓"),
    "open": Mark("Open", "?"),
}

SEVERITY_MEANING: Mapping[Severity, str] = {
    Severity.CRITICAL: "do not load or use the model before this is settled",
    Severity.HIGH: "as it stands it answers wrongly, or cannot be used",
    Severity.MEDIUM: "works, but can mislead or break",
    Severity.LOW: "worth tidying up",
    Severity.INFO: "for your information",
}

CONFIDENCE: Mapping[Confidence, str] = {
    Confidence.CERTAIN: "certain (it follows from the stored bytes)",
    Confidence.HIGH: "high",
    Confidence.MEDIUM: "medium",
    Confidence.LOW: "low (a hint)",
}
OBSERVED = "certain (observed)"  # in place of the first, of rules that look at a loaded model

TRANSFORMS: Mapping[str, str] = {
    "e": "as given",
    "H": "mirrored left-right",
    "V": "mirrored up-down",
    "r90": "turned 90° left",
    "r180": "turned 180°",
    "r270": "turned 90° right",
    "T": "rows and columns swapped",
    "AT": "swapped along the other diagonal",
    "flip": "reversed in order",
    "x0": "mirrored along the first axis",
    "x1": "mirrored along the second axis",
    "x2": "mirrored along the third axis",
    "/255": "values divided by 255",
    "*255": "values times 255",
    "2x-1": "values stretched (2x − 1)",
    "x/127.5-1": "values divided by 127.5, less 1",
    "(x+1)/2": "values halved, from 0 on ((x + 1) / 2)",
    "127.5(x+1)": "values from 0 to 255 (127.5 (x + 1))",
    "1-x": "values inverted (1 − x)",
    "standardised": "values standardised",
    "BGR": "red and blue exchanged",
}

ACTIONS: Mapping[str, str] = {
    "invariant": "should stay the same",
    "odd": "should change its sign",
    "swap": "should swap its pairs",
    "spatial": "should move with the image",
}

OUTPUT_KINDS: Mapping[str, str] = {
    "softmax": "class probabilities (softmax)",
    "logits": "class scores (logits)",
    "sigmoid": "independent probabilities (sigmoid)",
    "regression": "numbers (regression)",
    "spatial": "a map over the image",
    "embedding": "a feature vector (embedding)",
}

HEADS: Mapping[str, str] = {
    "gap": "global pooling: positions are averaged away before the last layer",
    "flatten": "flattening: the last layers see each position separately",
    "spatial": "spatial: the output is a map",
    "dense": "dense layers only",
}

CALLS: Mapping[str, str] = {
    "load_model": "load the whole model",
    "load_weights": "load the weights into code",
    "load_checkpoint": "restore the checkpoint into a model",
    "Checkpoint.restore": "restore the checkpoint into a model",
    "session": "load into a TensorFlow 1 session",
    "import_meta_graph": "import the graph and restore",
    "import_graph_def": "import the frozen graph",
    "saved_model.load": "load the SavedModel",
    "TFSMLayer": "wrap the SavedModel as a layer",
}

CAUSES: Mapping[str, str] = {
    "damaged-restore": "Damaged or mismatched restore",
    "nonfinite-weights": "Weights are NaN or infinite",
    "never-loaded": "Weights never loaded, or never trained",
    "partial-restore": "Only a part of the weights was restored",
    "bn-statistics-lost": "Batch-normalisation statistics lost",
    "bn-statistics-unsettled": "Batch-normalisation statistics have not settled",
    "nondeterministic": "Output changes from run to run",
    "dead-units": "A layer is dead",
    "orientation-mismatch": "Images arrive in another orientation than in training",
    "head-bias": "The bias of the last layer drowns the input",
    "input-domain": "Input values arrive in another form than in training",
    "nonfinite-output": "The output is NaN or infinite",
    "labels-renumbered": "Classes are numbered in another order than the labels",
    "not-understood": "The model does not understand the images",
    "collapse-open": "Output ignores the input, cause open",
    "wrong-weights-upstream": "Some layers hold weights of another model",
    "invariant-by-construction": "Built so that flips cannot matter",
    "little-information": "Nearly all images get one answer",
    "output-follows-flip": "The output follows the flip, as it should",
    "learned-invariance": "Learned to ignore flips",
    "orientation-sensitive-architecture": "Sensitive to orientation, partly by its architecture",
    "orientation-sensitive-data": "Sensitive to orientation by its training data",
    "undecided-without-images": "Cannot be decided without real images",
    "not-run": "Cannot be decided without running the model",
    "healthy": "No fault found",
    "not-applicable": "The question does not arise for this model",
}


# Kinds of rules, by the start of their codes.
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

# Measurements that were not made, by the name that an audit gives them.
MEASUREMENTS: Mapping[str, str] = {
    "batch normalisation": "Fit of the batch normalisations to the inputs",
    "built-in mix": "Answers to inputs without any content",
    "centred head bias": "Whether the bias of the last layer drowns the rest",
    "cleared biases": "Whether a negative bias silences a layer",
    "dead units": "Channels that stay silent",
    "kernels": "Symmetry of the kernels",
    "layer residuals": "How well each layer follows a flip",
    "profile": "The architecture",
    "recalibrated batch normalisation": "Whether fresh statistics would help",
    "receptive_field": "How much of the image each layer sees",
}

INTERVENTIONS: Mapping[str, str] = {
    "centre_head_bias": "bias of the last layer centred",
    "clear_negative_bias": "wholly negative bias set to 0",
    "recalibrate_batchnorm": "statistics of batch normalisation computed anew on your images",
}


def transform(code: str) -> str:
    """A transform in words, its code as it is where it is not a known one."""
    return TRANSFORMS.get(code, code)


def runtime(code: str) -> str:
    """A runtime in words, or its name."""
    return runtime_name(code)


def keras(version: str) -> str:
    """`Keras 3.15.1` or `tf-keras 2.21.0`.

    Keras itself went from 2.15 to 3.0; what counts on with TensorFlow's numbers is tf-keras.
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
    """Whether an open finding of this severity and rule says that a file must not be loaded."""
    return state == Severity.CRITICAL and FAMILIES.get(code[:3]) == "security"


def counted(count: int, state: str) -> str:
    """`1,234 high`, `1 note`, `2 notes`: how many there are of a severity or a verdict."""
    word = mark(state).said
    return f"{count:,} {word}{'s' if state == 'info' and count != 1 else ''}"


def mark(state: str) -> Mark:
    """Word and shape of a state; an unknown one is shown as it stands, cut to a badge's length."""
    return MARKS.get(state, Mark(shorten(state, 24), "○"))


def style_name(state: str) -> str:
    """The style of a state. An audit file's own words never name a style: unknown ones get one."""
    return state if state in MARKS else "unknown"
