"""MA232: what Keras 3 writes and TensorFlow.js does not read."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Artifact, Format, Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.structs import replace

# What TensorFlow.js 4.22 takes for the shape of an input.
_SHAPES = frozenset({"batch_input_shape", "batchInputShape", "input_shape", "inputShape"})


def _unread(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if facts.artifact.format is not Format.TFJS_LAYERS or facts.artifact.architecture is None:
        raise NotRelevant("only layers models of TensorFlow.js are read by it")
    causes = [*_causes(facts.artifact)]
    if causes:
        yield rule.finding(
            f"`loadLayersModel` of TensorFlow.js (up to 4.22) fails: {'; '.join(causes)}.",
            evidence={"measured": len(causes), "unit": "causes"},
        )


def _causes(artifact: Artifact) -> Iterator[str]:
    architecture = artifact.architecture
    assert architecture is not None
    for layer in architecture.layers:
        told = layer.config.keys()
        if layer.class_name == "InputLayer" and "batch_shape" in told and not _SHAPES & told:
            yield f"the input `{layer.name}` states its shape as `batch_shape`, which it ignores"
            break
    if any(isinstance(node, dict) for node in _nodes(architecture.config)):
        yield "`inbound_nodes` are objects, where it takes lists"
    prefix = f"{architecture.name}/"
    named = [each.name for each in artifact.tensors if each.role == "weight"]
    if named and all(name.startswith(prefix) for name in named):
        yield f"weights have names such as `{named[0]}`, where it looks for `{named[0][len(prefix) :]}`"


def _nodes(config: object) -> Iterator[Json]:
    """The nodes of all layers of the outer model, as they are saved."""
    inner = config.get("config") if isinstance(config, dict) else None
    layers = inner.get("layers") if isinstance(inner, dict) else None
    for layer in layers if isinstance(layers, list) else ():
        nodes = layer.get("inbound_nodes") if isinstance(layer, dict) else None
        yield from nodes if isinstance(nodes, list) else ()


def _example(key: str) -> Facts:
    config: dict[str, Json] = {key: [None, 4]}
    layers = (examples.layer("input", "InputLayer", {}, config), examples.layer("dense"))
    made = examples.model(*layers, kind=Format.TFJS_LAYERS)
    return Facts(replace(made, provenance=replace(made.provenance, keras="3.8.0")))


RULES = (
    Rule(
        code="MA232",
        name="unread-by-tensorflow-js",
        family=Family.COMPATIBILITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="TensorFlow.js does not load the config that Keras 3 wrote",
        pass_title="TensorFlow.js reads the config",
        why="The converter copies the config of the model as Keras saved it. TensorFlow.js knows "
        "that of Keras 2, in which inputs, calls and weights are written in other ways.",
        fix="Convert the model again, as tf-keras saves it: build it with tf-keras, load the weights, "
        'and pass the file of `model.save("model.h5")` to `tensorflowjs_converter '
        "--input_format keras`.",
        check=_unread,
        bad=lambda: _example("batch_shape"),
        good=lambda: _example("batch_input_shape"),
        references=("https://github.com/tensorflow/tfjs/issues/8494",),
    ),
)
