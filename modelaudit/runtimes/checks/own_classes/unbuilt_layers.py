"""Layers inside a class of the program that Keras 3 does not build while it loads a model.

Keras 3 connects a model without computing anything: it asks a layer for the shape of its output.
The layers inside are built when it traces the layer's `call` for that, which it does not do where
the class has a `compute_output_shape`, or else by the layer's own `build`. It does not call a model
with a `build` of its own that it reads from an archive either: what this leaves out stays random.
"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.formats.source_code.classes import KERAS, ClassCode, MadeLayer
from modelaudit.formats.source_code.methods import ANY_ATTRIBUTE
from modelaudit.layer_classes import Trait, has
from modelaudit.runtimes.checks.own_classes.given_code import code_of
from modelaudit.runtimes.checks.own_classes.refused_code import needs_training
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import Config, is_model, nodes_in
from modelaudit.terminal_text import first_of

_BUILD, _CALL = "build", "call"
_CONNECTED = frozenset(("inbound_nodes",))  # of a layer in a model that connects it
_STACKED = ("StackedRNNCells",)
_MODEL, _RESTORES = "Model", "build_from_config"
_SHAPES = ("compute_output_shape", "compute_output_spec")


def check(
    config: Config, artifact: Artifact, context: CheckContext, archive: bool
) -> Iterator[Reason]:
    """Own layers whose inner layers have no weights when the file is read into them."""
    if not context.profile.keras3 or not context.code.classes:
        return
    kept = [tensor.name for tensor in artifact.tensors if tensor.role == "weight"]
    cells = {id(cell) for node in nodes_in(dict(config)) for cell in _cells(node)}
    if archive and mapping(config.get("build_config")):
        yield from _of_model(config, kept, context)
    if archive:
        yield from _of_no_layer(config, kept, context)
    for node in nodes_in(dict(config)):
        code = code_of(node, context)
        if code is None or not context.code.base(code).startswith(KERAS):
            continue
        cell = id(node) in cells
        unbuilt = [*_unbuilt(code, node, context, cell)]
        if not unbuilt:
            continue
        name = text(mapping(node.get("config")).get("name")) or code.name
        of_file = [each for each in kept if f"/{name}/" in f"/{each}"]
        if archive:
            stored = any(_keeps(each, made.attribute) for made in unbuilt for each in kept)
        elif cell:
            stored = bool(kept)
        else:
            own = context.code.weights(code)
            stored = any(each.rpartition("/")[2].partition(":")[0] not in own for each in of_file)
        yield _reason(code, name, unbuilt, stored, cell, context)


def never_built(node: Config, context: CheckContext) -> str:
    """Why Keras 3 builds no layer of a subclass of Model that it reads from an archive; "" if so.

    It builds a model that is not connected by its `call`, if the model is not built yet, and does
    not mind when this fails. No layer has weights then, and none takes those of the file.
    """
    code = code_of(node, context)
    if code is None or not context.profile.keras3 or _CONNECTED & node.keys():
        return ""
    if context.code.base(code).rpartition(".")[2] != _MODEL or is_model(node):
        return ""
    if any(context.code.defines(code, each) is not False for each in (_BUILD, _RESTORES)):
        return ""
    lineage = (each for each in context.code.lineage(code) if isinstance(each, ClassCode))
    if any(each.builds_itself for each in lineage):
        return "calls `self.build` in its constructor, which marks it as built"
    if needs_training(code, context.code):
        return "has a `call` with no default for `training`, so that Keras cannot call it"
    return ""


def _of_no_layer(config: Config, kept: list[str], context: CheckContext) -> Iterator[Reason]:
    why, code = never_built(config, context), code_of(config, context)
    if why and kept and code is not None:
        yield Reason(
            "inner-layers-not-built",
            LoadOutcome.DIFFERS,
            f"{code.name} ({code.where}) {why}: {context.profile.name} builds none of its layers "
            "while it reads the archive, and they get new random weights at their first call",
            "no error",
            "Build the model from code, call it once, and load the weights.",
        )


def _of_model(config: Config, kept: list[str], context: CheckContext) -> Iterator[Reason]:
    """A subclass of Model whose own `build` leaves layers without weights."""
    code = code_of(config, context)
    if code is None or context.code.base(code).rpartition(".")[2] != _MODEL:
        return
    if context.code.defines(code, _BUILD) is not True or context.code.defines(code, _RESTORES):
        return
    lineage = [each for each in context.code.lineage(code) if isinstance(each, ClassCode)]
    built = frozenset().union(*(each.built for each in lineage))
    unbuilt = [] if {_CALL, ANY_ATTRIBUTE} & built else [*_left(lineage, built, context)]
    if unbuilt and kept:
        listed = first_of([f"`{each.attribute}`" for each in unbuilt], 4)
        yield Reason(
            "inner-layers-not-built",
            LoadOutcome.DIFFERS,
            f"{code.name} ({code.where}) is a model with a `build` of its own, so "
            f"{context.profile.name} does not call it while it reads the archive, and this `build` "
            f"does not build {listed}: they get new random weights at their first call",
            "no error",
            f"Delete the `build` of {code.name}, or build {listed} there; or build the model from "
            "code, call it once, and load the weights.",
        )


def _cells(node: Config) -> Iterator[Config]:
    """The cells of a recurrent layer, which it builds without a call."""
    config = mapping(node.get("config"))
    name = text(node.get("class_name"))
    if name in _STACKED or has(name, Trait.RECURRENT):
        yield from map(mapping, (config.get("cell"), *sequence(config.get("cells"))))


def _keeps(tensor: str, attribute: str) -> bool:
    start = attribute.removesuffix(ANY_ATTRIBUTE)
    return f"/{start}" in tensor if start != attribute else f"/{attribute}/" in tensor


def _reason(
    code: ClassCode,
    name: str,
    unbuilt: list[MadeLayer],
    stored: bool,
    cell: bool,
    context: CheckContext,
) -> Reason:
    listed = first_of([f"`{each.attribute}`" for each in unbuilt], 4)
    missing = "the weights in the file have no place"
    if not stored:
        missing = "the file has no weights of them, and they get new random ones"
    why = "is the cell of another layer" if cell else "has a `compute_output_shape`"
    return Reason(
        "inner-layers-not-built",
        LoadOutcome.FAILS if stored else LoadOutcome.DIFFERS,
        f"`{name}` ({code.name}, {code.where}) {why}, so {context.profile.name} does not trace its "
        f"`call`, and its `build` does not build {listed}: {missing}",
        "ValueError: …" if stored else "no error",
        f"Build the inner layers in the `build` of {code.name} "
        f"(`self.{unbuilt[0].attribute}.build(shape)`)"
        f"{'' if cell else ', or delete its `compute_output_shape`'}.",
        name,
    )


def _unbuilt(
    code: ClassCode, node: Config, context: CheckContext, cell: bool
) -> Iterator[MadeLayer]:
    """Attributes with weights that no `build` makes."""
    if not (cell or any(context.code.defines(code, each) for each in _SHAPES)):
        return
    own_build = context.code.defines(code, _BUILD)
    if not (cell or own_build or node.get("build_config")):
        return  # it is traced by the build of Keras
    lineage = [each for each in context.code.lineage(code) if isinstance(each, ClassCode)]
    built = frozenset().union(*(each.built for each in lineage))
    yield from _left(lineage, built, context)


def _left(
    lineage: list[ClassCode], built: frozenset[str], context: CheckContext
) -> Iterator[MadeLayer]:
    """Attributes with weights that are not among those that a `build` builds."""
    for owner in lineage:
        for made in owner.made:
            loop = made.attribute.endswith(ANY_ATTRIBUTE) and ANY_ATTRIBUTE in built
            if made.method != _CALL and made.attribute not in built and not loop:
                yield from (made,) if context.code.makes_weights(made) else ()
