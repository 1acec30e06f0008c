"""For each cause: its title, what would refute it, and what to do next, ready to paste."""

from __future__ import annotations

from dataclasses import dataclass

from modelaudit.diagnosis.case import WORDS
from modelaudit.diagnosis.input_corrections import AUGMENT, NUMPY, ORIGINS, OTHER_ORIGIN, PUT_IN
from modelaudit.diagnosis.loading_code import LoadingCode
from modelaudit.diagnosis.model import CauseFound, NextStep
from modelaudit.diagnosis.snippets import (
    AVERAGE,
    BIAS,
    COMPARE,
    CONFUSION,
    EXPORT,
    FIRST_NAN,
    HEAD,
    RECALIBRATE,
    RELOAD,
    RESTORE,
    TRAIN_ON,
    UNDO,
)


@dataclass(frozen=True, slots=True)
class Advice:
    """What a reader needs to know about a cause, whatever the model."""

    title: str
    refute: str
    steps: tuple[NextStep, ...]


UNKNOWN_DRAWING = "the layers that are called with training=True or draw at random"
EXPORTED = NextStep(
    "An export of Keras 3 goes on flipping, turning or shifting its inputs at random where the "
    "model has layers for that. Export a call that says that this is no training.",
    EXPORT,
)

ADVICE: dict[str, Advice] = {
    "damaged-restore": Advice(
        "The file is damaged or does not match its own architecture",
        "A byte-identical copy of the original file that shows the same findings.",
        (
            NextStep("Compare the digest in this report with the original file's, and copy again "
                     "where they differ.", "sha256sum MODEL_FILE"),
            NextStep("Save again from the session or the checkpoint that trained the model.",
                     'model.save("model.keras")'),
        ),
    ),
    "nonfinite-weights": Advice(
        "Weights are NaN or infinite",
        "A checkpoint of the same training step whose weights are numbers.",
        (
            NextStep("Look at the loss of the training: where it became NaN, go back to the last "
                     "checkpoint before that, and train on with a smaller learning rate or clipped "
                     "gradients."),
            NextStep("If it never did, compare the digest in this report with the original "
                     "file's, and copy again where they differ.", "sha256sum MODEL_FILE"),
        ),
    ),
    "never-loaded": Advice(
        "The weights were never loaded, or the model was never trained",
        "A training log that shows this very file being written after training.",
        (
            NextStep("Load the weights before saving, and prove that each one changed.", RELOAD),
            NextStep("If they are in a checkpoint of TensorFlow, restore it so that what is left "
                     "out is an error.", RESTORE),
        ),
    ),
    "partial-restore": Advice(
        "Only part of the weights was restored",
        "These layers were frozen at random values on purpose (random features).",
        (
            NextStep("Load the weights again without by_name=True, skip_mismatch=True or "
                     "expect_partial(), which leave layers out without an error.", RELOAD),
            NextStep("If they are in a checkpoint of TensorFlow, restore it so that what is left "
                     "out is an error.", RESTORE),
            NextStep("Compare with reference outputs kept from training.", COMPARE),
        ),
    ),
    "bn-statistics-lost": Advice(
        "Batch normalisation lost its moving statistics",
        "Outputs that stay wrong after the statistics are recomputed on training images.",
        (
            NextStep("Restore a checkpoint that holds all of model.weights, not just the trainable "
                     "ones."),
            NextStep("Without one, recompute the statistics.", RECALIBRATE),
        ),
    ),
    "bn-statistics-unsettled": Advice(
        "The statistics of batch normalisation have not settled",
        "Outputs that stay wrong after the statistics are recomputed on training images.",
        (
            NextStep("Recompute the statistics on training images.", RECALIBRATE),
            NextStep("Train for longer, or with a momentum of 0.9 in place of 0.99 where an epoch "
                     "has few steps; then compare the accuracy of model.evaluate, not of fit."),
        ),
    ),
    "nondeterministic": Advice(
        "The model gives another answer each time",
        "Two runs on one input whose outputs agree bit for bit.",
        (
            NextStep("Rebuild the model without {drawing}. Statements about flips wait until "
                     "then."),
        ),
    ),
    "dead-units": Advice(
        "A whole layer is dead, so the output is constant",
        "One input on which a channel of this layer becomes active.",
        (
            NextStep("Look at the layer's bias and at the batch normalisation around it; restore "
                     "the checkpoint from before they ran away.",
                     BIAS),
        ),
    ),
    "orientation-mismatch": Advice(
        "The images arrive in another orientation than the model was trained on",
        "Some images saved from the training pipeline just before the model that face the same "
        "way as those given here.",
        (
            NextStep("Find the cause: send one and the same picture through the loading code of "
                     "training and of serving, and compare the arrays. What does this: {origin}."),
            NextStep("Until it is fixed, undo the difference before the model. This is temporary: "
                     "take it out again with the cause, or images are wrong the other way round.",
                     UNDO),
            NextStep("Then audit again with images as they now arrive: MA603 must pass.",
                     "modelaudit audit MODEL --probe-data IMAGES"),
        ),
    ),
    "head-bias": Advice(
        "The bias of the last layer drowns everything else",
        "Features before the head that do not change with the input.",
        (
            NextStep("Centre the bias, then compare with validation data.", HEAD),
            NextStep("If it came from training on one-sided data, train the head again on balanced "
                     "classes."),
        ),
    ),
    "input-domain": Advice(
        "The input values are on another scale or in another order of colours than in training",
        "The training code's own preprocessing giving the same values as were fed here.",
        (
            NextStep("Feed the model what it was trained on.",
                     UNDO),
            NextStep("Put the scaling into the model, so that it cannot be forgotten.",
                     "{imports}\n\n{putin}"),
        ),
    ),
    "nonfinite-output": Advice(
        "The output is NaN or infinite",
        "The same inputs giving numbers in the training code.",
        (
            NextStep("Find where it begins. What does this: the logarithm or root of what is not "
                     "above 0, a division by a deviation of 0, or values beyond 65,504 in half "
                     "precision.", FIRST_NAN),
            NextStep("Hold the smallest and the largest value of the inputs against those of the "
                     "training images."),
        ),
    ),
    "labels-renumbered": Advice(
        "The classes of the model are numbered in another order than your labels",
        "The list of class names of training that agrees with the labels given here.",
        (
            NextStep("See which class answers for which label. Folders are numbered in the order "
                     "of their names, in which 10 stands before 2; a class that was added or left "
                     "out moves those behind it.", CONFUSION),
            NextStep("Keep the list of class names with the model, and read the answers by it."),
        ),
    ),
    "not-understood": Advice(
        "The model does not understand these images",
        "Training images with their labels that are answered as wrongly: then it was poorly "
        "trained. Answered rightly, these images differ from them.",
        (
            NextStep("Compare with reference outputs kept from training: that tells weights from "
                     "images.", COMPARE),
            NextStep("Send one and the same picture through the loading code of training and of "
                     "serving, and compare the arrays: order of axes and channels, size, crop, "
                     "scale of each channel."),
            NextStep("See which class answers for which label.", CONFUSION),
        ),
    ),
    "wrong-weights-upstream": Advice(
        "Weights of another layer, epoch or model stand where others belong",
        "Reference outputs from the day of saving that this file reproduces.",
        (
            NextStep("Compare with reference outputs kept from training.", COMPARE),
            NextStep("Restore one file from one save; never combine index and data files, or "
                     "weights and architecture, of two."),
        ),
    ),
    "collapse-open": Advice(
        "The output is constant; what made it so cannot be told from here",
        "Inputs of your own on which the output varies.",
        (
            NextStep("Compare with reference outputs kept from training. If they agree, the model "
                     "was saved like this: look at its loss, and at the share of each class in "
                     "training.", COMPARE),
        ),
    ),
    "little-information": Advice(
        "The answers are nearly the same for all images given",
        "Labels that show all these images to be of one class.",
        (
            NextStep(
                "Give labelled images of different classes: they tell images of one kind from "
                "weights that belong elsewhere.",
                "modelaudit explain MODEL --probe-data IMAGES",
            ),
            NextStep("Compare with reference outputs kept from training.", COMPARE),
        ),
    ),
    "invariant-by-construction": Advice(
        "Its answer to the flip is built in by construction",
        "One input whose output differs from its mirror image's by more than rounding.",
        (
            NextStep("Nothing to do, if left and right must not matter. If they must, the "
                     "architecture cannot learn it: use unconstrained kernels."),
        ),
    ),
    "learned-invariance": Advice(
        "Training made the model robust to this flip",
        "Fresh images on which mirrored inputs get other answers.",
        (NextStep("Nothing to do, if the flip must not change the answer."),),
    ),
    "output-follows-flip": Advice(
        "The output follows the flip, as it should",
        "A mirrored input that gets the same answer as the original.",
        (
            NextStep("Nothing to do. Do not train with mirrored images unless labels are mirrored "
                     "too."),
        ),
    ),
    "orientation-sensitive-architecture": Advice(
        "The architecture itself treats the two orientations differently",
        "A mirror-trained twin of the same architecture that is invariant.",
        (
            NextStep("Choose sizes, strides and padding so that windows fit evenly (3x3, stride 2, "
                     "'same': odd sizes), or pool before Flatten."),
            NextStep("Train with mirrored images as well, if a mirrored input means the same.",
                     TRAIN_ON),
        ),
    ),
    "orientation-sensitive-data": Advice(
        "The model learnt one orientation, because its training images had one",
        "Training code that shows mirrored images to the model.",
        (
            NextStep("Ask first: must an input and its mirror image get the same answer? For "
                     "digits, text, left and right hands or steering they must not, and then this "
                     "is as it should be."),
            NextStep("If they must, train on with mirrored images.",
                     TRAIN_ON),
            NextStep("Without training, average over both orientations at inference.",
                     AVERAGE),
        ),
    ),
    "undecided-without-images": Advice(
        "Cannot be decided without real images",
        "",
        (
            NextStep("Give 64 images of different classes, as they reach the model in production.",
                     "modelaudit explain MODEL --probe-data IMAGES"),
        ),
    ),
    "not-run": Advice(
        "Cannot be decided without running the model",
        "",
        (
            NextStep("Settle first what kept the model from being run; of a file with a critical "
                     "finding, get a clean copy. Then ask again, with images as they reach it in "
                     "production.",
                     "modelaudit explain MODEL --probe-data IMAGES"),
        ),
    ),
    "healthy": Advice(
        "Nothing was found that explains wrong answers",
        "An input that gets a wrong answer here and the right one in training.",
        (),
    ),
    "not-applicable": Advice(
        "There is no answer to explain",
        "",
        (),
    ),
}  # fmt: skip


