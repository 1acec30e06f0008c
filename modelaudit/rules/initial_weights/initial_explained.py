"""What else than a restore explains kernels at their initial values, and what to do then."""

from __future__ import annotations

from collections.abc import Mapping

NO_GRADIENT = "The optimizer's moments of these values are 0: no gradient reached them in training."
FADED_MOMENTS = (
    "The optimizer's moments of these values are 0, and so are those of trained ones: they faded, and "
    "do not tell whether gradients reached these."
)
ONE_STEP = "In sequences of one step a recurrent kernel is not used, and not trained."
IDLE_GATES = {
    gates: f"The {gates} gates have their initial bias, too, and the other gates were trained: the layer was "
    "trained on sequences of one step, or runs backwards and only the last position of its results is "
    "used."
    for gates in ("forget", "reset")
}
OPEN = (
    "The number of steps does not stand in the file: it was trained on sequences of one step, in which a "
    "recurrent kernel is not used, or the kernel is not the one that was trained."
)
NO_SECOND_STEP = (
    "The layer's other weights were trained, and no gradient reached this kernel. The number of steps does not "
    "stand in the file: the sequences of training had one step, or only the first position of its results "
    "is used."
)
FIRST_STEP = (
    "The layer's other weights were trained, so that only the first step which it takes led to the "
    "loss, as where a layer runs backwards and only the last position of its results is used."
)
ONE_POSITION = (
    "It attends to a single position, whose weight is always 1: queries and keys have no effect, and "
    "are not trained."
)
QUERIES = (
    "The values of the same attention were trained, and a restore takes a layer as a whole. Over a "
    "single position, queries and keys have no effect, and are not trained."
)
FEATURES = "The layer is frozen, and no frozen layer was trained: random features."
ZEROS = (
    "A normalization behind them has a trained beta and a gamma of exactly 1: less its mean, what it got was "
    "0 for every training input, as in batches of one input, so that no gradient reached the layers before it."
)
NO_STATE = "The optimizer has no state for these values: they were frozen in training."
BODY = (
    "They were left out of training, as in a body that was frozen without its pretrained weights: "
    "the layers that were trained get random features."
)
SILENT = (
    "Behind them, nothing but biases is known to have moved, and none of these layers is frozen, as where "
    "ReLUs give 0 for every training input and let no gradient pass."
)
NETWORK = (
    "Nothing of these networks has moved, while other networks of the file are trained: they were never "
    "trained, or are copies that were not brought up to date."
)
COPY = (
    "They belong to earlier copies of the trained network, which has the last numbers, as where a notebook "
    "builds the graph again. A program that builds it once restores these by their names, not the trained ones."
)
FEW = (
    "The model made {} training steps, which move a weight hardly further: initial values do not "
    "show that a restore left any out."
)
SLIGHTLY = (
    "The optimizer's moments of these values are not 0: gradients reached them. The steps may have "
    "been too few or too small to show."
)
NOT_FINITE = "The optimizer's averages of these values are NaN or infinite: each of its steps on them is 0 or NaN."
OF_OUTPUT = (
    "Nothing has moved that leads to this output alone, while others were trained: it had no loss, or one "
    "of weight 0, or a restore skipped it."
)
BELOW_EPSILON = (
    "Its gradients were so far below the epsilon of the optimizer, by which steps are divided, that these "
    "hardly moved it."
)
ROTATION = (
    "A matrix that was computed, such as principal components, a cosine transform or a rotation, and one "
    "that a constraint keeps orthogonal look the same."
)
HELD = (
    "An initializer sets this matrix and draws nothing. It is frozen, or a penalty or constraint of the layer "
    "can keep it so, or somebody set it by hand, which looks the same."
)
DEAD_BEFORE = (
    "Its bias was trained, and so were some of its weights. Many others never received a gradient, as behind "
    "ReLUs that give 0 for every input."
)
RESERVOIR = (
    "Its recurrent kernel is of none of the usual initializers, although its biases never moved: somebody "
    "chose how it is drawn, as in a reservoir (echo state network), which is random by design."
)
SIBLINGS = (
    "The same layers have other kernels of the same shape, which are trained. The file does not "
    "tell whether these were skipped by a restore or never used in training."
)

# What shows that training, not a restore, left values as they were drawn.
BY_TRAINING = frozenset(
    (
        *(NO_GRADIENT, FIRST_STEP, NO_SECOND_STEP, *IDLE_GATES.values()),
        *(NO_STATE, FEATURES, BODY, NOT_FINITE, BELOW_EPSILON),
    )
)

