"""Python objects that a config names indirectly: as a dotted string or as a registered name.

Keras itself does not look up either. Old and third-party loaders do, and no legitimate config
contains `os.system` where an activation belongs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelaudit.facts import Artifact
from modelaudit.rules.security.config.capabilities import abilities
from modelaudit.rules.security.config.module_lists import GET_FILE, STANDARD, UNSAFE
from modelaudit.rules.security.config.object_references import ObjectReference
from modelaudit.rules.security.config_walk import ConfigText, PerArtifact, config_tree

_DOTTED = re.compile(r"(?:[^\W\d]\w*+\.)*+[^\W\d]\w*+")
# Keys whose values can be functions; lists of words can contain anything.
_FUNCTIONS = re.compile(
    r"(?:\w+_)?(?:function|fn|activation|initializer|regularizer|constraint|loss|metrics?"
    r"|standardize|split|callable)(?:/\d+)*"
)


def _find(artifact: Artifact) -> tuple[ObjectReference, ...]:
    found = config_tree(artifact)
    return (
        *(reference for text in found.texts for reference in _in_text(text)),
        *(
            ObjectReference(site, package, name, class_name == "function")
            for site in found.sites
            if isinstance(registered := site.value.get("registered_name"), str)
            and (class_name := site.value.get("class_name"))
            and not site.value.get("module")
            for package, _, name in [registered.rpartition(">")]
            if package.partition(".")[0] in STANDARD
        ),
    )


def _in_text(text: ConfigText) -> Iterator[ObjectReference]:
    if not _FUNCTIONS.fullmatch(text.key) or not _DOTTED.fullmatch(text.value):
        return
    if text.site.parent is not None and text.site.parent.class_name == "TFOpLambda":
        return  # a name of TensorFlow's, such as `io.decode_png`
    module, _, name = text.value.rpartition(".")
    root = module.partition(".")[0]
    if name in {GET_FILE, UNSAFE}:
        if not isinstance(text.site.value.get("module"), str):  # else it is a complete reference
            yield ObjectReference(text.site, module, name, True)
    elif root in STANDARD and abilities((root, name)):
        yield ObjectReference(text.site, module, name, True)


named = PerArtifact(_find)
"""Hostile objects that strings and registered names in an artifact's configs refer to."""
