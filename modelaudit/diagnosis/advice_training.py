"""What to do about causes in the training of a model."""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.audit_types.diagnosis import NextStep
from modelaudit.diagnosis.model import Advice
from modelaudit.diagnosis.snippets import TRAIN_AGAIN

TRAINING_ADVICE: Mapping[str, Advice] = {
    "not-trained": Advice(
        "The model was not trained, or for too few steps",
        "A training log that shows a falling loss before this file was written.",
        (
            NextStep("Train the model with a learning rate above 0 until the loss on validation "
                     "data no longer falls, and save it after training.",
                     TRAIN_AGAIN),
        ),
    ),
    "untrained-layers": Advice(
        "Training did not change some layers",
        "A checkpoint of the same training in which these layers differ from their initial values.",
        (
            NextStep("If they were frozen, load their pretrained weights before training, or "
                     "unfreeze them, compile again and train:",
                     TRAIN_AGAIN),
            NextStep("Otherwise find what stops the gradient between them and the loss, such as a "
                     "stop_gradient, an output without a loss, or inputs that are all 0."),
        ),
    ),
    "exploded-weights": Advice(
        "Training may have diverged: the weights are enormous",
        "A checkpoint of the last step with weights of ordinary size.",
        (
            NextStep("Train again from new weights: a smaller learning rate, clipped gradients and "
                     "scaled inputs.", TRAIN_AGAIN),
        ),
    ),
    "prior-only": Advice(
        "The model learnt only how frequent the labels are",
        "Two inputs with clearly different outputs.",
        (
            NextStep("Check that the inputs differ (x.std(axis=0)) and belong to their labels: "
                     "print some pairs just before training. Shuffling one of them without the "
                     "other has this effect, and so has integer division of pixels."),
            NextStep("If one class has most of the labels, give model.fit class weights, or choose "
                     "another threshold than 0.5 for the rare class."),
            NextStep("Train again from new weights on scaled inputs, without regularization at "
                     "first. If the training loss does not fall below that of the frequencies, the "
                     "inputs do not carry the labels, or no gradient reaches the first layers.",
                     TRAIN_AGAIN),
        ),
    ),
}  # fmt: skip
