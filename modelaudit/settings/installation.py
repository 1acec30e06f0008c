"""What is installed: packages that only the full installation has, and plug-ins.

`tf-modelaudit-core` reads, judges and reports; `tf-modelaudit` also runs models and writes PDF
files (docs/adr/0022-light-installation.md).
"""

from __future__ import annotations

import re
import site
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from modelaudit.errors import MissingPackage

RUNS_MODELS = ("tensorflow", "scipy", "PIL")
WRITES_PDF = ("weasyprint", "pydyf")
BUILDS_PRESETS = ("keras_hub",)
FULL, CORE = "tf-modelaudit", "tf-modelaudit-core"  # distributions of the same files
ADDS_HUB = f"pip install {FULL}[hub]"
MOST_BYTES = 1 << 20  # of a list of entry points; they have a few lines


def missing(modules: Iterable[str]) -> str:
    """The first of the modules that is not installed, or ""; imports none of them."""
    return next((name for name in modules if not _installed(name)), "")


def _installed(module: str) -> bool:
    # A folder of that name in the current directory is a namespace package, without an origin.
    spec = find_spec(module)
    return spec is not None and spec.origin is not None


def version(distribution: str) -> str:
    """The version of an installed distribution, or ""."""
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def adds_all() -> str:
    """The command that makes this the full installation.

    The core is removed first: a later removal of it would take the files of both.
    """
    add = f"pip install {FULL}"
    if not version(CORE):
        return add
    return f"install {FULL} instead of {CORE} (pip uninstall {CORE} && {add})"


def require(modules: Iterable[str], purpose: str, otherwise: str = "", *, adds: str = "") -> None:
    """Check that modules are installed.

    Args:
        modules: top-level modules.
        purpose: what needs them, as the subject of a sentence: "running models needs".
        otherwise: what can be done without them.
        adds: the command that installs them; by default that of the full installation.

    Raises:
        MissingPackage: one of them is not installed.
    """
    if name := missing(modules):
        without = f", or {otherwise}" if otherwise else ""
        raise MissingPackage(
            f"{purpose} {name}, which is not installed: {adds or adds_all()}{without}"
        )


def plugin_declarations() -> tuple[Path, ...]:
    """The lists of entry points that name plug-ins (docs/plugins.md).

    Only of packages that are installed in the environment: a directory that the path also has, such
    as the current one, may be the one that is audited. Of a distribution that is installed twice,
    only the one whose modules are imported; versions in one directory, which share their modules,
    all count. Imports nothing, since most have none.
    """
    users = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    order = {each: place for place, each in reversed([*enumerate(sys.path)])}
    places = {*site.getsitepackages(), *users}
    folders = sorted(places, key=lambda each: (order.get(each, len(order)), each))
    return tuple(file for file in _entry_points(folders) if _names_plugins(file))


def _entry_points(folders: Iterable[str]) -> Iterator[Path]:
    """Where each distribution lists its entry points; pip renames to `~` what it removes."""
    seen: set[str] = set()
    for folder in folders:
        here = set()
        for place in sorted(Path(folder).glob("[!~]*.dist-info")):
            name = re.sub("[-_.]+", "-", place.stem.rpartition("-")[0]).lower()
            if name not in seen:
                here.add(name)
                yield place / "entry_points.txt"
        seen |= here


def _names_plugins(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return b"[modelaudit." in opened.read(MOST_BYTES)
    except OSError:
        return False
