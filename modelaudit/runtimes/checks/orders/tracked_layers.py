"""Layers that Keras 3 has in another order than Keras 2, in HDF5 of Keras 2 for Keras 3.

Both read such weights by order. The code of a class tells the two orders of its layers, and the
file in how many turns of a loop, and under which conditions, it made them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.formats.source_code.classes import KERAS, ClassCode, SourceCode
from modelaudit.formats.source_code.kept import Arm, KeptLayer
from modelaudit.graphs import Shape
from modelaudit.layer_classes import KERNEL_AND_BIAS
from modelaudit.runtimes.checks.own_classes.file_classes import connects
from modelaudit.runtimes.checks.own_classes.kept_variables import class_of
from modelaudit.runtimes.model import CheckContext, Reason

WHOLE = "model_weights/"  # before the groups, in a file with the architecture
_MOST_LAYERS, _MOST_WAYS = 60, 512
_STATISTICS = frozenset(("moving_mean", "moving_variance"))
# Of which names the weights of a layer of Keras are, where they tell layers apart.
_NAMES = {
    "BatchNormalization": frozenset(("gamma", "beta", *_STATISTICS)),
    "LayerNormalization": frozenset(("gamma", "beta")),
    "Embedding": frozenset(("embeddings",)),
    "DepthwiseConv2D": frozenset(("depthwise_kernel", "bias")),
    **dict.fromkeys(KERNEL_AND_BIAS, frozenset(("kernel", "bias"))),
}

Layers = dict[str, list[tuple[str, Shape]]]
"""Layers in the order of a file: what follows the name of each in those of its weights, shapes."""
Route = tuple[str, ...]
_Numbered = tuple[int, int]  # the place of a layer in the code, and the turn of its loop


def tracked_layers(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first object of the program whose layers Keras 3 has in another order."""
    code = context.code
    kept = [each for listed in code.classes.values() for each in listed if each.kept[0]]
    for route, layers in _objects(artifact).items() if kept else ():
        for owner in _classes_of(route, kept, artifact, context):
            if (found := _outcome(owner, layers, code, top=not route)) is None:
                continue
            fails = found is LoadOutcome.FAILS
            whose = f"`{'/'.join(route)}` ({owner.name}, {owner.where})" if route else owner.name
            yield Reason(
                "sorted-dictionary",
                found,
                f"{whose} keeps layers in lists that it fills after it has made other layers, or "
                "sets an attribute twice: Keras 2 wrote the weights in the order in which the "
                f"attributes were set, and {context.profile.name} has the layers in the order in "
                "which they were first kept, so that some get weights of another one",
                "ValueError: Shape mismatch in layer …" if fails else "no error",
                "Load it in Keras 2 and save it there as .weights.h5.",
                "/".join(route),
            )
            return


def _objects(artifact: Artifact) -> dict[Route, Layers]:
    """The objects with layers in them, by route; () is the model itself."""
    shapes = {tensor.name: tensor.shape for tensor in artifact.tensors}
    found: dict[Route, Layers] = {}
    for group, listed in mapping(mapping(artifact.extra.get("h5")).get("groups")).items():
        for name in map(text, sequence(listed)):
            if name not in shapes:
                continue
            inside = name.removeprefix(WHOLE).removeprefix(f"{group}/")
            parts = [part.partition(":")[0] for part in inside.split("/")]
            found.setdefault((), {}).setdefault(group, []).append((inside, shapes[name]))
            for depth in range(1, len(parts) - 1):
                layers = found.setdefault(tuple(parts[:depth]), {})
                rest = "/".join(parts[depth + 1 :])
                layers.setdefault(parts[depth], []).append((rest, shapes[name]))
    return found


def _classes_of(
    route: Route, kept: list[ClassCode], artifact: Artifact, context: CheckContext
) -> list[ClassCode]:
    """The classes of which an object may be."""
    code = context.code
    if not route:
        models = [each for each in context.classes if each in kept and not connects(each, code)]
        return [each for each in models if code.base(each).rpartition(".")[2] == "Model"]
    own = class_of(route[-1], artifact, code)
    around = [class_of(each, artifact, code) for each in route[:-1]]
    within = {
        part.where
        for each in (*around, *context.classes)
        if each is not None
        for part in code.parts(each)
    }
    if own is not None and (own.where in within or not within):
        return [own] if own in kept else []  # not one whose name alone fits
    return [each for each in kept if each.where in within]


