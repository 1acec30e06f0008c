"""`modelaudit doctor`: check the installation."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping

import click
from msgspec import Struct
from msgspec.structs import asdict

from modelaudit import __version__
from modelaudit.cli.options import common as options
from modelaudit.exit_codes import ExitCode
from modelaudit.facts import Json
from modelaudit.settings.installation import (
    CORE,
    FULL,
    RUNS_MODELS,
    WRITES_PDF,
    adds_all,
    missing,
    version,
)

# What only the full distribution requires; matplotlib is for notebooks, and the tool works without.
ADDED = ("tensorflow", "tf-keras", "keras", "scipy", "weasyprint", "pydyf", "pillow")
PACKAGES = (
    "numpy", "h5py", "protobuf", "jinja2", "click", "cramjam", "google-crc32c", "pyyaml", "msgspec",
)  # fmt: skip
LIBRARIES = {
    "pango-1.0": ("libpango-1.0-0", "PDF reports"),
    "pangoft2-1.0": ("libpangoft2-1.0-0", "PDF reports"),
    "harfbuzz-subset": ("libharfbuzz-subset0", "small and reproducible PDF files"),
}


class Check(Struct, frozen=True):
    """One thing that was looked for.

    Attributes:
        section: what it belongs to: `packages`, `libraries`, `plugins` or `sandbox`.
        name: of the package, library or layer.
        found: whether it is there.
        note: its version, or what is missing and how to get it.
        needed: whether the tool does not work without it.
    """

    section: str
    name: str
    found: bool
    note: str = ""
    needed: bool = True


_TITLES = {
    "packages": "Packages",
    "libraries": "System libraries",
    "plugins": "Plug-ins",
    "sandbox": "Sandbox for running models",
}


@click.command(short_help="Check the installation.")
@options.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def doctor(as_json: bool) -> None:
    """Check packages, system libraries and the sandbox for running models."""
    from modelaudit.probe.host.sandbox_report import containment, sandbox_layers

    layers = sandbox_layers()
    full = any(not missing((name,)) for name in (*RUNS_MODELS, *WRITES_PDF))
    checks = [
        *_packages(PACKAGES, needed=True),
        *_packages(ADDED, needed=full),
        *_both(),
        *_libraries(needed=full),
        *_plugins(),
        *_sandbox(layers),
    ]
    sound = all(check.found for check in checks if check.needed)
    contained = containment(layers)
    if as_json:
        told = {
            "modelaudit": __version__,
            "python": platform.python_version(),
            "platform": sys.platform,
            "sound": sound,
            "full": full,
            "containment": contained,
            "checks": [asdict(check) for check in checks],
        }
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo(f"modelaudit {__version__}, Python {platform.python_version()}, {sys.platform}")
        for section, title in _TITLES.items():
            if lines := [_line(check) for check in checks if check.section == section]:
                click.echo("\n".join(["", title, *lines]))
        click.echo(f"  {contained}")
        if not full:
            click.echo("\nThis installation runs no models and writes no PDF files.")
            click.echo(f"To add both: {adds_all()}")
    if not sound:
        raise click.exceptions.Exit(ExitCode.USAGE)


def _line(check: Check) -> str:
    absent = "MISSING" if check.needed else "missing"
    between = " " if check.found else ": "
    note = check.note and f"{between}{check.note}"
    return f"  {'ok' if check.found else absent:<8} {check.name}{note}"


def _packages(names: Iterable[str], *, needed: bool) -> Iterator[Check]:
    for name in names:
        found = version(name)
        note = found or (f"pip install {name}" if needed else adds_all())
        yield Check("packages", name, bool(found), note, needed)


def _both() -> Iterator[Check]:
    """Both distributions have the same files, so removing one breaks the other."""
    if version(FULL) and version(CORE):
        note = f"has the files of {FULL}: pip uninstall both, then install one"
        yield Check("packages", CORE, False, note, needed=False)


def _libraries(*, needed: bool) -> Iterator[Check]:
    import ctypes.util

    for library, (package, purpose) in LIBRARIES.items():
        found = ctypes.util.find_library(library) is not None
        absent = f"needed for {purpose} (apt-get install {package})"
        yield Check("libraries", library, found, "" if found else absent, needed)


def _plugins() -> Iterator[Check]:
    if "modelaudit.plugins" in sys.modules:
        from modelaudit.plugins import loaded

        for each in loaded():
            note = each.problem or f"{each.distribution}: {', '.join(each.provides)}"
            yield Check("plugins", each.name, not each.problem, note)


def _sandbox(layers: Mapping[str, Json]) -> Iterator[Check]:
    from modelaudit.probe.host.bubblewrap import unavailable_reason

    for layer, state in layers.items():
        yield Check("sandbox", layer, state is True, "" if state is True else str(state), False)
    reason = unavailable_reason()
    yield Check("sandbox", "bubblewrap, only for --sandbox bwrap", not reason, reason, False)
