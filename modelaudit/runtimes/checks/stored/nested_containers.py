"""Layers in lists of lists: `.weights.h5` and `.keras` of Keras 3.15 have them, older ones do not.

An attribute of a layer can be a list of lists of layers, or a dictionary of lists. Keras up to 3.14
looks into the outer list only. 3.15 names the groups of the inner ones `container`. A model also
has its layers in one list, where older versions look for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format
from modelaudit.formats.keras.json_config import mapping
from modelaudit.runtimes.checks.stored.object_paths import weights
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.version_bounds import CONTAINERS_READ

ARCHIVES = (Format.KERAS_ARCHIVE, Format.WEIGHTS_H5_V3)
_INNER = re.compile(r"((?:.*/)?([^/]+))/container(?:_[0-9]{1,6})?(?=/)")


def unsaved_inner_lists(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Layers in a list of lists, by the code of a class, of which an archive has no weights.

    A model of Keras 3 has all its layers in one list, which the file has instead.
    """
    code, by_keras3 = context.code, context.writer is None or context.writer.keras3
    parts = {part for tensor in weights(artifact) for part in tensor.name.split("/")}
    for owner in context.classes if artifact.format in ARCHIVES else ():
        for kind in code.parts(owner):
            flat = by_keras3 and code.base(kind).rpartition(".")[2] != "Layer"
            for made in kind.made if not flat else ():
                if made.inner and made.attribute not in parts and code.makes_weights(made):
                    yield Reason(
                        "layers-in-inner-lists",
                        LoadOutcome.DIFFERS,
                        f"{kind.name} ({kind.where}) keeps layers in {made.attribute}, a list of "
                        "lists or a dictionary of them, which Keras before 3.15 did not save: they "
                        "keep random values",
                        "no error",
                        "Keep the layers in one list, and train again.",
                    )
                    return


def nested_containers(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first such attribute, for a version that does not look for it."""
    noted = mapping(mapping(artifact.extra.get("h5")).get("vars_names"))
    for tensor in weights(artifact) if not CONTAINERS_READ.holds(context.profile) else ():
        found = _INNER.match(tensor.name)
        if found is None or f"{found[0]}/vars" in noted:  # a layer of a class Container
            continue
        holder, attribute = found[1].rpartition("/")[0], found[2]
        yield Reason(
            "layers-in-inner-lists",
            LoadOutcome.DIFFERS if holder else LoadOutcome.FAILS,
            f"{attribute} of {f'`{holder}`' if holder else 'the model'} is a list of lists of "
            f"layers or a dictionary of them, of which {context.profile.name} reads none"
            + (": they keep random values" if holder else " under this name"),
            "no error"
            if holder
            else "ValueError: A total of … objects could not be loaded. … but received 0 variables "
            "during loading",
            "Keep the layers in one list, train or load the weights again with Keras 3.15, and "
            "save them from there.",
            holder,
        )
        return
