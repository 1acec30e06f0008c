"""Which cause of weights that are all NaN comes first, by the compiled optimizer and loss."""

from __future__ import annotations

from collections.abc import Sequence, Set

from msgspec import Struct

from modelaudit.audit_types.values import number
from modelaudit.facts import Layer
from modelaudit.formats.keras.compiled_losses import (
    DISTANCES,
    KNOWN,
    SPARSE,
    CompiledLoss,
    compiled_losses,
    named_outputs,
)
from modelaudit.formats.keras.dialects import activation
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.optimizer_state import OptimizerState, optimizer_state
from modelaudit.rules.grammar import quoted
from modelaudit.rules.model import Facts
from modelaudit.rules.network.learning_rates import ADAPTIVE, rate_of, too_large
from modelaudit.rules.network.network_heads import NetworkHead, output_heads, saved_graph
from modelaudit.thresholds.optimizers import HALF_EPSILON

_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")
_DEFAULT_RATE = "0.01"  # of SGD
_CLASSES = 2  # of one unit, MA306 tells
_LISTED = 3  # names of layers
_FED_BACK = frozenset(("relu", "linear", "elu", "selu", "leaky_relu", "gelu", "silu", "swish"))
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
    computed = _computed(layers, _head(facts), loss)
    if _steps_grow(facts, state):
        labels = computed if computed.said else _beyond(_head(facts), loss)
        return _by_gradients(state, size, rate, loss, labels)
    if state.name.lower() in ADAPTIVE:
        rounded = _rounded(facts, state, size)
        if rounded.said:
            return rounded
        own = loss is not None and loss.name not in KNOWN
        named = f"the loss {loss.name}" if own and loss is not None else ""
        coded = any(layer.class_name == "Lambda" or layer.custom for layer in layers)
        among = f" ({named} is one)" if named else ""
        asks = (
            f"see that {named} divides by nothing that can be 0, and takes no logarithm or root of it"
            if named and not coded
            else f"see that no layer or loss of the program's own{among} divides by 0, or takes its "
            "logarithm or root, whose slope at 0 is infinite: add a small number to it"
        )
        labels = computed if computed.said else _labels(_head(facts), loss)
        return LikelyCause(
            f" The steps of {state.name}{size} have about the size of the rate, however large the "
            f"gradients are: finite gradients seldom end in NaN.{labels.said} Inputs, labels or a loss that "
            f"are not finite come {'next' if labels.said else 'first among the causes'}.",
            f"{labels.fix}{'Then' if labels.fix else 'First'} {_DATA} (np.isfinite(x).all(), "
            f"np.isfinite(y).all()), and {asks}. Train again from new weights; if NaN comes back, lower the "
            "learning rate and clip gradients (clipnorm=1.0).",
        )
    return LikelyCause()


def _rounded(facts: Facts, state: OptimizerState, size: str) -> LikelyCause:
    """Averages of squares in float16, of which those of usual gradients are 0: steps have no limit."""
    epsilon = number(state.settings.get("epsilon"))
    kept = [x for x in facts.artifact.tensors if x.role == "optimizer" and x.shape]
    half = bool(kept) and all(x.dtype == "float16" for x in kept)
    if not half or epsilon is None or epsilon >= HALF_EPSILON.value:
        return LikelyCause()
    return LikelyCause(
        f" {state.name}{size} keeps its averages in float16, in which the square of a small gradient is 0: the "
        f"step is then divided by epsilon alone, {epsilon:g}, and has no limit. Such steps come first among "
        "the causes.",
        "Train again from new weights in float32, which computes in float16 as well:\n"
        'keras.config.set_dtype_policy("mixed_float16")  # not "float16"; before the model is built\n'
        "If all has to be in float16, use a larger epsilon:\n"
        f"keras.optimizers.{state.name}(0.001, epsilon=1e-4)\nIf NaN comes back, {_DATA}.",
    )


def _head(facts: Facts) -> NetworkHead | None:
    """The head of the only output; None without one, or of several."""
    heads = output_heads(saved_graph(facts)) if facts.artifact.architecture else ()
    return heads[0] if len(heads) == 1 else None


