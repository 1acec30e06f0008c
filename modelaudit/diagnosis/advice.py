"""For each cause: its title, what would refute it, and what to do next.

`next_steps` fills in what is known about the model at hand.
"""

from __future__ import annotations

from modelaudit.audit_types.diagnosis import NextStep
from modelaudit.diagnosis.advice_training import TRAINING_ADVICE
from modelaudit.diagnosis.model import Advice
from modelaudit.diagnosis.snippets import (
    AVERAGE,
    BIAS,
    COMPARE,
    CONFUSION,
    EXCHANGE,
    FIRST_NAN,
    HEAD,
    NEW_HEAD,
    PUT_FIRST,
    RECALIBRATE,
    RELOAD,
    REORDER,
    RESTORE,
    SIGMOID,
    TRAIN_ON,
    TRAIN_PART,
    UNDO,
)

FROM_CHECKPOINT = NextStep(
    "If the weights are in a TensorFlow checkpoint, restore it so that a skipped variable raises "
    "an error.",
    RESTORE,
)
RECALIBRATED = NextStep(
    "Or, with labelled {images}, write a file with new statistics if they help.",
    "modelaudit repair {own} --for {serving} --out recalibrated.keras --recalibrate {data}",
)
COMPARED = NextStep("Compare the outputs with reference outputs saved during training.", COMPARE)

