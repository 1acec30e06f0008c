"""Small models of many kinds, for `matrix.py`: name -> (function that builds it, inputs).

Each is written for Keras 2.6 to 3; one that a version cannot build is left out there. Each list
was written, and judged, at another time; `docs/accuracy/loading.md` has what was found. Custom
objects come from the list's `customs*.py`, copied beside the models, which the worker can import.
"""

from __future__ import annotations

import importlib
from pathlib import Path

HERE = Path(__file__).parent


def _of(folder: Path):
    """The module of a list that names its models; of a list with several modules it is `images`."""
    stem = "images" if (folder / "images.py").exists() else "models"
    return importlib.import_module(f"benchmarks.loading.{folder.name}.{stem}")


_LISTS = [_of(folder) for folder in sorted(HERE.glob("list_*"))]


def _names(kind):
    """The names that the lists tell of one kind."""
    return frozenset(name for each in _LISTS for name in getattr(each, kind, ()))


# Name -> (function, inputs of one batch in the order of the model's inputs).
MODELS = {name: value for each in _LISTS for name, value in each.MODELS.items()}
# Models with custom objects, which are also loaded without them.
CUSTOM = _names("CUSTOM")
# Models whose code differs between versions: weights are only for the code that saved them.
VARYING = _names("VARYING")
LAMBDAS = _names("LAMBDAS")
# Models whose rounding adds up over many layers.
DEEP = _names("DEEP")
# Models whose inputs are in a dictionary.
DICTIONARIES = _names("DICTIONARIES")
# Name of a model with several inputs -> the names of these in their order.
INPUTS = {name: value for each in _LISTS for name, value in getattr(each, "INPUTS", {}).items()}
