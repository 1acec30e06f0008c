"""Variables of optimizers, which files hold by their numbers: in which order a runtime keeps them.

A checkpoint has some of them by name, too (`_iterations`, `_learning_rate`, `_u_product`), and
TensorFlow takes these first. It takes the others by number, each once, and a wrong shape raises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, zip_longest

from msgspec import Struct

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format, Tensor
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.graphs import ObjectNode
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.version_bounds import NEW_OPTIMIZERS, OPTIMIZERS_BY_ONE_FUNCTION

_LIST, _STEPS, _RATE, _PRODUCT = "_variables", "_iterations", "_learning_rate", "_u_product"
_AVERAGES, _SUMS = "_model_variables_moving_average", "_accumulated_gradients"
_ROWS, _WHOLE = "_r", "_v"  # of Adafactor
_UNUSED = -2
_NADAM = "nadam"
_SCALARS = 2  # the learning rate and the product


class Kept(Struct, frozen=True):
    """A variable of an optimizer: its object in the checkpoint, and its shape."""

    index: int
    shape: tuple[int, ...] = ()


class SavedOptimizer(Struct, frozen=True):
    """An optimizer of a checkpoint."""

    node: ObjectNode
    nodes: Mapping[int, ObjectNode]
    tensors: Mapping[str, Tensor]

    def tensor(self, index: int) -> Tensor | None:
        """What the file has for an object."""
        node = self.nodes.get(index)
        attributes = node.attributes.values() if node else ()
        keys = (each.get("key", "").partition("/.ATTRIBUTES")[0] for each in attributes)
        return next((self.tensors[key] for key in keys if key in self.tensors), None)

    def named(self, name: str) -> list[Kept]:
        """The variable that it holds by name, if it holds it."""
        return [Kept(self.node.children[name])] if name in self.node.children else []

    def row(self, name: str) -> list[Kept]:
        """The variables of a list that it holds by name, in order."""
        held = self.nodes.get(self.node.children.get(name, -1))
        parts = held.children if held else {}
        numbers = [each for each in map(str, range(len(parts))) if each in parts]
        return [
            Kept(parts[each], found.shape if (found := self.tensor(parts[each])) else ())
            for each in numbers
        ]

    def by_name(self) -> set[int]:
        """Its variables that are found by name."""
        return {each.index for name in (_STEPS, _RATE, _PRODUCT) for each in self.named(name)}

    def order(self, keras3: bool, keras: tuple[int, ...]) -> list[Kept]:
        """Its variables in the order of a version of Keras; `keras3` says which one saved them."""
        averages, sums = self.row(_AVERAGES), self.row(_SUMS)
        ahead = {each.index for each in (*averages, *sums)} | self.by_name()
        slots = [each for each in self.row(_LIST) if each.index not in ahead]
        if keras3 != (keras >= (3,)):
            slots = list(self._of_generation(slots, not keras3))
        steps, rate, product = map(self.named, (_STEPS, _RATE, _PRODUCT))
        if keras < (3,):
            return [*steps, *averages, *slots]
        if OPTIMIZERS_BY_ONE_FUNCTION.covers(keras):
            return [*steps, *rate, *averages, *sums, *slots, *product]
        turns = [each for each in chain(*zip_longest(averages, sums)) if each is not None]
        return [*steps, *rate, *turns, *product, *slots]

    def _of_generation(self, slots: list[Kept], keras3: bool) -> Iterator[Kept]:
        """What the other generation keeps for the weights.

        Keras 3 keeps two numbers for each weight of one axis that Adafactor trains, and does not
        use them. (Momenta of SGD without momentum are not told from others. Keras 2 keeps these,
        too, and Keras 3 none, so that what is read by number is the learning rate alone.)
        """
        factored = {_ROWS, _WHOLE} <= self.node.children.keys()
        whole = {each.index for each in self.row(_WHOLE)}
        for slot in slots:
            if factored and keras3 and slot.index in whole and len(slot.shape) < 2:
                yield from (Kept(_UNUSED), Kept(_UNUSED))
            if keras3 or slot.shape or not factored:
                yield slot


def moved_variable(artifact: Artifact, keras3: bool, keras: tuple[int, ...]) -> str:
    """What a runtime puts into a variable of another shape, with both shapes; "" if nothing.

    `keras3` says which generation saved the checkpoint, `keras` is the version of the runtime.
    """
    nodes = {node.index: node for node in artifact.object_graph}
    tensors = {tensor.name: tensor for tensor in artifact.tensors}
    for node in nodes.values() if NEW_OPTIMIZERS.covers(keras) else ():
        if not {_LIST, _STEPS} <= node.children.keys():
            continue
        optimizer = SavedOptimizer(node, nodes, tensors)
        found = optimizer.by_name()
        pairs = zip(optimizer.row(_LIST), optimizer.order(keras3, keras), strict=False)
        for number, (one, two) in enumerate(pairs):
            if found.isdisjoint((one.index, two.index)) and one.shape != two.shape:
                return f"{_LIST}/{number} has shape {one.shape} there, and {two.shape} here"
    return ""


def other_order(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """A checkpoint of Keras 3 for a trained model in another version of Keras 3."""
    moved = moved_variable(artifact, True, context.profile.keras) if context.request.trained else ""
    if moved:
        yield Reason(
            "optimizer-in-other-order",
            LoadOutcome.FAILS,
            f"{context.profile.name} keeps the variables of the optimizer in another order: "
            f"{moved}",
            "ValueError: Received incompatible tensor with shape … when attempting to restore "
            "variable with shape …",
            "Save the weights as .weights.h5 of a model that is not compiled.",
            unless="the program reads the checkpoint before it trains the model",
        )


def nadam_in_archive(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Nadam in `.weights.h5` and `.keras` of Keras 3: its product has another number elsewhere.

    A runtime compares how many variables there are, and reads none into an optimizer that has not
    made its own. That of an archive has, with `compile=True`.
    """
    archive, request = artifact.format is Format.KERAS_ARCHIVE, context.request
    read = request.compile if archive else request.trained is not False
    early = "" if archive else "the program loads the weights before it trains the model"
    noted = mapping(mapping(artifact.extra.get("h5")).get("vars_names"))  # by Keras 3
    for group, name in noted.items() if read and context.profile.keras3 else ():
        if not (group.startswith("optimizer/") and text(name).startswith(_NADAM)):
            continue
        shapes = {
            int(number): tensor.shape
            for tensor in artifact.tensors
            if (number := tensor.name.removeprefix(f"{group}/")).isdecimal()
        }
        scalars = [number for number in shapes if number and not shapes[number]]
        if not scalars or len(scalars) > _SCALARS or len(shapes) == len(scalars) + 1:
            continue  # the model has weights without an axis, or none that are trained
        last = max(scalars) == max(shapes)
        if last is not OPTIMIZERS_BY_ONE_FUNCTION.holds(context.profile):
            yield Reason(
                "optimizer-in-other-order",
                LoadOutcome.FAILS if archive or request.trained else LoadOutcome.UNKNOWN,
                "Nadam has the product of its momenta "
                f"{'behind' if last else 'ahead of'} them in the file, and "
                f"{'ahead of' if last else 'behind'} them in {context.profile.name}",
                "ValueError: A total of … objects could not be loaded. Example error message for "
                "object <keras.src.optimizers.nadam.Nadam …>: The shape of the target variable and "
                "the shape of the target value in `variable.assign(value)` must match.",
                "Load it with compile=False, and compile the model again."
                if archive
                else "Load the weights before the model is trained.",
                unless=early,
                sign="Nadam",
            )
            return