def next_steps(
    cause: str, found: CauseFound, load: LoadingCode, values: tuple[float, float] = (0.0, 1.0)
) -> tuple[NextStep, ...]:
    """The steps with this model's flip, and the way it is loaded, filled in.

    `values` are the smallest and the largest of the inputs, which an inversion exchanges.
    """
    flip = found.transform or "H"
    filled = {
        "origin": ORIGINS.get(flip, OTHER_ORIGIN),
        "numpy": NUMPY.get(flip, NUMPY["H"]),
        "putin": PUT_IN.get(flip, ""),
        "ends": f"{sum(values):.6g}",
        "words": WORDS.get(flip, flip),
        "augment": AUGMENT.get(flip, AUGMENT["H"]),
        "drawing": f"what draws at random in it: {found.where}" if found.where else UNKNOWN_DRAWING,
        "layer": found.where.rpartition("/")[2] or "LAYER",
        "imports": load.imports,
        "model": load.model,
        "predict": load.predict,
    }

    def fill(code: str) -> str:
        for key, value in filled.items():
            code = code.replace("{" + key + "}", value)
        return code

    steps = tuple(s for s in ADVICE[cause].steps if "{putin}" not in s.code or flip in PUT_IN)
    if cause == "nondeterministic" and load.exported:
        steps = (*steps, EXPORTED)
    return tuple(NextStep(fill(step.text), fill(step.code)) for step in steps)
