"""Names of a checkpoint's variables in the program that saved it."""

from __future__ import annotations

from modelaudit.facts import Artifact
from modelaudit.formats.keras.json_config import mapping
from modelaudit.graphs import VARIABLE_KEY_END


def saved_variable_names(artifact: Artifact) -> dict[str, str]:
    """For a checkpoint: tensor name -> variable name in the program that saved it."""
    entries = mapping(artifact.extra.get("restore")).get("names")
    found = {}
    for entry in entries if isinstance(entries, list) else []:
        name, key = mapping(entry).get("full_name"), mapping(entry).get("key")
        if isinstance(name, str) and name and isinstance(key, str):
            found[key.removesuffix(VARIABLE_KEY_END)] = name
    return found