# Explanation -> title and fix.
EXPLAINED: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        (FEATURES, NO_STATE),
        (
            "Frozen layers have their initial values",
            (
                "If they are to learn, unfreeze them, compile, and train again:\n"
                "model.trainable = True\n\n"
                "If they had pretrained weights, load these before. Random features that are frozen on "
                "purpose are right as they are: waive this finding."
            ),
        ),
    ),
    **dict.fromkeys(
        (ONE_STEP, *IDLE_GATES.values()),
        (
            "A recurrent kernel is at its initial values",
            (
                "If the sequences have one step, give the layer the sequence along its second axis, as "
                "(batch, steps, features), and train again. If there is none, a Dense layer does the same."
            ),
        ),
    ),
    NO_SECOND_STEP: (
        "A recurrent kernel is at its initial values",
        (
            "If the sequences of training had one step, give the layer the sequence along its second axis, as "
            "(batch, steps, features), and train again. If they had more, use the last position of its results, "
            "or all."
        ),
    ),
    OPEN: (
        "A recurrent kernel is at its initial values",
        (
            "If the sequences of training had one step, give the layer the sequence along its second axis, as "
            "(batch, steps, features), and train again. If they had more, load the weights again from the "
            "original file."
        ),
    ),
    FIRST_STEP: (
        "A recurrent kernel received no gradient in training",
        (
            "Use the last state of each direction, which Bidirectional gives with return_sequences=False, "
            "or all positions instead of the last one, and train again."
        ),
    ),
    ONE_POSITION: (
        "Attention to a single position is at its initial values",
        (
            "Give the layer a sequence, as (batch, positions, features), and train again. If there is "
            "none, a Dense layer does the same."
        ),
    ),
    QUERIES: (
        "Queries and keys of an attention are at their initial values",
        (
            "See how many positions the layer attends to: a single one has the weight 1. Give it a "
            "sequence, as (batch, positions, features), and train again."
        ),
    ),
    BODY: (
        "Only the last layers were trained",
        (
            "Load the pretrained weights before training, or train all layers:\n"
            'base = keras.applications.MobileNetV2(weights="imagenet", include_top=False)  # or '
            "load_weights\n"
            "model.trainable = True  # without pretrained weights"
        ),
    ),
    SILENT: (
        "Nothing but biases was trained, behind ReLUs",
        (
            "Use leaky_relu, more units or He initialization in these layers, and a smaller learning rate, and "
            "train again."
        ),
    ),
    NETWORK: (
        "A network of several still has its initial values",
        (
            "If it is a copy, such as a target network, give it the weights of the trained one before saving:\n"
            "target.set_weights(trained.get_weights())"
        ),
    ),
    COPY: (
        "An earlier copy of the network was never trained",
        (
            "Clear the graph before the network is built, train, and save again:\n"
            "tf.compat.v1.reset_default_graph()\n\n"
            "To restore this file into a graph that has the network once, give the saver the names in it:\n"
            'tf.compat.v1.train.Saver({"Variable_6": variable})  # and so on'
        ),
    ),
    SIBLINGS: (
        "Some kernels of a layer are at their initial values",
        (
            "If each kernel is for one kind of input, such as a number of neighbors, and the training data "
            "had none of these kinds, nothing is wrong. Otherwise, load the weights again."
        ),
    ),
    DEAD_BEFORE: (
        "A layer behind dead units is near its initial values",
        (
            "Scale the inputs, use a smaller learning rate or leaky_relu in the layers before it, and train "
            "again."
        ),
    ),
    NOT_FINITE: (
        "Kernels got no step in training",
        (
            "Compile the model with a new optimizer, and train again with inputs and targets on a scale of "
            "about 1 and clipped gradients:\n"
            "model.compile(keras.optimizers.Adam(1e-4, clipnorm=1.0), loss)"
        ),
    ),
    RESERVOIR: (
        "A recurrent layer is at its initial values",
        "If only what reads the layer is to be trained, nothing is wrong. Otherwise, load the weights again.",
    ),
    ROTATION: (
        "An orthogonal matrix may still have its initial values",
        "If it was computed or is kept orthogonal, nothing is wrong. Otherwise, load the weights again.",
    ),
    NO_GRADIENT: (
        "Kernels received no gradient in training",
        (
            "Find what stops the gradient between these layers and the loss. First check that the layers lead "
            "to an output with a loss, without a `stop_gradient` between. Then look for inputs that are all 0, "
            "and for units whose ReLU always gives 0. A normalization over a single value and an attention "
            "to a single position let no gradient pass, either."
        ),
    ),
    ZEROS: (
        "Layers got or gave nothing but 0 in training",
        (
            "Look at the inputs of training: they may all be 0, as where integers were divided by 255 with //, or "
            "an array was never filled. Otherwise, the units of a layer give 0 for every input: use leaky_relu "
            "and a smaller learning rate. Then train again."
        ),
    ),
    FADED_MOMENTS: (
        "A layer may still have its initial values",
        "Compare the layer with that of an earlier checkpoint, or with the code that restores it.",
    ),
    OF_OUTPUT: (
        "An output was not trained",
        (
            "Give every output a loss with a weight above 0, and train again:\n"
            'model.compile("adam", loss=[...], loss_weights=[1.0, 1.0])\n\n'
            "If the output was trained, load the weights again."
        ),
    ),
    BELOW_EPSILON: (
        "The gradients of some kernels were below the optimizer's epsilon",
        (
            "See why: initial values of next to nothing (MA328), layers that let little of a gradient pass "
            "(MA315, MA434) or a large epsilon (MA319). Mend that, and train again."
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
