"""What only the full installation has, and the error that says how to add it.

`tf-modelaudit-core` reads, judges and reports; `tf-modelaudit` also has what runs models and writes
PDF files (docs/adr/0022-light-installation.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from modelaudit.errors import MissingPackage

RUNS_MODELS = ("tensorflow", "scipy", "PIL")
WRITES_PDF = ("weasyprint", "pydyf")
ADDS_ALL = "pip install tf-modelaudit"


def missing(modules: Iterable[str]) -> str:
    """The first of the modules that is not installed, or ""; imports none of them."""
    return next((name for name in modules if find_spec(name) is None), "")


def require(
    modules: Iterable[str], purpose: str, otherwise: str = "", *, adds: str = ADDS_ALL
) -> None:
    """Check that modules are installed.

    Args:
        modules: top-level modules.
        purpose: what needs them, as the subject of a sentence: "running models needs".
        otherwise: what can be done without them.
        adds: the command that installs them.

    Raises:
        MissingPackage: one of them is not installed.
    """
    if name := missing(modules):
        without = f", or {otherwise}" if otherwise else ""
        raise MissingPackage(f"{purpose} {name}, which is not installed: {adds}{without}")