def _computed(
    layers: Sequence[Layer], head: NetworkHead | None, loss: CompiledLoss | None
) -> LikelyCause:
    """Layers that give no numbers for finite sums: float32 has no exponential of 89, nor 0 / 0."""
    named = [
        layer.name
        for layer in layers
        if activation(layer.config.get("activation")) == "exponential"
    ]
    if named:
        more = len(named) - _LISTED
        names = ", ".join(quoted(named[:_LISTED])) + (f" and {more} more" if more > 0 else "")
        return LikelyCause(
            f" An exponential is infinite for sums above 88: the activation of {names} comes first among "
            "the causes.",
            'First use activation="relu" in place of activation="exponential".\n',
        )
    for layer in layers:
        applied = activation(layer.config.get("activation"))
        if applied in _FED_BACK and has(layer.class_name, Trait.RECURRENT):
            return LikelyCause(
                f" The state of `{layer.route}` is fed back through {applied}, which has no limit: it can grow "
                "at every step, to infinity in long sequences, which comes first among the causes.",
                f'First use activation="tanh" in `{layer.route}`.\n',
            )
    if head is None or loss is None or loss.name != "categorical_crossentropy" or loss.from_logits:
        return LikelyCause()
    if head.last != "relu":
        return LikelyCause()
    return LikelyCause(
        f" {loss.name} divides by the sum of the outputs: where all ReLUs of `{head.route}` give 0, that is "
        "0 / 0, which comes first among the causes.",
        f"First use a softmax in the last layer:\n{head.code('softmax')}\n",
    )


def _beyond(head: NetworkHead | None, loss: CompiledLoss | None) -> LikelyCause:
    """Labels that are no probabilities, where the gradient of those that are has a limit."""
    if head is None or loss is None or loss.name != "binary_crossentropy" or loss.summed:
        return LikelyCause()
    if head.last != ("linear" if loss.from_logits else "sigmoid"):
        return LikelyCause()
    return LikelyCause(
        f" Of labels from 0 to 1, the gradient of {loss.name} is at most 1 for each score of "
        f"`{head.route}`, and of others it has no limit: labels beyond 0 to 1 come first among the causes.",
        "First see that all labels are from 0 to 1 (print(y.min(), y.max())). If they are numbers, use no "
        "activation in the last layer and a loss for numbers, with targets on a scale of about 1:\n"
        f'{head.code("linear")}\nmodel.compile(loss="mean_squared_error")\n',
    )


def _labels(head: NetworkHead | None, loss: CompiledLoss | None) -> LikelyCause:
    """Numbers of classes that have no unit: on a GPU and with XLA, TensorFlow's loss of them is NaN."""
    if loss is None or loss.name not in SPARSE:
        return LikelyCause()
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
    state: OptimizerState,
    size: str,
    rate: float | None,
    loss: CompiledLoss | None,
    labels: LikelyCause,
) -> LikelyCause:
    """Of an optimizer whose steps are as large as the gradients."""
    more = f"{labels.fix}Then " if labels.fix else ""
    default = rate is not None and f"{rate:g}" == _DEFAULT_RATE
    said = " (the default)" if default else ""
    grows = (
        f", and that of {loss.name} grows with the error"
        if loss is not None and loss.name in DISTANCES - {"mean_absolute_error"}
        else ""
    )
    if rate is not None and float(f"{rate:g}") * _SMALL <= float(_DEFAULT_RATE):
        return LikelyCause(
            f" The optimizer was {state.name or 'plain gradient descent'}{size}, without a limit for "
            f"gradients.{labels.said} At so small a rate, steps overshoot only where inputs or targets are large, "
            "and a single NaN in inputs or labels ends in the same"
            f"{': the file does not tell which' if not labels.said else ''}.",
            f"{more or 'First '}{_DATA} (np.isfinite(x).all(), np.isfinite(y).all()). Then train again from new weights "
            "with inputs and targets on a scale of about 1, and clipped gradients:\n\n"
            f"    model.compile(keras.optimizers.SGD({rate:g}, clipnorm=1.0), loss=…)",
        )
    lower = f"SGD({rate / 10:g}, clipnorm=1.0)" if rate else "SGD(0.001, clipnorm=1.0)"
    return LikelyCause(
        f" The optimizer was {state.name or 'plain gradient descent'}{size}{said}, without a limit for "
        f"gradients. Its steps grow with the gradient{grows}: a step that overshoots makes the "
        f"next one larger, up to infinity.{labels.said} A learning rate that is too large for the scale of "
        f"inputs and targets comes {'next' if labels.said else 'first among the causes'}.",
        f"{more}{'train' if more else 'Train'} again from new weights with a smaller learning rate and clipped gradients, or with Adam, "
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
