"""TFSMLayer, a layer of Keras 3 that wraps one signature of a SavedModel."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Signature
from modelaudit.runtimes.model import Reason

_SIGNATURES = ("serving_default", "serve")
_CAST = ("bfloat16", "float16", "float64")  # every layer of Keras 3 casts these to its own type
_BY_NAME = (
    "Call the signature with keyword arguments: `tf.saved_model.load(...).signatures[...](x=…)`."
)


def check(artifact: Artifact) -> Iterator[Reason]:
    """Reasons of the signature and its inputs."""
    signature = _serving(artifact)
    if signature is None:
        yield Reason(
            "no-signature",
            LoadOutcome.FAILS,
            "the SavedModel has no signature serving_default",
            "ValueError: The endpoint 'serving_default' is neither an attribute of the reloaded "
            "SavedModel",
            "Name another endpoint: `keras.layers.TFSMLayer(path, call_endpoint=...)`.",
        )
    elif len(signature.inputs) > 1 and not _exported(artifact):
        yield Reason(
            "several-inputs",
            LoadOutcome.FAILS,
            f"the signature {signature.name} has {len(signature.inputs)} inputs, which a TFSMLayer "
            "passes by position",
            "TypeError: Exception encountered when calling TFSMLayer.call(). …Binding inputs to "
            "tf.function failed due to `too many positional arguments`",
            _BY_NAME,
            f"signatures/{signature.name}",
        )
    elif cast := [each for each in signature.inputs if each.dtype in _CAST]:
        floats = {each.dtype for each in signature.inputs if each.dtype in (*_CAST, "float32")}
        yield Reason(
            "precision-of-input",
            LoadOutcome.FAILS,
            f"input {cast[0].name} of {signature.name} is {cast[0].dtype}, but a TFSMLayer casts "
            "inputs of floats to float32",
            fix=f"Give the layer dtype='{cast[0].dtype}'." if len(floats) == 1 else _BY_NAME,
            route=f"signatures/{signature.name}",
        )


def _serving(artifact: Artifact) -> Signature | None:
    """The signature that TFSMLayer uses by default."""
    by_name = {signature.name: signature for signature in artifact.signatures}
    return next((by_name[name] for name in _SIGNATURES if name in by_name), None)


def _exported(artifact: Artifact) -> bool:
    """Whether Keras' `export` created it: its `serve` endpoint takes one structure of inputs."""
    return artifact.provenance.exporter == "keras3-export" and any(
        signature.name == "serve" for signature in artifact.signatures
    )
