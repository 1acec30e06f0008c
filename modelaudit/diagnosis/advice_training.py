"""What to do about causes in the training of a model, its loss and its design."""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.audit_types.diagnosis import NextStep
from modelaudit.diagnosis.model import Advice
from modelaudit.diagnosis.snippets import NEW_HEAD, NUMBERS_HEAD, TRAIN_AGAIN

TRAINING_ADVICE: Mapping[str, Advice] = {
    "labels-outside-output": Advice(
        "The output cannot give the values of your labels",
        "A label of the kind given that the output can reach.",
        (
            NextStep("Compare your labels with those of training. If they are the same, train "
                     "again with a last layer that can give them: K units for K classes numbered "
                     "from 0, no activation for other numbers.", NEW_HEAD),
            NextStep("Compare your labels with those of training. If they are the same, train "
                     "again with a last layer that can give them, or scale them to what it gives.",
                     NUMBERS_HEAD),
        ),
    ),
    "loss-without-gradient": Advice(
        "The loss does not depend on the output",
        "A training log in which this loss fell.",
        (
            NextStep("Choose the last layer and the loss together, then train again: one unit with "
                     "a sigmoid and binary_crossentropy, or one unit for each class with a softmax "
                     "and sparse_categorical_crossentropy.", NEW_HEAD),
        ),
    ),
    "loss-unsuited": Advice(
        "The loss does not suit the output",
        "A training log in which this loss fell and the accuracy on validation data rose.",
        (
            NextStep("Choose the last activation and the loss together, then train again: one unit "
                     "with a sigmoid and binary_crossentropy, or K units with a softmax and "
                     "sparse_categorical_crossentropy.", NEW_HEAD),
        ),
    ),
    "network-design": Advice(
        "The design of the network or its compile settings keep it from learning",
        "The same network, compiled in the same way, that learned.",
        (
            NextStep("Build and compile the model with what the findings in the evidence say "
                     "(modelaudit rules CODE), then train again."),
        ),
    ),
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
