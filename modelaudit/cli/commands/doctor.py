"""`modelaudit doctor`: check the installation."""

from __future__ import annotations

import platform
import sys

import click

from modelaudit import __version__
from modelaudit.exit_codes import ExitCode

PACKAGES = (
    "tensorflow", "tf-keras", "keras", "numpy", "scipy", "h5py", "protobuf", "jinja2",
    "matplotlib", "weasyprint", "pydyf", "click", "rich", "cramjam", "google-crc32c", "pillow",
    "pyyaml", "msgspec",
)  # fmt: skip
LIBRARIES = {
    "pango-1.0": ("libpango-1.0-0", "PDF reports"),
    "pangoft2-1.0": ("libpangoft2-1.0-0", "PDF reports"),
    "harfbuzz-subset": ("libharfbuzz-subset0", "small and reproducible PDF files"),
}


@click.command(short_help="Check the installation.")
def doctor() -> None:
    """Check packages, system libraries and the sandbox for running models."""
    click.echo(f"modelaudit {__version__}, Python {platform.python_version()}, {sys.platform}")
    click.echo("\nPackages")
    from importlib import metadata

    packages = True
    for name in PACKAGES:
        try:
            click.echo(f"  ok       {name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            click.echo(f"  MISSING  {name} (pip install {name})")
            packages = False
    click.echo("\nSystem libraries")
    import ctypes.util

    libraries = True
    for library, (package, purpose) in LIBRARIES.items():
        if ctypes.util.find_library(library):
            click.echo(f"  ok       {library}")
        else:
            click.echo(f"  MISSING  {library}: needed for {purpose} (apt-get install {package})")
            libraries = False
    click.echo("\nSandbox for running models")
    from modelaudit.probe.host.bubblewrap import unavailable_reason
    from modelaudit.probe.host.sandbox_report import containment, sandbox_layers

    layers = sandbox_layers()
    for layer, state in layers.items():
        word = "ok     " if state is True else "missing"
        click.echo(f"  {word}  {layer}" + ("" if state is True else f": {state}"))
    reason = unavailable_reason()
    word = "missing" if reason else "ok     "
    click.echo(f"  {word}  bubblewrap, only for --sandbox bwrap" + (reason and f": {reason}"))
    click.echo(f"  {containment(layers)}")
    if not (packages and libraries):
        raise click.exceptions.Exit(ExitCode.USAGE)
