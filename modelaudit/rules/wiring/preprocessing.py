"""MA346: a scaling of pixels before a known base that was trained with another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from modelaudit.audit_types.values import number
from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.graphs import WHITE
from modelaudit.layer_classes import Trait, has
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.network_heads import saved_graph
from modelaudit.structs import replace
from modelaudit.thresholds.bases import OTHER_ENDS


class _Base(Struct, frozen=True):
    """A base of `keras.applications`.

    Attributes:
        name, module: how Keras calls it, and where its `preprocess_input` is.
        layers: names of layers, all of which it has.
        low, high: the ends of the range that its `preprocess_input` makes of pixels.
        said: that range in words.
    """

    name: str
    module: str
    layers: frozenset[str]
    low: float
    high: float
    said: str


def _base(name: str, module: str, layers: str, low: float, high: float, said: str) -> _Base:
    return _Base(name, module, frozenset(layers.split()), low, high, said)


_SIGNED = (-1.0, 1.0, "from -1 to 1")
_MEANS = "from 0 to 255 less the means of ImageNet, in the order BGR"
# The names of layers that keras.applications gives (Keras 3.15 and 2.9).
_BASES = (
    _base("MobileNet", "mobilenet", "conv_dw_1 conv_pw_13", *_SIGNED),
    _base("MobileNetV2", "mobilenet_v2", "block_1_expand block_13_expand Conv1", *_SIGNED),
    _base("Xception", "xception", "block1_conv1_bn block14_sepconv2", *_SIGNED),
    _base("InceptionV3", "inception_v3", "mixed0 mixed10 mixed9_1", *_SIGNED),
    _base("InceptionResNetV2", "inception_resnet_v2", "mixed_5b block35_1_mixed", *_SIGNED),
    _base("ResNetV2", "resnet_v2", "conv1_conv conv2_block1_preact_bn", *_SIGNED),
    _base(
        "ResNet",
        "resnet50",
        "conv1_conv conv2_block1_1_bn conv2_block1_out conv1_bn",
        -124.0,
        152.0,
        _MEANS,
    ),
    _base(
        "VGG", "vgg16", "block1_conv1 block1_conv2 block5_conv3 block5_pool", -124.0, 152.0, _MEANS
    ),
    _base(
        "DenseNet",
        "densenet",
        "conv2_block1_concat pool2_conv",
        -2.2,
        2.7,
        "from -2.1 to 2.6, by channel",
    ),
)


def _preprocessed(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    names = {x.name for x in graph.layers if not x.custom}
    base = next((x for x in _BASES if x.layers <= names), None)
    if base is None:
        raise NotRelevant("no base of keras.applications is in the model")
    first = next((x for x in graph.layers if x.name in base.layers or _opens(x)), None)
    if first is None:
        return
    before = [*graph.only_sources(first.route, _keeps_pixels)]
    scaled = _range(before)
    if scaled is None or _alike(scaled, base):
        return
    scaling = next(x for x in before if x.class_name == "Rescaling")
    frozen = [x for x in graph.layers if x.variables and not x.trainable]
    low, high = scaled
    yield rule.finding(
        f"`{scaling.route}` makes pixels of 0 to 255 values from {low:.3g} to {high:.3g}, and the weights of "
        f"ImageNet for {base.name}, which is behind it, are for values {base.said}. Trained from the start, "
        "it learns either.",
        route=scaling.route,
        evidence={"measured": [low, high], "expected": [base.low, base.high], "base": base.name},
        severity=Severity.LOW if frozen else Severity.INFO,
        fix=f"With weights of ImageNet, use this in place of `{scaling.name}`, and train again:\n"
        f"x = keras.applications.{base.module}.preprocess_input(inputs)",
    )


def _opens(layer: Layer) -> bool:
    return has(layer.class_name, Trait.CONVOLUTION)


def _keeps_pixels(layer: Layer) -> bool:
    keeps = Trait.KEEPS_RANGE | Trait.RESCALING | Trait.RESIZING | Trait.PADDING
    return has(layer.class_name, keeps) and not layer.custom


def _range(before: Sequence[Layer]) -> tuple[float, float] | None:
    """What the scalings before a base make of 0 and 255; None without any, or if they are not known."""
    low, high, seen = 0.0, WHITE, False
    for layer in reversed(before):
        if layer.custom or not _keeps_pixels(layer) or layer.class_name == "Normalization":
            return None
        if layer.class_name != "Rescaling":
            continue
        scale, offset = number(layer.config.get("scale")), number(layer.config.get("offset", 0.0))
        if not scale or offset is None:
            return None
        low, high, seen = low * scale + offset, high * scale + offset, True
    return (low, high) if seen else None


def _alike(scaled: tuple[float, float], base: _Base) -> bool:
    width = base.high - base.low
    ends = zip(scaled, (base.low, base.high), strict=True)
    return all(abs(one - other) <= OTHER_ENDS.value * width for one, other in ends)


def _on_base(scale: float, offset: float) -> Facts:
    scaling: dict[str, Json] = {"scale": scale, "offset": offset}
    names = ("Conv1", "block_1_expand", "block_13_expand")
    base = [replace(examples.layer(name, "Conv2D"), trainable=False) for name in names]
    pixels = examples.layer("pixels", "Rescaling", {}, scaling)
    return examples.chain(pixels, *base, examples.dense("head", "softmax"))


RULES = (
    Rule(
        code="MA346",
        name="preprocessing-of-another-base",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        needs=(Need.ARCHITECTURE,),
        summary="Pixels are scaled in another way than the base behind was trained with",
        pass_title="Pixels reach a known base as it was trained with",
        why="Each base of keras.applications was trained with a range of its own. Of other values its frozen "
        "layers give features that the head can use less.",
        fix="Use the preprocess_input of the base and train again.",
        check=_preprocessed,
        bad=lambda: _on_base(1 / 255, 0.0),
        good=lambda: _on_base(1 / 127.5, -1.0),
    ),
)
