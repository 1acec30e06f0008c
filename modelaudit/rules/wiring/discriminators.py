"""MA344: a generator that is trained together with its discriminator."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from modelaudit.facts import Architecture, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import BINARY, compiled_losses, named_outputs
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.named_losses import of_critic
from modelaudit.rules.network.network_heads import output_heads, saved_graph
from modelaudit.structs import replace

_DISCRIMINATORS = re.compile("discriminat|critic|^(d|netd|d_model|disc)$")
_IMAGE = 4  # axes of a batch of images
_ROW = 2  # axes of a batch of vectors


def _discriminators(rule: Rule, facts: Facts) -> Iterator[Finding]:
    architecture = facts.artifact.architecture
    models = _in_a_row(architecture) if architecture else ()
    if architecture is None or len(models) != 2:
        raise NotRelevant("the model is not one of two models in a row")
    first, second = models
    inside = [x for x in architecture.layers if x.route.startswith(f"{second.route}/")]
    (loss,) = compiled_losses(facts.artifact.training, named_outputs(architecture))
    heads = output_heads(saved_graph(facts))
    adversarial = loss is not None and (loss.name in BINARY or of_critic(loss))
    one = len(heads) == 1 and heads[0].units == 1
    named = _DISCRIMINATORS.search(second.name.lower()) is not None
    if not one or not adversarial or not (named or _makes_images(architecture, first)):
        raise NotRelevant("no discriminator follows a generator")
    weighed = [x for x in inside if x.variables]
    if not weighed or not second.trainable or not all(x.trainable for x in weighed):
        return
    yield rule.finding(
        f"This model, compiled as a whole, is `{first.name}` with `{second.name}` behind it, and both are "
        f"trainable: a step that is to make `{first.name}` better also teaches `{second.name}` to accept "
        "what it makes.",
        route=second.route,
        evidence={
            "measured": len(weighed),
            "unit": "trainable layers",
            "loss": loss.name if loss else None,
        },
        confidence=Confidence.MEDIUM if named else Confidence.LOW,
        fix=f"Before this model is compiled, freeze the discriminator, which keeps its own compiled state:\n"
        f"{_variable(second)}.trainable = False",
    )


def _variable(layer: Layer) -> str:
    return layer.name if layer.name.isidentifier() else "discriminator"


def _in_a_row(architecture: Architecture) -> Sequence[Layer]:
    """The inner models, if the model is nothing but these one after another."""
    outer = [x for x in architecture.layers if "/" not in x.route and x.class_name != "InputLayer"]
    if not all(x.is_model for x in outer) or len(architecture.outputs) != 1:
        return ()
    return outer


def _makes_images(architecture: Architecture, model: Layer) -> bool:
    """Whether a model makes images of vectors, as a generator does of noise."""
    inside = [x for x in architecture.layers if x.route.startswith(f"{model.route}/")]
    shapes = [x.output_shape for x in inside if x.output_shape]
    given = [x.input_shapes[0] for x in inside if x.input_shapes][:1] or shapes[:1]
    return bool(given and shapes) and len(given[0]) == _ROW and len(shapes[-1]) == _IMAGE


def _adversarial(*, frozen: bool) -> Facts:
    def inside(model: str, name: str, **more: int) -> Layer:
        found = examples.layer(f"{model}/{name}", config={"activation": "sigmoid", **more})
        return replace(found, name=name, trainable=not (frozen and model == "discriminator"))

    outer = [
        replace(examples.layer(x, "Sequential", {}), is_model=True)
        for x in ("generator", "discriminator")
    ]
    layers = (
        outer[0],
        inside("generator", "made", units=8),
        replace(outer[1], inbound=(("generator",),), trainable=not frozen),
        inside("discriminator", "real", units=1),
    )
    made = examples.model(*layers)
    assert made.architecture is not None
    ends = replace(made.architecture, outputs=("discriminator",))
    return Facts(replace(made, architecture=ends, training={"loss": "binary_crossentropy"}))


RULES = (
    Rule(
        code="MA344",
        name="discriminator-trained-with-generator",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        needs=(Need.ARCHITECTURE,),
        summary="A generator is trained together with its discriminator",
        pass_title="The discriminator is frozen in the model that trains the generator",
        why="The labels of a generator's step say that its images are real. If the discriminator learns from them "
        "as well, it learns to say so of all images.",
        fix="Set trainable = False in the discriminator before the joint model is compiled.",
        check=_discriminators,
        bad=lambda: _adversarial(frozen=False),
        good=lambda: _adversarial(frozen=True),
    ),
)
