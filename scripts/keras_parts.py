"""The names of model parts in every version of Keras that has a profile.

    python scripts/keras_parts.py > modelaudit/formats/keras/part_names.txt

Parts are what a config may name: layers, operations, activations, initializers, regularizers,
constraints, losses, metrics, optimizers, dtype policies, quantizers, models. The public names come
from modules of those; classes that a config of some version names by an internal module from there.
"""

from __future__ import annotations

import re
import sys
import textwrap

from modelaudit.runtimes.catalogue import shipped_profiles

SECTIONS = (
    *("layers", "ops", "activations", "initializers", "regularizers", "constraints", "losses"),
    *("metrics", "optimizers", "random", "dtype_policies", "mixed_precision", "models", ""),
)
# Of these, only classes are parts: the functions load, save or change settings.
CLASSES_ONLY = {"", "models", "mixed_precision", "dtype_policies"}
# They turn a config into any object, are wrapped around functions, or open a scope.
OTHERS = {"get", "serialize", "deserialize", "custom_gradient", "convert_to_numpy", "Variable"}
# Used as functions of Lambda layers.
ALSO = {"FeatureSpace", "Cross", "Feature", "normalize", "to_categorical", "preprocess_input"}
# Modules that import parts, or have classes of the same kind for tests.
TOOLS = {"utils", "testing_infra", "wrappers", "saving", "callbacks", "export"}
HEADER = """\
# Names of model parts in the versions of Keras that have a profile.
# Made by scripts/keras_parts.py: classes, then functions.
"""


def part_names() -> tuple[set[str], set[str]]:
    """The names of classes and of functions."""
    found = set(ALSO)
    for profile in (each.read().data for each in shipped_profiles()):
        for module, names in profile["public"].items():
            section = module.partition(".")[0]
            if section in SECTIONS:
                classes = section in CLASSES_ONLY
                found |= {name for name in names if not classes or is_class(name)}
        for module, names in profile["internal"].items():
            if not TOOLS & {*module.split(".")}:
                found |= {*names}  # classes, also under names like functions'
    found = {name for name in found - OTHERS if not name.endswith("Scope")}
    classes = {name for name in found if is_class(name)}
    return classes, found - classes


def is_class(name: str) -> bool:
    """Whether a name is written like a class."""
    return re.match(r"_*[A-Z]", name) is not None


if __name__ == "__main__":
    sys.stdout.write(HEADER)
    for kind, found in zip(("classes", "functions"), part_names(), strict=True):
        line = f"{kind}: {' '.join(sorted(found))}"
        sys.stdout.write(textwrap.fill(line, 100, subsequent_indent="  ") + "\n")
