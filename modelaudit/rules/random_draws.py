"""Whether a model that is not deterministic seems meant to draw random numbers."""

from __future__ import annotations

from modelaudit.facts import Artifact
from modelaudit.rules.security.config.code_sites import code_sites

# Operations that draw samples; dropout draws uniform numbers instead.
_SAMPLERS = frozenset(
    ("Multinomial", "RandomStandardNormal", "RandomGamma", "StatelessMultinomial")
    + ("StatelessRandomNormal", "StatelessRandomNormalV2")
)
_OTHERWISE = ("nitializer", "noise", "dropout", "init/")  # scopes of initial values and noise


def draws_by_design(artifact: Artifact) -> str:
    """What may draw samples on purpose, as in a variational autoencoder or a policy; or ""."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    for layer in layers:
        if layer.custom and not layer.is_model:
            return f"its custom layer {layer.route} ({layer.class_name}) may do so on purpose"
    for site in code_sites(artifact):
        if any("random" in name.lower() for name in site.names):
            return f"the code of {site.text.site.layer or 'a Lambda layer'} does so on purpose"
    for graph in artifact.graphs if not layers else ():
        for node in graph.nodes:
            if node.op in _SAMPLERS and not any(word in node.name for word in _OTHERWISE):
                return f"{node.name} ({node.op}) may do so on purpose"
    return ""
