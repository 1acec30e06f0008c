"""Which cause of weights that are all NaN comes first, by the compiled optimizer and loss."""

from __future__ import annotations

from collections.abc import Set

from msgspec import Struct

from modelaudit.audit_types.values import number
from modelaudit.formats.keras.compiled_losses import (
    DISTANCES,
    KNOWN,
    SPARSE,
    CompiledLoss,
    compiled_losses,
    named_outputs,
)
from modelaudit.measures.optimizer_state import OptimizerState, optimizer_state
from modelaudit.rules.model import Facts
from modelaudit.rules.network.learning_rates import ADAPTIVE, rate_of, too_large
from modelaudit.rules.network.network_heads import output_heads, saved_graph

_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")
_DEFAULT_RATE = "0.01"  # of SGD
_CLASSES = 2  # of one unit, MA306 tells
_SMALL = 10  # times below that, a rate is no usual cause
_DATA = "check the inputs and labels for NaN and infinite values"


class LikelyCause(Struct, frozen=True):
    """What comes first among the causes.

    Attributes:
        said: a sentence, behind a space; empty if nothing tells.
        fix: what to do, in the order of the causes.
    """

    said: str = ""
    fix: str = ""


def diverged(facts: Facts, damaged: Set[str]) -> LikelyCause:
    """What the file says of the cause where no trained layer is left, and what to do in that order.

    Args:
        facts: of the model.
        damaged: names of the weights with values that are not finite.

    Returns:
        Nothing where some layer has finite weights, as after damage of the file, or where the file
        does not tell the optimizer.
    """
    layers = facts.artifact.architecture.layers if facts.artifact.architecture else ()
    frozen = {layer.route for layer in layers if not layer.trainable}
    kernels = {x.tensor for x in facts.artifact.kernels if x.route not in frozen}
    state = optimizer_state(facts.artifact)
    if state is None or not kernels or not damaged >= kernels:
        return LikelyCause()
    loss = _loss(facts)
    rate, large = rate_of(state), too_large(facts.artifact, state)
    size = f" at a rate of {rate:g}" if rate is not None else ""
    if large is not None:
        return LikelyCause(
            f" The optimizer was {state.name or 'one'}{size}, which is far above the usual ones: its "
            "steps come first among the causes.",
            f"Train again from new weights with the default learning rate. If NaN comes back, {_DATA}.",
        )
    if _steps_grow(facts, state):
        return _by_gradients(state, size, rate, loss)
    if state.name.lower() in ADAPTIVE:
        own = loss is not None and loss.name not in KNOWN
        asks = (
            f"see that the loss {loss.name} divides by nothing that can be 0, and takes no logarithm or "
            "root of it"
            if own and loss is not None
            else "see that no layer or loss of the program's own divides by 0, or takes its logarithm"
        )
        labels = _labels(facts, loss)
        return LikelyCause(
            f" The steps of {state.name}{size} have about the size of the rate, however large the "
            f"gradients are: finite gradients seldom end in NaN.{labels.said} Inputs, labels or a loss that "
            f"are not finite come {'next' if labels.said else 'first among the causes'}.",
            f"{labels.fix}{'Then' if labels.fix else 'First'} {_DATA} (np.isfinite(x).all(), "
            f"np.isfinite(y).all()), and {asks}. Train again from new weights; if NaN comes back, lower the "
            "learning rate and clip gradients (clipnorm=1.0).",
        )
    return LikelyCause()


def _labels(facts: Facts, loss: CompiledLoss | None) -> LikelyCause:
    """Numbers of classes that have no unit: on a GPU and with XLA, TensorFlow's loss of them is NaN."""
    if loss is None or loss.name not in SPARSE:
        return LikelyCause()
    heads = output_heads(saved_graph(facts)) if facts.artifact.architecture else ()
    head = heads[0] if len(heads) == 1 else None
    if head is None or not head.units or head.units < _CLASSES:
        return LikelyCause()
    return LikelyCause(
        f" On a GPU and with XLA, {loss.name} of a label beyond the {head.units:,} units of "
        f"`{head.route}` is NaN, with no error: labels outside 0 to {head.units - 1:,} come first among "
        "the causes.",
        f"First see that all labels are from 0 to {head.units - 1:,} (print(y.min(), y.max())). If they "
        "are not, subtract the least, or give the last layer one unit for each class:\n"
        f"{head.code('linear' if loss.from_logits else 'softmax').replace(f'({head.units},', '(K,')}"
        "  # of K classes\n",
    )


def _by_gradients(
    state: OptimizerState, size: str, rate: float | None, loss: CompiledLoss | None
) -> LikelyCause:
    """Of an optimizer whose steps are as large as the gradients."""
    default = rate is not None and f"{rate:g}" == _DEFAULT_RATE
    said = " (the default)" * default
    grows = (
        f", and that of {loss.name} grows with the error"
        if loss is not None and loss.name in DISTANCES - {"mean_absolute_error"}
        else ""
    )
    if rate is not None and float(f"{rate:g}") * _SMALL <= float(_DEFAULT_RATE):
        return LikelyCause(
            f" The optimizer was {state.name or 'plain gradient descent'}{size}, without a limit for "
            "gradients. At so small a rate, steps overshoot only where inputs or targets are large, and a "
            "single NaN in inputs or labels ends in the same: the file does not tell which.",
            f"First {_DATA} (np.isfinite(x).all(), np.isfinite(y).all()). Then train again from new weights "
            "with inputs and targets on a scale of about 1, and clipped gradients:\n\n"
            f"    model.compile(keras.optimizers.SGD({rate:g}, clipnorm=1.0), loss=…)",
        )
    lower = f"SGD({rate / 10:g}, clipnorm=1.0)" if rate else "SGD(0.001, clipnorm=1.0)"
    return LikelyCause(
        f" The optimizer was {state.name or 'plain gradient descent'}{size}{said}, without a limit for "
        f"gradients. Its steps grow with the gradient{grows}: a step that overshoots makes the "
        "next one larger, up to infinity. A learning rate that is too large for the scale of inputs "
        "and targets comes first among the causes.",
        "Train again from new weights with a smaller learning rate and clipped gradients, or with Adam, "
        "and inputs and targets on a scale of about 1:\n\n"
        f"    model.compile(keras.optimizers.{lower}, loss=…)\n\n"
        f"If NaN comes back, {_DATA}.",
    )


def _steps_grow(facts: Facts, state: OptimizerState) -> bool:
    """Whether steps are as large as the gradients, without a limit: SGD that clips nothing."""
    if any(number(state.settings.get(key)) for key in _CLIPS):
        return False
    slots = [t for t in facts.artifact.tensors if t.role == "optimizer" and t.shape]
    named = state.name.lower()
    return named == "sgd" or (not named and not slots and bool(state.steps))


def _loss(facts: Facts) -> CompiledLoss | None:
    """The only loss that the model was compiled with; None without one, or of several."""
    architecture = facts.artifact.architecture
    names = named_outputs(architecture) if architecture is not None else ("",)
    losses = compiled_losses(facts.artifact.training, names or ("",))
    return losses[0] if len(losses) == 1 else None