def _outcome(
    owner: ClassCode, layers: Layers, code: SourceCode, *, top: bool
) -> LoadOutcome | None:
    """What Keras 3 does with the layers of a file; None if they may come in the same order."""
    older, newer = ([each for each in order if _weighs(each, code)] for order in owner.kept)
    count = len(layers)
    if older == newer or not count or count > _MOST_LAYERS:
        return None
    loops = sorted({each.loop for each in older if each.loop})
    lines = sorted({line for each in older for line, _ in each.arms})
    if (count + 1) ** len(loops) * 2 ** len(lines) > _MOST_WAYS:
        return None
    found: set[LoadOutcome] = set()
    names = {each.place: each.name for each in older}
    for numbers in product(range(count + 1), repeat=len(loops)):
        turns = dict(zip(loops, numbers, strict=True))
        for holds in product((True, False), repeat=len(lines)):
            arms = {*zip(lines, holds, strict=True)}
            made = _made(older, turns, arms)
            if len(made) == count and all(
                _may_be(names[place], held)
                for (place, _), held in zip(made, layers.values(), strict=True)
            ):
                at = dict(zip(made, layers.values(), strict=True))
                other = [at[each] for each in _made(newer, turns, arms)]
                found.add(_read([*layers.values()], other, top=top))
    if LoadOutcome.LOADS in found:
        return None
    return min(found, key=lambda each: each.rank, default=None)


def _weighs(kept: KeptLayer, code: SourceCode) -> bool:
    return any(code.has_weights(each) for each in (kept.name, *kept.inside))


def _made(order: list[KeptLayer], turns: Mapping[int, int], arms: set[Arm]) -> list[_Numbered]:
    """The layers for so many turns of each loop, and for these conditions."""
    chosen = [each for each in order if arms.issuperset(each.arms)]
    found: list[_Numbered] = []
    while chosen:
        first = chosen[0]
        end = 1
        while first.loop and end < len(chosen):
            following = chosen[end]
            if following.loop != first.loop or following.turn < chosen[end - 1].turn:
                break
            end += 1
        run, chosen = chosen[:end], chosen[end:]
        if first.loop:
            places = [each.place for each in run if each.turn == first.turn]
            found += [(place, turn) for turn in range(turns[first.loop]) for place in places]
        else:
            found.append((first.place, 0))
    return found


def _may_be(name: str, weights: list[tuple[str, Shape]]) -> bool:
    """Whether weights of these names may be those of a layer of the class."""
    known = _NAMES.get(name.rpartition(".")[2]) if name.startswith(KERAS) else None
    if known is None:
        return True
    own = {rest.rpartition("/")[2].partition(":")[0] for rest, _ in weights}
    statistics = name.endswith(".BatchNormalization") == bool(own & _STATISTICS)
    return own <= known and (statistics or "Normalization" not in name)


def _read(
    saved: list[list[tuple[str, Shape]]], other: list[list[tuple[str, Shape]]], *, top: bool
) -> LoadOutcome:
    """What becomes of layers whose weights are read for others."""
    if saved == other and all(one is two for one, two in zip(saved, other, strict=True)):
        return LoadOutcome.LOADS
    if top:  # layer by layer
        same = [_shapes(each) for each in saved] == [_shapes(each) for each in other]
    else:
        same = all(
            [shape for layer in saved for shape in _shapes(layer, learnt)]
            == [shape for layer in other for shape in _shapes(layer, learnt)]
            for learnt in (True, False)
        )
    return LoadOutcome.DIFFERS if same else LoadOutcome.FAILS


def _shapes(layer: list[tuple[str, Shape]], learnt: bool | None = None) -> list[Shape]:
    """The shapes of the weights of a layer: of all, of those that are learnt, or of the others."""
    return [
        shape
        for name, shape in layer
        if learnt is None or learnt != (name.rpartition("/")[2].partition(":")[0] in _STATISTICS)
    ]