ADVICE: dict[str, Advice] = {
    **TRAINING_ADVICE,
    "damaged-restore": Advice(
        "The file is damaged or does not match its own architecture",
        "A byte-identical copy of the original file with the same findings.",
        (
            NextStep("Compare the digest in this report with the digest of the original file. If "
                     "they differ, copy the file again.", "sha256sum MODEL_FILE"),
            NextStep("Save the model again from the session or checkpoint that trained it.",
                     'model.save("model.keras")'),
        ),
    ),
    "nonfinite-weights": Advice(
        "Weights are NaN or infinite",
        "A checkpoint of the same training step whose weights are finite.",
        (
            NextStep("Check the training loss. If it became NaN, go back to the last checkpoint "
                     "before that, and continue training with a smaller learning rate or gradient "
                     "clipping."),
            NextStep("If it never became NaN, compare the digest in this report with the digest of "
                     "the original file. If they differ, copy it again.", "sha256sum MODEL_FILE"),
        ),
    ),
    "constant-by-construction": Advice(
        "The output is constant by construction",
        "Two inputs with different outputs.",
        (
            NextStep("For one unit with a softmax: give it a sigmoid, and measure accuracy. "
                     "Keras computes binary_crossentropy from the score before the last "
                     "activation, so training may have worked.", SIGMOID),
            NextStep("If the accuracy is poor, train again with one unit and a sigmoid for two "
                     "classes, or K units and a softmax for K exclusive classes.", NEW_HEAD),
        ),
    ),
    "never-loaded": Advice(
        "The weights were never loaded, or the model was never trained",
        "A training log that shows that this file was written after training.",
        (
            NextStep("Load the weights before saving, and verify that every weight "
                     "changed.", RELOAD),
            FROM_CHECKPOINT,
            NextStep("If no file has trained values, train the model, and check that its loss "
                     "falls: frozen layers or a learning rate of 0 leave it as it is."),
        ),
    ),
    "partial-restore": Advice(
        "Part of the weights was never restored or never trained",
        "These layers were frozen at random values on purpose (random features).",
        (
            NextStep("Load the weights again without by_name=True, skip_mismatch=True or "
                     "expect_partial(), which skip layers without an error.", RELOAD),
            FROM_CHECKPOINT,
            NextStep("If no file has trained values for it, train it on labelled {images}, and "
                     "leave the other layers as they are.", TRAIN_PART),
            COMPARED,
        ),
    ),
    "bn-statistics-lost": Advice(
        "Batch normalization lost its moving statistics",
        "A checkpoint of the same training whose statistics are the same.",
        (
            NextStep("Restore a checkpoint that contains all of model.weights, not only the "
                     "trainable weights."),
            NextStep("If there is none, recompute the statistics.", RECALIBRATE),
            RECALIBRATED,
        ),
    ),
    "bn-statistics-unsettled": Advice(
        "The moving statistics of batch normalization have not converged",
        "Outputs that stay wrong after the statistics are recomputed on training {images}.",
        (
            NextStep("Recompute the statistics on training {images}.", RECALIBRATE),
            RECALIBRATED,
            NextStep("Train longer or, if an epoch has few steps, with a momentum of 0.9 instead "
                     "of 0.99. Judge by the accuracy of model.evaluate, not of model.fit."),
        ),
    ),
    "nondeterministic": Advice(
        "The same inputs get different outputs",
        "Runs of the same inputs, in any batch, whose outputs agree up to rounding.",
        (
            NextStep("Rebuild the model without {drawing}.[[ Flip tests are not meaningful before "
                     "that.]]"),
        ),
    ),
    "sampled-output": Advice(
        "The model draws its output at random, probably on purpose",
        "Code that serves the model and expects the same answer to the same input.",
        (
            NextStep("If the model is meant to sample, waive MA605, and judge it by many samples "
                     "or by the mean of what it draws from. Otherwise rebuild it without drawing."),
        ),
    ),
    "dead-units": Advice(
        "A whole layer is dead, so the output is constant",
        "One input on which a channel of this layer becomes active.",
        (
            NextStep("Check the layer's bias and the batch normalization around it. Restore a "
                     "checkpoint from before the layer died.",
                     BIAS),
        ),
    ),
    "orientation-mismatch": Advice(
        "The input {images} have another orientation than the training {images}",
        "{Images} saved in the training pipeline just before the model that have the same "
        "orientation as the {images} given here.",
        (
            NextStep("Find the cause: load one {image} with the loading code of training and of "
                     "serving, and compare the arrays. Possible causes: {origin}."),
            NextStep("Until the cause is fixed, undo the difference before the model. Remove this "
                     "workaround when you fix the cause, or the {images} will be wrong again.",
                     UNDO),
            NextStep("Then audit again with {images} as they now reach the model: the rule on "
                     "orientation, MA603, must pass.",
                     "modelaudit audit {own} --probe-data {data}"),
        ),
    ),
    "head-bias": Advice(
        "The bias of the last layer dominates the output",
        "Features before the head that do not change with the input.",
        (
            NextStep("Centre the bias, then evaluate on validation data.", HEAD),
            NextStep("If the bias comes from training on imbalanced data, train the head again on "
                     "balanced classes."),
        ),
    ),
    "input-domain": Advice(
        "The input values have another scale or another channel order than in training",
        "The preprocessing of the training code gives the same values as the inputs used here.",
        (
            NextStep("Feed the model the values that it was trained on{reader}. Leave this out "
                     "once the code that loads the {images} makes the change.",
                     UNDO),
            NextStep("Or, in place of step 1, put this change into the model, so that it cannot be "
                     "forgotten. Then give the new file the inputs as they are.",
                     PUT_FIRST),
        ),
    ),
    "nonfinite-output": Advice(
        "The output is NaN or infinite",
        "Finite outputs for the same inputs in the training code.",
        (
            NextStep("Find the first layer where it occurs. Possible causes: the logarithm or root "
                     "of a value that is not positive, a division by a standard deviation of 0, or "
                     "values above 65,504 in half precision.", FIRST_NAN),
            NextStep("Compare the smallest and the largest input value with those of the training "
                     "{images}."),
        ),
    ),
    "labels-renumbered": Advice(
        "The model numbers the classes in a different order than your labels",
        "The list of class names used in training matches the labels given here.",
        (
            NextStep("Check which class is predicted for which label. Folders are numbered in "
                     "alphabetical order, in which 10 precedes 2; adding or omitting a class "
                     "shifts all classes after it.", CONFUSION),
            NextStep("Until the list of class names used in training is found, put the scores in "
                     "the order of your labels. Check the accuracy on other labelled {images}: "
                     "this order was chosen on these.", REORDER),
            NextStep("Store the list of class names with the model, and use it to interpret the "
                     "outputs. This writes it in the order that labelled {images} show, in folders "
                     "named by class; keep it only if these names are right.",
                     "modelaudit repair {own} --for {serving} --out renamed.keras "
                     "--rename-classes {data}"),
        ),
    ),
    "not-understood": Advice(
        "The model does not recognise these {images}",
        "Labelled training {images}. If their predictions are just as wrong, the model was poorly "
        "trained; if they are correct, these {images} differ from the training {images}.",
        (
            NextStep("Compare the outputs with reference outputs saved during training: this "
                     "distinguishes wrong weights from wrong {images}.", COMPARE),
            NextStep("Load one {image} with the loading code of training and of serving, and "
                     "compare the arrays: [[order of axes and channels, size, crop, ]]scale and "
                     "unit of each channel or column, and their order."),
            NextStep("Check which class is predicted for which label.", CONFUSION),
        ),
    ),
    "wrong-weights-upstream": Advice(
        "The activations of a layer do not match its stored statistics",
        "Reference outputs from saving time that this file reproduces.",
        (
            NextStep("Load the weights again, each by the name of its layer. If no other file has "
                     "them, exchange the weights of the two layers, and check the result on other "
                     "labelled {images}.", EXCHANGE),
            COMPARED,
            NextStep("Load the weights again, all files from one save: index and data files, "
                     "architecture and weights. If none is left, train again."),
            NextStep("If the restored model fits no better, compare one {image} of training and of "
                     "serving just before the model."),
        ),
    ),
    "collapse-open": Advice(
        "The output is constant for an unknown reason",
        "Your own inputs on which the output varies.",
        (
            NextStep("Compare the outputs with reference outputs saved during training. If they "
                     "match, the model was saved like this: check its training loss and the share "
                     "of each class in the training data.", COMPARE),
        ),
    ),
    "little-information": Advice(
        "The predictions are nearly the same for all {images} given",
        "Labels that show that all these {images} have the same class.",
        (
            NextStep(
                "Provide labelled {images} of different classes: they distinguish {images} of one "
                "kind from misplaced weights.",
                "modelaudit explain {own} --probe-data {data}",
            ),
            COMPARED,
        ),
    ),
    "invariant-by-construction": Advice(
        "The response to the flip is fixed by construction",
        "One input whose output differs from its mirror image's by more than rounding.",
        (
            NextStep("If left and right must not matter, no action is needed. If they must, the "
                     "architecture cannot learn it: use unconstrained kernels."),
        ),
    ),
    "learned-invariance": Advice(
        "The model treats flipped inputs like the others",
        "New {images} whose mirrored versions get other predictions much more often.",
        (NextStep("If the flip must not change the output, no action is needed."),),
    ),
    "output-follows-flip": Advice(
        "The output changes with the flip, as it should",
        "A mirrored input that gets the same output as the original.",
        (
            NextStep("No action is needed. Do not train with mirrored {images} unless the labels "
                     "are mirrored too."),
        ),
    ),
    "orientation-sensitive-architecture": Advice(
        "The architecture itself treats the two orientations differently",
        "A model with the same architecture, trained with mirrored {images}, that is invariant.",
        (
            NextStep("Choose sizes, strides and padding so that the windows fit symmetrically "
                     "(3x3, stride 2, 'same': odd sizes), or pool before Flatten."),
            NextStep("If a mirrored input means the same, train with mirrored {images} too.",
                     TRAIN_ON),
        ),
    ),
    "orientation-sensitive-data": Advice(
        "The model distinguishes the two orientations, as training on {images} of one does",
        "Training code that shows the model mirrored {images}.",
        (
            NextStep("First decide whether an input and its mirror image must get the same output. "
                     "For digits, text, left and right hands, steering, boxes and maps they must "
                     "not, and this behaviour is correct."),
            NextStep("If they must, continue training with mirrored {images}.",
                     TRAIN_ON),
            NextStep("To avoid training, average over both orientations at inference.",
                     AVERAGE),
        ),
    ),
    "undecided-without-images": Advice(
        "Undecidable without real {images}",
        "",
        (
            NextStep("Provide 64 {varied}, as they reach the model in "
                     "production.",
                     "modelaudit explain {own} --probe-data {data}"),
        ),
    ),
    "not-run": Advice(
        "Undecidable without running the model",
        "",
        (
            NextStep("First resolve what prevented the model from being run; for a file with a "
                     "critical finding, get a clean copy. Then run this again with {images} as "
                     "they reach the model in production.",
                     "modelaudit explain {own} --probe-data {data}"),
        ),
    ),
    "healthy": Advice(
        "Nothing was found that explains wrong outputs",
        "An input that gets a wrong output here and the right one in training.",
        (),
    ),
    "not-applicable": Advice("There is no output to explain", "", ()),
}  # fmt: skip
