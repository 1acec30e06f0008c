"""The rules that may name a kind of the third set; added after the kinds were written.

The choice was made from the list of the rules' titles alone.
"""

_KINDS = {
    "MA305 MA306": (
        "softmax-one-unit softmax-layer-one-unit-focal softmax-over-rows softmax-over-steps "
        "one-unit-scce-logits"
    ),
    "MA306": (
        "linear-bce relu-focal exponential-bce softplus-cce linear-kl relu-categorical-focal "
        "sigmoid-scce sigmoid-bce-logits softmax-logits log-softmax-scce softmax-bce "
        "softmax-huber relu6-mae tanh-poisson relu-squared-hinge linear-tversky softmax-ctc "
        "swapped-losses"
    ),
    "MA307": "softmax-twice",
    "MA308": "gaussian-dropout-behind rescaled-probabilities batchnorm-behind",
    "MA305 MA308 MA314 MA322": "layernorm-of-one-unit unitnorm-of-one-unit",
    "MA309": "linear-stack linear-hidden-layers",
    "MA326": "bias-before-norm",
    "MA310": "alpha-dropout-095 recurrent-dropout-095 dropouts-stacked",
    "MA312": "bottleneck bottleneck-filters bottleneck-gru",
    "MA315": "hidden-exponential hidden-softmax deep-sigmoids lstm-relu",
    "MA316 MA304": "one-pixel window-beyond-input dilation-beyond-input one-step-recurrence",
    "MA304": "stride-skips",
    "MA311": "mixed-data-format channels-first reshape-for-permute",
    "MA311 MA322": "norm-wrong-axis",
    "MA305 MA314": "instance-norm-of-one-value",
    "MA305 MA314 MA322": "rescaling-by-zero",
    "MA322": "scaled-twice activity-l1 norm-momentum-1",
    "MA305 MA314 MA318 MA322": "scaled-before-embedding",
    "MA314 MA316": "attend-one-position",
    "MA324": "lost-mask",
    "MA318": "embedding-below-hash-bins",
    "MA317": "class-names",
    "MA313": "not-adapted",
    "MA322 MA328 MA435 MA437": "bias-minus-10 wide-initial-weights",
    "MA323 MA404 MA406": "equal-units",
    "MA322 MA305 MA314": "max-norm-0",
    "MA321": "frozen-head",
    "MA321 MA404 MA405": "frozen-untrained-trunk",
    "MA433 MA435 MA437": "dead-units saturated-units",
    "MA406 MA436 MA437": "prior-learnt",
    "MA401 MA402": "norm-never-updated",
    "MA111": "nan",
    "MA404 MA430": "no-step",
    "MA430 MA432": "few-steps",
    "MA111 MA435": "exploded",
    "MA319 MA430 MA431": (
        "rate-0 rate-3-rmsprop schedule-to-0 schedule-halves-each-step momentum-1 "
        "adam-epsilon-1000 weight-decay-10 clip-value-1e-12 binary-smoothing-1 "
        "weight-of-loss-negative"
    ),
    "MA320": "binary-accuracy-of-classes auc-of-logits accuracy-of-numbers",
}
CODES = {kind: tuple(codes.split()) for codes, kinds in _KINDS.items() for kind in kinds.split()}
