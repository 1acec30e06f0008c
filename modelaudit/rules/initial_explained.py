"""What else than a restore explains kernels at their initial values, and what to do then."""

from __future__ import annotations

from collections.abc import Mapping

NO_GRADIENT = "The optimizer's moments of these values are 0: no gradient reached them in training."
ONE_STEP = "In sequences of one step a recurrent kernel is not used, and not trained."
FEW = (
    "The model made {} training steps, which move a weight hardly further: initial values do not "
    "show that a restore left any out."
)
SLIGHTLY = (
    "The optimizer's moments of these values are not 0: gradients reached them. The steps may have "
    "been too few or too small to show."
)
SIBLINGS = (
    "The same layers have other kernels of the same shape, which are trained. The file does not "
    "tell whether these were skipped by a restore or never used in training."
)

# Explanation -> title and fix.
EXPLAINED: Mapping[str, tuple[str, str]] = {
    ONE_STEP: (
        "A recurrent kernel is at its initial values",
        (
            "If the sequences have one step, give the layer the sequence along its second axis, as "
            "(batch, steps, features), and train again. If there is none, a Dense layer does the same."
        ),
    ),
    SIBLINGS: (
        "Some kernels of a layer are at their initial values",
        (
            "If each kernel is for one kind of input, such as a number of neighbors, and the training data "
            "had none of these kinds, nothing is wrong. Otherwise, load the weights again."
        ),
    ),
    NO_GRADIENT: (
        "Kernels received no gradient in training",
        (
            "Find what stops the gradient between these layers and the loss, such as an output without "
            "a loss, a normalization over a single value, or units whose ReLU always gives 0."
        ),
    ),
    SLIGHTLY: (
        "Kernels moved little or not at all in training",
        (
            "Train longer, with a larger learning rate, or with float32 weights, which a policy such as "
            "mixed_float16 keeps."
        ),
    ),
}
