"""What training left in the file: steps, learning rate, and the optimizer's averages of gradients.

Adam keeps for each weight the averages m of its gradients and v of their squares
(arXiv:1412.6980), RMSprop only v, SGD with momentum a sum of steps. All are read from their
statistics alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from modelaudit.audit_types.values import number
from modelaudit.facts import Artifact, Format, Json, Tensor
from modelaudit.measures.slots_of_tf1 import BETAS, NORMAL, slot_scope, steps_of_powers
from modelaudit.measures.weights_in_order import natural, owned_weights, weight_orders
from modelaudit.structs import PerObject

_WITH_STATE = (Format.KERAS_ARCHIVE, Format.LEGACY_H5_FULL, Format.SAVEDMODEL_TF2)
# Keras 3 leaves the optimizer out of the config of a model that was saved as .h5 before.
_RATE = re.compile(r"(^|/)_?(learning_rate|lr)(:0)?$|^optimizer/(inner_optimizer/)?vars/1$")
_ITERATIONS = re.compile(r"(^|/)_?iter(ation)?s?(:0)?$|^optimizer/(inner_optimizer/)?vars/0$")
# An optimizer that scales the loss counts and keeps nothing itself: the one inside does.
_INSIDE = "optimizer/inner_optimizer/"
_SCALES_LOSS = re.compile(r"(^|/)loss_scale_optimizer(_\d+)?/")
_NUMBERED = re.compile(r"(^|/)_?(vars|variables)/\d+$")
_IN_BLOCKS = re.compile(r"(^|/)Variable(_\d+)?(:0)?$")  # Keras 2.0 to 2.2: of all weights in turn
_OF_STEPS = frozenset(("sgd", "lion"))  # which keep no squares, even where what they keep is 0
# Names of m or of v, as a part of a path or as the end of a name.
_FIRST = re.compile(r"(/m(?=/)|/m(?=:0$|$)|_momentum$|/momentum(?=[/:]|$)|/Adam$|/Momentum$)")
SQUARES = {
    "Adagrad": re.compile(r"_accumulator$|/accumulator(?=[/:]|$)"),
    "Adadelta": re.compile(r"_accumulated_grad$|/accum(?:ulated)?_grad(?=[/:]|$)"),
}
"""Names of what optimizers of sums, or of averages beside those of steps, divide by."""
_SECOND = re.compile(
    r"(/v(?=/)|/v(?=:0$|$)|_velocity$|/velocity(?=[/:]|$)|/rms(?=[/:]|$)|/Adam_1$|/RMSProp$"
    f"|{'|'.join(each.pattern for each in SQUARES.values())})"
)
# TensorFlow 1 names slots after the optimizer, and the powers of the betas of Adam.
_TF1_SLOT = re.compile(r"/(Adam|RMSProp|Momentum)(_1)?$")
_OF_TENSORFLOW = re.compile(r"2\.(?:\d+\.\d+-tf|(?:[4-9]|\d\d)\.)")  # versions of tf.keras
_POWER = re.compile(r"(^|/)beta([12])_power(_\d+)?$")


class WeightMoments(Struct, frozen=True):
    """The optimizer's averages for one weight; None where it keeps none.

    Attributes:
        route: the layer, or the tensor where the layer is unknown.
        role: kernel, bias and so on; empty where it is unknown.
        shape: of the weight.
        first: largest magnitude of the average gradient.
        typical: root mean square of the average gradients; 0 where it keeps none.
        second: largest average of squared gradients.
        mean_second: mean of these.
        zeros: number of entries whose average of squared gradients is exactly 0.
        faded: of a vector, number of entries whose average of gradients (of squares, where it is
            the only one) has faded to nothing.
        squares: name of the tensor of averages of squared gradients; empty without one.
        mean_first: mean of the average gradients; 0 where it keeps none.
        nonfinite: whether an average is NaN or infinite, so that each step is 0 or NaN.
        averages: name of the tensor of averages of gradients; empty without one.
        still: number of entries whose average of gradients is exactly 0.
    """

    route: str
    role: str
    shape: tuple[int, ...]
    first: float | None = None
    second: float | None = None
    mean_second: float | None = None
    zeros: int = 0
    faded: int = 0
    squares: str = ""
    typical: float = 0.0
    mean_first: float = 0.0
    nonfinite: bool = False
    averages: str = ""
    still: int = 0


class OptimizerState(Struct, frozen=True):
    """Attributes:
    name: class of the optimizer, such as Adam; empty if the file does not say.
    steps: steps since it was compiled; None if they are not stored.
    rate: the learning rate when the model was saved; None if unknown.
    settings: its config.
    many_steps: whether what starts at 1, the powers of Adam's betas or the averages of RMSProp in
        TensorFlow 1, has fallen to nothing.
    moments: for all weights that it trained, in the order of the layers.
    """

    name: str = ""
    steps: int | None = None
    rate: float | None = None
    settings: Mapping[str, Json] = {}
    moments: tuple[WeightMoments, ...] = ()
    many_steps: bool = False


def clips_to_zero(artifact: Artifact, config: Mapping[str, Json]) -> bool:
    """Whether its Keras takes a limit of 0 for gradients at its word.

    The optimizers of TensorFlow 2.0 to 2.10 do, which are called legacy since. All others do not
    clip then.
    """
    then = _OF_TENSORFLOW.match(artifact.provenance.keras or "") is not None
    return then and "jit_compile" not in config


def _find(artifact: Artifact) -> OptimizerState | None:
    """The state of the one optimizer in the file; None if there is none, or several."""
    name, settings = compiled_optimizer(artifact.training)
    stored = [t for t in artifact.tensors if t.role == "optimizer" and t.stats is not None]
    stored = [t for t in stored if t.name.startswith(_INSIDE)] or [
        t for t in stored if t.shape or not _SCALES_LOSS.search(t.name)
    ]
    if not name and (named := {m[1] for t in stored if (m := _TF1_SLOT.search(t.name))}):
        return _of_tf1(artifact, stored, named)
    counts = [t for t in stored if _ITERATIONS.search(t.name) and t.size == 1]
    if not counts and not name:  # TensorFlow 1 counts beside its optimizers
        counts = [
            t for t in artifact.tensors if t.name == "global_step" and t.stats and not t.shape
        ]
    if len(counts) > 1 or not (name or counts):
        return None
    steps = counts[0].stats.maximum if counts and counts[0].stats else None
    given = settings.get("learning_rate", settings.get("lr"))
    rate = number(given)
    for tensor in stored if rate is None and "learning_rate" not in settings else ():
        if not tensor.shape and tensor.stats and _RATE.search(tensor.name):
            rate = tensor.stats.maximum
    slots = sorted((t for t in stored if t.shape), key=lambda t: natural(t.name))
    if name == "Adadelta" or (not name and _accumulates(slots)):
        name, slots = "Adadelta", _without_steps(slots)
    return OptimizerState(
        name,
        _count(steps),
        rate,
        settings,
        tuple(_moments(artifact, slots)),
    )


optimizer_state = PerObject(_find)


def _count(steps: float | None) -> int | None:
    """A stored number of steps; None if it is none."""
    return round(steps) if steps is not None and 0 <= steps < math.inf else None


def _of_tf1(
    artifact: Artifact, stored: Sequence[Tensor], names: Collection[str]
) -> OptimizerState | None:
    """The state of an optimizer of TensorFlow 1; None if there are several."""
    powers = [(m[2], t.stats.maximum) for t in stored if t.stats and (m := _POWER.search(t.name))]
    if len(names) > 1 or len(powers) != 2 * ("Adam" in names):
        return None
    count = next((t.stats for t in artifact.tensors if t.name == "global_step" and t.stats), None)
    steps = _count(count.maximum if count else None)
    one, two = (dict(powers).get(n, math.inf) for n in "12")
    told = steps_of_powers(one, two)
    settings: dict[str, Json] = {} if told is None else {**BETAS}
    steps = _count(told) if steps is None else steps
    slots = [t for t in stored if t.shape and _TF1_SLOT.search(t.name)]
    (name,) = names
    if name == "RMSProp":
        settings = {"rho": 0.9}
    moments = tuple(_moments(artifact, slots, slot_scope(artifact, slots)))
    fallen = name == "RMSProp" and any(each.zeros or each.faded for each in moments)
    many = fallen or all(abs(power) < NORMAL for power in (one, two))
    return OptimizerState(name, steps, None, settings, moments, many)


def never_stepped(artifact: Artifact) -> bool:
    """Whether a whole model was saved with compile settings, but without a trace of a step.

    Keras saves the state of the optimizer with the settings. It is absent or 0 in a part that only
    a larger model trained, such as an encoder or a generator, and after compiling again.
    """
    if not artifact.training or artifact.format not in _WITH_STATE:
        return False
    state = optimizer_state(artifact)
    stored = [t for t in artifact.tensors if t.role == "optimizer"]
    slots = [t.stats for t in stored if t.size > 1]
    # Only steps tell that SGD was used, which keeps nothing else: they may be lost with the data.
    lost = any(t.stats is None and _ITERATIONS.search(t.name) for t in stored)
    unknown = lost and (state is None or state.name == "SGD")
    stepped = unknown or (state is not None and state.steps)
    return not stepped and all(stats is not None and stats.constant for stats in slots)


def _accumulates(slots: Sequence[Tensor]) -> bool:
    """Whether they are pairs of averages of squared gradients and steps (arXiv:1212.5701)."""
    stats = [slot.stats for slot in slots if slot.stats]
    pairs = [slot.shape for slot in slots[::2]] == [slot.shape for slot in slots[1::2]]
    numbered = all(_NUMBERED.search(slot.name) for slot in slots)
    return (
        bool(slots) and numbered and pairs and all(s.minimum >= 0 and s.maximum > 0 for s in stats)
    )


def _without_steps(slots: Sequence[Tensor]) -> list[Tensor]:
    """Adadelta's averages of squared gradients; those of its squared steps follow each of them.

    Slots with names say themselves what they hold.
    """
    numbered = all(_NUMBERED.search(slot.name) for slot in slots)
    return [*(slots[::2] if numbered else slots)]


def compiled_optimizer(
    training: Mapping[str, Json] | None,
) -> tuple[str, Mapping[str, Json]]:
    """Class and config of the compiled optimizer, as all generations of Keras save them.

    Of one that scales the loss of mixed precision, they are those of the one inside.
    """
    saved = (training or {}).get("optimizer_config", (training or {}).get("optimizer"))
    while isinstance(saved, dict):
        held = saved.get("config")
        config = held if isinstance(held, dict) else {}
        if "inner_optimizer" not in config:
            return str(saved.get("class_name", "")).rpartition(">")[2], config
        saved = config["inner_optimizer"]
    return str(saved or ""), {}


def _moments(
    artifact: Artifact, slots: Sequence[Tensor], scope: str = ""
) -> Iterator[WeightMoments]:
    for pattern, match in ((_NUMBERED, _by_number), (_IN_BLOCKS, _by_blocks)):
        if slots and all(pattern.search(slot.name) for slot in slots):
            steps = compiled_optimizer(artifact.training)[0].lower() in _OF_STEPS
            for weights in weight_orders(artifact):
                if found := list(match(weights, slots, steps)):
                    yield from found
                    return
            return
    model = f"{_plain(artifact.architecture.name)}_" if artifact.architecture else ""
    firsts, seconds = (
        {_kept_for(s.name.removeprefix(scope), kind).removeprefix(model): s for s in slots}
        for kind in (_FIRST, _SECOND)
    )
    for route, role, tensor in owned_weights(artifact):
        key = _longest_end(_plain(tensor.name), {*firsts, *seconds})
        first, second = firsts.get(key), seconds.get(key)
        if first is not None or second is not None:
            yield _summed(route, role, first, second)


def _plain(name: str) -> str:
    """A name with one kind of separator, such as `dense_kernel`."""
    return name.removesuffix(":0").replace("/", "_").lower()


def _kept_for(name: str, kind: re.Pattern[str]) -> str:
    """The plain name of the weight that a slot of one kind is for; of other slots, a space."""
    owner, mark, slot = name.partition("/.OPTIMIZER_SLOT/")  # of object-based checkpoints
    if not kind.search(f"/{slot.rpartition('/')[2]}" if mark else name):
        return " "
    if mark:
        return _plain(owner)
    if tf1 := _TF1_SLOT.search(name):
        return _plain(name[: tf1.start()])
    # Others begin with the optimizer that they belong to, with the kind of slot if its variables
    # were made outside a training, or, of Keras 3.0 to 3.2, with the weight.
    inside = f"/{name.removeprefix('optimizer_weights/').removeprefix('training/')}"
    inside = _SCALES_LOSS.sub("/", inside)
    owner = kind.sub("", inside).removeprefix("/")
    alone = kind.match(inside) or "/" not in owner
    return _plain(owner if alone else owner.partition("/")[2]) or " "


def _longest_end(name: str, keys: Collection[str]) -> str:
    """The longest key that `name` ends with, at a separator."""
    for place in [0, *(found.end() for found in re.finditer("_", name))]:
        if name[place:] in keys:
            return name[place:]
    return ""


def _by_number(
    weights: Sequence[tuple[str, str, Tensor]], slots: Sequence[Tensor], steps: bool
) -> Iterator[WeightMoments]:
    """Slots that are only numbered: those of one weight follow each other."""
    shapes = [slot.shape for slot in slots]
    for each in (1, 2, 3):
        wanted = [tensor.shape for _, _, tensor in weights]
        if len(slots) % each or [s for s in wanted for _ in range(each)] != shapes:
            continue
        if each > 1 and any(s.stats and s.stats.minimum < 0 for s in slots[1::each]):
            return  # no averages of squares: the moving averages of weights, or another order
        for index, (route, role, _) in enumerate(weights):
            kept = slots[index * each : (index + 1) * each]
            signed = steps or each > 1 or any(s.stats and s.stats.minimum < 0 for s in slots)
            second = kept[1] if each > 1 else None if signed else kept[0]
            yield _summed(route, role, kept[0] if signed else None, second)
        return


def _by_blocks(
    weights: Sequence[tuple[str, str, Tensor]], slots: Sequence[Tensor], steps: bool
) -> Iterator[WeightMoments]:
    """Slots in blocks: the first ones of all weights, the second ones, and those of AMSGrad."""
    wanted, count = [tensor.shape for _, _, tensor in weights], len(weights)
    blocks = [slots[start : start + count] for start in range(0, len(slots), max(count, 1))]
    used = blocks[:2] if len(blocks) > 2 else blocks  # without AMSGrad, the third are placeholders
    if not used or any([slot.shape for slot in block] != wanted for block in used):
        return
    alone = steps and len(used) == 1
    signed = [alone or any(s.stats and s.stats.minimum < 0 for s in block) for block in used]
    if len(used) == 2 and signed[1]:
        return
    first = used[0] if signed[0] or len(used) == 2 else ()
    second = used[-1] if not signed[-1] else ()
    for index, (route, role, _) in enumerate(weights):
        yield _summed(
            route, role, first[index] if first else None, second[index] if second else None
        )


def _summed(route: str, role: str, first: Tensor | None, second: Tensor | None) -> WeightMoments:
    kept = first or second
    m = first.stats if first else None
    v = second.stats if second else None
    return WeightMoments(
        route,
        role,
        kept.shape if kept else (),
        max(abs(m.minimum), abs(m.maximum)) if m else None,
        v.maximum if v else None,
        v.mean if v else None,
        v.zeros if v else 0,
        used.faded if (used := m or v) else 0,
        second.name if second else "",
        math.hypot(m.mean, m.std) if m else 0.0,
        m.mean if m else 0.0,
        bool((m and m.nonfinite) or (v and v.nonfinite)),
        first.name if first else "",
        m.zeros if m else 0,
    )
