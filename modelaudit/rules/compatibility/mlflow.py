"""MA802: do the model's inputs and outputs match MLflow's signature?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelaudit.facts import Artifact, Endpoint, Layer, Shape, Signature
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.architecture.layer_shapes import input_shape
from modelaudit.rules.examples import healthy
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.structs import replace

_DEFAULT = "serving_default"
_TEXT = frozenset(("string", "str", "object", "bytes"))
Pair = tuple[Endpoint, Endpoint]


def _check(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if facts.declared_signature is None:
        raise NotRelevant("no MLmodel file describes its tensors")
    own = interface_of(facts.artifact)
    if own is None:
        raise NotApplicable("the model does not declare its inputs and outputs")
    taken = _pairs(facts.declared_signature.inputs, own.inputs)
    given = _pairs(facts.declared_signature.outputs, own.outputs)
    lacking = (
        len(own.inputs) - len(facts.declared_signature.inputs)
        if facts.declared_signature.inputs
        else 0
    )
    if not taken and not given and lacking <= 0:
        raise NotApplicable("the tensor names in the MLmodel file do not match those of the model")
    keras = facts.artifact.architecture is not None
    found = [("input", each) for each in taken if not _takes(*each, keras=keras)]
    found += [("output", each) for each in given if not _fits(*each, keras=True)]
    for side, (said, port) in found:
        verb = "takes" if side == "input" else "returns"
        name = port.name or said.name
        yield rule.finding(
            f"MLflow's signature declares {_shown(said)} for {side} {name}, but the model {verb} "
            f"{_shown(port)}.",
            file=facts.declared_signature.name,
            key=f"{side} {name}",
            evidence={"signature": _shown(said), "model": _shown(port)},
        )
    if lacking > 0:
        counts = (len(facts.declared_signature.inputs), len(own.inputs))
        yield rule.finding(
            "MLflow's signature declares {} of the {} inputs that the model takes.".format(*counts),
            file=facts.declared_signature.name,
            key="inputs",
            evidence=dict(zip(("signature", "model"), counts, strict=True)),
        )


def interface_of(artifact: Artifact) -> Signature | None:
    """The model's inputs and outputs, from the Keras config or else its serving signature."""
    architecture = artifact.architecture
    if architecture is not None:
        layers = {layer.route: layer for layer in architecture.layers}
        fed = [_fed(layers[route]) for route in architecture.inputs if route in layers]
        taken = tuple(port for port in fed if port)
        if taken and len(taken) == len(architecture.inputs):
            taken = tuple(port for port in taken if not _optional(layers[port.tensor]))
            given = [layers[route] for route in architecture.outputs if route in layers]
            # The dtype that a layer computes in need not be the dtype of its output.
            outputs = (Endpoint(each.name, each.route, "", each.output_shape) for each in given)
            return Signature("", "", taken, tuple(outputs))
    served = [each for each in artifact.signatures if each.inputs]
    named = [each for each in served if each.name == _DEFAULT]
    return named[0] if named else served[0] if len(served) == 1 else None


def _fed(layer: Layer) -> Endpoint | None:
    """The input that this layer takes; None where it is no input layer and states none."""
    shape, dtype = input_shape(layer), layer.config.get("dtype")
    if shape is None and layer.class_name != "InputLayer":
        return None
    return Endpoint(layer.name, layer.route, dtype if isinstance(dtype, str) else "", shape)


def _optional(layer: Layer) -> bool:
    return layer.config.get("optional") is True


def _pairs(said: Sequence[Endpoint], own: Sequence[Endpoint]) -> list[Pair]:
    """Which tensor of the signature is which tensor of the model; [] where this is unknown."""
    if len(said) == len(own) == 1:
        return [(said[0], own[0])]
    by_name = {port.name: port for port in own}
    if len(by_name) < len(own) or {each.name for each in said} != by_name.keys():
        return []
    return [(each, by_name[each.name]) for each in said]


def _takes(said: Endpoint, port: Endpoint, *, keras: bool) -> bool:
    """Whether the model accepts some array that matches the signature.

    Keras converts numbers to the dtype that it needs, TensorFlow does not.
    """
    strict = not keras and bool(port.dtype)
    return _fits(said, port, keras=keras) and not (strict and _type(said) != _type(port))


def _type(port: Endpoint) -> str:
    return "string" if port.dtype in _TEXT else port.dtype


def _fits(said: Endpoint, port: Endpoint, *, keras: bool) -> bool:
    texts = {each.dtype in _TEXT for each in (said, port) if each.dtype}
    return len(texts) < 2 and _meet(said.shape, port.shape, loose=keras)


def _meet(a: Shape | None, b: Shape | None, *, loose: bool) -> bool:
    """Whether some array has both shapes; with `loose`, one may have an extra last axis.

    Keras adds a missing last axis; versions before 3 also remove a surplus one.
    """
    if a is None or b is None:
        return True
    short, long = sorted((a, b), key=len)
    if loose and len(long) == len(short) + 1 and long[-1] in (1, None):
        long = long[:-1]
    return len(short) == len(long) and all(
        x == y or None in (x, y) for x, y in zip(short, long, strict=True)
    )


def _shown(port: Endpoint) -> str:
    shape = "?" if port.shape is None else str(list(port.shape)).replace("None", "?")
    return f"{port.dtype} {shape}".strip()


def _described(shape: Shape) -> Facts:
    own, said = (
        Signature(_DEFAULT, "", (Endpoint("x", "x:0", "float32", each),), ())
        for each in ((None, 28, 28, 1), shape)
    )
    artifact = replace(healthy().artifact, architecture=None, signatures=(own,))
    return Facts(artifact, declared_signature=replace(said, name="MLmodel"))


RULES = (
    Rule(
        code="MA802",
        name="mlflow-signature-differs",
        family=Family.REGISTRY,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="MLflow's signature contradicts the model",
        pass_title="The model's inputs and outputs match MLflow's signature",
        why="MLflow rejects every call that does not match the signature in its `MLmodel` file. If "
        "the model takes other inputs, MLflow rejects the calls that are correct, so the model "
        "cannot be used through MLflow. Callers rely on the outputs that the signature declares.",
        fix="Log the model again with a signature inferred from its own inputs and outputs, or "
        "set the signature of the registered model:\n\n"
        "    from mlflow.models import infer_signature, set_signature\n"
        "    set_signature(MODEL_URI, infer_signature(inputs, model.predict(inputs)))",
        check=_check,
        bad=lambda: _described((None, 32, 32, 3)),
        good=lambda: _described((None, None, None, 1)),
        references=("https://mlflow.org/docs/latest/ml/model/signatures",),
    ),
)
