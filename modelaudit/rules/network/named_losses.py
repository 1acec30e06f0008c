"""Losses of the program's own that have their name from one of Keras: what they seem to take."""

from __future__ import annotations

import re

from modelaudit.formats.keras.compiled_losses import KNOWN, CompiledLoss
from modelaudit.rules.network.loss_inputs import PROBABILITIES
from modelaudit.rules.network.network_heads import NetworkHead
from modelaudit.structs import replace

WASSERSTEIN = "wasserstein"
"""The difference of mean scores that a critic learns, which Keras does not have."""

# Names as of TensorFlow's functions that apply the activation themselves.
_OF_SCORES = re.compile("(softmax|sigmoid)_?(cross_?entropy|xent)|(with|from)_logits")
# Names of functions that take scores, or of which the name does not say what they compare.
_OTHER = re.compile(
    "logit|score|triplet|contrastive|margin|hinge|lovasz|vae|elbo|nll|ctc|kl_?d|mixture|"
    "percept|ssim|box|iou|yolo|actor|policy|ppo|adversarial|gan_|_gan|masked"
)
_CRITIC = re.compile("wasserstein|wgan|earth_?mover")
_OVERLAP = re.compile("dice|jaccard|tversky")
_ENTROPY = re.compile("cross_?entropy|log_?loss")
_DISTANCE = re.compile(
    "mean_?squared|squared_?error|absolute_?error|rmse|rmsle|ms_?e_?loss|ma_?e_?loss|huber|quantile|pinball|"
    "log_?cosh|smooth_?l1|l[12]_?loss"
)
_DISTANCES = frozenset(("mse", "mae", "mape", "smape", "msle", "wmse", "wmae", "rms", "l1", "l2"))


def named_after(head: NetworkHead, loss: CompiledLoss) -> CompiledLoss | None:
    """The loss of Keras that the name of a function of the program's own tells; None if it tells none.

    A name is no proof: what follows from it is a guess.
    """
    name = loss.name.rpartition(">")[2]
    if loss.name in KNOWN or not name:
        return None
    if of_critic(loss):
        return replace(loss, name=WASSERSTEIN)
    if of_scores := _OF_SCORES.search(name):
        if head.last not in PROBABILITIES:
            return None
        binary = of_scores.group(1) == "sigmoid" or head.last == "sigmoid"
        like = "binary_crossentropy" if binary else "categorical_crossentropy"
        return replace(loss, name=like, from_logits=True)
    if _OTHER.search(name):
        return None
    alike = _alike(head, name, {*name.split("_")})
    return replace(loss, name=alike) if alike else None


def of_critic(loss: CompiledLoss) -> bool:
    """Whether a loss seems to be that of a critic, by its name."""
    return _CRITIC.search(loss.name) is not None


def _alike(head: NetworkHead, name: str, words: set[str]) -> str:
    if _OVERLAP.search(name):
        return "dice"
    if "focal" in name:
        if "categorical" in words:
            return "categorical_focal_crossentropy"
        known = head.last in PROBABILITIES and "binary" not in words
        return "" if known else "binary_focal_crossentropy"
    if "sparse" in words or "scce" in words:
        return "sparse_categorical_crossentropy"
    if "categorical" in words or words & {"cce", "wcce"}:
        return "categorical_crossentropy"
    entropy = bool(_ENTROPY.search(name))
    if "bce" in name or (entropy and "binary" in words):
        return "binary_crossentropy"
    if entropy:
        several = head.units is not None and head.units > 1
        shares = "categorical_crossentropy" if several else "binary_crossentropy"
        return shares if head.last != "sigmoid" or not several else ""
    distance = bool(words & _DISTANCES) or bool(_DISTANCE.search(name))
    return "mean_squared_error" if distance else ""
